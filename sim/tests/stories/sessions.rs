//! Session timers (RFC 4028): who refreshes, who refuses, who forgets; and calls of three hours.

use super::rehome::{receipts, strike};
use super::*;
use proxy_core::{Config, MoveFrom, MoveOrder, MoveOutcome, MoveReason, Overrides, ProbePolicy, Target};
use relay_values::RegionId;
use sim::agent::{Act, Leg, Refresher, Session, Side};
use sim::{Condition, Event};
use std::sync::Arc;

/// An agent that knows session timers.
fn timer(refresher: Refresher, no_update: bool) -> Session {
    Session {
        supported: true,
        interval: 0,
        min_se: 90,
        refresher: Some(refresher),
        no_update,
        forgets: false,
    }
}

/// Packets far apart, and nobody minds silence: calls of hours are about signalling.
fn slow() -> Setup {
    Setup { pace: Duration::from_secs(20), inactivity: None, ..Setup::quiet(1) }
}

/// One inbound call of that many seconds.
fn long(seconds: u64, carrier: Session, tier: Session) -> CallPlan {
    let caller = Caller { session: carrier, ..Caller::then(&[(seconds * 1000, Act::Bye)]) };
    let callee = Callee { session: tier, ..Callee::answers(5, 50, 500) };
    let mover = Callee { session: tier, ..Callee::takes_over() };
    CallPlan { movers: vec![mover], ..call(caller, vec![callee]) }
}

/// The same, begun by an edge. It is the carrier who hangs up.
fn long_out(seconds: u64, carrier: Session, tier: Session) -> CallPlan {
    let callee =
        Callee { session: carrier, ..Callee::answers(5, 50, 500).then(&[(seconds * 1000, Act::Bye)]) };
    let plan = long(seconds, tier, carrier);
    let caller = Caller { acts: vec![], ..plan.caller };
    let mover = Callee { session: tier, ..Callee::takes_over() };
    CallPlan { from: EAST_1, caller, callees: vec![callee], movers: vec![mover], ..plan }
}

/// Plays one call for that many seconds, and insists that no rule was broken.
fn lasting(seconds: u64, plan: CallPlan) -> World {
    told(slow(), plan, |world| world.run_for(Duration::from_secs(seconds)))
}

fn refreshes(leg: &Leg) -> usize {
    leg.methods.iter().filter(|method| matches!(method.as_str(), "UPDATE" | "INVITE")).count()
}

#[test]
fn a_call_of_three_hours_survives_any_combination_of_peers_and_a_dead_region_and_a_drain() {
    const HOURS: u64 = 3 * 3600;
    let habits = [
        Session::default(),
        timer(Refresher::Uac, false),
        timer(Refresher::Uac, true),
        timer(Refresher::Uas, false),
        timer(Refresher::Uas, true),
    ];
    let mut plans = vec![];
    for carrier in habits {
        for tier in habits {
            // A caller has to ask for it.
            let asks = |session: Session| Session { interval: 1800, ..session };
            let at = Duration::from_millis(START + 70 * plans.len() as u64);
            plans.push(CallPlan { at, ..long(HOURS, asks(carrier), tier) });
            let at = at + Duration::from_millis(35);
            plans.push(CallPlan { at, ..long_out(HOURS, carrier, asks(tier)) });
        }
    }
    let calls = plans.len();
    let mut world = World::new(slow(), plans);
    // The eastern region dies after an hour, found out by probes, which nobody needs before and after.
    let probe = ProbePolicy {
        interval: Duration::from_millis(200),
        timeout: Duration::from_millis(200),
        fall: 2,
        rise: 2,
    };
    let config = world.setup.config();
    let targets = config.targets.iter().cloned().map(|target| Target { probe: Some(probe), ..target });
    let probed = Config { targets: targets.collect(), ..config.clone() };
    let second = |second: u64| ms(second * 1000);
    world.at(second(3600), Event::Reload(Arc::new(probed)));
    strike(&mut world, 0, Condition::Dead, 3_605_000, 60_000);
    world.at(second(3700), Event::Reload(Arc::new(config)));
    // An hour later the western one is drained.
    let drained = Overrides { drained: vec![RegionId(1)], drained_targets: vec![], drill: None };
    world.at(second(7200), Event::Overrides(drained));
    let order = MoveOrder {
        id: 1,
        from: MoveFrom::Region(RegionId(1)),
        share: 100,
        prefix: None,
        calls: None,
        deadline: Duration::from_secs(30),
        reason: MoveReason::Drain,
    };
    world.at(second(7201), Event::Move(order));
    world.run_for(Duration::from_secs(HOURS + 200));
    let broken = world.verdict();
    assert!(broken.is_empty(), "{}: {broken:?}", broken.len());
    for call in 0..calls {
        let record = world.record(call).expect("a record");
        let close = if call % 2 == 0 { CloseReason::ByeFromA } else { CloseReason::ByeFromB };
        assert_eq!((record.code, record.close), (200, close), "{}", world.ladder(call));
        let moves = receipts(&world, call);
        assert!(moves.iter().all(|receipt| receipt.outcome == MoveOutcome::Moved), "{moves:?}");
        let [died, drained] = moves[..] else { panic!("{moves:?}") };
        assert!(matches!(died.reason, MoveReason::EdgeDown | MoveReason::RegionDown), "{died:?}");
        assert_eq!(drained.reason, MoveReason::Drain);
        let carrier = world.legs(call, Side::Carrier).pop().expect("a carrier").1;
        // Every 900 s, or a question every 300 s.
        let kept = refreshes(carrier) + carrier.refreshed as usize;
        let asked = carrier.methods.iter().filter(|method| *method == "OPTIONS").count();
        assert!((11..=13).contains(&kept) || (kept == 0 && asked >= 34), "call {call}: {kept}, {asked}");
        for side in [Side::Carrier, Side::Tier] {
            assert!(world.legs(call, side).iter().all(|(_, leg)| !leg.expired), "call {call}");
        }
    }
}

