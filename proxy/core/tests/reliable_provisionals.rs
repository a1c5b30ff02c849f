//! RFC 3262: provisional responses that arrive for certain, end to end and on one leg only.

mod common;

use common::dialogs::*;
use common::*;
use proxy_core::CloseReason;
use relay_values::{Direction, Duration, Leg, RelayCommand};

const BOB: &str = "bob@198.51.100.1";

fn offer() -> String {
    sdp("192.0.2.1", 30000)
}

fn early_answer() -> String {
    sdp("198.51.100.1", 40000)
}

/// The carrier's INVITE, with what it says of reliable provisionals; the tier's.
fn called(stage: &mut Stage, says: &str, body: &str) -> String {
    stage.receive(CARRIER, &with(&invite("one", body), says));
    stage.take(CARRIER);
    stage.take(EAST).remove(0)
}

/// A reliable provisional of the tier's.
fn reliable(out: &str, code: u16, tag: &str, rseq: u32, body: &str) -> String {
    with(&answer(out, code, tag, BOB, body), &format!("Require: 100rel\r\nRSeq: {rseq}"))
}

fn prack(progress: &str, cseq: u32, body: &str) -> String {
    let rack = format!("RAck: {} 1 INVITE", header(progress, "RSeq"));
    with(&in_dialog(progress, "PRACK", cseq, body), &rack)
}

fn rseq(progress: &str) -> u32 {
    header(progress, "RSeq").parse().unwrap()
}

// Rules: rel-require-rseq, rel-prack-200, rel-rack, offer-first-place, ack-cseq, uac-require-supported
#[test]
fn both_ends_can_do_it_and_the_callers_prack_reaches_the_callee() {
    let mut stage = Stage::new();
    let out = called(&mut stage, "Supported: 100rel", &offer());
    assert_eq!(header(&out, "Supported"), "100rel");
    stage.receive(EAST, &reliable(&out, 183, "t-east", 5000, &early_answer()));
    let progress = stage.take(CARRIER).remove(0);
    assert_eq!(
        (what(&progress).as_str(), header(&progress, "Require")),
        ("183 INVITE", "100rel"),
        "{progress}"
    );
    assert!((1..1 << 31).contains(&rseq(&progress)), "RFC 3262 §3: {progress}");
    assert!(progress.contains("m=audio 20000"), "{progress}");
    assert_eq!(stage.take(EAST), Vec::<String>::new(), "it is the caller who acknowledges");
    stage.receive(CARRIER, &prack(&progress, 2, ""));
    let carried = stage.take(EAST).remove(0);
    assert!(carried.starts_with("PRACK sip:bob@198.51.100.1"), "{carried}");
    assert_eq!((header(&carried, "RAck"), header(&carried, "CSeq")), ("5000 1 INVITE", "2 PRACK"));
    stage.receive(EAST, &reply(&carried, 200, BOB, "", ""));
    assert_eq!(whats(&stage.take(CARRIER)), ["200 PRACK"]);
    stage.receive(EAST, &answer(&out, 200, "t-east", BOB, ""));
    let ok = stage.take(CARRIER).remove(0);
    assert_eq!((what(&ok).as_str(), body(&ok)), ("200 INVITE", ""), "the answer was given reliably");
    let ack = stage.take(EAST).remove(0);
    assert_eq!((what(&ack).as_str(), header(&ack, "CSeq")), ("ACK", "1 ACK"), "by the INVITE's number");
}

// Rules: rel-repeated, rel-given-up
#[test]
fn what_the_caller_does_not_acknowledge_is_said_again_and_then_the_call_is_refused() {
    let mut stage = Stage::new();
    let out = called(&mut stage, "Supported: 100rel", &offer());
    stage.receive(EAST, &reliable(&out, 183, "t-east", 1, &early_answer()));
    let first = stage.take(CARRIER).remove(0);
    let mut at = vec![];
    for tenth in 1..320 {
        stage.pass(Duration::from_millis(100));
        for again in stage.take(CARRIER) {
            assert_eq!(again, first, "the same, byte for byte");
            at.push(tenth * 100);
        }
    }
    assert_eq!(at, [500, 1500, 3500, 7500, 15_500, 31_500], "RFC 3262 §3: T1, doubled each time, without T2");
    assert_eq!(stage.take(EAST), Vec::<String>::new());
    stage.pass(Duration::from_millis(100));
    assert_eq!(whats(&stage.take(CARRIER)), ["500 INVITE"], "after 64*T1");
    assert_eq!(whats(&stage.take(EAST)), ["CANCEL"]);
    assert_eq!(stage.records[0].close, CloseReason::NoPrack);
}

