//! Flows that a fast path carries: when they are offered, when they are taken back, and what they leave behind.

mod common;

use common::{ALICE, BOB, Shell, at, config, connect, header, open, rtp};
use relay_core::{Flow, FlowState, Offload, PortRef, Recall, RelayConfig, Unfit};
use relay_values::{
    Connect, Direction, DropReason, Duration, Fill, Latching, Law, Leg, LegSpec, Open, RegionId,
    RelayCommand, SessionId, SilenceKind, Sound,
};

const AFTER: u16 = 4;
const SESSION: SessionId = SessionId::new(0, 1);

/// A relay with a fast path of our imagination, and the call of Alice and Bob on it.
struct World {
    shell: Shell,
    a: PortRef,
    b: PortRef,
}

impl World {
    fn new() -> Self {
        Self::with(Latching::Exact)
    }

    /// Bob is behind a NAT.
    fn learning() -> Self {
        Self::with(Latching::Learn)
    }

    fn with(latching: Latching) -> Self {
        let mut shell = Shell::new(RelayConfig { offload_after: Some(AFTER), ..config(10_000..=10_099) });
        let (a, b) = (open(1).a, LegSpec { latching, ..open(1).b });
        let (a_port, b_port) = shell.open(Open { a, b, ..open(1) }).unwrap();
        let port = |number| shell.bound[&at(&format!("{}:{number}", common::V4))];
        let (a, b) = (port(a_port), port(b_port));
        let mut world = Self { shell, a, b };
        world.connect(Leg::A, connect(ALICE));
        world.connect(Leg::B, connect(BOB));
        world
    }

    /// As the shell must: what is to be done before, and after.
    fn command(&mut self, command: RelayCommand) -> (Vec<Offload>, Vec<Offload>) {
        self.shell.relay.recall(&command);
        let before = self.offloads();
        self.shell.command(command);
        (before, self.offloads())
    }

    fn connect(&mut self, leg: Leg, to: Connect) -> (Vec<Offload>, Vec<Offload>) {
        self.command(RelayCommand::Connect { session: SESSION, leg, to })
    }

    /// The fast path has done it, and has carried nothing since it was asked last.
    fn done(&mut self, offloads: &[Offload]) {
        for offload in offloads {
            match offload {
                Offload::Change(flow) => {
                    self.shell.relay.changed(self.shell.now, flow, &FlowState::default())
                }
                Offload::Remove { at, .. } => {
                    self.shell.relay.recalled(self.shell.now, *at, &FlowState::default())
                }
                Offload::Install(_) | Offload::Shut(_) | Offload::Open(_) => {}
            }
        }
    }

    fn offloads(&mut self) -> Vec<Offload> {
        std::iter::from_fn(|| self.shell.relay.poll_offload()).collect()
    }

    /// A packet from one of them, 20 ms after the last one, by the sockets.
    fn send(&mut self, port: PortRef, from: &str, packet: &[u8]) -> Result<Vec<u8>, DropReason> {
        self.shell.now += Duration::from_millis(20);
        let mut bytes = packet.to_vec();
        match self.shell.relay.packet(self.shell.now, port, at(from), &mut bytes) {
            relay_core::Verdict::Forward { .. } => Ok(bytes),
            relay_core::Verdict::Anew => panic!("RTP is rewritten in place"),
            relay_core::Verdict::Drop(reason) => Err(reason),
        }
    }

    /// Both talk until both flows are offered: the tier's, which was heard first, comes first.
    fn carried(&mut self) -> [Flow; 2] {
        let mut flows = Vec::new();
        for n in 0..AFTER {
            self.send(self.a, ALICE, &rtp(0xa, n, u32::from(n) * 160)).unwrap();
            self.send(self.b, BOB, &rtp(0xb, n, u32::from(n) * 160)).unwrap();
            flows.extend(self.offloads());
        }
        let flows: Vec<Flow> = flows
            .into_iter()
            .map(|offload| match offload {
                Offload::Install(flow) => *flow,
                other => panic!("{other:?}"),
            })
            .collect();
        <[Flow; 2]>::try_from(flows).unwrap()
    }

