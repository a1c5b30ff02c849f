//! What came of attempts to set a session up, as RFC 6076 sorts them: the counters from which recording rules compute its ratios
//! (conf/prometheus/rules.yml).
//!
//! Attempts are all that have a call record. A session counts as established when it is answered, by the shards' own counters; every other attempt
//! when it is over, which is when its final response was sent. So both halves of a ratio are of the same minutes. Counts by trunk are taken
//! from records, which are written when a call is over.

use metrics::{counter, describe_counter};
use proxy_core::{CallRecord, Config, Direction};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// What came of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// 200 (§4.6).
    Established,
    /// 3xx: not counted by SER and SEER.
    Redirected,
    /// 480, 486, 600, 603: whoever was called was asked, which is what the network is for (SEER, §4.7).
    Effective,
    /// 408, 500, 503, 504: overload or failure (ISA, §4.8).
    Ineffective,
    /// Everything else, a caller who gave up (487) among it.
    Other,
}

impl Outcome {
    const ALL: [Self; 5] =
        [Self::Established, Self::Redirected, Self::Effective, Self::Ineffective, Self::Other];

    pub(super) fn of(record: &CallRecord) -> Self {
        if record.answered.is_some() {
            return Self::Established;
        }
        match record.code {
            300..=399 => Self::Redirected,
            480 | 486 | 600 | 603 => Self::Effective,
            408 | 500 | 503 | 504 => Self::Ineffective,
            _ => Self::Other,
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Established => "established",
            Self::Redirected => "redirected",
            Self::Effective => "effective",
            Self::Ineffective => "ineffective",
            Self::Other => "other",
        }
    }
}

/// By outcome, in the order of [`Outcome::ALL`].
type Counts = [u64; Outcome::ALL.len()];

/// What is counted of records.
#[derive(Debug, Default)]
pub(crate) struct SessionTally {
    /// Of all calls; what was established is not read from here.
    all: [AtomicU64; Outcome::ALL.len()],
    /// By trunk and by direction, inbound first. Names come from configurations only, and go with them.
    trunks: Mutex<BTreeMap<String, [Counts; 2]>>,
}

impl SessionTally {
    pub(crate) fn record(&self, record: &CallRecord) {
        let outcome = Outcome::of(record) as usize;
        if let Some(counter) = self.all.get(outcome) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
        if record.trunk.is_empty() {
            return;
        }
        let mut trunks = self.trunks.lock().unwrap_or_else(PoisonError::into_inner);
        if !trunks.contains_key(&record.trunk) {
            trunks.insert(record.trunk.clone(), Default::default());
        }
        let direction = match record.direction {
            Direction::Inbound => 0,
            Direction::Outbound => 1,
        };
        let counts = trunks.get_mut(&record.trunk).and_then(|both| both.get_mut(direction));
        if let Some(count) = counts.and_then(|counts| counts.get_mut(outcome)) {
            *count += 1;
        }
    }

    /// Into the page that is being made.
    pub(super) fn show(&self, established: u64, config: &Config) {
        describe_counter!(
            "bascule_session_attempts_total",
            "Attempts to set a session up, by outcome (RFC 6076 §4.6 to §4.8)"
        );
        for (outcome, counted) in Outcome::ALL.into_iter().zip(&self.all) {
            let n = match outcome {
                Outcome::Established => established,
                Outcome::Redirected | Outcome::Effective | Outcome::Ineffective | Outcome::Other => {
                    counted.load(Ordering::Relaxed)
                }
            };
            counter!("bascule_session_attempts_total", "outcome" => outcome.as_str()).absolute(n);
        }
        describe_counter!(
            "bascule_trunk_sessions_total",
            "The same of each trunk, each attempt counted when its call is over"
        );
        let mut trunks = self.trunks.lock().unwrap_or_else(PoisonError::into_inner);
        trunks.retain(|name, _| config.trunks.iter().any(|trunk| trunk.name == *name));
        for trunk in &config.trunks {
            let both = trunks.get(&trunk.name).copied().unwrap_or_default();
            for (direction, counts) in ["inbound", "outbound"].into_iter().zip(both) {
                for (outcome, n) in Outcome::ALL.into_iter().zip(counts) {
                    let labels = [
                        ("trunk", trunk.name.clone()),
                        ("direction", direction.to_owned()),
                        ("outcome", outcome.as_str().to_owned()),
                    ];
                    counter!("bascule_trunk_sessions_total", &labels).absolute(n);
                }
            }
        }
    }
}
