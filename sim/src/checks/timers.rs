//! What is sent again is sent at the instant that RFC 3261 names: timers A, E and G, and the 2xx of §13.3.1.4, until B,
//! F, H or 64*T1 (§17.1.1.2, §17.1.2.2, §17.2.1). A repetition at another instant is wrong, and so is a missing one.

use super::Complaints;
use super::facts::Facts;
use super::seen::Seen;
use bytes::Bytes;
use relay_values::{Duration, Time};
use sip_wire::Method;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

/// Everything of ours that may have to be sent again.
#[derive(Debug)]
pub(super) struct Timers {
    t1: Duration,
    t2: Duration,
    all: BTreeMap<Key, Repeated>,
    due: BTreeSet<(Time, Key)>,
    /// Between two targets the relay is asked for other ports: so long may nobody know that the first one was left.
    between: Duration,
    /// INVITEs that were due and not sent again, and when that is a fault.
    missed: BTreeSet<(Time, Key)>,
    /// Branches of the INVITEs with which callers began their calls.
    callers: BTreeSet<String>,
    /// Peers that are taken for dead.
    dead: BTreeSet<SocketAddr>,
}

/// A request by its branch and method; a final response to an INVITE by its branch and `2xx` or `300`.
type Key = (String, String);

#[derive(Debug)]
struct Repeated {
    what: What,
    bytes: Bytes,
    peer: SocketAddr,
    call: Option<usize>,
    call_id: String,
    cseq: u32,
    from_tag: String,
    to_tag: String,
    /// Whether it begins a call.
    begins: bool,
    /// It may be left alone from now on: it moves a call, which may end; or its peer was taken for dead.
    free: bool,
    interval: Duration,
    next: Time,
    end: Time,
    /// The last instant at which the peer repeated the request: it is answered again.
    asked: Time,
    /// A provisional response has come.
    proceeding: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Invite,
    Request,
    Success,
    Refusal,
}

impl Timers {
    pub(super) fn new(timers: proxy_core::Timers, latency: Duration) -> Self {
        Self {
            // There and back, and once more where another target was found meanwhile.
            between: latency * 4,
            missed: BTreeSet::new(),
            t1: timers.t1,
            t2: timers.t2,
            all: BTreeMap::new(),
            due: BTreeSet::new(),
            callers: BTreeSet::new(),
            dead: BTreeSet::new(),
        }
    }

    pub(super) fn sent(&mut self, seen: &Seen<'_>, facts: &Facts, complaints: &mut Complaints) {
        self.left(seen);
        let Some((what, key)) = classify(seen) else {
            // A provisional one is said again only when it is asked for again: nothing to watch.
            return;
        };
        match self.all.get(&key) {
            None => self.first(what, key, seen, facts.is_move(seen)),
            Some(_) => self.again(&key, seen, complaints),
        }
    }

    /// A leg that a moved call leaves with BYE is not owed its 2xx any more: nobody there has the dialog to acknowledge it. Nor is
    /// a re-INVITE that it has not answered said again, for which nobody waits (docs/deviations.md has it).
    fn left(&mut self, seen: &Seen<'_>) {
        if seen.method == Method::Bye && seen.says_moved() {
            let same = |r: &&mut Repeated| {
                matches!(r.what, What::Success | What::Invite) && !r.begins && r.call_id == seen.call_id
            };
            self.all.values_mut().filter(same).for_each(|repeated| repeated.free = true);
        }
    }

    fn first(&mut self, what: What, key: Key, seen: &Seen<'_>, moves: bool) {
        self.moves_on(what, &key, seen);
        let next = seen.at + self.t1;
        let repeated = Repeated {
            what,
            bytes: seen.message.bytes().clone(),
            peer: seen.peer,
            call: seen.call,
            call_id: seen.call_id.clone(),
            cseq: seen.cseq,
            from_tag: seen.from_tag.clone(),
            to_tag: seen.to_tag.clone(),
            begins: seen.begins(),
            free: moves || may_be_left(&self.dead, &key, what, seen.begins(), seen.peer),
            interval: self.t1,
            next,
            end: seen.at + self.t1 * 64,
            asked: Time::ZERO,
            proceeding: false,
        };
        self.due.insert((next, key.clone()));
        self.all.insert(key, repeated);
    }

