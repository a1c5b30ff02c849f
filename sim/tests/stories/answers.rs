use super::*;
use sim::Link;
use sim::agent::{Act, Role, Stage, Step};

#[test]
fn a_2xx_without_an_ack_is_repeated_for_64_t1_and_then_the_call_ends_with_bye_on_both_sides() {
    let caller = Caller { deaf_to: u32::MAX, ..Caller::default() };
    // The callee would stay; nobody else ends this call.
    let setup = Setup { inactivity: None, ..Setup::quiet(1) };
    let world = told(setup, call(caller, vec![Callee::answers(10, 100, 500)]), |_| {});
    assert_eq!(ended(&world), (200, CloseReason::NoAck));
    let answered = record(&world).answered.expect("answered");
    let over = record(&world).ended;
    // 64*T1, and the way to the relay and back for the statistics.
    assert_eq!(over.since(answered), Duration::from_secs(32) + Duration::from_micros(100));
    assert_eq!(world.callee(0).methods, ["BYE"]);
    assert_eq!(world.caller(0).methods, ["BYE"]);
}

#[test]
fn a_lost_ack_is_made_good_by_the_next_one() {
    let caller = Caller { deaf_to: 2, ..Caller::then(&[(4000, Act::Bye)]) };
    let world = plainly(call(caller, vec![Callee::answers(10, 100, 500)]));
    assert_eq!(ended(&world), (200, CloseReason::ByeFromA));
    // 200 at 520 ms after the INVITE; heard the third time, T1 and 2*T1 later.
    assert_eq!(world.caller(0).answered.map(Time::as_millis), Some(START + 520 + 1500));
}

#[test]
fn a_forked_answer_gets_ack_and_one_bye_while_the_first_stays() {
    let mut forked = Callee::answers(10, 100, 500);
    forked.steps.push((Duration::from_millis(900), Step::Fork));
    forked.steps.push((Duration::from_millis(1300), Step::Fork));
    let world = plainly(call(Caller::then(&[(5000, Act::Bye)]), vec![forked]));
    assert_eq!(ended(&world), (200, CloseReason::ByeFromA));
    let mut legs: Vec<_> =
        world.agents.iter().flat_map(|a| &a.legs).filter(|l| l.role == Role::Callee).collect();
    legs.sort_by_key(|leg| leg.answered);
    assert_eq!(legs.len(), 3);
    assert!(legs.iter().all(|leg| leg.methods == ["BYE"] && leg.stage == Stage::Over));
    assert!(legs[0].ear.heard >= 8);
}

// Rules: ack-again
#[test]
fn answers_that_come_again_after_everything_is_over_are_acknowledged_and_nothing_more() {
    // Between the answer and the BYE the network loses everything towards the callee: his 200 goes on being repeated
    // while the caller has long hung up.
    let caller = Caller::then(&[(300, Act::Bye)]);
    let lossy = Link { loss: 500, ..Link::perfect() };
    for seed in 0..40 {
        let setup = Setup { link: lossy, ..Setup::quiet(seed) };
        told(setup, call(caller.clone(), vec![Callee::answers(1, 2, 3)]), |world| {
            world.at(ms(12_000), sim::Event::Link(Link::perfect()));
        });
    }
}

#[test]
fn byes_that_cross_end_the_call_once() {
    // The callee's ACK arrives 5 ms after the answer was passed on, the caller's clock starts 5 ms after that.
    let callee = Callee::answers(10, 100, 500).then(&[(2000, Act::Bye)]);
    let world = plainly(call(Caller::then(&[(2000, Act::Bye)]), vec![callee]));
    assert_eq!(record(&world).code, 200);
    assert_eq!(world.records.len(), 1);
    assert_eq!((world.caller(0).stage, world.callee(0).stage), (Stage::Over, Stage::Over));
}
