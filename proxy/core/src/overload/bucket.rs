//! So many a second, and no more than a second's worth at once.

use super::sources::Remembered;
use relay_values::{Duration, Time};

/// A token bucket kept as one instant: when it would be full again (the generic cell rate algorithm, ITU-T I.371). A rate
/// that changes takes hold at once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Bucket {
    full: Time,
}

impl Bucket {
    /// Whether there is a token, at so many a second. `rate` 0 has none.
    pub(crate) fn has(&self, now: Time, rate: u32) -> bool {
        apart(rate).is_some_and(|each| self.room(now, each, SECOND))
    }

    /// Takes one if there is one.
    pub(crate) fn take(&mut self, now: Time, rate: u32) -> bool {
        self.take_within(now, rate, SECOND)
    }

    /// The same where only what comes in so much time may come at once.
    pub(crate) fn take_within(&mut self, now: Time, rate: u32, at_once: Duration) -> bool {
        let Some(each) = apart(rate).filter(|each| self.room(now, *each, at_once)) else { return false };
        self.full = self.full.max(now) + each;
        true
    }

    fn room(&self, now: Time, each: Duration, at_once: Duration) -> bool {
        self.full.since(now) + each <= at_once.max(each)
    }
}

impl Remembered for Bucket {
    fn weight(&self) -> u64 {
        self.full.as_nanos()
    }
}

const SECOND: Duration = Duration::from_secs(1);

fn apart(rate: u32) -> Option<Duration> {
    SECOND.checked_div(rate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seconds_worth_may_come_at_once_and_then_so_many_a_second() {
        let mut bucket = Bucket::default();
        let mut now = Time::from_millis(5_000);
        assert_eq!((0..100).filter(|_| bucket.take(now, 10)).count(), 10);
        let mut later = 0;
        for _ in 0..1_000 {
            now += Duration::from_millis(2);
            later += usize::from(bucket.take(now, 10));
        }
        assert_eq!(later, 20, "two seconds later");
        now += Duration::from_secs(3600);
        assert_eq!((0..100).filter(|_| bucket.take(now, 10)).count(), 10, "no more is saved up than that");
    }

    #[test]
    fn one_a_second_is_one_and_none_is_none() {
        let mut bucket = Bucket::default();
        let now = Time::from_millis(1);
        assert_eq!((0..5).filter(|_| bucket.take(now, 1)).count(), 1);
        assert!(!Bucket::default().take(now, 0));
        assert!(bucket.take(now + Duration::from_secs(1), 1));
    }
}
