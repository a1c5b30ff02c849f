//! Offers and answers wherever they may stand (RFC 3264, RFC 6337, RFC 6141).

mod common;

use common::dialogs::*;
use common::*;
use proxy_core::CloseReason;
use relay_values::{Direction, Duration, Leg, RelayCommand};

const ANN: &str = "ann@192.0.2.1:5060";
const BOB: &str = "bob@198.51.100.1";
const TIER: (&str, &str) = (EAST, "t-east");

fn offer() -> String {
    sdp("192.0.2.1", 30000)
}

fn theirs() -> String {
    sdp("198.51.100.1", 40000)
}

/// What the relay was told last of either leg: which way media goes, and where the leg is.
fn told(stage: &Stage, of: Leg) -> (Direction, String) {
    let last = stage.relayed.iter().rev().find_map(|command| match command {
        RelayCommand::Connect { leg, to, .. } if *leg == of => {
            Some((to.direction, to.remote.rtp.to_string()))
        }
        _ => None,
    });
    last.expect("it was told")
}

/// The `o=` line's version.
fn version(message: &str) -> u64 {
    let origin = body(message).lines().find_map(|line| line.strip_prefix("o=")).unwrap();
    origin.split(' ').nth(2).unwrap().parse().unwrap()
}

/// The carrier's re-INVITE and the edge's answer: what the edge got, and what the carrier.
fn carrier_offers(stage: &mut Stage, ok: &str, cseq: u32, offer: &str, answer: &str) -> (String, String) {
    stage.receive(CARRIER, &in_dialog(ok, "INVITE", cseq, offer));
    let reinvite = stage.take(EAST).remove(0);
    stage.receive(EAST, &reply(&reinvite, 200, BOB, "", answer));
    let answer = stage.take(CARRIER).pop().unwrap();
    stage.receive(CARRIER, &in_dialog(ok, "ACK", cseq, ""));
    assert_eq!(whats(&stage.take(EAST)), ["ACK"]);
    (reinvite, answer)
}

// Rules: invite-488-warning
#[test]
fn an_offer_that_cannot_be_relayed_is_refused_and_says_why() {
    let head = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\n";
    let with_c = format!("{head}c=IN IP4 192.0.2.1\r\n");
    for (offer, code) in [
        (format!("{with_c}m=message 2855 TCP/MSRP *\r\n"), "302"),
        (format!("{with_c}m=audio 4000 DCCP/TLS/RTP/SAVP 0\r\n"), "302"),
        (format!("{head}c=IN IP4 phone.example\r\nm=audio 4000 RTP/AVP 0\r\n"), "301"),
        (head.to_owned(), "304"),
        ("v=1\r\nm=audio\r\n".to_owned(), "399"),
    ] {
        let mut stage = Stage::new();
        stage.receive(CARRIER, &invite("odd", &offer));
        let refused = stage.take(CARRIER).pop().unwrap();
        assert_eq!(what(&refused), "488 INVITE", "{offer}");
        assert!(
            header(&refused, "Warning").starts_with(&format!("{code} 192.0.2.100 \"")),
            "{offer}: {refused}"
        );
        assert_eq!(stage.take(EAST), Vec::<String>::new());
        assert_eq!(stage.records[0].close, CloseReason::Rejected);
    }
}

// Rules: answer-first-counts
#[test]
fn a_183_with_a_description_and_one_without_both_lead_to_one_answer() {
    let mut stage = Stage::new();
    stage.receive(CARRIER, &invite("one", &offer()));
    let out = stage.take(EAST).remove(0);
    stage.receive(EAST, &answer(&out, 183, "t-east", BOB, ""));
    let plain = stage.take(CARRIER).pop().unwrap();
    assert_eq!((what(&plain).as_str(), body(&plain)), ("183 INVITE", ""));
    stage.receive(EAST, &answer(&out, 183, "t-east", BOB, &theirs()));
    let early = stage.take(CARRIER).pop().unwrap();
    stage.receive(EAST, &answer(&out, 180, "t-east", BOB, ""));
    assert_eq!(body(&stage.take(CARRIER)[0]), "");
    stage.receive(EAST, &answer(&out, 200, "t-east", BOB, &theirs()));
    let ok = stage.take(CARRIER).pop().unwrap();
    assert_eq!(body(&ok), body(&early), "RFC 3261 §13.2.1: the same answer again, under the same version");
}

