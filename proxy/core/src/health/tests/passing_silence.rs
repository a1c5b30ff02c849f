//! Silence that is no outage.

use super::lab::Lab;
use crate::health::HealthInput;
use crate::route::fixture::{self, EAST_1, EAST_2};
use crate::{RegionId, RegionState, SwitchReason, TargetState};
use relay_values::{Duration, Time};

const EAST: RegionId = RegionId(0);

#[test]
fn one_muted_phone_is_nothing_because_no_relay_reports_it() {
    let mut lab = Lab::usual(1);
    lab.run(Time::from_millis(60_000));
    assert!(lab.snapshots.is_empty());
    assert!(lab.health.regions(lab.now).iter().all(|region| region.silence.is_none()));
}

#[test]
fn a_region_heard_again_before_the_verdict_has_lost_no_call() {
    for pause in [0, 5, 30, 49, 500] {
        let mut lab = Lab::usual(pause);
        lab.run(Time::from_millis(5_000));
        lab.silent(EAST, Time::from_millis(4_900));
        lab.pass(pause);
        lab.heard(EAST);
        lab.pass(60_000);
        let states: Vec<_> = lab.snapshots.iter().map(|(snapshot, _)| snapshot.regions[0].state).collect();
        assert_eq!(states, [RegionState::Suspect, RegionState::Up], "after {pause} ms");
        assert_eq!(lab.health.snapshot().regions[0].reason, Some(SwitchReason::Withdrawn));
        assert_eq!((lab.story(EAST_1), lab.story(EAST_2)), (vec![], vec![]));
        // Heard at once, it answers a burst that nobody waits for any more.
        assert_eq!(lab.health.counters().strays, if pause == 0 { 2 } else { 0 });
    }
}

#[test]
fn a_region_heard_again_while_its_dead_edges_are_asked_is_not_down() {
    let mut lab = Lab::usual(1);
    lab.run(Time::from_millis(5_000));
    [EAST_1, EAST_2].iter().for_each(|edge| lab.freeze(*edge));
    lab.silent(EAST, lab.now);
    lab.pass(49);
    lab.heard(EAST);
    lab.pass(2);
    assert_eq!(lab.health.snapshot().regions[0].state, RegionState::Up);
}

#[test]
fn where_silence_is_not_to_count_as_down_a_suspicion_is_dropped_after_ten_seconds() {
    let mut config = fixture::config();
    config.region_health.media_down = None;
    let mut lab = Lab::new(1, config);
    lab.run(Time::from_millis(5_000));
    lab.silent(EAST, Time::from_millis(4_900));
    lab.pass(6_000);
    // Another relay says the same a little later.
    lab.silent(EAST, Time::from_millis(4_910));
    let said = lab.now;
    lab.pass(60_000);
    let region = lab.health.snapshot().regions[0];
    assert_eq!((region.state, region.since), (RegionState::Up, said + Duration::from_secs(10)));
    assert_eq!(lab.state(EAST_1), TargetState::Up);
}

#[test]
fn a_region_from_nowhere_or_from_before_the_reload_is_ignored() {
    let mut lab = Lab::usual(1);
    lab.handle(HealthInput::Config(std::sync::Arc::new(fixture::config())));
    let (region, since) = (EAST, Time::ZERO);
    lab.handle(HealthInput::RegionSilent { region, generation: 1, since });
    lab.handle(HealthInput::RegionHeard { region, generation: 1 });
    lab.silent(RegionId(99), since);
    assert_eq!(lab.health.counters().outdated, 3);
    assert_eq!(lab.health.snapshot().regions[0].state, RegionState::Up);
    lab.pass(100);
    assert_eq!(lab.state(EAST_1), TargetState::Up);
}
