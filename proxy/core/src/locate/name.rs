//! When a name is asked for.

use super::core::LocatePolicy;
use super::known::{Known, LocatedAddress};
use super::place::Place;
use super::question::{Answer, Question, QuestionId};
use super::reason::LocateReason;
use super::round::{Outcome, Round};
use crate::limits::{FIRST_RECHECK, MAX_DENIED, MAX_REFRESH, MIN_BETWEEN, MIN_TTL, RECHECK, WALK_TIME};
use crate::rng::Rng;
use relay_values::{Duration, Time};
use std::collections::BTreeSet;
use std::net::SocketAddr;

/// Totals since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LocateCounters {
    /// Questions by kind, in the order of [`QuestionKind::ALL`](super::QuestionKind::ALL).
    pub questions: [u64; 4],
    /// Walks that found addresses.
    pub found: u64,
    /// Walks that were told that there is nothing.
    pub denied: u64,
    /// Walks that nobody answered.
    pub failed: u64,
    /// Walks begun early because an address had failed.
    pub early: u64,
    /// Changes of what calls may use.
    pub changes: u64,
}

/// One name under watch.
#[derive(Debug, Clone)]
pub(super) struct Name {
    pub(super) known: Known,
    pub(super) work: Work,
    /// What was told of it last.
    told: Vec<LocatedAddress>,
    /// Walks in a row that found nothing.
    vain: u32,
    /// When the last one began.
    begun: Option<Time>,
}

/// What is done about it.
#[derive(Debug, Clone)]
pub(super) enum Work {
    /// Nothing, until then.
    Waiting { until: Time },
    /// It is being asked for, until then at most.
    Asking { round: Box<Round>, until: Time },
}

impl Name {
    pub(super) fn new(now: Time) -> Self {
        Self {
            known: Known::Nothing { since: now, why: LocateReason::NotAsked },
            work: Work::Waiting { until: now },
            told: Vec::new(),
            vain: 0,
            begun: None,
        }
    }

    pub(super) fn ask(&mut self, next: &mut u64) -> Option<Question> {
        match &mut self.work {
            Work::Waiting { .. } => None,
            Work::Asking { round, .. } => round.ask(next),
        }
    }

    pub(super) fn is_unasked(&self) -> bool {
        matches!(self.known, Known::Nothing { why: LocateReason::NotAsked, .. })
    }

    /// An answer; `false` if nobody waits for it.
    pub(super) fn answer(
        &mut self,
        now: Time,
        id: QuestionId,
        answer: Answer,
        tools: &mut Tools<'_>,
    ) -> bool {
        let Work::Asking { round, .. } = &mut self.work else { return false };
        let awaited = round.answer(id, answer);
        self.settle(now, tools);
        awaited
    }

    /// An address of it has gone down: what the servers say may be another by now.
    pub(super) fn failed(&mut self, now: Time, address: SocketAddr, tools: &mut Tools<'_>) {
        if self.told.iter().any(|told| told.address == address) && self.hasten(now) {
            tools.counters.early += 1;
        }
    }

    /// Does what is due. `true` if what it had asked is not waited for any longer.
    pub(super) fn elapse(&mut self, now: Time, place: &Place, tools: &mut Tools<'_>) -> bool {
        if self.known.sweep(now, tools.policy, tools.down) {
            // A last word was believed for long enough: what is there now?
            self.hasten(now);
        }
        match &mut self.work {
            Work::Waiting { until } if now >= *until => {
                self.begun = Some(now);
                self.work = Work::Asking { round: Box::new(Round::new(place)), until: now + WALK_TIME };
            }
            Work::Asking { round, until } if now >= *until => {
                round.give_up();
                self.settle(now, tools);
                return true;
            }
            Work::Waiting { .. } | Work::Asking { .. } => {}
        }
        false
    }

    /// Asks as soon as may be; `true` if that is earlier than it would have been.
    fn hasten(&mut self, now: Time) -> bool {
        let soonest = self.begun.map_or(now, |begun| (begun + MIN_BETWEEN).max(now));
        match &mut self.work {
            Work::Waiting { until } if soonest < *until => {
                *until = soonest;
                true
            }
            Work::Waiting { .. } | Work::Asking { .. } => false,
        }
    }

    /// A walk that is over is learned from.
    fn settle(&mut self, now: Time, tools: &mut Tools<'_>) {
        let Work::Asking { round, .. } = &self.work else { return };
        let Some(outcome) = round.outcome() else { return };
        self.known.learn(now, outcome, tools.policy);
        let counter = match outcome {
            Outcome::Found(_) => &mut tools.counters.found,
            Outcome::Nothing { .. } => &mut tools.counters.denied,
            Outcome::Failed(_) => &mut tools.counters.failed,
        };
        *counter += 1;
        let pause = match (&self.known, outcome) {
            (Known::Fresh { found }, _) => {
                self.vain = 0;
                found.ttl.min(MAX_REFRESH) * 4 / 5
            }
            (Known::Nothing { .. }, _) => {
                self.vain = self.vain.saturating_add(1);
                (FIRST_RECHECK * 2_u32.saturating_pow(self.vain.min(16) - 1)).min(RECHECK)
            }
            (Known::Denied { .. }, Outcome::Nothing { ttl: Some(ttl), .. }) => {
                (*ttl).clamp(MIN_TTL, MAX_DENIED)
            }
            (Known::Stale { .. } | Known::Denied { .. }, _) => RECHECK,
        };
        self.work = Work::Waiting { until: now + jitter(pause, tools.rng) };
    }

    /// What calls may use, if that is something else than was told last.
    pub(super) fn news(&mut self) -> Option<Vec<LocatedAddress>> {
        let addresses = self.known.addresses();
        (addresses != self.told).then(|| {
            self.told.clone_from(&addresses);
            addresses
        })
    }

    pub(super) fn deadline(&self, policy: &LocatePolicy) -> Time {
        let work = match &self.work {
            Work::Waiting { until } | Work::Asking { until, .. } => *until,
        };
        work.min(self.known.deadline(policy))
    }
}

/// What all names share.
pub(super) struct Tools<'a> {
    pub(super) policy: &'a LocatePolicy,
    pub(super) down: &'a BTreeSet<SocketAddr>,
    pub(super) counters: &'a mut LocateCounters,
    pub(super) rng: &'a mut Rng,
}

/// A sixteenth more or less, so that names that were asked for together are not for ever.
fn jitter(pause: Duration, rng: &mut Rng) -> Duration {
    let nanos = u64::try_from(pause.as_nanos()).unwrap_or(u64::MAX);
    Duration::from_nanos((nanos - nanos / 16).saturating_add(rng.below(nanos / 8)))
}
