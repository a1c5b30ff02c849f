//! What a packet is, by its own bytes: RTP, RTCP or something else on the same port.

use crate::rtcp;
use relay_values::DropReason;

/// Bytes of the fixed RTP header (RFC 3550 §5.1).
pub(crate) const RTP_HEADER: usize = 12;

/// Least bytes of an RTCP packet here: header and one SSRC, as in an empty receiver report (RFC 3550 §6.4.2).
const RTCP_LEAST: usize = 8;

/// Least bytes that SRTCP appends: an index of four and a tag of ten (RFC 3711 §3.4, §8.2).
const SRTCP_TRAILER: usize = 14;

/// What a port is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expect {
    /// RTP only.
    Rtp,
    /// RTP and RTCP (RFC 5761).
    Both,
    /// RTCP only.
    Rtcp,
}

/// A packet that may be relayed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Packet {
    /// RTP, with the fields of its header that the relay looks at.
    Rtp(RtpHeader),
    /// RTCP, perhaps compound.
    Rtcp,
    /// What begins like RTCP and cannot be read: it may be encrypted.
    Sealed,
    /// DTLS beside SRTP (RFC 5764).
    Dtls,
    /// Of a stream that is not RTP.
    Datagram,
}

/// The moving part of an RTP header (RFC 3550 §5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct RtpHeader {
    pub(crate) payload_type: u8,
    /// Where the payload begins, and its length without padding.
    pub(crate) payload_at: u16,
    pub(crate) payload: u16,
    pub(crate) sequence: u16,
    pub(crate) timestamp: u32,
    pub(crate) ssrc: u32,
}

impl RtpHeader {
    /// The first bytes of the payload, if there are so many.
    pub(crate) fn payload_begin<const N: usize>(&self, bytes: &[u8]) -> Option<[u8; N]> {
        let payload = bytes.get(usize::from(self.payload_at)..)?.get(..usize::from(self.payload))?;
        payload.first_chunk().copied()
    }
}

/// Say what `bytes` are on a port that expects `expect`, and whether their lengths hold together.
pub(crate) fn classify(bytes: &[u8], expect: Expect) -> Result<Packet, DropReason> {
    // The first byte tells protocols on one port apart (RFC 7983 §7).
    match bytes.first() {
        None => return Err(DropReason::TooShort),
        Some(0..=3) => return Err(DropReason::Stun),
        Some(20..=63) => return Err(DropReason::Dtls),
        Some(128..=191) => {}
        Some(_) if bytes.len() < RTP_HEADER => return Err(DropReason::TooShort),
        Some(_) => return Err(DropReason::NotRtp),
    }
    let Some(&kind) = bytes.get(1) else { return Err(DropReason::TooShort) };
    match (expect, kind) {
        // RFC 5761 §4: RTCP packet types stand where RTP has payload types 64 to 95 with the marker set.
        (Expect::Both | Expect::Rtcp, 192..=223) => of_rtcp(bytes),
        (Expect::Rtcp, _) => Err(DropReason::NotRtp),
        // Payload types 72 to 76 are reserved so that stray RTCP is known (RFC 3551 §6).
        (Expect::Rtp, 200..=204) => Err(DropReason::NotRtp),
        (Expect::Rtp | Expect::Both, _) => rtp(bytes),
    }
}

/// RFC 3550 appendix A.1, the checks that need no state.
fn rtp(bytes: &[u8]) -> Result<Packet, DropReason> {
    let Some((&[first, second, s0, s1, t0, t1, t2, t3, c0, c1, c2, c3], rest)) =
        bytes.split_first_chunk::<RTP_HEADER>()
    else {
        return Err(DropReason::TooShort);
    };
    let csrcs = usize::from(first & 0x0f) * 4;
    let mut body = rest.get(csrcs..).ok_or(DropReason::Malformed)?;
    if first & 0x10 != 0 {
        // RFC 3550 §5.3.1: profile, length in words, words.
        let (&[_, _, hi, lo], after) = body.split_first_chunk().ok_or(DropReason::Malformed)?;
        let words = usize::from(u16::from_be_bytes([hi, lo]));
        body = after.get(words * 4..).ok_or(DropReason::Malformed)?;
    }
    let mut payload = body.len();
    if first & 0x20 != 0 {
        // The last byte counts itself (RFC 3550 §5.1).
        let padding = body.last().copied().map_or(0, usize::from);
        if padding == 0 || padding > payload {
            return Err(DropReason::Malformed);
        }
        payload -= padding;
    }
    Ok(Packet::Rtp(RtpHeader {
        payload_type: second & 0x7f,
        // A UDP packet is no longer than 16 bits can say.
        payload_at: (bytes.len() - body.len()) as u16,
        payload: payload as u16,
        sequence: u16::from_be_bytes([s0, s1]),
        timestamp: u32::from_be_bytes([t0, t1, t2, t3]),
        ssrc: u32::from_be_bytes([c0, c1, c2, c3]),
    }))
}

