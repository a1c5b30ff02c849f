//! The one value that the whole appliance swaps: configuration ⊕ health ⊕ operator overrides.

use crate::{Config, RegionId, Registration, Router, Source, SwitchReason, TargetId, TrunkId};
use relay_values::{Duration, Time};
use sip_wire::{Message, Uri};
use std::net::SocketAddr;
use std::sync::Arc;

/// What every shard decides by. Immutable; a change builds the next one and stores it once.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// Counts up by one with every stored snapshot, whatever changed.
    pub generation: u64,
    /// Generation at which `config` was taken: evidence that names an older numbering is ignored.
    pub config_generation: u64,
    /// The configuration.
    pub config: Arc<Config>,
    /// The configuration's prefix tables, built with it and shared for as long as it stands.
    pub router: Arc<Router>,
    /// Health of every target, indexed by [`TargetId`].
    pub health: Vec<TargetHealth>,
    /// What is known of every region as a whole, indexed by [`RegionId`].
    pub regions: Vec<RegionHealth>,
    /// What operators said.
    pub overrides: Overrides,
    /// The registrar that has bound us, for each of [`Config::registrations`]; `None`: nobody has.
    pub bindings: Vec<Option<TargetId>>,
}

/// What is known of a region as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RegionHealth {
    /// Its state.
    pub state: RegionState,
    /// Since when.
    pub since: Time,
    /// When the present or last trouble was first suspected; [`Time::NEVER`] if there was none.
    pub suspected: Time,
    /// Why its state changed last.
    pub reason: Option<SwitchReason>,
}

/// State of a region.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RegionState {
    /// Usable.
    Up,
    /// Its flows fell silent together; its edges are being asked.
    Suspect,
    /// Every edge of it is down.
    Down,
}

/// What is known of a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TargetHealth {
    /// Its state.
    pub state: TargetState,
    /// Since when.
    pub since: Time,
    /// It has come back a short while ago and gets its share of new calls only slowly, until this time.
    pub warm: Time,
}

/// State of a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TargetState {
    /// Usable. Also the state before the first probe has returned: a call is better tried than refused.
    Up,
    /// Asked us to come back later (503 with Retry-After): used only when nothing better is left.
    Backoff,
    /// Down: used only when every target is.
    Down,
}

/// What operators said. Wins over health.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Overrides {
    /// Regions that get no new calls.
    pub drained: Vec<RegionId>,
    /// Edges that get no new calls.
    pub drained_targets: Vec<TargetId>,
    /// A share of one region's calls is cut off, to see what an outage would do.
    pub drill: Option<Drill>,
}

/// A drill: for the calls that it chooses, the region is as good as dead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drill {
    /// Tells one drill from the next.
    pub id: u64,
    /// The region.
    pub region: RegionId,
    /// Share of its answered calls that are chosen when the drill begins, in percent.
    pub share: u8,
    /// What they lose.
    pub cut: Cut,
    /// The detector has found the cohort dead: its calls are to be moved. Set by the health core alone.
    pub found: Option<Time>,
}

/// What a drill cuts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cut {
    /// SIP of the tier legs.
    Signalling,
    /// RTP and RTCP of the tier legs.
    Media,
    /// Both.
    Both,
}

impl Cut {
    /// Whether media is cut.
    pub const fn media(self) -> bool {
        matches!(self, Self::Media | Self::Both)
    }

    /// Whether signalling is cut.
    pub const fn signalling(self) -> bool {
        matches!(self, Self::Signalling | Self::Both)
    }
}

