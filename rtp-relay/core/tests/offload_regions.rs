//! A region whose flows a fast path carries: its silence is noticed by what that has heard, and one word shuts all its doors.

mod common;

use common::{Shell, at, config, connect, open, rtp};
use relay_core::{Flow, FlowBeat, FlowState, Offload, PortRef, Recall, RelayConfig, Unfit, Verdict};
use relay_values::{Duration, Leg, RegionId, RelayCommand, RelayEvent, SessionId};

const CALLS: u16 = 20;
const HOME: RegionId = RegionId(1);

/// Calls whose tier legs a fast path of our imagination has heard from the second packet on.
struct Region {
    shell: Shell,
    ports: Vec<PortRef>,
    flows: Vec<Flow>,
    /// Which of them the fast path still carries.
    carried: Vec<bool>,
}

fn tier(n: u16) -> String {
    format!("203.0.113.1:{}", 5000 + 2 * n)
}

fn session(n: u16) -> SessionId {
    SessionId::new(0, n.into())
}

impl Region {
    fn new() -> Self {
        let mut shell = Shell::new(RelayConfig { offload_after: Some(1), ..config(10_000..=10_099) });
        let mut ports = Vec::new();
        for n in 0..CALLS {
            let carrier = format!("192.0.2.1:{}", 4000 + 2 * n);
            let (_, port) = shell.call(open(n.into()), connect(&carrier), connect(&tier(n)));
            ports.push(shell.bound[&at(&format!("{}:{port}", common::V4))]);
        }
        let mut region = Self { shell, ports, flows: Vec::new(), carried: vec![true; CALLS.into()] };
        for n in 0..CALLS {
            region.by_socket(n, 0);
            let offloads = region.offloads();
            let [Offload::Install(flow)] = &offloads[..] else { panic!("{offloads:?}") };
            assert_eq!(flow.region, Some(HOME));
            region.flows.push(**flow);
        }
        region.speak(CALLS, 30);
        assert_eq!(region.told(), []);
        region
    }

    fn offloads(&mut self) -> Vec<Offload> {
        std::iter::from_fn(|| self.shell.relay.poll_offload()).collect()
    }

    /// A packet of a call's tier leg comes by the sockets.
    fn by_socket(&mut self, n: u16, number: u16) -> bool {
        let mut bytes = rtp(n.into(), number, u32::from(number) * 160);
        let port = self.ports[usize::from(n)];
        let verdict = self.shell.relay.packet(self.shell.now, port, at(&tier(n)), &mut bytes);
        matches!(verdict, Verdict::Forward { .. })
    }

    /// The first so many calls have a packet each 20 ms, `times` over, which the fast path carries.
    fn speak(&mut self, calls: u16, times: u32) {
        for _ in 0..times {
            for n in 0..CALLS {
                self.pass(Duration::from_millis(1));
                if n < calls && self.carried[usize::from(n)] {
                    let state = &mut self.flows[usize::from(n)].state;
                    let steady = state.beat.steady + u8::from(state.beat.steady < 16);
                    let newest_timestamp = state.newest_timestamp + 160;
                    *state = FlowState {
                        packets: state.packets + 1,
                        bytes: state.bytes + 172,
                        last: self.shell.now,
                        newest: state.newest + 1,
                        newest_timestamp,
                        last_timestamp: newest_timestamp,
                        newest_at: self.shell.now,
                        beat: FlowBeat { timestamp: newest_timestamp, step: 160, steady },
                        ..*state
                    };
                }
            }
        }
    }

    /// Time passes, and the relay is told at every tick what it must be told, and at each tenth of a second beside.
    fn pass(&mut self, time: Duration) {
        let until = self.shell.now + time;
        while self.shell.relay.poll_timeout() <= until {
            self.shell.now = self.shell.now.max(self.shell.relay.poll_timeout());
            self.hear();
            self.shell.relay.timeout(self.shell.now);
            self.shell.drain();
        }
        self.shell.now = until;
        if self.shell.now.as_millis().is_multiple_of(100) {
            self.hear();
        }
    }

