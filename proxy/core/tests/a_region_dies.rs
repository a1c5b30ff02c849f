//! A region dies under an answered call: its tier leg moves, and the carrier hears nothing of it.

mod common;

use common::*;
use proxy_core::*;
use relay_values::{Duration, Gap, Leg, RegionId, RelayCommand, RelayEvent, SessionId, SilenceKind, Time};
use std::sync::Arc;

const EAST_MEDIA: &str = "198.51.100.1";
const WEST_MEDIA: &str = "203.0.113.1";

/// A call that is up in east: the 200 that the carrier got.
fn up(stage: &mut Stage, call: &str) -> String {
    stage.receive(CARRIER, &invite(call, &sdp("192.0.2.1", 30000)));
    let out = stage.take(EAST).remove(0);
    stage.receive(EAST, &answer(&out, 200, "t-east", "bob@198.51.100.1", &sdp(EAST_MEDIA, 40000)));
    let ok = stage.take(CARRIER).pop().unwrap();
    stage.receive(CARRIER, &in_dialog(&ok, "ACK", 1, ""));
    stage.take(EAST);
    stage.relayed.clear();
    ok
}

/// The next generation, in which these edges and regions are down and no others.
fn down(stage: &mut Stage, edges: &[u16], regions: &[u16]) {
    let mut snapshot = (*stage.snapshot).clone();
    snapshot.generation += 1;
    for (id, health) in (0..).zip(&mut snapshot.health) {
        health.state = if edges.contains(&id) { TargetState::Down } else { TargetState::Up };
        health.since = stage.now;
    }
    for (id, region) in (0..).zip(&mut snapshot.regions) {
        region.state = if regions.contains(&id) { RegionState::Down } else { RegionState::Up };
        (region.since, region.suspected) =
            (stage.now, Time::from_nanos(stage.now.as_nanos().saturating_sub(100_000_000)));
    }
    stage.snapshot = Arc::new(snapshot);
    let snapshot = stage.snapshot.clone();
    stage.input(Input::Snapshot(snapshot));
    stage.pass(Duration::ZERO);
}

/// East dies: the INVITE that west gets.
fn east_dies(stage: &mut Stage) -> String {
    down(stage, &[0], &[0]);
    stage.take(WEST).remove(0)
}

/// West answers it with what was offered.
fn west_takes(stage: &mut Stage, invite: &str) {
    stage.receive(WEST, &answer(invite, 200, "t-west", "eve@203.0.113.1", &sdp(WEST_MEDIA, 50000)));
}

fn session(stage: &Stage) -> SessionId {
    let mut sessions = stage.relayed.iter().filter_map(|command| match command {
        RelayCommand::Bridge { session, .. } | RelayCommand::Retarget { session, .. } => Some(*session),
        _ => None,
    });
    sessions.next().unwrap()
}

fn resume(stage: &mut Stage) {
    let session = session(stage);
    let gap = Gap {
        last: Some(Time::from_nanos(stage.now.as_nanos().saturating_sub(150_000_000))),
        filled: Some(Time::from_nanos(stage.now.as_nanos().saturating_sub(50_000_000))),
        resumed: stage.now,
    };
    stage.input(Input::Relay(RelayEvent::Resumed { session, leg: Leg::B, gap }));
}

fn receipts(stage: &mut Stage) -> Vec<Receipt> {
    let events = std::mem::take(&mut stage.events);
    events
        .into_iter()
        .filter_map(|event| if let Event::Moved(receipt) = event { Some(*receipt) } else { None })
        .collect()
}

