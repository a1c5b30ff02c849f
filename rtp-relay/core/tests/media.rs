//! The way of packets through a session.

mod common;
use common::{ALICE, BOB, Shell, V4, V6, at, config, connect, open, rtcp, rtp};
use relay_values::{
    Connect, Direction, DropReason, Duration, Latching, Leg, RegionId, RelayCommand, RelayEvent, Remote,
    SessionId, SilenceKind,
};

const ID: SessionId = SessionId::new(0, 0);

fn shell() -> Shell {
    Shell::new(config(10_000..=10_099))
}

#[test]
fn rtp_and_rtcp_cross_both_ways_byte_for_byte() {
    let mut s = shell();
    let (a, b) = s.call(open(0), connect(ALICE), connect(BOB));
    for (to, from, expected_port, expected_to, bytes) in [
        (a, ALICE, b, BOB, rtp(1, 1, 160)),
        (b, BOB, a, ALICE, rtp(2, 9, 320)),
        (a + 1, "192.0.2.1:4001", b + 1, "203.0.113.1:5001", rtcp(1)),
        (b + 1, "203.0.113.1:5001", a + 1, "192.0.2.1:4001", rtcp(2)),
    ] {
        let sent = s.packet(to, from, &bytes).unwrap();
        assert_eq!((sent.from.port(), sent.to, &sent.bytes), (expected_port, at(expected_to), &bytes));
        assert_eq!(sent.from.ip().to_string(), V4);
    }
    let stats = s.release(ID);
    assert_eq!((stats.from_a.packets, stats.from_a.bytes, stats.from_a.forwarded), (1, 172, 1));
    assert_eq!((stats.from_b.packets, stats.from_b.ssrc), (1, 2));
    assert_eq!((stats.rtcp_from_a, stats.rtcp_from_b), (1, 1));
    assert_eq!(stats.drops.nonzero().count(), 0);
}

#[test]
fn a_call_crosses_between_ipv4_and_ipv6() {
    let mut s = shell();
    let mut o = open(0);
    o.b.local = V6.parse().unwrap();
    let bob = "[2001:db8::b]:5000";
    let (a, b) = s.call(o, connect(ALICE), connect(bob));
    let sent = s.packet(a, ALICE, &rtp(1, 1, 1)).unwrap();
    assert_eq!((sent.from.ip().to_string(), sent.to), (V6.to_string(), at(bob)));
    let sent = s.packet_at(V6, b, bob, &rtp(2, 1, 1)).unwrap();
    assert_eq!((sent.from.ip().to_string(), sent.to), (V4.to_string(), at(ALICE)));
}

#[test]
fn a_peer_of_the_other_address_family_is_no_target() {
    let mut s = shell();
    let (a, _) = s.call(open(0), connect(ALICE), connect("[2001:db8::b]:5000"));
    assert_eq!(s.packet(a, ALICE, &rtp(1, 1, 1)), Err(DropReason::NoTarget));
}

#[test]
fn rtcp_is_found_on_the_rtp_port_when_that_was_agreed() {
    let mut s = shell();
    let mut alice = connect(ALICE);
    alice.remote.mux = true;
    let (a, b) = s.call(open(0), alice, connect(BOB));
    // In on A's RTP port, out on B's RTCP port; and back.
    let sent = s.packet(a, ALICE, &rtcp(1)).unwrap();
    assert_eq!((sent.from.port(), sent.to), (b + 1, at("203.0.113.1:5001")));
    let sent = s.packet(b + 1, "203.0.113.1:5001", &rtcp(2)).unwrap();
    assert_eq!((sent.from.port(), sent.to), (a, at(ALICE)));
    assert_eq!(s.packet(b, BOB, &rtcp(2)), Err(DropReason::NotRtp), "B has not agreed to it");
    assert_eq!(s.release(ID).rtcp_from_a, 1);
}

