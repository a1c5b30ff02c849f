//! Link, network and transport headers, and datagrams that come in fragments.

use crate::limits::FRAGMENTS;
use etherparse::defrag::IpDefragPool;
use etherparse::{EtherType, IpNumber, NetSlice, SlicedPacket, TcpSlice, TransportSlice, UdpSlice};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

/// What stands before the IP header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// Ethernet II, with or without VLAN tags; the loopback of Linux has it too.
    Ethernet,
    /// Nothing.
    Ip,
    /// The loopback of BSD: the address family in 4 bytes.
    Loopback,
    /// What `tcpdump -i any` writes, 16 bytes.
    Cooked,
    /// The same, version 2, 20 bytes.
    Cooked2,
}

impl Link {
    /// By its number in capture files (<https://www.tcpdump.org/linktypes.html>).
    pub fn numbered(number: i32) -> Option<Self> {
        match number {
            1 => Some(Self::Ethernet),
            // LINKTYPE_RAW, DLT_RAW of most systems, and one number for each version of IP.
            101 | 12 | 228 | 229 => Some(Self::Ip),
            0 | 108 => Some(Self::Loopback),
            113 => Some(Self::Cooked),
            276 => Some(Self::Cooked2),
            _ => None,
        }
    }
}

/// What a frame carried, as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Packet {
    /// A datagram.
    Udp {
        /// Its sender.
        from: SocketAddr,
        /// Its receiver.
        to: SocketAddr,
        /// What is in it.
        payload: Vec<u8>,
    },
    /// A segment.
    Tcp(Segment),
    /// A datagram to this address found nobody (ICMP destination unreachable).
    Unreachable {
        /// Who had sent it, and is told.
        from: SocketAddr,
        /// Where nobody was.
        to: SocketAddr,
    },
}

/// A TCP segment (RFC 9293 §3.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// Its sender.
    pub from: SocketAddr,
    /// Its receiver.
    pub to: SocketAddr,
    /// Number of its first byte.
    pub sequence: u32,
    /// It opens a direction.
    pub syn: bool,
    /// It acknowledges something: all but the first of a connection do.
    pub ack: bool,
    /// It closes a direction.
    pub fin: bool,
    /// It ends the connection.
    pub rst: bool,
    /// Its bytes.
    pub payload: Vec<u8>,
}

/// Reads frames, and puts fragments together.
#[derive(Debug)]
pub struct Frames {
    fragments: IpDefragPool<Duration, ()>,
}

impl Default for Frames {
    fn default() -> Self {
        Self { fragments: IpDefragPool::new() }
    }
}

impl Frames {
    /// What a frame carried; `None` if it is nothing of ours, or the first part of something.
    pub fn read(&mut self, at: Duration, link: Link, frame: &[u8]) -> Option<Packet> {
        let packet = match link {
            Link::Ethernet => SlicedPacket::from_ethernet(frame),
            Link::Cooked => SlicedPacket::from_linux_sll(frame),
            Link::Ip => SlicedPacket::from_ip(frame),
            Link::Loopback => SlicedPacket::from_ip(frame.get(4..)?),
            Link::Cooked2 => {
                let kind = EtherType(u16::from_be_bytes(frame.get(..2)?.try_into().ok()?));
                SlicedPacket::from_ether_type(kind, frame.get(20..)?)
            }
        };
        let packet = packet.ok()?;
        let (from, to, fragmented): (IpAddr, IpAddr, bool) = match packet.net.as_ref()? {
            NetSlice::Ipv4(ip) => {
                let header = ip.header();
                (header.source_addr().into(), header.destination_addr().into(), ip.is_payload_fragmented())
            }
            NetSlice::Ipv6(ip) => {
                let header = ip.header();
                (header.source_addr().into(), header.destination_addr().into(), ip.is_payload_fragmented())
            }
            NetSlice::Arp(_) => return None,
        };
        if fragmented {
            let oldest = at.saturating_sub(Duration::from_secs(FRAGMENTS));
            self.fragments.retain(|begun| *begun >= oldest);
            let whole = self.fragments.process_sliced_packet(&packet, at, ()).ok()??;
            return match whole.ip_number {
                IpNumber::UDP => udp(from, to, &UdpSlice::from_slice(&whole.payload).ok()?),
                IpNumber::TCP => tcp(from, to, &TcpSlice::from_slice(&whole.payload).ok()?),
                _ => None,
            };
        }
        match packet.transport? {
            TransportSlice::Udp(slice) => udp(from, to, &slice),
            TransportSlice::Tcp(slice) => tcp(from, to, &slice),
            // Destination unreachable is type 3 in RFC 792, type 1 in RFC 4443 §3.1.
            TransportSlice::Icmpv4(icmp) if icmp.type_u8() == 3 => refused(icmp.payload()),
            TransportSlice::Icmpv6(icmp) if icmp.type_u8() == 1 => refused(icmp.payload()),
            TransportSlice::Icmpv4(_) | TransportSlice::Icmpv6(_) | TransportSlice::Igmp(_) => None,
        }
    }
}

fn udp(from: IpAddr, to: IpAddr, slice: &UdpSlice<'_>) -> Option<Packet> {
    Some(Packet::Udp {
        from: (from, slice.source_port()).into(),
        to: (to, slice.destination_port()).into(),
        payload: slice.payload().to_vec(),
    })
}

fn tcp(from: IpAddr, to: IpAddr, slice: &TcpSlice<'_>) -> Option<Packet> {
    Some(Packet::Tcp(Segment {
        from: (from, slice.source_port()).into(),
        to: (to, slice.destination_port()).into(),
        sequence: slice.sequence_number(),
        syn: slice.syn(),
        ack: slice.ack(),
        fin: slice.fin(),
        rst: slice.rst(),
        payload: slice.payload().to_vec(),
    }))
}

/// The beginning of the datagram that found nobody: its IP header, and its ports.
fn refused(datagram: &[u8]) -> Option<Packet> {
    let (from, to, ports): (IpAddr, IpAddr, &[u8]) = match datagram.first()? >> 4 {
        4 => {
            let address = |at: usize| <[u8; 4]>::try_from(datagram.get(at..at + 4)?).ok().map(Ipv4Addr::from);
            let length = usize::from(datagram.first()? & 15) * 4;
            if *datagram.get(9)? != IpNumber::UDP.0 {
                return None;
            }
            (address(12)?.into(), address(16)?.into(), datagram.get(length..)?)
        }
        6 => {
            let address =
                |at: usize| <[u8; 16]>::try_from(datagram.get(at..at + 16)?).ok().map(Ipv6Addr::from);
            if *datagram.get(6)? != IpNumber::UDP.0 {
                return None;
            }
            (address(8)?.into(), address(24)?.into(), datagram.get(40..)?)
        }
        _ => return None,
    };
    let port = |at: usize| <[u8; 2]>::try_from(ports.get(at..at + 2)?).ok().map(u16::from_be_bytes);
    Some(Packet::Unreachable { from: (from, port(0)?).into(), to: (to, port(2)?).into() })
}
