//! Strangers stay out: the core alone.

mod common;
#[path = "strangers/table.rs"]
mod table;

use common::{ALICE, BOB, Shell, V4, at, config, connect, open, rtcp, rtp};
use relay_core::{RelayConfig, Verdict};
use relay_values::{
    DropReason, Duration, Latching, Leg, Open, RegionId, RelayCommand, RelayEvent, SessionId,
};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use table::{Engine, Heard, Socket, Who};

/// The core, and nobody's sockets.
struct Core {
    shell: Shell,
    sockets: BTreeMap<SocketAddr, Socket>,
    heard: Vec<Heard>,
}

impl Core {
    fn new() -> Self {
        let mut core =
            Self { shell: Shell::new(config(10_000..=19_999)), sockets: BTreeMap::new(), heard: Vec::new() };
        for leg in [Leg::A, Leg::B] {
            for who in Who::ALL {
                for rtcp in [false, true] {
                    let socket = (leg, who, rtcp);
                    core.sockets.insert(core.address(socket), socket);
                }
            }
        }
        core
    }
}

impl Engine for Core {
    fn local(&self, _: Leg) -> IpAddr {
        V4.parse().unwrap()
    }

    fn address(&self, (leg, who, rtcp): Socket) -> SocketAddr {
        let (host, port) = who.place();
        let side = if leg == Leg::A { 10 } else { 20 };
        SocketAddr::new(Ipv4Addr::new(203, 0, 113, side + host).into(), port + u16::from(rtcp))
    }

    fn open(&mut self, open: Open) -> (u16, u16) {
        self.shell.open(open).unwrap()
    }

    fn command(&mut self, command: RelayCommand) {
        self.shell.command(command);
    }

    fn settle(&mut self) {}

    fn pass(&mut self, time: Duration) {
        self.shell.pass(time);
    }

    fn elapsed(&self) -> Duration {
        self.shell.now.since(relay_values::Time::ZERO)
    }

    fn send(&mut self, from: Socket, port: u16, bytes: &[u8]) {
        let ours = self.shell.bound[&SocketAddr::new(V4.parse().unwrap(), port)];
        let (from, mut bytes) = (self.address(from), bytes.to_vec());
        self.shell.now += Duration::from_micros(10);
        if let Verdict::Forward { port, to } = self.shell.relay.packet(self.shell.now, ours, from, &mut bytes)
        {
            let port = self.shell.relay.local(port).unwrap().port();
            self.heard.push(Heard { by: self.sockets[&to], port, bytes });
        }
        self.shell.drain();
        for own in self.shell.own.drain(..) {
            self.heard.push(Heard { by: self.sockets[&own.to], port: own.from.port(), bytes: own.bytes });
        }
    }

    fn heard(&mut self) -> Vec<Heard> {
        std::mem::take(&mut self.heard)
    }
}

#[test]
fn the_matrix_holds_in_the_core() {
    let late = table::run(&mut Core::new(), table::rows(), |_| ());
    assert!(late.is_empty(), "{late:?}");
}

const ID: SessionId = SessionId::new(0, 0);
const NAT: &str = "198.18.0.9:61000";
const THIEF: &str = "198.18.6.6:4000";

/// A call whose A-leg is behind a NAT.
fn behind_a_nat(s: &mut Shell) -> (u16, u16) {
    let mut o = open(0);
    o.a.latching = Latching::Learn;
    let ports = s.open(o).unwrap();
    s.pass(Duration::from_millis(100));
    s.connect(ID, Leg::A, connect("10.0.0.5:4000"));
    s.connect(ID, Leg::B, connect(BOB));
    ports
}

fn stranger(s: &mut Shell, port: u16, from: &str, bytes: &[u8]) {
    assert_eq!(s.packet(port, from, bytes), Err(DropReason::Stranger), "{from} to {port}");
}

#[test]
fn a_spray_over_the_whole_range_finds_no_open_door() {
    let mut s = Shell::new(config(10_000..=10_099));
    for n in 0..10 {
        for (rule, base) in [(Latching::Exact, 0), (Latching::Address, 10)] {
            let mut o = open(base + n);
            (o.a.latching, o.b.latching) = (rule, rule);
            s.call(o, connect(ALICE), connect(BOB));
        }
    }
    for round in 0..50 {
        for port in 10_000..=10_099 {
            for bytes in [rtp(6, round, 0), rtcp(6)] {
                let from = format!("198.18.6.6:{}", 1024 + port);
                let port = s.bound.get(&SocketAddr::new(V4.parse().unwrap(), port)).copied();
                let Some(port) = port else { continue };
                let verdict = s.relay.packet(s.now, port, at(&from), &mut bytes.clone());
                assert!(matches!(verdict, Verdict::Drop(_)), "{verdict:?}");
            }
        }
        s.pass(Duration::from_millis(20));
    }
    assert_eq!(s.relay.counters().forwarded, 0);
    assert!(!s.events().iter().any(|e| matches!(e, RelayEvent::Latched { .. })));
}

