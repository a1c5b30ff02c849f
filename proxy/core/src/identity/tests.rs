//! What the other leg hears of who calls whom.

use super::words::shown;
use super::*;
use crate::Config;
use crate::face::Faces;
use crate::limits::MAX_DISPLAY;
use crate::route::fixture::config;
use sip_wire::{Builder, Method};

fn invite(uri: &str, headers: &str) -> Message {
    let text = format!(
        "INVITE {uri} SIP/2.0\nVia: SIP/2.0/UDP 198.51.100.9;branch=z9hG4bK1\nMax-Forwards: 70\nTo: <{uri}>\nCall-ID: 1\n\
         CSeq: 1 INVITE\n{headers}\n\n"
    );
    Message::parse(text.replace('\n', "\r\n").into()).unwrap()
}

fn read(invite: &Message) -> Result<Identity, NoIdentity> {
    Identity::take(invite, Profile::plain())
}

fn identity(headers: &str) -> Identity {
    read(&invite("sip:+15551234@198.51.100.9", headers)).unwrap()
}

/// The INVITE that `write` writes for an identity.
fn written(identity: &Identity) -> Message {
    let config: Config = config();
    let faces = Faces::new(&config);
    let face = faces.get(crate::ListenerId(0)).unwrap();
    let plain = Profile::plain();
    let mut out = Builder::request(Method::Invite, &identity.request_uri(b"192.0.2.7:5060", plain));
    identity.write(&mut out, b"t1", &Hosting { ours: &face.host, theirs: b"192.0.2.7" }, plain);
    Message::parse(out.finish()).unwrap()
}

fn values(message: &Message, name: HeaderName) -> Vec<String> {
    message.lines(name).map(|line| String::from_utf8_lossy(line).into_owned()).collect()
}

const ALL: &str = "From: \"Ann\" <sip:+4930111;tgrp=tg1;trunk-context=c.example@198.51.100.9>;tag=1\n\
                   P-Asserted-Identity: <sip:+4930222@198.51.100.9>\nPrivacy: id\n\
                   Diversion: <sip:+1@a.example>;reason=unconditional, \"B, C\" <sip:+2@b.example>;reason=no-answer\n\
                   Diversion: <tel:+3>;counter=1\n\
                   Identity: eyJh.eyJk.sig;info=<https://cert.example/a,b.crt>;alg=ES256;ppt=shaken\n\
                   y: eyJi.eyJl.sig2;info=<https://cert.example/d.crt>;ppt=\"div\"\nResource-Priority: esnet.0, ets.1";

#[test]
fn every_diversion_and_identity_passes_in_order_and_unchanged() {
    let out = written(&identity(ALL));
    assert_eq!(
        values(&out, HeaderName::Diversion),
        [
            "<sip:+1@a.example>;reason=unconditional",
            "\"B, C\" <sip:+2@b.example>;reason=no-answer",
            "<tel:+3>;counter=1"
        ]
    );
    assert_eq!(
        values(&out, HeaderName::Identity),
        [
            "eyJh.eyJk.sig;info=<https://cert.example/a,b.crt>;alg=ES256;ppt=shaken",
            "eyJi.eyJl.sig2;info=<https://cert.example/d.crt>;ppt=\"div\""
        ]
    );
    assert_eq!(values(&out, HeaderName::ResourcePriority), ["esnet.0", "ets.1"]);
}

#[test]
fn what_was_not_said_is_not_written_and_takes_no_room() {
    let plain = identity("From: <sip:+4930111@198.51.100.9>;tag=1");
    let out = written(&plain);
    for name in
        [HeaderName::Diversion, HeaderName::Identity, HeaderName::ResourcePriority, HeaderName::Privacy]
    {
        assert_eq!(values(&out, name), [""; 0]);
    }
    assert!(!plain.is_priority());
    assert!(format!("{plain:?}").contains("bytes: 17"), "both numbers and no more: {plain:?}");
}

