//! Session timers while the tier leg moves: the carrier's goes on, the new leg begins its own (RFC 4028).

mod common;

use common::dialogs::*;
use common::*;
use proxy_core::{CloseReason, Event, MoveReason};
use relay_values::{Duration, Gap, Leg, RelayCommand, RelayEvent};

const WEST_MEDIA: &str = "203.0.113.1";
const TIMER: &str = "Supported: timer\r\nSession-Expires: ";

/// Nobody is asked whether he is there.
fn unwatched() -> Stage {
    let mut config = config();
    config.session.watch = None;
    Stage::with(config)
}

/// West answers the INVITE that moves the call.
fn west_takes(stage: &mut Stage, invite: &str, fields: &str) {
    let ok = answer(invite, 200, "t-west", "eve@203.0.113.1", &sdp(WEST_MEDIA, 50000));
    stage.receive(WEST, &with(&ok, fields));
    assert!(stage.take(WEST)[0].starts_with("ACK"));
    let session = stage.relayed.iter().find_map(|command| match command {
        RelayCommand::Retarget { session, .. } => Some(*session),
        _ => None,
    });
    let now = stage.now;
    let gap = Gap { last: Some(now), filled: Some(now), resumed: now };
    let resumed = RelayEvent::Resumed { session: session.unwrap(), leg: Leg::B, gap };
    stage.input(proxy_core::Input::Relay(resumed));
}

fn reasons(stage: &mut Stage) -> Vec<MoveReason> {
    let events = std::mem::take(&mut stage.events);
    events
        .into_iter()
        .filter_map(|e| if let Event::Moved(receipt) = e { Some(receipt.reason) } else { None })
        .collect()
}

#[test]
fn the_new_leg_begins_its_own_timer_and_the_carriers_goes_on() {
    let mut stage = Stage::new();
    let (ok, _) =
        up_with(&mut stage, &format!("{TIMER}1800"), "Session-Expires: 1800;refresher=uac\r\nAllow: UPDATE");
    stage.pass(Duration::from_secs(600));
    down(&mut stage, &[0], &[0]);
    let invite = stage.take(WEST).remove(0);
    assert_eq!((header(&invite, "Supported"), header(&invite, "Session-Expires")), ("timer", "1800"));
    west_takes(&mut stage, &invite, "Session-Expires: 1200;refresher=uac");
    stage.take(EAST);
    stage.pass(Duration::from_secs(600));
    let refresh = stage.take(WEST).remove(0);
    assert!(refresh.starts_with("INVITE sip:eve@203.0.113.1"), "half of its own interval: {refresh}");
    assert_eq!(header(&refresh, "Session-Expires"), "1200;refresher=uac");
    let again = sdp(WEST_MEDIA, 50000);
    stage.receive(
        WEST,
        &reply(&refresh, 200, "eve@203.0.113.1", "Session-Expires: 1200;refresher=uac", &again),
    );
    assert!(stage.take(EAST).iter().all(|m| m.starts_with("BYE")), "the old leg is not kept alive");
    // The carrier was to refresh by 1768 s.
    stage.pass(Duration::from_secs(567));
    let update = in_dialog(&ok, "UPDATE", 2, "");
    stage.receive(CARRIER, &with(&update, &format!("{TIMER}1800;refresher=uac")));
    assert!(stage.take(CARRIER)[0].starts_with("SIP/2.0 200"));
    stage.pass(Duration::from_secs(60));
    assert_eq!(stage.records.len(), 0);
}

#[test]
fn the_refresh_of_a_moved_leg_offers_what_its_new_edge_was_told() {
    let mut stage = unwatched();
    up_with(&mut stage, "", "");
    down(&mut stage, &[0], &[0]);
    let invite = stage.take(WEST).remove(0);
    west_takes(&mut stage, &invite, "Session-Expires: 1800;refresher=uac");
    stage.pass(Duration::from_secs(901));
    let refresh = stage.take(WEST).into_iter().find(|m| m.starts_with("INVITE")).unwrap();
    assert_eq!(body(&refresh), body(&invite), "the same version, to the byte");
}

