//! INVITEs from nobody, a hundred thousand a second, beside a trunk's calls.

use crate::device::{DEVICE, Recipe, UAC, UAS};
use crate::load::clock::MS;
use crate::load::flood::{Flood, SOURCES};
use crate::load::pace::Pace;
use crate::report::round;
use crate::run::{Ends, Options};
use serde_json::{Value, json};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// INVITEs a second from strangers.
const RATE: f64 = 100_000.0;

/// Calls a second of the trunk.
const CALLS: f64 = 500.0;

/// Looks at the device's memory after the first one; what is taken once is there after a third of them.
const LOOKS: usize = 12;

/// What one run has brought.
struct Run {
    rate: f64,
    calls: u64,
    failed: u64,
    retransmissions: u64,
    pdd_p99_us: u64,
    /// The device's memory in KiB, at even distances from beginning to end.
    memory: Vec<u64>,
    cores: f64,
    dropped: u64,
}

impl Run {
    /// By how many KiB the device has grown since one of the looks.
    fn grown_since(&self, look: usize) -> f64 {
        let at = |look: usize| self.memory.get(look).copied().unwrap_or(0) as f64;
        at(LOOKS) - at(look)
    }
}

pub(super) fn measure(recipe: &Recipe, options: &Options) -> io::Result<Value> {
    // Transactions linger for half a minute: in the last third of a whole run as many go as come.
    let seconds = if options.quick { 6.0 } else { 60.0 };
    // Memory grows with the calls alone, too.
    let plain = run(recipe, 0.0, seconds)?;
    let flood = run(recipe, RATE, seconds)?;
    let (middle, late) = (LOOKS / 3, LOOKS * 2 / 3);
    Ok(json!({
        "seconds": seconds,
        "flood_per_s": flood.rate.round(),
        "sources": SOURCES,
        "calls_per_s": CALLS,
        "calls": flood.calls,
        "calls_failed": flood.failed,
        "retransmissions": flood.retransmissions,
        "pdd_p99_us": flood.pdd_p99_us,
        "memory_grown_kib": flood.grown_since(middle),
        "memory_grown_last_third_kib": flood.grown_since(late),
        "memory_kib": flood.memory,
        "memory_grown_without_flood_kib": plain.grown_since(middle),
        "memory_grown_last_third_without_flood_kib": plain.grown_since(late),
        "memory_without_flood_kib": plain.memory,
        "cores_used": round(flood.cores, 2),
        "cores_used_without_flood": round(plain.cores, 2),
        "dropped_by_the_kernel": flood.dropped,
    }))
}

fn run(recipe: &Recipe, wanted: f64, seconds: f64) -> io::Result<Run> {
    eprintln!("flood: {}, {wanted:.0} INVITEs/s of strangers", recipe.name);
    let device = recipe.start()?;
    let flood = Flood::new(DEVICE)?;
    let ends = Ends {
        uac: UAC,
        uas: Some(UAS),
        device: DEVICE,
        hold: Some(1_000 * MS),
        media_every: 0,
        trace: false,
    };
    let mut engine = ends.engine()?;
    let stop = AtomicBool::new(false);
    let (rate, memory, cores) = std::thread::scope(|scope| {
        let began = Instant::now();
        scope.spawn(|| flood.run(wanted, &stop));
        let (mut memory, cpu) = (vec![device.process.pss_kib()], device.process.cpu_seconds());
        for _ in 0..LOOKS {
            let now = engine.clock.now();
            if let Some(uac) = &mut engine.uac {
                uac.begin(now, Pace::Rate { cps: CALLS, seconds: seconds / LOOKS as f64 });
            }
            engine.run_until(|e| e.uac.as_ref().is_none_or(|u| !u.is_placing()));
            memory.push(device.process.pss_kib());
        }
        let (used, passed) = (device.process.cpu_seconds() - cpu, began.elapsed().as_secs_f64());
        stop.store(true, Ordering::Relaxed);
        (flood.sent.load(Ordering::Relaxed) as f64 / passed, memory, used / passed)
    });
    let dropped = kernel_drops();
    engine.drain(Duration::from_secs(33));
    drop(device);
    let retransmissions = engine.retransmissions();
    let tally = &engine.uac.as_ref().expect("a bench of calls has a caller").tally;
    eprintln!(
        "  {rate:.0} INVITEs/s, {} of {} calls failed, {retransmissions} retransmissions, {cores:.2} of a core, KiB {memory:?}",
        tally.failed, tally.placed
    );
    Ok(Run {
        rate,
        calls: tally.placed,
        failed: tally.failed,
        retransmissions,
        pdd_p99_us: tally.pdd.at(99.0),
        memory,
        cores,
        dropped,
    })
}

/// Datagrams that the device's socket had no room for.
fn kernel_drops() -> u64 {
    let std::net::SocketAddr::V4(v4) = DEVICE else { return 0 };
    let local = format!("{:08X}:{:04X}", u32::from_le_bytes(v4.ip().octets()), v4.port());
    let text = std::fs::read_to_string("/proc/thread-self/net/udp").unwrap_or_default();
    let lines = text.lines().filter(|line| line.contains(&local));
    lines.filter_map(|line| line.split_whitespace().last()?.parse::<u64>().ok()).sum()
}
