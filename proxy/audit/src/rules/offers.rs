//! Offers and answers (RFC 3264, RFC 3261 §13.2.1, RFC 3262 §5, RFC 3311 §5).

use super::{News, method};
use crate::key::{Key, Table, hash, joined, key};
use crate::limits::MAX_KEPT;
use crate::message::Message;
use crate::sdp::Description;
use crate::{Log, Rule, Seen, Timing};
use std::time::Duration;

#[derive(Debug)]
pub(crate) struct Offers {
    timing: Timing,
    /// INVITE, UPDATE and PRACK of a call, of either side.
    open: Table<Vec<Exchange>>,
    /// Offers in responses that came to INVITEs of ours, by Call-ID, our tag, theirs, and the INVITE's CSeq.
    late: Table<Late>,
    /// The last description that we sent in a dialog, by Call-ID, our tag and theirs; before there is one, without theirs.
    last: Table<Said>,
}

#[derive(Debug)]
struct Late {
    at: Duration,
    offer: Description,
    /// It came in a reliable provisional response, and PRACK has its answer.
    in_prack: bool,
    answered: bool,
}

/// A request that may carry or want a description.
#[derive(Debug)]
struct Exchange {
    ours: bool,
    name: Key,
    method: &'static str,
    cseq: u32,
    /// Our tag and theirs; without a To tag, 0 for whose it would be.
    tags: (Key, Key),
    at: Duration,
    offer: Option<Description>,
    /// Something came back.
    heard: bool,
    /// A reliable response has carried a description already.
    described: bool,
    /// Our 2xx made an offer, which its ACK answers.
    waits_for_ack: bool,
    /// A reliable provisional response of ours made an offer, which PRACK answers.
    waits_for_prack: bool,
    over: Option<Duration>,
}

#[derive(Debug, Clone, Copy)]
struct Said {
    at: Duration,
    session: Key,
    version: u64,
    rest: Key,
}

/// Call-ID, our tag, theirs, and the CSeq of our INVITE.
fn late(m: &Message<'_>, cseq: u32) -> Key {
    joined(key(&[m.call_id, m.from_tag, m.to_tag]), cseq.into())
}

/// Our tag and theirs, of what we sent or of what came.
fn tags(m: &Message<'_>, ours: bool) -> (Key, Key) {
    let hash = |tag: &str| if tag.is_empty() { 0 } else { hash(tag.as_bytes()) };
    let (from, to) = (hash(m.from_tag), hash(m.to_tag));
    if ours == m.is_request() { (from, to) } else { (to, from) }
}

impl Offers {
    pub(crate) fn new(timing: Timing) -> Self {
        Self { timing, open: Table::default(), late: Table::default(), last: Table::default() }
    }

    pub(crate) fn came(&mut self, seen: &Seen<'_>, news: News) {
        let m = seen.message;
        match (m.method, m.code) {
            ("INVITE" | "UPDATE" | "PRACK", None) if news == News::First => self.note(false, seen),
            ("ACK", None) => self.acked(seen),
            ("INVITE" | "UPDATE" | "PRACK", Some(_)) => self.answered(seen),
            _ => {}
        }
    }

    fn acked(&mut self, seen: &Seen<'_>) {
        let m = seen.message;
        let open = self.open.get_mut(&key(&[m.call_id])).into_iter().flatten();
        for exchange in open.filter(|e| !e.ours && e.waits_for_ack && e.cseq == m.cseq) {
            exchange.waits_for_ack = false;
            exchange.over.get_or_insert(seen.at);
        }
    }

    fn answered(&mut self, seen: &Seen<'_>) {
        let m = seen.message;
        let Some(exchange) = find(&mut self.open, true, m) else { return };
        exchange.heard = true;
        if m.is_final() {
            exchange.over.get_or_insert(seen.at);
        }
        let is_late = m.method == "INVITE" && exchange.offer.is_none();
        let Some(sdp) = m.sdp.filter(|_| m.is_success() || m.is_reliable()) else { return };
        exchange.described = true;
        if is_late && self.late.len() < MAX_KEPT {
            // What was answered in PRACK wants no second answer.
            let offer = || Late {
                at: seen.at,
                offer: Description::read(sdp),
                in_prack: m.is_reliable(),
                answered: false,
            };
            self.late.entry(late(m, m.cseq)).or_insert_with(offer);
        }
    }

