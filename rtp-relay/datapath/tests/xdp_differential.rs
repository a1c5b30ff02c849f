//! The program in the kernel against the core, packet by packet: the same verdict, the same bytes, the same state.
//!
//! Two relays live the same calls. One is alone: it sees every packet. The other is helped: its flows are in the program's
//! tables, and it sees only what the program leaves to it, and takes over from the tables what the program has done. Random
//! packets and commands may not make a difference between the two, nor between either and the frames that the program writes.
//!
//! `XDP_PACKETS=1000000 XDP_SEED=7 cargo test -p datapath --test xdp_differential` for more of it, or for the same again.

#[path = "xdp/frame.rs"]
mod frame;
#[path = "xdp/packets.rs"]
mod packets;
#[path = "xdp/random.rs"]
mod random;

use datapath::xdp::{
    FlowId, Frame, LoadError, NextHop, NextHopId, Program, Rung, Setup, SlotChoice, Tables, Tried,
};
use frame::{Checksum, Datagram, v4, v6};
use packets::{Peer, carries};
use random::Random;
use relay_core::limits::STEADY_PACKETS;
use relay_core::{Counters, Flow, FlowState, Offload, PortRef, PortRequest, Relay, RelayConfig, Verdict};
use relay_values::{
    Carries, Connect, Direction, Latching, Leg, LegSpec, Open, RegionId, RelayCommand, RelayEvent, Remote,
    SessionId, Time,
};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

const CALLS: u64 = 6;
const DSCP: u8 = 46;
const HOP_LIMIT: u8 = 61;

/// How far the program's jitter (× 16) may be from the core's: it rounds differences of arrivals, the core arrivals. Each may
/// be one unit off, and the filter sums up sixteen times its input at most.
const JITTER_ROUNDING: u32 = 48;

fn program(setup: &Setup) -> Option<Program> {
    match Program::load(setup, 64) {
        Ok(program) => Some(program),
        Err(why @ LoadError::Permission(_)) => {
            eprintln!("not run: {why}");
            None
        }
        Err(why) => panic!("{why}"),
    }
}

struct World {
    program: Program,
    tables: Arc<Tables>,
    alone: Relay,
    helped: Relay,
    calls: Vec<Call>,
    hops: Vec<(NextHopId, NextHop)>,
    choice: SlotChoice,
    /// The first next hop is known.
    first_hop: bool,
    random: Random,
    epoch: Instant,
    now: Time,
    forwarded: u64,
    passed: u64,
    recalls: BTreeMap<&'static str, u64>,
    changes: u64,
    beats: u64,
    beats_apart: u64,
}

struct Call {
    session: SessionId,
    /// Of each leg.
    sides: [Side; 2],
}

struct Side {
    leg: Leg,
    port: PortRef,
    local: SocketAddr,
    peer: Peer,
    /// Whom it was before.
    old: Option<Peer>,
    event: Option<u8>,
    mux: bool,
    held: bool,
    carried: Option<Carried>,
}

/// In the program's tables.
struct Carried {
    id: FlowId,
    flow: Flow,
    hop: usize,
    slot: u8,
    /// What the slot's generation must be.
    generation: Option<u16>,
}

impl World {
    fn new(program: Program, epoch: Instant, seed: u64) -> Self {
        let tables = program.tables();
        let config = RelayConfig {
            addresses: vec![v4(1).into(), v6(1).into(), v4(2).into()],
            ports: 20_000..=20_099,
            ..RelayConfig::default()
        };
        let hop = |n: u8, mtu, tags| NextHop {
            to: [2, n, 0, 0, 0, 1],
            from: [2, n, 0, 0, 0, 2],
            ifindex: 1,
            mtu,
            tags,
        };
        let hops = [
            hop(0, 1500, [None; 2]),
            hop(1, 1500, [Some(7), None]),
            hop(2, 9000, [Some(0x2007), Some(9)]),
            hop(3, 220, [None; 2]),
        ];
        let hops = hops.map(|h| (tables.add_next_hop(&h).expect("there is room"), h)).to_vec();
        let mut world = Self {
            program,
            tables,
            alone: Relay::new(&config, seed),
            helped: Relay::new(&RelayConfig { offload_after: Some(1), ..config }, seed),
            calls: Vec::new(),
            hops,
            choice: SlotChoice::Own,
            first_hop: true,
            random: Random(seed),
            epoch,
            now: Time::ZERO,
            forwarded: 0,
            passed: 0,
            recalls: BTreeMap::new(),
            changes: 0,
            beats: 0,
            beats_apart: 0,
        };
        world.now = world.clock();
        for n in 0..CALLS {
            world.open(n);
        }
        world
    }