    /// A call that tries its next target, or that has told its caller how it ended, leaves an INVITE without any response
    /// alone: that is the hunt, not timer A.
    fn moves_on(&mut self, what: What, key: &Key, seen: &Seen<'_>) {
        let hunts = what == What::Invite && seen.begins();
        let over = matches!(what, What::Success | What::Refusal) && self.callers.contains(&seen.branch);
        if !hunts && !over {
            return;
        }
        let left: Vec<Key> = self
            .all
            .iter()
            .filter(|(other, r)| r.what == What::Invite && r.begins && r.call == seen.call && *other != key)
            .map(|(key, _)| key.clone())
            .collect();
        left.iter().for_each(|key| self.stop(key));
    }

    fn again(&mut self, key: &Key, seen: &Seen<'_>, complaints: &mut Complaints) {
        let (t2, now) = (self.t2, seen.at);
        let Some(repeated) = self.all.get_mut(key) else { return };
        if repeated.bytes != *seen.message.bytes() {
            let text = format!("{} is sent again with other bytes", seen.line());
            complaints.add(now, seen.call, "timers", text);
        }
        if now != repeated.next {
            if repeated.asked != now && !repeated.free {
                let (next, late) = (repeated.next, repeated.next.is_never());
                let wanted =
                    if late { "never".into() } else { format!("{:.3} ms", next.as_nanos() as f64 / 1e6) };
                let text = format!("{} is sent again, due: {wanted}", seen.line());
                complaints.add(now, seen.call, "timers", text);
            }
            return;
        }
        self.due.remove(&(now, key.clone()));
        repeated.interval = match repeated.what {
            What::Invite => repeated.interval * 2,
            What::Request if repeated.proceeding => t2,
            What::Request | What::Success | What::Refusal => (repeated.interval * 2).min(t2),
        };
        let next = now + repeated.interval;
        repeated.next = if next < repeated.end { next } else { Time::NEVER };
        if !repeated.next.is_never() {
            self.due.insert((next, key.clone()));
        }
    }

    pub(super) fn received(&mut self, seen: &Seen<'_>) {
        match seen.code {
            Some(code) => self.responded(seen, code),
            None if seen.method == Method::Ack => self.acknowledged(seen),
            None => {
                if seen.begins() && seen.is_invite() {
                    self.callers.insert(seen.branch.clone());
                }
                // The request again: its response goes again, now.
                for kind in ["2xx", "300"] {
                    if let Some(repeated) = self.all.get_mut(&(seen.branch.clone(), kind.to_owned())) {
                        repeated.asked = seen.at;
                    }
                }
            }
        }
    }

    fn responded(&mut self, seen: &Seen<'_>, code: u16) {
        let method = String::from_utf8_lossy(seen.method.as_bytes()).into_owned();
        let key = (seen.branch.clone(), method);
        if code < 200 && !seen.is_invite() {
            if let Some(repeated) = self.all.get_mut(&key) {
                repeated.proceeding = true;
            }
            return;
        }
        if let Some(repeated) = self.all.get_mut(&key) {
            repeated.proceeding = true;
        }
        self.stop(&key);
        if seen.is_invite() && code >= 200 {
            // It answers the CANCEL too: what was to be cancelled is over.
            self.stop(&(seen.branch.clone(), "CANCEL".to_owned()));
        }
    }

