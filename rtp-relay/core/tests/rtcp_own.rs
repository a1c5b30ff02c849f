//! Reports of our own, RTCP on one port and on two, and on hold.

mod common;
use common::compounds::*;
use common::{ALICE, BOB, Sent, Shell, config, connect, open, rtcp, rtp};
use relay_values::{Connect, Direction, DropReason, Leg, RelayCommand};

fn is_report(sent: &&Sent) -> bool {
    (192..=223).contains(&sent.bytes[1])
}

/// Our own reports since the last time, and how many packets of sound went before the last one.
fn reports(s: &mut Shell) -> (Vec<Sent>, u32) {
    let own = std::mem::take(&mut s.own);
    let sound = own
        .iter()
        .rposition(|p| is_report(&p))
        .map_or(0, |at| own[..at].iter().filter(|p| !is_report(p)).count());
    (own.into_iter().filter(|p| is_report(&p)).collect(), sound as u32)
}

fn mux(to: &str) -> Connect {
    let mut to = connect(to);
    to.remote.mux = true;
    to
}

#[test]
fn while_we_fill_the_other_side_hears_a_report_of_what_we_send_and_of_what_it_sends() {
    let (mut s, a, b) = talking();
    speak(&mut s, b, BOB, LINE, 1, 10, 0);
    s.packet(b + 1, BOB_RTCP, &description(LINE, 1, b"bob@host")).unwrap();
    s.packet(b + 1, BOB_RTCP, &sender_report(LINE, [0x1000, 0], 1440, 10, 1600)).unwrap();
    // One of Alice's is lost on its way to us, and her clock is known.
    speak(&mut s, a, ALICE, CALLER, 500, 5, 0);
    speak(&mut s, a, ALICE, CALLER, 506, 5, 960);
    bridge(&mut s);
    s.packet(a + 1, ALICE_RTCP, &sender_report(CALLER, [0x2000, 0x8000_0000], 1, 10, 1600)).unwrap();
    s.pass(ms(20));
    // Another one after that; she goes on for a while.
    for n in 0..250 {
        s.packet(a, ALICE, &rtp(CALLER, 512 + n, u32::from(n) * 160)).unwrap();
        s.pass(ms(20));
    }
    let (reports, sound) = reports(&mut s);
    assert!((1..=3).contains(&reports.len()), "{reports:?}");
    let (last, first) = (reports.last().unwrap(), &reports[0]);
    assert_eq!((first.to.to_string(), first.from.port()), (ALICE_RTCP.to_owned(), a + 1));
    let words = read(&first.bytes);
    assert_eq!(words[..2], [0x81c8_000c, LINE], "a sender report with one block");
    // Bob's clock goes on, and so does the line's: 8,000 units a second.
    let ntp = f64::from(words[2] - 0x1000) + f64::from(words[3]) / 2_f64.powi(32);
    let since_bob = f64::from(words[4] - 1440) / 8000.0;
    assert!(ntp > 1.0 && (ntp - since_bob).abs() < 0.1, "{ntp} s on one clock, {since_bob} s on the other");
    assert_eq!(words[6], words[5] * 160);
    // About Alice: one of the two losses lies before the bridge, and nobody had told her.
    assert_eq!((words[7], words[8] & 0x00ff_ffff), (CALLER, 1));
    assert_eq!(words[11], 0x2000_8000, "her last report is answered");
    let name = &first.bytes[52..];
    assert_eq!(name, description(LINE, 1, b"bob@host"));
    let counted = read(&last.bytes)[5];
    assert_eq!(counted, 10 + sound, "all that she was sent");
}

#[test]
fn a_line_without_name_gets_one_of_ours_and_keeps_it() {
    let (mut s, _, b) = talking();
    speak(&mut s, b, BOB, LINE, 1, 10, 0);
    bridge(&mut s);
    s.pass(ms(20_000));
    let (reports, _) = reports(&mut s);
    assert!((3..=9).contains(&reports.len()), "one in two to six seconds: {}", reports.len());
    let name = reports[0].bytes[28..].to_vec();
    assert_eq!((name[1], name[8], name[9], name.len()), (202, 1, 16, 28));
    assert!(reports.iter().all(|r| r.bytes[28..] == name));
    // Carol goes on under it.
    retarget(&mut s, CAROL);
    speak(&mut s, b, CAROL, SOURCE, 300, 3, 0);
    let bytes = [packet(201, 0, &[SOURCE]), description(SOURCE, 1, b"carol")].concat();
    let heard = s.packet(b + 1, CAROL_RTCP, &bytes).unwrap().bytes;
    assert_eq!(heard, [packet(201, 0, &[LINE]), name].concat());
}

