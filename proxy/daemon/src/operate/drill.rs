//! `bascule drill`.

use super::args::DrillArgs;
use super::drain::millis;
use super::http::escaped;
use super::order::Order;
use super::report::{Counted, print, receipts, summary};
use super::{Ended, Failure};
use bascule::api::shapes::{End, Summary};
use bascule::api::wishes::DrillWish;

pub(super) async fn run(args: &DrillArgs) -> Result<Ended, Failure> {
    let for_ms = millis(args.lasts);
    let order = Order {
        at: &args.at,
        place: format!("/v1/regions/{}", escaped(&args.region)),
        what: "drill",
        counted: Counted::time(args.at.json, for_ms),
        stopping: "restoring what was cut",
    };
    let wish = DrillWish { share: args.share, cut: args.cut, for_ms, abort_if: args.abort_if.clone() };
    let mut kept = Vec::new();
    let Some(end) = order.carry(&wish, |receipt| kept.push(receipt)).await? else {
        return Ok(Ended::Interrupted);
    };
    if !args.at.json {
        receipts(&kept);
        summary(&end);
        closing(&end);
    }
    Ok(ended(&end))
}

fn closing(end: &Summary) {
    match end.found_ms {
        Some(ms) => print(&format!("the detector found the cut after {ms} ms")),
        None => print("the detector has not found the cut: too few calls, or too short a drill"),
    }
    print(&format!("restored; {} calls dropped", end.dropped));
}

fn ended(end: &Summary) -> Ended {
    match end.end {
        End::Stopped => Ended::Interrupted,
        End::Finished if end.progress.failed == 0 && end.dropped == 0 => Ended::Done,
        End::Finished | End::Aborted | End::Incomplete => Ended::NotAllWell,
    }
}
