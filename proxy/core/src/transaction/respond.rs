//! Responses to a request: what every one of them copies (RFC 3261 §8.2.6.2), and where they go (§18.2.2, RFC 3581).

use crate::Peer;
use crate::dialog::decimal;
use sip_wire::host::Literal;
use sip_wire::{Builder, HeaderName, Message, Via, reason_phrase};
use smallvec::SmallVec;
use std::net::SocketAddr;

/// Begins a response to `request`, which came from `from`: Via, From, To, Call-ID, CSeq, and Timestamp in a 100
/// (§8.2.6.1). `to_tag` is added where To has no tag yet; a 100 needs none. Record-Route is for the dialog to copy.
pub(crate) fn response(request: &Message, from: SocketAddr, code: u16, to_tag: Option<&[u8]>) -> Builder {
    let mut response = Builder::response(code, reason_phrase(code).as_bytes());
    let mut vias = request.values(HeaderName::Via);
    if let Some(top) = vias.next() {
        top_via(&mut response, top, request, from);
    }
    for via in vias {
        response.header(HeaderName::Via, via);
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
        && let Some(value) = request.header(HeaderName::Timestamp)
    {
        response.header(HeaderName::Timestamp, value);
    }
    response
}

/// The top Via with where the request came from: `received` unless sent-by says the same (RFC 3261 §18.2.1), and with
/// `rport` both, whatever sent-by says (RFC 3581 §4). What a sender put there itself is dropped.
fn top_via(response: &mut Builder, value: &[u8], request: &Message, from: SocketAddr) {
    let Ok(via) = request.top_via() else {
        response.header(HeaderName::Via, value);
        return;
    };
    let ip = from.ip().to_canonical();
    let (address, mut digits) = (Literal::new(ip), [0; 10]);
    let mut parts: SmallVec<[&[u8]; 24]> = SmallVec::new();
    if via.rport.is_none() && via.received.is_none() {
        parts.push(value);
    } else {
        let params = via.params.as_bytes().len();
        parts.push(value.get(..value.len() - params).unwrap_or_default().trim_ascii_end());
        let seen =
            |name: &[u8]| name.eq_ignore_ascii_case(b"received") || name.eq_ignore_ascii_case(b"rport");
        for param in via.params.iter().filter(|param| !seen(param.name)) {
            parts.extend_from_slice(&[b";", param.name]);
            if let Some(value) = param.value {
                parts.extend_from_slice(&[b"=", value]);
            }
        }
    }
    if via.rport.is_some() || via.ip().map(|ip| ip.to_canonical()) != Some(ip) {
        parts.extend_from_slice(&[b";received=", address.as_bytes()]);
    }
    if via.rport.is_some() {
        parts.extend_from_slice(&[b";rport=", decimal(u32::from(from.port()), &mut digits)]);
    }
    response.parts(HeaderName::Via, &parts);
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
