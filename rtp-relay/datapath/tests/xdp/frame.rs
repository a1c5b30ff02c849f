//! Frames, made and read by the book and by nothing that the product uses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// A UDP datagram in a plain IP packet in an Ethernet frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Datagram {
    pub(crate) eth_to: [u8; 6],
    pub(crate) eth_from: [u8; 6],
    /// Type and tag of each.
    pub(crate) vlans: Vec<(u16, u16)>,
    pub(crate) from: SocketAddr,
    pub(crate) to: SocketAddr,
    /// Type of service, or traffic class.
    pub(crate) tos: u8,
    pub(crate) hop_limit: u8,
    /// Over IPv4.
    pub(crate) id: u16,
    pub(crate) dont_fragment: bool,
    /// Over IPv6, 20 bits.
    pub(crate) label: u32,
    pub(crate) ip_checksum: Checksum,
    pub(crate) udp_checksum: Checksum,
    pub(crate) payload: Vec<u8>,
    /// What follows the packet in the frame.
    pub(crate) trailer: Vec<u8>,
}

/// A checksum: as it should be, none, or wrong by so much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Checksum {
    Good,
    None,
    Off(u16),
}

/// Bytes summed up as 16-bit words (RFC 1071).
fn sum(bytes: &[u8]) -> u32 {
    let words = bytes.chunks(2).map(|c| u32::from(c[0]) << 8 | c.get(1).copied().map_or(0, u32::from));
    words.fold(0, |sum, word| {
        let sum = sum + word;
        (sum & 0xffff) + (sum >> 16)
    })
}

fn ip_bytes(ip: IpAddr) -> Vec<u8> {
    match ip {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    }
}

/// The checksum that UDP should have.
fn udp_checksum(from: IpAddr, to: IpAddr, udp: &[u8]) -> u16 {
    let mut pseudo = [ip_bytes(from), ip_bytes(to)].concat();
    pseudo.extend((udp.len() as u32).to_be_bytes());
    pseudo.extend([0, 0, 0, 17]);
    if !pseudo.len().is_multiple_of(2) {
        pseudo.push(0);
    }
    pseudo.extend(udp);
    match !(sum(&pseudo) as u16) {
        0 => 0xffff,
        good => good,
    }
}

impl Checksum {
    fn make(self, good: u16) -> u16 {
        match self {
            Self::Good => good,
            Self::None => 0,
            Self::Off(by) => good.wrapping_add(by),
        }
    }

    fn read(is: u16, good: u16, zero_is_none: bool) -> Self {
        match is {
            0 if zero_is_none => Self::None,
            _ if is == good => Self::Good,
            _ => Self::Off(is.wrapping_sub(good)),
        }
    }
}

impl Datagram {
    pub(crate) fn frame(&self) -> Vec<u8> {
        let mut udp = [self.from.port().to_be_bytes(), self.to.port().to_be_bytes()].concat();
        udp.extend((self.payload.len() as u16 + 8).to_be_bytes());
        udp.extend([0, 0]);
        udp.extend(&self.payload);
        let good = udp_checksum(self.from.ip(), self.to.ip(), &udp);
        udp[6..8].copy_from_slice(&self.udp_checksum.make(good).to_be_bytes());

        let mut frame = [self.eth_to, self.eth_from].concat();
        for (kind, tag) in &self.vlans {
            frame.extend(kind.to_be_bytes());
            frame.extend(tag.to_be_bytes());
        }
        match (self.from.ip(), self.to.ip()) {
            (IpAddr::V4(from), IpAddr::V4(to)) => {
                let mut ip = vec![0x45, self.tos];
                ip.extend((20 + udp.len() as u16).to_be_bytes());
                ip.extend(self.id.to_be_bytes());
                ip.extend(if self.dont_fragment { [0x40, 0] } else { [0, 0] });
                ip.extend([self.hop_limit, 17, 0, 0]);
                ip.extend(from.octets());
                ip.extend(to.octets());
                let good = !(sum(&ip) as u16);
                ip[10..12].copy_from_slice(&self.ip_checksum.make(good).to_be_bytes());
                frame.extend([0x08, 0]);
                frame.extend(ip);
            }
            (IpAddr::V6(from), IpAddr::V6(to)) => {
                frame.extend([0x86, 0xdd]);
                frame.extend((0x6000_0000 | u32::from(self.tos) << 20 | self.label).to_be_bytes());
                frame.extend((udp.len() as u16).to_be_bytes());
                frame.extend([17, self.hop_limit]);
                frame.extend(from.octets());
                frame.extend(to.octets());
            }
            _ => panic!("one family"),
        }
        frame.extend(udp);
        frame.extend(&self.trailer);
        frame
    }

