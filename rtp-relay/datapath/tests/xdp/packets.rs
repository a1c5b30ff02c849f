//! Packets of every kind, and which of them the program carries.

use crate::frame::{Checksum, Datagram, at, v4, v6};
use crate::random::Random;
use datapath::xdp::NextHop;
use relay_core::limits::{MAX_DROPOUT, MAX_MISORDER, MAX_PACKET};
use relay_core::{Flow, FlowState};
use std::net::SocketAddr;

/// A phone, or what pretends to be one.
pub(crate) struct Peer {
    pub(crate) at: SocketAddr,
    ssrc: u32,
    sequence: u16,
    timestamp: u32,
    /// In the middle of an event.
    event: Option<u32>,
}

impl Peer {
    pub(crate) fn anywhere(random: &mut Random, is_ipv4: bool) -> Self {
        let n = random.below(200);
        let port = 4000 + 2 * random.below(1000) as u16;
        let at = if is_ipv4 { at(v4(50 + n as u8), port) } else { at(v6(0x1000 + n as u16), port) };
        Self {
            at,
            ssrc: random.next() as u32,
            sequence: random.next() as u16,
            timestamp: random.next() as u32,
            event: None,
        }
    }

    /// The next packet of its stream, or something odd.
    pub(crate) fn rtp(&mut self, random: &mut Random) -> Vec<u8> {
        let mut kind = 0;
        let (mut first, mut body) = (0x80, vec![0xd5; 160]);
        let mut sequence = self.sequence;
        match random.below(90) {
            0 => sequence = sequence.wrapping_sub(random.below(110) as u16),
            1 => self.sequence = sequence.wrapping_add(random.below(40) as u16),
            2 if random.one_in(8) => self.sequence = random.next() as u16,
            2 => self.sequence = sequence.wrapping_add(2900 + random.below(200) as u16),
            3 if random.one_in(8) => self.ssrc = random.next() as u32,
            4 if random.one_in(4) => self.timestamp = random.next() as u32,
            4 => self.timestamp = self.timestamp.wrapping_add(random.below(100_000) as u32),
            5 => {
                let begun = *self.event.get_or_insert(self.timestamp);
                let end = self.event.is_some() || random.one_in(3);
                kind = 101 | if random.one_in(3) { 0x80 } else { 0 };
                body = vec![5, if end { 0x8a } else { 10 }, 0, 160];
                self.event = (!end).then_some(begun);
                self.sequence = self.sequence.wrapping_add(1);
                return self.packet(first, kind, self.sequence, begun, &body);
            }
            6 => {
                // Contributing sources, extension, padding; sometimes too much of them.
                first |= random.below(64) as u8;
                body = (0..random.below(80)).map(|_| random.below(12) as u8).collect();
            }
            7 => kind = random.next() as u8,
            8 => first = random.next() as u8,
            9 => body.truncate(random.below(3) as usize),
            10 if random.one_in(4) => body = vec![1; 1990 + random.below(100) as usize],
            11 => body = vec![0xfe; 20 * random.below(20) as usize],
            12 => {
                let mut short = self.packet(first, kind, sequence, self.timestamp, &[]);
                short.truncate(random.below(13) as usize);
                return short;
            }
            _ => {}
        }
        if sequence == self.sequence {
            self.sequence = sequence.wrapping_add(1);
            self.timestamp = self.timestamp.wrapping_add(160);
        }
        self.packet(first, kind, sequence, self.timestamp, &body)
    }

    /// A receiver report.
    pub(crate) fn rtcp(&self) -> Vec<u8> {
        let mut b = vec![0x80, 200, 0, 6];
        b.extend(self.ssrc.to_be_bytes());
        b.extend([7; 8]);
        b.extend(self.timestamp.to_be_bytes());
        b.extend([0, 0, 1, 0, 0, 1, 0, 0]);
        b
    }

    fn packet(&self, first: u8, second: u8, sequence: u16, timestamp: u32, body: &[u8]) -> Vec<u8> {
        let mut b = vec![first, second];
        b.extend(sequence.to_be_bytes());
        b.extend(timestamp.to_be_bytes());
        b.extend(self.ssrc.to_be_bytes());
        b.extend(body);
        b
    }
}

