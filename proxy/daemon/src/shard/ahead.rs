//! How long what waits will take.

use relay_values::{Duration, Time};

/// A turn that has handled fewer messages says little of what one takes.
const TELLING: u64 = 16;

/// What a message takes, everything that a turn does beside it included: an average over turns that left something waiting,
/// of which each counts an eighth.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    each_ns: u64,
    /// When the last turn began, and how many messages it has handled, if it left something waiting.
    last: Option<(Time, u64)>,
    began: Time,
}

impl Ahead {
    /// A turn begins.
    pub(super) fn begins(&mut self, now: Time) {
        if let Some((began, handled)) = self.last.take().filter(|(_, handled)| *handled >= TELLING) {
            let each = u64::try_from(now.since(began).as_nanos()).unwrap_or(u64::MAX) / handled;
            // The first one is all that is known.
            let before = if self.each_ns == 0 { each } else { self.each_ns };
            self.each_ns = (before / 8 * 7).saturating_add(each / 8);
        }
        self.began = now;
    }

    /// It has handled so many, and more wait or not.
    pub(super) fn handled(&mut self, messages: usize, more: bool) {
        self.last = more.then_some((self.began, messages as u64));
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
            ahead.begins(Time::from_millis(turn * 2));
            ahead.handled(200, true);
        }
        assert!((9..=10).contains(&ahead.of(1_000).as_millis()), "{:?}", ahead.of(1_000));
        // It has slept since: that says nothing.
        ahead.handled(200, false);
        ahead.begins(Time::from_millis(5_000));
        assert!((9..=10).contains(&ahead.of(1_000).as_millis()));
        // Messages have become twice as dear.
        for turn in 0..100 {
            ahead.begins(Time::from_millis(6_000 + turn * 4));
            ahead.handled(200, true);
        }
        assert!((18..=20).contains(&ahead.of(1_000).as_millis()), "{:?}", ahead.of(1_000));
    }
}
