//! What goes into a shard and what comes out of it.

use crate::{
    CallName, CallRecord, HealthInput, ListenerId, MoveReason, Receipt, RegionId, Snapshot, StirAnswer,
    StirTask, TargetId,
};
use bytes::Bytes;
use relay_values::{Duration, RelayCommand, RelayEvent, Time};
use std::net::SocketAddr;
use std::sync::Arc;

/// A transport protocol for SIP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    /// UDP: we retransmit.
    Udp,
    /// TCP: reliable.
    Tcp,
    /// TLS over TCP (RFC 3261 §26.2.1): reliable, and the peer may have proved who it is.
    Tls,
}

impl Transport {
    /// Whether the transport delivers by itself, so that retransmission timers stay off (RFC 3261 §17.1.1.2).
    pub const fn is_reliable(self) -> bool {
        matches!(self, Self::Tcp | Self::Tls)
    }

    /// SIP's own port where none is written (RFC 3261 §19.1.2).
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Udp | Self::Tcp => 5_060,
            Self::Tls => 5_061,
        }
    }

    /// What stands in the Via of our requests where the peer may send its own over the same connection (RFC 5923 §5).
    pub(crate) const fn alias(self) -> &'static str {
        match self {
            Self::Udp | Self::Tcp => "",
            Self::Tls => ";alias",
        }
    }

    /// As it stands in a Via header field.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
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
    /// How long the next message has waited since it arrived. Where nothing is said of it, it has not waited.
    Waited(Duration),
    /// Who the peer of a TLS connection has proved to be: before its first message, and `None` when the connection has ended.
    Proven {
        /// The peer.
        peer: Peer,
        /// Tells one connection with it from the next.
        connection: u64,
        /// Who it is.
        proof: Option<Proof>,
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
    /// Move answered calls away, make-before-break, while their region lives. Progress comes as [`Event::Moves`].
    Move(MoveOrder),
    /// Begin no further move of this order; those under way are finished.
    StopMove(u64),
    /// What came of an [`Output::Stir`].
    Stir(Box<StirAnswer>),
    /// An operator ends a live call: BYE to both legs, or no further attempt and 480 to the caller. Nothing, if it is over.
    EndCall(CallName),
}

/// Who the peer of a TLS connection has proved to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// It has begun the connection, and its certificate is of these SIP domains (RFC 5922 §7.1), in lower case.
    Names(Arc<[Box<str>]>),
    /// We have begun the connection, and its certificate is of the domain that we called.
    Called,
}

/// An operator's order to move answered calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MoveOrder {
    /// Tells one order from the next.
    pub id: u64,
    /// Whence.
    pub from: MoveFrom,
    /// Share of the calls there, in percent.
    pub share: u8,
    /// Only calls whose called number (inbound) or calling number (outbound) begins like this.
    pub prefix: Option<String>,
    /// At most so many, in this shard.
    pub calls: Option<u32>,
    /// Calls that are not moved by then stay where they are.
    pub deadline: Duration,
    /// Why, for the receipts.
    pub reason: MoveReason,
}

/// Whence calls are moved. Numbers are of the newest snapshot's configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MoveFrom {
    /// From everywhere in a region.
    Region(RegionId),
    /// From one edge.
    Edge(TargetId),
    /// Calls that began in this region and were moved away: they go back to it.
    BackTo(RegionId),
}

/// How delivery failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TransportFailure {
    /// ICMP port, host or network unreachable.
    Unreachable,
    /// The connection was refused or reset, or nobody read on it.
    Reset,
    /// The connection has ended in good order; another one may be had for the asking.
    Ended,
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
    /// Something to sign or to verify. The call waits for [`Input::Stir`], though not for long.
    Stir(Box<StirTask>),
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
    /// The relay has heard a region fall silent: for the health core.
    RegionSilent {
        /// The region, or [`RegionId::DRILL`].
        region: RegionId,
        /// The configuration generation that numbers it.
        generation: u64,
        /// Its last packet.
        since: Time,
    },
    /// The relay hears it again.
    RegionHeard {
        /// The region, or [`RegionId::DRILL`].
        region: RegionId,
        /// The configuration generation that numbers it.
        generation: u64,
    },
    /// A call was moved, or was not.
    Moved(Box<Receipt>),
    /// How an operator's order comes on in this shard.
    Moves(MoveProgress),
}

impl Event {
    /// What the health core is to hear of it; everything else comes back as it is.
    pub fn into_health(self) -> Result<HealthInput, Self> {
        match self {
            Self::Evidence(evidence) => Ok(HealthInput::Evidence(evidence)),
            Self::RegionSilent { region, generation, since } => {
                Ok(HealthInput::RegionSilent { region, generation, since })
            }
            Self::RegionHeard { region, generation } => Ok(HealthInput::RegionHeard { region, generation }),
            other @ (Self::Moved(_) | Self::Moves(_)) => Err(other),
        }
    }
}

/// How an operator's order comes on in one shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MoveProgress {
    /// The order.
    pub order: u64,
    /// Calls that it chose.
    pub chosen: u32,
    /// Moved.
    pub moved: u32,
    /// Not moved and still up where they were, or ended by the attempt.
    pub failed: u32,
    /// Ended by a leg in the meantime.
    pub gone: u32,
    /// Nothing is left to do.
    pub done: bool,
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
