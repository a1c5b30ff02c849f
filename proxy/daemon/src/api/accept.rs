//! What becomes of an accept that fails: the system is short of something, most likely of descriptors. Who waits stays in
//! the backlog meanwhile.

use crate::limits::{ACCEPT_COMPLAINT, ACCEPT_PAUSE};
use std::io;
use std::time::Instant;
use tokio::time::sleep;

/// The failures of one listener.
pub(super) struct Stumbles {
    /// As the log calls it.
    listener: &'static str,
    said: Option<Instant>,
    unsaid: u64,
}

impl Stumbles {
    pub(super) fn of(listener: &'static str) -> Self {
        Self { listener, said: None, unsaid: 0 }
    }

    /// Waits a moment: an accept that fails does so at once, again and again. Says so now and then.
    pub(super) async fn over(&mut self, error: &io::Error) {
        if let Some(before) = self.complaint(Instant::now()) {
            let listener = self.listener;
            tracing::warn!(%error, listener, before, "nobody can be let in: raise LimitNOFILE= if it is descriptors");
        }
        sleep(ACCEPT_PAUSE).await;
    }

    /// How many it stands for beside itself, if it is time for one.
    fn complaint(&mut self, now: Instant) -> Option<u64> {
        if self.said.is_some_and(|at| now - at < ACCEPT_COMPLAINT) {
            self.unsaid += 1;
            return None;
        }
        self.said = Some(now);
        Some(std::mem::take(&mut self.unsaid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_complaint_stands_for_all_until_the_next() {
        let (begun, mut stumbles) = (Instant::now(), Stumbles::of("test"));
        let times = (0..1_000).map(|n| begun + ACCEPT_PAUSE * n);
        let said: Vec<u64> = times.filter_map(|now| stumbles.complaint(now)).collect();
        assert_eq!(said, [[0].as_slice(), &[99; 9]].concat());
    }
}
