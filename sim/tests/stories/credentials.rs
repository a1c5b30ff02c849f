//! Everybody asks who we are: in the call, when it is moved, when it ends, and again when a nonce is used up. Nobody who
//! calls hears of it.

use super::rehome::*;
use super::*;
use proxy_core::MoveOutcome;
use sim::Condition;
use sim::agent::{Act, Asked, Sdp};

/// All agents together.
fn asked(world: &World) -> Asked {
    world.agents().iter().fold(Asked::default(), |sum, agent| Asked {
        first: sum.first + agent.asked.first,
        stale: sum.stale + agent.asked.stale,
        wrong: sum.wrong + agent.asked.wrong,
        believed: sum.believed + agent.asked.believed,
    })
}

#[test]
fn a_call_is_answered_and_hung_up_by_who_asks_at_every_step() {
    let caller = Caller::then(&[(1000, Act::Hold), (2000, Act::Resume), (3000, Act::Bye)]);
    let plan = call(caller, vec![Callee::answers(10, 100, 500)]);
    let world = told(Setup { asks: Some(1), ..Setup::quiet(1) }, plan, |_| {});
    assert_eq!(ended(&world), (200, CloseReason::ByeFromA));
    assert_eq!(codes(&world), [100, 180, 200]);
    assert_eq!(world.callee(0).methods, ["INVITE", "INVITE", "BYE"]);
    // Its nonce is good for one request: the INVITE shows nothing, and what follows what is used up.
    assert_eq!(asked(&world), Asked { first: 1, stale: 3, wrong: 0, believed: 4 });
}

#[test]
fn what_follows_shows_what_is_still_good_without_being_asked() {
    let caller = Caller::then(&[(1000, Act::Hold), (2000, Act::Resume), (3000, Act::Bye)]);
    let plan = call(caller, vec![Callee::answers(10, 100, 500)]);
    let world = told(Setup { asks: Some(100), ..Setup::quiet(1) }, plan, |_| {});
    assert_eq!(ended(&world), (200, CloseReason::ByeFromA));
    assert_eq!(asked(&world), Asked { first: 1, stale: 0, wrong: 0, believed: 4 });
}

#[test]
fn a_region_dies_and_the_next_one_asks_who_we_are_and_the_carriers_notice_nothing() {
    for uses in [1, 2, 100] {
        let plans = vec![talk(vec![]), talk(vec![]), talk_out(vec![])];
        let world = tell(Setup { asks: Some(uses), ..setup() }, plans, |world| {
            strike(world, EAST, Condition::Frozen, TROUBLE, 20_000);
        });
        for call in 0..3 {
            assert_eq!(outcome(&world, call), MoveOutcome::Moved, "{}", world.ladder(call));
            unnoticed(&world, call);
        }
        let asked = asked(&world);
        assert_eq!(asked.wrong, 0);
        assert!(asked.believed > 6 && (asked.stale > 0) == (uses == 1), "{uses}: {asked:?}");
    }
}

#[test]
fn a_carrier_that_has_to_agree_to_another_codec_asks_who_we_are_first() {
    let taker = Callee { sdp: Sdp::OtherCodec, ..Callee::takes_over() };
    for uses in [1, 100] {
        // The carrier is called, so that it has asked before.
        let plans = vec![talk_out(vec![taker.clone()]), talk(vec![taker.clone()])];
        let world = tell(Setup { asks: Some(uses), ..setup() }, plans, |world| {
            strike(world, EAST, Condition::Frozen, TROUBLE, 20_000);
        });
        for call in 0..2 {
            assert_eq!(outcome(&world, call), MoveOutcome::Renegotiated, "{}", world.ladder(call));
            assert_eq!(carrier(&world, call).methods, ["INVITE"], "asked once, and answered");
        }
        assert_eq!(asked(&world).wrong, 0);
    }
}
