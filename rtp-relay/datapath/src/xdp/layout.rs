//! The tables as the program sees them: `rtp-relay/xdp/layout.h` says the same in C, and says what the fields mean.

use super::shared::Plain;
use std::net::{IpAddr, SocketAddr};

/// A table of another version is not for us.
pub(super) const LAYOUT_VERSION: u32 = 3;
/// Local media addresses that the program knows.
pub const MAX_LOCALS: usize = 8;
/// Clock rates that it knows.
pub(super) const RATES: usize = 8;
/// Slots: failure domains that are switched by one store. Slot 0 is never switched.
pub const MAX_SLOTS: usize = 256;
/// Next hops.
pub const MAX_NEXT_HOPS: usize = 1 << 12;
/// CPUs with counters of their own.
pub(super) const CPUS: usize = 256;
/// Ports of one address.
pub(super) const PORTS: usize = 1 << 16;
/// No payload type of seven bits.
pub(super) const NO_EVENT: u8 = 0xff;

/// An address of either family, IPv4 mapped (RFC 4291 §2.5.5.2), as it stands in a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(C)]
pub(crate) struct Address([u64; 2]);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(C)]
pub(super) struct SetupEntry {
    pub(super) version: u32,
    pub(super) locals: u32,
    pub(super) tos: u32,
    pub(super) hop_limit: u32,
    pub(super) local: [Address; MAX_LOCALS],
    pub(super) rate: [u64; RATES],
}

/// Ports are in network byte order: bytes as in a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(C)]
pub(super) struct RouteEntry {
    pub(super) peer: Address,
    pub(super) target: Address,
    pub(super) peer_port: [u8; 2],
    pub(super) target_port: [u8; 2],
    pub(super) next_hop: u16,
    pub(super) generation: u16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(C, align(64))]
pub(super) struct FlowEntry {
    pub(super) route: RouteEntry,
    pub(super) source: u32,
    pub(super) ssrc: u32,
    pub(super) timestamp_shift: u32,
    pub(super) oldest: u32,
    pub(super) sequence_shift: u16,
    pub(super) our_port: [u8; 2],
    pub(super) local: u8,
    pub(super) slot: u8,
    pub(super) clock: u8,
    pub(super) event: u8,
    pub(super) state: StateEntry,
    pub(super) losses: LossesEntry,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(C)]
pub(super) struct StateEntry {
    pub(super) packets: u64,
    pub(super) bytes: u64,
    pub(super) last_seen: u64,
    pub(super) newest_at: u64,
    pub(super) newest: u32,
    pub(super) newest_timestamp: u32,
    pub(super) last_timestamp: u32,
    pub(super) jitter: u32,
    pub(super) beat_timestamp: u32,
    pub(super) step: u32,
    pub(super) extra: u32,
    pub(super) steady: u8,
    pub(super) payload_type: u8,
    pub(super) spare: [u8; 2],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(C)]
pub(super) struct LossesEntry {
    pub(super) missing: u64,
    pub(super) at: u32,
    pub(super) duplicates: u32,
    pub(super) reordered: u32,
    pub(super) first: u32,
    pub(super) last: u32,
    pub(super) lost: u32,
    pub(super) run: u32,
    pub(super) bursts: u32,
    pub(super) packets: u32,
    pub(super) burst_lost: u32,
    pub(super) longest: u32,
    pub(super) longest_loss: u32,
    pub(super) spare: [u32; 2],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(C)]
pub(super) struct AlternateEntry {
    pub(super) route: RouteEntry,
    pub(super) spare: [u64; 3],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(C)]
pub(super) struct SlotEntry {
    pub(super) active: u16,
    pub(super) generation: u16,
    pub(super) spare: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(C)]
pub(super) struct NextHopEntry {
    pub(super) to: [u8; 6],
    pub(super) from: [u8; 6],
    pub(super) ifindex: u32,
    pub(super) mtu: u16,
    pub(super) tags: u16,
    pub(super) tag: [[u8; 2]; 2],
    pub(super) spare: [u8; 8],
}

/// Counts of one CPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(C)]
pub(super) struct PassedEntry {
    pub(super) by_reason: [u64; 16],
}

/// Why a packet to a port that has a flow was left to the sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Passed {
    /// Too short for RTP, longer than is carried, or its lengths contradict each other.
    Length,
    /// Not from the flow's peer.
    Stranger,
    /// The flow's slot says that it has no route, or another peer.
    Switched,
    /// Not RTP version 2.
    NotRtp,
    /// RTCP on the RTP port (RFC 5761).
    Rtcp,
    /// A telephone-event.
    Event,
    /// Another SSRC.
    Source,
    /// The sequence number is far from the newest.
    Restart,
    /// From before the present source began.
    Late,
    /// The next hop is not known.
    NextHop,
    /// The next hop wants another number of VLAN tags than the packet has.
    Tags,
    /// Longer than the next hop takes.
    Mtu,
    /// Over IPv6 without a checksum.
    Checksum,
}

impl Passed {
    /// Every reason, in order of its number.
    pub const ALL: [Self; 13] = [
        Self::Length,
        Self::Stranger,
        Self::Switched,
        Self::NotRtp,
        Self::Rtcp,
        Self::Event,
        Self::Source,
        Self::Restart,
        Self::Late,
        Self::NextHop,
        Self::Tags,
        Self::Mtu,
        Self::Checksum,
    ];

    /// A short name for logs and metric labels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Length => "length",
            Self::Stranger => "stranger",
            Self::Switched => "switched",
            Self::NotRtp => "not_rtp",
            Self::Rtcp => "rtcp",
            Self::Event => "event",
            Self::Source => "source",
            Self::Restart => "restart",
            Self::Late => "late",
            Self::NextHop => "next_hop",
            Self::Tags => "tags",
            Self::Mtu => "mtu",
            Self::Checksum => "checksum",
        }
    }
}

impl Address {
    pub(crate) fn of(ip: IpAddr) -> Self {
        let bytes = match ip {
            IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
            IpAddr::V6(ip) => ip.octets(),
        };
        let (high, low) = bytes.split_at(8);
        let half = |bytes: &[u8]| bytes.try_into().map_or(0, u64::from_ne_bytes);
        Self([half(high), half(low)])
    }

    pub(super) fn ip(self) -> IpAddr {
        let mut bytes = [0; 16];
        for (to, half) in bytes.chunks_exact_mut(8).zip(self.0) {
            to.copy_from_slice(&half.to_ne_bytes());
        }
        IpAddr::from(bytes).to_canonical()
    }
}

impl RouteEntry {
    /// From `peer` to `target`.
    pub(super) fn new(peer: SocketAddr, target: SocketAddr, next_hop: u16, generation: u16) -> Self {
        Self {
            peer: Address::of(peer.ip()),
            target: Address::of(target.ip()),
            peer_port: peer.port().to_be_bytes(),
            target_port: target.port().to_be_bytes(),
            next_hop,
            generation,
        }
    }
}

// SAFETY: integers and arrays of them, without gaps (the sizes below leave none), in steps of eight bytes.
unsafe impl Plain for SetupEntry {}
// SAFETY: as above.
unsafe impl Plain for FlowEntry {}
// SAFETY: as above.
unsafe impl Plain for StateEntry {}
// SAFETY: as above.
unsafe impl Plain for LossesEntry {}
// SAFETY: as above.
unsafe impl Plain for AlternateEntry {}
// SAFETY: as above.
unsafe impl Plain for SlotEntry {}
// SAFETY: as above.
unsafe impl Plain for NextHopEntry {}
// SAFETY: as above.
unsafe impl Plain for PassedEntry {}
