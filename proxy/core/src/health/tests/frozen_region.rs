//! A region freezes (SIGSTOP) under 50 calls/s with 200 ms probes, fall 2 and a hunt timer of 200 ms.

use super::lab::{Lab, ms};
use crate::rng::Rng;
use crate::route::fixture::{self, EAST_1, EAST_2};
use crate::route::{Plan, plan_inbound};
use crate::{EvidenceKind, GroupId, HuntReason, Owner, ProbePolicy, SiteId, TargetId, TargetState};
use relay_values::{Duration, Time};
use std::collections::BTreeMap;

struct Outcome {
    /// From the freeze until the last edge of the region was down.
    down: Duration,
    /// The longest time that a call spent on dead edges.
    extra: Duration,
    calls: usize,
}

/// Calls every 20 ms by the newest snapshot, for two seconds; the eastern region freezes after one.
fn freeze(seed: u64, lab: &mut Lab, edges: &[TargetId]) -> Outcome {
    let mut rng = Rng::new(!seed);
    let frozen = Time::from_nanos(1_000_000_000 + rng.below(200_000_000));
    let first_call = rng.below(20_000_000);
    let mut calls: BTreeMap<(Time, usize), (Time, Option<Plan>)> = (0..100)
        .map(|n| Time::from_nanos(n * 20_000_000 + first_call))
        .enumerate()
        .map(|(n, at)| ((at, n), (at, None)))
        .collect();
    let (mut extra, mut answered) = (Duration::ZERO, 0);
    let is_frozen = |lab: &Lab, id: TargetId| lab.now >= frozen && edges.contains(&id);

    while let Some(((at, call), (begun, plan))) = calls.pop_first() {
        if lab.now < frozen && at >= frozen {
            lab.run(frozen);
            edges.iter().for_each(|edge| lab.freeze(*edge));
        }
        lab.run(at);
        let newest = lab.health.snapshot().clone();
        let (mut plan, why) = match plan {
            None => (plan_inbound(&newest, lab.now, SiteId(0), &mut rng), None),
            Some(plan) => {
                lab.evidence(plan.current().unwrap(), EvidenceKind::NoResponse);
                (plan, Some(HuntReason::NoResponse))
            }
        };
        let target = plan.next(&lab.health.snapshot().clone(), why).expect("a call is never out of targets");
        if is_frozen(lab, target) {
            calls.insert((at + ms(200), call), (begun, Some(plan)));
        } else {
            extra = extra.max(at - begun);
            answered += 1;
        }
    }
    lab.run(Time::from_millis(2_500));
    let downs = edges.iter().map(|edge| {
        let story = lab.story(*edge);
        assert_eq!(story.len(), 1, "down once: {story:?}");
        assert_eq!(story[0].1, TargetState::Down);
        story[0].0 - frozen
    });
    Outcome { down: downs.max().unwrap(), extra, calls: answered }
}

#[test]
fn it_is_seen_down_within_400_ms_and_no_call_waits_longer_than_one_hunt_timer() {
    for seed in 0..64 {
        let mut lab = Lab::usual(seed);
        let outcome = freeze(seed, &mut lab, &[EAST_1, EAST_2]);
        assert_eq!(outcome.calls, 100, "seed {seed}: every call is answered");
        assert_eq!(outcome.extra, ms(200), "seed {seed}: one hunt timer");
        assert!(outcome.down < ms(400), "seed {seed}: {:?}", outcome.down);
    }
}

#[test]
fn with_one_edge_it_is_down_before_the_third_invite_has_waited_in_vain() {
    for seed in 0..64 {
        let mut config = fixture::config();
        config.groups[0].edges = vec![EAST_1];
        config.targets[EAST_2.index()].owner = Owner::Edge(GroupId(1));
        let mut lab = Lab::new(seed, config);
        let outcome = freeze(seed, &mut lab, &[EAST_1]);
        assert_eq!((outcome.calls, outcome.extra), (100, ms(200)), "seed {seed}");
        // INVITEs at most 20 ms apart, the first forgiven if a probe was answered just before: 205 + 2 × 20.
        assert!(outcome.down <= ms(245), "seed {seed}: {:?}", outcome.down);
    }
}

#[test]
fn edges_that_fall_at_one_instant_make_one_snapshot() {
    let mut config = fixture::config();
    for target in &mut config.targets {
        target.probe = Some(ProbePolicy { interval: ms(2_000), timeout: ms(2_000), ..fixture::PROBE });
    }
    let mut lab = Lab::new(1, config);
    lab.run(Time::from_millis(5_000));
    [EAST_1, EAST_2].iter().for_each(|edge| lab.freeze(*edge));
    lab.pass(300);
    [EAST_1, EAST_2].iter().for_each(|edge| lab.evidence(*edge, EvidenceKind::NoResponse));
    lab.pass(100);
    // Both extra probes have gone unanswered for 100 ms.
    assert_eq!(lab.snapshots.len(), 1);
    let (snapshot, changes) = &lab.snapshots[0];
    assert_eq!(snapshot.generation, 2);
    let seen: Vec<_> = changes.iter().map(|c| (c.at, &*c.name, c.to)).collect();
    let at = Time::from_millis(5_400);
    assert_eq!(seen, [(at, "east-1", TargetState::Down), (at, "east-2", TargetState::Down)]);
}
