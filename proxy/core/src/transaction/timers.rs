//! The timers of RFC 3261 table 4 and RFC 6026 for one kind of transport.

use crate::{Timers, Transport};
use relay_values::{Duration, Time};

/// "At least 32 seconds" for timer D over unreliable transports (RFC 3261 §17.1.1.2): the server at the other end may
/// use a longer T1 than we do.
const MIN_TIMER_D: Duration = Duration::from_secs(32);

/// What the machines count with: T1, T2, T4, and whether the transport delivers by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TimerSet {
    t1: Duration,
    t2: Duration,
    t4: Duration,
    reliable: bool,
}

impl TimerSet {
    pub(super) const fn new(timers: Timers, transport: Transport) -> Self {
        Self { t1: timers.t1, t2: timers.t2, t4: timers.t4, reliable: transport.is_reliable() }
    }

    /// 64*T1: how long anything is tried (timers B, F and H), and how long what succeeded lingers (L and M; RFC 6026
    /// §7.1, §7.2).
    pub(super) fn lifetime(&self) -> Duration {
        self.t1.saturating_mul(64)
    }

    /// Timer A: when an INVITE that was sent `sent` times is sent again. It doubles from T1 and has no cap.
    pub(super) fn a(&self, now: Time, sent: u8) -> Time {
        self.unless_reliable(now, self.doubled(sent))
    }

    /// Timers E and G: when a non-INVITE request or a final response to an INVITE is sent again. They double from T1
    /// up to T2.
    pub(super) fn e_or_g(&self, now: Time, sent: u8) -> Time {
        self.unless_reliable(now, self.doubled(sent).min(self.t2))
    }

    /// Timer E once there was a provisional response: T2 each time (RFC 3261 §17.1.2.2).
    pub(super) fn e_proceeding(&self, now: Time) -> Time {
        self.unless_reliable(now, self.t2)
    }

    /// When a 2xx that nobody has acknowledged is sent again: like timer G, but over any transport, since only the
    /// ACK of the far end stops it (RFC 3261 §13.3.1.4).
    pub(super) fn success(&self, now: Time, sent: u8) -> Time {
        now + self.doubled(sent).min(self.t2)
    }

    /// Timer D: how long repeated final responses to an INVITE are answered with an ACK.
    pub(super) fn d(&self) -> Duration {
        self.linger(self.lifetime().max(MIN_TIMER_D))
    }

    /// Timers I and K: how long an ACK, or a response to a non-INVITE request, may still come again.
    pub(super) fn i_or_k(&self) -> Duration {
        self.linger(self.t4)
    }

    /// Timer J: how long a non-INVITE request may still come again.
    pub(super) fn j(&self) -> Duration {
        self.linger(self.lifetime())
    }

    fn doubled(&self, sent: u8) -> Duration {
        let doublings = u32::from(sent).saturating_sub(1);
        self.t1.saturating_mul(1_u32.checked_shl(doublings).unwrap_or(u32::MAX))
    }

    fn unless_reliable(&self, now: Time, interval: Duration) -> Time {
        if self.reliable { Time::NEVER } else { now + interval }
    }

    /// Over a reliable transport nothing comes twice, so nothing waits for it.
    const fn linger(&self, time: Duration) -> Duration {
        if self.reliable { Duration::ZERO } else { time }
    }
}

/// One set for each kind of transport.
#[derive(Debug, Clone, Copy)]
pub(super) struct TimerSets {
    unreliable: TimerSet,
    reliable: TimerSet,
}

impl TimerSets {
    pub(super) const fn new(timers: Timers) -> Self {
        Self {
            unreliable: TimerSet::new(timers, Transport::Udp),
            reliable: TimerSet::new(timers, Transport::Tcp),
        }
    }

    pub(super) const fn over(&self, transport: Transport) -> &TimerSet {
        if transport.is_reliable() { &self.reliable } else { &self.unreliable }
    }
}
