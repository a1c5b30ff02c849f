//! What an operator is shown of regions and edges.

use super::core::Health;
use crate::{Drill, RegionHealth, RegionId, SwitchReason, TargetHealth, TargetId};
use relay_values::{Duration, Time};

/// What is known of a region, and from what.
#[derive(Debug, Clone, PartialEq)]
pub struct RegionView {
    /// Its name.
    pub name: String,
    /// Its state, since when, and why.
    pub health: RegionHealth,
    /// The last packet before the last silence of it that relays reported, whatever came of that.
    pub silence: Option<Time>,
    /// Operators keep new calls away from it.
    pub drained: bool,
    /// The drill that is under way in it.
    pub drill: Option<Drill>,
    /// Its edges, group by group.
    pub edges: Vec<EdgeView>,
}

/// What is known of an edge, and from what.
#[derive(Debug, Clone, PartialEq)]
pub struct EdgeView {
    /// Its name.
    pub name: String,
    /// Its weight: 0 takes it out of selection.
    pub weight: u16,
    /// Its state, since when, and until when it gets less than its share.
    pub health: TargetHealth,
    /// Why its state changed last; `None` if it never did.
    pub reason: Option<SwitchReason>,
    /// Operators keep new calls away from it, from its region or from it alone.
    pub drained: bool,
    /// Probes sent.
    pub probes: u64,
    /// Probes without an answer since the last one with.
    pub missed: u32,
    /// Weight of the failures since the last answer, of whatever kind; it is down at `fall`.
    pub failures: u8,
    /// See `failures`.
    pub fall: u8,
    /// Smoothed time to an answer; `None` if it is not probed or never answered.
    pub round_trip: Option<Duration>,
    /// Penalty for falling, as it has decayed until now; above `damping_limit` the edge stays down.
    pub penalty: f64,
    /// Until when it stays down whatever it answers.
    pub held: Option<Time>,
}

impl Health {
    /// Every region and its edges, as they are at `now`.
    pub fn regions(&self, now: Time) -> Vec<RegionView> {
        let regions = (0..).map(RegionId).zip(&self.config.regions).zip(&self.regions);
        regions
            .map(|((id, region), watch)| RegionView {
                name: region.name.clone(),
                health: watch.health(),
                silence: watch.silence,
                drained: self.overrides.drained.contains(&id),
                drill: self.overrides.drill.filter(|drill| drill.region == id),
                edges: self.edges_of(id).into_iter().filter_map(|edge| self.edge(now, edge)).collect(),
            })
            .collect()
    }

    fn edge(&self, now: Time, id: TargetId) -> Option<EdgeView> {
        let (target, watch) = self.config.target(id).zip(self.watches.get(id.index()))?;
        let region = self.config.region_of(id);
        Some(EdgeView {
            name: target.name.clone(),
            weight: target.weight,
            health: watch.health(),
            reason: watch.reason(),
            drained: region.is_some_and(|region| self.overrides.drained.contains(&region))
                || self.overrides.drained_targets.contains(&id),
            probes: watch.asked,
            missed: watch.missed,
            failures: watch.failures(),
            fall: watch.policy.fall,
            round_trip: watch.round_trip(),
            penalty: watch.penalty(now),
            held: watch.held_until(now),
        })
    }
}
