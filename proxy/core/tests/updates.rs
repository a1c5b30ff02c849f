//! UPDATE (RFC 3311): before the answer and after it, from either side, and where it may not be.

mod common;

use common::dialogs::*;
use common::*;
use relay_values::{Direction, Duration, Leg, RelayCommand};

const ANN: &str = "ann@192.0.2.1:5060";
const BOB: &str = "bob@198.51.100.1";
const TIER: (&str, &str) = (EAST, "t-east");

fn offer() -> String {
    sdp("192.0.2.1", 30000)
}

fn theirs() -> String {
    sdp("198.51.100.1", 40000)
}

fn held(sdp: &str, direction: &str) -> String {
    format!("{sdp}a={direction}\r\n")
}

fn directions(stage: &Stage) -> Vec<(Leg, Direction)> {
    let connects = stage.relayed.iter().filter_map(|command| match command {
        RelayCommand::Connect { leg, to, .. } => Some((*leg, to.direction)),
        _ => None,
    });
    connects.collect()
}

/// A call that rings, its first exchange over on both legs: the carrier's 183 and the edge's INVITE.
fn early(stage: &mut Stage) -> (String, String) {
    let (progress, out) = progressing(stage);
    let rack = format!("RAck: {} 1 INVITE", header(&progress, "RSeq"));
    stage.receive(CARRIER, &with(&in_dialog(&progress, "PRACK", 2, ""), &rack));
    let prack = stage.take(EAST).remove(0);
    stage.receive(EAST, &reply(&prack, 200, BOB, "", ""));
    assert_eq!(whats(&stage.take(CARRIER)), ["200 PRACK"]);
    stage.relayed.clear();
    (progress, out)
}

/// The same before the caller's PRACK.
fn progressing(stage: &mut Stage) -> (String, String) {
    stage.receive(CARRIER, &with(&invite("one", &offer()), "Supported: 100rel"));
    let out = stage.take(EAST).remove(0);
    let progress = answer(&out, 183, "t-east", BOB, &theirs());
    stage.receive(EAST, &with(&progress, "Require: 100rel\r\nRSeq: 1"));
    (stage.take(CARRIER).pop().unwrap(), out)
}

fn code(messages: &[String]) -> &str {
    messages.last().map_or("", |message| message.get(8..11).unwrap_or_default())
}

/// Refused for now: when it may come again stands in the answer.
fn is_put_off(messages: &[String]) -> bool {
    code(messages) == "500"
        && header(messages.last().unwrap(), "Retry-After").parse().is_ok_and(|s: u32| s <= 10)
}

// Rules: update-early, update-answer, update-target-refresh
#[test]
fn the_caller_changes_early_media() {
    let mut stage = Stage::new();
    let (progress, out) = early(&mut stage);
    stage.receive(CARRIER, &in_dialog(&progress, "UPDATE", 3, &held(&offer(), "sendonly")));
    let update = stage.take(EAST).remove(0);
    assert!(
        update.starts_with("UPDATE sip:bob@198.51.100.1") && body(&update).contains("m=audio 20002"),
        "{update}"
    );
    assert!(!header(&update, "Contact").is_empty(), "RFC 3311 §5.1: {update}");
    stage.receive(EAST, &reply(&update, 200, BOB, "", &held(&theirs(), "recvonly")));
    let ok = stage.take(CARRIER).remove(0);
    assert_eq!(what(&ok), "200 UPDATE");
    assert!(body(&ok).contains("m=audio 20000") && body(&ok).contains("a=recvonly"), "{ok}");
    assert_eq!(directions(&stage), [(Leg::A, Direction::RecvOnly), (Leg::B, Direction::SendOnly)]);
    stage.receive(EAST, &answer(&out, 200, "t-east", BOB, ""));
    assert_eq!(whats(&stage.take(CARRIER)), ["200 INVITE"], "and the call is answered as before");
}

// Rules: update-early, update-answer
#[test]
fn the_callee_changes_early_media() {
    let mut stage = Stage::new();
    let (_, out) = early(&mut stage);
    stage.receive(EAST, &from_edge(&out, TIER, "UPDATE", 1, &sdp("198.51.100.9", 44000)));
    let update = stage.take(CARRIER).remove(0);
    assert!(update.starts_with("UPDATE sip:ann@192.0.2.1:5060"), "{update}");
    assert_eq!(header(&update, "Route"), "<sip:192.0.2.1;lr>");
    assert!(body(&update).contains("m=audio 20000") && !update.contains("198.51.100"), "{update}");
    stage.receive(CARRIER, &reply(&update, 200, ANN, "", &offer()));
    assert_eq!(whats(&stage.take(EAST)), ["200 UPDATE"]);
    let remote = stage.relayed.iter().find_map(|command| match command {
        RelayCommand::Connect { leg: Leg::B, to, .. } => Some(to.remote.rtp.to_string()),
        _ => None,
    });
    assert_eq!(remote.as_deref(), Some("198.51.100.9:44000"));
}

