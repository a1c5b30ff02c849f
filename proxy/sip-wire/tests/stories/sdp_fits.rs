//! Whether another peer's answer goes on with what was agreed.

use crate::crlf;
use crate::sdp_agreed::{WITH, agreed};
use sip_wire::sdp::{Agreed, Answerer, Direction, Misfit, Session};

const G711: &str = "m=audio 4000 RTP/AVP 8 0 101\na=rtpmap:101 telephone-event/8000\na=ptime:20\n";

fn judged(agreed: &Agreed, offered: Direction, section: &str) -> Result<(), Misfit> {
    let answer = crlf(&format!("v=0\no=- 9 9 IN IP4 192.0.2.9\ns=-\nc=IN IP4 192.0.2.9\nt=0 0\n{section}"));
    agreed.fits(offered, &Session::parse(&answer).unwrap())
}

fn g711(section: &str) -> Result<(), Misfit> {
    judged(&agreed(G711, G711, Answerer::Leaves).unwrap(), Direction::SendRecv, section)
}

#[test]
fn the_same_again_fits() {
    assert_eq!(g711(G711), Ok(()));
    assert_eq!(g711("m=audio 5 RTP/AVP 8 101\na=rtpmap:101 TELEPHONE-EVENT/8000\n"), Ok(()), "fewer codecs");
    assert_eq!(
        g711("m=audio 5 RTP/AVP 8 13 101\na=rtpmap:8 pcma/8000\na=rtpmap:101 telephone-event/8000\n"),
        Ok(())
    );
    assert_eq!(g711(&G711.replace("ptime:20", "ptime:30")), Ok(()), "a preference");
}

#[test]
fn each_misfit_has_its_name() {
    let event = "a=rtpmap:101 telephone-event/8000\n";
    for (section, misfit) in [
        ("".to_owned(), Misfit::NoAudio),
        ("m=image 5 udptl t38\n".to_owned(), Misfit::NoAudio),
        ("m=audio 0 RTP/AVP 8\n".to_owned(), Misfit::Refused),
        (format!("m=audio 5 RTP/AVP 0 8 101\n{event}"), Misfit::Codec),
        (format!("m=audio 5 RTP/AVP 101\n{event}"), Misfit::Codec),
        (format!("m=audio 5 RTP/AVP 96 101\na=rtpmap:96 PCMA/16000\n{event}"), Misfit::Codec),
        (format!("m=audio 5 RTP/AVP 96 101\na=rtpmap:96 PCMA/8000/2\n{event}"), Misfit::Codec),
        (format!("m=audio 5 RTP/AVP 96 101\na=rtpmap:96 PCMA/8000\n{event}"), Misfit::PayloadType),
        ("m=audio 5 RTP/AVP 8\n".to_owned(), Misfit::Event),
        ("m=audio 5 RTP/AVP 8 102\na=rtpmap:102 telephone-event/8000\n".to_owned(), Misfit::Event),
        ("m=audio 5 RTP/AVP 8 101\na=rtpmap:101 telephone-event/16000\n".to_owned(), Misfit::Event),
        (format!("m=audio 5 RTP/SAVP 8 101\n{event}"), Misfit::Secured),
        (format!("m=audio 5 UDP/TLS/RTP/SAVPF 8 101\n{event}"), Misfit::Secured),
        (format!("{G711}a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVN\n"), Misfit::Secured),
        (format!("{G711}a=inactive\n"), Misfit::Direction),
        (format!("{G711}a=recvonly\n"), Misfit::Direction),
        (format!("{G711}c=IN IP4 0.0.0.0\n"), Misfit::Direction),
        (format!("{G711}c=IN IP4 tier.example\n"), Misfit::NoAudio),
    ] {
        assert_eq!(g711(&section), Err(misfit), "{section}");
    }
}

#[test]
fn a_held_call_stays_held_only_under_the_mirrored_direction() {
    let agreed = agreed(G711, G711, Answerer::Leaves).unwrap();
    let all = [Direction::SendRecv, Direction::SendOnly, Direction::RecvOnly, Direction::Inactive];
    for offered in all {
        let fitting: Vec<_> = all
            .into_iter()
            .filter(|answer| judged(&agreed, offered, &format!("{G711}a={}\n", answer.as_str())).is_ok())
            .collect();
        assert_eq!(fitting, [offered.mirrored()]);
    }
}

#[test]
fn the_answer_must_receive_what_the_carrier_goes_on_sending() {
    // The carrier receives opus as 96 and sends it as 111, since that is what the peer that left received.
    let carrier = "m=audio 4000 RTP/AVP 96 97\na=rtpmap:96 opus/48000/2\na=rtpmap:97 telephone-event/48000\n";
    let tier = "m=audio 5000 RTP/AVP 111 97\na=rtpmap:111 opus/48000/2\na=rtpmap:97 telephone-event/48000\n";
    let agreed = agreed(carrier, tier, Answerer::Leaves).unwrap();
    let judged = |section: &str| judged(&agreed, Direction::SendRecv, section);
    assert_eq!(judged(tier), Ok(()));
    assert_eq!(judged(carrier), Err(Misfit::PayloadType));
    assert_eq!(judged(&tier.replace("/2", "")), Err(Misfit::Codec), "one channel");
    assert_eq!(judged(&tier.replace("48000\n", "48000/1\n").replace("48000/2/1", "48000/2")), Ok(()));
}

#[test]
fn a_call_without_events_needs_none() {
    let agreed = agreed("m=audio 4 RTP/AVP 9\n", "m=audio 5 RTP/AVP 9\n", Answerer::Stays).unwrap();
    assert_eq!(judged(&agreed, Direction::SendRecv, "m=audio 6 RTP/AVP 9\na=rtpmap:9 G722/8000\n"), Ok(()));
    assert_eq!(
        judged(&agreed, Direction::SendRecv, "m=audio 6 RTP/AVP 9\na=rtpmap:9 G722/16000\n"),
        Err(Misfit::Codec)
    );
}

#[test]
fn an_encrypted_call_fits_nobody_else() {
    let secured = "m=audio 4 RTP/SAVP 8\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVN\n";
    let agreed = agreed(secured, secured, Answerer::Leaves).unwrap();
    for section in [secured, "m=audio 4 RTP/AVP 8\n"] {
        assert_eq!(judged(&agreed, Direction::SendRecv, section), Err(Misfit::Secured));
    }
}

#[test]
fn the_offer_itself_would_be_a_fitting_answer() {
    let agreed = agreed(G711, G711, Answerer::Leaves).unwrap();
    let offer = agreed.offer(&WITH);
    assert_eq!(agreed.fits(WITH.direction, &Session::parse(&offer).unwrap()), Ok(()));
}
