use super::world::{Place, Ua, eventually, metric};

#[test]
fn a_stranger_hears_nothing_and_is_counted() {
    let place = Place(20);
    let appliance = place.start("");
    let stranger = Ua::at((place.ip(99), 5060).into());
    stranger.send(stranger.invite("scan", "+4930123456", 40_000), place.appliance());
    eventually("the stranger is counted", || {
        metric(&appliance, "bascule_rejects_total{reason=\"unknown_source\"}") == 1.0
    });
    stranger.hears_nothing();
}

#[test]
fn a_stranger_is_answered_403_where_that_is_wanted() {
    let place = Place(21);
    let text = format!("unknown_source = \"reject\"\n{}", place.config(""));
    let _appliance = bascule::Appliance::start(super::world::load(&text)).unwrap();
    let stranger = Ua::at((place.ip(99), 5060).into());
    stranger.send(stranger.invite("scan", "+4930123456", 40_000), place.appliance());
    stranger.response(403);
}

#[test]
fn broken_sip_is_answered_400_and_never_reaches_the_other_side() {
    let place = Place(22);
    let appliance = place.start("");
    let (carrier, edge) = (place.carrier(), place.edge(1));
    let broken =
        carrier.invite("broken", "+4930123456", 40_000).replace("CSeq: 1 INVITE", "CSeq: one INVITE");
    carrier.send(broken, place.appliance());
    carrier.response(400);
    edge.hears_nothing();
    assert_eq!(metric(&appliance, "bascule_rejects_total{reason=\"malformed\"}"), 1.0);
}

#[test]
fn what_is_not_sip_is_dropped_and_counted_and_keep_alives_are_no_garbage() {
    let place = Place(23);
    let appliance = place.start("");
    let carrier = place.carrier();
    for datagram in [&b"\x00\x01\x02\x03\x04\x05"[..], b"GET / HTTP/1.1\r\n\r\n", b"", b"\r\n\r\n"] {
        carrier.send(datagram, place.appliance());
    }
    eventually("garbage and keep-alives are counted", || {
        let garbage = metric(&appliance, "bascule_rejects_total{reason=\"garbage\"}");
        let keepalives = metric(&appliance, "bascule_keepalives_total");
        (garbage, keepalives) == (2.0, 2.0)
    });
    carrier.hears_nothing();
}