/// A call that is up: the carrier's 200 and the edge's INVITE.
fn up(stage: &mut Stage) -> (String, String) {
    stage.receive(CARRIER, &invite("one", &offer()));
    let out = stage.take(EAST).remove(0);
    stage.receive(EAST, &answer(&out, 200, "t-east", BOB, &theirs()));
    let ok = stage.take(CARRIER).pop().unwrap();
    stage.receive(CARRIER, &in_dialog(&ok, "ACK", 1, ""));
    stage.take(EAST);
    stage.relayed.clear();
    (ok, out)
}

#[test]
fn a_callee_that_knows_no_update_is_asked_by_re_invite_and_its_caller_hears_200() {
    for refusal in [405, 501] {
        let mut stage = Stage::new();
        let (ok, _) = up(&mut stage);
        stage.receive(CARRIER, &in_dialog(&ok, "UPDATE", 2, &held(&offer(), "sendonly")));
        let update = stage.take(EAST).remove(0);
        stage.receive(EAST, &reply(&update, refusal, BOB, "Allow: INVITE, ACK, BYE, CANCEL", ""));
        let asked = stage.take(EAST).remove(0);
        assert!(asked.starts_with("INVITE ") && body(&asked).contains("a=sendonly"), "{asked}");
        assert_eq!(stage.take(CARRIER), Vec::<String>::new(), "nothing is refused yet");
        // What an UPDATE has no use for.
        stage.receive(EAST, &reply(&asked, 100, BOB, "", ""));
        stage.receive(EAST, &reply(&asked, 180, BOB, "", ""));
        assert_eq!(stage.take(CARRIER), Vec::<String>::new());
        let answered = reply(&asked, 200, BOB, "", &held(&theirs(), "recvonly"));
        stage.receive(EAST, &answered);
        let acked = stage.take(EAST);
        assert_eq!(whats(&acked), ["ACK"]);
        assert_eq!(header(&acked[0], "CSeq").split(' ').next(), header(&asked, "CSeq").split(' ').next());
        let told = stage.take(CARRIER).remove(0);
        assert_eq!((what(&told).as_str(), header(&told, "CSeq")), ("200 UPDATE", "2 UPDATE"));
        assert!(body(&told).contains("a=recvonly"), "{told}");
        assert_eq!(directions(&stage), [(Leg::A, Direction::RecvOnly), (Leg::B, Direction::SendOnly)]);
        // The 200 comes again, and so does its ACK.
        stage.receive(EAST, &answered);
        assert_eq!(whats(&stage.take(EAST)), ["ACK"]);
        assert_eq!(stage.take(CARRIER), Vec::<String>::new());
    }
}

// Rules: update-failure-keeps
#[test]
fn a_re_invite_in_the_place_of_an_update_may_be_refused_and_changes_nothing() {
    let mut stage = Stage::new();
    let (ok, out) = up(&mut stage);
    stage.receive(EAST, &from_edge(&out, TIER, "UPDATE", 1, &held(&theirs(), "sendonly")));
    let update = stage.take(CARRIER).remove(0);
    stage.receive(CARRIER, &reply(&update, 405, ANN, "", ""));
    let asked = stage.take(CARRIER).remove(0);
    assert!(asked.starts_with("INVITE sip:ann@192.0.2.1:5060"), "{asked}");
    // Nobody else's offer gets between.
    stage.receive(CARRIER, &in_dialog(&ok, "UPDATE", 2, &offer()));
    assert_eq!(code(&stage.take(CARRIER)), "491");
    stage.receive(CARRIER, &reply(&asked, 488, ANN, "", ""));
    assert_eq!(whats(&stage.take(CARRIER)), ["ACK"]);
    assert_eq!(whats(&stage.take(EAST)), ["488 UPDATE"]);
    assert_eq!(directions(&stage), []);
}

#[test]
fn before_the_answer_a_target_that_knows_no_update_is_asked_nothing_else() {
    let mut stage = Stage::new();
    let (progress, _) = early(&mut stage);
    stage.receive(CARRIER, &in_dialog(&progress, "UPDATE", 3, &held(&offer(), "sendonly")));
    let update = stage.take(EAST).remove(0);
    stage.receive(EAST, &reply(&update, 405, BOB, "Allow: INVITE, ACK, BYE, CANCEL, PRACK", ""));
    assert_eq!(stage.take(EAST), Vec::<String>::new());
    let told = stage.take(CARRIER).remove(0);
    assert_eq!(
        (what(&told).as_str(), header(&told, "Allow")),
        ("405 UPDATE", "INVITE, ACK, BYE, CANCEL, PRACK")
    );
}

