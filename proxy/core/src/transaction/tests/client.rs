//! Requests other than INVITE, sent.

use super::*;
use crate::TransportFailure;

// Rules: timer-e, timer-f
#[test]
fn an_unanswered_request_is_sent_at_growing_and_then_even_intervals_and_given_up_after_32_seconds() {
    let mut bench = Bench::new(Transport::Udp);
    let client = bench.call("BYE");
    let instants = [0, 500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500];
    assert_eq!(bench.run_to(ms(31_999)), at(&instants, "BYE"));
    assert_eq!(bench.events(), []);
    assert_eq!(bench.run_to(seconds(32)), []);
    assert_eq!(bench.events(), [TxnEvent::ClientTimeout { client, user: 7 }]);
    assert_eq!(bench.txns.len(), 0);
}

// Rules: timer-e
#[test]
fn a_provisional_response_slows_retransmission_down_but_does_not_end_it() {
    let mut bench = Bench::new(Transport::Udp);
    let client = bench.call("INFO");
    assert_eq!(bench.run_to(ms(600)), at(&[0, 500], "INFO"));
    assert!(passed(&bench.answer(client, 100, "INFO"), 100));
    let instants = [1_500, 5_500, 9_500, 13_500, 17_500, 21_500, 25_500, 29_500];
    assert_eq!(bench.run_to(seconds(40)), at(&instants, "INFO"));
    assert_eq!(bench.events(), [TxnEvent::ClientTimeout { client, user: 7 }]);
}

#[test]
fn over_a_stream_a_request_is_sent_once_and_its_response_ends_it() {
    let mut bench = Bench::new(Transport::Tcp);
    let client = bench.call("BYE");
    assert_eq!(bench.run_to(seconds(31)), at(&[0], "BYE"));
    assert!(passed(&bench.answer(client, 200, "BYE"), 200));
    assert_eq!(bench.txns.len(), 0);
}

// Rules: timer-k
#[test]
fn a_final_response_is_told_once_and_its_repetitions_are_absorbed_for_timer_k() {
    let mut bench = Bench::new(Transport::Udp);
    let client = bench.call("OPTIONS");
    bench.sent();
    assert!(passed(&bench.answer(client, 200, "OPTIONS"), 200));
    assert_eq!(bench.run_to(ms(4_999)), []);
    assert!(absorbed(&bench.answer(client, 200, "OPTIONS")));
    assert!(absorbed(&bench.answer(client, 100, "OPTIONS")));
    assert_eq!(bench.run_to(ms(5_000)), []);
    assert_eq!(bench.txns.len(), 0);
    assert!(matches!(bench.answer(client, 200, "OPTIONS"), Received::Stray));
}

// Rules: client-transport-error
#[test]
fn a_transport_error_fails_a_request_also_after_a_provisional_response() {
    let mut bench = Bench::new(Transport::Tcp);
    let client = bench.call("UPDATE");
    bench.answer(client, 100, "UPDATE");
    bench.txns.transport_error(bench.now, bench.peer, TransportFailure::Reset);
    assert_eq!(
        bench.events(),
        [TxnEvent::ClientFailed { client, user: 7, failure: TransportFailure::Reset }]
    );
    assert_eq!(bench.txns.len(), 0);
}

#[test]
fn a_reserved_transaction_that_is_not_wanted_leaves_nothing_behind() {
    let mut bench = Bench::new(Transport::Udp);
    let client = bench.txns.reserve(7);
    assert_eq!(bench.txns.len(), 1);
    bench.txns.abandon(bench.now, client);
    assert_eq!(bench.txns.len(), 0);
    assert_eq!(bench.sent(), []);
}

#[test]
fn an_empty_table_wants_no_waking_even_where_timers_were_put_off() {
    let mut bench = Bench::new(Transport::Tcp);
    let client = bench.call("BYE");
    assert_eq!(bench.txns.next_timeout(), seconds(32));
    bench.answer(client, 200, "BYE");
    assert_eq!(bench.txns.next_timeout(), Time::NEVER);
    // Nor does the next one inherit a waking of old.
    bench.run_to(seconds(100));
    bench.call("BYE");
    assert_eq!(bench.txns.next_timeout(), seconds(132));
}