// Rules: rel-prack-481
#[test]
fn a_prack_of_nothing_or_of_something_acknowledged_is_refused() {
    let mut stage = Stage::new();
    let out = called(&mut stage, "Supported: 100rel", &offer());
    stage.receive(EAST, &reliable(&out, 183, "t-east", 1, &early_answer()));
    let progress = stage.take(CARRIER).remove(0);
    let wrong =
        prack(&progress, 2, "").replace(header(&progress, "RSeq"), &(rseq(&progress) + 1).to_string());
    stage.receive(CARRIER, &wrong);
    assert_eq!(whats(&stage.take(CARRIER)), ["481 PRACK"]);
    stage.receive(CARRIER, &prack(&progress, 3, "").replace(" 1 INVITE", " 2 INVITE"));
    assert_eq!(whats(&stage.take(CARRIER)), ["481 PRACK"], "of another INVITE");
    assert_eq!(stage.take(EAST), Vec::<String>::new());
    stage.receive(CARRIER, &prack(&progress, 4, ""));
    assert_eq!(whats(&stage.take(EAST)), ["PRACK"]);
    stage.receive(CARRIER, &prack(&progress, 5, ""));
    assert_eq!(whats(&stage.take(CARRIER)), ["481 PRACK"], "it is acknowledged");
    assert_eq!(stage.take(EAST), Vec::<String>::new());
}

#[test]
fn a_callers_prack_that_comes_again_is_answered_again_and_carried_once() {
    let mut stage = Stage::new();
    let out = called(&mut stage, "Supported: 100rel", &offer());
    stage.receive(EAST, &reliable(&out, 183, "t-east", 1, &early_answer()));
    let progress = stage.take(CARRIER).remove(0);
    stage.receive(CARRIER, &prack(&progress, 2, ""));
    stage.receive(CARRIER, &prack(&progress, 2, ""));
    let carried = stage.take(EAST);
    assert_eq!(whats(&carried), ["PRACK"]);
    stage.receive(EAST, &reply(&carried[0], 200, BOB, "", ""));
    stage.receive(CARRIER, &prack(&progress, 2, ""));
    assert_eq!(whats(&stage.take(CARRIER)), ["200 PRACK", "200 PRACK"]);
}

// Rules: rel-only-if-offered, rel-prack-sent, rel-rack, uas-no-unasked-extension, invite-2xx-answers
#[test]
fn the_caller_knows_no_such_thing_so_the_callee_has_its_prack_from_us() {
    let mut stage = Stage::new();
    let out = called(&mut stage, "", &offer());
    assert_eq!(header(&out, "Supported").replace("timer", ""), "", "it is not asked for: {out}");
    stage.receive(EAST, &reliable(&out, 183, "t-east", 77, &early_answer()));
    let progress = stage.take(CARRIER).remove(0);
    assert_eq!((header(&progress, "Require"), header(&progress, "RSeq")), ("", ""), "plain: {progress}");
    assert!(progress.contains("m=audio 20000"), "{progress}");
    let ours = stage.take(EAST).remove(0);
    assert_eq!((what(&ours).as_str(), header(&ours, "RAck")), ("PRACK", "77 1 INVITE"));
    stage.receive(EAST, &reply(&ours, 200, BOB, "", ""));
    // It gave its answer reliably, so its 200 has none; the caller's 200 is his first reliable one, and has to.
    stage.receive(EAST, &answer(&out, 200, "t-east", BOB, ""));
    let ok = stage.take(CARRIER).remove(0);
    assert_eq!(what(&ok), "200 INVITE");
    assert_eq!(body(&ok), body(&progress), "one answer, said twice, under one version");
    assert_eq!(header(&stage.take(EAST)[0], "CSeq"), "1 ACK");
}

