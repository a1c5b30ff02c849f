//! RTP through the program between real interfaces: a carrier, a relay and a tier in network namespaces of their own.
//!
//! Needs root, `ip`, `ethtool` and `unshare`; says so and does nothing where it may not.

#[path = "xdp/net.rs"]
mod net;

use datapath::xdp::{Attached, FlowId, LoadError, NextHop, Program, Rung, Setup, SlotChoice, Tables};
use net::{CARRIER, Family, Host, Net, RELAY_C, RELAY_T, TIER, V4, V6, socket};
use relay_core::{Offload, PortRef, PortRequest, Recall, Relay, RelayConfig, Verdict};
use relay_values::{
    Carries, Connect, Direction, Latching, Leg, LegSpec, Open, RegionId, RelayCommand, RelayEvent, Remote,
    SessionId, Time,
};
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(5);
/// A socket holds more than so many.
const PACKETS: u16 = 100;
const SLOT: u8 = 3;

fn mac(text: &str) -> [u8; 6] {
    let mut bytes = text.split(':').map(|b| u8::from_str_radix(b, 16).expect("two digits"));
    std::array::from_fn(|_| bytes.next().expect("six bytes"))
}

fn load(setup: &Setup) -> Option<Program> {
    match Program::load(setup, 64) {
        Ok(program) => Some(program),
        Err(why @ LoadError::Permission(_)) => {
            eprintln!("not run: {why}");
            None
        }
        Err(why) => panic!("{why}"),
    }
}

fn setup(locals: &[&str], epoch: Instant) -> Setup {
    let locals = locals.iter().map(|ip| ip.parse().expect("an address")).collect();
    Setup { locals, dscp: 46, hop_limit: 64, epoch }
}

/// XDP_TX and redirects between veths need a program at the other end too: one that has no flow passes everything.
fn stand_opposite(host: &Host, interface: &'static str) -> (Program, Attached) {
    host.run(move || {
        let mut program = Program::load(&setup(&[], Instant::now()), 2).expect("it was loaded before");
        let attached = program.attach(interface, &[Rung::NativeXdp]).expect("veth has native XDP");
        (program, attached)
    })
}

fn rtp(ssrc: u32, n: u16) -> Vec<u8> {
    let mut b = vec![0x80, 0];
    b.extend(n.to_be_bytes());
    b.extend((u32::from(n) * 160).to_be_bytes());
    b.extend(ssrc.to_be_bytes());
    b.extend([0xd5; 160]);
    b
}

fn number(packet: &[u8]) -> u16 {
    u16::from_be_bytes([packet[2], packet[3]])
}

fn receive(at: &UdpSocket) -> Option<(Vec<u8>, SocketAddr)> {
    let mut buffer = [0; 2048];
    match at.recv_from(&mut buffer) {
        Ok((len, from)) => Some((buffer[..len].to_vec(), from)),
        Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => None,
        Err(e) if e.kind() == ErrorKind::Interrupted => receive(at),
        Err(e) => panic!("{e}"),
    }
}

/// So many packets, and no more; all from one source.
fn receive_all(at: &UdpSocket, count: u16, from: SocketAddr) -> Vec<Vec<u8>> {
    let until = Instant::now() + PATIENCE;
    let mut all = Vec::new();
    while all.len() < usize::from(count) && Instant::now() < until {
        if let Some((packet, source)) = receive(at) {
            assert_eq!(source, from);
            all.push(packet);
        }
    }
    assert_eq!(all.len(), usize::from(count), "packets from {from}");
    assert_eq!(receive(at), None, "one too many");
    all
}

/// A call over the relay's sockets, as long as nobody else carries it.
struct Call {
    relay: Relay,
    epoch: Instant,
    session: SessionId,
    /// Port, its address, its socket: the carrier's side, then the tier's.
    sides: [(PortRef, SocketAddr, UdpSocket); 2],
    phones: [UdpSocket; 2],
}

