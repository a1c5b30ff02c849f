//! When a target is probed, and which probes are out.

use super::options::ProbeId;
use super::policy::{ProbeTimes, STALL};
use relay_values::{Duration, Time};

/// The probe timers of one target. At most two probes are out at once: a regular one (its timeout is at most the
/// interval) and an extra one.
#[derive(Debug, Clone, Default)]
pub(super) struct Prober {
    /// When the next regular probe is sent.
    next: Time,
    regular: Option<Outstanding>,
    extra: Option<Outstanding>,
    /// Smoothed, as RFC 6298 §2 does it, but at once up.
    round_trip: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Outstanding {
    id: ProbeId,
    sent: Time,
    deadline: Time,
}

/// How a probe ended that nobody answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// The target was silent.
    Missed(ProbeId),
    /// We were not there to see its answer.
    Void(ProbeId),
}

impl Prober {
    pub(super) fn starting(next: Time) -> Self {
        Self { next, ..Self::default() }
    }

    /// When there is something to do.
    pub(super) fn deadline(&self) -> Time {
        self.out().map(|probe| probe.deadline).fold(self.next, Time::min)
    }

    /// The probes that are out.
    pub(super) fn ids(&self) -> impl Iterator<Item = ProbeId> {
        self.out().map(|probe| probe.id)
    }

    /// Whether a regular probe is to be sent now. Keeps to its grid, so that targets stay spread, and sends one probe for
    /// however many instants it has missed.
    pub(super) fn is_due(&mut self, now: Time, times: &ProbeTimes) -> bool {
        if self.next > now {
            return false;
        }
        let interval = u64::try_from(times.interval.as_nanos()).unwrap_or(u64::MAX).max(1);
        let late = now.as_nanos() - self.next.as_nanos();
        self.next = Time::from_nanos(now.as_nanos().saturating_add(interval - late % interval));
        true
    }

    /// Its time is over when the next one is due at the latest: sent late by a timer's granularity, it would otherwise be
    /// replaced before it could be missed.
    pub(super) fn regular_sent(&mut self, now: Time, id: ProbeId, times: &ProbeTimes) -> Option<ProbeId> {
        let deadline = (now + times.timeout).min(self.next);
        let probe = Outstanding { id, sent: now, deadline };
        self.regular.replace(probe).map(|old| old.id)
    }

    pub(super) fn extra_sent(&mut self, now: Time, id: ProbeId, times: &ProbeTimes) {
        let deadline = now + times.extra_timeout(self.round_trip);
        self.extra = Some(Outstanding { id, sent: now, deadline });
    }

    /// Smoothed; zero while nothing was answered.
    pub(super) fn round_trip(&self) -> Duration {
        self.round_trip
    }

    pub(super) fn has_extra(&self) -> bool {
        self.extra.is_some()
    }

    /// An answer came.
    pub(super) fn answered(&mut self, now: Time, id: ProbeId) {
        let ours = |probe: &mut Outstanding| probe.id == id;
        if let Some(probe) = self.regular.take_if(ours).or_else(|| self.extra.take_if(ours)) {
            let sample = now.since(probe.sent);
            self.round_trip = sample.max((self.round_trip * 7 + sample) / 8);
        }
    }

    /// A probe whose time is over.
    pub(super) fn ended(&mut self, now: Time) -> Option<Ended> {
        let over = |probe: &mut Outstanding| probe.deadline <= now;
        let probe = self.regular.take_if(over).or_else(|| self.extra.take_if(over))?;
        let ended = if now.since(probe.deadline) > STALL { Ended::Void } else { Ended::Missed };
        Some(ended(probe.id))
    }

    fn out(&self) -> impl Iterator<Item = Outstanding> {
        self.regular.into_iter().chain(self.extra)
    }
}
