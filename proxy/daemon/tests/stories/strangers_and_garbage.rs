use super::world::{Place, Ua, call, eventually, hang_up, media, metric};
use bascule::Notice;
use std::net::UdpSocket;

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
    let _appliance = crate::audited::Audited::start(super::world::load(&text)).unwrap();
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

#[test]
fn a_stranger_at_a_calls_ports_is_kept_out_counted_and_on_the_record() {
    let place = Place(29);
    let appliance = place.start("");
    let events = appliance.events();
    let (carrier, edge) = (place.carrier(), place.edge(1));
    let call = call(place, &carrier, &edge, "eavesdropped", "+4930123456");
    let phone = UdpSocket::bind((place.ip(2), 40_000)).unwrap();
    let agent = UdpSocket::bind((place.ip(11), 41_000)).unwrap();
    let stranger = UdpSocket::bind((place.ip(66), 40_000)).unwrap();
    for socket in [&agent, &stranger] {
        socket.set_read_timeout(Some(std::time::Duration::from_millis(200))).unwrap();
    }
    let rtp = |ssrc, n| [&[0x80, 0, 0, n, 0, 0, 0, 160, 0, 0, 0, ssrc][..], &[0xff; 160]].concat();
    let ours = media(&call.ok);
    // The stranger has seen a packet and goes on from there.
    // A packet that is there before the relay has heard of the answer is nobody's: a phone goes on speaking.
    eventually("media passes", || {
        phone.send_to(&rtp(7, 1), ours).unwrap();
        agent.recv(&mut [0; 2000]).is_ok()
    });
    while agent.recv(&mut [0; 2000]).is_ok() {}
    stranger.send_to(&rtp(7, 2), ours).unwrap();
    stranger.send_to(&rtp(9, 2), media(&call.invite)).unwrap();
    let strangers = |what| metric(&appliance, &format!("bascule_media_strangers_total{{what=\"{what}\"}}"));
    eventually("the stranger is counted", || (strangers("rtp"), strangers("forged")) == (2.0, 1.0));
    // What came too early has strayed.
    assert_eq!((strangers("rtcp"), strangers("spray")), (0.0, 0.0));
    for socket in [&agent, &stranger] {
        assert!(socket.recv(&mut [0; 2000]).is_err(), "nothing of it is passed on, and nothing comes back");
    }
    hang_up(place, &carrier, &edge, &call);
    let finished = events.iter().find_map(|notice| match notice {
        Notice::Finished(record) => Some(record),
        Notice::Health { .. } | Notice::Moved(_) | Notice::Moves { .. } => None,
    });
    let strangers = finished.and_then(|record| record.media.clone()).expect("media was relayed").strangers;
    assert_eq!((strangers.rtp, strangers.forged, strangers.sources), (2, 1, 1));
    assert_eq!(strangers.first, stranger.local_addr().ok());
}
