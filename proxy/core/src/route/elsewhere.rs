//! Where an answered call's tier leg may go when it has to leave its edge.

use super::plan::{Plan, plan};
use crate::rng::Rng;
use crate::{GroupId, RegionId, SiteId, Snapshot, TargetId, TargetState};
use relay_values::Time;
use smallvec::SmallVec;

/// What a tier leg leaves, and where it may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leaving {
    /// One edge: the others of its group are nearest.
    Edge {
        /// The edge, where it is known.
        edge: Option<TargetId>,
        /// Its region.
        region: RegionId,
    },
    /// A whole region: any other will do.
    Region(RegionId),
    /// Wherever it is, for this region and no other: an operator wants the call back.
    For(RegionId),
}

impl Leaving {
    fn allows(self, snapshot: &Snapshot, id: TargetId) -> bool {
        let region = snapshot.config.region_of(id);
        match self {
            Self::Edge { edge, .. } => edge != Some(id),
            Self::Region(left) => region != Some(left),
            Self::For(wanted) => region == Some(wanted),
        }
    }

    /// Groups of the region that is left come first where only an edge of it is.
    fn is_near(self, snapshot: &Snapshot, group: GroupId) -> bool {
        match self {
            Self::Edge { region, .. } => {
                snapshot.config.groups.get(group.index()).is_some_and(|group| group.region == region)
            }
            Self::Region(_) | Self::For(_) => false,
        }
    }
}

/// How choosy a call is that leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Choosy {
    /// It could as well stay: only where operators and health are content.
    Very,
    /// Not where it was asked to come back later: it waits for that, while there is time.
    Somewhat,
    /// There is no time left: anywhere but where nobody is.
    Hardly,
}

impl Choosy {
    /// Whether it would go there. What is down it never takes: a call that has an answer is not gambled with.
    pub(crate) fn takes(self, snapshot: &Snapshot, id: TargetId) -> bool {
        match (self, snapshot.state(id)) {
            (Self::Very, _) => snapshot.is_usable(id),
            (Self::Somewhat | Self::Hardly, TargetState::Up) | (Self::Hardly, TargetState::Backoff) => true,
            (Self::Somewhat, TargetState::Backoff) | (_, TargetState::Down) => false,
        }
    }
}

/// The targets of a call that leaves: groups of the site in order, those of the region first if only an edge is left.
pub(crate) fn plan_elsewhere(
    snapshot: &Snapshot,
    now: Time,
    site: SiteId,
    leaving: Leaving,
    choosy: Choosy,
    rng: &mut Rng,
) -> Plan {
    let config = &*snapshot.config;
    let groups = config.sites.get(site.index()).map_or(&[][..], |site| &site.groups);
    let (near, far): (Vec<GroupId>, Vec<GroupId>) =
        groups.iter().partition(|group| leaving.is_near(snapshot, **group));
    let lists: Vec<SmallVec<[TargetId; 8]>> = near
        .iter()
        .chain(&far)
        .filter_map(|group| config.groups.get(group.index()))
        .map(|group| {
            group
                .edges
                .iter()
                .copied()
                .filter(|id| leaving.allows(snapshot, *id) && choosy.takes(snapshot, *id))
        })
        .map(Iterator::collect)
        .collect();
    let count = lists.iter().filter(|list: &&SmallVec<_>| !list.is_empty()).count();
    plan(snapshot, now, lists.iter().map(|list| &**list), count, rng)
}
