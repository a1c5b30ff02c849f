//! A new configuration, and operators.

use super::lab::Lab;
use crate::health::HealthInput;
use crate::route::fixture::{BACKUP_1, EAST_1, EAST_2, WEST_1, config};
use crate::{Config, EvidenceKind, Overrides, RegionId, SwitchReason, TargetId, TargetState};
use relay_values::Time;
use std::sync::Arc;

fn load(lab: &mut Lab, config: Config) {
    lab.handle(HealthInput::Config(Arc::new(config)));
}

#[test]
fn health_follows_a_target_by_its_name_to_its_new_number() {
    let mut lab = Lab::usual(1);
    lab.run(Time::from_millis(1_000));
    lab.evidence(EAST_2, EvidenceKind::Unreachable);
    let mut next = config();
    next.targets.remove(EAST_1.index());
    load(&mut lab, next);
    let snapshot = lab.health.snapshot().clone();
    assert_eq!((snapshot.generation, snapshot.config_generation), (3, 3));
    assert_eq!(snapshot.health.len(), 6);
    let at = |name| snapshot.health[snapshot.router.target_named(name).unwrap().index()];
    assert_eq!((at("east-2").state, at("east-2").since), (TargetState::Down, Time::from_millis(1_000)));
    assert_eq!(at("west-1").state, TargetState::Up);
    assert!(lab.snapshots[1].1.is_empty(), "nothing of health has changed");
}

#[test]
fn the_generation_of_the_configuration_stays_when_only_health_changes() {
    let mut lab = Lab::usual(1);
    load(&mut lab, config());
    lab.evidence(EAST_2, EvidenceKind::Unreachable);
    let snapshot = lab.health.snapshot();
    assert_eq!((snapshot.generation, snapshot.config_generation), (3, 2));
    assert!(Arc::ptr_eq(&snapshot.router, &lab.snapshots[0].0.router), "tables are not built twice");
}

#[test]
fn a_target_that_moved_starts_anew() {
    let mut lab = Lab::usual(1);
    lab.evidence(EAST_1, EvidenceKind::Unreachable);
    let mut next = config();
    next.targets[EAST_1.index()].peer.remote = "10.1.9.9:5060".parse().unwrap();
    load(&mut lab, next);
    assert_eq!(lab.state(EAST_1), TargetState::Up);
    assert_eq!(lab.story(EAST_1)[1..], [(Time::ZERO, TargetState::Up, SwitchReason::Reload)]);
}

#[test]
fn a_probe_that_is_out_during_a_reload_still_counts() {
    let mut lab = Lab::usual(1);
    lab.run(Time::from_millis(1_000));
    lab.evidence(EAST_2, EvidenceKind::Unreachable);
    // Reloads come faster than probes are answered.
    for n in 0..1_000 {
        let mut next = config();
        next.targets.rotate_left(n % 7);
        lab.pass(1);
        load(&mut lab, next);
    }
    assert!(lab.health.snapshot().health.iter().all(|h| h.state == TargetState::Up));
    assert_eq!(lab.health.counters().misses + lab.health.counters().strays, 0);
}

#[test]
fn a_target_whose_probes_are_taken_away_while_it_is_down_gets_its_chance() {
    let mut lab = Lab::usual(1);
    lab.evidence(EAST_1, EvidenceKind::Unreachable);
    lab.evidence(BACKUP_1, EvidenceKind::Unreachable);
    let mut next = config();
    next.targets[BACKUP_1.index()].probe = next.targets[EAST_1.index()].probe.take();
    load(&mut lab, next);
    lab.freeze(BACKUP_1);
    lab.pass(20_000);
    assert_eq!(lab.story(EAST_1)[1].2, SwitchReason::HalfOpen);
    assert_eq!(lab.state(BACKUP_1), TargetState::Down, "probed from now on, and silent");
}

#[test]
fn a_drain_is_one_snapshot_and_outlives_a_reload_that_renumbers_regions() {
    let mut lab = Lab::usual(1);
    let west = Overrides { drained: vec![RegionId(1)], ..crate::Overrides::default() };
    lab.handle(HealthInput::Overrides(west.clone()));
    lab.handle(HealthInput::Overrides(west));
    assert_eq!(lab.snapshots.len(), 1, "said twice, done once");
    assert!(lab.snapshots[0].1.is_empty());
    assert!(!lab.health.snapshot().is_usable(WEST_1) && lab.health.snapshot().is_usable(EAST_1));

    let mut next = config();
    next.regions.swap(0, 1);
    next.groups[0].region = RegionId(1);
    next.groups[1].region = RegionId(0);
    load(&mut lab, next);
    assert!(!lab.health.snapshot().is_usable(WEST_1) && lab.health.snapshot().is_usable(EAST_1));

    let mut next = config();
    next.regions.truncate(1);
    next.groups[1].region = RegionId(0);
    load(&mut lab, next);
    assert!(lab.health.snapshot().overrides.drained.is_empty(), "west is no more");
    assert!(lab.health.snapshot().is_usable(TargetId(2)));
}
