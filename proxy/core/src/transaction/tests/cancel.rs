//! CANCEL and its races; an INVITE that nobody waits for.

use super::*;

// Rules: cancel-after-provisional
#[test]
fn cancel_waits_for_the_first_provisional_response() {
    let mut bench = Bench::new(Transport::Udp);
    let client = bench.call("INVITE");
    assert_eq!(bench.txns.cancel(bench.now, client, None), CancelOutcome::Waiting);
    assert_eq!(bench.run_to(ms(1_000)), at(&[0, 500], "INVITE"));
    assert!(passed(&bench.answer(client, 100, "INVITE"), 100));
    assert_eq!(bench.sent(), at(&[1_000], "CANCEL"));
    // Of the responses that follow, the CANCEL's stays here and the INVITE's comes up.
    assert!(absorbed(&bench.answer(client, 200, "CANCEL")));
    assert!(passed(&bench.answer(client, 487, "INVITE"), 487));
    assert_eq!(bench.sent(), at(&[1_000], "ACK"));
    assert_eq!(bench.run_to(seconds(60)), []);
    assert_eq!(bench.events(), []);
    assert_eq!(bench.txns.len(), 0);
}

#[test]
fn a_cancel_that_waited_in_vain_ends_with_timer_b() {
    let mut bench = Bench::new(Transport::Udp);
    let client = bench.call("INVITE");
    bench.txns.cancel(bench.now, client, None);
    let sent = bench.run_to(seconds(40));
    assert_eq!(sent, at(&[0, 500, 1_500, 3_500, 7_500, 15_500, 31_500], "INVITE"));
    assert_eq!(bench.events(), [TxnEvent::ClientTimeout { client, user: 7 }]);
}

// Rules: cancel-identical, cancel-via, cancel-route, cancel-no-require
#[test]
fn cancel_repeats_the_invites_path_and_says_why() {
    let mut bench = Bench::new(Transport::Udp);
    let client = bench.call("INVITE");
    bench.answer(client, 180, "INVITE");
    bench.sent();
    let reason = "SIP;cause=200;text=\"Call completed elsewhere\"";
    assert_eq!(bench.txns.cancel(bench.now, client, Some(reason)), CancelOutcome::Sent);
    let branch = bench.txns.branch(client);
    let branch = String::from_utf8_lossy(branch.as_bytes());
    assert_eq!(
        bench.sent_text(),
        format!(
            "CANCEL sip:bob@example.net SIP/2.0\r\nVia: SIP/2.0/UDP 198.51.100.1:5060;branch={branch}\r\nRoute: \
             <sip:p1.example.net;lr>\r\nRoute: <sip:p2.example.net;lr>\r\nMax-Forwards: 70\r\nFrom: \
             <sip:alice@example.com>;tag=a1\r\nCall-ID: c1\r\nCSeq: 4711 CANCEL\r\nTo: \
             <sip:bob@example.net>\r\nReason: {reason}\r\nContent-Length: 0\r\n\r\n"
        )
    );
    // Once is enough.
    assert_eq!(bench.txns.cancel(bench.now, client, None), CancelOutcome::Sent);
    assert_eq!(bench.sent(), []);
}

#[test]
fn a_cancel_that_is_lost_is_sent_again_until_the_invite_has_its_final_response() {
    let mut bench = Bench::new(Transport::Udp);
    let client = bench.call("INVITE");
    bench.answer(client, 180, "INVITE");
    bench.sent();
    bench.txns.cancel(bench.now, client, None);
    assert_eq!(bench.run_to(ms(4_000)), at(&[0, 500, 1_500, 3_500], "CANCEL"));
    assert!(passed(&bench.answer(client, 487, "INVITE"), 487));
    assert_eq!(bench.run_to(seconds(60)), at(&[4_000], "ACK"));
}

// Rules: cancel-64-t1
#[test]
fn an_answered_cancel_is_not_sent_again_while_the_invite_still_waits() {
    let mut bench = Bench::new(Transport::Udp);
    let client = bench.call("INVITE");
    bench.answer(client, 180, "INVITE");
    bench.sent();
    bench.txns.cancel(bench.now, client, None);
    assert!(absorbed(&bench.answer(client, 200, "CANCEL")));
    assert_eq!(bench.run_to(ms(31_999)), at(&[0], "CANCEL"));
    assert_eq!(bench.events(), []);
    bench.run_to(seconds(32));
    assert_eq!(bench.events(), [TxnEvent::ClientTimeout { client, user: 7 }]);
    assert_eq!(bench.txns.len(), 0);
}

