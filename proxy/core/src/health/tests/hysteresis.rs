//! Whatever happens, in whatever order.

use super::lab::{Lab, Manner, OK};
use crate::health::HealthInput;
use crate::health::machine::{Machine, Signal};
use crate::health::policy::Policy;
use crate::route::fixture::{PROBE, config};
use crate::{
    Cut, Drill, EvidenceKind, Overrides, ProbePolicy, RegionId, RegionPolicy, RegionState, SwitchReason,
    TargetId, TargetState, TransportFailure,
};
use bytes::Bytes;
use proptest::prelude::*;
use relay_values::{Duration, Time};
use std::sync::Arc;

#[derive(Debug, Clone)]
enum Event {
    Pass(u64),
    Evidence(u16, EvidenceKind),
    Icmp(usize),
    Manner(usize, bool),
    Message(Vec<u8>),
    Reload(usize),
    Drain(u16),
    EarlyTimeout,
    Silent(u16, u64),
    Heard(u16),
    Drill(Option<(u64, Cut)>),
}

fn evidence() -> impl Strategy<Value = EvidenceKind> {
    prop_oneof![
        Just(EvidenceKind::NoResponse),
        Just(EvidenceKind::Timeout),
        Just(EvidenceKind::Unreachable),
        prop::option::of(any::<u64>()).prop_map(|ns| EvidenceKind::Unavailable(ns.map(Duration::from_nanos))),
    ]
}

fn region() -> impl Strategy<Value = u16> {
    prop_oneof![0u16..3, Just(RegionId::DRILL.0)]
}

fn cut() -> impl Strategy<Value = Cut> {
    prop_oneof![Just(Cut::Signalling), Just(Cut::Media), Just(Cut::Both)]
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => (0u64..700).prop_map(Event::Pass),
        4 => (0u16..8, evidence()).prop_map(|(target, kind)| Event::Evidence(target, kind)),
        1 => (0usize..7).prop_map(Event::Icmp),
        2 => (0usize..7, any::<bool>()).prop_map(|(target, frozen)| Event::Manner(target, frozen)),
        1 => prop::collection::vec(any::<u8>(), 0..64).prop_map(Event::Message),
        1 => (0usize..7).prop_map(Event::Reload),
        1 => (0u16..3).prop_map(Event::Drain),
        1 => Just(Event::EarlyTimeout),
        2 => (region(), 0u64..2_000).prop_map(|(region, ago)| Event::Silent(region, ago)),
        1 => region().prop_map(Event::Heard),
        1 => prop::option::of((0u64..3, cut())).prop_map(Event::Drill),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn generations_count_up_by_one_and_the_healthy_end_up(
        seed in any::<u64>(),
        events in prop::collection::vec(event(), 0..80),
    ) {
        let mut lab = Lab::usual(seed);
        for event in events {
            match event {
                Event::Pass(ms) => lab.pass(ms),
                Event::Evidence(target, kind) => lab.evidence(TargetId(target), kind),
                Event::Icmp(target) => {
                    let to = lab.health.snapshot().config.targets[target].peer;
                    lab.handle(HealthInput::TransportError { to, failure: TransportFailure::Reset });
                }
                Event::Manner(target, frozen) => lab.manners[target] = if frozen { Manner::Silent } else { OK },
                Event::Message(bytes) => {
                    let from = lab.health.snapshot().config.targets[0].peer;
                    lab.handle(HealthInput::Message { from, bytes: Bytes::from(bytes) });
                }
                Event::Reload(by) => {
                    let mut config = config();
                    config.targets.rotate_left(by);
                    lab.handle(HealthInput::Config(Arc::new(config)));
                }
                Event::Drain(region) => {
                    lab.handle(HealthInput::Overrides(Overrides { drained: vec![RegionId(region)], ..Overrides::default() }));
                }
                Event::Silent(region, ago) => {
                    let since = Time::from_millis(lab.now.as_millis().saturating_sub(ago));
                    lab.silent(RegionId(region), since);
                }
                Event::Heard(region) => lab.heard(RegionId(region)),
                Event::Drill(drill) => {
                    let region = RegionId(0);
                    let drill = drill.map(|(id, cut)| Drill { id, region, share: 5, cut, found: None });
                    lab.handle(HealthInput::Overrides(Overrides { drill, ..Overrides::default() }));
                }
                Event::EarlyTimeout => lab.handle(HealthInput::Timeout),
            }
        }
        let generations: Vec<u64> = lab.snapshots.iter().map(|(snapshot, _)| snapshot.generation).collect();
        prop_assert!(generations.iter().copied().eq(2..2 + generations.len() as u64), "{:?}", generations);

        // Nothing lasts: a minute of backoff at most, ten seconds without probes, half a minute for silence; and what has
        // fallen too often needs 17.5 s, to which every fall during it adds as much, but then there are no more.
        lab.manners.fill(OK);
        lab.pass(75_000);
        let regions = lab.health.snapshot().regions.iter();
        prop_assert!(regions.clone().all(|region| region.state == RegionState::Up), "{:?}", regions);
        prop_assert_eq!(lab.health.regions(lab.now).len(), 2);
        let states: Vec<TargetState> = lab.health.snapshot().health.iter().map(|h| h.state).collect();
        prop_assert!(states.iter().all(|state| *state == TargetState::Up), "{:?}", states);
        let counters = *lab.health.counters();
        lab.pass(1_000);
        prop_assert_eq!(lab.health.counters().misses, counters.misses);
    }

    #[test]
    fn a_target_that_is_down_never_comes_up_with_fewer_answers_than_rise(
        fall in 1u8..5,
        rise in 1u8..5,
        signals in prop::collection::vec((0u64..3_000, 0u8..9), 0..200),
    ) {
        let policy = Policy::new(Some(ProbePolicy { fall, rise, ..PROBE }), &RegionPolicy::default());
        let (mut machine, mut now) = (Machine::NEW, Time::ZERO);
        let (mut answers, mut failures, mut until) = (0u32, 0u32, Time::ZERO);
        for (ms, signal) in signals {
            now += Duration::from_millis(ms);
            let reason = SwitchReason::ProbeTimeout;
            let signal = match signal {
                0..=2 => Signal::Answered,
                3 | 4 => Signal::Failed { weight: 1, reason },
                5 => Signal::Failed { weight: 2, reason },
                6 => Signal::Refused(Duration::from_secs(1)),
                7 => Signal::Condemned { reason, hold: now + Duration::from_secs(5) },
                _ => Signal::Elapsed,
            };
            let before = machine.state();
            let change = machine.on(now, signal, &policy);
            match signal {
                Signal::Answered => { answers += 1; failures = 0; }
                Signal::Failed { weight, .. } => { answers = 0; failures += u32::from(weight); }
                Signal::Refused(_) => answers = 0,
                Signal::Condemned { hold, .. } => { answers = 0; failures = u32::MAX / 2; until = hold; }
                Signal::Elapsed => {}
            }
            prop_assert_eq!(change.is_some(), machine.state() != before);
            if before == TargetState::Down && machine.state() != TargetState::Down {
                prop_assert!(answers >= u32::from(rise) && now >= until);
            }
            if before != TargetState::Down && machine.state() == TargetState::Down {
                prop_assert!(failures >= u32::from(fall));
                (answers, failures) = (0, 0);
            }
        }
    }
}