#[test]
fn before_signalling_has_spoken_everybody_is_a_stranger() {
    for latching in [Latching::Exact, Latching::Address, Latching::Learn] {
        let mut s = shell();
        let mut o = open(0);
        (o.a.latching, o.b.latching) = (latching, latching);
        let (a, b) = s.open(o).unwrap();
        assert_eq!(s.packet(a, ALICE, &rtp(1, 1, 1)), Err(DropReason::Stranger));
        s.connect(ID, Leg::A, connect(ALICE));
        assert_eq!(s.packet(a, ALICE, &rtp(1, 1, 1)), Err(DropReason::NoTarget), "B is not connected");
        assert_eq!(s.packet(b, BOB, &rtp(1, 1, 1)), Err(DropReason::Stranger));
    }
}

#[test]
fn behind_a_nat_the_first_source_is_learnt_and_nobody_takes_it_over() {
    let (nat, thief) = ("198.18.0.9:61000", "198.18.6.6:4000");
    let mut s = shell();
    let mut o = open(0);
    o.a.latching = Latching::Learn;
    let (a, b) = s.call(o, connect("10.0.0.5:4000"), connect(BOB));
    s.packet(b, BOB, &rtp(2, 1, 1)).unwrap();
    s.events();
    assert_eq!(
        s.packet(a, thief, b"\x80\x00nonsense"),
        Err(DropReason::TooShort),
        "only a valid packet is learnt"
    );
    s.packet(a, nat, &rtp(1, 1, 1)).unwrap();
    assert_eq!(s.packet(b, BOB, &rtp(2, 2, 2)).unwrap().to, at(nat), "and answered there");
    s.packet(a, nat, &rtp(1, 2, 161)).unwrap();
    assert_eq!(s.events(), [], "while it is learnt, somebody better may come");
    s.pass(Duration::from_millis(500));
    assert_eq!(s.packet(a, thief, &rtp(7, 3, 321)), Err(DropReason::Stranger));
    assert_eq!(s.events(), [RelayEvent::Latched { session: ID, leg: Leg::A, from: at(nat) }]);
    for _ in 0..99 {
        assert_eq!(s.packet(a, thief, &rtp(1, 2, 2)), Err(DropReason::Stranger));
    }
    // RTCP is held to the same host, though its port may be any.
    assert_eq!(s.packet(a + 1, thief, &rtcp(1)), Err(DropReason::Stranger));
    s.packet(a + 1, "198.18.0.9:61007", &rtcp(1)).unwrap();
    // The same description again (a re-INVITE that changes nothing) keeps it; a new one does not.
    s.connect(ID, Leg::A, connect("10.0.0.5:4000"));
    assert_eq!(s.packet(a, thief, &rtp(1, 3, 3)), Err(DropReason::Stranger));
    s.connect(ID, Leg::A, connect("10.0.0.5:4400"));
    assert_eq!(s.packet(a, "198.18.0.9:62000", &rtp(1, 4, 4)), Err(DropReason::Stranger), "is it a stream?");
    s.packet(a, "198.18.0.9:62000", &rtp(1, 5, 5)).unwrap();
    assert_eq!(s.release(ID).drops.get(DropReason::Stranger), 103);
}

#[test]
fn rtcp_learns_the_host_of_rtp_and_before_that_nobody() {
    let mut s = shell();
    let mut o = open(0);
    o.a.latching = Latching::Learn;
    let (a, b) = s.call(o, connect("10.0.0.5:4000"), connect(BOB));
    let (nat, its_rtcp) = ("198.18.0.9:61000", "198.18.0.9:61007");
    let rtcp_to_a = |s: &mut Shell| s.packet(b + 1, "203.0.113.1:5001", &rtcp(2)).unwrap().to;
    for n in 1..3 {
        assert_eq!(s.packet(a + 1, its_rtcp, &rtcp(1)), Err(DropReason::Stranger));
        s.packet(a, nat, &rtp(1, n, 1)).unwrap();
    }
    s.pass(Duration::from_millis(500));
    assert_eq!(s.packet(a + 1, "198.18.6.6:9", &rtcp(1)), Err(DropReason::Stranger));
    assert_eq!(rtcp_to_a(&mut s), at("10.0.0.5:4001"), "until it is learnt, RTCP goes where the SDP said");
    s.packet(a + 1, its_rtcp, &rtcp(1)).unwrap();
    assert_eq!(rtcp_to_a(&mut s), at(its_rtcp));
}

