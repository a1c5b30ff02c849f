//! A region with a thousand answered calls dies, in three ways, or is drained, while new calls come; and the configuration
//! is reloaded under load with media.
//!
//! Two regions, each a process of its own that answers, speaks and listens. The carrier runs in this process: it keeps
//! every packet that it heard and judges them when all is over. The first region is stopped (SIGSTOP), killed, cut off, or
//! drained by an operator's order.

mod carrier;
mod detect;
mod fault;
mod fresh;
mod log;
mod order;
mod receipts;
mod reload;
mod scene;

use super::Options;
use crate::device::{DEVICE_CORE, LOAD_CORE, scratch, sibling};
use crate::micro::relay::Packets;
use crate::process::{self, Process};
use crate::report::{median, result, round};
use serde_json::{Map, Value, json};
use std::io;
use std::net::SocketAddr;
use std::time::Instant;

/// Where everybody runs while a region dies, as the system sees fit: a device has a core for each of its threads.
const CORES: &[usize] = &[DEVICE_CORE, LOAD_CORE];
/// New calls per second.
const CPS: f64 = 50.0;
/// Calls that are up in the region when it dies.
const HELD: u32 = 1_000;

/// What is done to the first region.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Frozen,
    Killed,
    Dropped,
    Drain,
}

impl Fault {
    const ALL: [Self; 4] = [Self::Frozen, Self::Killed, Self::Dropped, Self::Drain];

    const fn name(self) -> &'static str {
        match self {
            Self::Frozen => "frozen",
            Self::Killed => "killed",
            Self::Dropped => "dropped",
            Self::Drain => "drain",
        }
    }

    /// What the device's column calls it, from before calls were held: new calls alone.
    const fn of_new_calls(self) -> &'static str {
        match self {
            Self::Frozen => "stop",
            Self::Killed => "kill",
            Self::Dropped => "drop",
            Self::Drain => "drain",
        }
    }
}

/// Run the bench.
///
/// # Errors
///
/// When something does not start.
pub fn run(options: &Options) -> io::Result<Value> {
    process::pin(CORES)?;
    let note = "1,000 calls up, 50 new ones a second, probes every 200 ms, fall 2; device, carrier and both regions share \
                the machine's two cores: delays are those of busy cores";
    let mut device = json!({ "name": "bascule", "note": note });
    let mut faults = Map::new();
    let rounds = if options.quick { 1 } else { 3 };
    for fault in Fault::ALL.into_iter().filter(|f| options.wants(f.name())) {
        let mut runs = Vec::new();
        for round in 1..=rounds {
            eprintln!("failover: {}, round {round} of {rounds}", fault.name());
            runs.push(fault::run(fault, HELD, options)?);
        }
        let mut median = fault::median(&runs);
        device[fault.of_new_calls()] = median["new_calls_seen"].take();
        if let Some(object) = median.as_object_mut() {
            object.remove("new_calls_seen");
        }
        faults.insert(fault.name().to_owned(), median);
    }
    if options.wants("retarget") {
        device["retarget_1000_flows_ms"] = json!(round(retarget(), 3));
    }
    if options.wants("detection") {
        device["detection"] = detect::run(options)?;
    }
    for fault in [Fault::Frozen, Fault::Killed, Fault::Dropped] {
        if let Some(found) = faults.get_mut(fault.name()) {
            found["down_after_ms_idle"] = device["detection"]["idle"]["down_after_ms"].clone();
        }
    }
    if options.wants("reload") {
        process::pin(&[LOAD_CORE])?;
        eprintln!("failover: reload");
        device["reload"] = reload::run(options)?;
    }
    let mut result = result("failover", options.quick, vec![device], json!({}));
    result["faults"] = Value::Object(faults);
    Ok(result)
}

/// Milliseconds that the relay takes to move a thousand calls' tier legs to another peer: the middle of several times.
fn retarget() -> f64 {
    let mut packets = Packets::new(HELD as u16);
    let times = (0..21).map(|_| {
        let began = Instant::now();
        packets.retarget();
        began.elapsed().as_secs_f64() * 1e3
    });
    median(times.collect())
}

/// An answerer without media in a process of its own.
fn answerer(name: &str, bind: SocketAddr) -> io::Result<Process> {
    let command = [sibling("bascule-load"), "uas".to_owned(), "--uas-bind".to_owned(), bind.to_string()];
    let mut process = Process::start("bascule-load", &command, &[LOAD_CORE], &scratch()?.join(name))?;
    process.wait_bound(bind)?;
    Ok(process)
}
