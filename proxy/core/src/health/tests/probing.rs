//! When are targets probed?

use super::lab::{Lab, Manner, ms};
use crate::health::{Health, HealthInput};
use crate::route::fixture::{BACKUP_1, EAST_1, WEST_2, config, target};
use crate::{Config, GroupId, Owner, ProbePolicy, TargetState};
use relay_values::{Duration, Time};

/// One target, probed like this.
fn one(interval: u64, timeout: u64) -> Config {
    let mut config = config();
    let probe = ProbePolicy { interval: ms(interval), timeout: ms(timeout), fall: 2, rise: 2 };
    config.targets.truncate(1);
    config.targets[0].probe = Some(probe);
    config
}

#[test]
fn probes_keep_their_interval_from_50_ms_up() {
    for (asked, kept) in [(50, 50), (200, 200), (7_000, 7_000), (1, 50)] {
        let mut lab = Lab::new(1, one(asked, asked));
        lab.run(Time::from_millis(kept * 20));
        let at = lab.probes_of(EAST_1);
        assert_eq!(at.len(), 20, "{asked}");
        assert!(at.windows(2).all(|w| w[1] - w[0] == ms(kept)), "{at:?}");
        assert!(lab.snapshots.is_empty());
    }
}

#[test]
fn a_probe_that_may_take_its_whole_interval_is_missed_even_when_the_next_one_is_sent_a_little_early() {
    // Sent late and then on time, the next probe comes before the last one's time is over by the clock.
    for late_us in 900..1_000 {
        let mut lab = Lab::new(1, one(200, 200));
        lab.late_us = late_us;
        lab.run(Time::from_millis(2_000));
        lab.freeze(EAST_1);
        let frozen = lab.now;
        lab.pass(2_000);
        let (down, state, _) = lab.story(EAST_1)[0];
        assert_eq!(state, TargetState::Down);
        // Up to 200 ms to the next probe, 200 ms for its answer, 100 ms for the extra probe that follows.
        assert!(down.since(frozen) <= ms(505), "{late_us}: {:?}", down.since(frozen));
    }
}

#[test]
fn a_thousand_targets_are_not_probed_at_one_instant() {
    let mut config = config();
    config.targets.clear();
    for n in 0..1_000 {
        let address = format!("10.3.{}.{}:5060", n / 250, n % 250);
        config.targets.push(target(&format!("t{n}"), Owner::Edge(GroupId(0)), &address));
    }
    let mut lab = Lab::new(3, config);
    lab.run(Time::from_millis(1_000));
    for ten_ms in 0..20 {
        let slot = |at: &Time| at.as_millis() % 200 / 10 == ten_ms;
        let probes = lab.probes.iter().filter(|(at, _)| slot(at)).count();
        assert!((150..350).contains(&probes), "{probes} of 5,000 in slot {ten_ms} of 20");
    }
}

#[test]
fn another_seed_probes_at_other_instants_and_the_same_seed_at_the_same() {
    let run = |seed| {
        let mut lab = Lab::usual(seed);
        lab.run(Time::from_millis(500));
        lab.probes
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}

#[test]
fn a_target_without_a_policy_is_never_probed() {
    let mut lab = Lab::usual(1);
    lab.run(Time::from_millis(5_000));
    assert!(lab.probes_of(BACKUP_1).is_empty());
    assert!(!lab.probes_of(WEST_2).is_empty());
}

#[test]
fn a_machine_that_was_asleep_does_not_blame_its_targets_and_does_not_catch_up() {
    let mut lab = Lab::usual(1);
    lab.run(Time::from_millis(1_000));
    lab.manners.fill(Manner::Silent);
    lab.pass(150);
    // Suspended for a minute; what was answered meanwhile is lost.
    lab.now += Duration::from_secs(60);
    lab.manners.fill(super::lab::OK);
    let before = lab.probes.len();
    lab.handle(HealthInput::Timeout);
    assert!(lab.probes.len() - before <= 12, "at most a regular and an extra one for each of six targets");
    lab.pass(2_000);
    assert!(lab.snapshots.is_empty(), "{:?}", lab.snapshots);
    assert!(lab.health.counters().void > 0);
}

#[test]
fn a_late_or_repeated_answer_counts_for_nothing() {
    let mut lab = Lab::new(1, one(200, 100));
    lab.delay = ms(60);
    lab.run(Time::from_millis(2_000));
    assert_eq!(lab.state(EAST_1), TargetState::Down, "120 ms there and back, 100 ms allowed");
    assert_eq!(lab.health.counters().answers, 0);
    assert!(lab.health.counters().strays > 5);
}

#[test]
fn nothing_to_probe_is_nothing_to_wake_for() {
    let mut config = config();
    config.targets.iter_mut().for_each(|t| t.probe = None);
    let lab = Lab::new(1, config);
    assert_eq!(Health::poll_timeout(&lab.health), Time::NEVER);
}
