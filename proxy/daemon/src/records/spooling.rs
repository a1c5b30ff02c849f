//! Records into the spool, and what is said where it does not take them: calls go on, and the log hears of it once in a while.

use super::delivery::DeliveryTally;
use super::delivery::now_ms;
use super::spool::{Refusal, Writer};
use crate::limits::SPOOL_WRITE;
use std::io;
use std::time::{Duration, Instant};

/// The log hears of losses so often at most.
const SAY_EVERY: Duration = Duration::from_secs(1);

pub(super) struct Spooling {
    writer: Writer,
    said: Option<Instant>,
    /// Since then.
    lost: u64,
}

impl Spooling {
    pub(super) fn new(writer: Writer) -> Self {
        Self { writer, said: None, lost: 0 }
    }

    pub(super) fn take(&mut self, tally: &DeliveryTally, key: &str, line: &[u8]) {
        if let Err(why) = self.writer.take(now_ms(), key, line) {
            self.refused(tally, 1, why, None);
        }
        if self.writer.pending() >= SPOOL_WRITE {
            self.flush(tally);
        }
    }

    pub(super) fn flush(&mut self, tally: &DeliveryTally) {
        match self.writer.flush() {
            Ok(records) => tally.spooled(records),
            Err((records, why, error)) => self.refused(tally, records, why, Some(error)),
        }
    }

    fn refused(&mut self, tally: &DeliveryTally, records: u64, why: Refusal, error: Option<io::Error>) {
        tally.refused(records, why);
        self.lost += records;
        let now = Instant::now();
        if self.said.is_none_or(|said| now.duration_since(said) >= SAY_EVERY) {
            self.said = Some(now);
            let records = std::mem::take(&mut self.lost);
            let error = error.map(|e| e.to_string()).unwrap_or_default();
            tracing::error!(why = why.as_str(), error, records, "the spool of records takes no more");
        }
    }
}
