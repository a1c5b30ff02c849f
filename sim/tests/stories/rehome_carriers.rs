//! Carriers that do something in the middle of a move.

use super::rehome::*;
use super::*;
use proxy_core::MoveOutcome;
use sim::Condition;
use sim::agent::{Act, Side};

/// After the answer, in milliseconds: in the middle of the move.
const MIDDLE: u64 = TROUBLE + 900 - START - 520;

/// One call whose region freezes and whose new edge takes two seconds.
fn does(acts: &[(u64, Act)]) -> World {
    let slow = Callee::answers(5, 100, 2000);
    let plan = CallPlan { caller: Caller::then(acts), ..talk(vec![slow]) };
    tell(setup(), vec![plan], |world| strike(world, EAST, Condition::Frozen, TROUBLE, 20_000))
}

#[test]
fn a_carrier_that_hangs_up_in_the_middle_is_answered_at_once_and_nothing_is_left() {
    let world = does(&[(MIDDLE, Act::Bye)]);
    assert_eq!(outcome(&world, 0), MoveOutcome::HungUp);
    assert_eq!(ended(&world), (200, CloseReason::ByeFromA));
    assert!(carrier(&world, 0).outcomes.contains(&("BYE".into(), 200)));
    let at = record(&world).ended.as_millis();
    assert!(at < TROUBLE + 1000, "over at {at} ms");
}

#[test]
fn a_carrier_that_reinvites_in_the_middle_is_told_to_wait_or_answered_and_the_call_moves() {
    for act in [Act::Hold, Act::Ask, Act::Update] {
        let world = does(&[(MIDDLE, act), (TALKS, Act::Bye)]);
        assert_eq!(outcome(&world, 0), MoveOutcome::Moved, "{act:?}");
        assert_eq!(ended(&world), (200, CloseReason::ByeFromA));
        let told = carrier(&world, 0).outcomes[0].1;
        assert!(matches!(told, 200 | 491 | 500), "{act:?}: {told}");
        assert_eq!(carrier(&world, 0).methods, [""; 0]);
    }
}

#[test]
fn a_carrier_that_refers_in_the_middle_hears_what_it_hears_at_any_time() {
    let world = does(&[(MIDDLE, Act::Refer), (TALKS, Act::Bye)]);
    assert_eq!(outcome(&world, 0), MoveOutcome::Moved);
    assert!(carrier(&world, 0).outcomes.iter().any(|(method, code)| method == "REFER" && *code >= 400));
    unnoticed(&world, 0);
}

#[test]
fn a_call_on_hold_is_moved_on_hold_and_can_be_taken_off_it() {
    // Off hold two seconds after the move.
    let acts = [(1000, Act::Hold), (MIDDLE + 4000, Act::Resume), (TALKS + 2000, Act::Bye)];
    let plans = [Caller::then(&acts), Caller::then(&[(TALKS, Act::Bye)]), Caller::then(&[(TALKS, Act::Bye)])];
    let plans = plans.map(|caller| CallPlan { caller, ..talk(vec![]) }).to_vec();
    let world = tell(setup(), plans, |world| strike(world, EAST, Condition::Frozen, TROUBLE, 20_000));
    assert_eq!(outcome(&world, 0), MoveOutcome::Moved);
    assert_eq!(carrier(&world, 0).methods, [""; 0]);
    let (_, new) = world.legs(0, Side::Tier)[1];
    assert_eq!(new.offered_first, "sendonly", "it was offered what the lost leg had");
    assert_eq!(new.told, "sendrecv", "and off hold later");
    assert_eq!(new.methods, ["INVITE", "BYE"]);
    assert!(carrier(&world, 0).outcomes.iter().all(|(_, code)| *code == 200));
    one_line(&world, 0);
}

#[test]
fn a_call_that_the_tier_holds_stays_held() {
    let callee = Callee::answers(5, 50, 500).then(&[(1000, Act::Hold)]);
    let plan = CallPlan { callees: vec![callee], ..talk(vec![]) };
    let world = tell(setup(), vec![plan, talk(vec![]), talk(vec![])], |world| {
        strike(world, EAST, Condition::Frozen, TROUBLE, 20_000);
    });
    assert_eq!(outcome(&world, 0), MoveOutcome::Moved, "{}", world.ladder(0));
    assert_eq!(carrier(&world, 0).methods, ["INVITE"], "the hold, and nothing since");
    let (_, new) = world.legs(0, Side::Tier)[1];
    assert_eq!(new.offered_first, "recvonly", "the carrier listens");
}

// Found as seed 3170 of the sweep, where the second re-INVITE followed the first into a dialog that might still answer it.
#[test]
fn what_an_edge_may_still_answer_is_not_followed_by_another_offer_when_the_call_stays_with_it() {
    let caller = Caller::then(&[(3450, Act::Hold), (7500, Act::Resume), (TALKS, Act::Bye)]);
    let plan = CallPlan { caller, ..talk(vec![]) };
    let world = tell(setup(), vec![plan], |world| {
        strike(world, WEST, Condition::Cut, 4000, 20_000);
        // Its re-INVITE is on its way to the edge.
        strike(world, EAST, Condition::Cut, 4978, 3000);
    });
    let receipt = receipts(&world, 0)[0];
    assert_eq!(receipt.outcome, MoveOutcome::Stayed, "{}", world.ladder(0));
    // The caller tries again, and is put off as long as timer B of the first one runs.
    let held: Vec<u16> = world
        .caller(0)
        .outcomes
        .iter()
        .filter(|(method, _)| method == "INVITE")
        .map(|(_, code)| *code)
        .collect();
    assert!(held.len() == 2 && held.iter().all(|code| *code == 491), "{held:?}\n{}", world.ladder(0));
    assert_eq!(world.callee(0).methods, ["BYE"]);
}
