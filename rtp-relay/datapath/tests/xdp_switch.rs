//! Many calls in the kernel that move at once while their phones talk, between real interfaces: nothing is lost, nothing is
//! heard twice, and nothing goes to the old place any more.
//!
//! `SWITCH_CALLS=5000 cargo test --release -p datapath --test xdp_switch -- --nocapture` for more of them, with the times.
//!
//! Needs root, `ip` and `unshare`; says so and does nothing where it may not.

#[path = "xdp/net.rs"]
#[allow(dead_code, reason = "every test file compiles this module and uses a part of it")]
mod net;

use datapath::{DatapathChoice, Engine, EngineConfig, RelayHandle};
use net::{Net, V4, socket};
use relay_core::{Counters, Recall, RelayConfig};
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

const PATIENCE: Duration = Duration::from_secs(20);
const OLD: RegionId = RegionId(1);
const NEW: RegionId = RegionId(2);
/// Enough for all that may wait at a slow reader.
const BUFFER: usize = 64 << 20;
/// Packets after which a flow is in the kernel.
const TO_THE_KERNEL: u16 = 9;

/// A packet as it was heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Heard {
    sequence: u16,
    timestamp: u32,
    ssrc: u32,
    at: Instant,
}

/// Whoever listens at one place, to all calls: by the port of ours that their packets come from.
struct Ear {
    socket: Arc<UdpSocket>,
    heard: Arc<Mutex<BTreeMap<u16, Vec<Heard>>>>,
    count: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Ear {
    fn new(socket: UdpSocket) -> Self {
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

    fn count(&self) -> u64 {
        self.count.load(Ordering::Acquire)
    }

    fn wait_for(&self, count: u64) {
        self.wait(count).unwrap_or_else(|missing| panic!("{missing} packets of {count} have not come"));
    }

    fn wait(&self, count: u64) -> Result<(), u64> {
        let until = Instant::now() + PATIENCE;
        while self.count() < count {
            if Instant::now() > until {
                return Err(count - self.count());
            }
            std::thread::sleep(Duration::from_micros(200));
        }
        Ok(())
    }

    fn take(&self) -> BTreeMap<u16, Vec<Heard>> {
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
struct Call {
    a: SocketAddr,
    b: SocketAddr,
}

struct World {
    net: Net,
    engine: Engine,
    relay: RelayHandle,
    events: VecDeque<RelayEvent>,
    calls: Arc<Vec<Call>>,
    carrier: Ear,
    tier: Ear,
}

fn packet(ssrc: u32, sequence: u16) -> Vec<u8> {
    let mut b = vec![0x80, 0];
    b.extend(sequence.to_be_bytes());
    b.extend((u32::from(sequence) * 160).to_be_bytes());
    b.extend(ssrc.to_be_bytes());
    b.extend([0xd5; 160]);
    b
}

fn session(n: usize) -> SessionId {
    SessionId::new(0, n as u64)
}

fn connect(rtp: SocketAddr) -> Connect {
    let rtcp = SocketAddr::new(rtp.ip(), rtp.port() + 1);
    let remote = Remote { rtp, rtcp, mux: false };
    let direction = Direction::SendRecv;
    Connect { remote, direction, clock_rate: 8000, event: None, carries: Carries::Rtp }
}

/// A packet of every call from one place, spread over `span`.
fn round(from: &UdpSocket, to: impl Iterator<Item = SocketAddr>, n: usize, sequence: u16, span: Duration) {
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
    fn new(calls: usize) -> Option<Self> {
        let net = Net::new();
        let ip = |text: &str| text.parse::<IpAddr>().expect("an address");
        let config = EngineConfig {
            relay: RelayConfig {
                addresses: vec![ip(V4.relay_c), ip(V4.relay_t)],
                ports: 20_000..=20_000 + 4 * calls as u16 + 99,
                max_sessions: calls + 1,
                ..RelayConfig::default()
            },
            datapath: DatapathChoice::Auto,
            ..EngineConfig::default()
        };
        let (engine, mut handles) = net.relay.run(move || Engine::start(&config)).expect("it starts");
        let standing = engine.standing();
        if standing.to_string().contains("CAP_BPF") {
            eprintln!("not run: {standing}");
            return None;
        }
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
    fn talk(&self, sequence: u16) {
        let (carrier, tier, n) = (self.carrier.count(), self.tier.count(), self.calls.len());
        let span = Duration::from_millis(20);
        round(&self.carrier.socket, self.calls.iter().map(|c| c.a), n, sequence, span);
        round(&self.tier.socket, self.calls.iter().map(|c| c.b), n, sequence, span);
        let all = [self.carrier.wait(carrier + n as u64), self.tier.wait(tier + n as u64)];
        assert_eq!(all, [Ok(()); 2], "{sequence}: {:?}", self.engine.counters());
    }

    fn send(&mut self, command: RelayCommand) {
        self.relay.send(command).expect("there is room");
        assert!(self.relay.flush());
    }

    /// Everything that was sent has been done: commands are done in order, and this one is answered.
    fn heeded(&mut self) {
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

    fn event(&mut self) -> RelayEvent {
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
    fn in_the_kernel(&self, flows: u64) -> Counters {
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
    fn counted(&self, packets: u64) -> Counters {
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

/// What came to a place goes on without a gap from what came to another before it.
fn unbroken(streams: &BTreeMap<u16, Vec<Heard>>, calls: usize) {
    assert_eq!(streams.len(), calls);
    for (port, packets) in streams {
        for pair in packets.windows(2) {
            let ahead = pair[1].sequence.wrapping_sub(pair[0].sequence);
            assert_eq!((ahead, pair[1].ssrc), (1, pair[0].ssrc), "from {port}: {pair:?}");
            assert!(pair[1].timestamp.wrapping_sub(pair[0].timestamp) as i32 > 0, "from {port}: {pair:?}");
        }
    }
}

/// All calls move to another place while the carrier talks: the direction that goes there never leaves the kernel, and the
/// direction that comes from there is in it again with its second packet.
fn move_all(calls: usize) {
    let Some(mut world) = World::new(calls) else { return };
    let n = calls as u64;
    let other = Ear::new(socket(&world.net.tier, V4.tier, 5002));
    let to = connect(other.socket.local_addr().expect("bound"));
    let before = world.counted(2 * n * u64::from(TO_THE_KERNEL));
    world.carrier.take();
    world.tier.take();

    // The carrier talks on, and says with every packet whether the move had been made when it was sent.
    let (moved, enough) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let talker = {
        let (moved, enough) = (Arc::clone(&moved), Arc::clone(&enough));
        let (socket, calls) = (Arc::clone(&world.carrier.socket), Arc::clone(&world.calls));
        std::thread::spawn(move || {
            let (mut sequence, mut first_after) = (TO_THE_KERNEL, None);
            while !enough.load(Ordering::Acquire) {
                if moved.load(Ordering::Acquire) {
                    first_after.get_or_insert(sequence);
                }
                let to = calls.iter().map(|c| c.a);
                round(&socket, to, calls.len(), sequence, Duration::from_millis(50));
                sequence += 1;
            }
            (first_after.expect("the move was made"), sequence)
        })
    };
    world.tier.wait_for(n * (u64::from(TO_THE_KERNEL) + 2));
    let begun = Instant::now();
    for call in 0..calls {
        let session = session(call);
        let command = RelayCommand::Retarget { session, leg: Leg::B, region: NEW, to: Some(to) };
        if world.relay.send(command.clone()).is_err() {
            world.heeded();
            world.relay.send(command).expect("there is room");
        }
    }
    world.heeded();
    let done = Instant::now();
    moved.store(true, Ordering::Release);
    other.wait_for(n * 3);
    enough.store(true, Ordering::Release);
    let (first_after, end) = talker.join().expect("it does not panic");
    let said = n * u64::from(end - TO_THE_KERNEL);
    other.wait_for(n * u64::from(end) - world.tier.count());

    let old = world.tier.take();
    let last = old.values().flatten().map(|heard| heard.at).max().expect("something came before");
    eprintln!(
        "{calls} calls moved one by one: done after {:?}, the last packet at the old place after {:?}",
        done - begun,
        last.saturating_duration_since(begun)
    );
    let late = old.values().flatten().filter(|heard| heard.sequence >= first_after).count();
    assert_eq!(late, 0, "packets that were sent after the move was made and went to the old place");
    let mut both = old;
    for (port, packets) in other.take() {
        both.entry(port).or_default().extend(packets);
    }
    assert_eq!(both.values().map(|p| p.len() as u64).sum::<u64>(), said, "every packet came to one of them");
    unbroken(&both, calls);
    let after = world.counted(before.packets + said);
    assert_eq!(after.packets - after.offloaded, before.packets - before.offloaded, "none by the sockets");
    let fast = world.engine.counters().fast;
    assert_eq!((fast.installed, fast.changed, fast.declined), (2 * n, n, Default::default()));
    assert_eq!(after.recalled[Recall::Retarget as usize], n);

    // The new place answers: the carrier hears one line, and one packet of each call went by the sockets.
    for sequence in 0..5 {
        let heard = world.carrier.count();
        let to = world.calls.iter().map(|c| c.b);
        // As others than the old place's.
        for (call, to) in to.enumerate() {
            other.socket.send_to(&packet(1_000_000 + call as u32, 7 * sequence), to).expect("it is sent");
            if call % 16 == 0 {
                std::thread::sleep(Duration::from_micros(500));
            }
        }
        world.carrier.wait_for(heard + n);
        if sequence == 0 {
            world.in_the_kernel(2 * n);
        }
    }
    let heard = world.carrier.take();
    assert_eq!(heard.len(), calls);
    for (port, packets) in &heard {
        let numbers: Vec<u16> = packets.iter().map(|p| p.sequence).collect();
        let first = TO_THE_KERNEL;
        assert_eq!(numbers, [0, 7, 14, 21, 28].map(|ahead| first + ahead), "from {port}");
        assert!(packets.iter().all(|p| p.ssrc <= n as u32), "under the old name: {packets:?}");
    }
    let end = world.counted(after.packets + 5 * n);
    assert_eq!(end.packets - end.offloaded, after.packets - after.offloaded + n, "one packet of each");
    assert_eq!((end.resumed, end.drops), (n, Default::default()));
}

#[test]
fn calls_that_move_at_once_lose_nothing_and_leave_nothing_behind() {
    let calls = std::env::var("SWITCH_CALLS").ok().and_then(|n| n.parse().ok());
    move_all(calls.unwrap_or(1_000));
}

#[test]
fn the_doors_of_a_region_that_is_lost_are_shut_at_once() {
    let Some(mut world) = World::new(100) else { return };
    let n = world.calls.len() as u64;
    for sequence in TO_THE_KERNEL..40 {
        world.talk(sequence);
    }
    // Not a word from anybody, until it is noticed. A slow machine may have taken a pause for silence before.
    let (mut silent, until) = (false, Instant::now() + PATIENCE);
    let mut quiet = Instant::now();
    while !silent || quiet.elapsed() < Duration::from_millis(300) {
        match world.events.pop_front().or_else(|| world.relay.recv()) {
            Some(RelayEvent::RegionSilent { region: OLD, .. }) => (silent, quiet) = (true, Instant::now()),
            Some(RelayEvent::RegionHeard { .. }) => silent = false,
            _ => std::thread::sleep(Duration::from_millis(1)),
        }
        assert!(Instant::now() < until, "nobody has noticed");
    }
    let before = world.in_the_kernel(2 * n);
    world.send(RelayCommand::Bridge { session: session(0), leg: Leg::B, fill: None });
    world.heeded();
    // One word was enough: what thaws is heard by the core alone, be it of a call of which nothing was said yet.
    for call in [1, 2, 3] {
        let heard = world.carrier.count();
        world.tier.socket.send_to(&packet(call as u32 + 1, 40), world.calls[call].b).expect("it is sent");
        world.carrier.wait_for(heard + 1);
    }
    let after = world.counted(before.packets + 3);
    assert_eq!((after.offloaded, after.packets), (before.offloaded, before.packets + 3));
    // What goes there is nobody's care.
    world.carrier.socket.send_to(&packet(1, 40), world.calls[0].a).expect("it is sent");
    assert_eq!(world.counted(before.packets + 4).offloaded, before.offloaded + 1);
}
