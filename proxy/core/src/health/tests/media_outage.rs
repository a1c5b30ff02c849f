//! Signalling lives, media does not.

use super::lab::{Lab, ms};
use crate::route::fixture::{EAST_1, EAST_2, WEST_1};
use crate::{EvidenceKind, RegionId, RegionState, SwitchReason, TargetState};
use relay_values::{Duration, Time};

const EAST: RegionId = RegionId(0);

#[test]
fn a_region_that_answers_but_stays_silent_is_down_a_second_after_its_last_packet() {
    for seed in 0..16 {
        let mut lab = Lab::usual(seed);
        lab.run(Time::from_millis(5_000));
        let since = Time::from_millis(4_920);
        lab.silent(EAST, since);
        lab.run(since + ms(999));
        assert_eq!(lab.health.snapshot().regions[0].state, RegionState::Suspect);
        assert_eq!(lab.state(EAST_1), TargetState::Up);
        lab.pass(1);
        let (snapshot, changes) = lab.snapshots.last().unwrap();
        let region = snapshot.regions[0];
        assert_eq!((region.state, region.since), (RegionState::Down, since + Duration::from_secs(1)));
        assert_eq!((region.suspected, region.reason), (since, Some(SwitchReason::MediaSilent)));
        assert!(changes.iter().all(|c| c.reason == SwitchReason::MediaSilent && c.to == TargetState::Down));
        assert_eq!(changes.len(), 2);
        assert_eq!(lab.state(WEST_1), TargetState::Up);
    }
}

#[test]
fn answers_to_probes_do_not_bring_it_back_for_half_a_minute() {
    let mut lab = Lab::usual(1);
    lab.run(Time::from_millis(5_000));
    lab.silent(EAST, lab.now);
    lab.pass(1_000);
    let down = lab.now;
    assert_eq!(lab.state(EAST_1), TargetState::Down);
    lab.run(down + Duration::from_millis(29_999));
    assert_eq!(lab.health.snapshot().regions[0].state, RegionState::Down);
    lab.pass(1);
    let back = down + Duration::from_secs(30);
    assert_eq!(lab.story(EAST_1)[1..], [(back, TargetState::Up, SwitchReason::Recovered)]);
    let region = lab.health.snapshot().regions[0];
    assert_eq!((region.state, region.since), (RegionState::Up, back));
    assert_eq!(lab.health.snapshot().health[EAST_1.index()].warm, back + Duration::from_secs(30));
}

#[test]
fn what_does_not_answer_at_the_end_of_the_half_minute_stays_down() {
    let mut lab = Lab::usual(1);
    lab.run(Time::from_millis(5_000));
    lab.silent(EAST, lab.now);
    lab.pass(20_000);
    lab.freeze(EAST_2);
    lab.pass(40_000);
    assert_eq!((lab.state(EAST_1), lab.state(EAST_2)), (TargetState::Up, TargetState::Down));
}

#[test]
fn of_two_edges_the_one_that_does_not_answer_is_blamed() {
    let mut lab = Lab::usual(3);
    lab.run_to_answer(EAST_2);
    lab.freeze(EAST_2);
    let reported = lab.now;
    lab.silent(EAST, lab.now);
    lab.pass(60);
    let views = lab.health.regions(lab.now);
    assert_eq!((views[0].edges[1].failures, views[0].edges[1].missed), (1, 1), "one missed probe");
    assert_eq!(views[0].edges[0].failures, 0);
    lab.pass(100);
    // The first failure is followed by an extra probe, as always; 50 + 100 ms.
    assert_eq!(lab.story(EAST_2), [(reported + ms(150), TargetState::Down, SwitchReason::ProbeTimeout)]);
    assert_eq!(lab.health.snapshot().regions[0].state, RegionState::Suspect, "its neighbour answers");
}

#[test]
fn an_invite_that_waits_in_a_suspected_region_is_enough() {
    let mut lab = Lab::usual(1);
    lab.run_to_answer(EAST_2);
    [EAST_1, EAST_2].iter().for_each(|edge| lab.freeze(*edge));
    lab.pass(210);
    let before = lab.state(EAST_2);
    lab.silent(EAST, lab.now);
    lab.evidence(EAST_2, EvidenceKind::NoResponse);
    assert_eq!((before, lab.state(EAST_2)), (TargetState::Up, TargetState::Down));
    assert_eq!(lab.story(EAST_2)[0].2, SwitchReason::InviteTimeout);
}

#[test]
fn an_edge_that_answers_after_the_invite_is_not_blamed_for_one_lost_datagram() {
    let mut lab = Lab::usual(1);
    lab.run(Time::from_millis(5_000));
    lab.silent(EAST, lab.now);
    lab.pass(30);
    // Sent 170 ms before the burst was answered.
    lab.evidence(EAST_2, EvidenceKind::NoResponse);
    assert_eq!(lab.state(EAST_2), TargetState::Up);
}

#[test]
fn when_the_last_edge_falls_by_itself_a_suspected_region_is_down_for_that_reason() {
    let mut lab = Lab::usual(1);
    lab.run(Time::from_millis(5_000));
    lab.silent(EAST, Time::from_millis(4_950));
    lab.evidence(EAST_1, EvidenceKind::Unreachable);
    assert_eq!(lab.health.snapshot().regions[0].state, RegionState::Suspect);
    lab.pass(5);
    lab.evidence(EAST_2, EvidenceKind::Unreachable);
    let region = lab.health.snapshot().regions[0];
    assert_eq!((region.state, region.reason), (RegionState::Down, Some(SwitchReason::Unreachable)));
    assert_eq!((region.since, region.suspected), (Time::from_millis(5_005), Time::from_millis(4_950)));
}
