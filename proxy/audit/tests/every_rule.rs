//! For every rule a small trace that breaks it, and no other.
//!
//! A step is `ms way [code] METHOD branch cseq from-tag to-tag`, where `<` came and `>` was sent (`>>`: over a stream), a tag
//! `-` is none, and a branch with `=` stands as it is. Behind `|`: `Name: value` adds a header, `-Name` leaves one out, `^uri`
//! is the Request-URI, `@port` the peer's port, `sdp version lines…` the body. `raw` is no message.

use sip_audit::{Auditor, Ending, Finding, Rule, Timing, Wire};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

const PEER: &str = "192.0.2.9";
const US: &str = "192.0.2.1";

/// A call of ours that is up.
const UP: [&str; 3] = [
    "0 > INVITE o1 1 us - | sdp 1 audio 4000",
    "10 < 200 INVITE o1 1 us peer | sdp 1 audio 6000",
    "20 > ACK o2 1 us peer",
];

/// An INVITE of a peer that takes reliable provisional responses, and one.
const ASKS_RELIABLY: &str = "0 < INVITE i1 1 peer - | Supported: 100rel";
const RINGS: &str = "1 > 180 INVITE i1 1 peer us | Require: 100rel | RSeq: 7";

/// An INVITE that is refused once, and the ACK that came a little later.
const REFUSED: [&str; 3] =
    ["0 < INVITE i1 1 peer -", "1 > 404 INVITE i1 1 peer us", "502 < ACK i1 1 peer us"];
const TRYING: &str = "1 > 100 INVITE i1 1 peer -";

