//! Ports: pairs, rest, exhaustion, and sockets that cannot be had.

mod common;
use common::{ALICE, BOB, Shell, V6, at, config, connect, open, rtp};
use relay_core::{PortRequest, Relay, RelayConfig};
use relay_values::{
    DropReason, Duration, Latching, Leg, OpenFailure, RegionId, RelayCommand, RelayEvent, SessionId, Time,
};
use std::collections::BTreeSet;
use std::net::SocketAddr;

#[test]
fn every_leg_gets_a_pair_of_its_own() {
    let mut shell = Shell::new(config(10_000..=10_019));
    let mut seen = BTreeSet::new();
    for serial in 0..5 {
        let (a, b) = shell.open(open(serial)).unwrap();
        for port in [a, b] {
            assert!((10_000..=10_018).contains(&port) && port % 2 == 0, "{port}");
            assert!(seen.insert(port), "{port} was given twice");
        }
    }
    assert_eq!(shell.open(open(5)), Err(OpenFailure::PortsExhausted));
    let counts = shell.relay.counters();
    assert_eq!((counts.opened, counts.open_failed, counts.sessions), (5, 1, 5));
}

#[test]
fn the_two_addresses_have_the_range_each() {
    let mut shell = Shell::new(config(10_000..=10_003));
    let mut both = open(0);
    both.b.local = V6.parse().unwrap();
    shell.open(both.clone()).unwrap();
    both.session = SessionId::new(0, 1);
    shell.open(both).unwrap();
    assert_eq!(shell.relay.counters().ports.taken, 4);
    let mut third = open(2);
    third.a.local = "198.51.100.2".parse().unwrap();
    assert_eq!(shell.open(third), Err(OpenFailure::NoSuchAddress));
}

#[test]
fn a_released_pair_rests_before_it_is_used_again() {
    let mut shell = Shell::new(config(10_000..=10_003));
    let first = shell.open(open(0)).unwrap();
    shell.release(SessionId::new(0, 0));
    assert_eq!(shell.relay.counters().ports.resting, 2);
    shell.pass(Duration::from_millis(4_999));
    assert_eq!(shell.open(open(1)), Err(OpenFailure::PortsExhausted));
    shell.pass(Duration::from_millis(1));
    let again = shell.open(open(2)).unwrap();
    assert_eq!(BTreeSet::from(<[u16; 2]>::from(first)), BTreeSet::from(<[u16; 2]>::from(again)));
}

#[test]
fn a_pair_that_others_hold_is_nobodys_until_it_is_given_and_has_rested() {
    let withheld = config(10_000..=10_005).addresses.iter().map(|ip| SocketAddr::new(*ip, 10_002)).collect();
    let mut shell = Shell::new(RelayConfig { withheld, ..config(10_000..=10_005) });
    let held = shell.relay.counters().ports.withheld;
    assert_eq!(held, config(10_000..=10_005).addresses.len() as u64);
    let (a, b) = shell.open(open(0)).unwrap();
    assert_eq!(BTreeSet::from([a, b]), BTreeSet::from([10_000, 10_004]));
    assert_eq!(shell.open(open(1)), Err(OpenFailure::PortsExhausted));
    shell.release(SessionId::new(0, 0));
    shell.pass(Duration::from_secs(5));
    shell.open(open(2)).unwrap();
    // Given twice, and a port that nobody held: it comes once, after its rest.
    let ip = open(3).a.local;
    for port in [10_002, 10_002, 10_004, 9_998, 10_006] {
        shell.relay.give(shell.now, SocketAddr::new(ip, port));
    }
    assert_eq!(shell.relay.counters().ports.withheld, held - 1);
    assert_eq!(shell.open(open(3)), Err(OpenFailure::PortsExhausted));
    shell.release(SessionId::new(0, 2));
    shell.pass(Duration::from_secs(5));
    shell.open(open(4)).unwrap();
    let other = shell.relay.counters().ports;
    assert_eq!((other.taken, other.withheld), (2, held - 1));
    let (resting, free) = (other.resting, other.free);
    assert_eq!(resting + free + 2 + held - 1, 3 * held, "no pair is lost, none is there twice");
}

