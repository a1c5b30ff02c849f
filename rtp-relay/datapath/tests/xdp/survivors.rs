//! A process that holds calls and can be killed, and phones that count what they hear.
#![allow(dead_code, reason = "every test file compiles this module and uses a part of it")]

use crate::net::{Host, Net, V4, socket};
use datapath::xdp::{Attached, Program, Rung, Setup};
use datapath::{DatapathChoice, Engine, EngineConfig, EngineCounters, RelayHandle, Standing};
use relay_core::{RelayConfig, SilencePolicy};
use relay_values::{
    Connect, Direction, Duration, Latching, Leg, LegSpec, Open, RegionId, RelayCommand, RelayEvent, Remote,
    SessionId,
};
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

pub(crate) const PATIENCE: std::time::Duration = std::time::Duration::from_secs(20);
/// Time between two packets of a phone.
const BEAT: std::time::Duration = std::time::Duration::from_millis(20);
/// What tells this binary that it is the other process.
const HOLD: &str = "BASCULE_TEST_HOLD";
const CARRIER_PORT: u16 = 10_000;
const TIER_PORT: u16 = 20_000;

/// Three hosts, and what every engine on the middle one is started with.
pub(crate) struct Engines {
    pub(crate) net: Net,
    pub(crate) pins: PathBuf,
    pub(crate) choice: DatapathChoice,
    pub(crate) max_sessions: usize,
    pub(crate) addresses: Vec<IpAddr>,
    pub(crate) inactivity: Duration,
    mounted: PathBuf,
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

impl Engines {
    /// `None` where the kernel does not let us.
    pub(crate) fn new(name: &str, choice: DatapathChoice) -> Option<Self> {
        if let Err(why) = Program::load(&setup(), 2) {
            eprintln!("not run: {why}");
            return None;
        }
        let net = Net::new();
        let pins = std::env::temp_dir().join(format!("bascule-pins-{name}-{}", std::process::id()));
        let addresses = vec![ip(V4.relay_c), ip(V4.relay_t)];
        let inactivity = Duration::from_secs(1);
        Some(Self { net, mounted: pins.clone(), pins, choice, max_sessions: 100, addresses, inactivity })
    }

    fn config(&self) -> EngineConfig {
        EngineConfig {
            relay: RelayConfig {
                addresses: self.addresses.clone(),
                ports: 30_000..=30_399,
                max_sessions: self.max_sessions,
                rest: Duration::from_secs(1),
                ..RelayConfig::default()
            },
            datapath: self.choice,
            pins: Some(self.pins.clone()),
            orphan_inactivity: Some(self.inactivity),
            ..EngineConfig::default()
        }
    }

    /// An engine in this process.
    pub(crate) fn start(&self) -> Running {
        self.start_after(|| {})
    }

    /// One whose threads are as `prepare` has made the thread that starts it.
    pub(crate) fn start_after(&self, prepare: impl FnOnce() + Send + 'static) -> Running {
        let config = self.config();
        let start = move || {
            prepare();
            Engine::start(&config)
        };
        // A thread of its own: what it gives up, it does not get again.
        let thread = self.net.relay.run(move || std::thread::spawn(start));
        let (engine, mut handles) = thread.join().expect("it does not panic").expect("it starts");
        Running { engine, relay: handles.remove(0), serial: 0 }
    }

    /// Where programs between veths need one at the other end: one that passes everything.
    pub(crate) fn stand_opposite(&self, rung: Rung) -> Vec<(Program, Attached)> {
        if rung == Rung::Tcx {
            return Vec::new();
        }
        self.net.carrier.command("ethtool", "-K c0 tx off");
        self.net.tier.command("ethtool", "-K t0 tx off");
        let stand = |host: &Host, interface: &'static str| {
            host.run(move || {
                let mut program = Program::load(&setup(), 2).expect("it was loaded before");
                let attached = program.attach(interface, &[Rung::NativeXdp]).expect("veth has native XDP");
                (program, attached)
            })
        };
        vec![stand(&self.net.carrier, "c0"), stand(&self.net.tier, "t0")]
    }

    fn said(&self, calls: usize) -> String {
        let choice = match self.choice {
            DatapathChoice::By(Rung::NativeXdp) => "native",
            _ => "auto",
        };
        let addresses: Vec<String> = self.addresses.iter().map(ToString::to_string).collect();
        format!("{} {choice} {} {calls} {}", self.pins.display(), self.max_sessions, addresses.join(" "))
    }
}

impl Drop for Engines {
    fn drop(&mut self) {
        let _ = datapath::xdp::detach(&self.mounted);
        let _ = Command::new("umount").arg(&self.mounted).stderr(Stdio::null()).status();
        let _ = std::fs::remove_dir(&self.mounted);
    }
}

