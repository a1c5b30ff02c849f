//! In which order a call tries its targets.

use crate::limits::MAX_PLAN;
use crate::rng::Rng;
use crate::{Config, HuntReason, SiteId, Snapshot, TargetId, TargetState, TrunkId};
use smallvec::SmallVec;
use std::sync::Arc;

/// The ordered targets of one call, made when it was admitted.
///
/// Target numbers in and out are those of the configuration that the plan was last judged by: hand every function the
/// snapshot that you look the numbers up in. A reload during the hunt renumbers the plan, by name.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// What was tried, in order, and then what is left, best first.
    targets: SmallVec<[TargetId; 8]>,
    tried: u8,
    /// The current target was down when it was chosen: nothing better was left.
    desperate: bool,
    config_generation: u64,
    config: Arc<Config>,
}

/// How willingly a target is taken, best first. Every target with a weight is taken at last: a call is better tried than
/// refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Tier {
    Up,
    /// Healthy, but the operator wants no new calls there.
    Drained,
    Backoff,
    Down,
}

const TIERS: [Tier; 4] = [Tier::Up, Tier::Drained, Tier::Backoff, Tier::Down];

/// The targets of an inbound call: the site's groups in order and, inside a group, edges at random by weight. Edges that
/// are not usable follow after all groups: drained ones, then those that asked for a pause, then those that are down.
pub(crate) fn plan_inbound(snapshot: &Snapshot, site: SiteId, rng: &mut Rng) -> Plan {
    let config = &*snapshot.config;
    let groups = config.sites.get(site.index()).map_or(&[][..], |site| &site.groups);
    let lists = groups.iter().filter_map(|group| config.groups.get(group.index())).map(|g| &*g.edges);
    plan(snapshot, lists, groups.len(), rng)
}

/// The targets of an outbound call: the route's trunks in order and, inside a trunk, its addresses at random by weight.
pub(crate) fn plan_outbound(snapshot: &Snapshot, trunks: &[TrunkId], rng: &mut Rng) -> Plan {
    let config = &*snapshot.config;
    let lists = trunks.iter().filter_map(|trunk| config.trunks.get(trunk.index())).map(|t| &*t.targets);
    plan(snapshot, lists, trunks.len(), rng)
}

fn plan<'a>(
    snapshot: &Snapshot,
    lists: impl Iterator<Item = &'a [TargetId]> + Clone,
    count: usize,
    rng: &mut Rng,
) -> Plan {
    let mut targets = SmallVec::new();
    // A big first group must not fill the plan: the next region is what the plan is for.
    let share = (MAX_PLAN / count.max(1)).max(2);
    let is_in = |tier| lists.clone().flatten().any(|id| tier_of(snapshot, *id) == tier);
    for tier in TIERS.into_iter().filter(|tier| is_in(*tier)) {
        for list in lists.clone() {
            let room = share.min(MAX_PLAN.saturating_sub(targets.len()));
            draw(snapshot, tier, list, room, rng, &mut targets);
        }
    }
    Plan {
        targets,
        tried: 0,
        desperate: false,
        config_generation: snapshot.config_generation,
        config: Arc::clone(&snapshot.config),
    }
}

/// Draws up to `room` targets of a tier, each time with a chance in proportion to its weight among those left.
fn draw(
    snapshot: &Snapshot,
    tier: Tier,
    list: &[TargetId],
    room: usize,
    rng: &mut Rng,
    drawn: &mut SmallVec<[TargetId; 8]>,
) {
    let weight = |id: &TargetId| snapshot.config.target(*id).map_or(0, |t| u64::from(t.weight));
    let mut left: SmallVec<[(TargetId, u64); 16]> = list
        .iter()
        .filter(|id| tier_of(snapshot, **id) == tier && !drawn.contains(id))
        .map(|id| (*id, weight(id)))
        .filter(|(_, weight)| *weight > 0)
        .collect();
    let mut total: u64 = left.iter().map(|(_, weight)| weight).sum();
    for _ in 0..room.min(left.len()) {
        let mut ticket = rng.below(total);
        let place = left.iter().position(|(_, weight)| {
            let hit = ticket < *weight;
            ticket = ticket.saturating_sub(*weight);
            hit
        });
        let Some(place) = place else { return };
        let (id, weight) = left.remove(place);
        total -= weight;
        drawn.push(id);
    }
}