#[test]
fn a_steady_load_binds_nothing_new_and_comes_back_to_a_port_late() {
    let mut shell = Shell::new(RelayConfig { rest: Duration::from_secs(1), ..config(10_000..=10_999) });
    // One call of a second every half second: two at a time, two resting, and two that have just rested.
    for serial in 0..100 {
        shell.open(open(serial)).unwrap();
        shell.pass(Duration::from_millis(500));
        if serial >= 2 {
            shell.release(SessionId::new(0, serial - 2));
        }
    }
    assert!(shell.binds <= 12, "{} pairs were bound", shell.binds);
    assert_eq!(shell.closes, 0);
}

#[test]
fn a_packet_to_a_resting_port_meets_no_session() {
    let mut shell = Shell::new(config(10_000..=10_003));
    let (a, _) = shell.open(open(0)).unwrap();
    shell.release(SessionId::new(0, 0));
    let bytes = common::rtp(1, 1, 1);
    assert_eq!(shell.packet(a, common::ALICE, &bytes), Err(relay_values::DropReason::NoSession));
    assert_eq!(shell.relay.counters().drops.get(relay_values::DropReason::NoSession), 1);
}

#[test]
fn idle_pairs_are_closed_and_bound_anew_when_needed() {
    let mut shell = Shell::new(config(10_000..=10_003));
    shell.open(open(0)).unwrap();
    shell.pass(Duration::from_secs(300));
    assert_eq!(shell.closes, 0, "a call's sockets were closed");
    shell.release(SessionId::new(0, 0));
    shell.pass(Duration::from_secs(66));
    assert_eq!((shell.binds, shell.closes, shell.bound.len()), (2, 2, 0));
    assert!(shell.relay.poll_timeout().is_never());
    shell.open(open(1)).unwrap();
    assert_eq!(shell.binds, 4);
}

#[test]
fn a_pair_that_cannot_be_bound_is_passed_over_for_a_minute() {
    let mut shell = Shell::new(config(10_000..=10_007));
    shell.refused = vec![10_000, 10_004];
    let (a, b) = shell.open(open(0)).unwrap();
    assert_eq!(BTreeSet::from([a, b]), BTreeSet::from([10_002, 10_006]));
    assert_eq!(shell.open(open(1)), Err(OpenFailure::PortsExhausted));
    assert_eq!(shell.relay.counters().ports.failed, 2);
    shell.refused.clear();
    shell.pass(Duration::from_secs(60));
    shell.open(open(2)).unwrap();
}

#[test]
fn an_open_gives_up_after_bounded_tries_and_keeps_nothing() {
    let mut shell = Shell::new(config(10_000..=10_999));
    shell.refused = (10_000..=10_999).collect();
    assert_eq!(shell.open(open(0)), Err(OpenFailure::Socket));
    assert!(shell.binds <= 16, "{} tries", shell.binds);
    let counts = shell.relay.counters();
    assert_eq!((counts.sessions, counts.ports.taken, counts.ports.open), (0, 0, 0));
}

#[test]
fn without_descriptors_the_answer_is_socket_and_not_ports() {
    let mut shell = Shell::new(RelayConfig { max_open_pairs: 2, ..config(10_000..=10_999) });
    shell.open(open(0)).unwrap();
    assert_eq!(shell.open(open(1)), Err(OpenFailure::Socket));
    shell.release(SessionId::new(0, 0));
    shell.pass(Duration::from_secs(5));
    shell.open(open(2)).unwrap();
}

#[test]
fn the_session_limit_holds() {
    let mut shell = Shell::new(RelayConfig { max_sessions: 1, ..config(10_000..=10_999) });
    shell.open(open(0)).unwrap();
    assert_eq!(shell.open(open(1)), Err(OpenFailure::SessionsExhausted));
}

#[test]
fn a_session_released_while_its_sockets_are_bound_leaks_nothing() {
    let mut shell = Shell::new(config(10_000..=10_003));
    let id = SessionId::new(0, 0);
    shell.relay.command(shell.now, RelayCommand::Open(open(0)));
    shell.relay.command(shell.now, RelayCommand::Release { session: id });
    shell.drain();
    let events = shell.events();
    assert!(matches!(events[..], [RelayEvent::Released { session, .. }] if session == id), "{events:?}");
    let counts = shell.relay.counters();
    assert_eq!((counts.sessions, counts.ports.taken, counts.ports.open), (0, 0, 2));
    assert_eq!(shell.bound.len(), 4);
    shell.open(open(1)).unwrap();
    assert_eq!(shell.binds, 2, "the pairs that were bound in vain serve the next call");
}

