//! An INVITE is out: listen to its target, be patient as long as the policy says, then move on.

use super::reliable::{Behind, Provisional};
use super::uac::INVITE_CSEQ;
use super::uas::{EarlyAnswer, Pending};
use super::{Attempt, Call, CallEvent, Env, Phase, Progress, State};
use crate::limits::MAX_INTERVALS_ASKED;
use crate::{AfterRefusal, CloseReason, EvidenceKind, HuntReason, RejectReason, StepOutcome};
use bytes::Bytes;
use relay_values::{Duration, Leg, Time};
use std::borrow::Cow;

impl Call {
    pub(super) fn hunting(&mut self, env: &mut Env, attempt: Attempt, event: CallEvent) -> State {
        match event {
            CallEvent::Trying => self.trying(attempt),
            CallEvent::Progress(progress) => self.progress(env, attempt, progress),
            CallEvent::Answer { description } => self.answer(env, attempt, description),
            CallEvent::Refusal { code, retry_after } => self.refused(env, attempt, code, retry_after),
            CallEvent::IntervalTooSmall { min_se, call_id } => {
                self.ask_for_longer(env, attempt, min_se, &call_id)
            }
            CallEvent::ExtensionRequired { call_id } => self.offer_100rel(env, attempt, &call_id),
            CallEvent::Failure(reason) => self.advance(env, attempt, reason, 0),
            CallEvent::Timer => self.out_of_patience(env, attempt),
            CallEvent::Cancel | CallEvent::Hangup(Leg::A) => self.cancelled(env, attempt),
            CallEvent::Ended => {
                self.step_ends(StepOutcome::Cancelled);
                self.leave(env, attempt);
                self.reject(env, 480, CloseReason::Operator, None)
            }
            // A callee may not end an early dialog with BYE (RFC 3261 §15), but means no. Its INVITE is still to be ended.
            CallEvent::Hangup(Leg::B) => {
                if !self.is_held() {
                    self.leave(env, attempt);
                }
                self.refused(env, attempt, 480, None)
            }
            CallEvent::Released(stats) => {
                self.add_stats(stats);
                State::Hunting(attempt)
            }
            // Early media may fall silent; the hunt has timers of its own. The others belong to answered calls.
            CallEvent::MediaReady
            | CallEvent::NoMedia
            | CallEvent::LineUp
            | CallEvent::Turn
            | CallEvent::Taken { .. }
            | CallEvent::Refitted { .. }
            | CallEvent::RefitRefused { .. }
            | CallEvent::Resumed(_)
            | CallEvent::Silent
            | CallEvent::NoAck(_)
            | CallEvent::LegGone
            | CallEvent::Lapsed(_)
            | CallEvent::Acknowledged(_) => State::Hunting(attempt),
        }
    }

    /// 100: the target lives, so patience with silence turns into patience with progress.
    fn trying(&mut self, mut attempt: Attempt) -> State {
        if attempt.phase == Phase::Calling {
            attempt.phase = Phase::Proceeding;
            attempt.until = self.attempt_began() + self.pinned.config.hunt.no_progress;
        }
        State::Hunting(attempt)
    }

    fn progress(&mut self, env: &mut Env, mut attempt: Attempt, progress: Progress) -> State {
        if self.is_held() {
            // It has answered already.
            return State::Hunting(attempt);
        }
        if attempt.phase != Phase::Ringing {
            attempt.phase = Phase::Ringing;
            attempt.until = env.now + self.pinned.config.hunt.no_answer;
        }
        self.stamps.ringing.get_or_insert(env.now);
        let description = self.early_description(env, &progress);
        let caller_pracks = self.invite.as_deref().is_some_and(Pending::pracks);
        let fork = self.b.dialog.as_ref().map(|dialog| dialog.remote_tag().into());
        let behind = match (progress.rseq, fork) {
            (Some(rseq), Some(fork)) if caller_pracks => Some(Behind { fork, rseq }),
            (Some(rseq), _) => {
                self.prack(env, rseq);
                None
            }
            (None, _) => None,
        };
        self.respond_progress(env, Provisional { code: progress.code, description, behind });
        State::Hunting(attempt)
    }

