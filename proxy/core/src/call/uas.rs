//! Towards the caller: what he asked for, and what he is told.

use super::forks::{Early, Fork};
use super::leg::{finish, put_warning, respond};
use super::redirect::Redirections;
use super::refusal::Parting;
use super::{Admitted, Call, CallEvent, CallLeg, Env, Media, Seat, Stamps, State};
use crate::demands;
use crate::dialog::Dialog;
use crate::ids::{CallKey, LocalTag};
use crate::route::Plan;
use crate::transaction::ServerKey;
use crate::{CloseReason, Peer, RejectReason, Snapshot, TargetId};
use bytes::Bytes;
use relay_values::{Duration, Latching, Leg, Time};
use sip_wire::{HeaderName, Message, sdp};
use smallvec::SmallVec;
use std::sync::Arc;

/// How long a caller whom we have nothing for is asked to wait (RFC 3261 §20.33).
const RETRY_AFTER_SECONDS: u64 = 2;

/// The A-leg's INVITE while it has no final response.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) server: ServerKey,
    pub(crate) request: Message,
    /// Its session description; `None`: the callee makes the offer.
    pub(crate) offer: Option<Bytes>,
    pub(crate) supports_100rel: bool,
    pub(crate) requires_100rel: bool,
    /// When the INVITE is no longer valid; [`Time::NEVER`] without Expires (RFC 3261 §13.3.1).
    pub(crate) expires: Time,
    /// The target has asked for reliable provisionals: it is offered them.
    pub(super) asked_100rel: bool,
    /// What the last refusal has said beside its code.
    pub(super) parting: Option<Parting>,
    /// Where redirections lead.
    pub(super) redirects: Option<Box<Redirections>>,
    /// Whether the caller has an answer already, from a provisional response.
    pub(super) answer: EarlyAnswer,
    /// That response was a reliable one: there is no other answer to his offer (RFC 3262 §5).
    pub(super) is_final: bool,
    /// What the fork of the target that spoke last has said.
    pub(super) early: Early,
    /// The other forks, the one that spoke first in front.
    pub(super) forks: Vec<Fork>,
    /// The target has answered, with this description: the caller has to acknowledge a provisional first.
    pub(super) held: Option<Option<Bytes>>,
}

/// An answer in a provisional response. Many callers take every one for final.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EarlyAnswer {
    /// None.
    None,
    /// From the present target.
    Given,
    /// From one that the call has left: the next has to fit it.
    Binding,
}

impl Pending {
    /// The description that waited for its turn was never told, and the target that gave it is left: the caller is still
    /// owed an answer (RFC 3261 §13.2.1).
    pub(super) fn untell(&mut self) {
        self.is_final = false;
        if self.requires_100rel {
            // Nor was any other: all that he is told goes through the queue, and the first is the answer.
            self.answer = EarlyAnswer::None;
        }
    }

    /// The next target has forks of its own.
    pub(super) fn forget_target(&mut self) {
        self.early = Early::default();
        self.forks.clear();
        self.held = None;
        self.asked_100rel = false;
        if self.answer == EarlyAnswer::Given {
            self.answer = EarlyAnswer::Binding;
        }
    }
}

impl Pending {
    /// Whether the caller acknowledges provisionals.
    pub(super) fn pracks(&self) -> bool {
        self.supports_100rel || self.requires_100rel
    }

    /// Reads an INVITE.
    pub(crate) fn new(server: ServerKey, request: Message, now: Time) -> Self {
        let names = |header| request.values(header).any(|value| value.eq_ignore_ascii_case(b"100rel"));
        let offer = sdp::find(&request).map(|found| request.body().slice_ref(found));
        let (supports_100rel, requires_100rel) = (names(HeaderName::Supported), names(HeaderName::Require));
        // One that cannot be read says nothing.
        let seconds = request.expires().ok().flatten();
        let expires = seconds.map_or(Time::NEVER, |seconds| now + Duration::from_secs(seconds.into()));
        Self {
            server,
            offer,
            expires,
            asked_100rel: false,
            parting: None,
            redirects: None,
            supports_100rel,
            requires_100rel,
            answer: EarlyAnswer::None,
            is_final: false,
            early: Early::default(),
            forks: Vec::new(),
            held: None,
            request,
        }
    }
}

impl Call {
    /// Begins a call: the caller has his 100, the plan has at least one target.
    pub(crate) fn begin(
        env: &mut Env,
        key: CallKey,
        pinned: Arc<Snapshot>,
        admitted: Admitted,
        pending: Pending,
        plan: Plan,
        first: TargetId,
    ) -> Option<Self> {
        let a_tag = LocalTag::new(env.shard, Leg::A, key);
        let mut a = CallLeg::new(a_tag);
        a.dialog = Some(Dialog::uas(&pending.request, a_tag.as_bytes(), admitted.source)?);
        env.txns.bind(pending.server, super::User::Invite(key));
        let stamps = Stamps { started: env.now, ringing: None, answered: None };
        let mut call = Self {
            key,
            state: State::Opening { target: first, until: Time::NEVER },
            pinned,
            admitted,
            invite: Some(Box::new(pending)),
            a,
            b: CallLeg::new(LocalTag::new(env.shard, Leg::B, key)),
            media: Media::None,
            plan,
            steps: SmallVec::new(),
            reliable: None,
            carried: Vec::new(),
            stamps,
            code: 0,
            stats: None,
            seat: Seat::default(),
            mobile: None,
            said: None,
            transfer: None,
            lent: None,
            first_call_id: None,
            referrals: Vec::new(),
            stir: None,
        };
        call.verify_caller(env);
        call.state = call.go(env, first);
        Some(call)
    }

