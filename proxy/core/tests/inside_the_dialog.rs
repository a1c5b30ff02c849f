//! What may happen between answer and BYE: holds, late offers, reliable provisionals, INFO, glare, silence.

mod common;

use common::*;
use proxy_core::{CloseReason, Input, Snapshot};
use relay_values::{Direction, Duration, Leg, RelayCommand, RelayEvent, SilenceKind, Time};
use std::sync::Arc;

/// A call that is up: the 200 that the carrier got, and the INVITE that east got.
fn up(stage: &mut Stage) -> (String, String) {
    stage.receive(CARRIER, &invite("one", &sdp("192.0.2.1", 30000)));
    let out = stage.take(EAST).remove(0);
    stage.receive(EAST, &answer(&out, 200, "t-east", "bob@198.51.100.1", &sdp("198.51.100.1", 40000)));
    let ok = stage.take(CARRIER).pop().unwrap();
    stage.receive(CARRIER, &in_dialog(&ok, "ACK", 1, ""));
    stage.take(EAST);
    (ok, out)
}

/// A request from the tier inside its dialog.
fn from_tier(invite: &str, method: &str, cseq: u32, body: &str) -> String {
    let head = format!(
        "{method} sip:192.0.2.100:5060 SIP/2.0\r\nVia: SIP/2.0/UDP 198.51.100.1:5060;branch=z9hG4bKt{method}{cseq}\r\n\
         Max-Forwards: 70\r\nFrom: {};tag=t-east\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {cseq} {method}\r\nContact: <sip:bob@198.51.100.1>\r\n",
        header(invite, "To"),
        header(invite, "From"),
        header(invite, "Call-ID"),
    );
    with_body(&head, body)
}

fn directions(stage: &Stage) -> Vec<(Leg, Direction)> {
    let connects = stage.relayed.iter().filter_map(|command| match command {
        RelayCommand::Connect { leg, to, .. } => Some((*leg, to.direction)),
        _ => None,
    });
    connects.collect()
}

// Rules: dialog-cseq-counts, oa-hold-sendonly
#[test]
fn a_hold_crosses_with_numbers_of_its_own_and_stops_the_expected_media() {
    let mut stage = Stage::new();
    let (ok, _) = up(&mut stage);
    let held = format!("{}a=sendonly\r\n", sdp("192.0.2.1", 30000));
    stage.relayed.clear();
    stage.receive(CARRIER, &in_dialog(&ok, "INVITE", 7, &held));
    let reinvite = stage.take(EAST).remove(0);
    assert!(reinvite.starts_with("INVITE sip:bob@198.51.100.1 SIP/2.0"), "{reinvite}");
    assert_eq!(header(&reinvite, "CSeq"), "2 INVITE", "the B-leg counts on by itself");
    assert!(reinvite.contains("a=sendonly") && reinvite.contains("m=audio 20002"), "{reinvite}");
    let accepted = format!("{}a=recvonly\r\n", sdp("198.51.100.1", 40000));
    stage.receive(
        EAST,
        &answer(&reinvite, 200, "t-east", "bob@198.51.100.1", &accepted)
            .replace(";tag=t-east;tag=t-east", ";tag=t-east"),
    );
    assert!(stage.take(EAST)[0].starts_with("ACK"), "offered in the request, acknowledged at once");
    let ok = stage.take(CARRIER).pop().unwrap();
    assert!(ok.starts_with("SIP/2.0 200") && ok.contains("a=recvonly"), "{ok}");
    assert_eq!(directions(&stage), [(Leg::A, Direction::RecvOnly), (Leg::B, Direction::SendOnly)]);
    stage.receive(CARRIER, &in_dialog(&ok, "ACK", 7, ""));
    stage.pass(Duration::from_secs(3));
    assert_eq!(stage.take(CARRIER), Vec::<String>::new());
}

// Rules: reinvite-failure-keeps
#[test]
fn a_tiers_reinvite_reaches_the_carrier_and_a_refused_one_changes_nothing() {
    let mut stage = Stage::new();
    let (_, out) = up(&mut stage);
    stage.relayed.clear();
    stage.receive(EAST, &from_tier(&out, "INVITE", 10, &sdp("198.51.100.1", 40010)));
    let reinvite = stage.take(CARRIER).remove(0);
    assert!(reinvite.starts_with("INVITE sip:ann@192.0.2.1:5060 SIP/2.0"), "{reinvite}");
    assert_eq!(header(&reinvite, "Route"), "<sip:192.0.2.1;lr>", "along the route set");
    assert!(!reinvite.contains("198.51.100"), "{reinvite}");
    stage.receive(CARRIER, &answer(&reinvite, 488, "", "ann@192.0.2.1", "").replace(";tag=\r\n", "\r\n"));
    let to_east = stage.take(EAST);
    assert!(to_east.iter().any(|m| m.starts_with("SIP/2.0 488")), "{to_east:?}");
    assert_eq!(stage.relayed, [], "the relay was told nothing");
    assert_eq!(stage.records.len(), 0, "the call goes on");
}

