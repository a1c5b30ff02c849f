//! A burst: a few probes in quick succession to the edges of a region that has fallen silent.
//!
//! The edges have as long as the policy says from the moment when the silence was reported. That is time in which *we* were
//! there: between the probes the burst wants to be woken at every `burst_interval`, and what it oversleeps
//! ([`STUTTER`]) is added to what the edges have. After a [`STALL`] nothing of it counts any more.

use super::policy::{STALL, STUTTER};
use crate::{RegionPolicy, TargetId};
use relay_values::{Duration, Time};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Burst {
    asked: Vec<Asked>,
    /// Rounds of probes that are still to be sent.
    rounds: u8,
    interval: Duration,
    next: Time,
    deadline: Time,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Asked {
    edge: TargetId,
    answered: bool,
}

/// What a burst wants when it is woken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tick {
    /// Nothing yet.
    Wait,
    /// The next round of probes is to be sent.
    Ask,
    /// We stood still: it says nothing and has to be begun anew.
    Void,
    /// Time is over.
    Over,
}

/// Probes in one burst at most: beyond that it is no burst but a flood, of 16 edges × 10.
const MAX_ROUNDS: u8 = 10;

impl Burst {
    /// To these edges; the first round is to be sent at once.
    pub(super) fn new(now: Time, edges: &[TargetId], policy: &RegionPolicy, round_trip: Duration) -> Self {
        let patience = Self::patience(policy, round_trip);
        let interval = policy.burst_interval.clamp(Duration::from_millis(1), patience);
        Self {
            asked: edges.iter().map(|edge| Asked { edge: *edge, answered: false }).collect(),
            rounds: policy.burst.clamp(1, MAX_ROUNDS) - 1,
            interval,
            next: now + interval,
            deadline: now + patience,
        }
    }

    /// How long a region has to answer whose slowest edge takes `round_trip`.
    pub(super) fn patience(policy: &RegionPolicy, round_trip: Duration) -> Duration {
        policy.burst_timeout.max(round_trip * 2).max(Duration::from_millis(1))
    }

    /// When to wake it.
    pub(super) fn wakes(&self) -> Time {
        self.next
    }

    /// Lets time pass.
    pub(super) fn tick(&mut self, now: Time) -> Tick {
        if now < self.next {
            return Tick::Wait;
        }
        let late = now - self.next;
        if late > STALL {
            return Tick::Void;
        }
        if late > STUTTER {
            self.deadline += late;
        }
        if now >= self.deadline {
            return Tick::Over;
        }
        self.next = self.deadline.min(now + self.interval);
        match self.rounds.checked_sub(1) {
            Some(rounds) => {
                self.rounds = rounds;
                Tick::Ask
            }
            None => Tick::Wait,
        }
    }

    /// An edge has answered.
    pub(super) fn answered(&mut self, edge: TargetId) {
        self.asked.iter_mut().filter(|asked| asked.edge == edge).for_each(|asked| asked.answered = true);
    }

    /// Whether any edge has answered.
    pub(super) fn is_answered(&self) -> bool {
        self.asked.iter().any(|asked| asked.answered)
    }

    /// Whether nothing is left to wait for.
    pub(super) fn is_answered_by_all(&self) -> bool {
        self.asked.iter().all(|asked| asked.answered)
    }

    /// Whether nobody was asked: then silence means nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.asked.is_empty()
    }

    /// The edges that have not answered.
    pub(super) fn silent(&self) -> impl Iterator<Item = TargetId> {
        self.asked.iter().filter(|asked| !asked.answered).map(|asked| asked.edge)
    }

    /// Gives the edges their new numbers; those that have none are dropped.
    pub(super) fn renumber(&mut self, number: impl Fn(TargetId) -> Option<TargetId>) {
        self.asked.retain_mut(|asked| match number(asked.edge) {
            Some(edge) => {
                asked.edge = edge;
                true
            }
            None => false,
        });
    }
}
