//! Streams that go on after their call.
//!
//! A phone that has missed the end of its call goes on sending to our port, and the port rests for some seconds only. The
//! next call that is given the port must not take the old stream for its own peer's, which may be slower to speak or sit
//! behind the same NAT. So the last stream that came to each port while nobody had it is remembered: no peer of the next
//! call can have sent it, since nobody had been told the port.

use crate::limits::GHOST_TIME;
use crate::packet::RtpHeader;
use crate::ports::Pair;
use relay_values::Time;
use std::net::SocketAddr;

/// A stream that came to a port before a session had it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ghost {
    source: SocketAddr,
    ssrc: u32,
    heard: Time,
}

impl Ghost {
    /// Whether a packet belongs to it.
    pub(crate) fn goes_on(&self, from: SocketAddr, header: &RtpHeader) -> bool {
        self.source == from && self.ssrc == header.ssrc
    }
}

/// The last one of every pair of ports.
#[derive(Debug)]
pub(crate) struct Ghosts(Vec<Option<Ghost>>);

impl Ghosts {
    pub(crate) fn new(pairs: usize) -> Self {
        Self(vec![None; pairs])
    }

    /// RTP has come to a pair that nobody has.
    pub(crate) fn heard(&mut self, now: Time, pair: Pair, source: SocketAddr, header: &RtpHeader) {
        if let Some(last) = self.0.get_mut(pair.index() as usize) {
            *last = Some(Ghost { source, ssrc: header.ssrc, heard: now });
        }
    }

    /// The stream that goes on into a session which has the pair from now on.
    pub(crate) fn follow(&mut self, now: Time, pair: Pair) -> Option<Ghost> {
        let ghost = self.0.get_mut(pair.index() as usize)?.take()?;
        (now < ghost.heard + GHOST_TIME).then_some(ghost)
    }
}
