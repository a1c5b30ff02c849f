//! The other call of an attended transfer: the one whose leg is taken (RFC 3891, RFC 5589 §7).

use super::leg::finish;
use super::media::lent::Line;
use super::transfer::NOWHERE;
use super::{Call, CallLeg, Env, State};
use crate::transaction::{ClientKey, ClientKind};
use crate::{CloseReason, TargetId};
use relay_values::{Leg, RegionId};
use sip_wire::{HeaderName, Message, Method, sdp};

/// A leg that another call of ours would like to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lent {
    /// This leg is being asked.
    Here(Leg),
    /// The same, and the other one, this, has hung up meanwhile.
    Left(Leg),
}

/// A leg that another call has given up, and where it sits.
#[derive(Debug)]
pub(crate) struct Given {
    pub(super) leg: CallLeg,
    pub(super) edge: Option<TargetId>,
    pub(super) region: RegionId,
    /// What it was told in the call that gave it.
    pub(super) line: Option<Line>,
}

impl Call {
    /// Asks a leg whether it would take another call's media: a re-INVITE inside its dialog, whose response goes to that
    /// call. Nothing happens unless the dialog on the other side is the one that was named and the call is at rest.
    pub(crate) fn lend(
        &mut self,
        env: &mut Env,
        leg: Leg,
        client: ClientKey,
        (call_id, from_tag): (&[u8], &[u8]),
        offer: &[u8],
    ) -> Result<(), u16> {
        let named = self.leg(leg.other()).dialog.as_ref();
        if !named.is_some_and(|dialog| dialog.matches(call_id, from_tag)) {
            return Err(481);
        }
        let at_rest = matches!(self.state, State::Answered) && self.transfer.is_none() && self.lent.is_none();
        if !at_rest || !self.carried.is_empty() || self.is_negotiating(true) {
            return Err(491);
        }
        let (policy, session) = (self.pinned.config.session, self.leg(leg).session);
        let peer = self.leg(leg).dialog.as_ref().map(|dialog| dialog.peer).ok_or(481_u16)?;
        let face = env.faces.get(peer.listener).ok_or(500_u16)?;
        let own = self.media.as_next(leg, offer);
        let offer = own.as_deref().unwrap_or(offer);
        let dialog = self.leg_mut(leg).dialog.as_mut().ok_or(481_u16)?;
        let mut out = dialog.request(Method::Invite, face, env.txns.branch(client).as_bytes());
        out.header(HeaderName::Contact, &face.contact).header(HeaderName::Allow, env.allow(peer.remote));
        session.write_request(&policy, &mut out);
        env.txns.start(env.now, client, peer, ClientKind::Invite, finish(out, Some(offer)));
        self.lent = Some(Lent::Here(leg));
        Ok(())
    }

    /// Gives the leg away and ends: the leg on the other side hears BYE, unless it has hung up.
    pub(crate) fn give(&mut self, env: &mut Env, leg: Leg) -> Option<Given> {
        let gone = match self.lent.filter(|_| matches!(self.state, State::Answered)) {
            Some(Lent::Here(lent)) if lent == leg => None,
            Some(Lent::Left(other)) if other == leg.other() => Some(other),
            _ => return None,
        };
        self.park_session(env, leg);
        let tag = self.leg(leg).tag;
        let (edge, region) =
            if leg == self.tier_leg() { (self.seat.edge, self.region()) } else { (None, NOWHERE) };
        self.remember_call_ids();
        let given = std::mem::replace(self.leg_mut(leg), CallLeg::new(tag));
        let line = self.media.line_of(leg);
        self.lent = None;
        self.state = self.close(env, CloseReason::Transferred, gone);
        Some(Given { leg: given, edge, region, line })
    }

    /// The leg stays.
    pub(crate) fn returned(&mut self, env: &mut Env) {
        if let Some(Lent::Left(gone)) = self.lent.take() {
            self.state = self.close(env, CloseReason::NotTransferred, Some(gone));
        }
    }

    /// Takes the leg of another call, which has answered.
    pub(crate) fn adopt(&mut self, env: &mut Env, mut given: Given, response: &Message) -> Option<Leg> {
        let by = self.transfer.as_deref().map(|transfer| transfer.by);
        if let Some(dialog) = &mut given.leg.dialog {
            dialog.retarget(response);
        }
        given.leg.session.answered(env.now, &self.pinned.config.session, response);
        given.leg.ack(env, response.cseq().map(|cseq| cseq.number).unwrap_or_default(), None);
        let answer = sdp::find(response).map(|found| response.body().slice_ref(found));
        match by {
            Some(by) => {
                self.takes_over(env, given, answer);
                self.transfer.is_none().then_some(by)
            }
            None => {
                given.leg.bye(env, None);
                None
            }
        }
    }

    /// What the record is to name although its leg is somebody else's by then.
    pub(super) fn remember_call_ids(&mut self) {
        if self.first_call_id.is_none() {
            self.first_call_id = self.a.dialog.as_ref().map(|dialog| dialog.call_id().into());
        }
    }
}
