//! The packet rewrite: one stream goes on although its sender has changed.
//!
//! The receiver of a stream keeps its decoder, its jitter buffer and its statistics by SSRC, and orders packets by
//! sequence number and timestamp (RFC 3550 §5.1). When a leg is moved to another peer, the new peer's stream has an SSRC,
//! a sequence and a timestamp line of its own; and while it has no peer we speak ourselves. So that the other leg notices
//! nothing, whoever speaks next is mapped to what the last one would have sent by now, and goes on by the same offsets:
//!
//! | | first packet of a source | every packet after it |
//! |---|---|---|
//! | SSRC | the line's | the line's |
//! | sequence number | last sent + 1 | as the source counts |
//! | timestamp | last sent + time passed × clock rate | as the source counts |
//!
//! A line is in one of five states, named for what was sent last:
//!
//! | | a packet comes | we speak | the leg is moved |
//! |---|---|---|---|
//! | `Unused`: nothing | `Plain` | `Filled` | |
//! | `Plain`: the peer's own | | `Filled` | `Moved` |
//! | `Moved`: the peer's before | `Shifted`, begun with it | `Filled` | |
//! | `Shifted`: the present source's | begun anew, if of a new source | `Filled` | `Moved` |
//! | `Filled`: ours | `Shifted`, begun with it | | `Moved` |
//!
//! Three promises hold, whatever the network does to the sources' packets:
//!
//! - **Until the first move nothing is changed**, not one bit. Afterwards the line is ours: a source that changes its SSRC
//!   or starts its numbers anew (which it may do at any time) is mapped like a new one.
//! - **No number is given to two packets.** A packet that the network has held back past a change of source belongs before
//!   the number with which the change began. That number and all before it have been used: the packet is late and is
//!   dropped. (To leave numbers free for it would be loss in the eyes of the receiver, wherever nothing was held back.)
//! - **Over a change timestamps grow by the time that has passed**, and always grow. The packets of one event (RFC 4733)
//!   share a timestamp for as long as a key is held, so time is counted from the first packet of the newest timestamp.

use crate::hearing::Since;
use crate::limits::{MAX_DROPOUT, MAX_MISORDER};
use crate::meter::in_units;
use crate::offload::{Carried, FlowShift, FlowState};
use crate::packet::{RTP_HEADER, RtpHeader};
use crate::random::SplitMix;
use crate::rtcp::Speaker;
use relay_values::{DropReason, Time};

/// The line of the stream that a leg's peer sends and the other leg receives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Line {
    /// Nothing has been sent on.
    #[default]
    Unused,
    /// The peer's own: packets pass untouched.
    Plain(Sent),
    /// Packets of one source are shifted.
    Shifted(Sent, Shift),
    /// What was sent last is of our own making. The source that it followed may come back.
    Filled(Sent, Option<Left>),
    /// The peer was changed; the next packet, whoever's it is, begins a shift.
    Moved(Sent),
}

/// The newest packet that the receiver has got, as it got it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) ssrc: u32,
    /// The sequence number, extended by how often it went round since the first packet, as the receiver extends it
    /// (RFC 3550 appendix A.1).
    pub(crate) sequence: u32,
    pub(crate) timestamp: u32,
    /// When this timestamp was sent first.
    at: Time,
}

/// How the packets of a source become the line's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shift {
    /// SSRC of the source.
    pub(crate) source: u32,
    /// What is added to its sequence numbers, on the wire modulo 2¹⁶.
    pub(crate) sequence: u32,
    /// What is added to its timestamps, modulo 2³².
    pub(crate) timestamp: u32,
    /// The line's number with which it began.
    pub(crate) first: u32,
    /// Whom it followed, if that is of the same peer and something of it may still be on the way.
    left: Option<Left>,
}

/// A source that goes on, in its own numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Steady {
    pub(crate) source: u32,
    pub(crate) shift: FlowShift,
    pub(crate) newest: u16,
    pub(crate) timestamp: u32,
    /// When that timestamp was sent first.
    pub(crate) at: Time,
    /// How far behind the newest a packet may be, if that is bounded by where the shift began.
    pub(crate) room: Option<u32>,
}

/// Whether a packet begins a shift.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Onset {
    /// Its source went on.
    None,
    /// Its source was away while we spoke.
    Return,
    /// Its source is new to the receiver.
    New,
}

/// A source that was followed by another or by ourselves, and the last sequence number of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Left {
    source: u32,
    /// Extended.
    sequence: u32,
}

/// A number of the line, as its source counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) source: u32,
    /// Extended.
    pub(crate) highest: u32,
    /// The first one that is both the source's and the present receiver's.
    pub(crate) first: u32,
}

