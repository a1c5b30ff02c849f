//! Whole calls that a core holds: both ways, 50 packets a second each, evenly over time.

use super::Scale;
use super::row::Stand;
use std::io;

/// More loss than this and the core is full.
const LOSS: f64 = 0.001;
/// As is one that keeps packets for longer, in microseconds, one in a hundred.
const DELAY_US: f64 = 5_000.0;
/// A generator that makes less than this share of the load is no generator for so many calls.
const MADE: f64 = 0.8;
/// Packets a second of a call, both directions.
const PACKETS: f64 = 100.0;
/// The next number of calls, up and down.
const STEP: f64 = 1.15;
/// Steps, at most.
const STEPS: usize = 24;

/// What was held.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Held {
    /// Calls.
    pub(super) calls: usize,
    /// Their loss.
    pub(super) loss: f64,
    /// One in a hundred packets took longer, in microseconds.
    pub(super) p99_us: f64,
    /// There were no more calls to try.
    pub(super) is_all: bool,
    /// The next step was refused because the generator was late.
    pub(super) limited_by_generator: bool,
}

/// Search for the most calls, from what the packets a second let one expect.
pub(super) fn held(stand: &Stand, peak: f64, scale: &Scale) -> io::Result<Held> {
    let mut calls = ((peak / PACKETS * 0.8) as usize).clamp(10, stand.calls);
    let (mut best, mut failed) = (Held::default(), None);
    for _ in 0..STEPS {
        let mut plan = stand.both_ways(calls, calls as f64 * PACKETS);
        (plan.time, plan.stamped) = (scale.step.max(scale.long), true);
        let tally = stand.traffic.run(&stand.site, &plan)?;
        let p99 = tally.delays.at(99.0).unwrap_or(f64::INFINITY);
        // A generator that puts packets off has made the load of fewer calls: those count.
        let share = tally.sent as f64 / (calls as f64 * PACKETS * plan.time.as_secs_f64());
        let is_late = share < MADE;
        let fits = tally.loss() < LOSS && p99 <= DELAY_US && !is_late;
        eprintln!("    {calls} calls: loss {:.5}, p99 {p99:.0} us, late {}", tally.loss(), tally.late);
        if fits {
            let is_all = calls == stand.calls;
            let made = ((calls as f64 * share.min(1.0)) as usize).max(best.calls);
            best = Held { calls: made, loss: tally.loss(), p99_us: p99, is_all, limited_by_generator: false };
            let next = ((calls as f64 * STEP).ceil() as usize).min(stand.calls);
            if is_all || failed.is_some_and(|failed| next >= failed) {
                break;
            }
            calls = next;
        } else {
            best.limited_by_generator = is_late;
            failed = Some(calls);
            if best.calls > 0 || calls <= 10 {
                break;
            }
            calls = ((calls as f64 / STEP) as usize).max(10);
        }
    }
    Ok(best)
}