    fn clock(&self) -> Time {
        Time::from_nanos(self.epoch.elapsed().as_nanos() as u64)
    }

    /// Both relays are told, and both say the same.
    fn command(&mut self, command: RelayCommand) -> Vec<RelayEvent> {
        let told = [&mut self.alone, &mut self.helped].map(|relay| {
            relay.command(self.now, command.clone());
            drain(relay, self.now)
        });
        assert_eq!(told[0].0, told[1].0, "packets of our own");
        assert_eq!(told[0].1, told[1].1, "events");
        let [_, (_, events)] = told;
        events
    }

    fn open(&mut self, n: u64) {
        let local: IpAddr = if n % 3 == 2 { v6(1).into() } else { v4(1).into() };
        let b_local = if n % 3 == 1 { v4(2).into() } else { local };
        let session = SessionId::new(0, n);
        let open = Open {
            session,
            a: LegSpec { local, latching: Latching::Address },
            b: LegSpec { local: b_local, latching: Latching::Exact },
            region: RegionId(1),
            tier_leg: Leg::B,
            inactivity: None,
        };
        let events = self.command(RelayCommand::Open(open));
        let [RelayEvent::Opened { a_port, b_port, .. }] = events[..] else { panic!("{events:?}") };
        let mut side = |leg, local, port| {
            let local = SocketAddr::new(local, port);
            let ports = (0..self.helped.ports() as u32).map(PortRef::new);
            let port = ports.into_iter().find(|p| self.helped.local(*p) == Some(local)).expect("one of ours");
            Side {
                leg,
                port,
                local,
                peer: Peer::anywhere(&mut self.random, local.is_ipv4()),
                old: None,
                event: n.is_multiple_of(2).then_some(101),
                mux: n % 4 == 3,
                held: false,
                carried: None,
            }
        };
        let sides = [side(Leg::A, local, a_port), side(Leg::B, b_local, b_port)];
        self.calls.push(Call { session, sides });
        for s in 0..2 {
            let (session, leg, to) = self.described(self.calls.len() - 1, s);
            self.command(RelayCommand::Connect { session, leg, to });
        }
    }

    fn described(&self, call: usize, side: usize) -> (SessionId, Leg, Connect) {
        let call = &self.calls[call];
        let side = &call.sides[side];
        let rtp = side.peer.at;
        let remote = Remote { rtp, rtcp: SocketAddr::new(rtp.ip(), rtp.port() + 1), mux: side.mux };
        let direction = if side.held { Direction::SendOnly } else { Direction::SendRecv };
        (
            call.session,
            side.leg,
            Connect { remote, direction, clock_rate: 8000, event: side.event, carries: Carries::Rtp },
        )
    }

    /// The helped relay takes over what the program has done for a call.
    fn absorb(&mut self, call: usize) {
        let port = self.calls[call].sides[0].port;
        for at in self.helped.carried(port).into_iter().flatten() {
            let tables = Arc::clone(&self.tables);
            let (_, side) = self.side_at(at);
            let state = tables.state(&side.carried.as_ref().expect("both sides know it").id);
            self.helped.absorb(self.now, at, &state);
        }
    }

    fn side_at(&mut self, port: PortRef) -> (usize, &mut Side) {
        let all = self.calls.iter_mut().enumerate();
        let mut sides = all.flat_map(|(n, call)| call.sides.iter_mut().map(move |side| (n, side)));
        sides.find(|(_, side)| side.port == port).expect("one of ours")
    }

    /// What the helped relay asks for is done.
    fn offload(&mut self) {
        while let Some(offload) = self.helped.poll_offload() {
            match offload {
                Offload::Remove { at, why } => {
                    let (_, side) = self.side_at(at);
                    let Carried { id, .. } = side.carried.take().expect("only what is there is taken away");
                    let state = self.tables.remove(id);
                    self.helped.recalled(self.now, at, &state);
                    *self.recalls.entry(why.as_str()).or_default() += 1;
                }
                Offload::Install(flow) if self.random.one_in(50) => self.helped.declined(flow.at),
                Offload::Install(flow) => self.install(*flow),
                Offload::Change(flow) => self.change(*flow),
                Offload::Shut(region) | Offload::Open(region) => panic!("{region:?} has few flows"),
            }
        }
    }