/// Where a sequence number lies, seen from the newest.
enum Place {
    /// Newer by so much.
    Ahead(u16),
    /// Older by so much; by 0 if it is the newest again.
    Behind(u16),
    /// So far away that its source must have started anew.
    Elsewhere,
}

impl Line {
    /// The leg has another peer from now on.
    pub(crate) fn moved(&mut self) {
        if let Some(sent) = self.sent() {
            *self = Self::Moved(sent);
        }
    }

    /// The next packet, whoever's it is, may not be changed: the line is always the sender's own.
    pub(crate) fn leave(&mut self) {
        match self {
            Self::Unused | Self::Plain(_) => {}
            Self::Shifted(..) | Self::Filled(..) | Self::Moved(_) => *self = Self::Unused,
        }
    }

    /// Let a packet pass, rewritten in place where the line asks for it. `header` is its header as it came.
    ///
    /// # Errors
    ///
    /// [`DropReason::Late`] for a packet whose number has been used since.
    pub(crate) fn pass(
        &mut self,
        now: Time,
        clock_rate: u32,
        header: &RtpHeader,
        bytes: &mut [u8],
    ) -> Result<Onset, DropReason> {
        let left = match self {
            Self::Unused => {
                *self = Self::Plain(Sent::first(header, now));
                return Ok(Onset::None);
            }
            Self::Plain(sent) => {
                match sent.place(header.sequence) {
                    Place::Behind(_) if sent.ssrc == header.ssrc => {}
                    Place::Ahead(step) if sent.ssrc == header.ssrc => {
                        sent.advance(step, header.timestamp, now)
                    }
                    Place::Behind(_) | Place::Ahead(_) | Place::Elsewhere => *sent = Sent::first(header, now),
                }
                return Ok(Onset::None);
            }
            Self::Shifted(sent, shift) if shift.source == header.ssrc => {
                let sequence = header.sequence.wrapping_add(shift.sequence as u16);
                let timestamp = header.timestamp.wrapping_add(shift.timestamp);
                match sent.place(sequence) {
                    Place::Ahead(step) => sent.advance(step, timestamp, now),
                    Place::Behind(by) if u32::from(by) <= sent.sequence.wrapping_sub(shift.first) => {}
                    Place::Behind(_) => return Err(DropReason::Late),
                    Place::Elsewhere => return Ok(self.begin(now, clock_rate, header, bytes, Onset::New)),
                }
                write(bytes, sequence, timestamp, sent.ssrc);
                return Ok(Onset::None);
            }
            Self::Shifted(_, shift) => shift.left,
            Self::Filled(_, left) => *left,
            Self::Moved(_) => None,
        };
        // Not the present source: one from before that is late, the one that was away, or a new one.
        let onset = match left.filter(|left| left.source == header.ssrc) {
            Some(left) if left.has_sent(header.sequence) => return Err(DropReason::Late),
            Some(_) if matches!(self, Self::Filled(..)) => Onset::Return,
            Some(_) | None => Onset::New,
        };
        Ok(self.begin(now, clock_rate, header, bytes, onset))
    }

    /// The next packet is ours, and `at` is its place in time. What its header is to say.
    pub(crate) fn fill(&mut self, at: Time, clock_rate: u32, random: &mut SplitMix) -> Sent {
        let sent = match self.sent() {
            Some(sent) => sent.continued(at, clock_rate),
            None => Sent::anything(random, at),
        };
        *self = Self::Filled(sent, self.left());
        sent
    }

    /// The next packet is ours and belongs to what began at `timestamp`, as the receiver knows it. What its header is to
    /// say; `None` if the receiver has got nothing yet.
    pub(crate) fn repeat(&mut self, timestamp: u32) -> Option<Sent> {
        let mut sent = self.sent()?;
        sent.sequence = sent.sequence.wrapping_add(1);
        *self = Self::Filled(sent, self.left());
        Some(Sent { timestamp, ..sent })
    }

    /// As whom the receiver knows the present source.
    pub(crate) fn speaker(&self) -> Speaker {
        match *self {
            Self::Unused | Self::Plain(_) => Speaker::Itself,
            Self::Filled(sent, _) | Self::Moved(sent) => Speaker::Unheard { known_as: sent.ssrc },
            Self::Shifted(sent, Shift { source, timestamp, .. }) => {
                Speaker::Shifted { source, known_as: sent.ssrc, timestamp }
            }
        }
    }

    /// The SSRC that the receiver knows, if it has got anything.
    pub(crate) fn ssrc(&self) -> Option<u32> {
        self.sent().map(|sent| sent.ssrc)
    }

    /// What the receiver was told of the present source's `timestamp`.
    pub(crate) fn heard_as(&self, timestamp: u32) -> u32 {
        match self {
            Self::Shifted(_, shift) => timestamp.wrapping_add(shift.timestamp),
            Self::Unused | Self::Plain(_) | Self::Filled(..) | Self::Moved(_) => timestamp,
        }
    }

