//! A transfer that we carry out: the leg that has asked for it by REFER gives way to another, and the other leg hears of
//! nothing but another voice. A blind one places a new leg; an attended one takes a leg of another call of ours, which the
//! Replaces in Refer-To names (RFC 3515, RFC 3891, RFC 5589).
//!
//! ```text
//!  REFER ─▶ 202, NOTIFY 100 ─▶ INVITE (or re-INVITE of the other call's leg) ──▶ 2xx ─▶ NOTIFY 200, BYE, media moved
//!                                │    ▲ 1xx: NOTIFY                         └──▶ refused, no answer: NOTIFY, as before
//!                                └────┘
//! ```
//!
//! What the new leg is offered is what was agreed with the leg that stays. Whoever has asked may hang up at once: the leg that
//! stays then waits for the new one, and hears the fill of a call that is moved.

use super::invite;
use super::leg::respond;
use super::lending::{Given, Lent};
use super::refer::ReferTo;
use super::session::write_first;
use super::uac::INVITE_CSEQ;
use super::{Call, CallLeg, Env, State, User};
use crate::demands::Refusal;
use crate::dialog::Dialog;
use crate::identity::{Hosting, request_uri};
use crate::ids::{CallKey, LocalTag};
use crate::limits::MAX_TRANSFER_TRIES;
use crate::route::{Plan, in_order, plan_inbound, plan_outbound, plan_to};
use crate::shard::Join;
use crate::transaction::{ClientKey, ClientKind, ServerKey};
use crate::{CloseReason, Peer, RejectReason, Source, TargetId};
use bytes::Bytes;
use relay_values::{Leg, RegionId, RelayCommand, Time};
use sip_wire::{HeaderName, Message, Method, NameAddr, Uri, reason_phrase, sdp};

/// The region of a leg that is in none: a carrier's.
pub(super) const NOWHERE: RegionId = RegionId(u16::MAX - 1);

/// A transfer under way.
#[derive(Debug)]
pub(super) struct Transfer {
    /// The leg that has asked for it.
    pub(super) by: Leg,
    /// Its REFER's number, by which NOTIFY names it.
    refer: u32,
    /// It does not want to hear how it goes on (RFC 4488).
    quiet: bool,
    /// It has hung up since.
    left: bool,
    whom: Whom,
    client: ClientKey,
    /// When the call's patience with the present attempt ends.
    until: Time,
    /// The last code that was told.
    told: u16,
}

/// Who takes the leg's place.
#[derive(Debug)]
enum Whom {
    /// A new leg.
    New(Box<Called>),
    /// A leg of another call.
    Adopted { of: CallKey, leg: Leg },
}

/// A new leg's place.
#[derive(Debug)]
struct Called {
    called: Box<[u8]>,
    /// User part of whoever has asked for it (RFC 3892).
    referred_by: Box<[u8]>,
    plan: Plan,
    target: TargetId,
    tries: u8,
    hops: u8,
}

impl Call {
    /// Begins a transfer.
    pub(super) fn transfer(
        &mut self,
        env: &mut Env,
        by: Leg,
        from: Peer,
        server: ServerKey,
        refer: &Message,
    ) -> Result<(), Refusal> {
        let to = ReferTo::read(refer).map_err(|code| (code, RejectReason::Malformed))?;
        let ready = matches!(self.state, State::Answered) && self.transfer.is_none() && self.lent.is_none();
        if !ready || self.is_between_offers() || self.is_negotiating(true) {
            return Err((500, RejectReason::RequestPending));
        }
        if !self.media.can_move() {
            return Err((488, RejectReason::NotAcceptable));
        }
        let whom = match &to.replaces {
            Some(replaces) => {
                let named = LocalTag::decode(&replaces.to_tag);
                let (_, leg, of) = named.filter(|(shard, ..)| *shard == env.shard).ok_or(ELSEWHERE)?;
                if of == self.key {
                    return Err(ELSEWHERE);
                }
                Whom::Adopted { of, leg: leg.other() }
            }
            None => Whom::New(Box::new(self.place_for(env, from, &to, refer)?)),
        };
        let quiet =
            refer.header(HeaderName::ReferSub).is_some_and(|value| value.eq_ignore_ascii_case(b"false"));
        let refer_number = refer.cseq().map(|cseq| cseq.number).unwrap_or_default();
        let mut accepted = respond(env, refer, from, 202, &self.leg(by).tag);
        if let Some(face) = env.face(from.listener) {
            accepted.header(HeaderName::Contact, &face.contact);
        }
        if quiet {
            accepted.header(HeaderName::ReferSub, b"false");
        }
        env.txns.respond(env.now, server, 202, accepted.finish());
        let client = env.txns.reserve(User::Transfer(self.key));
        let until = env.now + env.newest.config.hunt.no_response;
        let (left, told) = (false, 0);
        self.transfer =
            Some(Box::new(Transfer { by, refer: refer_number, quiet, left, whom, client, until, told }));
        self.tell_transferor(env, 100, false);
        match to.replaces {
            None => self.call_new_leg(env),
            Some(replaces) => {
                // Once it is asked it has as long as anybody who rings.
                self.wait_for_new_leg(env.now + env.newest.config.hunt.no_answer);
                match self.media.offer_again(by) {
                    Some(offer) => env.joins.push(Join::Ask { asker: self.key, client, replaces, offer }),
                    None => self.not_transferred(env, 488),
                }
            }
        }
        Ok(())
    }

