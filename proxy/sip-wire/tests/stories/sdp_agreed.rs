//! What both sides agreed on, offered to another peer.

use crate::crlf;
use sip_wire::limits::MAX_AGREED;
use sip_wire::sdp::{Agreed, Answerer, Direction, Session, With};

pub(crate) const WITH: With = With {
    address: std::net::IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 1)),
    port: 30_000,
    session_id: 42,
    version: 7,
    direction: Direction::SendRecv,
    mux: true,
};

const HEAD: &str = "v=0\no=- 1 1 IN IP4 203.0.113.7\ns=-\nc=IN IP4 203.0.113.7\nt=0 0\n";

/// What two audio sections agree on.
pub(crate) fn agreed(stays: &str, leaves: &str, answerer: Answerer) -> Option<Agreed> {
    let (stays, leaves) = (crlf(&format!("{HEAD}{stays}")), crlf(&format!("{HEAD}{leaves}")));
    let (stays, leaves) = (Session::parse(&stays).unwrap(), Session::parse(&leaves).unwrap());
    Agreed::new(&stays.media()[0], &leaves.media()[0], answerer)
}

fn text(offer: Vec<u8>) -> String {
    String::from_utf8(offer).unwrap().replace("\r\n", "\n")
}

/// The audio section of the offer.
fn offered(agreed: &Agreed, with: &With) -> String {
    let offer = text(agreed.offer(with));
    let section =
        offer.strip_prefix("v=0\no=- 42 7 IN IP4 198.51.100.1\ns=-\nc=IN IP4 198.51.100.1\nt=0 0\n");
    section.unwrap_or_else(|| panic!("{offer}")).to_owned()
}

const CARRIER: &str = "m=audio 4000 RTP/AVP 8 0 18 101\na=rtpmap:18 G729/8000\na=fmtp:18 annexb=no\n\
                       a=rtpmap:101 telephone-event/8000\na=fmtp:101 0-15\na=ptime:20\na=maxptime:40\na=sendrecv\n";

#[test]
fn the_formats_are_those_of_the_answer_in_its_order() {
    let tier =
        "m=audio 5000 RTP/AVP 0 8 101\na=rtpmap:101 telephone-event/8000\na=fmtp:101 0-11\na=ptime:30\n";
    let agreed = agreed(CARRIER, tier, Answerer::Leaves).unwrap();
    assert_eq!(
        offered(&agreed, &WITH),
        "m=audio 30000 RTP/AVP 0 8 101\na=rtpmap:101 telephone-event/8000\na=fmtp:101 0-15\na=ptime:20\na=maxptime:40\n\
         a=sendrecv\n"
    );
    assert_eq!(agreed.first_codec(), (0, &b"PCMU"[..], 8_000));
    assert_eq!((agreed.packet_time(), agreed.event()), (Some(20), Some(101)));
    assert_eq!((agreed.comfort_noise(), agreed.secured()), (None, false));
}

#[test]
fn when_the_carrier_answered_its_order_counts() {
    let tier = "m=audio 5000 RTP/AVP 9 0 8 3\n";
    let agreed = agreed("m=audio 4000 RTP/AVP 8 0 101\n", tier, Answerer::Stays).unwrap();
    assert_eq!(offered(&agreed, &WITH), "m=audio 30000 RTP/AVP 8 0\na=sendrecv\n");
}

#[test]
fn static_types_need_no_rtpmap_and_a_written_one_stays() {
    let agreed = agreed(
        "m=audio 4000 RTP/AVP 8 0 13\na=rtpmap:8 PCMA/8000\n",
        "m=audio 5000 RTP/AVP 8 0 13\na=rtpmap:0 pcmu/8000/1\n",
        Answerer::Leaves,
    )
    .unwrap();
    assert_eq!(offered(&agreed, &WITH), "m=audio 30000 RTP/AVP 8 0 13\na=rtpmap:8 PCMA/8000\na=sendrecv\n");
    assert_eq!(agreed.comfort_noise(), Some(13));
}

#[test]
fn each_side_may_have_numbers_of_its_own() {
    let carrier = "m=audio 4000 RTP/AVP 96 97\na=rtpmap:96 opus/48000/2\na=fmtp:96 useinbandfec=1\na=rtpmap:97 telephone-event/48000\n";
    let tier = "m=audio 5000 RTP/AVP 111 96\na=rtpmap:111 OPUS/48000/2\na=rtpmap:96 telephone-event/48000\na=fmtp:111 stereo=1\n";
    let agreed = agreed(carrier, tier, Answerer::Leaves).unwrap();
    assert_eq!(
        offered(&agreed, &WITH),
        "m=audio 30000 RTP/AVP 96 97\na=rtpmap:96 opus/48000/2\na=fmtp:96 useinbandfec=1\n\
         a=rtpmap:97 telephone-event/48000\na=sendrecv\n"
    );
    assert_eq!((agreed.first_codec(), agreed.event()), ((96, &b"opus"[..], 48_000), Some(97)));
}