/// 421 as a target says it that wants an extension.
fn required(out: &str, option: &str) -> String {
    with(&answer(out, 421, "t-east", BOB, ""), &format!("Require: {option}"))
}

#[test]
fn a_target_that_insists_is_offered_them_at_a_second_try() {
    let mut stage = Stage::new();
    let out = called(&mut stage, "", &offer());
    assert!(!out.contains("100rel"), "{out}");
    stage.receive(EAST, &required(&out, "100rel"));
    let [ack, again] = &stage.take(EAST)[..] else { panic!("an ACK and another INVITE") };
    assert!(ack.starts_with("ACK "), "{ack}");
    assert_eq!((header(again, "Supported"), header(again, "CSeq")), ("100rel", "2 INVITE"));
    assert_eq!(header(again, "Call-ID"), header(&out, "Call-ID"), "RFC 3261 §8.1.3.5");
    assert_eq!(stage.take(CARRIER), Vec::<String>::new(), "the caller hears nothing of that");
    stage.receive(EAST, &reliable(again, 183, "t-east", 7, &early_answer()));
    assert_eq!(header(&stage.take(EAST)[0], "RAck"), "7 2 INVITE");
    assert_eq!(whats(&stage.take(CARRIER)), ["183 INVITE"]);
    // Whoever says it again means something else.
    let mut stage = Stage::new();
    let out = called(&mut stage, "", &offer());
    stage.receive(EAST, &required(&out, "100rel"));
    let again = stage.take(EAST).remove(1);
    stage.receive(EAST, &required(&again, "100rel"));
    assert_eq!(whats(&stage.take(EAST)), ["ACK"]);
    assert_eq!(whats(&stage.take(CARRIER)), ["421 INVITE"]);
}

// Rules: response-421-require
#[test]
fn what_only_the_caller_could_offer_is_asked_of_him() {
    // Without an offer in the INVITE a reliable provisional would bring one, and the answer is the caller's to give.
    for (body, option) in
        [(String::new(), "100rel"), (offer(), "100rel, precondition"), (offer(), "sec-agree")]
    {
        let mut stage = Stage::new();
        let out = called(&mut stage, "", &body);
        stage.receive(EAST, &required(&out, option));
        assert_eq!(whats(&stage.take(EAST)), ["ACK"]);
        let told = stage.take(CARRIER).remove(0);
        assert_eq!((what(&told).as_str(), header(&told, "Require")), ("421 INVITE", option));
    }
    // One that was offered is not offered again.
    let mut stage = Stage::new();
    let out = called(&mut stage, "Supported: 100rel", &offer());
    stage.receive(EAST, &required(&out, "100rel"));
    assert_eq!(whats(&stage.take(EAST)), ["ACK"]);
    assert_eq!(whats(&stage.take(CARRIER)), ["421 INVITE"]);
}

// Rules: rel-order, rel-repetition-absorbed, rel-prack-sent, rel-rack
#[test]
fn a_target_may_be_told_that_we_take_them_whatever_the_caller_does() {
    let mut config = config();
    for group in &mut config.groups {
        group.manners.offer_100rel = true;
    }
    let mut stage = Stage::with(config.clone());
    let out = called(&mut stage, "", &offer());
    assert!(out.contains("Supported: 100rel"), "{out}");
    stage.receive(EAST, &reliable(&out, 180, "t-east", 1, ""));
    assert_eq!(whats(&stage.take(EAST)), ["PRACK"]);
    // Its offer would need an answer that he could not give in time.
    let mut stage = Stage::with(config);
    let out = called(&mut stage, "", "");
    assert!(!out.contains("100rel"), "{out}");
}

