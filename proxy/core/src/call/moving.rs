//! Leaving one edge for another: when a call has to, where it goes, and the INVITE that takes it there.

use super::invite;
use super::session::write_first;
use super::uac::INVITE_CSEQ;
use super::{Attempt, Call, CallLeg, Env, Phase, Rehome, Stage, State, User};
use crate::correlation::{self, Facts};
use crate::dialog::Dialog;
use crate::identity::Hosting;
use crate::limits::{LAST_CHANCE, MOVE_RETRY};
use crate::moves::{Rank, Settled};
use crate::route::{Choosy, Leaving, plan_elsewhere};
use crate::transaction::{ClientKey, ClientKind};
use crate::{MoveOutcome, MoveReason, Receipt, RegionState, SiteId, Snapshot, TargetId, TargetState};
use bytes::Bytes;
use relay_values::{Leg, RegionId, RelayCommand, Time};
use sip_wire::Builder;
use std::cmp::Reverse;

/// What is kept of a call's moves.
#[derive(Debug, Default)]
pub(super) struct Mobile {
    /// Of the moves that are over.
    pub(super) receipts: Vec<Receipt>,
    /// Of the one under way.
    pub(super) open: Option<Receipt>,
    /// When the call was moved last.
    pub(super) last: Option<Time>,
    /// What the move under way leaves.
    leaving: Option<Leaving>,
    /// The call's plan is one of this move.
    planned: bool,
    /// Call-ID of its first tier leg.
    pub(super) first_call_id: Box<[u8]>,
    /// A planned move: the leg that was left, until the new one is heard.
    pub(super) left: Option<CallLeg>,
    /// The carrier was asked for other media in this move, whatever it said.
    pub(super) asked_carrier: bool,
    /// What the edge under way has asked for with 422, in seconds; 0 if it has not.
    pub(super) min_se: u32,
    /// A new leg whose media does not fit, while the carrier is asked.
    pub(super) arriving: Option<Arriving>,
}

/// A leg that has answered but is not the call's yet.
#[derive(Debug)]
pub(super) struct Arriving {
    pub(super) leg: CallLeg,
    pub(super) answer: Bytes,
}

/// Why a call moves, and since when there is a reason.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cause {
    pub(crate) reason: MoveReason,
    pub(crate) detected: Time,
    /// The operator's order and its deadline.
    pub(crate) order: Option<(u64, Time)>,
    /// Where to, if not just away.
    pub(crate) back_to: Option<RegionId>,
}

impl Call {
    /// A new snapshot: an unanswered call leaves a target that is down, an answered one its dead edge.
    pub(crate) fn judge(&mut self, env: &mut Env, old: &Snapshot) {
        if self.hunting_at().is_some() {
            return self.judge_hunt(env);
        }
        let newest = env.newest.clone();
        if let State::Rehoming(Rehome { stage: Stage::Inviting(attempt), .. }) = self.state
            && newest.state(attempt.target) == TargetState::Down
        {
            self.handle(env, super::CallEvent::Failure(crate::HuntReason::TargetDown));
        }
        if self.is_down_in(&newest) && !self.is_down_in(old) {
            self.lost(env);
        }
    }

    /// Nobody is where the tier leg sits.
    pub(crate) fn lost(&mut self, env: &mut Env) {
        let newest = env.newest.clone();
        let region = newest.region(self.region()).filter(|region| region.state == RegionState::Down);
        let edge = self.seat.edge.and_then(|edge| newest.health.get(edge.index()));
        let (reason, detected) = match (region, edge) {
            (Some(region), _) => (MoveReason::RegionDown, region.suspected.min(region.since)),
            (None, Some(edge)) => (MoveReason::EdgeDown, edge.since),
            (None, None) => (MoveReason::EdgeDown, env.now),
        };
        self.uproot(env, Cause { reason, detected, order: None, back_to: None });
    }

