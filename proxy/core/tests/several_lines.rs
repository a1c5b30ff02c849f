//! Calls of more than one line: each has ports of its own on either leg, comes, goes and comes again (RFC 3264 §8).

mod common;

use common::*;
use proxy_core::{CloseReason, Input};
use relay_values::{
    Carries, Connect, Direction, Leg, RelayCommand, RelayEvent, SessionId, SilenceKind, Time,
};

const OURS: &str = "192.0.2.1";
const THEIRS: &str = "198.51.100.1";

/// A description of these lines, each `kind port transport formats`.
fn lines(address: &str, lines: &[&str]) -> String {
    let head = format!("v=0\r\no=- 1 1 IN IP4 {address}\r\ns=-\r\nc=IN IP4 {address}\r\nt=0 0\r\n");
    lines.iter().fold(head, |text, line| format!("{text}m={line}\r\n"))
}

/// Each `m=` line of a message.
fn media(message: &str) -> Vec<&str> {
    message.lines().filter_map(|line| line.strip_prefix("m=")).collect()
}

/// The call is offered, and answered at east: what east got and what the carrier got.
fn call(stage: &mut Stage, offer: &[&str], answer_lines: &[&str]) -> (String, String) {
    stage.receive(CARRIER, &invite("one", &lines(OURS, offer)));
    let out = stage.take(EAST).remove(0);
    stage.receive(EAST, &answer(&out, 200, "t-east", "bob@198.51.100.1", &lines(THEIRS, answer_lines)));
    let ok = stage.take(CARRIER).pop().unwrap();
    stage.receive(CARRIER, &in_dialog(&ok, "ACK", 1, ""));
    stage.take(EAST);
    (out, ok)
}

/// The carrier re-INVITEs: what east gets.
fn again(stage: &mut Stage, ok: &str, cseq: u32, offer: &[&str]) -> String {
    stage.receive(CARRIER, &in_dialog(ok, "INVITE", cseq, &lines(OURS, offer)));
    stage.take(EAST).remove(0)
}

/// East answers it: what the carrier gets.
fn answered(
    stage: &mut Stage,
    reinvite: &str,
    ok: &str,
    cseq: u32,
    code: u16,
    answer_lines: &[&str],
) -> String {
    let body = if code < 300 { lines(THEIRS, answer_lines) } else { String::new() };
    let response = answer(reinvite, code, "", "bob@198.51.100.1", &body).replace(";tag=\r\n", "\r\n");
    let response = response
        .replace("\r\nCall-ID", ";tag=t-east\r\nCall-ID")
        .replace(";tag=t-east;tag=t-east", ";tag=t-east");
    stage.receive(EAST, &response);
    let response = stage.take(CARRIER).pop().unwrap();
    if code < 300 {
        stage.receive(CARRIER, &in_dialog(ok, "ACK", cseq, ""));
    }
    stage.take(EAST);
    response
}

fn opened(stage: &Stage) -> Vec<SessionId> {
    let open = stage.relayed.iter().filter_map(|c| match c {
        RelayCommand::Open(open) => Some(open.session),
        _ => None,
    });
    open.collect()
}

fn released(stage: &Stage) -> Vec<SessionId> {
    let released = stage.relayed.iter().filter_map(|c| match c {
        RelayCommand::Release { session } => Some(*session),
        _ => None,
    });
    released.collect()
}

/// What the relay was told last of a leg.
fn told(stage: &Stage, session: SessionId, leg: Leg) -> Option<Connect> {
    stage.relayed.iter().rev().find_map(|c| match c {
        RelayCommand::Connect { session: s, leg: l, to } if (*s, *l) == (session, leg) => Some(*to),
        _ => None,
    })
}

fn remote(stage: &Stage, session: SessionId, leg: Leg) -> String {
    told(stage, session, leg).map(|to| to.remote.rtp.to_string()).unwrap_or_default()
}

