//! What the relay measured.

use crate::StrangerStats;

/// Final statistics of a session. "From" a leg is what its peer sent to us.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct SessionStats {
    /// RTP from the A-leg.
    pub from_a: FlowStats,
    /// RTP from the B-leg.
    pub from_b: FlowStats,
    /// RTCP packets from the A-leg.
    pub rtcp_from_a: u64,
    /// RTCP packets from the B-leg.
    pub rtcp_from_b: u64,
    /// What was dropped, by reason, both legs.
    pub drops: DropCounts,
    /// What strangers have tried on its ports.
    pub strangers: StrangerStats,
}

/// One flow of RTP, measured at the relay (RFC 3550 §6.4.1 and appendix A).
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct FlowStats {
    /// Packets taken from the peer.
    pub packets: u64,
    /// Their payload of UDP, in bytes.
    pub bytes: u64,
    /// Packets passed on to the other leg.
    pub forwarded: u64,
    /// Expected less received, never below zero.
    pub lost: u64,
    /// Interarrival jitter in RTP timestamp units at the end of the flow.
    pub jitter_ts: u32,
    /// The same in microseconds, by the negotiated clock rate.
    pub jitter_us: u32,
    /// The last SSRC seen.
    pub ssrc: u32,
    /// The payload type of its sound, as last seen by the sockets (a fast path does not look at it).
    pub payload_type: Option<u8>,
    /// Time in a packet in microseconds, by its timestamps; 0: no two packets had the same.
    pub packet_time_us: u32,
    /// Packets that came twice.
    pub duplicates: u64,
    /// Packets that came after one with a later number, once.
    pub reordered: u64,
    /// Where losses lay close together.
    pub bursts: Bursts,
    /// What the far end of the other leg has reported of it.
    pub reported: Reported,
}

/// Losses that lie close together: from the first to the last of them there are never 16 or more packets in a row that
/// came (RFC 3611 §4.7.2 with Gmin 16). A loss by itself is not in a burst. Together with packets and losses this gives
/// the densities and mean lengths of bursts and gaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Bursts {
    /// How many there were.
    pub bursts: u32,
    /// Packets in them, lost ones included.
    pub packets: u64,
    /// Of those, lost ones.
    pub lost: u64,
    /// Packets of the longest one.
    pub longest: u32,
    /// Most packets lost in a row, in a burst or by themselves.
    pub longest_loss: u32,
}

/// What the receiver of a flow has reported of it (RFC 3550 §6.4.1), and how far it is away from us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reported {
    /// Report blocks about the flow. Without any the rest is nothing.
    pub reports: u32,
    /// Share of packets lost between the last two reports, in 1/256.
    pub fraction_lost: u8,
    /// The most of that.
    pub fraction_lost_max: u8,
    /// Interarrival jitter in the last report, in microseconds.
    pub jitter_us: u32,
    /// The most of that.
    pub jitter_us_max: u32,
    /// Round trip from the relay to the receiver and back, in microseconds, by the last report that answered a sender
    /// report; 0: none did.
    pub rtt_us: u32,
    /// The most of that.
    pub rtt_us_max: u32,
}

/// Why a packet was not forwarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum DropReason {
    /// Shorter than an RTP header (12 bytes).
    TooShort,
    /// Longer than the relay carries.
    TooLong,
    /// Not RTP version 2, nor RTCP where it may stand.
    NotRtp,
    /// STUN (RFC 7983 first byte 0 to 3): not supported yet.
    Stun,
    /// DTLS (RFC 7983 first byte 20 to 63): not supported yet.
    Dtls,
    /// From an address that is not the leg's peer.
    Stranger,
    /// The other leg's address is not known yet.
    NoTarget,
    /// Signalling holds this direction.
    Held,
    /// No session on this port (closed, resting).
    NoSession,
    /// Lengths inside the packet contradict each other (RTP CSRC count, extension, padding; RTCP length).
    Malformed,
    /// The system would not send it.
    SendFailed,
    /// A drill cuts this leg off.
    Cut,
    /// The other leg has gone past it: a packet from before a change of source, or of an event that has been ended.
    Late,
}

