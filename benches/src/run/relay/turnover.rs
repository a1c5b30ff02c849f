//! Calls set up and taken down as fast as it goes, while others speak.

use super::Scale;
use super::row::{Running, Stand, connect, open};
use relay_values::{RelayCommand, RelayEvent, SessionId};
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
    let mut count = |event: RelayEvent, under_way: &mut usize| -> Option<usize> {
        match event {
            RelayEvent::Opened { session, .. } => return Some((session.0 & 0xffff_ffff) as usize),
            RelayEvent::Released { .. } => (done, *under_way) = (done + 1, *under_way - 1),
            RelayEvent::OpenFailed { .. } => (refused, *under_way) = (refused + 1, *under_way - 1),
            _ => {}
        }
        None
    };
    while begun.elapsed() < scale.long {
        while under_way < WINDOW && relay.send(open(next)).is_ok() {
            (next, under_way) = (next + 1, under_way + 1);
        }
        while let Some(event) = relay.recv() {
            if let Some(n) = count(event, &mut under_way) {
                connect(relay, n)?;
                let release = RelayCommand::Release { session: SessionId::new(0, n as u64) };
                relay.send(release).map_err(io::Error::other)?;
            }
        }
        relay.flush();
        // The core is the generator's, too.
        std::thread::yield_now();
    }
    let seconds = begun.elapsed().as_secs_f64();
    let tally = stand.traffic.end(flight)?;
    Ok(Turnover { per_second: done as f64 / seconds, loss: tally.loss(), refused })
}
