//! What forwards: our engines, rtpengine, the kernel's own forwarding, and a closed door.

use crate::device::ng::Ng;
use crate::device::{DEVICE_CORE, Device, rtpengine};
use crate::load::scan::audio;
use crate::place::{
    CARRIER, OTHER_TIER, RELAY_C, RELAY_T, Site, TIER, pin_thread, threads_named, threads_of,
};
use crate::traffic::{Door, Lane, Plan, Traffic};
use datapath::DatapathChoice::{By, Sockets};
use datapath::xdp::Rung;
use datapath::{DatapathChoice, Engine, EngineConfig, RelayHandle, SocketEngine};
use relay_core::{RelayConfig, SilencePolicy};
use relay_values::{
    Carries, Connect, Direction, Latching, Leg, LegSpec, Open, RegionId, RelayCommand, RelayEvent, Remote,
    SessionId,
};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::{Duration, Instant};

/// Media ports of the first call; each call has the next even one, on both sides.
const FIRST_PORT: u16 = 4_000;
/// Until every stream is known.
const PATIENCE: Duration = Duration::from_secs(30);
/// Port that nobody listens on.
const NOBODY: u16 = 9;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Our engine, by the kernel or by sockets.
    Ours(DatapathChoice, SocketEngine),
    /// In user space, one thread.
    Rtpengine,
    /// The kernel routes; nothing is relayed.
    IpForwarding,
    /// Everything is dropped where it comes in.
    Door,
}

/// A row of the table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) note: &'static str,
}

pub(super) const DOOR: &str = "door";

const fn row(name: &'static str, kind: Kind, note: &'static str) -> Row {
    Row { name, kind, note }
}

/// All rows.
pub(super) const ROWS: [Row; 8] = [
    row(DOOR, Kind::Door, "everything is dropped at the first interface"),
    row("xdp", Kind::Ours(By(Rung::NativeXdp), SocketEngine::Auto), "ours, native XDP on veth"),
    row("tcx", Kind::Ours(By(Rung::Tcx), SocketEngine::Auto), "ours, traffic control hook"),
    row("lookup", Kind::Ours(Sockets, SocketEngine::Lookup), "ours, one socket for all ports"),
    row("uring", Kind::Ours(Sockets, SocketEngine::Uring), "ours, a socket for each port, io_uring"),
    row("epoll", Kind::Ours(Sockets, SocketEngine::Epoll), "ours, a socket for each port, epoll"),
    row("rtpengine", Kind::Rtpengine, "user space, 1 thread"),
    row("ip_forwarding", Kind::IpForwarding, "the kernel routes, nothing is relayed"),
];

impl Row {
    /// Whether it is a relay, with sessions.
    pub(super) fn relays(&self) -> bool {
        matches!(self.kind, Kind::Ours(..) | Kind::Rtpengine)
    }

    /// Whether whole calls are counted on it: the kernel engine, the best of user space, and the peer.
    pub(super) fn holds_calls(&self) -> bool {
        matches!(self.name, "xdp" | "lookup" | "uring" | "rtpengine")
    }

    /// Whether calls are set up and taken down on it as fast as it goes.
    pub(super) fn turns_over(&self) -> bool {
        self.name == "xdp"
    }

    /// Whether its packets pass through a program of user space.
    pub(super) fn in_kernel(&self) -> bool {
        match self.kind {
            Kind::Ours(By(_), _) | Kind::IpForwarding | Kind::Door => true,
            Kind::Ours(DatapathChoice::Auto | Sockets, _) | Kind::Rtpengine => false,
        }
    }
}

/// A row with a site of its own, its calls up and every stream known.
pub(super) struct Stand {
    pub(super) site: Site,
    pub(super) traffic: Traffic,
    pub(super) calls: usize,
    /// Calls that it can hold.
    pub(super) room: usize,
    pub(super) running: Running,
}

/// What forwards, as long as it is held.
pub(super) enum Running {
    Ours { engine: Box<Engine>, relay: RelayHandle },
    Rtpengine(Box<Device>, Ng),
    Kernel,
    Door(#[expect(dead_code, reason = "held, not read")] Door),
}

impl Stand {
    /// Start it with so many calls, or as many as it can hold if that is less, and room for `most`.
    pub(super) fn new(row: &Row, calls: usize, most: usize) -> io::Result<Self> {
        let site = Site::new()?;
        let traffic = Traffic::new(&site)?;
        let (running, room) = start(row.kind, &site, &traffic, most)?;
        let mut stand = Self { site, traffic, calls: 0, room, running };
        stand.grow(calls)?;
        stand.site.poll_in_threads()?;
        stand.acquaint(row)?;
        Ok(stand)
    }

    /// The kernel's threads that work for the device, and the device's own.
    pub(super) fn workers(&self) -> io::Result<[Vec<u32>; 2]> {
        let mut kernel = self.site.relay_pollers()?;
        kernel.extend(threads_named(&format!("ksoftirqd/{DEVICE_CORE}"))?);
        let own = match &self.running {
            Running::Ours { .. } => threads_of(std::process::id(), "relay-")?,
            Running::Rtpengine(device, _) => threads_of(device.process.id(), "")?,
            Running::Kernel | Running::Door(_) => Vec::new(),
        };
        Ok([kernel, own])
    }