    /// The fast path has carried so many packets of 172 bytes since the relay last heard of it.
    fn carry(&mut self, flow: &mut Flow, packets: u16) {
        let FlowState { packets: n, bytes, newest, newest_timestamp, .. } = flow.state;
        self.shell.now += Duration::from_millis(20) * packets.into();
        flow.state = FlowState {
            packets: n + u64::from(packets),
            bytes: bytes + 172 * u64::from(packets),
            newest: newest + u32::from(packets),
            newest_timestamp: newest_timestamp + 160 * u32::from(packets),
            last_timestamp: newest_timestamp + 160 * u32::from(packets),
            last: self.shell.now,
            newest_at: self.shell.now,
            ..flow.state
        };
    }
}

#[test]
fn a_flow_is_offered_after_some_packets_in_a_row_once_it_is_known_where_they_go() {
    let mut world = World::learning();
    for n in 0..2 * AFTER {
        world.send(world.a, ALICE, &rtp(0xa, n, 0)).unwrap();
    }
    assert_eq!(world.offloads(), [], "Bob has not been heard");
    assert_eq!(world.shell.relay.flow(world.a), Err(Unfit::Unlearnt));
    let unfit = world.shell.relay.counters().unfit[Unfit::Unlearnt as usize];
    assert_eq!(unfit, u64::from(AFTER) + 1, "every packet by which it was due");
    world.send(world.b, BOB, &rtp(0xb, 1, 0)).unwrap();
    world.send(world.a, ALICE, &rtp(0xa, 2 * AFTER, 0)).unwrap();
    let offloads = world.offloads();
    let [Offload::Install(flow)] = &offloads[..] else { panic!("{offloads:?}") };
    assert_eq!((flow.at, flow.from, flow.out, flow.to), (world.a, at(ALICE), world.b, at(BOB)));
    assert_eq!((flow.source, flow.shift.ssrc, flow.shift.sequence, flow.shift.timestamp), (0xa, 0xa, 0, 0));
    assert_eq!(world.shell.relay.carried(world.b), [Some(world.a), None], "asked by either port");
}

#[test]
fn without_a_fast_path_nothing_is_offered() {
    let mut shell = Shell::new(config(10_000..=10_099));
    shell.open(open(1)).unwrap();
    shell.command(RelayCommand::Release { session: SESSION });
    assert_eq!(shell.relay.poll_offload(), None);
}

/// What is taken back before a command, and what is left to do after it.
fn told(command: RelayCommand) -> (World, Vec<Offload>, Vec<Offload>) {
    let mut world = World::new();
    world.carried();
    let (before, after) = world.command(command);
    world.done(&before);
    world.done(&after);
    (world, before, after)
}

fn removed(at: PortRef, why: Recall) -> Vec<Offload> {
    vec![Offload::Remove { at, why }]
}

#[test]
fn a_command_takes_back_the_flows_of_whose_source_it_speaks() {
    let session = SESSION;
    for (command, expected) in [
        (RelayCommand::Retarget { session, leg: Leg::B, region: RegionId(2), to: None }, Recall::Retarget),
        (RelayCommand::Place { session, region: RegionId(1), cut: true }, Recall::Place),
        (RelayCommand::Release { session }, Recall::Release),
    ] {
        let (world, before, after) = told(command);
        assert_eq!(before, [removed(world.a, expected), removed(world.b, expected)].concat());
        assert_eq!(after, []);
        assert_eq!(world.shell.relay.counters().recalled[expected as usize], 2);
        let why_not = world.shell.relay.flow(world.b).unwrap_err();
        assert!(!why_not.as_str().is_empty());
    }
    let (mut world, before, after) = told(RelayCommand::Bridge { session, leg: Leg::B, fill: None });
    assert_eq!((before, after), (removed(world.b, Recall::Bridge), vec![]));
    assert_eq!(world.shell.relay.flow(world.b), Err(Unfit::Bridged));
    // What goes to the lost peer needs nobody's care.
    assert_eq!(world.shell.relay.carried(world.b), [Some(world.a), None]);
    assert_eq!(world.offloads(), []);
}

