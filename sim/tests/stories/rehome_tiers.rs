//! Tiers that take a moved call in every way that they should not.

use super::rehome::*;
use super::*;
use proxy_core::MoveOutcome;
use sim::agent::{Sdp, Side, Stage, Step};
use sim::{Condition, Event};

/// One call whose region freezes, taken over like this.
fn taken(movers: Vec<Callee>) -> World {
    tell(setup(), vec![talk(movers)], |world| strike(world, EAST, Condition::Frozen, TROUBLE, 20_000))
}

fn described(sdp: Sdp) -> Callee {
    Callee { sdp, ..Callee::takes_over() }
}

#[test]
fn a_tier_that_refuses_is_followed_by_the_next_edge() {
    for code in [404, 480, 486, 488, 500, 503] {
        let world = taken(vec![Callee::refuses(20, code), Callee::takes_over()]);
        unnoticed(&world, 0);
        assert_eq!(outcome(&world, 0), MoveOutcome::Moved, "{code}");
        assert_eq!(receipts(&world, 0)[0].attempts, 2, "{code}");
    }
}

#[test]
fn a_tier_that_asks_for_time_gets_it() {
    let later = Step::Refuse { code: 503, retry_after: Some(4) };
    let busy = Callee { steps: vec![(Duration::from_millis(20), later)], ..Callee::default() };
    let world = taken(vec![busy.clone(), busy, Callee::takes_over()]);
    unnoticed(&world, 0);
    let receipt = receipts(&world, 0)[0];
    assert_eq!(receipt.outcome, MoveOutcome::Moved, "{}", world.ladder(0));
    let began: Vec<_> = world.legs(0, Side::Tier)[1..].iter().map(|(name, leg)| (*name, leg.began)).collect();
    let (first, second) = (began[0], began.iter().find(|(name, at)| *name == began[0].0 && *at > began[0].1));
    if let Some(second) = second {
        assert!(second.1.since(first.1) >= Duration::from_secs(4), "{began:?}");
    }
}

#[test]
fn a_callee_that_declines_is_not_asked_again_and_the_call_ends() {
    let world = taken(vec![Callee::refuses(20, 603), Callee::takes_over()]);
    assert_eq!(outcome(&world, 0), MoveOutcome::Declined);
    assert_eq!(ended(&world), (200, CloseReason::NotRehomed));
    assert_eq!(tiers(&world, 0).len(), 2);
    assert_eq!(carrier(&world, 0).methods, ["BYE"]);
}

#[test]
fn what_does_not_match_is_put_to_the_carrier_and_to_nobody_else() {
    for sdp in [Sdp::OtherCodec, Sdp::OtherEvent] {
        let world = taken(vec![described(sdp)]);
        assert_eq!(outcome(&world, 0), MoveOutcome::Renegotiated, "{sdp:?}\n{}", world.ladder(0));
        assert_eq!(carrier(&world, 0).methods, ["INVITE"], "{sdp:?}");
        assert_eq!(ended(&world), (200, CloseReason::ByeFromA));
    }
}

#[test]
fn an_edge_that_goes_down_while_the_carrier_is_asked_is_left_again_at_once() {
    let plan = talk(vec![described(Sdp::OtherCodec), Callee::takes_over()]);
    let world = tell(setup(), vec![plan], |world| {
        strike(world, EAST, Condition::Dead, TROUBLE, 2500);
        // The carrier takes its time, and meanwhile the second region goes, and the first comes back.
        world.at(ms(TROUBLE + 10), Event::Agent(ALPHA_1, Condition::Frozen));
        world.at(ms(TROUBLE + 3500), Event::Agent(ALPHA_1, Condition::Alive));
        strike(world, WEST, Condition::Cut, TROUBLE + 1000, 5000);
    });
    let moves = receipts(&world, 0);
    let outcomes: Vec<_> = moves.iter().map(|receipt| receipt.outcome).collect();
    assert_eq!(outcomes, [MoveOutcome::Renegotiated, MoveOutcome::Moved], "{}", world.ladder(0));
}

#[test]
fn an_answer_that_is_inactive_is_put_to_the_carrier_too() {
    let world = taken(vec![described(Sdp::Inactive)]);
    assert_eq!(outcome(&world, 0), MoveOutcome::Renegotiated, "{}", world.ladder(0));
    assert_eq!(carrier(&world, 0).methods, ["INVITE"]);
}

#[test]
fn an_answer_without_media_is_ended_and_the_next_edge_asked() {
    let world = taken(vec![described(Sdp::Missing), Callee::takes_over()]);
    unnoticed(&world, 0);
    assert_eq!(outcome(&world, 0), MoveOutcome::Moved);
    let legs = world.legs(0, Side::Tier);
    assert_eq!((legs[1].1.stage, legs[1].1.methods.as_slice()), (Stage::Over, &["BYE".to_owned()][..]));
}

#[test]
fn a_tier_that_rings_first_or_answers_late_is_waited_for_and_the_carrier_hears_the_fill() {
    for callee in [Callee::answers(5, 300, 2500), Callee::answers(150, 2000, 6000)] {
        let world = taken(vec![callee]);
        unnoticed(&world, 0);
        assert_eq!(outcome(&world, 0), MoveOutcome::Moved);
        assert!(carrier(&world, 0).ear.filled > 90, "{}", carrier(&world, 0).ear.filled);
    }
}

#[test]
fn a_tier_that_answers_too_late_gets_ack_and_bye_and_the_call_lives_elsewhere() {
    let late = Callee { steps: vec![(Duration::from_millis(1500), Step::Answer)], ..Callee::default() };
    let world = taken(vec![late, Callee::takes_over()]);
    unnoticed(&world, 0);
    assert_eq!(outcome(&world, 0), MoveOutcome::Moved);
    let legs = world.legs(0, Side::Tier);
    assert_eq!(legs[1].1.methods, ["BYE"], "{}", world.ladder(0));
    assert_eq!(legs.len(), 3);
}

#[test]
fn a_tier_that_answers_twice_and_a_forked_one_have_one_leg_each() {
    let mut twice = Callee { twice: true, ..Callee::takes_over() };
    twice.steps.push((Duration::from_millis(300), Step::Fork));
    let world = taken(vec![twice]);
    unnoticed(&world, 0);
    assert_eq!(outcome(&world, 0), MoveOutcome::Moved);
    let legs = world.legs(0, Side::Tier);
    assert_eq!(legs.len(), 3);
    assert_eq!(legs[2].1.methods, ["BYE"], "the fork");
    assert!(legs[1].1.ear.heard > 300, "the first one talks");
}

#[test]
fn tiers_that_never_answer_cost_the_call_its_deadline_and_no_more() {
    let world = taken(vec![Callee::dead()]);
    assert_eq!(outcome(&world, 0), MoveOutcome::Deadline);
    assert_eq!(ended(&world), (200, CloseReason::NotRehomed));
    let took = record(&world).ended.since(receipts(&world, 0)[0].decided);
    assert!(took >= Duration::from_secs(10) && took < Duration::from_millis(10_100), "{took:?}");
    one_line(&world, 0);
}