    /// Read a frame; `None` if it is anything but a whole UDP datagram without options, fragments and extension headers,
    /// to one station.
    pub(crate) fn read(frame: &[u8]) -> Option<Self> {
        let (eth_to, rest) = frame.split_first_chunk::<6>()?;
        let (eth_from, rest) = rest.split_first_chunk::<6>()?;
        let (kind, mut rest) = rest.split_first_chunk::<2>()?;
        let mut kind = u16::from_be_bytes(*kind);
        let mut vlans = Vec::new();
        while vlans.len() < 2 && (kind == 0x8100 || kind == 0x88a8) {
            let (tag, after) = rest.split_first_chunk::<2>()?;
            vlans.push((kind, u16::from_be_bytes(*tag)));
            let (next, after) = after.split_first_chunk::<2>()?;
            (kind, rest) = (u16::from_be_bytes(*next), after);
        }
        let shared = Self {
            eth_to: *eth_to,
            eth_from: *eth_from,
            vlans,
            from: SocketAddr::from(([0; 4], 0)),
            to: SocketAddr::from(([0; 4], 0)),
            tos: 0,
            hop_limit: 0,
            id: 0,
            dont_fragment: false,
            label: 0,
            ip_checksum: Checksum::Good,
            udp_checksum: Checksum::Good,
            payload: Vec::new(),
            trailer: Vec::new(),
        };
        if eth_to[0] & 1 != 0 {
            return None;
        }
        let (mut read, ips, udp_at, length) = match kind {
            0x0800 => {
                let ip = rest.first_chunk::<20>()?;
                let flags = u16::from_be_bytes([ip[6], ip[7]]);
                if ip[0] != 0x45 || ip[9] != 17 || flags & 0xbfff != 0 {
                    return None;
                }
                let mut zeroed = *ip;
                zeroed[10..12].fill(0);
                let good = !(sum(&zeroed) as u16);
                let [.., f0, f1, f2, f3, t0, t1, t2, t3] = *ip;
                let ips = [IpAddr::from([f0, f1, f2, f3]), IpAddr::from([t0, t1, t2, t3])];
                let ip_checksum = Checksum::read(u16::from_be_bytes([ip[10], ip[11]]), good, false);
                let length = usize::from(u16::from_be_bytes([ip[2], ip[3]])).checked_sub(20)?;
                let read = Self {
                    tos: ip[1],
                    hop_limit: ip[8],
                    id: u16::from_be_bytes([ip[4], ip[5]]),
                    dont_fragment: flags != 0,
                    ip_checksum,
                    ..shared
                };
                (read, ips, 20, length)
            }
            0x86dd => {
                let ip = rest.first_chunk::<40>()?;
                let first = u32::from_be_bytes([ip[0], ip[1], ip[2], ip[3]]);
                if first >> 28 != 6 || ip[6] != 17 {
                    return None;
                }
                let at = |from: usize| {
                    let bytes: [u8; 16] = ip[from..from + 16].try_into().expect("sixteen bytes");
                    IpAddr::from(Ipv6Addr::from(bytes))
                };
                let length = usize::from(u16::from_be_bytes([ip[4], ip[5]]));
                let read =
                    Self { tos: (first >> 20) as u8, label: first & 0xf_ffff, hop_limit: ip[7], ..shared };
                (read, [at(8), at(24)], 40, length)
            }
            _ => return None,
        };
        let udp = rest.get(udp_at..)?;
        let (udp, trailer) = udp.split_at_checked(length)?;
        let header = udp.first_chunk::<8>()?;
        if usize::from(u16::from_be_bytes([header[4], header[5]])) != udp.len() {
            return None;
        }
        read.from = SocketAddr::new(ips[0], u16::from_be_bytes([header[0], header[1]]));
        read.to = SocketAddr::new(ips[1], u16::from_be_bytes([header[2], header[3]]));
        let mut zeroed = udp.to_vec();
        zeroed[6..8].fill(0);
        let is = u16::from_be_bytes([header[6], header[7]]);
        read.udp_checksum = Checksum::read(is, udp_checksum(ips[0], ips[1], &zeroed), true);
        read.payload = udp[8..].to_vec();
        read.trailer = trailer.to_vec();
        Some(read)
    }
}

/// An address with a port.
pub(crate) fn at(ip: impl Into<IpAddr>, port: u16) -> SocketAddr {
    SocketAddr::new(ip.into(), port)
}

pub(crate) fn v4(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(192, 0, 2, last)
}

pub(crate) fn v6(last: u16) -> Ipv6Addr {
    Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, last)
}
