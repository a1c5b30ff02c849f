//! One failure is a suspicion. Two are a fact, unless an answer comes between.

use super::lab::{Lab, Manner, OK, ms};
use crate::health::HealthInput;
use crate::route::fixture::{CARRIER_1, EAST_1, EAST_2, WEST_1, config};
use crate::{Evidence, EvidenceKind, Peer, SwitchReason, TargetId, TargetState, TransportFailure};
use relay_values::Time;

#[test]
fn a_single_lost_invite_among_answered_probes_never_takes_a_target_down() {
    let mut lab = Lab::usual(1);
    lab.run(Time::from_millis(1_000));
    for n in 0..200 {
        // At every phase between two probes.
        lab.pass(403 + n % 7);
        lab.evidence(EAST_1, EvidenceKind::NoResponse);
    }
    assert!(lab.snapshots.is_empty(), "{:?}", lab.story(EAST_1));
}

#[test]
fn many_lost_invites_at_once_are_forgiven_by_the_probe_answered_after_them() {
    let mut lab = Lab::usual(1);
    lab.run_to_answer(EAST_1);
    lab.pass(100);
    for _ in 0..50 {
        lab.evidence(EAST_1, EvidenceKind::NoResponse);
    }
    lab.pass(1_000);
    assert_eq!(lab.story(EAST_1), []);
}

#[test]
fn a_failure_is_followed_at_once_by_a_probe_of_the_target_and_its_neighbours_and_no_others() {
    let mut lab = Lab::usual(1);
    lab.run_to_answer(EAST_1);
    lab.freeze(EAST_1);
    let sent = *lab.probes_of(EAST_1).last().unwrap();
    lab.run(sent + ms(399));
    assert_eq!(lab.health.counters().misses, 0);
    let before = lab.probes.len();
    lab.run(sent + ms(400));
    assert_eq!(lab.health.counters().misses, 1);
    let asked: Vec<TargetId> =
        lab.probes[before..].iter().filter(|(at, _)| *at == sent + ms(400)).map(|(_, id)| *id).collect();
    // East-1 twice: the extra probe and the regular one of the same instant.
    assert_eq!(asked, [EAST_1, EAST_2, EAST_1]);
}

#[test]
fn a_frozen_target_is_down_by_probes_alone_after_its_timeout_and_an_extra_probe() {
    let mut lab = Lab::usual(1);
    lab.run_to_answer(EAST_1);
    lab.freeze(EAST_1);
    let last = *lab.probes_of(EAST_1).last().unwrap();
    lab.pass(2_000);
    // Probed 200 ms after the last answer's probe, silent for 200 ms, asked once more for 100 ms.
    assert_eq!(lab.story(EAST_1), [(last + ms(500), TargetState::Down, SwitchReason::ProbeTimeout)]);
    assert_eq!(lab.story(EAST_2), [], "its neighbour was asked, and answered");
}

#[test]
fn two_unanswered_invites_with_no_probe_answered_since_take_a_target_down() {
    let mut lab = Lab::usual(1);
    lab.run_to_answer(EAST_1);
    lab.freeze(EAST_1);
    let frozen = lab.now;
    lab.run(frozen + ms(210));
    lab.evidence(EAST_1, EvidenceKind::NoResponse);
    lab.run(frozen + ms(230));
    assert_eq!(lab.state(EAST_1), TargetState::Up);
    lab.evidence(EAST_1, EvidenceKind::NoResponse);
    assert_eq!(lab.story(EAST_1), [(frozen + ms(230), TargetState::Down, SwitchReason::InviteTimeout)]);
}

#[test]
fn one_unanswered_invite_and_the_unanswered_probe_that_it_causes_take_a_target_down() {
    let mut lab = Lab::usual(1);
    lab.run_to_answer(EAST_1);
    lab.freeze(EAST_1);
    let frozen = lab.now;
    lab.run(frozen + ms(210));
    lab.evidence(EAST_1, EvidenceKind::NoResponse);
    lab.pass(200);
    assert_eq!(lab.story(EAST_1), [(frozen + ms(310), TargetState::Down, SwitchReason::ProbeTimeout)]);
}

