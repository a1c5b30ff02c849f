//! Requests that came, and what we answered.

use super::again::{Again, Growth};
use super::reliable::Reliable;
use super::{News, method};
use crate::key::{Key, Table, hash, hash_of_any_case, joined, key};
use crate::limits::MAX_KEPT;
use crate::message::{Message, Name};
use crate::{Log, Rule, Seen, Timing, Wire};
use std::borrow::Cow;
use std::net::SocketAddr;
use std::time::Duration;

/// A server that takes longer to say something says 100 first (RFC 3261 §17.2.1).
const TRYING: Duration = Duration::from_millis(200);

/// What Reason says to a leg that was left.
const LEFT: [&str; 2] = ["text=\"rehomed\"", "text=\"moved\""];

#[derive(Debug)]
pub(crate) struct Servers {
    timing: Timing,
    open: Table<Server>,
    /// INVITEs that we answered with 2xx, by dialog and CSeq: their ACKs have branches of their own.
    accepted: Table<Key>,
    /// The last of each dialog.
    latest: Table<Key>,
    /// INVITEs that have a reliable provisional response, by dialog and CSeq: a PRACK names them so.
    early: Table<Key>,
}

#[derive(Debug)]
struct Server {
    method: &'static str,
    call: Box<str>,
    echo: Echo,
    from: Origin,
    came: Duration,
    /// It came again, and that has not been answered.
    asked_again: Option<Duration>,
    /// How often it has come again over a stream, where nothing may be sent twice (RFC 3261 §17.1.2.2). As soon as it is answered
    /// the transaction is over there (timer J), so that whatever lies unread is a request of its own.
    copies: u32,
    /// The last provisional response.
    provisional: Option<Key>,
    to_tag: Option<Key>,
    reliable: Reliable,
    cancelled: Option<Duration>,
    /// Somebody has said BYE since.
    left: bool,
    /// When it had its ACK, it was behind with its 2xx: so may be one that the call has left, if it is told so afterwards.
    behind: bool,
    last: Option<Final>,
}

/// What a response has to repeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Echo {
    call: Key,
    from: Key,
    cseq: u32,
    via: Key,
    to_tag: Option<Key>,
}

/// Where a request came from.
#[derive(Debug, Clone, Copy)]
struct Origin {
    at: SocketAddr,
    wire: Wire,
    /// Its Via wants to hear from which port it came.
    rport: bool,
    /// Its Via says another host than the one that it came from.
    elsewhere: bool,
    /// The port in its Via.
    port: u16,
}

#[derive(Debug)]
struct Final {
    code: u16,
    bytes: Key,
    again: Again,
    acked: Option<Duration>,
    /// It was said again although nobody asked again.
    unasked: bool,
}

/// What a response has to repeat, of either.
fn echo(m: &Message<'_>) -> Echo {
    let word = |text: &str| hash(text.as_bytes());
    let mut via = joined(word(m.via.transport), hash_of_any_case(m.via.sent_by));
    via = m.via.unmarked().fold(via, |via, p| joined(via, word(p)));
    // The others are as they came, but for blanks.
    for below in m.values(Name::Via).skip(1) {
        via = below.split_whitespace().fold(joined(via, 0), |via, part| joined(via, word(part)));
    }
    Echo {
        call: word(m.call_id),
        from: key(&[m.from, &without_nul(m.from_tag)]),
        cseq: m.cseq,
        via,
        to_tag: (!m.to_tag.is_empty()).then(|| word(m.to_tag)),
    }
}

/// NUL is part of no tag (RFC 3261 §25.1): the refusal of what has one is a message, and has none.
fn without_nul(tag: &str) -> Cow<'_, str> {
    if tag.contains('\0') { tag.replace('\0', "").into() } else { tag.into() }
}

impl Servers {
    pub(crate) fn new(timing: Timing) -> Self {
        Self {
            timing,
            open: Table::default(),
            accepted: Table::default(),
            latest: Table::default(),
            early: Table::default(),
        }
    }

