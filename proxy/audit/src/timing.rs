//! How exact instants are.

use std::time::Duration;

/// The timers of RFC 3261, and what is forgiven a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// RFC 3261 §17.1.1.1.
    pub t1: Duration,
    /// RFC 3261 §17.1.2.2.
    pub t2: Duration,
    /// RFC 3261 §17.1.2.2.
    pub t4: Duration,
    /// How much too early something may be seen to be sent again: the time before may have been seen late.
    pub early: Duration,
    /// How much too late something may be sent.
    pub late: Duration,
    /// How long a message that came may lie unread.
    pub unread: Duration,
}

impl Timing {
    /// Virtual time: everything is on time.
    pub const fn exact(t1: Duration, t2: Duration, t4: Duration) -> Self {
        Self { t1, t2, t4, early: Duration::ZERO, late: Duration::ZERO, unread: Duration::ZERO }
    }

    /// The timers' defaults on a real wire, beside a machine that is busy with other tests: it may stand still for seconds,
    /// but what is early by a third of T1 was sent by another timer.
    pub const fn rfc() -> Self {
        Self {
            early: Duration::from_millis(150),
            late: Duration::from_secs(3),
            unread: Duration::from_millis(300),
            ..Self::exact(Duration::from_millis(500), Duration::from_secs(4), Duration::from_secs(5))
        }
    }

    /// 64*T1: timers B, F, H, J, L and M.
    pub(crate) fn life(&self) -> Duration {
        self.t1 * 64
    }
}
