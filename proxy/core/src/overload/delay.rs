//! When there is too much to do: judged by how long messages have waited, after CoDel (RFC 8289), not by how many there are.
//!
//! ```text
//!          waited > target            above it for an interval
//!  Calm ───────────────────▶ Rising ──────────────────────────▶ Shedding
//!    ▲                         │                                   │
//!    └──── waited ≤ target ────┘    ≤ target/2 for an interval     │
//!    └─────────────────────────────────────────────────────────────┘
//! ```
//!
//! In `Shedding` each new call is judged by its own wait: what has waited no longer than the target is still taken, so the
//! shard stays busy and its queue as short as the target.

use relay_values::{Duration, Time};

/// The judgement of one shard's queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum QueueDelay {
    /// Nothing waits for long.
    Calm,
    /// Messages have waited too long since then: a burst, or the beginning of an overload.
    Rising { since: Time },
    /// Overloaded. `calm` is since when nothing has waited for more than half of the target.
    Shedding { calm: Option<Time> },
}

/// What is too long, and for how long it has to be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) target: Duration,
    pub(crate) interval: Duration,
}

impl QueueDelay {
    /// A message that waited so long is handled now. Whether it would be shed if it began a new call.
    pub(crate) fn waited(&mut self, now: Time, waited: Duration, bounds: Bounds) -> bool {
        let long = waited > bounds.target;
        *self = match *self {
            Self::Calm if long => Self::Rising { since: now },
            Self::Calm => Self::Calm,
            Self::Rising { .. } if !long => Self::Calm,
            Self::Rising { since } if since + bounds.interval <= now => Self::Shedding { calm: None },
            Self::Rising { since } => Self::Rising { since },
            Self::Shedding { .. } if waited > bounds.target / 2 => Self::Shedding { calm: None },
            Self::Shedding { calm } => {
                let since = calm.unwrap_or(now);
                if since + bounds.interval <= now { Self::Calm } else { Self::Shedding { calm: Some(since) } }
            }
        };
        long && matches!(self, Self::Shedding { .. })
    }
}
