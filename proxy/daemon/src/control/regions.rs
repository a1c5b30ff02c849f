//! `bascule regions`: every region in one line.

use super::desk::Desk;
use crate::api::shapes::{Edge, Region};
use crate::clock::Clock;
use crate::health::{region_state, state};
use crate::records::receipt::millis;
use proxy_core::{EdgeView, RegionCalls, RegionId, RegionView, Snapshot, SwitchReason, TargetId};

pub(super) async fn table(desk: &Desk) -> (u64, Vec<Region>) {
    let (views, reports) = (desk.regions().await, desk.reports().await);
    let calls = |index: usize| {
        let counted = reports.iter().filter_map(|report| report.regions.get(index));
        counted.fold(RegionCalls::default(), |sum, calls| RegionCalls {
            hunting: sum.hunting + calls.hunting,
            answered: sum.answered + calls.answered,
            moving: sum.moving + calls.moving,
        })
    };
    let clock = desk.clock();
    let regions = views.iter().enumerate().map(|(i, view)| region(&clock, view, calls(i))).collect();
    (desk.snapshot().generation, regions)
}

fn region(clock: &Clock, view: &RegionView, calls: RegionCalls) -> Region {
    let RegionView { name, health, silence, drained, drill, edges } = view;
    Region {
        region: name.clone(),
        state: region_state(health.state).to_owned(),
        since: clock.rfc3339(health.since),
        reason: health.reason.map(word),
        suspected: (!health.suspected.is_never()).then(|| clock.rfc3339(health.suspected)),
        silent_since: silence.map(|at| clock.rfc3339(at)),
        hunting: calls.hunting,
        answered: calls.answered,
        moving: calls.moving,
        drained: *drained,
        drill: drill.map(|drill| drill.share),
        edges: edges.iter().map(|edge| one(clock, edge)).collect(),
    }
}

fn one(clock: &Clock, view: &EdgeView) -> Edge {
    Edge {
        edge: view.name.clone(),
        state: state(view.health.state).to_owned(),
        since: clock.rfc3339(view.health.since),
        reason: view.reason.map(word),
        weight: view.weight,
        drained: view.drained,
        probes: view.probes,
        missed: view.missed,
        failures: view.failures,
        fall: view.fall,
        round_trip_ms: view.round_trip.map(millis),
        penalty: (view.penalty * 100.0).round() / 100.0,
        held_until: view.held.map(|until| clock.rfc3339(until)),
    }
}

fn word(reason: SwitchReason) -> String {
    reason.as_str().to_owned()
}

/// The edges of a region.
pub(super) fn edges(snapshot: &Snapshot, region: RegionId) -> impl Iterator<Item = TargetId> + '_ {
    let ids = (0..).map(TargetId).take(snapshot.config.targets.len());
    ids.filter(move |id| snapshot.config.region_of(*id) == Some(region))
}

/// Sites that would have nowhere to go for new and moved calls without these edges.
pub(super) fn stranded(snapshot: &Snapshot, without: impl Fn(TargetId) -> bool) -> Vec<String> {
    let usable = |edge: &TargetId| snapshot.is_usable(*edge) && !without(*edge);
    let of_site = |site: &proxy_core::Site| -> Vec<TargetId> {
        let groups = site.groups.iter().filter_map(|g| snapshot.config.groups.get(g.index()));
        groups.flat_map(|group| group.edges.iter().copied()).collect()
    };
    let sites = snapshot.config.sites.iter().filter(|site| {
        let edges = of_site(site);
        edges.iter().any(|edge| without(*edge)) && !edges.iter().any(usable)
    });
    sites.map(|site| site.name.clone()).collect()
}
