//! A request that is too large for a datagram goes by TCP, where the peer takes that (RFC 3261 §18.1.1).

use super::calls_over_tcp::Stream;
use super::world::{Place, Ua, hang_up};
use sip_wire::{HeaderName, Message};
use std::io::Write;
use std::net::TcpListener;

const BESIDE: &str = r#"
    [[listener]]
    name = "tier-tcp"
    transport = "tcp"
    bind = "127.77.NN.1:5070"
"#;

fn beside(place: Place) -> String {
    BESIDE.replace("NN", &place.0.to_string())
}

/// An INVITE whose description makes whatever is built from it larger than 1,300 bytes.
fn large(carrier: &Ua, call_id: &str) -> String {
    let invite = carrier.invite(call_id, "+4930123456", 40_000);
    let more: String = (0..100).map(|n| format!("a=x-more:{n:020}\r\n")).collect();
    let (head, body) = invite.split_once("\r\n\r\n").unwrap();
    let head = head.rsplit_once("Content-Length").unwrap().0;
    format!("{head}Content-Length: {}\r\n\r\n{body}{more}", body.len() + more.len())
}

fn via(message: &Message) -> String {
    String::from_utf8_lossy(message.header(HeaderName::Via).unwrap()).into_owned()
}

// Rules: big-requests
#[test]
fn a_large_invite_takes_a_connection_and_the_dialog_goes_on_by_datagram() {
    let place = Place(133);
    let _appliance = place.start(&beside(place));
    let (carrier, edge) = (place.carrier(), place.edge(1));
    let listener = TcpListener::bind(edge.at).unwrap();
    carrier.send(large(&carrier, "large"), place.appliance());
    let (stream, from) = listener.accept().unwrap();
    assert_eq!(from.ip(), place.ip(1));
    let mut stream = Stream::new(stream);
    let invite = stream.next();
    assert!(invite.bytes().len() > 1_300);
    assert!(via(&invite).starts_with(&format!("SIP/2.0/TCP {}", place.tier())), "{}", via(&invite));
    stream.stream.write_all(edge.answer(&invite, 200, Some(41_000)).as_bytes()).unwrap();
    let ok = carrier.response(200);
    carrier.send(carrier.in_dialog("ACK", 1, &ok), place.appliance());
    let ack = edge.request("ACK");
    assert!(via(&ack).starts_with("SIP/2.0/UDP"), "{}", via(&ack));
    hang_up(place, &carrier, &edge, &super::world::Call { ok, invite });
}

#[test]
fn a_peer_without_tcp_gets_it_in_fragments_and_the_next_one_without_delay() {
    let place = Place(134);
    let _appliance = place.start(&beside(place));
    let (carrier, edge) = (place.carrier(), place.edge(1));
    for call_id in ["refused", "known"] {
        carrier.send(large(&carrier, call_id), place.appliance());
        let invite = edge.request("INVITE");
        assert!(invite.bytes().len() > 1_300);
        assert!(via(&invite).starts_with("SIP/2.0/UDP"), "{}", via(&invite));
        edge.send(edge.answer(&invite, 486, None), place.tier());
        carrier.response(486);
        edge.request("ACK");
    }
}

#[test]
fn where_fragments_are_wanted_no_connection_is_made() {
    let place = Place(135);
    let bind = format!("bind = \"127.77.{}.1:5070\"", place.0);
    let text = place.config("").replacen(&bind, &format!("{bind}\nlarge_requests = \"datagram\""), 1);
    let _appliance = crate::audited::Audited::start(super::world::load(&(text + &beside(place)))).unwrap();
    let (carrier, edge) = (place.carrier(), place.edge(1));
    let listener = TcpListener::bind(edge.at).unwrap();
    carrier.send(large(&carrier, "fragments"), place.appliance());
    let invite = edge.request("INVITE");
    assert!(via(&invite).starts_with("SIP/2.0/UDP"), "{}", via(&invite));
    listener.set_nonblocking(true).unwrap();
    assert!(listener.accept().is_err(), "nobody has called");
}
