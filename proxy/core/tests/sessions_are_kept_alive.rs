//! Session timers of either leg (RFC 4028), and the watch over peers that have none.

mod common;

use common::dialogs::*;
use common::*;
use proxy_core::CloseReason;
use relay_values::Duration;

const TIMER: &str = "Supported: timer\r\nSession-Expires: ";

/// Nobody is asked whether he is there.
fn unwatched() -> Stage {
    let mut config = config();
    config.session.watch = None;
    Stage::with(config)
}

// Rules: timer-2xx
#[test]
fn a_caller_who_can_refreshes_and_is_told_so() {
    let mut stage = Stage::new();
    let (ok, out) = up_with(&mut stage, &format!("{TIMER}3600"), "");
    assert_eq!(header(&ok, "Session-Expires"), "1800;refresher=uac", "{ok}");
    assert_eq!(header(&ok, "Require"), "timer");
    assert_eq!((header(&out, "Supported"), header(&out, "Session-Expires")), ("timer", "1800"));
}

// Rules: timer-expiry-bye
#[test]
fn a_session_that_its_peer_does_not_refresh_ends_in_time() {
    let mut stage = Stage::new();
    up_with(&mut stage, &format!("{TIMER}1800"), "Session-Expires: 3600;refresher=uac\r\nAllow: UPDATE");
    stage.pass(Duration::from_secs(1767));
    assert_eq!(stage.records.len(), 0);
    stage.pass(Duration::from_secs(1));
    assert_eq!(stage.records[0].close, CloseReason::SessionExpired, "32 s before the end (§10)");
    assert!(stage.take(CARRIER).iter().any(|m| m.starts_with("BYE")));
}

#[test]
fn an_update_without_an_offer_is_answered_on_its_own_leg_and_keeps_the_session() {
    let mut stage = Stage::new();
    let (ok, _) = up_with(&mut stage, &format!("{TIMER}1800"), "Session-Expires: 7200;refresher=uas");
    for round in 0..3 {
        stage.pass(Duration::from_secs(900));
        stage.take(EAST);
        let update = with(&in_dialog(&ok, "UPDATE", 10 + round, ""), &format!("{TIMER}1800;refresher=uac"));
        stage.receive(CARRIER, &update);
        let answer = stage.take(CARRIER).pop().unwrap();
        assert!(answer.starts_with("SIP/2.0 200"), "{answer}");
        assert_eq!(header(&answer, "Session-Expires"), "1800;refresher=uac");
        assert_eq!(stage.take(EAST), Vec::<String>::new(), "the other leg hears nothing");
    }
    assert_eq!(stage.records.len(), 0);
}

// Rules: timer-refresh-half, timer-by-update
#[test]
fn we_refresh_by_update_where_the_peer_takes_it() {
    let mut stage = unwatched();
    up_with(&mut stage, "", "Session-Expires: 1800;refresher=uac\r\nAllow: INVITE, UPDATE");
    for _ in 0..12 {
        stage.take(EAST);
        stage.pass(Duration::from_secs(900));
        let update = stage.take(EAST).remove(0);
        assert!(update.starts_with("UPDATE sip:bob@198.51.100.1"), "{update}");
        assert_eq!(header(&update, "Session-Expires"), "1800;refresher=uac");
        assert_eq!(header(&update, "Content-Length"), "0");
        let fields = "Session-Expires: 1800;refresher=uac";
        stage.receive(EAST, &reply(&update, 200, "bob@198.51.100.1", fields, ""));
    }
    assert_eq!(stage.records.len(), 0, "three hours later the call is up");
}

// Rules: timer-refresh-half, timer-same-description
#[test]
fn we_refresh_by_reinvite_with_the_description_that_the_peer_has() {
    let mut stage = unwatched();
    let (_, out) = up_with(&mut stage, "", "Session-Expires: 1800;refresher=uac");
    stage.pass(Duration::from_secs(901));
    let reinvite = stage.take(EAST).into_iter().find(|m| m.starts_with("INVITE")).unwrap();
    assert_eq!(body(&reinvite), body(&out), "the same version, to the byte (§7.4)");
    stage.relayed.clear();
    let fields = "Session-Expires: 1800;refresher=uac";
    let same = sdp("198.51.100.1", 40000);
    stage.receive(EAST, &reply(&reinvite, 200, "bob@198.51.100.1", fields, &same));
    assert!(stage.take(EAST)[0].starts_with("ACK"));
    assert_eq!(stage.relayed, [], "nothing has changed");
}

