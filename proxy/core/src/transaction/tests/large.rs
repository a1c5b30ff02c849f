//! A request that is too large for a datagram goes over a stream, and comes back from there where nobody takes it.

use super::*;
use crate::route::fixture::config;
use crate::{LargeRequests, Listener, TransportFailure};

/// A table with a listener for datagrams and the one for streams beside it.
fn bench(large: LargeRequests) -> Bench {
    let mut config = config();
    let udp = Listener { large, ..config.listeners.remove(0) };
    let tcp = Listener { name: "tcp".into(), transport: Transport::Tcp, ..udp.clone() };
    config.listeners = vec![udp, tcp];
    let mut bench = Bench::new(Transport::Udp);
    bench.txns.set_listeners(&config);
    bench
}

/// Sends a request of this many bytes.
fn send(bench: &mut Bench, method: &str, length: usize) -> ClientKey {
    let key = bench.txns.reserve(7);
    let branch = String::from_utf8_lossy(bench.txns.branch(key).as_bytes()).into_owned();
    let head = format!(
        "{method} sip:b@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 198.51.100.1:5060;rport;branch={branch}\r\n\
         Max-Forwards: 70\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:b@192.0.2.1>\r\nCall-ID: c1\r\nCSeq: 1 {method}\r\nX: \r\n\r\n"
    );
    let request = head.replace("X: ", &format!("X: {}", "x".repeat(length - head.len())));
    assert_eq!(request.len(), length);
    let kind = if method == "INVITE" { ClientKind::Invite } else { ClientKind::NonInvite };
    bench.txns.start(bench.now, key, bench.peer, kind, request.into());
    key
}

/// What has been sent: method, the peer's transport and listener, and what Via says of it.
fn sent(bench: &mut Bench) -> Vec<(String, Transport, u16, String)> {
    std::iter::from_fn(|| bench.txns.poll_send())
        .map(|(to, bytes)| {
            let text = String::from_utf8(bytes.to_vec()).unwrap();
            let via = text.lines().find_map(|line| line.strip_prefix("Via: SIP/2.0/")).unwrap();
            let method = text.split(' ').next().unwrap().to_owned();
            (method, to.transport, to.listener.0, via[..3].to_owned())
        })
        .collect()
}

fn by_stream(method: &str) -> (String, Transport, u16, String) {
    (method.to_owned(), Transport::Tcp, 1, "TCP".to_owned())
}

fn by_datagram(method: &str) -> (String, Transport, u16, String) {
    (method.to_owned(), Transport::Udp, 0, "UDP".to_owned())
}

// Rules: big-requests
#[test]
fn thirteen_hundred_bytes_go_by_datagram_and_one_more_by_stream() {
    let mut bench = bench(LargeRequests::default());
    send(&mut bench, "INVITE", 1_300);
    assert_eq!(sent(&mut bench), [by_datagram("INVITE")]);
    for method in ["INVITE", "MESSAGE"] {
        let key = send(&mut bench, method, 1_301);
        assert_eq!(sent(&mut bench), [by_stream(method)]);
        assert_eq!(
            bench.txns.meant_for(key),
            Some(bench.peer),
            "the dialog is with whom it would have gone to"
        );
    }
}

#[test]
fn the_margin_follows_the_path_and_fragments_are_sent_where_that_is_wanted() {
    let mut jumbo = bench(LargeRequests::Stream { over: 8_800 });
    send(&mut jumbo, "INVITE", 8_800);
    send(&mut jumbo, "INVITE", 8_801);
    assert_eq!(sent(&mut jumbo), [by_datagram("INVITE"), by_stream("INVITE")]);
    let mut fragments = bench(LargeRequests::Datagram);
    send(&mut fragments, "INVITE", 20_000);
    assert_eq!(sent(&mut fragments), [by_datagram("INVITE")]);
}

#[test]
fn without_a_stream_listener_at_the_same_address_everything_goes_by_datagram() {
    let mut config = config();
    let tcp = Listener {
        transport: Transport::Tcp,
        advertised: "192.0.2.1:5070".parse().unwrap(),
        ..config.listeners[0].clone()
    };
    config.listeners.push(tcp);
    let mut bench = Bench::new(Transport::Udp);
    bench.txns.set_listeners(&config);
    send(&mut bench, "INVITE", 5_000);
    assert_eq!(sent(&mut bench), [by_datagram("INVITE")]);
}

