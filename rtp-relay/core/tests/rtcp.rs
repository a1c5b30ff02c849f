//! What each side is told of a stream whose source was changed.

mod common;
use common::compounds::*;
use common::{ALICE, BOB, Shell, config, connect, header, open, rtp};
use relay_values::{Carries, Connect, DropReason, Leg, RegionId, RelayCommand};

#[test]
fn before_a_move_nothing_is_changed() {
    let mut s = Shell::new(config(10_000..=10_099));
    let (a, b) = s.call(open(0), connect(ALICE), connect(BOB));
    s.packet(b, BOB, &rtp(LINE, 1, 1)).unwrap();
    for bytes in [
        sender_report(LINE, [1, 2], 3, 4, 5),
        packet(203, 1, &[LINE]),
        packet(202, 1, &[LINE, 0x0102_6162, 0]),
    ] {
        assert_eq!(s.packet(b + 1, BOB_RTCP, &bytes).unwrap().bytes, bytes);
    }
    let report = receiver_report(LINE, 3, 1, 0x1234, 9);
    assert_eq!(s.packet(a + 1, ALICE_RTCP, &report).unwrap().bytes, report);
}

#[test]
fn a_sender_report_goes_on_under_the_lines_name() {
    let (mut s, _, b) = moved();
    // Carol's clock: 9,000,000 is the 101st packet, whose timestamp on the line is 16,000.
    let bytes = sender_report(SOURCE, [0x1111_2222, 0x3333_4444], 9_000_160, 50, 50 * 160);
    let heard = read(&s.packet(b + 1, CAROL_RTCP, &bytes).unwrap().bytes);
    assert_eq!(heard[1..], [LINE, 0x1111_2222, 0x3333_4444, 16_160, 150, 150 * 160]);
}

#[test]
fn counts_never_go_back_when_the_old_sources_packets_were_lost_on_the_way_to_us() {
    let mut s = Shell::new(config(10_000..=10_099));
    let (_, b) = s.call(open(0), connect(ALICE), connect(BOB));
    s.packet(b, BOB, &rtp(LINE, 1, 1)).unwrap();
    s.packet(b + 1, BOB_RTCP, &sender_report(LINE, [1, 1], 1, 1000, 160_000)).unwrap();
    retarget(&mut s, CAROL);
    s.packet(b, CAROL, &rtp(SOURCE, 1, 1)).unwrap();
    let heard = read(&s.packet(b + 1, CAROL_RTCP, &sender_report(SOURCE, [1, 1], 1, 1, 160)).unwrap().bytes);
    assert_eq!(heard[5..], [1001, 160_160]);
}

#[test]
fn every_packet_of_a_compound_is_mapped() {
    let (mut s, _, b) = moved();
    let others = 0x0000_0bad;
    let compound = [
        packet(201, 0, &[SOURCE]),
        // Two chunks: CNAME "a" with its end and padding; then of another source, CNAME "abcd".
        packet(202, 2, &[SOURCE, 0x0101_6100, others, 0x0104_6162, 0x6364_0000]),
        packet(204, 0, &[SOURCE, 0x6e61_6d65]),
        packet(205, 1, &[SOURCE, 0xa11ce]),
        packet(203, 2, &[others, SOURCE]),
    ]
    .concat();
    let heard = read(&s.packet(b + 1, CAROL_RTCP, &compound).unwrap().bytes);
    let mut expected = read(&compound);
    expected.iter_mut().filter(|w| **w == SOURCE).for_each(|w| *w = LINE);
    assert_eq!(heard, expected);
}

