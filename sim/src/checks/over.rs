//! A call that is over rings nobody: after its final refusal, after BYE on the carrier's side, and after a callee has
//! declined (in a hunt any final code that the policy does not hunt on; in a move 6xx: nobody else is asked in it).

use super::Complaints;
use super::facts::Facts;
use super::seen::Seen;
use crate::maps::{Map, Set};
use crate::setup::Setup;
use proxy_core::Snapshot;
use relay_values::{Duration, Time};
use std::collections::BTreeMap;

#[derive(Debug)]
pub(super) struct Over {
    advance_on: Vec<u16>,
    /// What the shards' newest configurations wait for a first response. Without any for longer than that, an INVITE is left,
    /// and so is what it brings later.
    newest: BTreeMap<u8, Duration>,
    /// The same, as calls have found it when their hunts began.
    pinned: BTreeMap<usize, Duration>,
    /// INVITEs without any response so far, and how long they wait for one.
    waiting: Map<String, Duration>,
    branches: Set<String>,
    answered: Set<String>,
    /// With which code, and when.
    declined: BTreeMap<usize, (u16, Time)>,
    /// Between two targets of a hunt the relay is asked for other ports, which takes this long: what the one that was left says
    /// then is not heeded.
    between: Duration,
}

/// Asking the relay and hearing from it; where it finds no port at first, once more.
const ASKED: u32 = 2;

impl Over {
    pub(super) fn new(setup: &Setup, first: &Snapshot) -> Self {
        let times = if setup.bind_failures == 0 { ASKED } else { 2 * ASKED };
        Self {
            advance_on: setup.hunt.advance_on.clone(),
            newest: (0..setup.shards).map(|shard| (shard, first.config.hunt.no_response)).collect(),
            pinned: BTreeMap::new(),
            waiting: Map::default(),
            branches: Set::default(),
            answered: Set::default(),
            declined: BTreeMap::new(),
            between: setup.latency * times,
        }
    }

    pub(super) fn snapshot(&mut self, shard: u8, snapshot: &Snapshot) {
        self.newest.insert(shard, snapshot.config.hunt.no_response);
    }

    pub(super) fn received(&mut self, seen: &Seen<'_>, facts: &Facts) {
        let (Some(call), Some(code)) = (seen.call, seen.code) else { return };
        let waited = self.waiting.get(&seen.branch).copied();
        if code < 300 {
            self.waiting.remove(&seen.branch);
            return;
        }
        let heeded = |begun: &&super::facts::Begun| {
            let late = waited.is_some_and(|no_response| seen.at.since(begun.at) > no_response);
            !begun.left && !begun.cancelled && !late
        };
        let Some(begun) = facts.invites.get(&seen.branch).filter(heeded) else { return };
        if !seen.is_invite() || !self.answered.insert(seen.branch.clone()) {
            return;
        }
        // 422 asks for the same once more (RFC 4028 §7.3), and 401 and 407 for who asks (RFC 3261 §22.2).
        let declined = !matches!(code, 401 | 407 | 422)
            && if begun.is_move { code >= 600 } else { !self.advance_on.contains(&code) };
        if declined {
            self.declined.entry(call).or_insert((code, seen.at));
        }
    }

    pub(super) fn sent(&mut self, shard: u8, seen: &Seen<'_>, facts: &Facts, complaints: &mut Complaints) {
        let Some(call) = seen.call.filter(|_| seen.begins() && seen.is_invite()) else { return };
        if !self.branches.insert(seen.branch.clone()) {
            return;
        }
        let newest = self.newest.get(&shard).copied().unwrap_or_default();
        // A hunt waits as its call was admitted, a move as it is said now.
        let is_move = facts.invites.get(&seen.branch).is_some_and(|begun| begun.is_move);
        let wait = if is_move { newest } else { *self.pinned.entry(call).or_insert(newest) };
        self.waiting.insert(seen.branch.clone(), wait);
        match self.declined.get(&call) {
            Some((code, at)) if seen.at >= *at + self.between => {
                let text = format!("{} after {code} to the last one", seen.line());
                complaints.add(seen.at, seen.call, "over", text);
            }
            // Who declined had been left before: the hunt goes on.
            Some(_) => {
                self.declined.remove(&call);
            }
            None => {}
        }
        if let Some(over) = facts.calls.get(&call).and_then(|call| call.over) {
            let text = format!("{}, but the call was over at {} ms", seen.line(), over.as_millis());
            complaints.add(seen.at, seen.call, "over", text);
        }
    }

    /// A move has ended: the next one may ask again.
    pub(super) fn receipt(&mut self, call: Option<usize>) {
        if let Some(call) = call {
            self.declined.remove(&call);
        }
    }
}