#[test]
fn counts_and_losses_go_on_from_bob_to_us_to_carol() {
    let (mut s, a, b) = talking();
    speak(&mut s, a, ALICE, CALLER, 100, 50, 0);
    speak(&mut s, b, BOB, LINE, 1, 10, 0);
    let bobs = report_of(LINE, CALLER, 7, 149, [0; 2]);
    assert_eq!(s.packet(b + 1, BOB_RTCP, &bobs).unwrap().bytes, bobs);
    bridge(&mut s);
    s.pass(ms(40));
    // Two are lost on the way to us.
    for n in (0..150).filter(|n| *n != 20 && *n != 30) {
        s.packet(a, ALICE, &rtp(CALLER, 150 + n, u32::from(n) * 160)).unwrap();
        s.pass(ms(20));
    }
    let (reports, _) = reports(&mut s);
    let words = read(&reports.last().unwrap().bytes);
    assert_eq!(words[8] & 0x00ff_ffff, 9, "Bob's seven, and two");
    assert!(words[9] > 180);
    // Bob is not heard about Alice while we are: two would say different things under one name.
    let stale = s.packet(b + 1, BOB_RTCP, &report_of(LINE, CALLER, 90, 290, [0; 2])).unwrap().bytes;
    assert_eq!(stale, packet(201, 0, &[LINE]));
    retarget(&mut s, CAROL);
    speak(&mut s, b, CAROL, SOURCE, 300, 1, 0);
    speak(&mut s, a, ALICE, CALLER, 300, 20, 48_000);
    let carols = report_of(SOURCE, CALLER, 3, 319, [0; 2]);
    let heard = read(&s.packet(b + 1, CAROL_RTCP, &carols).unwrap().bytes);
    assert_eq!((heard[2], heard[3] & 0x00ff_ffff, heard[4]), (CALLER, 12, 319));
}

#[test]
fn an_answer_to_our_report_is_none_to_the_peers_and_measures_the_way() {
    let (mut s, a, b) = talking();
    speak(&mut s, b, BOB, LINE, 1, 10, 0);
    bridge(&mut s);
    s.pass(ms(4000));
    let (reports, _) = reports(&mut s);
    let words = read(&reports.last().unwrap().bytes);
    let last = (words[2] << 16) | (words[3] >> 16);
    let heard = read(&s.packet(a + 1, ALICE_RTCP, &receiver_report(LINE, 0, 11, last, 0)).unwrap().bytes);
    assert_eq!(heard[6..], [0, 0], "Bob has not sent that report");
    let stats = s.release(ID);
    assert!(stats.from_b.reported.rtt_us > 0);
}

#[test]
fn the_round_trip_is_what_the_answer_leaves_of_the_time() {
    let (mut s, a, b) = talking();
    speak(&mut s, b, BOB, LINE, 1, 10, 0);
    s.packet(b + 1, BOB_RTCP, &sender_report(LINE, [0x1111_2222, 0x3333_4444], 1, 10, 1600)).unwrap();
    s.pass(ms(560));
    // Half a second after it came to Alice.
    s.packet(a + 1, ALICE_RTCP, &receiver_report(LINE, 0x0800_0003, 10, 0x2222_3333, 0x8000)).unwrap();
    s.pass(ms(40));
    // Another answer to the same, a tenth of a second later in all; less loss than before.
    s.packet(a + 1, ALICE_RTCP, &receiver_report(LINE, 0x0200_0003, 10, 0x2222_3333, 0x8000 + 3932)).unwrap();
    let stats = s.release(ID);
    let r = stats.from_b.reported;
    assert_eq!((r.reports, r.fraction_lost, r.fraction_lost_max), (2, 2, 8));
    assert_eq!((r.rtt_us_max, r.jitter_us), (60_000, 875));
    assert!((39_990..=40_010).contains(&r.rtt_us), "{}", r.rtt_us);
    assert_eq!(stats.from_a.reported.reports, 0);
}

