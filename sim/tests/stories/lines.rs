//! Calls with a picture, and calls that become a fax, also while their region dies.

use super::rehome::*;
use super::*;
use proxy_core::MoveOutcome;
use sim::Condition;
use sim::agent::{Act, Role, Side};

/// A call with a picture, as long as [`TALKS`].
fn seen(callee: Callee, movers: Vec<Callee>) -> CallPlan {
    let caller = Caller { picture: true, ..Caller::then(&[(TALKS, Act::Bye)]) };
    CallPlan { movers, ..call(caller, vec![callee]) }
}

fn blind(callee: Callee) -> Callee {
    Callee { blind: true, ..callee }
}

/// What the carrier's leg has seen, and what the tier's have.
fn pieces(world: &World) -> (u32, u32) {
    let tier = world.legs(0, Side::Tier).iter().map(|(_, leg)| leg.ear.seen).sum();
    (carrier(world, 0).ear.seen, tier)
}

#[test]
fn a_picture_goes_both_ways_beside_the_speech() {
    let world = tell(setup(), vec![seen(Callee::answers(5, 50, 500), vec![])], |_| {});
    let (carrier, tier) = pieces(&world);
    assert!(carrier > 700 && tier > 700, "{carrier} and {tier} in 16 s");
    assert!(world.caller(0).ear.heard > 700);
}

#[test]
fn a_callee_without_a_screen_is_heard() {
    let world = tell(setup(), vec![seen(blind(Callee::answers(5, 50, 500)), vec![])], |_| {});
    assert_eq!(pieces(&world), (0, 0));
    assert!(world.caller(0).ear.heard > 700);
}

#[test]
fn the_picture_moves_with_the_speech() {
    let plan = seen(Callee::answers(5, 50, 500), vec![Callee::takes_over()]);
    let world = tell(setup(), vec![plan], |world| strike(world, EAST, Condition::Frozen, TROUBLE, 20_000));
    unnoticed(&world, 0);
    assert_eq!(outcome(&world, 0), MoveOutcome::Moved);
    let moved = world.legs(0, Side::Tier);
    assert!(moved[1].1.ear.seen > 400, "{} pieces at the new edge", moved[1].1.ear.seen);
    assert!(pieces(&world).0 > 600, "{:?}", pieces(&world));
}

#[test]
fn an_edge_without_a_screen_takes_the_speech() {
    let plan = seen(Callee::answers(5, 50, 500), vec![blind(Callee::takes_over())]);
    let world = tell(setup(), vec![plan], |world| strike(world, EAST, Condition::Frozen, TROUBLE, 20_000));
    unnoticed(&world, 0);
    assert_eq!(outcome(&world, 0), MoveOutcome::Moved);
    let moved = world.legs(0, Side::Tier);
    assert!(moved[1].1.ear.seen == 0 && moved[1].1.ear.heard > 400);
}

#[test]
fn speech_becomes_a_fax_and_speech_again_whoever_asks() {
    let acts = [(2000, Act::Fax), (9000, Act::Speak), (TALKS, Act::Bye)];
    let plain = || Callee::answers(5, 50, 500);
    for plan in [call(Caller::then(&acts), vec![plain()]), call(Caller::default(), vec![plain().then(&acts)])]
    {
        let world = tell(setup(), vec![plan], |_| {});
        for (role, leg) in [(Role::Caller, world.caller(0)), (Role::Callee, world.callee(0))] {
            assert!(leg.ear.faxed > 300, "{role:?}: {} pieces in seven seconds", leg.ear.faxed);
            assert!(leg.ear.heard > 350, "{role:?}: {} packets in nine", leg.ear.heard);
        }
    }
}

#[test]
fn a_fax_that_is_longer_than_any_watch_is_not_taken_for_silence() {
    // The watch of these worlds looks after 5 s; both ends mute their speech, which a fax does not know.
    let acts = [(1000, Act::Fax), (12_000, Act::Mute), (TALKS, Act::Bye)];
    let world = tell(setup(), vec![call(Caller::then(&acts), vec![Callee::answers(5, 50, 500)])], |_| {});
    assert_eq!(ended(&world).1, CloseReason::ByeFromA);
}

#[test]
fn a_fax_goes_on_in_another_region() {
    let caller = Caller::then(&[(1500, Act::Fax), (TALKS, Act::Bye)]);
    let plan =
        CallPlan { movers: vec![Callee::takes_over()], ..call(caller, vec![Callee::answers(5, 50, 500)]) };
    let world = tell(setup(), vec![plan], |world| strike(world, EAST, Condition::Frozen, TROUBLE, 20_000));
    assert_eq!(outcome(&world, 0), MoveOutcome::Moved, "{}", world.ladder(0));
    let moved = world.legs(0, Side::Tier);
    assert!(moved[1].1.ear.faxed > 300, "{} pieces at the new edge", moved[1].1.ear.faxed);
    assert_eq!(carrier(&world, 0).ear.filled, 0, "nothing is said in the place of a fax");
    assert!(carrier(&world, 0).ear.faxed > 500, "{}", carrier(&world, 0).ear.faxed);
}
