//! An engine on loopback, and phones to talk through it.
#![allow(dead_code, reason = "every test file compiles this module and uses a part of it")]

use datapath::{Engine, EngineConfig, EngineCounters, NotWatched, RelayHandle, SocketEngine, Watched};
use relay_core::RelayConfig;
use relay_values::{
    Carries, Connect, Direction, Latching, Leg, LegSpec, Open, RegionId, RelayCommand, RelayEvent, Remote,
    SessionId, SessionStats,
};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// The engines that can be had here. What is told of one holds for each: on the same ports, one right after the other.
pub(crate) fn engines() -> Vec<SocketEngine> {
    let mut engines = vec![SocketEngine::Epoll, SocketEngine::Uring];
    if rustix::process::geteuid().is_root() {
        engines.push(SocketEngine::Lookup);
    } else {
        eprintln!("not run with the lookup engine: needs root");
    }
    engines
}

/// Every test has ports of its own: they run at the same time.
pub(crate) fn config(sockets: SocketEngine, ports: std::ops::RangeInclusive<u16>) -> EngineConfig {
    let addresses = ["127.0.0.9", "::1"].map(|a| a.parse().unwrap()).to_vec();
    EngineConfig {
        sockets,
        relay: RelayConfig { addresses, ports, ..RelayConfig::default() },
        ..EngineConfig::default()
    }
}

pub(crate) fn start(config: &EngineConfig) -> (Engine, RelayHandle) {
    let (engine, mut handles) = Engine::start(config).unwrap();
    (engine, handles.remove(0))
}

pub(crate) fn send(relay: &mut RelayHandle, command: RelayCommand) {
    relay.send(command).unwrap();
    assert!(relay.flush());
}

/// Wait on the handle's descriptor, as a shard does.
pub(crate) fn event(relay: &mut RelayHandle) -> RelayEvent {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(event) = relay.recv() {
            return event;
        }
        assert!(Instant::now() < until, "no event came");
        let mut fds = [rustix::event::PollFd::from_borrowed_fd(relay.as_fd(), rustix::event::PollFlags::IN)];
        let wait = rustix::event::Timespec { tv_sec: 10, tv_nsec: 0 };
        rustix::event::poll(&mut fds, Some(&wait)).unwrap();
    }
}

pub(crate) fn counters_when(
    engine: &Engine,
    mut fits: impl FnMut(&EngineCounters) -> bool,
) -> EngineCounters {
    let until = Instant::now() + PATIENCE;
    loop {
        let counters = engine.counters();
        if fits(&counters) {
            return counters;
        }
        assert!(Instant::now() < until, "{counters:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Have a session watched.
pub(crate) fn watch(engine: &Engine, session: SessionId) -> Result<Watched, NotWatched> {
    let (answer, answered) = std::sync::mpsc::channel();
    // Who waits is this thread.
    engine.watch(session, move |watched| drop(answer.send(watched))).unwrap();
    answered.recv_timeout(PATIENCE).unwrap()
}

/// A phone: an RTP and an RTCP socket.
pub(crate) struct Phone {
    pub(crate) rtp: UdpSocket,
    pub(crate) rtcp: UdpSocket,
    pub(crate) relay: IpAddr,
    pub(crate) port: u16,
}

impl Phone {
    pub(crate) fn new(ip: &str, relay: &str) -> Self {
        let [rtp, rtcp] = [(); 2].map(|()| {
            let s = UdpSocket::bind((ip, 0)).unwrap();
            s.set_read_timeout(Some(PATIENCE)).unwrap();
            s
        });
        Self { rtp, rtcp, relay: relay.parse().unwrap(), port: 0 }
    }

    pub(crate) fn connect(&self) -> Connect {
        let remote =
            Remote { rtp: self.rtp.local_addr().unwrap(), rtcp: self.rtcp.local_addr().unwrap(), mux: false };
        Connect {
            remote,
            direction: Direction::SendRecv,
            clock_rate: 8000,
            event: None,
            carries: Carries::Rtp,
        }
    }

    pub(crate) fn say(&self, bytes: &[u8]) {
        self.rtp.send_to(bytes, (self.relay, self.port)).unwrap();
    }

    pub(crate) fn report(&self, bytes: &[u8]) {
        self.rtcp.send_to(bytes, (self.relay, self.port + 1)).unwrap();
    }

    pub(crate) fn hear(socket: &UdpSocket) -> (Vec<u8>, SocketAddr) {
        let mut buffer = [0; 4096];
        let (n, from) = loop {
            match socket.recv_from(&mut buffer) {
                // A ring that was made by this thread may call it for a moment.
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                heard => break heard.expect("nothing was heard"),
            }
        };
        (buffer[..n].to_vec(), from)
    }
}

pub(crate) fn rtp(sequence: u16) -> Vec<u8> {
    let mut b = vec![0x80, 8];
    b.extend(sequence.to_be_bytes());
    b.extend((u32::from(sequence) * 160).to_be_bytes());
    b.extend([0xca, 0xfe, 0, 1]);
    b.extend([0xd5; 160]);
    b
}

pub(crate) const REPORT: [u8; 8] = [0x80, 201, 0, 1, 0xca, 0xfe, 0, 1];

pub(crate) fn open(session: SessionId, a: &str, b: &str) -> Open {
    let leg = |local: &str| LegSpec { local: local.parse().unwrap(), latching: Latching::Exact };
    Open { session, a: leg(a), b: leg(b), region: RegionId(0), tier_leg: Leg::B, inactivity: None }
}

/// A call between two phones.
pub(crate) fn call(relay: &mut RelayHandle, open: Open, alice: &mut Phone, bob: &mut Phone) {
    let session = open.session;
    send(relay, RelayCommand::Open(open));
    match event(relay) {
        RelayEvent::Opened { session: s, a_port, b_port } if s == session => {
            (alice.port, bob.port) = (a_port, b_port);
        }
        other => panic!("{other:?}"),
    }
    send(relay, RelayCommand::Connect { session, leg: Leg::A, to: alice.connect() });
    send(relay, RelayCommand::Connect { session, leg: Leg::B, to: bob.connect() });
}

pub(crate) fn release(relay: &mut RelayHandle, session: SessionId) -> SessionStats {
    send(relay, RelayCommand::Release { session });
    loop {
        match event(relay) {
            RelayEvent::Released { session: s, stats } if s == session => return *stats,
            RelayEvent::Latched { .. } => {}
            other => panic!("{other:?}"),
        }
    }
}