#[test]
fn one_port_on_one_leg_and_two_on_the_other() {
    let mut s = Shell::new(config(10_000..=10_099));
    let (a, b) = s.call(open(0), mux(ALICE), connect(BOB));
    s.packet(a, ALICE, &rtp(CALLER, 1, 1)).unwrap();
    s.packet(b, BOB, &rtp(LINE, 1, 1)).unwrap();
    // From one port to two.
    let sent = s.packet(a, ALICE, &rtcp(CALLER)).unwrap();
    assert_eq!((sent.to.to_string(), sent.from.port()), (BOB_RTCP.to_owned(), b + 1));
    // And back.
    let sent = s.packet(b + 1, BOB_RTCP, &rtcp(LINE)).unwrap();
    assert_eq!((sent.to.to_string(), sent.from.port()), (ALICE.to_owned(), a));
    // Bob did not agree to one port, and what he sends there is no RTP.
    assert_eq!(s.packet(b, BOB, &rtcp(LINE)), Err(DropReason::NotRtp));
    // Our own reports go where his went.
    bridge(&mut s);
    s.pass(ms(4000));
    let (own, _) = reports(&mut s);
    assert!(
        !own.is_empty() && own.iter().all(|r| (r.to.to_string(), r.from.port()) == (ALICE.to_owned(), a))
    );
}

#[test]
fn two_ports_on_one_leg_and_one_on_the_other_over_a_move() {
    let mut s = Shell::new(config(10_000..=10_099));
    let (a, b) = s.call(open(0), connect(ALICE), mux(BOB));
    speak(&mut s, b, BOB, LINE, 1, 10, 0);
    let sent = s.packet(b, BOB, &rtcp(LINE)).unwrap();
    assert_eq!((sent.to.to_string(), sent.from.port()), (ALICE_RTCP.to_owned(), a + 1));
    let sent = s.packet(a + 1, ALICE_RTCP, &rtcp(CALLER)).unwrap();
    assert_eq!((sent.to.to_string(), sent.from.port()), (BOB.to_owned(), b));
    // Carol has two.
    retarget(&mut s, CAROL);
    speak(&mut s, b, CAROL, SOURCE, 5, 10, 0);
    let sent = s.packet(a + 1, ALICE_RTCP, &rtcp(CALLER)).unwrap();
    assert_eq!((sent.to.to_string(), sent.from.port()), (CAROL_RTCP.to_owned(), b + 1));
    let sent = s.packet(b + 1, CAROL_RTCP, &rtcp(SOURCE)).unwrap();
    assert_eq!((sent.to.to_string(), sent.bytes), (ALICE_RTCP.to_owned(), rtcp(LINE)));
}

#[test]
fn reports_flow_on_hold_and_are_no_speech() {
    for (alice, bob) in [
        (Direction::SendOnly, Direction::RecvOnly),
        (Direction::Inactive, Direction::Inactive),
        (Direction::RecvOnly, Direction::SendOnly),
    ] {
        let (mut s, a, b) = talking();
        speak(&mut s, a, ALICE, CALLER, 1, 10, 0);
        speak(&mut s, b, BOB, LINE, 1, 10, 0);
        s.connect(ID, Leg::A, Connect { direction: alice, ..connect(ALICE) });
        s.connect(ID, Leg::B, Connect { direction: bob, ..connect(BOB) });
        let report = receiver_report(LINE, 0, 10, 0, 0);
        assert_eq!(s.packet(a + 1, ALICE_RTCP, &report).unwrap().bytes, report, "{alice:?}");
        let report = report_of(LINE, CALLER, 0, 10, [0; 2]);
        assert_eq!(s.packet(b + 1, BOB_RTCP, &report).unwrap().bytes, report, "{bob:?}");
        let stats = s.release(ID);
        assert_eq!((stats.from_a.packets, stats.rtcp_from_a, stats.rtcp_from_b), (10, 1, 1));
    }
}

#[test]
fn after_the_move_we_report_no_longer() {
    let (mut s, _, b) = talking();
    speak(&mut s, b, BOB, LINE, 1, 10, 0);
    bridge(&mut s);
    s.pass(ms(4000));
    retarget(&mut s, CAROL);
    s.command(RelayCommand::Bridge { session: ID, leg: Leg::B, fill: None });
    speak(&mut s, b, CAROL, SOURCE, 300, 1, 0);
    s.own.clear();
    for n in 1..600 {
        s.packet(b, CAROL, &rtp(SOURCE, 300 + n, u32::from(n) * 160)).unwrap();
        s.pass(ms(20));
    }
    assert!(s.own.is_empty());
}