#[test]
fn a_peer_that_is_to_refresh_and_does_not_loses_the_call_on_both_legs_with_a_reason() {
    let forgets = Session { forgets: true, interval: 100, ..timer(Refresher::Uac, false) };
    let world = lasting(200, long(3600, forgets, Session::default()));
    assert_eq!(ended(&world), (200, CloseReason::SessionExpired));
    // 100 s but 32 s, as §10 wants it, after the 200.
    assert_eq!(world.caller(0).methods, ["BYE"]);
    assert_eq!(world.callee(0).methods, ["BYE"]);
    let ended = world.caller(0).ended.expect("a BYE").since(world.caller(0).answered.expect("an answer"));
    assert_eq!(ended.as_secs(), 68);
}

#[test]
fn a_caller_who_is_refused_for_a_short_session_asks_for_a_longer_one_and_has_his_call() {
    let short = Session { interval: 30, min_se: 20, ..timer(Refresher::Uac, false) };
    let world = lasting(300, long(250, short, Session::default()));
    assert_eq!(codes(&world), [100, 422, 100, 180, 200]);
    assert_eq!(ended(&world), (200, CloseReason::ByeFromA));
    assert_eq!(world.caller(0).refreshed, 5, "every 45 s");
}

#[test]
fn a_target_and_the_next_edge_that_want_longer_sessions_are_asked_again_and_have_the_call() {
    let patient = Session { min_se: 3600, ..timer(Refresher::Uac, false) };
    let plan = long(7200, Session::default(), patient);
    let world = told(Setup { probe: Setup::lively(1).probe, ..slow() }, plan, |world| {
        strike(world, 0, Condition::Dead, 5000, 600_000);
        world.run_for(Duration::from_secs(10));
        // Nobody is probed for hours.
        let config = world.setup.config();
        let targets = config.targets.iter().cloned().map(|target| Target { probe: None, ..target });
        world
            .at(ms(11_000), Event::Reload(Arc::new(Config { targets: targets.collect(), ..config.clone() })));
        world.run_for(Duration::from_secs(7200));
    });
    assert_eq!(ended(&world), (200, CloseReason::ByeFromA), "{}", world.ladder(0));
    assert_eq!(receipts(&world, 0)[0].outcome, MoveOutcome::Moved);
    let west = world.legs(0, Side::Tier).pop().expect("a leg").1;
    assert_eq!(refreshes(west), 3, "every half hour");
}

#[test]
fn an_edge_that_was_started_anew_is_found_out_by_the_next_refresh_and_the_call_moves() {
    let tier = Session { interval: 90, ..timer(Refresher::Uac, false) };
    let world = told(slow(), long(3000, Session::default(), tier), |world| {
        strike(world, 0, Condition::Dead, 20_000, 1000);
        world.run_for(Duration::from_secs(3000));
    });
    assert_eq!(ended(&world), (200, CloseReason::ByeFromA), "{}", world.ladder(0));
    let receipt = receipts(&world, 0)[0];
    assert_eq!((receipt.reason, receipt.outcome), (MoveReason::LegLost, MoveOutcome::Moved));
    assert!(
        !world.caller(0).methods.iter().any(|method| method != "OPTIONS"),
        "{:?}",
        world.caller(0).methods
    );
}
