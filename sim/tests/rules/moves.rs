//! Calls that move.

use super::*;
use proxy_core::{MoveOutcome, MoveReason};
use relay_values::Duration;

/// A receipt that no rule minds.
fn receipt() -> Receipt {
    let at = Time::from_millis;
    let name = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    Receipt {
        carrier_call_id: "callCarrier1".into(),
        reason: MoveReason::RegionDown,
        from: name("east-1", "east"),
        to: name("west-1", "west"),
        detected: at(1900),
        decided: at(1950),
        invited: Some(at(2000)),
        answered: Some(at(2010)),
        resumed: Some(at(2030)),
        gap_media: Some(Duration::from_millis(100)),
        gap_conversation: Some(Duration::from_millis(130)),
        attempts: 1,
        identity_before: 7,
        identity_after: 7,
        outcome: MoveOutcome::Moved,
    }
}

#[test]
fn a_call_that_is_left_at_an_edge_that_is_down() {
    let mut tap = Tap::answered();
    tap.down(2000);
    tap.0.clock(Time::from_millis(12_900));
    assert!(tap.broken().is_empty(), "there is time until the deadline");
    tap.0.clock(Time::from_millis(15_100));
    assert_eq!(tap.broken(), ["moved"]);
    let mut tap = Tap::answered();
    tap.down(2000);
    tap.moves(2100);
    tap.0.clock(Time::from_millis(16_000));
    assert!(!tap.broken().contains(&"moved"), "{:?}", tap.0.violations);
}

#[test]
fn a_call_with_two_legs_at_the_tier() {
    let mut tap = Tap::answered();
    tap.moves(2000);
    tap.0.clock(Time::from_millis(5200));
    assert_eq!(tap.broken(), ["twins"]);
}

#[test]
fn an_invite_for_a_call_that_is_over_or_was_declined() {
    let mut tap = Tap::answered();
    tap.turn(2000, CARRIER, CARRIERS_BYE, &[(CARRIER, CARRIERS_BYE_ANSWER)]);
    tap.sent(2010, OTHER_EDGE, &format!("{INVITE}|branch=z9hG4bKb0b call=ourcall2 from=ourtag3"));
    assert!(tap.broken().contains(&"over"));
    let mut tap = Tap::new();
    tap.received(1000, CARRIER, CARRIERS_INVITE);
    tap.sent(1001, EDGE, INVITE);
    let busy = "SIP/2.0 486 Busy Here|method=INVITE to=tagEdge1";
    tap.turn(1100, EDGE, busy, &[(EDGE, "ACK sip:x@172.20.1.1 SIP/2.0|to=tagEdge1")]);
    tap.sent(1101, OTHER_EDGE, &format!("{INVITE}|branch=z9hG4bKb0b call=ourcall2 from=ourtag3"));
    assert_eq!(tap.broken(), ["over"]);
}

#[test]
fn a_reinvite_to_the_carrier_that_nobody_asked_for() {
    let reinvite =
        "INVITE sip:x@198.51.100.1 SIP/2.0|call=callCarrier1 from=ourtag2 to=tagCarrier1 branch=z9hG4bKb0d";
    let mut tap = Tap::answered();
    tap.sent(2000, CARRIER, reinvite);
    tap.at_end(&[], &[]);
    assert!(tap.broken().contains(&"quiet"), "{:?}", tap.0.violations);
    let mut tap = Tap::answered();
    tap.sent(2000, CARRIER, reinvite);
    tap.receipt(2040, &Receipt { outcome: MoveOutcome::Renegotiated, ..receipt() });
    tap.at_end(&[], &[]);
    assert!(!tap.broken().contains(&"quiet"), "the receipt says so");
}