const TRACES: &[(Rule, &[&str])] = &[
    (Rule::Unreadable, &["0 > raw HELLO"]),
    (Rule::Headers, &["0 > OPTIONS o1 1 us - | From: <sip:a@h>;tag=us"]),
    (Rule::ContentLength, &["0 > OPTIONS o1 1 us - | -Content-Length"]),
    (Rule::Contact, &["0 > INVITE o1 1 us - | -Contact"]),
    (Rule::MaxForwards, &["0 > OPTIONS o1 1 us - | -Max-Forwards"]),
    (Rule::Cookie, &["0 > OPTIONS =o1 1 us -"]),
    (Rule::Branch, &["0 > OPTIONS o1 1 us -", "600 > OPTIONS o1 2 us -"]),
    (Rule::Transport, &["0 >> OPTIONS o1 1 us -"]),
    (Rule::Explained, &["0 < OPTIONS i1 1 peer -", "1 > 405 OPTIONS i1 1 peer us"]),
    (Rule::StrayResponse, &["0 > 200 OPTIONS i1 1 peer us"]),
    (Rule::EchoedHeaders, &["0 < OPTIONS i1 1 peer -", "1 > 200 OPTIONS i1 2 peer us"]),
    (
        Rule::Received,
        &[
            "0 < OPTIONS i1 1 peer - | -Via | Via: SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bKi1;rport",
            "1 > 200 OPTIONS i1 1 peer us",
        ],
    ),
    (Rule::ResponseTo, &["0 < OPTIONS i1 1 peer -", "1 > 200 OPTIONS i1 1 peer us | @5099"]),
    (Rule::AckAnswered, &["0 > 200 ACK i1 1 peer us"]),
    (
        Rule::OneFinal,
        &["0 < OPTIONS i1 1 peer -", "1 > 200 OPTIONS i1 1 peer us", "2 > 404 OPTIONS i1 1 peer us"],
    ),
    (
        Rule::LateProvisional,
        &["0 < INVITE i1 1 peer -", "1 > 404 INVITE i1 1 peer us", "2 > 180 INVITE i1 1 peer us"],
    ),
    (
        Rule::ToTag,
        &["0 < INVITE i1 1 peer -", "1 > 180 INVITE i1 1 peer us", "2 > 404 INVITE i1 1 peer other"],
    ),
    (Rule::Unanswered, &["0 < INVITE i1 1 peer -", "1 > 180 INVITE i1 1 peer us"]),
    (Rule::Trying, &["0 < INVITE i1 1 peer -", "201 > 404 INVITE i1 1 peer us"]),
    (Rule::NonInvite, &["0 < OPTIONS i1 1 peer -", "3499 > 100 OPTIONS i1 1 peer -"]),
    (
        Rule::Cancelled,
        &[
            "0 < INVITE i1 1 peer - | sdp 1 audio 6000",
            "1 < CANCEL i1 1 peer -",
            "2 > 200 CANCEL i1 1 peer us",
            "3 > 200 INVITE i1 1 peer us | sdp 1 audio 4000",
        ],
    ),
    (Rule::Retransmission, &["0 > OPTIONS o1 1 us -", "500 > OPTIONS o1 1 us - | Subject: x"]),
    (Rule::TooSoon, &["0 > OPTIONS o1 1 us -", "499 > OPTIONS o1 1 us -"]),
    (Rule::TooSoon, &[ASKS_RELIABLY, RINGS, "499 > 180 INVITE i1 1 peer us | Require: 100rel | RSeq: 7"]),
    (
        Rule::TooSoon,
        &[
            ASKS_RELIABLY,
            RINGS,
            "501 > 180 INVITE i1 1 peer us | Require: 100rel | RSeq: 7",
            "1500 > 180 INVITE i1 1 peer us | Require: 100rel | RSeq: 7",
        ],
    ),
    (Rule::TooLate, &["0 > MESSAGE o1 1 us -", "501 < 200 MESSAGE o1 1 us peer"]),
    (Rule::TooLate, &[ASKS_RELIABLY, RINGS, "502 < PRACK i2 2 peer us | RAck: 7 1 INVITE"]),
    (Rule::TooLate, &[ASKS_RELIABLY, RINGS, "502 > 404 INVITE i1 1 peer us"]),
    (Rule::TooLate, &[REFUSED[0], TRYING, REFUSED[1], REFUSED[2]]),
    (
        Rule::TooLong,
        &[
            "0 > INVITE o1 1 us -",
            "500 > INVITE o1 1 us -",
            "1500 > INVITE o1 1 us -",
            "3500 > INVITE o1 1 us -",
            "7500 > INVITE o1 1 us -",
            "15500 > INVITE o1 1 us -",
            "31500 > INVITE o1 1 us -",
            "63500 > INVITE o1 1 us -",
        ],
    ),
    (
        Rule::TooLong,
        &[
            ASKS_RELIABLY,
            RINGS,
            "501 > 180 INVITE i1 1 peer us | Require: 100rel | RSeq: 7",
            "1501 > 180 INVITE i1 1 peer us | Require: 100rel | RSeq: 7",
            "3501 > 180 INVITE i1 1 peer us | Require: 100rel | RSeq: 7",
            "7501 > 180 INVITE i1 1 peer us | Require: 100rel | RSeq: 7",
            "15501 > 180 INVITE i1 1 peer us | Require: 100rel | RSeq: 7",
            "31501 > 180 INVITE i1 1 peer us | Require: 100rel | RSeq: 7",
            "63501 > 180 INVITE i1 1 peer us | Require: 100rel | RSeq: 7",
        ],
    ),
    (Rule::AfterResponse, &["0 > INVITE o1 1 us -", "100 < 100 INVITE o1 1 us -", "500 > INVITE o1 1 us -"]),
    (
        Rule::AfterAck,
        &[
            "0 < INVITE i1 1 peer -",
            "1 > 404 INVITE i1 1 peer us",
            "2 < ACK i1 1 peer us",
            "501 > 404 INVITE i1 1 peer us",
        ],
    ),
    (
        Rule::AfterAck,
        &[
            ASKS_RELIABLY,
            RINGS,
            "100 < PRACK i2 2 peer us | RAck: 7 1 INVITE",
            "501 > 180 INVITE i1 1 peer us | Require: 100rel | RSeq: 7",
        ],
    ),
    (Rule::NoAck, &["0 > INVITE o1 1 us -", "10 < 404 INVITE o1 1 us peer", "20 > OPTIONS o2 1 other -"]),
    (Rule::AckOrCancel, &["0 > CANCEL o1 1 us -"]),
    (Rule::Cancel, &["0 > INVITE o1 1 us -", "10 > CANCEL o1 1 us -"]),
    (Rule::CSeq, &[UP[0], UP[1], UP[2], "30 > INFO o3 3 us peer"]),
    (Rule::UnknownDialog, &["0 > INFO o1 1 us peer"]),
    (Rule::Target, &[UP[0], UP[1], UP[2], "30 > INFO o3 2 us peer | ^sip:else@192.0.2.9"]),
    (
        Rule::AfterBye,
        &[
            UP[0],
            UP[1],
            UP[2],
            "30 > BYE o3 2 us peer",
            "40 < 200 BYE o3 2 us peer",
            "50 > INFO o4 3 us peer",
        ],
    ),
    (
        Rule::ByeBeforeAck,
        &[
            "0 < INVITE i1 1 peer - | sdp 1 audio 6000",
            "1 > 200 INVITE i1 1 peer us | sdp 1 audio 4000",
            "20 > BYE o1 1 us peer",
        ],
    ),
    (
        Rule::OutOfOrder,
        &[
            UP[0],
            UP[1],
            UP[2],
            "30 < INFO i1 7 peer us",
            "31 > 200 INFO i1 7 peer us",
            "40 < INFO i2 6 peer us",
            "41 > 200 INFO i2 6 peer us",
        ],
    ),
    (
        Rule::SecondOffer,
        &[
            UP[0],
            UP[1],
            UP[2],
            "30 > UPDATE o3 2 us peer | sdp 1 audio 4000",
            "40 > INVITE o4 3 us peer | sdp 1 audio 4000",
        ],
    ),
    (
        Rule::Answer,
        &[
            "0 < INVITE i1 1 peer - | sdp 1 audio 6000 video 0",
            "1 > 200 INVITE i1 1 peer us | sdp 1 audio 4000 video 4002",
        ],
    ),
    (Rule::Version, &[UP[0], UP[1], UP[2], "30 > UPDATE o3 2 us peer | sdp 1 audio 4444"]),
    (Rule::Reliable, &[ASKS_RELIABLY, RINGS, "2 > 183 INVITE i1 1 peer us | Require: 100rel | RSeq: 8"]),
    (Rule::Reliable, &["0 < INVITE i1 1 peer -", "1 > 180 INVITE i1 1 peer us | Require: 100rel | RSeq: 7"]),
];

