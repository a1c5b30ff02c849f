//! Packets of our own making: what is in them, and how they are written.

use crate::config::Prompt;
use crate::packet::RTP_HEADER;
use crate::ports::PortRef;
use crate::rewrite::Sent;
use crate::sound;
use relay_values::Sound;
use std::net::SocketAddr;

/// A packet that the relay has made and the shell is to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outgoing {
    /// From this of our ports.
    pub port: PortRef,
    /// To this address.
    pub to: SocketAddr,
    /// Its length in bytes: so much of the buffer was written.
    pub len: usize,
}

/// A packet that waits to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Own {
    /// RTP of our own making.
    Rtp(OwnRtp),
    /// RTCP: of our own, or a peer's that has become longer or shorter on its way.
    Rtcp { port: PortRef, to: SocketAddr, bytes: Box<[u8]> },
}

/// RTP that has its place in a stream but not its bytes yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OwnRtp {
    pub(crate) port: PortRef,
    pub(crate) to: SocketAddr,
    pub(crate) line: Sent,
    pub(crate) marker: bool,
    pub(crate) payload_type: u8,
    pub(crate) payload: Payload,
}

/// What such a packet holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Payload {
    /// A piece of a bridge's sound.
    Sound {
        sound: Sound,
        samples: usize,
        /// Samples of it that were heard before.
        at: u32,
    },
    /// A report of an event, as it stands on the wire (RFC 4733 §2.3).
    Event([u8; 4]),
}

impl Payload {
    /// Its length in bytes.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Sound { sound, samples, .. } => sound::bytes(*sound, *samples),
            Self::Event(report) => report.len(),
        }
    }
}

impl Own {
    /// Write the packet to the beginning of `buf`; `None` if it does not fit.
    pub(crate) fn write(&self, prompt: Option<&Prompt>, buf: &mut [u8]) -> Option<Outgoing> {
        match self {
            Self::Rtp(rtp) => rtp.write(prompt, buf),
            Self::Rtcp { port, to, bytes } => {
                buf.get_mut(..bytes.len())?.copy_from_slice(bytes);
                Some(Outgoing { port: *port, to: *to, len: bytes.len() })
            }
        }
    }
}

impl OwnRtp {
    fn write(&self, prompt: Option<&Prompt>, buf: &mut [u8]) -> Option<Outgoing> {
        let len = RTP_HEADER + self.payload.len();
        let (header, payload) = buf.get_mut(..len)?.split_first_chunk_mut::<RTP_HEADER>()?;
        let [s0, s1] = (self.line.sequence as u16).to_be_bytes();
        let [t0, t1, t2, t3] = self.line.timestamp.to_be_bytes();
        let [c0, c1, c2, c3] = self.line.ssrc.to_be_bytes();
        let second = (u8::from(self.marker) << 7) | (self.payload_type & 0x7f);
        *header = [0x80, second, s0, s1, t0, t1, t2, t3, c0, c1, c2, c3];
        match self.payload {
            Payload::Sound { sound, at, .. } => {
                let seed = (u64::from(self.line.ssrc) << 32) | u64::from(self.line.timestamp);
                sound::play(sound, prompt, at, seed, payload);
            }
            Payload::Event(report) => payload.copy_from_slice(&report),
        }
        Some(Outgoing { port: self.port, to: self.to, len })
    }
}
