//! Responses to a request: what every one of them copies (RFC 3261 §8.2.6.2), and where they go (§18.2.2, RFC 3581).

use crate::Peer;
use sip_wire::{Builder, HeaderName, Message, Via, reason_phrase};
use smallvec::SmallVec;
use std::io::{Cursor, Write};
use std::net::SocketAddr;

/// Begins a response to `request`, which came from `from`: Via, From, To, Call-ID, CSeq, and Timestamp in a 100
/// (§8.2.6.1). `to_tag` is added where To has no tag yet; a 100 needs none. Record-Route is for the dialog to copy.
pub(crate) fn response(request: &Message, from: SocketAddr, code: u16, to_tag: Option<&[u8]>) -> Builder {
    let mut response = Builder::response(code, reason_phrase(code).as_bytes());
    for (index, via) in request.values(HeaderName::Via).enumerate() {
        if index == 0 {
            let seen = via_with_source(via, from);
            response.header(HeaderName::Via, &seen);
        } else {
            response.header(HeaderName::Via, via);
        }
    }
    if let Some(value) = request.header(HeaderName::From) {
        response.header(HeaderName::From, value);
    }
    if let Some(value) = request.header(HeaderName::To) {
        let tagged = request.to().is_ok_and(|to| to.tag().is_some());
        match to_tag.filter(|_| !tagged) {
            Some(tag) => response.parts(HeaderName::To, &[value, b";tag=", tag]),
            None => response.header(HeaderName::To, value),
        };
    }
    for name in [HeaderName::CallId, HeaderName::CSeq] {
        if let Some(value) = request.header(name) {
            response.header(name, value);
        }
    }
    if code == 100
        && let Some(value) = request.named(b"Timestamp").next()
    {
        response.other(b"Timestamp", value);
    }
    response
}

/// The top Via with where the request came from: `received` unless sent-by says the same (RFC 3261 §18.2.1), and with
/// `rport` both, whatever sent-by says (RFC 3581 §4). What a sender put there itself is dropped.
fn via_with_source(value: &[u8], from: SocketAddr) -> SmallVec<[u8; 160]> {
    let mut out = SmallVec::new();
    let (same_host, rport) = match Via::parse(value) {
        Ok(via) => {
            (via.ip().map(|ip| ip.to_canonical()) == Some(from.ip().to_canonical()), via.rport.is_some())
        }
        Err(_) => {
            out.extend_from_slice(value);
            return out;
        }
    };
    for (index, part) in split_params(value).enumerate() {
        let name = part.split(|b| *b == b'=').next().unwrap_or_default().trim_ascii();
        if index == 0 {
            out.extend_from_slice(part.trim_ascii_end());
        } else if !name.eq_ignore_ascii_case(b"received") && !name.eq_ignore_ascii_case(b"rport") {
            out.push(b';');
            out.extend_from_slice(part.trim_ascii());
        }
    }
    // The longest address has 39 characters, so there is always room.
    let mut seen = Cursor::new([0; 80]);
    if rport || !same_host {
        let _ = write!(seen, ";received={}", from.ip().to_canonical());
    }
    if rport {
        let _ = write!(seen, ";rport={}", from.port());
    }
    let used = seen.position() as usize;
    out.extend_from_slice(seen.get_ref().get(..used).unwrap_or_default());
    out
}

/// Splits at semicolons outside quoted strings.
fn split_params(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    let (mut quoted, mut escaped) = (false, false);
    value.split(move |byte| {
        let escape = quoted && !escaped && *byte == b'\\';
        if *byte == b'"' && !escaped {
            quoted = !quoted;
        }
        escaped = escape;
        *byte == b';' && !quoted
    })
}

/// Where responses to `request` go, for one that gets no transaction.
pub(crate) fn reply_to(request: &Message, from: Peer) -> Peer {
    request.top_via().map_or(from, |via| reply_along(&via, from))
}

/// Where responses to a request with this top Via go. Over a stream: back the way it came. Over UDP: to the address that
/// it came from, at its source port if it asked for that (RFC 3581 §4), else at the port in sent-by.
///
/// `maddr` is not followed: it would let a stranger aim our responses at somebody else.
pub(super) fn reply_along(via: &Via<'_>, from: Peer) -> Peer {
    if from.transport.is_reliable() || via.rport.is_some() {
        return from;
    }
    let port = via.port.filter(|port| *port != 0).unwrap_or(5060);
    Peer { remote: SocketAddr::new(from.remote.ip(), port), ..from }
}
