//! The rules bite: what is wrong on the wire is called wrong. A rule that never complains proves nothing.

use proxy_core::Snapshot;
use relay_values::Time;
use sim::{Checks, Setup};
use sip_wire::Message;
use std::net::SocketAddr;
use std::sync::Arc;

const CARRIER: &str = "198.51.100.1:5060";
const EDGE: &str = "172.20.1.1:5060";

struct Tap(Checks);

impl Tap {
    fn new() -> Self {
        let setup = Setup::quiet(1);
        let first = Arc::new(Snapshot::first(Arc::new(setup.config())));
        Self(Checks::new(&setup, first))
    }

    fn sent(&mut self, ms: u64, to: &str, text: &str) {
        let now = Time::from_millis(ms);
        self.0.clock(now);
        self.0.sent(now, Some(0), 0, address(to), &message(text));
        self.0.turn_over(now);
    }

    fn received(&mut self, ms: u64, from: &str, text: &str) {
        self.0.received(Time::from_millis(ms), Some(0), address(from), &message(text));
        self.0.turn_over(Time::from_millis(ms));
    }

    /// The rules that were broken.
    fn broken(&self) -> Vec<&str> {
        self.0.violations.iter().map(|violation| violation.rule).collect()
    }
}

fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

fn message(start: &str) -> Message {
    let (start, fields) = start.split_once('|').unwrap_or((start, ""));
    let field = |name: &str| fields.split(' ').find_map(|f| f.strip_prefix(&format!("{name}=")));
    let (cseq, branch) = (field("cseq").unwrap_or("1"), field("branch").unwrap_or("z9hG4bKb00"));
    let method = field("method").unwrap_or_else(|| start.split(' ').next().unwrap_or_default());
    let (from, to) = (field("from").unwrap_or("ourtag1"), field("to"));
    let to = to.map(|tag| format!(";tag={tag}")).unwrap_or_default();
    let text = format!(
        "{start}\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch={branch}\r\nMax-Forwards: 70\r\n\
         From: <sip:a@192.0.2.1>;tag={from}\r\nTo: <sip:+4930000000@h>{to}\r\nCall-ID: {}\r\n\
         CSeq: {cseq} {method}\r\nContact: <sip:{}>\r\nContent-Length: 0\r\n\r\n",
        field("call").unwrap_or("ourcall1"),
        field("contact").unwrap_or("192.0.2.1:5060"),
    );
    Message::parse(text.into_bytes().into()).expect("it parses")
}

const INVITE: &str = "INVITE sip:+4930000000@172.20.1.1 SIP/2.0";
const BYE: &str = "BYE sip:x@172.20.1.1 SIP/2.0";

#[test]
fn a_repetition_too_early_too_late_or_missing() {
    for (again, broken) in [(1500, 0), (1499, 1), (1501, 2)] {
        let mut tap = Tap::new();
        tap.sent(1000, EDGE, INVITE);
        tap.sent(again, EDGE, INVITE);
        assert_eq!(tap.broken(), vec!["timers"; broken], "again at {again} ms");
    }
    let mut tap = Tap::new();
    tap.sent(1000, EDGE, INVITE);
    tap.received(1400, EDGE, "SIP/2.0 100 Trying|method=INVITE");
    tap.sent(1500, EDGE, INVITE);
    assert_eq!(tap.broken(), ["timers"], "a provisional response ends the repetition");
}

#[test]
fn a_second_final_response_and_a_provisional_one_after_it() {
    let mut tap = Tap::new();
    let at_carrier = "method=INVITE branch=z9hG4bKbr to=ourtag2";
    tap.sent(1000, CARRIER, &format!("SIP/2.0 486 Busy Here|{at_carrier}"));
    tap.sent(1100, CARRIER, &format!("SIP/2.0 180 Ringing|{at_carrier}"));
    assert_eq!(tap.broken(), ["finals"]);
    let mut tap = Tap::new();
    tap.sent(1000, CARRIER, &format!("SIP/2.0 486 Busy Here|{at_carrier}"));
    tap.sent(1500, CARRIER, &format!("SIP/2.0 480 Gone|{at_carrier}"));
    assert!(tap.broken().contains(&"finals"));
}

#[test]
fn anything_of_one_leg_on_the_other() {
    for leak in ["contact=198.51.100.1", "call=callCarrier12", "from=tagCarrier12"] {
        let mut tap = Tap::new();
        tap.sent(1000, EDGE, &format!("{INVITE}|{leak}"));
        assert!(tap.broken().contains(&"topology"), "{leak}");
    }
    let mut tap = Tap::new();
    tap.sent(1000, CARRIER, "SIP/2.0 180 Ringing|method=INVITE to=ourtagA from=x");
    tap.sent(1010, EDGE, &format!("{INVITE}|from=ourtagA"));
    assert_eq!(tap.broken(), ["topology"], "a tag of our own on both legs");
}

#[test]
fn a_number_that_was_used_before() {
    let mut tap = Tap::new();
    tap.sent(1000, EDGE, &format!("{BYE}|cseq=2 to=tagEdge1 branch=z9hG4bKb01"));
    tap.sent(1010, EDGE, &format!("{BYE}|cseq=2 to=tagEdge1 branch=z9hG4bKb02"));
    assert_eq!(tap.broken(), ["cseq"]);
}

#[test]
fn a_final_response_without_an_ack() {
    let mut tap = Tap::new();
    tap.sent(1000, EDGE, INVITE);
    tap.received(1100, EDGE, "SIP/2.0 486 Busy Here|method=INVITE to=tagEdge1");
    assert_eq!(tap.broken(), ["ack"]);
}

#[test]
fn a_caller_who_is_answered_while_no_callee_is() {
    let mut tap = Tap::new();
    tap.received(
        1000,
        CARRIER,
        "INVITE sip:+4930000000@192.0.2.1 SIP/2.0|call=callCarrier1 from=tagCarrier1 branch=z9hG4bKbr",
    );
    let ok = "SIP/2.0 200 OK|method=INVITE call=callCarrier1 from=tagCarrier1 to=ourtag2 branch=z9hG4bKbr";
    tap.sent(1010, CARRIER, ok);
    assert_eq!(tap.broken(), ["answers"]);
}

#[test]
fn a_target_that_is_tried_twice() {
    let mut tap = Tap::new();
    tap.sent(1000, EDGE, INVITE);
    tap.sent(1100, EDGE, &format!("{INVITE}|branch=z9hG4bKb02 call=ourcall2 from=ourtag2"));
    assert!(tap.broken().contains(&"targets"));
}
