//! `bascule drain`.

use super::args::DrainArgs;
use super::http::{ask, escaped, read, said};
use super::order::Order;
use super::report::{Counted, print, summary};
use super::{Ended, Failure};
use bascule::api::shapes::{End, Regions, Summary};
use bascule::api::wishes::{DrainWish, UndrainWish};
use hyper::Method;
use std::time::Duration;

pub(super) async fn run(args: &DrainArgs) -> Result<Ended, Failure> {
    let order = Order {
        at: &args.at,
        place: place(args).await?,
        what: if args.back { "undrain" } else { "drain" },
        counted: Counted::moves(args.at.json),
        stopping: "stopping: moves that are under way are finished",
    };
    let (share, number, calls) = (args.share, args.number.clone(), args.calls);
    let deadline_ms = millis(args.deadline);
    let over = if args.back {
        let wish = UndrainWish { move_back: true, share, number, calls, deadline_ms };
        order.carry(&wish, |_| {}).await?
    } else {
        order.carry(&DrainWish { share, number, calls, deadline_ms }, |_| {}).await?
    };
    let Some(end) = over else { return Ok(Ended::Interrupted) };
    if !args.at.json {
        summary(&end);
        closing(args, &end);
    }
    Ok(ended(&end))
}

/// Whether a region or an edge is meant, the service knows.
async fn place(args: &DrainArgs) -> Result<String, Failure> {
    let Regions { regions, .. } = read(&ask(&args.at, Method::GET, "/v1/regions").await?)?;
    let name = &args.place;
    let edges = || regions.iter().flat_map(|region| &region.edges).map(|edge| &edge.edge);
    if regions.iter().any(|region| region.region == *name) {
        return Ok(format!("/v1/regions/{}", escaped(name)));
    }
    if edges().any(|edge| edge == name) {
        return Ok(format!("/v1/edges/{}", escaped(name)));
    }
    let known: Vec<_> = regions.iter().map(|region| &region.region).chain(edges()).cloned().collect();
    let message = format!("no region or edge is named `{name}`");
    Err(said(&args.at, Failure::new(message, format!("known: {}", known.join(", ")))))
}

pub(super) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn closing(args: &DrainArgs, end: &Summary) {
    let place = &end.place;
    print(&match (end.drained, args.back) {
        (true, _) => format!("{place} gets no new calls; `bascule drain {place} --back` opens it again"),
        (false, true) => format!("{place} gets new calls again"),
        (false, false) => format!("{place} gets new calls as before"),
    });
}

fn ended(end: &Summary) -> Ended {
    match end.end {
        End::Stopped => Ended::Interrupted,
        End::Finished if end.progress.failed == 0 => Ended::Done,
        End::Finished | End::Aborted | End::Incomplete => Ended::NotAllWell,
    }
}
