//! The tier leg is leaving: what every event means meanwhile. The carrier's leg hears of none of it.

use super::moving::Arriving;
use super::{Attempt, Call, CallEvent, CallLeg, Env, Phase, Rehome, SessionTimer, Stage, State, User};
use crate::dialog::Dialog;
use crate::limits::{MAX_SESSION, SETTLE};
use crate::moves::Settled;
use crate::transaction::ClientKind;
use crate::{CloseReason, EvidenceKind, HuntReason, MoveOutcome, MoveReason, TargetId};
use bytes::Bytes;
use relay_values::{Duration, Gap, Leg, Time};
use sip_wire::sdp::Misfit;
use sip_wire::{HeaderName, Message, Method};

impl Rehome {
    /// When the call wants to be woken.
    pub(super) fn deadline(&self) -> Time {
        match self.stage {
            Stage::Waiting { again } => again.min(self.until),
            Stage::Inviting(attempt) => attempt.until.min(self.until),
            Stage::Refitting { .. } => self.until,
            Stage::Settling { until } => until,
        }
    }

    /// Whether the tier leg can be talked to: it has not been left yet, or has arrived.
    pub(super) fn has_tier(&self) -> bool {
        match self.stage {
            Stage::Waiting { .. } => self.order.is_some(),
            Stage::Inviting(_) | Stage::Refitting { .. } => false,
            Stage::Settling { .. } => true,
        }
    }
}

impl Call {
    pub(super) fn rehoming(&mut self, env: &mut Env, rehome: Rehome, event: CallEvent) -> State {
        match event {
            CallEvent::LineUp => match rehome.stage {
                Stage::Waiting { again: Time::NEVER } => self.stand_in_line(env, rehome, env.now),
                Stage::Waiting { .. }
                | Stage::Inviting(_)
                | Stage::Refitting { .. }
                | Stage::Settling { .. } => State::Rehoming(rehome),
            },
            CallEvent::Turn => match rehome.stage {
                Stage::Waiting { again: Time::NEVER } => self.take_turn(env, rehome),
                Stage::Waiting { .. }
                | Stage::Inviting(_)
                | Stage::Refitting { .. }
                | Stage::Settling { .. } => State::Rehoming(rehome),
            },
            CallEvent::Trying => self.new_leg_lives(rehome, Phase::Proceeding),
            CallEvent::Progress(_) => self.new_leg_lives(rehome, Phase::Ringing),
            CallEvent::Taken { dialog, session, description } => {
                self.taken(env, rehome, (*dialog, session), description)
            }
            CallEvent::IntervalTooSmall { min_se, .. } => self.ask_longer(env, rehome, min_se),
            CallEvent::Refusal { code, retry_after } => self.move_refused(env, rehome, code, retry_after),
            CallEvent::Failure(reason) => self.move_failed(env, rehome, reason),
            CallEvent::Refitted { description } => self.refitted(env, rehome, description),
            CallEvent::RefitRefused { crossed } => self.unfit(env, rehome, crossed),
            CallEvent::Resumed(gap) => self.resumed(env, rehome, gap),
            CallEvent::Timer => self.move_timer(env, rehome),
            CallEvent::Hangup(leg) => self.hung_up_midway(env, rehome, leg),
            // Its ACK would come from where nobody is; unless the carrier waits for what it would have brought.
            CallEvent::NoAck(leg)
                if leg == self.tier_leg()
                    && !rehome.has_tier()
                    && self.leg(leg.other()).ack_due.is_none() =>
            {
                self.leg_mut(leg).unacked = None;
                State::Rehoming(rehome)
            }
            CallEvent::NoAck(leg) => {
                self.leg_mut(leg).unacked = None;
                self.end_midway(env, rehome, MoveOutcome::HungUp);
                self.close(env, CloseReason::NoAck, None)
            }
            CallEvent::LegGone => {
                self.end_midway(env, rehome, MoveOutcome::HungUp);
                self.close(env, CloseReason::LegGone, None)
            }
            CallEvent::Lapsed(reason) => {
                self.end_midway(env, rehome, MoveOutcome::HungUp);
                self.close(env, reason, None)
            }
            CallEvent::Ended => {
                self.end_midway(env, rehome, MoveOutcome::HungUp);
                self.close(env, CloseReason::Operator, None)
            }
            // A leg that was left is silent by nature; the move has a deadline of its own.
            CallEvent::Silent if !rehome.has_tier() => State::Rehoming(rehome),
            CallEvent::Silent => {
                self.end_midway(env, rehome, MoveOutcome::HungUp);
                self.close(env, CloseReason::MediaTimeout, None)
            }
            CallEvent::Released(stats) => {
                self.add_stats(stats);
                State::Rehoming(rehome)
            }
            // CANCEL has no effect on a request that was answered (RFC 3261 §9.2); the rest is history of the hunt.
            CallEvent::Cancel
            | CallEvent::ExtensionRequired { .. }
            | CallEvent::Acknowledged(_)
            | CallEvent::MediaReady
            | CallEvent::NoMedia
            | CallEvent::Answer { .. } => State::Rehoming(rehome),
        }
    }

