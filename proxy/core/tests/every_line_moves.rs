//! A call of more than one line, or of none but fax, is moved: the new edge is offered what the carrier has.

mod common;

use common::dialogs::*;
use common::*;
use proxy_core::*;
use relay_values::{Carries, Duration, Gap, Leg, RegionId, RelayCommand, RelayEvent, SessionId, Time};
use std::sync::Arc;

const OURS: &str = "192.0.2.1";
const EAST_MEDIA: &str = "198.51.100.1";
const WEST_MEDIA: &str = "203.0.113.1";
const H261: &str = "video 30002 RTP/AVP 31";

fn lines(address: &str, lines: &[&str]) -> String {
    let head = format!("v=0\r\no=- 1 1 IN IP4 {address}\r\ns=-\r\nc=IN IP4 {address}\r\nt=0 0\r\n");
    lines.iter().fold(head, |text, line| format!("{text}m={line}\r\n"))
}

fn media(message: &str) -> Vec<&str> {
    message.lines().filter_map(|line| line.strip_prefix("m=")).collect()
}

/// A call of these lines is up in east, and then east is dead: its sessions, and the INVITE that west gets.
fn moving(stage: &mut Stage, offer: &[&str], taken: &[&str]) -> (Vec<SessionId>, String) {
    let (sessions, _, invite) = moving_from(stage, offer, taken);
    (sessions, invite)
}

/// The same, with what the carrier was answered.
fn moving_from(stage: &mut Stage, offer: &[&str], taken: &[&str]) -> (Vec<SessionId>, String, String) {
    stage.receive(CARRIER, &invite("one", &lines(OURS, offer)));
    let out = stage.take(EAST).remove(0);
    stage.receive(EAST, &answer(&out, 200, "t-east", "bob@198.51.100.1", &lines(EAST_MEDIA, taken)));
    let ok = stage.take(CARRIER).pop().unwrap();
    stage.receive(CARRIER, &in_dialog(&ok, "ACK", 1, ""));
    stage.take(EAST);
    let open = stage.relayed.iter().filter_map(|c| match c {
        RelayCommand::Open(open) => Some(open.session),
        _ => None,
    });
    let sessions = open.collect();
    stage.relayed.clear();
    let mut snapshot = (*stage.snapshot).clone();
    snapshot.generation += 1;
    snapshot.health[0].state = TargetState::Down;
    snapshot.regions[0].state = RegionState::Down;
    stage.snapshot = Arc::new(snapshot);
    let snapshot = stage.snapshot.clone();
    stage.input(Input::Snapshot(snapshot));
    stage.pass(Duration::ZERO);
    (sessions, ok, stage.take(WEST).remove(0))
}

fn west_takes(stage: &mut Stage, invite: &str, taken: &[&str]) -> Vec<String> {
    stage.receive(WEST, &answer(invite, 200, "t-west", "eve@203.0.113.1", &lines(WEST_MEDIA, taken)));
    stage.take(WEST)
}

/// Where each session's tier leg was sent.
fn retargets(stage: &Stage) -> Vec<(SessionId, Option<String>)> {
    let retargets = stage.relayed.iter().filter_map(|c| match c {
        RelayCommand::Retarget { session, leg: Leg::B, region: RegionId(1), to } => {
            Some((*session, to.map(|to| to.remote.rtp.to_string())))
        }
        _ => None,
    });
    retargets.collect()
}

fn outcomes(stage: &Stage) -> Vec<MoveOutcome> {
    let moved = stage.events.iter().filter_map(|event| match event {
        Event::Moved(receipt) => Some(receipt.outcome),
        _ => None,
    });
    moved.collect()
}

