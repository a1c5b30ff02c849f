//! How long the device takes to see that a region is frozen: with flows there, and with nothing there at all.

use super::carrier::Carrier;
use super::scene::{NORTH, SOUTH, Scene};
use super::{Fault, log};
use crate::judge::{judge, percentiles};
use crate::run::Options;
use serde_json::{Value, json};
use std::fs;
use std::io;
use std::time::Duration;

/// Flows in the region: a little above what the promise begins with.
const FLOWS: u32 = 60;
/// Until flows are known as regular.
const SETTLE: u64 = 1_500;
/// The region may take so long to be seen down.
const AT_MOST: Duration = Duration::from_secs(3);

/// Freeze a region again and again, everything started anew each time.
pub(super) fn run(options: &Options) -> io::Result<Value> {
    let rounds = if options.quick { 5 } else { 20 };
    let of = |flows| {
        eprintln!("failover: detection with {flows} flows, {rounds} times");
        let times: io::Result<Vec<_>> = (0..rounds).map(|round| once(flows, round)).collect();
        let (seen, missed): (Vec<_>, Vec<_>) = times?.into_iter().partition(Option::is_some);
        let ms: Vec<f64> = seen.into_iter().flatten().collect();
        io::Result::Ok(json!({
            "flows": flows, "rounds": rounds, "missed": missed.len(), "down_after_ms": percentiles(ms),
        }))
    };
    Ok(json!({ "with_flows": of(FLOWS)?, "idle": of(0)? }))
}

/// Milliseconds from the region's last packet, or from the fault, to *down*.
fn once(flows: u32, round: u64) -> io::Result<Option<f64>> {
    let mut scene = Scene::new(Fault::Frozen)?;
    let mut carrier = Carrier::new()?;
    carrier.run_for(Duration::from_millis(500));
    if flows > 0 {
        carrier.ramp(flows)?;
    }
    // Every round at another place between two probes: 37 goes through 200 in no hurry.
    carrier.run_for(Duration::from_millis(SETTLE + round * 37 % 200));
    let struck = carrier.clock.now();
    scene.strike(Fault::Frozen)?;
    let mut looked = 0;
    carrier.run(AT_MOST, |c| {
        // Not too often: reading takes time from those who speak.
        looked += 1;
        looked % 50 == 0
            && fs::read_to_string(&scene.device.log)
                .is_ok_and(|log| log::said_down(&log, c.time_of_day(struck as f64 / 1e3)).is_some())
    });
    let last = carrier.heard().iter().filter_map(|call| judge(call, NORTH, SOUTH).last).max();
    let since = carrier.time_of_day(last.map_or(struck as f64 / 1e3, f64::from));
    let down = log::said_down(&fs::read_to_string(&scene.device.log)?, since);
    scene.mend(Fault::Frozen)?;
    let now = carrier.clock.now();
    carrier.held.hang_up(now);
    carrier.run(Duration::from_secs(2), |c| c.held.live() == 0);
    Ok(down.map(|s| s * 1e3))
}
