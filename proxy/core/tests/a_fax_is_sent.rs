//! Fax: a call that goes from speech to T.38 and back (ITU-T T.38 Annex D).

mod common;

use common::*;
use relay_values::{Carries, Connect, Leg, RelayCommand, SessionId};

const CARRIER_MEDIA: &str = "192.0.2.1";
const EAST_MEDIA: &str = "198.51.100.1";
const T38: &str = "a=T38FaxVersion:0\r\na=T38MaxBitRate:14400\r\na=T38FaxRateManagement:transferredTCF\r\na=T38FaxUdpEC:t38UDPRedundancy\r\n";

fn head(address: &str) -> String {
    format!("v=0\r\no=- 1 1 IN IP4 {address}\r\ns=-\r\nc=IN IP4 {address}\r\nt=0 0\r\n")
}

/// A fax in the place of the speech.
fn fax(address: &str, port: u16) -> String {
    format!("{}m=image {port} udptl t38\r\n{T38}", head(address))
}

/// A fax beside the speech.
fn beside(address: &str, speech: u16, port: u16) -> String {
    format!("{}m=audio {speech} RTP/AVP 0\r\nm=image {port} udptl t38\r\n{T38}", head(address))
}

/// A call that is up: the 200 that the carrier got, and the INVITE that east got.
fn up(stage: &mut Stage) -> (String, String) {
    stage.receive(CARRIER, &invite("fax", &sdp(CARRIER_MEDIA, 30000)));
    let out = stage.take(EAST).remove(0);
    stage.receive(EAST, &answer(&out, 200, "t-east", "bob@198.51.100.1", &sdp(EAST_MEDIA, 40000)));
    let ok = stage.take(CARRIER).pop().unwrap();
    stage.receive(CARRIER, &in_dialog(&ok, "ACK", 1, ""));
    stage.take(EAST);
    stage.relayed.clear();
    (ok, out)
}

/// The answer to a request that we sent inside a dialog: the tag is there already.
fn respond(request: &str, code: u16, contact: &str, body: &str) -> String {
    answer(request, code, "", contact, body)
        .lines()
        .map(|line| match line.strip_prefix("To: ") {
            Some(_) => format!("To: {}\r\n", header(request, "To")),
            None => format!("{line}\r\n"),
        })
        .collect()
}

/// The carrier offers, east answers with this; what either got.
fn carrier_offers(
    stage: &mut Stage,
    ok: &str,
    cseq: u32,
    offer: &str,
    code: u16,
    body: &str,
) -> (String, String) {
    stage.receive(CARRIER, &in_dialog(ok, "INVITE", cseq, offer));
    let reinvite = stage.take(EAST).remove(0);
    stage.receive(EAST, &respond(&reinvite, code, "bob@198.51.100.1", body));
    let response = stage.take(CARRIER).pop().unwrap();
    stage.receive(CARRIER, &in_dialog(ok, "ACK", cseq, ""));
    stage.take(EAST);
    (reinvite, response)
}

fn connects(stage: &Stage) -> Vec<(SessionId, Leg, Connect)> {
    let connects = stage.relayed.iter().filter_map(|command| match command {
        RelayCommand::Connect { session, leg, to } => Some((*session, *leg, *to)),
        _ => None,
    });
    connects.collect()
}

/// What was told of every leg, in one word each.
fn words(stage: &Stage) -> Vec<String> {
    let word = |(_, leg, to): (_, _, Connect)| format!("{leg:?} {:?} {}", to.carries, to.remote.rtp);
    connects(stage).into_iter().map(word).collect()
}

// Rules: oa-new-kind
#[test]
fn speech_becomes_fax_in_its_place_and_speech_again() {
    let mut stage = Stage::new();
    let (ok, _) = up(&mut stage);
    let (offer, body) = (fax(CARRIER_MEDIA, 30100), fax(EAST_MEDIA, 40100));
    let (reinvite, response) = carrier_offers(&mut stage, &ok, 2, &offer, 200, &body);
    assert!(reinvite.contains("m=image 20002 udptl t38\r\n"), "the port of that place: {reinvite}");
    assert!(reinvite.ends_with(T38) && response.ends_with(T38), "{response}");
    assert!(response.contains("m=image 20000 udptl t38\r\n"), "{response}");
    assert_eq!(words(&stage), ["A Datagrams 192.0.2.1:30100", "B Datagrams 198.51.100.1:40100"]);
    stage.relayed.clear();
    let (offer, body) = (sdp(CARRIER_MEDIA, 30000), sdp(EAST_MEDIA, 40000));
    let (reinvite, _) = carrier_offers(&mut stage, &ok, 3, &offer, 200, &body);
    assert!(reinvite.contains("m=audio 20002 RTP/AVP 0 101"), "{reinvite}");
    assert_eq!(words(&stage), ["A Rtp 192.0.2.1:30000", "B Rtp 198.51.100.1:40000"]);
}

