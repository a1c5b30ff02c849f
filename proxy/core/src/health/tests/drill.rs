//! A share of a region's calls is cut off. When would we notice?

use super::lab::{Lab, ms};
use crate::health::HealthInput;
use crate::route::fixture::{self, EAST_1};
use crate::{Cut, Drill, Overrides, RegionId, RegionState, TargetState};
use relay_values::Time;
use std::sync::Arc;

const EAST: RegionId = RegionId(0);
const BEGUN: Time = Time::from_millis(5_000);

fn drill(id: u64, cut: Cut) -> Overrides {
    let drill = Drill { id, region: EAST, share: 5, cut, found: None };
    Overrides { drill: Some(drill), ..Overrides::default() }
}

fn begun(cut: Cut) -> Lab {
    let mut lab = Lab::usual(1);
    lab.run(BEGUN);
    lab.handle(HealthInput::Overrides(drill(1, cut)));
    lab
}

fn found(lab: &Lab) -> Option<Time> {
    lab.health.snapshot().overrides.drill.and_then(|drill| drill.found)
}

#[test]
fn without_media_and_signalling_the_cohort_is_found_at_the_burst_timeout_after_the_report() {
    let mut lab = begun(Cut::Both);
    lab.pass(80);
    lab.silent(RegionId::DRILL, BEGUN + ms(2));
    lab.pass(49);
    assert_eq!(found(&lab), None);
    lab.pass(1);
    assert_eq!(found(&lab), Some(BEGUN + ms(130)));
    assert_eq!(lab.snapshots.len(), 2, "begun, found");
    assert_eq!(lab.health.snapshot().regions[0].state, RegionState::Up, "the region itself is well");
    assert_eq!(lab.state(EAST_1), TargetState::Up);
}

#[test]
fn without_media_alone_it_is_found_a_second_after_its_last_packet() {
    let mut lab = begun(Cut::Media);
    lab.pass(80);
    lab.silent(RegionId::DRILL, BEGUN + ms(2));
    lab.pass(2_000);
    assert_eq!(found(&lab), Some(BEGUN + ms(1_002)));
}

#[test]
fn without_media_alone_it_is_never_found_where_silence_does_not_count() {
    let mut config = fixture::config();
    config.region_health.media_down = None;
    let mut lab = Lab::new(1, config);
    lab.handle(HealthInput::Overrides(drill(1, Cut::Media)));
    lab.silent(RegionId::DRILL, Time::ZERO);
    lab.pass(60_000);
    assert_eq!(found(&lab), None);
}

#[test]
fn without_signalling_alone_it_is_found_when_probes_would_have_failed() {
    let mut lab = begun(Cut::Signalling);
    lab.pass(2_000);
    // Two intervals of 200 ms and a timeout of 200 ms.
    assert_eq!(found(&lab), Some(BEGUN + ms(600)));
    assert_eq!(lab.state(EAST_1), TargetState::Up, "the true probes were answered");
}

#[test]
fn a_cohort_that_is_heard_again_is_not_found() {
    let mut lab = begun(Cut::Media);
    lab.pass(80);
    lab.silent(RegionId::DRILL, BEGUN);
    lab.pass(500);
    lab.heard(RegionId::DRILL);
    lab.pass(5_000);
    assert_eq!(found(&lab), None);
}

#[test]
fn the_end_of_a_drill_clears_it_and_another_begins_anew() {
    let mut lab = begun(Cut::Both);
    lab.silent(RegionId::DRILL, BEGUN);
    lab.pass(100);
    assert!(found(&lab).is_some());
    // Operators repeat what they know, and they do not know what was found.
    let drained = Overrides { drained: vec![RegionId(1)], ..drill(1, Cut::Both) };
    lab.handle(HealthInput::Overrides(drained));
    assert!(found(&lab).is_some());

    lab.handle(HealthInput::Overrides(Overrides::default()));
    assert_eq!(lab.health.snapshot().overrides.drill, None);
    // A report from the one that is over.
    lab.silent(RegionId::DRILL, BEGUN);
    lab.pass(1_000);
    lab.handle(HealthInput::Overrides(drill(2, Cut::Media)));
    lab.silent(RegionId::DRILL, BEGUN);
    lab.pass(5_000);
    assert_eq!(found(&lab), None);
    lab.handle(HealthInput::Overrides(drill(3, Cut::Signalling)));
    let again = lab.now;
    lab.pass(5_000);
    assert_eq!(found(&lab), Some(again + ms(600)));
}

#[test]
fn a_drill_outlives_a_reload_that_renumbers_its_region_and_ends_with_the_region() {
    let mut lab = begun(Cut::Signalling);
    let mut next = fixture::config();
    next.regions.swap(0, 1);
    next.groups[0].region = RegionId(1);
    next.groups[1].region = RegionId(0);
    lab.handle(HealthInput::Config(Arc::new(next)));
    assert_eq!(lab.health.snapshot().overrides.drill.unwrap().region, RegionId(1));
    lab.pass(600);
    assert_eq!(found(&lab), Some(BEGUN + ms(600)));
    assert_eq!(lab.health.regions(lab.now)[1].drill.unwrap().id, 1);

    let mut next = fixture::config();
    next.regions.remove(0);
    next.groups[0].region = RegionId(0);
    next.groups[1].region = RegionId(0);
    lab.handle(HealthInput::Config(Arc::new(next)));
    assert_eq!(lab.health.snapshot().overrides.drill, None);
}
