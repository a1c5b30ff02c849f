//! A carrier that is configured by name (RFC 3263), and a name server in every mood.

use super::*;
use proxy_core::{PlaceState, ProbePolicy, StepOutcome};
use sim::{Condition, Event, Mood, Zone};

const ALPHA: [&str; 2] = ["alpha/198.51.100.1:5060", "alpha/198.51.100.2:5060"];

fn setup(zone: Zone) -> Setup {
    let probe =
        ProbePolicy { interval: Duration::from_secs(1), timeout: Duration::from_secs(1), fall: 2, rise: 2 };
    Setup { named: Some(zone), probe: Some(probe), ..Setup::quiet(1) }
}

/// Calls out of the tier, at these seconds.
fn calls(seconds: &[u64]) -> Vec<CallPlan> {
    let one = |at: &u64| CallPlan {
        from: EAST_1,
        at: Duration::from_secs(*at),
        caller: Caller::then(&[(2000, sim::agent::Act::Bye)]),
        callees: vec![Callee::answers(10, 100, 500)],
        movers: vec![],
    };
    seconds.iter().map(one).collect()
}

/// A world in which this happens at these seconds, until all of that is over; no rule is broken, and every call is answered.
fn lives(zone: Zone, at: &[u64], events: Vec<(u64, Event)>) -> World {
    let last = events.iter().map(|(at, _)| *at).chain(at.iter().copied()).max().unwrap_or_default();
    let mut world = World::new(setup(zone), calls(at));
    for (second, event) in events {
        world.at(ms(second * 1000), event);
    }
    world.run_for(Duration::from_secs(last + 150));
    let broken = world.verdict();
    assert!(broken.is_empty(), "{broken:?}");
    for call in 0..at.len() {
        assert_eq!(world.record(call).map(|record| record.code), Some(200), "{}", world.ladder(call));
    }
    world
}

/// Who was tried for a call, the one that answered last.
fn tried(world: &World, call: usize) -> Vec<&str> {
    let steps = &world.record(call).expect("a record").steps;
    assert_eq!(steps.last().map(|step| step.outcome), Some(StepOutcome::Answered));
    steps.iter().map(|step| step.target.as_str()).collect()
}

fn state(world: &World) -> PlaceState {
    world.locate().expect("names").places()[0].state
}

/// Questions from one second to another.
fn asked(world: &World, from: u64, to: u64) -> usize {
    world.questions().iter().filter(|at| (ms(from * 1000)..ms(to * 1000)).contains(*at)).count()
}

#[test]
fn a_name_server_that_is_gone_for_a_day_takes_no_call_with_it() {
    let day = 86_400;
    let world = lives(Zone::default(), &[5, 100, 3_600, day], vec![(10, Event::NameServer(Mood::Gone))]);
    (0..4).for_each(|call| assert_eq!(tried(&world, call), [ALPHA[0]]));
    assert_eq!(state(&world), PlaceState::Stale);
    assert!(asked(&world, 100, day) <= 2 * day as usize / 30, "two questions in half a minute at most");
}

#[test]
fn a_storm_of_denials_is_nothing_to_calls_until_it_has_lasted_for_longer_than_any_mistake() {
    let zone = Zone { ttl: 0, ..Zone::default() };
    let events = vec![
        (10, Event::NameServer(Mood::Denies)),
        (400, Event::NameServer(Mood::Answers)),
        (500, Event::NameServer(Mood::Denies)),
        (1_500, Event::NameServer(Mood::Answers)),
    ];
    let world = lives(zone, &[20, 300, 450, 600, 1_300, 1_600], events);
    for call in [0, 1, 2, 3, 5] {
        assert_eq!(tried(&world, call), [ALPHA[0]], "{call}");
    }
    assert_eq!(tried(&world, 4), ["beta-1"], "the next trunk, when the name has been denied for ten minutes");
}

#[test]
fn an_address_that_is_stale_and_dead_is_left_for_the_next_and_given_up_when_the_server_is_back() {
    let moved = Zone { ttl: 60, hosts: vec![(10, "198.51.100.2")] };
    let events = vec![
        (10, Event::NameServer(Mood::Gone)),
        (20, Event::Agent(ALPHA_1, Condition::Dead)),
        (290, Event::Zone(moved)),
        (300, Event::NameServer(Mood::Answers)),
    ];
    let world = lives(Zone::default(), &[5, 30, 200, 400], events);
    assert_eq!(tried(&world, 0), [ALPHA[0]]);
    (1..4).for_each(|call| assert_eq!(tried(&world, call), [ALPHA[1]], "{call}"));
    let addresses = &world.locate().expect("names").places()[0].addresses;
    assert_eq!(addresses.len(), 1, "what is dead and not named any more is gone");
}

#[test]
fn of_two_equal_targets_the_dead_one_gets_no_calls_and_the_name_is_asked_for_at_once() {
    let zone = Zone { ttl: 86_400, hosts: vec![(10, "198.51.100.1"), (10, "198.51.100.2")] };
    let times: Vec<u64> = (0..20).map(|n| 30 + n).collect();
    let world = lives(zone, &times, vec![(20, Event::Agent(ALPHA_1, Condition::Cut))]);
    (0..20).for_each(|call| assert_eq!(tried(&world, call), [ALPHA[1]], "{call}"));
    assert!((1..=8).contains(&asked(&world, 20, 30)), "{}", asked(&world, 20, 30));
    assert_eq!(world.locate().expect("names").counters().early, 1);
}

#[test]
fn a_ttl_of_0_is_followed_within_seconds_and_a_ttl_of_a_day_within_the_hour() {
    for (ttl, known) in [(0, 6), (86_400, 3_600)] {
        let zone = Zone { ttl, ..Zone::default() };
        let moved = Zone { ttl, hosts: vec![(10, "198.51.100.2")] };
        let world = lives(zone, &[50, 100 + known + 10], vec![(100, Event::Zone(moved))]);
        assert_eq!(tried(&world, 0), [ALPHA[0]]);
        assert_eq!(tried(&world, 1), [ALPHA[1]], "TTL {ttl}");
        let most = if ttl == 0 { 100 } else { 4 };
        assert!(asked(&world, 0, 100) <= most, "{} questions in 100 s", asked(&world, 0, 100));
    }
}