    pub(crate) fn came(&mut self, seen: &Seen<'_>, log: &mut Log) -> News {
        let m = seen.message;
        if !m.is_request() {
            return News::First;
        }
        if m.method == "ACK" {
            return self.acked(seen, log);
        }
        if m.method == "BYE" {
            self.over_with(&key(&[m.call_id, m.from_tag, m.to_tag]));
        }
        if m.method == "PRACK" {
            self.pracked(seen, log);
        }
        if m.method == "CANCEL"
            && let Some(invite) = self.open.get_mut(&name(m, "INVITE")).filter(|s| s.last.is_none())
        {
            invite.cancelled.get_or_insert(seen.at);
        }
        let name = name(m, m.method);
        let timing = self.timing;
        if let Some(server) = self.open.get_mut(&name).filter(|server| !server.is_over(seen.at, &timing)) {
            server.asked_again = Some(seen.at);
            server.copies += u32::from(seen.wire == Wire::Stream && m.method != "INVITE");
            return News::Again;
        }
        if self.open.len() < MAX_KEPT {
            self.open.insert(name, Server::new(seen));
        }
        News::First
    }

    /// A PRACK names its response by dialog, CSeq and RSeq (RFC 3262 §7.2).
    fn pracked(&mut self, seen: &Seen<'_>, log: &mut Log) {
        let m = seen.message;
        let Some((rseq, cseq, _)) = m.rack() else { return };
        let dialog = joined(key(&[m.call_id, m.from_tag, m.to_tag]), cseq.into());
        let server = self.early.get(&dialog).and_then(|name| self.open.get_mut(name));
        if let Some(server) = server {
            server.check_missed(seen.at, &self.timing, log);
            server.reliable.acked(seen.at, rseq);
        }
    }

    /// An ACK belongs to a refusal by its branch, or to a 2xx by its dialog.
    fn acked(&mut self, seen: &Seen<'_>, log: &mut Log) -> News {
        let m = seen.message;
        let of_2xx =
            self.accepted.get(&joined(key(&[m.call_id, m.from_tag, m.to_tag]), m.cseq.into())).copied();
        let name = of_2xx.unwrap_or_else(|| name(m, "INVITE"));
        let Some(server) = self.open.get_mut(&name) else { return News::Stray };
        let Some(last) = &mut server.last else { return News::Stray };
        if of_2xx.is_none() && (200..300).contains(&last.code) {
            return News::Stray;
        }
        if last.acked.is_some() {
            return News::Again;
        }
        if of_2xx.is_some() {
            server.behind |= server.is_behind(seen.at, &self.timing);
        } else {
            server.check_missed(seen.at, &self.timing, log);
        }
        if let Some(last) = &mut server.last {
            last.acked = Some(seen.at);
        }
        News::First
    }

    pub(crate) fn sent(&mut self, seen: &Seen<'_>, log: &mut Log) -> News {
        let m = seen.message;
        let Some(code) = m.code else {
            self.hung_up(seen, log);
            return News::First;
        };
        if m.method == "ACK" {
            log.broken(Rule::AckAnswered, m.line());
            return News::Stray;
        }
        if m.method == "PRACK" && code == 500 {
            for server in self.open.values_mut().filter(|server| *server.call == *m.call_id) {
                server.reliable.refused();
            }
        }
        let name = name(m, m.method);
        let full = self.open.len() >= MAX_KEPT;
        let Some(server) = self.open.get_mut(&name) else {
            if !full {
                log.broken(Rule::StrayResponse, format!("{}, branch {}", m.line(), m.branch));
            }
            return News::Stray;
        };
        server.goes_where_it_should(seen, log);
        server.repeats_the_request(m, log);
        if server.last.is_some() {
            return server.after_the_final(seen, &self.timing, log);
        }
        server.first_of_all(seen, &self.timing, log);
        if code > 100 {
            server.tag(m, log);
        }
        server.reliable.sent(seen, server.asked_again.is_some(), &self.timing, log);
        if code >= 200 {
            server.check_missed(seen.at, &self.timing, log);
        } else if m.is_reliable() && self.early.len() < MAX_KEPT {
            self.early.insert(joined(key(&[m.call_id, m.from_tag, m.to_tag]), m.cseq.into()), name);
        }
        server.of_method(seen, code, &self.timing, log);
        let bytes = hash(m.bytes);
        server.asked_again = None;
        if code < 200 {
            return match server.provisional.replace(bytes) {
                Some(before) if before == bytes => News::Again,
                Some(_) | None => News::First,
            };
        }
        server.last = Some(Final {
            code,
            bytes,
            again: Again::new(seen.at, &self.timing),
            acked: None,
            unasked: false,
        });
        if m.method == "INVITE" && m.is_success() && self.accepted.len() < MAX_KEPT {
            let dialog = key(&[m.call_id, m.from_tag, m.to_tag]);
            self.accepted.insert(joined(dialog, m.cseq.into()), name);
            self.latest.insert(dialog, name);
        }
        News::First
    }

