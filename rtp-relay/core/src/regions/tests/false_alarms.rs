//! Nothing that phones do is a region's death.

use super::world::{Habits, QUIET, World};

/// An hour of a busy region, with a stall of ours every ten seconds and an edge that dies every two minutes.
const BUSY: Habits = Habits {
    loss: 0.05,
    dtx: 0.3,
    mutes: 0.015,
    holds: 0.005,
    hangups: 0.01,
    jitter_bursts: 0.05,
    shared_bursts: 0.2,
    stalls: 0.1,
    edge_deaths: 1.0 / 120.0,
};

fn silent_hours(seed: u64, flows: usize, minutes: u64, habits: Habits) {
    let mut world = World::new(seed, flows, habits);
    world.run(minutes * 60_000);
    assert_eq!(world.events, [], "seed {seed}, {flows} flows, {habits:?}");
    println!(
        "{flows} flows for {minutes} min ({:.0} flow hours): no alarm",
        (flows as u64 * minutes) as f64 / 60.0
    );
}

#[test]
fn an_hour_of_fifty_busy_phones_raises_no_alarm() {
    silent_hours(1, 50, 60, BUSY);
}

#[test]
fn six_minutes_of_three_hundred_busy_phones_raises_no_alarm() {
    silent_hours(2, 300, 6, BUSY);
}

#[test]
fn few_phones_that_all_suppress_silence_raise_no_alarm() {
    for flows in [8, 9, 12, 20] {
        silent_hours(3, flows, 60, Habits { dtx: 1.0, edge_deaths: 0.0, ..BUSY });
    }
}

#[test]
fn stalls_of_our_own_process_raise_no_alarm() {
    silent_hours(4, 100, 10, Habits { stalls: 2.0, ..QUIET });
}

#[test]
fn a_region_that_loses_an_edge_of_three_raises_no_alarm() {
    for seed in 0..100 {
        let mut world = World::new(seed, 60, QUIET);
        world.run(2000);
        world.kill(1.0 / 3.0);
        world.run(3000);
        assert_eq!(world.events, [], "seed {seed}");
    }
}
