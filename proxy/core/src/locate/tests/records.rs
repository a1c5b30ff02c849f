//! Which records are asked for, and what they come to.

use super::zone::{Zone, name};
use crate::locate::{Data, QuestionKind};

fn naptr(order: u16, preference: u16, services: &str, to: &str) -> Data {
    Data::Naptr {
        order,
        preference,
        flags: "S".into(),
        services: services.into(),
        regexp: false,
        replacement: Some(name(to)),
    }
}

fn questions(zone: &Zone) -> Vec<&str> {
    zone.asked.iter().map(|(_, question)| question.as_str()).collect()
}

#[test]
fn a_name_with_a_port_is_asked_for_its_addresses_alone() {
    let mut zone = Zone::new("sip.example.com", Some(5090));
    zone.a("sip.example.com", 300, &["192.0.2.2", "192.0.2.1"]);
    zone.run(super::zone::secs(1));
    assert_eq!(questions(&zone), ["A sip.example.com"]);
    assert_eq!(zone.found(), ["0*32 192.0.2.1:5090", "0*32 192.0.2.2:5090"]);
}

#[test]
fn a_name_without_one_goes_by_naptr_and_srv() {
    let mut zone = Zone::new("example.com", None);
    let records = vec![
        naptr(20, 1, "SIP+D2U", "_sip._udp.late.example.com"),
        naptr(10, 50, "SIPS+D2T", "_sips._tcp.example.com"),
        naptr(10, 60, "sip+d2u", "_sip._udp.a.example.com"),
        naptr(10, 70, "SIP+D2U", "_sip._udp.b.example.com"),
    ];
    zone.set("example.com", QuestionKind::Naptr, 300, records);
    zone.srv("_sip._udp.a.example.com", 300, &[(7, 3, "one.example.com"), (7, 1, "two.example.com")]);
    zone.srv("_sip._udp.b.example.com", 300, &[(1, 0, "three.example.com")]);
    zone.a("one.example.com", 300, &["192.0.2.1"]);
    zone.a("two.example.com", 300, &["192.0.2.2"]);
    zone.a("three.example.com", 300, &["192.0.2.3"]);
    zone.run(super::zone::secs(1));
    let asked = questions(&zone);
    assert_eq!(
        asked[..3],
        ["NAPTR example.com", "SRV _sip._udp.a.example.com", "SRV _sip._udp.b.example.com"]
    );
    assert_eq!(
        asked.len(),
        6,
        "what is of a later order, or for another transport, is not asked for: {asked:?}"
    );
    assert_eq!(zone.found(), ["0*192 192.0.2.1:5070", "0*64 192.0.2.2:5070", "1*1 192.0.2.3:5070"]);
}

#[test]
fn without_naptr_srv_is_asked_for_by_our_transport() {
    let mut zone = Zone::new("example.com", None);
    zone.srv("_sip._udp.example.com", 300, &[(20, 0, "two.example.com"), (10, 0, "one.example.com")]);
    zone.a("one.example.com", 300, &["192.0.2.9"]);
    zone.a("two.example.com", 300, &["192.0.2.2"]);
    zone.run(super::zone::secs(1));
    assert_eq!(zone.found(), ["0*1 192.0.2.9:5070", "1*1 192.0.2.2:5070"]);
}

#[test]
fn without_either_the_host_itself_is_asked_for_at_sips_own_port() {
    let mut zone = Zone::new("example.com", None);
    zone.a("example.com", 300, &["192.0.2.1"]);
    zone.run(super::zone::secs(1));
    assert_eq!(questions(&zone), ["NAPTR example.com", "SRV _sip._udp.example.com", "A example.com"]);
    assert_eq!(zone.at(), ["192.0.2.1:5060"]);
}

#[test]
fn a_service_that_is_decidedly_not_offered_is_not_looked_for_elsewhere() {
    let mut zone = Zone::new("example.com", None);
    zone.srv("_sip._udp.example.com", 300, &[(0, 0, ".")]);
    zone.a("example.com", 300, &["192.0.2.1"]);
    zone.run(super::zone::secs(1));
    assert_eq!(zone.view().why.map(|why| why.as_str()), Some("not_offered"));
    assert_eq!(zone.at(), [""; 0]);
}

#[test]
fn one_address_of_two_hosts_is_one_and_has_the_better_rank() {
    let mut zone = Zone::new("example.com", None);
    let hosts = [(2, 1, "c.example.com"), (1, 1, "a.example.com"), (1, 1, "b.example.com")];
    zone.srv("_sip._udp.example.com", 300, &hosts);
    for host in ["a.example.com", "b.example.com", "c.example.com"] {
        zone.a(host, 300, &["192.0.2.1"]);
    }
    zone.run(super::zone::secs(1));
    assert_eq!(zone.found(), ["0*128 192.0.2.1:5070"]);
}
