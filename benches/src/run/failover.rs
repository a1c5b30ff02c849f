//! A region dies under load, in three ways; and the configuration is reloaded under load with media.
//!
//! Two regions, an answerer each, as processes of their own. Calls come at a steady rate; the first region is stopped
//! (SIGSTOP), killed, or has its packets dropped. A call that was placed while the first region was dying and is
//! answered was answered by the second: the first cannot answer any more.

use super::{Ends, Options};
use crate::device::bascule::{self, MediaMode, Region};
use crate::device::{DEVICE, LOAD_CORE, UAC, UAS, at, scratch, sibling};
use crate::load::Engine;
use crate::load::clock::{MS, Nanos};
use crate::load::media::Media;
use crate::load::pace::Pace;
use crate::load::tally::Trace;
use crate::netns::{HERE, Namespace, THERE};
use crate::process::Process;
use crate::report::{result, round};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

/// Calls per second.
const CPS: f64 = 50.0;
/// A call whose first ring comes later than this noticed something.
const NOTICED: Nanos = 50 * MS;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Death {
    Stop,
    Kill,
    Drop,
}

impl Death {
    const fn name(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Kill => "kill",
            Self::Drop => "drop",
        }
    }
}

/// Run the bench.
///
/// # Errors
///
/// When something does not start.
pub fn run(options: &Options) -> io::Result<Value> {
    let mut device = json!({ "name": "bascule", "note": "50 calls/s, probes every 200 ms, fall 2" });
    for death in [Death::Stop, Death::Kill, Death::Drop] {
        if options.wants(death.name()) {
            eprintln!("failover: {}", death.name());
            device[death.name()] = region_dies(death, options)?;
        }
    }
    if options.wants("reload") {
        eprintln!("failover: reload");
        device["reload"] = reload(options)?;
    }
    Ok(result("failover", options.quick, vec![device], json!({})))
}

/// An answerer in a process of its own.
fn answerer(name: &str, bind: SocketAddr, inside: Option<&Namespace>) -> io::Result<Process> {
    let mut command = inside.map(Namespace::prefix).unwrap_or_default();
    command.extend([sibling("bascule-load"), "uas".to_owned(), "--uas-bind".to_owned(), bind.to_string()]);
    let mut process = Process::start("bascule-load", &command, LOAD_CORE, &scratch()?.join(name))?;
    if inside.is_none() {
        process.wait_bound(bind)?;
    } else {
        // Its sockets are not in our tables.
        std::thread::sleep(Duration::from_millis(500));
    }
    Ok(process)
}

fn region_dies(death: Death, options: &Options) -> io::Result<Value> {
    let namespace = if death == Death::Drop { Some(Namespace::new()?) } else { None };
    let first = match &namespace {
        Some(_) => Region { name: "north", edge: (THERE, 5080).into(), via: Some((HERE, 5060).into()) },
        None => Region { name: "north", edge: at(3, 5080), via: None },
    };
    let second = Region { name: "south", edge: at(4, 5080), via: None };
    let north = answerer("north", first.edge, namespace.as_ref())?;
    let _south = answerer("south", second.edge, None)?;
    let device = bascule::recipe("bascule-failover", MediaMode::Bypass, &[first, second]).start()?;

    let hold = Some(1_000 * MS);
    let ends = Ends { uac: UAC, uas: None, device: DEVICE, hold, media_every: 0, trace: true };
    let mut engine = ends.engine()?;
    let (before, after) = if options.quick { (3.0, 4.0) } else { (10.0, 10.0) };
    // Probes find both regions up.
    engine.run_for(Duration::from_millis(700));
    place(&mut engine, Pace::Rate { cps: CPS, seconds: before + after });
    engine.run_for(Duration::from_secs_f64(before));
    let (died, died_at) = (engine.clock.now(), time_of_day());
    match (death, &namespace) {
        (Death::Stop, _) => north.signal_tree(Signal::STOP),
        (Death::Kill, _) => north.signal_tree(Signal::KILL),
        (Death::Drop, Some(namespace)) => namespace.cut()?,
        (Death::Drop, None) => {}
    }
    engine.run_for(Duration::from_secs_f64(after));
    engine.drain(Duration::from_secs(10));
    if death == Death::Stop {
        north.signal_tree(Signal::CONT);
    }
    let mut summary = summary(&engine, died);
    // As the device says itself; callers may have been spared before and after.
    let down = said_down(&std::fs::read_to_string(&device.log)?, died_at);
    summary["region_down_ms"] = json!(down.map(|s| round(s * 1e3, 1)));
    Ok(summary)
}

fn place(engine: &mut Engine, pace: Pace) {
    let now = engine.clock.now();
    if let Some(uac) = &mut engine.uac {
        uac.begin(now, pace);
    }
}