#[test]
fn a_distant_target_gets_the_time_that_it_needs_for_the_extra_probe() {
    let mut lab = Lab::usual(1);
    lab.delay = ms(60);
    lab.run(Time::from_millis(1_000));
    for _ in 0..20 {
        lab.pass(1_234);
        // One probe is lost. 120 ms there and back are more than the 100 ms of a usual extra probe.
        let sent = lab.probes_of(EAST_1).len();
        lab.manners[EAST_1.index()] = Manner::Silent;
        while lab.probes_of(EAST_1).len() == sent {
            lab.pass(1);
        }
        lab.manners[EAST_1.index()] = OK;
    }
    lab.pass(1_000);
    assert_eq!(lab.health.counters().misses, 20);
    assert_eq!(lab.story(EAST_1), []);
}

#[test]
fn a_transaction_that_timed_out_weighs_as_much_as_two_silences() {
    let mut lab = Lab::usual(1);
    lab.evidence(EAST_1, EvidenceKind::Timeout);
    assert_eq!(lab.story(EAST_1), [(Time::ZERO, TargetState::Down, SwitchReason::InviteTimeout)]);

    let mut config = config();
    config.targets[0].probe.as_mut().unwrap().fall = 3;
    let mut lab = Lab::new(1, config);
    lab.evidence(EAST_1, EvidenceKind::Timeout);
    assert_eq!(lab.state(EAST_1), TargetState::Up);
    lab.evidence(EAST_1, EvidenceKind::NoResponse);
    assert_eq!(lab.state(EAST_1), TargetState::Down);
}

#[test]
fn an_unreachable_target_is_down_at_once_and_back_after_rise_answers() {
    let mut lab = Lab::usual(1);
    lab.run_to_answer(EAST_1);
    let at = lab.now;
    lab.evidence(EAST_1, EvidenceKind::Unreachable);
    assert_eq!(lab.story(EAST_1), [(at, TargetState::Down, SwitchReason::Unreachable)]);
    lab.pass(1_000);
    // Its probes go on in their rhythm; the second answer is the one that counts.
    let back = (at + ms(400), TargetState::Up, SwitchReason::Recovered);
    assert_eq!(lab.story(EAST_1)[1..], [back]);
}

#[test]
fn what_icmp_says_of_an_address_is_true_of_every_target_there() {
    let mut config = config();
    config.targets[CARRIER_1.index()].peer = config.targets[EAST_1.index()].peer;
    let to: Peer = config.targets[EAST_1.index()].peer;
    let mut lab = Lab::new(1, config);
    lab.handle(HealthInput::TransportError { to, failure: TransportFailure::Local });
    assert!(lab.snapshots.is_empty(), "our own trouble says nothing about a target");
    lab.handle(HealthInput::TransportError { to, failure: TransportFailure::Unreachable });
    assert_eq!((lab.state(EAST_1), lab.state(CARRIER_1)), (TargetState::Down, TargetState::Down));
    assert_eq!(lab.state(WEST_1), TargetState::Up);
    assert_eq!(lab.snapshots.len(), 1, "one input, one snapshot");
}

#[test]
fn a_connection_that_has_ended_is_a_question_and_no_answer() {
    let mut lab = Lab::usual(1);
    let to = lab.health.snapshot().config.targets[EAST_1.index()].peer;
    let asked = lab.probes_of(EAST_1).len();
    lab.handle(HealthInput::TransportError { to, failure: TransportFailure::Ended });
    assert_eq!(lab.state(EAST_1), TargetState::Up);
    assert_eq!(lab.probes_of(EAST_1).len(), asked + 1, "a probe finds out at once");
    lab.handle(HealthInput::TransportError { to, failure: TransportFailure::Unreachable });
    assert_eq!(lab.state(EAST_1), TargetState::Down, "what it finds is proof");
}

#[test]
fn evidence_about_an_older_numbering_or_about_nobody_is_ignored() {
    let mut lab = Lab::usual(1);
    lab.handle(HealthInput::Config(std::sync::Arc::new(config())));
    let old = Evidence { target: EAST_1, generation: 1, kind: EvidenceKind::Unreachable };
    lab.handle(HealthInput::Evidence(old));
    lab.evidence(TargetId(999), EvidenceKind::Unreachable);
    assert_eq!(lab.state(EAST_1), TargetState::Up);
    assert_eq!(lab.health.counters().outdated, 2);
}
