//! The call record: what happened to one call, and why.

use crate::{CloseReason, HuntReason, MoveOutcome, MoveReason, RejectReason, StirRecord};
use relay_values::{Duration, SessionStats, Time};
use std::net::SocketAddr;

/// Which way a call went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Carrier → tier.
    Inbound,
    /// Tier → carrier.
    Outbound,
}

/// A finished call, or a rejected one.
#[derive(Debug, Clone, PartialEq)]
pub struct CallRecord {
    /// Our name for the call, unique in this process's life.
    pub id: u64,
    /// Which way.
    pub direction: Direction,
    /// The A-leg's Call-ID.
    pub a_call_id: String,
    /// The last B-leg's Call-ID; empty if there was none.
    pub b_call_id: String,
    /// Calling number or user, as the A-leg said it.
    pub calling: String,
    /// Called number or user.
    pub called: String,
    /// Where the INVITE came from.
    pub source: SocketAddr,
    /// The trunk's name, inbound: where it came from; outbound: where it went last. Empty if none was reached.
    pub trunk: String,
    /// The site's name, if one was found.
    pub site: String,
    /// Generation that the call was admitted under.
    pub generation: u64,
    /// INVITE received.
    pub started: Time,
    /// First response above 100 sent to the A-leg.
    pub ringing: Option<Time>,
    /// 2xx sent to the A-leg.
    pub answered: Option<Time>,
    /// Over.
    pub ended: Time,
    /// Final code sent to the A-leg; 0 if none was.
    pub code: u16,
    /// Why it ended.
    pub close: CloseReason,
    /// Why it was rejected, if it was.
    pub reject: Option<RejectReason>,
    /// The hunt, step by step.
    pub steps: Vec<Step>,
    /// Every move of its tier leg after the answer.
    pub moves: Vec<Receipt>,
    /// What was signed, and what was found of the caller.
    pub stir: StirRecord,
    /// Media statistics; `None` without a relay session.
    pub media: Option<Box<SessionStats>>,
}

/// One attempt at a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The target's name.
    pub target: String,
    /// Its region's name; empty for a trunk.
    pub region: String,
    /// Generation by which it was chosen.
    pub generation: u64,
    /// INVITE sent.
    pub at: Time,
    /// What became of it.
    pub outcome: StepOutcome,
}

/// The receipt of one move of an answered call's tier leg.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The carrier leg's Call-ID.
    pub carrier_call_id: String,
    /// Why.
    pub reason: MoveReason,
    /// Name of the target that was left, and of its region.
    pub from: (String, String),
    /// Name of the target that took the call, and of its region; empty if none did.
    pub to: (String, String),
    /// When trouble was first seen: the region's last packet where silence told, else the evidence. For a planned move, the
    /// order.
    pub detected: Time,
    /// When the decision reached the call.
    pub decided: Time,
    /// First INVITE to a new target.
    pub invited: Option<Time>,
    /// Its 2xx.
    pub answered: Option<Time>,
    /// First packet of the new peer.
    pub resumed: Option<Time>,
    /// How long the carrier heard nothing at all.
    pub gap_media: Option<Duration>,
    /// How long it heard nobody.
    pub gap_conversation: Option<Duration>,
    /// INVITEs sent.
    pub attempts: u8,
    /// Hash of calling and called identity, diversion and trunk marking as the lost leg had them.
    pub identity_before: u64,
    /// The same as the new leg has them.
    pub identity_after: u64,
    /// What became of it.
    pub outcome: MoveOutcome,
}

/// What became of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepOutcome {
    /// Still under way.
    Pending,
    /// 2xx.
    Answered,
    /// Moved on from.
    Advanced {
        /// Why.
        reason: HuntReason,
        /// The final code, 0 if there was none.
        code: u16,
    },
    /// The hunt ended with it.
    Refused {
        /// The final code.
        code: u16,
    },
    /// The caller gave up.
    Cancelled,
}
