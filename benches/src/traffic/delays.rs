//! Delays as the sink has counted them.

use super::layout::{BUCKETS, PARTS};

/// How many packets took how long, to one part in 32.
#[derive(Clone)]
pub struct Delays(Vec<u64>);

impl std::fmt::Debug for Delays {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} to {:?} us", self.at(0.0), self.at(100.0))
    }
}

impl Default for Delays {
    fn default() -> Self {
        Self(vec![0; BUCKETS])
    }
}

impl Delays {
    pub(super) fn new(buckets: Vec<u64>) -> Self {
        Self(buckets)
    }

    /// The delay that so many packets in a hundred do not exceed, in microseconds; none without packets.
    pub fn at(&self, percent: f64) -> Option<f64> {
        let all: u64 = self.0.iter().sum();
        let rank = ((all as f64 * percent / 100.0).ceil() as u64).max(1);
        let mut below = 0;
        let place = self.0.iter().position(|n| {
            below += n;
            below >= rank
        })?;
        Some(upper(place) as f64 / 1e3)
    }

    /// What was counted since `earlier`.
    pub(super) fn since(&self, earlier: &Self) -> Self {
        Self(self.0.iter().zip(&earlier.0).map(|(now, then)| now - then).collect())
    }
}

/// The longest delay of a bucket, in nanoseconds.
fn upper(place: usize) -> u64 {
    let (octave, part) = (place / PARTS, (place % PARTS) as u64);
    let from = |part: u64| {
        let whole = PARTS as u128 + u128::from(part);
        u64::try_from((whole << octave) >> 5).unwrap_or(u64::MAX)
    };
    from(part + 1).saturating_sub(1).max(from(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the sink does it.
    fn bucket(delay: u64) -> usize {
        let octave = delay.max(1).ilog2() as usize;
        let part = if octave >= 5 { delay >> (octave - 5) } else { delay << (5 - octave) };
        octave * PARTS + (part as usize & (PARTS - 1))
    }

    #[test]
    fn a_delay_is_told_to_one_part_in_32_and_never_too_short() {
        for delay in [1, 2, 3, 31, 32, 33, 900, 1_000, 65_535, 65_536, 5_000_000, 1 << 40] {
            let told = upper(bucket(delay));
            assert!(told >= delay && told <= delay + delay / 32 + 1, "{delay} is told as {told}");
        }
    }

    #[test]
    fn percentiles_are_nearest_ranks() {
        let mut delays = Delays::default();
        for (delay, n) in [(1_000, 98), (40_000, 1), (1_000_000, 1)] {
            delays.0[bucket(delay)] += n;
        }
        let at = |percent| delays.at(percent).map(f64::round);
        assert_eq!((at(50.0), at(99.0), at(100.0)), (Some(1.0), Some(41.0), Some(1016.0)));
        assert_eq!(Delays::default().at(50.0), None);
    }
}
