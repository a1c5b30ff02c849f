//! What an operator is shown.

use super::lab::{Lab, ms};
use crate::health::HealthInput;
use crate::route::fixture::{self, BACKUP_1, EAST_1, EAST_2};
use crate::{EvidenceKind, Overrides, RegionId, RegionState, SwitchReason, TargetState};
use relay_values::Time;

#[test]
fn a_region_is_shown_with_its_edges_and_what_speaks_for_and_against_them() {
    let mut lab = Lab::usual(1);
    lab.run(Time::from_millis(5_000));
    lab.freeze(EAST_2);
    lab.evidence(EAST_1, EvidenceKind::Unreachable);
    lab.handle(HealthInput::Overrides(Overrides { drained: vec![RegionId(0)], ..Overrides::default() }));
    lab.pass(1_000);
    lab.silent(RegionId(0), Time::from_millis(5_900));
    let views = lab.health.regions(lab.now);
    assert_eq!(views.iter().map(|view| &*view.name).collect::<Vec<_>>(), ["east", "west"]);
    let (east, west) = (&views[0], &views[1]);
    assert!(east.drained && !west.drained);
    assert_eq!((east.health.state, east.silence), (RegionState::Suspect, Some(Time::from_millis(5_900))));
    assert_eq!((west.health.state, west.silence), (RegionState::Up, None));

    let [first, second] = &*east.edges else { panic!("{:?}", east.edges) };
    assert_eq!(
        (&*first.name, first.health.state, first.reason),
        ("east-1", TargetState::Up, Some(SwitchReason::Recovered))
    );
    assert!(first.penalty > 0.97 && first.penalty < 1.0, "{first:?}");
    assert_eq!((first.missed, first.failures, first.round_trip), (0, 0, Some(ms(1))));
    assert!(first.health.warm > lab.now && first.drained);
    assert_eq!((second.health.state, second.reason), (TargetState::Down, Some(SwitchReason::ProbeTimeout)));
    assert!(second.missed >= 3 && second.probes > 25, "{second:?}");
}

#[test]
fn an_edge_that_was_never_asked_has_no_round_trip() {
    let mut config = fixture::config();
    config.targets[BACKUP_1.index()].owner = config.targets[EAST_1.index()].owner;
    let mut lab = Lab::new(1, config);
    lab.run(Time::from_millis(1_000));
    let view = lab.health.regions(lab.now)[0].edges[2].clone();
    assert_eq!((&*view.name, view.probes, view.round_trip, view.held), ("backup-1", 0, None, None));
}
