//! Dialogs: who is meant, where that is, in which order.

use super::News;
use crate::key::{Key, Table, hash, joined, key};
use crate::limits::MAX_KEPT;
use crate::message::{Message, Name};
use crate::{Log, Rule, Seen};
use std::time::Duration;

#[derive(Debug, Default)]
pub(crate) struct Dialogs {
    /// By Call-ID, our tag and theirs.
    known: Table<Dialog>,
    /// INVITEs without a To tag, by Call-ID, From tag and CSeq: those that came, with what they say of their sender.
    came: Table<(Duration, Remote)>,
    /// And those that we sent.
    sent: Table<Duration>,
    /// Requests that came out of order, by branch.
    stale: Table<Duration>,
    /// There was no room for one.
    crowded: bool,
}

/// Where requests to the other side go.
#[derive(Debug, Clone, Default)]
struct Remote {
    target: Box<str>,
    routes: Key,
    /// The first route is none, or loose (§12.2.1.1).
    loose: bool,
}

#[derive(Debug, Default)]
struct Dialog {
    /// Of our last request.
    cseq: Option<u32>,
    /// The highest of theirs.
    theirs: Option<u32>,
    remote: Remote,
    /// The target before: a refresh takes effect with its response.
    before: Box<str>,
    /// A BYE of ours is out, or theirs was answered.
    over: Option<Over>,
    /// A BYE came that we have not answered.
    asked: bool,
}

/// How a dialog ended.
#[derive(Debug, Clone, Copy)]
enum Over {
    /// We sent a BYE that nobody has answered.
    Unheard(Duration),
    /// A BYE was answered.
    Ended(Duration),
}

impl Dialog {
    fn refresh(&mut self, target: &str) {
        if !target.is_empty() && target != &*self.remote.target {
            self.before = std::mem::replace(&mut self.remote.target, target.into());
        }
    }
}

impl Remote {
    /// As the one who answers sees it, from the request; as the one who asked does, from the response (§12.1).
    fn of(m: &Message<'_>) -> Self {
        let uris: Vec<_> = m.uris(Name::RecordRoute).collect();
        let in_order: Vec<_> = if m.is_request() { uris } else { uris.into_iter().rev().collect() };
        let loose = in_order.first().is_none_or(|uri| uri.contains(";lr"));
        Self { target: m.contact.into(), routes: routes(in_order.into_iter()), loose }
    }
}

fn routes<'m>(uris: impl Iterator<Item = &'m str>) -> Key {
    uris.fold(0, |so_far, uri| joined(so_far, hash(uri.as_bytes())))
}

/// An INVITE, before it has made a dialog.
fn invite(m: &Message<'_>) -> Key {
    joined(key(&[m.call_id, m.from_tag]), m.cseq.into())
}

impl Dialogs {
    /// A request is news; of a response it does not matter.
    pub(crate) fn came(&mut self, seen: &Seen<'_>, news: News) {
        let m = seen.message;
        if m.is_request() {
            if news == News::First {
                self.asked(seen);
            }
            return;
        }
        let name = key(&[m.call_id, m.from_tag, m.to_tag]);
        if m.method == "BYE" && m.is_final() {
            if news == News::Stray {
                return;
            }
            if let Some(dialog) = self.known.get_mut(&name) {
                // Whoever is asked who he is says it again, and shows it (§22.2).
                let is_asked = matches!(m.code, Some(401 | 407));
                dialog.over = Some(if is_asked { Over::Unheard(seen.at) } else { Over::Ended(seen.at) });
            }
            return;
        }
        let refreshes = matches!(m.method, "INVITE" | "UPDATE") && (m.is_progress() || m.is_success());
        if !refreshes || m.to_tag.is_empty() {
            return;
        }
        let is_initial = m.method == "INVITE" && self.sent.contains_key(&invite(m));
        match self.known.get_mut(&name) {
            Some(dialog) => {
                dialog.refresh(m.contact);
                // The route set is that of the 2xx (§13.2.2.4).
                if is_initial && m.is_success() {
                    dialog.remote =
                        Remote { target: std::mem::take(&mut dialog.remote.target), ..Remote::of(m) };
                }
            }
            None if is_initial => {
                let dialog = Dialog { cseq: Some(m.cseq), remote: Remote::of(m), ..Dialog::default() };
                self.learn(name, dialog);
            }
            None => {}
        }
    }

