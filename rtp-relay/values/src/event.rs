//! What the relay tells signalling.

use crate::{Leg, RegionId, SessionId, SessionStats, Time};
use std::net::SocketAddr;

/// An event from the relay.
#[derive(Debug, Clone, PartialEq)]
pub enum RelayEvent {
    /// The session is ready; these RTP ports are ours (RTCP is the next port up).
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
            | Self::Silent { session, .. }
            | Self::Released { session, .. } => Some(*session),
            Self::RegionSilent { .. } => None,
        }
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