#[test]
fn right_numbers_from_a_wrong_place_are_not_enough() {
    let mut s = Shell::new(config(10_000..=10_099));
    let (a, b) = s.call(open(0), connect(ALICE), connect(BOB));
    for n in 0..50 {
        s.packet(a, ALICE, &rtp(0xa, n, u32::from(n) * 160)).unwrap();
        for from in ["192.0.2.1:4002", "192.0.2.1:4001", "192.0.2.2:4000", THIEF] {
            stranger(&mut s, a, from, &rtp(0xa, n + 1, u32::from(n + 1) * 160));
        }
        assert_eq!(s.packet(b, BOB, &rtp(0xb, n, 0)).unwrap().to, at(ALICE));
        s.pass(Duration::from_millis(20));
    }
    assert_eq!(s.release(ID).from_a.packets, 50);
}

#[test]
fn early_media_from_behind_a_nat_flows_from_its_first_packet() {
    let mut s = Shell::new(config(10_000..=10_099));
    let (a, b) = behind_a_nat(&mut s);
    for n in 0..100 {
        s.packet(a, NAT, &rtp(1, n, 0)).unwrap();
        assert_eq!(s.packet(b, BOB, &rtp(2, n, 0)).unwrap().to, at(NAT));
        stranger(&mut s, a, THIEF, &rtp(1, n + 1, 0));
        s.pass(Duration::from_millis(20));
    }
    assert_eq!(s.release(ID).from_a.forwarded, 100);
}

#[test]
fn whoever_scans_the_port_before_the_phone_speaks_does_not_get_the_call() {
    let mut s = Shell::new(config(10_000..=10_099));
    let (a, b) = behind_a_nat(&mut s);
    s.packet(a, THIEF, &rtp(6, 1, 0)).unwrap();
    for n in 0..40 {
        let to = s.packet(b, BOB, &rtp(2, n, 0)).unwrap().to;
        let expected = if n < 25 { THIEF } else { "10.0.0.5:4000" };
        assert_eq!(to, at(expected), "packet {n}");
        s.pass(Duration::from_millis(20));
    }
    for n in 0..100 {
        s.packet(a, NAT, &rtp(1, n, 0)).unwrap();
        s.pass(Duration::from_millis(20));
    }
    let latched: Vec<_> =
        s.events().into_iter().filter(|e| matches!(e, RelayEvent::Latched { leg: Leg::A, .. })).collect();
    assert_eq!(latched, [RelayEvent::Latched { session: ID, leg: Leg::A, from: at(NAT) }]);
}

#[test]
fn a_window_that_nobody_speaks_in_any_more_is_over_with_the_other_legs_packets() {
    let mut s = Shell::new(config(10_000..=10_099));
    let (a, b) = behind_a_nat(&mut s);
    for n in 0..2 {
        s.packet(a, NAT, &rtp(1, n, 0)).unwrap();
    }
    s.events();
    s.pass(Duration::from_millis(600));
    s.packet(b, BOB, &rtp(2, 1, 0)).unwrap();
    assert!(s.events().contains(&RelayEvent::Latched { session: ID, leg: Leg::A, from: at(NAT) }));
    stranger(&mut s, a, THIEF, &rtp(1, 3, 0));
}

/// A relay with two pairs of ports: the next call gets those of the last.
fn narrow() -> Shell {
    Shell::new(RelayConfig { rest: Duration::from_secs(5), ..config(10_000..=10_003) })
}

#[test]
fn a_phone_that_never_hung_up_is_not_the_next_calls_peer() {
    for rule in [Latching::Address, Latching::Learn] {
        let mut s = narrow();
        let (zombie, phone) = ("192.0.2.1:4002", "192.0.2.1:4444");
        let mut o = open(0);
        o.a.latching = rule;
        let before = s.call(o.clone(), connect("192.0.2.1:4002"), connect(BOB));
        let mut n = 0;
        let mut say = |s: &mut Shell, port| {
            n += 1;
            s.pass(Duration::from_millis(20));
            s.packet(port, zombie, &rtp(0x20b1e, n, u32::from(n) * 160))
        };
        say(&mut s, before.0).unwrap();
        s.release(ID);
        for _ in 0..300 {
            for port in [before.0, before.1] {
                assert_eq!(say(&mut s, port), Err(DropReason::NoSession), "six seconds");
            }
        }
        o.session = SessionId::new(0, 1);
        let (a, b) = s.call(o, connect(ALICE), connect(BOB));
        for _ in 0..100 {
            // Nobody else has come, and still it is nobody.
            assert_eq!(say(&mut s, a), Err(DropReason::Stranger), "{rule:?}");
            assert_eq!(s.packet(b, BOB, &rtp(2, 1, 1)).unwrap().to, at(ALICE));
        }
        // The phone sends from another port than it said, as the zombie does.
        for n in 0..50 {
            s.packet(a, phone, &rtp(1, n, 0)).unwrap();
            assert_eq!(say(&mut s, a), Err(DropReason::Stranger));
        }
    }
}

