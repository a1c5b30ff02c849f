//! All lines of a session: what carries them, what was agreed on them, and how they are offered again in their places.

use crate::crlf;
use sip_wire::limits::MAX_AGREED;
use sip_wire::sdp::{
    AgreedSession, Anchor, Answerer, Direction, LineWith, Misfit, Session, SessionWith, Transport, anchor,
};
use std::net::{IpAddr, Ipv4Addr};

const US: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1));
const HEAD: &str = "v=0\no=- 1 1 IN IP4 203.0.113.7\ns=-\nc=IN IP4 203.0.113.7\nt=0 0\n";
const AUDIO: &str = "m=audio 4000 RTP/AVP 8 101\na=rtpmap:101 telephone-event/8000\na=ptime:20\n";
const VIDEO: &str = "m=video 4002 RTP/AVP 96\nb=AS:512\na=rtpmap:96 H264/90000\na=fmtp:96 profile-level-id=42e01f\na=rtcp-fb:96 nack pli\n";
const FAX: &str = "m=image 4004 udptl t38\na=T38FaxVersion:0\na=T38MaxBitRate:14400\na=T38FaxRateManagement:transferredTCF\n\
                   a=T38FaxMaxBuffer:200\na=T38FaxUdpEC:t38UDPRedundancy\n";

fn on(port: u16) -> LineWith {
    LineWith { port, direction: Direction::SendRecv, mux: true }
}

fn agreed(stays: &str, leaves: &str) -> Option<AgreedSession> {
    let (stays, leaves) = (crlf(&format!("{HEAD}{stays}")), crlf(&format!("{HEAD}{leaves}")));
    AgreedSession::new(&Session::parse(&stays).unwrap(), &Session::parse(&leaves).unwrap(), Answerer::Leaves)
}

/// The lines of the offer.
fn offered(agreed: &AgreedSession, lines: &[LineWith]) -> String {
    let offer = agreed.offer(&SessionWith { address: US, session_id: 42, version: 7, lines });
    let text = String::from_utf8(offer).unwrap().replace("\r\n", "\n");
    let head = "v=0\no=- 42 7 IN IP4 198.51.100.1\ns=-\nc=IN IP4 198.51.100.1\nt=0 0\n";
    text.strip_prefix(head).unwrap_or_else(|| panic!("{text}")).to_owned()
}

fn fits(agreed: &AgreedSession, place: usize, answer: &str) -> Result<(), Misfit> {
    let answer = crlf(&format!("{HEAD}{answer}"));
    agreed.fits(place, Direction::SendRecv, &Session::parse(&answer).unwrap())
}

#[test]
fn what_carries_a_line_is_told_by_its_transport() {
    for (line, expected) in [
        ("audio 1 RTP/AVP 0", Transport::Rtp),
        ("video 1 RTP/AVPF 96", Transport::Rtp),
        ("audio 1 RTP/SAVP 0", Transport::Srtp),
        ("audio 1 RTP/SAVPF 0", Transport::Srtp),
        ("audio 1 UDP/TLS/RTP/SAVP 0", Transport::Srtp),
        ("audio 1 UDP/TLS/RTP/SAVPF 0", Transport::Srtp),
        ("image 1 udptl t38", Transport::Udptl),
        ("image 1 UDPTL t38", Transport::Udptl),
        ("image 1 UDP/TLS/UDPTL t38", Transport::Udptl),
        ("image 1 TCP t38", Transport::Other),
        ("audio 1 TCP/RTP/AVP 0", Transport::Other),
        ("message 1 TCP/TLS/MSRP *", Transport::Other),
        ("application 1 UDP/DTLS/SCTP webrtc-datachannel", Transport::Other),
        ("audio 1 UDP/TLS/RTP/AVP 0", Transport::Other),
        ("audio 1 rtp/avp 0", Transport::Other),
    ] {
        let text = format!("v=0\r\nm={line}\r\n");
        let session = Session::parse(text.as_bytes()).unwrap();
        assert_eq!(session.media()[0].transport(), expected, "{line}");
    }
}

