//! What the record of a call says of how it sounded.

mod common;
use common::compounds::*;
use common::{ALICE, BOB, Shell, config, connect, open, rtp};
use relay_values::{Bursts, Connect, FlowStats};

/// Bob sends these numbers, each in its turn of a packet time; what was measured of them.
fn play(numbers: &[u16], step: u32) -> FlowStats {
    let (mut s, _, b) = talking();
    for &number in numbers {
        s.packet(b, BOB, &rtp(LINE, number, u32::from(number) * step)).unwrap();
        s.pass(ms(u64::from(step / 8)));
    }
    s.release(ID).from_b
}

fn without(lost: &[u16], first: u16, count: u16) -> Vec<u16> {
    (0..count).filter(|n| !lost.contains(n)).map(|n| first.wrapping_add(n)).collect()
}

#[test]
fn a_clean_stream_has_a_packet_time_and_nothing_else() {
    for step in [40, 80, 160, 240, 480] {
        let f = play(&without(&[], 65_500, 100), step);
        assert_eq!((f.packets, f.lost, f.duplicates, f.reordered), (100, 0, 0, 0));
        assert_eq!((f.packet_time_us, f.payload_type, f.bursts), (step * 125, Some(0), Bursts::default()));
    }
}

#[test]
fn the_same_loss_sounds_different_in_one_piece() {
    // Five in a hundred: each by itself, and all together; over the end of the numbers.
    let spread = play(&without(&[10, 30, 50, 70, 90], 65_490, 100), 160);
    let together = play(&without(&[50, 51, 53, 54, 55], 65_490, 100), 160);
    assert_eq!((spread.lost, together.lost), (5, 5));
    assert_eq!(spread.bursts, Bursts { longest_loss: 1, ..Bursts::default() });
    assert_eq!(together.bursts, Bursts { bursts: 1, packets: 6, lost: 5, longest: 6, longest_loss: 3 });
}

#[test]
fn copies_and_late_packets_are_told_apart_from_loss() {
    let f = play(&[1, 2, 4, 3, 5, 5, 5, 8, 6, 7, 9, 10], 160);
    assert_eq!((f.packets, f.lost, f.duplicates, f.reordered), (12, 0, 2, 3));
    assert_eq!(f.bursts, Bursts::default());
}

#[test]
fn a_new_peer_brings_no_loss_and_the_old_ones_stays() {
    let (mut s, _, b) = talking();
    for number in without(&[5, 6], 100, 20) {
        s.packet(b, BOB, &rtp(LINE, number, u32::from(number) * 160)).unwrap();
        s.pass(ms(20));
    }
    retarget(&mut s, CAROL);
    speak(&mut s, b, CAROL, SOURCE, 40_000, 50, 7);
    let f = s.release(ID).from_b;
    assert_eq!((f.lost, f.ssrc), (2, SOURCE));
    assert_eq!(f.bursts, Bursts { bursts: 1, packets: 2, lost: 2, longest: 2, longest_loss: 2 });
}

#[test]
fn keys_are_not_the_codec() {
    let mut s = Shell::new(config(10_000..=10_099));
    let bob = Connect { event: Some(101), ..connect(BOB) };
    let (_, b) = s.call(open(0), connect(ALICE), bob);
    for n in 0..10 {
        let mut packet = rtp(LINE, n, u32::from(n) * 160);
        packet[1] = if n < 9 { 8 } else { 101 };
        s.packet(b, BOB, &packet).unwrap();
        s.pass(ms(20));
    }
    assert_eq!(s.release(ID).from_b.payload_type, Some(8));
}

#[test]
fn later_flows_of_a_call_add_to_the_earlier_ones() {
    let mut sum = play(&without(&[50, 51], 0, 100), 160);
    sum.add(&play(&[1, 2, 3, 3, 9, 10], 80));
    // A copy hides a loss in this sum (RFC 3550 appendix A.3), not in the bursts.
    assert_eq!((sum.packets, sum.lost, sum.duplicates, sum.packet_time_us), (104, 6, 1, 10_000));
    assert_eq!(sum.bursts, Bursts { bursts: 2, packets: 2 + 5, lost: 7, longest: 5, longest_loss: 5 });
}