// Rules: answer-place, answer-first-counts, invite-2xx-answers
#[test]
fn an_answer_that_stands_only_in_the_183_is_repeated_in_the_200() {
    let mut stage = Stage::new();
    stage.receive(CARRIER, &invite("one", &offer()));
    let out = stage.take(EAST).remove(0);
    stage.receive(EAST, &answer(&out, 183, "t-east", BOB, &theirs()));
    let early = stage.take(CARRIER).pop().unwrap();
    stage.receive(EAST, &answer(&out, 200, "t-east", BOB, ""));
    let ok = stage.take(CARRIER).pop().unwrap();
    assert_eq!(body(&ok), body(&early), "a plain 183 may be lost: the caller is owed an answer that is not");
}

#[test]
fn a_200_without_any_answer_is_no_answer() {
    let mut stage = Stage::new();
    stage.receive(CARRIER, &invite("one", &offer()));
    let out = stage.take(EAST).remove(0);
    stage.receive(EAST, &answer(&out, 200, "t-east", BOB, ""));
    assert_eq!(whats(&stage.take(EAST)), ["ACK", "BYE"]);
    assert_eq!(whats(&stage.take(CARRIER)), ["100 INVITE", "502 INVITE"]);
    assert_eq!(stage.records[0].close, CloseReason::BadAnswer);
}

#[test]
fn two_phones_with_early_media_are_heard_one_after_the_other_and_the_one_that_answers_stays() {
    let mut stage = Stage::new();
    stage.receive(CARRIER, &invite("one", &offer()));
    let out = stage.take(EAST).remove(0);
    stage.receive(EAST, &answer(&out, 183, "t-one", BOB, &theirs()));
    let first = stage.take(CARRIER).pop().unwrap();
    assert_eq!(told(&stage, Leg::B).1, "198.51.100.1:40000");
    stage.receive(EAST, &answer(&out, 183, "t-two", "carol@198.51.100.1", &sdp("198.51.100.2", 41000)));
    let second = stage.take(CARRIER).pop().unwrap();
    assert_eq!(told(&stage, Leg::B).1, "198.51.100.2:41000", "who spoke last is heard");
    assert_eq!(header(&first, "To"), header(&second, "To"), "the caller has one early dialog");
    // A request of his goes to the phone that spoke last.
    stage.receive(CARRIER, &in_dialog(&second, "INFO", 2, ""));
    assert!(stage.take(EAST)[0].starts_with("INFO sip:carol@"));
    // The other one answers, and says nothing more of its media.
    stage.receive(EAST, &answer(&out, 200, "t-one", BOB, ""));
    assert_eq!(told(&stage, Leg::B).1, "198.51.100.1:40000");
    let ok = stage.take(CARRIER).pop().unwrap();
    assert!(what(&ok) == "200 INVITE" && body(&ok).contains("m=audio 20000"), "{ok}");
    assert!(header(&stage.take(EAST)[0], "To").ends_with("t-one"));
    // Its sister comes too late.
    stage.receive(EAST, &answer(&out, 200, "t-two", "carol@198.51.100.1", &sdp("198.51.100.2", 41000)));
    assert_eq!(whats(&stage.take(EAST)), ["ACK", "BYE"]);
}