    fn learn(&mut self, name: Key, dialog: Dialog) {
        if self.known.len() < MAX_KEPT {
            self.known.insert(name, dialog);
        } else {
            self.crowded = true;
        }
    }

    fn asked(&mut self, seen: &Seen<'_>) {
        let m = seen.message;
        if m.to_tag.is_empty() {
            if m.method == "INVITE" && self.came.len() < MAX_KEPT {
                self.came.insert(invite(m), (seen.at, Remote::of(m)));
            }
            return;
        }
        let Some(dialog) = self.known.get_mut(&key(&[m.call_id, m.to_tag, m.from_tag])) else { return };
        match m.method {
            "ACK" | "CANCEL" => return,
            "BYE" => dialog.asked = true,
            _ => {}
        }
        match dialog.theirs {
            Some(highest) if m.cseq < highest => drop(self.stale.insert(key(&[m.branch]), seen.at)),
            _ => dialog.theirs = Some(m.cseq),
        }
        if matches!(m.method, "INVITE" | "UPDATE") {
            dialog.refresh(m.contact);
        }
    }

    pub(crate) fn sent(&mut self, seen: &Seen<'_>, log: &mut Log) {
        if seen.message.is_request() { self.requested(seen, log) } else { self.responded(seen, log) }
    }

    fn responded(&mut self, seen: &Seen<'_>, log: &mut Log) {
        let m = seen.message;
        if m.is_success() && !self.stale.is_empty() && self.stale.contains_key(&key(&[m.branch])) {
            log.broken(Rule::OutOfOrder, format!("{} although a later one came before", m.line()));
        }
        if m.to_tag.is_empty() || !(m.is_progress() || m.is_success()) {
            return;
        }
        let name = key(&[m.call_id, m.to_tag, m.from_tag]);
        if let Some(dialog) = self.known.get_mut(&name) {
            if m.method == "BYE" && dialog.asked {
                dialog.over = Some(Over::Ended(seen.at));
            }
        } else if m.method == "INVITE"
            && let Some((_, remote)) = self.came.get(&invite(m))
        {
            let dialog = Dialog { theirs: Some(m.cseq), remote: remote.clone(), ..Dialog::default() };
            self.learn(name, dialog);
        }
    }

    fn requested(&mut self, seen: &Seen<'_>, log: &mut Log) {
        let m = seen.message;
        if m.to_tag.is_empty() {
            if m.method == "INVITE" && self.sent.len() < MAX_KEPT {
                self.sent.insert(invite(m), seen.at);
            }
            return;
        }
        let Some(dialog) = self.known.get_mut(&key(&[m.call_id, m.from_tag, m.to_tag])) else {
            // ACK for a final response that made no dialog has a tag as well (§17.1.1.3).
            if m.method != "ACK" && !self.crowded {
                let text = format!("{} with tags {} and {}", m.line(), m.from_tag, m.to_tag);
                log.broken(Rule::UnknownDialog, text);
            }
            return;
        };
        if matches!(m.method, "ACK" | "CANCEL") {
            return;
        }
        if let Some(last) = dialog.cseq
            && (m.cseq <= last || m.cseq != last + 1 && m.method != "BYE")
        {
            log.broken(Rule::CSeq, format!("{} after {last}", m.line()));
        }
        dialog.cseq = Some(m.cseq);
        match (dialog.over, m.method) {
            (None | Some(Over::Unheard(_)), "BYE") => dialog.over = Some(Over::Unheard(seen.at)),
            (None, _) => {}
            (Some(_), _) => log.broken(Rule::AfterBye, m.line()),
        }
        let target = &dialog.remote.target;
        let is_target = m.uri == &**target || !dialog.before.is_empty() && m.uri == &*dialog.before;
        if dialog.remote.loose && !target.is_empty() && !is_target {
            log.broken(Rule::Target, format!("{} to {}, the remote target is {target}", m.line(), m.uri));
        }
        if dialog.remote.loose && routes(m.uris(Name::Route)) != dialog.remote.routes {
            log.broken(Rule::Target, format!("{} does not go by the route set", m.line()));
        }
    }

    pub(crate) fn sweep(&mut self, before: Duration) {
        self.came.retain(|_, (at, _)| *at > before);
        self.sent.retain(|_, at| *at > before);
        self.stale.retain(|_, at| *at > before);
        self.known.retain(|_, dialog| match dialog.over {
            None => true,
            Some(Over::Unheard(at) | Over::Ended(at)) => at > before,
        });
    }
}
