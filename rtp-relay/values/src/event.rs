//! What the relay tells signalling.

use crate::{Duration, Leg, RegionId, SessionId, SessionStats, Time};
use std::net::SocketAddr;

/// An event from the relay.
#[derive(Debug, Clone, PartialEq)]
pub enum RelayEvent {
    /// The session is ready, or has other ports; these RTP ports are ours (RTCP is the next port up).
    Opened {
        /// The session.
        session: SessionId,
        /// RTP port that the A-leg's peer sends to.
        a_port: u16,
        /// RTP port that the B-leg's peer sends to.
        b_port: u16,
    },
    /// The session could not be opened.
    OpenFailed {
        /// The session.
        session: SessionId,
        /// Why.
        reason: OpenFailure,
    },
    /// A flow has learnt its peer's source address.
    Latched {
        /// The session.
        session: SessionId,
        /// The leg whose peer it is.
        leg: Leg,
        /// The address.
        from: SocketAddr,
    },
    /// The stream of a leg's peer goes on from another source, and nothing comes from the one that was learnt: a NAT has
    /// given it another port, or somebody who sees the stream speaks in its place. Nobody can tell, so it is not followed
    /// until signalling describes it anew. Told once for a source that was learnt.
    Strayed {
        /// The session.
        session: SessionId,
        /// The leg whose stream it is.
        leg: Leg,
        /// Where it comes from now.
        from: SocketAddr,
    },
    /// A leg that should be sending has sent nothing for the session's inactivity time.
    Silent {
        /// The session.
        session: SessionId,
        /// The leg.
        leg: Leg,
        /// When its last packet came; the time of `Connect` if none ever did.
        since: Time,
        /// Whether anything was ever heard.
        kind: SilenceKind,
    },
    /// Many flows from one region fell silent together.
    RegionSilent {
        /// The region.
        region: RegionId,
        /// Flows that fell silent.
        silent: u32,
        /// Flows that were regular before.
        of: u32,
        /// The last packet from the region.
        since: Time,
    },
    /// Flows of a region that had fallen silent together are heard again, or none of them is left to be heard: their calls
    /// have ended or moved.
    RegionHeard {
        /// The region.
        region: RegionId,
    },
    /// The first RTP packet of a leg's new peer, after `Retarget` with a description, was taken; it was passed on, unless the
    /// other leg holds. A peer that is held itself sends none: then this does not come.
    Resumed {
        /// The session.
        session: SessionId,
        /// The leg that was moved.
        leg: Leg,
        /// What the other leg heard in between.
        gap: Gap,
    },
    /// The session is closed; its final statistics.
    Released {
        /// The session.
        session: SessionId,
        /// The statistics.
        stats: Box<SessionStats>,
    },
}

impl RelayEvent {
    /// The session that the event is about, if it is about one.
    pub fn session(&self) -> Option<SessionId> {
        match self {
            Self::Opened { session, .. }
            | Self::OpenFailed { session, .. }
            | Self::Latched { session, .. }
            | Self::Strayed { session, .. }
            | Self::Silent { session, .. }
            | Self::Resumed { session, .. }
            | Self::Released { session, .. } => Some(*session),
            Self::RegionSilent { .. } | Self::RegionHeard { .. } => None,
        }
    }
}

/// The time between two peers of a leg, as the other leg lived it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// The old peer's last packet; `None` if it never sent.
    pub last: Option<Time>,
    /// The first packet of the bridge after that; `None` if there was none.
    pub filled: Option<Time>,
    /// The new peer's first packet.
    pub resumed: Time,
}

impl Gap {
    /// How long the other leg heard nothing at all: `gap_media`. `None` where nothing had been heard before.
    pub fn media(&self) -> Option<Duration> {
        self.last.map(|last| self.filled.unwrap_or(self.resumed).min(self.resumed).since(last))
    }

    /// How long it heard nobody: `gap_conversation`.
    pub fn conversation(&self) -> Option<Duration> {
        self.last.map(|last| self.resumed.since(last))
    }
}

/// Why a session could not be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OpenFailure {
    /// No free port pair is left in the range (those that rest count as taken).
    PortsExhausted,
    /// The session limit is reached.
    SessionsExhausted,
    /// The local address is not one of the relay's.
    NoSuchAddress,
    /// The operating system refused the sockets.
    Socket,
    /// The relay's command queue is full.
    Busy,
}

impl OpenFailure {
    /// A short name for logs, metric labels and records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PortsExhausted => "ports_exhausted",
            Self::SessionsExhausted => "sessions_exhausted",
            Self::NoSuchAddress => "no_such_address",
            Self::Socket => "socket",
            Self::Busy => "busy",
        }
    }
}

/// What kind of silence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SilenceKind {
    /// Nothing was ever heard from the leg.
    NeverHeard,
    /// Packets came, and stopped.
    Stopped,
}
