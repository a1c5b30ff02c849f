//! What an agent begins: calls, and requests inside them.

use super::dialog::text;
use super::transactions::key;
use super::{Act, Agent, Caller, Provisionals, Reliable, Role, Sdp, Stage, Step, Wake};
use bytes::Bytes;
use relay_values::{Duration, Time};
use sip_wire::{Builder, HeaderName, Message, Method, sdp};

/// A request that has to wait for another one tries again after this.
const PATIENCE: Duration = Duration::from_millis(130);

/// Nobody listens to silence for ever.
const ENOUGH: Duration = Duration::from_secs(60);

impl Agent {
    /// Places a call.
    pub fn call(&mut self, now: Time, call: usize, caller: &Caller) {
        let leg = self.caller_leg(now, call, caller.clone());
        if caller.picture {
            self.give_screen(leg);
            self.legs[leg].lines = 2;
        }
        self.legs[leg].cseq = 1 + (self.rng.below(1000) as u32);
        self.invite(now, leg);
        self.wake_at(now + caller.cancel.unwrap_or(ENOUGH), Wake::Cancel(leg));
    }

    /// The INVITE that begins a leg.
    pub(super) fn invite(&mut self, now: Time, leg: usize) {
        let caller = self.legs[leg].caller.clone();
        let branch = self.branch();
        let offer = (!caller.late_offer).then(|| self.description(leg, false));
        self.legs[leg].branch.clone_from(&branch);
        let cseq = self.legs[leg].cseq;
        let mut invite = self.request(leg, Method::Invite, cseq, &branch);
        if caller.record_route {
            invite.header(HeaderName::RecordRoute, self.own_route().as_bytes());
        }
        match caller.reliable {
            Reliable::No => {}
            Reliable::Supported => {
                invite.header(HeaderName::Supported, b"100rel");
            }
            Reliable::Required => {
                invite.header(HeaderName::Require, b"100rel");
            }
        }
        invite.header(HeaderName::UserAgent, format!("Phone of {}", self.side.mark()).as_bytes());
        self.say_session(leg, &mut invite);
        let bytes = finish(invite, offer);
        self.start(now, leg, (&branch, Method::Invite), cseq, bytes);
    }

    /// CANCEL, unless it is too late or too early (RFC 3261 §9.1).
    pub(super) fn cancel(&mut self, now: Time, leg: usize) {
        let Some(state) = self.legs.get(leg) else { return };
        if state.stage != Stage::Early || state.cancelled {
            return;
        }
        let branch = state.branch.clone();
        let Some(client) = self.clients.get(&key(branch.as_bytes(), Method::Invite)) else { return };
        if !client.proceeding {
            return self.wake_at(now + PATIENCE, Wake::Cancel(leg));
        }
        let cseq = client.cseq;
        self.legs[leg].cancelled = true;
        // The CANCEL's To is the INVITE's, without a tag.
        let (remote, target) = (self.legs[leg].remote.clone(), self.legs[leg].target.clone());
        let routes = std::mem::take(&mut self.legs[leg].routes);
        let number = super::number_of(self.legs[leg].call);
        self.legs[leg].remote = format!("<sip:{number}@{}>", self.ours.ip());
        self.legs[leg].target = format!("sip:{number}@{}", self.ours);
        let bytes = self.request(leg, Method::Cancel, cseq, &branch).finish();
        self.legs[leg].remote = remote;
        self.legs[leg].target = target;
        self.legs[leg].routes = routes;
        self.start(now, leg, (&branch, Method::Cancel), cseq, bytes);
    }

    /// The next thing that the callee says.
    pub(super) fn step(&mut self, now: Time, leg: usize, step: usize) {
        let Some(state) = self.legs.get(leg) else { return };
        let Some((_, what)) = state.callee.steps.get(step).copied() else { return };
        let Some(invite) = state.invite.clone() else { return };
        if state.stage == Stage::Over {
            return;
        }
        // A reliable provisional holds back what comes after it (RFC 3262 §3).
        if state.unpracked.is_some() && what != Step::Trying {
            return self.wake_at(now + PATIENCE, Wake::Step(leg, step));
        }
        let key = key(state.branch.as_bytes(), Method::Invite);
        match what {
            Step::Trying => {
                let bytes = self.response(&invite, 100, None).finish();
                self.answer(now, &key, 100, bytes);
            }
            Step::Progress { code, media } => self.progress(now, leg, code, media),
            Step::Update => self.update_early(now, leg),
            Step::Answer => self.pick_up(now, leg),
            Step::Fork => {
                let other = self.callee_leg(now, &invite);
                self.legs[other].call = self.legs[leg].call;
                // Whoever it is that answers hangs up like the other.
                self.legs[other].callee.acts = self.legs[leg].callee.acts.clone();
                self.pick_up(now, other);
            }
            Step::Refuse { code, retry_after } => self.refuse(now, leg, code, retry_after),
        }
    }

