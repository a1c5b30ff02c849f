//! Neighbours that are configured by name (RFC 3263), and a name server that says what it likes.

use super::world::{PATIENCE, Place, Ua, eventually, load, metric};
use super::zone::Zone;
use crate::audited::Audited;
use bascule::Appliance;
use std::time::{Duration, Instant};

/// Carriers of the name `voice.example`, by the last part of their addresses.
fn carrier(place: Place, host: u8) -> Ua {
    Ua::at((place.ip(host), 5060).into())
}

/// A trunk that is a name, for whatever the edges call.
fn config(zone: &Zone, probe: &str) -> String {
    let dns = zone.configured();
    format!(
        "{dns}\n[[trunk]]\nname = \"voice\"\nlistener = \"carriers\"\ntargets = [{{ address = \"voice.example\" }}]\n\
         probe = {{ {probe} }}\n[[route.outbound]]\ntrunks = [\"voice\"]\n"
    )
}

const UNPROBED: &str = "enabled = false";
/// Slow to condemn: the machine may be busy with the other stories.
const PROBED: &str = "interval = \"300ms\", timeout = \"300ms\", fall = 5, rise = 2";

/// The zone of two hosts, the first of which is preferred.
fn two_hosts(zone: &Zone, place: Place, ttl: u32) {
    zone.srv("_sip._udp.voice.example", ttl, &[(20, 0, "b.voice.example"), (10, 0, "a.voice.example")]);
    zone.a("a.voice.example", ttl, &[place.ip(21)]);
    zone.a("b.voice.example", ttl, &[place.ip(22)]);
}

/// The edge calls, and this carrier answers; then the edge hangs up.
fn calls(place: Place, edge: &Ua, carrier: &Ua, call_id: &str) {
    edge.send(edge.invite(call_id, "+4930123456", 40_000), place.tier());
    let invite = carrier.request("INVITE");
    carrier.send(carrier.answer(&invite, 200, Some(41_000)), place.appliance());
    let ok = edge.response(200);
    edge.send(edge.in_dialog("ACK", 1, &ok), place.tier());
    carrier.request("ACK");
    edge.send(edge.in_dialog("BYE", 2, &ok), place.tier());
    let bye = carrier.request("BYE");
    carrier.send(carrier.answer(&bye, 200, None), place.appliance());
    edge.response(200);
}

/// What takes a while by its nature.
fn in_time(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + 6 * PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "never came true: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn targets(appliance: &Appliance) -> Vec<String> {
    let snapshot = appliance.snapshot();
    let named = snapshot.config.targets.iter().map(|target| target.name.clone());
    named.filter(|name| name.starts_with("voice-1/")).collect()
}

fn start(place: Place, zone: &Zone, probe: &str) -> Audited {
    place.start(&config(zone, probe))
}

#[test]
fn a_name_is_found_by_srv_when_the_service_starts_and_its_second_host_takes_over_from_the_first() {
    let place = Place(110);
    let zone = Zone::at(place.ip(53));
    two_hosts(&zone, place, 300);
    let appliance = start(place, &zone, UNPROBED);
    let first = format!("voice-1/{}:5060", place.ip(21));
    assert_eq!(targets(&appliance), [first, format!("voice-1/{}:5060", place.ip(22))]);
    let (edge, a, b) = (place.edge(1), carrier(place, 21), carrier(place, 22));
    calls(place, &edge, &a, "first");
    calls(place, &edge, &a, "again");
    drop(a);
    calls(place, &edge, &b, "second");
}

#[test]
fn a_name_server_that_is_gone_takes_no_call_with_it() {
    let place = Place(111);
    let zone = Zone::at(place.ip(53));
    two_hosts(&zone, place, 0);
    let appliance = start(place, &zone, UNPROBED);
    let (edge, a) = (place.edge(1), carrier(place, 21));
    calls(place, &edge, &a, "before");
    drop(zone);
    in_time("what is known is stale", || metric(&appliance, "bascule_names{state=\"stale\"}") == 1.0);
    calls(place, &edge, &a, "after");
    assert_eq!(targets(&appliance).len(), 2);
}

#[test]
fn a_name_that_its_server_suddenly_denies_is_still_called() {
    let place = Place(112);
    let zone = Zone::at(place.ip(53));
    two_hosts(&zone, place, 0);
    let appliance = start(place, &zone, UNPROBED);
    zone.clear();
    in_time("it is denied", || metric(&appliance, "bascule_names{state=\"denied\"}") == 1.0);
    let (edge, a) = (place.edge(1), carrier(place, 21));
    calls(place, &edge, &a, "denied");
    two_hosts(&zone, place, 0);
    in_time("it is there again", || metric(&appliance, "bascule_names{state=\"fresh\"}") == 1.0);
    assert_eq!(metric(&appliance, "bascule_name_changes_total"), 1.0, "and nobody has noticed");
}

#[test]
fn a_host_that_dies_is_asked_for_at_once_and_found_where_it_has_gone() {
    let place = Place(113);
    let zone = Zone::at(place.ip(53));
    zone.srv("_sip._udp.voice.example", 86_400, &[(10, 0, "a.voice.example")]);
    zone.a("a.voice.example", 86_400, &[place.ip(21)]);
    // Nobody is at the old address, and its host says so to the first probe.
    let appliance = start(place, &zone, PROBED);
    zone.a("a.voice.example", 86_400, &[place.ip(22)]);
    let b = carrier(place, 22);
    in_time("its new address is known, a day before its time", || {
        targets(&appliance).iter().any(|name| name.contains(&place.ip(22).to_string()))
    });
    let edge = place.edge(1);
    calls(place, &edge, &b, "moved");
    assert!(metric(&appliance, "bascule_name_lookups_early_total") >= 1.0);
}

#[test]
fn a_service_starts_without_a_name_that_leads_nowhere_and_finds_it_later() {
    let place = Place(114);
    let zone = Zone::at(place.ip(53));
    zone.alias("a.voice.example", "b.voice.example");
    zone.alias("b.voice.example", "a.voice.example");
    zone.srv("_sip._udp.voice.example", 60, &[(10, 0, "a.voice.example")]);
    let appliance = start(place, &zone, UNPROBED);
    assert_eq!(targets(&appliance), [""; 0]);
    assert_eq!(metric(&appliance, "bascule_names{state=\"nothing\"}"), 1.0);
    let edge = place.edge(1);
    edge.send(edge.invite("nowhere", "+4930123456", 40_000), place.tier());
    edge.response(503);
    zone.clear();
    two_hosts(&zone, place, 60);
    in_time("it is found", || targets(&appliance).len() == 2);
    let a = carrier(place, 21);
    calls(place, &edge, &a, "found");
}

#[test]
fn a_reload_that_brings_a_name_has_its_addresses_when_it_is_done() {
    let place = Place(115);
    let zone = Zone::at(place.ip(53));
    two_hosts(&zone, place, 60);
    let appliance = place.start("");
    assert_eq!(zone.asked(), 0, "without a name nobody is asked");
    let snapshot = appliance.reload(&load(&place.config(&config(&zone, UNPROBED)))).unwrap();
    assert!(snapshot.config.targets.iter().any(|target| target.name.starts_with("voice-1/")));
    let (edge, a) = (place.edge(1), carrier(place, 21));
    calls(place, &edge, &a, "named");
    appliance.reload(&load(&place.config(""))).unwrap();
    eventually("nothing is said of names any more", || !appliance.metrics_text().contains("bascule_names"));
}