#[test]
fn a_folded_value_goes_on_one_line_and_nothing_ends_a_line() {
    let folded = identity(
        "From: <sip:1@a>;tag=1\nDiversion: <sip:+1@a.example>\n ;reason=unconditional\nIdentity: a\u{0}b;info=<x>\n\
         Identity: c\u{1}d\nDiversion: \"\u{e9}\" <sip:+2@b>",
    );
    let out = written(&folded);
    assert_eq!(
        values(&out, HeaderName::Diversion),
        ["<sip:+1@a.example> ;reason=unconditional", "\"\u{e9}\" <sip:+2@b>"]
    );
    assert_eq!(values(&out, HeaderName::Identity), [""; 0]);
}

#[test]
fn what_is_too_long_to_keep_for_a_calls_life_does_not_pass() {
    let long = "x".repeat(MAX_PASSED - "first\n".len());
    let out = written(&identity(&format!(
        "From: <sip:1@a>;tag=1\nIdentity: first\nIdentity: {long}\nDiversion: {long}"
    )));
    assert_eq!(values(&out, HeaderName::Identity), ["first"]);
    assert_eq!(values(&out, HeaderName::Diversion).len(), 1);
}

#[test]
fn priority_is_what_rfc_4412_calls_so() {
    let is_priority =
        |value: &str| identity(&format!("From: <sip:1@a>;tag=1\nResource-Priority: {value}")).is_priority();
    for priority in ["esnet.0", "q735.0", "x, wps.4", "dsn.flash-override"] {
        assert!(is_priority(priority), "{priority}");
    }
    for other in ["esnet", "esnet.", ".0", "a.b.c", "a b.c", "\"esnet.0\"", "<esnet.0>"] {
        assert!(!is_priority(other), "{other}");
    }
}

#[test]
fn the_leg_that_is_written_has_the_identity_that_was_taken() {
    for headers in [ALL, "From: <sip:+4930111@198.51.100.9>;tag=1", "From: \"A \\\" b\" <tel:+1;x=y>;tag=1"] {
        let taken = identity(headers);
        let again = read(&written(&taken)).unwrap();
        assert_eq!(again.digest(), taken.digest(), "{headers}");
        let back = read(&written(&taken.reversed())).unwrap();
        assert_eq!(taken.digest_if_heard(&taken.reversed(), &back), taken.digest(), "{headers}");
        assert_ne!(taken.digest_if_heard(&taken.reversed(), &again), taken.digest(), "the wrong way round");
    }
}

#[test]
fn every_part_changes_the_digest() {
    let digest = |headers: &str| identity(headers).digest();
    let all = digest(ALL);
    for (from, to) in [
        ("+4930111", "+4930112"),
        ("tgrp=tg1", "tgrp=tg2"),
        ("Ann", "Bob"),
        ("+4930222", "+4930223"),
        ("Privacy: id", "Privacy: none"),
        ("<tel:+3>", "<tel:+4>"),
        ("sig2", "sig3"),
        ("esnet.0", "esnet.1"),
        ("\nDiversion: <tel:+3>;counter=1", ""),
    ] {
        assert!(ALL.contains(from));
        assert_ne!(digest(&ALL.replace(from, to)), all, "{from} → {to}");
    }
    let elsewhere = read(&invite("sip:+15551235@198.51.100.9", ALL)).unwrap();
    assert_ne!(elsewhere.digest(), all);
    let shifted = |calling: &str, called: &str| {
        read(&invite(&format!("sip:{called}@a"), &format!("From: <sip:{calling}@a>;tag=1"))).unwrap().digest()
    };
    assert_ne!(shifted("12", "3"), shifted("1", "23"), "parts do not run into each other");
    assert_eq!(all, digest(ALL));
}

#[test]
fn the_other_way_round_the_customer_calls_the_tier() {
    let uri = "sip:+15551234;tgrp=tg1;phone-context=+1;trunk-context=c.example@192.0.2.1";
    let outbound = read(&invite(uri, ALL)).unwrap();
    let out = written(&outbound.reversed());
    assert_eq!(
        out.uri(),
        b"sip:+4930111;tgrp=tg1;trunk-context=c.example@192.0.2.7:5060",
        "the tier's own words"
    );
    let user = |uri| Uri::parse(uri).unwrap().user.unwrap();
    assert_eq!(user(out.from().unwrap().uri), b"+15551234;phone-context=+1");
    assert_eq!(out.from().unwrap().tag(), Some(&b"t1"[..]));
    assert_eq!(out.from().unwrap().display, None);
    assert_eq!(user(out.to().unwrap().uri), b"+4930111;tgrp=tg1;trunk-context=c.example");
    for gone in
        [HeaderName::Diversion, HeaderName::Identity, HeaderName::Privacy, HeaderName::PAssertedIdentity]
    {
        assert_eq!(values(&out, gone), [""; 0], "it spoke of the other direction");
    }
    assert_eq!(values(&out, HeaderName::ResourcePriority), ["esnet.0", "ets.1"]);
}

