//! Servers that do not answer.

use super::zone::{Server, Zone, place, secs};
use crate::locate::{LocatePolicy, LocateReason, PlaceState, QuestionKind};

#[test]
fn what_was_found_stays_while_no_server_answers_and_for_no_longer_than_configured() {
    for server in [Server::Silent, Server::Fails] {
        let policy = LocatePolicy { stale: secs(3_600), ..LocatePolicy::default() };
        let mut zone = Zone::of(&[place("sip.example.com", Some(5060))], policy);
        zone.a("sip.example.com", 60, &["192.0.2.1"]);
        zone.run(secs(1));
        zone.server = server;
        zone.run(secs(3_600));
        assert_eq!(zone.state(), PlaceState::Stale);
        assert_eq!(zone.at(), ["192.0.2.1:5060"]);
        zone.run(secs(90));
        assert_eq!(zone.view().why, Some(LocateReason::StaleTooLong), "its time is over");
        assert_eq!(zone.changes.last().unwrap().1.addresses, []);
        zone.server = Server::Answers;
        zone.run(secs(40));
        assert_eq!(zone.at(), ["192.0.2.1:5060"]);
    }
}

#[test]
fn servers_that_are_gone_are_not_asked_more_often_than_every_half_minute() {
    let mut zone = Zone::new("sip.example.com", Some(5060));
    zone.a("sip.example.com", 60, &["192.0.2.1"]);
    zone.run(secs(1));
    zone.server = Server::Fails;
    let before = zone.now;
    zone.run(secs(3_600));
    let asked = zone.asked_since(before);
    assert!(asked <= 3_600 / 28, "{asked} in an hour");
}

#[test]
fn servers_that_come_back_with_another_address_are_followed() {
    let mut zone = Zone::new("sip.example.com", Some(5060));
    zone.a("sip.example.com", 60, &["192.0.2.1"]);
    zone.run(secs(1));
    zone.server = Server::Silent;
    zone.run(secs(600));
    zone.server = Server::Answers;
    zone.a("sip.example.com", 60, &["192.0.2.2"]);
    zone.run(secs(40));
    assert_eq!(zone.state(), PlaceState::Fresh);
    assert_eq!(zone.found(), ["0*64 192.0.2.2:5060", "1*64 192.0.2.1:5060"], "the old one is a last resort");
    zone.run(secs(600));
    assert_eq!(zone.at(), ["192.0.2.2:5060"], "for as long as it is held");
}

#[test]
fn a_server_that_knows_no_naptr_is_asked_for_srv() {
    use crate::locate::{Answer, Failure};
    let mut zone = Zone::new("example.com", None);
    let failed = Answer::Failed(Failure::Server);
    zone.records.insert(("example.com".into(), QuestionKind::Naptr), failed);
    zone.srv("_sip._udp.example.com", 300, &[(1, 1, "one.example.com")]);
    zone.a("one.example.com", 300, &["192.0.2.1"]);
    zone.run(secs(1));
    assert_eq!(zone.at(), ["192.0.2.1:5070"]);
}

#[test]
fn of_two_hosts_the_one_that_nobody_answers_for_keeps_what_it_had() {
    use crate::locate::{Answer, Failure};
    let mut zone = Zone::new("example.com", None);
    zone.srv("_sip._udp.example.com", 60, &[(1, 1, "one.example.com"), (1, 1, "two.example.com")]);
    zone.a("one.example.com", 60, &["192.0.2.1"]);
    zone.a("two.example.com", 60, &["192.0.2.2"]);
    zone.run(secs(1));
    let failed = Answer::Failed(Failure::Server);
    zone.records.insert(("two.example.com".into(), QuestionKind::A), failed);
    zone.a("one.example.com", 60, &["192.0.2.11"]);
    zone.run(secs(60));
    let held = "1*64 192.0.2.1:5070";
    assert_eq!(zone.found(), ["0*64 192.0.2.2:5070", "0*64 192.0.2.11:5070", held]);
}

#[test]
fn a_question_that_nobody_ever_closes_is_given_up() {
    let mut zone = Zone::new("sip.example.com", Some(5060));
    let question = zone.locate.poll_query().unwrap();
    zone.run(secs(120));
    assert!(zone.locate.is_settled());
    zone.a("sip.example.com", 60, &["192.0.2.1"]);
    zone.run(secs(30));
    assert_eq!(zone.at(), ["192.0.2.1:5060"]);
    let late = crate::locate::Answer::Failed(crate::locate::Failure::Server);
    zone.tell(crate::locate::LocateInput::Answer { id: question.id, answer: late });
    assert_eq!(zone.state(), PlaceState::Fresh, "a late answer is nobody's");
}
