//! Calls per second, CPU per call, post-dial delay and memory per held call: ours beside Kamailio's.

use super::{Ends, Options};
use crate::device::bascule::{self, MediaMode};
use crate::device::{DEVICE, Recipe, UAC, UAS, kamailio};
use crate::load::Engine;
use crate::load::clock::MS;
use crate::load::pace::Pace;
use crate::load::tally::UacTally;
use crate::load::uac::Uac;
use crate::report::{median, ratio, result, round};
use serde_json::{Value, json};
use std::io;
use std::time::Duration;

/// Calls held for the measure of memory.
const HELD: u64 = 20_000;

/// A device and how it is loaded.
struct Plan {
    recipe: Recipe,
    /// Calls/s of a quiet hour, at which delay and CPU are measured: waking up costs more than working.
    light: f64,
    /// Calls/s of a busy hour, near what the plain peer can do on one core, at which CPU is measured.
    fixed: f64,
    /// The first step of the search.
    first: f64,
    /// Measure memory in a quick run too.
    held_if_quick: bool,
}

#[derive(Default)]
struct Measures {
    calls_per_s: Vec<f64>,
    limited_by_load: bool,
    cpu_s_per_1k_calls: Vec<f64>,
    cpu_light: Vec<f64>,
    pdd_p50: Vec<f64>,
    pdd_p99: Vec<f64>,
    failed: u64,
    retransmissions: u64,
    kib_per_held_call: Vec<f64>,
}

/// Run the bench.
///
/// # Errors
///
/// When a device does not start or the generator cannot bind.
pub fn run(options: &Options) -> io::Result<Value> {
    let plan =
        |recipe, light, fixed, first, held_if_quick| Plan { recipe, light, fixed, first, held_if_quick };
    let mut plans = vec![
        plan(bascule::single("bascule", MediaMode::Bypass), 1_000.0, 3_000.0, 3_500.0, true),
        plan(kamailio::plain(1), 1_000.0, 3_000.0, 1_500.0, false),
        plan(kamailio::hiding(1), 300.0, 300.0, 400.0, false),
    ];
    if !options.quick {
        plans.push(plan(bascule::single("bascule-relay", MediaMode::Relay), 1_000.0, 1_500.0, 2_000.0, true));
        plans.push(plan(two_children(), 1_000.0, 3_000.0, 1_500.0, false));
    }
    if let Some(program) = &options.before {
        let older = bascule::older("bascule-before", program, MediaMode::Bypass);
        // Next to the one that it is compared with, so that both see the same spell of the machine.
        plans.insert(1, plan(older, 1_000.0, 3_000.0, 3_500.0, true));
    }
    plans.retain(|p| options.wants(&p.recipe.name));
    let rounds = if options.quick { 1 } else { 3 };
    let mut measures: Vec<Measures> = plans.iter().map(|_| Measures::default()).collect();
    // Devices take turns, so that a slow spell of the machine does not fall on one of them.
    for round in 1..=rounds {
        for (plan, measures) in plans.iter().zip(&mut measures) {
            eprintln!("calls: {}, round {round} of {rounds}", plan.recipe.name);
            measure(plan, options, measures)?;
        }
    }
    let devices: Vec<Value> = plans.iter().zip(&measures).map(|(p, m)| m.json(p)).collect();
    let ratios = ratios(&devices);
    Ok(result("calls", options.quick, devices, ratios))
}

fn two_children() -> Recipe {
    let mut recipe = kamailio::plain(2);
    recipe.name.push_str("-2-children");
    recipe
}

fn measure(plan: &Plan, options: &Options, into: &mut Measures) -> io::Result<()> {
    at_fixed_rates(plan, options, into)?;
    let rate = search(plan, options, into)?;
    into.calls_per_s.push(rate);
    if !options.quick || plan.held_if_quick {
        into.kib_per_held_call.push(held(plan)?);
    }
    Ok(())
}

fn ends(hold: Option<u64>) -> Ends {
    Ends { uac: UAC, uas: Some(UAS), device: DEVICE, hold, media_every: 0, trace: false }
}

/// Calls that are up for a second each, at one rate; the generator with its counts.
pub(super) fn load(cps: f64, seconds: f64) -> io::Result<Engine> {
    let mut engine = ends(Some(1_000 * MS)).engine()?;
    begin(&mut engine, Pace::Rate { cps, seconds });
    engine.run_until(|e| e.uac.as_ref().is_none_or(|u| !u.is_placing()));
    engine.drain(Duration::from_secs(4));
    Ok(engine)
}