#[test]
fn the_tier_leg_moves_and_the_carrier_hears_nothing() {
    let mut stage = Stage::new();
    stage.pass(Duration::from_secs(3));
    up(&mut stage, "one");
    stage.pass(Duration::from_secs(5));
    down(&mut stage, &[0], &[0]);

    let invite = stage.take(WEST).remove(0);
    assert!(invite.starts_with("INVITE sip:+15551000@203.0.113.1:5060 SIP/2.0"), "{invite}");
    assert!(header(&invite, "From").starts_with("\"Ann\" <sip:+15552000@192.0.2.100>;tag="), "{invite}");
    let (_, body) = invite.split_once("\r\n\r\n").unwrap();
    assert!(body.contains("m=audio 20002 RTP/AVP 0 101"), "the codec of the call and nothing else: {body}");
    assert!(
        matches!(stage.relayed[..], [RelayCommand::Bridge { leg: Leg::B, fill: Some(_), .. }]),
        "{:?}",
        stage.relayed
    );

    stage.pass(Duration::from_millis(20));
    west_takes(&mut stage, &invite);
    assert!(stage.take(WEST)[0].starts_with("ACK sip:eve@203.0.113.1"));
    let retarget = stage.relayed.iter().find(|c| matches!(c, RelayCommand::Retarget { .. }));
    let Some(RelayCommand::Retarget { leg: Leg::B, region: RegionId(1), to: Some(to), .. }) = retarget else {
        panic!("{:?}", stage.relayed)
    };
    assert_eq!(to.remote.rtp.to_string(), "203.0.113.1:50000");
    stage.pass(Duration::from_millis(30));
    resume(&mut stage);
    assert_eq!(stage.take(CARRIER), Vec::<String>::new(), "no SIP at all");

    let told = receipts(&mut stage);
    let [receipt] = &told[..] else { panic!("{told:?}") };
    assert_eq!(receipt.outcome, MoveOutcome::Moved);
    assert_eq!(receipt.reason, MoveReason::RegionDown);
    assert_eq!((&*receipt.from.0, &*receipt.to.0, &*receipt.to.1), ("east-1", "west-1", "west"));
    assert_eq!(receipt.identity_before, receipt.identity_after);
    assert_eq!(receipt.gap_media, Some(Duration::from_millis(100)));
    assert_eq!(receipt.gap_conversation, Some(Duration::from_millis(150)));
    assert!(receipt.detected < receipt.decided && receipt.answered < receipt.resumed, "{receipt:?}");
}

#[test]
fn after_the_move_a_bye_from_the_new_edge_ends_the_call_with_its_receipt_in_the_record() {
    let mut stage = Stage::new();
    up(&mut stage, "one");
    let invite = east_dies(&mut stage);
    west_takes(&mut stage, &invite);
    resume(&mut stage);
    let bye = format!(
        "BYE sip:192.0.2.100:5060 SIP/2.0\r\nVia: SIP/2.0/UDP 203.0.113.1:5060;branch=z9hG4bKbye\r\nMax-Forwards: 70\r\n\
         From: {};tag=t-west\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: 1 BYE\r\nContent-Length: 0\r\n\r\n",
        header(&invite, "To"),
        header(&invite, "From"),
        header(&invite, "Call-ID")
    );
    stage.receive(WEST, &bye);
    assert!(stage.take(CARRIER)[0].starts_with("BYE"));
    let [record] = &stage.records[..] else { panic!("{:?}", stage.records) };
    assert_eq!(record.close, CloseReason::ByeFromB);
    assert_eq!(record.moves.len(), 1);
}

#[test]
fn the_leg_left_behind_hears_bye_again_when_its_region_is_back() {
    let mut stage = Stage::new();
    up(&mut stage, "one");
    let invite = east_dies(&mut stage);
    west_takes(&mut stage, &invite);
    stage.pass(Duration::ZERO);
    assert!(stage.take(EAST)[0].starts_with("BYE"), "at once, in case that somebody hears it");
    stage.pass(Duration::from_secs(60));
    stage.take(EAST);
    down(&mut stage, &[], &[]);
    let again = stage.take(EAST);
    assert!(again[0].starts_with("BYE sip:bob@198.51.100.1"), "{again:?}");
    stage.receive(
        EAST,
        &answer(&again[0], 481, "t-east", "bob@198.51.100.1", "")
            .replace(";tag=t-east;tag=t-east", ";tag=t-east"),
    );
    assert_eq!(stage.shard.counts().ghosts, 0);
}

