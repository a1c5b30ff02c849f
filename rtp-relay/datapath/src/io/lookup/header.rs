//! The headers of what we send by ourselves: IP as a socket of ours would have it, and UDP with its checksum.

use std::net::{IpAddr, SocketAddr};

/// Room in front of a payload for the headers of either family.
pub(super) const HEADROOM: usize = IPV6 + UDP;

const IPV4: usize = 20;
const IPV6: usize = 40;
const UDP: usize = 8;

const UDP_PROTOCOL: u8 = 17;

/// Hop limit, as the stack gives it (net.ipv4.ip_default_ttl, net.ipv6.conf.*.hop_limit).
const HOP_LIMIT: u8 = 64;

/// Every path carries packets of this length whole: IPv6 demands it (RFC 8200 §5), and what carries IPv6 carries IPv4.
const EVERY_PATH: usize = 1280;

/// Write the headers of a packet of ours from `from` to `to` in front of the payload, which begins at [`HEADROOM`] and ends with
/// `packet`. Where the whole packet begins; `None` if the families differ, or if it may have to be cut to pieces, which the
/// stack knows how to do.
pub(super) fn write(packet: &mut [u8], from: SocketAddr, to: SocketAddr, tos: u8) -> Option<usize> {
    let udp_length = u16::try_from(packet.len().checked_sub(HEADROOM - UDP)?).ok()?;
    let udp_at = HEADROOM - UDP;
    let udp: &mut [u8; UDP] = packet.get_mut(udp_at..HEADROOM)?.try_into().ok()?;
    udp[..2].copy_from_slice(&from.port().to_be_bytes());
    udp[2..4].copy_from_slice(&to.port().to_be_bytes());
    udp[4..6].copy_from_slice(&udp_length.to_be_bytes());
    udp[6..].copy_from_slice(&[0, 0]);
    // The pseudo header (RFC 768, RFC 8200 §8.1): addresses, protocol and length.
    let mut sum = u64::from(u16::from(UDP_PROTOCOL).to_be()) + u64::from(udp_length.to_be());
    let begin = match (from.ip(), to.ip()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            let begin = udp_at - IPV4;
            let header: &mut [u8; IPV4] = packet.get_mut(begin..udp_at)?.try_into().ok()?;
            let whole = IPV4 + usize::from(udp_length);
            header[..2].copy_from_slice(&[0x45, tos]);
            header[2..4].copy_from_slice(&u16::try_from(whole).ok()?.to_be_bytes());
            // Never to be fragmented, then its identification says nothing (RFC 6864 §4.1); else the kernel chooses one.
            let flags = if whole <= EVERY_PATH { 0x40 } else { 0 };
            header[4..12].copy_from_slice(&[0, 0, flags, 0, HOP_LIMIT, UDP_PROTOCOL, 0, 0]);
            header[12..16].copy_from_slice(&from.octets());
            header[16..].copy_from_slice(&to.octets());
            sum += added(&header[12..]);
            begin
        }
        (IpAddr::V6(from), IpAddr::V6(to)) => {
            let begin = udp_at - IPV6;
            if packet.len() - begin > EVERY_PATH {
                return None;
            }
            let header: &mut [u8; IPV6] = packet.get_mut(begin..udp_at)?.try_into().ok()?;
            header[..4].copy_from_slice(&[0x60 | tos >> 4, tos << 4, 0, 0]);
            header[4..6].copy_from_slice(&udp_length.to_be_bytes());
            header[6..8].copy_from_slice(&[UDP_PROTOCOL, HOP_LIMIT]);
            header[8..24].copy_from_slice(&from.octets());
            header[24..].copy_from_slice(&to.octets());
            sum += added(&header[8..]);
            begin
        }
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => return None,
    };
    sum += added(packet.get(udp_at..)?);
    // A sum of zero is sent as its other zero (RFC 768): zero means that there is none.
    let checksum = match !folded(sum) {
        0 => 0xffff,
        checksum => checksum,
    };
    packet.get_mut(udp_at + 6..HEADROOM)?.copy_from_slice(&checksum.to_ne_bytes());
    Some(begin)
}