// Rules: update-offer-unanswered-500, update-glare-491, update-no-offer-pending
#[test]
fn before_the_first_exchange_is_over_an_offer_has_to_wait() {
    // His own offer has no answer yet (RFC 3311 §5.2).
    let mut stage = Stage::new();
    stage.receive(CARRIER, &with(&invite("one", &offer()), "Supported: 100rel"));
    let out = stage.take(EAST).remove(0);
    stage.receive(EAST, &answer(&out, 180, "t-east", BOB, ""));
    let ringing = stage.take(CARRIER).pop().unwrap();
    stage.receive(CARRIER, &in_dialog(&ringing, "UPDATE", 2, &offer()));
    assert!(is_put_off(&stage.take(CARRIER)));
    // Ours to the callee has none.
    stage.receive(EAST, &from_edge(&out, TIER, "UPDATE", 1, &theirs()));
    assert_eq!(code(&stage.take(EAST)), "491");
    assert_eq!(stage.take(EAST).len() + stage.take(CARRIER).len(), 0, "nobody else hears of it");

    // The answer is out, but the caller has not acknowledged it: the callee's new offer cannot be passed on.
    let mut stage = Stage::new();
    let (_, out) = progressing(&mut stage);
    stage.receive(EAST, &from_edge(&out, TIER, "UPDATE", 1, &theirs()));
    assert!(is_put_off(&stage.take(EAST)));
}

#[test]
fn a_caller_without_an_answer_that_is_certain_cannot_be_updated() {
    let mut stage = Stage::new();
    stage.receive(CARRIER, &invite("one", &offer()));
    let out = stage.take(EAST).remove(0);
    let progress = answer(&out, 183, "t-east", BOB, &theirs());
    stage.receive(EAST, &with(&progress, "Require: 100rel\r\nRSeq: 1"));
    let prack = stage.take(EAST).remove(0);
    stage.receive(EAST, &reply(&prack, 200, BOB, "", ""));
    stage.take(CARRIER);
    stage.receive(EAST, &from_edge(&out, TIER, "UPDATE", 1, &theirs()));
    assert!(is_put_off(&stage.take(EAST)), "it may come again when the call is answered");
    assert_eq!(stage.take(CARRIER), Vec::<String>::new());
    // And then it passes.
    stage.receive(EAST, &answer(&out, 200, "t-east", BOB, ""));
    let ok = stage.take(CARRIER).remove(0);
    stage.receive(CARRIER, &in_dialog(&ok, "ACK", 1, ""));
    stage.receive(EAST, &from_edge(&out, TIER, "UPDATE", 2, &theirs()));
    assert_eq!(whats(&stage.take(CARRIER)), ["UPDATE"]);
}

// Rules: update-early, update-answer
#[test]
fn in_a_call_that_is_up_it_holds_and_resumes_from_either_side() {
    let mut stage = Stage::new();
    let (ok, out) = up_with(&mut stage, "", "");
    stage.relayed.clear();
    stage.receive(CARRIER, &in_dialog(&ok, "UPDATE", 2, &held(&offer(), "sendonly")));
    let update = stage.take(EAST).remove(0);
    stage.receive(EAST, &reply(&update, 200, BOB, "", &held(&theirs(), "recvonly")));
    assert!(stage.take(CARRIER)[0].contains("a=recvonly"));
    assert_eq!(directions(&stage), [(Leg::A, Direction::RecvOnly), (Leg::B, Direction::SendOnly)]);
    stage.relayed.clear();
    stage.receive(EAST, &from_edge(&out, TIER, "UPDATE", 1, &theirs()));
    let update = stage.take(CARRIER).remove(0);
    stage.receive(CARRIER, &reply(&update, 200, ANN, "", &offer()));
    assert_eq!(whats(&stage.take(EAST)), ["200 UPDATE"]);
    assert_eq!(directions(&stage), [(Leg::A, Direction::SendRecv), (Leg::B, Direction::SendRecv)]);
    assert_eq!(stage.take(CARRIER), Vec::<String>::new(), "UPDATE has no ACK");
}

