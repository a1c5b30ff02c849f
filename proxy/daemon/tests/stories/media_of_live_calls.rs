//! What the relay measures of calls that are up, asked of the admin API and of the command line.

use super::http::Http;
use super::operators::{Speaking, bascule, socket, start, text};
use super::the_admin_api::get;
use super::world::{Call, PATIENCE, Place, call, eventually, hang_up, load, media, patient};
use crate::audited::Audited;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, UdpSocket};
use std::process::Stdio;

/// A phone on the carrier's side and one on the tier's, where the calls of these stories say that they are.
fn phones(place: Place) -> (UdpSocket, UdpSocket) {
    let at = |host, port| {
        let socket = UdpSocket::bind((place.ip(host), port)).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket
    };
    (at(2, 40_000), at(11, 41_000))
}

/// 20 ms of G.711, and heard at the other end.
fn says(from: &UdpSocket, port: SocketAddr, to: &UdpSocket, sequence: u16) {
    let timestamp = u32::from(sequence) * 160;
    let head = [&[0x80, 0][..], &sequence.to_be_bytes(), &timestamp.to_be_bytes(), &[0, 0, 0, 7]].concat();
    from.send_to(&[head, vec![0xff; 160]].concat(), port).unwrap();
    to.recv(&mut [0; 2_000]).expect("media passes");
}

/// Both ends of a call speak until this is dropped.
fn talk(place: Place, up: &Call) -> [Speaking; 2] {
    [
        Speaking::new((place.ip(2), 40_000).into(), vec![media(&up.ok)], 7),
        Speaking::new((place.ip(11), 41_000).into(), vec![media(&up.invite)], 9),
    ]
}

fn start_patient(place: Place) -> Audited {
    let admin = format!("[admin]\nsocket = \"{}\"\n", socket(place).display());
    Audited::start(load(&patient(&place.config(&admin)))).unwrap()
}

/// The only line of a call, by the Call-ID of a leg.
fn line(place: Place, call_id: &str) -> Value {
    let media = get(place, &format!("/v1/calls/{call_id}"))["media"].clone();
    assert_eq!(media["lines"].as_array().map(Vec::len), Some(1), "{media}");
    media["lines"][0].clone()
}

#[test]
fn packets_count_up_while_a_call_is_up_and_losses_that_were_made_are_seen() {
    let place = Place(155);
    let _appliance = start_patient(place);
    let (carrier, north) = (place.carrier(), place.edge(1));
    let up = call(place, &carrier, &north, "measured", "+4930123456");
    let (phone, agent) = phones(place);
    let quiet = line(place, "measured");
    assert_eq!(
        (&quiet["from_a"]["state"], &quiet["from_b"]["state"]),
        (&json!("unheard"), &json!("unheard"))
    );
    assert_eq!((&quiet["from_a"]["packets"], &quiet["leads"]), (&json!(0), &json!(true)));
    for sequence in 1..=30 {
        says(&phone, media(&up.ok), &agent, sequence);
    }
    let before = line(place, "measured");
    assert_eq!(
        (&before["from_a"]["packets"], &before["from_a"]["lost"]),
        (&json!(30), &json!(0)),
        "{before}"
    );
    assert_eq!(before["from_a"]["carried_by"], json!("sockets"));
    assert_eq!(before["from_a"]["from"], json!("127.77.155.2:40000"));
    assert!(before["from_a"]["mos"].is_null(), "there was next to nothing to hear: {before}");
    // Every tenth is lost from here on.
    for sequence in (31..=131).filter(|sequence| sequence % 10 != 0) {
        says(&phone, media(&up.ok), &agent, sequence);
    }
    // By the other leg's Call-ID, and by its name.
    let other = get(place, "/v1/calls")["calls"][0].clone();
    let after = line(place, other["b_call_id"].as_str().unwrap());
    let from_a = &after["from_a"];
    assert_eq!(
        (&from_a["packets"], &from_a["lost"], &from_a["bytes"]),
        (&json!(121), &json!(10), &json!(121 * 172))
    );
    assert_eq!((&from_a["payload_type"], &from_a["packet_time_us"]), (&json!(0), &json!(20_000)));
    let mos = from_a["mos"].as_f64().expect("an estimate");
    assert!((1.0..3.7).contains(&mos), "G.711 with 7.6 % of it lost is 3.66 at best: {after}");
    assert_eq!((&after["from_b"]["packets"], &after["from_b"]["state"]), (&json!(0), &json!("unheard")));
    says(&agent, media(&up.invite), &phone, 1);
    let name = other["call"].as_str().unwrap();
    assert_eq!(line(place, name)["from_b"]["packets"], json!(1));
    eventually("nobody speaks any more", || line(place, name)["from_a"]["state"] == "silent");
    assert!(line(place, name)["from_a"]["last_ms"].as_u64() >= Some(1_000));

    let (code, out, error) = text(&bascule(place, &["call", name]).output().unwrap());
    assert_eq!(code, 0, "{error}");
    let row = out.lines().find(|line| line.starts_with("A-leg, line 0")).unwrap_or_else(|| panic!("{out}"));
    for cell in ["silent for", "sockets", "121", "10 (7.6%)"] {
        assert!(row.contains(cell), "{cell}: {out}");
    }
    hang_up(place, &carrier, &north, &up);
    eventually("the call is gone", || Http::unix(&socket(place)).get("/v1/calls/measured").status == 404);
}

