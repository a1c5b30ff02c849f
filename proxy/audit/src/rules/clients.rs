//! Requests that we sent: when again, what came back.

use super::acks::Acks;
use super::again::{Again, Growth};
use super::{News, method};
use crate::key::{Key, Table, hash, key};
use crate::limits::MAX_KEPT;
use crate::message::Message;
use crate::{Log, Rule, Seen, Timing, Wire};
use std::net::SocketAddr;
use std::time::Duration;

#[derive(Debug)]
pub(crate) struct Clients {
    timing: Timing,
    /// By branch and method.
    open: Table<Client>,
    acks: Acks,
}

/// A request that we sent.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) method: &'static str,
    pub(super) cseq: u32,
    pub(super) call: Box<str>,
    pub(super) call_key: Key,
    pub(super) uri: Key,
    to_tag: Key,
    bytes: Key,
    to: SocketAddr,
    pub(super) wire: Wire,
    pub(super) again: Again,
    provisional: Option<Duration>,
    pub(super) answered: Option<Answered>,
    /// Our CANCEL is out.
    cancelled: Option<Duration>,
    /// Its time was over when its first final response came.
    gone: bool,
    /// Nobody is there.
    unreachable: Option<Duration>,
    /// A probe is asked once, and the next one asks again. An INVITE may be given up at any time, and is not sent again then to
    /// ring a phone that nobody waits for.
    once: bool,
}

/// It has a final response.
#[derive(Debug, Clone, Copy)]
pub(super) struct Answered {
    pub(super) at: Duration,
    /// A 2xx was among them.
    pub(super) success: bool,
    /// Another was.
    pub(super) refusal: bool,
}

impl Clients {
    pub(crate) fn new(timing: Timing) -> Self {
        Self { timing, open: Table::default(), acks: Acks::new(timing) }
    }

    pub(crate) fn sent(&mut self, seen: &Seen<'_>, log: &mut Log) -> News {
        let m = seen.message;
        if !m.is_request() {
            return News::First;
        }
        self.acks.overdue(seen.at, log);
        if m.method == "ACK" {
            let hop = self.open.get(&key(&[m.branch, "INVITE"]));
            return self.acks.sent(m, hop, log);
        }
        let name = key(&[m.branch, m.method]);
        if let Some(client) = self.open.get_mut(&name) {
            if client.cseq == m.cseq && client.call_key == hash(m.call_id.as_bytes()) {
                client.sent_again(seen, &self.timing, log);
                return News::Again;
            }
            log.broken(Rule::Branch, format!("{} has the branch of {}", m.line(), client.line()));
        }
        match m.method {
            "CANCEL" => self.cancelled(seen, log),
            "BYE" => self.acks.hung_up(seen, m.from_tag, m.to_tag),
            _ => {}
        }
        if self.open.len() < MAX_KEPT {
            if m.method == "INVITE" {
                self.acks.invite(m);
            }
            self.open.insert(name, Client::new(seen, &self.timing));
        }
        News::First
    }