    /// The next edge has said something: it gets more time.
    fn new_leg_lives(&self, mut rehome: Rehome, phase: Phase) -> State {
        if let Stage::Inviting(attempt) = &mut rehome.stage
            && attempt.phase < phase
        {
            attempt.phase = phase;
            attempt.until = match phase {
                Phase::Calling | Phase::Proceeding => attempt.until + self.pinned.config.hunt.no_progress,
                Phase::Ringing => Time::NEVER,
            };
        }
        State::Rehoming(rehome)
    }

    /// 2xx: the tier leg has a new home, if the carrier can stay as it is.
    fn taken(
        &mut self,
        env: &mut Env,
        rehome: Rehome,
        (dialog, session): (Dialog, SessionTimer),
        answer: Option<Bytes>,
    ) -> State {
        let Stage::Inviting(attempt) = rehome.stage else { return State::Rehoming(rehome) };
        let tier = self.tier_leg();
        let mut leg = CallLeg::new(self.leg(tier).tag);
        leg.invite_cseq = dialog.local_cseq;
        (leg.dialog, leg.session) = (Some(dialog), session);
        leg.ack(env, leg.invite_cseq, None);
        let fits = answer.as_deref().map(|sdp| self.media.fits(tier, sdp));
        match (fits, answer) {
            (Some(Ok(())), Some(answer)) => self.arrive(env, rehome, attempt.target, leg, &answer),
            (Some(Err(misfit)), Some(answer)) if can_be_offered(misfit) => {
                self.refit(env, rehome, attempt.target, Arriving { leg, answer })
            }
            _ => {
                leg.bye(env, Some(b"SIP;cause=488;text=\"not_acceptable\""));
                self.note_outcome(MoveOutcome::Unmatched);
                self.stand_in_line(env, rehome, env.now)
            }
        }
    }

    /// The tier leg sits at its new edge: media goes there, and the old leg is told, or haunted.
    fn arrive(
        &mut self,
        env: &mut Env,
        rehome: Rehome,
        target: TargetId,
        leg: CallLeg,
        answer: &[u8],
    ) -> State {
        let tier = self.tier_leg();
        let region = env.newest.config.region_of(target).unwrap_or(self.region());
        self.pay_ack(env, tier);
        if self.media.move_tier(tier, answer, region, &mut |command| env.relay(command)).is_err() {
            let mut leg = leg;
            leg.bye(env, None);
            self.note_outcome(MoveOutcome::Unmatched);
            return self.stand_in_line(env, rehome, env.now);
        }
        self.park_session(env, tier);
        let left = std::mem::replace(self.leg_mut(tier), leg);
        if rehome.order.is_some() {
            self.mobile().left = Some(left);
        } else {
            self.abandon_leg(env, left);
        }
        self.change_seat(env, target, region);
        self.arrived(env, target);
        if self.is_down_in(&env.newest) {
            // The new edge went down while the carrier was asked: the call moves on at once.
            env.late.push(self.key);
        }
        State::Rehoming(Rehome { stage: Stage::Settling { until: env.now + SETTLE }, ..rehome })
    }

    /// The new edge's media is not the carrier's: the one case in which the carrier is asked.
    fn refit(&mut self, env: &mut Env, rehome: Rehome, target: TargetId, mut arriving: Arriving) -> State {
        let (tier, carrier) = (self.tier_leg(), self.tier_leg().other());
        let busy = self.is_negotiating(false)
            || self.leg(carrier).unacked.is_some()
            || self.may_answer_yet(env, carrier);
        // What is written for the carrier has to be said to it: it is counted (RFC 3264 §8).
        let offer = if busy { None } else { self.media.offer_to_carrier(tier, &arriving.answer).ok() };
        let (policy, session) = (self.pinned.config.session, self.leg(carrier).session);
        let sent = offer.and_then(|offer| {
            let key = self.key;
            let dialog = self.leg_mut(carrier).dialog.as_mut()?;
            let face = env.faces.get(dialog.peer.listener)?;
            let client = env.txns.reserve(User::Refit(key));
            let mut out = dialog.request(Method::Invite, face, env.txns.branch(client).as_bytes());
            out.header(HeaderName::Contact, &face.contact)
                .header(HeaderName::Allow, env.allow(dialog.peer.remote));
            session.write_request(&policy, &mut out);
            let (cseq, to) = (dialog.local_cseq, dialog.peer);
            env.txns.start(env.now, client, to, ClientKind::Invite, super::leg::finish(out, Some(&offer)));
            Some((client, cseq))
        });
        match sent {
            Some((client, cseq)) => {
                let mobile = self.mobile();
                (mobile.arriving, mobile.asked_carrier) = (Some(arriving), true);
                State::Rehoming(Rehome { stage: Stage::Refitting { client, cseq, target }, ..rehome })
            }
            None => {
                arriving.leg.bye(env, Some(b"SIP;cause=488;text=\"not_acceptable\""));
                self.note_outcome(MoveOutcome::Unmatched);
                self.stand_in_line(env, rehome, env.now)
            }
        }
    }