impl TargetHealth {
    /// How many calls out of `whole` the target takes in its own place at `now`: after it has come back a tenth, then more
    /// in proportion to the time, at `warm` all. `slow_start` is the time from coming back to `warm`.
    pub(crate) fn share(&self, now: Time, slow_start: Duration, whole: u64) -> u64 {
        let left = self.warm.since(now).min(slow_start);
        if left.is_zero() {
            return whole;
        }
        // A tenth of `whole` and nine tenths of what has passed of the time; rounded up, so that it is never nothing.
        let (left, all) = (left.as_nanos(), slow_start.as_nanos());
        let share = (u128::from(whole) * (10 * all - 9 * left)).div_ceil(10 * all);
        u64::try_from(share).unwrap_or(whole)
    }
}

impl Snapshot {
    /// The first snapshot of a configuration: everything is up.
    pub fn first(config: Arc<Config>) -> Self {
        let up = TargetHealth { state: TargetState::Up, since: Time::ZERO, warm: Time::ZERO };
        let quiet =
            RegionHealth { state: RegionState::Up, since: Time::ZERO, suspected: Time::NEVER, reason: None };
        let regions = vec![quiet; config.regions.len()];
        let health = vec![up; config.targets.len()];
        let router = Arc::new(Router::new(&config));
        let bindings = vec![None; config.registrations.len()];
        Self {
            generation: 1,
            config_generation: 1,
            config,
            router,
            health,
            regions,
            overrides: Overrides::default(),
            bindings,
        }
    }

    /// Where calls for a trunk may go: to the registrar that has bound us, where there is such a thing.
    pub(crate) fn callable(&self, trunk: TrunkId) -> &[TargetId] {
        let targets = self.config.trunks.get(trunk.index()).map_or(&[][..], |trunk| &trunk.targets);
        let Some(place) = self.config.registrations.iter().position(|own| own.trunk == trunk) else {
            return targets;
        };
        let bound = self.bindings.get(place).copied().flatten();
        let at = bound.and_then(|bound| targets.iter().position(|target| *target == bound));
        at.and_then(|at| targets.get(at..=at)).unwrap_or_default()
    }

    /// Whether no registrar of a trunk that registers has bound us.
    pub(crate) fn is_unbound(&self, trunk: TrunkId) -> bool {
        let place = self.config.registrations.iter().position(|own| own.trunk == trunk);
        place.is_some_and(|place| self.bindings.get(place).copied().flatten().is_none())
    }

    /// Who sends this from there: a trunk that has us registered is known by the user that its calls are for, where several have
    /// their registrar at one address.
    pub(crate) fn narrowed(&self, source: Source, from: SocketAddr, request: &Message) -> Source {
        if self.config.registrations.is_empty() {
            return source;
        }
        self.registered(from, request).map_or(source, |own| Source::Trunk(own.trunk))
    }

    /// The registration whose Contact a request is for, if it comes from a registrar of it.
    pub(crate) fn registered(&self, from: SocketAddr, request: &Message) -> Option<&Registration> {
        let user = Uri::parse(request.uri()).ok()?.user?;
        let is_registrar = |id: &TargetId| {
            let ip = self.config.target(*id).map(|target| target.peer.remote.ip().to_canonical());
            ip == Some(from.ip().to_canonical())
        };
        let mut all = self.config.registrations.iter();
        all.find(|own| own.contact.as_bytes() == user && own.registrars.iter().any(is_registrar))
    }

    /// State of a target; a number from nowhere is down.
    pub fn state(&self, target: TargetId) -> TargetState {
        self.health.get(target.index()).map_or(TargetState::Down, |h| h.state)
    }

    /// Whether new calls may go to a target without a second thought.
    pub fn is_usable(&self, target: TargetId) -> bool {
        !self.is_drained(target) && self.state(target) == TargetState::Up
    }

    /// Whether operators keep new calls away from a target.
    pub fn is_drained(&self, target: TargetId) -> bool {
        let region = self.config.region_of(target).is_some_and(|r| self.overrides.drained.contains(&r));
        region || self.overrides.drained_targets.contains(&target)
    }

    /// What is known of a region.
    pub fn region(&self, id: RegionId) -> Option<&RegionHealth> {
        self.regions.get(usize::from(id.0))
    }
}
