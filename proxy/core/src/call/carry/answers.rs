//! What becomes of a carried request: its response goes back, or none comes.

use super::{Carried, CarriedOutcome, with_body};
use crate::call::leg::respond;
use crate::call::{Call, CallEvent, Env, User};
use crate::transaction::ClientKey;
use relay_values::Leg;
use sip_wire::{HeaderName, Message, Method, sdp};

impl Call {
    /// A response to a carried request goes back to where the request came from.
    pub(crate) fn carried_response(
        &mut self,
        env: &mut Env,
        leg: Leg,
        client: ClientKey,
        response: &Message,
    ) -> CarriedOutcome {
        let code = response.code().unwrap_or(0);
        let Some(at) = self.carried.iter().position(|carried| carried.client == client) else {
            return self.repeated_answer(env, leg, client, response);
        };
        // Only an INVITE has provisional responses worth telling (RFC 3261 §8.2.6.1).
        let told = self.carried.get(at).is_some_and(|carried| code >= 200 || carried.is_invite());
        if code <= 100 || !told {
            return CarriedOutcome::PassedBack;
        }
        if self.carried.get(at).is_some_and(|carried| carried.gone) {
            if code >= 200 {
                self.nobody_waits(env, leg, at, response);
            }
            return CarriedOutcome::PassedBack;
        }
        // What a refusal describes is no answer, and what a provisional one does comes again in the 2xx.
        let is_success = (200..300).contains(&code);
        let anchored = match sdp::find(response).filter(|_| is_success) {
            Some(sdp) => self.negotiate(env, leg, sdp).map(Some),
            None => Ok(None),
        };
        if matches!(code, 405 | 501) && self.carry_by_invite(env, leg, at) {
            return CarriedOutcome::PassedBack;
        }
        if code == 422 && self.carry_again(env, leg, at, response) {
            return CarriedOutcome::PassedBack;
        }
        let Some(carried) = self.carried.get(at) else { return CarriedOutcome::PassedBack };
        let unanswered = is_success && carried.has_offer() && !matches!(anchored, Ok(Some(_)));
        let anchored = anchored.unwrap_or_default();
        let code = match code {
            // A session interval is this leg's own concern.
            422 => 500,
            // Ours was acknowledged, and its sender has nothing to do about that.
            300.. if carried.rack.is_some() && !carried.has_offer() => 200,
            _ if unanswered || (is_success && carried.offers && anchored.is_none()) => 502,
            code => code,
        };
        let mut out = respond(env, &carried.request, carried.source, code, &self.leg(carried.from).tag);
        if code == 405 {
            let allow = response.header(HeaderName::Allow);
            out.header(HeaderName::Allow, allow.unwrap_or_else(|| env.allow(carried.source.remote)));
        }
        if (200..300).contains(&code) && carried.refreshes() && self.is_answered() {
            let policy = &self.pinned.config.session;
            let (to, from) = match leg {
                Leg::A => (&mut self.a, &mut self.b),
                Leg::B => (&mut self.b, &mut self.a),
            };
            to.session.answered(env.now, policy, response);
            from.session.accept(env.now, policy, &carried.request, &mut out);
        }
        let bytes = with_body(out, response, anchored);
        if carried.must_not_say(code) {
            env.txns.forget(carried.server);
        } else {
            env.txns.respond(env.now, carried.server, code, bytes);
        }
        if code < 200 {
            return CarriedOutcome::PassedBack;
        }
        let carried = self.carried.swap_remove(at);
        if is_success && code == 502 {
            // The leg has taken the offer, and nobody knows how: the session stays what it was (RFC 6141 §3.4).
            if matches!(carried.method(), Method::Invite) {
                self.leg_mut(leg).ack(env, carried.cseq, None);
            }
            self.carried_failed(env, code, &carried);
        } else if (200..300).contains(&code) {
            let tag = response.to().ok().and_then(|to| to.tag()).unwrap_or_default();
            let dialog = self.leg_mut(leg).dialog.as_mut().filter(|_| carried.refreshes());
            // A fork that our request never went to says nothing of where this leg's peer is.
            if let Some(dialog) = dialog.filter(|dialog| dialog.remote_tag() == tag) {
                dialog.retarget(response);
            }
            if carried.is_invite() {
                self.reinvite_answered(env, leg, &carried);
            } else if carried.by_invite {
                self.leg_mut(leg).ack(env, carried.cseq, None);
            }
            self.prune(env);
        } else {
            self.carried_failed(env, code, &carried);
        }
        CarriedOutcome::PassedBack
    }

    /// A final response to what a leg has asked that has hung up since. What the other one agrees to still holds; what it offers
    /// changes nothing.
    fn nobody_waits(&mut self, env: &mut Env, leg: Leg, at: usize, response: &Message) {
        let carried = self.carried.swap_remove(at);
        let code = response.code().unwrap_or(0);
        if !(200..300).contains(&code) {
            return self.carried_failed(env, code, &carried);
        }
        let said = sdp::find(response);
        let agreed = carried.has_offer() && said.is_some_and(|sdp| self.negotiate(env, leg, sdp).is_ok());
        if carried.offers && !agreed {
            self.media.rolled_back();
        }
        if matches!(carried.method(), Method::Invite) {
            let offer = said.filter(|_| !carried.has_offer());
            let answer = offer.and_then(|offer| self.media.unchanged(leg, offer));
            self.leg_mut(leg).ack(env, carried.cseq, answer.as_deref());
        }
        self.prune(env);
    }

    /// 422: the leg wants its session refreshed less often. It is asked once more for that, and the other one does not hear
    /// of it.
    fn carry_again(&mut self, env: &mut Env, leg: Leg, at: usize, response: &Message) -> bool {
        let min_se = response.number32(HeaderName::MinSe).ok().flatten().unwrap_or(0);
        if !self.leg_mut(leg).session.raise(min_se) {
            return false;
        }
        self.send_again(env, leg, at)
    }