#[test]
fn rtcp_from_the_described_place_does_not_keep_it_when_rtp_comes_from_elsewhere() {
    let mut s = shell();
    let mut o = open(0);
    o.a.latching = Latching::Learn;
    let (a, _) = s.call(o, connect("10.0.0.5:4000"), connect(BOB));
    s.packet(a + 1, "10.0.0.5:4001", &rtcp(1)).unwrap();
    for n in 1..3 {
        s.packet(a, "198.18.0.9:61000", &rtp(1, n, 1)).unwrap();
    }
    s.packet(a + 1, "10.0.0.5:4001", &rtcp(1)).unwrap();
    s.pass(Duration::from_millis(500));
    s.packet(a, "198.18.0.9:61000", &rtp(1, 3, 1)).unwrap();
    assert_eq!(s.packet(a + 1, "10.0.0.5:4001", &rtcp(1)), Err(DropReason::Stranger));
}

#[test]
fn hold_stops_rtp_one_way_or_both_but_not_rtcp() {
    for (direction, a_sends, a_hears) in [
        (Direction::SendRecv, true, true),
        (Direction::SendOnly, false, true),
        (Direction::RecvOnly, true, false),
        (Direction::Inactive, false, false),
    ] {
        let mut s = shell();
        let (a, b) = s.call(open(0), Connect { direction, ..connect(ALICE) }, connect(BOB));
        let verdict = |ok: bool| if ok { None } else { Some(DropReason::Held) };
        assert_eq!(s.packet(a, ALICE, &rtp(1, 1, 1)).err(), verdict(a_sends), "{direction:?} from A");
        assert_eq!(s.packet(b, BOB, &rtp(2, 1, 1)).err(), verdict(a_hears), "{direction:?} to A");
        s.packet(a + 1, "192.0.2.1:4001", &rtcp(1)).unwrap();
        s.packet(b + 1, "203.0.113.1:5001", &rtcp(2)).unwrap();
        assert_eq!(s.release(ID).from_b.packets, 1, "what the other side holds was still received");
    }
}

#[test]
fn what_is_sent_into_a_hold_is_not_lost() {
    let mut s = shell();
    let (_, b) = s.call(open(0), connect(ALICE), connect(BOB));
    s.packet(b, BOB, &rtp(1, 1, 1)).unwrap();
    s.connect(ID, Leg::B, Connect { direction: Direction::SendOnly, ..connect(BOB) });
    for n in 2..17 {
        assert_eq!(s.packet(b, BOB, &rtp(1, n, 1)).err(), Some(DropReason::Held));
    }
    s.connect(ID, Leg::B, connect(BOB));
    s.packet(b, BOB, &rtp(1, 17, 1)).unwrap();
    let from_b = s.release(ID).from_b;
    assert_eq!((from_b.packets, from_b.lost), (2, 0));
}

#[test]
fn refused_and_old_style_held_streams_have_no_target() {
    for bob in ["203.0.113.1:0", "0.0.0.0:5000"] {
        let mut s = shell();
        let (a, _) = s.call(open(0), connect(ALICE), connect(bob));
        assert_eq!(s.packet(a, ALICE, &rtp(1, 1, 1)), Err(DropReason::NoTarget), "{bob}");
    }
}

