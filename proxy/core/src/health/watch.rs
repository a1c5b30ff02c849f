//! Everything that is kept of one target.

use super::machine::{Machine, Signal};
use super::policy::Policy;
use super::prober::Prober;
use crate::rng::Rng;
use crate::{SwitchReason, Target, TargetHealth, TargetState};
use relay_values::{Duration, Time};

/// One target under watch.
#[derive(Debug, Clone)]
pub(super) struct Watch {
    pub(super) policy: Policy,
    pub(super) prober: Option<Prober>,
    /// The deadline that stands in the schedule.
    pub(super) scheduled: Time,
    machine: Machine,
    since: Time,
    answered: Option<Time>,
}

impl Watch {
    /// A target that we know nothing of. Its first probe goes out at a random point of its first interval.
    pub(super) fn new(now: Time, target: &Target, rng: &mut Rng) -> Self {
        let policy = Policy::new(target.probe);
        let prober = policy.probe.map(|times| Prober::starting(now + phase(times.interval, rng)));
        Self { policy, prober, scheduled: Time::NEVER, machine: Machine::NEW, since: now, answered: None }
    }

    /// The same target under a new configuration.
    pub(super) fn adopt(&mut self, now: Time, target: &Target, rng: &mut Rng) {
        let policy = Policy::new(target.probe);
        if policy == self.policy {
            return;
        }
        let interval = |policy: &Policy| policy.probe.map(|times| times.interval);
        if interval(&policy) != interval(&self.policy) {
            self.prober = policy.probe.map(|times| Prober::starting(now + phase(times.interval, rng)));
        }
        self.policy = policy;
        self.machine.adopt(now, &policy);
    }

    /// Takes a signal in; returns the reason if the state changed.
    pub(super) fn on(&mut self, now: Time, signal: Signal) -> Option<SwitchReason> {
        let reason = self.machine.on(now, signal, &self.policy);
        if reason.is_some() {
            self.since = now;
        }
        reason
    }

    /// Notes that the target gave a sign of life.
    pub(super) fn alive(&mut self, now: Time) {
        self.answered = Some(now);
    }

    /// Whether a probe was answered less than `ago` ago.
    pub(super) fn answered_within(&self, now: Time, ago: Duration) -> bool {
        self.answered.is_some_and(|at| now.since(at) < ago)
    }

    pub(super) fn failures(&self) -> u8 {
        self.machine.failures()
    }

    /// Whether nothing speaks against the target.
    pub(super) fn is_unsuspected(&self) -> bool {
        self.machine.state() != TargetState::Down && self.failures() == 0
    }

    pub(super) fn health(&self) -> TargetHealth {
        TargetHealth { state: self.machine.state(), since: self.since, warm: Time::ZERO }
    }

    /// When there is something to do.
    pub(super) fn deadline(&self) -> Time {
        self.prober.as_ref().map_or(Time::NEVER, Prober::deadline).min(self.machine.deadline())
    }
}

fn phase(interval: Duration, rng: &mut Rng) -> Duration {
    Duration::from_nanos(rng.below(u64::try_from(interval.as_nanos()).unwrap_or(u64::MAX)))
}