#[test]
fn a_receivers_report_is_about_the_present_source() {
    let (mut s, a, b) = moved();
    // The line: 65,500 to 65,599 (that is 63), of which Alice has lost 5 so far; then Carol's 300 is number 64.
    s.packet(a + 1, ALICE_RTCP, &receiver_report(LINE, 5, 0x0001_0000 | 63, 0, 0)).unwrap();
    s.packet(b + 1, CAROL_RTCP, &sender_report(SOURCE, [0x1111_2222, 0x3333_4444], 1, 1, 1)).unwrap();
    let report = receiver_report(LINE, 0x4000_0007, 0x0001_0000 | (64 + 49), 0x2222_3333, 99);
    let heard = read(&s.packet(a + 1, ALICE_RTCP, &report).unwrap().bytes);
    // Two of Carol's 50 are new: 10 in 256.
    assert_eq!(heard[1..], [CALLER, SOURCE, 10 << 24 | 2, 349, 7, 0x2222_3333, 99]);
    // An answer to a report of Bob's is none to Carol.
    let report = receiver_report(LINE, 7, 0x0001_0000 | (64 + 49), 0x7777_8888, 99);
    let heard = read(&s.packet(a + 1, ALICE_RTCP, &report).unwrap().bytes);
    assert_eq!(heard[6..], [0, 0]);
}

#[test]
fn what_was_lost_of_the_old_source_is_not_the_new_ones() {
    let mut s = Shell::new(config(10_000..=10_099));
    let (a, b) = s.call(open(0), connect(ALICE), connect(BOB));
    s.packet(b, BOB, &rtp(LINE, 10, 1)).unwrap();
    s.packet(a + 1, ALICE_RTCP, &receiver_report(LINE, 5, 10, 0, 0)).unwrap();
    retarget(&mut s, CAROL);
    s.packet(b, CAROL, &rtp(SOURCE, 700, 1)).unwrap();
    // About the time before: Carol has no stream of that name, and none of hers had come.
    let before = receiver_report(LINE, 5, 10, 0, 0);
    assert_eq!(s.packet(a + 1, ALICE_RTCP, &before).unwrap().bytes, packet(201, 0, &[CALLER]));
    // Two more are lost, but her only packet has come: they were Bob's.
    let heard = read(&s.packet(a + 1, ALICE_RTCP, &receiver_report(LINE, 7, 11, 0, 0)).unwrap().bytes);
    assert_eq!(heard[2..5], [SOURCE, 0, 700]);
    // Her next three are lost.
    speak(&mut s, b, CAROL, SOURCE, 701, 4, 160);
    let heard =
        read(&s.packet(a + 1, ALICE_RTCP, &receiver_report(LINE, 0xff00_000a, 15, 0, 0)).unwrap().bytes);
    assert_eq!(heard[2..5], [SOURCE, 192 << 24 | 3, 704]);
}

#[test]
fn rounds_that_the_receiver_did_not_see_do_not_disturb() {
    let (mut s, a, _) = moved();
    // Alice came when the sequence had gone round already: for her it is round 0.
    let heard = read(&s.packet(a + 1, ALICE_RTCP, &receiver_report(LINE, 0, 64 + 49, 0, 0)).unwrap().bytes);
    assert_eq!(heard[4], 349);
}

#[test]
fn the_lost_peers_farewell_is_not_the_streams() {
    let mut s = Shell::new(config(10_000..=10_099));
    let (_, b) = s.call(open(0), connect(ALICE), connect(BOB));
    s.packet(b, BOB, &rtp(LINE, 1, 1)).unwrap();
    s.packet(b + 1, BOB_RTCP, &packet(201, 0, &[LINE])).unwrap();
    bridge(&mut s);
    let farewell = [packet(201, 0, &[LINE]), packet(203, 1, &[LINE, 0x0362_7965])].concat();
    let heard = s.packet(b + 1, BOB_RTCP, &farewell).unwrap().bytes;
    assert_eq!(heard, packet(201, 0, &[LINE]));
    // The same while the next peer is awaited, and after some fill.
    s.pass(ms(100));
    retarget(&mut s, CAROL);
    assert_eq!(s.packet(b + 1, BOB_RTCP, &farewell).unwrap().bytes, heard);
}

