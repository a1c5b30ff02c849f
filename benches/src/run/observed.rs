//! What it costs to be seen: CPU per call with records to a file and to a receiver, signalling kept and sent to a collector, and metrics
//! scraped each second, all together and each alone, beside the same build with none of that.

use super::Options;
use super::calls::{load, tally};
use crate::device::bascule::{MediaMode, Region, Wishes, recipe};
use crate::device::{Recipe, UAS, at};
use crate::load::receiver::{Collector, Receiver, Scraper, page, value};
use crate::report::{median, ratio, result, round};
use serde_json::{Value, json};
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

const ADMIN: SocketAddr = at(10, 9_090);
const COLLECTOR: SocketAddr = at(20, 9_060);
pub(super) const RECEIVER: SocketAddr = at(20, 8_080);

/// Calls a second: a quiet and a busy hour, as [`super::calls`] has them.
const RATES: [f64; 2] = [1_000.0, 3_000.0];

/// Seconds of the busy hour before anything is measured: what is kept of signalling has its 64 MiB by then, and memory that is used again is what a service
/// works with.
const WARM: f64 = 3.0;

/// What is on. The admin listener is there for every device, so that its counters can be read at the end.
#[derive(Debug, Clone, Copy)]
struct Seen {
    name: &'static str,
    file: bool,
    delivery: bool,
    trace: bool,
    hep: Option<&'static str>,
    scraped: bool,
}

const NONE: Seen =
    Seen { name: "bascule", file: false, delivery: false, trace: false, hep: None, scraped: false };

const ALL: Seen = Seen {
    name: "bascule-observed",
    file: true,
    delivery: true,
    trace: true,
    hep: Some("udp"),
    scraped: true,
};

/// Everything, and each alone.
const DEVICES: [Seen; 8] = [
    NONE,
    ALL,
    Seen { name: "observed-hep-tcp", hep: Some("tcp"), ..ALL },
    Seen { name: "file", file: true, ..NONE },
    Seen { name: "delivery", delivery: true, ..NONE },
    Seen { name: "trace", trace: true, ..NONE },
    Seen { name: "hep", hep: Some("udp"), ..NONE },
    Seen { name: "metrics", scraped: true, ..NONE },
];

#[derive(Default)]
struct Measures {
    /// CPU seconds of 1,000 calls, by rate.
    cpu: [Vec<f64>; 2],
    failed: u64,
    retransmissions: u64,
    /// What was told of how many calls.
    calls: u64,
    hep_packets: u64,
    records: usize,
    missed: f64,
    dropped: f64,
}

/// Run the bench.
///
/// # Errors
///
/// When the device does not start or something cannot be bound.
pub fn run(options: &Options) -> io::Result<Value> {
    let folder = crate::device::scratch()?;
    // Nothing is compared without the first.
    let wanted = DEVICES.into_iter().filter(|seen| seen.name == NONE.name || options.wants(seen.name));
    let devices: Vec<_> = wanted.map(|seen| (seen, device(seen.name, &seen.wishes(&folder)))).collect();
    let (rounds, seconds) = if options.quick { (1, 3.0) } else { (3, 5.0) };
    let mut measures: Vec<Measures> = devices.iter().map(|_| Measures::default()).collect();
    for round in 1..=rounds {
        for ((seen, recipe), measures) in devices.iter().zip(&mut measures) {
            eprintln!("observed: {}, round {round} of {rounds}", recipe.name);
            measure(recipe, *seen, seconds, measures)?;
        }
    }
    let cpu = |of: &Measures, rate: usize| of.cpu.get(rate).cloned().map(median).unwrap_or_default();
    let mut ratios = json!({});
    for ((seen, _), measured) in devices.iter().zip(&measures).skip(1) {
        for (rate, words) in [(1, "cpu"), (0, "cpu_light")] {
            ratios[format!("{words}_{}_vs_plain", seen.name)] =
                ratio(cpu(measured, rate), cpu(&measures[0], rate));
        }
    }
    let devices = devices.iter().zip(&measures).map(|((_, recipe), m)| m.json(recipe)).collect();
    Ok(result("observed", options.quick, devices, ratios))
}