#[test]
fn the_same_phone_from_the_same_port_is_welcome_with_its_next_stream() {
    let mut s = narrow();
    let mut o = open(0);
    o.a.latching = Latching::Learn;
    let before = s.call(o.clone(), connect("10.0.0.5:4000"), connect(BOB));
    s.release(ID);
    for _ in 0..2 {
        s.pass(Duration::from_millis(2600));
        for port in [before.0, before.1] {
            assert_eq!(s.packet(port, NAT, &rtp(1, 1, 1)), Err(DropReason::NoSession));
        }
    }
    o.session = SessionId::new(0, 1);
    let (a, _) = s.call(o, connect("10.0.0.5:4000"), connect(BOB));
    stranger(&mut s, a, NAT, &rtp(1, 2, 1));
    s.packet(a, NAT, &rtp(0x2ed, 2, 1)).unwrap();
}

#[test]
fn a_stream_that_was_there_at_once_gives_way_to_the_peers() {
    let mut s = Shell::new(config(10_000..=10_099));
    let mut o = open(0);
    o.a.latching = Latching::Learn;
    let (a, b) = s.open(o).unwrap();
    // The daemon has just been started, and phones still talk to calls of the one before it.
    stranger(&mut s, a, THIEF, &rtp(6, 1, 1));
    s.pass(Duration::from_millis(300));
    s.connect(ID, Leg::A, connect("10.0.0.5:4000"));
    s.connect(ID, Leg::B, connect(BOB));
    for n in 2..4 {
        s.packet(a, THIEF, &rtp(6, n, 1)).unwrap();
    }
    stranger(&mut s, a, NAT, &rtp(1, 1, 1));
    s.packet(a, NAT, &rtp(1, 2, 1)).unwrap();
    stranger(&mut s, a, THIEF, &rtp(6, 5, 1));
    assert_eq!(s.packet(b, BOB, &rtp(2, 1, 1)).unwrap().to, at(NAT));
}

#[test]
fn the_old_way_to_hold_opens_no_window() {
    let mut s = Shell::new(config(10_000..=10_099));
    let (a, b) = behind_a_nat(&mut s);
    for n in 0..2 {
        s.packet(a, NAT, &rtp(1, n, 0)).unwrap();
    }
    s.pass(Duration::from_millis(600));
    s.packet(a, NAT, &rtp(1, 2, 0)).unwrap();
    s.connect(ID, Leg::A, connect("0.0.0.0:4000"));
    stranger(&mut s, a, THIEF, &rtp(1, 3, 0));
    assert_eq!(s.packet(b, BOB, &rtp(2, 1, 1)), Err(DropReason::NoTarget));
    s.connect(ID, Leg::A, connect("10.0.0.5:4000"));
    stranger(&mut s, a, THIEF, &rtp(1, 3, 0));
    s.packet(a, NAT, &rtp(1, 3, 0)).unwrap();
    assert_eq!(s.packet(b, BOB, &rtp(2, 2, 1)).unwrap().to, at(NAT));
}

#[test]
fn a_stream_that_goes_on_elsewhere_is_not_followed_but_told() {
    let mut s = Shell::new(config(10_000..=10_099));
    let (a, b) = behind_a_nat(&mut s);
    let elsewhere = "198.18.0.9:61999";
    for n in 0..50 {
        s.packet(a, NAT, &rtp(1, n, 0)).unwrap();
        s.pass(Duration::from_millis(20));
    }
    s.events();
    // While the peer is heard, it is somebody who speaks beside it.
    stranger(&mut s, a, elsewhere, &rtp(1, 50, 0));
    s.pass(Duration::from_millis(200));
    for n in 51..80 {
        stranger(&mut s, a, elsewhere, &rtp(1, n, 0));
        s.pass(Duration::from_millis(20));
    }
    let strayed = |s: &mut Shell| {
        let mut events = s.events();
        events.retain(|e| matches!(e, RelayEvent::Strayed { .. }));
        events
    };
    let expected = RelayEvent::Strayed { session: ID, leg: Leg::A, from: at(elsewhere) };
    assert_eq!(strayed(&mut s), [expected], "once");
    assert_eq!(s.packet(b, BOB, &rtp(2, 1, 1)).unwrap().to, at(NAT));
    // Another stream is no stray.
    s.packet(a, NAT, &rtp(1, 80, 0)).unwrap();
    s.pass(Duration::from_millis(500));
    stranger(&mut s, a, THIEF, &rtp(6, 81, 0));
    assert_eq!(strayed(&mut s), []);
    let counts = s.relay.counters().strangers;
    assert_eq!((counts.rtp, counts.forged, counts.strayed, counts.rtcp), (31, 30, 1, 0));
}

