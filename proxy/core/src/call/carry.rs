//! Requests inside the dialogs, carried from one leg to the other: re-INVITE, UPDATE, PRACK, INFO, MESSAGE.
//!
//! Each side has CSeq numbers of its own; a session description is anchored on its way; RAck is translated to the
//! target's own RSeq (RFC 3262 §7.2).

mod answers;
mod endings;

use super::forks::put_rack;
use super::leg::{finish, put_warning, respond};
use super::refer::status_line;
use super::{Call, Env, User};
use crate::demands;
use crate::dialog::MAX_FORWARDS;
use crate::limits::MAX_CARRIED;
use crate::transaction::{ClientKey, ClientKind, ServerKey};
use crate::{Peer, RejectReason};
use bytes::Bytes;
use relay_values::Leg;
use sip_wire::{Builder, HeaderName, Message, Method, sdp, unfold};
use std::borrow::Cow;

/// Header fields that say what a carried request or its body is: they pass as they came. Of those of the dialog, the path
/// and whoever sent it none does.
const CARRIED_FIELDS: [HeaderName; 5] = [
    HeaderName::InfoPackage,
    HeaderName::SubscriptionState,
    HeaderName::ReferSub,
    HeaderName::ReferTo,
    HeaderName::ReferredBy,
];

/// The same of a body that passes untouched.
const BODY_FIELDS: [HeaderName; 4] = [
    HeaderName::ContentDisposition,
    HeaderName::ContentEncoding,
    HeaderName::ContentLanguage,
    HeaderName::MimeVersion,
];

/// A request that was carried across and waits for its final response.
#[derive(Debug)]
pub(crate) struct Carried {
    /// The leg that it came from, and from where.
    from: Leg,
    source: Peer,
    server: ServerKey,
    request: Box<Message>,
    /// Our request on the other leg.
    client: ClientKey,
    cseq: u32,
    /// Which provisional a PRACK acknowledges there: its RSeq, and the number of the INVITE.
    rack: Option<(u32, u32)>,
    /// It has not been sent: the relay was asked for ports for what it offers.
    waits: bool,
    /// It brings an offer, or asks for one.
    offers: bool,
    /// Its sender has hung up, and has its 487.
    gone: bool,
    /// It is an UPDATE whose far end knows only re-INVITE, which is what it got.
    by_invite: bool,
}

/// What a carried request's final response means for the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CarriedOutcome {
    /// It was passed back.
    PassedBack,
    /// 2xx to a re-INVITE that nobody waits for any more.
    Unwanted,
}

impl Carried {
    /// Whether it brings an offer.
    fn has_offer(&self) -> bool {
        self.offers && sdp::find(&self.request).is_some()
    }

    /// Whether whoever has sent it is told of provisional responses, and owes an ACK.
    fn is_invite(&self) -> bool {
        matches!(self.request.method(), Method::Invite)
    }

    /// The method on the leg that it was carried to.
    fn method(&self) -> Method<'_> {
        if self.by_invite { Method::Invite } else { self.request.method() }
    }

    /// Its number on the leg that it was carried to.
    pub(super) fn number(&self) -> u32 {
        self.cseq
    }

    /// RFC 4320 §4.2: 408 is no response to what is no INVITE. Its sender has noticed by himself when it comes.
    fn must_not_say(&self, code: u16) -> bool {
        code == 408 && !self.is_invite()
    }

    /// Whether it is one that refreshes a session beside what it is for (RFC 4028 §2).
    fn refreshes(&self) -> bool {
        matches!(self.request.method(), Method::Invite | Method::Update)
    }
}

