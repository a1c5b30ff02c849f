//! Added delay: how long a packet's way through the relay is.
//!
//! Sender, relay and receiver take turns on one core, and that core never sleeps: the links are polled in the sender's own
//! time, and the sender gives way to everybody. What is measured is the way of the packet, and no waking of a core.

use super::Scale;
use super::row::Stand;
use std::io;

/// Packets a second.
const RATE: f64 = 10_000.0;
/// Calls that share them, 50 each.
const CALLS: usize = 200;

/// Delay in microseconds.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Delay {
    pub(super) p50: f64,
    pub(super) p99: f64,
    pub(super) loss: f64,
}

/// Measure it.
pub(super) fn delay(stand: &Stand, scale: &Scale) -> io::Result<Delay> {
    let mut plan = stand.one_way(CALLS.min(stand.calls), Some(RATE));
    (plan.burst, plan.batch, plan.stamped, plan.inline, plan.time) = (1, 1, true, true, scale.long);
    stand.site.poll_inline(true)?;
    let tally = stand.traffic.run(&stand.site, &plan);
    stand.site.poll_inline(false)?;
    let tally = tally?;
    let at = |percent| tally.delays.at(percent).unwrap_or(f64::NAN);
    Ok(Delay { p50: at(50.0), p99: at(99.0), loss: tally.loss() })
}
