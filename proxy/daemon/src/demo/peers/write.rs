//! Messages that the peers write.

use super::Region;
use bytes::Bytes;
use sip_wire::{Builder, HeaderName, Message, Method, reason_phrase};
use std::net::SocketAddr;

const ALLOW: &[u8] = b"INVITE, ACK, CANCEL, BYE, OPTIONS";

/// What the appliance puts into an INVITE that goes on with a call: see demo.toml.
const CONTINUES: &[u8] = b"X-Continues";

const SDP: &[u8] = b"application/sdp";

/// The carrier's half of a dialog, and what it knows of the other.
pub(super) struct Caller<'a> {
    pub(super) serial: u32,
    /// Tells one demo's calls from another's.
    pub(super) run: u64,
    pub(super) number: &'a str,
    pub(super) at: SocketAddr,
    pub(super) appliance: SocketAddr,
    /// To, once the appliance has put its tag there.
    pub(super) to: Option<&'a [u8]>,
    /// The appliance's Contact.
    pub(super) target: Option<&'a [u8]>,
}

impl Caller<'_> {
    pub(super) fn invite(&self, media: SocketAddr) -> Bytes {
        let mut out = self.request(Method::Invite, "i", 1, None);
        out.header(HeaderName::Contact, format!("<sip:carrier@{}>", self.at).as_bytes());
        out.header(HeaderName::Allow, ALLOW);
        out.body(SDP, &describe(media, self.serial))
    }

    /// ACK for a 2xx: a transaction of its own (RFC 3261 §13.2.2.4).
    pub(super) fn ack(&self) -> Bytes {
        self.request(Method::Ack, "a", 1, self.target).finish()
    }

    /// ACK for a refusal: part of the INVITE's transaction (RFC 3261 §17.1.1.3).
    pub(super) fn ack_refusal(&self) -> Bytes {
        self.request(Method::Ack, "i", 1, None).finish()
    }

    pub(super) fn bye(&self) -> Bytes {
        self.request(Method::Bye, "b", 2, self.target).finish()
    }

    fn request(&self, method: Method<'_>, branch: &str, cseq: u32, target: Option<&[u8]>) -> Builder {
        let Self { serial, run, number, at, appliance, .. } = self;
        let uri = format!("sip:{number}@{appliance}");
        let mut out = Builder::request(method, target.unwrap_or(uri.as_bytes()));
        let via = format!("SIP/2.0/UDP {at};branch=z9hG4bK{run:x}-{serial}-{branch};rport");
        out.header(HeaderName::Via, via.as_bytes());
        out.number(HeaderName::MaxForwards, 70);
        let from = format!("<sip:+44207946{serial:06}@{}>;tag=c{serial}", at.ip());
        out.header(HeaderName::From, from.as_bytes());
        let to = format!("<sip:{number}@{}>", appliance.ip());
        out.header(HeaderName::To, self.to.unwrap_or(to.as_bytes()));
        out.header(HeaderName::CallId, format!("{serial}-{run:x}@{}", at.ip()).as_bytes());
        out.parts(HeaderName::CSeq, &[cseq.to_string().as_bytes(), b" ", method.as_bytes()]);
        out
    }
}

/// The serial number that a Call-ID of the carrier begins with.
pub(super) fn serial_of(message: &Message) -> Option<u32> {
    let call_id = std::str::from_utf8(message.call_id().ok()?).ok()?;
    call_id.split_once('-')?.0.parse().ok()
}

/// Where a call lives: even ones in one place, odd ones in the other.
pub(super) fn home(serial: u32) -> Region {
    if serial.is_multiple_of(2) { Region::East } else { Region::West }
}

/// A number of the plan.
pub(super) fn number(serial: u32) -> String {
    format!("+4930{}00{serial:07}", 1 + home(serial) as u32)
}

/// Whether an INVITE goes on with a call that was up elsewhere.
pub(super) fn continues(invite: &Message) -> bool {
    invite.named(CONTINUES).next().is_some()
}

/// The serial number at the end of a called number.
pub(in crate::demo) fn serial_in(number: &str) -> Option<u32> {
    number.strip_prefix("+49")?.get(5..)?.parse().ok()
}

/// A response to a request (RFC 3261 §8.2.6.2).
pub(super) fn response(request: &Message, code: u16, tag: &str) -> Builder {
    let mut out = Builder::response(code, reason_phrase(code).as_bytes());
    for via in request.lines(HeaderName::Via) {
        out.header(HeaderName::Via, via);
    }
    out.header(HeaderName::From, request.header(HeaderName::From).unwrap_or_default());
    let to = request.header(HeaderName::To).unwrap_or_default();
    let has_tag = request.to().is_ok_and(|to| to.tag().is_some());
    if has_tag || code == 100 {
        out.header(HeaderName::To, to);
    } else {
        out.parts(HeaderName::To, &[to, b";tag=", tag.as_bytes()]);
    }
    out.header(HeaderName::CallId, request.header(HeaderName::CallId).unwrap_or_default());
    out.header(HeaderName::CSeq, request.header(HeaderName::CSeq).unwrap_or_default());
    out
}

/// 180 or 200 of a callee.
pub(super) fn callee_says(
    invite: &Message,
    code: u16,
    tag: &str,
    at: SocketAddr,
    media: Option<(SocketAddr, u32)>,
) -> Bytes {
    let mut out = response(invite, code, tag);
    out.header(HeaderName::Contact, format!("<sip:agent@{at}>").as_bytes());
    match media {
        Some((media, serial)) => {
            out.header(HeaderName::Allow, ALLOW);
            out.body(SDP, &describe(media, serial))
        }
        None => out.finish(),
    }
}

fn describe(at: SocketAddr, id: u32) -> Vec<u8> {
    let (ip, port) = (at.ip(), at.port());
    format!(
        "v=0\r\no=- {id} 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\n\
         m=audio {port} RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na=ptime:20\r\na=sendrecv\r\n"
    )
    .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_called_number_names_the_call() {
        assert_eq!(number(41), "+49302000000041");
        for serial in [0, 1, 41, 29_999] {
            assert_eq!(serial_in(&number(serial)), Some(serial));
        }
    }
}
