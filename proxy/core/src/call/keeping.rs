//! The legs of a call that is up are kept alive: sessions are refreshed, peers without session timers are asked whether they
//! are there, and what was not refreshed in time ends (RFC 4028 §10).

use super::leg::{finish, respond};
use super::session::{Due, SessionTimer};
use super::{Call, CallEvent, Cause, Env, Rehome, Stage, State, User};
use crate::limits::{MAX_REFRESH_TRIES, MAX_SESSION, REFRESH_AGAIN, REFRESH_HELD};
use crate::transaction::{ClientKey, ClientKind, ServerKey};
use crate::{CloseReason, MoveReason, Peer};
use relay_values::{Duration, Leg, Time};
use sip_wire::{Builder, HeaderName, Message, Method, sdp};

impl Rehome {
    /// Whether both legs are where they were, so that their sessions go on as before. In the short rest of a move what is
    /// due waits for its end.
    pub(super) fn keeps_sessions(&self) -> bool {
        match self.stage {
            Stage::Waiting { .. } => self.order.is_some(),
            Stage::Inviting(_) | Stage::Refitting { .. } | Stage::Settling { .. } => false,
        }
    }
}

impl Call {
    /// When a leg's session timer is due.
    pub(super) fn sessions_deadline(&self) -> Time {
        self.a.session.deadline().min(self.b.session.deadline())
    }

    /// Does what is due on either leg. Why the call ends, if it does.
    pub(super) fn keep_sessions(&mut self, env: &mut Env) -> Option<CloseReason> {
        for leg in [Leg::A, Leg::B] {
            match self.leg(leg).session.due(env.now) {
                Due::Nothing => {}
                Due::End => return Some(CloseReason::SessionExpired),
                Due::Refresh { update } => self.refresh(env, leg, update),
                Due::Ask => self.ask(env, leg),
            }
        }
        None
    }

    /// The call is over: nobody is kept alive any more.
    pub(super) fn end_sessions(&mut self, env: &mut Env) {
        for leg in [&mut self.a, &mut self.b] {
            // A re-INVITE that rings would otherwise be waited for for ever. Anything else is left to end.
            if let Some(client) = leg.session.client().filter(|_| leg.session.reinvites()) {
                env.txns.cancel(env.now, client, None);
            }
            leg.session = SessionTimer::IDLE;
        }
    }

    /// Sends a refresh: UPDATE without an offer, or a re-INVITE that offers what the leg was told last (§7.4).
    fn refresh(&mut self, env: &mut Env, leg: Leg, update: bool) {
        if self.is_busy(leg) || self.may_answer_yet(env, leg) {
            return self.leg_mut(leg).session.put_off(env.now + REFRESH_HELD);
        }
        // Where nothing is known to offer, only UPDATE is left.
        let offer = if update { None } else { self.media.same_again(leg) };
        let method = if offer.is_some() { Method::Invite } else { Method::Update };
        let session = self.leg(leg).session;
        let (key, policy) = (self.key, self.pinned.config.session);
        // Should there be no way to say it, it is tried again.
        self.leg_mut(leg).session.put_off(env.now + REFRESH_HELD);
        let Some(dialog) = self.leg_mut(leg).dialog.as_mut() else { return };
        let Some(face) = env.faces.get(dialog.peer.listener) else { return };
        let client = env.txns.reserve(User::Session(key, leg));
        let mut out = dialog.request(method, face, env.txns.branch(client).as_bytes());
        out.header(HeaderName::Contact, &face.contact)
            .header(HeaderName::Allow, env.allow(dialog.peer.remote));
        session.write_request(&policy, &mut out);
        let (cseq, to) = (dialog.local_cseq, dialog.peer);
        let kind = if offer.is_some() { ClientKind::Invite } else { ClientKind::NonInvite };
        env.txns.start(env.now, client, to, kind, finish(out, offer.as_deref()));
        self.leg_mut(leg).session.sent(client, offer.is_some().then_some(cseq));
    }

    /// Asks whether the peer is there: any answer shows that it is, except one that says that it does not know the dialog.
    fn ask(&mut self, env: &mut Env, leg: Leg) {
        self.leg_mut(leg).session.put_off(env.now + REFRESH_HELD);
        if self.is_deaf(leg) {
            return;
        }
        let key = self.key;
        let Some(dialog) = self.leg_mut(leg).dialog.as_mut() else { return };
        let Some(face) = env.faces.get(dialog.peer.listener) else { return };
        let client = env.txns.reserve(User::Session(key, leg));
        let mut out = dialog.request(Method::Options, face, env.txns.branch(client).as_bytes());
        out.header(HeaderName::Contact, &face.contact)
            .header(HeaderName::Accept, b"application/sdp")
            .header(HeaderName::Supported, b"timer");
        env.txns.start(env.now, client, dialog.peer, ClientKind::NonInvite, out.finish());
        self.leg_mut(leg).session.sent(client, None);
    }

    /// Whether a refresh would cross something that is under way.
    fn is_busy(&self, leg: Leg) -> bool {
        self.is_deaf(leg) || self.is_negotiating(true) || self.is_updating()
    }

