//! What befalls the device: its regions are stopped or killed and come back, and its configuration is reloaded.

use super::setting::{BUSY, REGIONS, config};
use super::watch::Watch;
use super::{CORES, Plan};
use crate::device::bascule::Region;
use crate::device::{Device, scratch, sibling};
use crate::process::Process;
use rustix::process::Signal;
use serde_json::{Map, Value, json};
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender};
use std::time::{Duration, Instant};

/// The first fault, the time from one to the next (a third of a short load), and how long a region is away.
const FIRST_FAULT: Duration = Duration::from_secs(8);
const FAULT_EVERY: Duration = Duration::from_secs(20);
const AWAY: Duration = Duration::from_secs(6);
/// A fault is mended so long before the load's end, so that what it has moved is up again.
const MENDED: Duration = Duration::from_secs(5);

/// Reloads: out of step with the faults, so that they meet in every way.
const FIRST_RELOAD: Duration = Duration::from_secs(5);
const RELOAD_EVERY: Duration = Duration::from_secs(7);

/// How often the director looks up.
const LOOK: Duration = Duration::from_millis(20);

/// What is done to a region.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// SIGSTOP, and SIGCONT.
    Frozen,
    /// SIGKILL, and another one in its place.
    Killed,
}

/// In turns: each region in both ways.
const FAULTS: [(Fault, usize); 4] =
    [(Fault::Frozen, 0), (Fault::Killed, 1), (Fault::Frozen, 1), (Fault::Killed, 0)];

/// Something that happened, in seconds since the beginning.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Event {
    Fault { fault: Fault, from: f64, until: f64 },
    Reload { at: f64 },
}

/// All that happened.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) events: Vec<Event>,
    /// Faults by kind.
    pub(super) faults: Map<String, Value>,
    pub(super) reloads: u32,
    /// Calls that nobody has ended in the regions as they are at the end.
    pub(super) left: Map<String, Value>,
}

impl Fault {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Frozen => "frozen",
            Self::Killed => "killed",
        }
    }
}

/// A region's process.
#[derive(Debug)]
struct Place {
    process: Process,
    log: PathBuf,
}

impl Place {
    fn region(number: usize) -> io::Result<Self> {
        let Region { name, edge, .. } = &REGIONS[number];
        let origin = (number + 1).to_string();
        let edge_is = edge.to_string();
        let mut place = Self::start(name, &["region", "--bind", &edge_is, "--origin", &origin])?;
        place.process.wait_bound(*edge)?;
        Ok(place)
    }

    fn start(name: &str, arguments: &[&str]) -> io::Result<Self> {
        let log = scratch()?.join(name);
        let command: Vec<String> =
            [sibling("bascule-load")].into_iter().chain(arguments.iter().map(|a| (*a).to_owned())).collect();
        Ok(Self { process: Process::start("bascule-load", &command, CORES, &log)?, log })
    }

    /// Let it end; calls that nobody has ended there.
    fn finish(&mut self) -> Value {
        self.process.finish();
        let said =
            fs::read_to_string(&self.log).ok().and_then(|text| serde_json::from_str::<Value>(&text).ok());
        said.map_or(Value::Null, |said| said["live"].clone())
    }
}

/// A fault that is not mended yet.
struct Struck {
    fault: Fault,
    region: usize,
    at: Instant,
    from: f64,
}

/// Keep the regions until it is over, and let things happen to them while there is load.
///
/// It has to live as long as they do: the system ends them with the thread that has started them.
pub(super) fn run(
    device: &Device,
    watch: &Watch,
    plan: &Plan,
    ready: Sender<()>,
    may_go: Receiver<()>,
) -> io::Result<Told> {
    let length = plan.length();
    let fault_every = FAULT_EVERY.min(length / 3);
    let mut places = [Place::region(0)?, Place::region(1)?];
    let mut busy = Place::start("busy", &["uas", "--uas-bind", &BUSY.to_string(), "--code", "486"])?;
    busy.process.wait_bound(BUSY)?;
    let mut told = Told::default();
    let (mut faults, mut struck): (u32, Option<Struck>) = (0, None);
    if ready.send(()).is_err() || may_go.recv().is_err() {
        return Ok(told);
    }
    let began = Instant::now();
    while !watch.is_over() {
        std::thread::sleep(LOOK);
        let gone = began.elapsed();
        if gone < length && gone >= FIRST_RELOAD + RELOAD_EVERY * told.reloads {
            told.reloads += 1;
            fs::write(&device.config, config(!told.reloads.is_multiple_of(2), plan.is_hurried())?)?;
            device.process.signal(Signal::HUP);
            told.events.push(Event::Reload { at: watch.now() });
        }
        let due = FIRST_FAULT + fault_every * faults;
        match struck.take() {
            Some(before) if before.at.elapsed() >= AWAY => {
                mend(&before, &mut places)?;
                let Struck { fault, from, .. } = before;
                told.events.push(Event::Fault { fault, from, until: watch.now() });
            }
            Some(before) => struck = Some(before),
            None if gone >= due && due + AWAY + MENDED <= length => {
                let (fault, region) = FAULTS[faults as usize % FAULTS.len()];
                faults += 1;
                let process = &places[region].process;
                process.signal(match fault {
                    Fault::Frozen => Signal::STOP,
                    Fault::Killed => Signal::KILL,
                });
                let count = told.faults.get(fault.name()).and_then(Value::as_u64).unwrap_or(0);
                told.faults.insert(fault.name().to_owned(), json!(count + 1));
                struck = Some(Struck { fault, region, at: Instant::now(), from: watch.now() });
            }
            None => {}
        }
    }
    for (region, place) in REGIONS.iter().zip(&mut places) {
        told.left.insert(region.name.to_owned(), place.finish());
    }
    busy.process.finish();
    Ok(told)
}

fn mend(struck: &Struck, places: &mut [Place; 2]) -> io::Result<()> {
    let place = &mut places[struck.region];
    match struck.fault {
        Fault::Frozen => place.process.signal(Signal::CONT),
        Fault::Killed => *place = Place::region(struck.region)?,
    }
    Ok(())
}
