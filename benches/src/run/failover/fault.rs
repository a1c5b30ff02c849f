//! One fault, once: calls come up, the region dies, and every call's line is judged.

use super::carrier::Carrier;
use super::scene::{NORTH, SOUTH, Scene};
use super::{CPS, Fault, fresh, log, order, receipts};
use crate::judge::{Line, judge, percentiles};
use crate::load::clock::Nanos;
use crate::load::pace::Pace;
use crate::report::{median as middle, round};
use crate::run::Options;
use serde_json::{Map, Value, json};
use std::fs;
use std::io;
use std::process::Child;
use std::time::Duration;

/// Between the last call that comes up and the fault: flows have to be known as regular.
const SETTLE: f64 = 2.0;
/// The longest that a drain may take.
const DRAIN: Duration = Duration::from_secs(20);
/// Both ends fall silent so long before the calls end, so that a packet on its way is not taken for a lost one.
const HUSH: Duration = Duration::from_millis(200);
/// After the region is back, what was left there has to end.
const BACK: Duration = Duration::from_secs(6);
/// A carrier of which one packet in a hundred is sent later than this measures the machine and itself.
const LATE_US: u64 = 10_000;
/// A call that has heard nobody for so long, in microseconds, at the end is not kept.
const ALIVE: u32 = 200_000;

/// What was seen when it was over.
struct Seen<'a> {
    carrier: &'a Carrier,
    lines: Vec<Line>,
    struck: Nanos,
    hushed: Nanos,
    sip: u64,
}

/// Run it.
pub(super) fn run(fault: Fault, calls: u32, options: &Options) -> io::Result<Value> {
    let mut scene = Scene::new(fault)?;
    let mut carrier = Carrier::new()?;
    // Probes find both regions up.
    carrier.run_for(Duration::from_millis(700));
    carrier.ramp(calls)?;
    let after = if options.quick { 4.0 } else { 8.0 };
    let now = carrier.clock.now();
    carrier.fresh.begin(now, Pace::Rate { cps: CPS, seconds: SETTLE + after });
    carrier.run_for(Duration::from_secs_f64(SETTLE));

    let (live, received) = (carrier.held.up(), carrier.held.tally.received);
    let cpu = scene.device.process.own_cpu_seconds();
    let struck = carrier.clock.now();
    let strike = scene.strike(fault)?;
    let order = if fault == Fault::Drain { drain(&scene, &mut carrier)? } else { Value::Null };
    carrier.run_for(Duration::from_secs_f64(after));
    let sip = carrier.held.tally.received - received;
    let device_cpu = scene.device.process.own_cpu_seconds() - cpu;
    succeeded(strike)?;
    let seconds = (carrier.clock.now() - struck) as f64 / 1e9;
    let hushed = carrier.clock.now();
    carrier.flows.hush();
    carrier.run_for(HUSH);
    let up: Vec<bool> = (0..calls).map(|slot| carrier.held.is_up(slot)).collect();

    let mended = scene.mend(fault)?;
    carrier.run_for(BACK);
    let now = carrier.clock.now();
    succeeded(mended)?;
    carrier.held.hang_up(now);
    carrier.run(Duration::from_secs(8), |c| c.held.live() == 0 && c.fresh.live() == 0);
    let Scene { device, north, south, records, .. } = &mut scene;
    let said = fs::read_to_string(&device.log)?;
    // Records are complete when the device has ended.
    device.process.end();
    let (north_says, to_north) = north.finish()?;
    let (south_says, to_south) = south.finish()?;
    // What a dead region did not hear nobody has lost; what neither of two living ones heard is lost.
    let mut to_tier = to_south.clone();
    if fault == Fault::Drain {
        to_tier.add_all(&to_north);
    }
    let lost_to_tier = to_tier.missing();
    let between = |(call, first, last): &&(u32, u32, u32)| {
        to_north.has(*call, first.wrapping_sub(1)) && to_south.has(*call, last + 1)
    };
    let lost_in_between = to_tier.holes().iter().filter(between).count();

    let lines = carrier.heard().iter().map(|call| judge(until(call, hushed), NORTH, SOUTH)).collect();
    let seen = Seen { carrier: &carrier, lines, struck, hushed, sip };
    let mut found = seen.found(live, &up);
    found["lost_rtp"] = json!(seen.sum(|l| l.lost) + lost_to_tier);
    found["lost_rtp_to_carrier"] = json!(seen.sum(|l| l.lost));
    found["lost_rtp_to_tier"] = json!(lost_to_tier);
    found["lost_rtp_to_tier_at_the_switch"] = json!(lost_in_between);
    found["heard_in_the_new_region"] = json!(to_south.calls());
    if fault != Fault::Drain {
        let down = log::said_down(&said, carrier.time_of_day(struck as f64 / 1e3)).map(|s| s * 1e3);
        // On a machine that is too busy a living region stands still, too: such a run says little.
        let first = log::said_down(&said, carrier.time_of_day(0.0)).map(|s| s * 1e3);
        found["down_before_the_fault"] = json!(first.is_some_and(|ms| ms < struck as f64 / 1e6));
        found["new_calls_seen"]["region_down_ms"] = json!(down.map(|ms| round(ms, 1)));
        let last = seen.last_heard();
        found["heard_after_the_fault_ms"] = json!(last.map(|ms| round(ms, 1)));
        let after = down.zip(last).map(|(down, last)| round((down - last).max(0.0), 1));
        found["down_after_ms"] = json!(after);
    }
    if fault == Fault::Drain {
        found["order"] = order;
    }
    found["receipts"] = receipts::read(records)?;
    found["calls_left_in_the_old_region"] = north_says["live"].clone();
    found["calls_left_in_the_new_region"] = south_says["live"].clone();
    found["busy"] = json!({
        "device_cores": round(device_cpu / seconds, 2),
        "sent_late_by_us": { "carrier": carrier.flows.late.json(), "old_region": north_says["late_us"],
            "new_region": south_says["late_us"] },
    });
    let limited = carrier.flows.late.at(99.0) > LATE_US;
    found["limited_by_generator"] = json!(limited);
    if limited {
        eprintln!("  the machine is too busy: packets were sent late, and delays say little");
    }
    eprintln!("  kept {} of {live}, down after {} ms", found["live_kept"], found["down_after_ms"]);
    Ok(found)
}

