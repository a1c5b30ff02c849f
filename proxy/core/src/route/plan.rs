//! In which order a call tries its targets.

use crate::limits::MAX_PLAN;
use crate::rng::Rng;
use crate::{Config, HuntReason, SiteId, Snapshot, TargetHealth, TargetId, TargetState, TrunkId};
use relay_values::Time;
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
    ticket: Ticket,
    config_generation: u64,
    config: Arc<Config>,
}

/// What a call brings to targets that have come back a short while ago. Each of them takes a share of the calls that
/// grows with time ([`TargetHealth::share`](crate::TargetHealth::share)): a tenth of all tickets is good for a target that
/// has just come back, every ticket in the end. There is one ticket for all targets of a call: with one for each, some
/// edge of a big region would win almost every call, and the region would be back at once.
#[derive(Debug, Clone, Copy)]
struct Ticket {
    number: u64,
    /// When the plan was made; a call does not become luckier by waiting.
    drawn: Time,
}

/// How willingly a target is taken, best first. Every target with a weight is taken at last: a call is better tried than
/// refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Tier {
    Up,
    /// Healthy, but it has just come back and this call is not among its share.
    Warm,
    /// Healthy, but the operator wants no new calls there.
    Drained,
    Backoff,
    Down,
}

const TIERS: [Tier; 5] = [Tier::Up, Tier::Warm, Tier::Drained, Tier::Backoff, Tier::Down];

/// The targets of an inbound call: the site's groups in order and, inside a group, edges at random by weight. Edges that
/// are not usable follow after all groups: those that have just come back and have their share, drained ones, those that
/// asked for a pause, those that are down.
pub(crate) fn plan_inbound(snapshot: &Snapshot, now: Time, site: SiteId, rng: &mut Rng) -> Plan {
    let config = &*snapshot.config;
    let groups = config.sites.get(site.index()).map_or(&[][..], |site| &site.groups);
    let lists = groups.iter().filter_map(|group| config.groups.get(group.index())).map(|g| &*g.edges);
    plan(snapshot, now, lists, groups.len(), rng)
}

/// The targets of an outbound call: the route's trunks in order and, inside a trunk, its addresses at random by weight.
pub(crate) fn plan_outbound(snapshot: &Snapshot, now: Time, trunks: &[TrunkId], rng: &mut Rng) -> Plan {
    let lists = trunks.iter().map(|trunk| snapshot.callable(*trunk));
    plan(snapshot, now, lists, trunks.len(), rng)
}

/// One target and no other.
pub(crate) fn plan_to(snapshot: &Snapshot, now: Time, target: TargetId, rng: &mut Rng) -> Plan {
    plan(snapshot, now, std::iter::once(&[target][..]), 1, rng)
}

/// The targets of `count` lists, list by list and at random by weight inside each, willing ones first.
pub(super) fn plan<'a>(
    snapshot: &Snapshot,
    now: Time,
    lists: impl Iterator<Item = &'a [TargetId]> + Clone,
    count: usize,
    rng: &mut Rng,
) -> Plan {
    let mut targets = SmallVec::new();
    let ticket = Ticket { number: rng.below(Ticket::NUMBERS), drawn: now };
    // A big first group must not fill the plan: the next region is what the plan is for.
    let share = (MAX_PLAN / count.max(1)).max(2);
    let is_in = |tier| lists.clone().flatten().any(|id| ticket.tier_of(snapshot, *id) == tier);
    for tier in TIERS.into_iter().filter(|tier| is_in(*tier)) {
        for list in lists.clone() {
            let room = share.min(MAX_PLAN.saturating_sub(targets.len()));
            let is_of = |id: &TargetId| ticket.tier_of(snapshot, *id) == tier;
            draw(snapshot, list.iter().filter(|id| is_of(id)), room, rng, &mut targets);
        }
    }
    Plan {
        targets,
        tried: 0,
        desperate: false,
        ticket,
        config_generation: snapshot.config_generation,
        config: Arc::clone(&snapshot.config),
    }
}