/// A step in words: when, which way, how, to or from which port of the peer, and what.
fn step(text: &str) -> (Duration, bool, Wire, u16, String) {
    let mut fields = text.split(" | ");
    let words: Vec<&str> = fields.next().unwrap().split(' ').collect();
    let at = Duration::from_millis(words[0].parse().unwrap());
    let sent = words[1].starts_with('>');
    let wire = if words[1] == ">>" { Wire::Stream } else { Wire::Datagram };
    if words[2] == "raw" {
        return (at, sent, wire, 5060, format!("{}\r\n\r\n", words[3]));
    }
    let code: Option<u16> = words[2].parse().ok();
    let [method, branch, cseq, from, to] = words[2 + usize::from(code.is_some())..] else { panic!("{text}") };
    let tag = |tag: &str| if tag == "-" { String::new() } else { format!(";tag={tag}") };
    let branch = branch.strip_prefix('=').map_or_else(|| format!("z9hG4bK{branch}"), str::to_owned);
    let asks = if sent == code.is_none() { US } else { PEER };
    let mut headers = vec![
        format!("Via: SIP/2.0/UDP {asks}:5060;branch={branch}"),
        format!("From: <sip:a@h>{}", tag(from)),
        format!("To: <sip:b@h>{}", tag(to)),
        "Call-ID: c1".to_owned(),
        format!("CSeq: {cseq} {method}"),
    ];
    let (says, hears) = if sent { (US, PEER) } else { (PEER, US) };
    if code.is_none() {
        headers.push("Max-Forwards: 70".to_owned());
    }
    if matches!(method, "INVITE" | "UPDATE") && code.is_none_or(|code| (101..300).contains(&code)) {
        headers.push(format!("Contact: <sip:x@{says}>"));
    }
    let (mut uri, mut port, mut body) = (format!("sip:x@{hears}"), 5060, String::new());
    for field in fields {
        match field.split_at(1) {
            ("-", name) => headers.retain(|header| !header.starts_with(&format!("{name}:"))),
            ("^", other) => uri = other.to_owned(),
            ("@", other) => port = other.parse().unwrap(),
            _ => match field.strip_prefix("sdp ") {
                Some(lines) => body = description(says, lines),
                None => headers.push(field.to_owned()),
            },
        }
        if field == "-Content-Length" {
            headers.push("Subject: no length".to_owned());
        }
    }
    if !body.is_empty() {
        headers.push("Content-Type: application/sdp".to_owned());
    }
    if !text.contains("-Content-Length") {
        headers.push(format!("Content-Length: {}", body.len()));
    }
    let start = code.map_or_else(|| format!("{method} {uri} SIP/2.0"), |code| format!("SIP/2.0 {code} So"));
    (at, sent, wire, port, format!("{start}\r\n{}\r\n\r\n{body}", headers.join("\r\n")))
}