#[test]
fn commands_about_nobody_are_counted_and_a_second_open_changes_nothing() {
    let mut shell = Shell::new(config(10_000..=10_999));
    let id = SessionId::new(0, 9);
    shell.command(RelayCommand::Release { session: id });
    shell.connect(id, relay_values::Leg::A, common::connect(common::ALICE));
    shell.open(open(0)).unwrap();
    shell.command(RelayCommand::Open(open(0)));
    assert_eq!(shell.events(), []);
    assert_eq!((shell.relay.counters().ignored_commands, shell.relay.sessions()), (3, 1));
    assert_eq!(shell.relay.counters().ports.taken, 2);
}

fn renew(serial: u64) -> RelayCommand {
    RelayCommand::Renew { session: SessionId::new(0, serial), leg: Leg::B, region: RegionId(2) }
}

fn opened(shell: &mut Shell) -> (u16, u16) {
    match shell.events()[..] {
        [RelayEvent::Opened { a_port, b_port, .. }] => (a_port, b_port),
        ref other => panic!("{other:?}"),
    }
}

#[test]
fn a_leg_whose_peer_was_left_has_other_ports_and_what_that_still_sends_is_nobodys() {
    let (carol, learn) = ("203.0.113.77:7000", Latching::Learn);
    let mut shell = Shell::new(config(10_000..=10_007));
    let mut open = open(0);
    open.b.latching = learn;
    let (a, b) = shell.call(open, connect(ALICE), connect(BOB));
    shell.packet(b, BOB, &rtp(0xb0b, 1, 160)).unwrap();
    shell.events.clear();
    shell.command(renew(0));
    let (same, other) = opened(&mut shell);
    assert_eq!(same, a);
    assert!(other != b, "{other}");
    let session = SessionId::new(0, 0);
    shell.connect(session, Leg::B, connect(carol));
    // He was told the old port and goes on sending; so do those who were never heard before.
    assert_eq!(shell.packet(b, BOB, &rtp(0xb0b, 2, 320)), Err(DropReason::NoSession));
    let sent = shell.packet(other, carol, &rtp(0xca401, 1, 160)).unwrap();
    assert_eq!(sent.to, at(ALICE));
    let sent = shell.packet(a, ALICE, &rtp(0xa11ce, 1, 160)).unwrap();
    assert_eq!((sent.from.port(), sent.to), (other, at(carol)));
    let counts = shell.relay.counters();
    assert_eq!((counts.ports.taken, counts.ports.resting, counts.opened), (2, 1, 1));
    shell.release(session);
    assert_eq!(shell.relay.counters().ports.resting, 3);
}

#[test]
fn a_leg_keeps_its_ports_where_no_others_can_be_had() {
    let mut shell = Shell::new(config(10_000..=10_003));
    let ports = shell.open(open(0)).unwrap();
    shell.command(renew(0));
    assert_eq!(opened(&mut shell), ports);
    // There is one, and it cannot be bound.
    let mut shell = Shell::new(config(10_000..=10_005));
    let (a, b) = shell.open(open(0)).unwrap();
    shell.refused = [10_000, 10_002, 10_004].into_iter().filter(|port| *port != a && *port != b).collect();
    shell.command(renew(0));
    assert_eq!(opened(&mut shell), (a, b));
    let counts = shell.relay.counters();
    assert_eq!((counts.ports.taken, counts.ports.failed, counts.ports.resting), (2, 1, 0));
}

#[test]
fn a_session_that_ends_while_a_leg_waits_for_other_ports_leaks_none() {
    let mut relay = Relay::new(&config(10_000..=10_007), 7);
    let now = Time::from_millis(1000);
    let mut binds = vec![];
    let drain = |relay: &mut Relay, binds: &mut Vec<_>| {
        while let Some(request) = relay.poll_port() {
            let PortRequest::Bind(pair) = request else { panic!("{request:?}") };
            binds.push(pair.rtp);
        }
    };
    relay.command(now, RelayCommand::Open(open(0)));
    drain(&mut relay, &mut binds);
    for rtp in binds.drain(..) {
        relay.bound(now, rtp, true);
    }
    // Asked twice before the answer: one pair is bound, and one answer comes.
    relay.command(now, renew(0));
    relay.command(now, renew(0));
    drain(&mut relay, &mut binds);
    assert_eq!(binds.len(), 1);
    relay.command(now, RelayCommand::Release { session: SessionId::new(0, 0) });
    relay.bound(now, binds[0], true);
    let counts = relay.counters();
    assert_eq!((counts.ports.taken, counts.ports.resting, relay.sessions()), (0, 2, 0));
}
