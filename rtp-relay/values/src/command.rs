//! What signalling asks of the relay.

use crate::{Duration, Leg, RegionId, SessionId};
use std::net::{IpAddr, SocketAddr};

/// A command to the relay. Commands about a session that does not exist (any more) are counted and ignored: the
/// session may have ended by media timeout a moment before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RelayCommand {
    /// Reserve a port pair for each leg. Answered by `Opened` or `OpenFailed`.
    Open(Open),
    /// Say where a leg's peer is, or that it changed (answer, early media, re-INVITE, hold). Ends a bridge of this leg.
    Connect {
        /// The session.
        session: SessionId,
        /// The leg whose peer this is.
        leg: Leg,
        /// Its description.
        to: Connect,
    },
    /// Move a leg to another peer (hunt to another edge, re-homing); the other leg's stream goes on under its old SSRC,
    /// sequence and timestamp line.
    Retarget {
        /// The session.
        session: SessionId,
        /// The leg that moves.
        leg: Leg,
        /// The failure domain that it moves to.
        region: RegionId,
        /// `None` while the new peer's answer is awaited: what was learnt about the old peer is forgotten at once. With a
        /// description, packets go to the new peer from now on, and the old one is still heard until the first packet of
        /// the new one, which ends the bridge and is answered by `Resumed`.
        to: Option<Connect>,
    },
    /// A leg's peer was told a port of ours and is left for another: what was learnt about it is forgotten at once, and the leg
    /// has other ports from now on, so that what the old peer still sends cannot be taken for the next one's. Answered by
    /// `Opened` with the session's ports: where no other pair can be had, the leg keeps its own.
    Renew {
        /// The session.
        session: SessionId,
        /// The leg.
        leg: Leg,
        /// The failure domain that it moves to.
        region: RegionId,
    },
    /// The peer of a leg is taken for lost: whenever nothing comes from it, the other leg hears `fill` under the same
    /// SSRC line, until the first packet of the peer that the leg is retargeted to, or until it is connected again. A
    /// DTMF event of the lost peer that has no end yet is ended (RFC 4733 §2.5.1.4).
    Bridge {
        /// The session.
        session: SessionId,
        /// The leg whose peer is lost.
        leg: Leg,
        /// What the other leg hears; `None`: nothing.
        fill: Option<Fill>,
    },
    /// The session's tier leg counts among the flows of this region from now on (a reload numbered the regions anew, or
    /// a drill chose the call).
    Place {
        /// The session.
        session: SessionId,
        /// The failure domain; [`RegionId::DRILL`] for the cohort of a drill.
        region: RegionId,
        /// The tier leg's media is dropped both ways from now on, as an outage would
        /// ([`DropReason::Cut`](crate::DropReason::Cut)), until this is said otherwise or the leg is retargeted.
        cut: bool,
    },
    /// Close the session. Answered by `Released`; the ports rest before they are used again.
    Release {
        /// The session.
        session: SessionId,
    },
}

/// Reserve a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Open {
    /// Its name.
    pub session: SessionId,
    /// The A-leg's side.
    pub a: LegSpec,
    /// The B-leg's side.
    pub b: LegSpec,
    /// The failure domain of the tier leg.
    pub region: RegionId,
    /// Which leg is the tier leg.
    pub tier_leg: Leg,
    /// No packet from a leg that should be sending for this long ends the call. `None`: never.
    pub inactivity: Option<Duration>,
}

/// One leg's side of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LegSpec {
    /// The local address to take ports on (must be one of the relay's configured addresses).
    pub local: IpAddr,
    /// How strictly the peer's source address is held to its SDP.
    pub latching: Latching,
}

/// How a flow learns where its peer really sends from (RFC 7362 describes the practice and its risks).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Latching {
    /// Only packets from exactly the address and port in the SDP are taken.
    Exact,
    /// The address in the SDP, any port: the peer is not behind a NAT but may send from another port. Which one is learnt as
    /// with `Learn`; packets go to the port in the SDP.
    Address,
    /// NAT: within half a second of the first packet the best of those who send (the place in the SDP, its address, a stream
    /// that has proved itself, who came first), then only that source until signalling describes another place.
    Learn,
}

/// Where a leg's peer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Connect {
    /// Its RTP and RTCP addresses, from its SDP.
    pub remote: Remote,
    /// Which way media flows, seen from us: `SendOnly` means that we send to this peer and expect nothing.
    pub direction: Direction,
    /// RTP clock rate of the negotiated codec in Hz, for jitter (RFC 3550 §6.4.1).
    pub clock_rate: u32,
    /// Payload type of telephone-event, where agreed (RFC 4733).
    pub event: Option<u8>,
    /// What the packets are.
    pub carries: Carries,
}

/// What a leg's packets are, and with that what the relay may do with them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Carries {
    /// RTP and RTCP in the clear (RFC 3550): measured, and rewritten where the stream has to go on under its old line.
    #[default]
    Rtp,
    /// SRTP and SRTCP (RFC 3711), with the DTLS that agrees on their keys (RFC 5764): the headers can be read and measured,
    /// but they are authenticated, so that nothing is rewritten and nothing can be said in the peer's place.
    Sealed,
    /// Anything else, like UDPTL (ITU-T T.38): whole datagrams on the RTP port, of which only the source is looked at. Their
    /// silence says nothing, and nobody can speak in their place.
    Datagrams,
}

/// What a leg hears while the other one has no peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fill {
    /// Payload type to send.
    pub payload_type: u8,
    /// RTP clock rate in Hz: 8,000 for everything that [`Sound`] knows.
    pub clock_rate: u32,
    /// Time in one packet: the agreed `ptime`.
    pub packet_time: Duration,
    /// What is in it.
    pub sound: Sound,
}

/// The sound of a bridge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sound {
    /// Quiet noise in G.711: a line that lives.
    Noise(Law),
    /// The relay's configured prompt in G.711, over and over; noise where none is configured.
    Prompt(Law),
    /// Comfort noise packets (RFC 3389), for codecs that we do not speak.
    ComfortNoise,
}

/// The two laws of G.711.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Law {
    /// µ-law: payload type 0, PCMU.
    Mu,
    /// A-law: payload type 8, PCMA.
    A,
}

/// A peer's media addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Remote {
    /// Where RTP goes. A port of 0 means that the stream is refused.
    pub rtp: SocketAddr,
    /// Where RTCP goes: the next port up unless `a=rtcp` says otherwise (RFC 3605).
    pub rtcp: SocketAddr,
    /// RTCP shares the RTP port (RFC 5761).
    pub mux: bool,
}

/// SDP direction, seen from us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Both ways.
    SendRecv,
    /// We send, the peer is silent.
    SendOnly,
    /// The peer sends, we are silent.
    RecvOnly,
    /// Neither (hold).
    Inactive,
}

impl Direction {
    /// Whether packets are expected from the peer.
    pub const fn receives(self) -> bool {
        matches!(self, Self::SendRecv | Self::RecvOnly)
    }

    /// Whether packets go to the peer.
    pub const fn sends(self) -> bool {
        matches!(self, Self::SendRecv | Self::SendOnly)
    }
}
