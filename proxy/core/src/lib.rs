//! The signalling core: transactions, dialogs, calls, trunks, routes and health.
//!
//! Sans-IO: nothing here opens a socket, reads a clock, draws randomness from the system, spawns, locks or sleeps. A
//! [`Shard`] is a complete SIP element for the calls that it owns: values go in through [`Shard::handle`], values come
//! out of [`Shard::poll_output`], and [`Shard::poll_timeout`] says when it wants to be woken. [`Health`] is the second
//! core: it probes targets, weighs evidence and says which target is usable. The daemon drives both over real sockets,
//! the simulator in virtual time.
//!
//! One rule for callers: after every `handle`, drain `poll_output` to `None`.

#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    warn(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)
)]

mod admission;
mod call;
mod config;
mod correlation;
mod counters;
mod delays;
mod demands;
mod dialog;
mod digest;
mod face;
mod ghosts;
mod health;
mod identity;
mod ids;
mod io;
mod limits;
mod listing;
mod locate;
mod moves;
mod overload;
mod owner;
mod packed;
mod proven;
mod reason;
mod record;
mod registration;
mod rng;
mod route;
mod shard;
mod snapshot;
mod stir;
mod transaction;
mod wheel;

pub use config::{
    AfterRefusal, Certificate, CodePolicy, CodesId, Config, Correlation, EdgeGroup, GapFill, GroupId,
    HuntPolicy, InboundRoute, LargeRequests, Listener, ListenerId, Manners, MediaMode, MediaPolicy,
    NamedTarget, OutboundRoute, OverRate, OverloadPolicy, Owner, ProbePolicy, ProfileId, Redirects, Refers,
    Refresher, Region, RegionPolicy, Registration, RehomePolicy, ScannerPolicy, SessionPolicy, ShardLimits,
    Site, SiteId, Target, TargetId, Timers, Trunk, TrunkChoice, TrunkId, UnknownSource,
};
pub use counters::{RegionCalls, ShardCounters, ShardCounts};
pub use delays::{Delays, Disconnect};
pub use digest::{Account, AccountsId, Authentication, Demand, DemandId, DigestHash, Secret};
pub use health::{EdgeView, Health, HealthChange, HealthCounters, HealthInput, HealthOutput, RegionView};
pub use identity::{
    Asserts, Diversions, HostPart, Hosts, Marking, NumberFormat, NumberPlan, NumberStyle, Numbers,
    PrivacyService, Profile, identity_differences,
};
pub use io::{
    Event, Evidence, EvidenceKind, Input, MoveFrom, MoveOrder, MoveProgress, Output, Peer, Proof, Transport,
    TransportFailure,
};
pub use limits::{MAX_LINES, MAX_PLACES};
pub use listing::{CallDetail, CallMedia, CallName, CallPage, CallPhase, CallQuery, CallView, MediaLine};
pub use locate::{
    Absent, AddressView, Answer, Data, Dispute, Disputed, DnsName, Failure, Family, Locate, LocateChange,
    LocateCounters, LocateInput, LocatePolicy, LocateReason, LocatedAddress, NotAHost, Place, PlaceState,
    PlaceView, Question, QuestionId, QuestionKind, Record, Resolution,
};
pub use overload::{ScannerView, begins_something, calls_for_help};
pub use owner::{OwnerOf, owner};
pub use reason::{
    ChallengeOutcome, CloseReason, HuntReason, MoveOutcome, MoveReason, RejectReason, SwitchReason,
    UnsignedReason, VerifyReason,
};
pub use record::{CallRecord, Direction, Receipt, Step, StepOutcome};
pub use registration::RegistrationView;
pub use relay_values::RegionId;
pub use route::{Router, Source};
pub use shard::Shard;
pub use snapshot::{Cut, Drill, Overrides, RegionHealth, RegionState, Snapshot, TargetHealth, TargetState};
pub use stir::{
    Attestation, SignPolicy, Signature, StirAnswer, StirId, StirPolicy, StirRecord, StirSaid, StirTask,
    StirTicket, StirWork, ToSign, ToVerify, Verification, VerifyPolicy,
};
