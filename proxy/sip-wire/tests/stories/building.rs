//! Messages of our own.

use sip_wire::{Builder, HeaderName, Message, Method, reason_phrase};

#[test]
fn a_response_is_written_line_by_line_and_ends_with_its_length() {
    let mut b = Builder::response(486, reason_phrase(486).as_bytes());
    b.header(HeaderName::Via, b"SIP/2.0/UDP a;branch=z9hG4bK1");
    b.parts(HeaderName::To, &[b"<sip:a@b>", b";tag=", b"x"]).number(HeaderName::RetryAfter, 30);
    b.other(b"X-Reason", b"busy");
    assert_eq!(
        &b.body(b"text/plain", b"\xff\0\r\n")[..],
        b"SIP/2.0 486 Busy Here\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\nTo: <sip:a@b>;tag=x\r\nRetry-After: 30\r\n\
          X-Reason: busy\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\n\xff\0\r\n"
    );
}

#[test]
fn a_copied_value_stays_on_its_line() {
    let mut b = Builder::request(Method::Invite, b"sip:a@b\r\nEvil: 1 SIP/2.0");
    b.header(HeaderName::Subject, b"folded\r\n  value");
    b.header(HeaderName::Subject, b"a\r\nEvil: 1");
    b.header(HeaderName::Subject, b"a\nEvil: 1\rb\0c");
    b.parts(HeaderName::Subject, &[b"a\r", b"\nEvil: 1"]);
    b.other(b"Evil: 1\r\nX", b"").other(b"content-length", b"99").other(b"L", b"99");
    assert_eq!(
        &b.finish()[..],
        b"INVITE sip:a@bEvil:1SIP/2.0 SIP/2.0\r\nSubject: folded value\r\nSubject: aEvil: 1\r\nSubject: aEvil: 1bc\r\n\
          Subject: aEvil: 1\r\nContent-Length: 0\r\n\r\n"
    );
}

#[test]
fn a_buffer_can_be_used_again_and_again() {
    let mut buffer = Vec::with_capacity(512);
    let place = buffer.as_ptr();
    for code in [100, 180, 200] {
        let mut b = Builder::response_into(buffer, code, reason_phrase(code).as_bytes());
        b.header(HeaderName::CallId, b"x");
        buffer = b.finish_vec();
        let m = Message::parse(bytes::Bytes::copy_from_slice(&buffer)).unwrap();
        assert_eq!((m.code(), m.header(HeaderName::CallId)), (Some(code), Some(&b"x"[..])));
        assert_eq!(buffer.as_ptr(), place, "no further allocation");
    }
}

#[test]
fn every_status_code_has_a_phrase_that_can_stand_in_a_status_line() {
    for code in 100..700 {
        let phrase = reason_phrase(code);
        assert!(!phrase.is_empty() && phrase.is_ascii(), "{code}");
    }
    assert_eq!(
        (reason_phrase(486), reason_phrase(477), reason_phrase(699)),
        ("Busy Here", "Bad Request", "Busy Everywhere")
    );
}
