//! The whole engine with the kernel's help, between real interfaces: what signalling and phones see is what they see without.
//!
//! Needs root, `ip` and `unshare`; says so and does nothing where it may not.

#[path = "xdp/net.rs"]
#[allow(dead_code, reason = "every test file compiles this module and uses a part of it")]
mod net;

use datapath::xdp::Passed;
use datapath::{DatapathChoice, Engine, EngineConfig, RelayHandle, Watched};
use net::{Family, Net, V4, V6, socket};
use relay_core::{Counters, Recall, RelayConfig};
use relay_values::{
    Carrier, Carries, Connect, Direction, Hearing, Latching, Leg, LegSpec, Measured, Open, RegionId,
    RelayCommand, RelayEvent, Remote, SessionId, SessionStats, SilenceKind,
};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(10);
const SESSION: SessionId = SessionId::new(0, 1);
const EVENT: u8 = 101;

/// A phone's stream.
struct Phone {
    socket: UdpSocket,
    ssrc: u32,
    sequence: u16,
    timestamp: u32,
}

impl Phone {
    fn next(&mut self) -> Vec<u8> {
        self.sequence = self.sequence.wrapping_add(1);
        self.timestamp = self.timestamp.wrapping_add(160);
        self.packet(0, self.timestamp, &[0xd5; 160])
    }

    fn packet(&self, second: u8, timestamp: u32, body: &[u8]) -> Vec<u8> {
        let mut b = vec![0x80, second];
        b.extend(self.sequence.to_be_bytes());
        b.extend(timestamp.to_be_bytes());
        b.extend(self.ssrc.to_be_bytes());
        b.extend(body);
        b
    }

    fn receive(&self) -> Vec<u8> {
        let mut buffer = [0; 2048];
        let until = Instant::now() + PATIENCE;
        loop {
            if let Ok((len, _)) = self.socket.recv_from(&mut buffer) {
                return buffer[..len].to_vec();
            }
            assert!(Instant::now() < until, "no packet came");
        }
    }
}

struct World {
    net: Net,
    engine: Engine,
    relay: RelayHandle,
    /// Where the carrier's and the tier's packets go.
    ours: [SocketAddr; 2],
    carrier: Phone,
    tier: Phone,
}

fn connect(rtp: SocketAddr) -> Connect {
    Connect {
        remote: Remote { rtp, rtcp: SocketAddr::new(rtp.ip(), rtp.port() + 1), mux: false },
        direction: Direction::SendRecv,
        clock_rate: 8000,
        event: Some(EVENT),
        carries: Carries::Rtp,
    }
}

impl World {
    /// A call between two phones; `None` where the kernel does not let us.
    fn new(f: Family, inactivity: Option<Duration>) -> Option<Self> {
        Self::aged(f, inactivity, Duration::ZERO)
    }

    /// The same, by an engine that has run for so long.
    fn aged(f: Family, inactivity: Option<Duration>, age: Duration) -> Option<Self> {
        let net = Net::new();
        let ip = |text: &str| text.parse::<IpAddr>().expect("an address");
        let config = EngineConfig {
            relay: RelayConfig {
                addresses: vec![ip(f.relay_c), ip(f.relay_t)],
                ports: 30_000..=30_099,
                max_sessions: 16,
                ..RelayConfig::default()
            },
            datapath: DatapathChoice::Auto,
            epoch: Instant::now().checked_sub(age).expect("the machine has run for longer"),
            ..EngineConfig::default()
        };
        let (engine, mut handles) = net.relay.run(move || Engine::start(&config)).expect("it starts");
        let standing = engine.standing();
        if standing.to_string().contains("CAP_BPF") {
            eprintln!("not run: {standing}");
            return None;
        }
        assert_eq!(standing.kernel.len(), 2, "{standing}");
        assert!(standing.kernel[0].starts_with("rc by tcx (xdp_native: no device below"), "{standing}");
        let phone = |host, ip, port, ssrc| Phone {
            socket: socket(host, ip, port),
            ssrc,
            sequence: 7,
            timestamp: 1000,
        };
        let carrier = phone(&net.carrier, f.carrier, 4000, 0xa);
        let tier = phone(&net.tier, f.tier, 5000, 0xb);
        let relay = handles.remove(0);
        let mut world = Self {
            net,
            engine,
            relay,
            ours: [carrier.socket.local_addr().expect("bound"); 2],
            carrier,
            tier,
        };
        let leg = |text| LegSpec { local: ip(text), latching: Latching::Exact };
        world.send(RelayCommand::Open(Open {
            session: SESSION,
            a: leg(f.relay_c),
            b: leg(f.relay_t),
            region: RegionId(1),
            tier_leg: Leg::B,
            inactivity,
        }));
        let RelayEvent::Opened { a_port, b_port, .. } = world.event() else { panic!("it opens") };
        world.ours = [SocketAddr::new(ip(f.relay_c), a_port), SocketAddr::new(ip(f.relay_t), b_port)];
        for (leg, socket) in [(Leg::A, &world.carrier.socket), (Leg::B, &world.tier.socket)] {
            let to = connect(socket.local_addr().expect("bound"));
            world.relay.send(RelayCommand::Connect { session: SESSION, leg, to }).expect("there is room");
        }
        world.heeded();
        Some(world)
    }

