//! INVITE, sent.

use super::*;
use crate::TransportFailure;

// Rules: timer-a, timer-b
#[test]
fn an_unanswered_invite_is_sent_seven_times_and_given_up_after_32_seconds() {
    let mut bench = Bench::new(Transport::Udp);
    let client = bench.call("INVITE");
    let sent = bench.run_to(ms(31_999));
    assert_eq!(sent, at(&[0, 500, 1_500, 3_500, 7_500, 15_500, 31_500], "INVITE"));
    assert_eq!(bench.events(), []);
    assert_eq!(bench.run_to(ms(32_000)), []);
    assert_eq!(bench.events(), [TxnEvent::ClientTimeout { client, user: 7 }]);
    assert_eq!(bench.txns.len(), 0);
    assert_eq!(bench.txns.next_timeout(), Time::NEVER);
}

// Rules: timer-a-reliable
#[test]
fn over_a_stream_an_invite_is_sent_once() {
    let mut bench = Bench::new(Transport::Tcp);
    let client = bench.call("INVITE");
    assert_eq!(bench.run_to(seconds(32)), at(&[0], "INVITE"));
    assert_eq!(bench.events(), [TxnEvent::ClientTimeout { client, user: 7 }]);
}

// Rules: invite-client-proceeding
#[test]
fn a_provisional_response_ends_retransmission_for_as_long_as_it_rings() {
    let mut bench = Bench::new(Transport::Udp);
    let client = bench.call("INVITE");
    assert_eq!(bench.run_to(ms(700)), at(&[0, 500], "INVITE"));
    assert!(passed(&bench.answer(client, 100, "INVITE"), 100));
    assert!(passed(&bench.answer(client, 180, "INVITE"), 180));
    assert_eq!(bench.run_to(seconds(600)), []);
    assert_eq!(bench.events(), []);
    assert_eq!(TxnCounts::of(&bench.txns), TxnCounts { invite_client: 1, ..TxnCounts::default() });
}

// Rules: invite-client-ack-failure, timer-d
#[test]
fn a_failure_is_acknowledged_each_time_it_comes_and_told_once() {
    let mut bench = Bench::new(Transport::Udp);
    let client = bench.call("INVITE");
    bench.sent();
    assert!(passed(&bench.answer(client, 486, "INVITE"), 486));
    assert_eq!(bench.sent(), at(&[0], "ACK"));
    assert_eq!(bench.run_to(ms(500)), []);
    assert!(absorbed(&bench.answer(client, 486, "INVITE")));
    assert_eq!(bench.sent(), at(&[500], "ACK"));
    // Timer D counts from the first one.
    assert_eq!(bench.run_to(ms(31_999)), []);
    assert!(absorbed(&bench.answer(client, 486, "INVITE")));
    bench.run_to(seconds(32));
    assert_eq!(bench.txns.len(), 0);
    assert!(matches!(bench.answer(client, 486, "INVITE"), Received::Stray));
    assert_eq!(bench.events(), []);
}

#[test]
fn a_server_that_has_started_anew_and_refuses_again_finds_its_own_tag_in_the_ack() {
    let mut bench = Bench::new(Transport::Udp);
    let client = bench.call("INVITE");
    bench.sent();
    bench.answer(client, 422, "INVITE");
    let first = bench.sent_text();
    let branch = bench.txns.branch(client);
    let refusal = format!(
        "SIP/2.0 503 Whatever\r\nVia: SIP/2.0/UDP 198.51.100.1:5060;branch={}\r\nFrom: \
         <sip:alice@example.com>;tag=a1\r\nTo: <sip:bob@example.net>;tag=b2\r\nCall-ID: c1\r\nCSeq: 4711 \
         INVITE\r\nContent-Length: 0\r\n\r\n",
        String::from_utf8_lossy(branch.as_bytes())
    );
    assert!(absorbed(&bench.receive(&refusal)));
    assert!(first.contains(";tag=b1\r\n"), "{first}");
    assert_eq!(bench.sent_text(), first.replace(";tag=b1\r\n", ";tag=b2\r\n"), "and nothing else is new");
    assert!(absorbed(&bench.answer(client, 422, "INVITE")));
    assert_eq!(bench.sent_text(), first);
}

// Rules: ack-failure-fields
#[test]
fn the_ack_for_a_failure_follows_the_invites_path_and_takes_the_responses_to() {
    let mut bench = Bench::new(Transport::Udp);
    let client = bench.call("INVITE");
    bench.sent();
    bench.answer(client, 404, "INVITE");
    let branch = bench.txns.branch(client);
    let branch = String::from_utf8_lossy(branch.as_bytes());
    assert_eq!(
        bench.sent_text(),
        format!(
            "ACK sip:bob@example.net SIP/2.0\r\nVia: SIP/2.0/UDP 198.51.100.1:5060;branch={branch}\r\nRoute: \
             <sip:p1.example.net;lr>\r\nRoute: <sip:p2.example.net;lr>\r\nMax-Forwards: 70\r\nFrom: \
             <sip:alice@example.com>;tag=a1\r\nCall-ID: c1\r\nCSeq: 4711 ACK\r\nTo: \
             <sip:bob@example.net>;tag=b1\r\nContent-Length: 0\r\n\r\n"
        )
    );
}

// Rules: timer-d
#[test]
fn over_a_stream_a_failure_is_acknowledged_and_the_transaction_is_over_at_once() {
    let mut bench = Bench::new(Transport::Tcp);
    let client = bench.call("INVITE");
    bench.sent();
    assert!(passed(&bench.answer(client, 503, "INVITE"), 503));
    assert_eq!(bench.sent(), at(&[0], "ACK"));
    assert_eq!(bench.txns.len(), 0);
}