    /// A final response that is no answer.
    pub(super) fn refuse(&mut self, now: Time, leg: usize, code: u16, retry_after: Option<u32>) {
        let state = &self.legs[leg];
        let Some(invite) = state.invite.clone().filter(|_| state.stage == Stage::Early) else { return };
        let key = key(state.branch.as_bytes(), Method::Invite);
        let mut out = self.response(&invite, code, Some(&state.local_tag));
        if let Some(seconds) = retry_after {
            out.number(HeaderName::RetryAfter, u64::from(seconds));
        }
        self.answer(now, &key, code, out.finish());
        self.legs[leg].stage = Stage::Over;
    }

    fn progress(&mut self, now: Time, leg: usize, code: u16, media: bool) {
        let state = &self.legs[leg];
        if state.stage != Stage::Early {
            return;
        }
        let (Some(invite), tag) = (state.invite.clone(), state.local_tag.clone()) else { return };
        let key = key(state.branch.as_bytes(), Method::Invite);
        let names = |h| invite.values(h).any(|v| v.eq_ignore_ascii_case(b"100rel"));
        let asked = names(HeaderName::Require) || names(HeaderName::Supported);
        let reliable = match state.callee.provisionals {
            Provisionals::AsAsked => asked,
            Provisionals::Plain => false,
            Provisionals::Reliable => true,
        };
        // Without an offer in the INVITE it is one, which needs PRACK to bring the answer.
        let offered = sdp::find(&invite).is_some();
        let wanted = media && !state.settled && (offered || (reliable && asked));
        let body = wanted.then(|| self.description(leg, true));
        self.legs[leg].settled |= reliable && offered && body.is_some();
        let mut out = self.response(&invite, code, Some(&tag));
        out.header(HeaderName::Contact, self.contact().as_bytes());
        if self.legs[leg].callee.record_route {
            out.header(HeaderName::RecordRoute, self.own_route().as_bytes());
        }
        if reliable {
            self.legs[leg].rseq += 1;
            let rseq = self.legs[leg].rseq;
            out.header(HeaderName::Require, b"100rel").number(HeaderName::RSeq, u64::from(rseq) + 500);
        }
        let bytes = finish(out, body);
        if reliable {
            let rseq = self.legs[leg].rseq;
            self.legs[leg].unpracked = Some((rseq, bytes.clone()));
            let t1 = self.t1;
            self.wake_at(now + t1, Wake::Reliable(leg, rseq, t1));
        }
        self.answer(now, &key, code, bytes);
    }

    /// 200 to the INVITE.
    pub(super) fn pick_up(&mut self, now: Time, leg: usize) {
        let state = &self.legs[leg];
        if state.stage != Stage::Early {
            return;
        }
        let (Some(invite), tag) = (state.invite.clone(), state.local_tag.clone()) else { return };
        let key = key(state.branch.as_bytes(), Method::Invite);
        let body = (!self.legs[leg].settled).then(|| self.description(leg, true));
        let mut out = self.response(&invite, 200, Some(&tag));
        out.header(HeaderName::Contact, self.contact().as_bytes());
        if self.legs[leg].callee.record_route {
            out.header(HeaderName::RecordRoute, self.own_route().as_bytes());
        }
        self.accept_session(now, leg, &invite, &mut out);
        let twice = self.legs[leg].callee.twice;
        let bytes = finish(out, body.filter(|_| self.legs[leg].callee.sdp != Sdp::Missing));
        let cseq = invite.cseq().map(|c| c.number).unwrap_or_default();
        let t1 = self.t1;
        let state = &mut self.legs[leg];
        state.stage = Stage::Up;
        state.answered = Some(now);
        state.unacked = Some((cseq, bytes.clone()));
        if let Some(server) = self.servers.get_mut(&key) {
            server.code = 200;
            server.last = Some(bytes.clone());
        }
        if twice {
            self.send(bytes.clone());
        }
        self.send(bytes);
        self.wake_at(now + t1, Wake::Answer(leg, cseq, t1));
    }

    /// The call is up, and the script goes on from here.
    pub(super) fn begin_acts(&mut self, now: Time, leg: usize) {
        let state = &mut self.legs[leg];
        if std::mem::replace(&mut state.acts_scheduled, true) {
            return;
        }
        let acts = match state.role {
            Role::Caller => &state.caller.acts,
            Role::Callee => &state.callee.acts,
        };
        let wakes: Vec<_> = acts.iter().enumerate().map(|(i, (after, _))| (now + *after, i)).collect();
        for (at, act) in wakes {
            self.wake_at(at, Wake::Act(leg, act));
        }
    }

