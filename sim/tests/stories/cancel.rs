use super::*;
use sim::agent::{Act, Role, Stage, Step};

fn cancels_after(ms: u64) -> Caller {
    Caller { cancel: Some(Duration::from_millis(ms)), ..Caller::default() }
}

#[test]
fn a_caller_who_gives_up_gets_487_and_the_phone_stops_ringing() {
    let world = plainly(call(cancels_after(2000), vec![Callee::answers(10, 100, 9000)]));
    assert_eq!(codes(&world), [100, 180, 487]);
    assert_eq!(ended(&world), (487, CloseReason::Cancelled));
    assert!(world.caller(0).outcomes.contains(&("CANCEL".into(), 200)));
    assert_eq!(world.callee(0).stage, Stage::Over);
    assert_eq!(world.callee(0).answered, None);
}

// Rules: cancel-after-final
#[test]
fn a_cancel_that_crosses_our_200_comes_too_late_and_the_caller_hangs_up() {
    // The answer leaves for the caller at 1000 + 5 + 5 + 1000 + 5 ms and is on its way for 5 ms when he cancels.
    let world = plainly(call(cancels_after(1017), vec![Callee::answers(10, 100, 1000)]));
    assert_eq!(codes(&world), [100, 180, 200]);
    assert_eq!(ended(&world), (200, CloseReason::ByeFromA));
    assert!(world.caller(0).outcomes.contains(&("CANCEL".into(), 200)));
}

// Rules: ack-each-2xx, fork-bye
#[test]
fn a_200_that_crosses_our_cancel_gets_its_ack_and_a_bye() {
    let mut stubborn = Callee::answers(10, 100, 3000);
    stubborn.ignores_cancel = true;
    let world = plainly(call(cancels_after(2000), vec![stubborn]));
    assert_eq!(codes(&world), [100, 180, 487]);
    let callee = world.callee(0);
    assert!(callee.answered.is_some());
    assert_eq!(callee.methods, ["BYE"]);
    assert_eq!(callee.stage, Stage::Over);
}

#[test]
fn a_target_that_answers_after_the_hunt_has_left_it_gets_ack_and_bye_and_the_caller_hears_one_200() {
    let mut late = Callee::default();
    late.steps.push((Duration::from_millis(700), Step::Answer));
    let caller = Caller::then(&[(3000, Act::Bye)]);
    let world = plainly(call(caller, vec![late, Callee::answers(10, 100, 1500)]));
    assert_eq!(ended(&world), (200, CloseReason::ByeFromA));
    let legs: Vec<_> =
        world.agents.iter().flat_map(|agent| &agent.legs).filter(|leg| leg.role == Role::Callee).collect();
    assert_eq!(legs.len(), 2);
    assert!(legs.iter().all(|leg| leg.methods == ["BYE"] && leg.stage == Stage::Over));
}
