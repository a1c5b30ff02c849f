use super::*;

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
fn the_2xx_of_an_edge_that_could_not_be_reached_before_it_said_anything() {
    for (rings, broken) in [(true, 0), (false, 1)] {
        let mut tap = Tap::new();
        tap.received(1000, CARRIER, CARRIERS_INVITE);
        tap.sent(1001, EDGE, INVITE);
        if rings {
            tap.received(1005, EDGE, "SIP/2.0 180 Ringing|method=INVITE to=tagEdge1");
        }
        tap.0.unreachable(Time::from_millis(1006), address(EDGE));
        let ack = "ACK sip:x@172.20.1.1 SIP/2.0|to=tagEdge1 branch=z9hG4bKb0a";
        let ok = "SIP/2.0 200 OK|method=INVITE to=tagEdge1";
        tap.turn(1010, EDGE, ok, &[(EDGE, ack), (CARRIER, CARRIERS_ANSWER)]);
        let complaints = tap.broken().iter().filter(|rule| **rule == "answers").count();
        assert_eq!(complaints, broken, "it rang: {rings}; {:?}", tap.0.violations);
    }
}

#[test]
fn a_target_that_is_tried_twice() {
    let mut tap = Tap::new();
    tap.sent(1000, EDGE, INVITE);
    tap.sent(1100, EDGE, &format!("{INVITE}|branch=z9hG4bKb02 call=ourcall2 from=ourtag2"));
    assert!(tap.broken().contains(&"targets"));
}
