//! What the relay measures of a session while it lives.

use crate::{Direction, Duration, Leg, SessionStats, Time};
use std::net::SocketAddr;

/// A session as it is at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// When that was.
    pub at: Time,
    /// Its statistics so far: what `Released` would say now.
    pub stats: SessionStats,
    /// What comes from the A-leg's peer.
    pub a: Incoming,
    /// What comes from the B-leg's peer.
    pub b: Incoming,
}

/// The RTP from a leg's peer at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Incoming {
    /// Which way media flows, as signalling has said it last and seen from us; `None`: it has described no peer.
    pub direction: Option<Direction>,
    /// Where it comes from, once that is known.
    pub from: Option<SocketAddr>,
    /// When its last packet came.
    pub last: Option<Time>,
    /// Who carries its next packet.
    pub carrier: Carrier,
    /// Its peer is taken for lost, and the other leg is spoken to in its place.
    pub bridged: bool,
}

/// Who carries a flow of RTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Carrier {
    /// The relay's sockets, in user space.
    Sockets,
    /// The program in the kernel.
    Kernel,
}

impl Carrier {
    /// A short name for whoever is told.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sockets => "sockets",
            Self::Kernel => "kernel",
        }
    }
}

/// What becomes of a leg's RTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Hearing {
    /// Signalling has not said yet where the peer is.
    Unconnected,
    /// Signalling holds it: nothing is to come.
    Held,
    /// It should come, and none ever has.
    Unheard,
    /// It came, and none has for [`Incoming::SILENT_AFTER`].
    Silent,
    /// It comes.
    Flowing,
}

impl Hearing {
    /// Every value.
    pub const ALL: [Self; 5] = [Self::Unconnected, Self::Held, Self::Unheard, Self::Silent, Self::Flowing];

    /// A short name for whoever is told.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unconnected => "unconnected",
            Self::Held => "held",
            Self::Unheard => "unheard",
            Self::Silent => "silent",
            Self::Flowing => "flowing",
        }
    }
}

impl Incoming {
    /// A stream that speaks has a packet every 20 ms or so, one that suppresses silence now and then one of comfort noise.
    pub const SILENT_AFTER: Duration = Duration::from_secs(1);

    /// What has become of it by `now`.
    pub fn hearing(&self, now: Time) -> Hearing {
        match (self.direction, self.last) {
            (None, _) => Hearing::Unconnected,
            (Some(direction), _) if !direction.receives() => Hearing::Held,
            (Some(_), None) => Hearing::Unheard,
            (Some(_), Some(last)) if last + Self::SILENT_AFTER <= now => Hearing::Silent,
            (Some(_), Some(_)) => Hearing::Flowing,
        }
    }
}

impl Measured {
    /// What comes from a leg's peer.
    pub fn incoming(&self, leg: Leg) -> &Incoming {
        match leg {
            Leg::A => &self.a,
            Leg::B => &self.b,
        }
    }
}
