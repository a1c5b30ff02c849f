//! A region's death is seen, once, soon; and its return.

use super::world::{HERE, MS, QUIET, World};
use relay_values::RelayEvent;

/// Milliseconds from the last packet to the event, over many deaths; sorted.
fn delays(flows: usize, deaths: u64) -> Vec<f64> {
    let mut delays: Vec<f64> = (0..deaths)
        .map(|seed| {
            let mut world = World::new(seed * 7919 + flows as u64, flows, QUIET);
            world.run(2000);
            world.die();
            world.run(1000);
            let (at, since) = world.told().unwrap_or_else(|| panic!("seed {seed}: never told"));
            assert_eq!(world.events.len(), 1, "told once: {:?}", world.events);
            assert_eq!(since.as_nanos(), world.last_packet, "the last packet is known");
            (at.as_nanos() - world.last_packet) as f64 / MS as f64
        })
        .collect();
    delays.sort_by(f64::total_cmp);
    delays
}

#[test]
fn a_dead_region_is_told_within_eighty_milliseconds_of_its_last_packet() {
    for (flows, deaths) in [(8, 400), (50, 200), (300, 100), (1000, 100)] {
        let delays = delays(flows, deaths);
        let at = |share: f64| delays[((delays.len() - 1) as f64 * share).round() as usize];
        println!("{flows} flows, {deaths} deaths: p50 {:.1} ms, p99 {:.1} ms", at(0.5), at(0.99));
        assert!(flows < 50 || at(0.99) <= 80.0, "{flows} flows: p99 {:.1} ms", at(0.99));
    }
}

#[test]
fn silence_and_return_are_told_once_each() {
    let mut world = World::new(1, 100, QUIET);
    world.run(2000);
    world.kill(1.0);
    world.run(5000);
    world.revive();
    world.run(5000);
    let told: Vec<_> = world.events.iter().map(|(_, e)| e.clone()).collect();
    assert!(
        matches!(
            told[..],
            [
                RelayEvent::RegionSilent { region: HERE, silent: 91..=100, of: 100, .. },
                RelayEvent::RegionHeard { region: HERE }
            ]
        ),
        "{told:?}"
    );
}

#[test]
fn too_few_flows_prove_nothing() {
    let mut world = World::new(1, 7, QUIET);
    world.run(2000);
    world.kill(1.0);
    world.run(2000);
    assert_eq!(world.events, []);
    assert!(world.regions.next().is_never(), "and cost no tick");
}

#[test]
fn a_death_during_a_stall_is_told_after_it() {
    let mut world = World::new(1, 100, QUIET);
    world.run(2000);
    world.kill(1.0);
    world.run(20);
    world.now += 200 * MS;
    world.run(100);
    let (at, _) = world.told().expect("told");
    let after_the_stall = at.as_millis() - 3220;
    assert!((50..=80).contains(&after_the_stall), "{after_the_stall} ms after the stall");
}

#[test]
fn when_the_last_flow_leaves_a_silent_region_its_silence_is_over() {
    let mut world = World::new(1, 50, QUIET);
    world.run(2000);
    world.kill(1.0);
    world.run(500);
    assert!(world.told().is_some());
    (0..50).for_each(|slot| world.regions.leave(slot));
    world.run(100);
    assert!(world.regions.next().is_never());
    assert!(matches!(world.events[..], [_, (_, RelayEvent::RegionHeard { region: HERE })]));
}
