//! Regions as signalling sees them: silence, the cohort of a drill, and calls that move.

mod common;
use common::{Shell, at, config, connect, open, rtp};
use relay_values::{DropReason, Duration, Leg, RegionId, RelayCommand, RelayEvent, SessionId};

const CALLS: u16 = 20;
const HOME: RegionId = RegionId(1);

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// Calls whose tier legs speak to us, every 20 ms, as long as they are told to.
struct Region {
    shell: Shell,
    ports: Vec<(u16, u16)>,
    sequence: u16,
}

fn session(n: u16) -> SessionId {
    SessionId::new(0, n.into())
}

fn carrier(n: u16) -> String {
    format!("192.0.2.1:{}", 4000 + 2 * n)
}

fn tier(n: u16) -> String {
    format!("203.0.113.1:{}", 5000 + 2 * n)
}

impl Region {
    fn new() -> Self {
        let mut shell = Shell::new(config(10_000..=10_099));
        let ports =
            (0..CALLS).map(|n| shell.call(open(n.into()), connect(&carrier(n)), connect(&tier(n)))).collect();
        let mut region = Self { shell, ports, sequence: 0 };
        region.speak(0..CALLS, 30);
        region.shell.events();
        region
    }

    /// A packet of each of these calls, `times` over, spread over the 20 ms.
    fn speak(&mut self, calls: std::ops::Range<u16>, times: u16) {
        for _ in 0..times {
            self.sequence = self.sequence.wrapping_add(1);
            for n in 0..CALLS {
                if calls.contains(&n) {
                    let bytes = rtp(n.into(), self.sequence, u32::from(self.sequence) * 160);
                    let _ = self.shell.packet(self.ports[usize::from(n)].1, &tier(n), &bytes);
                }
                self.shell.pass(ms(1));
            }
        }
    }

    fn told(&mut self) -> Vec<RelayEvent> {
        let events = self.shell.events().into_iter();
        events
            .filter(|e| matches!(e, RelayEvent::RegionSilent { .. } | RelayEvent::RegionHeard { .. }))
            .collect()
    }

    fn place(&mut self, calls: std::ops::Range<u16>, region: RegionId, cut: bool) {
        for n in calls {
            self.shell.command(RelayCommand::Place { session: session(n), region, cut });
        }
    }
}

#[test]
fn a_region_that_falls_silent_is_told_once_and_so_is_its_return() {
    let mut r = Region::new();
    r.shell.pass(ms(300));
    let told = r.told();
    assert!(
        matches!(told[..], [RelayEvent::RegionSilent { region: HOME, silent: 18..=20, of: 20, .. }]),
        "{told:?}"
    );
    assert_eq!(r.shell.relay.counters().region_silent, 1);
    r.speak(0..CALLS, 10);
    assert_eq!(r.told(), [RelayEvent::RegionHeard { region: HOME }]);
}

#[test]
fn one_edge_of_three_and_calls_that_end_are_not_the_region() {
    let mut r = Region::new();
    r.speak(0..13, 50);
    for n in 0..10 {
        r.shell.command(RelayCommand::Release { session: session(n) });
    }
    r.speak(10..13, 50);
    assert_eq!(r.told(), []);
}

#[test]
fn hold_is_not_silence() {
    let mut r = Region::new();
    for n in 0..CALLS {
        let to = relay_values::Connect { direction: relay_values::Direction::SendOnly, ..connect(&tier(n)) };
        r.shell.connect(session(n), Leg::B, to);
    }
    r.shell.pass(ms(1000));
    assert_eq!(r.told(), []);
}

#[test]
fn the_cohort_of_a_drill_is_silent_alone() {
    let mut r = Region::new();
    r.place(0..10, RegionId::DRILL, true);
    // Neither way does anything cross the cut.
    let (a, b) = r.ports[0];
    assert_eq!(r.shell.packet(b, &tier(0), &rtp(0, 99, 0)), Err(DropReason::Cut));
    assert_eq!(r.shell.packet(a, &carrier(0), &rtp(9, 1, 1)), Err(DropReason::Cut));
    assert_eq!(r.shell.packet(b + 1, "203.0.113.1:5001", &common::rtcp(0)), Err(DropReason::Cut));
    assert_eq!(r.shell.packet(a + 1, "192.0.2.1:4001", &common::rtcp(9)), Err(DropReason::Cut));
    r.speak(0..CALLS, 10);
    let told = r.told();
    assert!(
        matches!(told[..], [RelayEvent::RegionSilent { region: RegionId::DRILL, of: 10, .. }]),
        "{told:?}"
    );
    // The drill is over.
    r.place(0..10, HOME, false);
    r.speak(0..CALLS, 20);
    assert_eq!(r.told(), [RelayEvent::RegionHeard { region: RegionId::DRILL }]);
    r.shell.packet(a, &carrier(0), &rtp(9, 2, 1)).unwrap();
}

#[test]
fn a_cut_call_that_moves_is_cut_no_longer() {
    let mut r = Region::new();
    r.place(0..1, RegionId::DRILL, true);
    let to = Some(connect("203.0.113.77:7000"));
    r.shell.command(RelayCommand::Retarget { session: session(0), leg: Leg::B, region: RegionId(2), to });
    let (a, b) = r.ports[0];
    assert_eq!(
        r.shell.packet(a, &carrier(0), &rtp(9, 1, 1)).unwrap().to,
        at("203.0.113.77:7000"),
        "towards the new peer"
    );
    assert_eq!(
        r.shell.packet(b, &tier(0), &rtp(0, 99, 0)),
        Err(DropReason::Stranger),
        "the old one stays cut off"
    );
    r.shell.packet(b, "203.0.113.77:7000", &rtp(7, 1, 1)).unwrap();
}

#[test]
fn calls_that_have_moved_speak_for_their_new_region() {
    let mut r = Region::new();
    for n in 0..CALLS {
        let to = Some(connect(&tier(n + 100)));
        r.shell.command(RelayCommand::Retarget { session: session(n), leg: Leg::B, region: RegionId(2), to });
    }
    // The old region's packets still come, and stop: nobody's silence.
    r.speak(0..CALLS, 30);
    r.shell.pass(ms(500));
    assert_eq!(r.told(), []);
    for k in 0..30 {
        for n in 0..CALLS {
            let bytes = rtp(500 + u32::from(n), k, u32::from(k) * 160);
            r.shell.packet(r.ports[usize::from(n)].1, &tier(n + 100), &bytes).unwrap();
            r.shell.pass(ms(1));
        }
    }
    r.shell.pass(ms(100));
    let told = r.told();
    assert!(matches!(told[..], [RelayEvent::RegionSilent { region: RegionId(2), of: 20, .. }]), "{told:?}");
}

#[test]
fn while_the_shell_is_behind_nobody_is_silent() {
    let mut r = Region::new();
    for _ in 0..10 {
        r.shell.pass(ms(30));
        r.shell.relay.behind(r.shell.now);
    }
    assert_eq!(r.told(), []);
    r.shell.pass(ms(80));
    assert_eq!(r.told().len(), 1);
}
