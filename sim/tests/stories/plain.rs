use super::*;
use sim::agent::{Act, Reliable};

#[test]
fn a_call_rings_is_answered_is_heard_on_both_sides_and_ends() {
    let world = plainly(call(Caller::then(&[(10_000, Act::Bye)]), vec![Callee::answers(10, 100, 2000)]));
    assert_eq!(codes(&world), [100, 180, 200]);
    assert_eq!(ended(&world), (200, CloseReason::ByeFromA));
    assert!(world.caller(0).ear.heard >= 18, "{}", world.caller(0).ear.heard);
    assert!(world.callee(0).ear.heard >= 18, "{}", world.callee(0).ear.heard);
    assert_eq!(world.callee(0).methods, ["BYE"]);
    assert!(record(&world).answered.is_some_and(|at| at > ms(HERE + 2000)));
}

#[test]
fn an_outbound_call_goes_to_the_first_trunk() {
    let plan = CallPlan {
        from: EAST_1,
        ..call(Caller::default(), vec![Callee::answers(10, 100, 500).then(&[(3000, Act::Bye)])])
    };
    let world = plainly(plan);
    assert_eq!(ended(&world), (200, CloseReason::ByeFromB));
    assert_eq!(record(&world).trunk, "alpha");
}

#[test]
fn a_callee_without_a_100_and_with_a_proxy_in_front_is_served_as_well() {
    let mut callee = Callee::answers(10, 150, 600).then(&[(2000, Act::Info), (3000, Act::Bye)]);
    callee.steps.remove(0);
    callee.record_route = true;
    let caller = Caller { record_route: true, ..Caller::then(&[(1000, Act::Info)]) };
    let world = plainly(call(caller, vec![callee]));
    assert_eq!(ended(&world), (200, CloseReason::ByeFromB));
    assert_eq!(world.caller(0).methods, ["INFO", "BYE"]);
    assert_eq!(world.callee(0).methods, ["INFO"]);
}

#[test]
fn a_late_offer_is_answered_in_the_ack_and_both_sides_hear() {
    let caller = Caller { late_offer: true, ..Caller::then(&[(5000, Act::Bye)]) };
    let world = plainly(call(caller, vec![Callee::answers(10, 100, 500)]));
    assert_eq!(codes(&world), [100, 180, 200]);
    assert!(world.caller(0).ear.heard >= 8 && world.callee(0).ear.heard >= 8);
}

#[test]
fn reliable_provisionals_are_acknowledged_end_to_end() {
    let caller = Caller { reliable: Reliable::Required, ..Caller::then(&[(2000, Act::Bye)]) };
    let world = plainly(call(caller, vec![Callee::answers(10, 100, 1000)]));
    assert_eq!(world.callee(0).methods, ["PRACK", "BYE"]);
    assert!(world.caller(0).outcomes.contains(&("PRACK".into(), 200)));
}

#[test]
fn the_next_targets_first_reliable_provisional_is_no_repetition_of_the_last_targets() {
    let caller = Caller { reliable: Reliable::Supported, ..Caller::then(&[(2000, Act::Bye)]) };
    let mut refuses = Callee::answers(10, 100, 0);
    refuses.steps[2] =
        (Duration::from_millis(900), sim::agent::Step::Refuse { code: 503, retry_after: None });
    let world = plainly(call(caller, vec![refuses, Callee::answers(10, 100, 1000)]));
    assert_eq!(ended(&world), (200, CloseReason::ByeFromA));
    // Both targets count from the same RSeq; each had its PRACK.
    assert_eq!(world.callee(0).methods, ["PRACK", "BYE"]);
    let pracks = world.caller(0).outcomes.iter().filter(|(method, code)| method == "PRACK" && *code == 200);
    assert_eq!(pracks.count(), 2);
}
