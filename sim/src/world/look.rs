//! What can be asked of a world afterwards.

use super::{Heard, World};
use crate::agent::{Agent, Leg, Role, Side, call_of};
use crate::checks::Violation;
use proxy_core::CallRecord;

impl World {
    /// Looks at everything that has to be empty once all is over, and returns every broken rule.
    pub fn verdict(&mut self) -> Vec<Violation> {
        let Self { checks, shards, relay, agents, records, book, now, .. } = self;
        checks.at_end(*now, shards, relay, agents, records, book);
        let mut violations = std::mem::take(&mut checks.violations);
        violations.extend(self.audited());
        violations
    }

    /// Every agent.
    pub fn agents(&self) -> &[Agent] {
        &self.agents
    }

    /// The ladder of a call.
    pub fn ladder(&self, call: usize) -> String {
        self.trace.ladder(Some(call))
    }

    /// The record of a call.
    pub fn record(&self, call: usize) -> Option<&CallRecord> {
        // The last one: an INVITE that was refused for its session interval has one of its own.
        self.records.iter().rev().find(|record| call_of(record.called.as_bytes()) == Some(call))
    }

    /// The caller's leg of a call.
    pub fn caller(&self, call: usize) -> &Leg {
        self.leg(call, Role::Caller)
    }

    /// The last callee's leg of a call.
    pub fn callee(&self, call: usize) -> &Leg {
        self.leg(call, Role::Callee)
    }

    fn leg(&self, call: usize, role: Role) -> &Leg {
        let legs = self.agents.iter().flat_map(|agent| &agent.legs);
        let last = legs.filter(|leg| leg.call == call && leg.role == role).max_by_key(|leg| leg.began);
        match last {
            Some(leg) => leg,
            None => panic!("no {role:?} of call {call}\n{}", self.ladder(call)),
        }
    }

    /// The legs that a side has of a call, in the order in which they began, and whose they are.
    pub fn legs(&self, call: usize, side: Side) -> Vec<(&str, &Leg)> {
        let agents = self.agents.iter().filter(|agent| agent.side == side);
        let legs = agents.flat_map(|agent| agent.legs.iter().map(|leg| (agent.name.as_str(), leg)));
        let mut legs: Vec<_> = legs.filter(|(_, leg)| leg.call == call).collect();
        legs.sort_by_key(|(_, leg)| leg.began);
        legs
    }

    /// What left us towards the carrier of a call, if the setup keeps a tape.
    pub fn heard_by_carrier(&self, call: usize) -> Vec<Heard> {
        let tape = self.tape.iter().filter(|heard| heard.call == Some(call) && heard.side == Side::Carrier);
        tape.copied().collect()
    }

    /// The agent that a call's INVITEs reached, in order.
    pub fn reached(&self, call: usize) -> Vec<&str> {
        let reached = self
            .agents
            .iter()
            .filter(|agent| agent.legs.iter().any(|leg| leg.call == call && leg.role == Role::Callee));
        reached.map(|agent| agent.name.as_str()).collect()
    }
}
