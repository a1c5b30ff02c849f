//! What we have to say to final responses to our INVITEs (RFC 3261 §13.2.2.4, §17.1.1.3).

use super::News;
use super::clients::{Answered, Client};
use crate::key::{Key, Table, hash, joined, key};
use crate::limits::MAX_KEPT;
use crate::message::Message;
use crate::{Log, Rule, Seen, Timing, Wire};
use std::time::Duration;

#[derive(Debug)]
pub(super) struct Acks {
    timing: Timing,
    /// Our INVITEs by Call-ID, our tag and CSeq: the ACK for a 2xx has a branch of its own.
    invites: Table<Key>,
    /// Dialogs that a BYE has ended, of ours or theirs, and when: what their ACKs say does not matter any more.
    left: Table<Duration>,
    /// 2xx of a dialog, by its tags and the INVITE's CSeq, and the ACK that was said to them.
    accepted: Table<Accepted>,
    /// Responses that wait for their ACK.
    pending: Vec<Pending>,
    /// When the first of them has waited too long.
    next: Duration,
}

#[derive(Debug)]
struct Accepted {
    invite: Key,
    /// The description in its ACK.
    ack: Option<Key>,
    /// How often it came when its transaction was over: so many ACKs may be said that nobody is owed.
    allowed: u32,
}

#[derive(Debug)]
struct Pending {
    due: Duration,
    /// Of a refusal its INVITE and tag, of a 2xx its dialog and CSeq.
    name: Key,
    code: u16,
    cseq: u32,
    call: Box<str>,
}

fn dialog(m: &Message<'_>) -> Key {
    joined(key(&[m.call_id, m.from_tag, m.to_tag]), m.cseq.into())
}

impl Acks {
    pub(super) fn new(timing: Timing) -> Self {
        let pending = Vec::new();
        Self {
            timing,
            invites: Table::default(),
            left: Table::default(),
            accepted: Table::default(),
            pending,
            next: Duration::MAX,
        }
    }

    pub(super) fn invite(&mut self, m: &Message<'_>) {
        self.invites.insert(joined(key(&[m.call_id, m.from_tag]), m.cseq.into()), key(&[m.branch, "INVITE"]));
    }

    /// BYE in a dialog, by our tag in it and theirs.
    pub(super) fn hung_up(&mut self, seen: &Seen<'_>, ours: &str, theirs: &str) {
        if self.left.len() < MAX_KEPT {
            self.left.insert(key(&[seen.message.call_id, ours, theirs]), seen.at);
        }
    }

    /// A final response came that the transaction knows.
    pub(super) fn wanted(
        &mut self,
        seen: &Seen<'_>,
        invite: Key,
        client: &Client,
        before: Option<Answered>,
        log: &mut Log,
    ) {
        let m = seen.message;
        let Some(code) = m.code else { return };
        if m.is_success() {
            if m.to_tag.is_empty() {
                return;
            }
            let name = dialog(m);
            let known = self.accepted.get(&name);
            // The answer to its offer may have to come from the other side first; repeated, it has the same ACK at once.
            let due = match known {
                Some(Accepted { ack: Some(_), .. }) => seen.at + self.timing.unread,
                Some(_) => return,
                None => seen.at + self.timing.life(),
            };
            if known.is_none() && self.accepted.len() < MAX_KEPT {
                self.accepted.insert(name, Accepted { invite, ack: None, allowed: 0 });
            }
            return self.push(Pending { due, name, code, cseq: m.cseq, call: client.call.clone() }, log);
        }
        // Accepted absorbs refusals (RFC 6026 §7.2), and over a stream nothing comes twice (timer D).
        let absorbed = before.is_some_and(|b| b.success || client.wire == Wire::Stream);
        if !absorbed {
            let name = joined(invite, hash(m.to_tag.as_bytes()));
            let due = seen.at + self.timing.unread;
            self.push(Pending { due, name, code, cseq: m.cseq, call: client.call.clone() }, log);
        }
    }

    /// A 2xx came to an INVITE whose transaction is over: it may have its ACK.
    pub(super) fn allowed(&mut self, m: &Message<'_>, invite: Key) {
        if !m.to_tag.is_empty() && self.accepted.len() < MAX_KEPT {
            let accepted = Accepted { invite, ack: None, allowed: 0 };
            self.accepted.entry(dialog(m)).or_insert(accepted).allowed += 1;
        }
    }

    fn push(&mut self, pending: Pending, log: &mut Log) {
        if self.pending.len() >= MAX_KEPT {
            return log.broken(Rule::NoAck, "too many responses wait for their ACK");
        }
        self.next = self.next.min(pending.due);
        self.pending.push(pending);
    }

    /// An ACK of ours. `hop` is the INVITE of the same branch.
    pub(super) fn sent(&mut self, m: &Message<'_>, hop: Option<&Client>, log: &mut Log) -> News {
        let name = match hop {
            Some(invite) => {
                if invite.uri != hash(m.uri.as_bytes()) || invite.cseq != m.cseq {
                    log.broken(Rule::AckOrCancel, format!("{} is not like its INVITE", m.line()));
                }
                joined(key(&[m.branch, "INVITE"]), hash(m.to_tag.as_bytes()))
            }
            None => dialog(m),
        };
        let wanted = self.pending.iter().position(|pending| pending.name == name);
        if let Some(at) = wanted {
            self.pending.swap_remove(at);
        }
        if let Some(invite) = hop {
            if wanted.is_none() && !invite.answered.is_some_and(|a| a.refusal) {
                log.broken(Rule::AckOrCancel, format!("{} for no refusal", m.line()));
            }
            return News::First;
        }
        let Some(accepted) = self.accepted.get_mut(&name) else {
            let invite = joined(key(&[m.call_id, m.from_tag]), m.cseq.into());
            let of = if self.invites.contains_key(&invite) { "2xx of this dialog" } else { "INVITE" };
            log.broken(Rule::AckOrCancel, format!("{} for no {of}", m.line()));
            return News::Stray;
        };
        let allowed = wanted.is_none() && accepted.allowed > 0;
        accepted.allowed -= u32::from(allowed);
        // Each is a transaction of its own, so that its branch may differ.
        let described = hash(m.sdp.unwrap_or_default().as_bytes());
        match accepted.ack.replace(described) {
            None => News::First,
            Some(before) => {
                if before != described && !self.left.contains_key(&key(&[m.call_id, m.from_tag, m.to_tag])) {
                    log.broken(Rule::Retransmission, format!("{} answers otherwise than before", m.line()));
                }
                if wanted.is_none() && !allowed {
                    log.broken(Rule::AckOrCancel, format!("{} again, and no 2xx came again", m.line()));
                }
                News::Again
            }
        }
    }

    pub(super) fn owes(&self, by: Duration) -> bool {
        self.next <= by
    }

    /// Responses that have waited for too long.
    pub(super) fn overdue(&mut self, now: Duration, log: &mut Log) {
        if self.next >= now {
            return;
        }
        self.pending.retain(|pending| {
            let late = pending.due < now;
            if late {
                let Pending { code, cseq, call, .. } = pending;
                log.broken_of(call, Rule::NoAck, format!("{code} to INVITE {cseq} has no ACK"));
            }
            !late
        });
        self.next = self.pending.iter().map(|pending| pending.due).min().unwrap_or(Duration::MAX);
    }

    pub(super) fn sweep(&mut self, before: Duration, is_open: impl Fn(&Key) -> bool) {
        self.left.retain(|_, at| *at > before);
        self.invites.retain(|_, invite| is_open(invite));
        self.accepted.retain(|_, accepted| is_open(&accepted.invite));
    }
}
