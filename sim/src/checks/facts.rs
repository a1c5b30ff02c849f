//! What a wire tap knows of every call, for the rules about calls that move: who is on the tier's side of it, since when,
//! and which INVITEs were sent after it had been answered.

use super::seen::Seen;
use super::topology::side_of;
use crate::agent::Side;
use crate::maps::Map;
use relay_values::Time;
use sip_wire::Method;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

#[derive(Debug, Default)]
pub(super) struct Facts {
    pub(super) calls: BTreeMap<usize, Call>,
    /// INVITEs of ours that begin a dialog, by branch.
    pub(super) invites: Map<String, Begun>,
}

#[derive(Debug, Default)]
pub(super) struct Call {
    pub(super) caller: Option<Side>,
    /// The caller's INVITE, and its number.
    branch: String,
    cseq: u32,
    /// The shard that has it.
    pub(super) shard: Option<u8>,
    /// The caller was answered.
    pub(super) answered: Option<Time>,
    /// It is over for the carrier, or for a caller that nobody answered.
    pub(super) over: Option<Time>,
    /// The tier has hung up.
    pub(super) left: bool,
    /// Dialogs with the tier by Call-ID and the tier's tag.
    pub(super) tier: BTreeMap<(String, String), Tier>,
    /// Dialogs with the carrier that nobody has ended, by Call-ID and the carrier's tag.
    carrier: BTreeSet<(String, String)>,
    /// Those that somebody has ended: a 2xx that comes again does not begin them again.
    ended: BTreeSet<(String, String)>,
}

/// One dialog with the tier.
#[derive(Debug)]
pub(super) struct Tier {
    pub(super) peer: SocketAddr,
    /// BYE was said, by either end.
    pub(super) bye: Option<Time>,
}

#[derive(Debug)]
pub(super) struct Begun {
    pub(super) call: usize,
    /// The call was answered before.
    pub(super) is_move: bool,
    pub(super) cancelled: bool,
    /// Nobody heeds its answer any more: another one was begun, or its edge was taken for dead.
    pub(super) left: bool,
    /// When it was sent first.
    pub(super) at: Time,
    peer: SocketAddr,
    responded: bool,
    /// Nobody could be reached there: the transaction is over.
    gone: bool,
}

impl Facts {
    pub(super) fn unreachable(&mut self, to: SocketAddr) {
        for begun in self.invites.values_mut().filter(|begun| begun.peer == to && !begun.responded) {
            begun.gone = true;
        }
    }

    /// A shard hears that these are dead: what moves a call there is left, and so is what it brings later.
    pub(super) fn lost(&mut self, shard: u8, dead: &BTreeSet<SocketAddr>) {
        for begun in self.invites.values_mut().filter(|begun| begun.is_move && dead.contains(&begun.peer)) {
            let here = self.calls.get(&begun.call).is_some_and(|call| call.shard == Some(shard));
            begun.left |= here;
        }
    }

    /// A move has ended: whatever its INVITEs still bring is of the past.
    pub(super) fn receipt(&mut self, call: Option<usize>) {
        let moves = self.invites.values_mut().filter(|begun| begun.is_move && Some(begun.call) == call);
        moves.for_each(|begun| begun.left = true);
    }

    /// Whether the INVITE that a message belongs to moves a call.
    pub(super) fn is_move(&self, seen: &Seen<'_>) -> bool {
        seen.is_invite() && self.invites.get(&seen.branch).is_some_and(|begun| begun.is_move)
    }

    pub(super) fn received(&mut self, seen: &Seen<'_>) {
        let Some(number) = seen.call else { return };
        let call = self.calls.entry(number).or_default();
        if seen.code.is_none() {
            // One that was refused for its session interval may come once more, late.
            if seen.begins() && seen.is_invite() && seen.cseq >= call.cseq {
                call.caller = side_of(seen.peer);
                call.cseq = seen.cseq;
                call.branch.clone_from(&seen.branch);
            }
            return;
        }
        let Some(begun) = self.invites.get_mut(&seen.branch) else { return };
        begun.responded = true;
        if begun.call == number && !begun.gone && seen.is_invite() && seen.is_success() {
            call.up(seen, &seen.to_tag);
        }
    }

    pub(super) fn sent(&mut self, shard: u8, seen: &Seen<'_>) {
        let Some(number) = seen.call else { return };
        let call = self.calls.entry(number).or_default();
        call.shard = Some(shard);
        match seen.code {
            // 422 asks for the same call once more (RFC 4028 §7.3).
            Some(422) if seen.is_invite() => {}
            Some(code) if seen.is_invite() && seen.branch == call.branch && code >= 300 => {
                call.over.get_or_insert(seen.at);
            }
            Some(200..) if seen.is_invite() && seen.branch == call.branch && call.answered.is_none() => {
                call.answered = Some(seen.at);
                call.up(seen, &seen.from_tag);
            }
            // A BYE that a drill has cut off is not answered: nobody has heard it.
            Some(200..) if seen.method == Method::Bye => call.bye(seen, &seen.from_tag),
            Some(_) => {}
            None if seen.method == Method::Bye => call.bye(seen, &seen.to_tag),
            None if seen.method == Method::Cancel => {
                if let Some(begun) = self.invites.get_mut(&seen.branch) {
                    begun.cancelled = true;
                }
            }
            None if seen.begins() && seen.is_invite() && !self.invites.contains_key(&seen.branch) => {
                let is_move = call.answered.is_some();
                self.invites.values_mut().filter(|b| b.call == number).for_each(|b| b.left = true);
                let begun = Begun {
                    call: number,
                    is_move,
                    at: seen.at,
                    peer: seen.peer,
                    cancelled: false,
                    left: false,
                    responded: false,
                    gone: false,
                };
                self.invites.insert(seen.branch.clone(), begun);
            }
            None => {}
        }
    }
}

impl Call {
    fn up(&mut self, seen: &Seen<'_>, tag: &str) {
        let key = (seen.call_id.clone(), tag.to_owned());
        if side_of(seen.peer) == Some(Side::Carrier) {
            if !self.ended.contains(&key) {
                self.carrier.insert(key);
            }
            return;
        }
        self.tier.entry(key).or_insert(Tier { peer: seen.peer, bye: None });
    }

    fn bye(&mut self, seen: &Seen<'_>, tag: &str) {
        let key = (seen.call_id.clone(), tag.to_owned());
        self.ended.insert(key.clone());
        // A phone that was left in the hunt and answered too late hears BYE as well: that is not the call's.
        if self.carrier.remove(&key) && self.carrier.is_empty() && self.answered.is_some() {
            self.over.get_or_insert(seen.at);
        }
        if let Some(dialog) = self.tier.get_mut(&key)
            && dialog.bye.is_none()
        {
            dialog.bye = Some(seen.at);
            self.left |= tag == seen.from_tag && self.live().next().is_none();
        }
    }

    /// Dialogs with the tier that nobody has ended.
    pub(super) fn live(&self) -> impl Iterator<Item = &Tier> {
        self.tier.values().filter(|dialog| dialog.bye.is_none())
    }
}