#[test]
fn every_line_goes_to_the_new_edge() {
    let mut stage = Stage::new();
    let offer = ["audio 30000 RTP/AVP 0 8", H261];
    let (sessions, invite) = moving(&mut stage, &offer, &["audio 40000 RTP/AVP 0", "video 40002 RTP/AVP 31"]);
    assert_eq!(media(&invite), ["audio 20002 RTP/AVP 0", "video 20006 RTP/AVP 31"], "{invite}");
    let to_west = west_takes(&mut stage, &invite, &["audio 50000 RTP/AVP 0", "video 50002 RTP/AVP 31"]);
    assert!(to_west.len() == 1 && to_west[0].starts_with("ACK"), "{to_west:?}");
    let [audio, video] = sessions[..] else { panic!("{sessions:?}") };
    assert_eq!(
        retargets(&stage),
        [(audio, Some("203.0.113.1:50000".to_owned())), (video, Some("203.0.113.1:50002".to_owned()))]
    );
    // The picture may be there first: it is the speech that the move is measured by.
    let resumed = |session| {
        let gap = Gap { last: Some(Time::ZERO), filled: None, resumed: Time::from_millis(150) };
        Input::Relay(RelayEvent::Resumed { session, leg: Leg::B, gap })
    };
    stage.input(resumed(video));
    assert_eq!(outcomes(&stage), []);
    stage.input(resumed(audio));
    assert_eq!(outcomes(&stage), [MoveOutcome::Moved]);
    assert_eq!(stage.take(CARRIER), Vec::<String>::new(), "the carrier hears nothing");
}

#[test]
fn an_edge_that_takes_the_speech_alone_is_taken() {
    for second in ["video 0 RTP/AVP 31", "video 50002 RTP/AVP 34", "video 50002 TCP/RTP/AVP 31"] {
        let mut stage = Stage::new();
        let offer = ["audio 30000 RTP/AVP 0", H261];
        let (sessions, invite) =
            moving(&mut stage, &offer, &["audio 40000 RTP/AVP 0", "video 40002 RTP/AVP 31"]);
        let to_west = west_takes(&mut stage, &invite, &["audio 50000 RTP/AVP 0", second]);
        assert!(to_west.len() == 1 && to_west[0].starts_with("ACK"), "{second}: {to_west:?}");
        let [audio, video] = sessions[..] else { panic!("{sessions:?}") };
        let expected = [(audio, Some("203.0.113.1:50000".to_owned())), (video, None)];
        assert_eq!(retargets(&stage), expected, "{second}: nothing goes to the edge that was left");
        assert_eq!(stage.take(CARRIER), Vec::<String>::new());
    }
}

#[test]
fn what_the_new_edge_has_refused_stays_refused_when_it_refreshes_the_session() {
    let mut stage = Stage::new();
    let offer = ["audio 30000 RTP/AVP 0", H261];
    let (sessions, invite) = moving(&mut stage, &offer, &["audio 40000 RTP/AVP 0", "video 40002 RTP/AVP 31"]);
    let taken = ["audio 50000 RTP/AVP 0", "video 0 RTP/AVP 31"];
    west_takes(&mut stage, &invite, &taken);
    let gap = Gap { last: Some(Time::ZERO), filled: None, resumed: Time::from_millis(150) };
    stage.input(Input::Relay(RelayEvent::Resumed { session: sessions[0], leg: Leg::B, gap }));
    let again =
        |cseq| from_edge(&invite, ("203.0.113.1", "t-west"), "INVITE", cseq, &lines(WEST_MEDIA, &taken));
    stage.receive(WEST, &again(1));
    let first = stage.take(WEST).pop().unwrap();
    assert!(first.starts_with("SIP/2.0 200"), "{first}");
    assert_eq!(media(&first), ["audio 20002 RTP/AVP 0", "video 0 RTP/AVP 31"], "{first}");
    stage.receive(WEST, &in_dialog(&first, "ACK", 1, ""));
    stage.receive(WEST, &again(2));
    let second = stage.take(WEST).pop().unwrap();
    assert_eq!(body(&second), body(&first), "and nothing changes from then on");
    assert_eq!(stage.take(CARRIER), Vec::<String>::new());
}