pub(super) fn device(name: &str, wishes: &Wishes) -> Recipe {
    recipe(name, MediaMode::Bypass, &[Region { name: "north", edge: UAS, via: None }], wishes)
}

impl Seen {
    fn wishes(self, folder: &Path) -> Wishes {
        let mut more = format!("[admin]\nlisten = \"{ADMIN}\"\n");
        if self.delivery {
            let spool = folder.join(format!("spool-{}", self.name));
            more.push_str(&format!("[records.delivery]\nurl = \"http://{RECEIVER}/\"\nspool = {spool:?}\n"));
        }
        if self.trace {
            more.push_str("[trace]\n");
        }
        if let Some(transport) = self.hep {
            more.push_str(&format!("[hep]\nto = \"{COLLECTOR}\"\ntransport = \"{transport}\"\n"));
        }
        let records = self.file.then(|| folder.join(format!("{}.jsonl", self.name)));
        Wishes { records, more, ..Wishes::default() }
    }
}

fn measure(recipe: &Recipe, seen: Seen, seconds: f64, into: &mut Measures) -> io::Result<()> {
    let receiver = seen.delivery.then(|| Receiver::at(RECEIVER)).transpose()?;
    let collector = seen.hep.map(|_| Collector::at(COLLECTOR)).transpose()?;
    let device = recipe.start()?;
    let scraper = seen.scraped.then(|| Scraper::of(ADMIN));
    let mut calls = tally(&load(RATES[1], WARM)?).placed;
    for (rate, cpu) in RATES.into_iter().zip(&mut into.cpu) {
        let before = device.process.cpu_seconds();
        let engine = load(rate, seconds)?;
        let tally = tally(&engine);
        cpu.push((device.process.cpu_seconds() - before) * 1_000.0 / tally.placed as f64);
        calls += tally.placed;
        into.failed += tally.failed;
        into.retransmissions += engine.retransmissions();
        eprintln!(
            "  {rate} calls/s: {:.3} CPU-s per 1,000 calls, {} failed",
            cpu.last().unwrap_or(&0.0),
            tally.failed
        );
    }
    drop(scraper);
    // What is told a tenth of a second later has been told by now.
    std::thread::sleep(Duration::from_millis(500));
    let page = page(ADMIN)?;
    into.calls += calls;
    into.hep_packets += collector.map_or(0, |collector| collector.taken());
    into.records += receiver.map_or(0, |receiver| receiver.taken().0);
    into.missed += value(&page, "bascule_observe_missed_total");
    into.dropped += value(&page, "bascule_hep_packets_total{outcome=\"dropped\"}");
    Ok(())
}

impl Measures {
    fn json(&self, recipe: &Recipe) -> Value {
        let all = |v: &[f64]| v.iter().map(|x| round(*x, 4)).collect::<Vec<_>>();
        let [light, busy] = &self.cpu;
        let mut device = json!({
            "name": recipe.name,
            "cpu_s_per_1k_calls": round(median(busy.clone()), 4),
            "cpu_s_per_1k_calls_all": all(busy),
            "cpu_measured_at_calls_per_s": RATES[1],
            "cpu_s_per_1k_calls_light": round(median(light.clone()), 4),
            "cpu_s_per_1k_calls_light_all": all(light),
            "light_at_calls_per_s": RATES[0],
            "failed": self.failed,
            "retransmissions": self.retransmissions,
        });
        device["calls"] = json!(self.calls);
        device["hep_packets_collected"] = json!(self.hep_packets);
        device["records_received"] = json!(self.records);
        device["observe_missed"] = json!(self.missed);
        device["hep_dropped"] = json!(self.dropped);
        device
    }
}