#[test]
fn an_anonymous_caller_is_called_back_by_the_asserted_number() {
    let asserted = "P-Asserted-Identity: <sip:+4930222@a>";
    for from in
        ["<sip:anonymous@anonymous.invalid>", "<sip:anonymous.invalid>", "\"Anonymous\" <sip:Anonymous@x>"]
    {
        let hidden = identity(&format!("From: {from};tag=1\n{asserted}"));
        assert_eq!(hidden.reversed().called(), b"+4930222", "{from}");
    }
    assert_eq!(identity("From: <sip:anonymous@anonymous.invalid>;tag=1").reversed().called(), b"anonymous");
    assert_eq!(identity(&format!("From: <sip:7@a>;tag=1\n{asserted}")).reversed().called(), b"7");
}

/// The From that the other leg hears of one with this display name.
fn heard(display: &str) -> String {
    let identity = identity(&format!("From: {display} <sip:+4930@198.51.100.9>;tag=1"));
    let from = values(&written(&identity), HeaderName::From).remove(0);
    from.split(" <sip:").next().unwrap().to_owned()
}

#[test]
fn a_display_name_can_neither_leave_its_quotes_nor_bring_controls() {
    assert_eq!(heard("\"Ann\""), "\"Ann\"");
    assert_eq!(heard("Ann Bee"), "\"Ann Bee\"");
    assert_eq!(heard("\"Zo\u{eb}\""), "\"Zo\u{eb}\"");
    assert_eq!(heard("\"a\u{1}b\u{7f}c\td\""), "\"abc d\"");
    assert_eq!(heard(r#""say \"hi\" \\ \a""#), r#""say \"hi\" \\ a""#);
    let escaped_control = "\"a\\\u{2}b\"";
    assert_eq!(heard(escaped_control), "\"ab\"");
    assert!(heard(&format!("\"{}\"", "x".repeat(MAX_DISPLAY + 1))).starts_with("<sip:"), "left out");
}

#[test]
fn a_name_that_is_shown_is_always_the_inside_of_a_quoted_string() {
    // Every string of three of the bytes that matter.
    let bytes = [b'a', b'"', b'\\', b'\t', 0, 0x7f, 0xc3, 0xa9, b'\n'];
    for n in 0..bytes.len().pow(3) {
        let said = [n / 81, n / 9 % 9, n % 9].map(|at| bytes[at]);
        let mut open = true;
        let shown = shown(&said);
        let mut inside = shown.iter();
        while let Some(byte) = inside.next() {
            assert!(*byte >= b' ' && *byte != 0x7f, "{said:?}");
            open &= *byte != b'"';
            if *byte == b'\\' {
                assert!(inside.next().is_some(), "{said:?}: the last one would escape the quote");
            }
        }
        assert!(open, "{said:?}");
    }
}

#[test]
fn a_number_that_is_none_is_refused_and_a_caller_who_is_none_is_left_out() {
    let take =
        |uri: &str| read(&invite(uri, "From: <sip:+1%4@198.51.100.9>;tag=1")).map(|i| i.calling().len());
    assert_eq!(take("sip:+49%2a@198.51.100.9"), Ok(0));
    for broken in ["sip:+49%2@198.51.100.9", "sip:+49%@198.51.100.9", "sip:+49%zz@198.51.100.9"] {
        assert_eq!(take(broken), Err(NoIdentity::Malformed), "{broken}");
    }
    let long = |n: usize| format!("sip:{}@198.51.100.9", "1".repeat(n));
    assert_eq!((take(&long(MAX_USER)), take(&long(MAX_USER + 1))), (Ok(0), Err(NoIdentity::TooLong)));
}
