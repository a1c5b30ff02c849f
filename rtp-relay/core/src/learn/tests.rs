//! Stories of a window.

use super::*;

const SDP: &str = "10.0.0.5:4000";
const SIDE: &str = "10.0.0.5:4444";
const NAT: &str = "198.18.0.9:61000";
const THIEF: &str = "198.18.6.6:4000";

struct World {
    window: Window,
    ms: u64,
}

fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

impl World {
    fn new() -> Self {
        Self { window: Window::new(None), ms: 1000 }
    }

    fn after(stale: &str) -> Self {
        Self { window: Window::new(Some(at(stale))), ms: 1000 }
    }

    fn hear(&mut self, from: &str, ssrc: u32, sequence: u16) -> Hearing {
        let header = RtpHeader { ssrc, sequence, ..RtpHeader::default() };
        let place = Place::of(at(from), at(SDP));
        self.window.hear(Time::from_millis(self.ms), at(from), place, Some(&header))
    }

    fn lapse(&mut self) -> Option<SocketAddr> {
        self.window.lapse(Time::from_millis(self.ms))
    }
}

use Hearing::{Best, Outranked, Won};

#[test]
fn the_first_packet_of_the_first_one_passes() {
    let mut w = World::new();
    assert_eq!(w.hear(NAT, 1, 1), Best);
    assert_eq!(w.window.best(), Some(at(NAT)));
}

#[test]
fn the_described_place_wins_at_once_whoever_was_there() {
    let mut w = World::new();
    for n in 0..20 {
        w.hear(THIEF, 6, n);
    }
    assert_eq!(w.hear(SDP, 1, 1), Won);
}

#[test]
fn the_right_host_takes_over_with_its_first_packet() {
    let mut w = World::new();
    for n in 0..20 {
        assert_eq!(w.hear(THIEF, 6, n), Best);
    }
    assert_eq!(w.hear(SIDE, 1, 1), Best);
    assert_eq!(w.hear(THIEF, 6, 20), Outranked);
}

#[test]
fn of_two_that_are_alike_the_first_one_stays_whatever_the_other_does() {
    let mut w = World::new();
    assert_eq!((w.hear(NAT, 1, 1), w.hear(NAT, 1, 2)), (Best, Best));
    for n in 0..100 {
        // It even has the right SSRC and sequence.
        assert_eq!(w.hear(THIEF, 1, 3 + n), Outranked);
    }
    w.ms += 499;
    assert_eq!(w.lapse(), None);
    w.ms += 1;
    assert_eq!(w.lapse(), Some(at(NAT)));
}

#[test]
fn a_burst_between_the_first_two_packets_of_the_first_one_wins_no_more_than_the_time_between() {
    let mut w = World::new();
    assert_eq!(w.hear(NAT, 1, 1), Best);
    assert_eq!(w.hear(THIEF, 6, 1), Outranked);
    assert_eq!(w.hear(THIEF, 6, 2), Best, "a stream is more than a packet");
    assert_eq!(w.hear(NAT, 1, 2), Best, "and of two streams the first one is the better");
    assert_eq!(w.hear(THIEF, 6, 3), Outranked);
}

#[test]
fn numbers_out_of_order_or_of_several_streams_prove_nothing() {
    let mut w = World::new();
    w.hear(NAT, 1, 1);
    w.hear(THIEF, 6, 100);
    for (ssrc, sequence) in [(6, 100), (6, 99), (6, 20_000), (7, 20_001), (8, 20_002)] {
        assert_eq!(w.hear(THIEF, ssrc, sequence), Outranked, "{ssrc} {sequence}");
    }
    assert_eq!(w.hear(THIEF, 8, 20_003), Best);
}

#[test]
fn a_packet_that_nothing_follows_is_answered_for_the_time_of_the_window_and_never_learnt() {
    let mut w = World::new();
    w.hear(THIEF, 6, 1);
    w.ms += 499;
    assert_eq!((w.lapse(), w.window.best()), (None, Some(at(THIEF))));
    w.ms += 1;
    assert_eq!((w.lapse(), w.window.best()), (None, None));
    w.ms += 10_000;
    assert_eq!(w.hear(NAT, 1, 1), Best);
    w.hear(NAT, 1, 2);
    w.ms += 500;
    assert_eq!(w.lapse(), Some(at(NAT)));
}

#[test]
fn one_that_comes_rarely_is_learnt_by_its_second_packet_but_not_at_once() {
    let mut w = World::new();
    w.hear(NAT, 1, 1);
    w.ms += 15_000;
    assert_eq!((w.lapse(), w.window.best()), (None, None));
    assert_eq!(w.hear(NAT, 1, 2), Best);
    assert_eq!(w.lapse(), None, "somebody else may still show that he is the better");
    w.ms += 500;
    assert_eq!(w.lapse(), Some(at(NAT)));
}

#[test]
fn who_was_here_before_gives_way_to_a_stream_and_to_nothing_less() {
    let mut w = World::after(NAT);
    assert_eq!(w.hear(NAT, 1, 1), Best, "nobody else is there");
    assert_eq!(w.hear(NAT, 1, 2), Best);
    assert_eq!(w.hear(THIEF, 6, 1), Outranked);
    assert_eq!(w.window.best(), Some(at(NAT)));
    assert_eq!(w.hear(THIEF, 6, 2), Best);
    assert_eq!(w.hear(NAT, 1, 3), Outranked);
}

#[test]
fn a_single_packet_from_anywhere_is_not_answered_where_somebody_was_before() {
    let mut w = World::after(NAT);
    assert_eq!(w.hear(THIEF, 6, 1), Outranked);
    assert_eq!(w.window.best(), None);
}

#[test]
fn who_was_here_before_and_stays_alone_is_the_peer_in_the_end() {
    let mut w = World::after(NAT);
    for n in 0..100 {
        assert_eq!(w.hear(NAT, 1, n), Best);
        assert_eq!(w.lapse(), None);
        w.ms += 20;
    }
    assert_eq!(w.lapse(), Some(at(NAT)));
}

#[test]
fn made_up_sources_do_not_shut_the_peer_out() {
    let mut w = World::new();
    let spoofed = |n: u16| format!("203.0.113.{}:{}", n % 250, 1000 + n);
    for n in 0..50 {
        w.hear(&spoofed(n), n.into(), n);
    }
    w.hear(NAT, 1, 1);
    for n in 50..52 {
        w.hear(&spoofed(n), n.into(), n);
    }
    assert_eq!(w.hear(NAT, 1, 2), Best);
}

#[test]
fn a_flood_passes_no_more_than_media_would() {
    let mut w = World::new();
    let passed = (0..10_000).filter(|n| w.hear(THIEF, 6, *n) == Best).count();
    assert_eq!(passed, usize::from(LEARN_PACKETS));
}

#[test]
fn what_has_no_numbers_proves_itself_by_coming_again() {
    let mut w = World::new();
    let mut hear =
        |from: &str, ms| w.window.hear(Time::from_millis(ms), at(from), Place::of(at(from), at(SDP)), None);
    assert_eq!(hear(NAT, 0), Best);
    assert_eq!(hear(NAT, 10), Best);
    assert_eq!(hear(THIEF, 20), Outranked);
    assert_eq!(w.window.lapse(Time::from_millis(500)), Some(at(NAT)));
}
