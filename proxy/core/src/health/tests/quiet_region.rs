//! A region dies that has no calls: only probes can tell.

use super::lab::{Lab, ms};
use crate::rng::Rng;
use crate::route::fixture::{self, EAST_1, EAST_2};
use crate::{EvidenceKind, ProbePolicy, RegionState, SwitchReason, TargetState};
use relay_values::{Duration, Time};

#[test]
fn it_is_down_within_two_intervals_and_a_timeout_whatever_the_phase() {
    let mut worst = Duration::ZERO;
    for (interval, timeout) in [(200, 200), (50, 50), (1_000, 100), (1_000, 1_000), (5_000, 500)] {
        for seed in 0..64 {
            let mut rng = Rng::new(seed);
            let mut config = fixture::config();
            for edge in [EAST_1, EAST_2] {
                config.targets[edge.index()].probe =
                    Some(ProbePolicy { interval: ms(interval), timeout: ms(timeout), fall: 2, rise: 2 });
            }
            let mut lab = Lab::new(seed, config);
            lab.run(Time::from_nanos(20_000_000_000 + rng.below(interval * 1_000_000)));
            let died = lab.now;
            [EAST_1, EAST_2].iter().for_each(|edge| lab.freeze(*edge));
            lab.pass(interval * 2 + timeout);
            let region = lab.health.snapshot().regions[0];
            assert_eq!(region.state, RegionState::Down, "{interval} {timeout} seed {seed}");
            assert_eq!(region.reason, Some(SwitchReason::ProbeTimeout));
            if interval == 200 {
                worst = worst.max(region.since - died);
            }
        }
    }
    // A probe within 200 ms, 200 ms until it is missed, 100 ms for the extra one.
    assert!(worst <= ms(500), "{worst:?}");
}

#[test]
fn a_region_is_down_when_the_last_of_its_edges_is_and_its_trouble_began_with_that_one() {
    let mut lab = Lab::usual(1);
    lab.run(Time::from_millis(5_000));
    lab.evidence(EAST_1, EvidenceKind::Unreachable);
    lab.freeze(EAST_1);
    assert_eq!(lab.health.snapshot().regions[0].state, RegionState::Up, "its neighbour lives");
    lab.pass(10_000);
    lab.freeze(EAST_2);
    lab.pass(1_000);
    let region = lab.health.snapshot().regions[0];
    let (fell, ..) = lab.story(EAST_2)[0];
    assert_eq!((region.state, region.since), (RegionState::Down, fell));
    assert_eq!(
        Duration::from_millis(fell.as_millis() - region.suspected.as_millis()),
        ms(100),
        "its first missed probe; an extra one of 100 ms followed"
    );
    assert_eq!(region.reason, Some(SwitchReason::ProbeTimeout));
}

#[test]
fn edges_without_weight_have_no_say_unless_there_are_no_others() {
    let mut config = fixture::config();
    config.targets[EAST_2.index()].weight = 0;
    let mut lab = Lab::new(1, config.clone());
    lab.evidence(EAST_1, EvidenceKind::Unreachable);
    assert_eq!(lab.health.snapshot().regions[0].state, RegionState::Down);
    assert_eq!(lab.state(EAST_2), TargetState::Up);

    config.targets[EAST_1.index()].weight = 0;
    let mut lab = Lab::new(1, config);
    lab.evidence(EAST_1, EvidenceKind::Unreachable);
    assert_eq!(lab.health.snapshot().regions[0].state, RegionState::Up);
    lab.evidence(EAST_2, EvidenceKind::Unreachable);
    assert_eq!(lab.health.snapshot().regions[0].state, RegionState::Down);
}
