//! Several relays report, and several shards repeat what they say.

use super::lab::Lab;
use crate::route::fixture::{EAST_1, EAST_2};
use crate::{RegionId, RegionState, SwitchReason, TargetState};
use relay_values::Time;

const EAST: RegionId = RegionId(0);

fn at(ms: u64) -> Time {
    Time::from_millis(ms)
}

#[test]
fn a_second_report_neither_asks_again_nor_delays_the_verdict() {
    let mut lab = Lab::usual(1);
    lab.run(at(5_000));
    [EAST_1, EAST_2].iter().for_each(|edge| lab.freeze(*edge));
    // A relay's report reaches us through four shards, the second relay's 30 ms later.
    (0..4).for_each(|_| lab.silent(EAST, at(4_920)));
    let sent = lab.health.counters().probes;
    lab.silent(EAST, at(4_920));
    assert_eq!(lab.health.counters().probes, sent);
    lab.pass(30);
    (0..4).for_each(|_| lab.silent(EAST, at(4_940)));
    lab.pass(20);
    let region = lab.health.snapshot().regions[0];
    assert_eq!((region.state, region.since), (RegionState::Down, at(5_050)), "by the first report");
    assert_eq!(region.suspected, at(4_940), "the region's last packet is the last that any relay heard");
    lab.silent(EAST, at(4_940));
    assert_eq!(lab.snapshots.len(), 2, "said ten times, done once");
}

#[test]
fn a_report_that_was_overtaken_by_the_all_clear_says_nothing() {
    let mut lab = Lab::usual(1);
    lab.run(at(5_000));
    lab.silent(EAST, at(4_900));
    lab.pass(30);
    lab.heard(EAST);
    // The other shard's copies come in this order, too.
    lab.silent(EAST, at(4_900));
    assert_eq!(lab.snapshots.len(), 2);
    lab.heard(EAST);
    assert_eq!(lab.snapshots.len(), 2);
}

#[test]
fn a_new_silence_right_after_the_all_clear_is_a_new_suspicion() {
    let mut lab = Lab::usual(1);
    lab.run(at(5_000));
    lab.silent(EAST, at(4_900));
    lab.pass(30);
    lab.heard(EAST);
    [EAST_1, EAST_2].iter().for_each(|edge| lab.freeze(*edge));
    lab.pass(70);
    lab.silent(EAST, at(5_029));
    lab.pass(50);
    assert_eq!(lab.health.snapshot().regions[0].state, RegionState::Down);
}

#[test]
fn reports_of_a_region_that_is_down_already_change_nothing() {
    let mut lab = Lab::usual(1);
    lab.run(at(5_000));
    [EAST_1, EAST_2].iter().for_each(|edge| lab.freeze(*edge));
    lab.silent(EAST, at(4_950));
    lab.pass(100);
    let before = lab.snapshots.len();
    lab.silent(EAST, at(4_960));
    lab.heard(EAST);
    lab.pass(500);
    assert_eq!(lab.snapshots.len(), before);
    assert_eq!(lab.state(EAST_1), TargetState::Down);
    assert_eq!(lab.health.snapshot().regions[0].reason, Some(SwitchReason::RegionSilent));
}
