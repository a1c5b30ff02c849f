//! A carrier's call enters, reaches a region's edge, and ends; nothing of one side shows on the other.

mod common;

use common::*;
use proxy_core::{CloseReason, EvidenceKind, HuntReason, RejectReason, StepOutcome};
use relay_values::{Duration, RelayCommand};

/// Everything that only the carrier may know, and everything that only the tier may.
const CARRIERS_OWN: [&str; 5] = ["192.0.2.1", "carrier.example", "c-one", "z9hG4bKone", "30000"];
const TIERS_OWN: [&str; 3] = ["198.51.100.1", "t-east", "40000"];

// Rules: ack-each-2xx, bye-200, invite-2xx-answers, dialog-loose-route
#[test]
fn a_call_is_answered_and_hung_up_by_the_caller() {
    let mut stage = Stage::new();
    stage.receive(CARRIER, &invite("one", &sdp("192.0.2.1", 30000)));
    let to_carrier = stage.take(CARRIER);
    assert!(to_carrier[0].starts_with("SIP/2.0 100"), "{to_carrier:?}");
    let to_east = stage.take(EAST);
    assert_eq!(to_east.len(), 1, "one INVITE");
    let out = to_east[0].clone();
    assert!(out.starts_with("INVITE sip:+15551000@198.51.100.1:5060 SIP/2.0\r\n"), "{out}");
    assert_eq!(header(&out, "Max-Forwards"), "69");
    assert!(header(&out, "From").starts_with("\"Ann\" <sip:+15552000@192.0.2.100>;tag="), "{out}");
    for secret in CARRIERS_OWN {
        assert!(!out.replace("192.0.2.100", "US").contains(secret), "{secret} shows in {out}");
    }
    assert!(out.contains("m=audio 20002 RTP/AVP 0 101\r\n"), "{out}");

    stage.receive(EAST, &answer(&out, 180, "t-east", "bob@198.51.100.1", ""));
    let ringing = stage.take(CARRIER);
    assert!(ringing[0].starts_with("SIP/2.0 180"), "{ringing:?}");
    stage.receive(EAST, &answer(&out, 200, "t-east", "bob@198.51.100.1", &sdp("198.51.100.1", 40000)));
    let ack = stage.take(EAST);
    assert!(ack[0].starts_with("ACK sip:bob@198.51.100.1 SIP/2.0\r\n"), "{ack:?}");
    let ok = stage.take(CARRIER).remove(0);
    assert!(ok.starts_with("SIP/2.0 200"), "{ok}");
    assert_eq!(header(&ok, "To"), header(&ringing[0], "To"), "one dialog for the caller");
    assert!(ok.contains("m=audio 20000 RTP/AVP 0 101\r\n"), "{ok}");
    for secret in TIERS_OWN {
        assert!(!ok.contains(secret), "{secret} shows in {ok}");
    }
    let connects = stage.relayed.iter().filter(|c| matches!(c, RelayCommand::Connect { .. })).count();
    assert_eq!(connects, 2, "both legs are connected");

    stage.receive(CARRIER, &in_dialog(&ok, "ACK", 1, ""));
    stage.pass(Duration::from_secs(3));
    assert_eq!(stage.take(CARRIER), Vec::<String>::new(), "an acknowledged 200 is not repeated");
    stage.receive(CARRIER, &in_dialog(&ok, "BYE", 2, ""));
    assert!(stage.take(CARRIER)[0].starts_with("SIP/2.0 200"));
    let bye = stage.take(EAST).remove(0);
    assert!(bye.starts_with("BYE sip:bob@198.51.100.1 SIP/2.0\r\n"), "{bye}");
    stage.receive(EAST, &answer(&bye, 200, "t-east", "bob@198.51.100.1", ""));

    assert_eq!(stage.records.len(), 1);
    let record = &stage.records[0];
    assert_eq!((record.close, record.code), (CloseReason::ByeFromA, 200));
    assert_eq!(record.steps[0].outcome, StepOutcome::Answered);
    stage.pass(Duration::from_secs(70));
    let counts = stage.shard.counts();
    assert_eq!((counts.answered, counts.closing, counts.hunting, counts.transactions), (0, 0, 0, 0));
}