fn setup() -> Setup {
    Setup { locals: Vec::new(), dscp: 46, hop_limit: 64, epoch: Instant::now() }
}

/// An engine with its only handle.
pub(crate) struct Running {
    engine: Engine,
    relay: RelayHandle,
    serial: u64,
}

impl Running {
    pub(crate) fn standing(&self) -> Standing {
        self.engine.standing()
    }

    pub(crate) fn counters(&self) -> EngineCounters {
        self.engine.counters()
    }

    /// A call; its two ports.
    pub(crate) fn open(&mut self) -> (u16, u16) {
        let leg = |text| LegSpec { local: ip(text), latching: Latching::Exact };
        self.serial += 1;
        let session = SessionId::new(0, self.serial);
        let (a, b, region) = (leg(V4.relay_c), leg(V4.relay_t), RegionId(1));
        self.send(RelayCommand::Open(Open { session, a, b, region, tier_leg: Leg::B, inactivity: None }));
        let until = Instant::now() + PATIENCE;
        loop {
            match self.relay.recv() {
                Some(RelayEvent::Opened { a_port, b_port, .. }) => return (a_port, b_port),
                Some(RelayEvent::OpenFailed { reason, .. }) => panic!("{reason:?}"),
                Some(_) => {}
                None => std::thread::sleep(std::time::Duration::from_millis(1)),
            }
            assert!(Instant::now() < until, "it does not open");
        }
    }

    /// A call between two phones that talk.
    pub(crate) fn call(&mut self, world: &Engines) -> Talk {
        let (a, b) = self.open();
        let at = |text, port| SocketAddr::new(ip(text), port);
        self.connect(at(V4.carrier, CARRIER_PORT), at(V4.tier, TIER_PORT));
        self.heeded();
        Talk::between(world, &[(a, b)])
    }

    /// Whether the kernel carries both directions of the only call.
    pub(crate) fn is_carried(&self) -> bool {
        self.counters().kernel_flows == 2
    }

    /// Say who is at both ends of the call that was opened last.
    fn connect(&mut self, carrier: SocketAddr, tier: SocketAddr) {
        let session = SessionId::new(0, self.serial);
        for (leg, rtp) in [(Leg::A, carrier), (Leg::B, tier)] {
            let remote = Remote { rtp, rtcp: SocketAddr::new(rtp.ip(), rtp.port() + 1), mux: false };
            let direction = Direction::SendRecv;
            let to =
                Connect { remote, direction, clock_rate: 8000, event: None, carries: Default::default() };
            self.send(RelayCommand::Connect { session, leg, to });
        }
    }

    /// Everything that was sent has been done: commands are done in order, and this one is answered.
    fn heeded(&mut self) {
        let leg = LegSpec { local: ip("127.0.0.1"), latching: Latching::Exact };
        let (session, region) = (SessionId::new(0, u64::from(u32::MAX)), RegionId(1));
        let (a, b) = (leg, leg);
        self.send(RelayCommand::Open(Open { session, a, b, region, tier_leg: Leg::B, inactivity: None }));
        let until = Instant::now() + PATIENCE;
        while !matches!(self.relay.recv(), Some(RelayEvent::OpenFailed { .. })) {
            assert!(Instant::now() < until, "it is not answered");
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
    }

    /// Have the ports looked at that have rested: a call that ends at once.
    pub(crate) fn poke(&mut self) {
        self.open();
        self.send(RelayCommand::Release { session: SessionId::new(0, self.serial) });
    }

    fn send(&mut self, command: RelayCommand) {
        self.relay.send(command).expect("there is room");
        assert!(self.relay.flush());
    }
}

/// If this process was started to hold calls, it does so until its input ends; whether it was.
pub(crate) fn hold_if_asked() -> bool {
    let Ok(said) = std::env::var(HOLD) else { return false };
    let mut words = said.split(' ');
    let mut word = || words.next().expect("all words are there");
    let (pins, choice) = (PathBuf::from(word()), word());
    let (max_sessions, calls) = (word().parse().expect("a number"), word().parse::<u16>().expect("a number"));
    let addresses: Vec<IpAddr> = words.map(ip).collect();
    let config = EngineConfig {
        relay: RelayConfig {
            addresses,
            ports: 30_000..=30_399,
            max_sessions,
            // All phones are one thread of a test: when that is held up, no region is dead.
            silence: SilencePolicy { min_flows: u32::MAX, ..SilencePolicy::default() },
            ..RelayConfig::default()
        },
        datapath: if choice == "native" { DatapathChoice::By(Rung::NativeXdp) } else { DatapathChoice::Auto },
        pins: Some(pins),
        ..EngineConfig::default()
    };
    let (engine, mut handles) = Engine::start(&config).expect("it starts");
    let mut running = Running { engine, relay: handles.remove(0), serial: 0 };
    tell(&format!("\nsurvival {}", running.standing().survival.unwrap_or_default()));
    for call in 0..calls {
        let (a, b) = running.open();
        let at = |text, port| SocketAddr::new(ip(text), port + 2 * call);
        running.connect(at(V4.carrier, CARRIER_PORT), at(V4.tier, TIER_PORT));
        tell(&format!("call {a} {b}"));
    }
    running.heeded();
    tell("held");
    std::thread::spawn(move || {
        while running.counters().kernel_flows < 2 * u64::from(calls) {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        tell("carried");
        // Its input ends when it is to end cleanly.
        let _ = std::io::stdin().read(&mut [0]);
        drop(running);
        tell("ended");
    })
    .join()
    .expect("it does not panic");
    true
}

/// A line for whoever has started us.
fn tell(line: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("{line}\n").as_bytes()).and_then(|()| out.flush()).expect("somebody listens");
}

/// The other process.
pub(crate) struct Holder {
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
    survival: String,
    /// The ports of each call, the carrier's side first.
    pub(crate) ports: Vec<(u16, u16)>,
}

impl Holder {
    /// One that holds so many calls.
    pub(crate) fn start(world: &Engines, calls: usize) -> Self {
        Self::start_after("true", world, calls)
    }