    /// Where a new leg goes: to the target that the REFER names, else as a call of whoever has sent it would.
    fn place_for(&self, env: &mut Env, from: Peer, to: &ReferTo, refer: &Message) -> Result<Called, Refusal> {
        const NO_ROUTE: Refusal = (404, RejectReason::NoRoute);
        let snapshot = env.newest.clone();
        let (config, router) = (&snapshot.config, &snapshot.router);
        let Some(hops) = refer
            .max_forwards()
            .ok()
            .flatten()
            .unwrap_or(u8::MAX)
            .min(self.admitted.max_forwards)
            .checked_sub(1)
        else {
            return Err((483, RejectReason::TooManyHops));
        };
        let mut targets = (0..).map(TargetId).zip(&config.targets);
        let named = targets.find(|(_, target)| Some(target.peer.remote) == to.at);
        let source = env.source(from).or_else(|| {
            let dialog = self.leg(self.tier_leg()).dialog.as_ref()?;
            env.source(dialog.peer)
        });
        let source = source.ok_or(NO_ROUTE)?;
        // As whoever refers dials.
        let called = config.profile(source.owner()).plan.canonical(&to.called);
        let number = std::str::from_utf8(&called).map_err(|_| NO_ROUTE)?;
        let mut plan = match (named, source) {
            (Some((id, _)), _) => plan_to(&snapshot, env.now, id, &mut env.rng),
            (None, Source::Trunk(trunk)) => {
                let site = router.inbound(trunk, number).ok_or(NO_ROUTE)?;
                plan_inbound(&snapshot, env.now, site, &mut env.rng)
            }
            (None, Source::Group(group)) => {
                let choices = router.outbound(router.site_of(group), number).ok_or(NO_ROUTE)?;
                let trunks = in_order(choices, &mut env.rng);
                plan_outbound(&snapshot, env.now, &trunks, &mut env.rng)
            }
        };
        let target = plan.next(&snapshot, None).ok_or((503, RejectReason::NoTarget))?;
        let referrer = refer.header(HeaderName::ReferredBy).or_else(|| refer.header(HeaderName::From));
        let referrer = referrer.and_then(|value| NameAddr::parse(value).ok());
        let referrer = referrer.and_then(|value| Uri::parse(value.uri).ok()?.user);
        let referred_by = referrer.filter(|user| crate::identity::is_safe(user)).unwrap_or_default().into();
        Ok(Called { called: called.into(), referred_by, plan, target, tries: 0, hops })
    }

    /// Sends the INVITE of the present attempt, or of the next one that can be sent.
    fn call_new_leg(&mut self, env: &mut Env) {
        let snapshot = env.newest.clone();
        loop {
            let Some(Transfer { by, whom: Whom::New(called), client, .. }) = self.transfer.as_deref_mut()
            else {
                return;
            };
            let (by, client, id) = (*by, *client, called.target);
            called.tries += 1;
            let target = snapshot.config.target(id);
            let serves = target.filter(|to| self.media.serves(by, to.peer.remote.is_ipv6()));
            let offer = serves.and_then(|_| self.media.offer_again(by));
            let invite = offer.and_then(|offer| self.build_transfer(env, by, client, &offer));
            if let (Some(invite), Some(to)) = (invite, target) {
                env.txns.start(env.now, client, to.peer, ClientKind::Invite, invite);
                return self.wait_for_new_leg(env.now + env.newest.config.hunt.no_response);
            }
            if !self.choose_next(env) {
                env.txns.abandon(env.now, client);
                return self.not_transferred(env, 503);
            }
        }
    }

