//! One message by itself.

use crate::message::{Message, Name};
use crate::{Log, Rule, Seen, Wire};

/// What a refusal has to say, so that the peer can do better: one of these headers.
const EXPLAINED: [(u16, &[&str]); 10] = [
    (401, &["WWW-Authenticate"]),
    (405, &["Allow"]),
    (407, &["Proxy-Authenticate"]),
    (415, &["Accept", "Accept-Encoding", "Accept-Language"]),
    (420, &["Unsupported"]),
    (421, &["Require"]),
    (422, &["Min-SE"]),
    (423, &["Min-Expires"]),
    (469, &["Recv-Info"]),
    (489, &["Allow-Events"]),
];

/// How often headers that stand once are there.
#[derive(Debug, Default)]
struct Counts {
    via: u32,
    from: u32,
    to: u32,
    call_id: u32,
    cseq: u32,
    length: u32,
    kind: u32,
    hops: u32,
}

impl Counts {
    fn of(message: &Message<'_>) -> Self {
        let mut counts = Self::default();
        for header in &message.headers {
            let count = match header.name {
                Name::Via => &mut counts.via,
                Name::From => &mut counts.from,
                Name::To => &mut counts.to,
                Name::CallId => &mut counts.call_id,
                Name::CSeq => &mut counts.cseq,
                Name::ContentLength => &mut counts.length,
                Name::ContentType => &mut counts.kind,
                Name::MaxForwards => &mut counts.hops,
                Name::Contact
                | Name::Require
                | Name::Supported
                | Name::RSeq
                | Name::RAck
                | Name::Route
                | Name::RecordRoute
                | Name::Other => continue,
            };
            *count += 1;
        }
        counts
    }
}

pub(crate) fn sent(seen: &Seen<'_>, log: &mut Log) {
    let message = seen.message;
    let counts = Counts::of(message);
    for (name, n) in
        [("From", counts.from), ("To", counts.to), ("Call-ID", counts.call_id), ("CSeq", counts.cseq)]
    {
        if n != 1 {
            log.broken(Rule::Headers, format!("{n} of {name} in {}", message.line()));
        }
    }
    if counts.via == 0 || message.via.sent_by.is_empty() {
        log.broken(Rule::Headers, format!("no Via in {}", message.line()));
    }
    // A response has that of its request, whatever it is (section 8.2.6.2).
    if message.is_request() && message.cseq >= 1 << 31 {
        log.broken(Rule::Headers, format!("CSeq above 2^31 in {}", message.line()));
    }
    let length = message.lines(Name::ContentLength).next();
    // Over a datagram it may be left out (section 20.14), but we always say it.
    if length.and_then(|l| l.parse().ok()) != Some(message.body) || counts.length != 1 {
        let text = format!("{length:?} before {} bytes in {}", message.body, message.line());
        log.broken(Rule::ContentLength, text);
    }
    if message.body > 0 && counts.kind != 1 {
        log.broken(Rule::Headers, format!("a body without one Content-Type in {}", message.line()));
    }
    if wants_contact(message) && message.values(Name::Contact).count() != 1 {
        log.broken(Rule::Contact, message.line());
    }
    match message.code {
        None => request(seen, counts.hops, log),
        Some(code) => response(message, code, log),
    }
}

/// What makes a dialog, and what refreshes its target.
fn wants_contact(message: &Message<'_>) -> bool {
    match (message.method, message.code) {
        ("INVITE" | "UPDATE", None) => true,
        ("INVITE", Some(_)) => message.is_success() || message.is_progress() && !message.to_tag.is_empty(),
        ("UPDATE", Some(_)) => message.is_success(),
        _ => false,
    }
}

fn request(seen: &Seen<'_>, hops: u32, log: &mut Log) {
    let message = seen.message;
    if message.from_tag.is_empty() {
        log.broken(Rule::Headers, format!("no From tag in {}", message.line()));
    }
    let says = match message.via.transport {
        "UDP" => Wire::Datagram,
        _ => Wire::Stream,
    };
    if says != seen.wire {
        let text = format!("{} in the Via of {} on a {:?}", message.via.transport, message.line(), seen.wire);
        log.broken(Rule::Transport, text);
    }
    if message.branch.strip_prefix("z9hG4bK").is_none_or(str::is_empty) {
        log.broken(Rule::Cookie, format!("`{}` in {}", message.branch, message.line()));
    }
    let first = message.lines(Name::MaxForwards).next();
    if hops != 1 || first.is_none_or(|h| h.parse::<u8>().is_err()) {
        log.broken(Rule::MaxForwards, format!("{first:?} in {}", message.line()));
    }
}

fn response(message: &Message<'_>, code: u16, log: &mut Log) {
    if code > 100 && message.to_tag.is_empty() {
        log.broken(Rule::ToTag, format!("no To tag in {}", message.line()));
    }
    let wanted = EXPLAINED.iter().find(|(of, _)| *of == code);
    if let Some((_, names)) = wanted
        && !names.iter().any(|name| message.has(name))
    {
        log.broken(Rule::Explained, format!("no {} in {}", names.join(" or "), message.line()));
    }
}