#[test]
fn a_call_whose_media_goes_past_us_is_answered_and_says_so() {
    let place = Place(151);
    let admin = format!("[admin]\nsocket = \"{}\"\n", socket(place).display());
    let config = place.config(&admin).replace("v4 = \"127.77.151.1\"", "mode = \"bypass\"");
    let config = config.replace("ports = \"30000-30399\"", "");
    let _appliance = Audited::start(load(&config)).unwrap();
    let (carrier, north) = (place.carrier(), place.edge(1));
    let up = call(place, &carrier, &north, "past", "+4930123456");
    let told = get(place, "/v1/calls/past");
    assert_eq!(
        (&told["state"], &told["media"]),
        (&json!("answered"), &json!({"absent": "bypass", "lines": []}))
    );
    let (code, out, _) = text(&bascule(place, &["call", told["call"].as_str().unwrap()]).output().unwrap());
    assert!(code == 0 && out.contains("[media] mode is bypass"), "{out}");
    hang_up(place, &carrier, &north, &up);
}

#[test]
fn a_thousand_who_ask_at_once_are_all_answered_and_no_packet_of_the_call_is_lost_for_it() {
    const ASKERS: usize = 12;
    const EACH: usize = 84;
    let place = Place(152);
    let _appliance = start(place, "");
    let (carrier, north) = (place.carrier(), place.edge(1));
    let up = call(place, &carrier, &north, "asked", "+4930123456");
    let talk = talk(place, &up);
    eventually("both are heard", || {
        let line = line(place, "asked");
        line["from_a"]["state"] == "flowing" && line["from_b"]["state"] == "flowing"
    });
    let asked = std::thread::scope(|threads| {
        let ask = || {
            let mut http = Http::unix(&socket(place));
            let answers = (0..EACH).map(|_| {
                let reply = http.get("/v1/calls/asked");
                assert_eq!(reply.status, 200);
                reply.json()["media"]["lines"][0].clone()
            });
            answers.collect::<Vec<Value>>()
        };
        let askers: Vec<_> = (0..ASKERS).map(|_| threads.spawn(ask)).collect();
        askers.into_iter().flat_map(|asker| asker.join().unwrap()).collect::<Vec<_>>()
    });
    assert_eq!(asked.len(), ASKERS * EACH);
    for line in &asked {
        // Measured, or told why it is not.
        let why = &line["absent"];
        assert!(line["from_a"]["packets"].is_u64() || why == "busy" || why == "no_answer", "{line}");
    }
    let last = line(place, "asked");
    for direction in ["from_a", "from_b"] {
        let flow = &last[direction];
        assert_eq!((&flow["state"], &flow["lost"]), (&json!("flowing"), &json!(0)), "{last}");
        assert_eq!(flow["packets"], flow["forwarded"], "{last}");
    }
    drop(talk);
    hang_up(place, &carrier, &north, &up);
}

#[test]
fn a_call_is_watched_from_a_terminal_until_it_is_over() {
    let place = Place(154);
    let _appliance = start(place, "");
    let (carrier, north) = (place.carrier(), place.edge(1));
    let up = call(place, &carrier, &north, "watched", "+4930123456");
    let talk = talk(place, &up);
    let mut watching = bascule(place, &["call", "watched", "--watch", "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut packets = BufReader::new(watching.stdout.take().unwrap()).lines().map(|line| {
        let told: Value = serde_json::from_str(&line.unwrap()).unwrap();
        told["media"]["lines"][0]["from_a"]["packets"].as_u64()
    });
    let seen: Vec<_> = packets.by_ref().take(3).collect();
    assert!(seen[0].is_some() && seen[0] < seen[1] && seen[1] < seen[2], "{seen:?}");
    drop(talk);
    hang_up(place, &carrier, &north, &up);
    packets.for_each(drop);
    let output = watching.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(2) && said.contains("no live call `watched`"), "{said}");
}
