//! Towards the target: the INVITE that we build, and what its responses mean.

use super::invite;
use super::session::write_first;
use super::uas::EarlyAnswer;
use super::{
    Attempt, Attempted, Call, CallEvent, Env, LineTerms, Media, Phase, Progress, State, Unusable, User,
};
use crate::dialog::{Dialog, has_long_path};
use crate::identity::{Hosting, request_uri};
use crate::transaction::{ClientKey, ClientKind};
use crate::{CloseReason, HuntReason, Owner, Peer, RejectReason, StepOutcome, TargetId, TargetState};
use bytes::Bytes;
use relay_values::{Duration, Leg, LegSpec, Open, RelayCommand, Time};
use sip_wire::{HeaderName, Message, sdp};
use std::borrow::Cow;
use std::sync::Arc;

/// CSeq of the first INVITE that begins a leg of ours; one that asks again for a longer session counts on.
pub(super) const INVITE_CSEQ: u32 = 1;

/// How long the relay may take for ports: it answers within a turn of its loop, so this is only there for a relay that
/// has died.
const MEDIA_WAIT: Duration = Duration::from_secs(2);

impl Call {
    /// Sends the call to a target, with a relay session of the right address families.
    pub(super) fn go(&mut self, env: &mut Env, target: TargetId) -> State {
        let snapshot = env.newest.clone();
        let Some(to) = snapshot.config.target(target) else {
            return self.reject(env, 503, CloseReason::Internal, Some(RejectReason::NoTarget));
        };
        if let Some(region) = snapshot.config.region_of(target) {
            self.admitted.region = region;
        }
        let v6 = to.peer.remote.is_ipv6();
        let (a_latching, b_latching) = self.latching(env, target);
        if self.media.b_serves(v6, b_latching) {
            let region = self.admitted.region;
            let waits = !self.media.is_opened() && self.media.session().is_some();
            if waits || self.media.renew_b(region, &mut |command| env.relay(command)) {
                self.prepare(env, target);
                return State::Opening { target, until: env.now + MEDIA_WAIT };
            }
            return self.set_out(env, target);
        }
        self.media.release(&mut |command| env.relay(command));
        self.media = Media::None;
        let session = env.fresh_session(self.key);
        let media = Media::new(
            &self.pinned.config,
            session,
            || self.a_wants_v6(),
            v6,
            b_latching,
            env.rng.next_u64(),
        );
        let Some(media) = media else {
            return self.reject(env, 503, CloseReason::Rejected, Some(RejectReason::NoMedia));
        };
        self.media = media;
        if let Some(pending) = &mut self.invite {
            // Other ports: whatever the caller was told before does not hold.
            pending.answer = EarlyAnswer::None;
        }
        let Some((a, b)) = self.media.bound() else { return self.set_out(env, target) };
        env.relay(RelayCommand::Open(Open {
            session,
            a: LegSpec { local: a, latching: a_latching },
            b: LegSpec { local: b, latching: b_latching },
            region: self.admitted.region,
            tier_leg: self.tier_leg(),
            inactivity: self.pinned.config.media.inactivity,
        }));
        if let Some(offer) = self.invite.as_ref().and_then(|pending| pending.offer.clone()) {
            self.open_lines(env, &offer);
        }
        self.prepare(env, target);
        State::Opening { target, until: env.now + MEDIA_WAIT }
    }

    /// Asks the relay for ports for the lines of an offer beside the first. Whether there is something to wait for.
    pub(super) fn open_lines(&mut self, env: &mut Env, offer: &[u8]) -> bool {
        let (key, region, tier_leg) = (self.key, self.admitted.region, self.tier_leg());
        let terms = LineTerms { a_latching: self.admitted.latching, region, tier_leg };
        self.media.open_lines(offer, terms, env, key)
    }

    /// Whether the relay's session, as it was opened, serves a target too.
    pub(super) fn reaches(&mut self, env: &Env, target: TargetId) -> bool {
        let config = &env.newest.config;
        if let Some(region) = config.region_of(target) {
            self.admitted.region = region;
        }
        let (_, latching) = self.latching(env, target);
        config.target(target).is_some_and(|to| self.media.b_serves(to.peer.remote.is_ipv6(), latching))
    }

