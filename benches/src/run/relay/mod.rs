//! What one core relays: our engines beside rtpengine in user space and beside the kernel's own forwarding.
//!
//! Each row stands in a network namespace of its own between two links, and everything that it does is done on the device's
//! core; packets are made and counted by programs in the kernel on the other one ([`crate::traffic`]). At the end comes the
//! whole daemon beside rtpengine, with calls by SIP on loopback ([`daemon`]).

pub mod daemon;
mod delay;
mod held;
mod region;
pub mod restart;
mod row;
mod speed;
mod turnover;

use super::Options;
use crate::report::{median, ratio, result, round};
use delay::{Delay, delay};
use held::{Held, held};
use region::{FLOWS, Moves, Region, by_command, by_slot};
use relay_core::RelayConfig;
use restart::{Restart, restart};
use row::{DOOR, ROWS, Row, Stand};
use serde_json::{Map, Value, json};
use speed::{Cost, SESSIONS, Speed, cost, middle, speed};
use std::io;
use std::time::Duration;
use turnover::{Turnover, turnover};

/// The row of the kernel engine, of which more is measured.
const XDP: &str = "xdp";
/// Calls that it is given at most: two in three of those that the ports are enough for.
const MOST: usize = 20_000;

/// How long everything is measured.
pub(super) struct Scale {
    rounds: usize,
    /// Until queues are full, under a flood.
    fill: Duration,
    /// One rate of several.
    step: Duration,
    /// What needs a longer look.
    long: Duration,
}

/// What was measured of a row, a value for each round.
#[derive(Default)]
struct Measures {
    speed: Vec<Speed>,
    cost: Vec<Cost>,
    held: Vec<Held>,
    delay: Vec<Delay>,
    turnover: Vec<Turnover>,
    moves: Vec<Moves>,
    region: Vec<Region>,
    restart: Vec<Restart>,
    /// Why it could not be run.
    missing: Option<String>,
}

/// Run the bench.
///
/// # Errors
///
/// If nothing could be measured at all. Rows that could not be run are named in `not_run`.
pub fn run(options: &Options) -> io::Result<Value> {
    let ms = Duration::from_millis;
    let scale = if options.quick {
        Scale { rounds: 1, fill: ms(400), step: ms(400), long: ms(800) }
    } else {
        Scale { rounds: 5, fill: ms(700), step: ms(600), long: ms(1_500) }
    };
    let rows: Vec<&Row> = ROWS.iter().filter(|row| options.wants(row.name)).collect();
    let mut measures: Vec<Measures> = rows.iter().map(|_| Measures::default()).collect();
    for n in 1..=scale.rounds {
        for (row, into) in rows.iter().zip(&mut measures).filter(|(_, m)| m.missing.is_none()) {
            eprintln!("relay: {}, round {n} of {}", row.name, scale.rounds);
            if let Err(why) = measure(row, &scale, into) {
                eprintln!("  not run: {why}");
                into.missing = Some(why.to_string());
            }
        }
    }
    let mut parts: Vec<(&str, Measures)> = Vec::new();
    for name in PARTS.into_iter().filter(|name| options.wants(name)) {
        let mut into = Measures::default();
        for n in 1..=scale.rounds {
            eprintln!("relay: {name}, round {n} of {}", scale.rounds);
            if let Err(why) = part(name, &mut into) {
                eprintln!("  not run: {why}");
                into.missing = Some(why.to_string());
                break;
            }
        }
        parts.push((name, into));
    }
    let door = rows.iter().zip(&measures).find(|(row, _)| row.name == DOOR);
    let door: Vec<Cost> = door.map(|(_, m)| m.cost.clone()).unwrap_or_default();
    let mut devices: Vec<Value> = rows.iter().zip(&measures).map(|(row, m)| m.json(row, &door)).collect();
    for (name, part) in &parts {
        let mut words = Map::new();
        part.more(&mut words);
        match devices.iter_mut().find(|d| d["name"] == XDP).and_then(Value::as_object_mut) {
            Some(row) => row.extend(words),
            None => {
                words.insert("name".to_owned(), json!(name));
                devices.push(Value::Object(words));
            }
        }
    }
    let mut ratios = ratios(&devices);
    let missing = rows.iter().map(|row| row.name).zip(&measures);
    let missing = missing.chain(parts.iter().map(|(name, part)| (*name, part)));
    let mut not_run: Map<String, Value> =
        missing.filter_map(|(name, m)| Some((name.to_owned(), json!(m.missing.as_ref()?)))).collect();
    if options.wants("daemon") {
        match daemon::run(options) {
            Ok(part) => join(&mut devices, &mut ratios, &part),
            Err(why) => {
                eprintln!("  not run: {why}");
                not_run.insert("daemon".to_owned(), json!(why.to_string()));
            }
        }
    }
    let mut result = result("relay", options.quick, devices, Value::Object(ratios));
    result["not_run"] = Value::Object(not_run);
    Ok(result)
}

