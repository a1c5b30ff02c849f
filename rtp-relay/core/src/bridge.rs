//! The bridge: what the other leg hears while a leg's peer is taken for lost.
//!
//! The fill keeps the beat of the peer that it stands in for: its packets are due whole packet times after the peer's last
//! one. So a thousand legs that are bridged in one moment do not all speak in the same millisecond from then on, and the
//! receiver's jitter buffer finds the packets where it expects them.

use crate::limits::{MAX_FILL_TIME, MIN_FILL_TIME, QUIET_PACKETS};
use crate::meter::in_units;
use crate::own::Payload;
use crate::random::SplitMix;
use crate::rtcp::interval;
use relay_values::{Duration, Fill, Time};

/// A bridge over a leg.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Bridge {
    fill: Option<Fill>,
    /// The place in time of our last packet; `None` before the first.
    last: Option<Time>,
    /// When the first packet was sent after the peer's last.
    filled: Option<Time>,
    /// Samples of the sound that were heard.
    heard: u32,
    /// The beat that is waited for.
    due: Option<Time>,
    /// When we report ourselves next; `None` before our first packet.
    report: Option<Time>,
}

/// One packet of fill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Piece {
    /// Its place in time.
    pub(crate) at: Time,
    pub(crate) clock_rate: u32,
    /// It begins a talkspurt (RFC 3551 §4.1).
    pub(crate) marker: bool,
    pub(crate) payload_type: u8,
    pub(crate) payload: Payload,
}

impl Bridge {
    /// Take signalling's word about what is to be heard. When the next packet is due, if that is news.
    pub(crate) fn play(&mut self, now: Time, fill: Option<Fill>, spoke: Option<Time>) -> Option<Time> {
        if fill.map(|f| f.sound) != self.fill.map(|f| f.sound) {
            self.heard = 0;
        }
        self.fill = fill;
        let step = step(&fill?);
        let at = self.next(step, spoke).max(now);
        self.wait_for(at)
    }

    /// The beat at `at` has come. Whether it is the one that was waited for.
    pub(crate) fn waits_for(&mut self, at: Time) -> bool {
        self.due.take_if(|due| *due == at).is_some()
    }

    /// The packet that is due, and when to ask again. `spoke` is the last packet of the peer itself, `open` whether the
    /// other leg may be sent to.
    pub(crate) fn turn(
        &mut self,
        now: Time,
        spoke: Option<Time>,
        open: bool,
    ) -> (Option<Piece>, Option<Time>) {
        let Some(fill) = self.fill else { return (None, None) };
        let step = step(&fill);
        let next = self.next(step, spoke);
        if next > now {
            return (None, self.wait_for(next));
        }
        // After a stall: what should have been sent meanwhile is left out, not sent in a burst.
        let behind = now.since(next).as_nanos() / step.as_nanos().max(1);
        let at = next + step * u32::try_from(behind).unwrap_or(u32::MAX);
        let again = self.wait_for(at + step);
        if !open {
            return (None, again);
        }
        let ours = self.last.filter(|last| spoke.is_none_or(|s| s <= *last));
        let samples = in_units(Time::ZERO + step, fill.clock_rate);
        let piece = Piece {
            at,
            clock_rate: fill.clock_rate,
            marker: ours.is_none_or(|last| at > last + step),
            payload_type: fill.payload_type,
            payload: Payload::Sound { sound: fill.sound, samples: samples as usize, at: self.heard },
        };
        self.heard = self.heard.wrapping_add(samples);
        if ours.is_none() {
            self.filled = Some(now);
        }
        self.last = Some(at);
        (Some(piece), again)
    }

    /// A packet of ours has been sent: whether it is the first, and whether a report is due. `random` spreads reports.
    pub(crate) fn spoken(&mut self, now: Time, random: &mut SplitMix) -> (bool, bool) {
        let Some(due) = self.report else {
            self.report = Some(now + interval(true, random));
            return (true, false);
        };
        if due > now {
            return (false, false);
        }
        self.report = Some(now + interval(false, random));
        (false, true)
    }

    /// Whether a report will be due at `at`.
    pub(crate) fn reports(&self, at: Time) -> bool {
        self.report.is_some_and(|due| due <= at)
    }

    /// When the first packet was sent after `last`, the peer's last one.
    pub(crate) fn filled(&self, last: Option<Time>) -> Option<Time> {
        self.filled.filter(|filled| last.is_none_or(|last| *filled >= last))
    }

    /// The place in time of the next packet: one step after ours, or some after the peer's.
    fn next(&self, step: Duration, spoke: Option<Time>) -> Time {
        let quiet = spoke.map(|spoke| spoke + step * QUIET_PACKETS);
        match (self.last.map(|last| last + step), quiet) {
            (Some(ours), Some(quiet)) => ours.max(quiet),
            (Some(at), None) | (None, Some(at)) => at,
            (None, None) => Time::ZERO,
        }
    }

    /// Wait for a beat at `at`; the same again if one has to be asked for.
    fn wait_for(&mut self, at: Time) -> Option<Time> {
        if self.due.is_some_and(|due| due <= at) {
            return None;
        }
        self.due = Some(at);
        self.due
    }
}

/// Time in a packet, within what can be sent.
fn step(fill: &Fill) -> Duration {
    fill.packet_time.clamp(MIN_FILL_TIME, MAX_FILL_TIME)
}