impl Call {
    fn new(net: &Net, f: Family, epoch: Instant) -> Self {
        let ip = |text: &str| text.parse::<IpAddr>().expect("an address");
        let config = RelayConfig {
            addresses: vec![ip(f.relay_c), ip(f.relay_t)],
            ports: 30_000..=30_099,
            offload_after: Some(1),
            ..RelayConfig::default()
        };
        let mut relay = Relay::new(&config, 1);
        let session = SessionId::new(0, 1);
        let leg = |text| LegSpec { local: ip(text), latching: Latching::Exact };
        let open = Open {
            session,
            a: leg(f.relay_c),
            b: leg(f.relay_t),
            region: RegionId(1),
            tier_leg: Leg::B,
            inactivity: None,
        };
        let now = Time::from_nanos(epoch.elapsed().as_nanos() as u64);
        relay.command(now, RelayCommand::Open(open));
        while let Some(PortRequest::Bind(pair)) = relay.poll_port() {
            relay.bound(now, pair.rtp, true);
        }
        let Some(RelayEvent::Opened { a_port, b_port, .. }) = relay.poll_event() else { panic!("it opens") };
        let phones = [socket(&net.carrier, f.carrier, 4000), socket(&net.tier, f.tier, 5000)];
        for (leg, phone) in [Leg::A, Leg::B].into_iter().zip(&phones) {
            let rtp = phone.local_addr().expect("it is bound");
            let remote = Remote { rtp, rtcp: SocketAddr::new(rtp.ip(), rtp.port() + 1), mux: false };
            let to = Connect {
                remote,
                direction: Direction::SendRecv,
                clock_rate: 8000,
                event: None,
                carries: Carries::Rtp,
            };
            relay.command(now, RelayCommand::Connect { session, leg, to });
        }
        let sides = [(f.relay_c, a_port), (f.relay_t, b_port)].map(|(text, number)| {
            let at = SocketAddr::new(ip(text), number);
            let port = (0..relay.ports() as u32).map(PortRef::new).find(|p| relay.local(*p) == Some(at));
            (port.expect("one of ours"), at, socket(&net.relay, text, number))
        });
        Self { relay, epoch, session, sides, phones }
    }

    fn now(&self) -> Time {
        Time::from_nanos(self.epoch.elapsed().as_nanos() as u64)
    }

    /// One packet over the sockets: the way of every packet before the program carries the flow.
    fn by_socket(&mut self, side: usize, packet: &[u8]) {
        let (port, at, socket) = &self.sides[side];
        self.phones[side].send_to(packet, at).expect("it is sent");
        let until = Instant::now() + PATIENCE;
        let come = std::iter::repeat_with(|| receive(socket)).take_while(|_| Instant::now() < until);
        let (mut bytes, from) = come.flatten().next().expect("it comes to the socket");
        let verdict = self.relay.packet(self.now(), *port, from, &mut bytes);
        let Verdict::Forward { port, to } = verdict else { panic!("{verdict:?}") };
        let (_, _, out) = self.sides.iter().find(|s| s.0 == port).expect("one of ours");
        out.send_to(&bytes, to).expect("it is sent");
        receive_all(&self.phones[1 - side], 1, out.local_addr().expect("it is bound"));
    }
}

/// What the program carries of a call.
struct Offloaded {
    tables: Arc<Tables>,
    flows: [FlowId; 2],
    hop_t: datapath::xdp::NextHopId,
}

fn offload(net: &Net, program: &Program, call: &mut Call) -> Offloaded {
    let tables = program.tables();
    let hop = |to: &str, from: &str, interface: &str| {
        let ifindex = net.relay.index(interface);
        let hop = NextHop { to: mac(to), from: mac(from), ifindex, mtu: 1500, tags: [None; 2] };
        tables.add_next_hop(&hop).expect("there is room")
    };
    let (hop_c, hop_t) = (hop(CARRIER, RELAY_C, "rc"), hop(TIER, RELAY_T, "rt"));
    // Each was offered with its first packet.
    let mut flows = [(hop_c, true), (hop_t, false)].map(|(hop, moves)| {
        let Some(Offload::Install(flow)) = call.relay.poll_offload() else {
            panic!("both sides have spoken")
        };
        let local = |port| call.relay.local(port).expect("one of ours");
        let installed = tables.install(&flow, local(flow.at), local(flow.out), hop, SLOT, moves);
        installed.expect("there is room")
    });
    flows.reverse();
    Offloaded { tables, flows, hop_t }
}