#[test]
fn loss_and_jitter_are_told_when_the_session_ends() {
    let mut s = shell();
    let (a, _) = s.call(open(0), connect(ALICE), connect(BOB));
    // Worked by hand in meter.rs: transit 0, 0, 80, 0 units give a jitter of 9 units, 1,125 µs at 8,000 Hz.
    let start = s.now;
    for (ms, sequence) in [(0, 1), (20, 2), (50, 3), (60, 4), (180, 10)] {
        s.now = start + Duration::from_millis(ms);
        s.packet(a, ALICE, &rtp(1, sequence, u32::from(sequence) * 160)).unwrap();
        if sequence == 4 {
            let mid = s.relay.stats(ID).unwrap().from_a;
            assert_eq!((mid.jitter_ts, mid.jitter_us, mid.lost), (9, 1125, 0));
        }
    }
    let stats = s.release(ID).from_a;
    assert_eq!((stats.packets, stats.lost), (5, 5));
}

#[test]
fn a_leg_that_stops_is_reported_once() {
    let mut s = shell();
    let (a, b) = s.call(open(0), connect(ALICE), connect(BOB));
    for n in 0..1000 {
        s.packet(b, BOB, &rtp(2, n, 0)).unwrap();
        if n < 100 {
            s.packet(a, ALICE, &rtp(1, n, 0)).unwrap();
        }
        s.pass(Duration::from_millis(20));
    }
    let silent: Vec<_> = s.events().into_iter().filter(|e| matches!(e, RelayEvent::Silent { .. })).collect();
    let last = relay_values::Time::from_millis(1000 + 99 * 20);
    let expected = RelayEvent::Silent { session: ID, leg: Leg::A, since: last, kind: SilenceKind::Stopped };
    assert_eq!(silent, [expected]);
}

#[test]
fn silence_is_told_no_earlier_than_configured_and_hardly_later() {
    let mut s = shell();
    s.call(open(0), connect(ALICE), connect(BOB));
    let since = s.now;
    s.pass(Duration::from_millis(11_999));
    assert_eq!(s.events(), []);
    s.pass(Duration::from_millis(251));
    let both = [Leg::A, Leg::B];
    let expected =
        both.map(|leg| RelayEvent::Silent { session: ID, leg, since, kind: SilenceKind::NeverHeard });
    assert_eq!(s.events(), expected);
}

#[test]
fn hold_is_not_silence_and_coming_back_starts_the_clock_anew() {
    let mut s = shell();
    let (a, _) = s.call(open(0), connect(ALICE), connect(BOB));
    let hold = |rtp, direction| Connect { direction, ..connect(rtp) };
    s.packet(a, ALICE, &rtp(1, 1, 1)).unwrap();
    s.connect(ID, Leg::A, hold(ALICE, Direction::SendOnly));
    s.connect(ID, Leg::B, hold(BOB, Direction::Inactive));
    s.events();
    s.pass(Duration::from_secs(600));
    assert_eq!(s.events(), []);
    let back = s.now;
    s.connect(ID, Leg::A, connect(ALICE));
    s.pass(Duration::from_secs(11));
    assert_eq!(s.events(), []);
    s.pass(Duration::from_secs(2));
    let events = s.events();
    let [RelayEvent::Silent { leg: Leg::A, since, kind: SilenceKind::Stopped, .. }] = events[..] else {
        panic!("{events:?}");
    };
    assert!(since < back, "the last packet was before the hold");
}

#[test]
fn ringing_is_not_silence() {
    let mut s = shell();
    s.open(open(0)).unwrap();
    s.connect(ID, Leg::A, connect(ALICE));
    s.pass(Duration::from_secs(120));
    assert_eq!(s.events(), []);
    s.connect(ID, Leg::B, connect(BOB));
    s.pass(Duration::from_secs(11));
    assert_eq!(s.events(), []);
}

#[test]
fn a_session_without_inactivity_time_is_never_silent() {
    let mut s = shell();
    let mut o = open(0);
    o.inactivity = None;
    s.call(o, connect(ALICE), connect(BOB));
    s.pass(Duration::from_secs(100_000));
    assert_eq!(s.events(), []);
}

