//! What followers are told of over and over, read once for all of them.

use super::now::{RegionNow, ServiceNow, TrunkNow};
use super::shapes::{LiveCalls, Region};
use crate::control::Desk;
use serde_json::json;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// Nobody is shown what is older.
const AGE: Duration = Duration::from_millis(400);

/// The last that was read.
#[derive(Default)]
pub(crate) struct Board(Mutex<Option<(Instant, Arc<Seen>)>>);

/// One look, as JSON.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) service: String,
    pub(super) trunks: String,
}

impl Board {
    pub(super) async fn now(&self, desk: &Desk) -> Arc<Seen> {
        let mut last = self.0.lock().await;
        if let Some((_, seen)) = last.as_ref().filter(|(at, _)| at.elapsed() < AGE) {
            return Arc::clone(seen);
        }
        let seen = Arc::new(look(desk).await);
        *last = Some((Instant::now(), Arc::clone(&seen)));
        seen
    }
}

async fn look(desk: &Desk) -> Seen {
    let reports = desk.reports().await;
    let (generation, regions) = desk.region_table().await;
    let snapshot = desk.snapshot();
    let calls = reports.iter().fold(LiveCalls::default(), |sum, report| LiveCalls {
        hunting: sum.hunting + report.counts.hunting,
        answered: sum.answered + report.counts.answered,
        closing: sum.closing + report.counts.closing,
    });
    let now = ServiceNow { generation, calls, regions: regions.iter().map(region).collect() };
    let trunk = |(i, trunk): (usize, &proxy_core::Trunk)| TrunkNow {
        trunk: trunk.name.clone(),
        calls: reports.iter().filter_map(|report| report.trunks.get(i)).sum(),
    };
    let trunks: Vec<_> = snapshot.config.trunks.iter().enumerate().map(trunk).collect();
    Seen {
        service: serde_json::to_string(&now).unwrap_or_default(),
        trunks: json!({ "trunks": trunks }).to_string(),
    }
}

fn region(region: &Region) -> RegionNow {
    let Region {
        region: name, state, since, reason, hunting, answered, moving, drained, drill, edges, ..
    } = region;
    RegionNow {
        region: name.clone(),
        state: state.clone(),
        since: since.clone(),
        reason: reason.clone(),
        hunting: *hunting,
        answered: *answered,
        moving: *moving,
        drained: *drained,
        drill: *drill,
        edges_up: edges.iter().filter(|edge| edge.state == "up").count(),
        edges_drained: edges.iter().filter(|edge| edge.drained).count(),
        edges: edges.len(),
    }
}
