//! What can be looked at.

use super::answer::Refusal;
use super::shapes::{
    Change, EdgeGroup, EdgeGroups, Edges, Generation, Generations, InboundRoute, Me, OutboundRoute,
    PlacedEdge, Regions, RouteTrunk, Routes, Site, Sites, Status, Trunk, TrunkTarget, Trunks,
};
use super::{Api, Who};
use crate::clock::Clock;
use crate::health::state;
use crate::limits::GENERATIONS;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use proxy_core::{Config, GroupId, Peer, TargetId};
use std::sync::Arc;

type Here = State<Arc<Api>>;

/// What a scraper gets is the last thing on its connection: it comes again in a quarter of a minute.
const CLOSE: (header::HeaderName, &str) = (header::CONNECTION, "close");

pub(super) async fn healthz(State(api): Here) -> Response {
    let kind = (header::CONTENT_TYPE, "text/plain; charset=utf-8");
    let (status, text) = match api.shown.healthy() {
        Ok(text) => (StatusCode::OK, text),
        Err(text) => (StatusCode::SERVICE_UNAVAILABLE, text),
    };
    (status, [kind, CLOSE], text).into_response()
}

pub(super) async fn metrics(State(api): Here) -> Response {
    let kind = (header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8");
    let shown = Arc::clone(&api.shown);
    // A shard that is busy is waited for: not on the thread that serves the others.
    let text = tokio::task::spawn_blocking(move || shown.metrics()).await.unwrap_or_default();
    ([kind, CLOSE], text).into_response()
}

pub(super) async fn openapi() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], include_str!("openapi.json")).into_response()
}

/// What this program takes as its configuration: the file beside another version may say otherwise.
pub(super) async fn schema() -> Response {
    let text = include_str!("../../../../conf/bascule.schema.json");
    ([(header::CONTENT_TYPE, "application/schema+json")], text).into_response()
}

pub(super) async fn me(Extension(who): Extension<Who>) -> Json<Me> {
    let roles = who.roles.names().into_iter().map(str::to_owned).collect();
    Json(Me { name: who.name, roles })
}

pub(super) async fn status(State(api): Here) -> Json<Status> {
    Json(api.desk.status().await)
}

pub(super) async fn regions(State(api): Here) -> Json<Regions> {
    let (generation, regions) = api.desk.region_table().await;
    Json(Regions { generation, regions })
}

pub(super) async fn edge_groups(State(api): Here) -> Json<EdgeGroups> {
    let snapshot = api.desk.snapshot();
    let config = &snapshot.config;
    let one = |(id, group): (GroupId, &proxy_core::EdgeGroup)| EdgeGroup {
        edge_group: group.name.clone(),
        region: region_of(config, group),
        edges: group.edges.iter().filter_map(|id| config.target(*id)).map(|t| t.name.clone()).collect(),
        usable: group.edges.iter().filter(|id| snapshot.is_usable(**id)).count(),
        sites: config.sites.iter().filter(|s| s.groups.contains(&id)).map(|s| s.name.clone()).collect(),
        sources: group.sources.iter().map(ToString::to_string).collect(),
    };
    let edge_groups = (0..).map(GroupId).zip(&config.groups).map(one).collect();
    Json(EdgeGroups { edge_groups })
}

pub(super) async fn edges(State(api): Here) -> Json<Edges> {
    let (_, regions) = api.desk.region_table().await;
    let snapshot = api.desk.snapshot();
    let config = &snapshot.config;
    let mut edges = Vec::new();
    for region in regions {
        for edge in region.edges {
            // A reload in between may have taken it away.
            let Some(id) = crate::overrides::edge(config, &edge.edge) else { continue };
            let Some((group, target)) = group_of(config, id).zip(config.target(id)) else { continue };
            edges.push(PlacedEdge {
                region: region.region.clone(),
                edge_group: group.name.clone(),
                address: target.peer.remote.to_string(),
                transport: transport(target.peer),
                edge,
            });
        }
    }
    Json(Edges { edges })
}

