//! What a response copies from its request.

use super::*;
use std::net::SocketAddr;

fn respond_to(via: &str, to: &str, from: &str, code: u16, tag: Option<&[u8]>) -> String {
    let request = format!(
        "OPTIONS sip:alice@198.51.100.1 SIP/2.0\r\nVia: {via}\r\nv: SIP/2.0/UDP p2;branch=z9hG4bKp2, SIP/2.0/UDP \
         p3;branch=z9hG4bKp3\r\nMax-Forwards: 70\r\nTimestamp: 54.2\r\nFrom: \"B, ob\" <sip:bob@example.net>;tag=b9\r\nTo: \
         {to}\r\nCall-ID: c9\r\nCSeq: 17 OPTIONS\r\nContent-Length: 0\r\n\r\n"
    );
    let request = Message::parse(request.into()).expect("sound");
    let from: SocketAddr = from.parse().expect("an address");
    String::from_utf8(response(&request, from, code, crate::overload::Said::default(), tag).finish().to_vec())
        .expect("text")
}

fn top_via(via: &str, from: &str) -> String {
    let text = respond_to(via, "<sip:a@b>", from, 200, None);
    text.lines().nth(1).expect("a Via").strip_prefix("Via: ").expect("a Via").to_owned()
}

// Rules: uas-response-copies, uas-to-tag
#[test]
fn a_response_copies_all_vias_in_order_and_gives_to_a_tag() {
    insta::assert_snapshot!(
        respond_to("SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1", "<sip:a@b>", "192.0.2.1:5060", 200, Some(b"t1")),
        @r#"
    SIP/2.0 200 OK
    Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1
    Via: SIP/2.0/UDP p2;branch=z9hG4bKp2, SIP/2.0/UDP p3;branch=z9hG4bKp3
    From: "B, ob" <sip:bob@example.net>;tag=b9
    To: <sip:a@b>;tag=t1
    Call-ID: c9
    CSeq: 17 OPTIONS
    Content-Length: 0
    "#
    );
}

// Rules: uas-timestamp, uas-to-tag
#[test]
fn a_tag_that_is_there_stays_and_a_100_brings_the_timestamp_back() {
    let text =
        respond_to("SIP/2.0/UDP h;branch=z9hG4bK1", "<sip:a@b>;tag=old", "192.0.2.1:5060", 200, Some(b"new"));
    assert!(text.contains("\r\nTo: <sip:a@b>;tag=old\r\n") && !text.contains("Timestamp"), "{text}");
    let text = respond_to("SIP/2.0/UDP h;branch=z9hG4bK1", "sip:a@b", "192.0.2.1:5060", 100, None);
    assert!(text.contains("\r\nTo: sip:a@b\r\n") && text.contains("\r\nTimestamp: 54.2\r\n"), "{text}");
}

// Rules: via-received
#[test]
fn the_top_via_says_where_the_request_came_from() {
    for (via, from, expected) in [
        // RFC 3261 §18.2.1: only when it differs from sent-by.
        ("SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1", "192.0.2.1:5060", "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1"),
        (
            "SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1",
            "192.0.2.1:9",
            "SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1;received=192.0.2.1",
        ),
        (
            "SIP/2.0/UDP host;branch=z9hG4bK1",
            "192.0.2.1:9",
            "SIP/2.0/UDP host;branch=z9hG4bK1;received=192.0.2.1",
        ),
        // RFC 3581 §4: always with rport.
        (
            "SIP/2.0/UDP 192.0.2.1:5060;rport;branch=z9hG4bK1",
            "192.0.2.1:9",
            "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1;received=192.0.2.1;rport=9",
        ),
        // What the sender says about itself is not believed.
        (
            "SIP/2.0/UDP h ;Received=6.6.6.6;branch=z9hG4bK1;RPORT=666;x=\"a;rport=1\"",
            "192.0.2.1:9",
            "SIP/2.0/UDP h;branch=z9hG4bK1;x=\"a;rport=1\";received=192.0.2.1;rport=9",
        ),
        // RFC 5118 §4.5: no brackets in received.
        (
            "SIP/2.0/UDP [2001:db8::9]:5060;branch=z9hG4bK1",
            "[2001:db8::1]:9",
            "SIP/2.0/UDP [2001:db8::9]:5060;branch=z9hG4bK1;received=2001:db8::1",
        ),
        (
            "SIP/2.0/UDP [2001:DB8::1];branch=z9hG4bK1",
            "[2001:db8::1]:9",
            "SIP/2.0/UDP [2001:DB8::1];branch=z9hG4bK1",
        ),
        (
            "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1",
            "[::ffff:192.0.2.1]:9",
            "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1",
        ),
    ] {
        assert_eq!(top_via(via, from), expected);
    }
}

#[test]
fn a_list_of_vias_stays_a_list_and_where_the_request_came_from_is_told_of_its_first() {
    let via =
        "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1;rport , SIP/2.0/UDP a;branch=z9hG4bKa,,SIP/2.0/UDP b";
    let text = respond_to(via, "<sip:a@b>", "198.51.100.3:999", 100, None);
    let expected = "Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1;received=198.51.100.3;rport=999 , \
                    SIP/2.0/UDP a;branch=z9hG4bKa,,SIP/2.0/UDP b";
    assert!(text.lines().any(|line| line == expected), "{text}");
}
