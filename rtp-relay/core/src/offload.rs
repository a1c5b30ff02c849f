//! What a faster path has to know to carry one flow by itself, and what it hands back.
//!
//! The slow path is the truth: it learns peers, begins the lines of streams and sees everything unusual. A fast path (a
//! program in the kernel) is told of a flow when there is nothing more to decide about its next packets ([`Relay::flow`]),
//! passes up every packet that is not exactly one of those, and hands back what its packets have changed
//! ([`Relay::absorb`]): before the relay is given a packet or a command of the flow's session, and whenever somebody wants to
//! know. A command that says something new of the flow's source takes it back first; one that says something new of its
//! receiver alone changes it where it is.
//!
//! [`Relay::flow`]: crate::Relay::flow
//! [`Relay::absorb`]: crate::Relay::absorb

use crate::leg::{LegState, Onward, Succession};
use crate::limits::MAX_MISORDER;
use crate::losses::Losses;
use crate::ports::PortRef;
use crate::regions::Counted;
use relay_values::{Carries, RegionId, Time};
use std::net::SocketAddr;

/// The RTP of one leg, on its way to the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flow {
    /// Our port that it comes to.
    pub at: PortRef,
    /// The only source from which it comes.
    pub from: SocketAddr,
    /// Our port from which it goes on.
    pub out: PortRef,
    /// Where it goes.
    pub to: SocketAddr,
    /// The payload type whose packets are not for a fast path: telephone-event (RFC 4733).
    pub event: Option<u8>,
    /// RTP clock rate in Hz.
    pub clock_rate: u32,
    /// The region among whose flows it is counted, if it comes from the tier: its silence says something.
    pub region: Option<RegionId>,
    /// The SSRC of its packets; any other one is not for a fast path.
    pub source: u32,
    /// How its packets become the receiver's.
    pub shift: FlowShift,
    /// The oldest sequence number that may still pass, counted as [`FlowState::newest`] is. What is older by more than
    /// [`MAX_MISORDER`] or newer by [`MAX_DROPOUT`](crate::limits::MAX_DROPOUT) and more is a restart, and not for a fast
    /// path.
    pub oldest: u32,
    /// Where it stands.
    pub state: FlowState,
}

/// What is written over the header of a flow's packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlowShift {
    /// The SSRC that the receiver knows.
    pub ssrc: u32,
    /// Added to sequence numbers, modulo 2¹⁶.
    pub sequence: u16,
    /// Added to timestamps, modulo 2³².
    pub timestamp: u32,
}

/// The moving part of a flow, all in numbers of its source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FlowState {
    /// Packets passed on by the fast path.
    pub packets: u64,
    /// Their payload of UDP in bytes.
    pub bytes: u64,
    /// How much of that was neither the fixed RTP header nor payload: contributing sources, extension, padding.
    pub extra: u64,
    /// When the last packet came.
    pub last: Time,
    /// The newest sequence number, extended by how often it went round.
    pub newest: u32,
    /// The newest timestamp, and when it came first.
    pub newest_timestamp: u32,
    /// See above.
    pub newest_at: Time,
    /// The timestamp of the last packet that came, be it late.
    pub last_timestamp: u32,
    /// Interarrival jitter × 16 (RFC 3550 appendix A.8).
    pub jitter: u32,
    /// The payload type of the last packet that came.
    pub payload_type: u8,
    /// The beat.
    pub beat: FlowBeat,
    /// What was odd about its numbers, counted as `newest` is.
    pub losses: Losses,
}

/// Whether the timestamps of a flow grow by one step with every packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FlowBeat {
    /// Of the packet with the newest sequence number.
    pub timestamp: u32,
    /// The step; 0: none is known.
    pub step: u32,
    /// Packets in a row that kept it, up to [`STEADY_PACKETS`](crate::limits::STEADY_PACKETS).
    pub steady: u8,
}

/// What the shell is to do about its fast path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Offload {
    /// Let the fast path carry this flow; [`Relay::declined`](crate::Relay::declined) if it cannot.
    Install(Box<Flow>),
    /// Let it carry the flow that comes to [`Flow::at`] like this from now on, without a packet in between that it does not
    /// carry; [`Relay::changed`](crate::Relay::changed) then, or [`Relay::recalled`](crate::Relay::recalled) if it cannot.
    Change(Box<Flow>),
    /// Let it carry no flow of a region any more, in one step. They are its flows nevertheless: each is taken back when its
    /// time comes, or goes on when the region is open again.
    Shut(RegionId),
    /// Let it carry them again.
    Open(RegionId),
    /// Let it do so no longer, and say by [`Relay::recalled`](crate::Relay::recalled) what has become of the flow.
    Remove {
        /// The port that it comes to.
        at: PortRef,
        /// Why.
        why: Recall,
    },
}

