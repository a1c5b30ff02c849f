//! Moves one by one, with their numbers worked out by hand.

use super::super::*;
use crate::packet::{Expect, Packet, classify};

const HZ: u32 = 8000;

/// Let a packet pass, and read what comes out.
fn pass(line: &mut Line, ms: u64, ssrc: u32, sequence: u16, timestamp: u32) -> (u32, u16, u32) {
    let mut bytes = vec![0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xaa, 0xbb];
    write(&mut bytes, sequence, timestamp, ssrc);
    let header = RtpHeader { sequence, timestamp, ssrc, ..RtpHeader::default() };
    line.pass(Time::from_millis(ms), HZ, &header, &mut bytes).unwrap();
    assert_eq!((&bytes[..2], &bytes[12..]), (&[0x80, 0][..], &[0xaa, 0xbb][..]), "only three fields change");
    match classify(&bytes, Expect::Rtp) {
        Ok(Packet::Rtp(h)) => (h.ssrc, h.sequence, h.timestamp),
        other => panic!("{other:?}"),
    }
}

#[test]
fn nothing_changes_before_a_move_not_even_a_new_ssrc() {
    let mut line = Line::default();
    assert_eq!(pass(&mut line, 0, 1, 10, 1000), (1, 10, 1000));
    assert_eq!(pass(&mut line, 20, 2, 99, 5), (2, 99, 5));
    assert_eq!(pass(&mut line, 40, 2, 100, 165), (2, 100, 165));
}

#[test]
fn a_new_source_goes_on_where_the_old_one_stopped() {
    let mut line = Line::default();
    pass(&mut line, 0, 1, 65_534, u32::MAX - 100);
    pass(&mut line, 20, 1, 65_535, 59);
    line.moved();
    // 100 ms later: 800 units on, over the end of the timestamp's width and of the sequence's.
    assert_eq!(pass(&mut line, 120, 9, 500, 77), (1, 0, 859));
    assert_eq!(pass(&mut line, 140, 9, 501, 237), (1, 1, 1019));
    assert_eq!(pass(&mut line, 141, 9, 503, 557), (1, 3, 1339));
    assert_eq!(pass(&mut line, 142, 9, 502, 397), (1, 2, 1179), "the source's own reordering is kept");
}

#[test]
fn what_belongs_before_the_first_packet_of_a_source_is_late() {
    let mut line = Line::default();
    pass(&mut line, 0, 1, 10, 0);
    line.moved();
    assert_eq!(pass(&mut line, 20, 2, 501, 160), (1, 11, 160));
    let late = RtpHeader { ssrc: 2, sequence: 500, timestamp: 0, ..RtpHeader::default() };
    let mut bytes = [0; 12];
    assert_eq!(line.pass(Time::from_millis(21), HZ, &late, &mut bytes), Err(DropReason::Late));
    assert_eq!(bytes, [0; 12], "and left as it was");
    assert_eq!(pass(&mut line, 40, 2, 502, 320), (1, 12, 320));
    assert_eq!(pass(&mut line, 41, 2, 501, 160), (1, 11, 160), "a second copy is its sender's business");
}

#[test]
fn time_is_counted_from_the_begin_of_a_timestamp() {
    let mut line = Line::default();
    pass(&mut line, 0, 1, 10, 0);
    // A digit of 200 ms: ten packets with the timestamp of its begin.
    for n in 0..10 {
        pass(&mut line, 20 + 20 * u64::from(n), 1, 11 + n, 160);
    }
    line.moved();
    assert_eq!(pass(&mut line, 220, 2, 0, 0), (1, 21, 1760));
}

#[test]
fn a_source_that_starts_anew_under_its_old_name_is_mapped_anew() {
    let mut line = Line::default();
    pass(&mut line, 0, 1, 10, 0);
    line.moved();
    assert_eq!(pass(&mut line, 20, 2, 500, 0), (1, 11, 160));
    assert_eq!(pass(&mut line, 40, 2, 20_000, 99), (1, 12, 320));
    assert_eq!(pass(&mut line, 60, 2, 20_001, 259), (1, 13, 480));
}

#[test]
fn a_late_packet_of_the_old_source_does_not_set_the_line_back() {
    let mut line = Line::default();
    pass(&mut line, 0, 1, 10, 1600);
    pass(&mut line, 5, 1, 9, 1440);
    line.moved();
    assert_eq!(pass(&mut line, 20, 2, 0, 0), (1, 11, 1760));
}

#[test]
fn after_a_move_a_new_ssrc_of_the_same_peer_is_mapped_too() {
    let mut line = Line::default();
    pass(&mut line, 0, 1, 10, 0);
    line.moved();
    assert_eq!(pass(&mut line, 20, 2, 700, 9000), (1, 11, 160));
    assert_eq!(pass(&mut line, 40, 3, 20, 50), (1, 12, 320));
    assert_eq!(pass(&mut line, 60, 3, 21, 210), (1, 13, 480));
}

#[test]
fn every_further_move_keeps_the_first_ssrc() {
    let mut line = Line::default();
    pass(&mut line, 0, 1, 10, 0);
    for (n, source) in (1..=20).zip(100..) {
        line.moved();
        line.moved();
        let n = n as u16;
        assert_eq!(pass(&mut line, 20 * u64::from(n), source, n * 1000, 0), (1, 10 + n, 160 * u32::from(n)));
    }
}

#[test]
fn two_senders_never_share_a_timestamp() {
    let mut line = Line::default();
    pass(&mut line, 20, 1, 10, 160);
    line.moved();
    assert_eq!(pass(&mut line, 20, 2, 0, 0), (1, 11, 161));
}

#[test]
fn a_leg_moved_before_its_first_packet_passes_untouched() {
    let mut line = Line::default();
    line.moved();
    assert_eq!(pass(&mut line, 0, 4, 4, 4), (4, 4, 4));
}