pub(super) async fn sites(State(api): Here) -> Json<Sites> {
    let snapshot = api.desk.snapshot();
    let config = &snapshot.config;
    let sites = config.sites.iter().map(|site| {
        let groups: Vec<_> = site.groups.iter().filter_map(|id| config.groups.get(id.index())).collect();
        let usable =
            |group: &&proxy_core::EdgeGroup| group.edges.iter().filter(|e| snapshot.is_usable(**e)).count();
        Site {
            site: site.name.clone(),
            usable: groups.iter().map(usable).sum(),
            edge_groups: groups.iter().map(|group| group.name.clone()).collect(),
        }
    });
    Json(Sites { sites: sites.collect() })
}

pub(super) async fn trunks(State(api): Here) -> Json<Trunks> {
    let reports = api.desk.reports().await;
    let snapshot = api.desk.snapshot();
    let clock = api.desk.clock();
    let shards = u32::try_from(api.desk.shards()).unwrap_or(u32::MAX);
    let config = &snapshot.config;
    let target = |id: &TargetId| {
        let (target, health) = config.target(*id).zip(snapshot.health.get(id.index()))?;
        Some(TrunkTarget {
            target: target.name.clone(),
            address: target.peer.remote.to_string(),
            transport: transport(target.peer),
            weight: target.weight,
            state: state(health.state).to_owned(),
            since: clock.rfc3339(health.since),
        })
    };
    let trunks = config.trunks.iter().enumerate().map(|(i, trunk)| Trunk {
        trunk: trunk.name.clone(),
        calls: reports.iter().filter_map(|report| report.trunks.get(i)).sum(),
        max_calls: trunk.max_calls.map(|n| n.saturating_mul(shards)),
        calls_per_second: trunk.calls_per_second.map(|n| n.saturating_mul(shards)),
        sources: trunk.sources.iter().map(ToString::to_string).collect(),
        targets: trunk.targets.iter().filter_map(target).collect(),
    });
    Json(Trunks { trunks: trunks.collect() })
}

pub(super) async fn routes(State(api): Here) -> Json<Routes> {
    let snapshot = api.desk.snapshot();
    let config = &snapshot.config;
    let trunk = |id: proxy_core::TrunkId| config.trunks.get(id.index()).map(|t| t.name.clone());
    let site = |id: proxy_core::SiteId| config.sites.get(id.index()).map(|s| s.name.clone());
    let inbound = config.inbound.iter().map(|route| InboundRoute {
        prefix: route.prefix.clone(),
        trunk: route.trunk.and_then(trunk),
        site: site(route.site).unwrap_or_default(),
    });
    let choice = |choice: &proxy_core::TrunkChoice| RouteTrunk {
        trunk: trunk(choice.trunk).unwrap_or_default(),
        cost: choice.cost,
        weight: choice.weight,
    };
    let outbound = config.outbound.iter().map(|route| OutboundRoute {
        prefix: route.prefix.clone(),
        site: route.site.and_then(site),
        trunks: route.trunks.iter().map(choice).collect(),
    });
    Json(Routes { inbound: inbound.collect(), outbound: outbound.collect() })
}

pub(super) async fn generations(State(api): Here) -> Result<Json<Generations>, Refusal> {
    let clock = api.desk.clock();
    let last = api.desk.history().last(GENERATIONS);
    let generations = last.iter().map(|known| generation(&clock, known)).collect();
    Ok(Json(Generations { generation: api.desk.snapshot().generation, generations }))
}

pub(super) fn generation(clock: &Clock, known: &crate::history::Generation) -> Generation {
    Generation {
        generation: known.generation,
        at: clock.rfc3339(known.at),
        configured: known.configured,
        changes: known.changes.iter().map(change).collect(),
        left_out: known.left_out,
    }
}

fn change(change: &crate::history::Change) -> Change {
    Change {
        of: change.of.to_owned(),
        name: change.name.clone(),
        from: change.from.clone(),
        to: change.to.clone(),
        reason: (!change.reason.is_empty()).then(|| change.reason.to_owned()),
    }
}

fn region_of(config: &Config, group: &proxy_core::EdgeGroup) -> String {
    config.regions.get(usize::from(group.region.0)).map(|region| region.name.clone()).unwrap_or_default()
}

fn group_of(config: &Config, edge: TargetId) -> Option<&proxy_core::EdgeGroup> {
    config.groups.iter().find(|group| group.edges.contains(&edge))
}

fn transport(peer: Peer) -> String {
    peer.transport.as_str().to_ascii_lowercase()
}