    fn install(&mut self, flow: Flow) {
        let out = self.helped.local(flow.out).expect("one of ours");
        let hop = self.random.below(self.hops.len() as u64) as usize;
        let (slot, moves) = (self.random.below(2) as u8, self.random.one_in(2));
        let at = self.helped.local(flow.at).expect("one of ours");
        let id = self.tables.install(&flow, at, out, self.hops[hop].0, slot, moves);
        let id = id.expect("there is room, and all addresses are known");
        assert_eq!(self.tables.state(&id), flow.state, "what was written is read");
        let generation = self.tables.generation(slot).filter(|n| moves && *n > 0);
        let (_, side) = self.side_at(flow.at);
        side.carried = Some(Carried { id, flow, hop, slot, generation });
    }

    fn change(&mut self, flow: Flow) {
        let out = self.helped.local(flow.out).expect("one of ours");
        let hop = self.random.below(self.hops.len() as u64) as usize;
        let slot = self.random.below(2) as u8;
        let (tables, next) = (Arc::clone(&self.tables), self.hops[hop].0);
        let (_, side) = self.side_at(flow.at);
        let carried = side.carried.as_mut().expect("only what is there is changed");
        let until = tables.replace(&mut carried.id, &flow, out, next, slot).expect("there is room");
        assert_eq!(tables.state(&carried.id), flow.state, "what was written is read");
        (carried.flow, carried.hop, carried.slot, carried.generation) = (flow, hop, slot, None);
        self.helped.changed(self.now, &flow, &until);
        self.changes += 1;
    }

    fn step(&mut self) {
        let call = self.random.below(CALLS) as usize;
        let s = self.random.below(2) as usize;
        self.now = self.clock();
        if self.random.one_in(400) {
            return self.signal(call, s);
        }
        if self.random.one_in(400) {
            // The only slot that is switched.
            self.choice = if self.random.one_in(4) { SlotChoice::Sockets } else { SlotChoice::Own };
            return self.tables.switch(1, self.choice);
        }
        if self.random.one_in(200) {
            // A neighbour goes, or comes back.
            let (id, hop) = self.hops[0];
            self.first_hop = !self.first_hop;
            return self.tables.set_next_hop(id, self.first_hop.then_some(&hop));
        }
        let side = &mut self.calls[call].sides[s];
        let rtcp = side.mux && self.random.one_in(30);
        let peer = match &mut side.old {
            Some(old) if self.random.one_in(20) => old,
            _ => &mut side.peer,
        };
        let hop = side.carried.as_ref().map_or(0, |c| c.hop);
        let payload = if rtcp { peer.rtcp() } else { peer.rtp(&mut self.random) };
        let tags = self.hops[hop].1.tags;
        let datagram = packets::datagram(&mut self.random, peer.at, side.local, payload, &tags);
        let bytes = packets::spoil(&mut self.random, datagram.frame());
        // The kernel makes no packet of its own out of less than an IP header.
        let tcx = self.random.one_in(4) && bytes.len() >= 60;
        let rung = if tcx { Rung::Tcx } else { Rung::NativeXdp };
        self.judge(&bytes, rung);
    }

    /// Signalling says something.
    fn signal(&mut self, call: usize, s: usize) {
        let held = self.calls[call].sides[s].held;
        // Said again and nothing new, and counted elsewhere: neither makes a difference to anybody.
        if self.random.one_in(5) {
            let (session, leg, to) = self.described(call, s);
            let region = RegionId(self.random.below(3) as u16);
            let command = match self.random.one_in(2) {
                true => RelayCommand::Connect { session, leg, to },
                false => RelayCommand::Place { session, region, cut: false },
            };
            return self.say(call, command);
        }
        let moves = !held && !self.random.one_in(4);
        let side = &mut self.calls[call].sides[s];
        if moves {
            let new = Peer::anywhere(&mut self.random, side.local.is_ipv4());
            side.old = Some(std::mem::replace(&mut side.peer, new));
            side.held = false;
        } else {
            side.held = !side.held;
        }
        let (session, leg, to) = self.described(call, s);
        let command = match moves {
            true => RelayCommand::Retarget { session, leg, region: RegionId(1), to: Some(to) },
            false => RelayCommand::Connect { session, leg, to },
        };
        self.say(call, command);
    }

    fn say(&mut self, call: usize, command: RelayCommand) {
        self.helped.recall(&command);
        self.offload();
        self.absorb(call);
        self.command(command);
        self.offload();
    }