#[test]
fn a_leg_at_a_dead_edge_hears_later_why_its_call_has_ended() {
    let mut config = config();
    config.rehome.enabled = false;
    let mut stage = Stage::with(config);
    stage.receive(CARRIER, &invite("one", &sdp("192.0.2.1", 30000)));
    let out = stage.take(EAST).remove(0);
    stage.receive(EAST, &answer(&out, 200, "t-east", "bob@198.51.100.1", &sdp(EAST_MEDIA, 40000)));
    let ok = stage.take(CARRIER).pop().unwrap();
    stage.receive(CARRIER, &in_dialog(&ok, "ACK", 1, ""));
    let session = stage.relayed.iter().find_map(|command| match command {
        RelayCommand::Open(open) => Some(open.session),
        _ => None,
    });
    down(&mut stage, &[0], &[0]);
    let (session, kind) = (session.unwrap(), SilenceKind::Stopped);
    stage.input(Input::Relay(RelayEvent::Silent { session, leg: Leg::B, since: Time::ZERO, kind }));
    assert_eq!(stage.records[0].close, CloseReason::MediaTimeout);
    stage.pass(Duration::from_secs(60));
    stage.take(EAST);
    down(&mut stage, &[], &[]);
    let bye = stage.take(EAST).remove(0);
    assert!(bye.starts_with("BYE") && header(&bye, "Reason").contains("media_timeout"), "{bye}");
}

#[test]
fn a_call_that_nobody_takes_ends_at_its_deadline_with_a_reason() {
    let mut stage = Stage::new();
    up(&mut stage, "one");
    down(&mut stage, &[0, 1], &[0, 1]);
    stage.pass(Duration::from_millis(9_900));
    assert!(stage.take(CARRIER).is_empty(), "patience");
    stage.pass(Duration::from_millis(200));
    let bye = stage.take(CARRIER);
    assert!(bye[0].starts_with("BYE") && bye[0].contains("not_rehomed"), "{bye:?}");
    let told = receipts(&mut stage);
    assert_eq!(told[0].outcome, MoveOutcome::Deadline);
    assert_eq!(stage.take(WEST), Vec::<String>::new(), "what is down is not asked");
}

#[test]
fn the_carrier_that_hangs_up_in_the_middle_is_obeyed_and_the_new_edge_is_cancelled() {
    let mut stage = Stage::new();
    let ok = up(&mut stage, "one");
    let invite = east_dies(&mut stage);
    stage.receive(WEST, &answer(&invite, 180, "t-west", "eve@203.0.113.1", ""));
    stage.receive(CARRIER, &in_dialog(&ok, "BYE", 2, ""));
    assert!(stage.take(CARRIER)[0].starts_with("SIP/2.0 200"));
    assert!(stage.take(WEST)[0].starts_with("CANCEL"));
    west_takes(&mut stage, &invite);
    let after = stage.take(WEST);
    assert!(after[0].starts_with("ACK") && after[1].starts_with("BYE"), "{after:?}");
    assert_eq!(receipts(&mut stage)[0].outcome, MoveOutcome::HungUp);
}

#[test]
fn a_reinvite_of_the_carrier_in_the_middle_is_put_off() {
    let mut stage = Stage::new();
    let ok = up(&mut stage, "one");
    down(&mut stage, &[0], &[0]);
    stage.receive(CARRIER, &in_dialog(&ok, "INVITE", 2, &sdp("192.0.2.1", 30002)));
    let answers = stage.take(CARRIER);
    assert!(answers.last().unwrap().starts_with("SIP/2.0 491"), "{answers:?}");
}

#[test]
fn other_media_is_the_one_case_in_which_the_carrier_is_asked() {
    let mut stage = Stage::new();
    up(&mut stage, "one");
    let invite = east_dies(&mut stage);
    let other = sdp(WEST_MEDIA, 50000).replace("RTP/AVP 0 101", "RTP/AVP 8 101");
    stage.receive(WEST, &answer(&invite, 200, "t-west", "eve@203.0.113.1", &other));
    let reinvite = stage.take(CARRIER).remove(0);
    assert!(reinvite.starts_with("INVITE") && reinvite.contains("RTP/AVP 8 101"), "{reinvite}");
    let taken = sdp("192.0.2.1", 30000).replace("RTP/AVP 0 101", "RTP/AVP 8 101");
    stage.receive(CARRIER, &answer(&reinvite, 200, "x", "ann@192.0.2.1:5060", &taken).replace(";tag=x", ""));
    assert!(stage.take(CARRIER)[0].starts_with("ACK"));
    resume(&mut stage);
    assert_eq!(receipts(&mut stage)[0].outcome, MoveOutcome::Renegotiated);
}