    /// Turns to the next target of the plan, if there is one to be tried.
    fn choose_next(&mut self, env: &Env) -> bool {
        let Some(Transfer { whom: Whom::New(called), .. }) = self.transfer.as_deref_mut() else {
            return false;
        };
        let next = called.plan.next(&env.newest, None).filter(|_| called.tries < MAX_TRANSFER_TRIES);
        next.map(|target| called.target = target).is_some()
    }

    /// The INVITE: from whoever stays, to whom the REFER names.
    fn build_transfer(&self, env: &mut Env, by: Leg, client: ClientKey, offer: &[u8]) -> Option<Bytes> {
        let Whom::New(new) = &self.transfer.as_ref()?.whom else { return None };
        let call_id = env.fresh_call_id();
        let branch = env.txns.branch(client);
        let to = env.newest.config.target(new.target)?.peer;
        let (face, aim) = (env.face(to.listener)?, env.faces.aim(new.target)?);
        let identity = self.admitted.identity.transferred(by == Leg::A, &new.called);
        let profile = env.newest.config.profile(env.newest.config.target(new.target)?.owner);
        let uri = request_uri(&new.called, &aim.host_port, profile);
        let mut out = invite::to(&uri, face, branch.as_bytes(), new.hops);
        identity.write(&mut out, self.leg(by).tag.as_bytes(), &Hosting::new(face, aim), profile);
        let contact = identity.contact(&face.contact, profile);
        invite::put_dialog(&mut out, &contact, &call_id, INVITE_CSEQ, env.allow(to.remote));
        if !new.referred_by.is_empty() {
            out.parts(HeaderName::ReferredBy, &[b"<sip:", &new.referred_by, b"@", &face.host, b">"]);
        }
        write_first(&self.pinned.config.session, 0, &mut out);
        Some(self.finish_invite(out, Some(offer)))
    }

    /// Whether this INVITE to a new leg is the one that is out.
    pub(super) fn is_placing_by(&self, by: ClientKey) -> bool {
        let transfer = self.transfer.as_deref();
        transfer.is_some_and(|transfer| transfer.client == by && matches!(transfer.whom, Whom::New(_)))
    }

    /// It was said again.
    pub(super) fn places_by(&mut self, env: &Env, by: ClientKey) {
        if let Some(transfer) = self.transfer.as_deref_mut() {
            transfer.client = by;
        }
        self.wait_for_new_leg(env.now + env.newest.config.hunt.no_response);
    }

    /// The target of a new leg.
    pub(super) fn placed_at(&self) -> Option<TargetId> {
        match &self.transfer.as_deref()?.whom {
            Whom::New(called) => Some(called.target),
            Whom::Adopted { .. } => None,
        }
    }

    /// A response to the INVITE or re-INVITE of a transfer. Whether nobody wants it.
    pub(crate) fn read_transfer(
        &mut self,
        env: &mut Env,
        client: ClientKey,
        from: Peer,
        response: &Message,
    ) -> bool {
        let code = response.code().unwrap_or(0);
        let Some(transfer) = self.transfer.as_deref().filter(|transfer| transfer.client == client) else {
            return (200..300).contains(&code) && !self.transferred_again(env, response);
        };
        let by = transfer.by;
        match code {
            0..=100 => self.wait_for_new_leg(env.now + env.newest.config.hunt.no_progress),
            101..=199 => {
                self.tell_transferor(env, code, false);
                self.wait_for_new_leg(env.now + env.newest.config.hunt.no_answer);
            }
            200..=299 => {
                let answer = sdp::find(response).map(|found| response.body().slice_ref(found));
                if let Whom::Adopted { of, leg } = transfer.whom {
                    env.joins.push(Join::Take {
                        asker: self.key,
                        of,
                        leg,
                        answer: Box::new(response.clone()),
                    });
                    return false;
                }
                let Some(mut dialog) = Dialog::uac(response, from) else { return false };
                dialog.passes = env.txns.shown(client).map(|shown| Box::new(shown.passes.clone()));
                let cseq = dialog.local_cseq;
                let mut leg = CallLeg::new(self.leg(by).tag);
                leg.session.answered(env.now, &self.pinned.config.session, response);
                leg.dialog = Some(dialog);
                leg.invite_cseq = cseq;
                leg.ack(env, cseq, None);
                let (edge, region) = self.place_of_new_leg(env);
                self.takes_over(env, Given { leg, edge, region, line: None }, answer);
            }
            _ => self.transfer_refused(env, code),
        }
        false
    }

