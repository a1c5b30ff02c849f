//! What a full queue answers to new requests on a stream. Overload is the shard's own judgement, made long before a queue is
//! full; this is for the moment in which a shard cannot judge.

use bytes::Bytes;
use sip_wire::{Builder, HeaderName, Message, reason_phrase};

/// Seconds after which the caller may come back (RFC 3261 §20.33).
const RETRY_AFTER: u64 = 2;

/// A 503 made from the request alone (RFC 3261 §8.2.6 and §8.2.7: a stateless UAS), for a stream: there nobody repeats a
/// request, and nobody can send from another's address. `None` if there is not enough to answer.
pub(crate) fn refusal(bytes: &Bytes) -> Option<Bytes> {
    let request = Message::parse(bytes.clone()).ok()?;
    request.check().ok()?;
    let mut response = Builder::response(503, reason_phrase(503).as_bytes());
    for via in request.lines(HeaderName::Via) {
        response.header(HeaderName::Via, via);
    }
    response.header(HeaderName::From, request.header(HeaderName::From)?);
    let call_id = request.call_id().ok()?;
    // The same tag for the same request.
    let tag = format!(";tag=s{:08x}", checksum(call_id));
    response.parts(HeaderName::To, &[request.header(HeaderName::To)?, tag.as_bytes()]);
    response.header(HeaderName::CallId, call_id);
    response.header(HeaderName::CSeq, request.header(HeaderName::CSeq)?);
    response.number(HeaderName::RetryAfter, RETRY_AFTER);
    Some(response.finish())
}

/// FNV-1a: stable, and nobody gains anything by making two Call-IDs collide.
fn checksum(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |h, b| (h ^ u32::from(*b)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::*;

    const INVITE: &str = "INVITE sip:+4930@127.0.0.1 SIP/2.0\r\n\
        Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKa, SIP/2.0/UDP 192.0.2.2;branch=z9hG4bKb\r\n\
        Via: SIP/2.0/UDP 192.0.2.3;branch=z9hG4bKc\r\n\
        From: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\nCall-ID: x@y\r\nCSeq: 7 INVITE\r\nMax-Forwards: 70\r\n\
        Contact: <sip:a@192.0.2.1>\r\nContent-Length: 0\r\n\r\n";

    #[test]
    fn a_new_invite_is_answered_503_with_every_via_and_a_time_to_come_back() {
        let answer = refusal(&Bytes::from_static(INVITE.as_bytes())).unwrap();
        let answer = Message::parse(answer).unwrap();
        assert_eq!(answer.code(), Some(503));
        assert_eq!(answer.values(HeaderName::Via).count(), 3);
        assert_eq!(answer.header(HeaderName::CSeq), Some(&b"7 INVITE"[..]));
        assert_eq!(answer.header(HeaderName::RetryAfter), Some(&b"2"[..]));
        assert!(answer.to().unwrap().tag().is_some());
    }
}
