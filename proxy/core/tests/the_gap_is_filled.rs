//! What the carrier hears while its tier leg is lost, by what the call speaks; and hold, in each of its spellings.

mod common;

use common::*;
use proxy_core::*;
use relay_values::{Direction, Duration, Fill, Law, Leg, RelayCommand, Sound};
use std::sync::Arc;

const OURS: &str = "192.0.2.1";
const THEIRS: &str = "198.51.100.1";

/// A description of one audio line: its formats and what stands below it.
fn audio(address: &str, port: u16, formats: &str, below: &str) -> String {
    format!(
        "v=0\r\no=- 1 1 IN IP4 {address}\r\ns=-\r\nc=IN IP4 {address}\r\nt=0 0\r\nm=audio {port} RTP/AVP {formats}\r\n{below}"
    )
}

/// A call of this audio is up in east: the 200 that the carrier got.
fn up(stage: &mut Stage, formats: &str, below: &str) -> String {
    stage.receive(CARRIER, &invite("one", &audio(OURS, 30000, formats, below)));
    let out = stage.take(EAST).remove(0);
    let body = audio(THEIRS, 40000, formats, below);
    stage.receive(EAST, &answer(&out, 200, "t-east", "bob@198.51.100.1", &body));
    let ok = stage.take(CARRIER).pop().unwrap();
    stage.receive(CARRIER, &in_dialog(&ok, "ACK", 1, ""));
    stage.take(EAST);
    stage.relayed.clear();
    ok
}

/// What is heard when its region dies.
fn fill(formats: &str, below: &str, policy: GapFill) -> Option<Fill> {
    let mut config = config();
    config.rehome.fill = policy;
    let mut stage = Stage::with(config);
    up(&mut stage, formats, below);
    let mut snapshot = (*stage.snapshot).clone();
    snapshot.generation += 1;
    snapshot.health[0].state = TargetState::Down;
    snapshot.regions[0].state = RegionState::Down;
    stage.input(Input::Snapshot(Arc::new(snapshot)));
    let bridge = stage.relayed.iter().find_map(|c| match c {
        RelayCommand::Bridge { leg: Leg::B, fill, .. } => Some(*fill),
        _ => None,
    });
    bridge.expect("the leg is bridged")
}

fn heard(formats: &str, below: &str, policy: GapFill) -> Option<(u8, Sound)> {
    fill(formats, below, policy).map(|fill| (fill.payload_type, fill.sound))
}

#[test]
fn the_sound_is_one_that_the_carrier_can_decode() {
    let opus = "a=rtpmap:111 opus/48000/2\r\n";
    let wide = "a=rtpmap:96 AMR-WB/16000\r\na=rtpmap:97 CN/16000\r\n";
    for (formats, below, expected) in [
        ("0 101", "a=rtpmap:101 telephone-event/8000\r\n", Some((0, Sound::Noise(Law::Mu)))),
        ("8", "", Some((8, Sound::Noise(Law::A)))),
        ("18", "", None),
        ("18 13", "", Some((13, Sound::ComfortNoise))),
        ("9 13", "", Some((13, Sound::ComfortNoise))),
        ("111", opus, None),
        // Its clock is not the codec's: the line would fall back in time (RFC 3389 §4).
        ("111 13", opus, None),
        ("96 97", wide, None),
    ] {
        assert_eq!(heard(formats, below, GapFill::Noise), expected, "{formats}");
        assert_eq!(heard(formats, below, GapFill::Nothing), None, "{formats}");
    }
    assert_eq!(heard("8", "", GapFill::Prompt), Some((8, Sound::Prompt(Law::A))));
    assert_eq!(
        heard("18 13", "", GapFill::Prompt),
        Some((13, Sound::ComfortNoise)),
        "a prompt is G.711 alone"
    );
}

#[test]
fn it_comes_in_packets_of_the_agreed_time() {
    for (ptime, expected) in
        [(5, 5), (10, 10), (20, 20), (30, 30), (40, 40), (60, 60), (4, 20), (61, 20), (1000, 20)]
    {
        let fill = fill("8", &format!("a=ptime:{ptime}\r\n"), GapFill::Noise).unwrap();
        assert_eq!(fill.packet_time, Duration::from_millis(expected), "ptime {ptime}");
    }
    assert_eq!(fill("8", "", GapFill::Noise).unwrap().packet_time, Duration::from_millis(20));
}

#[test]
fn every_way_to_hold_stops_what_it_means_to() {
    // Seen from us, by leg: what the relay is told.
    let (both, none) = (Direction::SendRecv, Direction::Inactive);
    for (offer, answer_line, to_a, to_b) in [
        ("a=sendonly\r\n", "a=recvonly\r\n", Direction::RecvOnly, Direction::SendOnly),
        ("a=recvonly\r\n", "a=sendonly\r\n", Direction::SendOnly, Direction::RecvOnly),
        ("a=inactive\r\n", "a=inactive\r\n", none, none),
        // RFC 2543's way, which an answerer of that age answers as if nothing were.
        ("c=IN IP4 0.0.0.0\r\n", "a=recvonly\r\n", Direction::RecvOnly, Direction::SendOnly),
        ("c=IN IP4 0.0.0.0\r\n", "", Direction::RecvOnly, Direction::SendOnly),
        ("c=IN IP4 0.0.0.0\r\na=inactive\r\n", "a=inactive\r\n", none, none),
        // One side holds, the other holds back.
        ("a=sendonly\r\n", "a=inactive\r\n", none, none),
        ("a=sendrecv\r\n", "a=sendrecv\r\n", both, both),
    ] {
        let mut stage = Stage::new();
        let ok = up(&mut stage, "8", "a=ptime:30\r\n");
        stage.receive(CARRIER, &in_dialog(&ok, "INVITE", 2, &audio(OURS, 30000, "8", offer)));
        let reinvite = stage.take(EAST).remove(0);
        assert!(!reinvite.contains("0.0.0.0"), "our address cannot say it: {reinvite}");
        let body = audio(THEIRS, 40000, "8", answer_line);
        let response = answer(&reinvite, 200, "t-east", "bob@198.51.100.1", &body)
            .replace(";tag=t-east;tag=t-east", ";tag=t-east");
        stage.receive(EAST, &response);
        let told = |leg| {
            stage.relayed.iter().rev().find_map(|c| match c {
                RelayCommand::Connect { leg: l, to, .. } if *l == leg => Some(to.direction),
                _ => None,
            })
        };
        let changed = (to_a, to_b) != (both, both);
        let expected = |direction| changed.then_some(direction);
        assert_eq!((told(Leg::A), told(Leg::B)), (expected(to_a), expected(to_b)), "{offer} {answer_line}");
    }
}
