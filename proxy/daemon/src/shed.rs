//! What a full queue does with new requests. Overload is the shard's own judgement, made long before a queue is full; this is
//! for the moment in which a shard cannot judge.

use bytes::Bytes;
use sip_wire::{Builder, HeaderName, Message, Method, peek, reason_phrase};

/// Seconds after which the caller may come back (RFC 3261 §20.33).
const RETRY_AFTER: u64 = 2;

/// Words by which an INVITE calls for help: an emergency service's URN (RFC 5031), or priority (RFC 4412).
const HELP: [&[u8]; 2] = [b"urn:service:sos", b"resource-priority"];

/// Whether these bytes begin something: a request outside of every dialog that ends nothing. Everything else belongs to
/// something that is up already.
pub(crate) fn begins_something(bytes: &[u8]) -> bool {
    !bytes.starts_with(b"SIP/")
        && peek(bytes).is_some_and(|keys| {
            let ends = matches!(
                keys.method,
                Some(Method::Ack | Method::Cancel | Method::Bye | Method::Prack) | None
            );
            keys.is_request && keys.to_tag.is_none() && !ends
        })
}

/// Whether it looks like a call for help. Seen without a parse, and rather too often than too seldom.
pub(crate) fn calls_for_help(bytes: &[u8]) -> bool {
    bytes.starts_with(b"INVITE ")
        && HELP.iter().any(|word| bytes.windows(word.len()).any(|part| part.eq_ignore_ascii_case(word)))
}

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
        assert!(begins_something(INVITE.as_bytes()));
        let answer = refusal(&Bytes::from_static(INVITE.as_bytes())).unwrap();
        let answer = Message::parse(answer).unwrap();
        assert_eq!(answer.code(), Some(503));
        assert_eq!(answer.values(HeaderName::Via).count(), 3);
        assert_eq!(answer.header(HeaderName::CSeq), Some(&b"7 INVITE"[..]));
        assert_eq!(answer.header(HeaderName::RetryAfter), Some(&b"2"[..]));
        assert!(answer.to().unwrap().tag().is_some());
    }

    #[test]
    fn nothing_of_a_call_that_is_up_is_ever_turned_away() {
        for method in ["BYE", "ACK", "CANCEL", "PRACK"] {
            assert!(!begins_something(INVITE.replace("INVITE", method).as_bytes()), "{method}");
        }
        let reinvite = INVITE.replace("To: <sip:c@d>", "To: <sip:c@d>;tag=2");
        assert!(!begins_something(reinvite.as_bytes()));
        assert!(!begins_something(b"SIP/2.0 200 OK\r\n\r\n"));
        assert!(begins_something(INVITE.replace("INVITE", "OPTIONS").as_bytes()));
    }

    #[test]
    fn a_call_for_help_is_known_by_its_words() {
        assert!(!calls_for_help(INVITE.as_bytes()));
        assert!(calls_for_help(INVITE.replace("<sip:c@d>", "<urn:service:sos.police>").as_bytes()));
        let urgent = INVITE.replace("Max-Forwards", "resource-Priority: esnet.1\r\nMax-Forwards");
        assert!(calls_for_help(urgent.as_bytes()));
    }
}