    /// Sends the INVITE.
    pub(super) fn attempt(&mut self, env: &mut Env, target: TargetId) -> State {
        let snapshot = env.newest.clone();
        let (Some(to), Some(pending)) = (snapshot.config.target(target), self.invite.as_deref()) else {
            return self.reject(env, 503, CloseReason::Internal, Some(RejectReason::NoTarget));
        };
        let bound = if self.is_bound() { self.media.offer_again(Leg::B) } else { None };
        let offered = pending.offer.as_ref().filter(|_| bound.is_none());
        let offer = match offered.map(|sdp| self.media.offer(Leg::A, sdp)).transpose() {
            Ok(offer) => bound.map(Cow::Owned).or(offer),
            Err(_) => return self.reject(env, 488, CloseReason::Rejected, Some(RejectReason::NotAcceptable)),
        };
        if offer.is_none() && self.offer_in_invite() {
            // What he has agreed to is not known any more: nobody else can be offered it.
            return self.reject(env, 503, CloseReason::HuntExhausted, Some(RejectReason::NoTarget));
        }
        let number = u8::try_from(self.steps.len() + 1).unwrap_or(u8::MAX);
        let client = env.txns.reserve(User::Attempt(self.key, number));
        let call_id = env.fresh_call_id();
        let Some(invite) = self.build_invite(env, (client, &call_id), target, to.peer, offer.as_deref())
        else {
            return self.reject(env, 500, CloseReason::Internal, None);
        };
        let peer = to.peer;
        let outcome = StepOutcome::Pending;
        self.steps.push(Attempted { target, under: snapshot, at: env.now, outcome });
        env.txns.start(env.now, client, peer, ClientKind::Invite, invite);
        let until = env.now + self.pinned.config.hunt.no_response;
        State::Hunting(Attempt { client, target, phase: Phase::Calling, until })
    }

    /// Sends the INVITE of the attempt under way once more, as another request of the same Call-ID (RFC 3261 §8.1.3.5).
    /// `code` has asked for it.
    pub(super) fn invite_again(
        &mut self,
        env: &mut Env,
        attempt: Attempt,
        call_id: &[u8],
        code: u16,
    ) -> State {
        let under = self.steps.last().map(|step| Arc::clone(&step.under));
        // After a reload its number may be another one's.
        let same = under.filter(|under| under.config_generation == env.newest.config_generation);
        // Where nobody else is left, one that is down is still the one that has just said something.
        let is_down = |id: TargetId| env.newest.state(id) == TargetState::Down;
        let left = self.plan.is_of(&env.newest) && self.plan.untried().iter().any(|id| !is_down(*id));
        let same = same.filter(|_| !(left && is_down(attempt.target)));
        let to =
            same.as_ref().and_then(|under| under.config.target(attempt.target)).map(|target| target.peer);
        let offer = self.invite.as_deref().and_then(|pending| pending.offer.clone());
        let offer = match offer.filter(|_| !self.is_bound()) {
            Some(sdp) => self.media.offer(Leg::A, &sdp).ok().map(Cow::into_owned),
            None if self.is_bound() => self.media.offer_again(Leg::B),
            None => None,
        };
        let number = u8::try_from(self.steps.len()).unwrap_or(u8::MAX);
        let client = env.txns.reserve(User::Attempt(self.key, number));
        let invite =
            to.and_then(|to| self.build_invite(env, (client, call_id), attempt.target, to, offer.as_deref()));
        let Some((to, invite)) = to.zip(invite) else {
            env.txns.abandon(env.now, client);
            return self.advance(env, attempt, HuntReason::FinalResponse, code);
        };
        let invite = env.show_again(attempt.client, client, invite);
        env.txns.start(env.now, client, to, ClientKind::Invite, invite);
        let until = env.now + self.pinned.config.hunt.no_response;
        State::Hunting(Attempt { client, phase: Phase::Calling, until, ..attempt })
    }

    /// Builds the INVITE from the call's identity: nothing of the A-leg's message is in it that is not named here.
    fn build_invite(
        &self,
        env: &Env,
        (client, call_id): (ClientKey, &[u8]),
        target: TargetId,
        to: Peer,
        offer: Option<&[u8]>,
    ) -> Option<Bytes> {
        let pending = self.invite.as_deref()?;
        let identity = &self.admitted.identity;
        let branch = env.txns.branch(client);
        let face = env.face(to.listener)?;
        let aim = env.faces.aim(target)?;
        let config = &env.newest.config;
        let redirected = pending.redirects.as_ref().and_then(|redirects| redirects.called());
        let called = redirected.unwrap_or(identity.called());
        let profile = config.profile(config.target(target)?.owner);
        let uri = request_uri(called, &aim.host_port, profile);
        let mut out = invite::to(&uri, face, branch.as_bytes(), self.admitted.max_forwards);
        if let Some(breadth) = self.admitted.max_breadth {
            out.number(HeaderName::MaxBreadth, u64::from(breadth));
        }
        if !pending.expires.is_never() {
            let left = pending.expires.since(env.now).as_millis().div_ceil(1_000);
            out.number(HeaderName::Expires, u64::try_from(left).unwrap_or(u64::MAX));
        }
        identity.write(&mut out, self.b.tag.as_bytes(), &Hosting::new(face, aim), profile);
        self.write_signature(&mut out, || identity.tells_date(profile));
        let contact = identity.contact(&face.contact, profile);
        invite::put_dialog(&mut out, &contact, call_id, self.b.invite_cseq, env.allow(to.remote));
        // What the caller requires of us is not required of the target: what it says is repeated by us.
        let always = || config.target(target).is_some_and(|to| config.manners(to.owner).offer_100rel);
        if pending.pracks() || (offer.is_some() && (pending.asked_100rel || always())) {
            out.header(HeaderName::Supported, b"100rel");
        }
        let policy = &self.pinned.config.session;
        write_first(policy, self.b.session.asked(), &mut out);
        self.say_which_call(&mut out);
        Some(self.finish_invite(out, offer))
    }

