//! What a packet of ours says in its payload: who sent it, in which leg, and which of that leg's packets it is. A packet
//! without a mark was made by the device.

use bytes::{BufMut, BytesMut};

/// 20 ms of G.711.
pub const PAYLOAD: usize = 160;
/// RTP header (RFC 3550 §5.1), without CSRCs.
pub const HEADER: usize = 12;
/// First bytes of a marked payload.
const MAGIC: u32 = 0x666c_6f77;
/// Bytes of a mark.
const MARK: usize = 16;

/// The fixed header of RTP, as far as a line is made of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Sequence number.
    pub sequence: u16,
    /// Timestamp.
    pub timestamp: u32,
    /// Synchronisation source.
    pub ssrc: u32,
}

/// Who sent a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// Who: the carrier or a region. Never 0.
    pub origin: u8,
    /// The sender's name for the call.
    pub slot: u32,
    /// Counts the packets that it sent in this call, from 0.
    pub n: u32,
}

/// Write a packet of PCMU; the marker bit begins a talk (RFC 3551 §4.1).
pub fn write(b: &mut BytesMut, header: Header, mark: Mark) {
    b.put_u8(0x80);
    b.put_u8(if mark.n == 0 { 0x80 } else { 0 });
    b.put_u16(header.sequence);
    b.put_u32(header.timestamp);
    b.put_u32(header.ssrc);
    b.put_u32(MAGIC);
    b.put_slice(&[mark.origin, 0, 0, 0]);
    b.put_u32(mark.slot);
    b.put_u32(mark.n);
    b.put_bytes(0xff, PAYLOAD - MARK);
}

/// Read a packet: its header, and its mark if it has one. `None` for what is not RTP.
pub fn read(bytes: &[u8]) -> Option<(Header, Option<Mark>)> {
    if bytes.len() < HEADER || bytes[0] >> 6 != 2 {
        return None;
    }
    let u16_at = |at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
    let u32_at = |at: usize| u32::from(u16_at(at)) << 16 | u32::from(u16_at(at + 2));
    let header = Header { sequence: u16_at(2), timestamp: u32_at(4), ssrc: u32_at(8) };
    let is_marked = bytes.len() == HEADER + PAYLOAD && u32_at(HEADER) == MAGIC;
    let mark = is_marked.then(|| Mark {
        origin: bytes[HEADER + 4],
        slot: u32_at(HEADER + 8),
        n: u32_at(HEADER + 12),
    });
    Some((header, mark))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_is_read_as_it_was_written_and_noise_has_no_mark() {
        let header = Header { sequence: 65_535, timestamp: 7, ssrc: 0xdead_beef };
        let mark = Mark { origin: 2, slot: 999, n: 70_000 };
        let mut b = BytesMut::new();
        write(&mut b, header, mark);
        assert_eq!(b.len(), HEADER + PAYLOAD);
        assert_eq!(read(&b), Some((header, Some(mark))));
        b[HEADER] = 0xff;
        assert_eq!(read(&b), Some((header, None)));
        assert_eq!(read(&b[..11]), None);
        b[0] = 0x40;
        assert_eq!(read(&b), None);
    }
}
