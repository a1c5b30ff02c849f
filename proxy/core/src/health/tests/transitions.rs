//! The machine's whole table, so that a change to it shows. States begin at 1 s, signals come at 2 s.

use crate::health::machine::{Machine, Signal};
use crate::health::policy::Policy;
use crate::route::fixture::PROBE;
use crate::{RegionPolicy, SwitchReason};
use relay_values::{Duration, Time};
use std::fmt::Write as _;

/// As the machine comes to its states in life.
fn states(policy: &Policy) -> Vec<(&'static str, Machine)> {
    let failed = Signal::Failed { weight: 1, reason: SwitchReason::ProbeTimeout };
    let refused = Signal::Refused(Duration::from_secs(3));
    let unreachable = Signal::Failed { weight: policy.fall, reason: SwitchReason::Unreachable };
    let reason = SwitchReason::MediaSilent;
    let condemned = Signal::Condemned { reason, hold: Time::from_millis(4_000) };
    let after = |signals: &[Signal]| {
        let mut machine = Machine::NEW;
        for signal in signals {
            machine.on(Time::from_millis(1_000), *signal, policy);
        }
        machine
    };
    let mut states = vec![
        ("up", after(&[])),
        ("up, suspected", after(&[failed])),
        ("backoff", after(&[refused])),
        ("backoff, suspected", after(&[refused, failed])),
        ("down", after(&[unreachable])),
    ];
    if policy.probe.is_some() {
        states.push(("down, answered once", after(&[unreachable, Signal::Answered])));
        states.push(("down until 4 s", after(&[condemned])));
        states.push(("held until 4 s", after(&[condemned, Signal::Answered, Signal::Answered])));
    }
    states
}

fn table(policy: &Policy) -> String {
    let (reason, hold) = (SwitchReason::RegionSilent, Time::from_millis(6_000));
    let condemned = Signal::Condemned { reason, hold };
    let signals = [
        ("answered", Signal::Answered),
        ("failed", Signal::Failed { weight: 1, reason: SwitchReason::ProbeTimeout }),
        ("timed out", Signal::Failed { weight: 2, reason: SwitchReason::InviteTimeout }),
        ("unreachable", Signal::Failed { weight: policy.fall, reason: SwitchReason::Unreachable }),
        ("refused 5 s", Signal::Refused(Duration::from_secs(5))),
        ("condemned to 6 s", condemned),
        ("elapsed at 20 s", Signal::Elapsed),
    ];
    let mut table = String::new();
    for (name, state) in states(policy) {
        for (what, signal) in signals {
            let mut machine = state;
            let at = if signal == Signal::Elapsed { 20_000 } else { 2_000 };
            let reason = machine.on(Time::from_millis(at), signal, policy);
            let mut to = format!("{:?}", machine.state());
            if machine.failures() > 0 {
                write!(to, ", weight {}", machine.failures()).unwrap();
            }
            if !machine.deadline().is_never() {
                write!(to, ", until {} ms", machine.deadline().as_millis()).unwrap();
            }
            if let Some(until) = machine.held_until(Time::from_millis(at)) {
                write!(to, ", held until {} ms", until.as_millis()).unwrap();
            }
            if let Some(reason) = reason {
                write!(to, " ({})", reason.as_str()).unwrap();
            }
            writeln!(table, "{name:<20} {what:<16} → {to}").unwrap();
        }
    }
    table
}

#[test]
fn the_table_of_a_probed_target() {
    insta::assert_snapshot!(table(&Policy::new(Some(PROBE), &RegionPolicy::default())));
}

#[test]
fn the_table_of_a_target_without_probes() {
    insta::assert_snapshot!(table(&Policy::new(None, &RegionPolicy::default())));
}