fn measure(row: &Row, scale: &Scale, into: &mut Measures) -> io::Result<()> {
    let most = if row.name == XDP { MOST } else { SESSIONS };
    let mut stand = Stand::new(row, SESSIONS, most)?;
    if row.name == DOOR {
        // For rows in the kernel and for the others, which are measured at another rate.
        for in_kernel in [true, false] {
            let cost = cost(&stand, row, in_kernel, scale)?;
            eprintln!("  {:.0} ns per packet at {:.0} packets/s", cost.all_ns, cost.rate);
            into.cost.push(cost);
        }
        return Ok(());
    }
    eprintln!("  {} calls are up", stand.calls);
    let cost = cost(&stand, row, row.in_kernel(), scale)?;
    eprintln!(
        "  {:.0} ns per packet, {:.0} of them in its threads, at {:.0} packets/s",
        cost.all_ns, cost.threads_ns, cost.rate
    );
    into.cost.push(cost);
    let delay = delay(&stand, scale)?;
    eprintln!("  delay p50 {:.1} us, p99 {:.1} us, loss {:.5}", delay.p50, delay.p99, delay.loss);
    into.delay.push(delay);
    // Under a flood the kernel polls in turns with everybody else (ksoftirqd).
    stand.site.poll_first(false)?;
    let speed = speed(&stand, scale)?;
    stand.site.poll_first(true)?;
    eprintln!(
        "  {:.0} packets/s of {:.0}, peak {:.0}, overloaded {:.0}",
        speed.saturated, speed.offered, speed.peak, speed.overloaded
    );
    into.speed.push(speed);
    if row.turns_over() {
        let turnover = turnover(&mut stand, scale)?;
        eprintln!("  {:.0} sessions/s, loss {:.5}", turnover.per_second, turnover.loss);
        into.turnover.push(turnover);
        // The ports of the calls that have gone rest.
        std::thread::sleep(RelayConfig::default().rest + scale.long);
    }
    if row.holds_calls() {
        if let Err(why) = stand.fill(row, most) {
            eprintln!("  no more than {SESSIONS} calls: {why}");
            stand.calls = SESSIONS;
        }
        let held = held(&stand, speed.peak, scale)?;
        eprintln!("  holds {} calls", held.calls);
        into.held.push(held);
    }
    if row.name == XDP {
        let moves = by_command(&mut stand)?;
        eprintln!("  {} calls moved in {:.2} ms, {} packets lost", moves.calls, moves.ms, moves.lost);
        into.moves.push(moves);
    }
    Ok(())
}

/// Parts that have no row of their own; what they say goes to the row of the kernel engine.
const PARTS: [&str; 2] = ["region", "restart"];

fn part(name: &str, into: &mut Measures) -> io::Result<()> {
    if name == "region" {
        let region = by_slot()?;
        eprintln!(
            "  {FLOWS} flows switched in {:.1} us, {} packets lost; read in {:.1} us",
            region.switched_us, region.lost, region.counters_us
        );
        into.region.push(region);
    } else {
        let restart = restart()?;
        eprintln!("  killed and started again: {} packets lost of {}", restart.lost, restart.sent);
        into.restart.push(restart);
    }
    Ok(())
}