#[test]
fn a_picture_that_the_new_edge_refuses_keeps_its_ports_until_the_carrier_is_told() {
    let mut stage = Stage::new();
    let offer = ["audio 30000 RTP/AVP 0", H261];
    let (sessions, ok, invite) =
        moving_from(&mut stage, &offer, &["audio 40000 RTP/AVP 0", "video 40002 RTP/AVP 31"]);
    west_takes(&mut stage, &invite, &["audio 50000 RTP/AVP 0", "video 0 RTP/AVP 31"]);
    let resumed = Time::from_millis(150);
    let gap = Gap { last: Some(Time::ZERO), filled: None, resumed };
    stage.input(Input::Relay(RelayEvent::Resumed { session: sessions[0], leg: Leg::B, gap }));
    let released = |stage: &Stage| {
        let video =
            |c: &&RelayCommand| matches!(c, RelayCommand::Release { session } if *session == sessions[1]);
        stage.relayed.iter().filter(video).count()
    };
    // Something that has nothing to do with media crosses the call.
    stage.receive(CARRIER, &in_dialog(&ok, "INFO", 2, ""));
    let info = stage.take(WEST).remove(0);
    stage.receive(WEST, &reply(&info, 200, "eve@203.0.113.1", "", ""));
    assert!(stage.take(CARRIER).pop().unwrap().starts_with("SIP/2.0 200"));
    assert_eq!(released(&stage), 0, "the carrier may still send its picture there");
    // It keeps its session alive.
    stage.receive(CARRIER, &in_dialog(&ok, "INVITE", 3, &lines(OURS, &offer)));
    let again = stage.take(CARRIER).pop().unwrap();
    assert_eq!(media(&again), media(&ok), "{again}");
    stage.receive(CARRIER, &in_dialog(&ok, "ACK", 3, ""));
    // It changes something, and hears that nobody takes the picture any more.
    let held = lines(OURS, &["audio 30000 RTP/AVP 0\r\na=sendonly", H261]);
    stage.receive(CARRIER, &in_dialog(&ok, "INVITE", 4, &held));
    let offered = stage.take(WEST).remove(0);
    let taken = lines(WEST_MEDIA, &["audio 50000 RTP/AVP 0\r\na=recvonly", "video 0 RTP/AVP 31"]);
    stage.receive(WEST, &reply(&offered, 200, "eve@203.0.113.1", "", &taken));
    let told = stage.take(CARRIER).pop().unwrap();
    assert_eq!(media(&told)[1], "video 0 RTP/AVP 31", "{told}");
    assert_eq!(released(&stage), 1);
}

#[test]
fn an_edge_that_refuses_the_speech_is_not_taken_for_its_picture() {
    let mut stage = Stage::new();
    let offer = ["audio 30000 RTP/AVP 0", H261];
    let (_, invite) = moving(&mut stage, &offer, &["audio 40000 RTP/AVP 0", "video 40002 RTP/AVP 31"]);
    let to_west = west_takes(&mut stage, &invite, &["audio 0 RTP/AVP 0", "video 50002 RTP/AVP 31"]);
    assert!(to_west[1].starts_with("BYE") && header(&to_west[1], "Reason").contains("488"), "{to_west:?}");
    assert_eq!(retargets(&stage), []);
}

#[test]
fn refused_lines_keep_their_places_so_that_later_offers_still_match() {
    let mut stage = Stage::new();
    let offer = [H261, "message 2855 TCP/MSRP *", "audio 30000 RTP/AVP 0"];
    let taken = ["video 0 RTP/AVP 31", "message 0 TCP/MSRP *", "audio 40000 RTP/AVP 0"];
    let (_, invite) = moving(&mut stage, &offer, &taken);
    assert_eq!(media(&invite), ["video 0 RTP/AVP 31", "message 0 TCP/MSRP *", "audio 20002 RTP/AVP 0"]);
    let taken = ["video 0 RTP/AVP 31", "message 0 TCP/MSRP *", "audio 50000 RTP/AVP 0"];
    let to_west = west_takes(&mut stage, &invite, &taken);
    assert!(to_west.len() == 1 && to_west[0].starts_with("ACK"), "{to_west:?}");
}

const T38: &str = "udptl t38\r\na=T38FaxVersion:0\r\na=T38FaxRateManagement:transferredTCF";

#[test]
fn a_fax_under_way_is_offered_as_a_fax() {
    let mut stage = Stage::new();
    let (ours, theirs) = (format!("image 30100 {T38}"), format!("image 40100 {T38}"));
    let (sessions, invite) = moving(&mut stage, &[&ours], &[&theirs]);
    assert!(invite.ends_with(&format!("m=image 20002 {T38}\r\n")), "{invite}");
    let bridge = stage.relayed.iter().find(|c| matches!(c, RelayCommand::Bridge { .. }));
    assert!(
        matches!(bridge, Some(RelayCommand::Bridge { fill: None, .. })),
        "nothing to be said meanwhile: {bridge:?}"
    );
    let to_west = west_takes(&mut stage, &invite, &[&format!("image 50100 {T38}")]);
    assert!(to_west.len() == 1 && to_west[0].starts_with("ACK"), "{to_west:?}");
    assert_eq!(retargets(&stage), [(sessions[0], Some("203.0.113.1:50100".to_owned()))]);
    let Some(RelayCommand::Retarget { to: Some(to), .. }) =
        stage.relayed.iter().find(|c| matches!(c, RelayCommand::Retarget { .. }))
    else {
        panic!("{:?}", stage.relayed)
    };
    assert_eq!(to.carries, Carries::Datagrams);
}