    /// The next thing that the leg does.
    pub(super) fn act(&mut self, now: Time, leg: usize, index: usize) {
        let Some(state) = self.legs.get_mut(leg) else { return };
        if state.stage != Stage::Up {
            return;
        }
        let acts = match state.role {
            Role::Caller => &state.caller.acts,
            Role::Callee => &state.callee.acts,
        };
        let Some((_, act)) = acts.get(index).copied() else { return };
        let busy = state.inviting.is_some() || state.unacked.is_some();
        match act {
            Act::Bye => self.bye(now, leg),
            Act::Mute => state.muted = true,
            Act::Unmute => state.muted = false,
            Act::Pause => state.voice.pauses = true,
            Act::Key(digit) => state.voice.press(now, digit),
            Act::Refer => self.inside(now, leg, Method::Refer, |mut out| {
                out.header(HeaderName::ReferTo, b"<sip:somebody@example.net>");
                out.finish()
            }),
            Act::Hold | Act::Resume | Act::Ask | Act::Update | Act::Fax | Act::Speak if busy => {
                self.wake_at(now + PATIENCE, Wake::Act(leg, index));
            }
            Act::Hold | Act::Resume => {
                state.direction = if act == Act::Hold { "sendonly" } else { "sendrecv" };
                let body = self.description(leg, false);
                self.reinvite(now, leg, Some(body));
            }
            Act::Fax | Act::Speak => {
                // Until that is agreed, it is what it was.
                let was = std::mem::replace(&mut state.fax, act == Act::Fax);
                let body = self.description(leg, false);
                self.legs[leg].fax = was;
                self.reinvite(now, leg, Some(body));
            }
            Act::Ask => self.reinvite(now, leg, None),
            Act::Update => {
                let body = self.description(leg, false);
                self.inside(now, leg, Method::Update, |out| out.body(b"application/sdp", &body));
            }
            Act::Message => {
                self.inside(now, leg, Method::Message, |out| out.body(b"text/plain", b"Good morning"));
            }
            Act::Info => self.inside(now, leg, Method::Info, |out| {
                out.body(b"application/dtmf-relay", b"Signal=5\r\nDuration=160\r\n")
            }),
        }
    }

    pub(super) fn reinvite(&mut self, now: Time, leg: usize, body: Option<Vec<u8>>) {
        self.inside(now, leg, Method::Invite, |out| finish(out, body));
        self.legs[leg].inviting = Some(self.legs[leg].cseq);
    }

    /// A request inside the dialog.
    pub(super) fn inside(
        &mut self,
        now: Time,
        leg: usize,
        method: Method<'_>,
        end: impl FnOnce(Builder) -> Bytes,
    ) {
        let branch = self.branch();
        self.legs[leg].cseq += 1;
        let cseq = self.legs[leg].cseq;
        let mut out = self.request(leg, method, cseq, &branch);
        if matches!(method, Method::Invite | Method::Update) {
            self.say_session(leg, &mut out);
        }
        let bytes = end(out);
        self.start(now, leg, (&branch, method), cseq, bytes);
    }

    /// Hangs up.
    pub(super) fn bye(&mut self, now: Time, leg: usize) {
        let state = &mut self.legs[leg];
        state.stage = Stage::Over;
        state.unacked = None;
        self.inside(now, leg, Method::Bye, Builder::finish);
    }

    /// UPDATE before the call is up (RFC 3311).
    pub(super) fn update_early(&mut self, now: Time, leg: usize) {
        let state = &self.legs[leg];
        if state.stage == Stage::Early && state.settled && !state.cancelled {
            let body = self.description(leg, false);
            self.inside(now, leg, Method::Update, |out| out.body(b"application/sdp", &body));
        }
    }

    /// PRACK for a reliable provisional, once; with the answer where that brought the offer.
    pub(super) fn prack(&mut self, now: Time, leg: usize, response: &Message) {
        let (Ok(Some(rseq)), Ok(cseq)) = (response.rseq(), response.cseq()) else { return };
        let invite = cseq.number;
        if self.legs[leg].peer_rseq.is_some_and(|seen| rseq <= seen) {
            return;
        }
        self.legs[leg].peer_rseq = Some(rseq);
        let described = sdp::find(response).is_some();
        let answers = described && self.legs[leg].caller.late_offer && !self.legs[leg].settled;
        self.legs[leg].settled |= described;
        let body = answers.then(|| {
            self.described(now, leg, response);
            self.mirror(leg);
            self.description(leg, false)
        });
        self.inside(now, leg, Method::Prack, |mut out| {
            out.header(HeaderName::RAck, text(format!("{rseq} {invite} INVITE").as_bytes()).as_bytes());
            finish(out, body)
        });
    }
}

/// Ends a message with a session description or without a body.
pub(super) fn finish(out: Builder, body: Option<Vec<u8>>) -> Bytes {
    match body {
        Some(body) => out.body(b"application/sdp", &body),
        None => out.finish(),
    }
}
