//! What strangers have tried.

use std::net::SocketAddr;

/// Packets to a session's ports from places that are not its peers'. While it is being learnt where a peer sends from, they
/// include those of sources that gave way to a better one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StrangerStats {
    /// RTP, or whatever else came to the port of RTP.
    pub rtp: u64,
    /// RTCP, on either port.
    pub rtcp: u64,
    /// Of the RTP, packets with the SSRC of the peer's stream and a sequence number near its own: somebody sees the stream, or
    /// its sender has come to be elsewhere.
    pub forged: u64,
    /// How often a stream went on from elsewhere ([`RelayEvent::Strayed`](crate::RelayEvent::Strayed)).
    pub strayed: u64,
    /// Different addresses and ports, up to [`Self::MOST_SOURCES`], which stands for that many and more.
    pub sources: u8,
    /// The first of them.
    pub first: Option<SocketAddr>,
}

impl StrangerStats {
    /// So many sources are told from each other.
    pub const MOST_SOURCES: u8 = 8;

    /// Whether nobody has tried.
    pub fn is_empty(&self) -> bool {
        self.sources == 0
    }

    /// Adds those of a later session of the same call.
    pub fn add(&mut self, later: &Self) {
        self.rtp += later.rtp;
        self.rtcp += later.rtcp;
        self.forged += later.forged;
        self.strayed += later.strayed;
        self.sources = self.sources.saturating_add(later.sources).min(Self::MOST_SOURCES);
        self.first = self.first.or(later.first);
    }
}
