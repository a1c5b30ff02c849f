//! One bad answer poisons nothing.

use super::zone::{Server, Zone, name, place, secs};
use crate::locate::{Answer, Data, LocatePolicy, LocateReason, PlaceState, QuestionKind, Record};

#[test]
fn a_name_that_is_denied_keeps_its_addresses_for_a_while() {
    let mut zone = Zone::new("sip.example.com", Some(5060));
    zone.a("sip.example.com", 60, &["192.0.2.1"]);
    zone.run(secs(1));
    zone.server = Server::Denies;
    zone.run(secs(500));
    assert_eq!((zone.state(), zone.view().why), (PlaceState::Denied, Some(LocateReason::NoSuchName)));
    assert_eq!(zone.at(), ["192.0.2.1:5060"]);
    assert_eq!(zone.changes.len(), 1, "calls have noticed nothing");
    zone.server = Server::Answers;
    zone.run(secs(70));
    assert_eq!(zone.state(), PlaceState::Fresh);
    assert_eq!(zone.changes.len(), 1);
}

#[test]
fn a_name_that_stays_denied_has_no_addresses_in_the_end() {
    let mut zone = Zone::new("sip.example.com", Some(5060));
    zone.a("sip.example.com", 60, &["192.0.2.1"]);
    zone.run(secs(1));
    zone.server = Server::Denies;
    zone.run(secs(60 + 600));
    assert_eq!((zone.state(), zone.at().len()), (PlaceState::Nothing, 0));
}

#[test]
fn what_is_denied_and_down_goes_at_once() {
    let mut zone = Zone::new("sip.example.com", Some(5060));
    zone.a("sip.example.com", 60, &["192.0.2.1", "192.0.2.2"]);
    zone.run(secs(1));
    zone.down(&["192.0.2.1:5060"]);
    assert_eq!(zone.at().len(), 2, "health alone removes nothing");
    zone.server = Server::Denies;
    zone.run(secs(60));
    assert_eq!(zone.at(), ["192.0.2.2:5060"]);
}

#[test]
fn a_storm_of_denials_over_a_hundred_names_changes_nothing_for_calls() {
    let hosts: Vec<_> = (0..100).map(|n| place(&format!("h{n}.example.com"), Some(5060))).collect();
    let mut zone = Zone::of(&hosts, LocatePolicy::default());
    (0..100).for_each(|n| zone.a(&format!("h{n}.example.com"), 0, &["192.0.2.1"]));
    zone.run(secs(1));
    zone.server = Server::Denies;
    let (before, changes) = (zone.now, zone.changes.len());
    zone.run(secs(300));
    assert_eq!(zone.changes.len(), changes);
    let asked = zone.asked_since(before);
    assert!(asked <= 100 * (300 / 28 + 1), "each name twice a minute: {asked}");
    zone.server = Server::Answers;
    zone.run(secs(60));
    assert!(zone.locate.places().iter().all(|place| place.state == PlaceState::Fresh));
}

#[test]
fn records_that_are_gone_are_a_mistake_at_first() {
    let mut zone = Zone::new("example.com", None);
    zone.srv("_sip._udp.example.com", 60, &[(1, 1, "one.example.com")]);
    zone.a("one.example.com", 60, &["192.0.2.1"]);
    zone.a("example.com", 60, &["192.0.2.80"]);
    zone.run(secs(1));
    zone.remove("_sip._udp.example.com", QuestionKind::Srv);
    zone.run(secs(300));
    assert_eq!(zone.view().why, Some(LocateReason::RecordsGone));
    assert_eq!(zone.at(), ["192.0.2.1:5070"], "whoever has a web server there has no use for our calls");
    zone.run(secs(600));
    assert_eq!(zone.at(), ["192.0.2.80:5060"], "in the end it is what the domain says");
    let gaps: Vec<_> = zone.changes.windows(2).map(|two| two[1].0.since(two[0].0)).collect();
    assert!(gaps.last().is_some_and(|gap| *gap <= secs(5)), "and there is hardly a gap: {gaps:?}");
}

#[test]
fn aliases_in_a_circle_end() {
    for circle in [&["a.example.com", "b.example.com"][..], &["a.example.com"][..]] {
        let mut zone = Zone::new("a.example.com", Some(5060));
        let alias = |i: usize| Record {
            owner: name(circle[i]),
            ttl: secs(60),
            data: Data::Alias(name(circle[(i + 1) % circle.len()])),
        };
        // Once in one answer, and once in one answer for each.
        let whole = Answer::Records((0..circle.len()).map(alias).collect());
        zone.records.insert((circle[0].into(), QuestionKind::A), whole);
        zone.run(secs(1));
        assert_eq!(zone.view().why, Some(LocateReason::AliasLoop));
        let mut zone = Zone::new("a.example.com", Some(5060));
        for (i, owner) in circle.iter().enumerate() {
            zone.records.insert(((*owner).into(), QuestionKind::A), Answer::Records(vec![alias(i)]));
        }
        zone.run(std::time::Duration::from_millis(500));
        assert_eq!(zone.view().why, Some(LocateReason::AliasLoop));
        assert!(zone.asked.len() <= 9, "{}", zone.asked.len());
    }
}

#[test]
fn an_alias_without_what_it_stands_for_is_asked_on() {
    let mut zone = Zone::new("sip.example.com", Some(5060));
    zone.set("sip.example.com", QuestionKind::A, 30, vec![Data::Alias(name("real.example.net"))]);
    zone.a("real.example.net", 300, &["192.0.2.1"]);
    zone.run(secs(1));
    assert_eq!(zone.at(), ["192.0.2.1:5060"]);
    assert_eq!(zone.view().ttl, Some(secs(30)), "the least of all that was read");
}

#[test]
fn more_than_can_be_meant_is_cut() {
    let mut zone = Zone::new("example.com", None);
    let names: Vec<String> = (0..200).map(|n| format!("h{n:03}.example.com")).collect();
    let hosts: Vec<(u16, u16, &str)> = names.iter().map(|host| (1, 1, host.as_str())).collect();
    zone.srv("_sip._udp.example.com", 60, &hosts);
    for (n, host) in names.iter().enumerate() {
        let addresses: Vec<String> = (0..200).map(|m| format!("10.{n}.0.{m}")).collect();
        let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
        zone.a(host, 60, &addresses);
    }
    zone.run(secs(1));
    assert_eq!(zone.at().len(), 16);
    assert_eq!(zone.asked.len(), 2 + 16, "a question for each of sixteen hosts");
}

#[test]
fn addresses_at_which_nobody_can_be_are_none() {
    let mut zone = Zone::new("sip.example.com", Some(5060));
    zone.a("sip.example.com", 60, &["0.0.0.0", "224.0.0.1", "255.255.255.255"]);
    zone.run(secs(1));
    assert_eq!(zone.view().why, Some(LocateReason::NoData));
}
