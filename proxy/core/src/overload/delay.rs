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
//! In `Shedding` each new request is judged by its own wait: what has waited no longer than the target is still taken, so
//! the shard stays busy and its queue as short as the target. The share that is dropped follows from that: it is what keeps
//! the queue there, and no guess of a capacity.

use crate::OverloadPolicy;
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

impl QueueDelay {
    /// A message that waited so long is handled now. Whether it would be shed if it began something new.
    pub(crate) fn waited(&mut self, now: Time, waited: Duration, policy: &OverloadPolicy) -> bool {
        let long = waited > policy.target;
        *self = match *self {
            Self::Calm if long => Self::Rising { since: now },
            Self::Calm => Self::Calm,
            Self::Rising { .. } if !long => Self::Calm,
            Self::Rising { since } if since + policy.interval <= now => Self::Shedding { calm: None },
            Self::Rising { since } => Self::Rising { since },
            Self::Shedding { .. } if waited > policy.target / 2 => Self::Shedding { calm: None },
            Self::Shedding { calm } => {
                let since = calm.unwrap_or(now);
                if since + policy.interval <= now { Self::Calm } else { Self::Shedding { calm: Some(since) } }
            }
        };
        long && matches!(self, Self::Shedding { .. })
    }

    /// Whether there is an overload, and the last message that was handled has waited long enough for that to be so still.
    pub(crate) const fn is_pressed(self) -> bool {
        matches!(self, Self::Shedding { calm: None })
    }

    /// Whether there is an overload.
    pub(crate) const fn is_shedding(self) -> bool {
        matches!(self, Self::Shedding { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    fn at(n: u64) -> Time {
        Time::from_millis(n)
    }

    /// 20 ms for 100 ms.
    fn policy() -> OverloadPolicy {
        OverloadPolicy { target: ms(20), interval: ms(100), ..OverloadPolicy::default() }
    }

    #[test]
    fn a_burst_that_is_worked_off_within_the_interval_sheds_nothing() {
        let mut queue = QueueDelay::Calm;
        for (now, waited) in [(0, 90), (30, 60), (60, 40), (99, 21), (110, 5)] {
            assert!(!queue.waited(at(now), ms(waited), &policy()));
        }
        assert_eq!(queue, QueueDelay::Calm);
    }

    #[test]
    fn after_an_interval_above_the_target_what_is_late_is_shed_and_what_is_not_is_taken() {
        let mut queue = QueueDelay::Calm;
        assert!(!queue.waited(at(0), ms(30), &policy()));
        assert!(!queue.waited(at(99), ms(120), &policy()));
        assert!(queue.waited(at(100), ms(121), &policy()));
        assert!(!queue.waited(at(101), ms(20), &policy()));
        assert!(queue.waited(at(102), ms(21), &policy()));
        assert!(queue.is_shedding());
    }

    #[test]
    fn an_interval_without_waiting_ends_it_and_one_late_message_begins_the_count_anew() {
        let mut queue = QueueDelay::Shedding { calm: None };
        queue.waited(at(0), ms(1), &policy());
        queue.waited(at(90), ms(11), &policy());
        queue.waited(at(95), ms(0), &policy());
        queue.waited(at(194), ms(0), &policy());
        assert!(queue.is_shedding());
        queue.waited(at(195), ms(0), &policy());
        assert_eq!(queue, QueueDelay::Calm);
    }
}