#[test]
fn each_line_has_ports_of_its_own_on_either_leg() {
    let mut stage = Stage::new();
    let offer = ["audio 30000 RTP/AVP 0", "video 30002 RTP/AVP 31"];
    let (out, ok) = call(&mut stage, &offer, &["audio 40000 RTP/AVP 0", "video 40002 RTP/AVP 31"]);
    assert_eq!(media(&out), ["audio 20002 RTP/AVP 0", "video 20006 RTP/AVP 31"]);
    assert_eq!(media(&ok), ["audio 20000 RTP/AVP 0", "video 20004 RTP/AVP 31"]);
    let [audio, video] = opened(&stage)[..] else { panic!("{:?}", stage.relayed) };
    assert_eq!(remote(&stage, audio, Leg::A), "192.0.2.1:30000");
    assert_eq!(remote(&stage, audio, Leg::B), "198.51.100.1:40000");
    assert_eq!(remote(&stage, video, Leg::A), "192.0.2.1:30002");
    assert_eq!(remote(&stage, video, Leg::B), "198.51.100.1:40002");
    assert_eq!(told(&stage, video, Leg::A).unwrap().clock_rate, 90_000);
    // A picture may stand still: only the first line's silence ends the call.
    let silent = |session| {
        let (leg, kind) = (Leg::B, SilenceKind::Stopped);
        Input::Relay(RelayEvent::Silent { session, leg, since: Time::ZERO, kind })
    };
    stage.input(silent(video));
    assert_eq!(stage.records.len(), 0);
    stage.input(silent(audio));
    assert_eq!(stage.records[0].close, CloseReason::MediaTimeout);
    assert_eq!(released(&stage), [video, audio], "the first line's statistics come last");
    let inactivity: Vec<_> = stage
        .relayed
        .iter()
        .filter_map(|c| match c {
            RelayCommand::Open(open) => Some(open.inactivity.is_some()),
            _ => None,
        })
        .collect();
    assert_eq!(inactivity, [true, false]);
}

// Rules: oa-refuse-by-port-0, oa-lines-never-vanish, oa-line-count
#[test]
fn a_line_that_the_callee_refuses_gives_its_ports_back_and_keeps_its_place() {
    let mut stage = Stage::new();
    let offer = ["video 30002 RTP/AVP 31", "audio 30000 RTP/AVP 0"];
    let (out, ok) = call(&mut stage, &offer, &["video 0 RTP/AVP 31", "audio 40000 RTP/AVP 0"]);
    assert_eq!(media(&out), ["video 20006 RTP/AVP 31", "audio 20002 RTP/AVP 0"]);
    assert_eq!(media(&ok), ["video 0 RTP/AVP 31", "audio 20000 RTP/AVP 0"]);
    let [audio, video] = opened(&stage)[..] else { panic!("{:?}", stage.relayed) };
    assert_eq!(released(&stage), [video]);
    assert_eq!(remote(&stage, audio, Leg::B), "198.51.100.1:40000");
}