#[test]
fn a_carrier_that_refreshes_while_its_call_moves_is_answered_at_once() {
    let mut stage = Stage::new();
    let (ok, _) = up_with(&mut stage, &format!("{TIMER}1800"), "");
    down(&mut stage, &[0], &[0]);
    let invite = stage.take(WEST).remove(0);
    let update = with(&in_dialog(&ok, "UPDATE", 2, ""), &format!("{TIMER}1800;refresher=uac"));
    stage.receive(CARRIER, &update);
    assert!(stage.take(CARRIER)[0].starts_with("SIP/2.0 200"));
    let again = in_dialog(&ok, "INVITE", 3, &sdp("192.0.2.1", 30000));
    stage.receive(CARRIER, &with(&again, &format!("{TIMER}1800;refresher=uac")));
    let answer = stage.take(CARRIER).pop().unwrap();
    assert!(answer.starts_with("SIP/2.0 200"), "{answer}");
    assert_eq!(body(&answer), body(&ok));
    west_takes(&mut stage, &invite, "");
    stage.receive(CARRIER, &in_dialog(&ok, "ACK", 3, ""));
    stage.pass(Duration::from_secs(60));
    assert_eq!(stage.records.len(), 0);
    assert_eq!(stage.take(CARRIER), Vec::<String>::new());
    // What changes something has to wait for the tier leg.
    down(&mut stage, &[1], &[1]);
    stage.take(EAST);
    let held = format!("{}a=sendonly\r\n", sdp("192.0.2.1", 30000));
    stage.receive(CARRIER, &in_dialog(&ok, "INVITE", 4, &held));
    assert!(stage.take(CARRIER)[0].starts_with("SIP/2.0 491"));
}

#[test]
fn an_edge_that_wants_longer_sessions_is_asked_once_more_in_the_same_move() {
    let mut stage = Stage::new();
    up_with(&mut stage, "", "");
    down(&mut stage, &[0], &[0]);
    let invite = stage.take(WEST).remove(0);
    let refusal = answer(&invite, 422, "t-no", "eve@203.0.113.1", "");
    stage.receive(WEST, &with(&refusal, "Min-SE: 3600"));
    let again = stage.take(WEST).into_iter().find(|m| m.starts_with("INVITE")).unwrap();
    assert_eq!((header(&again, "Session-Expires"), header(&again, "Min-SE")), ("3600", "3600"));
    west_takes(&mut stage, &again, "Session-Expires: 3600;refresher=uas");
    stage.pass(Duration::from_secs(100));
    assert_eq!(stage.records.len(), 0);
}

#[test]
fn an_edge_that_does_not_know_the_call_any_more_is_left_for_another_one() {
    let mut stage = Stage::new();
    up_with(&mut stage, &format!("{TIMER}1800"), "Session-Expires: 1800;refresher=uac\r\nAllow: UPDATE");
    stage.pass(Duration::from_secs(900));
    let update = stage.take(EAST).remove(0);
    stage.receive(EAST, &reply(&update, 481, "bob@198.51.100.1", "", ""));
    stage.pass(Duration::ZERO);
    let invite = stage.take(WEST).remove(0);
    west_takes(&mut stage, &invite, "");
    stage.pass(Duration::from_millis(10));
    assert_eq!(reasons(&mut stage), [MoveReason::LegLost]);
    assert!(
        stage.take(EAST).iter().any(|m| m.starts_with("BYE")),
        "it is told all the same (RFC 3261 §12.2.1.2)"
    );
    assert_eq!((stage.take(CARRIER), stage.records.len()), (vec![], 0), "the carrier hears nothing");
}

#[test]
fn an_edge_that_nobody_can_take_the_call_from_ends_it() {
    let mut stage = unwatched();
    up_with(&mut stage, "", "Session-Expires: 1800;refresher=uac\r\nAllow: UPDATE");
    stage.pass(Duration::from_secs(890));
    stage.take(CARRIER);
    down(&mut stage, &[1], &[1]);
    stage.pass(Duration::from_secs(10));
    let update = stage.take(EAST).into_iter().find(|m| m.starts_with("UPDATE")).unwrap();
    stage.receive(EAST, &reply(&update, 481, "bob@198.51.100.1", "", ""));
    stage.pass(Duration::from_secs(11));
    assert_eq!(stage.records[0].close, CloseReason::NotRehomed);
    assert!(stage.take(CARRIER).iter().any(|m| m.starts_with("BYE")));
}
