//! Strangers stay out, whatever carries the packets: the table of the core's tests with real sockets, hosts and addresses.
//!
//! Needs root, `ip`, `ethtool` and `unshare` for the engines that want hosts of their own; says so and runs those on loopback
//! that can where it may not.

#[path = "xdp/net.rs"]
#[allow(dead_code, reason = "every test file compiles this module and uses a part of it")]
mod net;
#[path = "../../core/tests/strangers/table.rs"]
mod table;

use datapath::xdp::{Attached, Program, Rung, Setup};
use datapath::{DatapathChoice, Engine, EngineConfig, RelayHandle, SocketEngine};
use net::{Host, Net, V4};
use relay_core::RelayConfig;
use relay_values::{
    Carries, Connect, Direction, Latching, Leg, LegSpec, Open, RegionId, RelayCommand, RelayEvent, Remote,
    SessionId,
};
use std::collections::HashMap;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};
use table::{Heard, Socket, Who};

const PATIENCE: Duration = Duration::from_secs(10);
/// Nothing has come for this long after the last packet that was to come: nothing comes.
const QUIET: Duration = Duration::from_millis(10);
/// Packets that are sent before those who receive have a turn.
const BURST: usize = 64;
/// A call whose reports tell that everything before them has been done.
const BELL: SessionId = SessionId::new(0, 88_888);
const BELL_PORT: u16 = 5000;
/// Attempts on a machine that is busy with other things while a window is open.
const ATTEMPTS: usize = 5;

/// An engine, and everybody around it.
struct World {
    engine: Engine,
    relay: RelayHandle,
    locals: [IpAddr; 2],
    /// First host on either side.
    hosts: [Ipv4Addr; 2],
    sockets: HashMap<Socket, UdpSocket>,
    /// Those who ring and hear the bell, and our port for it.
    bell: [UdpSocket; 2],
    bell_port: u16,
    rung: u32,
    sent: usize,
    heard: Vec<Heard>,
    /// They go last.
    _opposite: Vec<(Program, Attached)>,
    _net: Option<Net>,
}

fn side<T>(leg: Leg, [a, b]: [T; 2]) -> T {
    match leg {
        Leg::A => a,
        Leg::B => b,
    }
}

fn config(locals: [IpAddr; 2], datapath: DatapathChoice, sockets: SocketEngine) -> EngineConfig {
    EngineConfig {
        relay: RelayConfig {
            addresses: locals.to_vec(),
            ports: 30_000..=35_999,
            max_sessions: 2000,
            ..RelayConfig::default()
        },
        receive_buffer: Some(4 << 20),
        datapath,
        sockets,
        ..EngineConfig::default()
    }
}

/// XDP between veths wants a program at the other end, too: one that has no flow passes everything.
fn stand_opposite(host: &Host, interface: &'static str) -> (Program, Attached) {
    host.run(move || {
        let setup = Setup { locals: Vec::new(), dscp: 46, hop_limit: 64, epoch: Instant::now() };
        let mut program = Program::load(&setup, 2).expect("it was loaded before");
        let attached = program.attach(interface, &[Rung::NativeXdp]).expect("veth has native XDP");
        (program, attached)
    })
}

