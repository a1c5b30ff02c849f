use super::*;
use sim::agent::Act;
use sim::{Condition, Event, REGIONS};

#[test]
fn hold_and_resume_from_either_side_reach_the_other_and_media_follows() {
    let caller = Caller::then(&[(1000, Act::Hold), (4000, Act::Resume), (12_000, Act::Bye)]);
    let callee = Callee::answers(10, 100, 500).then(&[(6000, Act::Hold), (8000, Act::Resume)]);
    let world = plainly(call(caller, vec![callee]));
    assert_eq!(ended(&world), (200, CloseReason::ByeFromA));
    assert_eq!(world.callee(0).methods, ["INVITE", "INVITE", "BYE"]);
    assert_eq!(world.caller(0).methods, ["INVITE", "INVITE"]);
    assert_eq!(world.callee(0).told, "sendrecv");
    assert!(world.caller(0).outcomes.iter().all(|(_, code)| *code == 200), "{:?}", world.caller(0).outcomes);
    let (caller, callee) = (world.caller(0).ear.heard, world.callee(0).ear.heard);
    // Of 24 packets the caller's hold keeps six from him, and the callee's four from the callee.
    assert!((15..=20).contains(&caller), "the caller heard {caller}");
    assert!((17..=22).contains(&callee), "the callee heard {callee}");
}

#[test]
fn a_reinvite_without_an_offer_has_its_answer_in_the_ack() {
    let caller = Caller::then(&[(1000, Act::Ask), (6000, Act::Bye)]);
    let callee = Callee::answers(10, 100, 500).then(&[(3000, Act::Ask)]);
    let world = plainly(call(caller, vec![callee]));
    assert_eq!(ended(&world), (200, CloseReason::ByeFromA));
    assert_eq!(world.callee(0).methods, ["INVITE", "BYE"]);
    assert!(world.caller(0).ear.heard >= 10 && world.callee(0).ear.heard >= 10);
}

#[test]
fn info_and_update_are_carried_both_ways() {
    let acts = [(500, Act::Info), (1500, Act::Update), (2500, Act::Info)];
    let callee =
        Callee::answers(10, 100, 500).then(&[(1000, Act::Info), (2000, Act::Update), (4000, Act::Bye)]);
    let world = plainly(call(Caller::then(&acts), vec![callee]));
    assert_eq!(world.callee(0).methods, ["INFO", "UPDATE", "INFO"]);
    assert_eq!(world.caller(0).methods, ["INFO", "UPDATE", "BYE"]);
    assert!(world.callee(0).outcomes.iter().all(|(_, code)| *code == 200));
}

#[test]
fn words_and_transfers_are_carried_and_how_a_transfer_ends_comes_back() {
    let caller = Caller::then(&[(500, Act::Message), (1500, Act::Refer), (4000, Act::Bye)]);
    let callee = Callee::answers(10, 100, 500).then(&[(1000, Act::Message), (2500, Act::Refer)]);
    let setup = Setup { refer: proxy_core::Refers::Pass, ..Setup::quiet(7) };
    let world = told(setup, call(caller, vec![callee]), |_| {});
    assert_eq!(world.callee(0).methods, ["MESSAGE", "REFER", "NOTIFY", "BYE"]);
    assert_eq!(world.caller(0).methods, ["MESSAGE", "NOTIFY", "REFER"]);
    for leg in [world.caller(0), world.callee(0)] {
        let codes: Vec<_> = leg.outcomes.iter().filter(|(method, _)| method != "INVITE").collect();
        assert!(codes.iter().all(|(_, code)| matches!(code, 200 | 202)) && codes.len() >= 3, "{codes:?}");
    }
}

#[test]
fn reinvites_that_cross_are_refused_with_491_and_the_call_goes_on() {
    let caller = Caller::then(&[(1000, Act::Hold), (6000, Act::Bye)]);
    let callee = Callee::answers(10, 100, 500).then(&[(1000, Act::Hold)]);
    let world = plainly(call(caller, vec![callee]));
    assert_eq!(ended(&world), (200, CloseReason::ByeFromA));
    let refused = |leg: &sim::agent::Leg| leg.outcomes.contains(&("INVITE".into(), 491));
    assert!(refused(world.caller(0)) || refused(world.callee(0)));
}

// Rules: dialog-481-ends, update-481-408
#[test]
fn a_leg_that_is_gone_ends_the_call_for_the_other_and_is_told_so_as_well() {
    let caller = Caller::then(&[(3000, Act::Info)]);
    let world = told(Setup::quiet(1), call(caller, vec![Callee::answers(10, 100, 500)]), |world| {
        for edge in REGIONS[0] {
            world.at(ms(3000), Event::Agent(edge, Condition::Dead));
            world.at(ms(4000), Event::Agent(edge, Condition::Alive));
        }
    });
    assert_eq!(ended(&world), (200, CloseReason::LegGone));
    assert_eq!(world.caller(0).methods, ["BYE"]);
}

#[test]
fn an_answer_that_waits_for_the_other_side_is_acknowledged_even_if_its_sender_hangs_up_first() {
    // The caller's ACK for the re-INVITE is lost with everything else that he sends from then on.
    let caller = Caller::then(&[(1000, Act::Ask)]);
    let callee = Callee::answers(10, 100, 500).then(&[(1200, Act::Bye)]);
    let plan = CallPlan { from: 2, ..call(caller, vec![callee]) };
    told(Setup::quiet(1), plan, |world| {
        // His re-INVITE leaves at 1000 + 520 + 1000 ms; 20 ms later our 200 is on its way back to him.
        world.at(ms(2538), Event::Agent(2, Condition::Dead));
        world.at(ms(9000), Event::Agent(2, Condition::Alive));
    });
}