// Rules: rel-order, rel-repetition-absorbed, rel-prack-sent, rel-rack
#[test]
fn what_comes_out_of_order_is_passed_over_and_what_comes_again_too() {
    let mut stage = Stage::new();
    let out = called(&mut stage, "", &offer());
    stage.receive(EAST, &reliable(&out, 180, "t-east", 10, ""));
    assert_eq!(header(&stage.take(EAST)[0], "RAck"), "10 1 INVITE");
    stage.take(CARRIER);
    stage.receive(EAST, &reliable(&out, 183, "t-east", 12, &early_answer()));
    assert_eq!((stage.take(EAST).len(), stage.take(CARRIER).len()), (0, 0), "11 is missing");
    stage.receive(EAST, &reliable(&out, 180, "t-east", 10, ""));
    assert_eq!(whats(&stage.take(CARRIER)), Vec::<String>::new(), "our PRACK repeats itself");
    let again = stage.take(EAST);
    assert!(again.is_empty(), "{again:?}");
    stage.receive(EAST, &reliable(&out, 181, "t-east", 11, ""));
    assert_eq!(header(&stage.take(EAST)[0], "RAck"), "11 1 INVITE");
    stage.receive(EAST, &reliable(&out, 183, "t-east", 12, &early_answer()));
    let ours = stage.take(EAST).remove(0);
    assert_eq!((header(&ours, "RAck"), header(&ours, "CSeq")), ("12 1 INVITE", "4 PRACK"));
    assert_eq!(whats(&stage.take(CARRIER)), ["181 INVITE", "183 INVITE"]);
    // Over UDP a PRACK without an answer is sent again by its own transaction.
    stage.pass(Duration::from_millis(500));
    assert_eq!(stage.take(EAST).iter().filter(|m| header(m, "RAck") == "12 1 INVITE").count(), 1);
}

// Rules: rel-required, rel-2xx-waits
#[test]
fn the_caller_requires_it_and_the_callee_does_not_know_it() {
    let mut stage = Stage::new();
    let out = called(&mut stage, "Require: 100rel", &offer());
    assert_eq!(header(&out, "Require"), "", "what is required of us is not required of others: {out}");
    assert!(header(&out, "Supported").contains("100rel"), "{out}");
    stage.receive(EAST, &answer(&out, 183, "t-east", BOB, &early_answer()));
    let progress = stage.take(CARRIER).remove(0);
    assert_eq!(header(&progress, "Require"), "100rel", "RFC 3262 §3: all of them");
    // The callee picks up before the caller has acknowledged: his 200 waits for that.
    stage.receive(EAST, &answer(&out, 200, "t-east", BOB, &early_answer()));
    stage.receive(EAST, &answer(&out, 200, "t-east", BOB, &early_answer()));
    assert_eq!(stage.take(CARRIER), Vec::<String>::new());
    assert_eq!(whats(&stage.take(EAST)), ["ACK", "ACK"], "the callee does not wait (RFC 3261 §13.2.2.4)");
    stage.receive(CARRIER, &prack(&progress, 2, ""));
    let heard = stage.take(CARRIER);
    assert_eq!(whats(&heard), ["200 PRACK", "200 INVITE"], "answered here");
    assert_eq!(body(&heard[1]), "", "he has his answer");
    assert_eq!(stage.take(EAST), Vec::<String>::new());
    let told: Vec<_> = stage.relayed.iter().filter_map(direction).collect();
    assert_eq!(told[told.len() - 2..], [(Leg::A, Direction::SendRecv), (Leg::B, Direction::SendRecv)]);
    stage.receive(EAST, &answer(&out, 200, "t-east", BOB, &early_answer()));
    assert_eq!(whats(&stage.take(EAST)), ["ACK"], "said again, acknowledged again");
}

fn direction(command: &RelayCommand) -> Option<(Leg, Direction)> {
    match command {
        RelayCommand::Connect { leg, to, .. } => Some((*leg, to.direction)),
        _ => None,
    }
}

