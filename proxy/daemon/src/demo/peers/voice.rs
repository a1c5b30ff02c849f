//! Two-way RTP: G.711 in 20 ms packets (RFC 3551 §4.5.14) whose first bytes say who speaks in which call. What has no such
//! mark the appliance has made.

use super::{Line, Region};
use sip_wire::{Message, sdp};
use std::net::SocketAddr;
use std::time::Duration;

/// Between two packets.
pub(super) const PACKET_TIME: Duration = Duration::from_millis(20);

/// 20 ms at 8,000 samples a second.
pub(super) const SAMPLES: usize = 160;

const HEADER: usize = 12;

/// Begins the payload of every packet of ours.
const MAGIC: [u8; 4] = *b"demo";

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Speaker {
    Caller,
    Callee(Region),
}

/// What a payload says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) who: Speaker,
    pub(super) serial: u32,
    /// Counts the packets of this speaker in this call.
    pub(super) n: u32,
}

/// A packet as it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Heard {
    pub(super) ssrc: u32,
    pub(super) sequence: u16,
    pub(super) timestamp: u32,
    pub(super) mark: Option<Mark>,
}

/// One direction of one call.
#[derive(Debug)]
pub(super) struct Voice {
    to: SocketAddr,
    sequence: u16,
    timestamp: u32,
    n: u32,
    packet: [u8; HEADER + SAMPLES],
}

impl Speaker {
    const fn letter(self) -> u8 {
        match self {
            Self::Caller => b'A',
            Self::Callee(Region::East) => b'E',
            Self::Callee(Region::West) => b'W',
        }
    }

    const fn of(letter: u8) -> Option<Self> {
        match letter {
            b'A' => Some(Self::Caller),
            b'E' => Some(Self::Callee(Region::East)),
            b'W' => Some(Self::Callee(Region::West)),
            _ => None,
        }
    }
}

impl Voice {
    pub(super) fn new(to: SocketAddr, serial: u32, who: Speaker, chance: u64) -> Self {
        // 0xff is silence in PCMU.
        let mut packet = [0xff; HEADER + SAMPLES];
        packet[0] = 0x80;
        // The marker begins the talk; payload type 0 is PCMU.
        packet[1] = 0x80;
        packet[8..12].copy_from_slice(&(chance as u32).to_be_bytes());
        packet[HEADER..HEADER + 4].copy_from_slice(&MAGIC);
        packet[HEADER + 4] = who.letter();
        packet[HEADER + 5..HEADER + 9].copy_from_slice(&serial.to_be_bytes());
        Self { to, sequence: (chance >> 32) as u16, timestamp: (chance >> 16) as u32, n: 0, packet }
    }

    /// Says the next 20 ms.
    pub(super) fn speak(&mut self, line: &Line) {
        self.packet[2..4].copy_from_slice(&self.sequence.to_be_bytes());
        self.packet[4..8].copy_from_slice(&self.timestamp.to_be_bytes());
        self.packet[HEADER + 9..HEADER + 13].copy_from_slice(&self.n.to_be_bytes());
        line.speak(self.to, &self.packet);
        self.sequence = self.sequence.wrapping_add(1);
        self.timestamp = self.timestamp.wrapping_add(SAMPLES as u32);
        self.n = self.n.wrapping_add(1);
        self.packet[1] = 0;
    }

    /// Where its packets go: those of the other side come from there.
    pub(super) fn to(&self) -> SocketAddr {
        self.to
    }
}

/// What came, if it is RTP as this demo has it.
pub(super) fn heard(packet: &[u8]) -> Option<Heard> {
    let (head, payload) = packet.split_first_chunk::<HEADER>()?;
    let [0x80, _, s0, s1, t0, t1, t2, t3, r0, r1, r2, r3] = *head else { return None };
    let number = |at: usize| payload.get(at..at + 4)?.try_into().ok().map(u32::from_be_bytes);
    let mark = || {
        let is_ours = payload.len() == SAMPLES && payload.starts_with(&MAGIC);
        let who = Speaker::of(*payload.get(4).filter(|_| is_ours)?)?;
        Some(Mark { who, serial: number(5)?, n: number(9)? })
    };
    Some(Heard {
        ssrc: u32::from_be_bytes([r0, r1, r2, r3]),
        sequence: u16::from_be_bytes([s0, s1]),
        timestamp: u32::from_be_bytes([t0, t1, t2, t3]),
        mark: mark(),
    })
}

/// Where a session description wants its audio.
pub(super) fn audio_of(message: &Message) -> Option<SocketAddr> {
    let session = sdp::Session::parse(sdp::find(message)?).ok()?;
    let audio = session.audio()?;
    Some(SocketAddr::new(audio.address?, audio.port)).filter(|at| at.port() != 0)
}