#[test]
fn every_line_is_offered_in_its_place() {
    let agreed = agreed(&format!("{VIDEO}{AUDIO}{FAX}"), &format!("{VIDEO}{AUDIO}{FAX}")).unwrap();
    assert_eq!(agreed.lead(), 1, "a call is its speech");
    assert_eq!(agreed.stream().unwrap().first_codec(), (8, &b"PCMA"[..], 8_000));
    assert_eq!(
        offered(&agreed, &[on(30_002), on(30_000), on(30_004)]),
        "m=video 30002 RTP/AVP 96\nb=AS:512\na=rtpmap:96 H264/90000\na=fmtp:96 profile-level-id=42e01f\na=rtcp-fb:96 nack pli\n\
         a=sendrecv\nm=audio 30000 RTP/AVP 8 101\na=rtpmap:101 telephone-event/8000\na=ptime:20\na=sendrecv\n\
         m=image 30004 udptl t38\na=T38FaxVersion:0\na=T38MaxBitRate:14400\na=T38FaxRateManagement:transferredTCF\n\
         a=T38FaxMaxBuffer:200\na=T38FaxUdpEC:t38UDPRedundancy\n"
    );
}

#[test]
fn a_line_that_one_side_refused_or_that_has_no_port_now_stays_as_a_refused_one() {
    let refused = "m=video 0 RTP/AVP 96\n";
    let both = agreed(&format!("{AUDIO}{VIDEO}{FAX}"), &format!("{AUDIO}{refused}{FAX}")).unwrap();
    let offer = offered(&both, &[on(30_000), on(30_002)]);
    assert!(offer.contains("a=sendrecv\nm=video 0 RTP/AVP 96\nm=image 0 udptl t38\n"), "{offer}");
    assert!(offer.ends_with("m=image 0 udptl t38\n"), "{offer}");
    // The other side may have said less than it was asked for.
    let short = agreed(&format!("{AUDIO}{VIDEO}"), AUDIO).unwrap();
    assert!(offered(&short, &[on(30_000), on(30_002)]).ends_with("m=video 0 RTP/AVP 96\n"));
    let closed =
        offered(&agreed(&format!("{AUDIO}{VIDEO}"), &format!("{AUDIO}{VIDEO}")).unwrap(), &[on(30_000)]);
    assert!(closed.ends_with("m=video 0 RTP/AVP 96\n"), "{closed}");
}

#[test]
fn without_speech_the_first_line_that_is_there_leads() {
    let silenced = "m=audio 0 RTP/AVP 8\n";
    let fax = agreed(&format!("{silenced}{FAX}"), &format!("{silenced}{FAX}")).unwrap();
    assert_eq!((fax.lead(), fax.stream()), (1, None));
    assert_eq!(agreed(silenced, silenced), None, "nothing to be offered");
    assert_eq!(agreed("m=message 9 TCP/MSRP *\n", "m=message 9 TCP/MSRP *\n"), None);
}

#[test]
fn a_fax_that_was_speech_on_the_other_side_is_no_agreement() {
    let apart = agreed(&format!("{AUDIO}{FAX}"), &format!("{AUDIO}m=audio 4004 RTP/AVP 8\n")).unwrap();
    assert!(offered(&apart, &[on(30_000), on(30_002)]).ends_with("m=image 0 udptl t38\n"));
    assert_eq!(agreed(FAX, AUDIO), None);
}

