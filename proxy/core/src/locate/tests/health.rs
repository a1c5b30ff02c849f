//! What health says of addresses.

use super::zone::{Zone, secs};

#[test]
fn a_name_whose_address_fails_is_asked_for_at_once() {
    let mut zone = Zone::new("sip.example.com", Some(5060));
    zone.a("sip.example.com", 86_400, &["192.0.2.1"]);
    zone.run(secs(60));
    zone.a("sip.example.com", 86_400, &["192.0.2.2"]);
    zone.down(&["192.0.2.1:5060"]);
    assert_eq!(zone.at(), ["192.0.2.2:5060"], "and what is down and not named any more is gone");
    assert_eq!(zone.locate.counters().early, 1);
}

#[test]
fn failures_one_after_the_other_do_not_make_a_storm() {
    let mut zone = Zone::new("sip.example.com", Some(5060));
    zone.a("sip.example.com", 86_400, &["192.0.2.1", "192.0.2.2"]);
    zone.run(secs(60));
    let before = zone.now;
    for turn in 0..100 {
        zone.down(if turn % 2 == 0 { &["192.0.2.1:5060"] } else { &["192.0.2.2:5060"] });
        zone.run(std::time::Duration::from_millis(100));
    }
    assert!(zone.asked_since(before) <= 3, "every 5 s at most: {}", zone.asked_since(before));
}

#[test]
fn somebody_elses_failure_asks_for_nothing() {
    let mut zone = Zone::new("sip.example.com", Some(5060));
    zone.a("sip.example.com", 86_400, &["192.0.2.1"]);
    zone.run(secs(60));
    zone.down(&["192.0.2.7:5060"]);
    zone.run(secs(1));
    assert_eq!(zone.asked.len(), 1);
}
