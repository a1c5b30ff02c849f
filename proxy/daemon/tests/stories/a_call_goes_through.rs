use super::world::{Place, call, eventually, hang_up, media, metric};
use bascule::Notice;
use proxy_core::CloseReason;
use std::net::UdpSocket;

#[test]
fn options_is_answered() {
    let place = Place(1);
    let _appliance = place.start("");
    let carrier = place.carrier();
    let at = carrier.at;
    let options = format!(
        "OPTIONS sip:{0} SIP/2.0\r\nVia: SIP/2.0/UDP {at};branch=z9hG4bKo\r\nFrom: <sip:x@{at}>;tag=1\r\n\
         To: <sip:{0}>\r\nCall-ID: o\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n",
        place.appliance()
    );
    carrier.send(options, place.appliance());
    carrier.response(200);
}

#[test]
fn a_call_is_set_up_heard_both_ways_and_recorded() {
    let place = Place(2);
    let file = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("calls-2.jsonl");
    let _ = std::fs::remove_file(&file);
    let appliance = place.start(&format!("[records]\nfile = \"{}\"", file.display()));
    let events = appliance.events();
    let (carrier, edge) = (place.carrier(), place.edge(1));
    let call = call(place, &carrier, &edge, "through", "+4930123456");
    assert_eq!(metric(&appliance, "bascule_calls{state=\"answered\"}"), 1.0);

    // RTP from either side arrives at the other, from the appliance's address.
    let (a, b) = (media(&call.ok), media(&call.invite));
    assert_eq!((a.ip(), b.ip()), (place.ip(1), place.ip(1)));
    let phone = UdpSocket::bind((place.ip(2), 40_000)).unwrap();
    let agent = UdpSocket::bind((place.ip(11), 41_000)).unwrap();
    for (from, to, at) in [(&phone, &agent, a), (&agent, &phone, b)] {
        let rtp = [&[0x80, 0, 0, 1, 0, 0, 0, 160, 0, 0, 0, 7][..], &[0xff; 160]].concat();
        to.set_read_timeout(Some(super::world::PATIENCE)).unwrap();
        from.send_to(&rtp, at).unwrap();
        let mut buffer = [0; 2_000];
        let n = to.recv(&mut buffer).expect("media passes");
        assert_eq!(buffer[12..n], rtp[12..]);
    }

    hang_up(place, &carrier, &edge, &call);
    let finished = events.iter().find_map(|notice| match notice {
        Notice::Finished(record) => Some(record),
        Notice::Health { .. } | Notice::Moved(_) | Notice::Moves { .. } => None,
    });
    let record = finished.unwrap();
    assert_eq!((record.code, record.close), (200, CloseReason::ByeFromA));
    assert_eq!(appliance.live_calls(), 0);
    assert_eq!(metric(&appliance, "bascule_calls_closed_total{reason=\"bye_from_a\"}"), 1.0);
    assert_eq!(metric(&appliance, "bascule_pdd_seconds_count"), 1.0);
    appliance.stop();

    let text = std::fs::read_to_string(&file).unwrap();
    let line: serde_json::Value = serde_json::from_str(text.trim()).expect("one JSON object on one line");
    assert_eq!(line["direction"], "inbound");
    assert_eq!((&line["calling"], &line["called"]), (&"+4917012345".into(), &"+4930123456".into()));
    assert_eq!((&line["trunk"], &line["site"], &line["code"]), (&"acme".into(), &"main".into(), &200.into()));
    assert_eq!(line["steps"][0]["target"], "north-1");
    assert_eq!(line["steps"][0]["outcome"], "answered");
    assert_eq!(line["media"]["from_a"]["packets"], 1);
    assert_eq!(line["media"]["from_b"]["forwarded"], 1);
    let started = line["started"].as_str().unwrap();
    assert!(started.starts_with("20") && started.ends_with('Z') && started.len() == 24, "{started}");
}

#[test]
fn nothing_listening_at_the_first_edge_is_found_out_by_icmp_and_the_second_answers() {
    let place = Place(3);
    let appliance = place.start("");
    let (carrier, edge) = (place.carrier(), place.edge(2));
    let call = call(place, &carrier, &edge, "hunt", "+4930123456");
    eventually("the first edge is known to be down", || {
        metric(
            &appliance,
            "bascule_target_state{target=\"north-1\",owner=\"north\",region=\"north\",state=\"down\"}",
        ) == 1.0
    });
    assert!(metric(&appliance, "bascule_icmp_errors_total") >= 1.0);
    assert!(appliance.snapshot().generation >= 2);
    hang_up(place, &carrier, &edge, &call);
}
