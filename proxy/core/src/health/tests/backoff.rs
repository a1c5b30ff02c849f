//! A target asks us to come back later.

use super::lab::{Lab, Manner, ms};
use crate::route::fixture::EAST_1;
use crate::{EvidenceKind, SwitchReason, TargetState};
use relay_values::{Duration, Time};

const SEC: fn(u64) -> Duration = Duration::from_secs;

#[test]
fn retry_after_is_honoured_to_the_instant() {
    let mut lab = Lab::usual(1);
    lab.run(Time::from_millis(1_000));
    lab.evidence(EAST_1, EvidenceKind::Unavailable(Some(SEC(3))));
    assert_eq!(lab.state(EAST_1), TargetState::Backoff);
    lab.pass(10_000);
    assert_eq!(
        lab.story(EAST_1),
        [
            (Time::from_millis(1_000), TargetState::Backoff, SwitchReason::Unavailable),
            (Time::from_millis(4_000), TargetState::Up, SwitchReason::BackoffOver),
        ]
    );
}

#[test]
fn without_retry_after_it_is_ten_seconds_and_never_more_than_a_minute() {
    for (said, kept) in [(None, 10), (Some(SEC(3_600)), 60), (Some(SEC(0)), 1)] {
        let mut lab = Lab::usual(1);
        lab.evidence(EAST_1, EvidenceKind::Unavailable(said));
        lab.pass(100_000);
        assert_eq!(lab.story(EAST_1)[1].0, Time::ZERO + SEC(kept), "{said:?}");
    }
}

#[test]
fn a_second_503_lengthens_the_pause_and_never_shortens_it() {
    let mut lab = Lab::usual(1);
    lab.evidence(EAST_1, EvidenceKind::Unavailable(Some(SEC(5))));
    lab.pass(2_000);
    lab.evidence(EAST_1, EvidenceKind::Unavailable(Some(SEC(1))));
    lab.pass(1_000);
    lab.evidence(EAST_1, EvidenceKind::Unavailable(Some(SEC(4))));
    lab.pass(10_000);
    assert_eq!(lab.story(EAST_1)[1].0, Time::from_millis(7_000));
    assert_eq!(lab.story(EAST_1).len(), 2);
}

#[test]
fn a_target_that_freezes_while_it_is_left_alone_is_down() {
    let mut lab = Lab::usual(1);
    lab.evidence(EAST_1, EvidenceKind::Unavailable(Some(SEC(30))));
    lab.freeze(EAST_1);
    lab.pass(1_000);
    assert_eq!(lab.state(EAST_1), TargetState::Down);
}

#[test]
fn a_probe_answered_503_pauses_a_target_and_does_not_bring_one_back() {
    let mut lab = Lab::usual(1);
    lab.manners[EAST_1.index()] = Manner::Answers("503 Busy\r\nRetry-After: 2");
    lab.pass(1_000);
    assert_eq!(lab.story(EAST_1)[0].2, SwitchReason::Unavailable);
    lab.evidence(EAST_1, EvidenceKind::Unreachable);
    lab.pass(60_000);
    assert_eq!(lab.state(EAST_1), TargetState::Down);
    lab.manners[EAST_1.index()] = Manner::Answers("404 Who?");
    lab.pass(402);
    assert_eq!(lab.state(EAST_1), TargetState::Up, "whoever answers is there");
    assert!(lab.story(EAST_1).last().unwrap().0 > Time::ZERO + ms(61_000));
}
