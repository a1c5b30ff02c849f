//! How long something took, as a histogram; and what became of a BYE, which is measured by it.

use relay_values::Duration;

/// What became of a BYE of ours (RFC 6076 §4.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disconnect {
    /// 2xx.
    Completed,
    /// Nothing within the transaction's time (timer F), or it could not be delivered.
    Failed,
}

impl Disconnect {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Completed, Self::Failed];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Failed => "failed",
        }
    }
}

/// Delays of requests, counted by length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Delays {
    counts: [u64; Self::BOUNDS.len() + 1],
    sum: Duration,
}

impl Delays {
    /// From what a local network takes to 64 × T1, the longest that a request waits.
    pub const BOUNDS: [Duration; 11] = [
        Duration::from_millis(10),
        Duration::from_millis(50),
        Duration::from_millis(100),
        Duration::from_millis(250),
        Duration::from_millis(500),
        Duration::from_secs(1),
        Duration::from_secs(2),
        Duration::from_secs(4),
        Duration::from_secs(8),
        Duration::from_secs(16),
        Duration::from_secs(32),
    ];

    pub(crate) fn note(&mut self, took: Duration) {
        let bucket = Self::BOUNDS.partition_point(|bound| *bound < took);
        if let Some(count) = self.counts.get_mut(bucket) {
            *count += 1;
        }
        self.sum = self.sum.saturating_add(took);
    }

    /// How many took no longer than each of [`BOUNDS`](Self::BOUNDS) and longer than the one before; last, those beyond all.
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// All of them together.
    pub fn sum(&self) -> Duration {
        self.sum
    }

    /// Takes in what another shard has counted.
    pub fn add(&mut self, other: &Self) {
        for (count, n) in self.counts.iter_mut().zip(other.counts) {
            *count += n;
        }
        self.sum = self.sum.saturating_add(other.sum);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delay_is_counted_where_it_is_no_longer_than_the_bound() {
        let mut delays = Delays::default();
        for ms in [0, 10, 11, 32_000, 32_001] {
            delays.note(Duration::from_millis(ms));
        }
        assert_eq!(delays.counts(), [2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1]);
        let mut both = delays;
        both.add(&delays);
        assert_eq!((both.counts()[0], both.sum()), (4, 2 * delays.sum()));
    }
}