    /// 200 to the caller.
    pub(super) fn respond_answer(&mut self, env: &mut Env, sdp: Option<&[u8]>) {
        let Some(pending) = self.invite.take() else { return };
        self.code = 200;
        if let Some(reliable) = &mut self.reliable {
            reliable.rest();
        }
        let mut out = respond(env, &pending.request, self.admitted.source, 200, &self.a.tag);
        let policy = &self.pinned.config.session;
        out.header(HeaderName::Supported, demands::supported(policy));
        self.a.session.accept(env.now, policy, &pending.request, &mut out);
        let number = pending.request.cseq().map(|cseq| cseq.number).unwrap_or_default();
        self.a.unacked = Some((pending.server, number));
        env.txns.respond(env.now, pending.server, 200, finish(out, sdp));
    }

    /// A final response that is no answer, and the end of the call.
    pub(super) fn reject(
        &mut self,
        env: &mut Env,
        code: u16,
        reason: CloseReason,
        reject: Option<RejectReason>,
    ) -> State {
        self.code = code;
        self.drop_carried(env);
        if let Some(pending) = self.invite.take() {
            let mut out = respond(env, &pending.request, self.admitted.source, code, &self.a.tag);
            match pending.parting.as_ref().filter(|parting| parting.code == code) {
                Some(parting) => parting.write(&mut out),
                None => {
                    let allow = || env.allow(self.admitted.source.remote);
                    demands::explain(&mut out, code, &pending.request, &self.pinned.config.session, allow);
                }
            }
            if code == 503 {
                out.number(HeaderName::RetryAfter, RETRY_AFTER_SECONDS);
            }
            if reject == Some(RejectReason::NotAcceptable) {
                put_warning(env, &mut out, self.admitted.source, &pending.request);
            }
            env.txns.respond(env.now, pending.server, code, out.finish());
        }
        if let Some(reject) = reject {
            env.counters.reject(reject);
        }
        self.settle(env, reason, reject, false)
    }

    /// BYE from a leg: it gets its 200 whatever the call thinks of it.
    pub(super) fn hung_up(&mut self, env: &mut Env, leg: Leg, from: Peer, server: ServerKey, bye: &Message) {
        let answer = respond(env, bye, from, 200, &self.leg(leg).tag).finish();
        env.txns.respond(env.now, server, 200, answer);
        self.hears(env, bye, CallEvent::Hangup(leg));
    }

    /// ACK for a 2xx of ours: it stops the repetition, brings the answer to a late offer, and releases the other leg's
    /// ACK if that waits for it.
    pub(crate) fn acknowledged(&mut self, env: &mut Env, leg: Leg, ack: &Message) {
        // An ACK of an earlier INVITE may have been held up on its way.
        let number = ack.cseq().map(|cseq| cseq.number).unwrap_or_default();
        let waiting = self.leg_mut(leg).unacked.take_if(|(_, due)| *due == number);
        let Some((server, _)) = waiting else { return };
        env.txns.acked(env.now, server);
        if let Some(cseq) = self.leg(leg.other()).ack_due {
            let answer = sdp::find(ack);
            let answer = answer.and_then(|sdp| self.media.answer(leg, sdp, &mut |c| env.relay(c)).ok());
            self.leg_mut(leg.other()).ack(env, cseq, answer.as_deref());
            self.media.prune(&mut |command| env.relay(command));
        }
        self.handle(env, CallEvent::Acknowledged(leg));
    }

    /// Whether the caller's media is IPv6: by his offer, else by the way he signals.
    pub(super) fn a_wants_v6(&self) -> bool {
        let offered = self.invite.as_ref().and_then(|pending| pending.offer.as_ref());
        let offered = offered.and_then(|sdp| {
            let session = sdp::Session::parse(sdp).ok()?;
            let open = session.media().iter().find(|media| media.port != 0);
            session.audio().or(open)?.address
        });
        offered.map_or(self.admitted.source.remote.is_ipv6(), |address| address.is_ipv6())
    }

    /// How strictly either leg's media source is held to its SDP: as the trunk or the group says.
    pub(super) fn latching(&self, env: &Env, target: TargetId) -> (Latching, Latching) {
        let config = &env.newest.config;
        let of_b = config.target(target).and_then(|to| config.latching(to.owner)).unwrap_or(Latching::Learn);
        (self.admitted.latching, of_b)
    }
}