#[test]
fn a_leg_that_moves_is_followed_by_what_goes_to_it_without_a_pause() {
    const CAROL: &str = "203.0.113.2:6000";
    let (region, to) = (RegionId(2), Some(connect(CAROL)));
    let (mut world, before, after) =
        told(RelayCommand::Retarget { session: SESSION, leg: Leg::B, region, to });
    assert_eq!(before, removed(world.b, Recall::Retarget));
    let [Offload::Change(flow)] = &after[..] else { panic!("{after:?}") };
    assert_eq!((flow.at, flow.out, flow.to), (world.a, world.b, at(CAROL)));
    assert_eq!(world.shell.relay.flow(world.b), Err(Unfit::Moving));
    // Packets of the old peer change nothing, the first one of the new peer is enough.
    world.send(world.b, BOB, &rtp(0xb, AFTER, 640)).unwrap();
    assert_eq!(world.offloads(), []);
    world.send(world.b, CAROL, &rtp(0xc, 7000, 5)).unwrap();
    let offloads = world.offloads();
    let [Offload::Install(flow)] = &offloads[..] else { panic!("{offloads:?}") };
    assert_eq!((flow.at, flow.from, flow.to), (world.b, at(CAROL), at(ALICE)));
    assert_eq!((flow.source, flow.shift.ssrc, flow.region), (0xc, 0xb, Some(RegionId(2))));
}

#[test]
fn what_was_under_way_by_the_sockets_takes_a_moved_flow_back_a_few_times_only() {
    const CAROL: &str = "203.0.113.2:6000";
    let (region, to) = (RegionId(2), Some(connect(CAROL)));
    let (mut world, ..) = told(RelayCommand::Retarget { session: SESSION, leg: Leg::B, region, to });
    let mut installed = Vec::new();
    for n in 0..60_u16 {
        world.send(world.b, CAROL, &rtp(0xc, n, u32::from(n) * 160)).unwrap();
        for offload in world.offloads() {
            match offload {
                Offload::Install(_) => installed.push(n),
                Offload::Remove { at, why: Recall::PassedUp } => {
                    world.shell.relay.recalled(world.shell.now, at, &FlowState::default());
                }
                other => panic!("{other:?}"),
            }
        }
    }
    // With the first packet, three times; then after 8 and 16 of them.
    assert_eq!(installed, [0, 2, 4, 13, 30]);
}

#[test]
fn a_description_that_says_nothing_new_takes_nothing_back() {
    for leg in [Leg::A, Leg::B] {
        let to = connect(if leg == Leg::A { ALICE } else { BOB });
        let (world, before, after) = told(RelayCommand::Connect { session: SESSION, leg, to });
        assert_eq!((before, after), (vec![], vec![]));
        assert_eq!(world.shell.relay.carried(world.a), [Some(world.a), Some(world.b)]);
    }
    // Neither does a region that is numbered anew.
    let (world, before, after) =
        told(RelayCommand::Place { session: SESSION, region: RegionId(7), cut: false });
    assert_eq!(before, []);
    let [Offload::Change(flow)] = &after[..] else { panic!("{after:?}") };
    assert_eq!((flow.at, flow.region), (world.b, Some(RegionId(7))));
}

#[test]
fn who_is_put_on_hold_goes_on_to_hear_and_is_heard_again_at_once() {
    let on_hold = Connect { direction: Direction::SendOnly, ..connect(BOB) };
    let (mut world, before, after) =
        told(RelayCommand::Connect { session: SESSION, leg: Leg::B, to: on_hold });
    assert_eq!((before, after), (removed(world.b, Recall::Connect), vec![]));
    assert_eq!(world.shell.relay.carried(world.a), [Some(world.a), None], "music goes to him");
    assert_eq!(world.connect(Leg::B, connect(BOB)), (vec![], vec![]));
    world.send(world.b, BOB, &rtp(0xb, 400, 9000)).unwrap();
    assert!(matches!(world.offloads()[..], [Offload::Install(_)]));
    // One that is to hear nothing has no flow.
    let deaf = Connect { direction: Direction::RecvOnly, ..connect(BOB) };
    assert_eq!(world.connect(Leg::B, deaf), (vec![], removed(world.a, Recall::Connect)));
}

