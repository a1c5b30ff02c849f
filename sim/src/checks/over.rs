//! A call that is over rings nobody: after its final refusal, after BYE on the carrier's side, and after a callee has
//! declined (in a hunt any final code that the policy does not hunt on; in a move 6xx: nobody else is asked in it).

use super::Complaints;
use super::facts::Facts;
use super::seen::Seen;
use crate::maps::Set;
use proxy_core::HuntPolicy;
use relay_values::{Duration, Time};
use std::collections::BTreeMap;

#[derive(Debug)]
pub(super) struct Over {
    advance_on: Vec<u16>,
    /// Without any response for longer than this, an INVITE is left, and so is what it brings later.
    no_response: Duration,
    proceeding: Set<String>,
    branches: Set<String>,
    answered: Set<String>,
    /// With which code, and when.
    declined: BTreeMap<usize, (u16, Time)>,
    /// Between two targets the relay is asked for other ports: what the one that was left says then is not heeded.
    between: Duration,
}

impl Over {
    pub(super) fn new(hunt: &HuntPolicy, latency: Duration) -> Self {
        let (advance_on, no_response) = (hunt.advance_on.clone(), hunt.no_response);
        let proceeding = Set::default();
        Self {
            advance_on,
            no_response,
            proceeding,
            branches: Set::default(),
            answered: Set::default(),
            declined: BTreeMap::new(),
            between: latency * 4,
        }
    }

    pub(super) fn received(&mut self, seen: &Seen<'_>, facts: &Facts) {
        let (Some(call), Some(code)) = (seen.call, seen.code) else { return };
        if code < 300 {
            self.proceeding.insert(seen.branch.clone());
            return;
        }
        let heeded = |begun: &&super::facts::Begun| {
            let late = seen.at.since(begun.at) > self.no_response && !self.proceeding.contains(&seen.branch);
            !begun.left && !begun.cancelled && !late
        };
        let Some(begun) = facts.invites.get(&seen.branch).filter(heeded) else { return };
        if !seen.is_invite() || !self.answered.insert(seen.branch.clone()) {
            return;
        }
        // 422 asks for the same once more (RFC 4028 §7.3).
        let declined =
            code != 422 && if begun.is_move { code >= 600 } else { !self.advance_on.contains(&code) };
        if declined {
            self.declined.entry(call).or_insert((code, seen.at));
        }
    }

    pub(super) fn sent(&mut self, seen: &Seen<'_>, facts: &Facts, complaints: &mut Complaints) {
        let Some(call) = seen.call.filter(|_| seen.begins() && seen.is_invite()) else { return };
        if !self.branches.insert(seen.branch.clone()) {
            return;
        }
        if let Some((code, _)) = self.declined.get(&call).filter(|(_, at)| seen.at > *at + self.between) {
            let text = format!("{} after {code} to the last one", seen.line());
            complaints.add(seen.at, seen.call, "over", text);
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
