//! Calls that move because an operator says so: make before break.

use super::rehome::*;
use super::*;
use proxy_core::{Cut, Drill, MoveFrom, MoveOrder, MoveOutcome, MoveReason, Overrides, RegionId};
use sim::agent::{Act, Side};
use sim::{Condition, Event};

fn order(id: u64, from: MoveFrom) -> MoveOrder {
    MoveOrder {
        id,
        from,
        share: 100,
        prefix: None,
        calls: None,
        deadline: Duration::from_secs(5),
        reason: MoveReason::Drain,
    }
}

fn drained() -> Overrides {
    Overrides { drained: vec![RegionId(0)], ..Overrides::default() }
}

/// Calls of an order that were chosen, moved, failed and gone, over all shards, at the end.
fn progress(world: &World, id: u64) -> (u32, u32, u32, u32) {
    let mut sum = (0, 0, 0, 0);
    for shard in 0..world.setup.shards {
        let told = world.progress.iter().filter(|(of, told)| *of == shard && told.order == id);
        let last = told.map(|(_, told)| told).next_back().unwrap_or_else(|| panic!("shard {shard}"));
        assert!(last.done, "{last:?}");
        sum = (sum.0 + last.chosen, sum.1 + last.moved, sum.2 + last.failed, sum.3 + last.gone);
    }
    sum
}

#[test]
fn a_drained_region_loses_its_calls_one_by_one_and_no_packet_is_lost() {
    let plans: Vec<_> = (0..10).map(|n| if n % 2 == 0 { talk(vec![]) } else { talk_out(vec![]) }).collect();
    let world = tell(setup(), plans, |world| {
        world.at(ms(TROUBLE), Event::Overrides(drained()));
        world.at(ms(TROUBLE + 5), Event::Move(order(1, MoveFrom::Region(RegionId(0)))));
    });
    assert_eq!(progress(&world, 1), (10, 10, 0, 0));
    for call in 0..10 {
        unnoticed(&world, call);
        assert_eq!(outcome(&world, call), MoveOutcome::Moved);
        assert_eq!(tiers(&world, call), ["east", "west"]);
        // No gap: two packets of two speakers may be up to one packet time and its other half apart.
        for pair in one_line(&world, call).windows(2) {
            assert!(pair[1].at.since(pair[0].at) <= Duration::from_millis(40), "{pair:?}");
        }
        assert_eq!(carrier(&world, call).ear.filled, 0, "nothing had to be filled");
    }
}

#[test]
fn what_was_moved_away_comes_back_when_asked_and_only_then() {
    let world = tell(setup(), vec![talk(vec![]), talk(vec![])], |world| {
        world.at(ms(TROUBLE), Event::Overrides(drained()));
        world.at(ms(TROUBLE + 5), Event::Move(order(1, MoveFrom::Region(RegionId(0)))));
        world.at(ms(TROUBLE + 3000), Event::Overrides(Overrides::default()));
        let back = MoveOrder { reason: MoveReason::Back, ..order(2, MoveFrom::BackTo(RegionId(0))) };
        world.at(ms(TROUBLE + 4000), Event::Move(back));
    });
    assert_eq!(progress(&world, 2), (2, 2, 0, 0));
    for call in 0..2 {
        unnoticed(&world, call);
        assert_eq!(tiers(&world, call), ["east", "west", "east"]);
        assert_eq!(receipts(&world, call)[1].reason, MoveReason::Back);
    }
}

#[test]
fn a_drain_that_finds_nobody_leaves_the_calls_where_they_are() {
    for mover in [Callee::dead(), Callee::refuses(20, 503), Callee::refuses(20, 603)] {
        let world = tell(setup(), vec![talk(vec![mover.clone()])], |world| {
            world.at(ms(TROUBLE), Event::Overrides(drained()));
            world.at(ms(TROUBLE + 5), Event::Move(order(1, MoveFrom::Region(RegionId(0)))));
            world.at(ms(TROUBLE + 6000), Event::Overrides(Overrides::default()));
        });
        unnoticed(&world, 0);
        assert_eq!(outcome(&world, 0), MoveOutcome::Stayed, "{mover:?}");
        assert_eq!(progress(&world, 1), (1, 0, 1, 0));
        assert_eq!(world.legs(0, Side::Tier)[0].1.methods, ["BYE"], "at the end");
    }
}

#[test]
fn an_order_that_is_stopped_finishes_what_it_has_begun_and_begins_nothing() {
    let plans: Vec<_> = (0..10).map(|_| talk(vec![])).collect();
    let setup = Setup { moves_per_second: Some(2), shards: 1, ..setup() };
    let world = tell(setup, plans, |world| {
        world.at(ms(TROUBLE), Event::Overrides(drained()));
        world.at(ms(TROUBLE + 5), Event::Move(order(1, MoveFrom::Region(RegionId(0)))));
        world.at(ms(TROUBLE + 1200), Event::StopMove(1));
        world.at(ms(TROUBLE + 1300), Event::Overrides(Overrides::default()));
    });
    let (chosen, moved, failed, gone) = progress(&world, 1);
    assert_eq!((chosen, gone), (10, 0));
    assert!((2..=4).contains(&moved) && failed == 10 - moved, "{moved} moved, {failed} stayed");
    (0..10).for_each(|call| unnoticed(&world, call));
}

#[test]
fn a_drill_moves_its_cohort_and_leaves_the_others_alone() {
    for cut in [Cut::Both, Cut::Media, Cut::Signalling] {
        let plans: Vec<_> = (0..8).map(|_| talk(vec![])).collect();
        let world = tell(setup(), plans, |world| {
            let drill = Drill { id: 1, region: RegionId(0), share: 50, cut, found: None };
            world.at(ms(TROUBLE), Event::Overrides(Overrides { drill: Some(drill), ..Overrides::default() }));
            world.at(ms(TROUBLE + 6000), Event::Overrides(Overrides::default()));
        });
        let mut moved = 0;
        for call in 0..8 {
            unnoticed(&world, call);
            for receipt in receipts(&world, call) {
                assert_eq!(
                    (receipt.reason, receipt.outcome),
                    (MoveReason::Drill, MoveOutcome::Moved),
                    "{cut:?}"
                );
                moved += 1;
            }
        }
        assert!((4..=5).contains(&moved), "{cut:?}: {moved} of 8, in two shards");
    }
}

#[test]
fn a_leg_that_is_being_left_is_still_heard_when_it_acknowledges() {
    let callee = Callee::answers(5, 50, 500).then(&[(2000, Act::Resume)]);
    let plan = call(Caller::then(&[(1000, Act::Hold), (TALKS, Act::Bye)]), vec![callee]);
    let world = tell(Setup::quiet(1), vec![plan], |world| {
        // Our 200 to the edge's re-INVITE is on its way, and is not read before the new leg is up.
        strike(world, EAST, Condition::Frozen, 3536, 100);
        world.at(ms(3537), Event::Move(order(1, MoveFrom::Region(RegionId(0)))));
    });
    assert_eq!(outcome(&world, 0), MoveOutcome::Moved, "{}", world.ladder(0));
    let said = world.ladder(0).matches("us -> east-2             200 OK").count();
    assert_eq!(said, 1, "{}", world.ladder(0));
}
