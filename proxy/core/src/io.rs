//! What goes into a shard and what comes out of it.

use crate::{CallRecord, ListenerId, Snapshot, TargetId};
use bytes::Bytes;
use relay_values::{Duration, RelayCommand, RelayEvent};
use std::net::SocketAddr;
use std::sync::Arc;

/// A transport protocol for SIP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transport {
    /// UDP: we retransmit.
    Udp,
    /// TCP: reliable.
    Tcp,
}

impl Transport {
    /// Whether the transport delivers by itself, so that retransmission timers stay off (RFC 3261 §17.1.1.2).
    pub const fn is_reliable(self) -> bool {
        matches!(self, Self::Tcp)
    }

    /// As it stands in a Via header field.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
        }
    }
}

/// A SIP neighbour as we reach it: through which of our listeners, at which address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Peer {
    /// Transport protocol.
    pub transport: Transport,
    /// Our listener: its socket sends, its address stands in Via and Contact.
    pub listener: ListenerId,
    /// The neighbour's address.
    pub remote: SocketAddr,
}

/// One input to a shard.
#[derive(Debug, Clone)]
pub enum Input {
    /// A datagram, or one framed message of a stream.
    Message {
        /// Whom it came from.
        from: Peer,
        /// Its bytes, unparsed.
        bytes: Bytes,
    },
    /// Something that we sent to this peer could not be delivered.
    TransportError {
        /// The peer.
        to: Peer,
        /// How it failed.
        failure: TransportFailure,
    },
    /// An event from the relay.
    Relay(RelayEvent),
    /// A new generation. Ordered with everything else: calls admitted before keep what they were admitted under.
    Snapshot(Arc<Snapshot>),
    /// The time of `poll_timeout` has come.
    Timeout,
    /// Take no new calls from now on; those that are up go on.
    Drain,
}

/// How delivery failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TransportFailure {
    /// ICMP port, host or network unreachable.
    Unreachable,
    /// The connection was refused or reset, or closed under a transaction.
    Reset,
    /// The local system would not send.
    Local,
}

/// One output of a shard.
#[derive(Debug, Clone)]
pub enum Output {
    /// Send these bytes.
    Send {
        /// To whom.
        to: Peer,
        /// One whole message.
        bytes: Bytes,
    },
    /// A command for the relay.
    Relay(RelayCommand),
    /// A call is over; its record.
    Finished(Box<CallRecord>),
    /// Something that the rest of the appliance should know.
    Event(Event),
}

/// Something that the rest of the appliance should know.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A reason to think worse of a target.
    Evidence(Evidence),
}

/// A reason to think worse of a target.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Evidence {
    /// The target.
    pub target: TargetId,
    /// The generation whose numbering `target` is from. Evidence from another configuration is ignored.
    pub generation: u64,
    /// What was seen.
    pub kind: EvidenceKind,
}

/// What was seen of a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EvidenceKind {
    /// An INVITE got no response at all within the hunt timer.
    NoResponse,
    /// An INVITE transaction ran into timer B (or a 408).
    Timeout,
    /// ICMP, or a stream connection refused or reset.
    Unreachable,
    /// 503 with the Retry-After that it carried.
    Unavailable(Option<Duration>),
}
