//! Everything that is kept of one target.

use super::damping::Penalty;
use super::machine::{Machine, Signal};
use super::options::Template;
use super::policy::Policy;
use super::prober::Prober;
use crate::rng::Rng;
use crate::{RegionPolicy, SwitchReason, Target, TargetHealth, TargetState};
use relay_values::{Duration, Time};

/// One target under watch.
#[derive(Debug, Clone)]
pub(super) struct Watch {
    pub(super) policy: Policy,
    pub(super) prober: Option<Prober>,
    /// What it is asked with, once it has been asked.
    pub(super) template: Option<Template>,
    /// The deadline that stands in the schedule.
    pub(super) scheduled: Time,
    /// Probes sent, of whatever kind.
    pub(super) asked: u64,
    /// Probes without an answer since the last one with.
    pub(super) missed: u32,
    machine: Machine,
    since: Time,
    reason: Option<SwitchReason>,
    /// The first failure of the present or last row of them.
    troubled: Time,
    penalty: Penalty,
    warm: Time,
    answered: Option<Time>,
}

impl Watch {
    /// A target that we know nothing of. Its first probe goes out at a random point of its first interval.
    pub(super) fn new(now: Time, target: &Target, region: &RegionPolicy, rng: &mut Rng) -> Self {
        let policy = Policy::new(target.probe, region);
        let prober = policy.probe.map(|times| Prober::starting(now + phase(times.interval, rng)));
        Self {
            policy,
            prober,
            template: None,
            scheduled: Time::NEVER,
            asked: 0,
            missed: 0,
            machine: Machine::NEW,
            since: now,
            reason: None,
            troubled: Time::NEVER,
            penalty: Penalty::default(),
            warm: Time::ZERO,
            answered: None,
        }
    }

    /// The same target under a new configuration.
    pub(super) fn adopt(&mut self, now: Time, target: &Target, region: &RegionPolicy, rng: &mut Rng) {
        // Listener and product may be other ones.
        self.template = None;
        let policy = Policy::new(target.probe, region);
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
        let (before, well) = (self.machine.state(), self.is_unsuspected());
        let reason = self.machine.on(now, signal, &self.policy);
        if well && !self.is_unsuspected() {
            self.troubled = now;
        }
        reason?;
        (self.since, self.reason) = (now, reason);
        match (before, self.machine.state()) {
            (TargetState::Up | TargetState::Backoff, TargetState::Down) => {
                let until = self.penalty.fell(now, &self.policy.damping);
                self.machine.hold(now, until, &self.policy);
            }
            (TargetState::Down, TargetState::Up | TargetState::Backoff) => {
                self.warm = now + self.policy.slow_start;
            }
            (TargetState::Up | TargetState::Backoff, TargetState::Up | TargetState::Backoff)
            | (TargetState::Down, TargetState::Down) => {}
        }
        reason
    }

    /// Notes that the target gave a sign of life.
    pub(super) fn alive(&mut self, now: Time) {
        self.answered = Some(now);
        self.missed = 0;
    }

    /// Whether a probe was answered less than `ago` ago.
    pub(super) fn answered_within(&self, now: Time, ago: Duration) -> bool {
        self.answered.is_some_and(|at| now.since(at) < ago)
    }

    pub(super) fn failures(&self) -> u8 {
        self.machine.failures()
    }

    pub(super) fn is_alive(&self) -> bool {
        self.machine.state() != TargetState::Down
    }

    /// Whether nothing speaks against the target.
    pub(super) fn is_unsuspected(&self) -> bool {
        self.is_alive() && self.failures() == 0
    }

    pub(super) fn health(&self) -> TargetHealth {
        TargetHealth { state: self.machine.state(), since: self.since, warm: self.warm }
    }

    /// Why its state changed last.
    pub(super) fn reason(&self) -> Option<SwitchReason> {
        self.reason
    }

    /// When its present or last trouble was first seen; [`Time::NEVER`] if there was none.
    pub(super) fn troubled(&self) -> Time {
        self.troubled
    }

    pub(super) fn penalty(&self, now: Time) -> f64 {
        self.penalty.at(now, &self.policy.damping)
    }

    /// Until when it is kept from coming back, if it is.
    pub(super) fn held_until(&self, now: Time) -> Option<Time> {
        self.machine.held_until(now)
    }

    /// How long it takes to answer, where it was ever asked and did.
    pub(super) fn round_trip(&self) -> Option<Duration> {
        self.prober.as_ref().map(Prober::round_trip).filter(|time| !time.is_zero())
    }

    /// When there is something to do.
    pub(super) fn deadline(&self) -> Time {
        self.prober.as_ref().map_or(Time::NEVER, Prober::deadline).min(self.machine.deadline())
    }
}

fn phase(interval: Duration, rng: &mut Rng) -> Duration {
    Duration::from_nanos(rng.below(u64::try_from(interval.as_nanos()).unwrap_or(u64::MAX)))
}
