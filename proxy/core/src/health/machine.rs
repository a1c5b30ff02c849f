//! One target's health.
//!
//! ```text
//!               failures reach fall
//!        ┌────────────────────────────────────┐
//!        │                                    ▼
//!     ┌──┴─┐   503    ┌─────────┐  same    ┌──────┐
//!     │ Up ├─────────►│ Backoff ├─────────►│ Down │
//!     └────┘◄─────────┴─────────┘          └──┬───┘
//!        ▲     Retry-After has passed         │
//!        └────────────────────────────────────┘
//!          rise answers in a row; not probed: a while
//! ```
//!
//! An answer forgives every failure before it. A target that is down stays down through a 503: it takes answers that are
//! worth a call to come back.

use super::policy::{HALF_OPEN, PASSIVE_WINDOW, Policy};
use crate::{SwitchReason, TargetState};
use relay_values::{Duration, Time};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Machine {
    /// Usable.
    Up { failures: Failures },
    /// Asked us to come back later.
    Backoff { until: Time, failures: Failures },
    /// Not usable. `retry` is when a target without probes is given another chance; [`Time::NEVER`] with probes.
    Down { answers: u8, retry: Time },
}

/// Failures in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Failures {
    pub(super) weight: u8,
    last: Time,
}

/// What can happen to a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signal {
    /// It answered a probe.
    Answered,
    /// It did not answer, or could not be reached.
    Failed { weight: u8, reason: SwitchReason },
    /// It answered 503: leave it alone for this long.
    Refused(Duration),
    /// Time has passed; perhaps its deadline has come.
    Elapsed,
}

impl Machine {
    pub(super) const NEW: Self = Self::Up { failures: Failures { weight: 0, last: Time::ZERO } };

    pub(super) const fn state(&self) -> TargetState {
        match self {
            Self::Up { .. } => TargetState::Up,
            Self::Backoff { .. } => TargetState::Backoff,
            Self::Down { .. } => TargetState::Down,
        }
    }

    /// When [`Signal::Elapsed`] would change something.
    pub(super) const fn deadline(&self) -> Time {
        match self {
            Self::Up { .. } => Time::NEVER,
            Self::Backoff { until, .. } => *until,
            Self::Down { retry, .. } => *retry,
        }
    }

    /// Failures in a row so far.
    pub(super) const fn failures(&self) -> u8 {
        match self {
            Self::Up { failures } | Self::Backoff { failures, .. } => failures.weight,
            Self::Down { .. } => 0,
        }
    }

    /// Takes a signal in; returns the reason if the state changed.
    pub(super) fn on(&mut self, now: Time, signal: Signal, policy: &Policy) -> Option<SwitchReason> {
        let (next, reason) = match (*self, signal) {
            (Self::Up { .. }, Signal::Answered) => (Self::NEW, None),
            (Self::Up { failures }, Signal::Failed { weight, reason }) => {
                match failures.add(now, weight, policy) {
                    Some(failures) => (Self::Up { failures }, None),
                    None => (Self::down(now, policy), Some(reason)),
                }
            }
            (Self::Up { failures }, Signal::Refused(pause)) => {
                (Self::Backoff { until: now + pause, failures }, Some(SwitchReason::Unavailable))
            }
            (Self::Up { .. }, Signal::Elapsed) => (*self, None),

            (Self::Backoff { until, .. }, Signal::Answered) => {
                (Self::Backoff { until, failures: Failures::default() }, None)
            }
            (Self::Backoff { until, failures }, Signal::Failed { weight, reason }) => {
                match failures.add(now, weight, policy) {
                    Some(failures) => (Self::Backoff { until, failures }, None),
                    None => (Self::down(now, policy), Some(reason)),
                }
            }
            (Self::Backoff { until, failures }, Signal::Refused(pause)) => {
                (Self::Backoff { until: until.max(now + pause), failures }, None)
            }
            (Self::Backoff { until, failures }, Signal::Elapsed) if until <= now => {
                (Self::Up { failures }, Some(SwitchReason::BackoffOver))
            }
            (Self::Backoff { .. }, Signal::Elapsed) => (*self, None),

            (Self::Down { answers, .. }, Signal::Answered) if answers + 1 >= policy.rise => {
                (Self::NEW, Some(SwitchReason::Recovered))
            }
            (Self::Down { answers, retry }, Signal::Answered) => {
                (Self::Down { answers: answers + 1, retry }, None)
            }
            (Self::Down { .. }, Signal::Failed { .. } | Signal::Refused(_)) => {
                (Self::down(now, policy), None)
            }
            (Self::Down { retry, .. }, Signal::Elapsed) if retry <= now => {
                // On trial for as long as it was away: one more failure takes it down again.
                let failures = Failures { weight: policy.fall.saturating_sub(1), last: now + HALF_OPEN };
                (Self::Up { failures }, Some(SwitchReason::HalfOpen))
            }
            (Self::Down { .. }, Signal::Elapsed) => (*self, None),
        };
        *self = next;
        reason
    }

    /// The same health under another policy (a reload).
    pub(super) fn adopt(&mut self, now: Time, policy: &Policy) {
        match self {
            Self::Down { retry, .. } => *retry = Self::retry(now, policy),
            Self::Up { .. } | Self::Backoff { .. } => {}
        }
    }

    fn down(now: Time, policy: &Policy) -> Self {
        Self::Down { answers: 0, retry: Self::retry(now, policy) }
    }

    fn retry(now: Time, policy: &Policy) -> Time {
        if policy.probe.is_some() { Time::NEVER } else { now + HALF_OPEN }
    }
}

impl Failures {
    /// One more; `None` when that is enough.
    fn add(self, now: Time, weight: u8, policy: &Policy) -> Option<Self> {
        let stale = policy.probe.is_none() && now.since(self.last) > PASSIVE_WINDOW;
        let before = if stale { 0 } else { self.weight };
        let weight = before.saturating_add(weight);
        (weight < policy.fall).then_some(Self { weight, last: now })
    }
}
