//! What begins something new, and what calls for help: of the former some may be turned away, of the latter none.

use crate::Snapshot;
use crate::admission;
use crate::identity::is_sos;
use sip_wire::{Method, Scheme, Uri, peek};

/// Words by which an INVITE calls for help: an emergency service's URN (RFC 5031), or priority (RFC 4412).
const HELP: [&[u8]; 2] = [b"urn:service:sos", b"resource-priority"];

/// Whether a request begins anything. Inside a dialog none does; of the others some end something, or belong to it.
pub(super) fn begins(method: Method<'_>, has_to_tag: bool) -> bool {
    !has_to_tag
        && match method {
            Method::Ack | Method::Cancel | Method::Bye | Method::Prack => false,
            Method::Invite
            | Method::Options
            | Method::Update
            | Method::Info
            | Method::Notify
            | Method::Register
            | Method::Subscribe
            | Method::Refer
            | Method::Message
            | Method::Publish
            | Method::Other(_) => true,
        }
}

/// Whether these bytes begin something: a request outside of every dialog that ends nothing. Everything else belongs to
/// something that is up already. Seen without a parse.
pub fn begins_something(bytes: &[u8]) -> bool {
    !bytes.starts_with(b"SIP/")
        && peek(bytes).is_some_and(|keys| {
            keys.is_request && keys.method.is_some_and(|method| begins(method, keys.to_tag.is_some()))
        })
}

/// Whether bytes look like a call for help. Seen without a parse, and rather too often than too seldom: numbers are not
/// looked at.
pub fn calls_for_help(bytes: &[u8]) -> bool {
    bytes.starts_with(b"INVITE ")
        && HELP.iter().any(|word| bytes.windows(word.len()).any(|part| part.eq_ignore_ascii_case(word)))
}

/// Whether an INVITE's target, or who is in its To, is an emergency service (RFC 5031), or its target a number that is
/// configured as one.
pub(super) fn is_for_help(uri: &[u8], to: &[u8], snapshot: &Snapshot) -> bool {
    let prefixes = &snapshot.config.rehome.emergency;
    is_sos(uri)
        || is_sos(to)
        || (!prefixes.is_empty()
            && Uri::parse(uri).is_ok_and(|uri| {
                let named = matches!(uri.scheme, Scheme::Sip | Scheme::Sips | Scheme::Tel);
                let user = uri.user.filter(|_| named).unwrap_or_default();
                let number = user.split(|b| *b == b';').next().unwrap_or_default();
                admission::is_emergency(prefixes, core::str::from_utf8(number).unwrap_or_default())
            }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const INVITE: &str = "INVITE sip:+4930@127.0.0.1 SIP/2.0\r\n\
        Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKa\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\nCall-ID: x@y\r\n\
        CSeq: 7 INVITE\r\nMax-Forwards: 70\r\nContact: <sip:a@192.0.2.1>\r\nContent-Length: 0\r\n\r\n";

    #[test]
    fn nothing_of_a_call_that_is_up_begins_anything() {
        for method in ["BYE", "ACK", "CANCEL", "PRACK"] {
            assert!(!begins_something(INVITE.replace("INVITE", method).as_bytes()), "{method}");
        }
        let reinvite = INVITE.replace("To: <sip:c@d>", "To: <sip:c@d>;tag=2");
        assert!(!begins_something(reinvite.as_bytes()));
        assert!(!begins_something(b"SIP/2.0 200 OK\r\n\r\n"));
        assert!(begins_something(INVITE.as_bytes()));
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
