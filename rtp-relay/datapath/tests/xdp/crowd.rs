//! A crowd of calls between one phone of the carrier's and one of the tier's, all in the kernel.

use super::net;
use datapath::{DatapathChoice, Engine, EngineConfig, RelayHandle, SocketEngine};
use net::{Net, V4, socket};
use relay_core::{Counters, RelayConfig};
use relay_values::{
    Carries, Connect, Direction, Latching, Leg, LegSpec, Open, RegionId, RelayCommand, RelayEvent, Remote,
    SessionId,
};
use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
pub(crate) const OLD: RegionId = RegionId(1);
pub(crate) const NEW: RegionId = RegionId(2);
/// Enough for all that may wait at a slow reader.
pub(crate) const BUFFER: usize = 64 << 20;
/// Packets after which a flow is in the kernel.
pub(crate) const TO_THE_KERNEL: u16 = 9;

/// A packet as it was heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Heard {
    pub(crate) sequence: u16,
    pub(crate) timestamp: u32,
    pub(crate) ssrc: u32,
    pub(crate) at: Instant,
}

/// Whoever listens at one place, to all calls: by the port of ours that their packets come from.
pub(crate) struct Ear {
    pub(crate) socket: Arc<UdpSocket>,
    heard: Arc<Mutex<BTreeMap<u16, Vec<Heard>>>>,
    count: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Ear {
    pub(crate) fn new(socket: UdpSocket) -> Self {
        rustix::net::sockopt::set_socket_recv_buffer_size_force(&socket, BUFFER).expect("root may");
        let socket = Arc::new(socket);
        let heard = Arc::new(Mutex::new(BTreeMap::<u16, Vec<Heard>>::new()));
        let (count, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let thread = {
            let (socket, heard) = (Arc::clone(&socket), Arc::clone(&heard));
            let (count, stop) = (Arc::clone(&count), Arc::clone(&stop));
            std::thread::spawn(move || {
                let mut buffer = [0; 2048];
                while !stop.load(Ordering::Acquire) {
                    let Ok((_, from)) = socket.recv_from(&mut buffer) else { continue };
                    let word = |i: usize| u32::from_be_bytes(buffer[i..i + 4].try_into().expect("four"));
                    let packet = Heard {
                        sequence: word(0) as u16,
                        timestamp: word(4),
                        ssrc: word(8),
                        at: Instant::now(),
                    };
                    heard.lock().expect("nobody panics").entry(from.port()).or_default().push(packet);
                    count.fetch_add(1, Ordering::Release);
                }
            })
        };
        Self { socket, heard, count, stop, thread: Some(thread) }
    }

    pub(crate) fn count(&self) -> u64 {
        self.count.load(Ordering::Acquire)
    }

    pub(crate) fn wait_for(&self, count: u64) {
        self.wait(count).unwrap_or_else(|missing| panic!("{missing} packets of {count} have not come"));
    }

    pub(crate) fn wait(&self, count: u64) -> Result<(), u64> {
        let until = Instant::now() + PATIENCE;
        while self.count() < count {
            if Instant::now() > until {
                return Err(count - self.count());
            }
            std::thread::sleep(Duration::from_micros(200));
        }
        Ok(())
    }

    pub(crate) fn take(&self) -> BTreeMap<u16, Vec<Heard>> {
        std::mem::take(&mut *self.heard.lock().expect("nobody panics"))
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Our ports of a call: the carrier's side and the tier's.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call {
    pub(crate) a: SocketAddr,
    pub(crate) b: SocketAddr,
}

pub(crate) struct World {
    pub(crate) net: Net,
    pub(crate) engine: Engine,
    pub(crate) relay: RelayHandle,
    pub(crate) events: VecDeque<RelayEvent>,
    pub(crate) calls: Arc<Vec<Call>>,
    pub(crate) carrier: Ear,
    pub(crate) tier: Ear,
}

pub(crate) fn packet(ssrc: u32, sequence: u16) -> Vec<u8> {
    let mut b = vec![0x80, 0];
    b.extend(sequence.to_be_bytes());
    b.extend((u32::from(sequence) * 160).to_be_bytes());
    b.extend(ssrc.to_be_bytes());
    b.extend([0xd5; 160]);
    b
}

pub(crate) fn session(n: usize) -> SessionId {
    SessionId::new(0, n as u64)
}

pub(crate) fn connect(rtp: SocketAddr) -> Connect {
    let rtcp = SocketAddr::new(rtp.ip(), rtp.port() + 1);
    let remote = Remote { rtp, rtcp, mux: false };
    let direction = Direction::SendRecv;
    Connect { remote, direction, clock_rate: 8000, event: None, carries: Carries::Rtp }
}

/// A packet of every call from one place, spread over `span`.
pub(crate) fn round(
    from: &UdpSocket,
    to: impl Iterator<Item = SocketAddr>,
    n: usize,
    sequence: u16,
    span: Duration,
) {
    let begin = Instant::now();
    for (call, to) in to.enumerate() {
        let due = begin + span * call as u32 / n as u32;
        while Instant::now() < due {
            std::hint::spin_loop();
        }
        from.send_to(&packet(call as u32 + 1, sequence), to).expect("it is sent");
    }
}

impl World {
    /// So many calls between one phone of the carrier's and one of the tier's, all in the kernel; `None` where it does not
    /// let us.
    pub(crate) fn new(calls: usize) -> Option<Self> {
        Self::with_room(calls, 1)
    }

    /// The same with room for so many more.
    pub(crate) fn with_room(calls: usize, more: usize) -> Option<Self> {
        let net = Net::new();
        let last = 20_000 + 4 * (calls + more);
        let ip = |text: &str| text.parse::<IpAddr>().expect("an address");
        let config = EngineConfig {
            relay: RelayConfig {
                addresses: vec![ip(V4.relay_c), ip(V4.relay_t)],
                ports: 20_000..=u16::try_from(last).expect("there are so many"),
                max_sessions: calls + more,
                ..RelayConfig::default()
            },
            datapath: DatapathChoice::Auto,
            sockets: SocketEngine::Auto,
            ..EngineConfig::default()
        };
        let (engine, mut handles) = net.relay.run(move || Engine::start(&config)).expect("it starts");
        let standing = engine.standing();
        if standing.to_string().contains("CAP_BPF") {
            eprintln!("not run: {standing}");
            return None;
        }
        eprintln!("{standing}");
        let carrier = Ear::new(socket(&net.carrier, V4.carrier, 4000));
        let tier = Ear::new(socket(&net.tier, V4.tier, 5000));
        let (relay, events) = (handles.remove(0), VecDeque::new());
        let mut world = Self { net, engine, relay, events, calls: Arc::default(), carrier, tier };
        let leg = |text| LegSpec { local: ip(text), latching: Latching::Exact };
        let mut opened = Vec::new();
        for n in 0..calls {
            world.send(RelayCommand::Open(Open {
                session: session(n),
                a: leg(V4.relay_c),
                b: leg(V4.relay_t),
                region: OLD,
                tier_leg: Leg::B,
                inactivity: None,
            }));
            let RelayEvent::Opened { a_port, b_port, .. } = world.event() else { panic!("it opens") };
            let at = |text, port| SocketAddr::new(ip(text), port);
            opened.push(Call { a: at(V4.relay_c, a_port), b: at(V4.relay_t, b_port) });
            for (leg, ear) in [(Leg::A, &world.carrier), (Leg::B, &world.tier)] {
                let to = connect(ear.socket.local_addr().expect("bound"));
                let command = RelayCommand::Connect { session: session(n), leg, to };
                world.relay.send(command).expect("there is room");
            }
        }
        world.calls = Arc::new(opened);
        world.heeded();
        for sequence in 0..TO_THE_KERNEL {
            world.talk(sequence);
        }
        world.in_the_kernel(2 * calls as u64);
        Some(world)
    }

    /// Everybody says one thing, and all of it is heard.
    pub(crate) fn talk(&self, sequence: u16) {
        let (carrier, tier, n) = (self.carrier.count(), self.tier.count(), self.calls.len());
        // What the sockets carry before the kernel does.
        let span = Duration::from_micros(20) * n as u32;
        round(&self.carrier.socket, self.calls.iter().map(|c| c.a), n, sequence, span);
        round(&self.tier.socket, self.calls.iter().map(|c| c.b), n, sequence, span);
        let all = [self.carrier.wait(carrier + n as u64), self.tier.wait(tier + n as u64)];
        assert_eq!(all, [Ok(()); 2], "{sequence}: {:?}", self.engine.counters());
    }

    pub(crate) fn send(&mut self, command: RelayCommand) {
        self.relay.send(command).expect("there is room");
        assert!(self.relay.flush());
    }

    /// Everything that was sent has been done: commands are done in order, and this one is answered.
    pub(crate) fn heeded(&mut self) {
        let leg = LegSpec { local: IpAddr::from([127, 0, 0, 1]), latching: Latching::Exact };
        let (session, region, tier_leg, inactivity) = (session(1 << 20), OLD, Leg::B, None);
        let open = RelayCommand::Open(Open { session, a: leg, b: leg, region, tier_leg, inactivity });
        let until = Instant::now() + PATIENCE;
        while self.relay.send(open.clone()).is_err() {
            self.relay.flush();
            assert!(Instant::now() < until, "the queue stays full");
        }
        let mut others = VecDeque::new();
        loop {
            self.relay.flush();
            match self.event() {
                RelayEvent::OpenFailed { .. } => break,
                other => others.push_back(other),
            }
        }
        self.events = others;
    }

    pub(crate) fn event(&mut self) -> RelayEvent {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(event) = self.events.pop_front().or_else(|| self.relay.recv()) {
                return event;
            }
            assert!(Instant::now() < until, "no event came");
            std::thread::sleep(Duration::from_micros(100));
        }
    }

    /// Wait until so many flows are in the kernel; the counters then.
    pub(crate) fn in_the_kernel(&self, flows: u64) -> Counters {
        let until = Instant::now() + PATIENCE;
        loop {
            let counters = self.engine.counters();
            if counters.kernel_flows == flows {
                return counters.relay;
            }
            assert!(Instant::now() < until, "{} of {flows} flows: {counters:?}", counters.kernel_flows);
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Every packet that has been sent was counted.
    pub(crate) fn counted(&self, packets: u64) -> Counters {
        let until = Instant::now() + PATIENCE;
        loop {
            let counters = self.engine.counters().relay;
            if counters.packets >= packets {
                return counters;
            }
            assert!(Instant::now() < until, "{packets} packets: {counters:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}