    pub(crate) fn sent(&mut self, seen: &Seen<'_>, news: News, log: &mut Log) {
        let m = seen.message;
        let said = m.sdp.map(Description::read);
        if news == News::Again {
            return;
        }
        match (m.method, m.code) {
            ("ACK", None) => self.answered_by_ack(m, said.as_ref(), log),
            // What is still said in that dialog ends what is left open, and need not follow on anything.
            ("BYE", None) => drop(self.last.remove(&key(&[m.call_id, m.from_tag, m.to_tag]))),
            ("INVITE" | "UPDATE" | "PRACK", None) => {
                let answers = m.method == "PRACK" && self.answered_by_prack(m, said.as_ref(), log);
                if !answers && news == News::First {
                    self.second(seen, log);
                    self.note(true, seen);
                }
            }
            ("INVITE" | "UPDATE" | "PRACK", Some(_)) => self.responded(seen, said.as_ref(), log),
            _ => {}
        }
        if let Some(said) = said.filter(|said| m.method != "ACK" || !said.refuses_everything()) {
            self.version(seen, &said, log);
        }
    }

    fn note(&mut self, ours: bool, seen: &Seen<'_>) {
        let m = seen.message;
        let exchange = Exchange {
            ours,
            name: key(&[m.branch, m.method]),
            method: method(m.method),
            cseq: m.cseq,
            tags: tags(m, ours),
            at: seen.at,
            offer: m.sdp.map(Description::read),
            heard: false,
            described: false,
            waits_for_ack: false,
            waits_for_prack: false,
            over: None,
        };
        let mut exchange = exchange;
        if !ours && m.method == "PRACK" {
            let open = self.open.get_mut(&key(&[m.call_id])).into_iter().flatten();
            for invite in open.filter(|e| !e.ours && e.waits_for_prack) {
                invite.waits_for_prack = false;
                exchange.offer = None;
            }
        }
        if self.open.len() < MAX_KEPT {
            self.open.entry(key(&[m.call_id])).or_default().push(exchange);
        }
    }

    fn responded(&mut self, seen: &Seen<'_>, said: Option<&Description>, log: &mut Log) {
        let m = seen.message;
        let Some(exchange) = find(&mut self.open, false, m) else { return };
        if m.is_success() && !exchange.described && said.is_none() && exchange.over.is_none() {
            match (&exchange.offer, m.method) {
                (Some(_), _) => log.broken(Rule::Answer, format!("{} without an answer", m.line())),
                (None, "INVITE") => log.broken(Rule::Answer, format!("{} without an offer", m.line())),
                (None, _) => {}
            }
        }
        if let (Some(offer), Some(answer)) = (&exchange.offer, said)
            && (m.is_success() || m.is_progress())
            && let Some(wrong) = answer.wrong_as_answer_to(offer)
        {
            log.broken(Rule::Answer, format!("{wrong}, in {}", m.line()));
        }
        exchange.waits_for_ack |=
            m.is_success() && m.method == "INVITE" && exchange.offer.is_none() && !exchange.described;
        exchange.waits_for_prack |= m.method == "INVITE"
            && m.is_reliable()
            && exchange.offer.is_none()
            && !exchange.described
            && said.is_some();
        exchange.described |= said.is_some() && (m.is_reliable() || m.is_success());
        if m.is_final() && !exchange.waits_for_ack {
            exchange.over.get_or_insert(seen.at);
        }
    }

    fn answered_by_ack(&mut self, m: &Message<'_>, said: Option<&Description>, log: &mut Log) {
        let Some(late) = self.late.get_mut(&late(m, m.cseq)) else { return };
        if late.in_prack || std::mem::replace(&mut late.answered, true) {
            return;
        }
        match said.map(|said| said.wrong_as_answer_to(&late.offer)) {
            None => log.broken(Rule::Answer, format!("{} without an answer", m.line())),
            Some(Some(wrong)) => log.broken(Rule::Answer, format!("{wrong}, in {}", m.line())),
            Some(None) => {}
        }
    }

