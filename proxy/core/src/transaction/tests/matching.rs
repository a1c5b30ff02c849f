//! Which requests belong together (RFC 3261 §17.2.3).

use super::*;

fn is_new(received: &Received<u32>) -> bool {
    matches!(received, Received::Request { .. })
}

// Rules: server-matching
#[test]
fn branch_sent_by_and_method_make_a_transaction() {
    let mut bench = Bench::new(Transport::Udp);
    assert!(is_new(&bench.ask_via("OPTIONS", "SIP/2.0/UDP host.example:5060;branch=z9hG4bKa")));
    assert!(is_new(&bench.ask_via("OPTIONS", "SIP/2.0/UDP host.example:5060;branch=z9hG4bKA")));
    assert!(is_new(&bench.ask_via("OPTIONS", "SIP/2.0/UDP host.example:5061;branch=z9hG4bKa")));
    assert!(is_new(&bench.ask_via("OPTIONS", "SIP/2.0/UDP other.example:5060;branch=z9hG4bKa")));
    assert!(is_new(&bench.ask_via("INFO", "SIP/2.0/UDP host.example:5060;branch=z9hG4bKa")));
    assert!(absorbed(&bench.ask_via("OPTIONS", "SIP/2.0/UDP host.example:5060;branch=z9hG4bKa")));
    assert!(absorbed(&bench.ask_via("OPTIONS", "SIP/2.0/UDP HOST.example;rport;branch=z9hG4bKa")));
}

// Rules: server-matching-2543
#[test]
fn without_a_branch_of_rfc_3261_call_id_cseq_from_tag_and_via_decide() {
    for via in
        ["SIP/2.0/UDP host.example", "SIP/2.0/UDP host.example;branch=1", "SIP/2.0/UDP h;branch=z9hG4bK"]
    {
        let mut bench = Bench::new(Transport::Udp);
        let Received::Request { server, .. } = bench.ask_via("INVITE", via) else { panic!("not new") };
        assert!(absorbed(&bench.ask_via("INVITE", via)));
        bench.txns.bind(server, 9);
        let Received::Cancel { invite, .. } = bench.ask_via("CANCEL", via) else { panic!("not a CANCEL") };
        assert_eq!(invite, Some((server, 9)));
        bench.respond(server, 487);
        assert!(absorbed(&bench.ask_via("ACK", via)));
        assert!(is_new(&bench.ask_via("INVITE", "SIP/2.0/UDP elsewhere.example")));
        let other_call = "INVITE sip:alice@198.51.100.1 SIP/2.0\r\nVia: SIP/2.0/UDP host.example\r\nMax-Forwards: \
             70\r\nFrom: <sip:bob@example.net>;tag=b9\r\nTo: <sip:alice@example.com>\r\nCall-ID: c10\r\nCSeq: 17 \
             INVITE\r\nContent-Length: 0\r\n\r\n";
        assert!(is_new(&bench.receive(other_call)));
    }
}

// Rules: response-route
#[test]
fn responses_go_where_rfc_3261_and_rfc_3581_send_them() {
    let from = Peer { remote: ([203, 0, 113, 9], 40_000).into(), ..peer(Transport::Udp, 0) };
    for (via, transport, port) in [
        ("SIP/2.0/UDP 10.0.0.1:5070;branch=z9hG4bK1", Transport::Udp, 5_070),
        ("SIP/2.0/UDP host.example;branch=z9hG4bK2", Transport::Udp, 5_060),
        ("SIP/2.0/UDP 10.0.0.1:5070;rport;branch=z9hG4bK3", Transport::Udp, 40_000),
        ("SIP/2.0/UDP 10.0.0.1;maddr=192.0.2.77;branch=z9hG4bK4", Transport::Udp, 5_060),
        ("SIP/2.0/TCP 10.0.0.1:5070;branch=z9hG4bK5", Transport::Tcp, 40_000),
    ] {
        let mut bench = Bench::new(transport);
        bench.peer = Peer { transport, ..from };
        let Received::Request { server, .. } = bench.ask_via("OPTIONS", via) else { panic!("not new") };
        let expected = Peer { transport, remote: ([203, 0, 113, 9], port).into(), ..from };
        bench.respond(server, 200);
        assert_eq!(bench.txns.poll_send().map(|(to, _)| to), Some(expected), "{via}");
    }
}