/// `version kind port kind port…`
fn description(host: &str, words: &str) -> String {
    let (version, lines) = words.split_once(' ').unwrap();
    let lines: Vec<&str> = lines.split(' ').collect();
    let head = format!("v=0\r\no=- 1 {version} IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\n");
    lines.chunks(2).fold(head, |text, line| format!("{text}m={} {} RTP/AVP 0\r\n", line[0], line[1]))
}

fn judge(steps: &[&str], ending: Ending) -> Vec<Finding> {
    let ms = Duration::from_millis;
    let timing = Timing::exact(ms(500), ms(4_000), ms(5_000));
    let us: SocketAddr = format!("{US}:5060").parse().unwrap();
    let mut auditor = Auditor::new(timing, move |at| at == us);
    for text in steps {
        let (at, sent, wire, port, message) = step(text);
        let peer = SocketAddr::new(PEER.parse().unwrap(), port);
        let (from, to) = if sent { (us, peer) } else { (peer, us) };
        auditor.saw(at, from, to, wire, message.as_bytes());
    }
    auditor.finish(ending)
}

#[test]
fn every_rule_is_heard_of_when_it_is_broken_and_no_other_is() {
    for (rule, steps) in TRACES {
        let ending = if *rule == Rule::Unanswered { Ending::AllOver } else { Ending::CutOff };
        let findings = judge(steps, ending);
        let rules: BTreeSet<Rule> = findings.iter().map(|finding| finding.rule).collect();
        assert_eq!(rules, BTreeSet::from([*rule]), "{steps:#?}\n{findings:#?}");
        // What came before the last step, which is the one that breaks it, is in order.
        let before = judge(&steps[..steps.len() - 1], Ending::CutOff);
        assert_eq!(before, [], "{rule:?}");
    }
}

#[test]
fn every_rule_has_its_trace() {
    let told: BTreeSet<Rule> = TRACES.iter().map(|(rule, _)| *rule).collect();
    let untold: Vec<&Rule> = Rule::ALL.iter().filter(|rule| !told.contains(rule)).collect();
    assert!(untold.is_empty(), "{untold:?}");
}

#[test]
fn a_call_by_the_rules_is_not_spoken_of() {
    let call = [
        "0 < INVITE i1 1 peer - | Supported: 100rel | sdp 1 audio 6000 video 0",
        "1 > 100 INVITE i1 1 peer -",
        "500 > 183 INVITE i1 1 peer us | Require: 100rel | RSeq: 7 | sdp 1 audio 4000 video 0",
        "510 < PRACK i2 2 peer us | RAck: 7 1 INVITE",
        "511 > 200 PRACK i2 2 peer us",
        "600 > 200 INVITE i1 1 peer us",
        "1100 > 200 INVITE i1 1 peer us",
        "1110 < ACK i3 1 peer us",
        "2000 > UPDATE o1 1 us peer | sdp 2 audio 4000 video 4002",
        "2500 > UPDATE o1 1 us peer | sdp 2 audio 4000 video 4002",
        "2510 < 200 UPDATE o1 1 us peer | sdp 2 audio 6000 video 6002",
        "3000 > BYE o2 2 us peer",
        "3010 < 200 BYE o2 2 us peer",
    ];
    assert_eq!(judge(&call, Ending::AllOver), []);
}

/// A late offer in the 2xx to a re-INVITE of ours that has its ACK, and comes once more.
const OFFERED: [&str; 3] = [
    "30 > INVITE o3 2 us peer",
    "40 < 200 INVITE o3 2 us peer | sdp 2 audio 6002",
    "50 > ACK o4 2 us peer | sdp 2 audio 0",
];

#[test]
fn what_an_ack_says_does_not_matter_once_either_side_has_hung_up() {
    let [offered, came, acked] = OFFERED;
    let (again, other) =
        ("540 < 200 INVITE o3 2 us peer | sdp 2 audio 6002", "540 > ACK o5 2 us peer | sdp 3 audio 0");
    let with = |between: &[&'static str]| {
        let steps = [&UP[..], &[offered, came, acked], between, &[again, other]].concat();
        judge(&steps, Ending::CutOff).iter().map(|finding| finding.rule).collect::<Vec<_>>()
    };
    assert_eq!(with(&[]), [Rule::Retransmission], "while the call is up it has to be the same");
    assert_eq!(with(&["60 > BYE o6 3 us peer", "70 < 200 BYE o6 3 us peer"]), []);
    assert_eq!(with(&["60 < BYE i1 1 peer us", "61 > 200 BYE i1 1 peer us"]), []);
}

