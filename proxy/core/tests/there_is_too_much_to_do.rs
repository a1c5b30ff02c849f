//! More comes than can be done: what is new is turned away, what is up goes on.

mod common;

use common::{CARRIER, EAST, Stage, answer, config, header, in_dialog, invite, sdp};
use proxy_core::{Input, OverRate, RejectReason};
use relay_values::Duration;

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// The next message has waited for so long.
fn late(stage: &mut Stage, waited: Duration, text: &str) {
    stage.input(Input::Waited(waited));
    stage.receive(CARRIER, text);
}

/// Messages have been late for an interval.
fn overload(stage: &mut Stage) {
    for _ in 0..3 {
        late(stage, ms(60), &options("busy"));
        stage.pass(ms(60));
    }
    stage.take(CARRIER);
}

fn options(call: &str) -> String {
    invite(call, "").replace("INVITE", "OPTIONS").replace(&format!("bK{call}"), &format!("bKo{call}"))
}

fn codes(messages: &[String]) -> Vec<&str> {
    messages.iter().map(|text| text.get(8..11).unwrap_or_default()).collect()
}

fn rejected(stage: &Stage, reason: RejectReason) -> u64 {
    stage.shard.counters().rejected(reason)
}

/// A call that is up: what the carrier got.
fn up(stage: &mut Stage, call: &str) -> String {
    stage.receive(CARRIER, &invite(call, &sdp("192.0.2.1", 4000)));
    let to_edge = stage.take(EAST).pop().unwrap();
    stage.receive(EAST, &answer(&to_edge, 200, "edge", "east@198.51.100.1", &sdp("198.51.100.1", 6000)));
    let ok = stage.take(CARRIER).pop().unwrap();
    assert_eq!(&ok[8..11], "200");
    stage.receive(CARRIER, &in_dialog(&ok, "ACK", 1, ""));
    stage.take(EAST);
    ok
}

#[test]
fn a_late_invite_is_answered_503_and_leaves_nothing_behind() {
    let mut stage = Stage::new();
    overload(&mut stage);
    let before = stage.shard.counts().transactions;
    let text = invite("late", &sdp("192.0.2.1", 4000));
    late(&mut stage, ms(21), &text);
    let answers = stage.take(CARRIER);
    assert_eq!(codes(&answers), ["503"]);
    assert_eq!(header(&answers[0], "Retry-After"), "2");
    assert_eq!(stage.shard.counts().transactions, before);
    assert_eq!(rejected(&stage, RejectReason::Overload), 1);
    assert!(stage.take(EAST).is_empty() && stage.records.is_empty());
    // It is repeated because the answer was lost: the same answer, to the letter.
    late(&mut stage, ms(21), &text);
    assert_eq!(stage.take(CARRIER), answers);
    // And acknowledged: nobody wonders what that is for.
    let ack = in_dialog(&answers[0], "ACK", 1, "").replace("bKACK1", "bKlate");
    stage.receive(CARRIER, &ack);
    assert_eq!(rejected(&stage, RejectReason::NoDialog), 0);
    assert!(stage.sent.is_empty());
}

#[test]
fn what_is_not_late_is_taken_even_in_an_overload_and_everything_is_once_it_is_over() {
    let mut stage = Stage::new();
    overload(&mut stage);
    late(&mut stage, ms(20), &invite("early", &sdp("192.0.2.1", 4000)));
    assert_eq!(codes(&stage.take(CARRIER)), ["100"]);
    stage.receive(CARRIER, &options("calm"));
    stage.pass(ms(100));
    stage.receive(CARRIER, &options("calmer"));
    stage.take(CARRIER);
    late(&mut stage, ms(90), &invite("burst", &sdp("192.0.2.1", 4000)));
    assert_eq!(codes(&stage.take(CARRIER)), ["100"], "one late message is a burst, and no overload");
}