    /// What the caller is told of a description in a provisional response, which is early media or a late offer.
    fn early_description(&mut self, env: &mut Env, progress: &Progress) -> Option<Bytes> {
        let said = progress.description.clone()?;
        let (offered, is_bound) = (self.offer_in_invite(), self.is_bound());
        let reliable = progress.rseq.is_some();
        let pending = self.invite.as_deref_mut()?;
        if pending.early.settled {
            // There is one answer, and a fork that gave it reliably can only say it again (RFC 3262 §5).
            return None;
        }
        let may_offer = reliable && pending.pracks();
        if !offered && !may_offer {
            // An offer needs a response that arrives for certain, and a PRACK for its answer.
            return None;
        }
        pending.early.said = Some(said.clone());
        pending.early.settled = offered && reliable;
        if pending.is_final {
            let same = pending.early.told || (is_bound && self.media.fits(Leg::B, &said).is_ok());
            if same {
                let counted = self.media.counted(Leg::A);
                let _ = self.description_from_b(env, &said);
                self.media.count_from(Leg::A, counted);
            }
            return None;
        }
        // A provisional whose description cannot be used still says that it rings.
        let description = Bytes::from(self.description_from_b(env, &said).ok()?.into_owned());
        let pending = self.invite.as_deref_mut()?;
        if offered {
            pending.early.told = true;
            pending.is_final = pending.requires_100rel || (pending.supports_100rel && reliable);
            if pending.answer == EarlyAnswer::None {
                pending.answer = EarlyAnswer::Given;
            }
        }
        Some(description)
    }

    /// 2xx: the caller gets his, the other attempts are history.
    fn answer(&mut self, env: &mut Env, attempt: Attempt, description: Option<Bytes>) -> State {
        if self.reliable.as_ref().is_some_and(|reliable| reliable.holds_answer()) {
            // What the caller has not acknowledged may never have reached him. The callee has its ACK all the same, unless that
            // has to answer an offer of its own.
            let offers = !self.offer_in_invite() && description.is_some();
            if !self.b.ack_again(env, self.b.invite_cseq) && !offers {
                self.acknowledge_answer(env);
            }
            if let Some(pending) = self.invite.as_deref_mut() {
                pending.held = Some(description);
            }
            return State::Hunting(Attempt { until: Time::NEVER, ..attempt });
        }
        let Some(pending) = self.invite.as_deref_mut() else { return State::Hunting(attempt) };
        let early = std::mem::take(&mut pending.early);
        let is_final = pending.is_final;
        let offered = self.offer_in_invite();
        // A 200 without a description stands by the one of the early answer.
        let description = match early.said {
            Some(said) if early.settled => Some(said).filter(|_| offered),
            said => description.or(said.filter(|_| offered)),
        };
        let bound = self.is_bound() || (is_final && !early.told);
        if bound && description.as_deref().is_none_or(|sdp| self.media.fits(Leg::B, sdp).is_err()) {
            // The caller plays by another one's answer, and cannot be given a second one.
            self.turn_down(env, description.as_deref());
            self.b.bye(env, Some(b"SIP;cause=488;text=\"not_acceptable\""));
            return self.advance(env, attempt, HuntReason::FinalResponse, 488);
        }
        self.media.forget_told();
        let counted = self.media.counted(Leg::A);
        if let Some(offer) = description.as_deref().filter(|_| bound && !offered) {
            // The caller has answered a fellow's offer, and that is the answer to this one.
            let answer = self.media.answered_alike(Leg::B, offer, &mut |command| env.relay(command));
            self.b.ack(env, self.b.invite_cseq, answer.as_deref());
            return self.has_answered(env, attempt, None, false);
        }
        let anchored = match description.as_deref() {
            // UPDATE may have changed it since.
            _ if early.told && early.settled && is_final => Ok(None),
            None if offered => Err(()),
            None => Ok(None),
            Some(sdp) => match self.description_from_b(env, sdp) {
                Ok(anchored) => Ok(Some(anchored)),
                Err(_) => Err(()),
            },
        };
        let Ok(anchored) = anchored else {
            self.step_ends(StepOutcome::Refused { code: 200 });
            self.acknowledge_answer(env);
            self.b.bye(env, None);
            return self.reject(env, 502, CloseReason::BadAnswer, None);
        };
        let offers = !offered && anchored.is_some();
        if is_final {
            // The caller has his answer, and does not hear of this one.
            self.media.count_from(Leg::A, counted);
        }
        let description = anchored.filter(|_| !is_final).map(Cow::into_owned);
        self.has_answered(env, attempt, description, offers)
    }

