//! Calls set up and taken down as fast as it goes, while others speak.

use super::Scale;
use super::row::{Running, Stand, connect, open};
use relay_values::{RelayCommand, RelayEvent};
use std::io;
use std::time::Instant;

/// Calls that speak meanwhile.
const SPEAKING: usize = 1_000;
/// Numbers of the calls that come and go.
const FIRST: usize = 1 << 20;
/// Calls that are under way at a time.
const WINDOW: usize = 256;

/// What was measured.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Turnover {
    /// Sessions a second: opened, connected both ways, released, and their statistics told.
    pub(super) per_second: f64,
    /// Of the media meanwhile.
    pub(super) loss: f64,
    /// Sessions that were refused.
    pub(super) refused: u64,
}

/// Measure it.
pub(super) fn turnover(stand: &mut Stand, scale: &Scale) -> io::Result<Turnover> {
    let speaking = SPEAKING.min(stand.calls);
    let mut plan = stand.both_ways(speaking, speaking as f64 * 100.0);
    plan.time = scale.long + scale.long / 4;
    let flight = stand.traffic.begin(&stand.site, &plan)?;
    std::thread::sleep(scale.long / 8);
    let Running::Ours { relay, .. } = &mut stand.running else {
        return Err(io::Error::other("no engine of ours"));
    };
    let (begun, mut next, mut under_way, mut done, mut refused) = (Instant::now(), FIRST, 0, 0_u64, 0);
    let mut result = None;
    // The last ones are taken down, too: what is told of them would be taken for news of the next one's.
    while result.is_none() || under_way > 0 {
        let seconds = begun.elapsed().as_secs_f64();
        if result.is_none() && seconds >= scale.long.as_secs_f64() {
            result = Some((done as f64 / seconds, refused));
        }
        while result.is_none() && under_way < WINDOW && relay.send(open(next)).is_ok() {
            (next, under_way) = (next + 1, under_way + 1);
        }
        while let Some(event) = relay.recv() {
            match event {
                RelayEvent::Opened { session, .. } => {
                    connect(relay, (session.0 & 0xffff_ffff) as usize)?;
                    relay.send(RelayCommand::Release { session }).map_err(io::Error::other)?;
                }
                RelayEvent::Released { .. } => (done, under_way) = (done + 1, under_way - 1),
                RelayEvent::OpenFailed { .. } => (refused, under_way) = (refused + 1, under_way - 1),
                _ => {}
            }
        }
        relay.flush();
        // The core is the generator's, too.
        std::thread::yield_now();
    }
    let (per_second, refused) = result.unwrap_or_default();
    let tally = stand.traffic.end(flight)?;
    Ok(Turnover { per_second, loss: tally.loss(), refused })
}