/// The sum of 16-bit words as they lie in memory, not folded (RFC 1071: the order of bytes does not matter to it).
fn added(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<4>();
    let mut sum: u64 = words.iter().map(|word| u64::from(u32::from_ne_bytes(*word))).sum();
    let mut last = [0; 4];
    for (to, from) in last.iter_mut().zip(rest) {
        *to = *from;
    }
    sum += u64::from(u32::from_ne_bytes(last));
    sum
}

fn folded(mut sum: u64) -> u16 {
    while sum > 0xffff {
        sum = (sum >> 16) + (sum & 0xffff);
    }
    sum as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(payload: &[u8]) -> Vec<u8> {
        [&[0xee; HEADROOM][..], payload].concat()
    }

    /// RFC 1071 §4.1, word by word.
    fn sum(bytes: &[u8]) -> u16 {
        let words = bytes.chunks(2).map(|w| u32::from(w[0]) << 8 | w.get(1).map_or(0, |b| u32::from(*b)));
        let sum: u32 = words.sum();
        let sum = (sum & 0xffff) + (sum >> 16);
        ((sum & 0xffff) + (sum >> 16)) as u16
    }

    #[test]
    fn a_checksum_is_right_for_every_length() {
        for len in 0..64 {
            let payload: Vec<u8> = (0..len).map(|i| (i * 37 + 200) as u8).collect();
            let (from, to) = ("192.0.2.1:20000", "198.51.100.2:40000");
            let mut v4 = packet(&payload);
            assert_eq!(write(&mut v4, from.parse().unwrap(), to.parse().unwrap(), 184), Some(20));
            let pseudo = [&v4[32..40], &[0, 17], &v4[44..46]].concat();
            assert_eq!(sum(&[&pseudo, &v4[40..]].concat()), 0xffff, "{len}");
            assert_eq!(v4[20..24], [0x45, 184, 0, 28 + len as u8]);
            let mut v6 = packet(&payload);
            let (from, to) = ("[2001:db8::1]:20000", "[2001:db8::2]:40000");
            assert_eq!(write(&mut v6, from.parse().unwrap(), to.parse().unwrap(), 184), Some(0));
            let pseudo = [&v6[8..40], &[0, 17], &v6[44..46]].concat();
            assert_eq!(sum(&[&pseudo, &v6[40..]].concat()), 0xffff, "{len}");
            assert_eq!(v6[..8], [0x6b, 0x80, 0, 0, 0, 8 + len as u8, 17, 64]);
        }
    }

    #[test]
    fn a_sum_of_zero_is_sent_as_the_other_zero() {
        let (from, to) = ("0.0.0.1:1", "0.0.0.2:2");
        let mut plain = packet(&[0, 0]);
        write(&mut plain, from.parse().unwrap(), to.parse().unwrap(), 0).unwrap();
        let checksum: [u8; 2] = plain[46..48].try_into().unwrap();
        let mut zero = packet(&checksum);
        write(&mut zero, from.parse().unwrap(), to.parse().unwrap(), 0).unwrap();
        assert_eq!(zero[46..48], [0xff, 0xff]);
    }

    #[test]
    fn what_may_have_to_be_cut_is_not_forbidden_to_be() {
        let (v4, v6) = ("192.0.2.1:2".parse().unwrap(), "[2001:db8::1]:2".parse().unwrap());
        for (payload, flags) in [(1252, 0x40), (1253, 0)] {
            let mut bytes = packet(&vec![0; payload]);
            assert_eq!(write(&mut bytes, v4, v4, 0), Some(20));
            assert_eq!(bytes[26], flags);
        }
        assert_eq!(write(&mut packet(&[0; 1232]), v6, v6, 0), Some(0));
        assert_eq!(write(&mut packet(&[0; 1233]), v6, v6, 0), None);
        assert_eq!(write(&mut packet(&[0; 160]), v4, v6, 0), None);
    }
}
