//! Reliable provisional responses to the caller (RFC 3262 §3).
//!
//! They are ours, whoever stands behind them: we number them, and say each again until its PRACK comes. Only one is out at
//! a time; what the target says meanwhile waits behind it.
//!
//! ```text
//!           18x                          PRACK
//!   Idle ─────────▶ one is out ─────────────────────▶ the next that waits, or Idle
//!                   │        ▲  T1, 2·T1, 4·T1 …
//!                   └────────┘
//!                      64·T1 without PRACK: the INVITE is refused with 500
//! ```
//!
//! Where the target's response was a reliable one too, the caller's PRACK goes on to it, with whatever it carries. Where
//! the target knows no reliable responses, PRACK is answered here; and where the caller knows none, the target gets its
//! PRACK from us ([`forks`](super::forks)).

use super::leg::{finish, respond};
use super::uas::EarlyAnswer;
use super::{Call, CallEvent, Env, State};
use crate::limits::MAX_PROVISIONALS;
use crate::transaction::ServerKey;
use crate::{CloseReason, Peer, RejectReason, StepOutcome};
use bytes::Bytes;
use relay_values::{Duration, Leg, Time};
use sip_wire::{HeaderName, Message, sdp};
use std::collections::VecDeque;

/// RFC 3262 §3: the first number is below 2^31, so that those that follow never wrap.
const FIRST_BELOW: u64 = 1 << 31;

/// The caller's side of a call that has sent reliable provisionals.
#[derive(Debug)]
pub(super) struct Reliable {
    /// Of the last one that was sent.
    rseq: u32,
    /// CSeq of the INVITE.
    invite: u32,
    /// The one that waits for its PRACK.
    out: Option<Out>,
    /// Those that wait for that, in order.
    queue: VecDeque<Provisional>,
}

/// A reliable provisional that waits for its PRACK.
#[derive(Debug)]
struct Out {
    code: u16,
    bytes: Bytes,
    /// It carries an offer or an answer.
    described: bool,
    behind: Option<Behind>,
    again: Time,
    interval: Duration,
    until: Time,
}

/// A provisional response for the caller.
#[derive(Debug)]
pub(super) struct Provisional {
    pub(super) code: u16,
    pub(super) description: Option<Bytes>,
    pub(super) behind: Option<Behind>,
}

/// The target's own reliable provisional behind one of ours.
#[derive(Debug, Clone)]
pub(super) struct Behind {
    /// The To tag of the fork that sent it.
    pub(super) fork: Box<[u8]>,
    pub(super) rseq: u32,
}

impl Reliable {
    /// When the one that is out is to be said again, or given up.
    pub(super) fn deadline(&self) -> Time {
        self.out.as_ref().map_or(Time::NEVER, |out| out.again.min(out.until))
    }

    /// Whether a 2xx has to wait (§3): the offer or the answer that is out may be lost.
    pub(super) fn holds_answer(&self) -> bool {
        self.out.as_ref().is_some_and(|out| out.described)
    }

    /// A description that waits for its turn: the caller has not been told.
    pub(super) fn untold(&self) -> Option<Bytes> {
        self.queue.iter().rev().find_map(|said| said.description.clone())
    }

    /// The target is left: nobody there waits for PRACK any more, and what it said and was not told yet is history.
    pub(super) fn forget_target(&mut self) {
        self.queue.clear();
        if let Some(out) = &mut self.out {
            out.behind = None;
        }
    }

    /// The INVITE has its final response: nothing is said again, but the last PRACK may still come (§3).
    pub(super) fn rest(&mut self) {
        self.queue.clear();
        if let Some(out) = &mut self.out {
            (out.bytes, out.again, out.until) = (Bytes::new(), Time::NEVER, Time::NEVER);
        }
    }
}

impl Call {
    /// Tells the caller of progress: reliably where he wants that, or where he can and the target did.
    pub(super) fn respond_progress(&mut self, env: &mut Env, said: Provisional) {
        let Some(pending) = self.invite.as_deref() else { return };
        let reliably = pending.requires_100rel || (pending.supports_100rel && said.behind.is_some());
        if !reliably {
            let out = respond(env, &pending.request, self.admitted.source, said.code, &self.a.tag);
            let bytes = finish(out, said.description.as_deref());
            return env.txns.respond(env.now, pending.server, said.code, bytes);
        }
        match &mut self.reliable {
            Some(reliable) if reliable.out.is_some() => {
                if reliable.queue.len() < MAX_PROVISIONALS {
                    return reliable.queue.push_back(said);
                }
                // The caller has enough to acknowledge.
                if let Some(behind) = said.behind {
                    self.prack(env, behind.rseq);
                }
            }
            Some(_) | None => self.respond_reliably(env, said),
        }
    }

