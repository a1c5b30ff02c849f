//! Where the tier leg of a call sits, and whether anybody is still there.

use super::{Call, Env};
use crate::record::Direction;
use crate::{Config, Router, Snapshot, Source, TargetId, TargetState};
use relay_values::{Leg, RegionId, RelayCommand, Time};

/// The place of a tier leg. Numbers are those of the shard's newest configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Seat {
    /// The edge; unknown where the tier called us from an address that no edge has.
    pub(crate) edge: Option<TargetId>,
    /// The region that the call was answered in.
    pub(crate) origin: Option<RegionId>,
    /// A drill cuts it off.
    pub(crate) cut: Option<Severed>,
}

/// What a drill does to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Severed {
    /// The drill.
    pub(crate) drill: u64,
    /// No SIP passes to or from the tier leg.
    pub(crate) signalling: bool,
}

impl Call {
    /// The region that the tier leg is in.
    pub(crate) fn region(&self) -> RegionId {
        self.admitted.region
    }

    /// The call was answered at `target`, by the numbers of its last step's snapshot.
    pub(super) fn sit_down(&mut self, env: &mut Env, target: TargetId) {
        let newest = &env.newest;
        self.seat.edge = match self.admitted.direction {
            Direction::Inbound => {
                let under = self.steps.last().map(|step| &step.under.config);
                let name = under.and_then(|config| config.target(target)).map(|target| &target.name);
                name.and_then(|name| newest.router.target_named(name))
            }
            Direction::Outbound => edge_at(newest, self.admitted.source.remote),
        };
        self.seat.origin = Some(self.admitted.region);
        if self.is_down_in(newest) && !self.plan.is_desperate() {
            // Its edge went down while the answer was on its way: it moves at once.
            env.late.push(self.key);
        }
    }

    /// Whether nobody is where the tier leg sits.
    pub(super) fn is_down_in(&self, snapshot: &Snapshot) -> bool {
        match self.seat.edge {
            Some(edge) => snapshot.state(edge) == TargetState::Down,
            None => snapshot.region(self.region()).is_some_and(|r| r.state == crate::RegionState::Down),
        }
    }

    /// A reload has numbered everything anew: finds the call's edge and regions by name, and tells the relay.
    pub(crate) fn renumber(&mut self, env: &mut Env, old: &Config, new: &Config, router: &Router) {
        let edge = |id: TargetId| router.target_named(&old.target(id)?.name);
        let region = |id: RegionId| {
            let name = &old.regions.get(usize::from(id.0))?.name;
            (0..).map(RegionId).zip(&new.regions).find(|(_, region)| region.name == *name).map(|(id, _)| id)
        };
        self.seat.edge = self.seat.edge.and_then(edge);
        self.seat.origin = self.seat.origin.and_then(region);
        self.renumber_move(edge);
        // A region that is gone keeps a number that no region has.
        let now = region(self.admitted.region).unwrap_or(RegionId(u16::MAX - 1));
        if now != self.admitted.region {
            self.admitted.region = now;
            if self.seat.cut.is_none() {
                self.place(env, now, false);
            }
        }
    }

    /// Whether the call's tier leg is in a region, answered and settled.
    pub(crate) fn sits_in(&self, region: RegionId) -> bool {
        matches!(self.state, super::State::Answered) && self.region() == region
    }

    /// Whether it sits at an edge.
    pub(crate) fn sits_at(&self, edge: TargetId) -> bool {
        matches!(self.state, super::State::Answered) && self.seat.edge == Some(edge)
    }

    /// Whether it was answered in a region and lives elsewhere now.
    pub(crate) fn strayed_from(&self, region: RegionId) -> bool {
        matches!(self.state, super::State::Answered)
            && self.seat.origin == Some(region)
            && self.region() != region
    }

    /// When it was answered.
    pub(crate) fn answered_at(&self) -> Option<Time> {
        self.stamps.answered
    }

    /// The carrier's customer's number or the other end's, as an operator chooses calls by: the called one of an inbound
    /// call, the calling one of an outbound call.
    pub(crate) fn site_number(&self) -> &[u8] {
        match self.admitted.direction {
            Direction::Inbound => self.admitted.identity.called(),
            Direction::Outbound => self.admitted.identity.calling(),
        }
    }

    /// A drill has chosen the call: for it, its edge is as good as dead.
    pub(crate) fn sever(&mut self, env: &mut Env, severed: Severed, media: bool) {
        self.seat.cut = Some(severed);
        self.place(env, RegionId::DRILL, media);
    }

    /// The drill is over for this call.
    pub(crate) fn mend(&mut self, env: &mut Env) {
        if self.seat.cut.take().is_none() {
            return;
        }
        self.place(env, self.region(), false);
    }

    /// Tells the relay where the tier leg counts, with all its lines.
    pub(super) fn place(&self, env: &mut Env, region: RegionId, cut: bool) {
        for session in self.media.sessions() {
            env.relay(RelayCommand::Place { session, region, cut });
        }
    }

    /// The drill that has chosen the call.
    pub(crate) fn drill(&self) -> Option<u64> {
        self.seat.cut.map(|cut| cut.drill)
    }

    /// Whether a drill keeps SIP of this leg away.
    pub(crate) fn is_deaf(&self, leg: Leg) -> bool {
        leg == self.tier_leg() && self.seat.cut.is_some_and(|cut| cut.signalling)
    }
}

/// The edge at an address: the very one, else the only one on that host.
fn edge_at(snapshot: &Snapshot, at: std::net::SocketAddr) -> Option<TargetId> {
    let config = &snapshot.config;
    let Some(Source::Group(group)) = snapshot.router.owner_at(at) else { return None };
    let edges = &config.groups.get(group.index())?.edges;
    let remote = |id: &TargetId| config.target(*id).map(|target| target.peer.remote);
    let exact = edges.iter().copied().find(|id| remote(id) == Some(at));
    exact.or_else(|| {
        let mut here = edges.iter().copied().filter(|id| remote(id).is_some_and(|r| r.ip() == at.ip()));
        here.next().filter(|_| here.next().is_none())
    })
}

/// A target's name and its region's; an address of a trunk has none.
pub(super) fn names_of(config: &Config, target: TargetId) -> Option<(&str, &str)> {
    let region = config.region_of(target).and_then(|id| config.regions.get(usize::from(id.0)));
    Some((&config.target(target)?.name, region.map_or("", |region| &region.name)))
}