    /// We say BYE: our 2xx need not be heard any more.
    fn hung_up(&mut self, seen: &Seen<'_>, log: &mut Log) {
        let m = seen.message;
        if m.method != "BYE" {
            return;
        }
        let dialog = key(&[m.call_id, m.to_tag, m.from_tag]);
        let server = self.latest.get(&dialog).and_then(|name| self.open.get(name));
        let waits = server.is_some_and(|server| !server.left && server.waits_for_ack(seen.at, &self.timing));
        if waits && !leaves(m) {
            log.broken(Rule::ByeBeforeAck, format!("{} although our 2xx has no ACK yet", m.line()));
        }
        self.over_with(&dialog);
        let latest = self.latest.get(&dialog).and_then(|name| self.open.get_mut(name));
        if let Some(server) = latest.filter(|_| leaves(m)) {
            server.behind = false;
        }
    }

    fn over_with(&mut self, dialog: &Key) {
        let latest = self.latest.get(dialog);
        if let Some(server) = latest.and_then(|name| self.open.get_mut(name)) {
            server.left = true;
        }
    }

    /// What should have been done before `now`; where everything is over, all that was left open.
    pub(crate) fn over(&self, now: Duration, log: &mut Log) {
        let mut open: Vec<_> = self.open.values().collect();
        open.sort_by_key(|s| s.came);
        for server in open {
            if now == Duration::MAX && server.provisional.is_some() && server.last.is_none() {
                log.broken_of(
                    &server.call,
                    Rule::Unanswered,
                    format!("no final response to {}", server.line()),
                );
            }
            server.check_missed(now, &self.timing, log);
        }
    }

    /// The trace is over, and nobody was told that the call has left him.
    pub(crate) fn behind(&self, log: &mut Log) {
        let mut behind: Vec<_> = self.open.values().filter(|server| server.behind).collect();
        behind.sort_by_key(|server| server.came);
        behind.iter().for_each(|server| server.missed_final(log));
    }

    pub(crate) fn sweep(&mut self, before: Duration) {
        self.open.retain(|_, server| match &server.last {
            Some(last) => last.again.first > before || server.behind,
            // It may ring for a long time.
            None => server.provisional.is_some() || server.came > before,
        });
        self.accepted.retain(|_, server| self.open.contains_key(server));
        self.latest.retain(|_, server| self.open.contains_key(server));
        self.early.retain(|_, server| self.open.contains_key(server));
    }
}

impl Server {
    fn new(seen: &Seen<'_>) -> Self {
        let m = seen.message;
        let host = m.via.host().parse();
        Self {
            method: method(m.method),
            call: m.call_id.into(),
            echo: echo(m),
            from: Origin {
                at: seen.from,
                wire: seen.wire,
                rport: m.via.parameter("rport").is_some(),
                elsewhere: host.ok() != Some(seen.from.ip()),
                port: m.via.port().unwrap_or_default(),
            },
            came: seen.at,
            asked_again: None,
            copies: 0,
            provisional: None,
            to_tag: None,
            reliable: Reliable::asked(m),
            cancelled: None,
            left: false,
            behind: false,
            last: None,
        }
    }

    fn line(&self) -> String {
        format!("{} {}", self.method, self.echo.cseq)
    }