#[test]
fn a_2xx_that_is_not_said_again_is_forgiven_only_where_its_leg_is_told_that_the_call_has_left_it() {
    let answered = [
        "0 < INVITE i1 1 peer -",
        "1 > 100 INVITE i1 1 peer -",
        "2 > 200 INVITE i1 1 peer us | sdp 1 audio 4000",
    ];
    let with = |after: &[&'static str]| {
        let steps = [&answered[..], &["600 < ACK i2 1 peer us"], after].concat();
        judge(&steps, Ending::CutOff).iter().map(|finding| finding.rule).collect::<Vec<_>>()
    };
    assert_eq!(with(&[]), [Rule::TooLate]);
    assert_eq!(with(&["700 > BYE o1 1 us peer"]), [Rule::TooLate], "a call that ends is no call that leaves");
    assert_eq!(with(&["700 > BYE o1 1 us peer | Reason: SIP;cause=200;text=\"moved\""]), []);
}

#[test]
fn each_2xx_to_an_invite_that_found_nobody_may_have_one_ack() {
    let acks = |twice: &str| {
        let us: SocketAddr = format!("{US}:5060").parse().unwrap();
        let peer: SocketAddr = format!("{PEER}:5060").parse().unwrap();
        let ms = Duration::from_millis;
        let mut auditor = Auditor::new(Timing::exact(ms(500), ms(4_000), ms(5_000)), move |at| at == us);
        let came = "600 < 200 INVITE o1 1 us peer | sdp 1 audio 6000";
        let steps = [
            "0 > INVITE o1 1 us - | sdp 1 audio 4000",
            came,
            twice,
            "610 > ACK o2 1 us peer",
            "611 > ACK o3 1 us peer",
        ];
        for text in steps.iter().filter(|text| !text.is_empty()) {
            let (at, sent, wire, _, message) = step(text);
            let (from, to) = if sent { (us, peer) } else { (peer, us) };
            auditor.saw(at, from, to, wire, message.as_bytes());
            if at == ms(0) {
                auditor.unreachable(ms(5), peer);
            }
        }
        auditor.finish(Ending::CutOff).iter().map(|finding| finding.rule).collect::<Vec<_>>()
    };
    assert_eq!(acks("601 < 200 INVITE o1 1 us peer | sdp 1 audio 6000"), []);
    assert_eq!(acks(""), [Rule::AckOrCancel]);
}

#[test]
fn an_invite_that_has_timed_out_does_not_ring_again_and_owes_no_ack() {
    let call = [
        "0 > INVITE o1 1 us -",
        "500 > INVITE o1 1 us -",
        "1500 > INVITE o1 1 us -",
        "3500 > INVITE o1 1 us -",
        "7500 > INVITE o1 1 us -",
        "15500 > INVITE o1 1 us -",
        "31500 > INVITE o1 1 us -",
        "33000 < 180 INVITE o1 1 us peer",
        "40000 < 504 INVITE o1 1 us peer",
    ];
    assert_eq!(judge(&call, Ending::AllOver), []);
}

#[test]
fn a_refusal_without_any_state_is_said_again_when_it_is_asked_for_and_by_no_timer() {
    assert_eq!(judge(&REFUSED, Ending::CutOff), []);
    let asked_again = [REFUSED[0], REFUSED[1], "700 < INVITE i1 1 peer -", "701 > 404 INVITE i1 1 peer us"];
    assert_eq!(judge(&asked_again, Ending::AllOver), []);
    // Inside a dialog there is state.
    let inside = ["0 < INVITE i1 1 peer us", "1 > 481 INVITE i1 1 peer us", "502 < ACK i1 1 peer us"];
    let rules: Vec<Rule> = judge(&inside, Ending::CutOff).iter().map(|finding| finding.rule).collect();
    assert_eq!(rules, [Rule::TooLate]);
}

#[test]
fn a_response_has_what_its_request_had_however_odd() {
    let odd = ["0 < OPTIONS i1 4294967295 peer -", "1 > 200 OPTIONS i1 4294967295 peer us"];
    assert_eq!(judge(&odd, Ending::AllOver), []);
    let ours = judge(&["0 > OPTIONS o1 4294967295 us -"], Ending::CutOff);
    assert_eq!(ours.iter().map(|finding| finding.rule).collect::<Vec<_>>(), [Rule::Headers]);
    let of_nul = ["0 < OPTIONS i1 1 pe\0er -", "1 > 400 OPTIONS i1 1 peer us"];
    assert_eq!(judge(&of_nul, Ending::AllOver), []);
}