    /// Whose port a datagram is for.
    fn owner(&self, to: SocketAddr) -> Option<(usize, usize)> {
        let mut all = (0..self.calls.len()).flat_map(|c| [(c, 0), (c, 1)]);
        all.find(|&(c, s)| self.calls[c].sides[s].local == to)
    }

    fn judge(&mut self, bytes: &[u8], rung: Rung) {
        let read = Datagram::read(bytes);
        let owner = read.as_ref().and_then(|d| self.owner(d.to));
        let carried = owner.and_then(|(c, s)| self.calls[c].sides[s].carried.as_ref());
        let expected = match (&read, carried) {
            (Some(read), Some(c)) => {
                let open = c.slot == 0 || self.choice == SlotChoice::Own;
                let same = c.generation.is_none() || c.generation == self.tables.generation(c.slot);
                let known = c.hop > 0 || self.first_hop;
                open && same
                    && known
                    && carries(read, &c.flow, &self.tables.state(&c.id), &self.hops[c.hop].1)
            }
            _ => false,
        };
        let tried = self.program.run(Frame { bytes, rung }).expect("it runs");
        let context = || format!("{rung:?} {bytes:02x?}\n{read:?}\n{:?}", carried.map(|c| (&c.flow, c.hop)));
        match (tried, read.as_ref().zip(owner)) {
            (Tried::Forwarded(out), Some((read, owner))) => {
                assert!(expected, "forwarded: {}", context());
                let (read, (call, side)) = (read.clone(), owner);
                self.forwarded(&read, call, side, &out);
            }
            (Tried::Forwarded(_), None) => panic!("forwarded, and nobody's: {}", context()),
            (Tried::Passed(same), to) => {
                assert!(!expected, "passed up: {}", context());
                assert!(same == bytes, "passed up, but not as it was: {}", context());
                self.passed += 1;
                // The stack drops what is damaged.
                let arrives = |d: &Datagram| {
                    let whole =
                        !matches!(d.udp_checksum, Checksum::Off(_)) && d.ip_checksum == Checksum::Good;
                    whole && (d.from.is_ipv4() || d.udp_checksum != Checksum::None)
                };
                if let Some((read, (call, side))) = to.filter(|(d, _)| arrives(d)) {
                    let (from, payload) = (read.from, read.payload.clone());
                    self.take(call, side, from, payload);
                }
            }
        }
    }

    /// The program has forwarded a packet: as the lonely relay would.
    fn forwarded(&mut self, read: &Datagram, call: usize, s: usize, out: &[u8]) {
        self.forwarded += 1;
        let side = &self.calls[call].sides[s];
        let carried = side.carried.as_ref().expect("it was carried");
        let state = self.tables.state(&carried.id);
        assert!(state.last >= self.now, "the clocks are one");
        self.now = state.last;
        let mut payload = read.payload.clone();
        let verdict = self.alone.packet(self.now, side.port, read.from, &mut payload);
        let Flow { out: port, to, .. } = carried.flow;
        assert_eq!(verdict, Verdict::Forward { port, to });

        let hop = &self.hops[carried.hop].1;
        let kinds = read.vlans.iter().map(|v| v.0);
        let mut expected = Datagram {
            eth_to: hop.to,
            eth_from: hop.from,
            vlans: kinds.zip(hop.tags.into_iter().flatten()).collect(),
            from: self.alone.local(port).expect("one of ours"),
            to,
            tos: DSCP << 2,
            hop_limit: HOP_LIMIT,
            dont_fragment: to.is_ipv4(),
            label: 0,
            payload,
            ..read.clone()
        };
        let is = Datagram::read(out).expect("a datagram goes out as one");
        // Damage goes on as damage. By how much is said in another arithmetic, in which 0xffff is none.
        for (was, is) in
            [(&mut expected.ip_checksum, is.ip_checksum), (&mut expected.udp_checksum, is.udp_checksum)]
        {
            match (*was, is) {
                (Checksum::Off(_), Checksum::Off(_)) | (Checksum::Off(0xffff), _) => *was = is,
                _ => {}
            }
        }
        assert_eq!(is, expected);
        assert!(
            out == expected.frame()
                || read.udp_checksum != Checksum::Good
                || read.ip_checksum != Checksum::Good
        );

        let alone = self.alone.flow(side.port).expect("what is carried can be carried").state;
        assert!(state.jitter.abs_diff(alone.jitter) <= JITTER_ROUNDING, "{state:?} {alone:?}");
        let FlowState { packets, bytes, extra, jitter, beat, .. } = state;
        assert_eq!(state, FlowState { packets, bytes, extra, jitter, beat, ..alone });
        // Without a step the core takes even a late packet for the begin of one, and the program does not: they may find the
        // beat some packets apart, but it is the same beat. Nobody asks for the beat of a carrier's flow.
        if side.leg == Leg::B {
            let regular = [beat, alone.beat].map(|b| b.steady >= STEADY_PACKETS);
            self.beats += u64::from(regular[0]);
            self.beats_apart += u64::from(regular[0] != regular[1]);
            assert!(regular != [true, true] || beat == alone.beat, "{beat:?} {:?}", alone.beat);
        }
    }