    /// Whether what comes with its name is a request of its own.
    fn is_over(&self, now: Duration, timing: &Timing) -> bool {
        let Some(last) = &self.last else { return false };
        let reliable = self.from.wire == Wire::Stream;
        let is_refusal = self.method == "INVITE" && last.code >= 300;
        match (last.acked, is_refusal) {
            (Some(acked), true) => reliable || now >= acked + timing.t4,
            _ if self.method != "INVITE" && reliable => true,
            _ => now >= last.again.first + timing.life(),
        }
    }

    fn repeats_the_request(&self, m: &Message<'_>, log: &mut Log) {
        let (asked, said) = (&self.echo, echo(m));
        let mut wrong = |what: &str| {
            let text = format!("{what} of {} came back otherwise in {}", self.line(), m.line());
            log.broken(Rule::EchoedHeaders, text);
        };
        if asked.call != said.call {
            wrong("Call-ID");
        }
        if asked.from != said.from {
            wrong("From");
        }
        if asked.cseq != said.cseq {
            wrong("CSeq");
        }
        if asked.via != said.via {
            wrong("Via");
        }
        if asked.to_tag.is_some() && asked.to_tag != said.to_tag {
            wrong("the To tag");
        }
    }

    fn goes_where_it_should(&self, seen: &Seen<'_>, log: &mut Log) {
        let (m, from) = (seen.message, &self.from);
        if from.elsewhere || from.rport {
            let says = m.via.parameter("received").map(|host| host.trim_matches(['[', ']']).parse());
            if says != Some(Ok(from.at.ip())) {
                log.broken(
                    Rule::Received,
                    format!("{} does not say that it came from {}", m.line(), from.at),
                );
            }
        }
        if from.rport && m.via.parameter("rport").map(str::parse) != Some(Ok(from.at.port())) {
            log.broken(Rule::Received, format!("{} does not say that it came from {}", m.line(), from.at));
        }
        let port = if from.rport { from.at.port() } else { from.port };
        if from.wire == Wire::Datagram
            && seen.wire == Wire::Datagram
            && seen.to != SocketAddr::new(from.at.ip(), port)
        {
            log.broken(Rule::ResponseTo, format!("{} to {}, it came from {}", m.line(), seen.to, from.at));
        }
    }

    fn first_of_all(&self, seen: &Seen<'_>, timing: &Timing, log: &mut Log) {
        let waited = seen.at.saturating_sub(self.came);
        if self.method == "INVITE" && self.provisional.is_none() && waited > TRYING + timing.late {
            log.broken(
                Rule::Trying,
                format!("{} is the first response, after {waited:?}", seen.message.line()),
            );
        }
    }

    fn tag(&mut self, m: &Message<'_>, log: &mut Log) {
        let tag = hash(m.to_tag.as_bytes());
        let first = *self.to_tag.get_or_insert(tag);
        if first != tag {
            log.broken(
                Rule::ToTag,
                format!("`{}` is not the tag of the responses before {}", m.to_tag, m.line()),
            );
        }
    }

    /// What may be said to an INVITE, and what to others.
    fn of_method(&self, seen: &Seen<'_>, code: u16, timing: &Timing, log: &mut Log) {
        let m = seen.message;
        if self.method == "INVITE" {
            if m.is_success() && self.cancelled.is_some_and(|at| at + timing.unread < seen.at) {
                log.broken(Rule::Cancelled, format!("{} after its CANCEL", m.line()));
            }
            return;
        }
        // Timer E has fired after T1, 2*T1 and 4*T1, and is at T2.
        let at_t2 = self.came + timing.t1 * 7;
        let is_early = code == 100 && self.from.wire == Wire::Datagram && seen.at + timing.early < at_t2;
        if code == 408 || m.is_progress() || is_early {
            log.broken(Rule::NonInvite, m.line());
        }
    }