    /// Begin a shift with the first packet of a source.
    fn begin(
        &mut self,
        now: Time,
        clock_rate: u32,
        header: &RtpHeader,
        bytes: &mut [u8],
        onset: Onset,
    ) -> Onset {
        let Some(sent) = self.sent().map(|sent| sent.continued(now, clock_rate)) else { return Onset::None };
        write(bytes, sent.sequence as u16, sent.timestamp, sent.ssrc);
        let shift = Shift {
            source: header.ssrc,
            sequence: sent.sequence.wrapping_sub(header.sequence.into()),
            timestamp: sent.timestamp.wrapping_sub(header.timestamp),
            first: sent.sequence,
            left: self.left().filter(|left| left.source != header.ssrc),
        };
        *self = Self::Shifted(sent, shift);
        onset
    }

    /// The SSRC of the source that sends on it, or did so last.
    pub(crate) fn source(&self) -> Option<u32> {
        match self {
            Self::Unused | Self::Moved(_) => None,
            Self::Plain(sent) => Some(sent.ssrc),
            Self::Shifted(_, shift) => Some(shift.source),
            Self::Filled(_, left) => left.map(|left| left.source),
        }
    }

    /// What the receiver, who has the line `since` some place, means by its `highest` number. While we speak ourselves, that
    /// is the last one of the source that we speak for.
    pub(crate) fn as_sent(&self, highest: u16, since: Option<Since>) -> Option<Named> {
        match *self {
            Self::Unused | Self::Moved(_) => None,
            Self::Plain(sent) => sent.back(highest, sent.room(since)),
            Self::Shifted(sent, shift) => {
                let room = sent.room(since).min(sent.sequence.wrapping_sub(shift.first).saturating_add(1));
                sent.back(highest, room).map(|b| Named {
                    source: shift.source,
                    highest: b.highest.wrapping_sub(shift.sequence),
                    first: b.first.wrapping_sub(shift.sequence),
                })
            }
            Self::Filled(_, left) => {
                left.map(|l| Named { source: l.source, highest: l.sequence, first: l.sequence })
            }
        }
    }

    /// A number of the line as its present source counts, if it is one of that source's.
    pub(crate) fn number_back(&self, number: u16, since: Option<Since>) -> Option<u16> {
        match self {
            Self::Plain(_) | Self::Shifted(..) => self.as_sent(number, since).map(|n| n.highest as u16),
            Self::Unused | Self::Filled(..) | Self::Moved(_) => None,
        }
    }

    /// The timestamp that belongs to `now`.
    pub(crate) fn clock(&self, now: Time, clock_rate: u32) -> Option<u32> {
        let sent = self.sent()?;
        Some(sent.timestamp.wrapping_add(in_units(Time::ZERO + now.since(sent.at), clock_rate)))
    }

    /// Whether what was sent last is ours.
    pub(crate) fn is_filled(&self) -> bool {
        matches!(self, Self::Filled(..))
    }

    /// Its place now, for whoever receives it from here on.
    pub(crate) fn since_now(&self) -> Option<Since> {
        self.sent().map(|sent| Since { ssrc: sent.ssrc, sequence: sent.sequence })
    }

    fn sent(&self) -> Option<Sent> {
        match *self {
            Self::Unused => None,
            Self::Plain(sent) | Self::Shifted(sent, _) | Self::Filled(sent, _) | Self::Moved(sent) => {
                Some(sent)
            }
        }
    }

    /// How the packets of its source become the receiver's, if that goes on as it is.
    pub(crate) fn steady(&self) -> Option<Steady> {
        let (sent, source, shift, room) = match *self {
            Self::Unused | Self::Filled(..) | Self::Moved(_) => return None,
            Self::Plain(sent) => {
                (sent, sent.ssrc, FlowShift { ssrc: sent.ssrc, sequence: 0, timestamp: 0 }, None)
            }
            Self::Shifted(sent, Shift { source, sequence, timestamp, first, .. }) => {
                let room = sent.sequence.wrapping_sub(first);
                (
                    sent,
                    source,
                    FlowShift { ssrc: sent.ssrc, sequence: sequence as u16, timestamp },
                    Some(room),
                )
            }
        };
        Some(Steady {
            source,
            shift,
            newest: (sent.sequence as u16).wrapping_sub(shift.sequence),
            timestamp: sent.timestamp.wrapping_sub(shift.timestamp),
            at: sent.at,
            room,
        })
    }

