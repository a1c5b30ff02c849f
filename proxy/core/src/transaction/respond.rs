//! Responses to a request: what every one of them copies (RFC 3261 §8.2.6.2), and where they go (§18.2.2, RFC 3581).

use crate::Peer;
use crate::dialog::decimal;
use crate::overload::{Said, is_about_load};
use sip_wire::host::Literal;
use sip_wire::{Builder, Glimpse, HeaderName, Message, Via, reason_phrase};
use smallvec::SmallVec;
use std::net::SocketAddr;

/// Begins a response to `request`, which came from `from`: Via, From, To, Call-ID, CSeq, and Timestamp in a 100
/// (§8.2.6.1). Who asks in its Via is told our `load`. `to_tag` is added where To has no tag yet; a 100 needs none. Record-Route is for the dialog to copy.
pub(crate) fn response(
    request: &Message,
    from: SocketAddr,
    code: u16,
    load: Said,
    to_tag: Option<&[u8]>,
) -> Builder {
    let mut response = Builder::response(code, reason_phrase(code).as_bytes());
    let (first, via) = (request.values(HeaderName::Via).next(), request.top_via().ok());
    vias(&mut response, (first, via.as_ref()), request.lines(HeaderName::Via), from, load);
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

/// The same for a request without a To tag of which there is no more than a glimpse.
pub(crate) fn refusal(request: &Glimpse<'_>, from: SocketAddr, code: u16, load: Said, tag: &[u8]) -> Builder {
    let mut response = Builder::response(code, reason_phrase(code).as_bytes());
    vias(&mut response, (Some(request.top), Some(&request.via)), request.vias(), from, load);
    response.header(HeaderName::From, request.from);
    response.parts(HeaderName::To, &[request.to, b";tag=", tag]);
    response.header(HeaderName::CallId, request.call_id);
    response.header(HeaderName::CSeq, request.cseq);
    response
}

/// Every Via in order, on lines as they came: a list stays one, so that no answer has more lines than its question.
fn vias<'a>(
    response: &mut Builder,
    (mut top, via): (Option<&[u8]>, Option<&Via<'_>>),
    lines: impl Iterator<Item = &'a [u8]>,
    from: SocketAddr,
    load: Said,
) {
    for line in lines {
        let Some(first) = top else {
            response.header(HeaderName::Via, line);
            continue;
        };
        // What follows the first value on its line. A line before that one has no value.
        let start = (first.as_ptr() as usize).wrapping_sub(line.as_ptr() as usize);
        if let Some(others) = line.get(start.wrapping_add(first.len())..) {
            top_via(response, (first, others), via, from, load);
            top = None;
        }
    }
}

/// The top Via with where the request came from: `received` unless sent-by says the same (RFC 3261 §18.2.1), and with
/// `rport` both, whatever sent-by says (RFC 3581 §4). What a sender put there itself is dropped. `others` follow it on its line.
fn top_via(
    response: &mut Builder,
    (value, others): (&[u8], &[u8]),
    via: Option<&Via<'_>>,
    from: SocketAddr,
    load: Said,
) {
    let Some(via) = via else {
        response.parts(HeaderName::Via, &[value, others]);
        return;
    };
    let ip = from.ip().to_canonical();
    let (address, mut digits) = (Literal::new(ip), [0; 10]);
    let asks = via.oc;
    let said = if asks { load.as_params() } else { String::new() };
    let mut parts: SmallVec<[&[u8]; 24]> = SmallVec::new();
    if via.rport.is_none() && via.received.is_none() && !asks {
        parts.push(value);
    } else {
        let params = via.params.as_bytes().len();
        parts.push(value.get(..value.len() - params).unwrap_or_default().trim_ascii_end());
        let seen =
            |name: &[u8]| name.eq_ignore_ascii_case(b"received") || name.eq_ignore_ascii_case(b"rport");
        let seen = |name: &[u8]| seen(name) || (asks && is_about_load(name));
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
    parts.extend_from_slice(&[said.as_bytes(), others]);
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
pub(crate) fn reply_along(via: &Via<'_>, from: Peer) -> Peer {
    if from.transport.is_reliable() || via.rport.is_some() {
        return from;
    }
    let port = via.port.filter(|port| *port != 0).unwrap_or(5060);
    Peer { remote: SocketAddr::new(from.remote.ip(), port), ..from }
}