// Rules: timer-422
#[test]
fn a_session_that_is_too_short_is_refused_with_what_would_do() {
    let mut stage = Stage::new();
    stage.receive(CARRIER, &with(&invite("short", &sdp("192.0.2.1", 30000)), &format!("{TIMER}60")));
    let refusal = stage.take(CARRIER).pop().unwrap();
    assert!(refusal.starts_with("SIP/2.0 422"), "{refusal}");
    assert_eq!(header(&refusal, "Min-SE"), "90");
}

// Rules: timer-422-retry
#[test]
fn a_target_that_wants_longer_sessions_is_asked_once_more_in_the_same_step() {
    let mut stage = Stage::new();
    stage.receive(CARRIER, &invite("long", &sdp("192.0.2.1", 30000)));
    let first = stage.take(EAST).remove(0);
    let refusal = answer(&first, 422, "t-1", "bob@198.51.100.1", "");
    stage.receive(EAST, &with(&refusal, "Min-SE: 3600"));
    let again = stage.take(EAST).into_iter().find(|m| m.starts_with("INVITE")).unwrap();
    assert_eq!(header(&again, "Session-Expires"), "3600");
    assert_eq!(header(&again, "Min-SE"), "3600");
    assert_eq!(header(&again, "CSeq"), "2 INVITE");
    assert_eq!(header(&again, "Call-ID"), header(&first, "Call-ID"));
    let ok = answer(&again, 200, "t-2", "bob@198.51.100.1", &sdp("198.51.100.1", 40000));
    stage.receive(EAST, &ok);
    let ack = stage.take(EAST).remove(0);
    assert_eq!(header(&ack, "CSeq"), "2 ACK");
    assert_eq!(stage.take(WEST), Vec::<String>::new());
}

#[test]
fn an_answer_to_the_invite_that_was_refused_before_is_let_go_and_the_one_under_way_goes_on() {
    let mut stage = Stage::new();
    stage.receive(CARRIER, &invite("twice", &sdp("192.0.2.1", 30000)));
    let first = stage.take(EAST).remove(0);
    stage.receive(EAST, &with(&answer(&first, 422, "t-1", "bob@198.51.100.1", ""), "Min-SE: 3600"));
    let again = stage.take(EAST).into_iter().find(|m| m.starts_with("INVITE")).unwrap();
    stage.receive(EAST, &answer(&again, 100, "", "bob@198.51.100.1", "").replace(";tag=\r\n", "\r\n"));
    stage.receive(EAST, &answer(&first, 200, "t-2", "bob@198.51.100.1", &sdp("198.51.100.1", 40000)));
    let said = stage.take(EAST);
    assert_eq!(whats(&said), ["ACK", "BYE"]);
    assert_eq!(header(&said[0], "CSeq"), "1 ACK");
    stage.receive(EAST, &reply(&said[1], 200, "bob@198.51.100.1", "", ""));
    stage.receive(EAST, &answer(&again, 200, "t-3", "bob@198.51.100.1", &sdp("198.51.100.1", 40002)));
    assert_eq!(header(&stage.take(EAST)[0], "CSeq"), "2 ACK");
    assert_eq!(whats(&stage.take(CARRIER)), ["100 INVITE", "200 INVITE"]);
}

#[test]
fn a_peer_without_timers_is_asked_and_ends_the_call_by_its_silence() {
    let mut config = config();
    config.rehome.enabled = false;
    let mut stage = Stage::with(config);
    up_with(&mut stage, &format!("{TIMER}1800"), "");
    stage.pass(Duration::from_secs(301));
    let options = stage.take(EAST).remove(0);
    assert!(options.starts_with("OPTIONS sip:bob@198.51.100.1"), "{options}");
    stage.receive(EAST, &reply(&options, 501, "bob@198.51.100.1", "", ""));
    stage.pass(Duration::from_secs(290));
    assert_eq!(stage.records.len(), 0, "any answer shows that it is there");
    stage.pass(Duration::from_secs(200));
    assert_eq!(stage.records[0].close, CloseReason::PeerLost);
}