impl World {
    /// Between hosts of its own; `None` where the kernel does not let us.
    fn between_hosts(datapath: DatapathChoice, sockets: SocketEngine) -> Option<Self> {
        let net = Net::new();
        let ip = |text: &str| text.parse::<Ipv4Addr>().expect("an address");
        let hosts = [ip(V4.carrier), ip(V4.tier)];
        for (host, interface, first) in [(&net.carrier, "c0", hosts[0]), (&net.tier, "t0", hosts[1])] {
            for n in 1..4 {
                host.address(interface, &format!("{}/{}", at(first, n), V4.bits));
            }
        }
        let mut opposite = Vec::new();
        if let DatapathChoice::By(rung) = datapath
            && rung != Rung::Tcx
        {
            // XDP does not see that a neighbour on this host has left the checksum to a card.
            net.carrier.command("ethtool", "-K c0 tx off");
            net.tier.command("ethtool", "-K t0 tx off");
            opposite = vec![stand_opposite(&net.carrier, "c0"), stand_opposite(&net.tier, "t0")];
        }
        let locals = [V4.relay_c, V4.relay_t].map(|text| ip(text).into());
        let config = config(locals, datapath, sockets);
        let started = net.relay.run(move || Engine::start(&config));
        let (engine, mut handles) = match started {
            Ok(started) => started,
            Err(why) => {
                eprintln!("not run: {why}");
                return None;
            }
        };
        let bind = |leg, at| {
            let host = side(leg, [&net.carrier, &net.tier]);
            host.run(move || UdpSocket::bind(at))
        };
        let (sockets, bell) = (open_sockets(hosts, bind), open_bell(hosts, bind));
        let parts = (engine, handles.remove(0), sockets, bell);
        Some(Self::new(locals, hosts, parts, opposite, Some(net)))
    }

    fn on_loopback(sockets: SocketEngine) -> Option<Self> {
        let locals = [[127, 0, 0, 21], [127, 0, 0, 22]].map(IpAddr::from);
        let hosts = [[127, 0, 1, 50], [127, 0, 2, 50]].map(Ipv4Addr::from);
        let (engine, mut handles) = match Engine::start(&config(locals, DatapathChoice::Sockets, sockets)) {
            Ok(started) => started,
            Err(why) => {
                eprintln!("not run: {why}");
                return None;
            }
        };
        let bind = |_, at| UdpSocket::bind(at);
        let (sockets, bell) = (open_sockets(hosts, bind), open_bell(hosts, bind));
        let parts = (engine, handles.remove(0), sockets, bell);
        Some(Self::new(locals, hosts, parts, Vec::new(), None))
    }

    fn new(
        locals: [IpAddr; 2],
        hosts: [Ipv4Addr; 2],
        (engine, relay, sockets, bell): (Engine, RelayHandle, HashMap<Socket, UdpSocket>, [UdpSocket; 2]),
        _opposite: Vec<(Program, Attached)>,
        _net: Option<Net>,
    ) -> Self {
        let (bell_port, rung, sent, heard) = (0, 0, 0, Vec::new());
        let mut world = Self {
            engine,
            relay,
            locals,
            hosts,
            sockets,
            bell,
            bell_port,
            rung,
            sent,
            heard,
            _opposite,
            _net,
        };
        let [a, b] = locals.map(|local| LegSpec { local, latching: Latching::Exact });
        let (region, tier_leg, inactivity) = (RegionId(1), Leg::B, None);
        let open = Open { session: BELL, a, b, region, tier_leg, inactivity };
        world.bell_port = table::Engine::open(&mut world, open).0 + 1;
        for (leg, socket) in [Leg::A, Leg::B].into_iter().zip(&world.bell) {
            let rtcp = socket.local_addr().expect("it is bound");
            let remote = Remote { rtp: SocketAddr::new(rtcp.ip(), BELL_PORT), rtcp, mux: false };
            let (direction, clock_rate, event, carries) = (Direction::SendRecv, 8000, None, Carries::Rtp);
            let to = Connect { remote, direction, clock_rate, event, carries };
            world.relay.send(RelayCommand::Connect { session: BELL, leg, to }).expect("there is room");
        }
        table::Engine::settle(&mut world);
        world
    }

    /// Until what was sent before has been done. Reports are never the kernel's.
    fn ring(&mut self) {
        self.rung += 1;
        let mut report = vec![0x80, 201, 0, 1, 0, 0, 0, 1, 0x80, 204, 0, 3, 0, 0, 0, 1];
        report.extend(b"bell");
        report.extend(self.rung.to_be_bytes());
        let to = (self.locals[0], self.bell_port);
        self.bell[0].send_to(&report, to).expect("it is sent");
        let until = Instant::now() + PATIENCE;
        let mut buffer = [0; 2048];
        loop {
            assert!(Instant::now() < until, "nobody hears the bell");
            if let Ok((len, _)) = self.bell[1].recv_from(&mut buffer)
                && buffer[..len].ends_with(&self.rung.to_be_bytes())
            {
                return;
            }
            self.listen();
        }
    }