#[test]
fn an_answer_that_crosses_the_cancel_comes_up() {
    let mut bench = Bench::new(Transport::Udp);
    let client = bench.call("INVITE");
    bench.answer(client, 180, "INVITE");
    bench.txns.cancel(bench.now, client, None);
    bench.sent();
    assert!(passed(&bench.answer(client, 200, "INVITE"), 200));
    // The CANCEL came too late, which its own response says; nothing is sent again.
    assert!(absorbed(&bench.answer(client, 481, "CANCEL")));
    assert_eq!(bench.run_to(seconds(60)), []);
    assert_eq!(bench.events(), []);
}

// Rules: cancel-not-after-final
#[test]
fn after_a_final_response_it_is_too_late_to_cancel() {
    for code in [200, 486] {
        let mut bench = Bench::new(Transport::Udp);
        let client = bench.call("INVITE");
        bench.answer(client, code, "INVITE");
        bench.sent();
        assert_eq!(bench.txns.cancel(bench.now, client, None), CancelOutcome::TooLate);
        assert_eq!(bench.run_to(seconds(60)), []);
        assert_eq!(bench.txns.cancel(bench.now, client, None), CancelOutcome::TooLate);
    }
}

// Rules: cancel-only-invite
#[test]
fn only_an_invite_can_be_cancelled() {
    let mut bench = Bench::new(Transport::Udp);
    let client = bench.call("OPTIONS");
    assert_eq!(bench.txns.cancel(bench.now, client, None), CancelOutcome::TooLate);
    assert_eq!(bench.sent(), at(&[0], "OPTIONS"));
}

#[test]
fn an_abandoned_invite_is_not_sent_again_and_ends_in_silence() {
    let mut bench = Bench::new(Transport::Udp);
    let client = bench.call("INVITE");
    assert_eq!(bench.run_to(ms(200)), at(&[0], "INVITE"));
    bench.txns.abandon(bench.now, client);
    // Timer B runs from when it was sent.
    assert_eq!(bench.run_to(ms(31_999)), []);
    assert_eq!(bench.txns.len(), 1);
    bench.run_to(ms(32_000));
    assert_eq!(bench.txns.len(), 0);
    assert_eq!(bench.events(), []);
}

#[test]
fn a_phone_that_rings_after_its_invite_was_abandoned_is_cancelled_unheard() {
    let mut bench = Bench::new(Transport::Udp);
    let client = bench.call("INVITE");
    bench.txns.abandon(bench.now, client);
    bench.sent();
    bench.run_to(ms(900));
    assert!(absorbed(&bench.answer(client, 100, "INVITE")));
    assert_eq!(bench.sent(), at(&[900], "CANCEL"));
    assert!(absorbed(&bench.answer(client, 180, "INVITE")));
    assert!(absorbed(&bench.answer(client, 200, "CANCEL")));
    assert!(absorbed(&bench.answer(client, 487, "INVITE")));
    assert_eq!(bench.sent(), at(&[900], "ACK"));
    assert_eq!(bench.run_to(seconds(60)), []);
    assert_eq!(bench.events(), []);
    assert_eq!(bench.txns.len(), 0);
}

#[test]
fn a_late_failure_of_an_abandoned_invite_is_acknowledged_unheard_and_a_late_2xx_comes_up() {
    for (code, heard) in [(503, false), (200, true)] {
        let mut bench = Bench::new(Transport::Udp);
        let client = bench.call("INVITE");
        bench.txns.abandon(bench.now, client);
        bench.sent();
        bench.run_to(ms(300));
        let received = bench.answer(client, code, "INVITE");
        assert_eq!(passed(&received, code), heard);
        assert_eq!(absorbed(&received), !heard);
        assert_eq!(bench.sent(), if heard { vec![] } else { at(&[300], "ACK") });
    }
}

#[test]
fn a_ringing_invite_that_is_abandoned_is_cancelled_at_once() {
    let mut bench = Bench::new(Transport::Udp);
    let client = bench.call("INVITE");
    bench.answer(client, 180, "INVITE");
    bench.sent();
    bench.txns.abandon(bench.now, client);
    assert_eq!(bench.sent(), at(&[0], "CANCEL"));
    assert!(absorbed(&bench.answer(client, 200, "CANCEL")));
    bench.run_to(seconds(32));
    assert_eq!(bench.events(), []);
    assert_eq!(bench.txns.len(), 0);
}
