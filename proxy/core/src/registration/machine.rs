//! The registration of one trunk.
//!
//! ```text
//!  Waiting ── time ──▶ Asking(registrar 1) ── 200 ──▶ Bound ── before it ends ──▶ Asking (bound all the while)
//!     ▲                  │     ▲ 401, 407: shown; 423: for longer                   │
//!     │                  │ no answer, refused, connection lost                      │ stop
//!     └── all have failed┴──▶ Asking(registrar 2, …)                                ▼
//!        (back-off)                                                   Leaving (expires 0) ──▶ Gone
//! ```

use super::request::{Asked, at_least, bound_for, write};
use crate::digest::{Account, Passes, choose};
use crate::ids::hex;
use crate::limits::{
    MAX_SHOWN, REGISTER_AGAIN, REGISTER_MAX, REGISTER_PATIENCE, REGISTER_SHORTEST, REGISTER_SLOWEST,
};
use crate::rng::Rng;
use crate::{Config, Peer, Registration, TargetId, TransportFailure};
use bytes::Bytes;
use relay_values::{Duration, Time};
use sip_wire::Message;
use std::collections::VecDeque;

/// Where it stands.
#[derive(Debug, Clone)]
enum State {
    /// Nobody is asked until then.
    Waiting { until: Time },
    /// REGISTER is out.
    Asking(Out),
    /// Bound, and asks again then.
    Bound { again: Time },
    /// We stop: REGISTER with Expires 0 is out.
    Leaving(Out),
    /// Nothing is bound any more, and nothing will be.
    Gone,
}

/// A REGISTER that is out.
#[derive(Debug, Clone)]
struct Out {
    number: u64,
    /// The registrar, by its place in the list.
    at: usize,
    to: Peer,
    bytes: Bytes,
    resend: Time,
    interval: Duration,
    until: Time,
    /// How often this registrar was shown who we are, and told for how long we would be bound, since somebody was asked last.
    shown: u8,
    longer: bool,
}

/// What a trunk's registration is.
#[derive(Debug, Clone)]
pub(super) struct Machine {
    pub(super) registration: Registration,
    state: State,
    /// Who has bound us, and until when.
    bound: Option<(usize, Time)>,
    call_id: [u8; 24],
    cseq: u32,
    expires: Duration,
    passes: Passes,
    /// Rounds over all registrars that came to nothing.
    failures: u32,
    /// Registrars that were tried in vain in this round.
    tried: usize,
    /// Why the last one came to nothing: a code, or 0 for no answer.
    last: Option<u16>,
}

/// What a machine may use of its surroundings.
pub(super) struct Around<'a> {
    pub(super) now: Time,
    pub(super) config: &'a Config,
    pub(super) rng: &'a mut Rng,
    pub(super) sends: &'a mut VecDeque<(Peer, Bytes)>,
}

impl Machine {
    pub(super) fn new(registration: Registration, now: Time, rng: &mut Rng) -> Self {
        let mut call_id = [0; 24];
        let (head, tail) = call_id.split_at_mut(16);
        hex(rng.next_u64(), head);
        hex(rng.next_u64(), tail);
        let expires = registration.expires;
        // Not all trunks in one instant.
        let until = now + Duration::from_millis(rng.below(100));
        Self {
            registration,
            state: State::Waiting { until },
            bound: None,
            call_id,
            cseq: 0,
            expires,
            passes: Passes::default(),
            failures: 0,
            tried: 0,
            last: None,
        }
    }

    /// The target that holds the binding.
    pub(super) fn bound_at(&self) -> Option<TargetId> {
        let (place, _) = self.bound?;
        self.registration.registrars.get(place).copied()
    }

    pub(super) fn bound_until(&self) -> Option<Time> {
        self.bound.map(|(_, until)| until)
    }