#[test]
fn the_legs_have_intervals_and_refreshers_of_their_own() {
    let mut stage = unwatched();
    let (ok, _) = up_with(
        &mut stage,
        &format!("{TIMER}600;refresher=uas"),
        "Session-Expires: 1400;refresher=uac\r\nAllow: UPDATE",
    );
    assert_eq!(header(&ok, "Session-Expires"), "600;refresher=uas", "as the caller wants it (§9)");
    // The caller has said nothing of UPDATE: he is asked by re-INVITE.
    let (mut asked, mut refreshed) = (vec![], vec![]);
    for _ in 0..1450 {
        stage.pass(Duration::from_secs(1));
        for request in stage.take(CARRIER) {
            if request.starts_with("INVITE") {
                asked.push(stage.now.as_nanos() / 1_000_000_000);
                let said = sdp("192.0.2.1", 30000);
                let ok =
                    reply(&request, 200, "ann@192.0.2.1:5060", "Session-Expires: 600;refresher=uac", &said);
                stage.receive(CARRIER, &ok);
            }
        }
        for request in stage.take(EAST) {
            assert!(request.starts_with("UPDATE"), "{request}");
            refreshed.push(stage.now.as_nanos() / 1_000_000_000);
            let ok = reply(&request, 200, "bob@198.51.100.1", "Session-Expires: 1400;refresher=uac", "");
            stage.receive(EAST, &ok);
        }
    }
    assert_eq!(asked, [300, 600, 900, 1200]);
    assert_eq!(refreshed, [700, 1400]);
    assert_eq!(stage.records.len(), 0);
}

// Rules: timer-not-raised, timer-min-se
#[test]
fn an_interval_is_reduced_to_ours_as_far_as_the_callers_min_se_allows_and_never_raised() {
    for (said, accepted) in [
        ("7200", "1800;refresher=uac"),
        ("7200\r\nMin-SE: 3600", "3600;refresher=uac"),
        ("100;refresher=uas", "100;refresher=uas"),
        ("90;refresher=uac", "90;refresher=uac"),
    ] {
        let (ok, _) = up_with(&mut Stage::new(), &format!("{TIMER}{said}"), "");
        assert_eq!(header(&ok, "Session-Expires"), accepted, "{said}");
    }
    // Put there by a proxy for a caller who knows nothing of it: then it is ours, and there is nothing to require.
    let (ok, _) = up_with(&mut Stage::new(), "Session-Expires: 60", "");
    assert_eq!((header(&ok, "Session-Expires"), header(&ok, "Require")), ("60;refresher=uas", ""));
}

#[test]
fn a_reinvite_that_says_the_same_again_is_answered_on_its_own_leg() {
    let mut stage = Stage::new();
    let (ok, _) = up_with(&mut stage, &format!("{TIMER}1800"), "Session-Expires: 7200;refresher=uas");
    stage.pass(Duration::from_secs(900));
    stage.take(EAST);
    stage.relayed.clear();
    let again = in_dialog(&ok, "INVITE", 2, &sdp("192.0.2.1", 30000));
    stage.receive(CARRIER, &with(&again, &format!("{TIMER}1800;refresher=uac")));
    let answer = stage.take(CARRIER).pop().unwrap();
    assert!(answer.starts_with("SIP/2.0 200"), "{answer}");
    assert_eq!(body(&answer), body(&ok), "the same version, to the byte");
    assert_eq!(header(&answer, "Session-Expires"), "1800;refresher=uac");
    assert_eq!(header(&answer, "Contact"), header(&ok, "Contact"));
    stage.receive(CARRIER, &in_dialog(&ok, "ACK", 2, ""));
    stage.pass(Duration::from_secs(40));
    assert_eq!(stage.take(CARRIER), Vec::<String>::new(), "acknowledged, so not said again");
    assert_eq!((stage.take(EAST), &stage.relayed[..]), (vec![], &[][..]));
    // Whatever is new still crosses.
    let held = format!("{}a=sendonly\r\n", sdp("192.0.2.1", 30000));
    stage.receive(CARRIER, &in_dialog(&ok, "INVITE", 3, &held));
    assert!(stage.take(EAST)[0].starts_with("INVITE"));
}