fn story(rung: Rung, f: Family) {
    let epoch = Instant::now();
    let Some(mut program) = load(&setup(&[f.relay_c, f.relay_t], epoch)) else { return };
    let net = Net::new();
    // XDP does not see that a neighbour on this host has left the checksum to a card; the traffic control hook does.
    if rung != Rung::Tcx {
        net.carrier.command("ethtool", "-K c0 tx off");
        net.tier.command("ethtool", "-K t0 tx off");
    }
    let mut call = Call::new(&net, f, epoch);
    call.by_socket(1, &rtp(0xb, 1));
    call.by_socket(0, &rtp(0xa, 1));
    let opposite = [stand_opposite(&net.carrier, "c0"), stand_opposite(&net.tier, "t0")];
    let program = net.relay.run(move || {
        let attached =
            ["rc", "rt"].map(|interface| program.attach(interface, &[rung]).expect("it stands there"));
        (program, attached)
    });
    let (program, attached) = program;
    let carried = offload(&net, &program, &mut call);
    let [carrier, tier] = &call.phones;
    let [(_, at_c, sock_c), (_, at_t, sock_t)] = &call.sides;

    // Both ways, and nothing of it reaches the sockets.
    for n in 2..2 + PACKETS {
        carrier.send_to(&rtp(0xa, n), at_c).expect("it is sent");
        tier.send_to(&rtp(0xb, n), at_t).expect("it is sent");
    }
    let heard = [receive_all(tier, PACKETS, *at_t), receive_all(carrier, PACKETS, *at_c)];
    for (packets, ssrc) in heard.iter().zip([0xa, 0xb]) {
        assert!(packets.iter().zip(2..).all(|(packet, n)| *packet == rtp(ssrc, n)), "unchanged and in order");
    }
    for id in &carried.flows {
        let state = carried.tables.state(id);
        assert_eq!((state.packets, state.bytes), (PACKETS.into(), u64::from(PACKETS) * 172));
        assert_eq!(state.newest as u16, PACKETS + 1);
        assert!(state.last <= call.now() && call.now().since(state.last) < PATIENCE, "the clocks are one");
    }

    // A stranger's packets go nowhere.
    let stranger = socket(&net.carrier, f.carrier, 4002);
    for n in 0..5 {
        stranger.send_to(&rtp(0xa, n), at_c).expect("it is sent");
    }
    let from = stranger.local_addr().expect("it is bound");
    receive_all(sock_c, 5, from);
    assert_eq!(receive(tier), None);

    // The region is switched by one store: what goes to it goes to the other place from the next packet on, and what comes
    // from the place that it was is not passed on by the program any more.
    let other = socket(&net.tier, f.tier, 5002);
    let (from, to) = (carrier.local_addr().expect("bound"), other.local_addr().expect("bound"));
    carried.tables.set_alternate(&carried.flows[0], SlotChoice::First, from, to, carried.hop_t, 0);
    carried.tables.switch(SLOT, SlotChoice::First);
    for n in 300..310 {
        carrier.send_to(&rtp(0xa, n), at_c).expect("it is sent");
    }
    assert_eq!(
        receive_all(&other, 10, *at_t).iter().map(|p| number(p)).collect::<Vec<_>>(),
        (300..310).collect::<Vec<_>>()
    );
    assert_eq!(receive(tier), None);
    tier.send_to(&rtp(0xb, 300), at_t).expect("it is sent");
    receive_all(sock_t, 1, tier.local_addr().expect("bound"));

    // Nobody's route: everything comes to the sockets.
    carried.tables.switch(SLOT, SlotChoice::Sockets);
    carrier.send_to(&rtp(0xa, 310), at_c).expect("it is sent");
    receive_all(sock_c, 1, from);

    // Taken away: the relay counts what the program has carried, and goes on by its sockets.
    call.relay.recall(&RelayCommand::Release { session: call.session });
    for (id, side) in carried.flows.into_iter().zip(0..) {
        let at = call.sides[side].0;
        assert_eq!(call.relay.poll_offload(), Some(Offload::Remove { at, why: Recall::Release }));
        let after = carried.tables.remove(id);
        call.relay.recalled(call.now(), at, &after);
    }
    call.by_socket(0, &rtp(0xa, 311));
    call.by_socket(1, &rtp(0xb, 301));
    let stats = call.relay.stats(call.session).expect("it is open");
    assert_eq!(
        (stats.from_a.packets, stats.from_b.packets),
        (u64::from(PACKETS) + 12, u64::from(PACKETS) + 2)
    );
    // 102 to 299 were never sent, and one went to a socket that nobody read for the relay: 310, and on the other side 300.
    assert_eq!((stats.from_a.lost, stats.from_b.lost), (198 + 1, 198 + 1));

    assert_eq!(net.carrier.checksum_errors() + net.relay.checksum_errors() + net.tier.checksum_errors(), 0);
    drop((attached, opposite));
}

#[test]
fn native_xdp_carries_a_call_over_ipv4() {
    story(Rung::NativeXdp, V4);
}

#[test]
fn native_xdp_carries_a_call_over_ipv6() {
    story(Rung::NativeXdp, V6);
}

#[test]
fn generic_xdp_carries_a_call() {
    story(Rung::GenericXdp, V4);
}

#[test]
fn the_traffic_control_hook_carries_a_call_whose_checksums_nobody_has_made() {
    story(Rung::Tcx, V4);
    story(Rung::Tcx, V6);
}

#[test]
fn the_ladder_says_why_a_rung_did_not_hold() {
    let Some(mut program) = load(&setup(&[], Instant::now())) else { return };
    let host = Host::new();
    let (on_lo, nowhere) = host.run(move || {
        let rungs = [Rung::NativeXdp, Rung::GenericXdp, Rung::Tcx];
        (program.attach("lo", &rungs), program.attach("nosuch0", &rungs))
    });
    let on_lo = on_lo.expect("generic XDP stands before any interface");
    assert_eq!(on_lo.rung, Rung::GenericXdp, "{on_lo:?}");
    assert_eq!(on_lo.refused.len(), 1, "loopback's driver has no XDP");
    let why = nowhere.expect_err("there is no such interface").to_string();
    assert!(why.starts_with("the program cannot stand before nosuch0; xdp_native: "), "{why}");
}
