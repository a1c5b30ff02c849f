//! Requests other than INVITE, received.

use super::*;

// Rules: server-repeat, timer-j
#[test]
fn a_repeated_request_gets_the_last_response_again_until_timer_j() {
    let mut bench = Bench::new(Transport::Udp);
    let server = bench.asked("BYE", "1");
    assert!(absorbed(&bench.ask("BYE", "1")));
    assert_eq!(bench.sent(), []);
    bench.respond(server, 100);
    bench.sent();
    assert!(absorbed(&bench.ask("BYE", "1")));
    assert_eq!(bench.sent(), at(&[0], "100"));
    bench.respond(server, 200);
    assert_eq!(bench.run_to(ms(31_999)), at(&[0], "200"));
    assert!(absorbed(&bench.ask("BYE", "1")));
    assert_eq!(bench.run_to(seconds(32)), at(&[31_999], "200"));
    assert_eq!(bench.txns.len(), 0);
}

#[test]
fn over_a_stream_the_final_response_is_the_end() {
    let mut bench = Bench::new(Transport::Tcp);
    let server = bench.asked("INFO", "1");
    bench.respond(server, 200);
    assert_eq!(bench.sent(), at(&[0], "200"));
    assert_eq!(bench.txns.len(), 0);
}

// Rules: one-final-response
#[test]
fn there_is_one_final_response() {
    let mut bench = Bench::new(Transport::Udp);
    let server = bench.asked("OPTIONS", "1");
    bench.respond(server, 200);
    bench.respond(server, 500);
    assert_eq!(bench.sent(), at(&[0], "200"));
}