    /// Add calls until there are so many, or as many as it can hold.
    pub(super) fn grow(&mut self, wanted: usize) -> io::Result<()> {
        let wanted = wanted.min(self.room);
        let mut lanes = Vec::new();
        for n in self.calls..wanted {
            let ([to_a, to_b], translated) = match &mut self.running {
                Running::Ours { relay, .. } => (ours(relay, n)?, true),
                Running::Rtpengine(_, ng) => (theirs(ng, n)?, true),
                Running::Kernel => ([at(TIER, n), at(CARRIER, n)], false),
                Running::Door(_) => ([address(RELAY_C, NOBODY), address(RELAY_T, NOBODY)], true),
            };
            let (carrier, tier) = (at(CARRIER, n), at(TIER, n));
            debug_assert!(translated || to_a == tier);
            lanes.push(Lane { link: 0, from: carrier, to: to_a, expected: tier });
            lanes.push(Lane { link: 1, from: tier, to: to_b, expected: carrier });
        }
        self.traffic.lay(2 * self.calls, &lanes)?;
        self.calls = wanted;
        Ok(())
    }

    /// As many calls as it can hold, but no more than `most`, all of them known.
    pub(super) fn fill(&mut self, row: &Row, most: usize) -> io::Result<()> {
        if self.calls >= most.min(self.room) {
            return Ok(());
        }
        self.grow(most)?;
        self.acquaint(row)
    }

    /// Let both sides of every call be heard, until everybody is known and our flows are in the kernel.
    fn acquaint(&mut self, row: &Row) -> io::Result<()> {
        if !row.relays() {
            return Ok(());
        }
        let until = Instant::now() + PATIENCE;
        let flows = 2 * self.calls as u64;
        // What the slowest row of each kind can well carry; less where the machine is busy with something else.
        let mut rate = if row.kind == Kind::Rtpengine { 40_000.0 } else { 80_000.0 };
        loop {
            let mut plan = self.both_ways(self.calls, rate);
            plan.time = Duration::from_secs_f64(flows as f64 * 3.0 / rate);
            let tally = self.traffic.run(&self.site, &plan)?;
            let mut known = tally.received;
            let wanted = match &self.running {
                Running::Ours { engine, .. } if row.in_kernel() => {
                    // Counters are as old as that.
                    std::thread::sleep(Duration::from_millis(110));
                    known = engine.counters().kernel_flows;
                    flows
                }
                Running::Ours { .. } | Running::Rtpengine(..) => tally.sent * 95 / 100,
                Running::Kernel | Running::Door(_) => 0,
            };
            if known >= wanted {
                self.unheard();
                return Ok(());
            }
            if Instant::now() > until {
                let mut why =
                    format!("not every stream comes through: {known} of {wanted}, loss {:.3}", tally.loss());
                if let Running::Ours { engine, .. } = &self.running {
                    why = format!("{why}, {:?}", engine.counters().fast);
                }
                return Err(io::Error::other(why));
            }
            if tally.loss() > 0.05 {
                rate = (rate / 2.0).max(20_000.0);
            }
        }
    }

    /// Take what our engine has told: as a shard would, whose queue is never full.
    pub(super) fn unheard(&mut self) {
        if let Running::Ours { relay, .. } = &mut self.running {
            while relay.recv().is_some() {}
        }
    }

    /// Both directions of the first calls.
    pub(super) fn both_ways(&self, calls: usize, rate: f64) -> Plan {
        let time = Duration::from_secs(1);
        let (stamped, inline) = (false, false);
        Plan {
            first: 0,
            step: 1,
            end: 2 * calls,
            rate: Some(rate),
            burst: 1,
            batch: 16,
            stamped,
            inline,
            time,
        }
    }

    /// From the carrier to the tier.
    pub(super) fn one_way(&self, calls: usize, rate: Option<f64>) -> Plan {
        let time = Duration::from_secs(1);
        let (stamped, inline) = (false, false);
        Plan { first: 0, step: 2, end: 2 * calls, rate, burst: 64, batch: 64, stamped, inline, time }
    }
}

/// The media address of a call's party.
pub(super) fn at(ip: IpAddr, call: usize) -> SocketAddrV4 {
    address(ip, FIRST_PORT + 2 * call as u16)
}

fn address(ip: IpAddr, port: u16) -> SocketAddrV4 {
    let IpAddr::V4(ip) = ip else { return SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0) };
    SocketAddrV4::new(ip, port)
}