    pub(crate) fn came(&mut self, seen: &Seen<'_>, log: &mut Log) -> News {
        let m = seen.message;
        self.acks.overdue(seen.at, log);
        if m.is_request() {
            if m.method == "BYE" {
                self.acks.hung_up(seen, m.to_tag, m.from_tag);
            }
            return News::First;
        }
        let name = key(&[m.branch, m.method]);
        let Some(client) = self.open.get_mut(&name) else { return News::Stray };
        if client.cseq != m.cseq || client.call_key != hash(m.call_id.as_bytes()) {
            return News::Stray;
        }
        client.check_missed(seen.at, &self.timing, log);
        let timed_out = seen.at >= client.again.first + self.timing.life();
        if !m.is_final() {
            // What timer B or F has ended does not begin again.
            if !timed_out {
                client.provisional.get_or_insert(seen.at);
            }
            return News::First;
        }
        if client.method != "INVITE" && (client.unreachable.is_some() || timed_out) {
            // Timer F, or the transport, has ended it before.
            return News::Stray;
        }
        // After the transaction's life nobody has to know it any more; neither after it has timed out (§17.1.1.2, timer B).
        let life = self.timing.life();
        let timed_out = client.provisional.is_none() && timed_out;
        let before = client.answered;
        // So has one that was cancelled in vain (§9.1).
        let given_up = client.cancelled.is_some_and(|at| before.is_none() && seen.at >= at + life);
        client.gone |= client.unreachable.is_some()
            || timed_out
            || given_up
            || before.is_some_and(|a| seen.at >= a.at + life);
        client.answered = Some(Answered {
            at: before.map_or(seen.at, |a| a.at),
            success: m.is_success() || before.is_some_and(|a| a.success),
            refusal: !m.is_success() || before.is_some_and(|a| a.refusal),
        });
        if client.method == "INVITE" {
            if !client.gone {
                self.acks.wanted(seen, name, client, before, log);
            } else if m.is_success() {
                // Nobody has to know it any more; who does may end it (§13.2.2.4).
                self.acks.allowed(m, name);
            }
            // It answers the CANCEL, too, if that is still without an answer of its own.
            if client.cancelled.is_some()
                && let Some(cancel) = self.open.get_mut(&key(&[m.branch, "CANCEL"]))
            {
                cancel.check_missed(seen.at, &self.timing, log);
                cancel.once = true;
            }
        }
        if before.is_some() { News::Again } else { News::First }
    }

    /// A datagram of ours found nobody there (§17.1.4). What has been answered from there before is not over by that.
    pub(crate) fn unreachable(&mut self, at: Duration, peer: SocketAddr) {
        let there = self.open.values_mut().filter(|c| c.to == peer && c.answered.is_none());
        for client in there.filter(|c| c.method != "INVITE" || c.provisional.is_none()) {
            client.unreachable.get_or_insert(at);
        }
    }

    /// Whether an ACK is still owed that has to be said before `by`.
    pub(crate) fn owes(&self, by: Duration) -> bool {
        self.acks.owes(by)
    }

    /// What should have been done before `now`; where everything is over, all that was left open.
    pub(crate) fn over(&mut self, now: Duration, log: &mut Log) {
        self.acks.overdue(now, log);
        let mut open: Vec<_> = self.open.values().collect();
        open.sort_by_key(|c| c.again.first);
        for client in open {
            client.check_missed(now, &self.timing, log);
        }
    }

    pub(crate) fn sweep(&mut self, before: Duration) {
        self.open.retain(|_, client| match client.answered {
            Some(answered) => answered.at > before,
            // It may ring for a long time.
            None => client.again.first > before || client.method == "INVITE" && client.provisional.is_some(),
        });
        self.acks.sweep(before, |invite| self.open.contains_key(invite));
    }

    fn cancelled(&mut self, seen: &Seen<'_>, log: &mut Log) {
        let cancel = seen.message;
        let Some(invite) = self.open.get_mut(&key(&[cancel.branch, "INVITE"])) else {
            return log.broken(Rule::AckOrCancel, format!("{} for no INVITE", cancel.line()));
        };
        let alike = invite.uri == hash(cancel.uri.as_bytes())
            && invite.cseq == cancel.cseq
            && invite.to_tag == hash(cancel.to_tag.as_bytes())
            && invite.to == seen.to;
        if !alike {
            log.broken(Rule::AckOrCancel, format!("{} is not like its INVITE", cancel.line()));
        }
        if invite.provisional.is_none() {
            log.broken(Rule::Cancel, format!("{} before a provisional response", cancel.line()));
        }
        invite.cancelled.get_or_insert(seen.at);
        if invite.answered.is_some_and(|a| a.at + self.timing.unread < seen.at) {
            log.broken(Rule::Cancel, format!("{} after the final response", cancel.line()));
        }
    }
}

