//! Several listeners: behind a NAT, in both families, each with what it calls itself.

use super::calls_over_tcp::Stream;
use super::world::{Place, Ua, load, media};
use crate::audited::Audited;
use sip_wire::{HeaderName, Message};
use std::io::Write;
use std::net::{SocketAddr, TcpStream};

fn text(message: &Message, name: HeaderName) -> String {
    String::from_utf8_lossy(message.header(name).unwrap()).into_owned()
}

/// INVITE, 200, ACK and BYE; what the edge was asked, and what the caller was answered.
fn call(carrier: &Ua, to: SocketAddr, edge: &Ua, tier: SocketAddr) -> (Message, Message) {
    carrier.send(carrier.invite("call", "+4930123456", 40_000), to);
    let invite = edge.request("INVITE");
    edge.send(edge.answer(&invite, 200, Some(41_000)), tier);
    let ok = carrier.response(200);
    carrier.send(carrier.in_dialog("ACK", 1, &ok), to);
    edge.request("ACK");
    carrier.send(carrier.in_dialog("BYE", 2, &ok), to);
    let bye = edge.request("BYE");
    edge.send(edge.answer(&bye, 200, None), tier);
    carrier.response(200);
    (invite, ok)
}

#[test]
fn behind_a_nat_each_listener_says_the_address_that_its_peers_see() {
    let place = Place(136);
    let text_of = |name: &str| format!("name = \"{name}\"\n");
    let config = place
        .config("")
        .replacen(&text_of("carriers"), "name = \"carriers\"\nadvertised = \"203.0.113.5:5099\"\n", 1)
        .replacen(&text_of("tier"), "name = \"tier\"\nadvertised = \"198.51.100.5\"\n", 1)
        .replacen("[media]\n", "[media]\nadvertised_v4 = \"203.0.113.6\"\n", 1);
    let _appliance = Audited::start(load(&config)).unwrap();
    let (carrier, edge) = (place.carrier(), place.edge(1));
    let (invite, ok) = call(&carrier, place.appliance(), &edge, place.tier());
    assert_eq!(text(&ok, HeaderName::Contact), "<sip:203.0.113.5:5099>");
    assert!(
        text(&invite, HeaderName::Via).starts_with("SIP/2.0/UDP 198.51.100.5:5070;rport;"),
        "port of `bind`"
    );
    assert_eq!(text(&invite, HeaderName::Contact), "<sip:198.51.100.5:5070>");
    for description in [&invite, &ok] {
        assert_eq!(media(description).ip().to_string(), "203.0.113.6");
    }
    for message in [&invite, &ok] {
        let said = String::from_utf8_lossy(message.bytes()).replace(&edge.at.ip().to_string(), "the edge");
        assert!(!said.contains(&place.ip(1).to_string()), "nobody sees the address inside: {said}");
    }
}

fn options(via: &str, branch: &str) -> String {
    format!(
        "OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/UDP {via};branch=z9hG4bK{branch}\r\nFrom: <sip:x@y>;tag=1\r\nTo: <sip:x>\r\n\
         Call-ID: {branch}\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
    )
}

#[test]
fn a_peer_behind_a_nat_is_answered_where_it_is_and_told_where_that_is() {
    let place = Place(137);
    let _appliance = place.start("");
    let (named, mapped) = (Ua::at((place.ip(2), 5_060).into()), Ua::at((place.ip(2), 34_567).into()));
    // RFC 3581 §4: with rport to the port that it came from, and both are said.
    mapped.send(options("10.0.0.1:5060;rport", "a"), place.appliance());
    let via = text(&mapped.response(200), HeaderName::Via);
    let ip = place.ip(2);
    assert_eq!(via, format!("SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bKa;received={ip};rport=34567"));
    // RFC 3261 §18.2.2: without it to the port in sent-by, at the address that it came from.
    mapped.send(options("10.0.0.1:5060", "b"), place.appliance());
    let via = text(&named.response(200), HeaderName::Via);
    assert_eq!(via, format!("SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bKb;received={ip}"));
    // And where sent-by says the same as the packet, nothing has to be added.
    named.send(options(&format!("{}", named.at), "c"), place.appliance());
    let via = text(&named.response(200), HeaderName::Via);
    assert_eq!(via, format!("SIP/2.0/UDP {};branch=z9hG4bKc", named.at));
}

/// A configuration in which one side speaks IPv6. The loopback has one such address, so ports tell everybody apart.
fn with_v6(place: Place, ports: &str, changes: &[(&str, &str)]) -> Audited {
    let mut text = place.config("").replacen("30000-30399", ports, 1).replacen(
        "[media]\n",
        "[media]\nv6 = \"::1\"\n",
        1,
    );
    for (from, to) in changes {
        let from = from.replace("NN", &place.0.to_string());
        assert!(text.contains(&from), "{from}");
        text = text.replacen(&from, to, 1);
    }
    Audited::start(load(&text)).unwrap()
}

#[test]
fn a_carrier_on_ipv6_reaches_an_edge_on_ipv4_over_udp_and_over_tcp() {
    let place = Place(95);
    let two = "bind = \"[::1]:15060\"\n[[listener]]\nname = \"carriers-tcp\"\ntransport = \"tcp\"\nbind = \"[::1]:15060\"";
    let changes =
        [("bind = \"127.77.NN.1:5060\"", two), ("sources = [\"127.77.NN.2\"]", "sources = [\"::1\"]")];
    let _appliance = with_v6(place, "31000-31399", &changes);
    let ours: SocketAddr = "[::1]:15060".parse().unwrap();
    let (carrier, edge) = (Ua::at("[::1]:15059".parse().unwrap()), place.edge(1));
    let (invite, ok) = call(&carrier, ours, &edge, place.tier());
    assert_eq!(text(&ok, HeaderName::Contact), "<sip:[::1]:15060>");
    assert!(media(&ok).is_ipv6() && media(&invite).is_ipv4(), "each leg in its own family");
    assert!(text(&invite, HeaderName::Via).starts_with(&format!("SIP/2.0/UDP {}", place.tier())));

    let mut stream = Stream::new(TcpStream::connect(ours).unwrap());
    let at = stream.stream.local_addr().unwrap();
    let said = options(&format!("{at};rport"), "v6").replace("UDP", "TCP");
    stream.stream.write_all(said.as_bytes()).unwrap();
    let answer = stream.next();
    assert_eq!(answer.code(), Some(200));
    assert!(text(&answer, HeaderName::Via).contains(&format!(";received=::1;rport={}", at.port())));
}

#[test]
fn a_carrier_on_ipv4_reaches_an_edge_on_ipv6() {
    let place = Place(96);
    let changes = [
        ("bind = \"127.77.NN.1:5070\"", "bind = \"[::1]:15070\""),
        ("address = \"127.77.NN.11:5060\"", "address = \"[::1]:15071\""),
        ("address = \"127.77.NN.12:5060\"", "address = \"[::1]:15072\""),
    ];
    let _appliance = with_v6(place, "31400-31799", &changes);
    let tier: SocketAddr = "[::1]:15070".parse().unwrap();
    let (carrier, edge) = (place.carrier(), Ua::at("[::1]:15071".parse().unwrap()));
    let (invite, ok) = call(&carrier, place.appliance(), &edge, tier);
    assert_eq!(text(&invite, HeaderName::Contact), "<sip:[::1]:15070>");
    assert!(text(&invite, HeaderName::Via).starts_with("SIP/2.0/UDP [::1]:15070;rport;"));
    assert!(media(&invite).is_ipv6() && media(&ok).is_ipv4(), "each leg in its own family");
}