fn begin(engine: &mut Engine, pace: Pace) {
    let now = engine.clock.now();
    if let Some(uac) = &mut engine.uac {
        uac.begin(now, pace);
    }
}

pub(super) fn tally(engine: &Engine) -> &UacTally {
    &engine.uac.as_ref().expect("a bench of calls has a caller").tally
}

fn at_fixed_rates(plan: &Plan, options: &Options, into: &mut Measures) -> io::Result<()> {
    let device = plan.recipe.start()?;
    load(plan.light / 2.0, 0.5)?;
    for rate in [plan.light, plan.fixed] {
        let before = device.process.cpu_seconds();
        let engine = load(rate, if options.quick { 3.0 } else { 8.0 })?;
        let tally = tally(&engine);
        let cpu = (device.process.cpu_seconds() - before) * 1_000.0 / tally.placed as f64;
        if rate == plan.light {
            into.cpu_light.push(cpu);
            into.pdd_p50.push(tally.pdd.at(50.0) as f64);
            into.pdd_p99.push(tally.pdd.at(99.0) as f64);
        }
        if rate == plan.fixed {
            into.cpu_s_per_1k_calls.push(cpu);
        }
        into.failed += tally.failed;
        into.retransmissions += engine.retransmissions();
        eprintln!(
            "  {rate} calls/s: {cpu:.3} CPU-s per 1,000 calls, {} failed, {} retransmissions",
            tally.failed,
            engine.retransmissions(),
        );
        if plan.light == plan.fixed {
            break;
        }
    }
    Ok(())
}

/// The highest rate without a failed call or a retransmission.
fn search(plan: &Plan, options: &Options, into: &mut Measures) -> io::Result<f64> {
    let (step, factor) = if options.quick { (0.7, 1.18) } else { (1.0, 1.12) };
    let mut first = plan.first;
    let mut rate = loop {
        let pace = Pace::Ramp { first, factor, step, top: 40_000.0 };
        match climb(plan, pace, step)? {
            Climb::Above { rate, limited } => {
                into.limited_by_load |= limited;
                break rate;
            }
            Climb::AtOnce if first > 50.0 => first /= 2.0,
            Climb::AtOnce => return Ok(0.0),
        }
    };
    // The staircase hurries; the rate must hold on its own.
    let (seconds, lower) = if options.quick { (2.0, 0.9) } else { (10.0, 0.95) };
    loop {
        let device = plan.recipe.start()?;
        load(rate / 4.0, 0.3)?;
        let engine = load(rate, seconds)?;
        drop(device);
        let clean = tally(&engine).failed == 0 && engine.retransmissions() == 0;
        eprintln!(
            "  {rate:.0} calls/s for {seconds} s: {} failed, {} retransmissions",
            tally(&engine).failed,
            engine.retransmissions(),
        );
        if clean || rate < 50.0 {
            return Ok(rate.floor());
        }
        rate *= lower;
    }
}

enum Climb {
    /// The last clean step, and whether the generator was what ended the climb.
    Above { rate: f64, limited: bool },
    /// Not even the first step was clean.
    AtOnce,
}

fn climb(plan: &Plan, pace: Pace, step: f64) -> io::Result<Climb> {
    let device = plan.recipe.start()?;
    let mut engine = ends(Some(1_000 * MS)).engine()?;
    let began = engine.clock.now();
    begin(&mut engine, pace.clone());
    let is_behind = |e: &Engine| {
        let tally = tally(e);
        // A twentieth of a second behind: the generator has no time left.
        tally.steps.last().is_some_and(|s| tally.behind as f64 > (s.rate / 20.0).max(100.0))
    };
    let is_over = |e: &Engine| {
        let placing = e.uac.as_ref().is_some_and(Uac::is_placing);
        !placing || tally(e).failed > 0 || e.retransmissions() > 0 || is_behind(e)
    };
    engine.run_until(is_over);
    let limited = is_behind(&engine) && engine.retransmissions() == 0;
    // What is sent again now was lost half a second ago (T1).
    let lost = (engine.clock.now() - began).saturating_sub(500 * MS) as f64 / 1e9;
    drop(device);
    let bad = (lost / step) as usize;
    eprintln!("  climbed to {:.0} calls/s", pace.rate(bad));
    match bad.checked_sub(1) {
        Some(last) => Ok(Climb::Above { rate: pace.rate(last), limited }),
        None => Ok(Climb::AtOnce),
    }
}