// Rules: oa-hold-sendonly, oa-hold-null-address, oa-direction-answer
#[test]
fn hold_in_every_spelling_stops_the_media_and_resume_starts_it() {
    let null = |sdp: &str| sdp.replacen("c=IN IP4 192.0.2.1", "c=IN IP4 0.0.0.0", 1);
    let attribute = |sdp: &str, direction: &str| format!("{sdp}a={direction}\r\n");
    let before_m =
        |sdp: &str, direction: &str| sdp.replacen("t=0 0\r\n", &format!("t=0 0\r\na={direction}\r\n"), 1);
    let (listens, stops) =
        ((Direction::RecvOnly, Direction::SendOnly), (Direction::Inactive, Direction::Inactive));
    for (hold, spelt, answer, expected) in [
        (attribute(&offer(), "sendonly"), "sendonly", attribute(&theirs(), "recvonly"), listens),
        (before_m(&offer(), "sendonly"), "sendonly", before_m(&theirs(), "recvonly"), listens),
        (attribute(&offer(), "inactive"), "inactive", attribute(&theirs(), "inactive"), stops),
        (null(&offer()), "sendonly", attribute(&theirs(), "recvonly"), listens),
        (attribute(&null(&offer()), "inactive"), "inactive", attribute(&theirs(), "inactive"), stops),
        // A peer that is held answers with nothing, as old ones do: what the offer says holds.
        (attribute(&offer(), "sendonly"), "sendonly", theirs(), listens),
        // Both hold each other.
        (attribute(&offer(), "sendonly"), "sendonly", attribute(&theirs(), "inactive"), stops),
    ] {
        let mut stage = Stage::new();
        let (ok, _) = up_with(&mut stage, "", "");
        let (reinvite, _) = carrier_offers(&mut stage, &ok, 2, &hold, &answer);
        assert!(reinvite.contains(&format!("a={spelt}\r\n")), "{hold} became {reinvite}");
        assert!(!reinvite.contains("0.0.0.0"), "our address does not hold: {reinvite}");
        assert_eq!((told(&stage, Leg::A).0, told(&stage, Leg::B).0), expected, "{hold} answered by {answer}");
        let (reinvite, _) = carrier_offers(&mut stage, &ok, 3, &offer(), &theirs());
        assert!(!reinvite.contains("a=sendonly") && !reinvite.contains("a=inactive"), "{reinvite}");
        let (a, b) = (told(&stage, Leg::A), told(&stage, Leg::B));
        assert_eq!(a, (Direction::SendRecv, "192.0.2.1:30000".to_owned()), "after {hold}");
        assert_eq!(b, (Direction::SendRecv, "198.51.100.1:40000".to_owned()));
    }
}

// Rules: oa-direction-answer
#[test]
fn a_held_peer_holds_too_and_only_both_resumes_bring_the_media_back() {
    let mut stage = Stage::new();
    let (ok, out) = up_with(&mut stage, "", "");
    let held = |sdp: &str, how: &str| format!("{sdp}a={how}\r\n");
    carrier_offers(&mut stage, &ok, 2, &held(&offer(), "sendonly"), &held(&theirs(), "recvonly"));
    // The edge holds as well: it no longer wants to hear.
    stage.receive(EAST, &from_edge(&out, TIER, "INVITE", 1, &held(&theirs(), "inactive")));
    assert_eq!(whats(&stage.take(EAST)), ["100 INVITE"]);
    let reinvite = stage.take(CARRIER).remove(0);
    stage.receive(CARRIER, &reply(&reinvite, 200, ANN, "", &held(&offer(), "inactive")));
    assert_eq!(whats(&stage.take(EAST)), ["200 INVITE"]);
    stage.receive(EAST, &from_edge(&out, TIER, "ACK", 1, ""));
    assert_eq!(told(&stage, Leg::A).0, Direction::Inactive);
    // The carrier resumes, but the edge does not.
    carrier_offers(&mut stage, &ok, 3, &offer(), &held(&theirs(), "sendonly"));
    assert_eq!((told(&stage, Leg::A).0, told(&stage, Leg::B).0), (Direction::SendOnly, Direction::RecvOnly));
    stage.receive(EAST, &from_edge(&out, TIER, "INVITE", 2, &theirs()));
    let reinvite = stage.take(CARRIER).pop().unwrap();
    stage.receive(CARRIER, &reply(&reinvite, 200, ANN, "", &offer()));
    assert_eq!(told(&stage, Leg::A).0, Direction::SendRecv);
}