#[test]
fn a_carrier_that_does_not_know_the_call_any_more_when_it_is_asked_ends_it() {
    let mut stage = Stage::new();
    up(&mut stage, "one");
    let invite = east_dies(&mut stage);
    let other = sdp(WEST_MEDIA, 50000).replace("RTP/AVP 0 101", "RTP/AVP 8 101");
    stage.receive(WEST, &answer(&invite, 200, "t-west", "eve@203.0.113.1", &other));
    stage.take(WEST);
    let reinvite = stage.take(CARRIER).remove(0);
    stage.receive(CARRIER, &answer(&reinvite, 481, "x", "ann@192.0.2.1:5060", "").replace(";tag=x", ""));
    assert_eq!(whats(&stage.take(CARRIER)), ["ACK", "BYE"]);
    assert_eq!(whats(&stage.take(WEST)), ["BYE"], "nobody is left to be talked to");
    assert_eq!(stage.records[0].close, CloseReason::LegGone);
    stage.pass(Duration::from_secs(20));
    assert!(!whats(&stage.take(WEST)).contains(&"INVITE".to_owned()));
}

#[test]
fn a_carrier_that_still_owes_an_answer_to_the_last_move_is_not_asked_by_the_next_one() {
    let mut config = config();
    config.rehome.min_interval = Duration::ZERO;
    let mut stage = Stage::with(config);
    up(&mut stage, "one");
    let other = sdp(WEST_MEDIA, 50000).replace("RTP/AVP 0 101", "RTP/AVP 8 101");
    let invite = east_dies(&mut stage);
    stage.receive(WEST, &answer(&invite, 200, "t-west", "eve@203.0.113.1", &other));
    let first = stage.take(CARRIER).remove(0);
    stage.receive(CARRIER, &answer(&first, 100, "x", "ann@192.0.2.1:5060", "").replace(";tag=x", ""));
    // East is back, so that the call stays there when its time is over; and dies again.
    down(&mut stage, &[], &[]);
    stage.pass(Duration::from_secs(11));
    assert_eq!(receipts(&mut stage)[0].outcome, MoveOutcome::Stayed);
    assert_eq!(whats(&stage.take(CARRIER))[0], "CANCEL");
    stage.take(WEST);
    let again = east_dies(&mut stage);
    stage.receive(WEST, &answer(&again, 200, "t-west-2", "eve@203.0.113.1", &other));
    assert_eq!(whats(&stage.take(WEST)), ["ACK", "BYE"], "it cannot be taken while nobody may be asked");
    assert!(!whats(&stage.take(CARRIER)).contains(&"INVITE".to_owned()), "RFC 3261 §14.1");
    // The old one is answered, and there is time for another try.
    stage.receive(CARRIER, &answer(&first, 487, "x", "ann@192.0.2.1:5060", "").replace(";tag=x", ""));
    assert_eq!(whats(&stage.take(CARRIER)), ["ACK"]);
    let again = (0..80).find_map(|_| {
        stage.pass(Duration::from_millis(100));
        stage.take(WEST).into_iter().find(|m| m.starts_with("INVITE"))
    });
    stage.receive(
        WEST,
        &answer(&again.expect("west is asked again"), 200, "t-west-3", "eve@203.0.113.1", &other),
    );
    assert_eq!(whats(&stage.take(CARRIER)), ["INVITE"]);
}

#[test]
fn a_carrier_whose_reinvite_crosses_the_moves_own_is_asked_again_after_a_while() {
    let mut stage = Stage::new();
    up(&mut stage, "one");
    let invite = east_dies(&mut stage);
    let other = sdp(WEST_MEDIA, 50000).replace("RTP/AVP 0 101", "RTP/AVP 8 101");
    stage.receive(WEST, &answer(&invite, 200, "t-west", "eve@203.0.113.1", &other));
    let reinvite = stage.take(CARRIER).remove(0);
    stage.take(WEST);
    let crossed = answer(&reinvite, 491, "x", "ann@192.0.2.1:5060", "").replace(";tag=x", "");
    stage.receive(CARRIER, &crossed);
    assert!(stage.take(CARRIER)[0].starts_with("ACK"));
    assert!(stage.take(WEST)[0].starts_with("BYE"), "nobody waits in silence");
    // Up to two seconds: the Call-ID is the carrier's (RFC 3261 §14.1).
    let again = (0..=201).find_map(|_| {
        stage.pass(Duration::from_millis(10));
        stage.take(WEST).into_iter().find(|m| m.starts_with("INVITE"))
    });
    let again = again.expect("west is asked again");
    stage.receive(WEST, &answer(&again, 200, "t-west-2", "eve@203.0.113.1", &other));
    let reinvite = stage.take(CARRIER).remove(0);
    let taken = sdp("192.0.2.1", 30000).replace("RTP/AVP 0 101", "RTP/AVP 8 101");
    stage.receive(CARRIER, &answer(&reinvite, 200, "x", "ann@192.0.2.1:5060", &taken).replace(";tag=x", ""));
    resume(&mut stage);
    assert_eq!(receipts(&mut stage)[0].outcome, MoveOutcome::Renegotiated);
}