/// A datagram around a payload, mostly as `tags` of the next hop would have it.
pub(crate) fn datagram(
    random: &mut Random,
    from: SocketAddr,
    to: SocketAddr,
    payload: Vec<u8>,
    tags: &[Option<u16>; 2],
) -> Datagram {
    let count = if random.one_in(60) { random.below(3) as usize } else { tags.iter().flatten().count() };
    let vlans =
        (0..count).map(|n| (if n == 0 && count == 2 { 0x88a8 } else { 0x8100 }, random.next() as u16));
    let mut d = Datagram {
        eth_to: [2, 0xff, 0, 0, 0, 2],
        eth_from: [2, 0xff, 0, 0, 0, 1],
        vlans: vlans.collect(),
        from,
        to,
        tos: random.next() as u8,
        hop_limit: random.next() as u8,
        id: random.next() as u16,
        dont_fragment: random.one_in(2),
        label: random.next() as u32 & 0xf_ffff,
        ip_checksum: Checksum::Good,
        udp_checksum: Checksum::Good,
        payload,
        trailer: vec![0; if random.one_in(20) { random.below(20) as usize } else { 0 }],
    };
    if d.from.is_ipv6() {
        (d.id, d.dont_fragment) = (0, false);
    } else {
        d.label = 0;
    }
    match random.below(100) {
        0 | 1 => d.udp_checksum = Checksum::None,
        2 => d.udp_checksum = Checksum::Off(random.next() as u16 | 1),
        3 if d.from.is_ipv4() => d.ip_checksum = Checksum::Off(random.next() as u16 | 1),
        4 => d.from.set_port(random.next() as u16),
        5 => d.from.set_ip(if d.from.is_ipv4() { v4(9).into() } else { v6(9).into() }),
        6 => d.to.set_port(to.port() ^ 1),
        7 => d.to.set_ip(if d.to.is_ipv4() { v4(random.below(4) as u8).into() } else { v6(2).into() }),
        8 => d.eth_to[0] |= 1,
        _ => {}
    }
    d
}

/// Now and then, what no sender should send.
pub(crate) fn spoil(random: &mut Random, mut frame: Vec<u8>) -> Vec<u8> {
    match random.below(40) {
        0 => frame.truncate(15 + random.below(frame.len() as u64 - 14) as usize),
        1 => {
            for _ in 0..=random.below(3) {
                let i = random.below(frame.len() as u64) as usize;
                frame[i] = random.next() as u8;
            }
        }
        2 => {
            // Where headers are.
            let i = 12 + random.below(60) as usize;
            if let Some(byte) = frame.get_mut(i) {
                *byte ^= 1 << random.below(8);
            }
        }
        _ => {}
    }
    frame.truncate(3000);
    frame
}

/// Whether the program is to carry a datagram of a flow: the rules once more, written from their description.
pub(crate) fn carries(d: &Datagram, flow: &Flow, state: &FlowState, hop: &NextHop) -> bool {
    let p = &d.payload;
    if d.from != flow.from || p.len() < 12 || p.len() > MAX_PACKET || p[0] >> 6 != 2 || !holds_together(p) {
        return false;
    }
    if (192..=223).contains(&p[1]) || flow.event == Some(p[1] & 0x7f) {
        return false;
    }
    if u32::from_be_bytes([p[8], p[9], p[10], p[11]]) != flow.source {
        return false;
    }
    let behind = (state.newest as u16).wrapping_sub(u16::from_be_bytes([p[2], p[3]]));
    if behind <= MAX_MISORDER {
        if u32::from(behind) > state.newest.wrapping_sub(flow.oldest) {
            return false;
        }
    } else if behind.wrapping_neg() >= MAX_DROPOUT {
        return false;
    }
    let header = if d.from.is_ipv4() { 28 } else { 48 };
    hop.tags.iter().flatten().count() == d.vlans.len()
        && p.len() + header <= hop.mtu.into()
        && (d.from.is_ipv4() || d.udp_checksum != Checksum::None)
}

/// RFC 3550 §5.1 and §5.3.1.
fn holds_together(p: &[u8]) -> bool {
    let mut header = 12 + 4 * usize::from(p[0] & 15);
    if p[0] & 16 != 0 {
        let Some(words) = p.get(header + 2..header + 4) else { return false };
        header += 4 + 4 * usize::from(u16::from_be_bytes([words[0], words[1]]));
    }
    let padding = if p[0] & 32 != 0 { usize::from(p[p.len() - 1]) } else { 0 };
    header + padding <= p.len() && (p[0] & 32 == 0 || padding > 0)
}
