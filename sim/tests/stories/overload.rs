use super::*;
use proxy_core::RejectReason;
use sim::agent::Act;

/// Calls of which one begins every 20 ms, up for half a second each.
fn crowd(calls: u64) -> Vec<CallPlan> {
    let plan = |n: u64| CallPlan {
        at: Duration::from_millis(START + 20 * n),
        ..call(Caller::then(&[(500, Act::Bye)]), vec![Callee::answers(10, 50, 100)])
    };
    (0..calls).map(plan).collect()
}

#[test]
fn what_is_shed_is_told_so_and_counted_and_what_was_up_ends_as_it_would_have() {
    let mut world = World::new(Setup::quiet(1), crowd(100));
    // For a second in the middle everything is late.
    world.busy = Some((ms(START + 500), ms(START + 1_500), Duration::from_millis(80)));
    world.run_for(Duration::from_secs(150));
    let broken = world.verdict();
    assert!(broken.is_empty(), "{broken:?}");
    let shed: u64 = world.shards.iter().map(|s| s.counters().rejected(RejectReason::Overload)).sum();
    let saw =
        |code: u16| (0..100).filter(|n| world.caller(*n).codes.iter().any(|(_, seen)| *seen == code)).count();
    let (refused, answered) = (saw(503), saw(200));
    assert_eq!((refused as u64, answered), (shed, 100 - refused));
    assert!(
        (30..50).contains(&refused),
        "{refused} of the 50 that came meanwhile: not those of the first interval"
    );
    // Who was refused has no record: nothing was begun.
    assert_eq!(world.records.len(), answered);
}