#[test]
fn an_edge_that_refuses_is_not_the_end_and_one_that_declines_is() {
    let mut stage = Stage::new();
    up(&mut stage, "one");
    let invite = east_dies(&mut stage);
    stage.receive(WEST, &answer(&invite, 486, "t-west", "eve@203.0.113.1", ""));
    stage.take(WEST);
    stage.pass(Duration::from_millis(300));
    let again = stage.take(WEST);
    assert!(again[0].starts_with("INVITE"), "while there is time: {again:?}");
    stage.receive(WEST, &answer(&again[0], 603, "t-west", "eve@203.0.113.1", ""));
    let bye = stage.take(CARRIER);
    assert!(bye[0].starts_with("BYE"), "{bye:?}");
    assert_eq!(receipts(&mut stage)[0].outcome, MoveOutcome::Declined);
}

#[test]
fn a_planned_move_lets_the_old_leg_go_only_when_the_new_one_is_heard() {
    let mut stage = Stage::new();
    up(&mut stage, "one");
    stage.input(Input::Move(MoveOrder {
        id: 7,
        from: MoveFrom::Region(RegionId(0)),
        share: 100,
        prefix: None,
        calls: None,
        deadline: Duration::from_secs(60),
        reason: MoveReason::Drain,
    }));
    stage.pass(Duration::ZERO);
    let invite = stage.take(WEST).remove(0);
    assert!(stage.relayed.is_empty(), "nothing is bridged: {:?}", stage.relayed);
    west_takes(&mut stage, &invite);
    assert!(stage.take(EAST).is_empty(), "the old leg lives on");
    resume(&mut stage);
    assert!(stage.take(EAST)[0].starts_with("BYE"));
    assert!(stage.take(CARRIER).is_empty());
    let last = stage.events.iter().rev().find_map(|e| if let Event::Moves(p) = e { Some(*p) } else { None });
    assert!(matches!(last, Some(MoveProgress { order: 7, chosen: 1, moved: 1, done: true, .. })), "{last:?}");
}

#[test]
fn a_leg_that_is_being_left_by_plan_and_says_its_200_again_has_the_ack_that_it_had() {
    let mut stage = Stage::new();
    stage.receive(CARRIER, &invite("late", ""));
    let out = stage.take(EAST).remove(0);
    let answered = answer(&out, 200, "t-east", "bob@198.51.100.1", &sdp(EAST_MEDIA, 40000));
    stage.receive(EAST, &answered);
    let ok = stage.take(CARRIER).pop().unwrap();
    stage.receive(CARRIER, &in_dialog(&ok, "ACK", 1, &sdp("192.0.2.1", 30000)));
    let acks = stage.take(EAST);
    assert_eq!(whats(&acks), ["ACK"]);
    stage.relayed.clear();
    stage.input(Input::Move(MoveOrder {
        id: 7,
        from: MoveFrom::Region(RegionId(0)),
        share: 100,
        prefix: None,
        calls: None,
        deadline: Duration::from_secs(60),
        reason: MoveReason::Drain,
    }));
    stage.pass(Duration::ZERO);
    let invite = stage.take(WEST).remove(0);
    west_takes(&mut stage, &invite);
    stage.receive(EAST, &answered);
    assert_eq!(stage.take(EAST), acks, "with the answer to its offer: it talks still");
    resume(&mut stage);
    assert_eq!(whats(&stage.take(EAST)), ["BYE"]);
}

#[test]
fn a_call_is_moved_once_in_its_interval() {
    let mut stage = Stage::new();
    up(&mut stage, "one");
    let invite = east_dies(&mut stage);
    west_takes(&mut stage, &invite);
    resume(&mut stage);
    stage.take(EAST);
    down(&mut stage, &[1], &[1]);
    stage.pass(Duration::from_millis(1_900));
    assert!(!stage.take(EAST).iter().any(|m| m.starts_with("INVITE")), "not yet");
    stage.pass(Duration::from_millis(200));
    assert!(stage.take(EAST).iter().any(|m| m.starts_with("INVITE")));
}