// Rules: oa-add-line, oa-remove-line, oa-port-0-again, oa-lines-never-vanish
#[test]
fn a_line_is_added_taken_away_and_used_again() {
    let mut stage = Stage::new();
    let (_, ok) = call(&mut stage, &["audio 30000 RTP/AVP 0"], &["audio 40000 RTP/AVP 0"]);
    let (audio, video) = ("audio 40000 RTP/AVP 0", "video 40002 RTP/AVP 31");
    let out = again(&mut stage, &ok, 2, &["audio 30000 RTP/AVP 0", "video 30002 RTP/AVP 31"]);
    assert_eq!(media(&out), ["audio 20002 RTP/AVP 0", "video 20006 RTP/AVP 31"]);
    let back = answered(&mut stage, &out, &ok, 2, 200, &[audio, video]);
    assert_eq!(media(&back), ["audio 20000 RTP/AVP 0", "video 20004 RTP/AVP 31"]);
    let [_, first] = opened(&stage)[..] else { panic!("{:?}", stage.relayed) };
    assert_eq!(remote(&stage, first, Leg::B), "198.51.100.1:40002");

    let out = again(&mut stage, &ok, 3, &["audio 30000 RTP/AVP 0", "video 0 RTP/AVP 31"]);
    assert_eq!(media(&out), ["audio 20002 RTP/AVP 0", "video 0 RTP/AVP 31"]);
    assert_eq!(released(&stage), [], "until that is agreed");
    let back = answered(&mut stage, &out, &ok, 3, 200, &[audio, "video 0 RTP/AVP 31"]);
    assert_eq!(media(&back)[1], "video 0 RTP/AVP 31");
    assert_eq!(released(&stage), [first]);

    // The same place may be another kind of line (RFC 3264 §8.1).
    let out = again(&mut stage, &ok, 4, &["audio 30000 RTP/AVP 0", "text 30004 RTP/AVP 98"]);
    assert_eq!(media(&out), ["audio 20002 RTP/AVP 0", "text 20010 RTP/AVP 98"]);
    let back = answered(&mut stage, &out, &ok, 4, 200, &[audio, "text 40004 RTP/AVP 98"]);
    assert_eq!(media(&back)[1], "text 20008 RTP/AVP 98");
    let [_, _, second] = opened(&stage)[..] else { panic!("{:?}", stage.relayed) };
    assert_eq!(remote(&stage, second, Leg::A), "192.0.2.1:30004");
    stage.receive(CARRIER, &in_dialog(&ok, "BYE", 5, ""));
    assert_eq!(released(&stage).len(), 3);
    assert_eq!(stage.records.len(), 1);
}

#[test]
fn a_line_that_nobody_takes_leaves_no_ports_behind() {
    let mut stage = Stage::new();
    let (_, ok) = call(&mut stage, &["audio 30000 RTP/AVP 0"], &["audio 40000 RTP/AVP 0"]);
    stage.relayed.clear();
    let out = again(&mut stage, &ok, 2, &["audio 30000 RTP/AVP 0", "video 30002 RTP/AVP 31"]);
    answered(&mut stage, &out, &ok, 2, 488, &[]);
    assert_eq!(released(&stage), opened(&stage));
    assert_eq!(stage.relayed.len(), 2, "nothing else was said: {:?}", stage.relayed);
}

// Rules: oa-at-least-one-line, oa-line-count
#[test]
fn lines_beyond_the_limit_and_those_that_no_datagram_carries_are_refused() {
    let mut stage = Stage::new();
    let offer = [
        "message 2855 TCP/MSRP *",
        "audio 30000 RTP/AVP 0",
        "image 30002 TCP t38",
        "video 30004 RTP/AVPF 31",
        "video 30006 RTP/AVP 31",
        "application 30008 UDP/DTLS/SCTP webrtc-datachannel",
        "text 30010 RTP/AVP 98",
        "video 30012 RTP/AVP 31",
    ];
    stage.receive(CARRIER, &invite("many", &lines(OURS, &offer)));
    let out = stage.take(EAST).remove(0);
    assert_eq!(
        media(&out),
        [
            "message 0 TCP/MSRP *",
            "audio 20002 RTP/AVP 0",
            "image 0 TCP t38",
            "video 20006 RTP/AVPF 31",
            "video 20010 RTP/AVP 31",
            "application 0 UDP/DTLS/SCTP webrtc-datachannel",
            "text 20014 RTP/AVP 98",
            "video 0 RTP/AVP 31",
        ],
        "four are carried"
    );
    // Whatever the callee says of a line that was refused: it stays so.
    let odd = lines(THEIRS, &["message 9 TCP/MSRP *", "audio 40000 RTP/AVP 0"]);
    stage.receive(EAST, &answer(&out, 200, "t-east", "bob@198.51.100.1", &odd));
    let ok = stage.take(CARRIER).pop().unwrap();
    assert_eq!(media(&ok)[..2], ["message 0 TCP/MSRP *", "audio 20000 RTP/AVP 0"]);
    // What it does not mention is refused, and the caller hears of every line that he offered (RFC 3264 §6).
    assert_eq!(media(&ok).len(), offer.len());
    assert!(media(&ok)[2..].iter().all(|line| line.contains(" 0 ")), "{ok}");
    assert_eq!(released(&stage).len(), 3);
}