/// What became of the calls, by the moment of death.
fn summary(engine: &Engine, died: Nanos) -> Value {
    let Some(uac) = &engine.uac else { return Value::Null };
    let traces: &[Trace] = uac.tally.traces.as_deref().unwrap_or_default();
    let delay = |t: &Trace| t.progress.map(|p| p - t.placed);
    let mut usual: Vec<Nanos> = traces.iter().filter(|t| t.placed < died).filter_map(delay).collect();
    usual.sort_unstable();
    let usual = usual.get(usual.len() / 2).copied().unwrap_or(0);
    // Placed before, and not answered when it happened: those count too.
    let after: Vec<&Trace> = traces.iter().filter(|t| t.answered.is_none_or(|a| a > died)).collect();
    let noticed = |t: &&&Trace| delay(t).is_none_or(|d| d > usual + NOTICED);
    let affected: Vec<&&Trace> = after.iter().filter(noticed).collect();
    let extra = affected.iter().filter_map(|t| delay(t)).map(|d| d.saturating_sub(usual));
    let last = affected.iter().map(|t| t.placed).max();
    json!({
        "calls": traces.len(),
        "failed": uac.tally.failed,
        "failures": uac.tally.failures,
        "placed_after": after.len(),
        "affected": affected.len(),
        "affected_answered_elsewhere": affected.iter().filter(|t| t.answered.is_some()).count(),
        "worst_extra_pdd_ms": round(extra.max().unwrap_or(0) as f64 / MS as f64, 1),
        // As callers see it: until the last call that noticed anything was placed.
        "last_call_affected_ms": last.map_or(0.0, |l| round(l.saturating_sub(died) as f64 / MS as f64, 1)),
    })
}

/// Seconds since midnight, UTC.
fn time_of_day() -> f64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    now.as_secs_f64() % 86_400.0
}

/// From a moment of the day to the first line of a log after it that says that the first region's edge is not usable.
fn said_down(log: &str, since: f64) -> Option<f64> {
    let lines = log.lines().filter(|l| l.contains("target not usable") && l.contains("north"));
    lines.filter_map(logged_at).map(|at| (at - since).rem_euclid(86_400.0)).find(|after| *after < 43_200.0)
}

/// Seconds since midnight of a line that begins as `2026-01-31T12:34:56.789012Z`.
fn logged_at(line: &str) -> Option<f64> {
    let (_, time) = line.split_once('T')?;
    let mut parts = time.split('Z').next()?.split(':').map(str::parse::<f64>);
    let (h, m, s) = (parts.next()?.ok()?, parts.next()?.ok()?, parts.next()?.ok()?);
    Some(h * 3_600.0 + m * 60.0 + s)
}

/// Calls with media that stay up, and short ones that come and go, over several reloads.
fn reload(options: &Options) -> io::Result<Value> {
    const STREAMS: u64 = 100;
    let regions = [
        Region { name: "north", edge: UAS, via: None },
        Region { name: "south", edge: at(4, 5080), via: None },
    ];
    let recipe = bascule::recipe("bascule-reload", MediaMode::Relay, &regions[..1]);
    let _south = answerer("south", regions[1].edge, None)?;
    let device = recipe.start()?;
    let ends = Ends { uac: UAC, uas: Some(UAS), device: DEVICE, hold: None, media_every: 1, trace: false };
    let mut held = ends.engine()?;
    place(&mut held, Pace::Calls { cps: 100.0, calls: STREAMS });
    held.run_for(Duration::from_millis(1_500));
    // Short calls come from another port and carry no media.
    let short = Ends { uac: at(1, 5091), uas: None, hold: Some(500 * MS), media_every: 0, ..ends };
    let mut short = short.engine()?;
    let epoch = held.media.as_mut().map_or(0, Media::next_epoch);
    let (seconds, reloads) = if options.quick { (6.0, 3) } else { (20.0, 10) };
    place(&mut short, Pace::Rate { cps: CPS, seconds });
    let began = held.clock.now();
    let every = (seconds * 1e9) as u64 / (reloads + 1);
    let mut done = 0;
    while held.clock.now() - began < (seconds * 1e9) as u64 {
        for engine in [&mut held, &mut short] {
            engine.run_for(Duration::from_micros(300));
        }
        if (held.clock.now() - began) / every > done && done < reloads {
            done += 1;
            // The second region comes and goes; the first, where the media is, stays.
            let regions = &regions[..if done.is_multiple_of(2) { 1 } else { 2 }];
            std::fs::write(&device.config, bascule::config(MediaMode::Relay, regions))?;
            device.process.signal(Signal::HUP);
        }
    }
    // The last short calls end.
    for _ in 0..3_000 {
        for engine in [&mut held, &mut short] {
            engine.run_for(Duration::from_micros(300));
        }
    }
    held.media.as_mut().map(Media::next_epoch);
    held.run_for(Duration::from_millis(150));
    let counts = held.media.as_ref().map(|m| m.epoch(epoch)).unwrap_or_default();
    let (Some(short), Some(uac), Some(media)) = (&short.uac, &held.uac, &held.media) else {
        return Ok(Value::Null);
    };
    Ok(json!({
        "reloads": done,
        "calls": short.tally.placed,
        "failed": short.tally.failed + uac.tally.failed + short.live(),
        "held_calls": uac.up(),
        "rtp_sent": counts.sent,
        "rtp_lost": counts.sent - counts.received,
        "sequence_breaks": media.breaks,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_moment_that_a_region_was_seen_down_is_read_from_the_log() {
        let log = "2026-01-31T00:00:01.000000Z  WARN health: target not usable target_name=\"north\" to=\"down\"\n\
                   2026-01-31T00:00:02.250000Z  WARN health: target not usable target_name=\"north\" to=\"down\"\n";
        assert_eq!(said_down(log, 2.0), Some(0.25));
        assert_eq!(said_down(log, 3.0), None);
    }
}