#[test]
fn an_edge_that_takes_no_fax_is_left_again() {
    for refused in ["image 0 udptl t38", "audio 50000 RTP/AVP 0", "image 50100 TCP t38"] {
        let mut stage = Stage::new();
        let (ours, theirs) = (format!("image 30100 {T38}"), format!("image 40100 {T38}"));
        let (_, invite) = moving(&mut stage, &[&ours], &[&theirs]);
        let to_west = west_takes(&mut stage, &invite, &[refused]);
        assert!(
            to_west[1].starts_with("BYE") && header(&to_west[1], "Reason").contains("488"),
            "{to_west:?}"
        );
        stage.pass(Duration::from_secs(30));
        assert_eq!(outcomes(&stage), [MoveOutcome::Unmatched], "{refused}");
        assert_eq!(stage.records[0].close, CloseReason::NotRehomed);
    }
}

#[test]
fn a_fax_beside_silenced_speech_moves_with_its_own_line() {
    let mut stage = Stage::new();
    let (ours, theirs) = (format!("image 30100 {T38}"), format!("image 40100 {T38}"));
    let (sessions, invite) =
        moving(&mut stage, &["audio 0 RTP/AVP 0", &ours], &["audio 0 RTP/AVP 0", &theirs]);
    // The fax is the only line that is carried, so it is the first.
    assert_eq!(media(&invite), ["audio 0 RTP/AVP 0", "image 20006 udptl t38"], "{invite}");
    west_takes(&mut stage, &invite, &["audio 0 RTP/AVP 0", &format!("image 50100 {T38}")]);
    let fax = sessions[1];
    assert!(
        retargets(&stage).contains(&(fax, Some("203.0.113.1:50100".to_owned()))),
        "{:?}",
        retargets(&stage)
    );
    let gap = Gap { last: Some(Time::ZERO), filled: None, resumed: Time::from_millis(150) };
    stage.input(Input::Relay(RelayEvent::Resumed { session: fax, leg: Leg::B, gap }));
    assert_eq!(outcomes(&stage), [MoveOutcome::Moved], "by the line that is in use");
}

#[test]
fn the_carrier_is_asked_for_every_line_where_the_new_edge_speaks_otherwise() {
    let mut stage = Stage::new();
    let offer = ["audio 30000 RTP/AVP 0 8", H261];
    let (sessions, invite) = moving(&mut stage, &offer, &["audio 40000 RTP/AVP 0", "video 40002 RTP/AVP 31"]);
    // It is offered µ-law alone, and answers A-law: that is no answer, but the carrier may follow.
    west_takes(&mut stage, &invite, &["audio 50000 RTP/AVP 8", "video 0 RTP/AVP 31"]);
    let reinvite = stage.take(CARRIER).remove(0);
    assert_eq!(media(&reinvite), ["audio 20000 RTP/AVP 8", "video 0 RTP/AVP 31"], "{reinvite}");
    let body = lines(OURS, &["audio 30000 RTP/AVP 8", "video 0 RTP/AVP 31"]);
    stage.receive(
        CARRIER,
        &answer(&reinvite, 200, "", "ann@192.0.2.1:5060", &body).replace(";tag=\r\n", "\r\n"),
    );
    let [audio, video] = sessions[..] else { panic!("{sessions:?}") };
    let expected = [(audio, Some("203.0.113.1:50000".to_owned())), (video, None)];
    assert_eq!(retargets(&stage), expected);
}

#[test]
fn a_sealed_call_is_filled_with_nothing() {
    let mut stage = Stage::new();
    let savp = |port: u16| {
        format!("audio {port} RTP/SAVP 0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwg")
    };
    moving(&mut stage, &[&savp(30000)], &[&savp(40000)]);
    let bridge = stage.relayed.iter().find(|c| matches!(c, RelayCommand::Bridge { .. }));
    assert!(matches!(bridge, Some(RelayCommand::Bridge { fill: None, .. })), "{bridge:?}");
}
