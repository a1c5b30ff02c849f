//! How long what waits will take.

use relay_values::{Duration, Time};

/// A turn that has handled fewer messages says little of what one takes.
const TELLING: u64 = 16;

/// What a message takes, everything that a turn does beside it included: an average over turns, of which each counts an eighth.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    each_ns: u64,
    began: Time,
}

impl Ahead {
    /// A turn begins.
    pub(super) fn begins(&mut self, now: Time) {
        self.began = now;
    }

    /// It is over and has handled so many.
    pub(super) fn ends(&mut self, now: Time, messages: usize) {
        let messages = messages as u64;
        if messages < TELLING {
            return;
        }
        let each = u64::try_from(now.since(self.began).as_nanos()).unwrap_or(u64::MAX) / messages;
        self.each_ns = match self.each_ns {
            // All that is known.
            0 => each,
            // A turn in which the thread stood still says nothing of the next one.
            before => (before / 8 * 7).saturating_add(each.min(before.saturating_mul(2)) / 8),
        };
    }

    /// How long so many will take.
    pub(super) fn of(&self, waiting: usize) -> Duration {
        Duration::from_nanos(self.each_ns.saturating_mul(waiting as u64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_takes_as_long_as_what_went_before_it() {
        let mut ahead = Ahead::default();
        assert_eq!(ahead.of(1_000), Duration::ZERO, "nothing is known");
        for turn in 0..100 {
            ahead.begins(Time::from_millis(turn * 10));
            ahead.ends(Time::from_millis(turn * 10 + 2), 200);
        }
        assert!((9..=10).contains(&ahead.of(1_000).as_millis()), "{:?}", ahead.of(1_000));
        // Once the thread has stood still, and now and then there was next to nothing to do.
        ahead.begins(Time::from_millis(5_000));
        ahead.ends(Time::from_millis(6_000), 200);
        assert!((9..=12).contains(&ahead.of(1_000).as_millis()), "{:?}", ahead.of(1_000));
        for turn in 700..800 {
            ahead.begins(Time::from_millis(turn * 10));
            ahead.ends(Time::from_millis(turn * 10 + 9), 3);
        }
        assert!((9..=12).contains(&ahead.of(1_000).as_millis()), "{:?}", ahead.of(1_000));
        // Messages have become twice as dear.
        for turn in 900..1_000 {
            ahead.begins(Time::from_millis(turn * 10));
            ahead.ends(Time::from_millis(turn * 10 + 4), 200);
        }
        assert!((18..=20).contains(&ahead.of(1_000).as_millis()), "{:?}", ahead.of(1_000));
    }
}