    /// Whether there was something to answer.
    fn answered_by_prack(&mut self, m: &Message<'_>, said: Option<&Description>, log: &mut Log) -> bool {
        let Some((_, cseq, _)) = m.rack() else { return false };
        let Some(late) = self.late.get_mut(&late(m, cseq)) else { return false };
        if !late.in_prack || std::mem::replace(&mut late.answered, true) {
            return false;
        }
        match said.map(|said| said.wrong_as_answer_to(&late.offer)) {
            None => log.broken(Rule::Answer, format!("{} without an answer", m.line())),
            Some(Some(wrong)) => log.broken(Rule::Answer, format!("{wrong}, in {}", m.line())),
            Some(None) => {}
        }
        true
    }

    /// A new INVITE, or an offer, while another one is under way in the dialog.
    fn second(&mut self, seen: &Seen<'_>, log: &mut Log) {
        let m = seen.message;
        if m.to_tag.is_empty() || m.sdp.is_none() && m.method != "INVITE" {
            return;
        }
        let (mine, timing) = (tags(m, true), &self.timing);
        let under_way = |e: &&Exchange| {
            // Theirs may have come a moment ago, unread; nobody waits for an ACK for ever. Timer B ends an INVITE of ours
            // to which nothing came back (RFC 3261 §17.1.1.2).
            let settled = e.over.is_some()
                || !e.ours && e.at + timing.unread > seen.at && !timing.unread.is_zero()
                || e.at + timing.life() * 2 < seen.at && e.method != "INVITE"
                || e.ours && !e.heard && e.at + timing.life() <= seen.at;
            let open = e.offer.is_some() && !e.described || e.waits_for_ack;
            let clashes = e.method == "INVITE" && m.method == "INVITE" || open && m.sdp.is_some();
            e.tags == mine && !settled && clashes
        };
        let open = self.open.get(&key(&[m.call_id])).map(Vec::as_slice).unwrap_or_default();
        if let Some(other) = open.iter().find(under_way) {
            let whose = if other.ours { "our" } else { "their" };
            let text = format!("{} while {whose} {} {} is under way", m.line(), other.method, other.cseq);
            log.broken(Rule::SecondOffer, text);
        }
    }

    fn version(&mut self, seen: &Seen<'_>, said: &Description, log: &mut Log) {
        let m = seen.message;
        let Some(version) = said.version else {
            return log.broken(Rule::Version, format!("no version in {}", m.line()));
        };
        let (ours, theirs) = if m.is_request() { (m.from_tag, m.to_tag) } else { (m.to_tag, m.from_tag) };
        let name = key(&[m.call_id, ours, theirs]);
        // Every fork has heard what the INVITE said.
        let last = self.last.get(&name).or_else(|| self.last.get(&key(&[m.call_id, ours, ""])));
        if let Some(last) = last {
            let changed = last.rest != said.rest;
            let grown = version == last.version.wrapping_add(1);
            let right = last.session == said.session && (grown || !changed && version == last.version);
            if !right {
                let how = if changed { "changed" } else { "unchanged" };
                let session = if last.session == said.session { "" } else { ", and another session" };
                let text = format!("{how}, from {} to {version}{session}, in {}", last.version, m.line());
                log.broken(Rule::Version, text);
            }
        }
        if self.last.len() < MAX_KEPT {
            let Description { session, rest, .. } = *said;
            self.last.insert(name, Said { at: seen.at, session, version, rest });
        }
    }

    pub(crate) fn sweep(&mut self, before: Duration, ages_ago: Duration) {
        self.open.retain(|_, open| {
            open.retain(|e| e.over.map_or(e.at > ages_ago, |at| at > before));
            !open.is_empty()
        });
        self.late.retain(|_, late| late.at > before);
        self.last.retain(|_, said| said.at > ages_ago);
    }
}

/// The exchange that a response belongs to.
fn find<'o>(open: &'o mut Table<Vec<Exchange>>, ours: bool, m: &Message<'_>) -> Option<&'o mut Exchange> {
    let name = key(&[m.branch, m.method]);
    open.get_mut(&key(&[m.call_id]))?.iter_mut().find(|e| e.ours == ours && e.name == name)
}
