//! Routing a message to its owner without a parse.

use crate::crlf;
use sip_wire::{Method, peek, peek_answer};

#[test]
fn compact_folded_and_spaced_headers_give_their_keys() {
    let bytes = crlf(
        "\n\nSIP/2.0 200 OK\nX: y\nV :\n SIP/2.0/UDP a;branch=z9hG4bK1 , SIP/2.0/UDP b;branch=z9hG4bK2\n\
         i\t:\tabc\nT: \"x;tag=no\" <sip:a@b;tag=no>\n ;tag=yes\nCSEQ: 7\n\tBYE\nl: 0\n\nCall-ID: body\n",
    );
    let keys = peek(&bytes).unwrap();
    assert!(!keys.is_request);
    assert_eq!(peek_answer(&bytes), Some((200, &b"z9hG4bK1"[..])));
    assert_eq!((keys.method, keys.code), (Some(Method::Bye), Some(200)));
    assert_eq!((keys.branch, keys.to_tag, keys.call_id), (&b"z9hG4bK1"[..], Some(&b"yes"[..]), &b"abc"[..]));
}

#[test]
fn what_has_no_start_line_or_no_call_id_cannot_be_routed() {
    for text in
        ["", "\n\n", "hello", "INVITE sip:a@b SIP/2.0\nTo: <sip:a@b>\n\n", "INVITE sip:a@b\nCall-ID: x\n\n"]
    {
        assert_eq!(peek(&crlf(text)), None, "{text:?}");
        assert_eq!(peek_answer(&crlf(text)), None, "{text:?}");
    }
    let stun = [&[0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42][..], &[7; 12]].concat();
    assert_eq!(peek(&stun), None);
}

#[test]
fn a_request_without_branch_or_tag_is_routed_by_its_call_id() {
    let bytes = crlf("OPTIONS sip:a@b SIP/2.0\nVia: SIP/2.0/UDP a\nTo: <sip:a@b>\nCall-ID: x\n\n");
    let keys = peek(&bytes).unwrap();
    assert_eq!((keys.branch, keys.to_tag, keys.call_id), (&b""[..], None, &b"x"[..]));
}
