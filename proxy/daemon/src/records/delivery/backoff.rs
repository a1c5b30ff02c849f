//! How long to wait before the next try: twice as long each time, up to a bound, and never at the same moment as everybody else
//! whom the same receiver has left.

use std::time::{Duration, Instant};

/// The first wait.
const FIRST: Duration = Duration::from_millis(200);

/// The log hears of it so often at most.
const SAY_EVERY: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub(super) struct Backoff {
    at_most: Duration,
    tries: u32,
    random: u64,
    since: Option<Instant>,
    said: Option<Instant>,
}

impl Backoff {
    pub(super) fn new(seed: u64, at_most: Duration) -> Self {
        Self { at_most, tries: 0, random: seed | 1, since: None, said: None }
    }

    /// Something went through.
    pub(super) fn reset(&mut self) {
        (self.tries, self.since, self.said) = (0, None, None);
    }

    /// A try has failed; the receiver may have said how long it wants to be left alone.
    pub(super) fn next(&mut self, retry_after: Option<Duration>) -> Duration {
        self.since.get_or_insert_with(Instant::now);
        let whole = FIRST.saturating_mul(1 << self.tries.min(20)).min(self.at_most);
        self.tries = self.tries.saturating_add(1);
        // Xorshift: nothing depends on its quality.
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        let half = whole / 2;
        let jitter = half.mul_f64((self.random >> 11) as f64 / (1_u64 << 53) as f64);
        retry_after.unwrap_or_default().min(self.at_most).max(half + jitter)
    }

    /// What the log is to hear, if it is time: how many tries have failed, and for how long.
    pub(super) fn news(&mut self) -> Option<(u32, Duration)> {
        let now = Instant::now();
        if self.said.is_some_and(|said| now.duration_since(said) < SAY_EVERY) {
            return None;
        }
        self.said = Some(now);
        Some((self.tries, self.since.map(|since| now.duration_since(since)).unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_bound_and_no_two_clients_wait_alike() {
        let waits = |seed| {
            let mut backoff = Backoff::new(seed, Duration::from_secs(60));
            (0..20).map(|_| backoff.next(None)).collect::<Vec<_>>()
        };
        let waits_of_one = waits(7);
        for (n, wait) in waits_of_one.iter().enumerate() {
            let whole = (FIRST * (1 << n.min(15))).min(Duration::from_secs(60));
            assert!(*wait >= whole / 2 && *wait <= whole, "{n}: {wait:?} of {whole:?}");
        }
        assert_ne!(waits_of_one, waits(8));
    }

    #[test]
    fn the_receiver_may_ask_for_more_time_but_not_for_ever() {
        let mut backoff = Backoff::new(1, Duration::from_secs(10));
        assert_eq!(backoff.next(Some(Duration::from_secs(5))), Duration::from_secs(5));
        assert_eq!(backoff.next(Some(Duration::from_secs(3_600))), Duration::from_secs(10));
        backoff.reset();
        assert!(backoff.next(None) <= FIRST);
        assert!(backoff.news().is_some_and(|(tries, _)| tries == 1));
        assert!(backoff.news().is_none(), "once in a while");
    }
}