    /// Whether a re-INVITE of ours that refreshes a session is out on either leg.
    pub(super) fn refreshes_by_invite(&self) -> bool {
        self.a.session.reinvites() || self.b.session.reinvites()
    }

    /// A response to a refresh or a question of ours. Whether nobody wants it: then a 2xx gets its ACK.
    pub(crate) fn read_session(
        &mut self,
        env: &mut Env,
        leg: Leg,
        client: ClientKey,
        response: &Message,
    ) -> bool {
        let code = response.code().unwrap_or(0);
        let session = self.leg(leg).session;
        if session.client() != Some(client) {
            return (200..300).contains(&code) && !self.refresh_acknowledged(env, leg, response);
        }
        match session {
            _ if code < 200 => {}
            SessionTimer::Asking { .. } if matches!(code, 408 | 481) => self.not_there(env, leg),
            SessionTimer::Asking { .. } => {
                let policy = self.pinned.config.session;
                self.leg_mut(leg).session.is_there(env.now, &policy);
            }
            SessionTimer::Refreshing { reinvite, .. } if code < 300 => {
                self.refreshed(env, leg, reinvite, response);
            }
            SessionTimer::Refreshing { reinvite, tries, .. } => {
                self.refresh_refused(env, leg, (reinvite.is_none(), tries), response);
            }
            SessionTimer::Idle { .. }
            | SessionTimer::Ours { .. }
            | SessionTimer::Theirs { .. }
            | SessionTimer::Watched { .. } => {}
        }
        false
    }

    /// A 2xx to an earlier re-INVITE of ours, said again, gets its ACK again. False where it is none of this leg's.
    fn refresh_acknowledged(&self, env: &mut Env, leg: Leg, response: &Message) -> bool {
        let tag = response.to().ok().and_then(|to| to.tag()).unwrap_or_default();
        let call_id = response.call_id().unwrap_or_default();
        let ours = self.leg(leg).dialog.as_ref().is_some_and(|dialog| dialog.matches(call_id, tag));
        ours && response.cseq().is_ok_and(|cseq| self.leg(leg).ack_again(env, cseq.number))
    }

    /// 2xx: the session goes on.
    fn refreshed(&mut self, env: &mut Env, leg: Leg, reinvite: Option<u32>, response: &Message) {
        let policy = self.pinned.config.session;
        let state = self.leg_mut(leg);
        state.session.answered(env.now, &policy, response);
        if let Some(dialog) = &mut state.dialog {
            dialog.retarget(response);
        }
        if let Some(cseq) = reinvite {
            state.ack(env, cseq, None);
            if let Some(answer) = sdp::find(response) {
                self.media.repeated(leg, answer, &mut |command| env.relay(command));
            }
        }
    }

    /// A final response that is no 2xx: it says by itself what to do (§10).
    fn refresh_refused(&mut self, env: &mut Env, leg: Leg, (update, tries): (bool, u8), response: &Message) {
        let now = env.now;
        let policy = self.pinned.config.session;
        let code = response.code().unwrap_or(0);
        let again = if code == 491 { now + self.after_glare(env, leg) } else { now };
        let state = self.leg_mut(leg);
        match code {
            408 | 481 => self.refresh_unanswered(env, leg),
            491 => state.session.again(again, tries),
            405 | 501 if update => {
                if state.session.not_by_update() {
                    state.session.again(now, tries);
                } else {
                    state.session.give_up(now, &policy);
                }
            }
            422 if tries < MAX_REFRESH_TRIES
                && response
                    .number32(HeaderName::MinSe)
                    .is_ok_and(|min_se| state.session.raise(min_se.unwrap_or(0))) =>
            {
                state.session.again(now, tries + 1);
            }
            _ => {
                // Saying it again and again would change nothing; then the session runs out.
                let pause = response.retry_after().ok().flatten().unwrap_or(0).min(MAX_SESSION);
                let pause = Duration::from_secs(u64::from(pause)).max(REFRESH_AGAIN);
                let at = if tries < MAX_REFRESH_TRIES { now + pause } else { Time::NEVER };
                state.session.again(at, tries.saturating_add(1));
            }
        }
    }

    /// No response at all to a refresh or a question of ours.
    pub(crate) fn session_unanswered(&mut self, env: &mut Env, leg: Leg, client: ClientKey) {
        let session = self.leg(leg).session;
        if session.client() != Some(client) {
            return;
        }
        match session {
            SessionTimer::Asking { .. } => self.not_there(env, leg),
            SessionTimer::Refreshing { .. } => self.refresh_unanswered(env, leg),
            SessionTimer::Idle { .. }
            | SessionTimer::Ours { .. }
            | SessionTimer::Theirs { .. }
            | SessionTimer::Watched { .. } => {}
        }
    }

    /// §10: the dialog is gone, unless the call has left that leg, or may yet.
    fn refresh_unanswered(&mut self, env: &mut Env, leg: Leg) {
        if self.is_left(leg) {
            return self.leg_mut(leg).session.again(env.now, 0);
        }
        self.leg_lost(env, leg, CloseReason::LegGone);
    }