#[test]
fn what_was_carried_counts_and_the_line_goes_on_from_there() {
    let mut world = World::new();
    let mut flow = world.carried()[1];
    assert_eq!(flow.at, world.b);
    world.carry(&mut flow, 100);
    world.shell.relay.absorb(world.shell.now, flow.at, &flow.state);
    world.carry(&mut flow, 50);
    // The leg moves; the fast path says how far it has come, and the new stream goes on behind that.
    let to = Some(connect("203.0.113.2:6000"));
    let command = RelayCommand::Retarget { session: SESSION, leg: Leg::B, region: RegionId(2), to };
    world.shell.relay.recall(&command);
    world.offloads();
    world.shell.relay.recalled(world.shell.now, flow.at, &flow.state);
    world.shell.command(command);
    let heard = header(&world.send(world.b, "203.0.113.2:6000", &rtp(0xc, 7000, 5)).unwrap());
    assert_eq!((heard.ssrc, heard.sequence), (0xb, AFTER + 150));
    assert_eq!(heard.timestamp, 160 * (u32::from(AFTER) + 150));
    let stats = world.shell.relay.stats(SESSION).unwrap().from_b;
    assert_eq!((stats.packets, stats.forwarded, stats.lost), (AFTER as u64 + 151, AFTER as u64 + 151, 0));
    assert_eq!(world.shell.relay.counters().offloaded, 150);
}

#[test]
fn a_packet_of_the_peer_that_comes_to_the_sockets_takes_its_flow_back() {
    for (second, ssrc, expected) in
        [(101, 0xa, Recall::Event), (0, 0xd, Recall::Source), (0, 0xa, Recall::PassedUp)]
    {
        let mut world = World::new();
        let with_event = |to| Connect { event: Some(101), ..connect(to) };
        world.connect(Leg::A, with_event(ALICE));
        world.carried();
        let mut packet = rtp(ssrc, AFTER, 640);
        packet[1] = second;
        world.send(world.a, ALICE, &packet).unwrap();
        assert_eq!(world.offloads(), [Offload::Remove { at: world.a, why: expected }]);
    }
}

#[test]
fn strangers_and_rtcp_take_nothing_back() {
    let mut world = World::new();
    world.carried();
    assert_eq!(world.send(world.a, "192.0.2.66:4000", &rtp(0xa, 9, 0)), Err(DropReason::Stranger));
    assert_eq!(world.send(world.a, ALICE, b"\x00\x01\x00\x00"), Err(DropReason::Stun));
    assert_eq!(world.offloads(), []);
    assert_eq!(world.shell.relay.carried(world.a), [Some(world.a), Some(world.b)]);
}

#[test]
fn a_flow_that_no_fast_path_can_carry_is_offered_ever_more_rarely() {
    let mut world = World::new();
    for flow in world.carried() {
        world.shell.relay.declined(flow.at);
    }
    let mut offered = Vec::new();
    for n in 0..2000_u16 {
        world.send(world.a, ALICE, &rtp(0xa, AFTER + n, 0)).unwrap();
        for offload in world.offloads() {
            let Offload::Install(flow) = offload else { panic!("it is not carried") };
            world.shell.relay.declined(flow.at);
            offered.push(n + 1);
        }
    }
    // 8, 16, 32, … 256 packets after the one before, and no more than that.
    assert_eq!(offered[..7], [8, 24, 56, 120, 248, 504, 760]);
}

