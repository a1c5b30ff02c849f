//! Mixed traffic with media, faults and reloads for as long as one likes; then everything stops, and what the device holds has
//! to be what it held before.

mod director;
mod graph;
mod load;
mod sample;
mod setting;
mod tales;
mod verdict;
mod watch;

use crate::device::{DEVICE_CORE, Device, LOAD_CORE};
use crate::machine;
use crate::process;
use crate::report::round;
use director::Told;
use load::Load;
use sample::Sampled;
use serde_json::{Value, json};
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;
use tales::Tales;
use verdict::{Row, Times};
use watch::Watch;

/// Where everybody runs, as the system sees fit.
const CORES: &[usize] = &[DEVICE_CORE, LOAD_CORE];
/// Before the load: what is held then is what has to be held at the end.
const IDLE: Duration = Duration::from_secs(5);
/// After the load's end the last media is on its way for so long.
const HUSH: Duration = Duration::from_millis(200);
/// What lingers has gone after this: transactions after 64 × T1 (32 s), sockets of ports after their rest and a minute (65 s),
/// deadlines of calls that have ended after 128 s; and some seconds to see it.
const LINGER: Duration = Duration::from_secs(150);

/// Shorter loads, in minutes, are hurried.
const HURRIED: f64 = 2.0;

/// How long, and where the picture goes.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Of load.
    pub minutes: f64,
    /// An SVG.
    pub graph: PathBuf,
}

impl Plan {
    fn length(&self) -> Duration {
        Duration::from_secs_f64(self.minutes * 60.0)
    }

    /// Whether it is over soon: then what lingers is to linger for half as long.
    fn is_hurried(&self) -> bool {
        self.minutes < HURRIED
    }
}

/// What came of it.
#[derive(Debug)]
pub struct Soaked {
    /// Everything.
    pub result: Value,
    /// The same for people.
    pub table: String,
    /// Whether everything has returned to where it was, and there was traffic at all.
    pub passed: bool,
}

/// What the load's thread knows when it is over.
struct Driven {
    load: Load,
    times: Times,
    rows: Vec<Row>,
    settled: f64,
}

/// Run it.
///
/// # Errors
///
/// When something does not start, or the device ends.
pub fn run(plan: &Plan) -> io::Result<Soaked> {
    process::pin(CORES)?;
    let device = setting::recipe(plan.is_hurried())?.start_on(CORES)?;
    let watch = Watch::new();
    let length = plan.length();
    let (ready, is_ready) = channel();
    let (go, may_go) = channel();
    let (driven, told, sampled, tales) = std::thread::scope(|scope| {
        let director = scope.spawn(|| director::run(&device, &watch, plan, ready, may_go));
        let sampler = scope.spawn(|| sample::run(&device, &watch));
        let teller = scope.spawn(|| tales::run(&watch).inspect_err(|_| watch.end()));
        let driven = drive(length, &watch, is_ready, go);
        watch.end();
        let broken = || io::Error::other("a thread of the soak has ended");
        let told = director.join().unwrap_or_else(|_| Err(broken()));
        let sampled = sampler.join().unwrap_or_else(|_| Err(broken()));
        let tales = teller.join().unwrap_or_else(|_| Err(broken()));
        // Whoever began to fail says why; the load only sees that somebody is missing.
        let (told, sampled, tales) = (told?, sampled?, tales?);
        driven.map(|driven| (driven, told, sampled, tales))
    })?;
    let samples = watch.samples();
    graph::write(&plan.graph, &samples, &told.events, &driven.times)?;
    Ok(soaked(plan, &device, &driven, &told, &sampled, &tales))
}

/// The load, from its beginning to the moment when everything has gone.
fn drive(length: Duration, watch: &Watch, is_ready: Receiver<()>, go: Sender<()>) -> io::Result<Driven> {
    let lost = || io::Error::other("the regions have not started");
    is_ready.recv().map_err(|_| lost())?;
    let mut load = Load::new()?;
    load.run(IDLE, || watch.is_over());
    let start = watch.last().ok_or_else(|| io::Error::other("the device's metrics cannot be read"))?;
    let began = watch.now();
    go.send(()).map_err(|_| lost())?;
    eprintln!("soak: {:.1} minutes of load", length.as_secs_f64() / 60.0);
    watch.load(true);
    load.begin(length);
    load.run(length, || watch.is_over());
    watch.load(false);
    let ended = watch.now();
    eprintln!("soak: the load has ended; what lingers has {} s to go", LINGER.as_secs());
    load.hush();
    load.run(HUSH, || false);
    load.hang_up();
    let times = Times { began, ended };
    let limits = verdict::limits(&watch.samples(), &start, &times);
    load.run(LINGER, || watch.is_over() || limits.are_kept(&watch.latest(ended)));
    let rows = limits.rows(&watch.samples(), &watch.latest(ended));
    Ok(Driven { load, times, rows, settled: watch.now() - ended })
}

fn soaked(
    plan: &Plan,
    device: &Device,
    driven: &Driven,
    told: &Told,
    sampled: &Sampled,
    tales: &Tales,
) -> Soaked {
    let Driven { load, times, rows, settled } = driven;
    let log = fs::read_to_string(&device.log).unwrap_or_default();
    let refused = log.matches("reload refused").count();
    let traffic = load.is_carried();
    let returned = rows.iter().all(|row| row.returned);
    let passed = returned && traffic && refused == 0 && load.is_unhurt() && tales.are_true();
    let quantities: serde_json::Map<_, _> =
        rows.iter().map(|row| (row.name.to_owned(), row.json())).collect();
    let result = json!({
        "bench": "soak", "minutes": plan.minutes, "machine": machine::machine(), "commit": machine::commit(),
        "date": machine::date(), "optimised": !cfg!(debug_assertions), "passed": passed, "returned": returned,
        "carried": traffic, "unhurt": load.is_unhurt(), "tales_true": tales.are_true(), "quantities": quantities, "load_s": round(times.ended - times.began, 1),
        "settled_after_s": round(*settled, 1), "faults": told.faults, "reloads": told.reloads,
        "reloads_refused": refused, "left_in_the_regions": told.left, "load": load.json(), "tales": tales.json(),
        "samples_missed": sampled.missed,
        "streams": { "asked": sampled.asked, "answered": sampled.answered },
        "graph": plan.graph.display().to_string(),
    });
    Soaked { table: verdict::table(rows, &result), result, passed }
}
