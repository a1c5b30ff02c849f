//! CSeq counts up in every dialog (RFC 3261 §12.2.1.1), and every final response to an INVITE of ours gets its ACK in the
//! same turn (§13.2.2.4, §17.1.1.3). A 2xx that brings the offer waits for the answer, which the other leg's ACK brings;
//! it must have its ACK before the end.

use super::Complaints;
use super::seen::Seen;
use crate::maps::{Map, Set};
use relay_values::{Duration, Time};
use sip_wire::Method;
use std::collections::BTreeMap;
use std::net::SocketAddr;

#[derive(Debug)]
pub(super) struct Dialogs {
    lifetime: Duration,
    /// Call-ID, our tag, their tag → the last number, and the branch that it went with.
    numbers: Map<(String, String, String), (u32, String)>,
    /// Requests that were sent before, by branch.
    known: Set<String>,
    /// INVITEs of ours by branch.
    invites: Map<String, Invite>,
    /// Final responses by Call-ID, their tag and CSeq that wait for an ACK.
    due: BTreeMap<(String, String, u32), Due>,
}

#[derive(Debug)]
struct Invite {
    peer: SocketAddr,
    offered: bool,
    responded: bool,
    sent: Time,
    /// The first final response.
    answered: Option<Time>,
    /// There was a 2xx: a refusal after it, of a server that has forgotten in between, is owed nothing (RFC 6026 §7.2).
    accepted: bool,
    /// A CANCEL was sent: 64*T1 later the INVITE counts as cancelled, whatever its far end thinks (§9.1).
    cancelled: Option<Time>,
    /// Nobody can be reached there: the transaction is over.
    over: bool,
}

#[derive(Debug)]
struct Due {
    call: Option<usize>,
    line: String,
    /// It may wait for the other leg.
    may_wait: bool,
}

impl Dialogs {
    pub(super) fn new(lifetime: Duration) -> Self {
        Self {
            lifetime,
            numbers: Map::default(),
            known: Set::default(),
            invites: Map::default(),
            due: BTreeMap::new(),
        }
    }

    pub(super) fn sent(&mut self, seen: &Seen<'_>, complaints: &mut Complaints) {
        if seen.code.is_some() {
            return;
        }
        if seen.method == Method::Ack {
            self.due.remove(&(seen.call_id.clone(), seen.to_tag.clone(), seen.cseq));
            return;
        }
        if seen.is_invite() {
            self.invites.entry(seen.branch.clone()).or_insert(Invite {
                peer: seen.peer,
                offered: seen.has_sdp,
                responded: false,
                sent: seen.at,
                answered: None,
                accepted: false,
                cancelled: None,
                over: false,
            });
        }
        if seen.method != Method::Cancel {
            self.counts_up(seen, complaints);
        } else if let Some(invite) = self.invites.get_mut(&seen.branch) {
            invite.cancelled.get_or_insert(seen.at);
        }
    }

    fn counts_up(&mut self, seen: &Seen<'_>, complaints: &mut Complaints) {
        if !self.known.insert(seen.branch.clone()) {
            return;
        }
        let (call_id, tag) = (seen.call_id.clone(), seen.from_tag.clone());
        let began = self.numbers.get(&(call_id.clone(), tag.clone(), String::new())).map_or(0, |(n, _)| *n);
        let last = self.numbers.entry((call_id, tag, seen.to_tag.clone())).or_insert((began, String::new()));
        if seen.cseq <= last.0 {
            let text = format!("{} after {} ({})", seen.line(), last.0, last.1);
            complaints.add(seen.at, seen.call, "cseq", text);
        }
        *last = (seen.cseq, seen.branch.clone());
    }

    pub(super) fn received(&mut self, seen: &Seen<'_>) {
        if !seen.is_invite() || seen.code.is_none() {
            return;
        }
        let Some(invite) = self.invites.get_mut(&seen.branch) else { return };
        // An INVITE without any response is given up after 64*T1: what comes later is about nothing that we know.
        let since = match (invite.answered, invite.cancelled, invite.responded) {
            (Some(answered), ..) => answered,
            (None, Some(cancelled), _) => cancelled,
            // It may ring for as long as the call lets it.
            (None, None, true) => seen.at,
            (None, None, false) => invite.sent,
        };
        invite.over |= seen.at.since(since) >= self.lifetime;
        invite.responded = true;
        if !seen.is_final() {
            return;
        }
        let fresh = !invite.over && (seen.is_success() || !invite.accepted);
        invite.accepted |= seen.is_success();
        invite.answered.get_or_insert(seen.at);
        if fresh {
            let may_wait = seen.is_success() && !invite.offered;
            let due = Due { call: seen.call, line: seen.line(), may_wait };
            self.due.insert((seen.call_id.clone(), seen.to_tag.clone(), seen.cseq), due);
        }
    }

    pub(super) fn unreachable(&mut self, to: SocketAddr) {
        for invite in self.invites.values_mut().filter(|i| i.peer == to && !i.responded) {
            invite.over = true;
        }
    }

    pub(super) fn turn_over(&mut self, now: Time, complaints: &mut Complaints) {
        self.due.retain(|_, due| {
            if !due.may_wait {
                complaints.add(now, due.call, "ack", format!("{} got no ACK", due.line));
            }
            due.may_wait
        });
    }

    pub(super) fn at_end(&mut self, now: Time, complaints: &mut Complaints) {
        for due in self.due.values() {
            complaints.add(now, due.call, "ack", format!("{} never got its ACK", due.line));
        }
    }
}
