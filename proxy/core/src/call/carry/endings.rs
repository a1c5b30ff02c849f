//! Carried requests that nobody waits for any more: their call ends, or one of its legs has gone.

use super::Carried;
use crate::call::{Call, Env};
use crate::transaction::ServerKey;
use relay_values::Leg;

impl Call {
    /// Refuses a request that was never sent on.
    pub(super) fn drop_waiting(&mut self, env: &mut Env, carried: Carried, code: u16) {
        env.txns.abandon(env.now, carried.client);
        self.refuse(env, carried.from, carried.source, carried.server, &carried.request, code);
        self.media.rolled_back();
        self.prune(env);
    }

    /// Once the call is up and nothing is being offered, lines that nobody takes have no ports.
    pub(super) fn prune(&mut self, env: &mut Env) {
        if self.is_answered() && !self.is_negotiating(false) {
            self.media.prune(&mut |command| env.relay(command));
        }
    }

    /// The tier leg is lost: what the carrier has asked of it is put off; what it asked of the carrier is taken back.
    pub(in crate::call) fn park_carried(&mut self, env: &mut Env, tier: Leg) {
        for carried in std::mem::take(&mut self.carried) {
            if carried.from == tier && !carried.waits {
                // Its answer still says what the carrier agreed to.
                env.txns.cancel(env.now, carried.client, None);
                self.carried.push(carried);
                continue;
            }
            self.abandon_carried(env, &carried);
            let code = self.busy_code(&carried.request);
            self.answer_carried(env, &carried, code);
            if carried.offers {
                self.media.rolled_back();
            }
        }
        self.prune(env);
    }

    /// A leg that was left has hung up: its own requests are answered (RFC 3261 §15.1.2), since nobody would acknowledge
    /// another answer. What they brought about on the other leg is heard still.
    pub(in crate::call) fn hung_up_on(&mut self, env: &mut Env, tier: Leg) {
        let mut all = std::mem::take(&mut self.carried);
        for carried in all.iter_mut().filter(|carried| carried.from == tier) {
            self.answer_carried(env, carried, 487);
            carried.gone = true;
        }
        self.carried = all;
    }

    /// Refuses a request whose sender is still there.
    fn answer_carried(&mut self, env: &mut Env, carried: &Carried, code: u16) {
        if !carried.gone {
            self.refuse(env, carried.from, carried.source, carried.server, &carried.request, code);
        }
    }

    /// Nobody waits for what was asked of a leg. The leg may have heard it, and answer yet.
    fn abandon_carried(&mut self, env: &mut Env, carried: &Carried) {
        env.txns.abandon(env.now, carried.client);
        if carried.offers && !carried.waits {
            self.leg_mut(carried.from.other()).given_up = Some(carried.client);
        }
    }

    /// Whether a leg may still answer an offer, or an INVITE, that was given up.
    pub(in crate::call) fn may_answer_yet(&self, env: &Env, leg: Leg) -> bool {
        self.leg(leg).given_up.is_some_and(|client| env.txns.is_under_way(client))
    }

    /// CANCEL of a re-INVITE.
    pub(crate) fn cancel_carried(&mut self, env: &mut Env, server: ServerKey) {
        let Some(at) = self.carried.iter().position(|carried| carried.server == server) else { return };
        if let Some(carried) = self.carried.get(at).filter(|carried| !carried.waits) {
            env.txns.cancel(env.now, carried.client, None);
            return;
        }
        let carried = self.carried.swap_remove(at);
        self.drop_waiting(env, carried, 487);
    }

    /// The target is left before it has answered: what went to it, or came from it, is answered for.
    pub(in crate::call) fn leave_carried(&mut self, env: &mut Env) {
        for carried in std::mem::take(&mut self.carried) {
            self.abandon_carried(env, &carried);
            let code = match (carried.from, carried.rack) {
                (Leg::A, Some(_)) => 200,
                (Leg::A, None) => 500,
                (Leg::B, _) => 487,
            };
            self.answer_carried(env, &carried, code);
            if carried.offers {
                self.media.rolled_back();
            }
        }
    }

    /// The call ends: whatever is still open is answered (RFC 3261 §15.1.2).
    pub(in crate::call) fn drop_carried(&mut self, env: &mut Env) {
        for carried in std::mem::take(&mut self.carried) {
            if carried.waits {
                env.txns.abandon(env.now, carried.client);
            } else {
                // A re-INVITE that rings over there would otherwise be waited for for ever. Anything else is left to end.
                env.txns.cancel(env.now, carried.client, None);
            }
            self.answer_carried(env, &carried, 487);
        }
    }
}