#[test]
fn each_line_of_an_answer_is_judged_alone() {
    let all = format!("{AUDIO}{VIDEO}{FAX}");
    let agreed = agreed(&all, &all).unwrap();
    for place in 0..3 {
        assert_eq!(fits(&agreed, place, &all), Ok(()), "{place}");
    }
    let refused = format!("{AUDIO}m=video 0 RTP/AVP 96\nm=image 0 udptl t38\n");
    assert_eq!(
        [0, 1, 2].map(|place| fits(&agreed, place, &refused)),
        [Ok(()), Err(Misfit::Refused), Err(Misfit::Refused)]
    );
    let other = format!(
        "{AUDIO}m=video 5002 RTP/AVP 97\na=rtpmap:97 VP8/90000\n{}",
        FAX.replace("transferredTCF", "localTCF")
    );
    assert_eq!([1, 2].map(|place| fits(&agreed, place, &other)), [Err(Misfit::Codec), Err(Misfit::Codec)]);
    let numbered = format!("{AUDIO}m=video 5002 RTP/AVP 97\na=rtpmap:97 H264/90000\n{FAX}");
    assert_eq!(fits(&agreed, 1, &numbered), Err(Misfit::PayloadType), "the carrier goes on sending 96");
    let swapped = format!("{VIDEO}{AUDIO}m=image 5004 TCP t38\n");
    let transport = Err(Misfit::Transport);
    assert_eq!([0, 1, 2].map(|place| fits(&agreed, place, &swapped)), [transport, transport, transport]);
    assert_eq!(
        [0, 1, 2].map(|place| fits(&agreed, place, "")),
        [Err(Misfit::NoAudio), Err(Misfit::Refused), Err(Misfit::Refused)]
    );
    assert_eq!(fits(&agreed, 3, &all), Err(Misfit::Refused));
}

#[test]
fn a_held_fax_says_so() {
    let fax = agreed(FAX, FAX).unwrap();
    let held = LineWith { direction: Direction::Inactive, ..on(30_000) };
    assert!(offered(&fax, &[held]).ends_with("a=T38FaxUdpEC:t38UDPRedundancy\na=inactive\n"));
    assert_eq!(fits(&fax, 0, &format!("{FAX}a=inactive\n")), Err(Misfit::Direction), "nobody has held it");
}

#[test]
fn what_cannot_be_written_again_is_offered_as_a_refused_line() {
    let long = format!("{FAX}a=x:{}\n", "y".repeat(MAX_AGREED));
    let offer =
        offered(&agreed(&format!("{AUDIO}{long}"), &format!("{AUDIO}{long}")).unwrap(), &[on(1), on(2)]);
    assert!(offer.ends_with("m=image 0 udptl t38\n"), "{offer}");
    let odd = format!("{AUDIO}m=im\rage 9 udptl t38\n");
    let offer = offered(&agreed(&odd, &odd).unwrap(), &[on(1), on(2)]);
    assert!(offer.ends_with("m=audio 0 RTP/AVP 0\n"), "{offer}");
    let placed = format!("{FAX}a=T38Place:203.0.113.7\na=candidate:1 1 udp 1 203.0.113.7 9 typ host\n");
    assert!(!offered(&agreed(&placed, &placed).unwrap(), &[on(1)]).contains("203"));
}

#[test]
fn keys_stay_out_of_the_log() {
    let keyed = "m=audio 4000 RTP/SAVP 8\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:SECRET\n";
    let agreed = agreed(&format!("{keyed}{FAX}"), &format!("{keyed}{FAX}")).unwrap();
    assert!(offered(&agreed, &[on(1), on(2)]).contains("SECRET"));
    assert!(!format!("{agreed:?}").contains("SECRET"));
    assert_eq!(fits(&agreed, 0, keyed), Err(Misfit::Secured));
}

#[test]
fn a_bundle_is_taken_apart() {
    let text = format!(
        "{HEAD}a=group:BUNDLE a v w\na=group:LS a v\na=group:bundle a\na=msid-semantic:WMS *\nm=audio 9 RTP/AVP 8\na=mid:a\n\
         m=video 9 RTP/AVP 31\na=mid:v\na=bundle-only\nm=video 0 RTP/AVP 34\na=bundle-only\na=mid:w\n"
    );
    let with = Anchor { address: US, ports: &[30_000, 30_002, 30_004], session_id: 1, version: 1, mux: true };
    let out = String::from_utf8(anchor(&crlf(&text), &with).unwrap()).unwrap().replace("\r\n", "\n");
    assert!(!out.to_lowercase().contains("bundle"), "{out}");
    assert!(
        out.contains("a=group:LS a v\n") && out.contains("a=msid-semantic:WMS *\n"),
        "other groups stay: {out}"
    );
    assert!(out.ends_with("m=audio 30000 RTP/AVP 8\na=mid:a\nm=video 30002 RTP/AVP 31\na=mid:v\nm=video 0 RTP/AVP 34\na=mid:w\n"), "{out}");
}