    /// The next target that the plan and the policy allow.
    pub(super) fn next_target(&mut self, env: &mut Env, reason: HuntReason) -> Option<TargetId> {
        if self.steps.len() >= usize::from(self.pinned.config.hunt.max_attempts) {
            return None;
        }
        if let Some(target) = self.next_redirection(env) {
            return Some(target);
        }
        loop {
            let target = self.plan.next(&env.newest, Some(reason))?;
            if self.admitted.emergency || env.may_try(target) {
                return Some(target);
            }
        }
    }

    /// A response to the INVITE of attempt `number`, which is the current one unless the call has moved on. What it
    /// does to the B-leg's dialog happens here; what it means to the call is returned.
    pub(crate) fn read_response(
        &mut self,
        env: &mut Env,
        client: ClientKey,
        from: Peer,
        response: &Message,
    ) -> Result<CallEvent, NotForTheCall> {
        let code = response.code().unwrap_or(0);
        let description = sdp::find(response).map(|found| response.body().slice_ref(found));
        match code {
            0..=100 => Ok(CallEvent::Trying),
            101..=199 => {
                let reliable =
                    response.values(HeaderName::Require).any(|v| v.eq_ignore_ascii_case(b"100rel"));
                let rseq = response.rseq().ok().flatten().filter(|_| reliable);
                if self.is_held() || !self.hear_fork(from, response, rseq) {
                    return Err(NotForTheCall::Repeated);
                }
                self.keep_passes(env, client);
                Ok(CallEvent::Progress(Progress { code, description, rseq }))
            }
            200..=299 => match self.state {
                State::Hunting(_) => {
                    if has_long_path(response) {
                        return Err(NotForTheCall::Unwanted);
                    }
                    let mut dialog = Dialog::uac(response, from).ok_or(NotForTheCall::Undecodable)?;
                    let known = self.turn_to_answer(dialog.remote_tag());
                    if !known {
                        // Another fork has answered, and is only waited for.
                        return Err(NotForTheCall::Unwanted);
                    }
                    // Requests inside the early dialog have counted on (PRACK, UPDATE).
                    let counted =
                        self.b.dialog.take().filter(|early| early.remote_tag() == dialog.remote_tag());
                    dialog.local_cseq = counted.map_or(self.b.invite_cseq, |early| early.local_cseq);
                    self.b.dialog = Some(dialog);
                    self.keep_passes(env, client);
                    self.b.session.answered(env.now, &self.pinned.config.session, response);
                    Ok(CallEvent::Answer { description })
                }
                State::Answered
                | State::Rehoming(_)
                | State::Closing(_)
                | State::Opening { .. }
                | State::Over(..) => {
                    let tag = response.to().ok().and_then(|to| to.tag()).unwrap_or_default();
                    let ours = self.b.dialog.as_ref().is_some_and(|dialog| dialog.remote_tag() == tag);
                    let again =
                        ours && (self.b.ack_again(env, self.b.invite_cseq) || self.b.ack_due.is_some());
                    if again || !ours && self.acknowledge_again(env, response) {
                        Err(NotForTheCall::Repeated)
                    } else {
                        Err(NotForTheCall::Unwanted)
                    }
                }
            },
            422 if self.pinned.config.session.enabled => {
                let min_se = response.number32(HeaderName::MinSe).ok().flatten().unwrap_or(0);
                let call_id = response.call_id().unwrap_or_default();
                Ok(CallEvent::IntervalTooSmall { min_se, call_id: Bytes::copy_from_slice(call_id) })
            }
            421 if self.could_offer_100rel(env, response) => {
                let call_id = response.call_id().unwrap_or_default();
                Ok(CallEvent::ExtensionRequired { call_id: Bytes::copy_from_slice(call_id) })
            }
            _ => {
                self.note_refusal(env, code, response);
                let retry_after = response.retry_after().ok().flatten();
                let retry_after = retry_after.map(|seconds| Duration::from_secs(u64::from(seconds)));
                Ok(CallEvent::Refusal { code, retry_after })
            }
        }
    }

