//! Streams that are not RTP in the clear: fax datagrams and sealed RTP, which the relay passes without a look inside.

mod common;

use common::*;
use relay_core::{Offload, Unfit};
use relay_values::{
    Carries, Connect, Direction, DropReason, Duration, Fill, Latching, Law, Leg, Open, RegionId,
    RelayCommand, RelayEvent, SessionId, Sound,
};

const ID: SessionId = SessionId::new(0, 0);
const EVE: &str = "203.0.113.9:6000";

fn shell() -> Shell {
    Shell::new(config(20000..=20099))
}

fn fax(rtp: &str) -> Connect {
    Connect { carries: Carries::Datagrams, ..connect(rtp) }
}

fn sealed(rtp: &str) -> Connect {
    Connect { carries: Carries::Sealed, ..connect(rtp) }
}

/// A UDPTL packet: two bytes of sequence number, and what they number.
fn udptl(sequence: u16) -> Vec<u8> {
    [&sequence.to_be_bytes()[..], &[1, 6, 0, 0]].concat()
}

#[test]
fn datagrams_pass_whatever_their_first_byte_says() {
    let mut s = shell();
    let (a, b) = s.call(open(0), fax(ALICE), fax(BOB));
    // Every first byte: what would be STUN, DTLS, nothing known, RTP.
    for first in 0..=255 {
        let bytes = [first, 7, 1, 6];
        let sent = s.packet(a, ALICE, &bytes).unwrap();
        assert_eq!((sent.to, &sent.bytes[..], sent.from.port()), (at(BOB), &bytes[..], b));
    }
    assert_eq!(s.packet(b, BOB, &[0]).unwrap().to, at(ALICE), "a single byte is one");
    assert_eq!(s.packet(a, ALICE, &[]), Err(DropReason::TooShort));
    assert_eq!(s.packet(a, EVE, &udptl(1)), Err(DropReason::Stranger), "the source is looked at");
    let stats = s.release(ID);
    assert_eq!((stats.from_a.packets, stats.from_a.bytes, stats.from_a.forwarded), (256, 1024, 256));
    assert_eq!((stats.from_a.lost, stats.from_a.jitter_ts, stats.from_b.packets), (0, 0, 1));
}

#[test]
fn a_fax_has_no_rtcp() {
    let mut s = shell();
    let (a, _) = s.call(open(0), fax(ALICE), fax(BOB));
    assert_eq!(s.packet(a + 1, "192.0.2.1:4001", &rtcp(1)), Err(DropReason::NotRtp));
}

#[test]
fn a_fax_may_be_silent_for_as_long_as_it_likes() {
    let mut s = shell();
    s.call(open(0), fax(ALICE), fax(BOB));
    s.pass(Duration::from_secs(600));
    assert_eq!(s.events(), []);
    // Back to speech, and the watch is there again.
    s.connect(ID, Leg::A, connect(ALICE));
    s.connect(ID, Leg::B, connect(BOB));
    s.pass(Duration::from_secs(20));
    assert!(matches!(s.events()[..], [RelayEvent::Silent { .. }, RelayEvent::Silent { .. }]));
}

#[test]
fn a_call_goes_from_speech_to_fax_and_back_on_its_ports() {
    let mut s = shell();
    let (a, b) = s.call(open(0), connect(ALICE), connect(BOB));
    s.packet(a, ALICE, &rtp(1, 1, 160)).unwrap();
    s.packet(b, BOB, &rtp(2, 1, 160)).unwrap();
    // The fax machine listens on another port of its host.
    let (alice, bob) = ("192.0.2.1:4700", "203.0.113.1:5700");
    s.connect(ID, Leg::A, fax(alice));
    s.connect(ID, Leg::B, fax(bob));
    assert_eq!(s.packet(a, ALICE, &rtp(1, 2, 320)), Err(DropReason::Stranger), "its speech is over");
    assert_eq!(s.packet(a, alice, &udptl(0)).unwrap().to, at(bob));
    assert_eq!(s.packet(b, bob, &udptl(0)).unwrap().to, at(alice));
    s.connect(ID, Leg::A, connect(ALICE));
    s.connect(ID, Leg::B, connect(BOB));
    assert_eq!(s.packet(a, alice, &udptl(1)), Err(DropReason::Stun), "what it looks like now");
    let after = rtp(1, 700, 90_000);
    let sent = s.packet(a, ALICE, &after).unwrap();
    assert_eq!((sent.to, sent.bytes), (at(BOB), after), "not one bit of the speech is changed");
}

#[test]
fn a_held_fax_goes_nowhere() {
    let mut s = shell();
    let inactive = |to| Connect { direction: Direction::Inactive, ..fax(to) };
    let (a, _) = s.call(open(0), inactive(ALICE), inactive(BOB));
    assert_eq!(s.packet(a, ALICE, &udptl(1)), Err(DropReason::Held));
}

