//! INVITE, received.

use super::*;

// Rules: invite-server-repeat
#[test]
fn a_repeated_invite_gets_the_last_provisional_response_again() {
    let mut bench = Bench::new(Transport::Udp);
    let server = bench.asked("INVITE", "1");
    assert!(absorbed(&bench.ask("INVITE", "1")));
    assert_eq!(bench.sent(), [], "there was no response yet");
    bench.respond(server, 100);
    bench.respond(server, 183);
    bench.sent();
    assert!(absorbed(&bench.ask("INVITE", "1")));
    assert_eq!(bench.sent(), at(&[0], "183"));
    assert_eq!(bench.run_to(seconds(600)), []);
    assert_eq!(TxnCounts::of(&bench.txns), TxnCounts { invite_server: 1, ..TxnCounts::default() });
}

// Rules: timer-g, timer-i
#[test]
fn a_failure_is_sent_until_it_is_acknowledged_and_the_ack_is_absorbed() {
    let mut bench = Bench::new(Transport::Udp);
    let server = bench.asked("INVITE", "1");
    bench.respond(server, 486);
    assert_eq!(bench.run_to(ms(2_000)), at(&[0, 500, 1_500], "486"));
    assert!(absorbed(&bench.ask("INVITE", "1")));
    assert_eq!(bench.sent(), at(&[2_000], "486"));
    assert!(absorbed(&bench.ask("ACK", "1")));
    assert_eq!(bench.run_to(ms(6_999)), []);
    // Confirmed: late copies of either are absorbed until timer I.
    assert!(absorbed(&bench.ask("ACK", "1")));
    assert!(absorbed(&bench.ask("INVITE", "1")));
    assert_eq!(bench.run_to(ms(7_000)), []);
    assert_eq!(bench.txns.len(), 0);
}

// Rules: timer-g, timer-h
#[test]
fn a_failure_that_nobody_acknowledges_is_given_up_in_silence_after_32_seconds() {
    let mut bench = Bench::new(Transport::Udp);
    let server = bench.asked("INVITE", "1");
    bench.respond(server, 404);
    let instants = [0, 500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500];
    assert_eq!(bench.run_to(ms(31_999)), at(&instants, "404"));
    assert_eq!(bench.txns.len(), 1);
    assert_eq!(bench.run_to(seconds(32)), []);
    assert_eq!(bench.txns.len(), 0);
    assert_eq!(bench.events(), []);
}

#[test]
fn over_a_stream_a_failure_is_sent_once_and_its_ack_ends_the_transaction() {
    let mut bench = Bench::new(Transport::Tcp);
    let server = bench.asked("INVITE", "1");
    bench.respond(server, 486);
    assert_eq!(bench.run_to(ms(10_000)), at(&[0], "486"));
    assert!(absorbed(&bench.ask("ACK", "1")));
    assert_eq!(bench.txns.len(), 0);
}

// Rules: invite-2xx-repeated, invite-accepted-server
#[test]
fn a_2xx_is_sent_until_the_dialog_has_its_ack_over_any_transport() {
    for transport in [Transport::Udp, Transport::Tcp] {
        let mut bench = Bench::new(transport);
        let server = bench.asked("INVITE", "1");
        bench.respond(server, 200);
        assert_eq!(bench.run_to(ms(8_000)), at(&[0, 500, 1_500, 3_500, 7_500], "200"));
        // The ACK is a transaction of its own (RFC 3261 §17.1.1.1).
        assert!(matches!(bench.ask("ACK", "another"), Received::Ack { .. }));
        bench.txns.acked(bench.now, server);
        assert_eq!(bench.run_to(ms(31_999)), []);
        // RFC 6026: a late INVITE is no new call.
        assert!(absorbed(&bench.ask("INVITE", "1")));
        assert_eq!(bench.sent(), []);
        assert_eq!(bench.run_to(seconds(32)), []);
        assert_eq!(bench.txns.len(), 0);
        assert_eq!(bench.events(), []);
    }
}

// Rules: invite-2xx-given-up
#[test]
fn a_2xx_that_nobody_acknowledges_is_told_after_32_seconds() {
    let mut bench = Bench::new(Transport::Udp);
    let server = bench.asked("INVITE", "1");
    bench.txns.bind(server, 9);
    bench.respond(server, 200);
    let instants = [0, 500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500];
    assert_eq!(bench.run_to(ms(31_999)), at(&instants, "200"));
    assert_eq!(bench.events(), []);
    assert_eq!(bench.run_to(seconds(32)), []);
    assert_eq!(bench.events(), [TxnEvent::NoAck { server, user: Some(9) }]);
    assert_eq!(bench.txns.len(), 0);
}

// Rules: invite-accepted-ack
#[test]
fn an_ack_for_a_2xx_that_wrongly_repeats_the_invites_branch_still_reaches_the_dialog() {
    let mut bench = Bench::new(Transport::Udp);
    let server = bench.asked("INVITE", "1");
    bench.respond(server, 200);
    assert!(matches!(bench.ask("ACK", "1"), Received::Ack { .. }));
}

#[test]
fn an_ack_before_any_final_response_means_nothing() {
    let mut bench = Bench::new(Transport::Udp);
    let server = bench.asked("INVITE", "1");
    bench.respond(server, 180);
    assert!(absorbed(&bench.ask("ACK", "1")));
    assert!(matches!(bench.ask("ACK", "other"), Received::Ack { .. }));
}

// Rules: one-final-response
#[test]
fn there_is_one_final_response() {
    let mut bench = Bench::new(Transport::Udp);
    let server = bench.asked("INVITE", "1");
    bench.respond(server, 486);
    bench.respond(server, 200);
    bench.respond(server, 180);
    assert_eq!(bench.sent(), at(&[0], "486"));
    let server = bench.asked("INVITE", "2");
    bench.respond(server, 200);
    bench.respond(server, 487);
    assert_eq!(bench.sent(), at(&[0], "200"));
}

#[test]
fn a_cancel_finds_its_invite_and_what_it_belongs_to() {
    let mut bench = Bench::new(Transport::Udp);
    let call = bench.asked("INVITE", "1");
    bench.txns.bind(call, 9);
    bench.respond(call, 180);
    bench.sent();
    let Received::Cancel { server, invite, .. } = bench.ask("CANCEL", "1") else { panic!("not a CANCEL") };
    assert_eq!(invite, Some((call, 9)));
    bench.respond(server, 200);
    bench.respond(call, 487);
    assert_eq!(bench.sent(), [at(&[0], "200"), at(&[0], "487")].concat());
    // Each goes its own way from here.
    assert!(absorbed(&bench.ask("CANCEL", "1")));
    assert_eq!(bench.sent(), at(&[0], "200"));
    assert!(absorbed(&bench.ask("ACK", "1")));
    assert_eq!(bench.run_to(seconds(60)), []);
    assert_eq!(bench.txns.len(), 0);
}

// Rules: cancel-481
#[test]
fn a_cancel_for_nothing_says_so() {
    let mut bench = Bench::new(Transport::Udp);
    bench.asked("INVITE", "1");
    assert!(matches!(bench.ask("CANCEL", "2"), Received::Cancel { invite: None, .. }));
}