fn tier_of(snapshot: &Snapshot, id: TargetId) -> Tier {
    let region = snapshot.config.region_of(id);
    match snapshot.state(id) {
        TargetState::Up if region.is_some_and(|r| snapshot.overrides.drained.contains(&r)) => Tier::Drained,
        TargetState::Up => Tier::Up,
        TargetState::Backoff => Tier::Backoff,
        TargetState::Down => Tier::Down,
    }
}

impl Plan {
    /// The next target to try, judged by the newest snapshot; `None` when every target was tried. It becomes the current
    /// one.
    ///
    /// Healthier ones come first. Among equals, when the current one gave no sign of life (`NoResponse`,
    /// `TransactionTimeout`, `TargetDown`), other regions come before the rest of its own: what silenced one edge has
    /// often silenced its neighbours, and every wrong guess costs the caller another hunt timer.
    pub(crate) fn next(&mut self, newest: &Snapshot, last_failure: Option<HuntReason>) -> Option<TargetId> {
        let silent = match last_failure {
            Some(HuntReason::NoResponse | HuntReason::TransactionTimeout | HuntReason::TargetDown) => true,
            Some(HuntReason::NoProgress | HuntReason::TransportError | HuntReason::FinalResponse) | None => {
                false
            }
        };
        let current = self.renumber(newest);
        let suspect = current.filter(|_| silent).and_then(|id| newest.config.region_of(id));
        let tried = usize::from(self.tried);
        let rank = |id: &TargetId| {
            let same = suspect.is_some() && newest.config.region_of(*id) == suspect;
            (tier_of(newest, *id), same)
        };
        // The first of the best: the order of the plan decides among equals.
        let (place, id) =
            self.targets.iter().copied().enumerate().skip(tried).min_by_key(|(_, id)| rank(id))?;
        // Keeps the others in their order.
        self.targets.get_mut(tried..=place)?.rotate_right(1);
        self.tried += 1;
        self.desperate = newest.state(id) == TargetState::Down;
        Some(id)
    }

    /// The target that was tried last.
    pub(crate) fn current(&self) -> Option<TargetId> {
        self.tried().last().copied()
    }

    /// The targets that were tried, in order.
    pub(crate) fn tried(&self) -> &[TargetId] {
        self.targets.get(..usize::from(self.tried)).unwrap_or_default()
    }

    /// The targets that were not tried, in the order of the plan.
    pub(crate) fn untried(&self) -> &[TargetId] {
        self.targets.get(usize::from(self.tried)..).unwrap_or_default()
    }

    /// Whether the current target has gone down, or vanished, by a new snapshot: then a call that hunts moves on at once
    /// and a ringing one is rescued. A target that was down already when it was chosen is given its time.
    pub(crate) fn lost_current(&mut self, newest: &Snapshot) -> bool {
        let had = self.current().is_some();
        match self.renumber(newest) {
            Some(id) => !self.desperate && newest.state(id) == TargetState::Down,
            None => had,
        }
    }

    /// The current target was chosen, but nothing was sent to it yet: judges again. If one that was not tried is healthier
    /// by now, that one becomes the current one and the other waits for its turn.
    pub(crate) fn choose_again(&mut self, newest: &Snapshot) -> Option<TargetId> {
        let Some(current) = self.renumber(newest) else { return self.next(newest, None) };
        let tier = tier_of(newest, current);
        if !self.untried().iter().any(|id| tier_of(newest, *id) < tier) {
            return Some(current);
        }
        self.tried = self.tried.saturating_sub(1);
        self.next(newest, None)
    }

    /// After a reload: finds every target in the new configuration by its name; those that are gone are dropped. Returns
    /// the current target, unless it is one of these.
    fn renumber(&mut self, newest: &Snapshot) -> Option<TargetId> {
        if self.config_generation == newest.config_generation {
            return self.current();
        }
        let old = std::mem::replace(&mut self.config, Arc::clone(&newest.config));
        self.config_generation = newest.config_generation;
        let renamed = |id: &TargetId| newest.router.target_named(&old.target(*id)?.name);
        let current = self.current().as_ref().and_then(renamed);
        let tried: SmallVec<[TargetId; 8]> = self.tried().iter().filter_map(renamed).collect();
        let left: SmallVec<[TargetId; 8]> = self.untried().iter().filter_map(renamed).collect();
        self.tried = u8::try_from(tried.len()).unwrap_or(u8::MAX);
        self.targets = tried;
        self.targets.extend(left);
        current
    }
}