    /// A final response has been sent before.
    fn after_the_final(&mut self, seen: &Seen<'_>, timing: &Timing, log: &mut Log) -> News {
        let (m, line) = (seen.message, self.line());
        let stateless = self.last.as_ref().is_some_and(|last| self.is_stateless(last));
        let Some(last) = &mut self.last else { return News::First };
        if self.copies > 0 && m.is_final() {
            self.copies -= 1;
            return News::Again;
        }
        if !m.is_final() {
            log.broken(Rule::LateProvisional, format!("{} after {}", m.line(), last.code));
            return News::Again;
        }
        if hash(m.bytes) != last.bytes {
            log.broken(Rule::OneFinal, format!("{} is not the {} that was sent before", m.line(), last.code));
            return News::Again;
        }
        let is_invite = self.method == "INVITE";
        if is_invite && stateless && self.asked_again.take().is_some() {
            return News::Again;
        }
        last.unasked = self.asked_again.is_none();
        let by_timer = is_invite && (m.is_success() || self.from.wire == Wire::Datagram);
        if is_invite && last.acked.is_some_and(|at| at + timing.unread < seen.at) {
            log.broken(Rule::AfterAck, format!("{} again although it has its ACK", m.line()));
        } else if by_timer
            && (last.again.is_due(seen.at, timing) || self.asked_again.is_none() || m.is_success())
        {
            last.again.sent(seen.at, Growth::UpToT2, timing, || m.line(), log);
        } else if self.asked_again.take().is_none() {
            log.broken(Rule::TooSoon, format!("{} again although {line} did not come again", m.line()));
        }
        News::Again
    }

    /// Its dialog is up and confirmed by nobody yet. A further INVITE inside it is no matter of section 15.
    fn waits_for_ack(&self, now: Duration, timing: &Timing) -> bool {
        let accepted =
            self.last.as_ref().filter(|last| (200..300).contains(&last.code) && last.acked.is_none());
        self.echo.to_tag.is_none() && accepted.is_some_and(|last| now < last.again.first + timing.life())
    }

    /// A UAS without state says no provisional response and leaves it to the client to ask again: it may refuse what begins no dialog
    /// (RFC 3261 §8.2.7).
    fn is_stateless(&self, last: &Final) -> bool {
        let begins = self.echo.to_tag.is_none();
        last.code >= 300 && begins && self.provisional.is_none() && !last.unasked
    }

    fn check_missed(&self, now: Duration, timing: &Timing, log: &mut Log) {
        if self.last.is_none()
            && let Some(code) = self.reliable.missed(now, timing)
        {
            let text = format!("{code} to {} is not sent again, and has no PRACK", self.line());
            log.broken_of(&self.call, Rule::TooLate, text);
        }
        if self.is_behind(now, timing) {
            self.missed_final(log);
        }
    }

    /// Whether its final response should have been sent again before.
    fn is_behind(&self, now: Duration, timing: &Timing) -> bool {
        let Some(last) = self.last.as_ref().filter(|last| last.acked.is_none()) else { return false };
        let by_timer = (200..300).contains(&last.code) || self.from.wire == Wire::Datagram;
        let owed = self.method == "INVITE" && by_timer && !self.left && !self.is_stateless(last);
        owed && last.again.is_missed(now, timing)
    }

    fn missed_final(&self, log: &mut Log) {
        let code = self.last.as_ref().map_or(0, |last| last.code);
        log.broken_of(&self.call, Rule::TooLate, format!("{code} to {} is not sent again", self.line()));
    }
}

/// A leg that the call has left says so (RFC 3326): its end may be dead and its ACK never come, while a live one would keep a call
/// that is another's by now for 32 s. docs/deviations.md has it.
fn leaves(bye: &Message<'_>) -> bool {
    bye.header("Reason").is_some_and(|reason| LEFT.iter().any(|text| reason.contains(text)))
}

/// As section 17.2.3 tells one from another; those of RFC 2543 have no branch to tell them by.
fn name(m: &Message<'_>, method: &str) -> Key {
    let sent_by = hash_of_any_case(m.via.sent_by);
    match m.branch.starts_with("z9hG4bK") {
        true => joined(key(&[m.branch, method]), sent_by),
        false => joined(joined(key(&[m.call_id, m.from, m.from_tag, method]), sent_by), m.cseq.into()),
    }
}
