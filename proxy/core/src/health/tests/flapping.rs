//! What goes up and down all the time is left alone for longer each time.

use super::lab::{Lab, Manner, OK, ms};
use crate::route::fixture::{self, EAST_1, EAST_2};
use crate::{EvidenceKind, RegionId, RegionState, TargetState};
use relay_values::{Duration, Time};

/// East-1 lives for as long as it takes to come back, then freezes, for ten minutes.
fn flap(lab: &mut Lab) -> usize {
    let end = Time::from_millis(600_000);
    while lab.now < end {
        let up = lab.state(EAST_1) == TargetState::Up;
        lab.manners[EAST_1.index()] = if up { Manner::Silent } else { OK };
        lab.pass(10);
    }
    lab.story(EAST_1).iter().filter(|(_, state, _)| *state == TargetState::Down).count()
}

#[test]
fn an_edge_that_flaps_falls_three_times_and_then_once_in_17_seconds() {
    let falls = flap(&mut Lab::usual(1));
    // 600 s ÷ 17.5 s, and the first three; each cycle takes some time more.
    assert!((28..=37).contains(&falls), "{falls}");
}

#[test]
fn without_damping_it_would_fall_every_second() {
    let mut config = fixture::config();
    config.region_health.damping_half_life = Duration::ZERO;
    let falls = flap(&mut Lab::new(1, config));
    assert!(falls > 400, "{falls}");
}

#[test]
fn it_is_back_at_the_instant_when_its_penalty_has_decayed() {
    let mut lab = Lab::usual(1);
    lab.run(Time::from_millis(5_000));
    for _ in 0..3 {
        lab.evidence(EAST_1, EvidenceKind::Unreachable);
        lab.pass(1_000);
    }
    assert_eq!(lab.state(EAST_1), TargetState::Down, "answering for a second, and still");
    let view = lab.health.regions(lab.now)[0].edges[0].clone();
    assert!(view.penalty > 2.8 && view.penalty < 3.0, "{view:?}");
    let until = view.held.unwrap();
    lab.run(Time::from_nanos(until.as_nanos() - 1));
    assert_eq!(lab.state(EAST_1), TargetState::Down);
    lab.run(until);
    assert_eq!(lab.state(EAST_1), TargetState::Up);
    assert!((lab.health.regions(lab.now)[0].edges[0].penalty - 2.0).abs() < 1e-3);
}

#[test]
fn what_does_not_answer_when_its_time_has_come_waits_for_two_answers_more() {
    let mut lab = Lab::usual(1);
    lab.run(Time::from_millis(5_000));
    for _ in 0..3 {
        lab.evidence(EAST_1, EvidenceKind::Unreachable);
        lab.pass(1_000);
    }
    let until = lab.health.regions(lab.now)[0].edges[0].held.unwrap();
    lab.freeze(EAST_1);
    lab.run(until + ms(1_000));
    assert_eq!(lab.state(EAST_1), TargetState::Down);
    lab.manners[EAST_1.index()] = OK;
    lab.pass(402);
    assert_eq!(lab.state(EAST_1), TargetState::Up);
}

#[test]
fn a_region_whose_media_comes_and_goes_falls_once_in_half_a_minute() {
    let mut lab = Lab::usual(1);
    let east = RegionId(0);
    while lab.now < Time::from_millis(600_000) {
        // As soon as it has calls they are silent.
        if lab.health.snapshot().regions[0].state == RegionState::Up {
            lab.pass(200);
            lab.silent(east, lab.now);
        }
        lab.pass(50);
    }
    let falls = lab.story(EAST_2).iter().filter(|(_, state, _)| *state == TargetState::Down).count();
    // 600 s ÷ (30 s held + 1.2 s up).
    assert!((18..=20).contains(&falls), "{falls}");
}
