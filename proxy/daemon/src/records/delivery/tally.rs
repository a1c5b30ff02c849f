//! What is counted of the delivery, for /metrics.

use super::outcome::Outcome;
use crate::records::spool::Refusal;
use metrics::{counter, describe_counter, describe_gauge, gauge};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

#[derive(Debug, Default)]
pub(crate) struct DeliveryTally {
    spooled: AtomicU64,
    delivered: AtomicU64,
    refused_full: AtomicU64,
    refused_disk: AtomicU64,
    set_aside: AtomicU64,
    /// By answer, by silence, for want of a connection or of TLS.
    answered: AtomicU64,
    silent: AtomicU64,
    unreachable: AtomicU64,
    insecure: AtomicU64,
    inside: AtomicU64,
    /// Bytes of the spool that could not be read.
    pub(super) damaged: AtomicU64,
    pub(super) spool_bytes: AtomicU64,
    /// When the oldest record that waits was written, in milliseconds since 1970; 0: none waits.
    pub(super) oldest_ms: AtomicU64,
}

impl DeliveryTally {
    pub(in crate::records) fn spooled(&self, records: u64) {
        self.spooled.fetch_add(records, Ordering::Relaxed);
    }

    pub(in crate::records) fn refused(&self, records: u64, why: Refusal) {
        let counter = match why {
            Refusal::Full => &self.refused_full,
            Refusal::Disk => &self.refused_disk,
        };
        counter.fetch_add(records, Ordering::Relaxed);
    }

    pub(super) fn delivered(&self, records: usize) {
        self.delivered.fetch_add(records as u64, Ordering::Relaxed);
    }

    pub(super) fn set_aside(&self) {
        self.set_aside.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn retries(&self, why: Outcome) {
        let counter = match why {
            Outcome::Taken | Outcome::Refused(_) | Outcome::Later(..) => &self.answered,
            Outcome::Silent => &self.silent,
            Outcome::Unreachable(_) | Outcome::Lost(_) => &self.unreachable,
            Outcome::Insecure(_) => &self.insecure,
            Outcome::SetAsideFull | Outcome::SpoolUnreadable => &self.inside,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// How long the oldest record has waited, in seconds.
    fn lag_s(&self) -> f64 {
        match self.oldest_ms.load(Ordering::Relaxed) {
            0 => 0.0,
            oldest => now_ms().saturating_sub(oldest) as f64 / 1_000.0,
        }
    }

    /// Into the page that is being made.
    pub(crate) fn show(&self) {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        describe_counter!("bascule_records_spooled_total", "Call records written to the spool");
        counter!("bascule_records_spooled_total").absolute(read(&self.spooled));
        describe_counter!("bascule_records_delivered_total", "Call records that their receiver has taken");
        counter!("bascule_records_delivered_total").absolute(read(&self.delivered));
        describe_counter!(
            "bascule_records_refused_total",
            "Call records that the spool did not take and that are lost to the receiver, by reason"
        );
        counter!("bascule_records_refused_total", "reason" => Refusal::Full.as_str())
            .absolute(read(&self.refused_full));
        counter!("bascule_records_refused_total", "reason" => Refusal::Disk.as_str())
            .absolute(read(&self.refused_disk));
        describe_counter!(
            "bascule_records_set_aside_total",
            "Call records that the receiver has refused for good"
        );
        counter!("bascule_records_set_aside_total").absolute(read(&self.set_aside));
        describe_counter!(
            "bascule_records_retries_total",
            "Deliveries that have to be tried again, by reason"
        );
        for (reason, n) in [
            ("answer", &self.answered),
            ("silent", &self.silent),
            ("unreachable", &self.unreachable),
            ("tls", &self.insecure),
            ("inside", &self.inside),
        ] {
            counter!("bascule_records_retries_total", "reason" => reason).absolute(read(n));
        }
        describe_counter!("bascule_records_damaged_bytes_total", "Bytes of the spool that could not be read");
        counter!("bascule_records_damaged_bytes_total").absolute(read(&self.damaged));
        describe_gauge!("bascule_records_spool_bytes", "Bytes of the spool on the disk");
        gauge!("bascule_records_spool_bytes").set(read(&self.spool_bytes) as f64);
        describe_gauge!(
            "bascule_records_lag_seconds",
            "Age of the oldest call record that its receiver does not have; 0: it has them all"
        );
        gauge!("bascule_records_lag_seconds").set(self.lag_s());
    }
}

/// The wall clock, since the records of an earlier life are counted too.
pub(in crate::records) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