#[test]
fn a_peer_that_has_not_spoken_yet_is_not_introduced() {
    let mut s = Shell::new(config(10_000..=10_099));
    let (_, b) = s.call(open(0), connect(ALICE), connect(BOB));
    s.packet(b, BOB, &rtp(LINE, 1, 1)).unwrap();
    retarget(&mut s, CAROL);
    let report = packet(200, 1, &[SOURCE, 1, 2, 3, 4, 5, 0xa11ce, 1, 2, 3, 4, 5]);
    let heard = s.packet(b + 1, CAROL_RTCP, &report).unwrap().bytes;
    assert_eq!(heard, packet(201, 1, &[LINE, 0xa11ce, 1, 2, 3, 4, 5]));
    // With padding, which nobody needs.
    let mut padded = packet(200, 0, &[SOURCE, 1, 2, 3, 4, 5, 4]);
    padded[0] |= 0x20;
    assert_eq!(s.packet(b + 1, CAROL_RTCP, &padded).unwrap().bytes, packet(201, 0, &[LINE]));
}

#[test]
fn a_source_that_comes_back_after_some_fill_counts_on() {
    let mut s = Shell::new(config(10_000..=10_099));
    let (_, b) = s.call(open(0), connect(ALICE), connect(BOB));
    for n in 0..10 {
        s.packet(b, BOB, &rtp(LINE, n, u32::from(n) * 160)).unwrap();
        s.pass(ms(20));
    }
    bridge(&mut s);
    s.pass(ms(95));
    let own = s.own.len() as u32;
    assert!(own > 2);
    s.packet(b, BOB, &rtp(LINE, 10, 1600)).unwrap();
    s.packet(b + 1, BOB_RTCP, &packet(201, 0, &[LINE])).unwrap();
    let heard = read(&s.packet(b + 1, BOB_RTCP, &sender_report(LINE, [1, 1], 1600, 11, 1760)).unwrap().bytes);
    let last = header(&s.own.last().unwrap().bytes);
    assert_eq!(heard[1], LINE);
    assert!(heard[4].wrapping_sub(last.timestamp) < 320, "timestamps as the packets have them");
    assert_eq!(heard[5..], [11 + own, 1760 + own * 160]);
}

#[test]
fn it_is_the_same_on_one_port() {
    let mut s = Shell::new(config(10_000..=10_099));
    let mux = |to: &str| {
        let mut to = connect(to);
        to.remote.mux = true;
        to
    };
    let (a, b) = s.call(open(0), mux(ALICE), mux(BOB));
    s.packet(b, BOB, &rtp(LINE, 1, 160)).unwrap();
    let to = Some(mux(CAROL));
    s.command(RelayCommand::Retarget { session: ID, leg: Leg::B, region: RegionId(2), to });
    s.pass(ms(20));
    s.packet(b, CAROL, &rtp(SOURCE, 9, 9)).unwrap();
    let heard = s.packet(b, CAROL, &packet(203, 1, &[SOURCE])).unwrap();
    assert_eq!((heard.from.port(), heard.bytes), (a, packet(203, 1, &[LINE])), "it may end its own stream");
    let heard = read(&s.packet(a, ALICE, &packet(206, 1, &[0xa11ce, LINE])).unwrap().bytes);
    assert_eq!(heard[1..], [0xa11ce, SOURCE]);
}

#[test]
fn what_is_encrypted_passes_as_it_is_where_that_was_agreed_and_nowhere_else() {
    let mut sealed = packet(200, 0, &[SOURCE, 1, 2, 3, 4, 5]);
    sealed.extend([0x80, 0, 0, 1]);
    sealed.extend([0xee; 10]);
    let (mut s, a, b) = moved();
    assert_eq!(s.packet(b + 1, CAROL_RTCP, &sealed), Err(DropReason::Malformed));
    assert_eq!(s.packet(a + 1, ALICE_RTCP, &sealed), Err(DropReason::Malformed));
    let mut s = Shell::new(config(10_000..=10_099));
    let srtp = |to| Connect { carries: Carries::Sealed, ..connect(to) };
    let (a, b) = s.call(open(0), srtp(ALICE), srtp(BOB));
    assert_eq!(s.packet(b + 1, BOB_RTCP, &sealed).unwrap().bytes, sealed);
    assert_eq!(s.packet(a + 1, ALICE_RTCP, &sealed).unwrap().bytes, sealed);
}

