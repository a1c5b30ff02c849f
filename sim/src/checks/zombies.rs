//! No leg is left behind: whoever is up at the tier belongs to a call that is up at the carrier, and to no call belong
//! two. Looked at twice, so that a BYE on its way is no zombie.

use super::Complaints;
use crate::agent::{Agent, Side, Stage};
use relay_values::Time;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Default)]
pub(super) struct Zombies(BTreeSet<(usize, usize)>);

impl Zombies {
    pub(super) fn look(&mut self, now: Time, agents: &[Agent], complaints: &mut Complaints) {
        let mut tier: BTreeMap<usize, Vec<(usize, usize)>> = BTreeMap::new();
        let mut carrier = BTreeSet::new();
        for (of, agent) in agents.iter().enumerate() {
            for (index, leg) in agent.legs.iter().enumerate().filter(|(_, leg)| leg.stage != Stage::Over) {
                match agent.side {
                    Side::Carrier => {
                        carrier.insert(leg.call);
                    }
                    Side::Tier if leg.stage == Stage::Up && leg.is_settled() => {
                        tier.entry(leg.call).or_default().push((of, index));
                    }
                    Side::Tier => {}
                }
            }
        }
        let left = tier.iter().filter(|(call, legs)| legs.len() > 1 || !carrier.contains(call));
        let now_left: BTreeSet<_> = left.flat_map(|(_, legs)| legs.iter().copied()).collect();
        for (of, index) in now_left.intersection(&self.0) {
            let (agent, call) = (&agents[*of], agents[*of].legs[*index].call);
            let others = tier.get(&call).map_or(0, |legs| legs.len() - 1);
            let text = format!(
                "{} still holds a leg; {others} others do; the carrier {}",
                agent.name,
                if carrier.contains(&call) { "talks" } else { "has hung up" }
            );
            complaints.add(now, Some(call), "zombies", text);
        }
        self.0 = now_left;
    }
}
