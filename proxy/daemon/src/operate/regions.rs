//! `bascule regions`.

use super::args::RegionsArgs;
use super::http::{ask, line, read, watched};
use super::report::{clear, print, table};
use super::{Ended, Failure};
use bascule::api::shapes::{Edge, Region, Regions};
use hyper::Method;

pub(super) async fn run(args: &RegionsArgs) -> Result<Ended, Failure> {
    watched(args.watch, async || {
        let body = ask(&args.at, Method::GET, "/v1/regions").await?;
        let regions: Regions = read(&body)?;
        if args.at.json {
            print(&line("regions", &regions));
        } else {
            if args.watch {
                clear();
            }
            show(&regions);
        }
        Ok(Ended::Done)
    })
    .await
}

fn show(Regions { generation, regions }: &Regions) {
    let head =
        ["region", "state", "since", "calls", "hunting", "moving", "last switch", "evidence", "operators"];
    let rows = regions.iter().map(|region| {
        [
            region.region.clone(),
            region.state.clone(),
            region.since.clone(),
            region.answered.to_string(),
            region.hunting.to_string(),
            region.moving.to_string(),
            region.reason.clone().unwrap_or_else(|| "never".to_owned()),
            evidence(region),
            operators(region),
        ]
    });
    table(&head, rows);
    print(&format!("generation {generation}"));
}

/// What speaks for its state: how many edges are up, what is wrong with the others, when it was last silent.
fn evidence(region: &Region) -> String {
    let up = region.edges.iter().filter(|edge| edge.state == "up").count();
    let mut said = vec![format!("{up} of {} edges up", region.edges.len())];
    said.extend(region.edges.iter().filter_map(trouble));
    if let Some(since) = &region.silent_since {
        said.push(format!("silent since {since}"));
    }
    said.join("; ")
}

fn trouble(edge: &Edge) -> Option<String> {
    let reason = edge.reason.as_deref().unwrap_or("unknown");
    let missed = if edge.missed > 0 { format!(", {} probes missed", edge.missed) } else { String::new() };
    let held = edge.held_until.as_ref().map(|until| format!(", held until {until}")).unwrap_or_default();
    if edge.state != "up" {
        return Some(format!("{} {} by {reason}{missed}{held}", edge.edge, edge.state));
    }
    (edge.failures > 0).then(|| format!("{} at {} of {}{missed}", edge.edge, edge.failures, edge.fall))
}

fn operators(region: &Region) -> String {
    let mut said = Vec::new();
    if region.drained {
        said.push("drained".to_owned());
    } else {
        said.extend(region.edges.iter().filter(|e| e.drained).map(|e| format!("{} drained", e.edge)));
    }
    if let Some(share) = region.drill {
        said.push(format!("drill of {share}%"));
    }
    if said.is_empty() { "-".to_owned() } else { said.join("; ") }
}