#[test]
fn a_caller_who_gives_up_before_his_prack_leaves_a_callee_who_has_answered() {
    let mut stage = Stage::new();
    let out = called(&mut stage, "Require: 100rel", &offer());
    stage.receive(EAST, &answer(&out, 183, "t-east", BOB, &early_answer()));
    stage.receive(EAST, &answer(&out, 200, "t-east", BOB, &early_answer()));
    stage.take(CARRIER);
    stage.receive(CARRIER, &cancel("one"));
    assert_eq!(whats(&stage.take(CARRIER)), ["200 CANCEL", "487 INVITE"]);
    assert_eq!(whats(&stage.take(EAST)), ["ACK", "BYE"]);
    assert_eq!(stage.records.len(), 1);
    stage.receive(EAST, &answer(&out, 200, "t-east", BOB, &early_answer()));
    assert_eq!(whats(&stage.take(EAST)), ["ACK"], "no second BYE");
}

fn cancel(call: &str) -> String {
    let invite = invite(call, "");
    invite.replace("INVITE sip", "CANCEL sip").replace("1 INVITE", "1 CANCEL")
}

#[test]
fn a_callee_who_answers_and_hangs_up_before_the_prack_is_a_callee_who_declined() {
    let mut stage = Stage::new();
    let out = called(&mut stage, "Require: 100rel", &offer());
    stage.receive(EAST, &answer(&out, 183, "t-east", BOB, &early_answer()));
    stage.receive(EAST, &answer(&out, 200, "t-east", BOB, &early_answer()));
    stage.take(CARRIER);
    stage.receive(EAST, &from_edge(&out, (EAST, "t-east"), "BYE", 1, ""));
    assert_eq!(whats(&stage.take(EAST)), ["ACK", "200 BYE"]);
    assert_eq!(whats(&stage.take(CARRIER)), ["480 INVITE"]);
}

// Rules: rel-stops-at-final, rel-prack-200
#[test]
fn a_180_without_a_description_holds_nothing_back_and_its_prack_may_come_after_the_200() {
    let mut stage = Stage::new();
    let out = called(&mut stage, "Require: 100rel", &offer());
    stage.receive(EAST, &answer(&out, 180, "t-east", BOB, ""));
    let ringing = stage.take(CARRIER).remove(0);
    stage.receive(EAST, &answer(&out, 200, "t-east", BOB, &early_answer()));
    let ok = stage.take(CARRIER).remove(0);
    assert_eq!(what(&ok), "200 INVITE");
    assert!(ok.contains("m=audio 20000"), "the answer: {ok}");
    stage.receive(CARRIER, &in_dialog(&ok, "ACK", 1, ""));
    stage.receive(CARRIER, &prack(&ringing, 2, ""));
    assert_eq!(whats(&stage.take(CARRIER)), ["200 PRACK"], "RFC 3262 §3: it still has to be answered");
    stage.pass(Duration::from_secs(40));
    assert!(!whats(&stage.take(CARRIER)).contains(&"180 INVITE".to_owned()), "nothing is said again");
}

// Rules: offer-first-place, answer-place, rel-answer-in-prack
#[test]
fn a_late_offer_comes_in_a_reliable_183_and_its_answer_in_prack() {
    let mut stage = Stage::new();
    let out = called(&mut stage, "Supported: 100rel", "");
    stage.receive(EAST, &reliable(&out, 183, "t-east", 1, &early_answer()));
    let progress = stage.take(CARRIER).remove(0);
    assert!(progress.contains("m=audio 20000"), "the callee's offer: {progress}");
    assert_eq!(stage.relayed.iter().filter_map(direction).count(), 0);
    stage.receive(CARRIER, &prack(&progress, 2, &offer()));
    let carried = stage.take(EAST).remove(0);
    assert_eq!(what(&carried), "PRACK");
    assert!(body(&carried).contains("m=audio 20002"), "the caller's answer: {carried}");
    assert_eq!(stage.relayed.iter().filter_map(direction).count(), 2, "early media flows");
    stage.receive(EAST, &reply(&carried, 200, BOB, "", ""));
    stage.receive(EAST, &answer(&out, 200, "t-east", BOB, ""));
    let heard = stage.take(CARRIER);
    assert_eq!(whats(&heard), ["200 PRACK", "200 INVITE"]);
    assert_eq!(body(&heard[1]), "");
    assert_eq!(whats(&stage.take(EAST)), ["ACK"], "at once: the exchange is over");
    stage.receive(CARRIER, &in_dialog(&heard[1], "ACK", 1, ""));
    assert_eq!(stage.take(EAST), Vec::<String>::new());
}

