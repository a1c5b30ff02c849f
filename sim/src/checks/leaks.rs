//! When all is over, nothing is left: no call, transaction, session, port, or peer that still waits; one record a call.

use super::Complaints;
use super::seen::Seen;
use crate::agent::{Agent, Book, Role, Stage};
use crate::link::Link;
use crate::maps::Map;
use crate::setup::Setup;
use proxy_core::{CallRecord, RejectReason, Shard, ShardCounts};
use relay_core::Relay;
use relay_values::{Duration, Latching, Time};
use std::collections::BTreeMap;

#[derive(Debug)]
pub(super) struct Leaks {
    /// Call-IDs of the INVITEs that reached us.
    invited: BTreeMap<String, Option<usize>>,
    /// INVITEs of ours, by branch: when the first was sent, and whether we have heard in time that somebody has it. A phone
    /// that we have never heard of cannot be told to stop.
    rings: Map<String, (Time, bool)>,
    lifetime: Duration,
    /// Whether a flow can learn only its own peer: with any looser rule a port's last call may speak into the next.
    exact: bool,
    /// Whether no packet is late: between a fill and the next packet of a peer that is late, reports are about the fill.
    perfect: bool,
}

impl Leaks {
    pub(super) fn new(setup: &Setup) -> Self {
        Self {
            invited: BTreeMap::new(),
            rings: Map::default(),
            lifetime: setup.timers.t1 * 64,
            exact: setup.latching == Latching::Exact,
            perfect: setup.link == Link::perfect(),
        }
    }

    pub(super) fn sent(&mut self, seen: &Seen<'_>) {
        if seen.code.is_none() && seen.is_invite() {
            self.rings.entry(seen.branch.clone()).or_insert((seen.at, false));
        }
    }

    pub(super) fn received(&mut self, seen: &Seen<'_>) {
        if seen.begins() && seen.is_invite() {
            self.invited.insert(seen.call_id.clone(), seen.call);
        }
        if let Some((sent, heard)) = self.rings.get_mut(&seen.branch).filter(|_| seen.code.is_some()) {
            *heard |= seen.at.since(*sent) < self.lifetime;
        }
    }

    pub(super) fn at_end(
        &self,
        now: Time,
        (shards, relay): (&[Shard], &Relay),
        (agents, book): (&[Agent], &Book),
        records: &[CallRecord],
        complaints: &mut Complaints,
    ) {
        for (id, shard) in shards.iter().enumerate() {
            if shard.counts() != ShardCounts::default() {
                complaints.add(now, None, "leaks", format!("shard {id} holds {:?}", shard.counts()));
            }
        }
        let counters = relay.counters();
        if relay.sessions() != 0 || counters.ports.taken != 0 {
            let text = format!("the relay holds {} sessions, {:?}", relay.sessions(), counters.ports);
            complaints.add(now, None, "leaks", text);
        }
        self.peers(now, agents, complaints);
        // What was shed has begun nothing, and has no record; it is counted.
        let mut shed: u64 = shards
            .iter()
            .map(|s| s.counters())
            .map(|c| c.rejected(RejectReason::Overload) + c.rejected(RejectReason::Unanswered))
            .sum();
        let mut again = 0;
        for (call_id, call) in &self.invited {
            let all = || records.iter().filter(|record| record.a_call_id == *call_id);
            // An INVITE that is refused for its session interval comes again under the same Call-ID (RFC 4028 §7.3).
            let refused = all().filter(|record| record.code == 422).count();
            again += refused;
            let count = all().count() - refused;
            if (count, refused) == (0, 0) && shed > 0 {
                shed -= 1;
                continue;
            }
            if count != 1 && (count, refused) != (0, 1) {
                complaints.add(now, *call, "records", format!("{count} records of {call_id}"));
            }
        }
        if records.len() > self.invited.len() + again {
            let text =
                format!("{} records of {} calls of {}", records.len(), self.invited.len(), book.plans.len());
            complaints.add(now, None, "records", text);
        }
    }

    fn peers(&self, now: Time, agents: &[Agent], complaints: &mut Complaints) {
        for agent in agents {
            for leg in &agent.legs {
                let unheard = leg.stage == Stage::Early
                    && leg.role == Role::Callee
                    && !self.rings.get(leg.branch()).is_some_and(|(_, heard)| *heard);
                if leg.stage != Stage::Over && !unheard {
                    let text =
                        format!("{} still has a {:?} leg that is {:?}", agent.name, leg.role, leg.stage);
                    complaints.add(now, Some(leg.call), "peers", text);
                }
                for wrong in leg.ear.wrong_reports.iter().filter(|_| self.perfect) {
                    complaints.add(
                        now,
                        Some(leg.call),
                        "reports",
                        format!("{} hears a report {wrong}", agent.name),
                    );
                }
                if leg.ear.foreign > 0 && self.exact {
                    let text = format!("{} heard {} packets of another call", agent.name, leg.ear.foreign);
                    complaints.add(now, Some(leg.call), "media", text);
                }
            }
        }
    }
}