/// Why a flow is taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Recall {
    /// Signalling describes a peer.
    Connect,
    /// A leg is moved.
    Retarget,
    /// The peer of a leg is taken for lost.
    Bridge,
    /// The session is counted elsewhere, or a drill cuts it off.
    Place,
    /// The session ends.
    Release,
    /// A peer has been found elsewhere.
    Latched,
    /// The fast path has passed up a telephone-event.
    Event,
    /// It has passed up a packet of another source.
    Source,
    /// It has passed up another packet of the peer.
    PassedUp,
    /// Somebody watches the session's packets.
    Watched,
}

impl Recall {
    /// Every reason, in order of its number.
    pub const ALL: [Self; 10] = [
        Self::Connect,
        Self::Retarget,
        Self::Bridge,
        Self::Place,
        Self::Release,
        Self::Latched,
        Self::Event,
        Self::Source,
        Self::PassedUp,
        Self::Watched,
    ];

    /// A short name for logs and metric labels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Retarget => "retarget",
            Self::Bridge => "bridge",
            Self::Place => "place",
            Self::Release => "release",
            Self::Latched => "latched",
            Self::Event => "event",
            Self::Source => "source",
            Self::PassedUp => "passed_up",
            Self::Watched => "watched",
        }
    }
}

impl Flow {
    /// Whether a fast path that carries the other one does all that this one asks for.
    pub(crate) fn is_carried_by(&self, other: &Self) -> bool {
        let Self { oldest, state, .. } = *other;
        Self { oldest, state, ..*self } == *other
    }
}

/// Who carries the RTP from a leg.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fast {
    /// The sockets.
    Slow {
        /// Packets in a row that a fast path could have carried.
        ordinary: u16,
    },
    /// A fast path, or it has been asked to.
    Carried(Box<Flow>),
    /// It has been asked not to, and has not said yet how far it has come.
    Recalled(Box<Flow>),
}

impl Default for Fast {
    fn default() -> Self {
        Self::Slow { ordinary: 0 }
    }
}

impl Fast {
    /// Take the flow back; the port that it comes to, if that is news.
    pub(crate) fn recall(&mut self) -> Option<PortRef> {
        let Self::Carried(flow) = self else { return None };
        let (at, flow) = (flow.at, flow.clone());
        *self = Self::Recalled(flow);
        Some(at)
    }

    /// Whether a fast path knows better than we.
    pub(crate) fn is_carried(&self) -> bool {
        match self {
            Self::Slow { .. } => false,
            Self::Carried(_) | Self::Recalled(_) => true,
        }
    }

    /// What was ordinary counts no longer.
    pub(crate) fn begin_anew(&mut self) {
        if let Self::Slow { ordinary } = self {
            *ordinary = 0;
        }
    }
}

/// Why a flow is not for a fast path, at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Unfit {
    /// No session has this port for RTP.
    NoSession,
    /// A drill cuts the tier leg off.
    Cut,
    /// It may come from one peer or from the next.
    Moving,
    /// Its peer is taken for lost.
    Bridged,
    /// Its region is taken for lost, whatever still comes from there.
    Shut,
    /// It is not RTP.
    Datagrams,
    /// A telephone-event is under way.
    Event,
    /// A peer's source has not been learnt.
    Unlearnt,
    /// Signalling holds this direction, or the receiver's place is not known.
    NoTarget,
    /// One leg speaks IPv4 and the other IPv6: headers of another length.
    Families,
    /// The source has not begun, or has begun anew and has not proved it.
    Unsteady,
    /// Somebody watches the session's packets.
    Watched,
}

impl Unfit {
    /// Every reason, in order of its number.
    pub const ALL: [Self; 12] = [
        Self::NoSession,
        Self::Cut,
        Self::Moving,
        Self::Bridged,
        Self::Shut,
        Self::Datagrams,
        Self::Event,
        Self::Unlearnt,
        Self::NoTarget,
        Self::Families,
        Self::Unsteady,
        Self::Watched,
    ];

