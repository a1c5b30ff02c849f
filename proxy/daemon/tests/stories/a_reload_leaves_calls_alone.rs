use super::world::{Place, call, eventually, hang_up, load, metric};
use bascule::ReloadError;

#[test]
fn a_call_that_is_up_survives_a_reload_that_takes_its_edge_away() {
    let place = Place(10);
    let appliance = place.start("");
    let (carrier, north, south) = (place.carrier(), place.edge(1), place.edge(2));
    let old = call(place, &carrier, &north, "old", "+4930123456");
    let before = appliance.snapshot().generation;

    let text = place.config("").replace("groups = [\"north\", \"south\"]", "groups = [\"south\"]");
    let snapshot = appliance.reload(&load(&text)).unwrap();
    assert!(snapshot.generation > before);

    let new = call(place, &carrier, &south, "new", "+4930123456");
    hang_up(place, &carrier, &south, &new);
    hang_up(place, &carrier, &north, &old);
    eventually("both are recorded as hung up by their caller", || {
        metric(&appliance, "bascule_calls_closed_total{reason=\"bye_from_a\"}") == 2.0
    });
}

#[test]
fn a_reload_that_needs_a_restart_is_refused_whole() {
    let place = Place(11);
    let appliance = place.start("");
    let before = appliance.snapshot().generation;
    let text = place.config("").replace("30000-30399", "30000-30799").replace("+49", "+31");
    let error = appliance.reload(&load(&text)).unwrap_err();
    assert!(matches!(&error, ReloadError::NeedsRestart(_)));
    assert!(error.to_string().contains("ports"), "{error}");
    assert_eq!(appliance.snapshot().generation, before, "not even the part that could have been taken was");
    let (carrier, edge) = (place.carrier(), place.edge(1));
    let call = call(place, &carrier, &edge, "still", "+4930123456");
    hang_up(place, &carrier, &edge, &call);
}

#[test]
fn draining_refuses_new_calls_and_keeps_those_that_are_up() {
    let place = Place(12);
    let appliance = place.start("");
    let (carrier, edge) = (place.carrier(), place.edge(1));
    let up = call(place, &carrier, &edge, "up", "+4930123456");
    appliance.drain();
    carrier.send(carrier.invite("late", "+4930123456", 40_002), place.appliance());
    carrier.response(503);
    assert_eq!(metric(&appliance, "bascule_rejects_total{reason=\"draining\"}"), 1.0);
    hang_up(place, &carrier, &edge, &up);
}

#[test]
fn a_drained_region_gets_no_new_calls() {
    let place = Place(13);
    let appliance = place.start("");
    let (carrier, south) = (place.carrier(), place.edge(2));
    let _north = place.edge(1);
    appliance.drain_regions(&["north"]).unwrap();
    let call = call(place, &carrier, &south, "drained", "+4930123456");
    hang_up(place, &carrier, &south, &call);
}
