//! What it costs to be seen: CPU per call with records to a file and to a receiver, signalling kept and sent to a collector, and metrics
//! scraped each second, beside the same build with none of that.

use super::Options;
use super::calls::{load, tally};
use crate::device::bascule::{MediaMode, Region, Wishes, recipe};
use crate::device::{Recipe, UAS, at};
use crate::load::receiver::{Collector, Receiver, Scraper, page, value};
use crate::report::{median, ratio, result, round};
use serde_json::{Value, json};
use std::io;
use std::net::SocketAddr;

const ADMIN: SocketAddr = at(10, 9_090);
const COLLECTOR: SocketAddr = at(20, 9_060);
pub(super) const RECEIVER: SocketAddr = at(20, 8_080);

/// Calls a second: a quiet and a busy hour, as [`super::calls`] has them.
const RATES: [f64; 2] = [1_000.0, 3_000.0];

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
    let plain = device("bascule", &Wishes::default());
    let observed = device("bascule-observed", &wishes()?);
    let (rounds, seconds) = if options.quick { (1, 3.0) } else { (4, 7.0) };
    let mut measures = [Measures::default(), Measures::default()];
    for round in 1..=rounds {
        for (recipe, measures) in [&plain, &observed].into_iter().zip(&mut measures) {
            eprintln!("observed: {}, round {round} of {rounds}", recipe.name);
            measure(recipe, recipe.name == observed.name, seconds, measures)?;
        }
    }
    let cpu = |of: &Measures, rate: usize| of.cpu.get(rate).cloned().map(median).unwrap_or_default();
    let ratios = json!({
        "cpu_observed_vs_plain": ratio(cpu(&measures[1], 1), cpu(&measures[0], 1)),
        "cpu_light_observed_vs_plain": ratio(cpu(&measures[1], 0), cpu(&measures[0], 0)),
    });
    let devices = [&plain, &observed].into_iter().zip(&measures).map(|(r, m)| m.json(r)).collect();
    Ok(result("observed", options.quick, devices, ratios))
}

pub(super) fn device(name: &str, wishes: &Wishes) -> Recipe {
    recipe(name, MediaMode::Bypass, &[Region { name: "north", edge: UAS, via: None }], wishes)
}

fn wishes() -> io::Result<Wishes> {
    let folder = crate::device::scratch()?;
    let more = format!(
        "[records.delivery]\nurl = \"http://{RECEIVER}/\"\nspool = {:?}\n[trace]\n[hep]\nto = \"{COLLECTOR}\"\n\
         [admin]\nlisten = \"{ADMIN}\"\n",
        folder.join("spool")
    );
    Ok(Wishes { records: Some(folder.join("calls.jsonl")), more, ..Wishes::default() })
}

fn measure(recipe: &Recipe, observed: bool, seconds: f64, into: &mut Measures) -> io::Result<()> {
    let watchers = if observed { Some((Receiver::at(RECEIVER)?, Collector::at(COLLECTOR)?)) } else { None };
    let device = recipe.start()?;
    let scraper = observed.then(|| Scraper::of(ADMIN));
    let warm = load(RATES[0] / 2.0, 0.5)?;
    let mut calls = tally(&warm).placed;
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
    if let Some((receiver, collector)) = watchers {
        let page = page(ADMIN)?;
        into.calls += calls;
        into.hep_packets += collector.taken();
        into.records += receiver.taken().0;
        into.missed += value(&page, "bascule_observe_missed_total");
        into.dropped += value(&page, "bascule_hep_packets_total{outcome=\"dropped\"}");
    }
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
        if self.calls > 0 {
            device["calls"] = json!(self.calls);
            device["hep_packets_collected"] = json!(self.hep_packets);
            device["records_received"] = json!(self.records);
            device["observe_missed"] = json!(self.missed);
            device["hep_dropped"] = json!(self.dropped);
        }
        device
    }
}