impl Call {
    /// A request inside a leg's dialog, ACK and CANCEL excepted.
    pub(crate) fn request(
        &mut self,
        env: &mut Env,
        leg: Leg,
        from: Peer,
        server: ServerKey,
        request: Message,
    ) {
        if let Err(code) = self.take_cseq(leg, &request) {
            env.counters.reject(RejectReason::CSeqOutOfOrder);
            return self.refuse(env, leg, from, server, &request, code);
        }
        if self.is_closing() && !matches!(request.method(), Method::Bye) {
            env.counters.reject(RejectReason::NoDialog);
            return self.refuse(env, leg, from, server, &request, 481);
        }
        if let Err((code, reason)) = demands::check(&request, &self.pinned.config.session) {
            env.counters.reject(reason);
            return self.refuse(env, leg, from, server, &request, code);
        }
        if self.only_refreshes(&request) {
            return self.refreshed_by(env, leg, from, server, &request);
        }
        if self.says_it_again(leg, &request)
            && !self.may_answer_yet(env, leg)
            && self.told_again(env, leg, from, server, &request)
        {
            return;
        }
        if self.cannot_carry(leg)
            && !matches!(request.method(), Method::Bye | Method::Options | Method::Refer)
        {
            // It comes again in a few seconds (RFC 3261 §14.1), when the tier leg has a home again.
            env.counters.reject(RejectReason::RequestPending);
            let code = self.busy_code(&request);
            return self.refuse(env, leg, from, server, &request, code);
        }
        match request.method() {
            Method::Bye => self.hung_up(env, leg, from, server, &request),
            Method::Options => self.refuse(env, leg, from, server, &request, 200),
            Method::Prack => self.pracked(env, leg, from, server, &request),
            Method::Invite | Method::Update | Method::Info | Method::Message => {
                if let Err((code, reason)) = self.carry(env, leg, from, server, &request, None) {
                    env.counters.reject(reason);
                    self.refuse(env, leg, from, server, &request, code);
                }
            }
            Method::Refer => {
                if let Err((code, reason)) = self.referred(env, leg, from, server, &request) {
                    env.counters.reject(reason);
                    self.refuse(env, leg, from, server, &request, code);
                }
            }
            Method::Notify => {
                if let Err((code, reason)) = self.notified(env, leg, from, server, &request) {
                    env.counters.reject(reason);
                    self.refuse(env, leg, from, server, &request, code);
                }
            }
            Method::Register | Method::Subscribe | Method::Publish | Method::Ack | Method::Cancel => {
                env.counters.reject(RejectReason::MethodNotAllowed);
                self.refuse(env, leg, from, server, &request, 405);
            }
            Method::Other(_) => {
                env.counters.reject(RejectReason::UnknownMethod);
                self.refuse(env, leg, from, server, &request, 501);
            }
        }
    }

    /// A request's number has to be above the last one's (RFC 3261 §12.2.2).
    fn take_cseq(&mut self, leg: Leg, request: &Message) -> Result<(), u16> {
        let number = request.cseq().map_err(|_| 400_u16)?.number;
        let dialog = self.leg_mut(leg).dialog.as_mut().ok_or(481_u16)?;
        if dialog.remote_cseq != 0 && number <= dialog.remote_cseq {
            return Err(500);
        }
        dialog.remote_cseq = number;
        Ok(())
    }

    /// Answers a request ourselves.
    pub(super) fn refuse(
        &self,
        env: &mut Env,
        leg: Leg,
        from: Peer,
        server: ServerKey,
        request: &Message,
        code: u16,
    ) {
        let mut out = respond(env, request, from, code, &self.leg(leg).tag);
        if matches!(request.method(), Method::Options) && code == 200 {
            demands::describe_us(&mut out, &self.pinned.config.session, env.allow(from.remote));
        }
        if code == 488 {
            put_warning(env, &mut out, from, request);
        }
        demands::explain(&mut out, code, request, &self.pinned.config.session, || env.allow(from.remote));
        if code == 500 {
            // RFC 3261 §14.2: a re-INVITE that comes too early is asked back within 0 to 10 seconds.
            out.number(HeaderName::RetryAfter, env.rng.below(10));
        }
        env.txns.respond(env.now, server, code, out.finish());
    }

