//! The clock of the bridges: which leg's fill is due when.

use relay_values::{Leg, SessionId, Time};
use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

/// A leg whose bridge has something to do at `at`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Beat {
    pub(crate) at: Time,
    /// The session's place, and its name: the place may have been given to another session since.
    pub(crate) slot: usize,
    pub(crate) session: SessionId,
    pub(crate) leg: Leg,
}

/// All that is due at some time, soonest first. A bridge ignores a beat for which it does not wait any more, so nothing
/// needs to be taken out again.
#[derive(Debug, Default)]
pub(crate) struct Beats(BinaryHeap<Reverse<Beat>>);

impl Beats {
    pub(crate) fn put(&mut self, beat: Beat) {
        self.0.push(Reverse(beat));
    }

    /// The next one that is due at `now`.
    pub(crate) fn due(&mut self, now: Time) -> Option<Beat> {
        if self.next() > now {
            return None;
        }
        self.0.pop().map(|Reverse(beat)| beat)
    }

    /// When the next one is due.
    pub(crate) fn next(&self) -> Time {
        self.0.peek().map_or(Time::NEVER, |Reverse(beat)| beat.at)
    }
}

impl Ord for Beat {
    fn cmp(&self, other: &Self) -> Ordering {
        // The session makes the order total, and with it the order of packets the same in every run.
        (self.at, self.session, self.leg == Leg::B).cmp(&(other.at, other.session, other.leg == Leg::B))
    }
}

impl PartialOrd for Beat {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
