//! Bounds, and what is rejected for its shape.

use crate::crlf;
use bytes::Bytes;
use sip_wire::{HeaderName, Message, RejectReason, Rejected, limits};

const SOUND: &str =
    "Via: SIP/2.0/UDP a;branch=z9hG4bK1\nFrom: <sip:a@b>;tag=1\nTo: <sip:b@c>\nCall-ID: x\nCSeq: 1 OPTIONS\n";

fn rejected(bytes: impl Into<Bytes>) -> Rejected {
    *Message::parse(bytes.into()).unwrap_err()
}

#[test]
fn header_lines_are_counted_up_to_the_limit() {
    let lines = |n: usize| crlf(&format!("OPTIONS sip:a@b SIP/2.0\n{SOUND}{}\n", "X: y\n".repeat(n - 5)));
    let m = Message::parse(lines(limits::MAX_HEADERS)).unwrap();
    assert_eq!((m.check(), m.all().count()), (Ok(()), limits::MAX_HEADERS));
    let rejected = rejected(lines(limits::MAX_HEADERS + 1));
    assert_eq!(rejected.reason, RejectReason::TooManyHeaders);
    assert_eq!(rejected.partial.unwrap().call_id(), Ok(&b"x"[..]), "it can be answered");
}

#[test]
fn bytes_are_counted_up_to_the_limit() {
    let head = crlf(&format!("OPTIONS sip:a@b SIP/2.0\n{SOUND}\n"));
    let of = |n: usize| [&head[..], &vec![b'x'; n - head.len()]].concat();
    let m = Message::parse(of(limits::MAX_MESSAGE).into()).unwrap();
    assert_eq!(m.body().len(), limits::MAX_MESSAGE - head.len());
    assert_eq!(rejected(of(limits::MAX_MESSAGE + 1)).reason, RejectReason::TooLong);
}

#[test]
fn each_broken_shape_has_its_reason_and_can_be_answered_where_enough_was_read() {
    for (before, after, reason) in [
        ("OPTIONS sip:a@b SIP/2.0", "no colon here\n\n", RejectReason::HeaderLine),
        ("OPTIONS sip:a@b SIP/2.0", "bad name: x\n\n", RejectReason::HeaderName),
        ("OPTIONS sip:a@b SIP/2.0", ": x\n\n", RejectReason::HeaderName),
        ("OPTIONS sip:a@b SIP/2.0", "X: a\rb\n\n", RejectReason::LineBreak),
        ("OPTIONS sip:a@b SIP/2.0", "X: unfinished", RejectReason::HeadUnfinished),
        ("OPTIONS sip:a@b SIP/2.0", "l: x\n\n", RejectReason::ContentLength),
        ("OPTIONS sip:a@b SIP/2.0", "l: 1\nl: 2\n\nab", RejectReason::ContentLengthConflict),
        ("OPTIONS sip:a@b SIP/2.0", "l: 5\n\nabcd", RejectReason::BodyShort),
        ("OPTIONS  sip:a@b SIP/2.0", "\n", RejectReason::StartLineBlanks),
        ("OPTIONS\tsip:a@b SIP/2.0", "\n", RejectReason::StartLineBlanks),
    ] {
        let rejected = rejected(crlf(&format!("{before}\n{SOUND}{after}")));
        assert_eq!(rejected.reason, reason, "{before:?} {after:?}");
        assert!(rejected.partial.unwrap().cseq().is_ok());
    }
    // A lone LF, which the helper above would turn into a CRLF.
    let bytes = [&crlf(&format!("OPTIONS sip:a@b SIP/2.0\n{SOUND}"))[..], b"X: a\nY: b\r\n\r\n"].concat();
    assert_eq!(rejected(bytes).reason, RejectReason::LineBreak);
}

#[test]
fn what_cannot_be_answered_is_only_given_a_reason() {
    for (text, reason) in [
        ("", RejectReason::Empty),
        ("\n\n\n", RejectReason::Empty),
        ("hello\n\n", RejectReason::StartLine),
        ("OPTIONS SIP/2.0\n\n", RejectReason::StartLine),
        ("OPTIONS sip:a@b HTTP/1.1\n\n", RejectReason::StartLine),
        ("OP{IONS sip:a@b SIP/2.0\n\n", RejectReason::StartLine),
        ("SIP/2.0\n\n", RejectReason::StartLine),
        ("SIP/2.0 99 x\n\n", RejectReason::StatusCode),
        ("SIP/2.0 0200 x\n\n", RejectReason::StatusCode),
        ("SIP/2.0 700 x\n\n", RejectReason::StatusCode),
        ("SIP/2.0 200 OK\nl: 1\n\n", RejectReason::BodyShort),
        ("OPTIONS sip:a@b SIP/2.0\nl: 1\n\n", RejectReason::BodyShort),
    ] {
        let rejected = rejected(crlf(text));
        assert_eq!((rejected.reason, rejected.partial.is_none()), (reason, true), "{text:?}");
    }
}

#[test]
fn a_datagram_that_lost_only_its_empty_line_is_read() {
    let m = Message::parse(crlf(&format!("OPTIONS sip:a@b SIP/2.0\n{SOUND}"))).unwrap();
    assert_eq!((m.check(), m.body().len()), (Ok(()), 0));
    assert!(sip_wire::Splice::new(&m).finish().ends_with(b"OPTIONS\r\n\r\n"), "and written with it");
}

#[test]
fn a_log_line_holds_no_number_and_no_key() {
    let m = Message::parse(crlf(&format!("OPTIONS sip:+15551234567@b SIP/2.0\n{SOUND}\n"))).unwrap();
    let log = format!("{m:?}");
    assert!(log.contains("OPTIONS") && !log.contains("555") && !log.contains("branch"), "{log}");
    assert_eq!(m.header(HeaderName::CallId), Some(&b"x"[..]));
}
