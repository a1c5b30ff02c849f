//! What the receiver of a line says of it, as its source is to be told.
//!
//! Sources follow one another on a line, and so do those who receive it. A source is told of losses that are its own, by
//! whoever has received it so far: of every report only what is new since the last one counts, and no more than can have
//! been lost of what was sent in between. So neither a new receiver, which counts from zero, nor a new source, of which
//! nothing is lost yet, makes a count leap.

use crate::meter::micros;
use relay_values::{Duration, Reported};

/// The state of what is heard of one line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Hearing {
    /// The receiver's last count of lost packets; of our own meter, where we report ourselves.
    count: i32,
    own_count: i32,
    /// The source's newest number when we began to report ourselves.
    own_first: u32,
    /// What the present source was told to be lost of it.
    told: i32,
    /// And its highest sequence number then, extended, in its own numbers.
    highest: Option<u32>,
    /// Whoever receives the line now does so since this place of it.
    since: Option<Since>,
    /// What was reported of the line, by the receivers themselves.
    reports: u32,
    fraction: [u8; 2],
    /// In timestamp units, and in microseconds.
    jitter: [u32; 2],
    round_trip: [u32; 2],
}

/// A place of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Since {
    pub(crate) ssrc: u32,
    /// The last number, extended, that others have received.
    pub(crate) sequence: u32,
}

/// What a report block says of loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Loss {
    /// Of 256, since the last report.
    pub(crate) fraction: u8,
    /// Since the begin; duplicates may make it negative (RFC 3550 §6.4.1).
    pub(crate) count: i32,
}

/// The bounds of a count of 24 bits.
const MOST: i32 = 0x007f_ffff;
const LEAST: i32 = -0x0080_0000;

impl Loss {
    pub(crate) fn read(word: u32) -> Self {
        // The sign of 24 bits becomes that of 32.
        Self { fraction: (word >> 24) as u8, count: ((word << 8) as i32) >> 8 }
    }

    pub(crate) fn word(self) -> u32 {
        u32::from(self.fraction) << 24 | (self.count.clamp(LEAST, MOST) as u32 & 0x00ff_ffff)
    }
}

impl Hearing {
    /// Another receives the line from now on.
    pub(crate) fn new_receiver(&mut self, since: Option<Since>) {
        (self.count, self.since) = (0, since);
    }

    /// The line has another source.
    pub(crate) fn new_source(&mut self) {
        (self.told, self.highest) = (0, None);
    }

    /// Since when the present receiver has the line, if it is not the first.
    pub(crate) fn since(&self) -> Option<Since> {
        self.since
    }

    /// A block of the receiver's that the source gets as it is.
    pub(crate) fn passes(&mut self, loss: Loss, highest: u32) {
        (self.count, self.told, self.highest) = (loss.count, loss.count, Some(highest));
    }

    /// A block of the receiver's about what was sent before the present source, which is not told of it.
    pub(crate) fn passed_over(&mut self, loss: Loss) {
        self.count = loss.count;
    }

    /// A block of the receiver's: what its source is told of loss, up to `highest`. `first` is the first of its numbers that
    /// this receiver can have had.
    pub(crate) fn told(&mut self, loss: Loss, highest: u32, first: u32) -> Loss {
        let more = loss.count.wrapping_sub(self.count);
        self.count = loss.count;
        self.tell(more, highest, first)
    }

    /// We report ourselves from now on, and have counted so many losses up to `newest`.
    pub(crate) fn begin_own(&mut self, count: u64, newest: u32) {
        (self.own_count, self.own_first) = (clipped(count), newest);
    }

    /// A block of our own: the source has lost so many packets on its way to us.
    pub(crate) fn tell_own(&mut self, count: u64, highest: u32) -> Loss {
        let count = clipped(count);
        let more = count.wrapping_sub(self.own_count);
        self.own_count = count;
        self.tell(more, highest, self.own_first.wrapping_add(1))
    }

    fn tell(&mut self, more: i32, highest: u32, first: u32) -> Loss {
        let before = self.highest.unwrap_or_else(|| first.wrapping_sub(1));
        // What came before counts once.
        let sent = (highest.wrapping_sub(before) as i32).max(0);
        // The highest of them came.
        let more = more.min(sent.saturating_sub(1).max(0));
        self.told = self.told.saturating_add(more).clamp(LEAST, MOST);
        if sent > 0 || self.highest.is_none() {
            self.highest = Some(highest);
        }
        let fraction = (i64::from(more.max(0)) << 8) / i64::from(sent.max(1));
        Loss { fraction: u8::try_from(fraction).unwrap_or(u8::MAX), count: self.told }
    }

    /// Keep what a receiver says, for the record. Jitter in timestamp units.
    pub(crate) fn keep(&mut self, loss: Loss, jitter: u32) {
        self.reports = self.reports.saturating_add(1);
        self.fraction = [loss.fraction, self.fraction[1].max(loss.fraction)];
        self.jitter = [jitter, self.jitter[1].max(jitter)];
    }

    /// The way from us to the receiver and back took so long.
    pub(crate) fn round_trip(&mut self, took: Duration) {
        let took = u32::try_from(took.as_micros()).unwrap_or(u32::MAX);
        self.round_trip = [took, self.round_trip[1].max(took)];
    }

    pub(crate) fn reported(&self, clock_rate: u32) -> Reported {
        let [fraction_lost, fraction_lost_max] = self.fraction;
        let [jitter, jitter_max] = self.jitter;
        let [rtt_us, rtt_us_max] = self.round_trip;
        Reported {
            reports: self.reports,
            fraction_lost,
            fraction_lost_max,
            jitter_us: micros(jitter, clock_rate),
            jitter_us_max: micros(jitter_max, clock_rate),
            rtt_us,
            rtt_us_max,
        }
    }
}

fn clipped(count: u64) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}
