//! A target that may not be probed is known by its calls alone.

use super::lab::Lab;
use crate::route::fixture::BACKUP_1;
use crate::{EvidenceKind, SwitchReason, TargetState};
use relay_values::{Duration, Time};

#[test]
fn failures_count_together_only_when_they_come_close_together() {
    let mut lab = Lab::usual(1);
    for _ in 0..20 {
        lab.pass(1_000);
        lab.evidence(BACKUP_1, EvidenceKind::NoResponse);
        lab.pass(1_000);
        lab.evidence(BACKUP_1, EvidenceKind::NoResponse);
        lab.pass(2_001);
    }
    assert_eq!(lab.story(BACKUP_1), []);
    for _ in 0..3 {
        lab.evidence(BACKUP_1, EvidenceKind::NoResponse);
    }
    assert_eq!(lab.state(BACKUP_1), TargetState::Down);
    assert!(lab.probes_of(BACKUP_1).is_empty());
}

#[test]
fn it_gets_another_chance_after_ten_seconds_and_loses_it_by_one_failure() {
    let mut lab = Lab::usual(1);
    lab.evidence(BACKUP_1, EvidenceKind::Unreachable);
    lab.pass(15_000);
    let at = |s| Time::ZERO + Duration::from_secs(s);
    lab.evidence(BACKUP_1, EvidenceKind::NoResponse);
    lab.pass(30_000);
    assert_eq!(
        lab.story(BACKUP_1),
        [
            (at(0), TargetState::Down, SwitchReason::Unreachable),
            (at(10), TargetState::Up, SwitchReason::HalfOpen),
            (at(15), TargetState::Down, SwitchReason::InviteTimeout),
            (at(25), TargetState::Up, SwitchReason::HalfOpen),
        ]
    );
    // The second trial went well for long enough: one failure is one failure again.
    lab.evidence(BACKUP_1, EvidenceKind::NoResponse);
    assert_eq!(lab.state(BACKUP_1), TargetState::Up);
}
