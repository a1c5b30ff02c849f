//! A region that takes over another one's calls must not fall under them.

use super::rehome::*;
use super::*;
use proxy_core::{MoveOutcome, RehomePolicy};
use sim::Condition;
use sim::agent::Act;

#[test]
fn calls_go_out_at_the_regions_rate_emergency_first_and_then_the_longest_answered() {
    // Call 7 is an emergency; every call is answered 100 ms after the one before.
    let plans: Vec<_> = (0..8)
        .map(|n| CallPlan {
            at: Duration::from_millis(START + 100 * n),
            caller: Caller::then(&[(TALKS - 100 * n, Act::Bye)]),
            ..talk(vec![])
        })
        .collect();
    let setup = Setup {
        shards: 1,
        moves_per_second: Some(5),
        rehome: RehomePolicy { emergency: vec!["+4930000007".into()], ..RehomePolicy::default() },
        ..setup()
    };
    let world = tell(setup, plans, |world| strike(world, EAST, Condition::Frozen, TROUBLE, 20_000));
    let mut turns: Vec<_> =
        (0..8).map(|call| (receipts(&world, call)[0].invited.expect("an INVITE"), call)).collect();
    turns.sort_unstable();
    let order: Vec<_> = turns.iter().map(|(_, call)| *call).collect();
    assert_eq!(order, [7, 0, 1, 2, 3, 4, 5, 6]);
    for pair in turns.windows(2) {
        assert_eq!(pair[1].0.since(pair[0].0), Duration::from_millis(200));
    }
    for call in 0..8 {
        unnoticed(&world, call);
        assert_eq!(outcome(&world, call), MoveOutcome::Moved);
    }
}

#[test]
fn a_call_whose_turn_does_not_come_before_its_deadline_ends_with_a_reason() {
    let plans: Vec<_> = (0..8).map(|_| talk(vec![])).collect();
    let rehome = RehomePolicy { deadline: Duration::from_millis(2500), ..RehomePolicy::default() };
    let setup = Setup { shards: 1, moves_per_second: Some(1), rehome, ..setup() };
    let world = tell(setup, plans, |world| strike(world, EAST, Condition::Frozen, TROUBLE, 20_000));
    let count = |wanted| (0..8).filter(|call| outcome(&world, *call) == wanted).count();
    assert_eq!((count(MoveOutcome::Moved), count(MoveOutcome::Deadline)), (3, 5));
    for call in (0..8).filter(|call| outcome(&world, *call) == MoveOutcome::Deadline) {
        assert_eq!(world.record(call).map(|record| record.close), Some(CloseReason::NotRehomed));
    }
}

#[test]
fn a_call_that_was_just_moved_waits_before_it_moves_again() {
    let world = tell(setup(), vec![talk(vec![]), talk(vec![])], |world| {
        strike(world, EAST, Condition::Dead, TROUBLE, 1500);
        // West dies a second after it has taken the calls; two seconds have to pass.
        strike(world, WEST, Condition::Dead, TROUBLE + 1000, 15_000);
    });
    for call in 0..2 {
        let receipts = receipts(&world, call);
        let [first, second, ..] = &receipts[..] else { panic!("{receipts:?}\n{}", world.ladder(call)) };
        let (first, second) = (first.invited.expect("moved"), second.invited.expect("moved"));
        assert!(second.since(first) >= Duration::from_secs(2), "{:?}", second.since(first));
        unnoticed(&world, call);
    }
}
