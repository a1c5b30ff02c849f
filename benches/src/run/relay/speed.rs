//! Packets a second through one core, what becomes of it under overload, and CPU for each packet.
//!
//! Thousands of sockets hold some hundred thousand packets between them. A rate is what comes in a window after they are full,
//! and the next rate is offered when they are empty.

use super::Scale;
use super::row::{Row, Stand};
use crate::place::cpu_ns;
use crate::report::median;
use crate::run::relay::row::Kind;
use std::io;
use std::time::Duration;

/// Calls of the saturated rows.
pub(super) const SESSIONS: usize = 4_000;
/// Packets a second at which CPU is measured where packets stay in the kernel: half of what the slowest such row can do. A core
/// that mostly sleeps would be measured for its waking.
const MANY: f64 = 500_000.0;
/// The same where packets pass through user space, and their calls: 50 packets a second each.
const FEW: (f64, usize) = (20_000.0, 400);
/// Offered rates, by what was delivered when far more was offered. Some engines deliver more when less is thrown away.
const LADDER: [f64; 5] = [0.9, 1.1, 1.35, 1.7, 2.2];

/// Before CPU is measured: the system's own threads go on for a moment after what was before.
const WARM_UP: Duration = Duration::from_millis(100);

/// What a row can carry.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Speed {
    /// Delivered when far more is offered.
    pub(super) saturated: f64,
    /// Most that was delivered at any offered rate.
    pub(super) peak: f64,
    /// Delivered when twice the peak is offered.
    pub(super) overloaded: f64,
    /// Offered when far more is offered.
    pub(super) offered: f64,
}

/// Climb to the peak, and go beyond it.
pub(super) fn speed(stand: &Stand, scale: &Scale) -> io::Result<Speed> {
    let at = |rate: Option<f64>| {
        let mut plan = stand.one_way(SESSIONS.min(stand.calls), rate);
        if rate.is_none() {
            plan.batch = 256;
        }
        let (tally, window) = stand.traffic.watch(&stand.site, &plan, [scale.fill, scale.step], || Ok(()))?;
        Ok::<_, io::Error>((tally.offered(), window.delivered()))
    };
    let (offered, saturated) = at(None)?;
    let mut speed = Speed { saturated, peak: saturated, offered, overloaded: 0.0 };
    for step in LADDER {
        speed.peak = speed.peak.max(at(Some(speed.saturated * step))?.1);
    }
    (_, speed.overloaded) = at(Some(2.0 * speed.peak))?;
    Ok(speed)
}

/// CPU for each packet at a moderate rate.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Cost {
    /// Everything on the device's core.
    pub(super) all_ns: f64,
    /// What of it the device's own threads use, which is also spent when there are no packets.
    pub(super) threads_ns: f64,
    /// Packets a second.
    pub(super) rate: f64,
}

/// Measure CPU while one side speaks, packets coming in bursts of 64: at the rate for rows in the kernel, or at the other one.
pub(super) fn cost(stand: &Stand, row: &Row, in_kernel: bool, scale: &Scale) -> io::Result<Cost> {
    let (rate, calls) = if in_kernel { (MANY, SESSIONS) } else { FEW };
    let plan = stand.one_way(calls.min(stand.calls), Some(rate));
    let [kernel, own] = stand.workers()?;
    let used = || Ok((cpu_ns(&kernel)?, cpu_ns(&own)?));
    let (tally, window) = stand.traffic.watch(&stand.site, &plan, [WARM_UP, scale.long], used)?;
    let [before, after] = window.looks;
    let (kernel, own) = (after.0 - before.0, after.1 - before.1);
    // The door lets none through.
    let rate = if row.kind == Kind::Door { tally.offered() } else { window.delivered() };
    let each = |ns: u64| ns as f64 / (rate * window.seconds).max(1.0);
    Ok(Cost { all_ns: each(kernel + own), threads_ns: each(own), rate: tally.offered() })
}

/// The middle of something over the rounds.
pub(super) fn middle<T>(all: &[T], of: impl Fn(&T) -> f64) -> f64 {
    median(all.iter().map(of).collect())
}
