//! A hop's rewriting.

use crate::{crlf, message};
use sip_wire::{HeaderName, Splice};

const INVITE: &str = "INVITE sip:a@b SIP/2.0\nRoute: <sip:p1;lr> , <sip:p2;lr>\nv: SIP/2.0/UDP a;branch=z9hG4bK1\n\
                      Route : <sip:p3;lr>\nSubject:\n folded\n value\nMax-Forwards:70\nl: 4\n\nbody";

#[test]
fn what_no_edit_names_is_copied_byte_for_byte() {
    let m = message(INVITE);
    assert_eq!(Splice::new(&m).finish(), crlf(INVITE));
}

#[test]
fn a_hop_pushes_its_via_counts_down_retargets_and_takes_its_route_off() {
    let m = message(INVITE);
    let mut s = Splice::new(&m);
    s.set_uri(b"sip:a@192.0.2.7").push_via(b"SIP/2.0/UDP us;branch=z9hG4bK2");
    s.set_number(HeaderName::MaxForwards, 69).remove_first_value(HeaderName::Route);
    assert_eq!(
        s.finish(),
        crlf(
            "INVITE sip:a@192.0.2.7 SIP/2.0\nRoute: <sip:p2;lr>\nVia: SIP/2.0/UDP us;branch=z9hG4bK2\n\
             v: SIP/2.0/UDP a;branch=z9hG4bK1\nRoute : <sip:p3;lr>\nSubject:\n folded\n value\nMax-Forwards:69\nl: 4\n\nbody"
        )
    );
}

#[test]
fn routes_come_off_one_by_one_with_their_lines() {
    let m = message(INVITE);
    let mut s = Splice::new(&m);
    for left in [2, 1, 0, 0] {
        s.remove_first_value(HeaderName::Route);
        let mut again = Splice::new(&m);
        for _ in 0..3 - left {
            again.remove_first_value(HeaderName::Route);
        }
        let out = sip_wire::Message::parse(again.finish()).unwrap();
        assert_eq!(out.values(HeaderName::Route).count(), left);
    }
    let out = String::from_utf8(s.finish().to_vec()).unwrap();
    assert!(!out.contains("Route"), "{out}");
    assert!(out.ends_with("\r\nl: 4\r\n\r\nbody"));
}

#[test]
fn a_new_body_brings_its_length_whatever_stood_there() {
    for lengths in ["", "l: 4\n", "Content-Length: 4\nContent-Length: 4\n"] {
        let m = message(&format!("INVITE sip:a@b SIP/2.0\n{lengths}Call-ID: x\n\nbody"));
        let mut s = Splice::new(&m);
        s.set_body(b"\xfflonger");
        let expected = b"INVITE sip:a@b SIP/2.0\r\nCall-ID: x\r\nContent-Length: 7\r\n\r\n\xfflonger";
        assert_eq!(&s.finish()[..], expected);
    }
}

#[test]
fn a_missing_header_is_appended_and_an_empty_one_filled() {
    let m = message("OPTIONS sip:a@b SIP/2.0\nSubject:\nCall-ID: x\n\n");
    let mut s = Splice::new(&m);
    s.set_number(HeaderName::MaxForwards, 70).set(HeaderName::Subject, b"hello");
    assert_eq!(s.finish(), crlf("OPTIONS sip:a@b SIP/2.0\nSubject: hello\nCall-ID: x\nMax-Forwards: 70\n\n"));
}

#[test]
fn where_two_edits_meet_the_first_stands() {
    let m = message("OPTIONS sip:a@b SIP/2.0\nSubject: old\nCall-ID: x\n\n");
    let mut s = Splice::new(&m);
    s.remove_all(HeaderName::Subject);
    assert!(s.replace_value(HeaderName::Subject, b"new"));
    assert_eq!(s.finish(), crlf("OPTIONS sip:a@b SIP/2.0\nCall-ID: x\n\n"));
}