#[test]
fn one_number_that_means_two_codecs_is_no_agreement() {
    let carrier = "m=audio 4000 RTP/AVP 96 8\na=rtpmap:96 opus/48000/2\n";
    let tier = "m=audio 5000 RTP/AVP 96 8\na=rtpmap:96 iLBC/8000\n";
    let agreed = agreed(carrier, tier, Answerer::Leaves).unwrap();
    assert_eq!(agreed.first_codec(), (8, &b"PCMA"[..], 8_000));
}

#[test]
fn one_codec_in_two_forms_keeps_each_form_under_its_number() {
    let both =
        "m=audio 4000 RTP/AVP 97 96\na=rtpmap:96 AMR/8000\na=rtpmap:97 AMR/8000\na=fmtp:97 octet-align=1\n";
    let agreed = agreed(both, &both.replace("97 96", "96 97"), Answerer::Leaves).unwrap();
    assert_eq!(
        offered(&agreed, &WITH),
        "m=audio 30000 RTP/AVP 96 97\na=rtpmap:96 AMR/8000\na=rtpmap:97 AMR/8000\na=fmtp:97 octet-align=1\na=sendrecv\n"
    );
}

#[test]
fn g722_counts_at_8000_hz_however_it_is_written() {
    // RFC 3551 §4.5.2
    let carrier = "m=audio 4000 RTP/AVP 9 101\na=rtpmap:101 telephone-event/8000\n";
    let tier =
        "m=audio 5000 RTP/AVP 9 101\na=rtpmap:9 G722/8000/1\na=rtpmap:101 telephone-event/8000\na=ptime:20\n";
    for answerer in [Answerer::Stays, Answerer::Leaves] {
        let agreed = agreed(carrier, tier, answerer).unwrap();
        assert_eq!((agreed.first_codec(), agreed.event()), ((9, &b"G722"[..], 8_000), Some(101)));
        assert_eq!(agreed.packet_time(), None, "the carrier did not say");
    }
}

#[test]
fn the_event_is_that_of_the_first_codecs_clock() {
    let both = "m=audio 4000 RTP/AVP 111 100 101 102 13\na=rtpmap:111 opus/48000/2\na=rtpmap:100 CN/16000\n\
                a=rtpmap:101 telephone-event/8000\na=rtpmap:102 telephone-event/48000\n";
    let of_its_clock = agreed(both, both, Answerer::Leaves).unwrap();
    assert_eq!((of_its_clock.event(), of_its_clock.comfort_noise()), (Some(102), Some(13)));
    let only_8000 = both.replace(" 102", "");
    assert_eq!(agreed(&only_8000, both, Answerer::Leaves).unwrap().event(), Some(101));
}

#[test]
fn a_held_call_is_offered_held() {
    let agreed = agreed(CARRIER, CARRIER, Answerer::Leaves).unwrap();
    for direction in [Direction::SendRecv, Direction::SendOnly, Direction::RecvOnly, Direction::Inactive] {
        let body = agreed.offer(&With { direction, ..WITH });
        let session = Session::parse(&body).unwrap();
        assert_eq!(session.audio().unwrap().direction, direction);
        assert_eq!(session.audio().unwrap().address, Some(WITH.address));
    }
}

#[test]
fn rtcp_goes_where_the_offer_says() {
    let apart = "m=audio 4000 RTP/AVP 0\na=rtcp:4009 IN IP4 203.0.113.9\n";
    let shared = "m=audio 4000 RTP/AVP 0\na=rtcp-mux\na=rtcp:4000\n";
    let rtcp = |stays, leaves, mux| {
        let agreed = agreed(stays, leaves, Answerer::Leaves).unwrap();
        let offer = offered(&agreed, &With { mux, ..WITH });
        let head = "m=audio 30000 RTP/AVP 0\n";
        offer.strip_prefix(head).unwrap().strip_suffix("a=sendrecv\n").unwrap().to_owned()
    };
    assert_eq!(rtcp(apart, apart, true), "a=rtcp:30001\n");
    assert_eq!(rtcp(shared, shared, true), "a=rtcp-mux\n");
    assert_eq!(rtcp(shared, shared, false), "a=rtcp:30001\n");
    assert_eq!(rtcp(shared, apart, true), "a=rtcp:30001\n", "the answer did not take it");
    assert_eq!(rtcp("m=audio 4000 RTP/AVP 0\n", apart, true), "");
}