    /// Of a 300-699 in its transaction; of a 2xx in its dialog.
    fn acknowledged(&mut self, seen: &Seen<'_>) {
        let refusal = (seen.branch.clone(), "300".to_owned());
        if self.all.contains_key(&refusal) {
            return self.stop(&refusal);
        }
        let answered = self.all.iter().find(|(_, r)| {
            r.what == What::Success
                && r.call_id == seen.call_id
                // Forks of one INVITE differ by their own tag alone.
                && (&r.from_tag, &r.to_tag) == (&seen.from_tag, &seen.to_tag)
                // Any ACK in the dialog tells that the 2xx has arrived, if there is only one that waits.
                && r.cseq == seen.cseq
        });
        if let Some(key) = answered.map(|(key, _)| key.clone()) {
            self.stop(&key);
        }
    }

    /// These peers are taken for dead: what answered calls have under way there is left alone. BYE is not, and neither are
    /// INVITEs that begin something.
    pub(super) fn lost(&mut self, peers: BTreeSet<SocketAddr>) {
        for (key, repeated) in &mut self.all {
            repeated.free |= may_be_left(&peers, key, repeated.what, repeated.begins, repeated.peer);
        }
        self.dead = peers;
    }

    /// A transaction that waits for its first response is over when its peer cannot be reached (§17.1.4); a request that
    /// is not an INVITE waits until its final one.
    pub(super) fn unreachable(&mut self, to: SocketAddr) {
        let over = |(key, r): &(&Key, &Repeated)| {
            r.peer == to
                && match r.what {
                    What::Invite => !r.proceeding,
                    // A CANCEL lives with its INVITE, which was answered already.
                    What::Request => key.1 != "CANCEL",
                    What::Success | What::Refusal => false,
                }
        };
        let over: Vec<Key> = self.all.iter().filter(over).map(|(key, _)| key.clone()).collect();
        over.iter().for_each(|key| self.stop(key));
    }

    pub(super) fn clock(&mut self, now: Time, complaints: &mut Complaints) {
        while let Some((at, key)) = self.due.first().cloned().filter(|(at, _)| *at < now) {
            let repeated = self.all.get(&key);
            if repeated.is_some_and(|repeated| repeated.what == What::Invite && repeated.begins) {
                self.due.remove(&(at, key.clone()));
                self.missed.insert((at + self.between, key));
                continue;
            }
            self.miss(at, &key, complaints);
        }
        while let Some((by, key)) = self.missed.first().cloned().filter(|(by, _)| *by < now) {
            self.missed.remove(&(by, key.clone()));
            // It was left meanwhile, unless it still waits for that instant.
            if self.all.get(&key).is_some_and(|repeated| repeated.next + self.between == by) {
                self.miss(by, &key, complaints);
            }
        }
    }

    fn miss(&mut self, at: Time, key: &Key, complaints: &mut Complaints) {
        if let Some(repeated) = self.all.get(key).filter(|repeated| !repeated.free) {
            let text = format!("{} {} to {} was due and was not sent again", key.1, key.0, repeated.peer);
            complaints.add(at, repeated.call, "timers", text);
        }
        self.stop(key);
    }

    fn stop(&mut self, key: &Key) {
        if let Some(repeated) = self.all.get_mut(key) {
            self.due.remove(&(repeated.next, key.clone()));
            repeated.next = Time::NEVER;
        }
    }
}

fn may_be_left(dead: &BTreeSet<SocketAddr>, key: &Key, what: What, begins: bool, peer: SocketAddr) -> bool {
    let ends = key.1 == "BYE" || key.1 == "CANCEL";
    dead.contains(&peer) && !ends && !(what == What::Invite && begins)
}

fn classify(seen: &Seen<'_>) -> Option<(What, Key)> {
    let branch = seen.branch.clone();
    let method = String::from_utf8_lossy(seen.method.as_bytes()).into_owned();
    match seen.code {
        None if seen.method == Method::Ack => None,
        None if seen.is_invite() => Some((What::Invite, (branch, method))),
        None => Some((What::Request, (branch, method))),
        Some(code) if !seen.is_invite() || code < 200 => None,
        Some(code) if code < 300 => Some((What::Success, (branch, "2xx".to_owned()))),
        Some(_) => Some((What::Refusal, (branch, "300".to_owned()))),
    }
}