    /// Carries a request to the other leg; a PRACK with what it acknowledges there.
    pub(super) fn carry(
        &mut self,
        env: &mut Env,
        leg: Leg,
        from: Peer,
        server: ServerKey,
        request: &Message,
        rack: Option<(u32, u32)>,
    ) -> Result<(), (u16, RejectReason)> {
        let other = leg.other();
        let is_invite = matches!(request.method(), Method::Invite);
        if request.max_forwards().ok().flatten() == Some(0) {
            return Err((483, RejectReason::TooManyHops));
        }
        if self.carried.len() >= MAX_CARRIED {
            return Err((500, RejectReason::RequestPending));
        }
        if is_invite && !self.is_answered() {
            return Err((491, RejectReason::RequestPending));
        }
        let description = sdp::find(request);
        let refreshes = matches!(request.method(), Method::Invite | Method::Update);
        let answers = !refreshes && self.media.is_answer(leg);
        let offers = is_invite || (description.is_some() && !answers);
        if let Some(code) = self.crosses(env, leg, is_invite).filter(|_| offers) {
            return Err((code, RejectReason::RequestPending));
        }
        if self.leg(other).dialog.is_none() || self.cannot_carry(leg) || self.has_left(other) {
            return Err((500, RejectReason::RequestPending));
        }
        let waits = offers && description.is_some_and(|sdp| self.open_lines(env, sdp));
        let client = env.txns.reserve(User::Carried(self.key, other));
        let method = request.method();
        let cseq = if waits { Ok(0) } else { self.send_carried(env, leg, client, request, method, rack) };
        if cseq.is_err() {
            env.txns.abandon(env.now, client);
        }
        let cseq = cseq?;
        if let Some(dialog) = self.leg_mut(leg).dialog.as_mut().filter(|_| refreshes) {
            dialog.retarget(request);
        }
        env.txns.bind(server, User::Carried(self.key, other));
        if is_invite {
            // The other leg may take longer than 200 ms (RFC 3261 §17.2.1).
            let trying = respond(env, request, from, 100, &self.leg(leg).tag).finish();
            env.txns.respond(env.now, server, 100, trying);
        }
        let request = Box::new(request.clone());
        self.carried.push(Carried {
            from: leg,
            source: from,
            server,
            request,
            client,
            cseq,
            rack,
            waits,
            offers,
            gone: false,
            by_invite: false,
        });
        Ok(())
    }

    /// How an offer from a leg is put off that would cross another one, on that leg or between the legs: 500 where the
    /// leg's own last offer has no answer yet, 491 where ours to it has none (RFC 3311 §5.2, RFC 3261 §14.2).
    fn crosses(&self, env: &Env, leg: Leg, is_invite: bool) -> Option<u16> {
        let carried = self.carried.iter().any(|carried| carried.from == leg && carried.offers);
        if carried || self.leg(leg).ack_due.is_some() {
            return Some(500);
        }
        if self.is_negotiating(is_invite) || [Leg::A, Leg::B].iter().any(|leg| self.may_answer_yet(env, *leg))
        {
            return Some(491);
        }
        // Before the answer: the exchange that the INVITE began has to be over on both legs.
        let pending = self.invite.as_deref()?;
        let with_caller = pending.is_final && !self.reliable.as_ref().is_some_and(|r| r.holds_answer());
        let with_target = pending.early.settled;
        match leg {
            Leg::A if !with_caller => Some(if pending.offer.is_some() { 500 } else { 491 }),
            Leg::B if !with_target => Some(if self.offer_in_invite() { 491 } else { 500 }),
            Leg::A | Leg::B => (!(with_caller && with_target)).then_some(500),
        }
    }

    /// Sends a request from `leg` to the other one. Its number there.
    fn send_carried(
        &mut self,
        env: &mut Env,
        leg: Leg,
        client: ClientKey,
        request: &Message,
        method: Method<'_>,
        rack: Option<(u32, u32)>,
    ) -> Result<u32, (u16, RejectReason)> {
        let anchored = sdp::find(request).map(|sdp| self.negotiate(env, leg, sdp)).transpose();
        let anchored = anchored.map_err(|()| (488, RejectReason::NotAcceptable))?;
        let built = self.build_carried(env, leg.other(), client, request, method, rack);
        let (out, cseq, to) = built.ok_or((500, RejectReason::RequestPending))?;
        let invite = matches!(method, Method::Invite);
        let kind = if invite { ClientKind::Invite } else { ClientKind::NonInvite };
        env.txns.start(env.now, client, to, kind, with_body(out, request, anchored));
        Ok(cseq)
    }

    /// The relay has ports for what was offered, as far as it has any left: what has waited for them is sent.
    pub(super) fn carry_on(&mut self, env: &mut Env) {
        let Some(at) = self.carried.iter().position(|carried| carried.waits) else { return };
        let mut carried = self.carried.swap_remove(at);
        let (request, method) = (&carried.request, carried.method());
        match self.send_carried(env, carried.from, carried.client, request, method, carried.rack) {
            Ok(cseq) => {
                (carried.cseq, carried.waits) = (cseq, false);
                self.carried.push(carried);
            }
            Err((code, reason)) => {
                env.counters.reject(reason);
                self.drop_waiting(env, carried, code);
            }
        }
    }