    /// The seat of the target that has answered.
    fn place_of_new_leg(&self, env: &Env) -> (Option<TargetId>, RegionId) {
        let Some(Transfer { whom: Whom::New(new), .. }) = self.transfer.as_deref() else {
            return (None, NOWHERE);
        };
        match env.newest.config.region_of(new.target) {
            Some(region) => (Some(new.target), region),
            None => (None, NOWHERE),
        }
    }

    /// A 2xx of the leg that has taken over, said again.
    fn transferred_again(&self, env: &mut Env, response: &Message) -> bool {
        let tag = response.to().ok().and_then(|to| to.tag()).unwrap_or_default();
        let (call_id, number) =
            (response.call_id().unwrap_or_default(), response.cseq().map(|cseq| cseq.number));
        [Leg::A, Leg::B].into_iter().map(|leg| self.leg(leg)).any(|leg| {
            let same = leg.dialog.as_ref().is_some_and(|dialog| dialog.matches(call_id, tag));
            same && number.is_ok_and(|number| leg.ack_again(env, number))
        })
    }

    /// The new leg has answered and has its ACK: it takes the place of the one that asked for it, if its media is that of
    /// the leg that stays.
    pub(super) fn takes_over(&mut self, env: &mut Env, given: Given, answer: Option<Bytes>) {
        let Some(by) = self.transfer.as_deref().map(|transfer| transfer.by) else { return };
        let Given { mut leg, edge, region, line } = given;
        let tier = by == self.tier_leg();
        let told = if tier { region } else { self.region() };
        let fits = answer.as_deref().is_some_and(|sdp| self.media.fits(by, sdp).is_ok());
        let moved = answer.as_deref().filter(|_| fits).is_some_and(|sdp| {
            self.media.move_tier(by, sdp, told, &mut |command| env.relay(command)).is_ok()
        });
        if !moved {
            leg.bye(env, Some(b"SIP;cause=488;text=\"not_acceptable\""));
            return self.not_transferred(env, 488);
        }
        if let Some(line) = line {
            self.media.goes_on(by, line);
        }
        self.tell_transferor(env, 200, true);
        self.park_session(env, by);
        if tier {
            // The record names the leg that the call began with.
            self.mobile();
        } else if by == Leg::A {
            self.remember_call_ids();
        }
        let mut old = std::mem::replace(self.leg_mut(by), leg);
        let left = self.transfer.take().is_some_and(|transfer| transfer.left);
        old.owes_nothing(env);
        if !left {
            old.bye(env, None);
        }
        if tier {
            match edge {
                Some(edge) => self.change_seat(env, edge, region),
                None => self.leaves_the_tier(env),
            }
        }
    }

    /// The tier has no part in the call any more: nothing of it is moved from now on.
    fn leaves_the_tier(&mut self, env: &mut Env) {
        (self.seat.edge, self.seat.origin) = (None, None);
        self.admitted.region = NOWHERE;
        self.seat.cut = None;
        self.place(env, NOWHERE, false);
    }

    fn wait_for_new_leg(&mut self, until: Time) {
        if let Some(transfer) = self.transfer.as_deref_mut() {
            transfer.until = until;
        }
    }

    /// The target says no: the next one, where the policy hunts on that code.
    fn transfer_refused(&mut self, env: &mut Env, code: u16) {
        let hunts = env.newest.config.hunt.advance_on.contains(&code);
        if hunts && self.choose_next(env) {
            return self.call_next(env);
        }
        self.not_transferred(env, code);
    }

    fn call_next(&mut self, env: &mut Env) {
        let client = env.txns.reserve(User::Transfer(self.key));
        if let Some(transfer) = self.transfer.as_deref_mut() {
            transfer.client = client;
        }
        self.call_new_leg(env);
    }

    /// Nothing came of the present attempt: `client` says which, where a transaction has ended by itself.
    pub(crate) fn transfer_unanswered(&mut self, env: &mut Env, client: ClientKey) {
        if self.transfer.as_deref().is_some_and(|transfer| transfer.client == client) {
            self.transfer_refused(env, 408);
        }
    }

