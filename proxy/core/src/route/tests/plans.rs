//! In which order are targets tried?

use crate::limits::MAX_PLAN;
use crate::rng::Rng;
use crate::route::fixture::{
    BACKUP_1, CARRIER_1, CARRIER_2, EAST_1, EAST_2, WEST_1, WEST_2, config, snapshot, target,
};
use crate::route::{plan_inbound, plan_outbound};
use crate::{GroupId, Owner, RegionId, SiteId, Snapshot, TargetId, TargetState, TrunkId};
use relay_values::Time;
use std::sync::Arc;

const NOW: Time = Time::from_millis(60_000);

fn inbound(snapshot: &Snapshot, seed: u64) -> Vec<TargetId> {
    plan_inbound(snapshot, NOW, SiteId(0), &mut Rng::new(seed)).untried().to_vec()
}

/// The same for every seed, whatever the order inside a group.
fn inbound_sorted(snapshot: &Snapshot, at: &[(usize, usize)]) -> Vec<TargetId> {
    let plans: Vec<Vec<TargetId>> = (0..64)
        .map(|seed| {
            let mut plan = inbound(snapshot, seed);
            at.iter().for_each(|(from, to)| plan[*from..*to].sort());
            plan
        })
        .collect();
    assert!(plans.iter().all(|plan| *plan == plans[0]), "{plans:?}");
    plans[0].clone()
}

#[test]
fn groups_come_in_order_and_their_edges_at_random() {
    assert_eq!(inbound_sorted(&snapshot(), &[(0, 2), (2, 4)]), [EAST_1, EAST_2, WEST_1, WEST_2]);
    let first = (0..64).filter(|seed| inbound(&snapshot(), *seed)[0] == EAST_1).count();
    assert!((16..48).contains(&first), "{first} of 64");
}

#[test]
fn weights_are_shares() {
    let mut config = config();
    config.targets[0].weight = 9;
    let snapshot = Snapshot::first(Arc::new(config));
    let mut rng = Rng::new(7);
    let plan = |rng: &mut Rng| plan_inbound(&snapshot, NOW, SiteId(0), rng).untried()[0];
    let heavy = (0..10_000).filter(|_| plan(&mut rng) == EAST_1).count();
    assert!((8_850..9_150).contains(&heavy), "{heavy} of 10,000");
}

#[test]
fn a_target_without_weight_is_never_tried() {
    let mut config = config();
    config.targets[0].weight = 0;
    assert_eq!(inbound_sorted(&Snapshot::first(Arc::new(config)), &[(1, 3)]), [EAST_2, WEST_1, WEST_2]);
}

#[test]
fn a_lower_rank_comes_first_whatever_it_weighs_and_only_while_it_is_well() {
    let mut config = config();
    (config.targets[0].rank, config.targets[0].weight) = (1, 65_535);
    let mut snapshot = Snapshot::first(Arc::new(config));
    assert_eq!(inbound_sorted(&snapshot, &[(2, 4)]), [EAST_2, EAST_1, WEST_1, WEST_2]);
    snapshot.health[EAST_2.index()].state = TargetState::Down;
    assert_eq!(inbound_sorted(&snapshot, &[(1, 3)]), [EAST_1, WEST_1, WEST_2, EAST_2]);
}

#[test]
fn worse_targets_wait_behind_every_better_one_of_every_region() {
    let mut snapshot = snapshot();
    snapshot.health[EAST_1.index()].state = TargetState::Down;
    snapshot.health[EAST_2.index()].state = TargetState::Backoff;
    assert_eq!(inbound_sorted(&snapshot, &[(0, 2)]), [WEST_1, WEST_2, EAST_2, EAST_1]);
}

#[test]
fn a_drained_region_is_tried_after_the_others_but_before_the_unwell() {
    let mut snapshot = snapshot();
    snapshot.overrides.drained = vec![RegionId(0)];
    snapshot.health[WEST_1.index()].state = TargetState::Backoff;
    assert_eq!(inbound_sorted(&snapshot, &[(1, 3)]), [WEST_2, EAST_1, EAST_2, WEST_1]);
}

#[test]
fn a_drained_edge_is_tried_after_the_other_region_and_its_neighbour_is_not_touched() {
    let mut snapshot = snapshot();
    snapshot.overrides.drained_targets = vec![EAST_1];
    assert_eq!(inbound_sorted(&snapshot, &[(1, 3)]), [EAST_2, WEST_1, WEST_2, EAST_1]);
}

#[test]
fn when_all_are_down_all_are_tried() {
    let mut snapshot = snapshot();
    snapshot.health.iter_mut().for_each(|h| h.state = TargetState::Down);
    assert_eq!(inbound_sorted(&snapshot, &[(0, 2), (2, 4)]), [EAST_1, EAST_2, WEST_1, WEST_2]);
}

#[test]
fn a_crowd_of_edges_leaves_room_for_the_next_region() {
    let mut config = config();
    for n in 0..100 {
        config.groups[0].edges.push(TargetId(u16::try_from(config.targets.len()).unwrap()));
        config.targets.push(target(&format!("e{n}"), Owner::Edge(GroupId(0)), &format!("10.1.1.{n}:5060")));
    }
    let plan = inbound(&Snapshot::first(Arc::new(config)), 1);
    assert!(plan.len() <= MAX_PLAN);
    assert!(plan.contains(&WEST_1) && plan.contains(&WEST_2), "{plan:?}");
}

#[test]
fn an_outbound_call_tries_its_trunks_in_order() {
    let snapshot = snapshot();
    for seed in 0..64 {
        let plan = plan_outbound(&snapshot, NOW, &[TrunkId(1), TrunkId(0)], &mut Rng::new(seed));
        assert_eq!(plan.untried()[0], BACKUP_1);
        let mut rest = plan.untried()[1..].to_vec();
        rest.sort();
        assert_eq!(rest, [CARRIER_1, CARRIER_2]);
    }
}

#[test]
fn a_site_or_trunk_from_nowhere_has_no_targets() {
    let snapshot = snapshot();
    assert!(plan_inbound(&snapshot, NOW, SiteId(9), &mut Rng::new(1)).untried().is_empty());
    assert!(plan_outbound(&snapshot, NOW, &[TrunkId(9)], &mut Rng::new(1)).untried().is_empty());
}