// Rules: offer-one-at-a-time, reinvite-glare-491, oa-one-at-a-time
#[test]
fn two_offers_that_cross_are_told_to_wait() {
    let mut stage = Stage::new();
    let (ok, out) = up(&mut stage);
    stage.receive(CARRIER, &in_dialog(&ok, "INVITE", 7, &sdp("192.0.2.1", 30000)));
    stage.receive(EAST, &from_tier(&out, "INVITE", 10, &sdp("198.51.100.1", 40010)));
    assert!(stage.take(EAST).iter().any(|m| m.starts_with("SIP/2.0 491")));
}

// Rules: ack-answers, answer-place, ack-again
#[test]
fn a_late_offer_is_answered_in_the_ack() {
    let mut stage = Stage::new();
    stage.receive(CARRIER, &invite("late", ""));
    let out = stage.take(EAST).remove(0);
    assert_eq!(header(&out, "Content-Length"), "0");
    stage.receive(EAST, &answer(&out, 200, "t-east", "bob@198.51.100.1", &sdp("198.51.100.1", 40000)));
    assert_eq!(stage.take(EAST), Vec::<String>::new(), "the ACK waits for the answer");
    let ok = stage.take(CARRIER).pop().unwrap();
    assert!(ok.contains("m=audio 20000"), "the callee's offer, anchored: {ok}");
    stage.receive(CARRIER, &in_dialog(&ok, "ACK", 1, &sdp("192.0.2.1", 30000)));
    let ack = stage.take(EAST).remove(0);
    assert!(ack.starts_with("ACK") && ack.contains("m=audio 20002"), "{ack}");
    assert_eq!(directions(&stage), [(Leg::A, Direction::SendRecv), (Leg::B, Direction::SendRecv)]);
    // The callee did not hear it: the 200 comes again, and so does the same ACK.
    stage.receive(EAST, &answer(&out, 200, "t-east", "bob@198.51.100.1", &sdp("198.51.100.1", 40000)));
    assert_eq!(stage.take(EAST), [ack]);
}

#[test]
fn info_crosses_with_its_body_untouched() {
    let mut stage = Stage::new();
    let (ok, _) = up(&mut stage);
    let info = in_dialog(&ok, "INFO", 3, "Signal=5\r\nDuration=160\r\n")
        .replace("application/sdp", "application/dtmf-relay");
    stage.receive(CARRIER, &info);
    let carried = stage.take(EAST).remove(0);
    assert!(carried.starts_with("INFO") && carried.ends_with("Signal=5\r\nDuration=160\r\n"), "{carried}");
    assert_eq!(header(&carried, "Content-Type"), "application/dtmf-relay");
    stage.receive(
        EAST,
        &answer(&carried, 200, "t-east", "bob@198.51.100.1", "")
            .replace(";tag=t-east;tag=t-east", ";tag=t-east"),
    );
    assert!(stage.take(CARRIER)[0].starts_with("SIP/2.0 200"));
}

// Rules: dialog-cseq-below-500, dialog-cseq-gap
#[test]
fn an_old_number_is_refused_and_refer_declined() {
    let mut stage = Stage::new();
    let (ok, _) = up(&mut stage);
    stage.receive(CARRIER, &in_dialog(&ok, "INFO", 9, ""));
    stage.take(EAST);
    stage.receive(CARRIER, &in_dialog(&ok, "INFO", 8, ""));
    assert!(stage.take(CARRIER)[0].starts_with("SIP/2.0 500"), "RFC 3261 §12.2.2");
    stage.receive(CARRIER, &in_dialog(&ok, "REFER", 10, ""));
    assert!(stage.take(CARRIER)[0].starts_with("SIP/2.0 603"));
    assert_eq!(stage.take(EAST), Vec::<String>::new());
}

#[test]
fn silence_ends_the_call_on_both_legs_with_a_reason() {
    let mut stage = Stage::new();
    up(&mut stage);
    let session = stage.relayed.iter().find_map(|c| match c {
        RelayCommand::Open(open) => Some(open.session),
        _ => None,
    });
    let session = session.unwrap();
    let silent = RelayEvent::Silent { session, leg: Leg::B, since: Time::ZERO, kind: SilenceKind::Stopped };
    stage.input(Input::Relay(silent));
    let bye = stage.take(EAST).remove(0);
    assert!(bye.starts_with("BYE") && header(&bye, "Reason").contains("media_timeout"), "{bye}");
    assert!(stage.take(CARRIER)[0].starts_with("BYE sip:ann@192.0.2.1:5060"));
    assert_eq!(stage.records[0].close, CloseReason::MediaTimeout);
}