#[test]
fn a_side_that_holds_and_says_so_again_is_told_no_more_than_it_offers() {
    let mut stage = Stage::new();
    let (ok, invite) = up_with(&mut stage, &format!("{TIMER}1800"), "");
    stage.receive(CARRIER, &in_dialog(&ok, "INVITE", 2, &sdp("192.0.2.1", 30002)));
    let carried = stage.take(EAST).pop().unwrap();
    let held = format!("{}a=inactive\r\n", sdp("198.51.100.1", 40000));
    stage.receive(EAST, &reply(&carried, 200, "bob@198.51.100.1", "", &held));
    stage.receive(CARRIER, &in_dialog(&ok, "ACK", 2, ""));
    stage.take(EAST);
    stage.take(CARRIER);
    stage.receive(EAST, &from_edge(&invite, ("198.51.100.1", "t-east"), "INVITE", 1, &held));
    let answer = stage.take(EAST).pop().unwrap();
    assert!(answer.starts_with("SIP/2.0 200") && body(&answer).contains("a=inactive"), "{answer}");
    assert_eq!(stage.take(CARRIER), Vec::<String>::new(), "it stays on its leg");
}

// Rules: reinvite-unacknowledged
#[test]
fn an_answer_to_a_refresh_that_is_never_acknowledged_ends_the_call() {
    let mut stage = Stage::new();
    let (ok, _) = up_with(&mut stage, "", "");
    stage.receive(CARRIER, &in_dialog(&ok, "INVITE", 2, &sdp("192.0.2.1", 30000)));
    stage.pass(Duration::from_secs(33));
    assert_eq!(stage.records[0].close, CloseReason::NoAck);
}

// Rules: reinvite-491-wait
#[test]
fn whose_call_id_it_is_not_tries_again_sooner_after_491() {
    for (ours, least, most) in [(true, 2100, 4000), (false, 0, 2000)] {
        let (carrier, east) = if ours {
            (String::new(), "Session-Expires: 1800;refresher=uac")
        } else {
            (format!("{TIMER}1800;refresher=uas"), "")
        };
        let mut stage = unwatched();
        up_with(&mut stage, &carrier, east);
        let (peer, contact) = if ours { (EAST, "bob@198.51.100.1") } else { (CARRIER, "ann@192.0.2.1:5060") };
        let mut waits = vec![];
        stage.pass(Duration::from_secs(900));
        for _ in 0..20 {
            let reinvite = stage.take(peer).into_iter().find(|m| m.starts_with("INVITE")).unwrap();
            stage.receive(peer, &reply(&reinvite, 491, contact, "", ""));
            let refused = stage.now;
            while !stage.sent.iter().any(|(_, text)| text.starts_with("INVITE")) {
                stage.pass(Duration::from_millis(10));
            }
            waits.push(stage.now.since(refused).as_millis());
        }
        assert!(waits.iter().all(|wait| (least..=most + 10).contains(wait)), "{waits:?}");
        assert!(waits.iter().any(|wait| *wait > (least + most) / 2), "{waits:?}");
    }
}

#[test]
fn a_refresh_that_rings_when_its_call_ends_is_cancelled() {
    let mut stage = unwatched();
    let (ok, _) = up_with(&mut stage, "", "Session-Expires: 1800;refresher=uac");
    stage.receive(CARRIER, &in_dialog(&ok, "ACK", 1, ""));
    stage.pass(Duration::from_secs(900));
    let reinvite = stage.take(EAST).into_iter().find(|m| m.starts_with("INVITE")).unwrap();
    stage.receive(EAST, &reply(&reinvite, 183, "bob@198.51.100.1", "", ""));
    stage.receive(CARRIER, &in_dialog(&ok, "BYE", 2, ""));
    let said = stage.take(EAST);
    assert_eq!(whats(&said), ["CANCEL", "BYE"]);
    for request in &said {
        stage.receive(EAST, &reply(request, 200, "bob@198.51.100.1", "", ""));
    }
    // The far end has forgotten what it rang for.
    stage.pass(Duration::from_secs(70));
    assert_eq!(stage.shard.counts().transactions, 0);
}