    /// A short name for logs and metric labels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoSession => "no_session",
            Self::Cut => "cut",
            Self::Moving => "moving",
            Self::Bridged => "bridged",
            Self::Shut => "shut",
            Self::Datagrams => "datagrams",
            Self::Event => "event",
            Self::Unlearnt => "unlearnt",
            Self::NoTarget => "no_target",
            Self::Families => "families",
            Self::Unsteady => "unsteady",
            Self::Watched => "watched",
        }
    }
}

/// The flow from `source` to `sink`, as it is now. `counted`: its region and its beat there.
pub(crate) fn flow(
    at: PortRef,
    source: &LegState,
    sink: &LegState,
    counted: Option<Counted<'_>>,
) -> Result<Flow, Unfit> {
    // The receiver need not have been heard: where its packets go is known.
    if !matches!(source.succession, Succession::Settled) {
        return Err(Unfit::Moving);
    }
    if source.bridge.is_some() {
        return Err(Unfit::Bridged);
    }
    if counted.is_some_and(|c| c.shut) {
        return Err(Unfit::Shut);
    }
    if [source, sink].into_iter().any(|leg| leg.peer.carries() == Carries::Datagrams) {
        return Err(Unfit::Datagrams);
    }
    if source.event.under_way().is_some() {
        return Err(Unfit::Event);
    }
    let from = source.peer.rtp_source().ok_or(Unfit::Unlearnt)?;
    if sink.is_sought() {
        return Err(Unfit::Unlearnt);
    }
    let Onward { port: out, to } =
        sink.accept_rtp().ok().filter(|_| source.peer.should_send()).ok_or(Unfit::NoTarget)?;
    if from.is_ipv4() != to.is_ipv4() {
        return Err(Unfit::Families);
    }
    let steady = source.line.steady().ok_or(Unfit::Unsteady)?;
    let metered = source.meter.steady(steady.source).ok_or(Unfit::Unsteady)?;
    let newest = metered.newest;
    if steady.newest != newest as u16 {
        return Err(Unfit::Unsteady);
    }
    Ok(Flow {
        at,
        from,
        out,
        to,
        event: source.peer.event(),
        clock_rate: source.meter.clock_rate(),
        region: counted.map(|c| c.region),
        source: steady.source,
        shift: steady.shift,
        oldest: newest.wrapping_sub(steady.room.unwrap_or(MAX_MISORDER.into())),
        state: FlowState {
            packets: 0,
            bytes: 0,
            extra: 0,
            last: source.spoke.unwrap_or_default(),
            newest,
            newest_timestamp: steady.timestamp,
            newest_at: steady.at,
            last_timestamp: metered.last_timestamp,
            jitter: metered.jitter,
            payload_type: metered.payload_type,
            losses: metered.losses,
            beat: counted.and_then(|c| c.pulse.shown(newest as u16)).unwrap_or_default(),
        },
    })
}

/// What has happened between two states of the flow from a leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Carried {
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
    /// Bytes of RTP payload.
    pub(crate) octets: u64,
    /// Sequence numbers.
    pub(crate) advance: u32,
}

impl Carried {
    /// Nothing, if `after` cannot have come after `before`.
    pub(crate) fn between(before: &FlowState, after: &FlowState) -> Option<Self> {
        let packets = after.packets.checked_sub(before.packets).filter(|n| *n > 0)?;
        let bytes = after.bytes.saturating_sub(before.bytes);
        let headers = packets.saturating_mul(crate::packet::RTP_HEADER as u64);
        let extra = after.extra.saturating_sub(before.extra);
        Some(Self {
            packets,
            bytes,
            octets: bytes.saturating_sub(headers).saturating_sub(extra),
            advance: after.newest.wrapping_sub(before.newest),
        })
    }
}

/// Take over what a fast path has passed on of the flow from a leg, `ssrc`, which stood at `before`.
pub(crate) fn absorb(
    leg: &mut LegState,
    ssrc: u32,
    shift: &FlowShift,
    before: &FlowState,
    carried: &Carried,
    after: &FlowState,
) {
    leg.heard = leg.heard.max(Some(after.last));
    leg.spoke = leg.spoke.max(Some(after.last));
    leg.meter.absorb(ssrc, before, carried, after);
    leg.line.absorb(shift, before.newest, carried, after);
    leg.reports.carried(carried);
}