// Rules: update-second-500, update-glare-491, update-no-offer-pending
#[test]
fn two_that_cross_are_told_apart_from_one_that_comes_too_early() {
    let mut stage = Stage::new();
    let (ok, out) = up_with(&mut stage, "", "");
    stage.receive(CARRIER, &in_dialog(&ok, "UPDATE", 2, &offer()));
    let update = stage.take(EAST).remove(0);
    stage.receive(CARRIER, &in_dialog(&ok, "UPDATE", 3, &offer()));
    assert!(is_put_off(&stage.take(CARRIER)), "his last one has no answer");
    stage.receive(EAST, &from_edge(&out, TIER, "UPDATE", 1, &theirs()));
    assert_eq!(code(&stage.take(EAST)), "491", "ours to it has none");
    stage.receive(EAST, &from_edge(&out, TIER, "INVITE", 2, &theirs()));
    assert_eq!(code(&stage.take(EAST)), "491", "nor may a re-INVITE cross it");
    // It is over whatever the answer is.
    stage.receive(EAST, &reply(&update, 491, BOB, "", ""));
    assert_eq!(code(&stage.take(CARRIER)), "491");
    stage.receive(EAST, &from_edge(&out, TIER, "UPDATE", 3, &theirs()));
    assert_eq!(whats(&stage.take(CARRIER)), ["UPDATE"]);
}

// Rules: update-failure-keeps, oa-refused-keeps, uas-atomic
#[test]
fn a_refused_one_leaves_session_and_media_as_they_were() {
    for refusal in [488, 500, 504, 606] {
        let mut stage = Stage::new();
        let (ok, _) = up_with(&mut stage, "", "");
        stage.relayed.clear();
        stage.receive(CARRIER, &in_dialog(&ok, "UPDATE", 2, &sdp("192.0.2.1", 31000)));
        let update = stage.take(EAST).remove(0);
        // What it could do instead is not its answer.
        stage.receive(EAST, &reply(&update, refusal, BOB, "", &sdp("198.51.100.1", 48000)));
        let refused = stage.take(CARRIER).remove(0);
        assert_eq!((what(&refused), body(&refused)), (format!("{refusal} UPDATE"), ""));
        assert_eq!(stage.relayed, []);
        stage.receive(CARRIER, &in_dialog(&ok, "UPDATE", 3, &held(&offer(), "sendonly")));
        let update = stage.take(EAST).remove(0);
        stage.receive(EAST, &reply(&update, 200, BOB, "", &held(&theirs(), "recvonly")));
        let places: Vec<_> = stage.relayed.iter().filter_map(remote).collect();
        assert_eq!(places, ["192.0.2.1:30000", "198.51.100.1:40000"]);
        assert!(stage.records.is_empty());
    }
}

fn remote(command: &RelayCommand) -> Option<String> {
    match command {
        RelayCommand::Connect { to, .. } => Some(to.remote.rtp.to_string()),
        _ => None,
    }
}

// Rules: update-488
#[test]
fn one_that_brings_nothing_we_can_relay_is_refused_with_a_warning() {
    let mut stage = Stage::new();
    let (ok, _) = up_with(&mut stage, "", "");
    let msrp = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=message 2855 TCP/MSRP *\r\n";
    stage.receive(CARRIER, &in_dialog(&ok, "UPDATE", 2, msrp));
    let refused = stage.take(CARRIER).remove(0);
    assert_eq!(what(&refused), "488 UPDATE");
    assert_eq!(header(&refused, "Warning"), "302 192.0.2.100 \"Incompatible transport protocol\"");
    assert_eq!(stage.take(EAST), Vec::<String>::new());
    stage.pass(Duration::from_secs(1));
    assert!(stage.records.is_empty(), "the call goes on");
}

#[test]
fn while_its_edge_is_gone_an_offer_is_put_off_and_the_next_edge_takes_it() {
    let mut stage = Stage::new();
    let (ok, _) = up_with(&mut stage, "", "");
    down(&mut stage, &[0], &[0]);
    stage.receive(CARRIER, &in_dialog(&ok, "UPDATE", 2, &held(&offer(), "sendonly")));
    assert_eq!(code(&stage.take(CARRIER)), "491");
    let invite = stage.take(WEST).remove(0);
    stage.receive(WEST, &answer(&invite, 200, "t-west", "bob@203.0.113.1", &sdp("203.0.113.1", 50000)));
    assert_eq!(whats(&stage.take(WEST)), ["ACK"]);
    stage.receive(CARRIER, &in_dialog(&ok, "UPDATE", 3, &held(&offer(), "sendonly")));
    let update = stage.take(WEST).remove(0);
    assert!(what(&update) == "UPDATE" && body(&update).contains("a=sendonly"), "{update}");
    stage.receive(
        WEST,
        &reply(&update, 200, "bob@203.0.113.1", "", &held(&sdp("203.0.113.1", 50000), "recvonly")),
    );
    assert!(stage.take(CARRIER)[0].contains("a=recvonly"));
}