    /// The target's 2xx is the call's answer. `offers`: its ACK waits for the caller's, which brings the answer to an offer.
    fn has_answered(
        &mut self,
        env: &mut Env,
        attempt: Attempt,
        description: Option<Vec<u8>>,
        offers: bool,
    ) -> State {
        self.step_ends(StepOutcome::Answered);
        if offers {
            self.defer_ack();
        } else {
            self.acknowledge_answer(env);
        }
        self.media.tell(&mut |command| env.relay(command));
        if !offers {
            self.media.prune(&mut |command| env.relay(command));
        }
        self.stamps.answered = Some(env.now);
        self.remember_trunk(env, attempt.target);
        self.sit_down(env, attempt.target);
        env.counters.answered += 1;
        // An answer that was to come in a provisional which nothing follows now comes in the 2xx.
        let untold = || self.reliable.as_ref().filter(|_| self.offer_in_invite())?.untold();
        let description = description.map(Bytes::from).or_else(untold);
        self.respond_answer(env, description.as_deref());
        State::Answered
    }

    /// Acknowledges a 2xx that is not wanted. An offer in it is refused.
    fn turn_down(&mut self, env: &mut Env, description: Option<&[u8]>) {
        let offer = description.filter(|_| !self.offer_in_invite() && !self.b.has_acked(self.b.invite_cseq));
        match offer.and_then(|offer| self.media.refused(Leg::B, offer)) {
            Some(refusal) => self.b.ack(env, self.b.invite_cseq, Some(&refusal)),
            None => self.acknowledge_answer(env),
        }
    }

    /// A final response: hunt on, or tell the caller what the callee meant.
    fn refused(
        &mut self,
        env: &mut Env,
        attempt: Attempt,
        code: u16,
        retry_after: Option<Duration>,
    ) -> State {
        // Carriers also say 503 of a single number they cannot route: without a Retry-After it says nothing of the trunk.
        if code == 503 && (retry_after.is_some() || self.is_at_edge()) {
            self.evidence(env, EvidenceKind::Unavailable(retry_after));
        }
        match self.after_refusal(code) {
            AfterRefusal::Next => return self.advance(env, attempt, HuntReason::FinalResponse, code),
            AfterRefusal::Leave => {
                self.leave_neighbour();
                return self.advance(env, attempt, HuntReason::FinalResponse, code);
            }
            AfterRefusal::Stop => {}
        }
        if matches!(code, 401 | 407) && self.accounts_of_callee().is_some() {
            // Nothing that a callee meant: what we are known by there does not hold, at whichever address.
            self.leave_neighbour();
            return self.advance(env, attempt, HuntReason::Unauthorized, code);
        }
        if (300..400).contains(&code) {
            return self.redirected(env, attempt, code);
        }
        self.step_ends(StepOutcome::Refused { code });
        let code = for_the_caller(code);
        self.reject(env, code, CloseReason::Refused, None)
    }

    /// What the target's own policy says of a final response, or else everybody's.
    fn after_refusal(&self, code: u16) -> AfterRefusal {
        let own = self.steps.last().and_then(|step| {
            let config = &step.under.config;
            let owner = config.target(step.target)?.owner;
            config.after_refusal(owner, code).or_else(|| config.after_refusal(owner, as_known(code)))
        });
        own.unwrap_or_else(|| match self.pinned.config.hunt.advance_on.contains(&as_known(code)) {
            true => AfterRefusal::Next,
            false => AfterRefusal::Stop,
        })
    }

    /// No more of whom the attempt under way is at: neither of its other addresses nor of where it has sent us.
    fn leave_neighbour(&mut self) {
        self.plan.leave_owner();
        if let Some(redirects) =
            self.invite.as_deref_mut().and_then(|pending| pending.redirects.as_deref_mut())
        {
            redirects.forget();
        }
    }

    /// 422: the same target is asked again, for the interval that it wants, or that a proxy on the way does (RFC 4028 §7.3).
    /// That is no step of the hunt.
    fn ask_for_longer(&mut self, env: &mut Env, attempt: Attempt, min_se: u32, call_id: &[u8]) -> State {
        let asked = self.b.invite_cseq - INVITE_CSEQ;
        if asked >= MAX_INTERVALS_ASKED || !self.b.session.raise(min_se) {
            return self.advance(env, attempt, HuntReason::FinalResponse, 422);
        }
        self.b.invite_cseq += 1;
        self.invite_again(env, attempt, call_id, 422)
    }

    /// 421: the same target is asked again and offered reliable provisionals, whose PRACKs are ours. Once: then they were
    /// offered.
    fn offer_100rel(&mut self, env: &mut Env, attempt: Attempt, call_id: &[u8]) -> State {
        if let Some(pending) = self.invite.as_deref_mut() {
            pending.asked_100rel = true;
        }
        self.b.invite_cseq += 1;
        self.invite_again(env, attempt, call_id, 421)
    }

