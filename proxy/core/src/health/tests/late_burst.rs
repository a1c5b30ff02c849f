//! A region answers its burst, but too late.

use super::lab::{Lab, ms};
use crate::route::fixture::{EAST_1, EAST_2};
use crate::{RegionId, RegionState, SwitchReason, TargetState};
use relay_values::Time;

const EAST: RegionId = RegionId(0);

#[test]
fn answers_after_the_verdict_count_for_nothing_and_regular_ones_bring_it_back() {
    let mut lab = Lab::usual(1);
    lab.run(Time::from_millis(5_000));
    // A pause of the whole region: what was asked in it is answered 80 ms after it was asked.
    lab.delay = ms(40);
    let reported = lab.now;
    lab.silent(EAST, lab.now);
    lab.pass(50);
    assert_eq!(lab.health.snapshot().regions[0].state, RegionState::Down);
    let strays = lab.health.counters().strays;
    lab.pass(55);
    assert_eq!(lab.health.counters().strays - strays, 6, "three answers of each edge");
    assert_eq!(lab.health.snapshot().regions[0].state, RegionState::Down);

    lab.delay = ms(1);
    lab.pass(600);
    for edge in [EAST_1, EAST_2] {
        let story = lab.story(edge);
        assert_eq!(story[0], (reported + ms(50), TargetState::Down, SwitchReason::RegionSilent));
        assert_eq!((story[1].1, story[1].2), (TargetState::Up, SwitchReason::Recovered));
        let probes = lab.probes_of(edge).into_iter().filter(|at| *at > reported + ms(20)).take(2);
        assert_eq!(story[1].0, probes.last().unwrap() + ms(2), "the second regular answer");
    }
    assert_eq!(lab.health.snapshot().regions[0].state, RegionState::Up);
}
