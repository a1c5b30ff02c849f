//! RTP as it leaves us.

use super::*;
use relay_values::{Fill, Law, Leg, RelayCommand, SessionId, Sound};
use sim::{Header, Source};

const SESSION: SessionId = SessionId(1);
const OLD: &str = "172.20.101.1:20000";
const NEW: &str = "172.20.102.1:20000";

fn header(sequence: u16, timestamp: u32) -> Header {
    Header { kind: 0, marker: false, sequence, timestamp, ssrc: 0x55 }
}

/// A packet of a peer's, as it came and as it left.
fn peer(from: &str, came: Header) -> Source {
    Source::Peer(address(from), Header { ssrc: 0x66, ..came })
}

impl Tap {
    fn heard(&mut self, ms: u64, source: Source, left: Header) {
        self.0.heard(Time::from_millis(ms), Some(0), (SESSION, Leg::A), source, left, &[0; 16]);
    }

    /// A key's packet, with its end or without.
    fn key(&mut self, ms: u64, came: Header, left: Header, end: bool) {
        let mut packet = [0; 16];
        packet[13] = u8::from(end) << 7;
        let left = Header { kind: 101, ..left };
        self.0.heard(Time::from_millis(ms), Some(0), (SESSION, Leg::A), peer(OLD, came), left, &packet);
    }

    fn bridge(&mut self, ms: u64) {
        let fill = Fill {
            payload_type: 0,
            clock_rate: 8000,
            packet_time: relay_values::Duration::from_millis(20),
            sound: Sound::Noise(Law::Mu),
        };
        let bridge = RelayCommand::Bridge { session: SESSION, leg: Leg::B, fill: Some(fill) };
        self.0.command(Time::from_millis(ms), &bridge);
    }

    fn retarget(&mut self) {
        let session = SESSION;
        let retarget =
            RelayCommand::Retarget { session, leg: Leg::B, region: relay_values::RegionId(1), to: None };
        self.0.command(Time::ZERO, &retarget);
    }

    /// Two packets of the old peer, 20 ms apart.
    fn speaking() -> Self {
        let mut tap = Self::new();
        tap.heard(1000, peer(OLD, header(10, 1600)), header(10, 1600));
        tap.heard(1020, peer(OLD, header(11, 1760)), header(11, 1760));
        tap
    }
}

#[test]
fn a_line_that_is_not_one_line() {
    let came = header(500, 9000);
    // What is wrong, when it leaves, and as what.
    let wrong = [
        ("another SSRC", 1040, Header { ssrc: 0x77, ..header(12, 1920) }),
        ("a number that was said", 1040, header(11, 1920)),
        ("a number that was left out", 1040, header(13, 1920)),
        ("a timestamp that stands still", 1040, header(12, 1760)),
        ("a timestamp that goes back", 1040, header(12, 1700)),
        ("a timestamp behind real time", 2020, header(12, 1920)),
        ("a timestamp before real time", 1040, header(12, 9000)),
    ];
    for (what, ms, left) in wrong {
        let mut tap = Tap::speaking();
        tap.retarget();
        tap.heard(ms, peer(NEW, came), left);
        assert!(tap.broken().contains(&"line"), "{what}");
    }
    let mut tap = Tap::speaking();
    tap.retarget();
    tap.heard(1040, peer(NEW, came), header(12, 1920));
    tap.heard(1060, peer(NEW, header(501, 9160)), header(13, 2080));
    assert!(tap.broken().is_empty(), "{:?}", tap.0.violations);
    tap.heard(1080, peer(NEW, header(502, 9320)), header(15, 2240));
    assert_eq!(tap.broken(), ["line", "line"], "its distance has changed, and a number was left out");
}

#[test]
fn a_source_that_was_followed_by_another_is_heard_again() {
    let mut tap = Tap::speaking();
    tap.retarget();
    tap.heard(1040, peer(NEW, header(500, 9000)), header(12, 1920));
    tap.heard(1060, peer(OLD, header(13, 2080)), header(13, 2080));
    assert_eq!(tap.broken(), ["line"]);
}

#[test]
fn a_fill_that_does_not_go_on_where_the_peer_stopped() {
    for (left, broken) in [(header(12, 1920), 0), (header(13, 1920), 1), (header(12, 1000), 1)] {
        let mut tap = Tap::speaking();
        tap.heard(1040, Source::Ours, left);
        assert_eq!(tap.broken(), vec!["line"; broken], "{left:?}");
    }
}

#[test]
fn a_key_without_an_end_and_a_key_that_is_heard_twice() {
    let key = header(12, 1920);
    let mut tap = Tap::speaking();
    tap.key(1040, key, key, false);
    tap.bridge(1060);
    tap.0.clock(Time::from_millis(1500));
    assert_eq!(tap.broken(), ["keys"], "its peer was lost, and nobody ended it");
    let mut tap = Tap::speaking();
    tap.key(1040, key, key, false);
    tap.key(1060, header(13, 1920), header(13, 1920), true);
    tap.bridge(1060);
    tap.0.clock(Time::from_millis(1500));
    assert!(tap.broken().is_empty());
    tap.key(1520, header(14, 1920), header(14, 4000), false);
    assert!(tap.broken().contains(&"keys"), "one key, two timestamps");
}

#[test]
fn a_key_whose_end_was_lost_on_its_way_here_is_not_the_one_that_a_bridge_has_to_end() {
    let (first, second) = (header(12, 1920), header(13, 5760));
    let mut tap = Tap::speaking();
    tap.key(1040, first, first, false);
    tap.key(1520, second, second, false);
    tap.key(1540, header(14, 5760), header(14, 5760), true);
    tap.bridge(1560);
    tap.0.clock(Time::from_millis(2000));
    assert!(tap.broken().is_empty(), "{:?}", tap.0.violations);
    // The one under way is.
    let mut tap = Tap::speaking();
    tap.key(1040, first, first, false);
    tap.key(1520, second, second, false);
    tap.bridge(1560);
    tap.0.clock(Time::from_millis(2000));
    assert_eq!(tap.broken(), ["keys"]);
}
