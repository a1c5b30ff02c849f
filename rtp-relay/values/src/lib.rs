//! The plain values on which the signalling core and the relay core meet.
//!
//! Nothing here does anything: commands go from a signalling shard to the relay, events come back. Because the boundary
//! is made of values, a relay can run in the same thread (simulator), in another thread (today's daemon) or in another
//! process. The crate depends on nothing but `core` and `std::net`.

#![forbid(unsafe_code)]

mod command;
mod event;
mod measured;
mod stats;
mod strangers;
mod time;

pub use command::{
    Carries, Connect, Direction, Fill, Latching, Law, LegSpec, Open, RelayCommand, Remote, Sound,
};
pub use event::{Gap, OpenFailure, RelayEvent, SilenceKind};
pub use measured::{Carrier, Hearing, Incoming, Measured};
pub use stats::{Bursts, DropCounts, DropReason, FlowStats, Reported, SessionStats};
pub use strangers::StrangerStats;
pub use time::{Duration, Time};

/// Names one relay session: the flows of one call. Chosen by the signalling shard that owns the call, unique while the
/// session lives. The top 8 bits are the shard's number, so an event finds its way back without a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(pub u64);

impl SessionId {
    /// A session of `shard`, numbered `serial` (the low 56 bits count).
    pub const fn new(shard: u8, serial: u64) -> Self {
        Self(((shard as u64) << 56) | (serial & 0x00ff_ffff_ffff_ffff))
    }

    /// The shard that owns the call.
    pub const fn shard(self) -> u8 {
        (self.0 >> 56) as u8
    }
}

/// A leg of a call: the one that called us or the one that we called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Leg {
    /// The leg that called us.
    A,
    /// The leg that we called.
    B,
}

impl Leg {
    /// The opposite leg.
    pub const fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }
}

/// A failure domain, as numbered by the configuration. The relay needs it only to tell silence of a region from
/// silence of a phone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RegionId(pub u16);

impl RegionId {
    /// Not a region: the calls that a drill has chosen, which are judged together as if they were one.
    pub const DRILL: Self = Self(u16::MAX);
}
