//! The early dialogs of an INVITE of ours (RFC 3261 §12.1.2): a proxy behind the target may have forked it, and each fork
//! numbers its reliable provisionals by itself (RFC 3262 §4).
//!
//! The caller sees one early dialog, whatever stands behind it. The fork that spoke last is the one that his requests go
//! to; PRACK goes to the fork whose response it acknowledges. Early media is that of the fork that spoke last, until he has
//! had an answer reliably: then it stays with the fork that gave it, and another one is the callee only if its own answer
//! goes with that.

use super::{Call, Env, User};
use crate::Peer;
use crate::dialog::{Dialog, decimal};
use crate::limits::MAX_EARLY_DIALOGS;
use crate::transaction::ClientKind;
use bytes::Bytes;
use relay_values::Leg;
use sip_wire::{HeaderName, Message, Method};

/// What a fork has said so far.
#[derive(Debug, Default)]
pub(super) struct Early {
    /// Number of its last reliable provisional.
    rseq: Option<u32>,
    /// Its last session description.
    pub(super) said: Option<Bytes>,
    /// The exchange of descriptions that the INVITE began is over on its dialog: it answered reliably, or has had the answer
    /// to its offer.
    pub(super) settled: bool,
    /// The caller was told that description.
    pub(super) told: bool,
}

/// A fork that is not the one that spoke last.
#[derive(Debug)]
pub(super) struct Fork {
    dialog: Dialog,
    early: Early,
}

impl Call {
    /// A provisional response begins an early dialog, or is of one that is known. False for a reliable one that comes again
    /// or before its turn: it is passed over, and its sender repeats it (RFC 3262 §4).
    pub(super) fn hear_fork(&mut self, from: Peer, response: &Message, rseq: Option<u32>) -> bool {
        let Some(tag) = response.to().ok().and_then(|to| to.tag()) else { return rseq.is_none() };
        if let Some(rseq) = rseq
            && let Some(last) = self.early_of(tag).and_then(|early| early.rseq)
            && last.checked_add(1) != Some(rseq)
        {
            return false;
        }
        if self.turn_to(tag) {
            if let Some(dialog) = &mut self.b.dialog {
                dialog.retarget(response);
            }
        } else {
            let Some(dialog) = Dialog::uac(response, from) else { return rseq.is_none() };
            let before = self.b.dialog.replace(dialog);
            let Some(pending) = self.invite.as_deref_mut() else { return false };
            let early = std::mem::take(&mut pending.early);
            if let Some(dialog) = before {
                if pending.forks.len() >= MAX_EARLY_DIALOGS {
                    pending.forks.remove(0);
                }
                pending.forks.push(Fork { dialog, early });
            }
        }
        if let Some(pending) = self.invite.as_deref_mut().filter(|_| rseq.is_some()) {
            pending.early.rseq = rseq;
        }
        true
    }

    /// What the fork with this tag has said.
    fn early_of(&self, tag: &[u8]) -> Option<&Early> {
        let pending = self.invite.as_deref()?;
        if self.b.dialog.as_ref().is_some_and(|dialog| dialog.remote_tag() == tag) {
            return Some(&pending.early);
        }
        let fork = pending.forks.iter().find(|fork| fork.dialog.remote_tag() == tag)?;
        Some(&fork.early)
    }

    /// The B-leg's dialog is that of the fork with this tag from now on. False if there is none.
    pub(super) fn turn_to(&mut self, tag: &[u8]) -> bool {
        if self.b.dialog.as_ref().is_some_and(|dialog| dialog.remote_tag() == tag) {
            return true;
        }
        let Some(pending) = self.invite.as_deref_mut() else { return false };
        let found = pending.forks.iter_mut().find(|fork| fork.dialog.remote_tag() == tag);
        let (Some(fork), Some(dialog)) = (found, &mut self.b.dialog) else { return false };
        std::mem::swap(&mut fork.dialog, dialog);
        std::mem::swap(&mut fork.early, &mut pending.early);
        true
    }

    /// A 2xx of the fork with this tag: what it has said before counts now. False where another fork has answered before.
    pub(super) fn turn_to_answer(&mut self, tag: &[u8]) -> bool {
        let present = self.b.dialog.as_ref().is_some_and(|dialog| dialog.remote_tag() == tag);
        if self.is_held() {
            return present;
        }
        if !self.turn_to(tag)
            && let Some(pending) = self.invite.as_deref_mut()
        {
            pending.early = Early::default();
        }
        true
    }

    /// Acknowledges a reliable provisional that the caller cannot acknowledge, since he was told of it in a plain one.
    pub(super) fn prack(&mut self, env: &mut Env, rseq: u32) {
        let (key, invite) = (self.key, self.b.invite_cseq);
        let Some(dialog) = &mut self.b.dialog else { return };
        let Some(face) = env.faces.get(dialog.peer.listener) else { return };
        let client = env.txns.reserve(User::Within(key, Leg::B));
        let mut prack = dialog.request(Method::Prack, face, env.txns.branch(client).as_bytes());
        put_rack(&mut prack, rseq, invite);
        env.txns.start(env.now, client, dialog.peer, ClientKind::NonInvite, prack.finish());
    }
}

/// Writes RAck (RFC 3262 §7.2).
pub(super) fn put_rack(out: &mut sip_wire::Builder, rseq: u32, invite: u32) {
    let (mut a, mut b) = ([0; 10], [0; 10]);
    out.parts(HeaderName::RAck, &[decimal(rseq, &mut a), b" ", decimal(invite, &mut b), b" INVITE"]);
}