#[test]
fn a_peer_that_takes_no_connection_gets_the_datagram_at_once_and_for_a_while_straight_away() {
    let mut bench = bench(LargeRequests::default());
    let stream = Peer { transport: Transport::Tcp, listener: ListenerId(1), ..bench.peer };
    for method in ["INVITE", "MESSAGE"] {
        send(&mut bench, method, 2_000);
    }
    assert_eq!(sent(&mut bench), [by_stream("INVITE"), by_stream("MESSAGE")]);
    bench.txns.transport_error(bench.now, stream, TransportFailure::Reset);
    let again = sent(&mut bench);
    assert_eq!(again.len(), 2);
    assert!(again.contains(&by_datagram("INVITE")) && again.contains(&by_datagram("MESSAGE")));
    assert_eq!(bench.events(), [], "the call does not notice");

    send(&mut bench, "INVITE", 2_000);
    assert_eq!(sent(&mut bench), [by_datagram("INVITE")]);
    bench.now += crate::limits::WITHOUT_STREAMS;
    send(&mut bench, "INVITE", 2_000);
    assert_eq!(sent(&mut bench), [by_stream("INVITE")]);
}

#[test]
fn a_stream_that_brings_no_answer_in_half_of_the_hunts_patience_is_not_waited_for() {
    let mut bench = bench(LargeRequests::default());
    let key = send(&mut bench, "INVITE", 2_000);
    assert_eq!(sent(&mut bench), [by_stream("INVITE")]);
    // `no_response` is 200 ms.
    assert_eq!(bench.run_to(ms(99)), []);
    bench.now = ms(100);
    bench.txns.timeout(bench.now);
    assert_eq!(sent(&mut bench), [by_datagram("INVITE")]);
    // From here on it is as if it had begun there: timer A, a CANCEL with the same Via, timer B.
    assert_eq!(bench.run_to(ms(1_600)), at(&[600, 1_600], "INVITE"));
    assert_eq!(bench.txns.cancel(bench.now, key, None), CancelOutcome::Waiting);
    assert!(passed(&bench.answer(key, 180, "INVITE"), 180));
    assert_eq!(sent(&mut bench), [by_datagram("CANCEL")]);
}

#[test]
fn a_cancel_that_waits_goes_the_way_of_its_invite() {
    let mut bench = bench(LargeRequests::default());
    let key = send(&mut bench, "INVITE", 2_000);
    assert_eq!(bench.txns.cancel(bench.now, key, None), CancelOutcome::Waiting);
    bench.now = ms(100);
    bench.txns.timeout(bench.now);
    assert_eq!(sent(&mut bench), [by_stream("INVITE"), by_datagram("INVITE")]);
    assert!(passed(&bench.answer(key, 180, "INVITE"), 180));
    assert_eq!(sent(&mut bench), [by_datagram("CANCEL")]);
}

#[test]
fn what_the_stream_has_answered_stays_there() {
    let mut bench = bench(LargeRequests::default());
    let key = send(&mut bench, "INVITE", 2_000);
    assert!(passed(&bench.answer(key, 100, "INVITE"), 100));
    assert_eq!(bench.run_to(seconds(100)).len(), 1, "over a stream nothing is sent twice");
    assert!(passed(&bench.answer(key, 486, "INVITE"), 486));
    assert_eq!(sent(&mut bench), [by_stream("ACK")]);
    assert_eq!(bench.txns.meant_for(key), None, "over, and forgotten");
}

#[test]
fn a_request_whose_patience_is_over_has_no_more_time_than_it_had() {
    let mut bench = bench(LargeRequests::default());
    let client = send(&mut bench, "INVITE", 2_000);
    bench.run_to(seconds(32) + Duration::from_millis(1));
    assert_eq!(bench.events(), [TxnEvent::ClientTimeout { client, user: 7 }]);
    assert_eq!(bench.txns.len(), 0);
}