#[test]
fn a_fax_moves_to_another_edge_and_says_when_that_is_heard() {
    let mut s = shell();
    let (a, b) = s.call(open(0), fax(ALICE), fax(BOB));
    s.packet(b, BOB, &udptl(1)).unwrap();
    let to = Some(fax(EVE));
    s.command(RelayCommand::Retarget { session: ID, leg: Leg::B, region: RegionId(2), to });
    assert_eq!(s.packet(a, ALICE, &udptl(1)).unwrap().to, at(EVE));
    assert_eq!(s.packet(b, BOB, &udptl(2)).unwrap().to, at(ALICE), "the old edge has not hung up yet");
    s.pass(Duration::from_millis(100));
    assert_eq!(s.packet(b, EVE, &udptl(9)).unwrap().bytes, udptl(9));
    let events = s.events();
    let Some(RelayEvent::Resumed { leg: Leg::B, gap, .. }) = events.last() else { panic!("{events:?}") };
    assert_eq!(gap.conversation(), Some(Duration::from_millis(100)));
    assert_eq!(s.packet(b, BOB, &udptl(3)), Err(DropReason::Stranger));
}

#[test]
fn nobody_speaks_in_place_of_a_fax_or_of_sealed_media() {
    for with in [fax, sealed] {
        let mut s = shell();
        let (_, b) = s.call(open(0), with(ALICE), with(BOB));
        s.packet(b, BOB, &rtp(1, 1, 1)).unwrap();
        let sound = Sound::Noise(Law::Mu);
        let packet_time = Duration::from_millis(20);
        let fill = Some(Fill { payload_type: 0, clock_rate: 8000, packet_time, sound });
        s.command(RelayCommand::Bridge { session: ID, leg: Leg::B, fill });
        s.pass(Duration::from_secs(1));
        assert_eq!(s.own, []);
    }
}

#[test]
fn a_fast_path_is_offered_sealed_rtp_but_no_datagrams() {
    let world = |with: fn(&str) -> Connect| {
        let config = relay_core::RelayConfig { offload_after: Some(4), ..config(20000..=20099) };
        let mut s = Shell::new(config);
        let (a, b) = s.call(open(0), with(ALICE), with(BOB));
        for n in 0..4 {
            let _ = s.packet(b, BOB, &rtp(2, n, u32::from(n) * 160));
            let _ = s.packet(a, ALICE, &rtp(1, n, u32::from(n) * 160));
        }
        let offered: Vec<_> = std::iter::from_fn(|| s.relay.poll_offload()).collect();
        let port = s.bound[&std::net::SocketAddr::new(V4.parse().unwrap(), a)];
        (offered, s.relay.flow(port).err())
    };
    let (offered, unfit) = world(sealed);
    assert!(matches!(offered[..], [Offload::Install(_), Offload::Install(_)]), "{offered:?}");
    assert_eq!(unfit, None);
    assert_eq!(world(fax), (vec![], Some(Unfit::Datagrams)));
}

#[test]
fn sealed_rtp_is_never_rewritten_whoever_speaks() {
    let mut s = shell();
    let (a, b) = s.call(open(0), sealed(ALICE), sealed(BOB));
    for n in 0..10 {
        let packet = rtp(2, n, u32::from(n) * 160);
        assert_eq!(s.packet(b, BOB, &packet).unwrap().bytes, packet);
    }
    // The tag at its end covers the header: a byte changed there, and the receiver drops it (RFC 3711 §3.1).
    let to = Some(sealed(EVE));
    s.command(RelayCommand::Retarget { session: ID, leg: Leg::B, region: RegionId(2), to });
    for n in 500..510 {
        let packet = rtp(77, n, u32::from(n) * 7);
        assert_eq!(s.packet(b, EVE, &packet).unwrap().bytes, packet);
    }
    s.command(RelayCommand::Bridge { session: ID, leg: Leg::B, fill: None });
    let packet = rtp(78, 9, 9);
    assert_eq!(s.packet(b, EVE, &packet).unwrap().bytes, packet);
    // Reports are encrypted behind their first eight bytes, even if they look as if they were not.
    s.packet(a, ALICE, &rtp(1, 1, 1)).unwrap();
    let report = rtcp(1);
    assert_eq!(s.packet(a + 1, "192.0.2.1:4001", &report).unwrap().bytes, report);
}

#[test]
fn the_handshake_beside_sealed_rtp_passes_and_is_not_held_up() {
    let mut s = shell();
    let hold = |to| Connect { direction: Direction::Inactive, ..sealed(to) };
    let learn = |mut open: Open| {
        open.a.latching = Latching::Learn;
        open
    };
    let (a, b) = s.call(learn(open(0)), hold(ALICE), hold(BOB));
    let hello = [22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 7];
    let sent = s.packet(a, "192.0.2.1:4444", &hello).unwrap();
    assert_eq!((sent.to, &sent.bytes[..]), (at(BOB), &hello[..]));
    assert_eq!(s.packet(b, BOB, &hello).unwrap().to, at("192.0.2.1:4444"), "back to where it came from");
    assert_eq!(s.packet(b, EVE, &hello), Err(DropReason::Stranger));
    assert_eq!(s.packet(a, "192.0.2.1:4444", &rtp(1, 1, 1)), Err(DropReason::Held));
    // RTCP has a handshake of its own where it has a port of its own.
    assert_eq!(s.packet(b + 1, "203.0.113.1:5001", &hello).unwrap().to, at("192.0.2.1:4001"));
    assert_eq!(s.packet(a, "192.0.2.1:4444", &[0, 1, 0, 0]), Err(DropReason::Stun), "we offer no ICE");
    // In the clear it has no business there.
    s.connect(ID, Leg::B, connect(BOB));
    assert_eq!(s.packet(b, BOB, &hello), Err(DropReason::Dtls));
}