#[test]
fn another_fork_with_a_late_offer_of_its_own_has_the_answer_that_the_caller_gave() {
    let mut stage = Stage::new();
    let out = called(&mut stage, "Supported: 100rel", "");
    stage.receive(EAST, &reliable(&out, 183, "t-one", 1, &early_answer()));
    let progress = stage.take(CARRIER).remove(0);
    stage.receive(CARRIER, &prack(&progress, 2, &offer()));
    let carried = stage.take(EAST).remove(0);
    stage.receive(EAST, &reply(&carried, 200, BOB, "", ""));
    stage.take(CARRIER);
    stage.receive(EAST, &answer(&out, 200, "t-two", BOB, &early_answer()));
    let ack = stage.take(EAST).remove(0);
    assert_eq!(what(&ack), "ACK");
    assert!(body(&ack).contains("m=audio 20002"), "the caller's answer: {ack}");
    let heard = stage.take(CARRIER);
    assert_eq!(whats(&heard), ["200 INVITE"]);
    assert_eq!(body(&heard[0]), "", "he has made his");
}

#[test]
fn an_answer_that_waits_behind_a_180_without_its_prack_comes_in_the_200() {
    let mut stage = Stage::new();
    let out = called(&mut stage, "Require: 100rel", &offer());
    stage.receive(EAST, &answer(&out, 180, "t-east", BOB, ""));
    stage.take(CARRIER);
    stage.receive(EAST, &answer(&out, 183, "t-east", BOB, &early_answer()));
    assert_eq!(stage.take(CARRIER), Vec::<String>::new(), "one at a time");
    stage.receive(EAST, &answer(&out, 200, "t-east", BOB, &early_answer()));
    let ok = stage.take(CARRIER).remove(0);
    assert_eq!(what(&ok), "200 INVITE");
    assert!(body(&ok).contains("m=audio 20000"), "{ok}");
}

#[test]
fn an_answer_that_was_never_told_when_its_target_was_left_is_the_next_ones_to_give() {
    let mut stage = Stage::new();
    let out = called(&mut stage, "Require: 100rel", &offer());
    stage.receive(EAST, &answer(&out, 180, "t-east", BOB, ""));
    let ringing = stage.take(CARRIER).remove(0);
    stage.receive(EAST, &answer(&out, 183, "t-east", BOB, &early_answer()));
    assert_eq!(stage.take(CARRIER), Vec::<String>::new(), "it waits for the PRACK of the 180");
    stage.receive(EAST, &answer(&out, 503, "t-east", BOB, ""));
    stage.receive(CARRIER, &prack(&ringing, 2, ""));
    stage.take(CARRIER);
    let next = stage.take(WEST).remove(0);
    stage.receive(WEST, &answer(&next, 200, "t-west", "eve@203.0.113.1", &early_answer()));
    let ok = stage.take(CARRIER).remove(0);
    assert_eq!(what(&ok), "200 INVITE");
    assert!(body(&ok).contains("m=audio 20000"), "his offer has no other answer: {ok}");
}

// Rules: offer-first-place
#[test]
fn a_late_offer_that_is_not_sent_reliably_is_not_told() {
    let mut stage = Stage::new();
    let out = called(&mut stage, "Supported: 100rel", "");
    stage.receive(EAST, &answer(&out, 183, "t-east", BOB, &early_answer()));
    let progress = stage.take(CARRIER).remove(0);
    assert_eq!((what(&progress).as_str(), body(&progress)), ("183 INVITE", ""));
    stage.receive(EAST, &answer(&out, 200, "t-east", BOB, &early_answer()));
    assert!(stage.take(CARRIER)[0].contains("m=audio 20000"), "it comes in the 200");
}

