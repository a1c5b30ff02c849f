//! Responses to the INVITEs that move a call: the next edge's, and the carrier's where it has to be asked.

use super::{Call, CallEvent, Env, Progress, Rehome, SessionTimer, Stage, State};
use crate::Peer;
use crate::dialog::Dialog;
use crate::transaction::ClientKey;
use bytes::Bytes;
use relay_values::Duration;
use sip_wire::{HeaderName, Message, sdp};

impl Call {
    /// Whether the INVITE of this transaction is the one that is out: earlier ones may still be heard of.
    pub(crate) fn is_moving_by(&self, by: ClientKey) -> bool {
        matches!(self.state, State::Rehoming(Rehome { stage: Stage::Inviting(attempt), .. }) if attempt.client == by)
    }

    /// Whether the carrier is being asked by this transaction.
    pub(crate) fn is_refitting(&self, by: ClientKey) -> bool {
        matches!(self.state, State::Rehoming(Rehome { stage: Stage::Refitting { client, .. }, .. }) if client == by)
    }

    /// Whether the call waits for its turn by this order.
    pub(crate) fn waits_for(&self, order: u64) -> bool {
        match self.state {
            State::Rehoming(rehome) => {
                rehome.order == Some(order) && matches!(rehome.stage, Stage::Waiting { .. })
            }
            _ => false,
        }
    }

    /// A response to an INVITE that moves the call. Whether nobody wants it: a 2xx that comes too late gets ACK and BYE.
    pub(crate) fn read_move(
        &mut self,
        env: &mut Env,
        client: ClientKey,
        from: Peer,
        response: &Message,
    ) -> bool {
        let code = response.code().unwrap_or(0);
        if !self.is_moving_by(client) {
            return (200..300).contains(&code) && !self.acknowledge_again(env, response);
        }
        let event = match code {
            0..=100 => CallEvent::Trying,
            101..=199 => CallEvent::Progress(Progress { code, description: None, rseq: None }),
            200..=299 => {
                let description = sdp::find(response).map(|found| response.body().slice_ref(found));
                match Dialog::uac(response, from) {
                    Some(mut dialog) => {
                        dialog.passes = env.txns.shown(client).map(|shown| Box::new(shown.passes.clone()));
                        let min_se = self.mobile.as_ref().map_or(0, |mobile| mobile.min_se);
                        let mut session = SessionTimer::Idle { min_se };
                        session.answered(env.now, &self.pinned.config.session, response);
                        CallEvent::Taken { dialog: Box::new(dialog), session, description }
                    }
                    // Acknowledged and ended, where it makes a dialog at all.
                    None => return true,
                }
            }
            422 if self.pinned.config.session.enabled => {
                let min_se = response.number32(HeaderName::MinSe).ok().flatten().unwrap_or(0);
                CallEvent::IntervalTooSmall { min_se, call_id: Bytes::new() }
            }
            _ => {
                let seconds = response.retry_after().ok().flatten();
                let retry_after = seconds.map(|seconds| Duration::from_secs(u64::from(seconds)));
                CallEvent::Refusal { code, retry_after }
            }
        };
        self.handle(env, event);
        false
    }

    /// A 2xx of the leg that the call has, or is leaving by plan and has not hung up on, said again, gets its ACK again. False
    /// where it is another one's.
    pub(in crate::call) fn acknowledge_again(&mut self, env: &mut Env, response: &Message) -> bool {
        let tag = response.to().ok().and_then(|to| to.tag()).unwrap_or_default();
        let call_id = response.call_id().unwrap_or_default();
        let mobile = self.mobile.as_ref();
        let arriving = mobile.and_then(|mobile| mobile.arriving.as_ref()).map(|arriving| &arriving.leg);
        let left = mobile.and_then(|mobile| mobile.left.as_ref());
        let legs = [Some(self.leg(self.tier_leg())), arriving, left];
        let same = legs
            .into_iter()
            .flatten()
            .find(|leg| leg.dialog.as_ref().is_some_and(|dialog| dialog.matches(call_id, tag)));
        let number = response.cseq().map(|cseq| cseq.number);
        same.zip(number.ok()).is_some_and(|(leg, number)| leg.ack_again(env, number))
    }

    /// A response to our re-INVITE of the carrier. Whether nobody wants it: then a 2xx gets its ACK.
    pub(crate) fn read_refit(&mut self, env: &mut Env, client: ClientKey, response: &Message) -> bool {
        let code = response.code().unwrap_or(0);
        if !self.is_refitting(client) {
            let again = response
                .cseq()
                .is_ok_and(|cseq| self.leg(self.tier_leg().other()).ack_again(env, cseq.number));
            return (200..300).contains(&code) && !again;
        }
        match code {
            0..=199 => {}
            200..=299 => {
                let description = sdp::find(response).map(|found| response.body().slice_ref(found));
                let (policy, carrier) = (self.pinned.config.session, self.tier_leg().other());
                let leg = self.leg_mut(carrier);
                leg.session.answered(env.now, &policy, response);
                if let Some(dialog) = &mut leg.dialog {
                    dialog.retarget(response);
                }
                self.handle(env, CallEvent::Refitted { description });
            }
            422 if self.refit_for_longer(env, response) => {}
            // The carrier does not know the dialog any more: there is nobody to be moved (RFC 3261 §12.2.1.2).
            408 | 481 => self.handle(env, CallEvent::LegGone),
            _ => self.handle(env, CallEvent::RefitRefused { crossed: code == 491 }),
        }
        false
    }
}
