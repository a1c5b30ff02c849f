//! What can be asked of a world afterwards.

use super::World;
use crate::agent::{Leg, Role, call_of};
use crate::checks::Violation;
use proxy_core::CallRecord;

impl World {
    /// Looks at everything that has to be empty once all is over, and returns every broken rule.
    pub fn verdict(&mut self) -> Vec<Violation> {
        let Self { checks, shards, relay, agents, records, book, now, .. } = self;
        checks.at_end(*now, shards, relay, agents, records, book);
        std::mem::take(&mut checks.violations)
    }

    /// The ladder of a call.
    pub fn ladder(&self, call: usize) -> String {
        self.trace.ladder(Some(call))
    }

    /// The record of a call.
    pub fn record(&self, call: usize) -> Option<&CallRecord> {
        self.records.iter().find(|record| call_of(record.called.as_bytes()) == Some(call))
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
        let mut legs = self.agents.iter().flat_map(|agent| &agent.legs);
        match legs.rfind(|leg| leg.call == call && leg.role == role) {
            Some(leg) => leg,
            None => panic!("no {role:?} of call {call}\n{}", self.ladder(call)),
        }
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