impl Client {
    fn new(seen: &Seen<'_>, timing: &Timing) -> Self {
        let m: &Message<'_> = seen.message;
        Self {
            method: method(m.method),
            cseq: m.cseq,
            call: m.call_id.into(),
            call_key: hash(m.call_id.as_bytes()),
            uri: hash(m.uri.as_bytes()),
            to_tag: hash(m.to_tag.as_bytes()),
            bytes: hash(m.bytes),
            to: seen.to,
            wire: seen.wire,
            again: Again::new(seen.at, timing),
            provisional: None,
            answered: None,
            cancelled: None,
            gone: false,
            unreachable: None,
            once: m.method == "INVITE" || m.method == "OPTIONS" && m.to_tag.is_empty(),
        }
    }

    pub(super) fn line(&self) -> String {
        format!("{} {}", self.method, self.cseq)
    }

    fn sent_again(&mut self, seen: &Seen<'_>, timing: &Timing, log: &mut Log) {
        let m = seen.message;
        if hash(m.bytes) != self.bytes || seen.to != self.to {
            log.broken(Rule::Retransmission, format!("{} is not what was sent before", m.line()));
        }
        if self.wire == Wire::Stream {
            return log.broken(Rule::TooSoon, format!("{} again on a stream", m.line()));
        }
        let is_invite = self.method == "INVITE";
        let answered = self.answered.map(|a| a.at);
        let quiet = if is_invite { self.provisional.or(answered) } else { answered };
        if quiet.is_some_and(|at| at + timing.unread < seen.at) {
            log.broken(Rule::AfterResponse, format!("{} again although that was over", m.line()));
        }
        let growth = match (is_invite, self.provisional) {
            (true, _) => Growth::Doubled,
            (false, None) => Growth::UpToT2,
            (false, Some(_)) => Growth::T2,
        };
        self.again.sent(seen.at, growth, timing, || m.line(), log);
    }

    /// Whether it should have been sent again before, while it waited for its first response.
    fn check_missed(&self, now: Duration, timing: &Timing, log: &mut Log) {
        let is_invite = self.method == "INVITE";
        let over = self.answered.is_some()
            || self.unreachable.is_some()
            || self.once
            || self.wire == Wire::Stream
            || is_invite && self.provisional.is_some();
        if !over && self.again.is_missed(now, timing) {
            log.broken_of(&self.call, Rule::TooLate, format!("{} is not sent again", self.line()));
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{Auditor, Ending, Rule, Timing, Wire};
    use std::time::Duration;

    const FIELDS: &str = "Via: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK1\r\nMax-Forwards: 70\r\n\
                          From: <sip:a@127.0.0.1>;tag=1\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\n\
                          Contact: <sip:127.0.0.1:5060>\r\nContent-Length: 0\r\n";

    /// An INVITE of ours that is first answered after so many seconds, and then refused: whether an ACK is missed.
    fn misses_an_ack(first: u64) -> bool {
        let mut auditor = Auditor::new(Timing::rfc(), |at| at.port() == 5060);
        let us = "127.0.0.1:5060".parse().expect("an address");
        let peer = "127.0.0.2:5080".parse().expect("an address");
        let mut saw = |s, (from, to), start: &str, tag: &str| {
            let text = format!("{start}\r\nTo: <sip:b@127.0.0.2>{tag}\r\n{FIELDS}\r\n");
            auditor.saw(Duration::from_secs(s), from, to, Wire::Datagram, text.as_bytes());
        };
        saw(0, (us, peer), "INVITE sip:b@127.0.0.2:5080 SIP/2.0", "");
        saw(first, (peer, us), "SIP/2.0 180 Ringing", ";tag=2");
        saw(65, (peer, us), "SIP/2.0 504 Server Time-out", ";tag=2");
        auditor.finish(Ending::AllOver).iter().any(|finding| finding.rule == Rule::NoAck)
    }

    #[test]
    fn a_refusal_wants_its_ack_unless_nothing_was_heard_while_the_invite_lived() {
        assert!(misses_an_ack(1));
        assert!(misses_an_ack(31));
        assert!(!misses_an_ack(33), "timer B had ended it: a late provisional does not bring it back");
    }
}