#[test]
fn nothing_is_bundled_and_no_candidate_is_passed_on() {
    let mut stage = Stage::new();
    let offer = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\na=group:BUNDLE a v\r\na=group:LS a v\r\n\
                 a=ice-lite\r\nm=audio 30000 RTP/AVP 0\r\na=mid:a\r\na=candidate:1 1 UDP 1 192.0.2.9 30000 typ host\r\n\
                 m=video 30000 RTP/AVP 31\r\na=mid:v\r\na=rtcp-mux\r\nm=video 0 RTP/AVP 34\r\na=bundle-only\r\na=mid:w\r\n";
    stage.receive(CARRIER, &invite("bundle", offer));
    let out = stage.take(EAST).remove(0);
    for gone in ["BUNDLE", "bundle", "candidate", "ice", "192.0.2.9"] {
        assert!(!out.contains(gone), "{gone} in {out}");
    }
    assert!(out.contains("a=group:LS a v") && out.contains("a=rtcp-mux"), "{out}");
    assert_eq!(media(&out), ["audio 20002 RTP/AVP 0", "video 20006 RTP/AVP 31", "video 0 RTP/AVP 34"]);
}

#[test]
fn where_the_relay_has_no_more_ports_the_call_goes_without_the_line() {
    let mut stage = Stage::new();
    let (_, ok) = call(&mut stage, &["audio 30000 RTP/AVP 0"], &["audio 40000 RTP/AVP 0"]);
    stage.exhausted = true;
    let out = again(&mut stage, &ok, 2, &["audio 30000 RTP/AVP 0", "video 30002 RTP/AVP 31"]);
    assert_eq!(media(&out), ["audio 20002 RTP/AVP 0", "video 0 RTP/AVP 31"]);
    let back = answered(&mut stage, &out, &ok, 2, 200, &["audio 40000 RTP/AVP 0", "video 0 RTP/AVP 31"]);
    assert_eq!(media(&back), ["audio 20000 RTP/AVP 0", "video 0 RTP/AVP 31"]);
}

// Rules: reinvite-cancelled, reinvite-second-500
#[test]
fn an_offer_that_waits_for_ports_can_be_taken_back_and_outlived() {
    let both = ["audio 30000 RTP/AVP 0", "video 30002 RTP/AVP 31"];
    for method in ["CANCEL", "BYE"] {
        let mut stage = Stage::new();
        let (_, ok) = call(&mut stage, &both[..1], &["audio 40000 RTP/AVP 0"]);
        stage.relayed.clear();
        stage.held = Some(vec![]);
        stage.receive(CARRIER, &in_dialog(&ok, "INVITE", 2, &lines(OURS, &both)));
        assert_eq!(stage.take(EAST), Vec::<String>::new(), "it waits");
        // Nothing may cross it: its own last offer has no answer yet (RFC 3311 §5.2).
        stage.receive(CARRIER, &in_dialog(&ok, "UPDATE", 3, &lines(OURS, &both[..1])));
        assert!(stage.take(CARRIER).iter().any(|m| m.starts_with("SIP/2.0 500")));
        let cancel =
            in_dialog(&ok, "CANCEL", 2, "").replace("branch=z9hG4bKCANCEL2", "branch=z9hG4bKINVITE2");
        stage.receive(CARRIER, &if method == "BYE" { in_dialog(&ok, "BYE", 4, "") } else { cancel });
        let to_carrier = stage.take(CARRIER);
        let refused = to_carrier.iter().find(|m| header(m, "CSeq") == "2 INVITE").unwrap();
        assert!(refused.starts_with("SIP/2.0 487"), "{to_carrier:?}");
        stage.let_go();
        assert!(!stage.take(EAST).iter().any(|m| m.starts_with("INVITE")), "{method}");
        let [video] = opened(&stage)[..] else { panic!("{:?}", stage.relayed) };
        assert!(released(&stage).contains(&video), "{method}: {:?}", stage.relayed);
    }
}

