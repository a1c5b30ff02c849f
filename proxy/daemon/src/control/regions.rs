//! `bascule regions`: every region in one line.

use super::desk::Desk;
use super::protocol::{Answer, Region};
use crate::health::region_state;
use crate::report::ShardReport;
use proxy_core::{RegionId, Snapshot, TargetId, TargetState};

pub(super) async fn table(desk: &Desk) -> Answer {
    let reports = desk.reports().await;
    let snapshot = desk.snapshot();
    let ids = (0..).map(RegionId).take(snapshot.config.regions.len());
    let regions = ids.map(|id| line(desk, &snapshot, &reports, id)).collect();
    Answer::Regions { generation: snapshot.generation, regions }
}

fn line(desk: &Desk, snapshot: &Snapshot, reports: &[ShardReport], id: RegionId) -> Region {
    let clock = desk.clock();
    let name = snapshot.config.regions.get(usize::from(id.0)).map(|r| r.name.clone()).unwrap_or_default();
    let calls = || reports.iter().flat_map(|report| &report.regions).filter(|calls| calls.region == id);
    let known = snapshot.region(id);
    let reason = known.and_then(|known| known.reason);
    let since = known.map(|known| clock.rfc3339(known.since)).unwrap_or_default();
    let drill = snapshot.overrides.drill.filter(|drill| drill.region == id);
    Region {
        region: name,
        state: known.map_or("unknown", |known| region_state(known.state)).to_owned(),
        last_switch: reason.map(|_| since.clone()),
        since,
        evidence: evidence(desk, snapshot, id),
        hunting: calls().map(|calls| calls.hunting).sum(),
        answered: calls().map(|calls| calls.answered).sum(),
        reason: reason.map(|reason| reason.as_str().to_owned()),
        drained: snapshot.overrides.drained.contains(&id),
        drained_edges: edges(snapshot, id)
            .filter(|edge| snapshot.overrides.drained_targets.contains(edge))
            .filter_map(|edge| Some(snapshot.config.target(edge)?.name.clone()))
            .collect(),
        drill: drill.map(|drill| drill.share),
    }
}

/// The edges of a region.
pub(super) fn edges(snapshot: &Snapshot, region: RegionId) -> impl Iterator<Item = TargetId> + '_ {
    let ids = (0..).map(TargetId).take(snapshot.config.targets.len());
    ids.filter(move |id| snapshot.config.region_of(*id) == Some(region))
}

/// "3 of 3 edges up", "suspected 40 ms before".
fn evidence(desk: &Desk, snapshot: &Snapshot, id: RegionId) -> String {
    let states: Vec<_> = edges(snapshot, id).map(|edge| snapshot.state(edge)).collect();
    let up = states.iter().filter(|state| **state == TargetState::Up).count();
    let mut said = format!("{up} of {} edges up", states.len());
    if let Some(known) = snapshot.region(id).filter(|known| !known.suspected.is_never()) {
        said.push_str(&format!(", suspected {}", desk.clock().rfc3339(known.suspected)));
    }
    said
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