    /// 422: the carrier is asked the same once more, for the interval that it wants (RFC 4028 §7.4). False where it has no
    /// better one.
    pub(super) fn refit_for_longer(&mut self, env: &mut Env, response: &Message) -> bool {
        let State::Rehoming(rehome) = self.state else { return false };
        let Stage::Refitting { target, .. } = rehome.stage else { return false };
        let carrier = self.tier_leg().other();
        let min_se = response.number32(HeaderName::MinSe).ok().flatten().unwrap_or(0);
        if !self.leg_mut(carrier).session.raise(min_se) {
            return false;
        }
        let Some(arriving) = self.mobile().arriving.take() else { return false };
        self.media.rolled_back();
        self.state = self.refit(env, rehome, target, arriving);
        true
    }

    /// The carrier follows.
    fn refitted(&mut self, env: &mut Env, rehome: Rehome, description: Option<Bytes>) -> State {
        let Stage::Refitting { cseq, target, .. } = rehome.stage else { return State::Rehoming(rehome) };
        let (tier, carrier) = (self.tier_leg(), self.tier_leg().other());
        self.leg_mut(carrier).ack(env, cseq, None);
        let taken = description.is_some_and(|sdp| self.media.carrier_answered(tier, &sdp).is_ok());
        match self.mobile().arriving.take() {
            Some(Arriving { leg, answer }) if taken => self.arrive(env, rehome, target, leg, &answer),
            arriving => {
                self.mobile().arriving = arriving;
                self.unfit(env, rehome, false)
            }
        }
    }

    /// The carrier does not: the next edge may fit better. One whose own re-INVITE has crossed ours is asked again, after the
    /// time that keeps the two from crossing again.
    fn unfit(&mut self, env: &mut Env, rehome: Rehome, crossed: bool) -> State {
        let Stage::Refitting { .. } = rehome.stage else { return State::Rehoming(rehome) };
        if let Some(mut arriving) = self.mobile().arriving.take() {
            arriving.leg.bye(env, Some(b"SIP;cause=488;text=\"not_acceptable\""));
        }
        self.media.rolled_back();
        self.note_outcome(MoveOutcome::Unmatched);
        if !crossed {
            return self.stand_in_line(env, rehome, env.now);
        }
        self.plan_anew();
        let again = env.now + self.after_glare(env, self.tier_leg().other());
        self.stand_in_line(env, rehome, again)
    }

    fn move_refused(
        &mut self,
        env: &mut Env,
        rehome: Rehome,
        code: u16,
        retry_after: Option<Duration>,
    ) -> State {
        let Stage::Inviting(attempt) = rehome.stage else { return State::Rehoming(rehome) };
        // Without a time it says nothing of the edge's other calls, a thousand of which may be on their way there.
        if code == 503 && retry_after.is_some() {
            env.evidence(attempt.target, EvidenceKind::Unavailable(retry_after));
        }
        if code >= 600 {
            // Nobody else is to be asked (RFC 3261 §21.6).
            self.note_outcome(MoveOutcome::Declined);
            return self.give_up(env, rehome, MoveOutcome::Declined);
        }
        self.stand_in_line(env, rehome, env.now)
    }

    /// 422: the same edge is asked once more, for the interval that it wants (RFC 4028 §7.3).
    fn ask_longer(&mut self, env: &mut Env, rehome: Rehome, min_se: u32) -> State {
        let Stage::Inviting(attempt) = rehome.stage else { return State::Rehoming(rehome) };
        let mobile = self.mobile();
        if mobile.min_se != 0 || min_se == 0 || min_se > MAX_SESSION {
            return self.stand_in_line(env, rehome, env.now);
        }
        mobile.min_se = min_se;
        let client = self.invite_elsewhere(env, attempt.target, rehome.reason);
        let Some(client) = client else { return self.stand_in_line(env, rehome, env.now) };
        let until = env.now + env.newest.config.hunt.no_response;
        let attempt = Attempt { client, phase: Phase::Calling, until, ..attempt };
        State::Rehoming(Rehome { stage: Stage::Inviting(attempt), ..rehome })
    }