#[test]
fn what_matters_to_a_peer_travels_and_what_says_where_the_carrier_is_does_not() {
    let carrier = "m=audio 4000 RTP/AVPF 0 96 97\ni=secret\nb=AS:64\na=rtpmap:96 opus/48000/2\na=rtcp-fb:* nack\n\
                   a=rtcp-fb:0 ccm fir\na=rtcp-fb:96 nack pli\na=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level\n\
                   a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time\na=silenceSupp:off - - - -\n\
                   a=candidate:1 1 udp 1 203.0.113.9 9 typ host\na=ice-ufrag:x\na=ice-pwd:y\na=ssrc:1 cname:u@pbx\n\
                   a=mid:0\na=msid:a b\na=x-where:203.0.113.9\na=x-host:sbc.carrier.example\na=x-six:2001:db8::9\n\
                   a=fmtp:0 at=203.0.113.9\na=tcap:1 RTP/SAVP\na=pcfg:1 t=1\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVN\n";
    let agreed = agreed(carrier, "m=audio 5000 RTP/AVPF 0 97\n", Answerer::Leaves).unwrap();
    assert_eq!(
        offered(&agreed, &WITH),
        "m=audio 30000 RTP/AVPF 0\nb=AS:64\na=rtcp-fb:* nack\na=rtcp-fb:0 ccm fir\n\
         a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level\n\
         a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time\na=silenceSupp:off - - - -\na=sendrecv\n"
    );
    assert!(!agreed.secured(), "the tier did not take the keys up");
}

#[test]
fn keys_travel_where_both_sides_have_them_and_stay_out_of_the_log() {
    let crypto = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwg\n";
    for proto in ["RTP/SAVP", "RTP/AVP", "RTP/SAVPF"] {
        let side = format!("m=audio 4000 {proto} 0\n{crypto}");
        let agreed = agreed(&side, &side, Answerer::Leaves).unwrap();
        assert!(agreed.secured());
        assert_eq!(offered(&agreed, &WITH), format!("m=audio 30000 {proto} 0\n{crypto}a=sendrecv\n"));
        assert!(!format!("{agreed:?}").contains("WVN"));
    }
    let dtls =
        "m=audio 4000 RTP/AVP 0\na=setup:active\na=fingerprint:sha-1 4A:AD:B9:B1:3F:82:18:3B:54:02:12:DF\n";
    assert!(agreed(dtls, dtls, Answerer::Leaves).unwrap().secured());
}

#[test]
fn a_stream_that_cannot_be_offered_is_no_agreement() {
    let sound = "m=audio 4000 RTP/AVP 0 101\na=rtpmap:101 telephone-event/8000\n";
    let long = format!("{sound}a=x:{}\n", "y".repeat(MAX_AGREED));
    for (other, why) in [
        ("m=audio 0 RTP/AVP 0\n", "refused"),
        ("m=video 4000 RTP/AVP 31\n", "not audio"),
        ("m=audio 4000 UDP/TLS/RTP/SAVPF 0\n", "not over RTP"),
        ("m=audio 4000 RTP/AVP 8\n", "no codec in common"),
        ("m=audio 4000 RTP/AVP 101\na=rtpmap:101 telephone-event/8000\n", "events only"),
        ("m=audio 4000 RTP/AVP 96\n", "a number without a meaning"),
        (&*long, "too long"),
    ] {
        assert_eq!(agreed(other, sound, Answerer::Leaves), None, "{why}");
    }
}

#[test]
fn a_packet_time_that_no_receiver_must_take_is_passed_on_but_not_believed() {
    let packet_time = |ms: u32| {
        let side = format!("m=audio 4000 RTP/AVP 0\na=ptime:{ms}\n");
        let agreed = agreed(&side, &side, Answerer::Leaves).unwrap();
        (agreed.packet_time(), offered(&agreed, &WITH).contains("a=ptime"))
    };
    assert_eq!(packet_time(200), (Some(200), true));
    assert_eq!(packet_time(201), (None, true));
    assert_eq!(packet_time(0), (None, false));
}

#[test]
fn a_lone_carriage_return_carries_nothing_along() {
    let side = "m=audio 4000 RTP/AVP 0\na=x:1\ra=candidate:1\na=fmtp:0 a=b\rc=IN IP4 x\n";
    let agreed = agreed(side, side, Answerer::Leaves).unwrap();
    assert_eq!(offered(&agreed, &WITH), "m=audio 30000 RTP/AVP 0\na=sendrecv\n");
}

#[test]
fn a_call_keeps_less_than_200_bytes_of_it() {
    let agreed = agreed(CARRIER, CARRIER, Answerer::Leaves).unwrap();
    let body = agreed.offer(&WITH);
    let head = body.windows(8).position(|w| w == b"m=audio ").unwrap();
    let kept = std::mem::size_of::<Agreed>() + body.len() - head;
    assert!(kept < 220, "{kept}, G.729 included");
    assert!(std::mem::size_of::<Agreed>() <= 56, "{}", std::mem::size_of::<Agreed>());
}