// Rules: oa-new-formats, oa-new-address, oa-formats, reinvite-2xx-state
#[test]
fn another_codec_is_offered_in_the_call_and_the_media_follows() {
    let mut stage = Stage::new();
    let (ok, _) = up_with(&mut stage, "", "");
    let g722 = |sdp: String, port: &str, to: &str| sdp.replace("AVP 0 101", "AVP 9 101").replace(port, to);
    let (asked, given) = (g722(offer(), "30000", "30010"), g722(theirs(), "40000", "40010"));
    let (reinvite, response) = carrier_offers(&mut stage, &ok, 2, &asked, &given);
    assert!(reinvite.contains("RTP/AVP 9 101") && response.contains("RTP/AVP 9 101"), "{reinvite}");
    assert_eq!((told(&stage, Leg::A).1, told(&stage, Leg::B).1).0, "192.0.2.1:30010");
    assert_eq!(told(&stage, Leg::B).1, "198.51.100.1:40010");
}

// Rules: reinvite-failure-keeps, reinvite-rollback, reinvite-media-untouched, oa-refused-keeps
#[test]
fn a_reinvite_that_fails_keeps_session_and_media_whatever_it_was_told_before() {
    for refusal in [400, 403, 480, 488, 500, 503, 606] {
        let mut stage = Stage::new();
        let (ok, _) = up_with(&mut stage, "", "");
        stage.relayed.clear();
        stage.receive(CARRIER, &in_dialog(&ok, "INVITE", 2, &sdp("192.0.2.1", 31000)));
        let reinvite = stage.take(EAST).remove(0);
        stage.receive(EAST, &reply(&reinvite, 183, BOB, "", &sdp("198.51.100.1", 48000)));
        // RFC 3261 §21.4.26: its body says what would do. That is no answer.
        stage.receive(EAST, &reply(&reinvite, refusal, BOB, "", &sdp("198.51.100.1", 48000)));
        let heard = stage.take(CARRIER);
        assert_eq!(what(heard.last().unwrap()), format!("{refusal} INVITE"));
        assert!(heard.iter().all(|message| body(message).is_empty()), "{heard:?}");
        assert_eq!(stage.relayed, [], "RFC 6141: nothing was changed");
        stage.take(EAST);
        let held = format!("{}a=sendonly\r\n", offer());
        carrier_offers(&mut stage, &ok, 3, &held, &format!("{}a=recvonly\r\n", theirs()));
        assert_eq!(told(&stage, Leg::A), (Direction::RecvOnly, "192.0.2.1:30000".to_owned()));
        assert_eq!(told(&stage, Leg::B), (Direction::SendOnly, "198.51.100.1:40000".to_owned()));
    }
}

#[test]
fn a_reinvite_that_is_answered_without_an_answer_has_failed() {
    let mut stage = Stage::new();
    let (ok, _) = up_with(&mut stage, "", "");
    stage.relayed.clear();
    for (cseq, nothing) in [(2, ""), (3, "v=0\r\nthis is no description\r\n")] {
        stage.receive(CARRIER, &in_dialog(&ok, "INVITE", cseq, &sdp("192.0.2.1", 31000)));
        let reinvite = stage.take(EAST).remove(0);
        stage.receive(EAST, &reply(&reinvite, 200, BOB, "", nothing));
        assert_eq!(whats(&stage.take(EAST)), ["ACK"], "a 2xx has its ACK whatever is in it");
        assert_eq!(what(&stage.take(CARRIER).pop().unwrap()), "502 INVITE");
        assert_eq!(stage.relayed, []);
        stage.receive(EAST, &reply(&reinvite, 200, BOB, "", nothing));
        assert_eq!(whats(&stage.take(EAST)), ["ACK"], "and every repetition of it");
    }
    assert!(stage.records.is_empty(), "the call goes on");
}