#[test]
fn a_peer_that_has_not_spoken_yet_hears_no_report_of_the_one_before_it() {
    let (mut s, a, b) = talking();
    speak(&mut s, b, BOB, LINE, 1, 10, 0);
    retarget(&mut s, CAROL);
    let about_bob = receiver_report(LINE, 3, 10, 0, 0);
    let heard = s.packet(a + 1, ALICE_RTCP, &about_bob).unwrap();
    assert_eq!((heard.to.to_string(), heard.bytes), (CAROL_RTCP.to_owned(), packet(201, 0, &[CALLER])));
    // The losses until then stay his, when she has spoken.
    speak(&mut s, b, CAROL, SOURCE, 300, 4, 9);
    let heard = read(&s.packet(a + 1, ALICE_RTCP, &receiver_report(LINE, 4, 14, 0, 0)).unwrap().bytes);
    assert_eq!(heard[2..5], [SOURCE, 64 << 24 | 1, 303]);
}

#[test]
fn while_we_speak_a_peer_hears_what_became_of_its_own_packets() {
    let (mut s, a, b) = talking();
    speak(&mut s, b, BOB, LINE, 1, 10, 0);
    bridge(&mut s);
    s.pass(ms(200));
    let last = u32::from(header(&s.own.last().unwrap().bytes).sequence);
    assert!(last > 15);
    // Two of his were lost, and three of ours.
    let heard = read(&s.packet(a + 1, ALICE_RTCP, &receiver_report(LINE, 5, last, 0, 0)).unwrap().bytes);
    assert_eq!((heard[2], heard[4]), (LINE, 10), "not beyond what he has sent");
}

#[test]
fn whoever_receives_next_begins_with_no_loss_and_counts_go_on() {
    let (mut s, a, b) = talking();
    speak(&mut s, a, ALICE, CALLER, 65_000, 600, 0);
    speak(&mut s, b, BOB, LINE, 1, 10, 0);
    // Bob has lost twenty of Alice's 600.
    let bobs = report_of(LINE, CALLER, 20, 0x0001_0000 | 63, [0; 2]);
    assert_eq!(s.packet(b + 1, BOB_RTCP, &bobs).unwrap().bytes, bobs);
    retarget(&mut s, CAROL);
    speak(&mut s, b, CAROL, SOURCE, 300, 1, 0);
    // Carol speaks of packets that she never got: of the time before.
    let never = report_of(SOURCE, CALLER, 0xff00_0258, 63, [0; 2]);
    assert_eq!(s.packet(b + 1, CAROL_RTCP, &never).unwrap().bytes, packet(201, 0, &[LINE]));
    // Then of her first ten, none of them lost; she counts rounds and losses from zero.
    speak(&mut s, a, ALICE, CALLER, 64, 10, 600 * 160);
    let first = report_of(SOURCE, CALLER, 0x0000_0258, 73, [0; 2]);
    let heard = read(&s.packet(b + 1, CAROL_RTCP, &first).unwrap().bytes);
    assert_eq!(heard[1..5], [LINE, CALLER, 20, 0x0001_0000 | 73]);
    // Half of the next ten.
    speak(&mut s, a, ALICE, CALLER, 74, 10, 610 * 160);
    let next = report_of(SOURCE, CALLER, 0x8000_025d, 83, [0; 2]);
    let heard = read(&s.packet(b + 1, CAROL_RTCP, &next).unwrap().bytes);
    assert_eq!(heard[1..5], [LINE, CALLER, 128 << 24 | 25, 0x0001_0000 | 83]);
}
