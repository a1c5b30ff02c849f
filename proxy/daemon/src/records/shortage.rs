//! What runs short is said in the log, once a second at most: the calls that it costs come by the thousand.

use proxy_core::RejectReason;
use std::time::{Duration, Instant};

const PAUSE: Duration = Duration::from_secs(1);

/// Counts refusals for want of something, between one line in the log and the next.
#[derive(Debug, Default)]
pub(super) struct Shortage {
    said: Option<Instant>,
    since: u64,
}

impl Shortage {
    /// A call was refused for this reason at `now`. The number of such calls since the last line, where one is due.
    pub(super) fn refused(&mut self, reason: RejectReason, now: Instant) -> Option<u64> {
        let short = matches!(
            reason,
            RejectReason::NoMedia
                | RejectReason::CallLimit
                | RejectReason::TrunkLimit
                | RejectReason::NoTarget
        );
        if !short {
            return None;
        }
        self.since += 1;
        if self.said.is_some_and(|said| now.saturating_duration_since(said) < PAUSE) {
            return None;
        }
        self.said = Some(now);
        Some(std::mem::take(&mut self.since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thousand_refusals_in_a_second_are_one_line_and_the_next_line_counts_them() {
        let start = Instant::now();
        let mut shortage = Shortage::default();
        assert_eq!(shortage.refused(RejectReason::NoMedia, start), Some(1));
        for ms in 0..999 {
            assert_eq!(shortage.refused(RejectReason::NoMedia, start + Duration::from_millis(ms)), None);
        }
        assert_eq!(shortage.refused(RejectReason::CallLimit, start + PAUSE), Some(1000));
    }

    #[test]
    fn a_wrong_number_is_no_shortage() {
        assert_eq!(Shortage::default().refused(RejectReason::NoRoute, Instant::now()), None);
    }
}
