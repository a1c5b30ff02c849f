//! A capture file of messages that were never captured: frames as they would have been, of one Ethernet, so that Wireshark and sngrep read
//! them. Lower layers are made up; addresses, ports, times and payloads are real.

use bascule::api::TracedMessage;
use etherparse::{PacketBuilder, PacketBuilderStep, UdpHeader};
use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};

/// pcap with microseconds, in the order of this machine's bytes (draft-ietf-opsawg-pcap §4).
const MAGIC: u32 = 0xa1b2_c3d4;

/// The longest frame that a reader has to expect.
const SNAP: u32 = 262_144;

/// LINKTYPE_ETHERNET.
const ETHERNET: u32 = 1;

/// Bytes of a message in one segment of TCP: it fits into the longest packet of IP.
const SEGMENT: usize = 32_000;

const US: [u8; 6] = [2, 0, 0, 0, 0, 1];
const PEER: [u8; 6] = [2, 0, 0, 0, 0, 2];

pub(super) fn of(messages: &[TracedMessage]) -> io::Result<Vec<u8>> {
    let mut out = Vec::new();
    out.extend_from_slice(&MAGIC.to_ne_bytes());
    for version in [2_u16, 4] {
        out.extend_from_slice(&version.to_ne_bytes());
    }
    for field in [0, 0, SNAP, ETHERNET] {
        out.extend_from_slice(&field.to_ne_bytes());
    }
    // Where each direction of a connection has come to.
    let mut sequences: HashMap<(SocketAddr, SocketAddr), u32> = HashMap::new();
    for message in messages {
        let bytes = message.bytes();
        let (from, to) = if message.sent { (message.us, message.peer) } else { (message.peer, message.us) };
        let macs = if message.sent { (US, PEER) } else { (PEER, US) };
        if message.transport != "UDP" {
            for part in bytes.chunks(SEGMENT) {
                let heard = sequences.get(&(to, from)).copied().unwrap_or(1);
                let sequence = sequences.entry((from, to)).or_insert(1);
                let mut frame = Vec::new();
                let builder = network(macs, from, to)?.tcp(from.port(), to.port(), *sequence, 65_535);
                builder.psh().ack(heard).write(&mut frame, part).map_err(io::Error::other)?;
                *sequence = sequence.wrapping_add(u32::try_from(part.len()).unwrap_or_default());
                put(&mut out, message.at_us, &frame);
            }
        } else {
            let mut frame = Vec::new();
            // The longest message with its headers is longer than a packet can be.
            let longest = usize::from(u16::MAX) - UdpHeader::LEN - 40;
            let part = bytes.get(..longest).unwrap_or(&bytes);
            let builder = network(macs, from, to)?.udp(from.port(), to.port());
            builder.write(&mut frame, part).map_err(io::Error::other)?;
            put(&mut out, message.at_us, &frame);
        }
    }
    Ok(out)
}

fn network(
    (source, destination): ([u8; 6], [u8; 6]),
    from: SocketAddr,
    to: SocketAddr,
) -> io::Result<PacketBuilderStep<etherparse::IpHeaders>> {
    let link = PacketBuilder::ethernet2(source, destination);
    match (from.ip(), to.ip()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => Ok(link.ipv4(from.octets(), to.octets(), 64)),
        (IpAddr::V6(from), IpAddr::V6(to)) => Ok(link.ipv6(from.octets(), to.octets(), 64)),
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => {
            Err(io::Error::new(ErrorKind::InvalidData, "a message from one family of addresses to the other"))
        }
    }
}

fn put(out: &mut Vec<u8>, at_us: u64, frame: &[u8]) {
    let length = u32::try_from(frame.len()).unwrap_or(u32::MAX);
    let seconds = u32::try_from(at_us / 1_000_000).unwrap_or(u32::MAX);
    let micros = u32::try_from(at_us % 1_000_000).unwrap_or_default();
    for field in [seconds, micros, length, length] {
        out.extend_from_slice(&field.to_ne_bytes());
    }
    out.extend_from_slice(frame);
}