#[test]
fn a_silent_region_costs_the_caller_the_hunt_timer_and_nothing_more() {
    let mut stage = Stage::new();
    stage.receive(CARRIER, &invite("two", &sdp("192.0.2.1", 30000)));
    assert_eq!(stage.take(EAST).len(), 1);
    stage.pass(Duration::from_millis(199));
    assert_eq!(stage.take(WEST).len(), 0);
    stage.pass(Duration::from_millis(1));
    let west = stage.take(WEST);
    assert!(west[0].starts_with("INVITE sip:+15551000@203.0.113.1:5060"), "{west:?}");
    assert_eq!(stage.evidence[0].kind, EvidenceKind::NoResponse);

    // East wakes up late: it is cancelled once it says anything, and its late answer is not taken.
    stage.receive(WEST, &answer(&west[0], 200, "t-west", "bob@203.0.113.1", &sdp("203.0.113.1", 40000)));
    let ok = stage.take(CARRIER).pop().unwrap();
    assert!(ok.starts_with("SIP/2.0 200"), "{ok}");
    stage.receive(CARRIER, &in_dialog(&ok, "ACK", 1, ""));
    stage.receive(CARRIER, &in_dialog(&ok, "BYE", 2, ""));
    let record = &stage.records[0];
    let outcome = StepOutcome::Advanced { reason: HuntReason::NoResponse, code: 0 };
    assert_eq!(record.steps.iter().map(|s| s.outcome).collect::<Vec<_>>(), [outcome, StepOutcome::Answered]);
}

// Rules: cancel-487, fork-bye
#[test]
fn the_callers_cancel_wins_and_the_late_answer_is_ended() {
    let mut stage = Stage::new();
    let invite = invite("three", &sdp("192.0.2.1", 30000));
    stage.receive(CARRIER, &invite);
    let out = stage.take(EAST).remove(0);
    stage.receive(EAST, &answer(&out, 180, "t-east", "bob@198.51.100.1", ""));
    let cancel = invite.split("Record-Route").next().unwrap().replacen("INVITE", "CANCEL", 1);
    let cancel = format!(
        "{cancel}Max-Forwards: 70\r\nFrom: {}\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: 1 CANCEL\r\nContent-Length: 0\r\n\r\n",
        header(&invite, "From"),
        header(&invite, "To"),
        header(&invite, "Call-ID"),
    );
    stage.take(CARRIER);
    stage.receive(CARRIER, &cancel);
    let to_carrier = stage.take(CARRIER);
    assert!(
        to_carrier.iter().any(|m| m.starts_with("SIP/2.0 200") && header(m, "CSeq") == "1 CANCEL"),
        "{to_carrier:?}"
    );
    assert!(to_carrier.iter().any(|m| m.starts_with("SIP/2.0 487")), "{to_carrier:?}");
    assert!(stage.take(EAST)[0].starts_with("CANCEL"), "the target had rung");
    assert_eq!(stage.records[0].close, CloseReason::Cancelled);
    stage.receive(EAST, &answer(&out, 200, "t-east", "bob@198.51.100.1", &sdp("198.51.100.1", 40000)));
    let to_east = stage.take(EAST);
    assert!(to_east[0].starts_with("ACK") && to_east[1].starts_with("BYE"), "{to_east:?}");
}

#[test]
fn a_callee_who_declines_is_not_hunted_around() {
    let mut stage = Stage::new();
    stage.receive(CARRIER, &invite("four", &sdp("192.0.2.1", 30000)));
    let out = stage.take(EAST).remove(0);
    stage.receive(EAST, &answer(&out, 603, "t-east", "bob@198.51.100.1", ""));
    assert!(stage.take(EAST)[0].starts_with("ACK"));
    assert_eq!(stage.take(WEST).len(), 0);
    assert!(stage.take(CARRIER).iter().any(|m| m.starts_with("SIP/2.0 603")));
    assert_eq!(stage.records[0].close, CloseReason::Refused);
}