    fn hear(&mut self) {
        for (flow, _) in self.flows.iter().zip(&self.carried).filter(|(_, carried)| **carried) {
            self.shell.relay.heard(self.shell.now, flow.at, &flow.state);
        }
    }

    fn told(&mut self) -> Vec<RelayEvent> {
        let events = self.shell.events().into_iter();
        events
            .filter(|e| matches!(e, RelayEvent::RegionSilent { .. } | RelayEvent::RegionHeard { .. }))
            .collect()
    }

    /// As the shell does it: what the relay asks for before the command, and after it.
    fn bridge(&mut self, n: u16) -> Vec<Offload> {
        let command = RelayCommand::Bridge { session: session(n), leg: Leg::B, fill: None };
        self.shell.relay.recall(&command);
        let before = self.offloads();
        for at in
            before.iter().filter_map(|o| if let Offload::Remove { at, .. } = o { Some(*at) } else { None })
        {
            let flow = self.flows[usize::from(n)];
            assert_eq!(at, flow.at);
            self.carried[usize::from(n)] = false;
            self.shell.relay.recalled(self.shell.now, at, &flow.state);
        }
        self.shell.command(command);
        assert_eq!(self.offloads(), []);
        before
    }
}

#[test]
fn a_region_is_silent_when_the_fast_path_hears_nothing_of_it() {
    let mut r = Region::new();
    let (last, heard) = (r.shell.now, r.shell.relay.counters().packets);
    assert_eq!(heard, CALLS.into(), "what was heard is not absorbed for it");
    r.pass(Duration::from_millis(80));
    let told = r.told();
    let [RelayEvent::RegionSilent { region: HOME, of: 20, since, .. }] = told[..] else { panic!("{told:?}") };
    assert!(since <= last && last.since(since) < Duration::from_millis(20), "{since:?} {last:?}");
    r.speak(CALLS, 10);
    assert_eq!(r.told(), [RelayEvent::RegionHeard { region: HOME }]);
}

#[test]
fn one_call_that_is_lost_or_a_few_that_pause_shut_no_region() {
    let mut r = Region::new();
    r.speak(CALLS - 4, 10);
    assert_eq!(r.bridge(CALLS - 1), [Offload::Remove { at: r.ports[19], why: Recall::Bridge }]);
}

#[test]
fn the_first_call_that_is_lost_with_its_silent_region_shuts_all_its_doors() {
    let mut r = Region::new();
    r.pass(Duration::from_millis(80));
    assert_eq!(r.told().len(), 1);
    assert_eq!(r.offloads(), [], "silence alone is a suspicion");
    let removed = |at| Offload::Remove { at, why: Recall::Bridge };
    assert_eq!(r.bridge(0), [Offload::Shut(HOME), removed(r.ports[0])], "before anything else");
    assert_eq!(r.bridge(1), [removed(r.ports[1])], "once");

    // One comes to life: the core hears it, and it stays with the core while the region is taken for lost.
    let (port, state) = (r.flows[2].at, r.flows[2].state);
    r.shell.relay.absorb(r.shell.now, port, &state);
    assert!(r.by_socket(2, 31));
    assert_eq!(r.offloads(), [Offload::Remove { at: port, why: Recall::PassedUp }]);
    r.shell.relay.recalled(r.shell.now, port, &state);
    r.carried[2] = false;
    for n in 32..300 {
        assert!(r.by_socket(2, n));
    }
    assert_eq!(r.shell.relay.flow(port), Err(Unfit::Shut));
    assert_eq!(r.offloads(), []);

    // All of them do: the doors are open again, and whoever was not taken back goes on.
    r.speak(CALLS, 10);
    assert_eq!(r.told(), [RelayEvent::RegionHeard { region: HOME }]);
    assert_eq!(r.offloads(), [Offload::Open(HOME)]);
    assert!(r.by_socket(2, 300));
    assert!(matches!(r.offloads()[..], [Offload::Install(_)]));
    assert_eq!(r.shell.relay.carried(r.ports[3]), [None, Some(r.ports[3])]);
}