    /// In one word.
    pub(super) fn word(&self) -> &'static str {
        match (&self.state, self.bound) {
            (State::Leaving(_) | State::Gone, _) => "leaving",
            (_, Some(_)) => "registered",
            (State::Waiting { .. }, None) if self.failures > 0 => "failed",
            (State::Waiting { .. } | State::Asking(_) | State::Bound { .. }, None) => "registering",
        }
    }

    pub(super) fn last(&self) -> Option<u16> {
        self.last
    }

    pub(super) fn is_gone(&self) -> bool {
        matches!(self.state, State::Gone)
    }

    /// When it wants to be woken.
    pub(super) fn deadline(&self) -> Time {
        let end = self.bound.map_or(Time::NEVER, |(_, until)| until);
        match &self.state {
            State::Waiting { until } => (*until).min(end),
            State::Asking(out) => out.resend.min(out.until).min(end),
            State::Leaving(out) => out.resend.min(out.until),
            State::Bound { again } => (*again).min(end),
            State::Gone => Time::NEVER,
        }
    }

    /// Whether this REGISTER is the one that is out.
    pub(super) fn waits_for(&self, number: u64) -> bool {
        match &self.state {
            State::Asking(out) | State::Leaving(out) => out.number == number,
            State::Waiting { .. } | State::Bound { .. } | State::Gone => false,
        }
    }

    /// The time has come.
    pub(super) fn timeout(&mut self, around: &mut Around<'_>) {
        let now = around.now;
        self.bound = self.bound.filter(|(_, until)| now < *until);
        match &mut self.state {
            State::Waiting { until } if *until <= now => self.ask_from(around, 0),
            State::Bound { again } if *again <= now || self.bound.is_none() => {
                // Who has bound us does so again, as long as he can.
                let place = self.bound.map_or(0, |(place, _)| place);
                self.ask_from(around, place);
            }
            State::Asking(out) | State::Leaving(out) if out.until <= now => self.failed(around, 0),
            State::Asking(out) | State::Leaving(out) if out.resend <= now => {
                // Timer E (RFC 3261 §17.1.2.2).
                out.interval = (out.interval + out.interval).min(around.config.timers.t2);
                out.resend = if out.to.transport.is_reliable() { Time::NEVER } else { now + out.interval };
                around.sends.push_back((out.to, out.bytes.clone()));
            }
            State::Waiting { .. }
            | State::Bound { .. }
            | State::Asking(_)
            | State::Leaving(_)
            | State::Gone => {}
        }
    }

    /// Begins a round with the registrar at a place.
    fn ask_from(&mut self, around: &mut Around<'_>, place: usize) {
        self.tried = 0;
        self.ask(around, place, (0, false));
    }

    fn ask(&mut self, around: &mut Around<'_>, place: usize, (shown, longer): (u8, bool)) {
        match self.out(around, place, self.expires, (shown, longer)) {
            Some(out) => self.state = State::Asking(out),
            None => self.failed_at(around, place, 0),
        }
    }

    /// Sends a REGISTER.
    fn out(
        &mut self,
        around: &mut Around<'_>,
        place: usize,
        expires: Duration,
        (shown, longer): (u8, bool),
    ) -> Option<Out> {
        let target = self.registration.registrars.get(place)?;
        let to = around.config.target(*target)?.peer;
        let ours = around.config.listener(to.listener)?;
        self.cseq = self.cseq.saturating_add(1);
        let number = around.rng.next_u64();
        let asked = Asked {
            number,
            registration: &self.registration,
            to: &to,
            ours,
            product: around.config.product.as_deref(),
            call_id: &self.call_id,
            cseq: self.cseq,
            expires,
        };
        let bytes = write(&asked, &mut self.passes);
        around.sends.push_back((to, bytes.clone()));
        let interval = around.config.timers.t1;
        let resend = if to.transport.is_reliable() { Time::NEVER } else { around.now + interval };
        let until = around.now + REGISTER_PATIENCE;
        Some(Out { number, at: place, to, bytes, resend, interval, until, shown, longer })
    }

    /// A response to the REGISTER that is out.
    pub(super) fn answered(&mut self, around: &mut Around<'_>, response: &Message, accounts: &[Account]) {
        let code = response.code().unwrap_or(0);
        let (out, leaving) = match &self.state {
            State::Asking(out) => (out.clone(), false),
            State::Leaving(out) => (out.clone(), true),
            State::Waiting { .. } | State::Bound { .. } | State::Gone => return,
        };
        match code {
            0..=199 => {
                // Timer E goes on at T2.
                let t2 = around.config.timers.t2;
                if let State::Asking(out) | State::Leaving(out) = &mut self.state {
                    out.interval = t2;
                }
            }
            200..=299 if leaving => self.gone(),
            200..=299 => self.bind(around, out.at, bound_for(response, &self.registration, self.expires)),
            401 | 407 if out.shown < MAX_SHOWN => {
                let request = Message::parse(out.bytes.clone());
                let mut cnonce = [0; 16];
                hex(around.rng.next_u64(), &mut cnonce);
                let chosen =
                    request.ok().and_then(|request| choose(response, &request, accounts, cnonce).ok());
                let Some(passes) = chosen else { return self.failed(around, code) };
                self.passes.renew(passes);
                let again = (out.shown + 1, out.longer);
                if leaving {
                    self.say_leave(around, out.at, again);
                } else {
                    self.ask(around, out.at, again);
                }
            }
            423 if !leaving && !out.longer => {
                match at_least(response).filter(|least| *least > self.expires) {
                    Some(least) if least <= REGISTER_MAX => {
                        self.expires = least;
                        self.ask(around, out.at, (out.shown, true));
                    }
                    Some(_) | None => self.failed(around, code),
                }
            }
            _ => self.failed(around, code),
        }
    }

    fn bind(&mut self, around: &mut Around<'_>, place: usize, time: Duration) {
        if time < REGISTER_SHORTEST {
            // Bound for no time at all, or so little that there is none to ask again in.
            return self.failed(around, 200);
        }
        (self.failures, self.last, self.tried) = (0, None, 0);
        self.bound = Some((place, around.now + time));
        // Somewhere between half of it and nine tenths, so that not all come at once who came at once before.
        let ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let again = ms / 2 + around.rng.below((ms * 2 / 5).max(1));
        self.state = State::Bound { again: around.now + Duration::from_millis(again) };
    }

    /// The registrar under way is of no use.
    fn failed(&mut self, around: &mut Around<'_>, code: u16) {
        match &self.state {
            State::Asking(out) => {
                let place = out.at;
                self.failed_at(around, place, code);
            }
            State::Leaving(_) => self.gone(),
            State::Waiting { .. } | State::Bound { .. } | State::Gone => {}
        }
    }

    /// The next one, or all of them again after a while.
    fn failed_at(&mut self, around: &mut Around<'_>, place: usize, code: u16) {
        self.last = Some(code);
        if self.bound.is_some_and(|(at, _)| at == place) {
            // Nobody can say whether calls still come from there, and none will be taken.
            self.bound = None;
        }
        self.expires = self.registration.expires;
        self.tried += 1;
        let count = self.registration.registrars.len();
        if self.tried < count {
            return self.ask(around, (place + 1) % count, (0, false));
        }
        self.failures = self.failures.saturating_add(1);
        // RFC 5626 §4.5: the time doubles with every round, and half of it to all of it is waited.
        let doubled = REGISTER_AGAIN.as_millis() << self.failures.min(16).saturating_sub(1);
        let upper = doubled.min(REGISTER_SLOWEST.as_millis());
        let upper = u64::try_from(upper).unwrap_or(u64::MAX);
        let wait = upper / 2 + around.rng.below(upper / 2 + 1);
        self.state = State::Waiting { until: around.now + Duration::from_millis(wait) };
    }

    /// Nothing can be sent there, or a connection has ended.
    pub(super) fn transport_error(&mut self, around: &mut Around<'_>, to: Peer, failure: TransportFailure) {
        match &self.state {
            State::Asking(out) | State::Leaving(out) if out.to == to => self.failed(around, 0),
            State::Bound { .. } if failure != TransportFailure::Ended => {
                let place = self.bound.map(|(place, _)| place);
                let at = self.bound_at().and_then(|id| around.config.target(id)).map(|target| target.peer);
                if let Some(place) = place.filter(|_| at == Some(to)) {
                    self.ask_from(around, place);
                }
            }
            State::Waiting { .. }
            | State::Bound { .. }
            | State::Asking(_)
            | State::Leaving(_)
            | State::Gone => {}
        }
    }

    /// We stop: what is bound is taken back.
    pub(super) fn leave(&mut self, around: &mut Around<'_>) {
        if matches!(self.state, State::Leaving(_) | State::Gone) {
            return;
        }
        match self.bound {
            Some((place, _)) => self.say_leave(around, place, (0, false)),
            None => self.gone(),
        }
    }

    fn say_leave(&mut self, around: &mut Around<'_>, place: usize, again: (u8, bool)) {
        match self.out(around, place, Duration::ZERO, again) {
            Some(out) => {
                self.state = State::Leaving(out);
                self.bound = None;
            }
            None => self.gone(),
        }
    }

    fn gone(&mut self) {
        (self.state, self.bound) = (State::Gone, None);
    }

    /// A reload has numbered targets anew.
    pub(super) fn renumber(&mut self, registration: Registration) {
        self.registration = registration;
    }
}
