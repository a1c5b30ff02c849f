//! A call whose edge goes down is moved or ended within its deadline, and never has two tier legs that can be reached for
//! longer than it takes to settle. The clock of the first rule starts with the generation that reaches its shard.

use super::Complaints;
use super::facts::{Call, Facts};
use super::seen::Seen;
use super::topology::side_of;
use crate::agent::Side;
use crate::setup::Setup;
use proxy_core::{MoveOutcome, Receipt, Snapshot, TargetId, TargetState};
use relay_values::{Duration, Time};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

/// A planned move keeps the old leg until the new one is heard, or for two seconds where nobody speaks; the rest is the
/// way of the BYE past others that wait for theirs.
const SETTLES: Duration = Duration::from_secs(3);
/// What a deadline may be late by: the way to the relay and back, and turns that others have first.
const SLACK: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Moved {
    newest: Vec<Arc<Snapshot>>,
    /// Calls that have lost their edge, and by when that must be settled.
    lost: BTreeMap<usize, Time>,
    /// Calls with two tier legs, and by when there must be one.
    twins: BTreeMap<usize, Time>,
    allowed: Option<Duration>,
    deadline: Duration,
}

impl Moved {
    pub(super) fn new(setup: &Setup, first: &Arc<Snapshot>) -> Self {
        let policy = &setup.rehome;
        Self {
            newest: vec![Arc::clone(first); usize::from(setup.shards)],
            lost: BTreeMap::new(),
            twins: BTreeMap::new(),
            deadline: policy.deadline,
            allowed: policy.enabled.then(|| policy.deadline + policy.min_interval + SLACK),
        }
    }

    /// A shard hears of a generation.
    pub(super) fn snapshot(&mut self, now: Time, shard: u8, next: &Arc<Snapshot>, facts: &Facts) {
        let Some(newest) = self.newest.get_mut(usize::from(shard)) else { return };
        let before = std::mem::replace(newest, Arc::clone(next));
        let mine = |call: &&Call| call.shard == Some(shard) && call.answered.is_some() && call.over.is_none();
        for (number, call) in facts.calls.iter().filter(|(_, call)| mine(call)) {
            let Some(allowed) = self.allowed else { break };
            let fell = |at| is_down(next, at) && !is_down(&before, at);
            if call.live().any(|dialog| fell(dialog.peer)) && call.live().all(|d| is_down(next, d.peer)) {
                self.lost.entry(*number).or_insert(now + allowed);
            }
        }
        for number in facts.calls.keys() {
            self.up(now, Some(*number), facts);
        }
        self.settle(facts);
    }

    /// A turn is over: what is settled is settled.
    pub(super) fn settle(&mut self, facts: &Facts) {
        let newest = &self.newest;
        self.lost.retain(|number, _| {
            let Some(call) = facts.calls.get(number).filter(|c| c.over.is_none() && !c.left) else {
                return false;
            };
            let Some(snapshot) = call.shard.and_then(|id| newest.get(usize::from(id))) else { return false };
            !call.live().any(|dialog| !is_down(snapshot, dialog.peer))
        });
        self.twins.retain(|number, _| has_two(newest, facts.calls.get(number)));
    }

    /// A dialog with the tier may have come up.
    pub(super) fn up(&mut self, now: Time, call: Option<usize>, facts: &Facts) {
        let Some(number) = call else { return };
        if has_two(&self.newest, facts.calls.get(&number)) {
            self.twins.entry(number).or_insert(now + SETTLES);
        }
    }

    /// The carrier is asked: until he has answered, or the move has had its time, the old leg stays.
    pub(super) fn sent(&mut self, seen: &Seen<'_>) {
        let asks = seen.is_invite() && seen.code.is_none() && !seen.begins();
        let until = seen.at + self.deadline + SETTLES;
        if let Some(by) = self.twin(seen).filter(|_| asks) {
            *by = until.max(*by);
        }
    }

    /// He has answered: from here on it takes as long as ever.
    pub(super) fn received(&mut self, seen: &Seen<'_>) {
        let answers = seen.is_invite() && seen.is_final();
        if let Some(by) = self.twin(seen).filter(|_| answers) {
            *by = seen.at + SETTLES;
        }
    }

    /// By when a call has to have one tier leg, where this is the carrier's message.
    fn twin(&mut self, seen: &Seen<'_>) -> Option<&mut Time> {
        let carrier = side_of(seen.peer) == Some(Side::Carrier);
        seen.call.filter(|_| carrier).and_then(|call| self.twins.get_mut(&call))
    }

    /// A move has ended without a new leg: the call ends as soon as its carrier has acknowledged it (RFC 3261 §15).
    pub(super) fn receipt(&mut self, call: Option<usize>, receipt: &Receipt) {
        let ends = match receipt.outcome {
            MoveOutcome::Deadline | MoveOutcome::Declined | MoveOutcome::Unmatched | MoveOutcome::HungUp => {
                true
            }
            MoveOutcome::Moved | MoveOutcome::Renegotiated | MoveOutcome::Stayed => false,
        };
        if let Some(call) = call.filter(|_| ends) {
            self.lost.remove(&call);
        }
    }

    pub(super) fn clock(&mut self, now: Time, complaints: &mut Complaints) {
        self.lost.retain(|call, by| {
            if *by < now {
                let text = "its edge is down, and it is neither moved nor ended".into();
                complaints.add(*by, Some(*call), "moved", text);
            }
            *by >= now
        });
        self.twins.retain(|call, by| {
            if *by < now {
                complaints.add(*by, Some(*call), "twins", "it has two tier legs and keeps them".into());
            }
            *by >= now
        });
    }
}

/// Whether it has two legs that a BYE would reach: not those at edges that are down, nor those that a drill cuts off.
fn has_two(newest: &[Arc<Snapshot>], call: Option<&Call>) -> bool {
    let Some(call) = call else { return false };
    let Some(snapshot) = call.shard.and_then(|id| newest.get(usize::from(id))) else { return false };
    let cut = snapshot.overrides.drill.filter(|drill| drill.cut.signalling()).map(|drill| drill.region);
    let region = |at| place_of(snapshot, at).and_then(|place| snapshot.config.region_of(place));
    let reached = |at| !is_down(snapshot, at) && (cut.is_none() || region(at) != cut);
    call.live().filter(|dialog| reached(dialog.peer)).count() > 1
}

fn place_of(snapshot: &Snapshot, at: SocketAddr) -> Option<TargetId> {
    let place = snapshot.config.targets.iter().position(|target| target.peer.remote == at)?;
    Some(TargetId(place as u16))
}

fn is_down(snapshot: &Snapshot, at: SocketAddr) -> bool {
    place_of(snapshot, at).is_none_or(|place| snapshot.state(place) == TargetState::Down)
}
