//! Which target comes next?

use crate::rng::Rng;
use crate::route::fixture::{EAST_1, EAST_2, WEST_1, WEST_2, config, snapshot};
use crate::route::{Plan, plan_inbound};
use crate::{Config, HuntReason, SiteId, Snapshot, Target, TargetId, TargetState};
use relay_values::Time;
use std::sync::Arc;

const NOW: Time = Time::from_millis(60_000);

/// A plan that begins with east-1.
fn east_first(snapshot: &Snapshot) -> Plan {
    let plans = (0..).map(|seed| plan_inbound(snapshot, NOW, SiteId(0), &mut Rng::new(seed)));
    plans.into_iter().find(|plan| plan.untried()[..3] == [EAST_1, EAST_2, WEST_1]).unwrap()
}

fn hunt(plan: &mut Plan, newest: &Snapshot, reason: HuntReason) -> Vec<TargetId> {
    std::iter::from_fn(|| plan.next(newest, Some(reason))).collect()
}

#[test]
fn every_target_is_tried_once() {
    let snapshot = snapshot();
    for reason in HuntReason::ALL {
        let mut plan = east_first(&snapshot);
        let mut tried = hunt(&mut plan, &snapshot, *reason);
        assert_eq!(plan.tried(), tried);
        tried.sort();
        assert_eq!(tried, [EAST_1, EAST_2, WEST_1, WEST_2], "{reason:?}");
        assert_eq!(plan.next(&snapshot, Some(*reason)), None);
    }
}

#[test]
fn a_refusal_moves_on_to_the_neighbour_in_the_region() {
    let snapshot = snapshot();
    let mut plan = east_first(&snapshot);
    assert_eq!(hunt(&mut plan, &snapshot, HuntReason::FinalResponse), [EAST_1, EAST_2, WEST_1, WEST_2]);
}

#[test]
fn silence_moves_on_to_another_region() {
    let snapshot = snapshot();
    let mut plan = east_first(&snapshot);
    assert_eq!(hunt(&mut plan, &snapshot, HuntReason::NoResponse), [EAST_1, WEST_1, EAST_2, WEST_2]);
}

#[test]
fn silence_stays_in_the_region_when_the_others_are_worse() {
    let snapshot = snapshot();
    let mut plan = east_first(&snapshot);
    let mut newest = snapshot.clone();
    newest.health[WEST_1.index()].state = TargetState::Down;
    newest.health[WEST_2.index()].state = TargetState::Backoff;
    assert_eq!(hunt(&mut plan, &newest, HuntReason::NoResponse), [EAST_1, EAST_2, WEST_2, WEST_1]);
}

#[test]
fn what_went_down_while_the_call_waited_is_tried_last() {
    let snapshot = snapshot();
    let mut plan = east_first(&snapshot);
    assert_eq!(plan.next(&snapshot, None), Some(EAST_1));
    assert!(!plan.lost_current(&snapshot));
    let mut newest = snapshot.clone();
    newest.health[EAST_1.index()].state = TargetState::Down;
    newest.health[EAST_2.index()].state = TargetState::Down;
    assert!(plan.lost_current(&newest), "a call that waits for a dead edge hears of it");
    assert_eq!(hunt(&mut plan, &newest, HuntReason::TargetDown), [WEST_1, WEST_2, EAST_2]);
}

#[test]
fn a_target_chosen_although_it_was_down_is_given_its_time() {
    let mut snapshot = snapshot();
    let mut plan = east_first(&snapshot);
    snapshot.health.iter_mut().for_each(|h| h.state = TargetState::Down);
    assert_eq!(plan.next(&snapshot, None), Some(EAST_1));
    assert!(!plan.lost_current(&snapshot));
    snapshot.health[WEST_1.index()].state = TargetState::Up;
    assert_eq!(plan.next(&snapshot, Some(HuntReason::NoResponse)), Some(WEST_1));
    snapshot.health[WEST_1.index()].state = TargetState::Down;
    assert!(plan.lost_current(&snapshot), "the next one is judged anew");
}

/// The configuration after a reload: the same names in another order, `gone` taken out.
fn reloaded(gone: &str) -> Snapshot {
    let old = config();
    let targets: Vec<Target> = old.targets.iter().rev().filter(|t| t.name != gone).cloned().collect();
    let number = |name: &str| targets.iter().position(|t| t.name == name).map(|n| TargetId(n as u16));
    let renumber =
        |ids: &[TargetId]| ids.iter().filter_map(|id| number(&old.targets[id.index()].name)).collect();
    let mut config = Config { targets: targets.clone(), ..old.clone() };
    config.groups.iter_mut().for_each(|g| g.edges = renumber(&g.edges));
    config.trunks.iter_mut().for_each(|t| t.targets = renumber(&t.targets));
    let mut snapshot = Snapshot::first(Arc::new(config));
    snapshot.generation = 9;
    snapshot.config_generation = 9;
    snapshot
}

fn names(snapshot: &Snapshot, ids: &[TargetId]) -> Vec<String> {
    ids.iter().map(|id| snapshot.config.target(*id).unwrap().name.clone()).collect()
}

#[test]
fn a_reload_during_the_hunt_renumbers_the_plan_and_repeats_nothing() {
    let mut plan = east_first(&snapshot());
    assert_eq!(plan.next(&snapshot(), None), Some(EAST_1));
    let newest = reloaded("west-1");
    assert!(!plan.lost_current(&newest));
    let rest = hunt(&mut plan, &newest, HuntReason::NoResponse);
    assert_eq!(names(&newest, &rest), ["west-2", "east-2"]);
    assert_eq!(names(&newest, plan.tried()), ["east-1", "west-2", "east-2"]);
}

#[test]
fn a_target_that_the_new_configuration_lacks_is_lost() {
    let mut plan = east_first(&snapshot());
    plan.next(&snapshot(), None);
    let newest = reloaded("east-1");
    assert!(plan.lost_current(&newest));
    let rest = hunt(&mut plan, &newest, HuntReason::TargetDown);
    assert_eq!(names(&newest, &rest[..1]), ["east-2"], "nobody knows its region any more");
    assert_eq!(rest.len(), 3);
}

#[test]
fn a_target_that_goes_down_before_anything_was_sent_to_it_keeps_its_turn_for_later() {
    let healthy = snapshot();
    let mut plan = east_first(&healthy);
    assert_eq!(plan.next(&healthy, None), Some(EAST_1));
    assert_eq!(plan.choose_again(&healthy), Some(EAST_1));
    let mut down = healthy.clone();
    down.health[EAST_1.index()].state = TargetState::Down;
    assert_eq!(plan.choose_again(&down), Some(EAST_2));
    assert_eq!(plan.tried(), [EAST_2]);
    // It is back before the hunt goes on.
    assert_eq!(plan.next(&healthy, Some(HuntReason::FinalResponse)), Some(EAST_1));
}