impl Measures {
    fn json(&self, row: &Row, door: &[Cost]) -> Value {
        let mut out = Map::new();
        let mut say = |key: &str, value: Value| out.insert(key.to_owned(), value);
        say("name", json!(row.name));
        say("note", json!(row.note));
        if let Some(why) = &self.missing {
            say("not_run", json!(why));
        }
        if let (Some(first), true) = (self.cost.first(), row.name != DOOR) {
            let rate = first.rate;
            let fixed = door.iter().filter(|d| (d.rate - rate).abs() < rate * 0.2).map(|d| d.all_ns);
            let fixed = median(fixed.collect());
            let all = middle(&self.cost, |c| c.all_ns);
            say("cpu_ns_per_packet", json!((all - fixed).max(0.0).round()));
            say("cpu_ns_per_packet_with_door", json!(all.round()));
            say("cpu_ns_per_packet_in_threads", json!(middle(&self.cost, |c| c.threads_ns).round()));
            say("cpu_at_packets_per_s", json!(rate.round()));
        } else if !self.cost.is_empty() {
            say("cpu_ns_per_packet_with_door", json!(middle(&self.cost, |c| c.all_ns).round()));
        }
        if !self.speed.is_empty() {
            let of = |f: fn(&Speed) -> f64| middle(&self.speed, f);
            say("sessions_offered", json!(SESSIONS));
            say("saturated_pps", json!(of(|s| s.saturated).round()));
            let all: Vec<f64> = self.speed.iter().map(|s| s.saturated.round()).collect();
            say("saturated_pps_all", json!(all));
            say("offered_pps", json!(of(|s| s.offered).round()));
            say("peak_pps", json!(of(|s| s.peak).round()));
            say("overload_kept", json!(round(of(|s| s.overloaded / s.peak.max(1.0)), 3)));
        }
        if !self.delay.is_empty() {
            let of = |f: fn(&Delay) -> f64| round(middle(&self.delay, f), 2);
            say("added_latency_us", json!({ "p50": of(|d| d.p50), "p99": of(|d| d.p99) }));
        }
        if !self.held.is_empty() {
            say("calls_held", json!(middle(&self.held, |h| h.calls as f64)));
            let all: Vec<usize> = self.held.iter().map(|h| h.calls).collect();
            say("calls_held_all", json!(all));
            say("calls_held_p99_us", json!(middle(&self.held, |h| h.p99_us).round()));
            say("calls_held_loss", json!(round(middle(&self.held, |h| h.loss), 6)));
            say("calls_held_are_all", json!(self.held.iter().any(|h| h.is_all)));
            say("calls_held_limited_by_generator", json!(self.held.iter().any(|h| h.limited_by_generator)));
        }
        self.more(&mut out);
        Value::Object(out)
    }

    /// What only the kernel engine is asked.
    fn more(&self, out: &mut Map<String, Value>) {
        let mut say = |key: &str, value: Value| out.insert(key.to_owned(), value);
        if !self.turnover.is_empty() {
            say("sessions_per_s", json!(middle(&self.turnover, |t| t.per_second).round()));
            say("sessions_loss_of_media", json!(round(middle(&self.turnover, |t| t.loss), 6)));
            say("sessions_refused", json!(middle(&self.turnover, |t| t.refused as f64)));
        }
        if !self.moves.is_empty() {
            say("moved_calls", json!(middle(&self.moves, |m| m.calls as f64)));
            say("moved_one_by_one_ms", json!(round(middle(&self.moves, |m| m.ms), 2)));
            say("moved_lost", json!(middle(&self.moves, |m| m.lost as f64)));
        }
        if !self.region.is_empty() {
            say("switch_10k_flows_us", json!(round(middle(&self.region, |r| r.switched_us), 1)));
            say("switch_10k_flows_lost", json!(middle(&self.region, |r| r.lost as f64)));
            say("counters_10k_flows_us", json!(round(middle(&self.region, |r| r.counters_us), 1)));
        }
        if !self.restart.is_empty() {
            say("restart_lost", json!(self.restart.iter().map(|r| r.lost).max()));
            say("restart_loss_before", json!(round(middle(&self.restart, |r| r.loss_before), 6)));
            say("restart_sent", json!(self.restart.iter().map(|r| r.sent).sum::<u64>()));
        }
    }
}