// Rules: invite-2xx-repeated, invite-2xx-given-up
#[test]
fn an_answer_that_is_never_acknowledged_ends_in_bye() {
    let mut stage = Stage::new();
    stage.receive(CARRIER, &invite("noack", &sdp("192.0.2.1", 30000)));
    let out = stage.take(EAST).remove(0);
    stage.receive(EAST, &answer(&out, 200, "t-east", "bob@198.51.100.1", &sdp("198.51.100.1", 40000)));
    stage.take(CARRIER);
    stage.pass(Duration::from_millis(31_999));
    let repeated = stage.take(CARRIER);
    assert_eq!(
        repeated.len(),
        10,
        "500, 1500, 3500, 7500, then every 4 s up to 31500 ms: {}",
        repeated.len()
    );
    assert_eq!(stage.records.len(), 0);
    stage.pass(Duration::from_millis(1));
    assert!(stage.take(CARRIER)[0].starts_with("BYE"));
    assert!(stage.take(EAST).iter().any(|m| m.starts_with("BYE")));
    assert_eq!(stage.records[0].close, CloseReason::NoAck);
}

// Rules: bye-not-before-ack
#[test]
fn a_callee_who_hangs_up_before_the_ack_leaves_the_caller_a_bye_after_it() {
    let mut stage = Stage::new();
    stage.receive(CARRIER, &invite("fast", &sdp("192.0.2.1", 30000)));
    let out = stage.take(EAST).remove(0);
    stage.receive(EAST, &answer(&out, 200, "t-east", "bob@198.51.100.1", &sdp("198.51.100.1", 40000)));
    let ok = stage.take(CARRIER).pop().unwrap();
    stage.receive(EAST, &from_tier(&out, "BYE", 10, ""));
    assert_eq!(stage.take(CARRIER), Vec::<String>::new(), "RFC 3261 §15: no BYE before the ACK");
    stage.receive(CARRIER, &in_dialog(&ok, "ACK", 1, ""));
    assert!(stage.take(CARRIER)[0].starts_with("BYE"));
    assert_eq!(stage.records[0].close, CloseReason::ByeFromB);
}

// Rules: ack-each-2xx, ack-again, fork-bye
#[test]
fn a_second_fork_that_answers_is_ended_and_the_call_goes_on() {
    let mut stage = Stage::new();
    let (_, out) = up(&mut stage);
    stage.receive(EAST, &answer(&out, 200, "t-fork", "carol@198.51.100.1", &sdp("198.51.100.1", 41000)));
    let to_east = stage.take(EAST);
    assert!(
        to_east[0].starts_with("ACK sip:carol@") && to_east[1].starts_with("BYE sip:carol@"),
        "{to_east:?}"
    );
    assert_eq!(stage.records.len(), 0);
    // The first one repeats its 200: acknowledged again, not ended.
    stage.receive(EAST, &answer(&out, 200, "t-east", "bob@198.51.100.1", &sdp("198.51.100.1", 40000)));
    let again = stage.take(EAST);
    assert!(again.len() == 1 && again[0].starts_with("ACK sip:bob@"), "{again:?}");
}

#[test]
fn silence_in_early_media_does_not_count_and_the_watch_starts_anew_at_the_answer() {
    let mut stage = Stage::new();
    stage.receive(CARRIER, &invite("early", &sdp("192.0.2.1", 30000)));
    let out = stage.take(EAST).remove(0);
    stage.receive(EAST, &answer(&out, 183, "t-east", "bob@198.51.100.1", &sdp("198.51.100.1", 40000)));
    assert_eq!(directions(&stage).len(), 2, "early media flows");
    let session = stage.relayed.iter().find_map(|c| match c {
        RelayCommand::Open(open) => Some(open.session),
        _ => None,
    });
    let silent = RelayEvent::Silent {
        session: session.unwrap(),
        leg: Leg::A,
        since: Time::ZERO,
        kind: SilenceKind::NeverHeard,
    };
    stage.input(Input::Relay(silent));
    assert_eq!(stage.records.len(), 0, "a caller who only listens may be silent");
    stage.relayed.clear();
    stage.receive(EAST, &answer(&out, 200, "t-east", "bob@198.51.100.1", ""));
    assert_eq!(directions(&stage), [(Leg::A, Direction::SendRecv), (Leg::B, Direction::SendRecv)]);
}

/// The target finds the session of a re-INVITE too short, but by now we have no listener there to ask it again from: the
/// answer goes to the re-INVITE, not to the INFO that was carried after it.
#[test]
fn a_request_that_cannot_be_asked_again_is_answered_in_its_own_name() {
    let mut stage = Stage::new();
    let (ok, _) = up(&mut stage);
    stage.receive(CARRIER, &in_dialog(&ok, "INVITE", 7, &sdp("192.0.2.1", 30002)));
    let reinvite = stage.take(EAST).remove(0);
    stage.receive(CARRIER, &in_dialog(&ok, "INFO", 8, ""));
    stage.take(EAST);
    stage.take(CARRIER);
    let mut config = config();
    config.listeners.clear();
    let mut snapshot = Snapshot::first(Arc::new(config));
    (snapshot.generation, snapshot.config_generation) = (2, 2);
    stage.input(Input::Snapshot(Arc::new(snapshot)));
    let short = answer(&reinvite, 422, "", "bob@198.51.100.1", "").replace(";tag=\r\n", "\r\n");
    stage.receive(EAST, &short.replace("Content-Length", "Min-SE: 3600\r\nContent-Length"));
    let said = stage.take(CARRIER);
    assert_eq!(whats(&said), ["500 INVITE"], "{said:?}");
}