/// Start a device; how many calls it has room for.
fn start(kind: Kind, site: &Site, traffic: &Traffic, calls: usize) -> io::Result<(Running, usize)> {
    match kind {
        Kind::Ours(datapath, sockets) => {
            let config = EngineConfig {
                relay: RelayConfig {
                    addresses: vec![RELAY_C, RELAY_T],
                    ports: 2_000..=65_535,
                    max_sessions: calls,
                    // The bench lets sides be silent as it needs it; no region is lost by that.
                    silence: SilencePolicy { min_flows: u32::MAX, ..SilencePolicy::default() },
                    ..RelayConfig::default()
                },
                cpus: vec![DEVICE_CORE],
                datapath,
                sockets,
                ..EngineConfig::default()
            };
            let started = site.relay.run(move || Engine::start(&config)).map_err(io::Error::other);
            let (engine, mut handles) = started?;
            if datapath != Sockets && engine.standing().kernel.len() < 2 {
                return Err(io::Error::other(engine.standing().to_string()));
            }
            let room = engine.capacity().calls();
            Ok((Running::Ours { engine: Box::new(engine), relay: handles.remove(0) }, room))
        }
        Kind::Rtpengine => {
            let recipe = rtpengine::between(RELAY_C, RELAY_T);
            let (device, ng) = site.relay.run(move || {
                let device = recipe.start()?;
                let ng = Ng::connect(recipe.ready)?;
                Ok::<_, io::Error>((device, ng))
            })?;
            for thread in threads_of(device.process.id(), "")? {
                pin_thread(thread, DEVICE_CORE)?;
            }
            Ok((Running::Rtpengine(Box::new(device), ng), calls))
        }
        Kind::IpForwarding => {
            site.forward()?;
            Ok((Running::Kernel, calls))
        }
        Kind::Door => Ok((Running::Door(traffic.close_door(site)?), calls)),
    }
}

/// A call by rtpengine: where the carrier and the tier send to.
fn theirs(ng: &mut Ng, n: usize) -> io::Result<[SocketAddrV4; 2]> {
    let sdp = |at: SocketAddrV4| {
        let (ip, port) = (at.ip(), at.port());
        format!(
            "v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio {port} RTP/AVP 0\r\n\
             a=rtpmap:0 PCMU/8000\r\n"
        )
    };
    let call = format!("relay-{n}");
    let to_b = ng.offer_between(&call, sdp(at(CARRIER, n)).as_bytes(), "carrier", "tier")?;
    let to_a = ng.answer(&call, sdp(at(TIER, n)).as_bytes())?;
    let read = |sdp: &[u8]| match audio(sdp) {
        Some(SocketAddr::V4(at)) => Ok(at),
        _ => Err(io::Error::other("rtpengine's SDP names no address")),
    };
    Ok([read(&to_a)?, read(&to_b)?])
}

/// A call by our engine: where the carrier and the tier send to.
fn ours(relay: &mut RelayHandle, n: usize) -> io::Result<[SocketAddrV4; 2]> {
    command(relay, open(n))?;
    let (a_port, b_port) = opened(relay)?;
    connect(relay, n)?;
    relay.flush();
    Ok([address(RELAY_C, a_port), address(RELAY_T, b_port)])
}

/// Reserve a call.
pub(super) fn open(n: usize) -> RelayCommand {
    let leg = |local| LegSpec { local, latching: Latching::Exact };
    RelayCommand::Open(Open {
        session: SessionId::new(0, n as u64),
        a: leg(RELAY_C),
        b: leg(RELAY_T),
        region: RegionId(1),
        tier_leg: Leg::B,
        inactivity: None,
    })
}

/// Say where a call's parties are.
pub(super) fn connect(relay: &mut RelayHandle, n: usize) -> io::Result<()> {
    for (leg, ip) in [(Leg::A, CARRIER), (Leg::B, TIER)] {
        let to = peer(SocketAddr::V4(at(ip, n)));
        command(relay, RelayCommand::Connect { session: SessionId::new(0, n as u64), leg, to })?;
    }
    Ok(())
}

/// A call's party in the other region.
pub(super) fn other_peer(n: usize) -> Connect {
    peer(SocketAddr::V4(at(OTHER_TIER, n)))
}

/// A party that speaks PCMU both ways.
fn peer(rtp: SocketAddr) -> Connect {
    let rtcp = SocketAddr::new(rtp.ip(), rtp.port() + 1);
    let remote = Remote { rtp, rtcp, mux: false };
    Connect { remote, direction: Direction::SendRecv, clock_rate: 8000, event: None, carries: Carries::Rtp }
}

pub(super) fn command(relay: &mut RelayHandle, command: RelayCommand) -> io::Result<()> {
    relay.send(command).map_err(|_| io::Error::other("the relay's queue is full"))?;
    relay.flush();
    Ok(())
}

pub(super) fn opened(relay: &mut RelayHandle) -> io::Result<(u16, u16)> {
    let until = Instant::now() + Duration::from_secs(5);
    loop {
        match relay.recv() {
            Some(RelayEvent::Opened { a_port, b_port, .. }) => return Ok((a_port, b_port)),
            Some(RelayEvent::OpenFailed { reason, .. }) => return Err(io::Error::other(reason.as_str())),
            Some(_) => {}
            None if Instant::now() > until => return Err(io::ErrorKind::TimedOut.into()),
            None => std::thread::yield_now(),
        }
    }
}