    fn event(&mut self) -> RelayEvent {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(event) = self.relay.recv() {
                return event;
            }
            assert!(Instant::now() < until, "no event came");
            std::thread::sleep(Duration::from_micros(100));
        }
    }

    /// Take what has come.
    fn listen(&mut self) -> bool {
        let before = self.heard.len();
        let mut buffer = [0; 2048];
        for (&by, socket) in &self.sockets {
            loop {
                match socket.recv_from(&mut buffer) {
                    Ok((len, from)) => {
                        let bytes = buffer[..len].to_vec();
                        self.heard.push(Heard { by, port: from.port(), bytes });
                    }
                    Err(e) if e.kind() == ErrorKind::WouldBlock => break,
                    // A port of ours that is closed: an answer, too, but nobody's media.
                    Err(e) if e.kind() == ErrorKind::ConnectionRefused => {}
                    Err(e) => panic!("{e}"),
                }
            }
        }
        self.heard.len() > before
    }
}

fn at(first: Ipv4Addr, host: u8) -> Ipv4Addr {
    let [a, b, c, d] = first.octets();
    Ipv4Addr::new(a, b, c, d + host)
}

fn place(hosts: [Ipv4Addr; 2], (leg, who, rtcp): Socket) -> SocketAddr {
    let (host, port) = who.place();
    SocketAddr::new(at(side(leg, hosts), host).into(), port + u16::from(rtcp))
}

fn open_sockets(
    hosts: [Ipv4Addr; 2],
    bind: impl Fn(Leg, SocketAddr) -> std::io::Result<UdpSocket>,
) -> HashMap<Socket, UdpSocket> {
    let mut sockets = HashMap::new();
    for leg in [Leg::A, Leg::B] {
        for who in Who::ALL {
            for rtcp in [false, true] {
                let by = (leg, who, rtcp);
                let socket = bind(leg, place(hosts, by)).expect("the address is there and the port is free");
                socket.set_nonblocking(true).expect("a socket can");
                sockets.insert(by, socket);
            }
        }
    }
    sockets
}

/// RTCP of either side.
fn open_bell(
    hosts: [Ipv4Addr; 2],
    bind: impl Fn(Leg, SocketAddr) -> std::io::Result<UdpSocket>,
) -> [UdpSocket; 2] {
    [Leg::A, Leg::B].map(|leg| {
        let at = SocketAddr::new(side(leg, hosts).into(), BELL_PORT + 1);
        let socket = bind(leg, at).expect("the port is free");
        socket.set_read_timeout(Some(Duration::from_millis(5))).expect("a time that is not zero");
        socket
    })
}

impl table::Engine for World {
    fn local(&self, leg: Leg) -> IpAddr {
        side(leg, self.locals)
    }

    fn address(&self, socket: Socket) -> SocketAddr {
        place(self.hosts, socket)
    }

    fn open(&mut self, open: Open) -> (u16, u16) {
        self.command(RelayCommand::Open(open));
        assert!(self.relay.flush());
        loop {
            match self.event() {
                RelayEvent::Opened { a_port, b_port, .. } => return (a_port, b_port),
                RelayEvent::OpenFailed { reason, .. } => panic!("{reason:?}"),
                _ => {}
            }
        }
    }

    fn command(&mut self, command: RelayCommand) {
        self.relay.send(command).expect("there is room");
    }

    /// Commands are done in order, and this one is answered.
    fn settle(&mut self) {
        let leg = LegSpec { local: IpAddr::from([127, 0, 0, 1]), latching: Latching::Exact };
        let session = SessionId::new(0, 99_999);
        let (region, tier_leg, inactivity) = (RegionId(1), Leg::B, None);
        let nowhere = Open { session, a: leg, b: leg, region, tier_leg, inactivity };
        self.relay.send(RelayCommand::Open(nowhere)).expect("there is room");
        let until = Instant::now() + PATIENCE;
        while !self.relay.flush() {
            assert!(Instant::now() < until, "the queue does not move");
        }
        while !matches!(self.event(), RelayEvent::OpenFailed { .. }) {}
    }