// Rules: rel-offer-in-prack
#[test]
fn prack_brings_a_second_offer_and_its_200_the_answer() {
    let mut stage = Stage::new();
    let out = called(&mut stage, "Supported: 100rel", &offer());
    stage.receive(EAST, &reliable(&out, 183, "t-east", 1, &early_answer()));
    let progress = stage.take(CARRIER).remove(0);
    stage.receive(CARRIER, &prack(&progress, 2, &format!("{}a=sendonly\r\n", offer())));
    let carried = stage.take(EAST).remove(0);
    assert!(body(&carried).contains("a=sendonly") && body(&carried).contains("m=audio 20002"), "{carried}");
    stage.receive(EAST, &reply(&carried, 200, BOB, "", &format!("{}a=recvonly\r\n", early_answer())));
    let ok = stage.take(CARRIER).remove(0);
    assert_eq!(what(&ok), "200 PRACK");
    assert!(body(&ok).contains("a=recvonly") && body(&ok).contains("m=audio 20000"), "{ok}");
    let told: Vec<_> = stage.relayed.iter().filter_map(direction).collect();
    assert_eq!(told[told.len() - 2..], [(Leg::A, Direction::RecvOnly), (Leg::B, Direction::SendOnly)]);
    // Its 200 says what its 183 said, as many do: that is history.
    stage.relayed.clear();
    stage.receive(EAST, &answer(&out, 200, "t-east", BOB, &early_answer()));
    assert_eq!(body(&stage.take(CARRIER)[0]), "");
    let told: Vec<_> = stage.relayed.iter().filter_map(direction).collect();
    assert_eq!(told, [(Leg::A, Direction::RecvOnly), (Leg::B, Direction::SendOnly)], "as PRACK left it");
}

// Rules: early-dialogs, rel-one-at-a-time, rel-rseq-counts
#[test]
fn two_phones_ring_and_each_has_the_prack_that_is_its_own() {
    let mut stage = Stage::new();
    let out = called(&mut stage, "Supported: 100rel", &offer());
    stage.receive(EAST, &reliable(&out, 180, "t-one", 100, ""));
    stage.receive(EAST, &reliable(&out, 180, "t-two", 900, ""));
    let first = stage.take(CARRIER);
    assert_eq!(whats(&first), ["180 INVITE"], "RFC 3262 §3: one at a time");
    stage.receive(CARRIER, &prack(&first[0], 2, ""));
    let second = stage.take(CARRIER);
    assert_eq!(whats(&second), ["180 INVITE"]);
    assert_eq!(rseq(&second[0]), rseq(&first[0]) + 1);
    assert_eq!(header(&second[0], "To"), header(&first[0], "To"), "the caller has one early dialog");
    stage.receive(CARRIER, &prack(&second[0], 3, ""));
    let pracks = stage.take(EAST);
    let whose = |m: &String| (header(m, "To").ends_with("t-one"), header(m, "RAck").to_owned());
    assert_eq!(
        pracks.iter().map(whose).collect::<Vec<_>>(),
        [(true, "100 1 INVITE".to_owned()), (false, "900 1 INVITE".to_owned())]
    );
    assert_eq!(header(&pracks[1], "CSeq"), "2 PRACK", "each dialog counts by itself");
    // Its numbers are its own, too.
    stage.receive(EAST, &reliable(&out, 183, "t-one", 101, &early_answer()));
    let progress = stage.take(CARRIER).remove(0);
    stage.receive(CARRIER, &prack(&progress, 4, ""));
    let third = stage.take(EAST).remove(0);
    assert_eq!((header(&third, "RAck"), header(&third, "CSeq")), ("101 1 INVITE", "3 PRACK"));
    stage.receive(EAST, &answer(&out, 200, "t-two", BOB, &sdp("198.51.100.2", 41000)));
    let ok = stage.take(CARRIER).remove(0);
    assert_eq!((what(&ok).as_str(), body(&ok)), ("200 INVITE", ""), "its answer goes with the one he has");
    let connected = stage.relayed.iter().rev().find_map(|command| match command {
        RelayCommand::Connect { leg: Leg::B, to, .. } => Some(to.remote.rtp.to_string()),
        _ => None,
    });
    assert_eq!(
        connected.as_deref(),
        Some("198.51.100.2:41000"),
        "media goes to the phone that was picked up"
    );
    assert!(header(&stage.take(EAST)[0], "To").ends_with("t-two"));
}

