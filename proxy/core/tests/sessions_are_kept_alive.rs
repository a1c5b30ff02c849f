//! Session timers of either leg (RFC 4028), and the watch over peers that have none.

mod common;

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

/// The same message with further header fields.
fn with(message: &str, fields: &str) -> String {
    message.replacen("Call-ID", &format!("{fields}\r\nCall-ID"), 1)
}

/// A call that is up: the 200 that the carrier got, and the INVITE that east got. Either side may add header fields.
fn up(stage: &mut Stage, carrier: &str, east: &str) -> (String, String) {
    let offer = invite("one", &sdp("192.0.2.1", 30000));
    stage.receive(CARRIER, &if carrier.is_empty() { offer } else { with(&offer, carrier) });
    let out = stage.take(EAST).remove(0);
    let ok = answer(&out, 200, "t-east", "bob@198.51.100.1", &sdp("198.51.100.1", 40000));
    stage.receive(EAST, &if east.is_empty() { ok } else { with(&ok, east) });
    let ok = stage.take(CARRIER).pop().unwrap();
    stage.receive(CARRIER, &in_dialog(&ok, "ACK", 1, ""));
    stage.take(EAST);
    (ok, out)
}

/// Answers a request inside a dialog, whose To has its tag already.
fn reply(request: &str, code: u16, contact: &str, fields: &str, body: &str) -> String {
    let plain = answer(request, code, "x", contact, body);
    let to = header(request, "To");
    let plain =
        plain.replacen(&format!("To: {};tag=x", to.split(";tag").next().unwrap()), &format!("To: {to}"), 1);
    if fields.is_empty() { plain } else { with(&plain, fields) }
}

#[test]
fn a_caller_who_can_refreshes_and_is_told_so() {
    let mut stage = Stage::new();
    let (ok, out) = up(&mut stage, &format!("{TIMER}3600"), "");
    assert_eq!(header(&ok, "Session-Expires"), "1800;refresher=uac", "{ok}");
    assert_eq!(header(&ok, "Require"), "timer");
    assert_eq!((header(&out, "Supported"), header(&out, "Session-Expires")), ("timer", "1800"));
}

#[test]
fn a_session_that_its_peer_does_not_refresh_ends_in_time() {
    let mut stage = Stage::new();
    up(&mut stage, &format!("{TIMER}1800"), "Session-Expires: 3600;refresher=uac\r\nAllow: UPDATE");
    stage.pass(Duration::from_secs(1767));
    assert_eq!(stage.records.len(), 0);
    stage.pass(Duration::from_secs(1));
    assert_eq!(stage.records[0].close, CloseReason::SessionExpired, "32 s before the end (§10)");
    assert!(stage.take(CARRIER).iter().any(|m| m.starts_with("BYE")));
}

#[test]
fn an_update_without_an_offer_is_answered_on_its_own_leg_and_keeps_the_session() {
    let mut stage = Stage::new();
    let (ok, _) = up(&mut stage, &format!("{TIMER}1800"), "Session-Expires: 7200;refresher=uas");
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

#[test]
fn we_refresh_by_update_where_the_peer_takes_it() {
    let mut stage = unwatched();
    up(&mut stage, "", "Session-Expires: 1800;refresher=uac\r\nAllow: INVITE, UPDATE");
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

#[test]
fn we_refresh_by_reinvite_with_the_description_that_the_peer_has() {
    let mut stage = unwatched();
    let (_, out) = up(&mut stage, "", "Session-Expires: 1800;refresher=uac");
    stage.pass(Duration::from_secs(901));
    let reinvite = stage.take(EAST).into_iter().find(|m| m.starts_with("INVITE")).unwrap();
    let body = |message: &str| message.split("\r\n\r\n").nth(1).unwrap().to_owned();
    assert_eq!(body(&reinvite), body(&out), "the same version, to the byte (§7.4)");
    stage.relayed.clear();
    let fields = "Session-Expires: 1800;refresher=uac";
    let same = sdp("198.51.100.1", 40000);
    stage.receive(EAST, &reply(&reinvite, 200, "bob@198.51.100.1", fields, &same));
    assert!(stage.take(EAST)[0].starts_with("ACK"));
    assert_eq!(stage.relayed, [], "nothing has changed");
}

#[test]
fn a_session_that_is_too_short_is_refused_with_what_would_do() {
    let mut stage = Stage::new();
    stage.receive(CARRIER, &with(&invite("short", &sdp("192.0.2.1", 30000)), &format!("{TIMER}60")));
    let refusal = stage.take(CARRIER).pop().unwrap();
    assert!(refusal.starts_with("SIP/2.0 422"), "{refusal}");
    assert_eq!(header(&refusal, "Min-SE"), "90");
}

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
fn a_peer_without_timers_is_asked_and_ends_the_call_by_its_silence() {
    let mut stage = Stage::new();
    up(&mut stage, &format!("{TIMER}1800"), "");
    stage.pass(Duration::from_secs(301));
    let options = stage.take(EAST).remove(0);
    assert!(options.starts_with("OPTIONS sip:bob@198.51.100.1"), "{options}");
    stage.receive(EAST, &reply(&options, 501, "bob@198.51.100.1", "", ""));
    stage.pass(Duration::from_secs(290));
    assert_eq!(stage.records.len(), 0, "any answer shows that it is there");
    stage.pass(Duration::from_secs(200));
    assert_eq!(stage.records[0].close, CloseReason::PeerLost);
}