    fn send(&mut self, command: RelayCommand) {
        self.relay.send(command).expect("there is room");
        assert!(self.relay.flush());
    }

    /// Everything that was sent has been done: commands are done in order, and this one is answered.
    fn heeded(&mut self) {
        let leg = LegSpec { local: IpAddr::from([127, 0, 0, 1]), latching: Latching::Exact };
        let session = SessionId::new(0, 99);
        let (region, tier_leg, inactivity) = (RegionId(1), Leg::B, None);
        self.send(RelayCommand::Open(Open { session, a: leg, b: leg, region, tier_leg, inactivity }));
        while !matches!(self.event(), RelayEvent::OpenFailed { .. }) {}
    }

    fn event(&mut self) -> RelayEvent {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(event) = self.relay.recv() {
                return event;
            }
            assert!(Instant::now() < until, "no event came");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn counters_when(&self, fits: impl Fn(&Counters) -> bool) -> Counters {
        let until = Instant::now() + PATIENCE;
        loop {
            let counters = self.engine.counters().relay;
            if fits(&counters) {
                return counters;
            }
            assert!(Instant::now() < until, "{counters:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// So many packets each way, one at a time: each comes through before the next is sent.
    fn talk(&mut self, packets: usize) -> Vec<[Vec<u8>; 2]> {
        (0..packets)
            .map(|_| {
                let (to_tier, to_carrier) = (self.carrier.next(), self.tier.next());
                self.carrier.socket.send_to(&to_tier, self.ours[0]).expect("it is sent");
                self.tier.socket.send_to(&to_carrier, self.ours[1]).expect("it is sent");
                let heard = [self.tier.receive(), self.carrier.receive()];
                assert_eq!(heard[0], to_tier, "the carrier's stream is nobody's to change");
                heard
            })
            .collect()
    }

    /// Until the engine has heard of a change, packets may go where nobody is: talk until one comes through.
    fn come_through(&mut self) {
        let until = Instant::now() + PATIENCE;
        let mut buffer = [0; 2048];
        while Instant::now() < until {
            let packet = self.carrier.next();
            self.carrier.socket.send_to(&packet, self.ours[0]).expect("it is sent");
            if self.tier.socket.recv_from(&mut buffer).is_ok() {
                return;
            }
        }
        panic!("nothing comes through any more");
    }

    fn measured(&self) -> Measured {
        let (answer, answered) = std::sync::mpsc::channel();
        self.engine.measure(SESSION, move |measured| drop(answer.send(measured))).expect("there is room");
        answered.recv_timeout(PATIENCE).expect("an answer").expect("it is open")
    }

    fn released(&mut self) -> SessionStats {
        self.send(RelayCommand::Release { session: SESSION });
        loop {
            if let RelayEvent::Released { stats, .. } = self.event() {
                return *stats;
            }
        }
    }
}

/// A second call, of which one side talks.
struct Other {
    carrier: Phone,
    tier: Phone,
    ours: SocketAddr,
}

impl World {
    fn other(&mut self, session: SessionId) -> Other {
        let ip = |text: &str| text.parse::<IpAddr>().expect("an address");
        let phone = |host, ip, port, ssrc| Phone {
            socket: socket(host, ip, port),
            ssrc,
            sequence: 7,
            timestamp: 1000,
        };
        let carrier = phone(&self.net.carrier, V4.carrier, 4010, 0xe);
        let tier = phone(&self.net.tier, V4.tier, 5010, 0xf);
        let leg = |text| LegSpec { local: ip(text), latching: Latching::Exact };
        let (a, b) = (leg(V4.relay_c), leg(V4.relay_t));
        let (region, tier_leg, inactivity) = (RegionId(1), Leg::B, None);
        self.send(RelayCommand::Open(Open { session, a, b, region, tier_leg, inactivity }));
        let ours = loop {
            if let RelayEvent::Opened { session: opened, a_port, .. } = self.event()
                && opened == session
            {
                break SocketAddr::new(ip(V4.relay_c), a_port);
            }
        };
        for (leg, socket) in [(Leg::A, &carrier.socket), (Leg::B, &tier.socket)] {
            let to = connect(socket.local_addr().expect("bound"));
            self.relay.send(RelayCommand::Connect { session, leg, to }).expect("there is room");
        }
        self.heeded();
        Other { carrier, tier, ours }
    }
}

fn word(packet: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(packet[at..at + 4].try_into().expect("four bytes"))
}

/// A call that is carried by the kernel, has a digit pressed, moves to another place and ends: nobody can tell.
fn life(f: Family) {
    let Some(mut world) = World::new(f, None) else { return };
    let heard = world.talk(100);
    assert!(heard.windows(2).all(|w| word(&w[1][1], 0) == word(&w[0][1], 0) + 1));
    // Eight by the sockets, the rest by the kernel.
    let counters = world.counters_when(|c| c.forwarded == 200);
    assert!((180..=184).contains(&counters.offloaded), "{counters:?}");
    assert_eq!(world.engine.counters().kernel_flows, 2);

    // A digit goes by the sockets, and so does what follows it at once.
    let begun = world.tier.timestamp + 160;
    for n in 0..8 {
        world.tier.sequence += 1;
        let end = if n > 4 { 0x80 } else { 0 };
        let digit = world.tier.packet(EVENT, begun, &[5, end | 10, 0, 160]);
        world.tier.socket.send_to(&digit, world.ours[1]).expect("it is sent");
        assert_eq!(world.carrier.receive(), digit);
    }
    let heard = world.talk(50);
    let before = world.counters_when(|c| c.forwarded == 308);
    assert!((260..=284).contains(&before.offloaded), "{before:?}");

    // The tier's leg moves: another stream, and the carrier hears the one that it knows.
    let last = heard.last().expect("there were some")[1].clone();
    let new = socket(&world.net.tier, f.tier, 5002);
    let to = connect(new.local_addr().expect("bound"));
    world.send(RelayCommand::Retarget { session: SESSION, leg: Leg::B, region: RegionId(2), to: Some(to) });
    world.tier = Phone { socket: new, ssrc: 0xc, sequence: 40_000, timestamp: 9 };
    world.heeded();
    let heard = world.talk(100);
    let mut sequence = word(&last, 0) as u16;
    for [_, packet] in &heard {
        sequence = sequence.wrapping_add(1);
        assert_eq!((word(packet, 0) as u16, word(packet, 8)), (sequence, 0xb));
    }
    let after = world.counters_when(|c| c.forwarded == 508);
    assert!(after.offloaded >= before.offloaded + 160, "{after:?}");

    let stats = world.released();
    let passed = world.engine.counters().passed;
    assert!(passed[Passed::Event as usize] > 0 && passed[Passed::Length as usize] == 0, "{passed:?}");
    assert_eq!((stats.from_a.packets, stats.from_b.packets), (250, 258));
    assert_eq!((stats.from_a.forwarded, stats.from_b.forwarded), (250, 258));
    assert_eq!((stats.from_a.lost, stats.from_b.lost), (0, 0));
    assert_eq!((stats.from_a.bytes, stats.from_b.ssrc), (250 * 172, 0xc));
    let errors = [&world.net.carrier, &world.net.relay, &world.net.tier].map(|host| host.checksum_errors());
    assert_eq!(errors, [0; 3]);
}

#[test]
fn a_call_over_ipv4_lives_in_the_kernel_and_nobody_can_tell() {
    life(V4);
}

#[test]
fn a_call_over_ipv6_lives_in_the_kernel_and_nobody_can_tell() {
    life(V6);
}

#[test]
fn a_call_that_is_looked_at_is_measured_where_it_is_and_stays_in_the_kernel() {
    let Some(mut world) = World::new(V4, None) else { return };
    world.talk(30);
    let before = world.counters_when(|c| c.forwarded == 60);
    let now = world.measured();
    assert_eq!((now.a.carrier, now.b.carrier), (Carrier::Kernel, Carrier::Kernel));
    assert_eq!((now.stats.from_a.packets, now.stats.from_b.packets), (30, 30), "the kernel's are among them");
    for n in 0..100 {
        // Every tenth of the carrier's is lost on the way to us.
        if n % 10 == 9 {
            world.carrier.next();
        }
        world.talk(1);
        let now = world.measured();
        let lost = u64::from(n / 10 + u32::from(n % 10 == 9));
        assert_eq!((now.stats.from_a.packets, now.stats.from_a.lost), (31 + u64::from(n), lost));
        assert_eq!((now.a.carrier, now.a.hearing(now.at)), (Carrier::Kernel, Hearing::Flowing));
        assert_eq!(now.stats.from_b.forwarded, 31 + u64::from(n));
    }
    let after = world.counters_when(|c| c.forwarded == 260);
    assert_eq!(after.offloaded, before.offloaded + 200, "not one went by the sockets");
    let last = world.measured().stats;
    assert_eq!(world.released(), last);
}

#[test]
fn a_neighbour_that_changes_its_card_or_goes_away_is_noticed() {
    let Some(mut world) = World::new(V4, None) else { return };
    world.talk(30);
    // Another card under the same address, and it says so.
    world.net.tier.ip("link set t0 address 02:00:00:00:02:77");
    world.net.relay.ip("neigh replace 198.51.100.50 lladdr 02:00:00:00:02:77 dev rt nud reachable");
    world.come_through();
    world.talk(30);
    // It is forgotten: the sockets carry on, and the stack asks.
    world.net.relay.ip("neigh del 198.51.100.50 dev rt");
    world.talk(100);
    let counters = world.counters_when(|c| c.forwarded > 320);
    assert!(counters.offloaded > 250, "{counters:?}");
    assert_eq!(counters.drops, Default::default());
}

#[test]
fn a_neighbour_that_was_entered_by_hand_is_let_alone() {
    // Neighbours are made sure of every 15 seconds.
    let Some(mut world) = World::aged(V4, None, Duration::from_secs(14)) else { return };
    world.net.relay.ip("neigh replace 198.51.100.50 lladdr 02:00:00:00:02:02 dev rt nud permanent");
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(3) {
        world.talk(2);
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(world.engine.counters().kernel_flows > 0);
    let show = || std::process::Command::new("ip").args(["neigh", "show", "198.51.100.50"]).output();
    let known = world.net.relay.run(show).expect("ip runs");
    let known = String::from_utf8_lossy(&known.stdout).into_owned();
    assert!(known.contains("PERMANENT"), "{known}");
}

#[test]
fn silence_is_told_of_a_leg_whose_packets_only_the_kernel_saw() {
    let Some(mut world) = World::new(V4, Some(Duration::from_secs(1))) else { return };
    // One leg falls silent; the other is heard for longer than the time that is allowed.
    world.talk(20);
    for _ in 0..75 {
        let packet = world.carrier.next();
        world.carrier.socket.send_to(&packet, world.ours[0]).expect("it is sent");
        assert_eq!(world.tier.receive(), packet);
        std::thread::sleep(Duration::from_millis(20));
    }
    let silent = loop {
        match world.event() {
            RelayEvent::Silent { leg, kind, .. } => break (leg, kind),
            _ => continue,
        }
    };
    assert_eq!(silent, (Leg::B, SilenceKind::Stopped), "the other one was heard, if only by the kernel");
    assert!(world.counters_when(|c| c.forwarded == 115).offloaded > 80);
}

#[test]
fn a_description_that_says_the_same_and_a_hold_leave_in_the_kernel_what_they_do_not_concern() {
    let Some(mut world) = World::new(V4, None) else { return };
    world.talk(30);
    let before = world.counters_when(|c| c.forwarded == 60);
    let described = |world: &World| connect(world.tier.socket.local_addr().expect("bound"));
    let say = |world: &mut World, direction| {
        let to = Connect { direction, ..described(world) };
        world.send(RelayCommand::Connect { session: SESSION, leg: Leg::B, to });
        world.heeded();
    };
    // The session is refreshed: nobody comes by the sockets.
    say(&mut world, Direction::SendRecv);
    world.talk(20);
    let refreshed = world.counters_when(|c| c.forwarded == 100);
    assert_eq!(refreshed.offloaded, before.offloaded + 40);
    // The tier is put on hold and hears music, all of it by the kernel.
    say(&mut world, Direction::SendOnly);
    for _ in 0..20 {
        let packet = world.carrier.next();
        world.carrier.socket.send_to(&packet, world.ours[0]).expect("it is sent");
        assert_eq!(world.tier.receive(), packet);
    }
    let held = world.counters_when(|c| c.forwarded == 120);
    assert_eq!(held.offloaded, refreshed.offloaded + 20);
    // It is back: one packet by the sockets, the rest by the kernel.
    say(&mut world, Direction::SendRecv);
    world.talk(20);
    let back = world.counters_when(|c| c.forwarded == 160);
    assert_eq!(back.offloaded, held.offloaded + 39);
    assert_eq!(back.drops, Default::default());
}

/// Has the call watched.
fn watch(world: &World) -> Watched {
    let (answer, answered) = std::sync::mpsc::channel();
    world.engine.watch(SESSION, move |watched| drop(answer.send(watched))).expect("there is room");
    answered.recv_timeout(PATIENCE).expect("an answer").expect("it is watched")
}

#[test]
fn a_call_that_is_watched_leaves_the_kernel_for_that_time_and_the_others_stay() {
    let Some(mut world) = World::new(V4, None) else { return };
    world.talk(30);
    // Another call beside it.
    let mut other = world.other(SessionId::new(0, 2));
    let beside = |world: &mut World, other: &mut Other| {
        for _ in 0..30 {
            let packet = other.carrier.next();
            other.carrier.socket.send_to(&packet, other.ours).expect("it is sent");
            assert_eq!(other.tier.receive(), packet);
        }
        world.counters_when(|c| c.forwarded == c.packets)
    };
    beside(&mut world, &mut other);
    let settled = world.counters_when(|c| c.forwarded == 90);
    assert_eq!((settled.offloaded, settled.recalled[Recall::Watched as usize]), (60 - 16 + 30 - 8, 0));

    let mut watched = watch(&world);
    let heard = world.talk(40);
    beside(&mut world, &mut other);
    let during = world.counters_when(|c| c.forwarded == 90 + 80 + 30);
    assert_eq!(during.recalled[Recall::Watched as usize], 2, "both of its flows");
    assert_eq!(during.offloaded, settled.offloaded + 30, "the other call's alone");
    let mut seen = Vec::new();
    while let Some(packet) = watched.next_packet() {
        seen.push(packet);
    }
    assert_eq!((seen.len(), watched.missed()), (4 * 40, 0), "each packet as it came and as it went");
    let carrier = world.carrier.socket.local_addr().expect("bound");
    let to_carrier: Vec<_> = seen.iter().filter(|p| p.sent && p.to == carrier).map(|p| p.bytes()).collect();
    assert!(to_carrier.into_iter().eq(heard.iter().map(|[_, packet]| &packet[..])));
    assert!(seen.windows(2).all(|two| two[0].at <= two[1].at));

    drop(watched);
    world.talk(40);
    let after = world.counters_when(|c| c.forwarded == 200 + 80);
    // A packet each way that wakes the worker, one that offers the flow.
    assert!((during.offloaded + 76..=during.offloaded + 78).contains(&after.offloaded), "{after:?}");
    assert_eq!(world.engine.counters().kernel_flows, 3);
    let stats = world.released();
    assert_eq!((stats.from_a.packets, stats.from_b.packets), (110, 110));
    assert_eq!((stats.from_a.lost, stats.from_b.lost, stats.from_a.forwarded), (0, 0, 110));
}
