//! What a relay needs from a session description.

use crate::{crlf, message};
use sip_wire::limits::MAX_MEDIA;
use sip_wire::sdp::{self, Direction, SdpError, Session};

#[test]
fn addresses_ports_codecs_and_direction_are_read() {
    let body = crlf(
        "v=0\no=- 1 1 IN IP4 192.0.2.1\ns=-\nc=IN IP4 192.0.2.1\nt=0 0\na=sendonly\na=ptime:30\n\
         m=audio 49170 RTP/AVP 0 9 96 101\na=rtpmap:96 opus/48000/2\na=fmtp:96 useinbandfec=1\n\
         a=rtpmap:101 telephone-event/8000\na=rtcp:53020 IN IP4 192.0.2.3\n\
         m=video 6000/2 RTP/AVP 31\nc=IN IP6 2001:db8::1\na=recvonly\na=rtcp-mux\na=ptime:20\n\
         m=image 0 udptl t38\n",
    );
    let session = Session::parse(&body).unwrap();
    let [audio, video, image] = session.media() else { panic!("three lines") };
    assert_eq!((audio.kind, audio.port, audio.proto), (&b"audio"[..], 49_170, &b"RTP/AVP"[..]));
    assert_eq!(audio.payload_types().collect::<Vec<_>>(), [0, 9, 96, 101]);
    assert_eq!((audio.address, audio.direction), (Some([192, 0, 2, 1].into()), Direction::SendOnly));
    assert_eq!((audio.ptime, video.ptime), (Some(30), Some(20)));
    assert_eq!(audio.rtcp, Some((53_020, Some([192, 0, 2, 3].into()))));
    let codec = |pt| audio.codec(pt).map(|c| (c.name, c.clock_rate, c.channels));
    assert_eq!(codec(0), Some((&b"PCMU"[..], 8_000, 1)));
    assert_eq!(codec(9), Some((&b"G722"[..], 8_000, 1)), "RFC 3551 §4.5.2");
    assert_eq!(codec(96), Some((&b"opus"[..], 48_000, 2)));
    assert_eq!(codec(97), None);
    assert_eq!((audio.fmtp(96), audio.telephone_event(8_000)), (Some(&b"useinbandfec=1"[..]), Some(101)));
    assert_eq!((video.port, video.address), (6_000, Some("2001:db8::1".parse().unwrap())));
    assert_eq!((video.direction, video.rtcp_mux, audio.rtcp_mux), (Direction::RecvOnly, true, false));
    assert_eq!((image.port, image.formats), (0, &b"t38"[..]));
    assert_eq!(session.audio(), Some(audio));
}

#[test]
fn a_null_address_is_hold() {
    for (direction, held) in [
        ("", Direction::SendOnly),
        ("a=sendrecv\n", Direction::SendOnly),
        ("a=recvonly\n", Direction::Inactive),
        ("a=inactive\n", Direction::Inactive),
    ] {
        for null in ["IP4 0.0.0.0", "IP6 ::"] {
            let body = crlf(&format!("v=0\nc=IN {null}\nm=audio 4000 RTP/AVP 0\n{direction}"));
            let direction = Session::parse(&body).unwrap().media()[0].direction;
            assert_eq!(direction, held);
            assert!(!direction.receives());
        }
    }
}

#[test]
fn what_is_no_description_has_its_reason() {
    for (text, error) in [
        ("", SdpError::Version),
        ("\n\n", SdpError::Version),
        ("o=- 1 1 IN IP4 a\n", SdpError::Version),
        ("v=1\n", SdpError::Version),
        ("v=0\nv=0\n", SdpError::Version),
        ("v=0\nhello\n", SdpError::Line),
        ("v=0\nM=x\n", SdpError::Line),
        ("v=0\nm=audio\n", SdpError::Media),
        ("v=0\nm=audio x RTP/AVP 0\n", SdpError::Media),
        ("v=0\nm=audio 65536 RTP/AVP 0\n", SdpError::Media),
        ("v=0\nm=audio 1 RTP/AVP\n", SdpError::Media),
    ] {
        assert_eq!(Session::parse(text.as_bytes()), Err(error), "{text:?}");
    }
    let many = |n: usize| format!("v=0\n{}", "m=audio 1 RTP/AVP 0\n".repeat(n));
    assert!(Session::parse(many(MAX_MEDIA).as_bytes()).is_ok());
    assert_eq!(Session::parse(many(MAX_MEDIA + 1).as_bytes()), Err(SdpError::TooManyMedia));
}

#[test]
fn a_description_is_found_alone_and_in_a_multipart() {
    let head = "INVITE sip:a@b SIP/2.0\n";
    let alone = message(&format!("{head}c: Application/SDP;charset=utf-8\n\nv=0\n"));
    assert_eq!(sdp::find(&alone), Some(&b"v=0\r\n"[..]));
    let multipart = |boundary: &str, body: &str| {
        message(&format!("{head}Content-Type: multipart/mixed;boundary={boundary}\n\n{body}"))
    };
    let parts = "preamble --b is no line\n--b\nContent-Type: text/plain\n\nv=1\n--b\nX: y\nContent-type :\n application/sdp\n\nv=0\ns=--b\n\n--b--\n";
    assert_eq!(sdp::find(&multipart("b", parts)), Some(&b"v=0\r\ns=--b\r\n"[..]));
    assert_eq!(sdp::find(&multipart("\"b\"", parts)), Some(&b"v=0\r\ns=--b\r\n"[..]));
    assert_eq!(sdp::find(&multipart("c", parts)), None);
    assert_eq!(sdp::find(&multipart("b", "--b\nContent-Type: text/plain\n\nv=0\n--b--\n")), None);
    assert_eq!(sdp::find(&message(&format!("{head}Content-Type: text/plain\n\nv=0\n"))), None);
}