    fn move_failed(&mut self, env: &mut Env, rehome: Rehome, reason: HuntReason) -> State {
        let Stage::Inviting(attempt) = rehome.stage else { return State::Rehoming(rehome) };
        self.drop_attempt(env, attempt, reason);
        self.stand_in_line(env, rehome, env.now)
    }

    /// Leaves an edge that has not answered, and says what was seen of it.
    fn drop_attempt(&mut self, env: &mut Env, attempt: Attempt, reason: HuntReason) {
        match reason {
            HuntReason::NoResponse => env.evidence(attempt.target, EvidenceKind::NoResponse),
            HuntReason::TransactionTimeout => env.evidence(attempt.target, EvidenceKind::Timeout),
            HuntReason::TransportError => env.evidence(attempt.target, EvidenceKind::Unreachable),
            HuntReason::NoProgress
            | HuntReason::FinalResponse
            | HuntReason::Unauthorized
            | HuntReason::Redirected
            | HuntReason::TargetDown => {}
        }
        self.leave(env, attempt);
    }

    fn move_timer(&mut self, env: &mut Env, rehome: Rehome) -> State {
        let now = env.now;
        if let Some(reason) = self.keep_sessions_waiting(env, &rehome) {
            self.end_midway(env, rehome, MoveOutcome::HungUp);
            return self.close(env, reason, None);
        }
        match rehome.stage {
            Stage::Settling { until } if until <= now => {
                self.settled_down(env, None);
                State::Answered
            }
            Stage::Settling { .. } => State::Rehoming(rehome),
            _ if rehome.until <= now => self.give_up(env, rehome, MoveOutcome::Deadline),
            Stage::Waiting { again } if again <= now => self.stand_in_line(env, rehome, now),
            Stage::Inviting(attempt) if attempt.until <= now => {
                let reason = match attempt.phase {
                    Phase::Calling => HuntReason::NoResponse,
                    Phase::Proceeding | Phase::Ringing => HuntReason::NoProgress,
                };
                self.move_failed(env, rehome, reason)
            }
            Stage::Waiting { .. } | Stage::Inviting(_) | Stage::Refitting { .. } => State::Rehoming(rehome),
        }
    }

    /// The first packet of the new peer.
    fn resumed(&mut self, env: &mut Env, rehome: Rehome, gap: Gap) -> State {
        let Stage::Settling { .. } = rehome.stage else { return State::Rehoming(rehome) };
        self.settled_down(env, Some(gap));
        State::Answered
    }

    /// A leg hung up in the middle. What comes from an edge that was taken for dead is no wish of anybody's: that leg is
    /// gone, and the call goes on without it.
    fn hung_up_midway(&mut self, env: &mut Env, rehome: Rehome, leg: Leg) -> State {
        let tier = self.tier_leg();
        let lost = rehome.reason == MoveReason::LegLost;
        if leg == tier && !lost && rehome.order.is_none() && !rehome.has_tier() {
            self.pay_ack(env, tier);
            // Its ACK would not be known any more; whoever hangs up has heard the 2xx.
            self.leg_mut(tier).owes_nothing(env);
            self.hung_up_on(env, tier);
            self.leg_mut(tier).dialog = None;
            return State::Rehoming(rehome);
        }
        self.end_midway(env, rehome, MoveOutcome::HungUp);
        let reason = match leg {
            Leg::A => CloseReason::ByeFromA,
            Leg::B => CloseReason::ByeFromB,
        };
        self.close(env, reason, Some(leg))
    }

    /// Nobody took the call: it stays where it is if somebody is there, by plan or because its edge is back; else it ends.
    fn give_up(&mut self, env: &mut Env, rehome: Rehome, outcome: MoveOutcome) -> State {
        if rehome.order.is_some() || self.old_leg_lives(env, &rehome) {
            self.leave_new_leg(env, rehome);
            return self.stay(env, rehome);
        }
        self.end_midway(env, rehome, outcome);
        self.close(env, CloseReason::NotRehomed, None)
    }

    /// Whether the edge that was taken for dead is back, and the leg there has not hung up.
    pub(super) fn old_leg_lives(&self, env: &Env, rehome: &Rehome) -> bool {
        let lost = rehome.reason == MoveReason::LegLost;
        let back = !lost && !self.is_down_in(&env.newest) && self.seat.cut.is_none();
        back && self.leg(self.tier_leg()).dialog.is_some()
    }

