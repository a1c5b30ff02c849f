//! Gaps, summed up.

use crate::api::shapes::Gaps;
use hdrhistogram::Histogram;
use relay_values::Duration;

/// Upper bounds in milliseconds: a packet, what is promised of most (200, 250, 600), and seconds.
const BOUNDS: [u64; 10] = [20, 50, 100, 150, 200, 250, 400, 600, 1_000, 10_000];

/// Longer gaps are counted as this: an hour.
const LONGEST: u64 = 3_600_000;

/// How long calls were without something.
#[derive(Debug)]
pub(super) struct GapCount(Option<Histogram<u32>>);

impl GapCount {
    pub(super) fn new() -> Self {
        // Refuses only bounds and digits that make no sense.
        Self(Histogram::new_with_max(LONGEST, 3).ok())
    }

    pub(super) fn add(&mut self, gap: Option<Duration>) {
        if let (Some(histogram), Some(gap)) = (&mut self.0, gap) {
            // To the nearest: 200.4 ms are not above 200.
            let ms = u64::try_from((gap + Duration::from_micros(500)).as_millis()).unwrap_or(LONGEST);
            histogram.saturating_record(ms.min(LONGEST));
        }
    }

    pub(super) fn max(&self) -> u64 {
        self.0.as_ref().map_or(0, |h| if h.is_empty() { 0 } else { h.max() })
    }

    pub(super) fn sum_up(&self) -> Gaps {
        let Some(histogram) = self.0.as_ref().filter(|h| !h.is_empty()) else { return Gaps::default() };
        let mut from = 0;
        let bounded = BOUNDS.into_iter().map(|bound| {
            let n = histogram.count_between(from, bound);
            from = bound + 1;
            (Some(bound), n)
        });
        let mut buckets: Vec<_> = bounded.collect();
        buckets.push((None, histogram.count_between(from, LONGEST)));
        Gaps {
            calls: histogram.len(),
            p50: histogram.value_at_quantile(0.5),
            p99: histogram.value_at_quantile(0.99),
            max: histogram.max(),
            buckets,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_gap_is_in_one_bucket() {
        let mut gaps = GapCount::new();
        assert_eq!((gaps.sum_up(), gaps.max()), (Gaps::default(), 0));
        for ms in [0, 20, 21, 200, 201, 600, 12_000] {
            gaps.add(Some(Duration::from_millis(ms)));
        }
        gaps.add(None);
        let sum = gaps.sum_up();
        assert_eq!((sum.calls, sum.buckets.iter().map(|(_, n)| n).sum::<u64>()), (7, 7));
        assert_eq!(&sum.buckets[..2], &[(Some(20), 2), (Some(50), 1)]);
        assert_eq!(sum.buckets.last(), Some(&(None, 1)));
        assert_eq!((sum.p50, sum.max), (200, gaps.max()));
    }
}