    fn not_there(&mut self, env: &mut Env, leg: Leg) {
        let is_left = self.is_left(leg);
        if !self.leg_mut(leg).session.missed(env.now) && !is_left {
            self.leg_lost(env, leg, CloseReason::PeerLost);
        }
    }

    /// Nobody answers for a leg any more. An edge that has lost a call (it was started anew) is left for another one; a
    /// carrier's leg is the call.
    fn leg_lost(&mut self, env: &mut Env, leg: Leg, reason: CloseReason) {
        let cause = Cause { reason: MoveReason::LegLost, detected: env.now, order: None, back_to: None };
        if leg != self.tier_leg() || !self.uproot(env, cause) {
            self.handle(env, CallEvent::Lapsed(reason));
        }
    }

    /// How long is waited after 491 before a leg is asked again: 2.1 to 4 s in steps of 10 ms where the Call-ID is ours, else
    /// up to 2 s (RFC 3261 §14.1).
    pub(super) fn after_glare(&self, env: &mut Env, leg: Leg) -> Duration {
        let ms =
            if self.owns_call_id(leg) { 2100 + 10 * env.rng.below(191) } else { 10 * env.rng.below(201) };
        Duration::from_millis(ms)
    }

    /// Whether the Call-ID of a leg is of our making.
    fn owns_call_id(&self, leg: Leg) -> bool {
        let moved = self.mobile.as_ref().filter(|_| leg == self.tier_leg());
        let call_id = self.leg(leg).dialog.as_ref().map(crate::dialog::Dialog::call_id);
        leg == Leg::B || moved.is_some_and(|mobile| call_id.is_some_and(|id| *id != *mobile.first_call_id))
    }

    /// Whether a request changes nothing but refreshes: the other leg has no part in it.
    pub(super) fn only_refreshes(&self, request: &Message) -> bool {
        let update = matches!(request.method(), Method::Update) && request.body_bytes().is_empty();
        update && self.pinned.config.session.enabled && self.is_answered()
    }

    /// UPDATE without an offer from a leg.
    pub(super) fn refreshed_by(
        &mut self,
        env: &mut Env,
        leg: Leg,
        from: Peer,
        server: ServerKey,
        request: &Message,
    ) {
        let out = self.accept_refresh(env, leg, from, request);
        env.txns.respond(env.now, server, 200, out.finish());
    }

    /// The beginning of the 200 to a refresh: the session goes on, with the peer where it says that it is.
    fn accept_refresh(&mut self, env: &Env, leg: Leg, from: Peer, request: &Message) -> Builder {
        let mut out = respond(env, request, from, 200, &self.leg(leg).tag);
        let policy = self.pinned.config.session;
        let state = self.leg_mut(leg);
        state.session.accept(env.now, &policy, request, &mut out);
        if let Some(dialog) = &mut state.dialog {
            dialog.retarget(request);
        }
        out
    }

    /// Whether a re-INVITE says nothing but what its leg has said before, to the byte: it refreshes the session, and the
    /// other leg has no part in that either.
    pub(super) fn says_it_again(&self, leg: Leg, request: &Message) -> bool {
        let asks_carrier =
            matches!(self.state, State::Rehoming(Rehome { stage: Stage::Refitting { .. }, .. }));
        matches!(request.method(), Method::Invite)
            && self.pinned.config.session.enabled
            && self.is_answered()
            && !(asks_carrier || self.is_left(leg) || self.is_negotiating(true) || self.is_updating())
            && sdp::find(request).is_some_and(|sdp| self.media.has_said(leg, sdp))
    }

    /// A re-INVITE that changes nothing is answered with what its leg was told last. False where that is not known.
    pub(super) fn told_again(
        &mut self,
        env: &mut Env,
        leg: Leg,
        from: Peer,
        server: ServerKey,
        request: &Message,
    ) -> bool {
        let offer = sdp::find(request).unwrap_or_default();
        let Some(answer) = self.media.same_answer(leg, offer) else { return false };
        let out = self.accept_refresh(env, leg, from, request);
        self.leg_mut(leg).unacked = request.cseq().ok().map(|cseq| (server, cseq.number));
        env.txns.bind(server, User::Session(self.key, leg));
        env.txns.respond(env.now, server, 200, finish(out, Some(&answer)));
        true
    }

    /// The tier leg is lost: what was asked of it is not waited for. Should the call stay with it after all, it is asked
    /// again.
    pub(super) fn park_session(&mut self, env: &mut Env, tier: Leg) {
        let session = &mut self.leg_mut(tier).session;
        if let Some(client) = session.client() {
            let reinvites = session.reinvites();
            session.again(env.now, 0);
            env.txns.abandon(env.now, client);
            if reinvites {
                self.leg_mut(tier).given_up = Some(client);
            }
        }
    }

    /// A refresh is due, or the peer is to be asked, while the call waits for its turn to be moved.
    pub(super) fn keep_sessions_waiting(&mut self, env: &mut Env, rehome: &Rehome) -> Option<CloseReason> {
        if rehome.keeps_sessions() { self.keep_sessions(env) } else { None }
    }
}
