//! A region's flows fall silent together, and none of its edges answers.

use super::lab::{Lab, Manner, ms};
use crate::route::fixture::{self, EAST_1, EAST_2, WEST_1, WEST_2};
use crate::{RegionId, RegionState, SwitchReason, TargetId, TargetState};
use relay_values::{Duration, Time};

const EAST: RegionId = RegionId(0);

/// Fixture with probes so rare that they do not interfere.
fn rarely_probed(seed: u64) -> Lab {
    let mut config = fixture::config();
    for target in config.targets.iter_mut().filter(|target| target.probe.is_some()) {
        target.probe.as_mut().unwrap().interval = Duration::from_secs(60);
    }
    let mut lab = Lab::new(seed, config);
    lab.run(Time::from_millis(600_000));
    lab
}

#[test]
fn it_is_down_at_the_burst_timeout_after_the_report_in_one_snapshot() {
    for seed in 0..64 {
        let mut lab = Lab::usual(seed);
        lab.run(Time::from_millis(5_000 + seed * 7));
        [EAST_1, EAST_2].iter().for_each(|edge| lab.freeze(*edge));
        let since = lab.now;
        lab.pass(80);
        let reported = lab.now;
        lab.silent(EAST, since);
        lab.pass(49);
        assert_eq!(lab.health.snapshot().regions[0].state, RegionState::Suspect);
        lab.pass(1);

        let (snapshot, changes) = lab.snapshots.last().unwrap();
        assert_eq!(lab.snapshots.len(), 2, "seed {seed}: suspicion and verdict");
        let region = snapshot.regions[0];
        assert_eq!((region.state, region.since), (RegionState::Down, reported + ms(50)));
        assert_eq!((region.suspected, region.reason), (since, Some(SwitchReason::RegionSilent)));
        let seen: Vec<_> = changes.iter().map(|c| (c.target, c.to, c.reason, c.at)).collect();
        let down = |id| (id, TargetState::Down, SwitchReason::RegionSilent, reported + ms(50));
        assert_eq!(seen, [down(EAST_1), down(EAST_2)], "seed {seed}");
        assert_eq!((lab.state(WEST_1), lab.state(WEST_2)), (TargetState::Up, TargetState::Up));
    }
}

#[test]
fn a_suspicion_is_one_snapshot_in_which_no_target_has_changed() {
    let mut lab = Lab::usual(1);
    lab.run(Time::from_millis(5_000));
    lab.silent(EAST, Time::from_millis(4_920));
    assert_eq!(lab.snapshots.len(), 1);
    let (snapshot, changes) = &lab.snapshots[0];
    assert!(changes.is_empty());
    assert_eq!(snapshot.regions[0].state, RegionState::Suspect);
    assert_eq!(snapshot.regions[0].reason, Some(SwitchReason::Suspected));
    assert_eq!(snapshot.regions[1].state, RegionState::Up);
    assert!(snapshot.is_usable(EAST_1), "calls go on until the verdict");
}

#[test]
fn every_edge_is_asked_three_times_and_nobody_else_is() {
    let mut lab = rarely_probed(1);
    [EAST_1, EAST_2].iter().for_each(|edge| lab.freeze(*edge));
    let (before, start) = (lab.probes.len(), lab.now);
    lab.silent(EAST, start);
    lab.pass(49);
    let expected: Vec<(Time, TargetId)> =
        [0, 10, 20].into_iter().flat_map(|at| [(start + ms(at), EAST_1), (start + ms(at), EAST_2)]).collect();
    assert_eq!(lab.probes[before..], expected);
}

#[test]
fn an_edge_that_is_not_probed_otherwise_is_asked_too() {
    let mut config = fixture::config();
    [EAST_1, EAST_2].iter().for_each(|edge| config.targets[edge.index()].probe = None);
    let mut lab = Lab::new(1, config);
    lab.run(Time::from_millis(5_000));
    [EAST_1, EAST_2].iter().for_each(|edge| lab.freeze(*edge));
    lab.silent(EAST, lab.now);
    lab.pass(50);
    assert_eq!(lab.probes_of(EAST_2).len(), 3);
    assert_eq!(lab.health.snapshot().regions[0].state, RegionState::Down);
    // Nothing but calls can show that it is back.
    lab.pass(10_000);
    assert_eq!(lab.story(EAST_1).last().unwrap().2, SwitchReason::HalfOpen);
    assert_eq!(lab.health.snapshot().regions[0].state, RegionState::Up);
}

#[test]
fn a_distant_region_has_twice_its_round_trip() {
    let mut lab = Lab::usual(1);
    lab.delay = ms(40);
    lab.run(Time::from_millis(5_000));
    lab.silent(EAST, lab.now);
    lab.pass(200);
    assert_eq!(lab.story(EAST_1), [], "80 ms there and back: it answers in its time");
    lab.heard(EAST);
    lab.pass(5_000);

    [EAST_1, EAST_2].iter().for_each(|edge| lab.freeze(*edge));
    let reported = lab.now;
    lab.silent(EAST, lab.now);
    lab.pass(1_000);
    let region = lab.health.snapshot().regions[0];
    assert_eq!((region.state, region.since), (RegionState::Down, reported + ms(160)));
}

#[test]
fn a_region_of_a_hundred_edges_gets_probes_to_sixteen() {
    let mut config = fixture::config();
    for n in 0..100 {
        let mut edge =
            fixture::target(&format!("e{n}"), config.targets[0].owner, &format!("10.1.1.{n}:5060"));
        edge.probe = None;
        config.groups[0].edges.push(TargetId(u16::try_from(config.targets.len()).unwrap()));
        config.targets.push(edge);
    }
    let mut lab = Lab::new(1, config);
    lab.manners.fill(Manner::Silent);
    lab.silent(EAST, Time::ZERO);
    assert_eq!(lab.probes.len(), 16);
    lab.pass(50);
    let east = lab.health.snapshot().health.iter().filter(|health| health.state == TargetState::Down);
    assert_eq!(east.count(), 102, "all of them go down with it");
}

#[test]
fn it_comes_back_when_one_of_its_edges_does_and_warms_up() {
    let mut lab = Lab::usual(1);
    lab.run(Time::from_millis(5_000));
    [EAST_1, EAST_2].iter().for_each(|edge| lab.freeze(*edge));
    lab.silent(EAST, lab.now);
    lab.pass(3_000);
    assert_eq!(lab.health.snapshot().regions[0].state, RegionState::Down);
    lab.manners[EAST_2.index()] = super::lab::OK;
    lab.pass(1_000);
    let snapshot = lab.health.snapshot();
    let (region, edge) = (snapshot.regions[0], snapshot.health[EAST_2.index()]);
    assert_eq!((region.state, region.reason), (RegionState::Up, Some(SwitchReason::Recovered)));
    assert_eq!(region.since, edge.since, "in the same snapshot");
    assert_eq!(edge.warm, edge.since + Duration::from_secs(30));
    assert_eq!(lab.state(EAST_1), TargetState::Down);
}
