//! The packet rewrite: one stream goes on although its sender has changed.
//!
//! The receiver of a stream keeps its decoder, its jitter buffer and its statistics by SSRC, and orders packets by
//! sequence number and timestamp (RFC 3550 §5.1). When a leg is moved to another peer, the new peer's stream has an SSRC,
//! a sequence and a timestamp line of its own. So that the other leg notices nothing, the first packet of the new source
//! is mapped to what the old source would have sent by now, and everything after it by the same offsets:
//!
//! ```text
//! SSRC       stays
//! sequence   last sent + 1, then as the new source counts
//! timestamp  last sent + time passed × clock rate, then as the new source counts
//! ```
//!
//! Until a leg is moved for the first time nothing is changed, and afterwards a change of SSRC within one peer's stream
//! (which a peer may do at any time) is mapped likewise: the line, once taken over, is ours.

use crate::meter::in_units;
use crate::packet::{RTP_HEADER, RtpHeader};
use relay_values::Time;

/// The line of the stream that a leg's peer sends and the other leg receives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Line {
    /// Nothing has been sent on.
    #[default]
    Unused,
    /// The peer's own: packets pass untouched.
    Plain(Sent),
    /// The peer was changed; the next packet sets the offsets.
    Moved(Sent),
    /// Packets of `source` are shifted.
    Shifted {
        sent: Sent,
        /// SSRC of the present source.
        source: u32,
        /// What is added to its sequence numbers and timestamps, modulo their width.
        sequence: u16,
        timestamp: u32,
    },
}

/// The newest packet that the receiver has got, as it got it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sent {
    ssrc: u32,
    sequence: u16,
    timestamp: u32,
    at: Time,
}

impl Line {
    /// The leg has another peer from now on.
    pub(crate) fn moved(&mut self) {
        match *self {
            Self::Unused => {}
            Self::Plain(sent) | Self::Moved(sent) | Self::Shifted { sent, .. } => *self = Self::Moved(sent),
        }
    }

    /// Let a packet pass, rewritten in place where the line asks for it. `header` is its header as it came.
    pub(crate) fn pass(&mut self, now: Time, clock_rate: u32, header: &RtpHeader, bytes: &mut [u8]) {
        let RtpHeader { ssrc, sequence, timestamp } = *header;
        match self {
            Self::Unused => *self = Self::Plain(Sent { ssrc, sequence, timestamp, at: now }),
            Self::Plain(sent) if sent.ssrc == ssrc => sent.advance(sequence, timestamp, now),
            Self::Plain(sent) => *sent = Sent { ssrc, sequence, timestamp, at: now },
            Self::Shifted { sent, source, sequence: ds, timestamp: dt } if *source == ssrc => {
                let (sequence, timestamp) = (sequence.wrapping_add(*ds), timestamp.wrapping_add(*dt));
                sent.advance(sequence, timestamp, now);
                write(bytes, sequence, timestamp, sent.ssrc);
            }
            Self::Moved(old) | Self::Shifted { sent: old, .. } => {
                let sent = old.continued(now, clock_rate);
                *self = Self::Shifted {
                    sent,
                    source: ssrc,
                    sequence: sent.sequence.wrapping_sub(sequence),
                    timestamp: sent.timestamp.wrapping_sub(timestamp),
                };
                write(bytes, sent.sequence, sent.timestamp, sent.ssrc);
            }
        }
    }
}

impl Sent {
    /// What the receiver expects next, if it comes now.
    fn continued(self, now: Time, clock_rate: u32) -> Self {
        let passed = in_units(Time::ZERO + now.since(self.at), clock_rate);
        Self {
            ssrc: self.ssrc,
            sequence: self.sequence.wrapping_add(1),
            // Equal timestamps mean "of one frame" (RFC 3550 §5.1), which two packets of two senders never are.
            timestamp: self.timestamp.wrapping_add(passed.max(1)),
            at: now,
        }
    }

    /// Remember a packet of the same source, unless it is a late one.
    fn advance(&mut self, sequence: u16, timestamp: u32, now: Time) {
        let behind = self.sequence.wrapping_sub(sequence);
        if behind == 0 || behind > crate::limits::MAX_MISORDER {
            (self.sequence, self.timestamp, self.at) = (sequence, timestamp, now);
        }
    }
}

/// Put the three fields into an RTP header.
fn write(bytes: &mut [u8], sequence: u16, timestamp: u32, ssrc: u32) {
    let Some(header) = bytes.first_chunk_mut::<RTP_HEADER>() else { return };
    header[2..4].copy_from_slice(&sequence.to_be_bytes());
    header[4..8].copy_from_slice(&timestamp.to_be_bytes());
    header[8..12].copy_from_slice(&ssrc.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::{Expect, Packet, classify};

    const HZ: u32 = 8000;

    /// Let a packet pass, and read what comes out.
    fn pass(line: &mut Line, ms: u64, ssrc: u32, sequence: u16, timestamp: u32) -> (u32, u16, u32) {
        let mut bytes = vec![0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xaa, 0xbb];
        write(&mut bytes, sequence, timestamp, ssrc);
        let header = RtpHeader { sequence, timestamp, ssrc };
        line.pass(Time::from_millis(ms), HZ, &header, &mut bytes);
        assert_eq!(
            (&bytes[..2], &bytes[12..]),
            (&[0x80, 0][..], &[0xaa, 0xbb][..]),
            "only three fields change"
        );
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
            assert_eq!(
                pass(&mut line, 20 * u64::from(n), source, n * 1000, 0),
                (1, 10 + n, 160 * u32::from(n))
            );
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
}
