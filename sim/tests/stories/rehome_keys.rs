//! A key that is pressed while its call moves (RFC 4733): it ends once, and is heard once.

use super::rehome::*;
use super::*;
use proxy_core::{MoveFrom, MoveOrder, MoveReason, Overrides, RegionId};
use sim::agent::{Act, Side};
use sim::{Condition, Event};

/// After the answer: a key takes 220 ms, and is in the air when trouble begins.
const PRESSED: u64 = TROUBLE - 60 - START - 520;

#[test]
fn a_key_of_the_dead_region_ends_once() {
    let callee = Callee::answers(5, 50, 500).then(&[(PRESSED, Act::Key(7))]);
    let plans = (0..3).map(|_| CallPlan { callees: vec![callee.clone()], ..talk(vec![]) }).collect();
    let world = tell(setup(), plans, |world| strike(world, EAST, Condition::Frozen, TROUBLE, 20_000));
    for call in 0..3 {
        unnoticed(&world, call);
        let keys = &carrier(&world, call).ear.keys;
        assert_eq!(keys.len(), 1, "{keys:?}");
        assert!(keys.values().all(|(digit, ends)| *digit == 7 && *ends >= 1), "{keys:?}");
    }
}

#[test]
fn a_key_of_the_carrier_is_not_split_by_a_planned_move() {
    let acts = [(PRESSED, Act::Key(3)), (TALKS, Act::Bye)];
    let plan = CallPlan { caller: Caller::then(&acts), ..talk(vec![]) };
    let world = tell(setup(), vec![plan], |world| {
        let order = MoveOrder {
            id: 1,
            from: MoveFrom::Region(RegionId(0)),
            share: 100,
            prefix: None,
            calls: None,
            deadline: Duration::from_secs(10),
            reason: MoveReason::Drain,
        };
        world.at(
            ms(TROUBLE),
            Event::Overrides(Overrides { drained: vec![RegionId(0)], ..Overrides::default() }),
        );
        world.at(ms(TROUBLE + 5), Event::Move(order));
    });
    unnoticed(&world, 0);
    let heard: Vec<_> = world
        .legs(0, Side::Tier)
        .iter()
        .map(|(_, leg)| leg.ear.keys.values().copied().collect::<Vec<_>>())
        .collect();
    let whole = heard.iter().flatten().filter(|(digit, ends)| *digit == 3 && *ends > 0).count();
    assert_eq!(whole, 1, "{heard:?}\n{}", world.ladder(0));
    assert_eq!(heard.iter().flatten().count(), 1, "{heard:?}");
}