    fn pass(&mut self, time: Duration) {
        std::thread::sleep(time);
    }

    fn elapsed(&self) -> Duration {
        static BEGIN: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
        BEGIN.get_or_init(Instant::now).elapsed()
    }

    fn send(&mut self, from: Socket, port: u16, bytes: &[u8]) {
        let to = (self.local(from.0), port);
        self.sockets[&from].send_to(bytes, to).expect("it is sent");
        self.sent += 1;
        if self.sent.is_multiple_of(BURST) {
            self.listen();
        }
    }

    fn heard(&mut self) -> Vec<Heard> {
        self.ring();
        let mut quiet = Instant::now() + QUIET;
        while Instant::now() < quiet {
            if self.listen() {
                quiet = Instant::now() + QUIET;
            } else {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        std::mem::take(&mut self.heard)
    }
}

/// The whole table; what was late, because the machine was too busy to keep a window, once more by a new engine.
fn matrix(world: impl Fn() -> Option<World>, before: impl Fn(&mut World, usize)) {
    let mut rows = table::rows();
    for _ in 0..ATTEMPTS {
        let Some(mut world) = world() else { return };
        let count = rows.len();
        rows = table::run(&mut world, rows, |world| before(world, count));
        if rows.is_empty() {
            return;
        }
        eprintln!("{} of {count} rows were late", rows.len());
    }
    panic!("{} rows were late in {ATTEMPTS} attempts", rows.len());
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn by_sockets(engine: SocketEngine) {
    if is_root() {
        matrix(|| World::between_hosts(DatapathChoice::Sockets, engine), |_, _| ());
    } else {
        eprintln!("on loopback, not between hosts of our own: this is not root");
        matrix(|| World::on_loopback(engine), |_, _| ());
    }
}

fn by_kernel(rung: Rung) {
    if !is_root() {
        return eprintln!("not run: the kernel's engine wants root");
    }
    // Four in five of the rows come so far, and their flows are two.
    let carried = |world: &mut World, rows: usize| {
        let until = Instant::now() + PATIENCE;
        loop {
            let counters = world.engine.counters();
            if counters.kernel_flows > 0 && (counters.kernel_flows as usize > rows || rows < 1000) {
                return;
            }
            assert!(Instant::now() < until, "the kernel carries calls that are learnt: {counters:?}");
            std::thread::sleep(Duration::from_millis(10));
        }
    };
    matrix(|| World::between_hosts(DatapathChoice::By(rung), SocketEngine::Epoll), carried);
}

/// One host tries every port of the range, with RTP and RTCP, and others the port of one call with the right numbers.
fn spray(world: Option<World>, kernel: bool) {
    let Some(mut world) = world else { return };
    let rtp = |sequence: u16, tail: u8| {
        let mut bytes = vec![0x80, 0];
        bytes.extend(sequence.to_be_bytes());
        bytes.extend([0, 0, 0, 160, 0, 0, 0, 0xa]);
        bytes.extend([tail; 160]);
        bytes
    };
    let call = |n| SessionId::new(0, n);
    let mut ours = Vec::new();
    for n in 0..20 {
        let [a, b] = world.locals.map(|local| LegSpec { local, latching: Latching::Address });
        let (region, tier_leg, inactivity) = (RegionId(1), Leg::B, None);
        let open = Open { session: call(n), a, b, region, tier_leg, inactivity };
        ours.push(table::Engine::open(&mut world, open));
        for leg in [Leg::A, Leg::B] {
            let [rtp, rtcp] = [false, true].map(|rtcp| place(world.hosts, (leg, Who::Sdp, rtcp)));
            let (direction, clock_rate, event, carries) = (Direction::SendRecv, 8000, None, Carries::Rtp);
            let to =
                Connect { remote: Remote { rtp, rtcp, mux: false }, direction, clock_rate, event, carries };
            table::Engine::command(&mut world, RelayCommand::Connect { session: call(n), leg, to });
        }
    }
    table::Engine::settle(&mut world);
    // One of the calls talks, so that somebody may go on with its numbers.
    let (a, b) = ours[7];
    for n in 0..20 {
        table::Engine::send(&mut world, (Leg::A, Who::Sdp, false), a, &rtp(n, 0x11));
        table::Engine::send(&mut world, (Leg::B, Who::Sdp, false), b, &rtp(n, 0x22));
        table::Engine::heard(&mut world);
    }
    if kernel {
        let until = Instant::now() + PATIENCE;
        while world.engine.counters().kernel_flows != 2 {
            assert!(Instant::now() < until, "the kernel carries the call that talks");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
    for n in 20..60 {
        for who in [Who::Port, Who::Side, Who::Nat, Who::Thief, Who::New] {
            table::Engine::send(&mut world, (Leg::A, who, false), a, &rtp(n, 0x66));
        }
    }
    let before = table::Engine::heard(&mut world);
    assert!(before.is_empty(), "right numbers from wrong places: {before:?}");
    let report = [0x80, 201, 0, 1, 0, 0, 0, 6];
    for port in 30_000..36_000 {
        for bytes in [&rtp(1, 0x66)[..], &report] {
            table::Engine::send(&mut world, (Leg::A, Who::Thief, false), port, bytes);
        }
    }
    let after = table::Engine::heard(&mut world);
    assert!(after.is_empty(), "{} packets went on or came back: {:?}", after.len(), after.first());
    let until = Instant::now() + PATIENCE;
    let strangers = loop {
        let strangers = world.engine.counters().relay.strangers;
        // Twenty calls with a leg on this side, and one with five who forge.
        if strangers.rtp >= 200 + 20 && strangers.rtcp >= 20 && strangers.sprays > 0 {
            break strangers;
        }
        assert!(Instant::now() < until, "somebody tried, and nobody was told: {strangers:?}");
        std::thread::sleep(Duration::from_millis(10));
    };
    assert_eq!(strangers.forged, 201, "and the one of the spray that has them, too");
    let thief = place(world.hosts, (Leg::A, Who::Thief, false)).ip();
    let busiest = world.engine.intruders().into_iter().find(|i| i.source == thief).expect("he is known");
    assert!(busiest.ports >= 16, "{busiest:?}");
    // The call that talks has lost nothing of it.
    table::Engine::send(&mut world, (Leg::A, Who::Sdp, false), a, &rtp(20, 0x11));
    let heard = table::Engine::heard(&mut world);
    assert_eq!(heard.iter().map(|h| h.by).collect::<Vec<_>>(), [(Leg::B, Who::Sdp, false)]);
}

#[test]
fn a_spray_and_right_numbers_from_wrong_places_find_no_open_door() {
    if !is_root() {
        eprintln!("on loopback, not between hosts of our own: this is not root");
        return spray(World::on_loopback(SocketEngine::Epoll), false);
    }
    for engine in [SocketEngine::Epoll, SocketEngine::Uring, SocketEngine::Lookup] {
        spray(World::between_hosts(DatapathChoice::Sockets, engine), false);
    }
    for rung in Rung::ALL {
        spray(World::between_hosts(DatapathChoice::By(rung), SocketEngine::Epoll), true);
    }
}

#[test]
fn the_matrix_holds_with_a_socket_for_every_port() {
    by_sockets(SocketEngine::Epoll);
}

#[test]
fn the_matrix_holds_with_the_ring() {
    by_sockets(SocketEngine::Uring);
}

#[test]
fn the_matrix_holds_with_one_socket_for_all_ports() {
    by_sockets(SocketEngine::Lookup);
}

#[test]
fn the_matrix_holds_with_native_xdp() {
    by_kernel(Rung::NativeXdp);
}

#[test]
fn the_matrix_holds_with_generic_xdp() {
    by_kernel(Rung::GenericXdp);
}

#[test]
fn the_matrix_holds_at_the_traffic_control_hook() {
    by_kernel(Rung::Tcx);
}
