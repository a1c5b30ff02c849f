//! What the transactions bring back: responses to our requests, or that none came.

use super::Shard;
use crate::call::{CallEvent, CarriedOutcome, NotForTheCall, User};
use crate::call::{finish, refused_offer};
use crate::delays::Disconnect;
use crate::dialog::Dialog;
use crate::ids::CallKey;
use crate::transaction::{ClientKey, ClientKind, ServerKey, TxnEvent};
use crate::{HuntReason, Output, Peer};
use relay_values::Leg;
use sip_wire::{Message, Method};

/// CSeq numbers that requests inside an early dialog (PRACK, UPDATE) may have used up before the call moved on and forgot
/// it. A gap is no error (RFC 3261 §12.2.2); a number that was used before is.
const FORGOTTEN: u32 = 100;

impl Shard {
    /// What the transactions have to say, and what they send, until nothing more follows.
    pub(super) fn settle(&mut self) {
        while let Some(event) = self.env.txns.poll_event() {
            match event {
                TxnEvent::ClientTimeout { client, user } => {
                    self.no_response(client, user, HuntReason::TransactionTimeout);
                }
                TxnEvent::ClientFailed { client, user, .. } => {
                    self.no_response(client, user, HuntReason::TransportError);
                }
                TxnEvent::NoAck { user: Some(User::Invite(key)), server } => {
                    self.no_ack(key, Leg::A, server);
                }
                TxnEvent::NoAck { user: Some(User::Carried(key, to)), server } => {
                    self.no_ack(key, to.other(), server);
                }
                TxnEvent::NoAck { user: Some(User::Session(key, leg)), server } => {
                    self.no_ack(key, leg, server);
                }
                TxnEvent::NoAck { .. } => {}
            }
        }
        while let Some((to, bytes)) = self.env.txns.poll_send() {
            self.env.counters.sent += 1;
            self.env.out.push_back(Output::Send { to, bytes });
        }
    }

    pub(super) fn response(&mut self, from: Peer, client: ClientKey, user: User, response: &Message) {
        // A request that was too large for a datagram may have its answer from a stream: the dialog is with the same peer.
        let meant = self.env.txns.meant_for(client);
        if self.env.newest.config.overload.ask_peers
            && let (Ok(via), Some(peer)) = (response.top_via(), meant.or_else(|| self.env.txns.peer(client)))
        {
            self.env.throttles.heard(self.env.now, peer, &via);
        }
        let from = meant.unwrap_or(from);
        let answers = matches!(response.method(), Method::Invite)
            && response.code().is_some_and(|code| (200..300).contains(&code));
        let first = answers && {
            let tag = response.to().ok().and_then(|to| to.tag()).unwrap_or_default();
            self.env.txns.is_first_answer(client, tag)
        };
        let unwanted = match user {
            User::Attempt(key, number) => self
                .with(key, |call, env| {
                    if !call.is_current(number, client) {
                        return true;
                    }
                    match call.read_response(env, client, from, response) {
                        Ok(event) => call.handle(env, event),
                        Err(NotForTheCall::Unwanted) => return true,
                        Err(NotForTheCall::Repeated | NotForTheCall::Undecodable) => {}
                    }
                    false
                })
                .unwrap_or(true),
            User::Carried(key, leg) => self
                .with(key, |call, env| {
                    call.carried_response(env, leg, client, response) == CarriedOutcome::Unwanted
                })
                .unwrap_or(true),
            User::Move(key) => {
                self.with(key, |call, env| call.read_move(env, client, from, response)).unwrap_or(true)
            }
            User::Refit(key) => {
                self.with(key, |call, env| call.read_refit(env, client, response)).unwrap_or(true)
            }
            User::Session(key, leg) => {
                self.with(key, |call, env| call.read_session(env, leg, client, response)).unwrap_or(true)
            }
            User::Transfer(key) => {
                self.with(key, |call, env| call.read_transfer(env, client, from, response)).unwrap_or(true)
            }
            User::Ghost(id) => {
                if response.code().is_some_and(|code| code >= 200) {
                    self.env.ghosts.laid(id);
                }
                false
            }
            User::Farewell(said) => {
                if response.code().is_some_and(|code| (200..300).contains(&code)) {
                    self.env.counters.disconnected(Disconnect::Completed, self.env.now.since(said));
                }
                false
            }
            User::Invite(_) | User::Within(..) => false,
        };
        if unwanted && answers {
            // The BYE to a re-INVITE's 2xx, and to one that comes again, is on its way already.
            let ends = first && matches!(user, User::Attempt(..) | User::Move(_) | User::Transfer(_));
            let late = self.env.txns.wants_offer(client);
            self.refuse_answer(from, response, late, ends);
        }
    }

    /// A 2xx to an INVITE that no call wants gets its ACK, and the first of its dialog a BYE (RFC 3261 §13.2.2.4).
    fn refuse_answer(&mut self, from: Peer, answer: &Message, late: bool, ends: bool) {
        let Some(mut dialog) = Dialog::uac_to_end(answer, from) else { return };
        let ack_branch = self.env.fresh_branch();
        let Some(face) = self.env.faces.get(dialog.peer.listener) else { return };
        let refusal = if late { refused_offer(answer, &self.env.newest.config.media) } else { None };
        let ack = dialog.request_numbered(Method::Ack, dialog.local_cseq, face, &ack_branch);
        let ack = finish(ack, refusal.as_deref());
        self.env.counters.sent += 1;
        self.env.out.push_back(Output::Send { to: dialog.peer, bytes: ack });
        if ends {
            let client = self.env.txns.reserve(User::Farewell(self.env.now));
            let branch = self.env.txns.branch(client);
            dialog.local_cseq = dialog.local_cseq.saturating_add(FORGOTTEN);
            let bye = dialog.request(Method::Bye, face, branch.as_bytes()).finish();
            self.env.txns.start(self.env.now, client, dialog.peer, ClientKind::NonInvite, bye);
        }
    }

    /// A 2xx of ours was never acknowledged; one on a leg that the call has left since is nobody's concern.
    fn no_ack(&mut self, key: CallKey, leg: Leg, server: ServerKey) {
        self.with(key, |call, env| {
            if call.leg(leg).unacked.is_some_and(|(due, _)| due == server) {
                call.handle(env, CallEvent::NoAck(leg));
            }
        });
    }

    fn no_response(&mut self, client: ClientKey, user: User, reason: HuntReason) {
        match user {
            User::Attempt(key, number) => self.with(key, |call, env| {
                if call.is_current(number, client) {
                    call.handle(env, CallEvent::Failure(reason));
                }
            }),
            User::Carried(key, _) => self.with(key, |call, env| call.carried_timeout(env, client)),
            User::Move(key) => self.with(key, |call, env| {
                if call.is_moving_by(client) {
                    call.handle(env, CallEvent::Failure(reason));
                }
            }),
            User::Refit(key) => self.with(key, |call, env| {
                if call.is_refitting(client) {
                    call.handle(env, CallEvent::RefitRefused { crossed: false });
                }
            }),
            User::Session(key, leg) => self.with(key, |call, env| call.session_unanswered(env, leg, client)),
            User::Transfer(key) => self.with(key, |call, env| call.transfer_unanswered(env, client)),
            User::Ghost(id) => {
                self.env.ghosts.unanswered(id, &self.env.newest);
                None
            }
            User::Farewell(said) => {
                self.env.counters.disconnected(Disconnect::Failed, self.env.now.since(said));
                None
            }
            User::Invite(_) | User::Within(..) => None,
        };
    }
}