#[test]
fn the_next_target_is_offered_the_same_lines_on_ports_of_its_own() {
    let mut stage = Stage::new();
    stage.receive(
        CARRIER,
        &invite("hunt", &lines(OURS, &["audio 30000 RTP/AVP 0", "video 30002 RTP/AVP 31"])),
    );
    let out = stage.take(EAST).remove(0);
    stage.receive(EAST, &answer(&out, 503, "t-east", "bob@198.51.100.1", ""));
    let next = stage.take(WEST).remove(0);
    // What the one that was left still sends is not the next one's.
    assert_eq!(media(&out), ["audio 20002 RTP/AVP 0", "video 20006 RTP/AVP 31"]);
    assert_eq!(media(&next), ["audio 20010 RTP/AVP 0", "video 20014 RTP/AVP 31"]);
    assert_eq!(opened(&stage).len(), 2);
}

#[test]
fn a_line_on_hold_is_told_apart_from_the_others() {
    let mut stage = Stage::new();
    let (_, ok) = call(
        &mut stage,
        &["audio 30000 RTP/AVP 0", "video 30002 RTP/AVP 31"],
        &["audio 40000 RTP/AVP 0", "video 40002 RTP/AVP 31"],
    );
    let [audio, video] = opened(&stage)[..] else { panic!("{:?}", stage.relayed) };
    stage.relayed.clear();
    let out = again(&mut stage, &ok, 2, &["audio 30000 RTP/AVP 0", "video 30002 RTP/AVP 31\r\na=sendonly"]);
    let line = "video 40002 RTP/AVP 31\r\na=recvonly";
    answered(&mut stage, &out, &ok, 2, 200, &["audio 40000 RTP/AVP 0", line]);
    assert_eq!(told(&stage, audio, Leg::A), None, "nothing new about the speech");
    assert_eq!(told(&stage, video, Leg::A).unwrap().direction, Direction::RecvOnly);
    assert_eq!(told(&stage, video, Leg::B).unwrap().direction, Direction::SendOnly);
}

#[test]
fn sealed_media_is_told_from_media_in_the_clear() {
    let crypto = "\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwg";
    let avp = "audio 30000 RTP/AVP 0";
    let keyed = format!("{avp}{crypto}");
    let savp = format!("audio 30000 RTP/SAVP 0{crypto}");
    let dtls = "audio 30000 UDP/TLS/RTP/SAVPF 0\r\na=setup:actpass\r\na=fingerprint:sha-1 4A:AD:B9:B1:3F:82:18:3B:54:02:12:DF";
    for (offer, answer, expected) in [
        (avp, avp, Carries::Rtp),
        (&keyed, avp, Carries::Rtp),
        (&keyed, &keyed, Carries::Sealed),
        (&savp, &savp, Carries::Sealed),
        (dtls, dtls, Carries::Sealed),
    ] {
        let mut stage = Stage::new();
        let (out, _) = call(&mut stage, &[offer], &[answer]);
        let session = opened(&stage)[0];
        for leg in [Leg::A, Leg::B] {
            assert_eq!(told(&stage, session, leg).unwrap().carries, expected, "{offer} answered by {answer}");
        }
        assert_eq!(out.contains("a=crypto"), offer.contains("a=crypto"), "keys pass untouched");
        assert_eq!(out.contains("a=fingerprint"), offer.contains("a=fingerprint"));
    }
}