    /// Whether an offer is on its way, or an INVITE's 2xx waits for its ACK on either leg.
    pub(super) fn is_negotiating(&self, is_invite: bool) -> bool {
        self.refreshes_by_invite() || self.is_carrying_offer(is_invite)
    }

    /// Whether an UPDATE is on its way from one leg to the other.
    pub(super) fn is_updating(&self) -> bool {
        self.carried.iter().any(|carried| matches!(carried.request.method(), Method::Update))
    }

    fn is_carrying_offer(&self, is_invite: bool) -> bool {
        let pending = self.carried.iter().any(|carried| carried.offers);
        let late_offer = self.a.ack_due.is_some() || self.b.ack_due.is_some();
        pending || late_offer || (is_invite && (self.a.unacked.is_some() || self.b.unacked.is_some()))
    }

    /// Whether there is nobody to carry a request to: the tier leg is on its way, or a drill keeps SIP from it.
    fn cannot_carry(&self, from: Leg) -> bool {
        let moving = matches!(self.state, super::State::Rehoming(rehome) if !rehome.has_tier());
        moving || self.is_deaf(from.other())
    }

    /// Whether a leg is one that the call has given up.
    pub(super) fn is_left(&self, leg: Leg) -> bool {
        leg == self.tier_leg() && self.cannot_carry(leg.other())
    }

    /// How a request that changes the session, or another one, is put off.
    fn busy_code(&self, request: &Message) -> u16 {
        match request.method() {
            Method::Invite | Method::Update => 491,
            _ => 500,
        }
    }

    /// Whether an exchange of descriptions is under way, which a move would cross.
    pub(super) fn is_between_offers(&self) -> bool {
        self.is_carrying_offer(false)
    }

    fn build_carried(
        &mut self,
        env: &mut Env,
        leg: Leg,
        client: ClientKey,
        request: &Message,
        method: Method<'_>,
        rack: Option<(u32, u32)>,
    ) -> Option<(Builder, u32, Peer)> {
        let session = self.leg(leg).session;
        let policy = self.pinned.config.session;
        let event = self.event_for(leg.other(), request);
        let dialog = self.leg_mut(leg).dialog.as_mut()?;
        let face = env.faces.get(dialog.peer.listener)?;
        let hops = request.max_forwards().ok().flatten().unwrap_or(MAX_FORWARDS).saturating_sub(1);
        let mut out = dialog.request_hops(method, face, env.txns.branch(client).as_bytes(), hops);
        if matches!(method, Method::Invite | Method::Update) {
            out.header(HeaderName::Contact, &face.contact)
                .header(HeaderName::Allow, env.allow(dialog.peer.remote));
            session.write_request(&policy, &mut out);
        }
        if let Some((rseq, cseq)) = rack {
            put_rack(&mut out, rseq, cseq);
        }
        if matches!(method, Method::Refer | Method::Notify) {
            out.header(HeaderName::Contact, &face.contact);
        }
        match event {
            Some(event) => out.header(HeaderName::Event, event.as_bytes()),
            None => &mut out,
        };
        for name in CARRIED_FIELDS {
            for value in request.lines(name) {
                out.header(name, &unfold(value));
            }
        }
        Some((out, dialog.local_cseq, dialog.peer))
    }

    /// A session description inside the dialog is the answer to the other leg's offer, or an offer itself.
    fn negotiate<'s>(&mut self, env: &mut Env, from: Leg, sdp: &'s [u8]) -> Result<Cow<'s, [u8]>, ()> {
        let result = if self.media.is_answer(from) {
            self.media.answer(from, sdp, &mut |command| env.relay(command))
        } else {
            self.media.offer(from, sdp)
        };
        result.map_err(|_| ())
    }
}

/// Ends a carried message: the anchored description, or a body that the relay has no part in.
fn with_body(mut out: Builder, original: &Message, anchored: Option<Cow<'_, [u8]>>) -> Bytes {
    if anchored.is_some() {
        return finish(out, anchored.as_deref());
    }
    let body = original.body();
    match original.header(HeaderName::ContentType) {
        Some(kind) if !body.is_empty() && sdp::find(original).is_none() => {
            for name in BODY_FIELDS {
                for value in original.lines(name) {
                    out.header(name, &unfold(value));
                }
            }
            let body = if kind.get(..15).is_some_and(|kind| kind.eq_ignore_ascii_case(b"message/sipfrag")) {
                status_line(&body)
            } else {
                &body
            };
            out.body(kind, body)
        }
        _ => out.finish(),
    }
}