    /// The call leaves its edge. False where it cannot, or is leaving already.
    pub(crate) fn uproot(&mut self, env: &mut Env, cause: Cause) -> bool {
        if [Leg::A, Leg::B].iter().any(|leg| self.has_left(*leg)) || self.lent.is_some() {
            // Somebody else is on his way, or the leg itself is: there is nothing to be moved.
            return false;
        }
        self.give_up_transfer(env);
        match self.state {
            State::Answered => {}
            State::Rehoming(Rehome { stage: Stage::Settling { .. }, .. }) => {
                self.settled_down(env, None);
                self.state = State::Answered;
            }
            State::Rehoming(rehome) if rehome.order.is_some() && cause.order.is_none() => {
                return self.hurry(env, rehome, cause);
            }
            State::Opening { .. }
            | State::Hunting(_)
            | State::Rehoming(_)
            | State::Closing(_)
            | State::Over(..) => return false,
        }
        let can_move = self.media.can_move();
        if !env.newest.config.rehome.enabled || !(can_move || self.is_stranded(cause)) {
            return false;
        }
        let deadline = env.now + env.newest.config.rehome.deadline;
        let until = cause.order.map_or(deadline, |(_, until)| until);
        let rested = self.rested(env);
        self.open_receipt(env, cause);
        let leaving = match (cause.back_to, cause.reason, self.seat.edge) {
            (Some(region), ..) => Leaving::For(region),
            (None, MoveReason::EdgeDown | MoveReason::LegLost, edge) => {
                Leaving::Edge { edge, region: self.region() }
            }
            (None, MoveReason::Drain, Some(edge)) if self.only_edge_drained(env, edge) => {
                Leaving::Edge { edge: Some(edge), region: self.region() }
            }
            (None, ..) => Leaving::Region(self.region()),
        };
        let mobile = self.mobile();
        (mobile.leaving, mobile.planned) = (Some(leaving), false);
        if cause.order.is_none() {
            self.cut_loose(env);
        }
        let again = if !can_move {
            // Nobody else can be offered what was agreed: it waits for its edge to come back, or for the end.
            self.note_outcome(MoveOutcome::Unmatched);
            Time::NEVER
        } else if rested > env.now {
            rested
        } else {
            env.moves.uprooted(self.rank(), self.key);
            Time::NEVER
        };
        self.state = State::Rehoming(Rehome {
            stage: Stage::Waiting { again },
            reason: cause.reason,
            order: cause.order.map(|(order, _)| order),
            until,
        });
        true
    }

    /// Nobody is at the call's edge, and nothing is known that another one could be offered.
    fn is_stranded(&self, cause: Cause) -> bool {
        let nobody_there = cause.order.is_none() && cause.reason != MoveReason::LegLost;
        nobody_there && self.media.session().is_some()
    }

    /// Who goes before whom.
    fn rank(&self) -> Rank {
        let answered = Reverse(self.stamps.answered.unwrap_or(self.stamps.started));
        Rank { emergency: self.admitted.emergency, answered }
    }

    /// When the call may be moved again.
    fn rested(&self, env: &Env) -> Time {
        let last = self.mobile.as_ref().and_then(|mobile| mobile.last);
        last.map_or(env.now, |last| last + env.newest.config.rehome.min_interval)
    }

    /// What the operator wanted without haste has to be done at once: its old edge is dead now.
    fn hurry(&mut self, env: &mut Env, rehome: Rehome, cause: Cause) -> bool {
        if let Some(order) = rehome.order {
            env.moves.settled(order, Settled::Failed);
        }
        let mobile = self.mobile();
        (mobile.leaving, mobile.planned) = (None, false);
        if let Some(receipt) = &mut mobile.open {
            receipt.reason = cause.reason;
            if receipt.invited.is_none() {
                (receipt.detected, receipt.decided) = (cause.detected, env.now);
            }
        }
        self.cut_loose(env);
        let until = env.now + env.newest.config.rehome.deadline;
        let rehome = Rehome { reason: cause.reason, order: None, until, ..rehome };
        self.state = match rehome.stage {
            Stage::Waiting { .. } => self.stand_in_line(env, rehome, self.rested(env)),
            Stage::Inviting(_) | Stage::Refitting { .. } | Stage::Settling { .. } => State::Rehoming(rehome),
        };
        true
    }

    /// Nobody is at the other end of the tier leg: the carrier hears the fill, and whatever was on its way across is
    /// answered for.
    fn cut_loose(&mut self, env: &mut Env) {
        let tier = self.tier_leg();
        let fill = self.media.fill(tier, env.newest.config.rehome.fill);
        if let Some(session) = self.media.session() {
            env.relay(RelayCommand::Bridge { session, leg: tier, fill });
        }
        self.park_carried(env, tier);
        self.park_session(env, tier);
    }

    /// Puts the call into the lane of the region that it would go to, or lets it look again later.
    pub(super) fn stand_in_line(&mut self, env: &mut Env, rehome: Rehome, from: Time) -> State {
        let wait = |again| State::Rehoming(Rehome { stage: Stage::Waiting { again }, ..rehome });
        if from > env.now {
            return wait(from);
        }
        let Some(target) = self.next_elsewhere(env, rehome) else {
            return self.nobody_left(env, rehome);
        };
        let region = env.newest.config.region_of(target).unwrap_or(self.region());
        env.moves.wait(region, self.rank(), self.key);
        wait(Time::NEVER)
    }

