//! What has come back gets its share of new calls little by little.

use crate::rng::Rng;
use crate::route::fixture::{EAST_1, EAST_2, WEST_1, WEST_2, config, snapshot};
use crate::route::plan_inbound;
use crate::{HuntReason, SiteId, Snapshot, TargetId, TargetState};
use relay_values::{Duration, Time};
use std::sync::Arc;

const SECOND: Duration = Duration::from_secs(1);
/// East came back at this time; by default it takes 30 s.
const BACK: Time = Time::from_millis(100_000);

fn warm(targets: &[TargetId]) -> Snapshot {
    let mut snapshot = snapshot();
    targets.iter().for_each(|id| snapshot.health[id.index()].warm = BACK + 30 * SECOND);
    snapshot
}

/// Of 10,000 calls at `now`, those whose first target is one of these.
fn first(snapshot: &Snapshot, now: Time, targets: &[TargetId]) -> usize {
    let mut rng = Rng::new(now.as_nanos());
    let plans = (0..10_000).map(|_| plan_inbound(snapshot, now, SiteId(0), &mut rng).untried()[0]);
    plans.filter(|id| targets.contains(id)).count()
}

#[test]
fn a_region_that_is_back_begins_with_a_tenth_of_the_calls_and_has_all_after_slow_start() {
    let snapshot = warm(&[EAST_1, EAST_2]);
    for (seconds, of_10_000) in [(0, 1_000), (10, 4_000), (20, 7_000), (29, 9_700)] {
        let east = first(&snapshot, BACK + seconds * SECOND, &[EAST_1, EAST_2]);
        // Three standard deviations of the widest, 50 calls each.
        assert!(east.abs_diff(of_10_000) < 150, "after {seconds} s {east}, not {of_10_000}");
    }
    for seconds in [30, 31, 3_600] {
        assert_eq!(first(&snapshot, BACK + seconds * SECOND, &[EAST_1, EAST_2]), 10_000);
    }
}

#[test]
fn a_region_of_many_edges_comes_back_no_faster_than_one_of_two() {
    let mut config = config();
    for n in 0..14 {
        let id = TargetId(u16::try_from(config.targets.len()).unwrap());
        let mut edge = config.targets[EAST_1.index()].clone();
        edge.name = format!("east-more-{n}");
        config.targets.push(edge);
        config.groups[0].edges.push(id);
    }
    let edges = config.groups[0].edges.clone();
    let mut snapshot = Snapshot::first(Arc::new(config));
    edges.iter().for_each(|id| snapshot.health[id.index()].warm = BACK + 30 * SECOND);
    let east = first(&snapshot, BACK, &edges);
    assert!(east.abs_diff(1_000) < 100, "{east} of 10,000");
}

#[test]
fn an_edge_that_is_back_beside_a_healthy_one_begins_with_a_tenth_of_its_own_share() {
    let snapshot = warm(&[EAST_1]);
    let edge = first(&snapshot, BACK, &[EAST_1]);
    assert!(edge.abs_diff(500) < 80, "{edge} of 10,000");
    assert_eq!(first(&snapshot, BACK, &[WEST_1, WEST_2]), 0, "its neighbour takes the rest");
}

#[test]
fn who_is_not_among_its_share_finds_it_behind_all_that_are_well_and_before_the_drained() {
    let mut snapshot = warm(&[EAST_1, EAST_2]);
    snapshot.overrides.drained_targets = vec![WEST_2];
    let unlucky = (0..).map(|seed| plan_inbound(&snapshot, BACK, SiteId(0), &mut Rng::new(seed)));
    let mut plan = unlucky.into_iter().find(|plan| plan.untried()[0] == WEST_1).unwrap();
    let mut tried: Vec<TargetId> =
        std::iter::from_fn(|| plan.next(&snapshot, Some(HuntReason::FinalResponse))).collect();
    tried[1..3].sort();
    assert_eq!(tried, [WEST_1, EAST_1, EAST_2, WEST_2], "and they are tried when the others fail");
}

#[test]
fn when_every_region_has_just_come_back_calls_go_where_they_always_did() {
    let snapshot = warm(&[EAST_1, EAST_2, WEST_1, WEST_2]);
    assert_eq!(first(&snapshot, BACK, &[EAST_1, EAST_2]), 10_000);
}

#[test]
fn what_comes_back_while_a_call_hunts_waits_behind_the_well_and_goes_before_the_unwell() {
    let mut down = snapshot();
    [EAST_1, EAST_2].iter().for_each(|id| down.health[id.index()].state = TargetState::Down);
    let mut back = warm(&[EAST_1, EAST_2]);
    let mut rng = Rng::new(5);
    for _ in 0..100 {
        let mut plan = plan_inbound(&down, BACK, SiteId(0), &mut rng);
        let west = plan.next(&down, None).unwrap();
        let mut later = plan.clone();
        let second = later.next(&back, Some(HuntReason::FinalResponse)).unwrap();
        assert_eq!([west.min(second), west.max(second)], [WEST_1, WEST_2]);
        back.health[second.index()].state = TargetState::Backoff;
        let second = plan.next(&back, Some(HuntReason::FinalResponse)).unwrap();
        assert!([EAST_1, EAST_2].contains(&second));
        back.health.iter_mut().for_each(|h| h.state = TargetState::Up);
    }
}

#[test]
fn without_slow_start_what_is_back_is_back() {
    let mut config = config();
    config.region_health.slow_start = Duration::ZERO;
    let mut snapshot = Snapshot::first(Arc::new(config));
    snapshot.health[EAST_1.index()].warm = BACK + 30 * SECOND;
    let edge = first(&snapshot, BACK, &[EAST_1]);
    assert!(edge.abs_diff(5_000) < 200, "{edge}");
}