#[test]
fn the_called_side_may_begin_it() {
    let mut stage = Stage::new();
    let (_, out) = up(&mut stage);
    // As it is usual: the machine that is called hears the calling tone and asks.
    let head = format!(
        "INVITE sip:192.0.2.100:5060 SIP/2.0\r\nVia: SIP/2.0/UDP 198.51.100.1:5060;branch=z9hG4bKt38\r\nMax-Forwards: 70\r\n\
         From: {};tag=t-east\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: 9 INVITE\r\nContact: <sip:bob@198.51.100.1>\r\n",
        header(&out, "To"),
        header(&out, "From"),
        header(&out, "Call-ID"),
    );
    stage.receive(EAST, &with_body(&head, &fax(EAST_MEDIA, 40100)));
    let reinvite = stage.take(CARRIER).remove(0);
    assert!(reinvite.contains("m=image 20000 udptl t38") && !reinvite.contains(EAST_MEDIA), "{reinvite}");
    stage.receive(CARRIER, &respond(&reinvite, 200, "ann@192.0.2.1:5060", &fax(CARRIER_MEDIA, 30100)));
    let response = stage.take(EAST).pop().unwrap();
    assert!(
        response.starts_with("SIP/2.0 200") && response.contains("m=image 20002 udptl t38"),
        "{response}"
    );
    assert_eq!(words(&stage), ["A Datagrams 192.0.2.1:30100", "B Datagrams 198.51.100.1:40100"]);
}

#[test]
fn a_fax_that_is_refused_leaves_the_speech_as_it_was() {
    let mut stage = Stage::new();
    let (ok, _) = up(&mut stage);
    let (_, response) = carrier_offers(&mut stage, &ok, 2, &fax(CARRIER_MEDIA, 30100), 488, "");
    assert!(response.starts_with("SIP/2.0 488"), "{response}");
    assert_eq!(stage.relayed, [], "RFC 6141: nothing has changed");
    // And the next offer is not mixed up with it.
    let held = format!("{}a=sendonly\r\n", sdp(CARRIER_MEDIA, 30000));
    let answer = format!("{}a=recvonly\r\n", sdp(EAST_MEDIA, 40000));
    carrier_offers(&mut stage, &ok, 3, &held, 200, &answer);
    assert_eq!(words(&stage), ["A Rtp 192.0.2.1:30000", "B Rtp 198.51.100.1:40000"]);
}

#[test]
fn a_fax_beside_the_speech_has_a_line_of_its_own_while_it_lasts() {
    let mut stage = Stage::new();
    let (ok, _) = up(&mut stage);
    let (offer, body) = (beside(CARRIER_MEDIA, 0, 30100), beside(EAST_MEDIA, 0, 40100));
    let (reinvite, response) = carrier_offers(&mut stage, &ok, 2, &offer, 200, &body);
    assert!(reinvite.contains("m=audio 0 RTP/AVP 0\r\nm=image 20006 udptl t38\r\n"), "{reinvite}");
    assert!(response.contains("m=audio 0 RTP/AVP 0\r\nm=image 20004 udptl t38\r\n"), "{response}");
    let told = connects(&stage);
    let [speech, fax] = [told[0].0, told[2].0];
    assert_ne!(speech, fax);
    assert!(told[..2].iter().all(|(session, _, to)| *session == speech && !to.direction.sends()), "{told:?}");
    assert!(told[2..].iter().all(|(session, _, to)| *session == fax && to.carries == Carries::Datagrams));
    stage.relayed.clear();
    let (offer, body) = (beside(CARRIER_MEDIA, 30000, 0), beside(EAST_MEDIA, 40000, 0));
    let (reinvite, _) = carrier_offers(&mut stage, &ok, 3, &offer, 200, &body);
    assert!(reinvite.contains("m=audio 20002 RTP/AVP 0\r\nm=image 0 udptl t38\r\n"), "{reinvite}");
    assert!(stage.relayed.contains(&RelayCommand::Release { session: fax }), "{:?}", stage.relayed);
    assert!(words(&stage).contains(&"B Rtp 198.51.100.1:40000".to_owned()), "{:?}", words(&stage));
}

#[test]
fn a_call_may_be_a_fax_from_its_begin() {
    let mut stage = Stage::new();
    stage.receive(CARRIER, &invite("fax", &fax(CARRIER_MEDIA, 30100)));
    let out = stage.take(EAST).remove(0);
    assert!(out.contains("m=image 20002 udptl t38"), "{out}");
    stage.receive(EAST, &answer(&out, 200, "t-east", "bob@198.51.100.1", &fax(EAST_MEDIA, 40100)));
    assert!(stage.take(CARRIER).pop().unwrap().contains("m=image 20000 udptl t38"));
    assert_eq!(words(&stage), ["A Datagrams 192.0.2.1:30100", "B Datagrams 198.51.100.1:40100"]);
}

#[test]
fn a_fax_over_tcp_alone_is_refused() {
    let mut stage = Stage::new();
    stage.receive(CARRIER, &invite("tcp", &format!("{}m=image 30100 TCP t38\r\n", head(CARRIER_MEDIA))));
    let answer = stage.take(CARRIER).pop().unwrap();
    assert!(answer.starts_with("SIP/2.0 488"), "{answer}");
}