    /// One that does so after a line of shell, in a mount namespace of its own.
    pub(crate) fn start_after(line: &str, world: &Engines, calls: usize) -> Self {
        let said = world.said(calls);
        let (line, own) = (format!("{line} && exec \"$0\" \"$@\""), line != "true");
        let mut child = world.net.relay.run(move || {
            let test = std::env::current_exe().expect("we run");
            let mut command = Command::new(if own { "unshare" } else { "sh" });
            if own {
                command.args(["--mount", "sh"]);
            }
            command
                .arg("-c")
                .arg(line)
                .arg(test)
                .args(["--exact", "a_holder_holds_calls_until_it_is_killed", "--nocapture"])
                .env(HOLD, said)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .expect("we run once more")
        });
        let output = child.stdout.take().expect("it has a pipe");
        let input = child.stdin.take();
        let (tell, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if tell.send(line).is_err() {
                    break;
                }
            }
        });
        let mut holder = Self { child, input, lines, survival: String::new(), ports: Vec::new() };
        loop {
            let line = holder.lines.recv_timeout(PATIENCE).expect("it says something");
            match line.split_once(' ') {
                Some(("survival", text)) => holder.survival = text.to_owned(),
                Some(("call", ports)) => {
                    let (a, b) = ports.split_once(' ').expect("two");
                    holder.ports.push((a.parse().expect("a port"), b.parse().expect("a port")));
                }
                _ if line == "held" => return holder,
                _ => {}
            }
        }
    }

    pub(crate) fn survival(&mut self) -> String {
        self.survival.clone()
    }

    /// Whether all flows are in the kernel.
    pub(crate) fn says_carried(&mut self) -> bool {
        self.lines.try_iter().any(|line| line == "carried")
    }

    /// It has no time to do anything.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("it lives");
        self.child.wait().expect("it was ours");
    }

    /// It ends as it does when it is told to.
    pub(crate) fn stop(&mut self) {
        if let Some(mut input) = self.input.take() {
            let _ = input.write_all(b"\n");
        }
        assert!(self.child.wait().expect("it was ours").success());
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A phone at each end of each call.
pub(crate) struct Talk {
    /// By call and side.
    phones: Vec<[Phone; 2]>,
    sent: Vec<[u16; 2]>,
    next: Instant,
}

struct Phone {
    socket: UdpSocket,
    to: SocketAddr,
    /// Packets, and the number of the next one.
    heard: u64,
    expected: Option<u16>,
    lost: u64,
    late: u64,
}

impl Phone {
    fn listen(&mut self) {
        let mut buffer = [0; 256];
        loop {
            match self.socket.recv_from(&mut buffer) {
                Ok((_, from)) => {
                    assert_eq!(from, self.to);
                    let n = u16::from_be_bytes([buffer[2], buffer[3]]);
                    self.heard += 1;
                    let missing = self.expected.map_or(0, |e| n.wrapping_sub(e));
                    if missing > 30_000 {
                        // It fills a gap.
                        self.late += 1;
                        self.lost = self.lost.checked_sub(1).expect("no packet comes twice");
                        continue;
                    }
                    self.lost += u64::from(missing);
                    self.expected = Some(n.wrapping_add(1));
                }
                Err(e) if e.kind() == ErrorKind::WouldBlock => return,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => panic!("{e}"),
            }
        }
    }
}

impl Talk {
    pub(crate) fn between(world: &Engines, ports: &[(u16, u16)]) -> Self {
        let phone = |host: &Host, at: &str, port, relay: &str, to| {
            let socket = socket(host, at, port);
            socket.set_nonblocking(true).expect("it can");
            let to = SocketAddr::new(ip(relay), to);
            Phone { socket, to, heard: 0, expected: None, lost: 0, late: 0 }
        };
        let phones = (0..).step_by(2).zip(ports).map(|(n, &(a, b))| {
            [
                phone(&world.net.carrier, V4.carrier, CARRIER_PORT + n, V4.relay_c, a),
                phone(&world.net.tier, V4.tier, TIER_PORT + n, V4.relay_t, b),
            ]
        });
        let phones: Vec<_> = phones.collect();
        Self { sent: vec![[0; 2]; phones.len()], phones, next: Instant::now() }
    }

    /// One packet of everybody whom `who` (call, side) lets speak on a side that `side` lets speak.
    pub(crate) fn only(&mut self, who: impl Fn(usize, usize) -> bool, side: impl Fn(usize) -> bool) {
        std::thread::sleep(self.next.saturating_duration_since(Instant::now()));
        self.next += BEAT;
        for (call, phones) in self.phones.iter_mut().enumerate() {
            for (n, phone) in phones.iter_mut().enumerate() {
                if who(call, n) && side(n) {
                    let sent = &mut self.sent[call][n];
                    let mut packet = vec![0x80, 0];
                    packet.extend(sent.to_be_bytes());
                    packet.extend((u32::from(*sent) * 160).to_be_bytes());
                    packet.extend((call as u32 * 2 + n as u32 + 1).to_be_bytes());
                    packet.extend([0xd5; 160]);
                    *sent = sent.wrapping_add(1);
                    phone.socket.send_to(&packet, phone.to).expect("it is sent");
                }
                phone.listen();
            }
        }
    }

    /// So many packets of everybody.
    pub(crate) fn some(&mut self, packets: usize) {
        for _ in 0..packets {
            self.only(|_, _| true, |_| true);
        }
    }

    /// Until something is so, and a little longer.
    pub(crate) fn until(&mut self, mut is: impl FnMut() -> bool) {
        let until = Instant::now() + PATIENCE;
        while !is() {
            assert!(Instant::now() < until, "it does not come to that");
            self.some(1);
        }
        self.some(5);
    }

    /// Packets that were sent and never heard, by anybody.
    pub(crate) fn lost(&mut self) -> u64 {
        let until = Instant::now() + std::time::Duration::from_millis(200);
        loop {
            let sent: u64 = self.sent.iter().flatten().map(|n| u64::from(*n)).sum();
            let heard = self.heard();
            if heard == sent || Instant::now() > until {
                let gaps: u64 = self.phones.iter().flatten().map(|p| p.lost).sum();
                assert!(sent - heard >= gaps);
                return sent - heard;
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }

    /// Packets that came after later ones.
    pub(crate) fn late(&self) -> u64 {
        self.phones.iter().flatten().map(|p| p.late).sum()
    }

    pub(crate) fn heard(&mut self) -> u64 {
        for phone in self.phones.iter_mut().flatten() {
            phone.listen();
        }
        self.phones.iter().flatten().map(|p| p.heard).sum()
    }
}

/// Something that is pinned.
pub(crate) struct Pinned(PathBuf);

impl Pinned {
    pub(crate) fn of(pins: &Path, name: &str) -> Self {
        Self(pins.join("relay").join(name))
    }

    /// How many things are.
    pub(crate) fn count(pins: &Path) -> usize {
        std::fs::read_dir(pins.join("relay")).map_or(0, Iterator::count)
    }

    /// Write another version into the table `setup`, whose first word it is.
    pub(crate) fn set_version(&self, version: u32) {
        const BYTES: usize = 16 + 8 * 16 + 8 * 8;
        let data = aya::maps::MapData::from_pin(&self.0).expect("it is there");
        let map = aya::maps::Map::from_map_data(data).expect("a map");
        let mut array = aya::maps::Array::<_, [u8; BYTES]>::try_from(map).expect("an array of this size");
        let mut bytes = array.get(&0, 0).expect("it has one entry");
        bytes[..4].copy_from_slice(&version.to_ne_bytes());
        array.set(0, bytes, 0).expect("it can be written");
    }
}