#[test]
fn a_moved_leg_is_a_new_peer_to_us_and_the_same_stream_to_the_other_leg() {
    let carol = "203.0.113.77:7000";
    let mut s = shell();
    let (a, b) = s.call(open(0), connect(ALICE), connect(BOB));
    for n in 0..10 {
        let bytes = rtp(0xb0b, n, u32::from(n) * 160);
        assert_eq!(s.packet(b, BOB, &bytes).unwrap().bytes, bytes);
        s.pass(Duration::from_millis(20));
    }
    s.command(RelayCommand::Retarget { session: ID, leg: Leg::B, region: RegionId(2), to: None });
    assert_eq!(s.packet(b, BOB, &rtp(0xb0b, 10, 1600)), Err(DropReason::Stranger));
    assert_eq!(s.packet(a, ALICE, &rtp(1, 1, 1)), Err(DropReason::NoTarget));
    s.pass(Duration::from_millis(180));
    s.connect(ID, Leg::B, connect(carol));
    assert_eq!(s.packet(a, ALICE, &rtp(1, 2, 2)).unwrap().to, at(carol));
    // The last packet was number 9 with timestamp 1,440, 200 ms ago: 1,600 units of 8,000 Hz.
    let sent = s.packet(b, carol, &rtp(0xca401, 40_000, 5)).unwrap();
    assert_eq!((sent.to, sent.bytes), (at(ALICE), rtp(0xb0b, 10, 3040)));
    let sent = s.packet(b, carol, &rtp(0xca401, 40_001, 165)).unwrap();
    assert_eq!(sent.bytes, rtp(0xb0b, 11, 3200));
    assert_eq!(s.relay.counters().retargets, 1);
    let stats = s.release(ID);
    assert_eq!((stats.from_b.packets, stats.from_b.lost, stats.from_b.ssrc), (12, 0, 0xca401));
}

#[test]
fn a_packet_that_could_not_be_sent_is_not_counted_as_forwarded() {
    let mut s = shell();
    let (a, b) = s.call(open(0), connect(ALICE), connect(BOB));
    let out = s.packet(a, ALICE, &rtp(1, 1, 1)).unwrap().from;
    assert_eq!(out.port(), b);
    s.relay.send_failed(s.bound[&out]);
    let stats = s.release(ID);
    assert_eq!((stats.from_a.packets, stats.from_a.forwarded), (1, 0));
    assert_eq!(stats.drops.get(DropReason::SendFailed), 1);
    assert_eq!(s.relay.counters().forwarded, 0);
}

#[test]
fn what_is_not_media_is_counted_by_what_it_is() {
    let mut s = shell();
    let (a, _) = s.call(open(0), connect(ALICE), connect(BOB));
    let stun = [&[0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42][..], &[0; 12]].concat();
    for (bytes, reason) in [
        (vec![], DropReason::TooShort),
        (vec![0x80; 11], DropReason::TooShort),
        (vec![0x80; 2049], DropReason::TooLong),
        (stun, DropReason::Stun),
        (vec![22; 100], DropReason::Dtls),
        (vec![0x60; 100], DropReason::NotRtp),
        (vec![0x8f; 20], DropReason::Malformed),
    ] {
        assert_eq!(s.packet(a, ALICE, &bytes), Err(reason), "{} bytes", bytes.len());
    }
    let drops = s.release(ID).drops;
    assert_eq!(drops.nonzero().map(|(_, n)| n).sum::<u64>(), 7);
    assert_eq!(drops, s.relay.counters().drops);
}

#[test]
fn an_explicit_rtcp_address_is_used() {
    let mut s = shell();
    let remote = Remote { rtp: at(BOB), rtcp: at("203.0.113.9:9999"), mux: false };
    let (a, _) = s.call(open(0), connect(ALICE), Connect { remote, ..connect(BOB) });
    assert_eq!(s.packet(a + 1, "192.0.2.1:4001", &rtcp(1)).unwrap().to, at("203.0.113.9:9999"));
}
