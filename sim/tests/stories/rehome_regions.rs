//! Regions that die, and come back, at every bad moment.

use super::rehome::*;
use super::*;
use proxy_core::{MoveOutcome, MoveReason};
use sim::agent::{Act, Side, Stage, Step};
use sim::{Condition, Event, REGIONS};

#[test]
fn ten_calls_outlive_their_region_however_it_dies_and_the_carrier_notices_nothing() {
    for condition in [Condition::Frozen, Condition::Dead, Condition::Cut] {
        let plans: Vec<_> =
            (0..10).map(|n| if n % 2 == 0 { talk(vec![]) } else { talk_out(vec![]) }).collect();
        let world = tell(setup(), plans, |world| strike(world, EAST, condition, TROUBLE, 8000));
        for call in 0..10 {
            unnoticed(&world, call);
            assert_eq!(outcome(&world, call), MoveOutcome::Moved, "{condition:?}");
            let receipt = receipts(&world, call)[0];
            assert_eq!((receipt.from.1.as_str(), receipt.to.1.as_str()), ("east", "west"), "{condition:?}");
            let (media, nobody) =
                (receipt.gap_media.expect("a gap"), receipt.gap_conversation.expect("a gap"));
            assert!(media <= Duration::from_millis(200), "{condition:?}: {media:?}");
            assert!(nobody <= Duration::from_millis(250), "{condition:?}: {nobody:?}");
        }
    }
}

#[test]
fn in_the_gap_the_carrier_hears_the_fill_and_the_receipt_tells_the_gap_as_it_was() {
    // The new edge takes half a second: long enough to hear what is in between.
    let slow = Callee::answers(5, 100, 500);
    let plans = (0..4).map(|_| talk(vec![slow.clone()])).collect();
    let world = tell(setup(), plans, |world| strike(world, EAST, Condition::Frozen, TROUBLE, 8000));
    for call in 0..4 {
        unnoticed(&world, call);
        let heard = one_line(&world, call);
        let new =
            heard.iter().position(|h| h.of.is_some_and(|of| REGIONS[WEST].contains(&of))).expect("west");
        let old = heard[..new].iter().rposition(|h| h.of.is_some()).expect("east");
        let receipt = receipts(&world, call)[0];
        assert_eq!(receipt.gap_conversation, Some(heard[new].at.since(heard[old].at)));
        assert_eq!(receipt.gap_media, Some(heard[old + 1].at.since(heard[old].at)));
        assert!(new - old > 15, "{} packets of fill", new - old - 1);
    }
}

#[test]
fn a_single_call_is_moved_by_what_probes_say() {
    let world = tell(setup(), vec![talk(vec![])], |world| strike(world, EAST, Condition::Cut, TROUBLE, 8000));
    unnoticed(&world, 0);
    assert_eq!(outcome(&world, 0), MoveOutcome::Moved);
    // Two probe intervals and a timeout.
    let decided = receipts(&world, 0)[0].decided;
    assert!(decided.since(ms(TROUBLE)) <= Duration::from_millis(600), "{decided:?}");
}

/// Calls whose first region is back when the second one has died with them on their way to it.
fn between_two(first: Condition) -> World {
    let slow = Callee::answers(5, 100, 2000);
    let plans = (0..4).map(|_| talk(vec![slow.clone(), Callee::takes_over()])).collect();
    tell(setup(), plans, |world| {
        strike(world, EAST, first, TROUBLE, 3000);
        strike(world, WEST, Condition::Dead, TROUBLE + 1000, 14_000);
    })
}

#[test]
fn the_second_region_dies_while_calls_are_on_their_way_to_it_and_they_stay_with_the_first_which_is_back() {
    for first in [Condition::Cut, Condition::Frozen] {
        let world = between_two(first);
        for call in 0..4 {
            unnoticed(&world, call);
            assert_eq!(outcome(&world, call), MoveOutcome::Stayed, "{first:?}\n{}", world.ladder(call));
            assert_eq!(tiers(&world, call).first(), Some(&"east"));
        }
    }
}

#[test]
fn a_first_region_that_comes_back_and_knows_nothing_keeps_no_call_beyond_its_deadline() {
    let world = between_two(Condition::Dead);
    for call in 0..4 {
        let record = world.record(call).expect("a record");
        let decided = receipts(&world, call)[0].decided;
        let moved = receipts(&world, call).iter().any(|receipt| receipt.outcome == MoveOutcome::Moved);
        assert!(moved || record.ended.since(decided) <= Duration::from_secs(10), "{}", world.ladder(call));
        one_line(&world, call);
    }
}