// Rules: ack-answers, answer-place, offer-one-at-a-time, oa-one-at-a-time, update-offer-unanswered-500
#[test]
fn a_reinvite_without_an_offer_asks_for_one_and_its_ack_brings_the_answer() {
    let mut stage = Stage::new();
    let (ok, out) = up_with(&mut stage, "", "");
    stage.receive(CARRIER, &in_dialog(&ok, "INVITE", 2, ""));
    let reinvite = stage.take(EAST).remove(0);
    assert_eq!(body(&reinvite), "");
    stage.receive(EAST, &reply(&reinvite, 200, BOB, "", &sdp("198.51.100.1", 40010)));
    assert_eq!(stage.take(EAST), Vec::<String>::new(), "its ACK has to bring the answer");
    let offered = stage.take(CARRIER).pop().unwrap();
    assert!(body(&offered).contains("m=audio 20000"), "{offered}");
    // Until then nothing else is offered, from either side.
    stage.receive(EAST, &from_edge(&out, TIER, "UPDATE", 1, &theirs()));
    assert_eq!(whats(&stage.take(EAST)), ["500 UPDATE"], "its own offer is open");
    stage.receive(CARRIER, &in_dialog(&ok, "UPDATE", 3, &offer()));
    assert_eq!(whats(&stage.take(CARRIER)), ["491 UPDATE"]);
    stage.receive(CARRIER, &in_dialog(&ok, "ACK", 2, &sdp("192.0.2.1", 30010)));
    let ack = stage.take(EAST).remove(0);
    assert!(what(&ack) == "ACK" && body(&ack).contains("m=audio 20002"), "{ack}");
    assert_eq!((told(&stage, Leg::A).1, told(&stage, Leg::B).1).0, "192.0.2.1:30010");
    assert_eq!(told(&stage, Leg::B).1, "198.51.100.1:40010");
}

// Rules: oa-line-count, oa-refuse-by-port-0
#[test]
fn an_answer_in_another_order_or_of_fewer_lines_is_put_right() {
    let lines = |address: &str, lines: &[&str]| {
        let head = format!("v=0\r\no=- 1 1 IN IP4 {address}\r\ns=-\r\nc=IN IP4 {address}\r\nt=0 0\r\n");
        lines.iter().fold(head, |text, line| format!("{text}m={line}\r\n"))
    };
    let asked = lines("192.0.2.1", &["audio 30000 RTP/AVP 0", "video 30002 RTP/AVP 31"]);
    for (given, expected) in [
        (["video 40002 RTP/AVP 31", "audio 40000 RTP/AVP 0"].as_slice(), ["audio 20000", "video 20004"]),
        (&["audio 40000 RTP/AVP 0"], ["audio 20000", "video 0"]),
        (&["video 40002 RTP/AVP 31"], ["audio 0", "video 20004"]),
    ] {
        let mut stage = Stage::new();
        stage.receive(CARRIER, &invite("two", &asked));
        let out = stage.take(EAST).remove(0);
        stage.receive(EAST, &answer(&out, 200, "t-east", BOB, &lines("198.51.100.1", given)));
        let ok = stage.take(CARRIER).pop().unwrap();
        let media: Vec<_> = body(&ok).lines().filter_map(|line| line.strip_prefix("m=")).collect();
        assert_eq!(media.len(), 2, "RFC 3264 §6: as many as were offered: {ok}");
        for (line, expected) in media.iter().zip(expected) {
            assert!(line.starts_with(expected), "{given:?}: {ok}");
        }
        let places: Vec<_> =
            stage.relayed.iter().filter_map(remote_of_b).filter(|to| !to.ends_with(":0")).collect();
        assert_eq!(places.len(), given.len(), "{places:?}");
        assert!(places.iter().all(|to| to.ends_with(":40000") || to.ends_with(":40002")), "{places:?}");
    }
}

fn remote_of_b(command: &RelayCommand) -> Option<String> {
    match command {
        RelayCommand::Connect { leg: Leg::B, to, .. } => Some(to.remote.rtp.to_string()),
        _ => None,
    }
}