/// RFC 3550 appendix A.2, but for the rule that a report comes first, which RFC 5506 lifts.
fn of_rtcp(bytes: &[u8]) -> Result<Packet, DropReason> {
    if bytes.len() < RTCP_LEAST {
        return Err(DropReason::TooShort);
    }
    let plain = compound(bytes);
    match plain {
        Ok(_) if !rtcp::hold_together(bytes) => Err(DropReason::Malformed),
        Err(_) if may_be_sealed(bytes) => Ok(Packet::Sealed),
        Ok(_) | Err(_) => plain,
    }
}

/// SRTCP (RFC 3711 §3.4) leaves the first header in the clear and appends its index and an authentication tag.
fn may_be_sealed(bytes: &[u8]) -> bool {
    let Some(&[_, _, hi, lo]) = bytes.first_chunk() else { return false };
    let first = (usize::from(u16::from_be_bytes([hi, lo])) + 1) * 4;
    first >= RTCP_LEAST && first + SRTCP_TRAILER <= bytes.len()
}

/// Packets that fill `bytes` to the end.
fn compound(bytes: &[u8]) -> Result<Packet, DropReason> {
    let mut rest = bytes;
    while let Some((&[first, _, hi, lo], _)) = rest.split_first_chunk() {
        if first >> 6 != 2 {
            return Err(DropReason::Malformed);
        }
        let len = (usize::from(u16::from_be_bytes([hi, lo])) + 1) * 4;
        let (this, after) = rest.split_at_checked(len).ok_or(DropReason::Malformed)?;
        if first & 0x20 != 0 {
            // Only the last packet of a compound is padded, by whole words (RFC 3550 §6.4.1).
            let padding = this.last().copied().map_or(0, usize::from);
            if !after.is_empty() || padding == 0 || padding % 4 != 0 || padding > len - 4 {
                return Err(DropReason::Malformed);
            }
        }
        rest = after;
    }
    if rest.is_empty() { Ok(Packet::Rtcp) } else { Err(DropReason::Malformed) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use DropReason::{Dtls, Malformed, NotRtp, Stun, TooShort};

    fn rtp_bytes(first: u8, second: u8, body: &[u8]) -> Vec<u8> {
        let mut b = vec![first, second, 0x12, 0x34, 0, 0, 0x10, 0, 0xca, 0xfe, 0, 1];
        b.extend_from_slice(body);
        b
    }

    #[test]
    fn the_first_byte_tells_protocols_apart() {
        let check = |first: u8| {
            let mut b = rtp_bytes(0x80, 0, &[0; 20]);
            b[0] = first;
            classify(&b, Expect::Rtp).err()
        };
        for (range, expected) in [
            (0..=3, Some(Stun)),
            (4..=19, Some(NotRtp)),
            (20..=63, Some(Dtls)),
            (64..=127, Some(NotRtp)),
            (128..=128, None),
            (192..=255, Some(NotRtp)),
        ] {
            for first in range {
                assert_eq!(check(first), expected, "first byte {first}");
            }
        }
    }

    #[test]
    fn an_rtp_header_is_read() {
        let header = RtpHeader {
            payload_type: 0,
            payload_at: 12,
            payload: 0,
            sequence: 0x1234,
            timestamp: 0x1000,
            ssrc: 0xcafe_0001,
        };
        assert_eq!(classify(&rtp_bytes(0x80, 0, &[]), Expect::Rtp), Ok(Packet::Rtp(header)));
        let event = RtpHeader { payload_type: 101, payload: 4, ..header };
        assert_eq!(classify(&rtp_bytes(0x80, 0x80 | 101, &[1; 4]), Expect::Both), Ok(Packet::Rtp(event)));
        let padded = RtpHeader { payload: 1, ..header };
        assert_eq!(classify(&rtp_bytes(0xa0, 0, &[9, 0, 0, 3]), Expect::Rtp), Ok(Packet::Rtp(padded)));
    }

    #[test]
    fn lengths_inside_an_rtp_packet_must_hold_together() {
        for (what, first, body, fits) in [
            ("two CSRCs", 0x82, &[0; 8][..], true),
            ("two CSRCs, room for one", 0x82, &[0; 7], false),
            ("extension of one word", 0x90, &[0xbe, 0xde, 0, 1, 1, 2, 3, 4], true),
            ("extension of two words, room for one", 0x90, &[0xbe, 0xde, 0, 2, 1, 2, 3, 4], false),
            ("extension of 65535 words", 0x90, &[0xbe, 0xde, 0xff, 0xff], false),
            ("extension header cut off", 0x90, &[0xbe, 0xde, 0], false),
            ("padding of three", 0xa0, &[9, 0, 0, 3], true),
            ("nothing but padding", 0xa0, &[0, 0, 0, 4], true),
            ("padding into the header", 0xa0, &[0, 0, 0, 5], false),
            ("padding of zero", 0xa0, &[0, 0, 0, 0], false),
            ("padding of nothing", 0xa0, &[], false),
        ] {
            let result = classify(&rtp_bytes(first, 0, body), Expect::Rtp);
            assert_eq!(result.is_ok(), fits, "{what}: {result:?}");
            assert!(fits || result == Err(Malformed), "{what}");
        }
    }

    #[test]
    fn short_packets_are_short() {
        assert_eq!(classify(&[], Expect::Rtp), Err(TooShort));
        assert_eq!(classify(&[0x80], Expect::Both), Err(TooShort));
        assert_eq!(classify(b"hello", Expect::Rtp), Err(TooShort));
        assert_eq!(classify(&rtp_bytes(0x80, 0, &[])[..11], Expect::Rtp), Err(TooShort));
        assert_eq!(classify(&[0x80, 201, 0, 0], Expect::Rtcp), Err(TooShort));
    }

    #[test]
    fn rtcp_is_known_by_its_packet_type() {
        let rr = [0x80, 201, 0, 1, 0, 0, 0, 1];
        assert_eq!(classify(&rr, Expect::Rtcp), Ok(Packet::Rtcp));
        assert_eq!(classify(&rr, Expect::Both), Ok(Packet::Rtcp));
        assert_eq!(classify(&rr, Expect::Rtp), Err(NotRtp));
        assert_eq!(classify(&rtp_bytes(0x80, 0, &[]), Expect::Rtcp), Err(NotRtp));
        let edges = [(191, false), (192, true), (223, true), (224, false)];
        for (kind, is_rtcp) in edges {
            let mut b = rr;
            b[1] = kind;
            assert_eq!(classify(&b, Expect::Both) == Ok(Packet::Rtcp), is_rtcp, "second byte {kind}");
        }
    }

    #[test]
    fn what_begins_like_rtcp_and_is_long_enough_may_be_sealed() {
        let sealed = [&[0x80, 201, 0, 1, 0, 0, 0, 1][..], &[0x80, 0, 0, 1], &[7; 10]].concat();
        assert_eq!(classify(&sealed, Expect::Rtcp), Ok(Packet::Sealed));
        assert_eq!(classify(&sealed, Expect::Both), Ok(Packet::Sealed));
        assert_eq!(classify(&sealed[..21], Expect::Rtcp), Err(Malformed), "no room for index and tag");
    }

    #[test]
    fn lengths_inside_a_compound_must_add_up() {
        let (rr, bye) = ([0x80, 201, 0, 1, 0, 0, 0, 1], [0x81, 203, 0, 1, 0, 0, 0, 1]);
        assert_eq!(classify(&[rr, bye].concat(), Expect::Rtcp), Ok(Packet::Rtcp));
        for (what, bytes) in [
            ("longer inside than outside", vec![0x80, 201, 0, 2, 0, 0, 0, 1]),
            ("bytes left over", [&rr[..], &[0x80]].concat()),
            ("second of another version", [&rr[..], &[0x40, 203, 0, 0]].concat()),
            ("padding in the middle", [&[0xa0, 201, 0, 2, 0, 0, 0, 1, 0, 0, 0, 4][..], &bye].concat()),
            ("padding longer than the packet", vec![0xa0, 201, 0, 1, 0, 0, 0, 8]),
            ("padding not in words", vec![0xa0, 201, 0, 1, 0, 0, 0, 3]),
        ] {
            assert_eq!(classify(&bytes, Expect::Rtcp), Err(Malformed), "{what}");
        }
    }
}
