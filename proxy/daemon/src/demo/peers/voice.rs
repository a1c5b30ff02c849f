//! Two-way RTP: G.711 in 20 ms packets (RFC 3551 §4.5.14) whose first bytes say who speaks in which call.

use super::Line;
use sip_wire::{Message, sdp};
use std::net::SocketAddr;
use std::time::Duration;

/// Between two packets.
pub(super) const PACKET_TIME: Duration = Duration::from_millis(20);

/// 20 ms at 8,000 samples a second.
const SAMPLES: usize = 160;

const HEADER: usize = 12;

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Speaker {
    Caller = b'A',
    Callee = b'B',
}

/// One direction of one call.
#[derive(Debug)]
pub(super) struct Voice {
    to: SocketAddr,
    sequence: u16,
    timestamp: u32,
    packet: [u8; HEADER + SAMPLES],
}

impl Voice {
    pub(super) fn new(to: SocketAddr, serial: u32, who: Speaker, chance: u64) -> Self {
        // 0xff is silence in PCMU.
        let mut packet = [0xff; HEADER + SAMPLES];
        packet[0] = 0x80;
        // The marker begins the talk; payload type 0 is PCMU.
        packet[1] = 0x80;
        packet[8..12].copy_from_slice(&(chance as u32).to_be_bytes());
        packet[HEADER] = who as u8;
        packet[HEADER + 1..HEADER + 5].copy_from_slice(&serial.to_be_bytes());
        Self { to, sequence: (chance >> 32) as u16, timestamp: (chance >> 16) as u32, packet }
    }

    /// Says the next 20 ms.
    pub(super) fn speak(&mut self, line: &Line) {
        self.packet[2..4].copy_from_slice(&self.sequence.to_be_bytes());
        self.packet[4..8].copy_from_slice(&self.timestamp.to_be_bytes());
        line.speak(self.to, &self.packet);
        self.sequence = self.sequence.wrapping_add(1);
        self.timestamp = self.timestamp.wrapping_add(SAMPLES as u32);
        self.packet[1] = 0;
    }

    /// Where its packets go: those of the other side come from there.
    pub(super) fn to(&self) -> SocketAddr {
        self.to
    }
}

/// Who speaks in which call, if a packet is whole and of our making.
pub(super) fn heard(packet: &[u8]) -> Option<(u8, u32)> {
    let (head, payload) = packet.split_at_checked(HEADER)?;
    if payload.len() != SAMPLES || head.first() != Some(&0x80) {
        return None;
    }
    let serial = payload.get(1..5)?.try_into().ok()?;
    Some((*payload.first()?, u32::from_be_bytes(serial)))
}

/// Where a session description wants its audio.
pub(super) fn audio_of(message: &Message) -> Option<SocketAddr> {
    let session = sdp::Session::parse(sdp::find(message)?).ok()?;
    let audio = session.audio()?;
    Some(SocketAddr::new(audio.address?, audio.port)).filter(|at| at.port() != 0)
}