    /// Another has passed on packets, as `shift` says. The newest number was `before`, in the source's own count.
    pub(crate) fn absorb(&mut self, shift: &FlowShift, before: u32, carried: &Carried, after: &FlowState) {
        let (Self::Plain(sent) | Self::Shifted(sent, _) | Self::Filled(sent, _) | Self::Moved(sent)) = self
        else {
            return;
        };
        let of_receiver = |newest: u32| (newest as u16).wrapping_add(shift.sequence);
        let step = if sent.sequence as u16 == of_receiver(before) {
            carried.advance
        } else {
            // A packet came to us meanwhile: only what is newer than that is news.
            match sent.place(of_receiver(after.newest)) {
                Place::Ahead(step) => step.into(),
                Place::Behind(_) | Place::Elsewhere => return,
            }
        };
        sent.sequence = sent.sequence.wrapping_add(step);
        (sent.timestamp, sent.at) =
            (after.newest_timestamp.wrapping_add(shift.timestamp), after.newest_at.max(sent.at));
    }

    /// Whom the next source follows.
    fn left(&self) -> Option<Left> {
        let (source, sequence) = match *self {
            // Another peer's packets do not reach us any more, and the next one may have chosen the same SSRC.
            Self::Unused | Self::Moved(_) => return None,
            Self::Filled(_, left) => return left,
            Self::Plain(sent) => (sent.ssrc, sent.sequence),
            Self::Shifted(sent, shift) => (shift.source, sent.sequence.wrapping_sub(shift.sequence)),
        };
        Some(Left { source, sequence })
    }
}

impl Sent {
    fn first(header: &RtpHeader, now: Time) -> Self {
        let RtpHeader { ssrc, sequence, timestamp, .. } = *header;
        Self { ssrc, sequence: sequence.into(), timestamp, at: now }
    }

    /// The begin of a line that nobody has begun (RFC 3550 §5.1 wants all three random).
    fn anything(random: &mut SplitMix, at: Time) -> Self {
        let (names, number) = (random.next(), random.next());
        Self { ssrc: (names >> 32) as u32, sequence: number as u32 & 0xffff, timestamp: names as u32, at }
    }

    /// What the receiver expects next, if it comes now.
    fn continued(self, now: Time, clock_rate: u32) -> Self {
        let passed = in_units(Time::ZERO + now.since(self.at), clock_rate);
        Self {
            ssrc: self.ssrc,
            sequence: self.sequence.wrapping_add(1),
            // Equal timestamps mean "of one frame" (RFC 3550 §5.1), which two packets of two senders never are.
            timestamp: self.timestamp.wrapping_add(passed.max(1)),
            at: now,
        }
    }

    /// How many of the last numbers somebody can have received who does so `since` some place.
    fn room(&self, since: Option<Since>) -> u32 {
        let since = since.filter(|since| since.ssrc == self.ssrc);
        since.map_or(1 << 15, |since| self.sequence.wrapping_sub(since.sequence))
    }

    /// A number that is one of the last `room`.
    fn back(&self, number: u16, room: u32) -> Option<Named> {
        let behind = u32::from((self.sequence as u16).wrapping_sub(number));
        (behind < room).then(|| Named {
            source: self.ssrc,
            highest: self.sequence.wrapping_sub(behind),
            first: self.sequence.wrapping_sub(room - 1),
        })
    }

    fn place(&self, sequence: u16) -> Place {
        let behind = (self.sequence as u16).wrapping_sub(sequence);
        let ahead = behind.wrapping_neg();
        if behind <= MAX_MISORDER {
            Place::Behind(behind)
        } else if ahead < MAX_DROPOUT {
            Place::Ahead(ahead)
        } else {
            Place::Elsewhere
        }
    }

    /// Remember a newer packet of the same source.
    fn advance(&mut self, step: u16, timestamp: u32, now: Time) {
        self.sequence = self.sequence.wrapping_add(step.into());
        // A packet of an event keeps the timestamp of its begin, which lies behind that of the sound sent meanwhile: never
        // by more than its 16 bits of duration can say (RFC 4733 §2.3.5). What goes back further is a clock set anew.
        if self.timestamp.wrapping_sub(timestamp) > u16::MAX.into() {
            (self.timestamp, self.at) = (timestamp, now);
        }
    }
}

impl Left {
    /// Whether this number of its own, or one after it, had been sent when it was followed.
    fn has_sent(self, sequence: u16) -> bool {
        (self.sequence as u16).wrapping_sub(sequence) <= MAX_MISORDER
    }
}

/// Put the three fields into an RTP header.
fn write(bytes: &mut [u8], sequence: u16, timestamp: u32, ssrc: u32) {
    let Some(header) = bytes.first_chunk_mut::<RTP_HEADER>() else { return };
    header[2..4].copy_from_slice(&sequence.to_be_bytes());
    header[4..8].copy_from_slice(&timestamp.to_be_bytes());
    header[8..12].copy_from_slice(&ssrc.to_be_bytes());
}

#[cfg(test)]
mod tests;
