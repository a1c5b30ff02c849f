//! One leg is answered exactly if the other is, or a BYE is under way. The caller hears a 2xx only while a callee's 2xx
//! stands; a callee's 2xx is passed on or ended in the same turn, or when the caller has acknowledged a provisional (unless
//! it moves a call that was answered: that is for the rules about moves); and once either leg has a BYE, the other has one within
//! 64*T1 (at once, unless the caller's ACK has to come first: RFC 3261 §15).

use super::Complaints;
use super::facts::Facts;
use super::seen::Seen;
use super::topology::side_of;
use crate::agent::Side;
use crate::maps::Map;
use relay_values::{Duration, Time};
use sip_wire::{Method, sdp};
use std::collections::BTreeMap;
use std::net::SocketAddr;

#[derive(Debug)]
pub(super) struct Answers {
    lifetime: Duration,
    calls: BTreeMap<usize, Call>,
    /// INVITEs of ours that begin a call, by branch.
    invites: Map<String, Invite>,
}

#[derive(Debug)]
struct Invite {
    peer: SocketAddr,
    sent: Time,
    responded: bool,
    /// Nobody could be reached there before it had any response (RFC 3261 §17.1.4).
    over: bool,
}

#[derive(Debug, Default)]
struct Call {
    caller: Option<Side>,
    /// Call-ID, their tag → the dialog of a 2xx.
    a: BTreeMap<(String, String), Dialog>,
    b: BTreeMap<(String, String), Dialog>,
    /// A callee's 2xx came in this turn.
    fresh: Vec<(String, String)>,
    /// A reliable provisional with a description that the caller has not acknowledged: his 2xx waits for that (RFC 3262
    /// §3).
    unpracked: Option<u32>,
    /// The caller's 2xx was sent in this turn.
    told: bool,
}

#[derive(Debug)]
struct Dialog {
    answered: Time,
    bye: Option<Time>,
    /// The call had moved away before: its BYE waits until somebody is there to hear it.
    left: bool,
}

impl Answers {
    pub(super) fn new(lifetime: Duration) -> Self {
        Self { lifetime, calls: BTreeMap::new(), invites: Map::default() }
    }

    pub(super) fn received(&mut self, seen: &Seen<'_>, facts: &Facts) {
        let Some(call) = seen.call else { return };
        let state = self.calls.entry(call).or_default();
        if seen.begins() && seen.is_invite() {
            state.caller = side_of(seen.peer);
        }
        if seen.code.is_none() && seen.method == Method::Bye {
            state.bye(seen, &seen.from_tag);
        }
        if seen.code.is_none() && seen.method == Method::Prack {
            let rack = seen.message.rack().ok().flatten();
            state.unpracked.take_if(|rseq| rack.is_some_and(|rack| rack.rseq == *rseq));
        }
        let Some(invite) = self.invites.get_mut(&seen.branch).filter(|_| seen.is_invite()) else { return };
        invite.responded |= seen.code.is_some();
        if !seen.is_success() || invite.over || seen.at.since(invite.sent) >= self.lifetime {
            return;
        }
        let key = (seen.call_id.clone(), seen.to_tag.clone());
        if !state.b.contains_key(&key) {
            state.b.insert(key.clone(), Dialog { answered: seen.at, bye: None, left: false });
            if !facts.is_move(seen) {
                state.fresh.push(key);
            }
        }
    }

    pub(super) fn sent(&mut self, seen: &Seen<'_>, complaints: &mut Complaints) {
        let Some(call) = seen.call else { return };
        let state = self.calls.entry(call).or_default();
        if seen.begins() && seen.is_invite() {
            let (peer, sent) = (seen.peer, seen.at);
            let invite = Invite { peer, sent, responded: false, over: false };
            self.invites.entry(seen.branch.clone()).or_insert(invite);
        }
        if seen.code.is_none() && seen.method == Method::Bye {
            state.bye(seen, &seen.to_tag);
        }
        let to_caller = side_of(seen.peer) == state.caller && !self.invites.contains_key(&seen.branch);
        if to_caller && seen.code.is_some_and(|code| code < 200) && sdp::find(seen.message).is_some() {
            state.unpracked = seen.message.rseq().ok().flatten().or(state.unpracked);
        }
        if !(seen.is_invite() && seen.is_success() && to_caller) {
            return;
        }
        let key = (seen.call_id.clone(), seen.from_tag.clone());
        if state.a.contains_key(&key) {
            return;
        }
        if !state.b.values().any(|dialog| dialog.bye.is_none()) {
            complaints.add(seen.at, seen.call, "answers", "the caller is answered, but no callee is".into());
        }
        state.a.insert(key, Dialog { answered: seen.at, bye: None, left: false });
        state.told = true;
    }

    pub(super) fn unreachable(&mut self, to: SocketAddr) {
        for invite in self.invites.values_mut().filter(|invite| invite.peer == to && !invite.responded) {
            invite.over = true;
        }
    }

    pub(super) fn turn_over(&mut self, now: Time, complaints: &mut Complaints) {
        for (call, state) in &mut self.calls {
            let told = std::mem::take(&mut state.told);
            for key in std::mem::take(&mut state.fresh) {
                let ended = state.b.get(&key).is_some_and(|dialog| dialog.bye.is_some());
                if !told && !ended && state.unpracked.is_some() {
                    state.fresh.push(key);
                } else if !told && !ended {
                    let text = format!("the 2xx of {} is neither passed on nor ended", key.1);
                    complaints.add(now, Some(*call), "answers", text);
                }
            }
        }
    }

    pub(super) fn at_end(&mut self, now: Time, complaints: &mut Complaints) {
        for (call, state) in &self.calls {
            for ((_, tag), dialog) in state.a.iter().chain(&state.b) {
                if dialog.bye.is_none() {
                    let ms = dialog.answered.as_millis();
                    let text = format!("the leg of {tag}, answered at {ms} ms, never had a BYE");
                    complaints.add(now, Some(*call), "answers", text);
                }
            }
            let first =
                |legs: &BTreeMap<_, Dialog>| legs.values().filter(|d| !d.left).filter_map(|d| d.bye).max();
            if let (Some(a), Some(b)) = (first(&state.a), first(&state.b))
                && a.since(b) > self.lifetime
            {
                let text =
                    format!("the caller's BYE at {} ms, the callee's at {} ms", a.as_millis(), b.as_millis());
                complaints.add(now, Some(*call), "answers", text);
            }
        }
    }
}

impl Call {
    /// A BYE in either direction; `tag` is the other end's.
    fn bye(&mut self, seen: &Seen<'_>, tag: &str) {
        let key = (seen.call_id.clone(), tag.to_owned());
        for legs in [&mut self.a, &mut self.b] {
            if let Some(dialog) = legs.get_mut(&key).filter(|dialog| dialog.bye.is_none()) {
                (dialog.bye, dialog.left) = (Some(seen.at), seen.says_moved());
            }
        }
    }
}