    /// When the transfer wants to be looked at.
    pub(super) fn transfer_deadline(&self) -> Time {
        self.transfer.as_deref().map_or(Time::NEVER, |transfer| transfer.until)
    }

    /// The patience with an attempt may have ended.
    pub(super) fn transfer_timer(&mut self, env: &mut Env) {
        let Some(transfer) = self.transfer.as_deref().filter(|transfer| transfer.until <= env.now) else {
            return;
        };
        env.txns.cancel(env.now, transfer.client, None);
        self.transfer_refused(env, 408);
    }

    /// It came to nothing: the leg that has asked for it goes on, unless it has hung up.
    pub(crate) fn not_transferred(&mut self, env: &mut Env, code: u16) {
        self.tell_transferor(env, code, true);
        let Some(transfer) = self.transfer.take() else { return };
        if let Whom::Adopted { of, .. } = transfer.whom {
            env.joins.push(Join::Return { of });
        }
        if transfer.left {
            self.state = self.close(env, CloseReason::NotTransferred, Some(transfer.by));
        }
    }

    /// The call ends, or its tier leg has to move: whatever was on its way is given up.
    pub(super) fn give_up_transfer(&mut self, env: &mut Env) {
        self.tell_transferor(env, 487, true);
        let Some(transfer) = self.transfer.take() else { return };
        env.txns.cancel(env.now, transfer.client, None);
        if let Whom::Adopted { of, .. } = transfer.whom {
            env.joins.push(Join::Return { of });
        }
    }

    /// Whether this leg has asked for a transfer and hung up: there is nobody to say BYE to.
    pub(super) fn has_left(&self, leg: Leg) -> bool {
        self.transfer.as_deref().is_some_and(|transfer| transfer.by == leg && transfer.left)
            || self.lent == Some(Lent::Left(leg))
    }

    /// BYE of a leg in the middle of a transfer. Whether the call goes on without it: it waits for who comes instead, or
    /// for what becomes of the leg that it has lent.
    pub(super) fn leaves_to_others(&mut self, env: &mut Env, leg: Leg) -> bool {
        match (self.transfer.as_deref_mut(), self.lent) {
            (Some(transfer), _) if transfer.by == leg => transfer.left = true,
            (None, Some(Lent::Here(lent))) if lent == leg.other() => self.lent = Some(Lent::Left(leg)),
            _ => return false,
        }
        self.park_session(env, leg);
        self.leg_mut(leg).session = super::SessionTimer::IDLE;
        let fill = self.media.fill(leg, env.newest.config.rehome.fill);
        if let Some(session) = self.media.session() {
            env.relay(RelayCommand::Bridge { session, leg, fill });
        }
        true
    }

    /// NOTIFY to whoever has asked for the transfer (RFC 3515 §2.4.4). The same code is told once.
    fn tell_transferor(&mut self, env: &mut Env, code: u16, over: bool) {
        let Some(transfer) = self.transfer.as_deref_mut() else { return };
        if transfer.quiet || transfer.left || (transfer.told == code && !over) {
            return;
        }
        transfer.told = code;
        let (key, by, refer) = (self.key, transfer.by, transfer.refer);
        let Some(dialog) = &mut self.leg_mut(by).dialog else { return };
        let Some(face) = env.faces.get(dialog.peer.listener) else { return };
        let client = env.txns.reserve(User::Within(key, by));
        let mut out = dialog.request(Method::Notify, face, env.txns.branch(client).as_bytes());
        out.header(HeaderName::Contact, &face.contact);
        out.header(HeaderName::Event, format!("refer;id={refer}").as_bytes());
        let state: &[u8] = if over { b"terminated;reason=noresource" } else { b"active;expires=180" };
        out.header(HeaderName::SubscriptionState, state);
        let line = format!("SIP/2.0 {code} {}\r\n", reason_phrase(code));
        let notify = out.body(b"message/sipfrag;version=2.0", line.as_bytes());
        env.txns.start(env.now, client, dialog.peer, ClientKind::NonInvite, notify);
    }
}

/// The dialog that a Replaces names is not ours to give, or lives in another shard, whose calls we cannot reach.
const ELSEWHERE: Refusal = (481, RejectReason::NoDialog);