    /// Every target was tried: who could stay does, the others try again while there is time.
    fn nobody_left(&mut self, env: &mut Env, rehome: Rehome) -> State {
        if rehome.order.is_some() || self.old_leg_lives(env, &rehome) {
            return self.stay(env, rehome);
        }
        let again = env.now + MOVE_RETRY;
        State::Rehoming(Rehome { stage: Stage::Waiting { again }, ..rehome })
    }

    /// The best target that the plan of this move has left.
    fn next_elsewhere(&mut self, env: &mut Env, rehome: Rehome) -> Option<TargetId> {
        let left = self.mobile.as_ref().and_then(|mobile| mobile.leaving);
        let leaving = left.unwrap_or(Leaving::Region(self.region()));
        let choosy = match rehome.order {
            Some(_) => Choosy::Very,
            None if rehome.until > env.now + LAST_CHANCE => Choosy::Somewhat,
            None => Choosy::Hardly,
        };
        let serves = |call: &Self, id: TargetId, snapshot: &Snapshot| {
            let v6 = snapshot.config.target(id).is_some_and(|target| target.peer.remote.is_ipv6());
            choosy.takes(snapshot, id) && call.media.serves(call.tier_leg(), v6)
        };
        let newest = env.newest.clone();
        let mobile = self.mobile();
        if !std::mem::replace(&mut mobile.planned, true) {
            let site = self.site(&newest)?;
            self.plan = plan_elsewhere(&newest, env.now, site, leaving, choosy, &mut env.rng);
        }
        let next = self.plan_left(&newest).find(|id| serves(self, *id, &newest));
        // Used up: after a pause it is made anew, with whatever has come back.
        self.mobile().planned = next.is_some();
        next
    }

    /// The next look finds every target again.
    pub(super) fn plan_anew(&mut self) {
        self.mobile().planned = false;
    }

    /// What the plan has left, unless its numbers are of another configuration.
    fn plan_left<'a>(&'a self, newest: &'a Snapshot) -> impl Iterator<Item = TargetId> + 'a {
        let same = self.plan.is_of(newest);
        self.plan.untried().iter().copied().filter(move |_| same)
    }

    /// The call's site in the newest configuration.
    fn site(&self, newest: &Snapshot) -> Option<SiteId> {
        let sites = || (0..).map(SiteId).zip(&newest.config.sites);
        let named = self.admitted.site.and_then(|site| self.pinned.config.sites.get(site.index()));
        match named {
            Some(site) => sites().find(|(_, s)| s.name == site.name).map(|(id, _)| id),
            None => {
                let here = |group: &crate::GroupId| {
                    newest.config.groups.get(group.index()).is_some_and(|g| g.region == self.region())
                };
                sites().find(|(_, site)| site.groups.iter().any(here)).map(|(id, _)| id)
            }
        }
    }

    /// It is the call's turn: the INVITE leaves.
    pub(super) fn take_turn(&mut self, env: &mut Env, rehome: Rehome) -> State {
        if rehome.order.is_some_and(|order| env.moves.is_stopped(order)) {
            return self.stay(env, rehome);
        }
        if self.is_between_offers() {
            let again = env.now + MOVE_RETRY;
            return State::Rehoming(Rehome { stage: Stage::Waiting { again }, ..rehome });
        }
        let Some(target) = self.next_elsewhere(env, rehome) else {
            return self.nobody_left(env, rehome);
        };
        self.plan.take(target);
        self.mobile().min_se = 0;
        let Some(client) = self.invite_elsewhere(env, target, rehome.reason) else {
            return self.nobody_left(env, rehome);
        };
        let region = env.newest.config.region_of(target).unwrap_or(self.region());
        env.moves.spend(env.now, region);
        let until = env.now + env.newest.config.hunt.no_response;
        let attempt = Attempt { client, target, phase: Phase::Calling, until };
        State::Rehoming(Rehome { stage: Stage::Inviting(attempt), ..rehome })
    }

    /// Builds and sends the INVITE: the identity that the lost leg had, the media that the carrier has, and which call
    /// it continues.
    pub(super) fn invite_elsewhere(
        &mut self,
        env: &mut Env,
        target: TargetId,
        reason: MoveReason,
    ) -> Option<ClientKey> {
        let snapshot = env.newest.clone();
        let to = snapshot.config.target(target)?;
        let offer = self.media.offer_again(self.tier_leg())?;
        let receipt = self.mobile().open.as_mut()?;
        receipt.attempts = receipt.attempts.saturating_add(1);
        receipt.invited.get_or_insert(env.now);
        let client = env.txns.reserve(User::Move(self.key));
        let Some(invite) = self.build_move(env, client, target, reason, &offer) else {
            env.txns.abandon(env.now, client);
            return None;
        };
        self.note_identity(env, target, &invite);
        env.txns.start(env.now, client, to.peer, ClientKind::Invite, invite);
        Some(client)
    }

