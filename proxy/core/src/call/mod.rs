//! One call: two user agents back to back.
//!
//! A call hears neutral [`CallEvent`]s and is in one of five states, each with a file of its own that says what every
//! event means there:
//!
//! ```text
//!            relay ports          2xx from B              BYE, silence, …
//!  Opening ───────────────▶ Hunting ───────────▶ Answered ───────────────▶ Closing ──▶ over
//!     ▲                      │   │               │      ▲                     ▲
//!     └── other family ──────┘   │     edge dead │      │ 2xx from the next   │
//!                                │     or drained▼      │ one, media moved    │
//!                                │               Rehoming ── deadline, BYE ───┤
//!                                └── refused, cancelled, nobody left ─────────┘
//! ```
//!
//! The A-leg's dialog is untouched while the hunt goes from target to target: the caller has one Call-ID, one To tag and
//! one stream of provisional responses, whatever happens behind us. After the answer it is the carrier's leg that is left
//! in peace, whichever side called: only the tier leg is ever moved.

mod answered;
mod carry;
mod challenged;
mod closing;
mod env;
mod event;
mod forks;
mod hunting;
mod invite;
mod keeping;
mod leg;
mod lending;
mod media;
mod moving;
mod newcomer;
mod opening;
mod receipt;
mod redirect;
mod refer;
mod refusal;
mod rehoming;
mod reliable;
mod seat;
mod session;
mod stir;
mod summary;
mod transfer;
mod uac;
mod uas;
mod view;

pub(crate) use carry::{Carried, CarriedOutcome};
pub(crate) use env::{Env, User};
pub(crate) use event::{CallEvent, Progress};
pub(crate) use leg::{CallLeg, finish};
pub(crate) use media::{LineTerms, Media, Unusable, refusal as refused_offer};
pub(crate) use refer::Replaces;
pub(crate) use session::{SessionTimer, refused_for, understands};
pub(crate) use uac::NotForTheCall;
pub(crate) use uas::Pending;

pub(crate) use moving::Cause;
pub(crate) use seat::Severed;

use lending::Lent;
use moving::Mobile;
use refer::Referral;
use seat::Seat;
use transfer::Transfer;

use crate::identity::Identity;
use crate::ids::CallKey;
use crate::record::Direction;
use crate::route::Plan;
use crate::transaction::ClientKey;
use crate::{CloseReason, MoveReason, Peer, RejectReason, SiteId, Snapshot, StepOutcome, TargetId, TrunkId};
use relay_values::{Latching, Leg, RegionId, SessionStats, Time};
use smallvec::SmallVec;
use std::sync::Arc;

/// One call.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) key: CallKey,
    state: State,
    /// What the call was admitted under: it keeps this whatever is reloaded.
    pub(crate) pinned: Arc<Snapshot>,
    pub(crate) admitted: Admitted,
    /// The A-leg's INVITE while it has no final response.
    invite: Option<Box<Pending>>,
    a: CallLeg,
    b: CallLeg,
    media: Media,
    plan: Plan,
    steps: SmallVec<[Attempted; 2]>,
    /// The reliable provisionals that the caller was sent; most calls have none.
    reliable: Option<Box<reliable::Reliable>>,
    /// Requests inside the dialog that were carried across and wait for their response.
    carried: Vec<Carried>,
    stamps: Stamps,
    /// Final code sent to the A-leg.
    code: u16,
    stats: Option<Box<SessionStats>>,
    /// Where the tier leg sits.
    seat: Seat,
    /// What is kept of its moves; most calls have none.
    mobile: Option<Box<Mobile>>,
    /// Why a leg ended the call, as it said it (RFC 3326).
    said: Option<Box<[u8]>>,
    /// A transfer that one of its legs has asked for.
    transfer: Option<Box<Transfer>>,
    /// A leg that another call of ours would like to have.
    lent: Option<Lent>,
    /// Call-ID of the A-leg that the call began with, once another has taken its place by transfer.
    first_call_id: Option<Box<[u8]>>,
    /// REFERs that were carried across.
    referrals: Vec<Referral>,
    /// What is signed and verified of it; most calls have none.
    stir: Option<Box<stir::Stir>>,
}

/// What admission decided.
#[derive(Debug)]
pub(crate) struct Admitted {
    pub(crate) direction: Direction,
    pub(crate) source: Peer,
    pub(crate) identity: Identity,
    /// Inbound: where the call came from. Outbound: where it went last.
    pub(crate) trunk: Option<TrunkId>,
    pub(crate) site: Option<SiteId>,
    /// Outbound: the region that called. Inbound: the region of the current target.
    pub(crate) region: RegionId,
    /// How strictly the A-leg's media source is held to its SDP.
    pub(crate) latching: Latching,
    /// Hops left for the B-leg's INVITE.
    pub(crate) max_forwards: u8,
    /// In how many branches at once the call may go on (RFC 5393 §5.3.3). We try one target after the other.
    pub(crate) max_breadth: Option<u8>,
    /// It is moved before others.
    pub(crate) emergency: bool,
    /// The caller's own UUID for the call (RFC 7989), where he gave one.
    pub(crate) session_id: Option<Box<[u8; 16]>>,
}

/// When things happened.
#[derive(Debug, Clone, Copy)]
struct Stamps {
    started: Time,
    ringing: Option<Time>,
    answered: Option<Time>,
}

/// One attempt at a target, as the record will show it.
#[derive(Debug, Clone)]
struct Attempted {
    target: TargetId,
    /// The snapshot that numbers `target`.
    under: Arc<Snapshot>,
    at: Time,
    outcome: StepOutcome,
}