    /// A packet comes to the sockets.
    fn take(&mut self, call: usize, s: usize, from: SocketAddr, payload: Vec<u8>) {
        self.now = self.clock().max(self.now);
        self.absorb(call);
        let port = self.calls[call].sides[s].port;
        let mut both = [payload.clone(), payload];
        let alone = self.alone.packet(self.now, port, from, &mut both[0]);
        let helped = self.helped.packet(self.now, port, from, &mut both[1]);
        assert_eq!(alone, helped);
        assert_eq!(both[0], both[1], "the same packet from both relays");
        assert_eq!(drain(&mut self.alone, self.now), drain(&mut self.helped, self.now));
        self.offload();
    }

    fn compare(&mut self) {
        for call in 0..self.calls.len() {
            self.absorb(call);
            let session = self.calls[call].session;
            let stats = [&self.alone, &self.helped].map(|r| {
                let mut stats = r.stats(session).expect("it is open");
                for flow in [&mut stats.from_a, &mut stats.from_b] {
                    // Compared with every packet, but for rounding.
                    (flow.jitter_ts, flow.jitter_us) = (0, 0);
                }
                stats
            });
            assert_eq!(stats[0], stats[1]);
        }
        let (alone, helped) = (self.alone.counters(), self.helped.counters());
        assert_eq!(helped.offloaded, self.forwarded);
        let Counters { recalled, unfit, .. } = alone;
        let helped = Counters { offloaded: 0, offloaded_bytes: 0, recalled, unfit, ..helped };
        assert_eq!(alone, helped);
    }
}

/// What a relay has to say, its own packets first.
fn drain(relay: &mut Relay, now: Time) -> (Vec<(SocketAddr, Vec<u8>)>, Vec<RelayEvent>) {
    while let Some(request) = relay.poll_port() {
        if let PortRequest::Bind(pair) = request {
            relay.bound(now, pair.rtp, true);
        }
    }
    let mut buffer = [0; 2048];
    let mut own = Vec::new();
    while let Some(sent) = relay.poll_send(&mut buffer) {
        own.push((sent.to, buffer[..sent.len].to_vec()));
    }
    (own, std::iter::from_fn(|| relay.poll_event()).collect())
}

#[test]
fn the_program_and_the_core_agree_on_every_packet() {
    let number = |name: &str| std::env::var(name).ok().and_then(|n| n.parse().ok());
    let (packets, seed) = (number("XDP_PACKETS").unwrap_or(40_000), number("XDP_SEED").unwrap_or(1));
    let epoch = Instant::now();
    let locals = vec![v4(1).into(), v6(1).into(), v4(2).into()];
    let setup = Setup { locals, dscp: DSCP, hop_limit: HOP_LIMIT, epoch };
    let Some(program) = program(&setup) else { return };
    let mut world = World::new(program, epoch, seed);
    for n in 0..packets {
        world.step();
        if n % 4096 == 0 {
            world.compare();
        }
    }
    world.compare();
    let World { forwarded, passed, beats, beats_apart, .. } = world;
    assert!(beats > 0 && beats_apart * 50 < beats, "{beats_apart} of {beats} beats are known to one only");
    eprintln!("taken back: {:?}, changed: {}", world.recalls, world.changes);
    assert!(world.changes > packets / 4000, "flows are changed where they are");
    eprintln!("{forwarded} forwarded, {passed} left to the sockets");
    for (reason, count) in world.tables.passed() {
        eprintln!("  {}: {count}", reason.as_str());
        assert!(count > 0, "{reason:?} never came about");
    }
    assert!(forwarded > packets / 5, "the test looks at what is carried");
}
