//! What the generator counts.

use super::clock::Nanos;
use hdrhistogram::Histogram;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A histogram of microseconds up to two minutes, with three digits.
#[derive(Debug, Clone)]
pub struct Micros(Histogram<u64>);

impl Default for Micros {
    fn default() -> Self {
        Self(Histogram::new_with_bounds(1, 120_000_000, 3).expect("bounds and digits are constants in range"))
    }
}

impl Micros {
    /// Record a duration.
    pub fn record(&mut self, d: Nanos) {
        self.0.saturating_record((d / 1_000).max(1));
    }

    /// A percentile in microseconds, 0 if nothing was recorded.
    pub fn at(&self, percent: f64) -> u64 {
        if self.0.is_empty() { 0 } else { self.0.value_at_percentile(percent) }
    }

    /// Forget everything.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// `{p50, p99, max}` in microseconds.
    pub fn json(&self) -> Value {
        json!({ "p50": self.at(50.0), "p99": self.at(99.0), "max": self.at(100.0) })
    }
}

/// One step of a ramp.
#[derive(Debug, Clone, Default)]
pub struct Step {
    /// Calls per second that were wanted.
    pub rate: f64,
    /// Calls placed.
    pub placed: u64,
    /// Of those, failed.
    pub failed: u64,
    /// Retransmissions sent or seen on their account.
    pub retransmissions: u64,
}

/// What happened to one call; kept only on demand.
#[derive(Debug, Clone, Copy)]
pub struct Trace {
    /// When its INVITE was first sent.
    pub placed: Nanos,
    /// When the first response above 100 came.
    pub progress: Option<Nanos>,
    /// When it was answered.
    pub answered: Option<Nanos>,
    /// It failed.
    pub failed: bool,
}

/// Counts of the calling side.
#[derive(Debug, Default)]
pub struct UacTally {
    /// INVITEs, without retransmissions.
    pub placed: u64,
    /// Calls with a 200.
    pub answered: u64,
    /// Calls with a 200 for their BYE.
    pub completed: u64,
    /// Calls that failed, whatever the reason.
    pub failed: u64,
    /// Reasons of failures.
    pub failures: BTreeMap<String, u64>,
    /// Requests that we sent again.
    pub retransmitted: u64,
    /// Final responses that we saw again.
    pub duplicates: u64,
    /// Messages that name no call of ours.
    pub strays: u64,
    /// Datagrams that came, whatever they were.
    pub received: u64,
    /// Requests of the device's.
    pub requests: u64,
    /// From INVITE to the first response above 100.
    pub pdd: Micros,
    /// By step of the ramp.
    pub steps: Vec<Step>,
    /// The largest number of calls by which placing fell behind the rate: a generator that has no time left.
    pub behind: u64,
    /// One entry per call placed, if asked for.
    pub traces: Option<Vec<Trace>>,
}

/// Counts of the answering side.
#[derive(Debug, Default)]
pub struct UasTally {
    /// New INVITEs.
    pub invited: u64,
    /// INVITEs that got their ACK.
    pub confirmed: u64,
    /// BYEs answered.
    pub ended: u64,
    /// INVITEs cancelled before their answer.
    pub cancelled: u64,
    /// OPTIONS answered.
    pub options: u64,
    /// Final responses that we sent again.
    pub retransmitted: u64,
    /// Requests that we saw again.
    pub duplicates: u64,
    /// Calls whose 200 was never acknowledged.
    pub unacknowledged: u64,
    /// Requests that name no call of ours.
    pub strays: u64,
}

impl UacTally {
    /// Count a failure.
    pub fn fail(&mut self, reason: &str) {
        self.failed += 1;
        *self.failures.entry(reason.to_owned()).or_default() += 1;
    }

    /// As JSON.
    pub fn json(&self) -> Value {
        json!({
            "placed": self.placed, "answered": self.answered, "completed": self.completed,
            "failed": self.failed, "failures": self.failures, "retransmitted": self.retransmitted,
            "duplicates": self.duplicates, "strays": self.strays, "pdd_us": self.pdd.json(),
            "behind": self.behind,
        })
    }
}

impl UasTally {
    /// As JSON.
    pub fn json(&self) -> Value {
        json!({
            "invited": self.invited, "confirmed": self.confirmed, "ended": self.ended,
            "cancelled": self.cancelled, "options": self.options, "retransmitted": self.retransmitted,
            "duplicates": self.duplicates, "unacknowledged": self.unacknowledged, "strays": self.strays,
        })
    }
}