#[test]
fn silence_is_judged_by_what_the_fast_path_has_heard() {
    let mut world = World::new();
    let [mut a, b] = world.carried();
    let mut asked = 0;
    for _ in 0..30 {
        world.carry(&mut a, 50);
        let now = world.shell.now;
        while let Some(carried) = world.shell.relay.poll_overdue(now) {
            assert_eq!(carried, [Some(a.at), Some(b.at)], "asked about when its turn comes, not before");
            world.shell.relay.absorb(now, a.at, &a.state);
            asked += 1;
        }
        world.shell.relay.timeout(now);
    }
    assert!((2..=4).contains(&asked), "every twelve seconds: {asked}");
    world.shell.drain();
    let silent: Vec<_> = world
        .shell
        .events
        .iter()
        .filter_map(|e| match e {
            relay_values::RelayEvent::Silent { leg, kind, .. } => Some((*leg, *kind)),
            _ => None,
        })
        .collect();
    assert_eq!(silent, [(Leg::B, SilenceKind::Stopped)], "thirty seconds, of which twelve are allowed");
}

#[test]
fn a_bridge_reports_of_what_the_fast_path_has_heard_meanwhile() {
    let mut world = World::new();
    let [_, mut a] = {
        let mut flows = world.carried();
        flows.sort_by_key(|flow| flow.at == world.a);
        flows
    };
    let fill = Fill {
        payload_type: 8,
        clock_rate: 8000,
        packet_time: Duration::from_millis(20),
        sound: Sound::Noise(Law::A),
    };
    let (before, _) = world.command(RelayCommand::Bridge { session: SESSION, leg: Leg::B, fill: Some(fill) });
    world.done(&before);
    // Alice talks on, by the fast path; the relay asks how far she has come before it reports of it, and not all the time.
    let mut asked = 0;
    for _ in 0..1000 {
        world.carry(&mut a, 1);
        while let Some(carried) = world.shell.relay.poll_overdue(world.shell.now) {
            assert_eq!(carried, [Some(a.at), None]);
            world.shell.relay.absorb(world.shell.now, a.at, &a.state);
            asked += 1;
        }
        world.shell.relay.timeout(world.shell.now);
        world.shell.drain();
    }
    let reports: Vec<_> = world.shell.own.iter().filter(|sent| sent.bytes[1] == 200).collect();
    assert!((2..=10).contains(&reports.len()) && asked >= reports.len() && asked < 3 * reports.len() + 3);
    // SR, of its one report block the fields about the line: nothing lost, and the newest number.
    let newest: Vec<_> =
        reports.iter().map(|sent| u16::from_be_bytes([sent.bytes[38], sent.bytes[39]])).collect();
    assert!(newest.windows(2).all(|w| w[1] > w[0] + 100), "{newest:?}");
    assert!(reports.iter().all(|sent| sent.bytes[32..36] == [0; 4]), "nothing of it was lost");
}

#[test]
fn a_call_that_is_watched_comes_back_to_the_sockets_and_goes_again_with_its_next_packet() {
    let mut world = World::new();
    world.carried();
    assert!(world.shell.relay.watch(SESSION, true));
    let offloads = world.offloads();
    assert_eq!(offloads, [removed(world.a, Recall::Watched), removed(world.b, Recall::Watched)].concat());
    world.done(&offloads);
    for n in 1..=2 * AFTER {
        world.send(world.a, ALICE, &rtp(0xa, AFTER + n, u32::from(AFTER + n) * 160)).unwrap();
    }
    assert_eq!((world.offloads(), world.shell.relay.flow(world.a)), (vec![], Err(Unfit::Watched)));
    let counters = world.shell.relay.counters();
    assert_eq!(counters.recalled[Recall::Watched as usize], 2);
    assert!(counters.unfit[Unfit::Watched as usize] > 0);

    assert!(world.shell.relay.watch(SESSION, false));
    for (port, from, ssrc, n) in [(world.a, ALICE, 0xa, 3 * AFTER), (world.b, BOB, 0xb, AFTER)] {
        world.send(port, from, &rtp(ssrc, n, u32::from(n) * 160)).unwrap();
        let offloads = world.offloads();
        assert!(matches!(&offloads[..], [Offload::Install(flow)] if flow.at == port), "{offloads:?}");
    }
    world.command(RelayCommand::Release { session: SESSION });
    assert!(!world.shell.relay.watch(SESSION, true), "it is over");
}