#[test]
fn another_phones_answer_that_does_not_go_with_the_one_the_caller_has_is_not_taken() {
    let mut stage = Stage::new();
    let out = called(&mut stage, "Supported: 100rel", &offer().replace("AVP 0 101", "AVP 0 8 101"));
    stage.receive(EAST, &reliable(&out, 183, "t-one", 1, &early_answer()));
    let progress = stage.take(CARRIER).remove(0);
    stage.receive(CARRIER, &prack(&progress, 2, ""));
    stage.take(EAST);
    let other = early_answer().replace("AVP 0 101", "AVP 8 101");
    stage.receive(EAST, &answer(&out, 200, "t-two", BOB, &other));
    let to_east = stage.take(EAST);
    assert_eq!(whats(&to_east), ["ACK", "BYE"]);
    assert!(to_east.iter().all(|m| header(m, "To").ends_with("t-two")));
    let next = stage.take(WEST).remove(0);
    assert!(next.starts_with("INVITE") && body(&next).contains("RTP/AVP 0 101"), "the hunt goes on: {next}");
}

#[test]
fn the_next_target_is_another_one_but_our_numbers_go_on() {
    let mut stage = Stage::new();
    let out = called(&mut stage, "Supported: 100rel", &offer());
    stage.receive(EAST, &reliable(&out, 183, "t-east", 7, &early_answer()));
    let first = stage.take(CARRIER).remove(0);
    stage.receive(EAST, &answer(&out, 503, "t-east", BOB, ""));
    stage.take(EAST);
    let next = stage.take(WEST).remove(0);
    // Whom it was from is gone: his PRACK is answered here.
    stage.receive(CARRIER, &prack(&first, 2, ""));
    assert_eq!(whats(&stage.take(CARRIER)), ["200 PRACK"]);
    assert_eq!((stage.take(EAST).len(), stage.take(WEST).len()), (0, 0));
    stage.receive(WEST, &reliable(&next, 180, "t-west", 7, "").replace(BOB, "bob@203.0.113.1"));
    let second = stage.take(CARRIER).remove(0);
    assert_eq!(rseq(&second), rseq(&first) + 1);
    stage.receive(CARRIER, &prack(&second, 3, ""));
    assert_eq!(header(&stage.take(WEST)[0], "RAck"), "7 1 INVITE");
    stage.receive(WEST, &answer(&next, 200, "t-west", "bob@203.0.113.1", &sdp("203.0.113.1", 50000)));
    let ok = stage.take(CARRIER).pop().unwrap();
    assert_eq!((what(&ok).as_str(), body(&ok)), ("200 INVITE", ""), "he has had his answer");
}

#[test]
fn a_prack_that_the_left_target_has_not_answered_is_answered_here() {
    let mut stage = Stage::new();
    let out = called(&mut stage, "Supported: 100rel", &offer());
    stage.receive(EAST, &reliable(&out, 180, "t-east", 7, ""));
    let first = stage.take(CARRIER).remove(0);
    stage.receive(CARRIER, &prack(&first, 2, ""));
    assert_eq!(whats(&stage.take(EAST)), ["PRACK"]);
    stage.receive(EAST, &answer(&out, 503, "t-east", BOB, ""));
    assert_eq!(whats(&stage.take(CARRIER)), ["200 PRACK"]);
    let next = stage.take(WEST).remove(0);
    stage.receive(WEST, &answer(&next, 200, "t-west", "bob@203.0.113.1", &sdp("203.0.113.1", 50000)));
    stage.take(CARRIER);
    stage.pass(Duration::from_secs(33));
    assert_eq!(stage.records.len(), 1, "only the missing ACK ends it: {:?}", stage.records);
    assert_eq!(stage.records[0].close, CloseReason::NoAck);
}