/// KiB per call beyond start-up, when the last of many calls has just come up.
fn held(plan: &Plan) -> io::Result<f64> {
    let device = plan.recipe.start()?;
    // What a process allocates at its first steps is start-up, not calls.
    std::thread::sleep(Duration::from_millis(500));
    let before = device.process.pss_kib();
    let mut engine = ends(None).engine()?;
    begin(&mut engine, Pace::Calls { cps: plan.light * 3.0, calls: HELD });
    engine.run_until(|e| e.uac.as_ref().is_none_or(|u| !u.is_placing()));
    engine.run_for(Duration::from_millis(800));
    let up = engine.uac.as_ref().map_or(0, Uac::up);
    let after = device.process.pss_kib();
    let each = after.saturating_sub(before) as f64 / up.max(1) as f64;
    eprintln!("  {up} calls held: {each:.2} KiB each beyond {before} KiB");
    // A call or two may be lost on a noisy machine; the figure is per call that is up.
    if up < HELD - HELD / 100 {
        return Err(io::Error::other(format!("{} held only {up} of {HELD} calls", plan.recipe.name)));
    }
    Ok(each)
}

impl Measures {
    fn json(&self, plan: &Plan) -> Value {
        let spread = |v: &[f64], digits| v.iter().map(|x| round(*x, digits)).collect::<Vec<_>>();
        json!({
            "name": plan.recipe.name,
            "note": plan.recipe.note,
            "calls_per_s": median(self.calls_per_s.clone()),
            "calls_per_s_all": self.calls_per_s,
            "limited_by_generator": self.limited_by_load,
            "cpu_s_per_1k_calls": round(median(self.cpu_s_per_1k_calls.clone()), 4),
            "cpu_s_per_1k_calls_all": spread(&self.cpu_s_per_1k_calls, 4),
            "cpu_measured_at_calls_per_s": plan.fixed,
            "cpu_s_per_1k_calls_light": round(median(self.cpu_light.clone()), 4),
            "light_at_calls_per_s": plan.light,
            "pdd_us": { "p50": median(self.pdd_p50.clone()), "p99": median(self.pdd_p99.clone()) },
            "failed": self.failed,
            "retransmissions": self.retransmissions,
            "kib_per_held_call": if self.kib_per_held_call.is_empty() {
                Value::Null
            } else {
                json!(round(median(self.kib_per_held_call.clone()), 2))
            },
        })
    }
}

fn ratios(devices: &[Value]) -> Value {
    let of = |name: &str, key: &str| {
        let device = devices.iter().find(|d| d["name"] == name);
        device.and_then(|d| d[key].as_f64()).unwrap_or(0.0)
    };
    // Beside the better of the two tunings of the plain proxy.
    let best_rate = of("kamailio", "calls_per_s").max(of("kamailio-2-children", "calls_per_s"));
    let best_cpu = [of("kamailio", "cpu_s_per_1k_calls"), of("kamailio-2-children", "cpu_s_per_1k_calls")]
        .into_iter()
        .filter(|x| *x > 0.0)
        .fold(f64::INFINITY, f64::min);
    let mut ratios = json!({
        "calls_per_s_vs_kamailio": ratio(of("bascule", "calls_per_s"), best_rate),
        "cpu_vs_kamailio": ratio(of("bascule", "cpu_s_per_1k_calls"), best_cpu),
        "cpu_light_vs_kamailio": ratio(of("bascule", "cpu_s_per_1k_calls_light"), of("kamailio", "cpu_s_per_1k_calls_light")),
        "calls_per_s_vs_kamailio_hiding": ratio(of("bascule", "calls_per_s"), of("kamailio-hiding", "calls_per_s")),
        "cpu_vs_kamailio_hiding": ratio(of("bascule", "cpu_s_per_1k_calls"), of("kamailio-hiding", "cpu_s_per_1k_calls")),
    });
    if of("bascule-before", "cpu_s_per_1k_calls") > 0.0 {
        for (name, key) in [
            ("calls_per_s_vs_before", "calls_per_s"),
            ("cpu_vs_before", "cpu_s_per_1k_calls"),
            ("cpu_light_vs_before", "cpu_s_per_1k_calls_light"),
        ] {
            ratios[name] = ratio(of("bascule", key), of("bascule-before", key));
        }
    }
    ratios
}
