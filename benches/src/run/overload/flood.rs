//! INVITEs from nobody, a hundred thousand a second, beside a trunk's calls.

use crate::device::{DEVICE, Recipe, UAC, UAS};
use crate::load::clock::MS;
use crate::load::flood::{Flood, SOURCES};
use crate::load::pace::Pace;
use crate::report::{median, round};
use crate::run::{Ends, Options};
use serde_json::{Value, json};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// INVITEs a second from strangers.
const RATE: f64 = 100_000.0;

/// Calls a second of the trunk.
const CALLS: f64 = 500.0;

pub(super) fn measure(recipe: &Recipe, rounds: usize, options: &Options) -> io::Result<Value> {
    let seconds = if options.quick { 6.0 } else { 20.0 };
    let (mut placed, mut failed, mut retransmissions) = (0, 0, 0);
    let (mut rates, mut unread, mut grown, mut busy, mut p99) = (vec![], vec![], vec![], vec![], vec![]);
    let mut plain = vec![];
    for n in 1..=rounds {
        eprintln!("flood: {}, round {n} of {rounds}", recipe.name);
        // Transactions linger for half a minute, so memory grows with the calls alone; that is measured first.
        let rates_of = [0.0, RATE];
        for wanted in rates_of {
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
            let mut place = |seconds: f64| {
                let now = engine.clock.now();
                if let Some(uac) = &mut engine.uac {
                    uac.begin(now, Pace::Rate { cps: CALLS, seconds });
                }
                engine.run_until(|e| e.uac.as_ref().is_none_or(|u| !u.is_placing()));
            };
            let stop = AtomicBool::new(false);
            let (rate, kib, cpu) = std::thread::scope(|scope| {
                let began = Instant::now();
                scope.spawn(|| flood.run(wanted, &stop));
                // As many calls as there will be, and every table that a flood makes it take.
                place(seconds / 3.0);
                let (before, cpu) = (device.process.pss_kib(), device.process.cpu_seconds());
                let middle = Instant::now();
                place(seconds * 2.0 / 3.0);
                let (after, used) = (device.process.pss_kib(), device.process.cpu_seconds() - cpu);
                stop.store(true, Ordering::Relaxed);
                let share = used / middle.elapsed().as_secs_f64();
                let rate = flood.sent.load(Ordering::Relaxed) as f64 / began.elapsed().as_secs_f64();
                (rate, after as f64 - before as f64, share)
            });
            let dropped = kernel_drops();
            if wanted == 0.0 {
                eprintln!("  without a flood: {kib:+.0} KiB, {cpu:.2} of a core");
                plain.push(kib);
                continue;
            }
            engine.drain(Duration::from_secs(33));
            drop(device);
            let retransmitted = engine.retransmissions();
            let Some(uac) = &engine.uac else { continue };
            eprintln!(
                "  {rate:.0} INVITEs/s, {} of {} calls failed, {retransmitted} retransmissions, {kib:+.0} KiB, {cpu:.2} of a core",
                uac.tally.failed, uac.tally.placed
            );
            placed += uac.tally.placed;
            failed += uac.tally.failed;
            retransmissions += retransmitted;
            p99.push(uac.tally.pdd.at(99.0) as f64);
            rates.push(rate.round());
            unread.push(dropped as f64);
            grown.push(kib);
            busy.push(round(cpu, 2));
        }
    }
    Ok(json!({
        "flood_per_s": median(rates.clone()),
        "flood_per_s_all": rates,
        "sources": SOURCES,
        "calls_per_s": CALLS,
        "calls": placed,
        "calls_failed": failed,
        "retransmissions": retransmissions,
        "pdd_p99_us": median(p99),
        "memory_grown_kib": median(grown.clone()),
        "memory_grown_kib_all": grown,
        "memory_grown_without_flood_kib": median(plain),
        "cores_used": median(busy),
        "dropped_by_the_kernel": unread,
    }))
}

/// Datagrams that the device's socket had no room for.
fn kernel_drops() -> u64 {
    let std::net::SocketAddr::V4(v4) = DEVICE else { return 0 };
    let local = format!("{:08X}:{:04X}", u32::from_le_bytes(v4.ip().octets()), v4.port());
    let text = std::fs::read_to_string("/proc/thread-self/net/udp").unwrap_or_default();
    let lines = text.lines().filter(|line| line.contains(&local));
    lines.filter_map(|line| line.split_whitespace().last()?.parse::<u64>().ok()).sum()
}