// Rules: invite-accepted-client
#[test]
fn every_2xx_comes_up_until_timer_m_whether_repeated_or_from_another_branch_of_a_fork() {
    for transport in [Transport::Udp, Transport::Tcp] {
        let mut bench = Bench::new(transport);
        let client = bench.call("INVITE");
        bench.run_to(ms(100));
        bench.answer(client, 180, "INVITE");
        assert!(passed(&bench.answer(client, 200, "INVITE"), 200));
        assert_eq!(bench.run_to(ms(32_099)), []);
        assert!(passed(&bench.answer(client, 200, "INVITE"), 200));
        assert!(absorbed(&bench.answer(client, 180, "INVITE")));
        assert!(absorbed(&bench.answer(client, 486, "INVITE")));
        assert_eq!(bench.run_to(ms(32_100)), []);
        assert_eq!(bench.txns.len(), 0);
        assert!(matches!(bench.answer(client, 200, "INVITE"), Received::Stray));
    }
}

#[test]
fn a_2xx_that_a_proxy_forwards_after_a_failure_still_comes_up() {
    let mut bench = Bench::new(Transport::Udp);
    let client = bench.call("INVITE");
    assert!(passed(&bench.answer(client, 603, "INVITE"), 603));
    assert!(passed(&bench.answer(client, 200, "INVITE"), 200));
}

// Rules: client-transport-error
#[test]
fn a_transport_error_fails_what_waits_for_that_peer_and_nothing_else() {
    let mut bench = Bench::new(Transport::Udp);
    let calling = bench.call("INVITE");
    let ringing = bench.call("INVITE");
    let asking = bench.call("OPTIONS");
    bench.answer(ringing, 180, "INVITE");
    bench.peer = peer(Transport::Udp, 5070);
    let elsewhere = bench.call("INVITE");
    bench.sent();
    bench.txns.transport_error(bench.now, peer(Transport::Udp, 5060), TransportFailure::Unreachable);
    let failure = TransportFailure::Unreachable;
    let mut events = bench.events();
    events.sort_by_key(|event| matches!(event, TxnEvent::ClientFailed { client, .. } if *client == asking));
    assert_eq!(
        events,
        [
            TxnEvent::ClientFailed { client: calling, user: 7, failure },
            TxnEvent::ClientFailed { client: asking, user: 7, failure },
        ]
    );
    assert_eq!(bench.txns.len(), 2);
    assert!(passed(&bench.answer(ringing, 200, "INVITE"), 200));
    assert!(passed(&bench.answer(elsewhere, 180, "INVITE"), 180));
    assert!(matches!(bench.answer(calling, 180, "INVITE"), Received::Stray));
}

// Rules: uac-two-vias, client-matching, stray-response
#[test]
fn a_response_with_a_second_via_a_strange_code_or_another_method_is_not_ours() {
    let mut bench = Bench::new(Transport::Udp);
    let client = bench.call("INVITE");
    assert!(matches!(bench.answer(client, 200, "OPTIONS"), Received::Stray));
    let branch = bench.txns.branch(client);
    let branch = String::from_utf8_lossy(branch.as_bytes());
    let two = format!(
        "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 198.51.100.1;branch={branch}, SIP/2.0/UDP 203.0.113.1;branch=z9hG4bKx\r\n\
         From: <sip:a@b>;tag=1\r\nTo: <sip:a@b>;tag=2\r\nCall-ID: c1\r\nCSeq: 4711 INVITE\r\nContent-Length: 0\r\n\r\n"
    );
    assert!(matches!(bench.receive(&two), Received::Stray));
    assert!(passed(&bench.answer(client, 200, "INVITE"), 200));
}

// Rules: client-matching
#[test]
fn a_slot_that_is_used_again_does_not_take_its_predecessors_responses() {
    let mut bench = Bench::new(Transport::Tcp);
    let first = bench.call("INVITE");
    bench.answer(first, 486, "INVITE");
    let second = bench.call("INVITE");
    assert_eq!(first.0.slot, second.0.slot);
    assert!(matches!(bench.answer(first, 200, "INVITE"), Received::Stray));
    assert!(passed(&bench.answer(second, 200, "INVITE"), 200));
}

// Rules: client-matching
#[test]
fn a_via_that_comes_back_written_anew_still_names_its_transaction() {
    let mut bench = Bench::new(Transport::Udp);
    let client = bench.call("INVITE");
    let branch = bench.txns.branch(client);
    let branch = String::from_utf8_lossy(branch.as_bytes());
    for via in [
        format!("SIP/2.0/UDP 198.51.100.1;received=192.0.2.9;rport=5060;branch={branch}"),
        format!("SIP / 2.0 / UDP 198.51.100.1 ; BRANCH = {branch} ; x"),
        format!("SIP/2.0/UDP 198.51.100.1;x=\"a;branch=z9hG4bKb\";branch={branch};y"),
    ] {
        let response = format!(
            "SIP/2.0 180 Ringing\r\nv: {via}\r\nf: <sip:a@b>;tag=1\r\nt: <sip:a@b>;tag=2\r\ni: c1\r\nCSeq: 4711 \
             INVITE\r\nContent-Length: 0\r\n\r\n"
        );
        assert!(passed(&bench.receive(&response), 180), "{via}");
    }
}