/// Draws up to `room` of these targets: those of the lowest rank first, and among these each time with a chance in
/// proportion to its weight among those left (RFC 2782).
fn draw<'a>(
    snapshot: &Snapshot,
    list: impl Iterator<Item = &'a TargetId> + Clone,
    room: usize,
    rng: &mut Rng,
    drawn: &mut SmallVec<[TargetId; 8]>,
) {
    let (full, mut rank) = (drawn.len() + room, 0);
    loop {
        let mut next = None;
        let mut left: SmallVec<[(TargetId, u64); 16]> = list
            .clone()
            .filter(|id| !drawn.contains(id))
            .filter_map(|id| snapshot.config.target(*id).map(|target| (*id, target)))
            .filter(|(_, target)| {
                if target.rank > rank {
                    next = Some(next.map_or(target.rank, |other: u16| other.min(target.rank)));
                }
                target.rank == rank && target.weight > 0
            })
            .map(|(id, target)| (id, u64::from(target.weight)))
            .collect();
        drawn_by_weight(&mut left, full.saturating_sub(drawn.len()), rng, &mut |id| drawn.push(id));
        match next {
            Some(later) if drawn.len() < full => rank = later,
            Some(_) | None => return,
        }
    }
}

/// Draws up to `room` of what is `left`, each time with a chance in proportion to its weight among those left. What has no
/// weight stays.
pub(super) fn drawn_by_weight<T>(
    left: &mut SmallVec<[(T, u64); 16]>,
    room: usize,
    rng: &mut Rng,
    take: &mut impl FnMut(T),
) {
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
        take(id);
    }
}

impl Ticket {
    /// Shares are told apart to a thousandth.
    const NUMBERS: u64 = 1_000;

    fn tier_of(self, snapshot: &Snapshot, id: TargetId) -> Tier {
        let health = snapshot.health.get(id.index());
        match snapshot.state(id) {
            TargetState::Up if snapshot.is_drained(id) => Tier::Drained,
            TargetState::Up if health.is_some_and(|h| !self.is_good_for(h, snapshot)) => Tier::Warm,
            TargetState::Up => Tier::Up,
            TargetState::Backoff => Tier::Backoff,
            TargetState::Down => Tier::Down,
        }
    }

    fn is_good_for(self, health: &TargetHealth, snapshot: &Snapshot) -> bool {
        self.number < health.share(self.drawn, snapshot.config.region_health.slow_start, Self::NUMBERS)
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
            Some(
                HuntReason::NoProgress
                | HuntReason::TransportError
                | HuntReason::FinalResponse
                | HuntReason::Unauthorized
                | HuntReason::Redirected,
            )
            | None => false,
        };
        let current = self.renumber(newest);
        let suspect = current.filter(|_| silent).and_then(|id| newest.config.region_of(id));
        let tried = usize::from(self.tried);
        let rank = |id: &TargetId| {
            let same = suspect.is_some() && newest.config.region_of(*id) == suspect;
            (self.ticket.tier_of(newest, *id), same)
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
        let tier = self.ticket.tier_of(newest, current);
        if !self.untried().iter().any(|id| self.ticket.tier_of(newest, *id) < tier) {
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

impl Plan {
    /// Whether its numbers are those of this snapshot's configuration.
    pub(crate) fn is_of(&self, snapshot: &Snapshot) -> bool {
        self.config_generation == snapshot.config_generation
    }

    /// Whether the current target was down when it was chosen: nothing better was left.
    pub(crate) const fn is_desperate(&self) -> bool {
        self.desperate
    }

    /// Whoever the current target belongs to has spoken for all its targets: those that were not tried are dropped.
    pub(crate) fn leave_owner(&mut self) {
        let owner_of = |id: TargetId| self.config.target(id).map(|target| target.owner);
        let Some(owner) = self.current().and_then(owner_of) else { return };
        let tried = self.tried();
        let left = self.untried().iter().copied().filter(|id| owner_of(*id) != Some(owner));
        self.targets = tried.iter().copied().chain(left).collect();
    }

    /// Takes this of the targets that were not tried: it becomes the current one, the others keep their order.
    pub(crate) fn take(&mut self, target: TargetId) {
        let tried = usize::from(self.tried);
        let Some(place) = self.untried().iter().position(|id| *id == target) else { return };
        if let Some(slice) = self.targets.get_mut(tried..=tried + place) {
            slice.rotate_right(1);
            self.tried += 1;
        }
    }
}
