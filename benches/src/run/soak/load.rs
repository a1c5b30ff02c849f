//! The callers: some talk for a while, some all the time, most only ring through, and some are refused.

use super::setting::BUSY_NUMBER;
use crate::device::{DEVICE, UAC, at};
use crate::load::clock::{Clock, MS, Nanos, nanos, run_number};
use crate::load::ear::Ear;
use crate::load::flows::Flows;
use crate::load::media::Media;
use crate::load::pace::Pace;
use crate::load::uac::{Over, Uac, UacConfig};
use crate::load::wait;
use serde_json::{Value, json};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

/// What stands in the callers' packets.
const ORIGIN: u8 = 100;

/// Calls that talk: 80 at a time.
const TALKS_PER_S: f64 = 4.0;
const TALK: Nanos = 20_000 * MS;
/// Both ends of those fall silent so long before their BYE.
const TALK_HUSH: Nanos = 200 * MS;

/// Calls that talk from the load's beginning to its end, and are moved at every fault.
const HELD: u64 = 40;

/// Calls without media, and how long they are up.
const SHORT_PER_S: f64 = 30.0;
const SHORT: Nanos = 1_000 * MS;

/// Calls that are refused.
const REFUSED_PER_S: f64 = 5.0;

/// A caller and its media.
#[derive(Debug)]
struct Talker {
    uac: Uac,
    flows: Flows,
}

/// All of them, in one thread.
#[derive(Debug)]
pub(super) struct Load {
    clock: Clock,
    talking: Talker,
    held: Talker,
    short: Uac,
    refused: Uac,
    silence: Option<Media>,
}

impl Talker {
    fn new(bind: SocketAddr, hold: Option<Nanos>, run: u32) -> io::Result<Self> {
        Ok(Self {
            uac: caller(bind, hold, TALK_HUSH, 1, run)?,
            flows: Flows::new(bind, ORIGIN, Ear::Count(0))?,
        })
    }

    fn turn(&mut self, clock: &Clock) -> bool {
        // Media first: it is what has to be in time.
        let busy = self.flows.turn(clock);
        self.uac.turn(clock, &mut self.flows) || busy
    }

    fn next(&self, now: Nanos) -> Nanos {
        self.uac.next(now).min(self.flows.next())
    }

    fn heard(&self) -> u64 {
        match self.flows.ear {
            Ear::Count(packets) => packets,
            Ear::Every(_) | Ear::Which(_) => 0,
        }
    }

    fn json(&self) -> Value {
        json!({
            "calls": self.uac.tally.json(), "rtp_sent": self.flows.sent, "rtp_heard": self.heard(),
            "rtp_strays": self.flows.strays, "sent_late_by_us": self.flows.late.json(),
        })
    }
}

fn caller(bind: SocketAddr, hold: Option<Nanos>, hush: Nanos, media_every: u64, run: u32) -> io::Result<Uac> {
    Uac::new(UacConfig {
        bind,
        to: DEVICE,
        over: Over::Udp,
        number: "+442079460000".to_owned(),
        hold,
        hush,
        media_every,
        trace: false,
        run,
    })
}

impl Load {
    pub(super) fn new() -> io::Result<Self> {
        let run = run_number();
        let refused = Uac::new(UacConfig {
            bind: at(1, 5092),
            to: DEVICE,
            over: Over::Udp,
            number: BUSY_NUMBER.to_owned(),
            hold: Some(SHORT),
            hush: 0,
            media_every: 0,
            trace: false,
            run: run.wrapping_add(3),
        })?;
        Ok(Self {
            clock: Clock::new(),
            talking: Talker::new(UAC, Some(TALK), run)?,
            // Media ports lie above: they must not meet the others'.
            held: Talker::new(at(1, 5190), None, run.wrapping_add(1))?,
            short: caller(at(1, 5091), Some(SHORT), 0, 0, run.wrapping_add(2))?,
            refused,
            silence: None,
        })
    }

    /// Place calls for so long.
    pub(super) fn begin(&mut self, length: Duration) {
        let (now, seconds) = (self.clock.now(), length.as_secs_f64());
        self.held.uac.begin(now, Pace::Calls { cps: HELD as f64, calls: HELD });
        for (uac, cps) in [
            (&mut self.talking.uac, TALKS_PER_S),
            (&mut self.short, SHORT_PER_S),
            (&mut self.refused, REFUSED_PER_S),
        ] {
            uac.begin(now, Pace::Rate { cps, seconds });
        }
    }

    /// Run for a time, or until something is so.
    pub(super) fn run(&mut self, at_most: Duration, mut done: impl FnMut() -> bool) {
        let end = self.clock.now() + nanos(at_most);
        while self.clock.now() < end && !done() {
            let Self { clock, talking, held, short, refused, silence } = self;
            let mut busy = talking.turn(clock);
            busy |= held.turn(clock);
            for uac in [short, refused] {
                busy |= uac.turn(clock, silence);
            }
            if !busy {
                let now = self.clock.now();
                let uacs = [&self.short, &self.refused];
                let next = uacs.map(|uac| uac.next(now)).into_iter().min().unwrap_or(Nanos::MAX);
                let next = next.min(self.talking.next(now)).min(self.held.next(now));
                let ports = [&self.talking.uac, &self.held.uac].into_iter().chain(uacs).map(Uac::port);
                wait(ports, next.saturating_sub(now).min(10 * MS));
            }
        }
    }

    /// Place no more, and fall silent.
    pub(super) fn hush(&mut self) {
        for uac in [&mut self.talking.uac, &mut self.held.uac, &mut self.short, &mut self.refused] {
            uac.stop();
        }
        self.talking.flows.hush();
        self.held.flows.hush();
    }

    /// End every call.
    pub(super) fn hang_up(&mut self) {
        let now = self.clock.now();
        for uac in [&mut self.talking.uac, &mut self.held.uac, &mut self.short, &mut self.refused] {
            uac.hang_up(now);
        }
    }

    /// Whether there was traffic of every kind: without it nothing is proved.
    pub(super) fn is_carried(&self) -> bool {
        let talkers = [&self.talking, &self.held];
        talkers.iter().all(|t| t.uac.tally.answered > 0 && t.heard() > 0)
            && self.short.tally.completed > 0
            && self.refused.tally.failures.contains_key("486")
    }

    /// Whether no call has failed but those that were to be refused: a region that dies hurts nobody.
    pub(super) fn is_unhurt(&self) -> bool {
        let none = [&self.talking.uac, &self.held.uac, &self.short].iter().all(|uac| uac.tally.failed == 0);
        none && self.refused.tally.failures.keys().all(|reason| reason == "486")
    }

    /// What became of the calls.
    pub(super) fn json(&self) -> Value {
        json!({
            "talking": self.talking.json(), "held": self.held.json(), "short": self.short.tally.json(),
            "refused": self.refused.tally.json(),
        })
    }
}