#[test]
fn a_refresh_that_is_refused_is_tried_again_three_times_and_the_session_runs_out() {
    let mut stage = unwatched();
    up_with(&mut stage, "", "Session-Expires: 1800;refresher=uac\r\nAllow: UPDATE");
    let mut tries = 0;
    for _ in 0..1_780 {
        stage.pass(Duration::from_secs(1));
        for update in stage.take(EAST).into_iter().filter(|m| m.starts_with("UPDATE")) {
            tries += 1;
            stage.receive(EAST, &reply(&update, 500, "bob@198.51.100.1", "", ""));
        }
    }
    assert_eq!(tries, 4);
    assert_eq!(stage.records[0].close, CloseReason::SessionExpired);
    let bye = stage.take(CARRIER).into_iter().find(|m| m.starts_with("BYE")).unwrap();
    assert_eq!(header(&bye, "Reason"), "SIP;cause=408;text=\"session_expired\"");
}

#[test]
fn a_peer_that_takes_no_update_after_all_is_refreshed_by_reinvite_at_once() {
    let mut stage = unwatched();
    up_with(&mut stage, "", "Session-Expires: 1800;refresher=uac\r\nAllow: UPDATE");
    stage.pass(Duration::from_secs(900));
    let update = stage.take(EAST).remove(0);
    stage.receive(EAST, &reply(&update, 405, "bob@198.51.100.1", "", ""));
    stage.pass(Duration::ZERO);
    assert!(stage.take(EAST)[0].starts_with("INVITE"));
}

// Rules: timer-422-retry, timer-greatest-min-se
#[test]
fn a_peer_that_asks_for_longer_in_the_call_is_refreshed_for_longer() {
    let mut stage = unwatched();
    up_with(&mut stage, "", "Session-Expires: 1800;refresher=uac\r\nAllow: UPDATE");
    stage.pass(Duration::from_secs(900));
    let update = stage.take(EAST).remove(0);
    stage.receive(EAST, &reply(&update, 422, "bob@198.51.100.1", "Min-SE: 2400", ""));
    stage.pass(Duration::ZERO);
    let again = stage.take(EAST).remove(0);
    assert_eq!((header(&again, "Session-Expires"), header(&again, "Min-SE")), ("2400;refresher=uac", "2400"));
    stage.receive(EAST, &reply(&again, 200, "bob@198.51.100.1", "Session-Expires: 2400;refresher=uac", ""));
    stage.pass(Duration::from_secs(1199));
    assert_eq!(stage.take(EAST), Vec::<String>::new());
    stage.pass(Duration::from_secs(1));
    assert!(stage.take(EAST)[0].starts_with("UPDATE"));
}

#[test]
fn refreshes_that_cross_are_both_answered_and_the_call_goes_on() {
    let mut stage = unwatched();
    let (_, out) = up_with(&mut stage, "", "Session-Expires: 1800;refresher=uac\r\nAllow: UPDATE");
    stage.pass(Duration::from_secs(900));
    let ours = stage.take(EAST).remove(0);
    let theirs = from_edge(&out, (EAST, "t-east"), "UPDATE", 7, "");
    stage.receive(EAST, &with(&theirs, &format!("{TIMER}1800;refresher=uac")));
    assert!(stage.take(EAST)[0].starts_with("SIP/2.0 200"));
    stage.receive(EAST, &reply(&ours, 200, "bob@198.51.100.1", "Session-Expires: 1800;refresher=uac", ""));
    stage.pass(Duration::from_secs(900));
    assert!(stage.take(EAST)[0].starts_with("UPDATE"), "what was said last holds");
}

// Rules: dialog-481-ends, update-481-408
#[test]
fn a_carrier_that_does_not_answer_a_refresh_is_gone() {
    let mut stage = unwatched();
    up_with(&mut stage, &format!("{TIMER}1800;refresher=uas\r\nAllow: UPDATE"), "");
    stage.pass(Duration::from_secs(931));
    assert_eq!(stage.records.len(), 0);
    stage.pass(Duration::from_secs(2));
    assert_eq!(stage.records[0].close, CloseReason::LegGone);
}

#[test]
fn a_target_is_asked_three_times_for_longer_sessions_and_then_left() {
    let mut stage = Stage::new();
    stage.receive(CARRIER, &invite("long", &sdp("192.0.2.1", 30000)));
    for (number, min_se) in (1..).zip([2000, 2400, 3000, 3600]) {
        let invite = stage.take(EAST).into_iter().find(|m| m.starts_with("INVITE")).unwrap();
        assert_eq!(header(&invite, "CSeq"), format!("{number} INVITE"));
        let refusal = answer(&invite, 422, &format!("t-{number}"), "bob@198.51.100.1", "");
        stage.receive(EAST, &with(&refusal, &format!("Min-SE: {min_se}")));
    }
    assert!(stage.take(EAST).iter().all(|m| m.starts_with("ACK")));
    let west = stage.take(WEST).remove(0);
    assert_eq!((header(&west, "Session-Expires"), header(&west, "CSeq")), ("1800", "1 INVITE"));
}

