//! It is we who stood still while a region was being asked.

use super::lab::{Lab, ms};
use crate::health::HealthInput;
use crate::route::fixture::{EAST_1, EAST_2};
use crate::{RegionId, RegionState};
use relay_values::{Duration, Time};

const EAST: RegionId = RegionId(0);

/// Time in which nothing reaches us and we do nothing; then the timers come before what the sockets hold, as bad as it gets.
fn stall(lab: &mut Lab, time: Duration) {
    lab.now += time;
    lab.handle(HealthInput::Timeout);
}

#[test]
fn after_a_stall_the_region_is_asked_again_and_not_judged() {
    let mut lab = Lab::usual(1);
    lab.run(Time::from_millis(5_000));
    // The silence was our own, too: nobody was there to hear.
    lab.silent(EAST, Time::from_millis(4_900));
    stall(&mut lab, ms(200));
    assert_eq!(lab.health.snapshot().regions[0].state, RegionState::Suspect);
    assert!(lab.health.counters().void >= 2, "the first round says nothing: {:?}", lab.health.counters());
    lab.pass(300);
    assert_eq!((lab.story(EAST_1), lab.story(EAST_2)), (vec![], vec![]));
    lab.heard(EAST);
    assert_eq!(lab.health.snapshot().regions[0].state, RegionState::Up);
}

#[test]
fn a_region_that_is_dead_all_the_same_is_down_after_the_second_burst() {
    let mut lab = Lab::usual(1);
    lab.run(Time::from_millis(5_000));
    [EAST_1, EAST_2].iter().for_each(|edge| lab.freeze(*edge));
    lab.silent(EAST, Time::from_millis(4_900));
    stall(&mut lab, ms(200));
    lab.pass(49);
    assert_eq!(lab.health.snapshot().regions[0].state, RegionState::Suspect);
    lab.pass(1);
    assert_eq!(lab.health.snapshot().regions[0].state, RegionState::Down);
}

#[test]
fn a_shorter_stall_is_added_to_the_time_that_edges_have() {
    for stalled in [20, 45, 60, 100] {
        let mut lab = Lab::usual(1);
        lab.run(Time::from_millis(5_000));
        [EAST_1, EAST_2].iter().for_each(|edge| lab.freeze(*edge));
        let reported = lab.now;
        lab.silent(EAST, lab.now);
        lab.pass(5);
        stall(&mut lab, ms(stalled));
        lab.pass(200);
        let region = lab.health.snapshot().regions[0];
        // Due 5 ms after the stall began: that much of it was nobody's loss.
        let added = stalled - 5;
        assert_eq!((region.state, region.since), (RegionState::Down, reported + ms(50 + added)), "{stalled}");
    }
}

#[test]
fn a_stall_just_before_the_verdict_does_not_hide_the_answers() {
    for (at, stalled) in [(1, 48), (1, 60), (21, 28), (30, 99), (45, 4), (49, 30)] {
        let mut lab = Lab::usual(1);
        // They answer after 25 ms; the last answer to a round that we sent is there when we wake, behind the timer.
        lab.delay = Duration::from_micros(12_500);
        lab.run(Time::from_millis(5_000));
        lab.silent(EAST, lab.now);
        lab.pass(at);
        stall(&mut lab, ms(stalled));
        lab.pass(400);
        assert_eq!((lab.story(EAST_1), lab.story(EAST_2)), (vec![], vec![]), "{at} {stalled}");
    }
}

#[test]
fn a_stall_at_the_end_of_a_long_silence_is_no_verdict() {
    let mut lab = Lab::usual(1);
    lab.run(Time::from_millis(5_000));
    lab.silent(EAST, lab.now);
    lab.pass(900);
    stall(&mut lab, ms(300));
    assert_eq!(lab.health.snapshot().regions[0].state, RegionState::Suspect);
    lab.heard(EAST);
    lab.pass(1_000);
    assert_eq!(lab.story(EAST_1), []);
}