#[test]
fn a_call_that_nobody_takes_stays_where_it_is_if_its_edge_comes_back() {
    let mut stage = Stage::new();
    let ok = up(&mut stage, "one");
    down(&mut stage, &[0, 1], &[0, 1]);
    stage.pass(Duration::from_secs(5));
    down(&mut stage, &[1], &[1]);
    stage.pass(Duration::from_secs(6));
    assert!(stage.take(CARRIER).is_empty(), "nobody was told of anything");
    assert_eq!(receipts(&mut stage)[0].outcome, MoveOutcome::Stayed);
    let last = stage.relayed.last();
    assert!(
        matches!(last, Some(RelayCommand::Connect { leg: Leg::B, .. })),
        "which ends the bridge: {last:?}"
    );
    stage.take(EAST);
    stage.receive(CARRIER, &in_dialog(&ok, "BYE", 2, ""));
    assert!(stage.take(EAST)[0].starts_with("BYE sip:bob@198.51.100.1"), "the old leg is the call's again");
}

#[test]
fn the_answer_that_was_on_its_way_when_the_region_died_is_moved_at_once() {
    let mut stage = Stage::new();
    stage.receive(CARRIER, &invite("one", &sdp("192.0.2.1", 30000)));
    let out = stage.take(EAST).remove(0);
    stage.receive(EAST, &answer(&out, 180, "t-east", "bob@198.51.100.1", ""));
    down(&mut stage, &[0], &[0]);
    let rescued = stage.take(WEST).remove(0);
    stage.receive(WEST, &answer(&rescued, 180, "t-west", "eve@203.0.113.1", ""));
    stage.take(WEST);
    stage.receive(WEST, &answer(&rescued, 200, "t-west", "eve@203.0.113.1", &sdp(WEST_MEDIA, 50000)));
    let finals: Vec<_> = stage.take(CARRIER).into_iter().filter(|m| m.starts_with("SIP/2.0 2")).collect();
    assert_eq!(finals.len(), 1, "rescued while it rang: one final response: {finals:?}");
}

#[test]
fn a_rescued_caller_who_has_an_answer_already_is_not_given_another() {
    let mut stage = Stage::new();
    let two = sdp("192.0.2.1", 30000).replace("RTP/AVP 0 101", "RTP/AVP 8 0 101");
    stage.receive(CARRIER, &invite("one", &two));
    let out = stage.take(EAST).remove(0);
    stage.receive(EAST, &answer(&out, 183, "t-east", "bob@198.51.100.1", &sdp(EAST_MEDIA, 40000)));
    down(&mut stage, &[0], &[0]);
    let rescued = stage.take(WEST).remove(0);
    assert!(
        rescued.contains("m=audio 20006 RTP/AVP 0 101\r\n"),
        "what the 183 said, and nothing else: {rescued}"
    );
    let other = sdp(WEST_MEDIA, 50000).replace("RTP/AVP 0 101", "RTP/AVP 8 101");
    stage.receive(WEST, &answer(&rescued, 200, "t-west", "eve@203.0.113.1", &other));
    let ended = stage.take(WEST);
    assert!(ended[0].starts_with("ACK") && ended[1].starts_with("BYE"), "{ended:?}");
    let last = stage.take(CARRIER).pop().unwrap();
    assert!(last.starts_with("SIP/2.0 488"), "nobody else is left: {last}");
}

#[test]
fn a_region_that_asked_for_time_is_given_it_and_asked_again_before_the_call_is_lost() {
    let mut stage = Stage::new();
    up(&mut stage, "one");
    let invite = east_dies(&mut stage);
    let busy = answer(&invite, 503, "t-west", "eve@203.0.113.1", "");
    stage.receive(WEST, &busy.replace("Content-Length", "Retry-After: 30\r\nContent-Length"));
    assert!(
        stage.evidence.iter().any(|e| e.kind == EvidenceKind::Unavailable(Some(Duration::from_secs(30))))
    );
    let mut snapshot = (*stage.snapshot).clone();
    snapshot.generation += 1;
    snapshot.health[1].state = TargetState::Backoff;
    stage.snapshot = Arc::new(snapshot);
    let snapshot = stage.snapshot.clone();
    stage.input(Input::Snapshot(snapshot));
    stage.take(WEST);
    stage.pass(Duration::from_millis(7_500));
    assert_eq!(stage.take(WEST), Vec::<String>::new(), "it asked not to be asked");
    stage.pass(Duration::from_millis(1_000));
    assert!(stage.take(WEST)[0].starts_with("INVITE"), "rather once more than to hang up");
}

