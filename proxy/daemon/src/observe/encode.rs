//! A HEPv3 packet: `HEP3`, its length, and chunks of vendor 0 (sipcapture's "HEP3 network protocol specification", revision 12, §3).
//!
//! ```text
//! "HEP3" | length u16 | chunk … chunk         chunk: vendor u16 | type u16 | length u16 | value
//! ```
//!
//! Numbers are big endian, lengths count what they stand in.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// Kinds of payload (chunk 11).
pub(super) const SIP: u8 = 1;
pub(super) const RTCP_JSON: u8 = 5;

/// Address families as the chunk has them: those of Linux.
const INET: u8 = 2;
const INET6: u8 = 10;

const TCP: u8 = 6;
const UDP: u8 = 17;

/// What a packet tells.
pub(super) struct Packet<'a> {
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
    pub(super) is_tcp: bool,
    pub(super) kind: u8,
    pub(super) payload: &'a [u8],
    /// What joins all packets of a call.
    pub(super) call: &'a [u8],
}

/// Write it behind what is there; `false`, and nothing written, if it is longer than a packet can be.
pub(super) fn put(
    packet: &Packet<'_>,
    since_1970: Duration,
    (agent, key): (u32, &[u8]),
    out: &mut Vec<u8>,
) -> bool {
    let begin = out.len();
    out.extend_from_slice(b"HEP3\0\0");
    let family = if packet.from.is_ipv4() { INET } else { INET6 };
    chunk(out, 1, &[family]);
    chunk(out, 2, &[if packet.is_tcp { TCP } else { UDP }]);
    for (address, (v4, v6)) in [(packet.from, (3, 5)), (packet.to, (4, 6))] {
        match address.ip() {
            IpAddr::V4(ip) => chunk(out, v4, &ip.octets()),
            IpAddr::V6(ip) => chunk(out, v6, &ip.octets()),
        }
    }
    chunk(out, 7, &packet.from.port().to_be_bytes());
    chunk(out, 8, &packet.to.port().to_be_bytes());
    // Seconds fit until 2106.
    chunk(out, 9, &u32::try_from(since_1970.as_secs()).unwrap_or(u32::MAX).to_be_bytes());
    chunk(out, 10, &since_1970.subsec_micros().to_be_bytes());
    chunk(out, 11, &[packet.kind]);
    chunk(out, 12, &agent.to_be_bytes());
    if !key.is_empty() {
        chunk(out, 14, key);
    }
    chunk(out, 17, packet.call);
    chunk(out, 15, packet.payload);
    let Ok(length) = u16::try_from(out.len() - begin) else {
        out.truncate(begin);
        return false;
    };
    if let Some(place) = out.get_mut(begin + 4..begin + 6) {
        place.copy_from_slice(&length.to_be_bytes());
    }
    true
}

/// A value that is too long makes the packet too long.
fn chunk(out: &mut Vec<u8>, kind: u16, value: &[u8]) {
    out.extend_from_slice(&[0, 0]);
    out.extend_from_slice(&kind.to_be_bytes());
    let length = u16::try_from(value.len() + 6).unwrap_or(u16::MAX);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(value);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_is_byte_for_byte_as_the_specification_lays_it_out() {
        let packet = Packet {
            from: ([192, 0, 2, 1], 5060).into(),
            to: ([192, 0, 2, 2], 5080).into(),
            is_tcp: false,
            kind: SIP,
            payload: b"hi",
            call: b"c1",
        };
        let mut out = b"before".to_vec();
        assert!(put(&packet, Duration::from_micros(1_000_000_000_000_007), (99, b"pw"), &mut out));
        let expected: &[&[u8]] = &[
            b"beforeHEP3\0\x75",
            b"\0\0\0\x01\0\x07\x02",
            b"\0\0\0\x02\0\x07\x11",
            b"\0\0\0\x03\0\x0a\xc0\0\x02\x01",
            b"\0\0\0\x04\0\x0a\xc0\0\x02\x02",
            b"\0\0\0\x07\0\x08\x13\xc4",
            b"\0\0\0\x08\0\x08\x13\xd8",
            b"\0\0\0\x09\0\x0a\x3b\x9a\xca\0",
            b"\0\0\0\x0a\0\x0a\0\0\0\x07",
            b"\0\0\0\x0b\0\x07\x01",
            b"\0\0\0\x0c\0\x0a\0\0\0\x63",
            b"\0\0\0\x0e\0\x08pw",
            b"\0\0\0\x11\0\x08c1",
            b"\0\0\0\x0f\0\x08hi",
        ];
        assert_eq!(out, expected.concat());
    }

    #[test]
    fn what_is_too_long_for_a_packet_leaves_no_trace() {
        let long = vec![b'x'; 65_500];
        let at: SocketAddr = "[2001:db8::1]:5060".parse().unwrap();
        let packet = Packet { from: at, to: at, is_tcp: true, kind: SIP, payload: &long, call: b"c" };
        let mut out = b"before".to_vec();
        assert!(!put(&packet, Duration::ZERO, (1, b""), &mut out));
        assert_eq!(out, b"before");
        assert!(put(&Packet { payload: b"short", ..packet }, Duration::ZERO, (1, b""), &mut out));
    }
}
