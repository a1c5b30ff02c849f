//! Everybody but the appliance: a carrier that calls and two regions that answer, on one thread.
//!
//! Simple user agents of their own, apart from the code under the appliance but for the message scanner: what the
//! appliance gets wrong they do not get wrong the same way. They know of each other only what the appliance passes on;
//! the [`Ledger`] is where the demo takes notes.

mod alarms;
mod callee;
mod caller;
mod ear;
mod line;
mod script;
mod voice;
mod write;

pub(super) use line::Line;
pub(super) use script::{News, Script};
pub(super) use write::serial_in;

use super::ledger::Ledger;
use alarms::{Alarm, Alarms};
use std::time::{Duration, Instant};

/// A failure domain of the tier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Region {
    East,
    West,
}

impl Region {
    pub(super) const BOTH: [Self; 2] = [Self::East, Self::West];

    /// Its name in the configuration.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::East => "east",
            Self::West => "west",
        }
    }

    pub(super) const fn other(self) -> Self {
        match self {
            Self::East => Self::West,
            Self::West => Self::East,
        }
    }
}

/// What every user agent works with.
struct Desk {
    ledger: Ledger,
    alarms: Alarms,
    dice: Dice,
    now: Instant,
}

/// T1, the first retransmission interval (RFC 3261 §17.1.1.1).
const T1: Duration = Duration::from_millis(500);

/// T2, where the intervals of all but INVITE stop growing.
const T2: Duration = Duration::from_secs(4);

/// The demo's chance is the same every time.
struct Dice(u64);

impl Dice {
    /// splitmix64.
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn between(&mut self, (least, most): (Duration, Duration)) -> Duration {
        let width = most.saturating_sub(least).as_micros() as u64;
        least + Duration::from_micros(self.roll() % (width + 1))
    }
}
