//! One target's health.
//!
//! ```text
//!        failures reach fall, or its region is down
//!        ┌────────────────────────────────────┐
//!        │                                    ▼   rise answers, too early
//!     ┌──┴─┐   503    ┌─────────┐  same    ┌──────┐          ┌──────┐
//!     │ Up ├─────────►│ Backoff ├─────────►│ Down ├─────────►│ Held │
//!     └────┘◄─────────┴─────────┘          └──┬───┘◄─────────┴──┬───┘
//!      ▲  ▲    Retry-After has passed         │     failure     │
//!      │  └───────────────────────────────────┘                 │
//!      │    rise answers in a row; not probed: a while          │
//!      └────────────────────────────────────────────────────────┘
//!                        time has passed
//! ```
//!
//! An answer forgives every failure before it. A target that is down stays down through a 503: it takes answers that are
//! worth a call to come back. One that fell too often, or whose region fell silent though it answers, is held down for a
//! time whatever it answers; it must answer at the end of it.

use super::policy::{HALF_OPEN, PASSIVE_WINDOW, Policy};
use crate::{SwitchReason, TargetState};
use relay_values::{Duration, Time};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Machine {
    /// Usable.
    Up { failures: Failures },
    /// Asked us to come back later.
    Backoff { until: Time, failures: Failures },
    /// Not usable, and not before `hold`. `retry` is when a target without probes is given another chance; [`Time::NEVER`]
    /// with probes.
    Down { answers: u8, retry: Time, hold: Time },
    /// It has answered often enough to come back, but may not yet.
    Held { until: Time },
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
    /// Its whole region is down; it stays down until `hold` at least.
    Condemned { reason: SwitchReason, hold: Time },
    /// Time has passed; perhaps its deadline has come.
    Elapsed,
}

impl Machine {
    pub(super) const NEW: Self = Self::Up { failures: Failures { weight: 0, last: Time::ZERO } };

    pub(super) const fn state(&self) -> TargetState {
        match self {
            Self::Up { .. } => TargetState::Up,
            Self::Backoff { .. } => TargetState::Backoff,
            Self::Down { .. } | Self::Held { .. } => TargetState::Down,
        }
    }

    /// When [`Signal::Elapsed`] would change something.
    pub(super) const fn deadline(&self) -> Time {
        match self {
            Self::Up { .. } => Time::NEVER,
            Self::Backoff { until, .. } => *until,
            Self::Down { retry, .. } => *retry,
            Self::Held { until } => *until,
        }
    }

    /// Failures in a row so far.
    pub(super) const fn failures(&self) -> u8 {
        match self {
            Self::Up { failures } | Self::Backoff { failures, .. } => failures.weight,
            Self::Down { .. } | Self::Held { .. } => 0,
        }
    }

    /// Takes a signal in; returns the reason if the state changed.
    pub(super) fn on(&mut self, now: Time, signal: Signal, policy: &Policy) -> Option<SwitchReason> {
        let (next, reason) = match (*self, signal) {
            (Self::Up { .. }, Signal::Answered) => (Self::NEW, None),
            (Self::Up { failures }, Signal::Failed { weight, reason }) => {
                match failures.add(now, weight, policy) {
                    Some(failures) => (Self::Up { failures }, None),
                    None => (Self::down(now, now, policy), Some(reason)),
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
                    None => (Self::down(now, now, policy), Some(reason)),
                }
            }
            (Self::Backoff { until, failures }, Signal::Refused(pause)) => {
                (Self::Backoff { until: until.max(now + pause), failures }, None)
            }
            (Self::Backoff { until, failures }, Signal::Elapsed) if until <= now => {
                (Self::Up { failures }, Some(SwitchReason::BackoffOver))
            }
            (Self::Backoff { .. }, Signal::Elapsed) => (*self, None),

            (Self::Up { .. } | Self::Backoff { .. }, Signal::Condemned { reason, hold }) => {
                (Self::down(now, hold, policy), Some(reason))
            }

            (Self::Down { answers, hold, .. }, Signal::Answered) if answers + 1 >= policy.rise => {
                if hold <= now {
                    (Self::NEW, Some(SwitchReason::Recovered))
                } else {
                    (Self::Held { until: hold }, None)
                }
            }
            (Self::Down { answers, retry, hold }, Signal::Answered) => {
                (Self::Down { answers: answers + 1, retry, hold }, None)
            }
            (Self::Down { hold, .. }, Signal::Failed { .. } | Signal::Refused(_)) => {
                (Self::down(now, hold, policy), None)
            }
            (Self::Down { retry, .. }, Signal::Elapsed) if retry <= now => {
                // On trial for as long as it was away: one more failure takes it down again.
                let failures = Failures { weight: policy.fall.saturating_sub(1), last: now + HALF_OPEN };
                (Self::Up { failures }, Some(SwitchReason::HalfOpen))
            }
            (Self::Down { .. }, Signal::Elapsed) => (*self, None),

            (Self::Held { until }, Signal::Elapsed) if until <= now => {
                (Self::NEW, Some(SwitchReason::Recovered))
            }
            (Self::Held { .. }, Signal::Answered | Signal::Elapsed) => (*self, None),
            (Self::Held { until }, Signal::Failed { .. } | Signal::Refused(_)) => {
                (Self::down(now, until, policy), None)
            }

            (
                Self::Down { hold: before, .. } | Self::Held { until: before },
                Signal::Condemned { hold, .. },
            ) => (Self::down(now, hold.max(before), policy), None),
        };
        *self = next;
        reason
    }

    /// Keeps a target that is down from coming back before `until`.
    pub(super) fn hold(&mut self, now: Time, until: Time, policy: &Policy) {
        match self {
            Self::Down { retry, hold, .. } => {
                *hold = until.max(*hold);
                *retry = Self::retry(now, *hold, policy);
            }
            Self::Held { until: hold } => *hold = until.max(*hold),
            Self::Up { .. } | Self::Backoff { .. } => {}
        }
    }

    /// Until when the target is kept from coming back, if it is.
    pub(super) fn held_until(&self, now: Time) -> Option<Time> {
        match self {
            Self::Down { hold: until, .. } | Self::Held { until } => {
                Some(*until).filter(|until| *until > now)
            }
            Self::Up { .. } | Self::Backoff { .. } => None,
        }
    }

    /// The same health under another policy (a reload).
    pub(super) fn adopt(&mut self, now: Time, policy: &Policy) {
        match self {
            Self::Down { retry, hold, .. } => *retry = Self::retry(now, *hold, policy),
            Self::Up { .. } | Self::Backoff { .. } | Self::Held { .. } => {}
        }
    }

    fn down(now: Time, hold: Time, policy: &Policy) -> Self {
        Self::Down { answers: 0, retry: Self::retry(now, hold, policy), hold }
    }

    fn retry(now: Time, hold: Time, policy: &Policy) -> Time {
        if policy.probe.is_some() { Time::NEVER } else { hold.max(now + HALF_OPEN) }
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