impl DropReason {
    /// Every reason, in order of its number.
    pub const ALL: [Self; 13] = [
        Self::TooShort,
        Self::TooLong,
        Self::NotRtp,
        Self::Stun,
        Self::Dtls,
        Self::Stranger,
        Self::NoTarget,
        Self::Held,
        Self::NoSession,
        Self::Malformed,
        Self::SendFailed,
        Self::Cut,
        Self::Late,
    ];

    /// A short name for logs, metric labels and records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TooShort => "too_short",
            Self::TooLong => "too_long",
            Self::NotRtp => "not_rtp",
            Self::Stun => "stun",
            Self::Dtls => "dtls",
            Self::Stranger => "stranger",
            Self::NoTarget => "no_target",
            Self::Held => "held",
            Self::NoSession => "no_session",
            Self::Malformed => "malformed",
            Self::SendFailed => "send_failed",
            Self::Cut => "cut",
            Self::Late => "late",
        }
    }
}

/// Dropped packets by reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DropCounts([u64; DropReason::ALL.len()]);

impl DropCounts {
    /// Count one.
    pub fn count(&mut self, reason: DropReason) {
        if let Some(n) = self.0.get_mut(reason as usize) {
            *n += 1;
        }
    }

    /// How many were dropped for `reason`.
    pub fn get(&self, reason: DropReason) -> u64 {
        self.0.get(reason as usize).copied().unwrap_or(0)
    }

    /// Reasons with a count above zero.
    pub fn nonzero(&self) -> impl Iterator<Item = (DropReason, u64)> + '_ {
        DropReason::ALL.into_iter().map(|r| (r, self.get(r))).filter(|(_, n)| *n > 0)
    }

    /// Add another set of counts to this one.
    pub fn add(&mut self, other: &Self) {
        for r in DropReason::ALL {
            if let (Some(n), m) = (self.0.get_mut(r as usize), other.get(r)) {
                *n += m;
            }
        }
    }
}

impl FlowStats {
    /// Adds the counts of a later flow of the same direction; what is of a moment is the later one's.
    pub fn add(&mut self, later: &Self) {
        self.packets += later.packets;
        self.bytes += later.bytes;
        self.forwarded += later.forwarded;
        self.lost += later.lost;
        if later.packets > 0 {
            (self.jitter_ts, self.jitter_us, self.ssrc) = (later.jitter_ts, later.jitter_us, later.ssrc);
            (self.payload_type, self.packet_time_us) = (later.payload_type, later.packet_time_us);
        }
        self.duplicates += later.duplicates;
        self.reordered += later.reordered;
        self.bursts.add(&later.bursts);
        self.reported.add(&later.reported);
    }
}

impl Bursts {
    fn add(&mut self, later: &Self) {
        self.bursts = self.bursts.saturating_add(later.bursts);
        self.packets += later.packets;
        self.lost += later.lost;
        self.longest = self.longest.max(later.longest);
        self.longest_loss = self.longest_loss.max(later.longest_loss);
    }
}

impl Reported {
    fn add(&mut self, later: &Self) {
        if later.reports == 0 {
            return;
        }
        let before = *self;
        *self = Self {
            reports: before.reports.saturating_add(later.reports),
            fraction_lost_max: before.fraction_lost_max.max(later.fraction_lost_max),
            jitter_us_max: before.jitter_us_max.max(later.jitter_us_max),
            rtt_us: if later.rtt_us == 0 { before.rtt_us } else { later.rtt_us },
            rtt_us_max: before.rtt_us_max.max(later.rtt_us_max),
            ..*later
        };
    }
}

impl SessionStats {
    /// Adds the counts of a later session of the same call.
    pub fn add(&mut self, later: &Self) {
        self.from_a.add(&later.from_a);
        self.from_b.add(&later.from_b);
        self.rtcp_from_a += later.rtcp_from_a;
        self.rtcp_from_b += later.rtcp_from_b;
        self.drops.add(&later.drops);
        self.strangers.add(&later.strangers);
    }
}