#[test]
fn when_no_region_comes_back_every_call_ends_with_a_reason_within_its_deadline() {
    let world = tell(setup(), (0..4).map(|_| talk(vec![])).collect(), |world| {
        strike(world, EAST, Condition::Frozen, TROUBLE, 25_000);
        strike(world, WEST, Condition::Frozen, TROUBLE + 60, 25_000);
    });
    for call in 0..4 {
        let record = world.record(call).expect("a record");
        assert_eq!(record.close, CloseReason::NotRehomed, "{}", world.ladder(call));
        assert_eq!(carrier(&world, call).methods, ["BYE"]);
        let receipt = receipts(&world, call).pop().expect("a receipt");
        assert_eq!(receipt.outcome, MoveOutcome::Deadline);
        let took = record.ended.since(receipt.decided);
        assert!(took >= Duration::from_secs(10) && took < Duration::from_millis(10_100), "{took:?}");
    }
}

#[test]
fn the_first_region_comes_back_during_the_move_and_each_call_has_one_leg() {
    for back in [60, 100, 150, 250, 400, 700, 1500] {
        let slow = Callee::answers(5, 100, 600);
        let plans = (0..4).map(|_| talk(vec![slow.clone()])).collect();
        let world = tell(setup(), plans, |world| strike(world, EAST, Condition::Frozen, TROUBLE, back));
        for call in 0..4 {
            unnoticed(&world, call);
            let up = receipts(&world, call).iter().filter(|r| r.outcome == MoveOutcome::Moved).count();
            assert_eq!(tiers(&world, call).len(), 1 + up, "back after {back} ms\n{}", world.ladder(call));
        }
    }
}

#[test]
fn a_phone_that_wakes_up_long_after_its_call_has_moved_hears_bye() {
    // The BYE of the move is given up after 32 s; the region is frozen for longer.
    let world = tell(setup(), vec![talk(vec![]), talk(vec![])], |world| {
        strike(world, EAST, Condition::Frozen, TROUBLE, 36_000);
    });
    for call in 0..2 {
        unnoticed(&world, call);
        let old = world.legs(call, Side::Tier)[0].1;
        assert_eq!((old.stage, old.methods.last().map(String::as_str)), (Stage::Over, Some("BYE")));
        let heard = old.ended.expect("it is over");
        assert!(heard < ms(TROUBLE + 36_000 + 5000), "{heard:?}");
    }
}

#[test]
fn a_call_does_not_swing_back_when_its_region_does() {
    let world = tell(setup(), vec![talk(vec![]), talk(vec![])], |world| {
        strike(world, EAST, Condition::Cut, TROUBLE, 2000)
    });
    for call in 0..2 {
        unnoticed(&world, call);
        assert_eq!(tiers(&world, call), ["east", "west"]);
    }
}

#[test]
fn a_ringing_call_with_early_media_is_rescued_on_the_same_line() {
    let mut rings = Callee::answers(5, 50, 20_000);
    rings.steps[1].1 = Step::Progress { code: 183, media: true };
    let plans = (0..3)
        .map(|_| CallPlan { callees: vec![rings.clone(), Callee::answers(5, 50, 1000)], ..talk(vec![]) });
    let world = tell(setup(), plans.collect(), |world| strike(world, EAST, Condition::Frozen, TROUBLE, 8000));
    for call in 0..3 {
        unnoticed(&world, call);
        assert!(receipts(&world, call).is_empty(), "it was not answered yet");
        assert_eq!(tiers(&world, call), ["east", "west"]);
    }
    assert_eq!(codes(&world), [100, 183, 180, 200]);
}

#[test]
fn an_edge_that_dies_alone_leaves_its_calls_to_the_other_edge_of_its_region() {
    let plans: Vec<_> = (0..6).map(|_| talk(vec![])).collect();
    let world = tell(setup(), plans, |world| {
        world.at(ms(TROUBLE), Event::Agent(EAST_1, Condition::Dead));
        world.at(ms(TROUBLE + 8000), Event::Agent(EAST_1, Condition::Alive));
    });
    let mut moved = 0;
    for call in 0..6 {
        unnoticed(&world, call);
        for receipt in receipts(&world, call) {
            assert_eq!((receipt.reason, receipt.outcome), (MoveReason::EdgeDown, MoveOutcome::Moved));
            assert_eq!((receipt.from.0.as_str(), receipt.to.0.as_str()), ("east-1", "east-2"));
            moved += 1;
        }
    }
    assert!((1..6).contains(&moved), "{moved} of 6 were at east-1");
}

#[test]
fn mute_pauses_and_a_short_stall_are_no_region() {
    let quiet = Caller::then(&[(2000, Act::Mute), (TALKS, Act::Bye)]);
    let acts = [(1000, Act::Pause), (2500, Act::Mute), (7000, Act::Unmute)];
    let callee = Callee::answers(5, 50, 500).then(&acts);
    let plans: Vec<_> = (0..6)
        .map(|n| match n % 3 {
            0 => CallPlan { caller: quiet.clone(), ..talk(vec![]) },
            1 => CallPlan { callees: vec![callee.clone()], ..talk(vec![]) },
            _ => talk(vec![]),
        })
        .collect();
    let setup = Setup { inactivity: None, ..setup() };
    let world = tell(setup, plans, |_| {});
    assert!(world.receipts.is_empty() && world.faults.silent == 0, "{:?}", world.receipts);
}