    /// 405 or 501: the leg knows no UPDATE. The offer that it brought is made by re-INVITE, which everybody knows
    /// (RFC 3311 §5.1), as long as that may be sent: once the call is up, and where no 2xx of ours waits for its ACK.
    fn carry_by_invite(&mut self, env: &mut Env, leg: Leg, at: usize) -> bool {
        let may_invite = self.is_answered() && self.leg(leg).unacked.is_none();
        let Some(carried) = self.carried.get_mut(at) else { return false };
        let is_update = matches!(carried.method(), Method::Update);
        if !may_invite || !is_update || !carried.has_offer() {
            return false;
        }
        carried.by_invite = true;
        let sent = self.send_again(env, leg, at);
        if let Some(carried) = self.carried.get_mut(at).filter(|_| !sent) {
            carried.by_invite = false;
        }
        sent
    }

    /// Sends a carried request once more, as another transaction. Whether it could be sent.
    fn send_again(&mut self, env: &mut Env, leg: Leg, at: usize) -> bool {
        let mut carried = self.carried.remove(at);
        let client = env.txns.reserve(User::Carried(self.key, leg));
        let (request, method) = (&carried.request, carried.method());
        let sent = self.send_carried(env, carried.from, client, request, method, carried.rack);
        if let Ok(cseq) = sent {
            (carried.client, carried.cseq) = (client, cseq);
        } else {
            env.txns.abandon(env.now, client);
        }
        // In its old place: that is where the caller looks for it.
        self.carried.insert(at, carried);
        sent.is_ok()
    }

    /// 2xx to a re-INVITE: with the offer in the request it is acknowledged at once; a late offer waits for its answer.
    fn reinvite_answered(&mut self, env: &mut Env, leg: Leg, carried: &Carried) {
        let offered = sdp::find(&carried.request).is_some();
        let number = carried.request.cseq().map(|cseq| cseq.number).unwrap_or_default();
        self.leg_mut(carried.from).unacked = Some((carried.server, number));
        if offered {
            self.leg_mut(leg).ack(env, carried.cseq, None);
        } else {
            self.leg_mut(leg).ack_due = Some(carried.cseq);
        }
    }

    pub(super) fn carried_failed(&mut self, env: &mut Env, code: u16, carried: &Carried) {
        if carried.offers {
            self.media.rolled_back();
            self.prune(env);
        }
        // RFC 3261 §12.2.1.2: these mean that the dialog is gone on that leg. A PRACK may have come too late (RFC 3262 §3).
        let of_dialog = carried.rack.is_none();
        if of_dialog && matches!(code, 408 | 481) && self.is_answered() && !self.is_left(carried.from.other())
        {
            self.handle(env, CallEvent::LegGone);
        }
    }

    /// A repeated 2xx to a re-INVITE gets its ACK again.
    fn repeated_answer(
        &mut self,
        env: &mut Env,
        leg: Leg,
        client: ClientKey,
        response: &Message,
    ) -> CarriedOutcome {
        let cseq = response.cseq().ok().filter(|cseq| matches!(cseq.method, Method::Invite));
        let is_answer = response.code().is_some_and(|code| (200..300).contains(&code));
        let tag = response.to().ok().and_then(|to| to.tag()).unwrap_or_default();
        let call_id = response.call_id().unwrap_or_default();
        let ours = self.leg(leg).dialog.as_ref().is_some_and(|dialog| dialog.matches(call_id, tag));
        if is_answer && cseq.is_some() && !ours {
            // Of a leg that the call has left since, or is leaving.
            let again = self.acknowledge_again(env, response);
            return if again { CarriedOutcome::PassedBack } else { CarriedOutcome::Unwanted };
        }
        match cseq.filter(|_| is_answer) {
            Some(cseq) if self.leg(leg).ack_due != Some(cseq.number) => {
                if !self.leg(leg).ack_again(env, cseq.number) {
                    // Nobody waits for it any more, but the dialog stays: an offer in it changes nothing.
                    let offer = sdp::find(response).filter(|_| env.txns.wants_offer(client));
                    let answer = offer.and_then(|offer| self.media.unchanged(leg, offer));
                    self.leg_mut(leg).ack(env, cseq.number, answer.as_deref());
                }
                CarriedOutcome::PassedBack
            }
            _ => CarriedOutcome::PassedBack,
        }
    }

    /// Whether somebody waits for the answer to this request.
    pub(in crate::call) fn waits_for_carried(&self, client: ClientKey) -> bool {
        self.carried.iter().any(|carried| carried.client == client && !carried.gone)
    }

    /// A carried request was said again.
    pub(in crate::call) fn carried_anew(&mut self, before: ClientKey, client: ClientKey, cseq: u32) {
        if let Some(carried) = self.carried.iter_mut().find(|carried| carried.client == before) {
            (carried.client, carried.cseq) = (client, cseq);
        }
    }

    /// A carried request got no response: 408 to whoever sent it (RFC 3261 §8.1.3.1) if it was an INVITE, and the silent leg
    /// is gone.
    pub(crate) fn carried_timeout(&mut self, env: &mut Env, client: ClientKey) {
        let Some(at) = self.carried.iter().position(|carried| carried.client == client) else { return };
        let carried = self.carried.swap_remove(at);
        if carried.gone {
            // It was answered.
        } else if carried.must_not_say(408) {
            env.txns.forget(carried.server);
        } else {
            self.refuse(env, carried.from, carried.source, carried.server, &carried.request, 408);
        }
        self.carried_failed(env, 408, &carried);
    }
}