/// Give the order, and go on until it is carried out; what was said of it.
fn drain(scene: &Scene, carrier: &mut Carrier) -> io::Result<Value> {
    let log = scene.admin.with_extension("drain");
    let mut order = order::drain("north", &scene.admin, &log)?;
    let began = carrier.clock.now();
    carrier.run(DRAIN, |_| !matches!(order.try_wait(), Ok(None)));
    let ms = (carrier.clock.now() - began) as f64 / 1e6;
    let status = match order.try_wait()? {
        Some(status) => status,
        None => {
            order.kill()?;
            order.wait()?
        }
    };
    let said = fs::read_to_string(&log)?;
    if !status.success() {
        eprintln!("  bascule drain: {status}: {said}");
    }
    Ok(json!({ "took_ms": round(ms, 1), "exit_status": status.code(), "said": said }))
}

/// What was set going has been done.
fn succeeded(child: Option<Child>) -> io::Result<()> {
    let Some(mut child) = child else { return Ok(()) };
    let status = child.wait()?;
    if status.success() { Ok(()) } else { Err(io::Error::other(format!("the link's filter: {status}"))) }
}

/// What was heard up to a time.
fn until(call: &[crate::load::ear::Heard], at: Nanos) -> &[crate::load::ear::Heard] {
    let at = (at / 1_000) as u32;
    &call[..call.partition_point(|p| p.at <= at)]
}

impl Seen<'_> {
    fn sum(&self, f: impl Fn(&Line) -> u64) -> u64 {
        self.lines.iter().map(f).sum()
    }

    fn found(&self, live: u64, up: &[bool]) -> Value {
        let Self { carrier, lines, struck, hushed, sip } = self;
        let fresh = &carrier.fresh.tally;
        let end = (hushed / 1_000) as u32;
        let kept = carrier.heard().iter().zip(up).filter(|(call, up)| {
            let last = until(call, *hushed).last();
            **up && last.is_some_and(|p| p.origin == SOUTH && end - p.at < ALIVE)
        });
        let ms = |gap: fn(&Line) -> Option<u32>| {
            percentiles(lines.iter().filter_map(gap).map(|us| f64::from(us) / 1e3).collect())
        };
        json!({
            "live_at_kill": live,
            "live_kept": kept.count(),
            "carrier_sip_during_move": sip,
            "carrier_seq_breaks": self.sum(|l| l.sequence_breaks),
            "carrier_ts_breaks": self.sum(|l| l.timestamp_breaks),
            "carrier_ssrc_changes": self.sum(|l| l.ssrc_changes),
            "carrier_ts_drift_ms": percentiles(lines.iter().map(|l| l.drift_ms).collect()),
            "packets_judged": self.sum(|l| l.packets),
            "packets_of_the_device": self.sum(|l| l.filled),
            "packets_of_the_old_region_after_the_new_one": self.sum(|l| l.returned),
            "gap_media_ms": ms(|l| l.gap_media),
            "gap_conversation_ms": ms(|l| l.gap_conversation),
            "new_calls": fresh.placed,
            "new_calls_failed": fresh.failed + carrier.fresh.live(),
            "new_calls_seen": fresh::summary(fresh, *struck),
        })
    }

    /// From the fault to the last packet of the old region, in milliseconds: what was on its way then.
    fn last_heard(&self) -> Option<f64> {
        let last = self.lines.iter().filter_map(|l| l.last).max()?;
        Some((f64::from(last) * 1e3 - self.struck as f64) / 1e6)
    }
}

/// Of several runs, the middle of each number, with every run beside it.
pub(super) fn median(runs: &[Value]) -> Value {
    let Some(first) = runs.first() else { return Value::Null };
    if runs.len() == 1 {
        return first.clone();
    }
    let mut all = combine(runs);
    all["runs"] = json!(runs);
    all
}

fn combine(values: &[Value]) -> Value {
    let Some(first) = values.iter().find(|v| !v.is_null()) else { return Value::Null };
    if let Some(object) = first.as_object() {
        let inner = |key: &String| {
            combine(&values.iter().map(|v| v.get(key).cloned().unwrap_or_default()).collect::<Vec<_>>())
        };
        return Value::Object(object.keys().map(|key| (key.clone(), inner(key))).collect::<Map<_, _>>());
    }
    let numbers: Vec<f64> = values.iter().filter_map(Value::as_f64).collect();
    let whole = values.iter().all(Value::is_u64);
    match (numbers.is_empty(), whole) {
        (true, _) => first.clone(),
        (false, true) => json!(middle(numbers) as u64),
        (false, false) => json!(middle(numbers)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_runs_each_number_is_the_middle_one() {
        let runs = [3, 1, 2].map(|n| json!({ "n": n, "gap": { "p50": f64::from(n) + 0.5 }, "none": null }));
        let all = median(&runs);
        assert_eq!((&all["n"], &all["gap"]["p50"], &all["none"]), (&json!(2), &json!(2.5), &Value::Null));
        assert_eq!(all["runs"].as_array().map(Vec::len), Some(3));
        assert_eq!(median(&runs[..1]), runs[0]);
    }
}