#[test]
fn the_next_target_is_told_other_ports_than_the_one_that_was_left_and_the_caller_keeps_his() {
    let mut stage = Stage::new();
    stage.receive(CARRIER, &invite("ports-anew", &sdp("192.0.2.1", 30000)));
    let media = |message: &str| message.lines().find(|line| line.starts_with("m=")).unwrap().to_owned();
    let east = stage.take(EAST).remove(0);
    stage.receive(EAST, &answer(&east, 183, "t-east", "bob@198.51.100.1", &sdp("198.51.100.1", 40000)));
    let early = stage.take(CARRIER).pop().unwrap();
    assert!(early.starts_with("SIP/2.0 183"), "{early}");
    stage.receive(EAST, &answer(&east, 503, "t-east", "bob@198.51.100.1", ""));
    let west = stage.take(WEST).remove(0);
    assert_ne!(media(&west), media(&east), "east may still send to the port that it was told");
    stage.receive(WEST, &answer(&west, 200, "t-west", "bob@203.0.113.1", &sdp("203.0.113.1", 40000)));
    let ok = stage.take(CARRIER).pop().unwrap();
    assert!(ok.starts_with("SIP/2.0 200"), "{ok}");
    assert_eq!(media(&ok), media(&early), "his answer was given once (RFC 3261 §13.2.1)");
    assert_eq!(stage.opened, 2);
    assert!(!stage.relayed.iter().any(|command| matches!(command, RelayCommand::Release { .. })));
}

#[test]
fn a_target_of_another_latching_gets_a_session_of_its_own() {
    let mut config = config();
    config.groups[1].latching = relay_values::Latching::Exact;
    let mut stage = Stage::with(config);
    stage.receive(CARRIER, &invite("latch", &sdp("192.0.2.1", 30000)));
    stage.pass(Duration::from_millis(200));
    let opened: Vec<_> = stage
        .relayed
        .iter()
        .filter_map(|command| match command {
            RelayCommand::Open(open) => Some(open.b.latching),
            _ => None,
        })
        .collect();
    assert_eq!(opened, [relay_values::Latching::Learn, relay_values::Latching::Exact]);
    assert_eq!(stage.relayed.iter().filter(|c| matches!(c, RelayCommand::Release { .. })).count(), 1);
    assert_eq!(stage.take(WEST).len(), 1);
}

#[test]
fn a_call_without_ports_is_refused_with_a_time_to_come_back() {
    let mut stage = Stage::new();
    stage.exhausted = true;
    stage.receive(CARRIER, &invite("ports", &sdp("192.0.2.1", 30000)));
    let refusal = stage.take(CARRIER).pop().unwrap();
    assert!(refusal.starts_with("SIP/2.0 503"), "{refusal}");
    assert_eq!(header(&refusal, "Retry-After"), "2");
    assert_eq!(stage.take(EAST), Vec::<String>::new(), "nobody was rung");
    let record = &stage.records[0];
    assert_eq!((record.close, record.reject), (CloseReason::Rejected, Some(RejectReason::NoMedia)));
}

#[test]
fn how_long_a_bye_waits_for_its_end_is_counted_by_what_came_of_it() {
    for (answers, bucket, waited) in [
        (true, (2, 0), Duration::from_millis(80)),
        // Timer F.
        (false, (10, 1), Duration::from_secs(32)),
    ] {
        let mut stage = Stage::new();
        stage.receive(CARRIER, &invite("one", &sdp("192.0.2.1", 30000)));
        let out = stage.take(EAST).remove(0);
        stage.receive(EAST, &answer(&out, 200, "t-east", "bob@198.51.100.1", &sdp("198.51.100.1", 40000)));
        stage.take(EAST);
        let ok = stage.take(CARRIER).pop().unwrap();
        stage.receive(CARRIER, &in_dialog(&ok, "ACK", 1, ""));
        stage.receive(CARRIER, &in_dialog(&ok, "BYE", 2, ""));
        let bye = stage.take(EAST).remove(0);
        assert!(bye.starts_with("BYE "), "{bye}");
        if answers {
            stage.pass(Duration::from_millis(80));
            stage.receive(EAST, &answer(&bye, 200, "t-east", "bob@198.51.100.1", ""));
        } else {
            stage.pass(Duration::from_secs(33));
        }
        let mut expected = [vec![0; 12], vec![0; 12]];
        expected[bucket.1][bucket.0] = 1;
        let counted: Vec<_> = stage.shard.counters().disconnects().map(|(_, delays)| *delays).collect();
        for (delays, expected) in counted.iter().zip(expected) {
            assert_eq!(delays.counts(), expected);
        }
        assert_eq!(counted.iter().map(|delays| delays.sum()).sum::<Duration>(), waited);
    }
}