    /// Whether a 421 asks for reliable provisionals and nothing else, and they were not offered yet, but may be: without an
    /// offer in the INVITE they would bring one, whose answer only the caller's own PRACK could carry.
    fn could_offer_100rel(&self, env: &Env, response: &Message) -> bool {
        let State::Hunting(attempt) = self.state else { return false };
        let config = &env.newest.config;
        let always = config.target(attempt.target).is_some_and(|to| config.manners(to.owner).offer_100rel);
        let is_open = self.invite.as_deref().is_some_and(|p| !p.pracks() && !p.asked_100rel && !always);
        let mut required = response.values(HeaderName::Require).peekable();
        is_open
            && self.offer_in_invite()
            && required.peek().is_some()
            && required.all(|option| option.eq_ignore_ascii_case(b"100rel"))
    }

    /// Acknowledges the 2xx whose answer we have.
    pub(super) fn acknowledge_answer(&mut self, env: &mut Env) {
        if self.b.has_acked(self.b.invite_cseq) {
            return;
        }
        self.b.ack(env, self.b.invite_cseq, None);
    }

    /// The ACK to the answer of the INVITE is due, but waits for the A-leg's.
    pub(super) fn defer_ack(&mut self) {
        self.b.ack_due = Some(self.b.invite_cseq);
    }

    /// A session description in a response to the INVITE: the answer where the INVITE brought the offer, and the offer
    /// where it did not.
    pub(super) fn description_from_b<'s>(
        &mut self,
        env: &mut Env,
        sdp: &'s [u8],
    ) -> Result<Cow<'s, [u8]>, Unusable> {
        if self.offer_in_invite() {
            self.media.answer(Leg::B, sdp, &mut |command| env.relay(command))
        } else {
            self.media.offer(Leg::B, sdp)
        }
    }

    /// Whether the caller has another target's answer, which this one has to fit.
    pub(super) fn is_bound(&self) -> bool {
        self.invite.as_ref().is_some_and(|pending| pending.answer == EarlyAnswer::Binding)
    }

    /// Whether the INVITE to the present target brought an offer: the caller's, or what another target has agreed to.
    pub(super) fn offer_in_invite(&self) -> bool {
        self.is_bound() || self.invite.as_ref().is_some_and(|pending| pending.offer.is_some())
    }

    /// Whether the target has answered, and a PRACK of the caller's is waited for before he hears of it.
    pub(super) fn is_held(&self) -> bool {
        self.invite.as_ref().is_some_and(|pending| pending.held.is_some())
    }

    pub(super) fn attempt_began(&self) -> Time {
        self.steps.last().map_or(self.stamps.started, |step| step.at)
    }

    /// An outbound call belongs to the trunk that answered it.
    pub(super) fn remember_trunk(&mut self, env: &mut Env, target: TargetId) {
        let Some(step) = self.steps.last() else { return };
        let config = &step.under.config;
        if let Some(Owner::Trunk(trunk)) = config.target(target).map(|t| t.owner) {
            let first = self.admitted.trunk.and_then(|first| self.pinned.config.trunks.get(first.index()));
            let taken_by = config.trunks.get(trunk.index()).map(|trunk| &trunk.name);
            if taken_by != first.map(|first| &first.name) {
                env.taken_by = taken_by.map(|name| name.as_str().into());
            }
            self.admitted.trunk = Some(trunk);
        }
    }

    /// Whether the relay was asked for a session and has not been asked to close it.
    pub(super) fn is_open(&self) -> bool {
        self.media.session().is_some()
    }

    /// The leg that the tier has.
    pub(crate) fn tier_leg(&self) -> Leg {
        match self.admitted.direction {
            crate::record::Direction::Inbound => Leg::B,
            crate::record::Direction::Outbound => Leg::A,
        }
    }
}

/// Why a response is not for the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotForTheCall {
    /// A repetition of the 2xx that the call has: it was acknowledged again.
    Repeated,
    /// A 2xx of a fork or an attempt that nobody wants: it gets ACK and BYE.
    Unwanted,
    /// A 2xx without the header fields that a dialog needs.
    Undecodable,
}