    fn out_of_patience(&mut self, env: &mut Env, attempt: Attempt) -> State {
        if self.expires() <= env.now {
            self.step_ends(StepOutcome::Refused { code: 0 });
            self.leave(env, attempt);
            return self.reject(env, 487, CloseReason::Expired, None);
        }
        if env.now < attempt.until {
            return State::Hunting(attempt);
        }
        match attempt.phase {
            Phase::Calling => self.advance(env, attempt, HuntReason::NoResponse, 0),
            Phase::Proceeding => self.advance(env, attempt, HuntReason::NoProgress, 0),
            Phase::Ringing => {
                self.step_ends(StepOutcome::Refused { code: 0 });
                self.leave(env, attempt);
                self.reject(env, 480, CloseReason::NoAnswer, None)
            }
        }
    }

    fn cancelled(&mut self, env: &mut Env, attempt: Attempt) -> State {
        self.step_ends(StepOutcome::Cancelled);
        self.leave(env, attempt);
        self.reject(env, 487, CloseReason::Cancelled, None)
    }

    /// Leaves this target for the next one, or gives up when there is none.
    pub(super) fn advance(
        &mut self,
        env: &mut Env,
        attempt: Attempt,
        reason: HuntReason,
        code: u16,
    ) -> State {
        env.counters.hunt(reason);
        self.step_ends(StepOutcome::Advanced { reason, code });
        match reason {
            HuntReason::NoResponse => self.evidence(env, EvidenceKind::NoResponse),
            HuntReason::TransactionTimeout => self.evidence(env, EvidenceKind::Timeout),
            HuntReason::TransportError => self.evidence(env, EvidenceKind::Unreachable),
            HuntReason::NoProgress
            | HuntReason::FinalResponse
            | HuntReason::Unauthorized
            | HuntReason::Redirected
            | HuntReason::TargetDown => {}
        }
        if !matches!(reason, HuntReason::FinalResponse | HuntReason::Unauthorized | HuntReason::Redirected) {
            self.leave(env, attempt);
        }
        self.leave_carried(env);
        let next = if self.late_offer_is_out() { None } else { self.next_target(env, reason) };
        match next {
            Some(target) => {
                self.b.reset();
                let untold = self.reliable.as_ref().is_some_and(|reliable| reliable.untold().is_some());
                if let Some(pending) = &mut self.invite {
                    if untold {
                        pending.untell();
                    }
                    pending.forget_target();
                }
                if let Some(reliable) = &mut self.reliable {
                    reliable.forget_target();
                }
                self.go(env, target)
            }
            None => {
                let last = self.steps.iter().rev().find_map(|step| match step.outcome {
                    StepOutcome::Advanced { code, .. } if code != 0 => Some(code),
                    _ => None,
                });
                let reject = last.is_none().then_some(RejectReason::NoTarget);
                self.reject(env, last.map_or(503, for_the_caller), CloseReason::HuntExhausted, reject)
            }
        }
    }

    /// Ends an attempt that has no final response: CANCEL once it has answered at all (RFC 3261 §9.1), else silence.
    pub(super) fn leave(&mut self, env: &mut Env, attempt: Attempt) {
        if let Some(description) = self.invite.as_deref_mut().and_then(|pending| pending.held.take()) {
            self.turn_down(env, description.as_deref());
            return self.b.bye(env, None);
        }
        match attempt.phase {
            Phase::Calling => env.txns.abandon(env.now, attempt.client),
            Phase::Proceeding | Phase::Ringing => {
                let said = self.said.as_deref().and_then(|said| std::str::from_utf8(said).ok());
                env.txns.cancel(env.now, attempt.client, said);
            }
        }
    }

    /// Whether the current target is an edge of ours, not a carrier.
    fn is_at_edge(&self) -> bool {
        self.steps.last().is_some_and(|step| step.under.config.region_of(step.target).is_some())
    }

    /// Tells the health core what was seen of the current target.
    fn evidence(&self, env: &mut Env, kind: EvidenceKind) {
        let Some(step) = self.steps.last() else { return };
        env.evidence_under(step.target, step.under.config_generation, kind);
    }
}

/// A code that nobody has defined means what the first of its class does (RFC 3261 §8.1.3.2).
const fn as_known(code: u16) -> u16 {
    match code {
        500..=505 | 513 | 555 | 580 => code,
        506..=599 => 500,
        _ => code,
    }
}

/// What a caller is told of a target's final response. Where it was about our own request, he could make nothing of it: a
/// redirection, a challenge, or a session interval.
fn for_the_caller(code: u16) -> u16 {
    match code {
        300..=399 | 422 => 480,
        // A challenge is for us, who have no answer to it; the caller could not give one either (RFC 3261 §22).
        401 | 407 => 403,
        _ => code,
    }
}
