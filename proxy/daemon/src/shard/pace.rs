//! Whether messages come so thick that it pays to let them gather.

use crate::limits::LOAD;
use std::time::Instant;

/// A rate, measured over one window after the other.
#[derive(Debug)]
pub(super) struct Pace {
    since: Instant,
    /// The count at the window's beginning.
    from: u64,
    busy: bool,
}

impl Pace {
    pub(super) fn new() -> Self {
        Self { since: Instant::now(), from: 0, busy: false }
    }

    /// Whether the last whole window was busy, given how many there have been up to now.
    pub(super) fn is_busy(&mut self, total: u64) -> bool {
        let (many, window) = LOAD;
        let now = Instant::now();
        let passed = now.saturating_duration_since(self.since);
        if passed >= window {
            // A window that nobody closed in time holds what came in all of it: a rate, not a number.
            let windows = u64::try_from(passed.as_nanos() / window.as_nanos()).unwrap_or(u64::MAX);
            self.busy = total.saturating_sub(self.from) >= many.saturating_mul(windows);
            (self.since, self.from) = (now, total);
        }
        self.busy
    }
}