// Rules: oa-origin, reinvite-version
#[test]
fn our_own_version_counts_what_we_change_and_not_what_they_count() {
    let mut stage = Stage::new();
    let (ok, _) = up_with(&mut stage, "", "");
    let counted = |sdp: &str, version: u32| sdp.replacen("o=- 1 1", &format!("o=- 1 {version}"), 1);
    // The same again under another version of theirs, as a session refresh has it.
    let (first, answer) = carrier_offers(&mut stage, &ok, 2, &counted(&offer(), 2), &counted(&theirs(), 7));
    assert_eq!((version(&first), version(&answer)), (1, version(&ok)), "RFC 3264 §8: nothing has changed");
    let held = format!("{}a=sendonly\r\n", offer());
    let recvonly = format!("{}a=recvonly\r\n", theirs());
    let (second, answer) = carrier_offers(&mut stage, &ok, 3, &held, &recvonly);
    assert_eq!((version(&second), version(&answer)), (2, version(&ok) + 1), "exactly one more");
    // Their port is theirs: what we say to the other side has not changed with it.
    let (third, _) = carrier_offers(&mut stage, &ok, 4, &held.replace("30000", "30020"), &recvonly);
    assert_eq!(version(&third), 2);
    let origin = |m: &str| body(m).lines().nth(1).unwrap().split(' ').nth(1).unwrap().to_owned();
    assert_eq!(origin(&third), origin(&first), "one session all the time");
    // A description that is refused was said all the same.
    stage.receive(CARRIER, &in_dialog(&ok, "INVITE", 5, &offer()));
    let refused = stage.take(EAST).remove(0);
    stage.receive(EAST, &reply(&refused, 488, BOB, "", ""));
    stage.take(EAST);
    assert_eq!(version(&refused), 3);
    let (fourth, _) = carrier_offers(&mut stage, &ok, 6, &held, &recvonly);
    assert_eq!(version(&fourth), 4);
}

// Rules: oa-origin
#[test]
fn the_carriers_description_stays_its_own_over_a_move_and_after_it() {
    let mut stage = Stage::new();
    let (ok, _) = up_with(&mut stage, "", "");
    down(&mut stage, &[0], &[0]);
    let moved = stage.take(WEST).remove(0);
    stage.receive(WEST, &answer(&moved, 200, "t-west", "bob@203.0.113.1", &sdp("203.0.113.1", 50000)));
    stage.take(WEST);
    assert_eq!(stage.take(CARRIER), Vec::<String>::new(), "the carrier hears nothing of it");
    stage.pass(Duration::from_secs(3));
    // It holds and resumes with the new edge, and its session counts on by one each time.
    let mut last = version(&ok);
    for (cseq, direction) in (2..).zip(["sendonly", "sendrecv", "inactive", "sendrecv"]) {
        let mirrored = if direction == "sendonly" { "recvonly" } else { direction };
        stage.receive(CARRIER, &in_dialog(&ok, "INVITE", cseq, &format!("{}a={direction}\r\n", offer())));
        let reinvite = stage.take(WEST).remove(0);
        assert!(reinvite.contains(&format!("a={direction}")), "{reinvite}");
        let body = format!("{}a={mirrored}\r\n", sdp("203.0.113.1", 50000));
        stage.receive(WEST, &reply(&reinvite, 200, "bob@203.0.113.1", "", &body));
        let answer = stage.take(CARRIER).pop().unwrap();
        assert!(version(&answer) == last + 1, "{answer}");
        last = version(&answer);
        stage.receive(CARRIER, &in_dialog(&ok, "ACK", cseq, ""));
        stage.take(WEST);
    }
}

#[test]
fn a_description_in_a_multipart_body_is_taken_out_and_nothing_else_passes() {
    let mut stage = Stage::new();
    let parts = format!(
        "--b\r\nContent-Type: application/sdp\r\n\r\n{}\r\n--b\r\nContent-Type: application/isup;version=itu-t92+\r\n\
         Content-Disposition: signal;handling=optional\r\n\r\n\u{1}\u{2}secret\r\n--b--\r\n",
        offer()
    );
    let invite = invite("multi", &parts)
        .replace("application/sdp\r\nContent-Length", "multipart/mixed;boundary=b\r\nContent-Length");
    stage.receive(CARRIER, &invite);
    let out = stage.take(EAST).remove(0);
    assert_eq!(header(&out, "Content-Type"), "application/sdp");
    assert!(body(&out).contains("m=audio 20002") && !out.contains("secret"), "{out}");
    let wrapped = format!("--x\r\nContent-Type: application/sdp\r\n\r\n{}\r\n--x--\r\n", theirs());
    let ok = answer(&out, 200, "t-east", BOB, &wrapped).replace(
        "Content-Type: application/sdp\r\nContent-Length",
        "Content-Type: multipart/mixed;boundary=\"x\"\r\nContent-Length",
    );
    stage.receive(EAST, &ok);
    let ok = stage.take(CARRIER).pop().unwrap();
    assert_eq!(header(&ok, "Content-Type"), "application/sdp");
    assert!(body(&ok).contains("m=audio 20000"), "{ok}");
}
