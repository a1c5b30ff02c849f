//! TTLs, from nothing to a day.

use super::zone::{Zone, place, secs};
use crate::locate::{LocatePolicy, PlaceState};

#[test]
fn a_ttl_of_0_is_asked_for_every_few_seconds_and_not_more_often() {
    let mut zone = Zone::new("sip.example.com", Some(5060));
    zone.a("sip.example.com", 0, &["192.0.2.1"]);
    zone.run(secs(600));
    let asked = zone.asked.len();
    assert!((120..=170).contains(&asked), "every 4 s, a sixteenth more or less: {asked} in 600 s");
    assert_eq!(zone.changes.len(), 1, "the same answer changes nothing");
}

#[test]
fn a_ttl_of_a_day_is_asked_for_within_the_hour() {
    let mut zone = Zone::new("sip.example.com", Some(5060));
    zone.a("sip.example.com", 86_400, &["192.0.2.1"]);
    zone.run(secs(60));
    zone.a("sip.example.com", 86_400, &["192.0.2.2"]);
    zone.run(secs(3_600));
    assert_eq!(zone.at()[0], "192.0.2.2:5060");
}

#[test]
fn an_answer_is_asked_for_again_before_its_ttl_is_over() {
    let mut zone = Zone::new("sip.example.com", Some(5060));
    zone.a("sip.example.com", 300, &["192.0.2.1"]);
    zone.run(secs(220));
    assert_eq!(zone.asked.len(), 1);
    zone.run(secs(40));
    assert_eq!(zone.asked.len(), 2, "240 s are four fifths");
}

#[test]
fn names_that_were_asked_for_together_are_not_for_ever() {
    let hosts: Vec<_> = (0..20).map(|n| place(&format!("h{n}.example.com"), Some(5060))).collect();
    let mut zone = Zone::of(&hosts, LocatePolicy::default());
    (0..20).for_each(|n| zone.a(&format!("h{n}.example.com"), 300, &["192.0.2.1"]));
    zone.run(secs(290));
    let mut times: Vec<_> = zone.asked.iter().skip(20).map(|(at, _)| *at).collect();
    times.dedup();
    assert!(times.len() > 15, "{times:?}");
}

#[test]
fn a_name_that_is_not_there_yet_is_asked_for_less_and_less_often() {
    let mut zone = Zone::new("sip.example.com", Some(5060));
    zone.run(secs(600));
    assert_eq!(zone.state(), PlaceState::Nothing);
    let asked = zone.asked.len();
    assert!((20..=28).contains(&asked), "after 1, 2, 4, 8, 16 s, then every 30: {asked}");
}