/// The same where nothing is a figure, too: what costs no more than a closed door.
fn share(a: f64, b: f64) -> Value {
    if b > 0.0 { json!(round(a / b, 3)) } else { Value::Null }
}

/// Engines of ours that pass packets through user space.
const USER_SPACE: [&str; 3] = ["lookup", "uring", "epoll"];

fn ratios(devices: &[Value]) -> Map<String, Value> {
    let of = |name: &str, key: &str| {
        devices.iter().find(|d| d["name"] == name).and_then(|d| d[key].as_f64()).unwrap_or(0.0)
    };
    let best = |key: &str| USER_SPACE.into_iter().map(|name| of(name, key)).fold(0.0, f64::max);
    let best_name = USER_SPACE
        .into_iter()
        .max_by(|a, b| of(a, "saturated_pps").total_cmp(&of(b, "saturated_pps")))
        .unwrap_or_default();
    let delay = |name: &str, p: &str| {
        let device = devices.iter().find(|d| d["name"] == name);
        device.map_or(Value::Null, |d| d["added_latency_us"][p].clone())
    };
    let told = |key: &str| devices.iter().find(|d| d["name"] == XDP).map_or(Value::Null, |d| d[key].clone());
    let (pps, calls) = ("saturated_pps", "calls_held");
    let out = json!({
        "xdp_vs_rtpengine": ratio(of("xdp", pps), of("rtpengine", pps)),
        "user_space_vs_rtpengine": ratio(best(pps), of("rtpengine", pps)),
        "xdp_vs_user_space": ratio(of("xdp", pps), best(pps)),
        // CPU, where less is better: the others are packets.
        "xdp_vs_ip_forwarding": share(of("xdp", "cpu_ns_per_packet"), of("ip_forwarding", "cpu_ns_per_packet")),
        "xdp_vs_ip_forwarding_with_door":
            ratio(of("xdp", "cpu_ns_per_packet_with_door"), of("ip_forwarding", "cpu_ns_per_packet_with_door")),
        "xdp_peak_vs_rtpengine_peak": ratio(of("xdp", "peak_pps"), of("rtpengine", "peak_pps")),
        "user_space_peak_vs_rtpengine_peak": ratio(best("peak_pps"), of("rtpengine", "peak_pps")),
        "calls_vs_rtpengine": ratio(of("xdp", calls), of("rtpengine", calls)),
        "user_space_calls_vs_rtpengine": ratio(best(calls), of("rtpengine", calls)),
        "overload_kept": of(best_name, "overload_kept"),
        "best_user_space": best_name,
        "xdp_added_latency_p99_us": delay("xdp", "p99"),
        "user_space_added_latency_p99_us": delay(best_name, "p99"),
        "switch_10k_flows_us": told("switch_10k_flows_us"),
        "counters_10k_flows_us": told("counters_10k_flows_us"),
        "sessions_per_s": told("sessions_per_s"),
        "restart_lost": told("restart_lost"),
    });
    match out {
        Value::Object(out) => out,
        _ => Map::new(),
    }
}

/// Put the daemon's part beside the rest: what it says of a device goes to the row of that name.
fn join(devices: &mut Vec<Value>, ratios: &mut Map<String, Value>, part: &Value) {
    for device in part["devices"].as_array().into_iter().flatten() {
        let here = devices.iter_mut().find(|d| d["name"] == device["name"]).and_then(Value::as_object_mut);
        match (here, device.as_object()) {
            (Some(row), Some(more)) => {
                for (key, value) in more.iter().filter(|(key, _)| *key != "name" && *key != "note") {
                    row.insert(format!("daemon.{key}"), value.clone());
                }
            }
            _ => devices.push(device.clone()),
        }
    }
    ratios.extend(part["ratios"].as_object().into_iter().flatten().map(|(k, v)| (k.clone(), v.clone())));
}