#[test]
fn the_new_leg_says_which_call_it_continues_as_the_site_wants_it_said() {
    let mut config = config();
    config.sites[0].correlation = Some(Arc::new(Correlation {
        session_id: true,
        uui: Some("{call_id}".into()),
        replaces: true,
        headers: vec![("X-Continues".into(), "{lost_call_id} {from_region}-{to_region} {reason}".into())],
    }));
    let mut stage = Stage::with(config);
    stage.receive(CARRIER, &invite("one", &sdp("192.0.2.1", 30000)));
    let first = stage.take(EAST).remove(0);
    stage.receive(EAST, &answer(&first, 200, "t-east", "bob@198.51.100.1", &sdp(EAST_MEDIA, 40000)));
    let second = east_dies(&mut stage);
    let lost = header(&first, "Call-ID");
    assert_ne!(header(&second, "Call-ID"), lost);
    assert_eq!(header(&second, "Session-ID"), header(&first, "Session-ID"), "one call, one name");
    assert!(header(&first, "Session-ID").ends_with(";remote=00000000000000000000000000000000"), "{first}");
    let ours = header(&first, "From").split_once(";tag=").unwrap().1;
    assert_eq!(header(&second, "Replaces"), format!("{lost};to-tag=t-east;from-tag={ours}"));
    let hex: String = lost.bytes().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(header(&second, "User-to-User"), format!("{hex};encoding=hex"));
    assert_eq!(header(&second, "X-Continues"), format!("{lost} east-west region_down"));
    assert!(!first.contains("Replaces") && !first.contains("X-Continues"), "the first leg continues nothing");
}

/// Calls that hunt, are answered, are moving.
type Census<T> = (T, T, T);

/// Calls of east, west and the whole shard, and those that close.
fn counted(stage: &Stage) -> ([Census<u32>; 2], Census<usize>, usize) {
    let regions = stage.shard.region_calls();
    let of = |region: usize| (regions[region].hunting, regions[region].answered, regions[region].moving);
    let all = stage.shard.counts();
    ([of(0), of(1)], (all.hunting, all.answered, all.moving), all.closing)
}

#[test]
fn calls_are_counted_where_they_are_while_they_hunt_move_and_are_numbered_anew() {
    let mut stage = Stage::new();
    let ok = up(&mut stage, "counted");
    stage.receive(CARRIER, &invite("hunting", &sdp("192.0.2.1", 30002)));
    let second = stage.take(EAST).remove(0);
    assert_eq!(counted(&stage), ([(1, 1, 0), (0, 0, 0)], (1, 1, 0), 0));
    stage.receive(EAST, &answer(&second, 486, "t-busy", "bob@198.51.100.1", ""));
    stage.take(CARRIER);
    let invite = east_dies(&mut stage);
    let ([east, west], all, _) = counted(&stage);
    assert_eq!((east.1 + west.1, east.2 + west.2, all), (1, 1, (0, 1, 1)), "it is moving, and counted once");
    west_takes(&mut stage, &invite);
    resume(&mut stage);
    assert_eq!(counted(&stage).0, [(0, 0, 0), (0, 1, 0)]);
    // The regions change places: what was the second is the first.
    let mut config = (*stage.snapshot.config).clone();
    config.regions.swap(0, 1);
    for group in &mut config.groups {
        group.region = RegionId(1 - group.region.0);
    }
    let mut snapshot = Snapshot::first(Arc::new(config));
    (snapshot.generation, snapshot.config_generation) = (9, 9);
    stage.input(Input::Snapshot(Arc::new(snapshot)));
    assert_eq!(counted(&stage).0, [(0, 1, 0), (0, 0, 0)]);
    stage.receive(CARRIER, &in_dialog(&ok, "BYE", 2, ""));
    let bye = stage.take(WEST).pop().unwrap();
    stage.receive(WEST, &answer(&bye, 200, "t-west", "eve@203.0.113.1", ""));
    assert_eq!(counted(&stage), ([(0, 0, 0); 2], (0, 0, 0), 0));
}