#[test]
fn who_tried_what_is_on_the_record() {
    let mut s = Shell::new(config(10_000..=10_099));
    let ports = s.open(open(0)).unwrap();
    stranger(&mut s, ports.0, THIEF, &rtp(9, 9, 9));
    s.connect(ID, Leg::A, connect(ALICE));
    s.connect(ID, Leg::B, connect(BOB));
    assert!(
        s.relay.stats(ID).unwrap().strangers.is_empty(),
        "before it is described nobody is a stranger to it"
    );
    s.packet(ports.0, ALICE, &rtp(0xa, 100, 0)).unwrap();
    let (a, b) = ports;
    for (port, from, bytes) in [
        (a, "198.18.6.6:1", rtp(6, 1, 0)),
        (a, "198.18.6.6:1", rtp(0xa, 101, 0)),
        (b, "198.18.6.6:2", rtp(0xa, 101, 0)),
        (b + 1, "198.18.6.6:3", rtcp(6)),
        (a, "198.18.6.6:4", vec![0; 4]),
    ] {
        assert!(s.packet(port, from, &bytes).is_err());
    }
    for n in 0..20 {
        stranger(&mut s, a, &format!("198.18.6.6:{}", 100 + n), &rtp(6, n, 0));
    }
    let all = s.release(ID).strangers;
    assert_eq!(
        (all.rtp, all.rtcp, all.forged, all.strayed),
        (23, 1, 1, 0),
        "what is no RTP at all is told apart"
    );
    assert_eq!((all.sources, all.first), (8, Some(at("198.18.6.6:1"))));
}

#[test]
fn a_host_that_tries_many_ports_is_told_from_one_that_errs() {
    let mut s = Shell::new(config(10_000..=10_099));
    let ports: Vec<u16> =
        (0..20).flat_map(|n| <[u16; 2]>::from(s.call(open(n), connect(ALICE), connect(BOB)))).collect();
    for _ in 0..100 {
        stranger(&mut s, ports[0], "198.51.100.7:4000", &rtp(7, 1, 1));
    }
    assert_eq!(s.relay.counters().strangers.sprays, 0);
    for port in &ports {
        stranger(&mut s, *port, THIEF, &rtp(6, 1, 1));
    }
    assert_eq!(s.relay.counters().strangers.sprays, 1);
    let mut seen: Vec<_> = s.relay.intruders().map(|i| (i.source.to_string(), i.packets, i.ports)).collect();
    seen.sort();
    assert_eq!(seen, [("198.18.6.6".to_owned(), 40, 40), ("198.51.100.7".to_owned(), 100, 1)]);
}

#[test]
fn a_phone_that_was_left_is_not_the_next_one_that_was_heard_before_it_was_named() {
    let (behind_nat, carol) = ("203.0.113.1:6000", "203.0.113.77:7000");
    let mut s = Shell::new(config(10_000..=10_099));
    let mut o = open(0);
    o.b.latching = Latching::Learn;
    let (_, b) = s.call(o, connect(ALICE), connect(BOB));
    s.packet(b, behind_nat, &rtp(0xb0b, 1, 160)).unwrap();
    // Nothing has followed it when the next phone speaks, which signalling has not heard of yet.
    s.pass(Duration::from_secs(2));
    s.packet(b, carol, &rtp(0xca401, 1, 160)).unwrap();
    let to = Some(connect(carol));
    s.command(RelayCommand::Retarget { session: ID, leg: Leg::B, region: RegionId(2), to });
    s.events();
    stranger(&mut s, b, behind_nat, &rtp(0xb0b, 2, 320));
    assert_eq!(s.events(), [], "nobody has come");
    s.packet(b, carol, &rtp(0xca401, 2, 320)).unwrap();
    assert!(s.events().iter().any(|event| matches!(event, RelayEvent::Resumed { leg: Leg::B, .. })));
}
