//! A new configuration comes while a region is being asked.

use super::lab::Lab;
use crate::health::HealthInput;
use crate::route::fixture::{EAST_1, EAST_2, config};
use crate::{Config, GroupId, Owner, RegionId, RegionState, SwitchReason, TargetId, TargetState};
use relay_values::Time;
use std::sync::Arc;

const EAST: RegionId = RegionId(0);

/// The same names, every number another.
fn renumbered() -> Config {
    let mut next = config();
    next.targets.reverse();
    next.regions.reverse();
    next.groups[0].region = RegionId(1);
    next.groups[1].region = RegionId(0);
    let new = |id: &TargetId| TargetId(6 - id.0);
    next.groups.iter_mut().for_each(|group| group.edges = group.edges.iter().map(new).collect());
    next.trunks.iter_mut().for_each(|trunk| trunk.targets = trunk.targets.iter().map(new).collect());
    next
}

fn suspected() -> Lab {
    let mut lab = Lab::usual(1);
    lab.run(Time::from_millis(5_000));
    lab.silent(EAST, Time::from_millis(4_930));
    lab
}

#[test]
fn the_burst_goes_on_under_new_numbers_and_the_verdict_comes_when_it_was_due() {
    let mut lab = suspected();
    [EAST_1, EAST_2].iter().for_each(|edge| lab.freeze(*edge));
    lab.pass(15);
    lab.handle(HealthInput::Config(Arc::new(renumbered())));
    lab.manners.reverse();
    lab.pass(34);
    let snapshot = lab.health.snapshot();
    assert_eq!(snapshot.regions[1].state, RegionState::Suspect, "east is the second region now");
    lab.pass(1);
    let region = lab.health.snapshot().regions[1];
    assert_eq!((region.state, region.since), (RegionState::Down, Time::from_millis(5_050)));
    assert_eq!(
        (region.suspected, region.reason),
        (Time::from_millis(4_930), Some(SwitchReason::RegionSilent))
    );
    let down: Vec<_> = lab.snapshots.last().unwrap().1.iter().map(|c| c.name.clone()).collect();
    assert_eq!(down, ["east-2", "east-1"]);
    assert_eq!(lab.health.snapshot().regions[0].state, RegionState::Up);
}

#[test]
fn an_answer_to_a_probe_from_before_the_reload_counts() {
    let mut lab = suspected();
    lab.handle(HealthInput::Config(Arc::new(renumbered())));
    lab.manners.reverse();
    lab.pass(60);
    assert_eq!(lab.health.counters().strays, 0);
    assert_eq!(lab.health.snapshot().regions[1].state, RegionState::Suspect, "silent, but it answers");
    assert!(lab.health.snapshot().health.iter().all(|health| health.state == TargetState::Up));
}

#[test]
fn a_region_that_is_gone_is_not_judged_and_a_new_one_is_up() {
    let mut lab = suspected();
    let mut next = config();
    next.regions[0].name = "north".into();
    lab.handle(HealthInput::Config(Arc::new(next)));
    assert_eq!(lab.health.snapshot().regions[0].state, RegionState::Up);
    lab.pass(5_000);
    assert_eq!(lab.health.snapshot().regions[0].state, RegionState::Up);
    assert_eq!(lab.state(EAST_1), TargetState::Up);
}

#[test]
fn a_region_that_loses_all_edges_while_they_are_asked_is_not_judged_by_their_silence() {
    let mut lab = suspected();
    lab.manners.fill(super::lab::Manner::Silent);
    let mut next = config();
    for edge in [EAST_1, EAST_2] {
        next.targets[edge.index()].owner = Owner::Edge(GroupId(1));
        next.groups[1].edges.push(edge);
    }
    next.groups[0].edges.clear();
    lab.handle(HealthInput::Config(Arc::new(next)));
    lab.pass(60);
    assert_eq!(lab.health.snapshot().regions[0].state, RegionState::Suspect);
    assert_eq!(lab.state(EAST_1), TargetState::Up);
}

#[test]
fn a_region_that_is_down_stays_so_and_a_new_edge_brings_it_up() {
    let mut lab = suspected();
    [EAST_1, EAST_2].iter().for_each(|edge| lab.freeze(*edge));
    lab.pass(100);
    lab.handle(HealthInput::Config(Arc::new(config())));
    let region = lab.health.snapshot().regions[0];
    assert_eq!((region.state, region.since), (RegionState::Down, Time::from_millis(5_050)));

    let mut next = config();
    let edge = TargetId(7);
    next.targets.push(crate::route::fixture::target("east-3", Owner::Edge(GroupId(0)), "10.1.0.3:5060"));
    next.groups[0].edges.push(edge);
    lab.manners.push(super::lab::OK);
    lab.handle(HealthInput::Config(Arc::new(next)));
    let region = lab.health.snapshot().regions[0];
    assert_eq!((region.state, region.reason), (RegionState::Up, Some(SwitchReason::Reload)));
    lab.pass(500);
    assert_eq!(lab.health.snapshot().regions[0].state, RegionState::Up);
    assert_eq!(lab.health.snapshot().health[7].warm, Time::ZERO, "a new edge is not warmed up");
}

#[test]
fn drained_edges_follow_their_names() {
    let mut lab = Lab::usual(1);
    let drained = crate::Overrides { drained_targets: vec![EAST_1], ..crate::Overrides::default() };
    lab.handle(HealthInput::Overrides(drained));
    assert!(!lab.health.snapshot().is_usable(EAST_1));
    lab.handle(HealthInput::Config(Arc::new(renumbered())));
    assert_eq!(lab.health.snapshot().overrides.drained_targets, [TargetId(6)]);
    let mut next = config();
    next.targets[EAST_1.index()].name = "another".into();
    lab.handle(HealthInput::Config(Arc::new(next)));
    assert!(lab.health.snapshot().overrides.drained_targets.is_empty());
}
