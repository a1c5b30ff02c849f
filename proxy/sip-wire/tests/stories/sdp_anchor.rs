//! Our address in place of theirs.

use crate::crlf;
use sip_wire::sdp::{Anchor, anchor};
use std::net::IpAddr;

fn with(address: &str, ports: &'static [u16]) -> Anchor<'static> {
    Anchor { address: address.parse().unwrap(), ports, session_id: 42, version: 7, mux: false }
}

fn anchored(text: &str, with: &Anchor<'_>) -> String {
    String::from_utf8(anchor(&crlf(text), with).unwrap()).unwrap().replace("\r\n", "\n")
}

const CALL: &str = "v=0\no=carrier 20518 0 IN IP4 203.0.113.7\ns=secret call\ni=info\nu=http://x\ne=a@b\np=+1\n\
                    c=IN IP4 203.0.113.7\nb=AS:64\nt=0 0\nm=audio 49170 RTP/AVP 8 101\na=rtpmap:101 telephone-event/8000\n\
                    a=fmtp:101 0-15\na=rtcp:49180 IN IP4 203.0.113.9\na=ptime:20\na=maxptime:150\n";

#[test]
fn the_rest_is_copied_byte_for_byte() {
    assert_eq!(
        anchored(CALL, &with("198.51.100.1", &[30_000])),
        "v=0\no=- 42 7 IN IP4 198.51.100.1\ns=-\nc=IN IP4 198.51.100.1\nb=AS:64\nt=0 0\nm=audio 30000 RTP/AVP 8 101\n\
         a=rtpmap:101 telephone-event/8000\na=fmtp:101 0-15\na=rtcp:30001\na=ptime:20\na=maxptime:150\n"
    );
}

#[test]
fn ipv4_becomes_ipv6_and_back() {
    let six = anchored(CALL, &with("2001:db8::5", &[30_000]));
    assert!(six.contains("o=- 42 7 IN IP6 2001:db8::5\n") && six.contains("c=IN IP6 2001:db8::5\n"), "{six}");
    assert!(!six.contains("IP4"));
    let four = anchored(&six, &with("198.51.100.1", &[30_000]));
    assert_eq!(four, anchored(CALL, &with("198.51.100.1", &[30_000])));
}

#[test]
fn no_address_and_no_host_of_the_other_side_survives() {
    let text = "v=0\no=- 1 1 IN IP4 pbx.example.com\ns=-\nc=IN IP4 203.0.113.7\nt=0 0\na=ice-lite\na=ice-options:trickle\n\
                a=source-filter: incl IN IP4 * 203.0.113.7\na=tool:pbx 1.0\na=setup:active\n\
                a=fingerprint:sha-256 D2:FA:0E:C3:22:59:5E:14:95:69:92:3D:13:B4:84:24:2C:C2:A2:C0:3E:FD:34:8E:5E:EA:6F:AF:52:CE:E6:0F\n\
                m=audio 9 RTP/SAVP 0\nc=IN IP4 203.0.113.8/127\na=candidate:1 1 udp 1 203.0.113.9 9 typ host\n\
                a=remote-candidates:1 203.0.113.9 9\na=end-of-candidates\na=ice-ufrag:x\na=ice-pwd:y\n\
                a=ssrc:1 cname:u@pbx.example.com\na=ssrc-group:FID 1 2\na=rtcp:10 IN IP6 2001:db8::9\n\
                a=x-where:203.0.113.10\na=x-where:x203.0.113.10\na=x-where 203.0.113.10:5004\na=x-six:[2001:db8::9]:5004\n\
                a=x-host:sip:u@pbx.example.com;lr\na=mid:0\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwg\n";
    let out = anchored(text, &with("198.51.100.1", &[30_000]));
    for theirs in ["203.0.113", "2001:db8", "pbx", "ice", "ssrc", "candidate", "source-filter"] {
        assert!(!out.contains(theirs), "{theirs} in\n{out}");
    }
    for kept in ["a=setup:active\n", "a=fingerprint:sha-256 D2:FA", "a=mid:0\n", "a=crypto:1 AES_CM"] {
        assert!(out.contains(kept), "{kept} not in\n{out}");
    }
}

#[test]
fn refused_lines_stay_refused_and_keep_no_address() {
    let text = "v=0\nc=IN IP4 203.0.113.7\nm=audio 0 RTP/AVP 0\nc=IN IP4 203.0.113.8\na=x\nm=video 6000/2 RTP/AVP 31\n\
                a=mid:v\na=rtpmap:31 H261/90000\nm=audio 6010 RTP/AVP 8\nm=image 6020 udptl t38\na=T38FaxVersion:0\n";
    assert_eq!(
        anchored(text, &with("198.51.100.1", &[30_000, 0, 30_004])),
        "v=0\no=- 42 7 IN IP4 198.51.100.1\ns=-\nc=IN IP4 198.51.100.1\nm=audio 0 RTP/AVP 0\nm=video 0 RTP/AVP 31\na=mid:v\n\
         m=audio 30004 RTP/AVP 8\nm=image 0 udptl t38\n"
    );
}

#[test]
fn rtcp_mux_stays_only_where_we_share_the_port_too() {
    let text = "v=0\nm=audio 6000 RTP/AVP 0\na=rtcp:6000\na=rtcp-mux\nm=video 6002 RTP/AVP 31\na=rtcp:6009\n";
    let mut with = with("198.51.100.1", &[30_000, 30_002]);
    let apart = anchored(text, &with);
    assert!(
        apart.ends_with("m=audio 30000 RTP/AVP 0\na=rtcp:30001\nm=video 30002 RTP/AVP 31\na=rtcp:30003\n"),
        "{apart}"
    );
    with.mux = true;
    let shared = anchored(text, &with);
    assert!(
        shared.ends_with("m=audio 30000 RTP/AVP 0\na=rtcp-mux\nm=video 30002 RTP/AVP 31\na=rtcp:30003\n"),
        "{shared}"
    );
}

#[test]
fn hold_by_null_address_becomes_the_direction_that_it_means() {
    let text = "v=0\nc=IN IP4 0.0.0.0\nm=audio 6000 RTP/AVP 0\na=sendrecv\na=ptime:20\nm=audio 6002 RTP/AVP 0\nc=IN IP4 203.0.113.7\n";
    assert_eq!(
        anchored(text, &with("198.51.100.1", &[30_000, 30_002])),
        "v=0\no=- 42 7 IN IP4 198.51.100.1\ns=-\nc=IN IP4 198.51.100.1\nm=audio 30000 RTP/AVP 0\na=ptime:20\na=sendonly\n\
         m=audio 30002 RTP/AVP 0\nc=IN IP4 198.51.100.1\n"
    );
}

#[test]
fn a_description_with_lone_line_feeds_is_written_with_crlf() {
    let out = anchor(b"v=0\nm=audio 1 RTP/AVP 0\na=x\xff", &with("198.51.100.1", &[30_000])).unwrap();
    assert!(out.ends_with(b"m=audio 30000 RTP/AVP 0\r\na=x\xff\r\n"));
    let ours: IpAddr = "198.51.100.1".parse().unwrap();
    assert_eq!(sip_wire::sdp::Session::parse(&out).unwrap().media()[0].address, Some(ours));
}