    fn respond_reliably(&mut self, env: &mut Env, said: Provisional) {
        let Some(pending) = self.invite.as_deref() else { return };
        let rseq = match &self.reliable {
            Some(before) => before.rseq.saturating_add(1),
            // Below 2^31.
            None => 1 + env.rng.below(FIRST_BELOW - 1) as u32,
        };
        let mut out = respond(env, &pending.request, self.admitted.source, said.code, &self.a.tag);
        out.header(HeaderName::Require, b"100rel").number(HeaderName::RSeq, u64::from(rseq));
        let bytes = finish(out, said.description.as_deref());
        env.txns.respond(env.now, pending.server, said.code, bytes.clone());
        let t1 = env.newest.config.timers.t1;
        let out = Out {
            code: said.code,
            bytes,
            described: said.description.is_some(),
            behind: said.behind,
            again: env.now + t1,
            interval: t1,
            until: env.now + t1.saturating_mul(64),
        };
        match &mut self.reliable {
            Some(reliable) => (reliable.rseq, reliable.out) = (rseq, Some(out)),
            None => {
                let invite = pending.request.cseq().map(|cseq| cseq.number).unwrap_or_default();
                let reliable = Reliable { rseq, invite, out: Some(out), queue: VecDeque::new() };
                self.reliable = Some(Box::new(reliable));
            }
        }
    }

    /// The call's timer: what is out is said again. The call's next state, where nobody has acknowledged it for too long.
    pub(super) fn repeat_provisional(&mut self, env: &mut Env) -> Option<State> {
        let now = env.now;
        let out = self.reliable.as_mut()?.out.as_mut().filter(|out| out.again.min(out.until) <= now)?;
        if now < out.until {
            out.interval = out.interval.saturating_mul(2);
            out.again = now + out.interval;
            let (code, bytes) = (out.code, out.bytes.clone());
            let server = self.invite.as_deref()?.server;
            env.txns.respond(now, server, code, bytes);
            return None;
        }
        match self.state {
            State::Hunting(attempt) => {
                self.step_ends(StepOutcome::Cancelled);
                self.leave(env, attempt);
            }
            State::Opening { .. } => {}
            State::Answered | State::Rehoming(_) | State::Closing(_) | State::Over(..) => return None,
        }
        Some(self.reject(env, 500, CloseReason::NoPrack, None))
    }

    /// PRACK from a leg.
    pub(super) fn pracked(
        &mut self,
        env: &mut Env,
        leg: Leg,
        from: Peer,
        server: ServerKey,
        prack: &Message,
    ) {
        let Some(out) = self.take_out(leg, prack) else {
            env.counters.reject(RejectReason::NoTransaction);
            return self.refuse(env, leg, from, server, prack, 481);
        };
        let behind = out.behind.filter(|behind| self.turn_to(&behind.fork));
        let rack = behind.map(|behind| (behind.rseq, self.b.invite_cseq));
        let passed = match rack {
            Some(rack) => self.carry(env, leg, from, server, prack, Some(rack)),
            // It was ours alone, so no other exchange of descriptions can begin with it.
            None if sdp::find(prack).is_some() => Err((488, RejectReason::NotAcceptable)),
            None => {
                self.refuse(env, leg, from, server, prack, 200);
                Ok(())
            }
        };
        match passed {
            Ok(()) if sdp::find(prack).is_some() => self.late_offer_answered(),
            Ok(()) => {}
            Err((code, reason)) => {
                env.counters.reject(reason);
                self.refuse(env, leg, from, server, prack, code);
            }
        }
        self.go_on(env);
    }

    /// PRACK has brought the answer to an offer in a reliable provisional: that was the exchange of this INVITE.
    fn late_offer_answered(&mut self) {
        if self.offer_in_invite() {
            return;
        }
        if let Some(pending) = self.invite.as_deref_mut() {
            (pending.early.settled, pending.early.told) = (true, true);
            (pending.answer, pending.is_final) = (EarlyAnswer::Given, true);
        }
    }

    /// Whether the caller was told of an offer that he has not answered yet. Nobody else can make him another one before.
    pub(super) fn late_offer_is_out(&self) -> bool {
        !self.offer_in_invite() && self.reliable.as_ref().is_some_and(|reliable| reliable.holds_answer())
    }

    /// What a PRACK acknowledges: the one that is out, and no other (§3).
    fn take_out(&mut self, leg: Leg, prack: &Message) -> Option<Out> {
        let rack = prack.rack().ok().flatten()?;
        let reliable = self.reliable.as_mut().filter(|_| leg == Leg::A)?;
        let same = rack.rseq == reliable.rseq && rack.cseq == reliable.invite;
        reliable.out.take_if(|_| same)
    }

    /// What has waited for a PRACK: the answer of the target, or what else it said.
    fn go_on(&mut self, env: &mut Env) {
        let Some(pending) = self.invite.as_deref_mut() else { return };
        if let Some(description) = pending.held.take() {
            return self.handle(env, CallEvent::Answer { description });
        }
        if let Some(next) = self.reliable.as_mut().and_then(|reliable| reliable.queue.pop_front()) {
            self.respond_reliably(env, next);
        }
    }
}