#[test]
fn a_carrier_without_timers_that_does_not_know_the_call_ends_it() {
    let mut stage = Stage::new();
    up_with(&mut stage, "", "Session-Expires: 1800;refresher=uas");
    for _ in 0..3 {
        stage.pass(Duration::from_secs(300));
        let Some(options) = stage.take(CARRIER).into_iter().find(|m| m.starts_with("OPTIONS")) else {
            continue;
        };
        for _ in 0..3 {
            let options =
                stage.take(CARRIER).into_iter().find(|m| m.starts_with("OPTIONS")).unwrap_or(options.clone());
            stage.receive(CARRIER, &reply(&options, 481, "ann@192.0.2.1:5060", "", ""));
            stage.pass(Duration::from_secs(10));
        }
        break;
    }
    assert_eq!(stage.records[0].close, CloseReason::PeerLost);
    let bye = stage.take(CARRIER).into_iter().find(|m| m.starts_with("BYE")).unwrap();
    assert_eq!(header(&bye, "Reason"), "SIP;cause=408;text=\"peer_lost\"");
}

/// The same message over another transport, from there.
fn over(stage: &mut Stage, transport: proxy_core::Transport, from: &str, text: &str) {
    let from =
        proxy_core::Peer { transport, listener: proxy_core::ListenerId(0), remote: from.parse().unwrap() };
    let bytes = bytes::Bytes::copy_from_slice(text.as_bytes());
    stage.input(proxy_core::Input::Message { from, bytes });
}

#[test]
fn a_carrier_that_wants_longer_sessions_is_asked_once_more_over_every_transport() {
    for transport in [proxy_core::Transport::Udp, proxy_core::Transport::Tcp] {
        let mut config = config();
        config.listeners[0].transport = transport;
        config.targets.iter_mut().for_each(|target| target.peer.transport = transport);
        let mut stage = Stage::with(config);
        let call = invite("out", &sdp("198.51.100.1", 30000))
            .replace("192.0.2.1:5060", "198.51.100.1:5060")
            .replace("<sip:192.0.2.1;lr>", "<sip:198.51.100.1;lr>");
        over(&mut stage, transport, EAST, &call);
        let first = stage.take(CARRIER).remove(0);
        let refusal = answer(&first, 422, "t-1", "ann@192.0.2.1:5060", "");
        over(&mut stage, transport, CARRIER, &with(&refusal, "Min-SE: 2000"));
        let told = stage.take(CARRIER);
        let again = told.iter().find(|m| m.starts_with("INVITE")).unwrap_or_else(|| panic!("{told:?}"));
        assert_eq!((header(again, "Min-SE"), header(again, "CSeq")), ("2000", "2 INVITE"));
        assert_eq!(body(again), body(&first), "{transport:?}");
    }
}

#[test]
fn a_target_that_is_down_and_the_only_one_is_asked_once_more_and_a_better_one_goes_before_it() {
    for (down_now, asked) in [(&[0, 1][..], EAST), (&[0][..], WEST)] {
        let mut stage = Stage::new();
        down(&mut stage, &[0, 1], &[]);
        stage.receive(CARRIER, &invite("down", &sdp("192.0.2.1", 30000)));
        let first = stage.take(EAST).remove(0);
        down(&mut stage, down_now, &[]);
        if let Some(moved_on) = stage.take(WEST).pop() {
            // A snapshot in which somebody is up has moved the call already.
            assert_eq!((asked, header(&moved_on, "CSeq")), (WEST, "1 INVITE"));
            continue;
        }
        let refusal = answer(&first, 422, "t-1", "bob@198.51.100.1", "");
        stage.receive(EAST, &with(&refusal, "Min-SE: 2000"));
        let again = stage.take(asked).into_iter().find(|m| m.starts_with("INVITE")).unwrap();
        assert_eq!(header(&again, "CSeq"), if asked == EAST { "2 INVITE" } else { "1 INVITE" });
    }
}