#[test]
fn a_receipt_that_cannot_be_true() {
    let at = |ms| Some(Time::from_millis(ms));
    let good = receipt();
    let wrong = [
        Receipt { decided: Time::from_millis(1800), ..good.clone() },
        Receipt { invited: at(1900), ..good.clone() },
        Receipt { answered: at(1999), ..good.clone() },
        Receipt { resumed: at(2005), ..good.clone() },
        Receipt { resumed: at(9000), ..good.clone() },
        Receipt { answered: None, resumed: None, ..good.clone() },
        Receipt { attempts: 0, ..good.clone() },
        Receipt { to: (String::new(), String::new()), ..good.clone() },
        Receipt { to: good.from.clone(), ..good.clone() },
        Receipt { identity_after: 8, ..good.clone() },
        Receipt { gap_media: Some(Duration::from_millis(131)), ..good.clone() },
    ];
    for wrong in &wrong {
        let mut tap = Tap::answered();
        tap.receipt(2040, wrong);
        assert_eq!(tap.broken(), ["receipts"], "{wrong:?}");
    }
    let mut tap = Tap::answered();
    tap.receipt(2040, &good);
    assert!(tap.broken().is_empty());
    // The next one comes within two seconds.
    let next = |ms| Receipt { invited: at(ms), answered: at(ms), resumed: None, ..good.clone() };
    tap.receipt(3990, &next(3980));
    assert_eq!(tap.broken(), ["receipts"]);
}

#[test]
fn a_move_without_a_receipt_and_a_record_without_its_moves() {
    let mut tap = Tap::answered();
    tap.moves(2000);
    tap.at_end(&[], &[]);
    assert!(tap.broken().contains(&"receipts"), "no receipt");
    let mut tap = Tap::answered();
    tap.receipt(2040, &receipt());
    tap.at_end(&[], &[ends::record()]);
    assert!(tap.broken().contains(&"receipts"), "the record does not know it");
}

#[test]
fn an_edge_that_is_told_of_another_caller() {
    let mut tap = Tap::answered();
    let invite = INVITE.replace("+4930000000", "+4930000001");
    tap.sent(2000, OTHER_EDGE, &format!("{invite}|branch=z9hG4bKb0b call=ourcall2 from=ourtag3"));
    assert_eq!(tap.broken(), ["identity"]);
}

/// What the carrier hears in a call that it answered with `answered`: a refresh of ours with that description.
fn refreshed(answered: &str, refresh: &str) -> Vec<String> {
    let mut tap = Tap::new();
    tap.received(
        1000,
        EDGE,
        "INVITE sip:+4930000000@192.0.2.1 SIP/2.0|call=e1 from=tagEdge1 branch=z9hG4bKe1",
    );
    let offer = "INVITE sip:+4930000000@198.51.100.1 SIP/2.0|media=1,audio:20000,video:20002";
    tap.sent(1001, CARRIER, offer);
    let ok = format!("SIP/2.0 200 OK|method=INVITE to=tagCarrier1 media={answered}");
    let ack = "ACK sip:x@198.51.100.1 SIP/2.0|to=tagCarrier1 branch=z9hG4bKb0a";
    let told = "SIP/2.0 200 OK|method=INVITE call=e1 from=tagEdge1 to=ourtag2 branch=z9hG4bKe1";
    tap.turn(1010, CARRIER, &ok, &[(CARRIER, ack), (EDGE, told)]);
    let again = format!(
        "INVITE sip:x@198.51.100.1 SIP/2.0|to=tagCarrier1 cseq=2 branch=z9hG4bKb0d expires=1800 media={refresh}"
    );
    tap.sent(9000, CARRIER, &again);
    tap.at_end(&[], &[]);
    tap.broken().iter().filter(|rule| **rule == "quiet").map(|rule| (*rule).to_owned()).collect()
}

#[test]
fn a_refresh_may_close_what_the_carrier_refused_and_nothing_else() {
    let quiet: [&str; 0] = [];
    assert_eq!(refreshed("7,audio:30000,video:30002", "1,audio:20000,video:20002"), quiet);
    assert_eq!(refreshed("7,audio:30000,video:0", "2,audio:20000,video:0"), quiet);
    assert_eq!(refreshed("7,audio:30000,video:30002", "2,audio:20000,video:0"), ["quiet"]);
    assert_eq!(refreshed("7,audio:30000,video:0", "2,audio:0,video:20002"), ["quiet"]);
    assert_eq!(refreshed("7,audio:30000,video:0", "2,audio:20000,video:20006"), ["quiet"]);
}