    /// The old leg goes on.
    pub(super) fn stay(&mut self, env: &mut Env, rehome: Rehome) -> State {
        match rehome.order {
            Some(order) => env.moves.settled(order, Settled::Failed),
            None => self.media.is_back(self.tier_leg(), &mut |command| env.relay(command)),
        }
        self.close_receipt(env, MoveOutcome::Stayed);
        State::Answered
    }

    /// The call ends, or the move does, with this.
    fn end_midway(&mut self, env: &mut Env, rehome: Rehome, outcome: MoveOutcome) {
        self.leave_new_leg(env, rehome);
        if let Stage::Settling { .. } = rehome.stage {
            return self.settled_down(env, None);
        }
        if let Some(order) = rehome.order {
            env.moves.settled(order, Settled::Gone);
        }
        self.close_receipt(env, outcome);
    }

    /// Gives up whatever was on its way to the next edge.
    fn leave_new_leg(&mut self, env: &mut Env, rehome: Rehome) {
        match rehome.stage {
            Stage::Inviting(attempt) => self.leave(env, attempt),
            Stage::Refitting { client, .. } => {
                env.txns.cancel(env.now, client, None);
                // It may be answered yet, and no other is asked before (RFC 3261 §14.1).
                let carrier = self.tier_leg().other();
                self.leg_mut(carrier).given_up = Some(client);
                if let Some(mut arriving) = self.mobile().arriving.take() {
                    arriving.leg.bye(env, None);
                }
            }
            Stage::Waiting { .. } | Stage::Settling { .. } => {}
        }
    }

    /// The move is over and the call is at home: its receipt is written, and the leg that was left hears BYE.
    pub(super) fn settled_down(&mut self, env: &mut Env, gap: Option<Gap>) {
        let State::Rehoming(rehome) = self.state else { return };
        if let Some(mut left) = self.mobile().left.take() {
            left.owes_nothing(env);
            left.bye(env, Some(b"SIP;cause=200;text=\"moved\""));
        }
        if let Some(order) = rehome.order {
            env.moves.settled(order, Settled::Moved);
        }
        self.note_gap(gap);
        self.close_receipt(env, MoveOutcome::Moved);
    }

    /// ACK from a leg that the call has left and that has not heard BYE yet: its 2xx is said no more. Whether it was one.
    pub(crate) fn left_acknowledges(&mut self, env: &mut Env, ack: &Message) -> bool {
        let left = self.mobile.as_mut().and_then(|mobile| mobile.left.as_mut());
        let Some(left) = left.filter(|left| left.owns(ack)) else { return false };
        let number = ack.cseq().map(|cseq| cseq.number).ok();
        if left.unacked.is_some_and(|(_, due)| Some(due) == number) {
            left.owes_nothing(env);
        }
        true
    }

    /// Says BYE on a leg. Where nobody may hear it, it is said again until somebody does.
    pub(super) fn part(&mut self, env: &mut Env, leg: Leg, reason: Option<&[u8]>) {
        if leg == self.tier_leg() && (self.is_down_in(&env.newest.clone()) || self.is_deaf(leg)) {
            // A copy: an ACK may still come, and the record names it.
            let left = self.leg(leg).dialog.clone();
            return self.haunt(env, left, reason);
        }
        self.leg_mut(leg).bye(env, reason);
    }

    fn abandon_leg(&mut self, env: &mut Env, mut left: CallLeg) {
        left.owes_nothing(env);
        self.haunt(env, left.dialog.take(), Some(b"SIP;cause=410;text=\"rehomed\""));
    }

    fn haunt(&mut self, env: &mut Env, dialog: Option<Dialog>, reason: Option<&[u8]>) {
        let Some(dialog) = dialog else { return };
        let drill = self.seat.cut.filter(|cut| cut.signalling).map(|cut| cut.drill);
        if let Err(dialog) = env.ghosts.take(env.now, dialog, reason, self.seat.edge, drill) {
            let mut leg = CallLeg::new(self.leg(self.tier_leg()).tag);
            leg.dialog = Some(*dialog);
            leg.bye(env, reason);
        }
    }
}

/// Whether a stream that does not fit is at least one that the carrier can be offered.
fn can_be_offered(misfit: Misfit) -> bool {
    match misfit {
        Misfit::Codec | Misfit::PayloadType | Misfit::Event | Misfit::Direction | Misfit::Secured => true,
        Misfit::NoAudio | Misfit::Refused | Misfit::Transport => false,
    }
}
