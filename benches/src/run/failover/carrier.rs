//! The carrier: it holds calls that speak, places new ones, and keeps every packet that it hears.

use super::log::time_of_day;
use crate::device::{DEVICE, UAC, at};
use crate::load::clock::{Clock, MS, Nanos, nanos, run_number};
use crate::load::ear::{Ear, Heard};
use crate::load::flows::Flows;
use crate::load::media::Media;
use crate::load::pace::Pace;
use crate::load::uac::{Over, Uac, UacConfig};
use crate::load::wait;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

/// What stands in the carrier's packets.
const ORIGIN: u8 = 100;
/// How fast held calls are placed, per second.
const RAMP: f64 = 200.0;
/// New calls last so long.
const TALK: Nanos = 1_000 * MS;

/// The carrier.
#[derive(Debug)]
pub(super) struct Carrier {
    pub(super) clock: Clock,
    /// The clock's zero as a time of day, to be compared with logs.
    zero: f64,
    /// Calls that stay up.
    pub(super) held: Uac,
    /// Calls that come and go, without media.
    pub(super) fresh: Uac,
    /// The held calls' media.
    pub(super) flows: Flows,
    silence: Option<Media>,
}

impl Carrier {
    pub(super) fn new() -> io::Result<Self> {
        let clock = Clock::new();
        let zero = time_of_day() - clock.now() as f64 / 1e9;
        let uac = |bind: SocketAddr, hold, media_every, run| {
            Uac::new(UacConfig {
                bind,
                to: DEVICE,
                over: Over::Udp,
                number: "+442079460000".to_owned(),
                hold,
                hush: 0,
                media_every,
                trace: hold.is_some(),
                run,
            })
        };
        let run = run_number();
        Ok(Self {
            clock,
            zero,
            held: uac(UAC, None, 1, run)?,
            fresh: uac(at(1, 5091), Some(TALK), 0, run.wrapping_add(1))?,
            flows: Flows::new(UAC, ORIGIN, Ear::Every(Vec::new()))?,
            silence: None,
        })
    }

    /// Run for a time, or until something is so.
    pub(super) fn run(&mut self, at_most: Duration, mut done: impl FnMut(&Self) -> bool) {
        let end = self.clock.now() + nanos(at_most);
        while self.clock.now() < end && !done(self) {
            // Media first: it is what is timed.
            let mut busy = self.flows.turn(&self.clock);
            busy |= self.held.turn(&self.clock, &mut self.flows);
            busy |= self.fresh.turn(&self.clock, &mut self.silence);
            if !busy {
                let now = self.clock.now();
                let next = self.held.next(now).min(self.fresh.next(now)).min(self.flows.next());
                let sleep = next.saturating_sub(now).min(10 * MS);
                wait([self.held.port(), self.fresh.port()].into_iter(), sleep);
            }
        }
    }

    pub(super) fn run_for(&mut self, time: Duration) {
        self.run(time, |_| false);
    }

    /// Have so many calls up.
    pub(super) fn ramp(&mut self, calls: u32) -> io::Result<()> {
        let now = self.clock.now();
        self.held.begin(now, Pace::Calls { cps: RAMP, calls: calls.into() });
        let up = u64::from(calls);
        let ramp = Duration::from_secs_f64(f64::from(calls) / RAMP + 3.0);
        self.run(ramp, |c| c.held.up() == up && !c.held.is_placing());
        if self.held.up() == up {
            return Ok(());
        }
        let tally = self.held.tally.json();
        Err(io::Error::other(format!("{} of {calls} calls are up: {tally}", self.held.up())))
    }

    /// A time of ours, in microseconds, as a time of day.
    pub(super) fn time_of_day(&self, at: f64) -> f64 {
        self.zero + at / 1e6
    }

    /// Everything that was heard, by call.
    pub(super) fn heard(&self) -> &[Vec<Heard>] {
        match &self.flows.ear {
            Ear::Every(calls) => calls,
            Ear::Which(_) | Ear::Count(_) => &[],
        }
    }
}