    fn build_move(
        &mut self,
        env: &mut Env,
        client: ClientKey,
        target: TargetId,
        reason: MoveReason,
        offer: &[u8],
    ) -> Option<Bytes> {
        let call_id = env.fresh_call_id();
        let branch = env.txns.branch(client);
        let snapshot = &env.newest;
        let to = snapshot.config.target(target)?;
        let (face, aim) = (env.face(to.peer.listener)?, env.faces.aim(target)?);
        let profile = snapshot.config.profile(to.owner);
        let (identity, hosting) = (self.identity_for_tier(), Hosting::new(face, aim));
        let uri = identity.request_uri(&aim.host_port, profile);
        let mut out = invite::to(&uri, face, branch.as_bytes(), self.admitted.max_forwards);
        identity.write(&mut out, self.leg(self.tier_leg()).tag.as_bytes(), &hosting, profile);
        let contact = identity.contact(&face.contact, profile);
        invite::put_dialog(&mut out, &contact, &call_id, INVITE_CSEQ, env.allow(to.peer.remote));
        let raised = self.mobile.as_ref().map_or(0, |mobile| mobile.min_se);
        write_first(&self.pinned.config.session, raised, &mut out);
        self.correlate(&env.newest, &mut out, target, reason);
        Some(self.finish_invite(out, Some(offer)))
    }

    /// The same in the first INVITE to the tier: nothing but the call's own name.
    pub(super) fn say_which_call(&self, out: &mut Builder) {
        let to_tier = self.tier_leg() == Leg::B;
        let Some(how) = self.correlation().filter(|how| to_tier && how.session_id) else { return };
        correlation::write(
            &how,
            &Facts {
                call_id: b"",
                lost_call_id: b"",
                carrier_call_id: b"",
                session_id: self.session_id(),
                remote_session_id: None,
                from_region: "",
                to_region: "",
                reason: None,
                replaces: None,
            },
            out,
        );
    }

    /// Says which call the INVITE continues, as the trunk's profile or else the site's wants it said.
    fn correlate(&self, newest: &Snapshot, out: &mut Builder, target: TargetId, reason: MoveReason) {
        let Some(how) = self.correlation() else { return };
        let tier = self.tier_leg();
        let text = |leg: Leg| self.leg(leg).dialog.as_ref().map(Dialog::call_id).unwrap_or_default();
        let lost = self.leg(tier).dialog.as_ref();
        let region = |id: RegionId| {
            newest.config.regions.get(usize::from(id.0)).map_or("", |region| region.name.as_str())
        };
        let first = self.mobile.as_ref().map(|mobile| &*mobile.first_call_id).unwrap_or_default();
        correlation::write(
            &how,
            &Facts {
                call_id: first,
                lost_call_id: text(tier),
                carrier_call_id: text(tier.other()),
                session_id: self.session_id(),
                remote_session_id: None,
                from_region: region(self.region()),
                to_region: newest.config.region_of(target).map(region).unwrap_or_default(),
                reason: Some(reason),
                replaces: lost.map(|lost| (lost.call_id(), lost.remote_tag(), self.leg(tier).tag.as_bytes())),
            },
            out,
        );
    }

    pub(super) fn mobile(&mut self) -> &mut Mobile {
        if self.mobile.is_none() {
            let dialog = self.leg(self.tier_leg()).dialog.as_ref();
            let first_call_id = dialog.map(Dialog::call_id).unwrap_or_default().into();
            self.mobile = Some(Box::new(Mobile { first_call_id, ..Mobile::default() }));
        }
        self.mobile.get_or_insert_default()
    }

    /// Numbers of a move under way, after a reload.
    pub(super) fn renumber_move(&mut self, edge: impl Fn(TargetId) -> Option<TargetId>) {
        if let State::Rehoming(rehome) = &mut self.state {
            match &mut rehome.stage {
                Stage::Inviting(Attempt { target, .. }) | Stage::Refitting { target, .. } => {
                    *target = edge(*target).unwrap_or(TargetId(u16::MAX));
                }
                Stage::Waiting { .. } | Stage::Settling { .. } => {}
            }
        }
        if let Some(mobile) = &mut self.mobile {
            (mobile.leaving, mobile.planned) = (None, false);
        }
    }

    /// The drain is of this edge, not of its region.
    fn only_edge_drained(&self, env: &Env, edge: TargetId) -> bool {
        let overrides = &env.newest.overrides;
        overrides.drained_targets.contains(&edge) && !overrides.drained.contains(&self.region())
    }
}