#[test]
fn calls_that_are_up_notice_nothing() {
    let mut stage = Stage::new();
    let ok = up(&mut stage, "up");
    overload(&mut stage);
    late(&mut stage, ms(500), &in_dialog(&ok, "INFO", 2, ""));
    let across = stage.take(EAST).pop().unwrap();
    stage.input(Input::Waited(ms(500)));
    stage.receive(EAST, &answer(&across, 200, "x", "east@198.51.100.1", ""));
    late(&mut stage, ms(500), &in_dialog(&ok, "BYE", 3, ""));
    let messages = stage.take(CARRIER);
    assert!(
        messages.iter().any(|m| m.starts_with("SIP/2.0 200") && header(m, "CSeq") == "3 BYE"),
        "{messages:?}"
    );
    assert!(stage.take(EAST).iter().any(|m| m.starts_with("BYE ")));
    assert_eq!(rejected(&stage, RejectReason::Overload), 0);
}

#[test]
fn a_call_that_was_taken_before_goes_on_its_invite_repeated_and_cancelled() {
    let mut stage = Stage::new();
    let text = invite("early", &sdp("192.0.2.1", 4000));
    stage.receive(CARRIER, &text);
    assert_eq!(codes(&stage.take(CARRIER)), ["100"]);
    overload(&mut stage);
    late(&mut stage, ms(60), &text);
    assert_eq!(codes(&stage.take(CARRIER)), ["100"]);
    late(&mut stage, ms(60), &text.replace("INVITE sip", "CANCEL sip").replace("1 INVITE", "1 CANCEL"));
    assert_eq!(codes(&stage.take(CARRIER)), ["200", "487"]);
    assert_eq!(rejected(&stage, RejectReason::Overload), 0);
}

#[test]
fn a_call_for_help_is_taken_however_late_it_is() {
    let mut config = config();
    config.rehome.emergency = vec!["112".into()];
    let mut stage = Stage::with(config);
    overload(&mut stage);
    let plain = |call: &str| invite(call, &sdp("192.0.2.1", 4000));
    let number = plain("a").replace("sip:+15551000@", "sip:112@");
    let urn = plain("b").replace("To: <sip:+15551000@192.0.2.100>", "To: <urn:service:sos.fire>");
    let urgent = plain("c").replace("Max-Forwards: 70", "Max-Forwards: 70\r\nResource-Priority: esnet.1");
    for text in [number, urn, urgent] {
        late(&mut stage, ms(900), &text);
        assert_eq!(codes(&stage.take(CARRIER)), ["100"], "{text}");
    }
    let almost = plain("d").replace("To: <sip:+15551000@192.0.2.100>", "To: <urn:service:sosx>");
    late(&mut stage, ms(900), &almost);
    assert_eq!(codes(&stage.take(CARRIER)), ["503"]);
}

#[test]
fn a_trunk_begins_no_more_calls_in_a_second_than_it_may_and_retransmissions_are_none() {
    let mut config = config();
    config.trunks[0].calls_per_second = Some(5);
    let mut stage = Stage::with(config);
    let mut taken = 0;
    for n in 0..20 {
        let text = invite(&format!("c{n}"), &sdp("192.0.2.1", 4000));
        stage.receive(CARRIER, &text);
        stage.receive(CARRIER, &text);
        let answers = stage.take(CARRIER);
        assert_eq!(answers.len(), 2);
        taken += usize::from(codes(&answers) == ["100", "100"]);
    }
    assert_eq!(taken, 5);
    assert_eq!(rejected(&stage, RejectReason::RateLimit), 30);
    stage.pass(ms(200));
    stage.receive(CARRIER, &invite("next", &sdp("192.0.2.1", 4000)));
    assert!(codes(&stage.take(CARRIER)).contains(&"100"));
}

#[test]
fn who_asks_too_often_may_be_met_with_silence() {
    let mut config = config();
    config.overload.source_rate = Some(3);
    config.overload.over_rate = OverRate::Drop;
    let mut stage = Stage::with(config);
    for n in 0..10 {
        stage.receive(CARRIER, &options(&format!("c{n}")));
    }
    assert_eq!(codes(&stage.take(CARRIER)), ["200"; 3]);
    assert_eq!(rejected(&stage, RejectReason::RateLimit), 7);
}
