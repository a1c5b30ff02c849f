//! More comes than can be done: what is new is turned away, what is up goes on.

mod common;

use common::{CARRIER, EAST, Stage, answer, config, header, in_dialog, invite, sdp};
use proxy_core::{Input, ListenerId, Output, OverRate, Peer, RejectReason, Transport};
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

/// A datagram arrives behind so much that waits: what is answered at once, `None` if it is to wait, too.
fn arrives(stage: &mut Stage, ahead: Duration, from: &str, text: &str) -> Option<Vec<(String, String)>> {
    assert!(stage.shard.is_wary(stage.now));
    let done = stage.shard.disposes_of(stage.now, ahead, udp(from), text.as_bytes());
    let mut answers = vec![];
    while let Some(output) = stage.shard.poll_output() {
        let Output::Send { to, bytes } = output else { panic!("{output:?}") };
        answers.push((to.remote.to_string(), String::from_utf8_lossy(&bytes).into_owned()));
    }
    done.then_some(answers)
}

#[test]
fn a_call_that_would_wait_too_long_is_refused_where_it_arrives_as_it_would_be_later() {
    let plain = invite("c", &sdp("192.0.2.1", 4000));
    let variants = [
        plain.clone(),
        plain.replace(
            "\r\nMax-Forwards",
            "\r\nVia: SIP/2.0/TCP a.example, SIP/2.0/UDP b;branch=z9hG4bKx\r\nMax-Forwards",
        ),
        plain.replace(";branch=", ";rport;branch="),
        plain.replace(";branch=", ";rport=7;received=1.2.3.4;branch="),
        plain.replace("UDP 192.0.2.1:5060", "UDP 10.0.0.1:5070"),
        plain.replace(";branch=", ";oc;oc-algo=\"loss\";branch="),
        plain.replace("Via:", "v :").replace("From:", "f:").replace("To:", "t:").replace("Call-ID:", "i:"),
        plain.replace("CSeq: 1 INVITE", "cseq:   1   INVITE  "),
    ];
    for text in variants {
        let mut stage = Stage::new();
        overload(&mut stage);
        let at_once = arrives(&mut stage, ms(16), CARRIER, &text).unwrap_or_else(|| panic!("{text}"));
        assert_eq!(at_once.len(), 1, "{text}");
        late(&mut stage, ms(21), &text);
        let sent: Vec<_> = stage.sent.drain(..).map(|(to, text)| (to.to_string(), text)).collect();
        assert_eq!(at_once, sent, "{text}");
        assert_eq!(rejected(&stage, RejectReason::Overload), 2);
        let ack = in_dialog(&sent[0].1, "ACK", 1, "").replace("bKACK1", "bKc");
        assert_eq!(arrives(&mut stage, ms(0), CARRIER, &ack), Some(vec![]), "{ack}");
    }
}

#[test]
fn what_is_out_of_the_ordinary_waits_for_the_whole_judgement() {
    let mut config = config();
    config.rehome.emergency = vec!["112".into()];
    let mut stage = Stage::with(config);
    let ok = up(&mut stage, "up");
    let taken = invite("taken", &sdp("192.0.2.1", 4000));
    stage.receive(CARRIER, &taken);
    overload(&mut stage);
    let plain = invite("c", &sdp("192.0.2.1", 4000));
    let reinvite = in_dialog(&ok, "INVITE", 2, &sdp("192.0.2.1", 4000));
    let others = [
        taken.clone(),
        taken.replace("INVITE sip", "CANCEL sip").replace("1 INVITE", "1 CANCEL"),
        plain.replace("INVITE", "OPTIONS"),
        plain.replace("sip:+15551000@", "sip:112@"),
        plain.replace("To: <sip:+15551000@192.0.2.100>", "To: <urn:service:sos.fire>"),
        plain.replace("Max-Forwards: 70", "Max-Forwards: 70\r\nResource-Priority: esnet.1"),
        plain.replace("z9hG4bK", "1"),
        plain.replace("From: ", "From:\r\n "),
        plain.replace("CSeq: 1 INVITE", "CSeq: 1 INVITE\r\nCSeq: 1 INVITE"),
        plain.replace("SIP/2.0\r\nVia", "SIP/3.0\r\nVia"),
        plain.replace("CSeq: 1 INVITE", "CSeq: 1 BYE"),
        plain.replace("Call-ID", "Caller-ID"),
        plain.split_at(plain.find("\r\n\r\n").unwrap()).0.to_owned(),
        reinvite,
        in_dialog(&ok, "BYE", 3, ""),
        in_dialog(&ok, "ACK", 1, ""),
        ok,
        String::new(),
    ];
    for text in others {
        assert_eq!(arrives(&mut stage, ms(500), CARRIER, &text), None, "{text}");
    }
    assert_eq!(arrives(&mut stage, ms(500), "192.0.2.77:5060", &plain), None, "whom nobody knows");
    assert_eq!(arrives(&mut stage, ms(15), CARRIER, &plain), None, "there is time for it");
    assert!(arrives(&mut stage, ms(16), CARRIER, &plain).is_some(), "and not for this");
    // What is handled has not waited: the estimate is wrong.
    late(&mut stage, ms(10), &options("soon"));
    assert_eq!(arrives(&mut stage, ms(500), CARRIER, &plain), None);
}

#[test]
fn when_there_is_no_time_even_to_refuse_a_call_hears_nothing_until_something_has_been_handled() {
    let mut stage = Stage::new();
    overload(&mut stage);
    let calls = |stage: &mut Stage, from: usize| -> usize {
        let text = |n: usize| invite(&format!("c{n}"), &sdp("192.0.2.1", 4000));
        let answers = |n| arrives(stage, ms(500), CARRIER, &text(n)).expect("it is dealt with").len();
        (from..from + 5_000).map(answers).sum()
    };
    assert_eq!(calls(&mut stage, 0), 4_096);
    assert_eq!(rejected(&stage, RejectReason::Unanswered), 904);
    for n in 0..100 {
        late(&mut stage, ms(15), &options(&format!("o{n}")));
    }
    assert_eq!(calls(&mut stage, 10_000), 100, "one for each");
    // A call for help, and what belongs to calls, is none of these.
    let help = invite("help", "").replace("To: <sip:+15551000@192.0.2.100>", "To: <urn:service:sos>");
    assert_eq!(arrives(&mut stage, ms(500), CARRIER, &help), None);
}

#[test]
fn nothing_is_refused_where_it_arrives_before_there_is_an_overload_and_it_ends_by_itself() {
    let mut stage = Stage::new();
    let plain = invite("c", &sdp("192.0.2.1", 4000));
    assert!(!stage.shard.is_wary(stage.now));
    assert!(!stage.shard.disposes_of(stage.now, ms(500), udp(CARRIER), plain.as_bytes()));
    overload(&mut stage);
    assert!(stage.shard.counts().overloaded);
    // Nothing comes any more.
    stage.pass(ms(400));
    assert!(!stage.shard.counts().overloaded);
    assert_eq!(arrives_calmly(&mut stage, &plain), "100");
    stage.pass(Duration::from_secs(40));
    assert!(!stage.shard.is_wary(stage.now));
}

fn arrives_calmly(stage: &mut Stage, text: &str) -> String {
    assert!(!stage.shard.disposes_of(stage.now, ms(500), udp(CARRIER), text.as_bytes()));
    stage.receive(CARRIER, text);
    codes(&stage.take(CARRIER)).join(" ")
}

fn udp(from: &str) -> Peer {
    Peer { transport: Transport::Udp, listener: ListenerId(0), remote: from.parse().unwrap() }
}