/// Where a call stands.
#[derive(Debug, Clone, Copy)]
enum State {
    /// The relay was asked for ports, or somebody for a signature; the INVITE to `target` follows.
    Opening { target: TargetId, until: Time },
    /// An INVITE is out.
    Hunting(Attempt),
    /// 2xx was sent to the A-leg.
    Answered,
    /// The same, but the tier leg is leaving its edge.
    Rehoming(Rehome),
    /// Both legs were told; statistics or an ACK are awaited.
    Closing(Closing),
    /// Nothing is awaited: the shard takes the record and forgets the call.
    Over(CloseReason, Option<RejectReason>),
}

/// The attempt under way.
#[derive(Debug, Clone, Copy)]
struct Attempt {
    client: ClientKey,
    target: TargetId,
    phase: Phase,
    /// When the call's patience with this phase ends.
    until: Time,
}

/// How far an attempt has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    /// No response at all.
    Calling,
    /// 100.
    Proceeding,
    /// 101 to 199.
    Ringing,
}

/// The move of an answered call's tier leg.
#[derive(Debug, Clone, Copy)]
struct Rehome {
    stage: Stage,
    reason: MoveReason,
    /// The operator's order that it follows. Without one the old leg is taken for dead.
    order: Option<u64>,
    /// When the call's patience with the whole move ends.
    until: Time,
}

/// How far a move has come.
#[derive(Debug, Clone, Copy)]
enum Stage {
    /// Waits for its turn; [`Time::NEVER`] once it stands in a lane, else when it looks again.
    Waiting { again: Time },
    /// An INVITE is out.
    Inviting(Attempt),
    /// The next edge took the call with other media: the carrier is asked whether it can follow.
    Refitting { client: ClientKey, cseq: u32, target: TargetId },
    /// The tier leg sits at its new edge; its first packet is awaited.
    Settling { until: Time },
}

/// What a closing call still waits for.
#[derive(Debug, Clone, Copy)]
struct Closing {
    reason: CloseReason,
    reject: Option<RejectReason>,
    /// The relay has not given its statistics yet.
    stats: bool,
    /// A has not acknowledged our 2xx yet, and BYE may not be sent before (RFC 3261 §15).
    a_bye: bool,
    until: Time,
}

impl Call {
    /// Hands an event to the state that the call is in.
    pub(crate) fn handle(&mut self, env: &mut Env, event: CallEvent) {
        if matches!(event, CallEvent::Timer)
            && let Some(state) = self.repeat_provisional(env)
        {
            self.state = state;
            return;
        }
        self.state = match self.state {
            State::Opening { target, until } => self.opening(env, target, until, event),
            State::Hunting(attempt) => self.hunting(env, attempt, event),
            State::Answered => self.answered(env, event),
            State::Rehoming(rehome) => self.rehoming(env, rehome, event),
            State::Closing(closing) => self.closing(env, closing, event),
            State::Over(reason, reject) => State::Over(reason, reject),
        };
    }

    /// When the call wants its own timer.
    pub(crate) fn deadline(&self) -> Time {
        let provisional = || self.reliable.as_ref().map_or(Time::NEVER, |reliable| reliable.deadline());
        match self.state {
            State::Opening { until, .. } => {
                until.min(self.expires()).min(provisional()).min(self.stir_deadline())
            }
            State::Hunting(attempt) => attempt.until.min(self.expires()).min(provisional()),
            State::Over(..) => Time::NEVER,
            State::Answered => self.sessions_deadline().min(self.transfer_deadline()),
            State::Rehoming(rehome) if rehome.keeps_sessions() => {
                rehome.deadline().min(self.sessions_deadline())
            }
            State::Rehoming(rehome) => rehome.deadline(),
            State::Closing(closing) => closing.until,
        }
    }

    /// Why the call is over, once it is.
    pub(crate) fn over(&self) -> Option<(CloseReason, Option<RejectReason>)> {
        match self.state {
            State::Over(reason, reject) => Some((reason, reject)),
            State::Opening { .. }
            | State::Hunting(_)
            | State::Answered
            | State::Rehoming(_)
            | State::Closing(_) => None,
        }
    }

    /// The target that an unanswered call is at.
    pub(crate) fn hunting_at(&self) -> Option<TargetId> {
        match self.state {
            State::Opening { target, .. } => Some(target),
            State::Hunting(attempt) => Some(attempt.target),
            State::Answered | State::Rehoming(_) | State::Closing(_) | State::Over(..) => None,
        }
    }

    /// Whether the call is up.
    pub(crate) fn is_answered(&self) -> bool {
        matches!(self.state, State::Answered | State::Rehoming(_))
    }

    /// Whether this is the last attempt, under way or answered; an earlier one's response comes too late, and so does one to
    /// an INVITE that was refused and said again to the same target.
    pub(crate) fn is_current(&self, attempt: u8, client: ClientKey) -> bool {
        let is_under_way = match &self.state {
            State::Hunting(attempt) => attempt.client == client,
            _ => true,
        };
        self.steps.len() == usize::from(attempt) && is_under_way
    }

    /// A leg.
    pub(crate) fn leg(&self, leg: Leg) -> &CallLeg {
        match leg {
            Leg::A => &self.a,
            Leg::B => &self.b,
        }
    }

    fn leg_mut(&mut self, leg: Leg) -> &mut CallLeg {
        match leg {
            Leg::A => &mut self.a,
            Leg::B => &mut self.b,
        }
    }

    /// Writes the outcome of the attempt under way.
    fn step_ends(&mut self, outcome: StepOutcome) {
        if let Some(step) = self.steps.last_mut() {
            step.outcome = outcome;
        }
    }
}
