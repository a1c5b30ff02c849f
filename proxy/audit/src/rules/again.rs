//! The instants at which something is sent again: after T1, after twice that, and so on, until 64*T1 have gone by (RFC 3261
//! §17.1.1.2, §17.1.2.2, §17.2.1, §13.3.1.4).

use crate::{Log, Rule, Timing};
use std::time::Duration;

/// Something that may have to be sent again.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Again {
    pub(crate) first: Duration,
    last: Duration,
    interval: Duration,
}

/// How intervals grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Growth {
    /// Timer A.
    Doubled,
    /// Timers E and G, and that of a 2xx: doubled up to T2.
    UpToT2,
    /// Timer E in Proceeding: T2.
    T2,
}

impl Again {
    pub(crate) fn new(at: Duration, timing: &Timing) -> Self {
        Self { first: at, last: at, interval: timing.t1 }
    }

    /// Whether it may be sent again now, as far as time goes.
    pub(crate) fn is_due(&self, at: Duration, timing: &Timing) -> bool {
        at + timing.early >= self.last + self.interval
    }

    /// It is sent again.
    pub(crate) fn sent(
        &mut self,
        at: Duration,
        growth: Growth,
        timing: &Timing,
        line: impl Fn() -> String,
        log: &mut Log,
    ) {
        let due = self.last + self.interval;
        if !self.is_due(at, timing) {
            log.broken(Rule::TooSoon, format!("{} again {:?} too soon", line(), due.saturating_sub(at)));
            return;
        }
        if at >= self.first + timing.life() + timing.late {
            log.broken(Rule::TooLong, format!("{} again after {:?}", line(), at.saturating_sub(self.first)));
        } else if at > due + timing.late {
            log.broken(Rule::TooLate, format!("{} again {:?} too late", line(), at.saturating_sub(due)));
        }
        self.last = at;
        self.interval = match growth {
            Growth::Doubled => self.interval * 2,
            Growth::UpToT2 => (self.interval * 2).min(timing.t2),
            Growth::T2 => timing.t2,
        };
    }

    /// Whether it should have been sent again before `now`.
    pub(crate) fn is_missed(&self, now: Duration, timing: &Timing) -> bool {
        let due = self.last + self.interval;
        due.saturating_add(timing.late) < now && due < self.first + timing.life()
    }
}
