//! Addresses that come and go.

use super::zone::{Zone, secs};

#[test]
fn an_address_that_is_not_named_any_more_comes_last_and_then_goes() {
    let mut zone = Zone::new("sip.example.com", Some(5060));
    zone.a("sip.example.com", 60, &["192.0.2.1", "192.0.2.2"]);
    zone.run(secs(1));
    zone.a("sip.example.com", 60, &["192.0.2.2", "192.0.2.3"]);
    zone.run(secs(60));
    let last = "1*32 192.0.2.1:5060";
    assert_eq!(zone.found(), ["0*32 192.0.2.2:5060", "0*32 192.0.2.3:5060", last]);
    zone.run(secs(600));
    assert_eq!(zone.at(), ["192.0.2.2:5060", "192.0.2.3:5060"]);
}

#[test]
fn an_address_that_is_named_again_is_as_good_as_before() {
    let mut zone = Zone::new("sip.example.com", Some(5060));
    zone.a("sip.example.com", 60, &["192.0.2.1"]);
    zone.run(secs(1));
    let since = zone.view().addresses[0].since;
    zone.a("sip.example.com", 60, &["192.0.2.2"]);
    zone.run(secs(60));
    zone.a("sip.example.com", 60, &["192.0.2.1"]);
    zone.run(secs(60));
    assert_eq!(zone.found(), ["0*64 192.0.2.1:5060", "1*64 192.0.2.2:5060"]);
    assert_eq!(zone.view().addresses[0].since, since);
}

#[test]
fn the_order_in_which_a_server_names_addresses_means_nothing() {
    let mut zone = Zone::new("sip.example.com", Some(5060));
    for turn in 0..10 {
        let mut addresses = ["192.0.2.1", "192.0.2.2", "192.0.2.3"];
        addresses.rotate_left(turn % 3);
        zone.a("sip.example.com", 0, &addresses);
        zone.run(secs(6));
    }
    assert_eq!(zone.changes.len(), 1);
}
