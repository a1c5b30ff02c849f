//! How much each kind of evidence weighs, and how long each consequence lasts.

use super::damping::Damping;
use crate::{ProbePolicy, RegionPolicy};
use relay_values::Duration;

/// Probes come no closer than this, whatever the policy says: 1,000 targets at 50 ms are 20,000 OPTIONS a second.
const MIN_INTERVAL: Duration = Duration::from_millis(50);

/// How long the extra probe that follows a first failure may take, unless the target is known to be further away. Edges
/// are tens of milliseconds away; a longer wait would make suspicion last as long as the next regular probe.
const EXTRA_TIMEOUT: Duration = Duration::from_millis(100);

/// A target that takes longer than usual to answer is not silent: its extra probe may take this many times its
/// round-trip.
const EXTRA_ROUND_TRIPS: u32 = 3;

/// Neighbours in the region that are asked too when a target first fails. A region of 1,000 edges must not answer each
/// lost datagram with 1,000 probes; 16 edges are enough to carry a call on or to prove that the region is gone.
pub(super) const MAX_NEIGHBOURS: usize = 16;

/// 503 without Retry-After.
const DEFAULT_BACKOFF: Duration = Duration::from_secs(10);

/// The shortest pause that a 503 brings, `Retry-After: 0` included: without it a target would flap with every call.
const MIN_BACKOFF: Duration = Duration::from_secs(1);

/// The longest Retry-After that we honour: one confused answer must not take a target away for hours. If it is still
/// overloaded then, it says so again.
const MAX_BACKOFF: Duration = Duration::from_secs(60);

/// A target that is down and not probed is tried again after this time: nothing else would ever show that it is back.
/// Each trial costs at most a few calls one hunt timer each.
pub(super) const HALF_OPEN: Duration = Duration::from_secs(10);

/// Failures that take down a target that is not probed.
const PASSIVE_FALL: u8 = 3;

/// Without probes nothing says that a target answered in between, so failures count together only when they come
/// within this time. At one lost INVITE in a hundred and 50 calls/s, three in a row inside it come about once in ten
/// minutes; a target that matters deserves probes.
pub(super) const PASSIVE_WINDOW: Duration = Duration::from_secs(2);

/// Evidence waits in queues before it reaches us: an INVITE is taken to have been sent earlier by this much than the
/// hunt timer alone says, so that a probe answered just after it counts in the target's favour only if it truly was.
pub(super) const EVIDENCE_DELAY: Duration = Duration::from_millis(5);

/// Woken later than this, it is we who stood still (a suspended machine, a starved process), and the answers that we
/// missed say nothing about the targets.
pub(super) const STALL: Duration = Duration::from_millis(100);

/// While a region is asked whether it lives, we look at the clock between the probes. Time that we missed by more than
/// this is added to the time that the edges have: an answer may wait in a queue that nobody has emptied. Below it lie a
/// timer's granularity and a busy neighbour on the same CPU.
pub(super) const STUTTER: Duration = Duration::from_millis(10);

/// A region that is silent although its edges answer stays down for this long at least: what answers OPTIONS has done so
/// all the time and says nothing of media. Only new calls can show whether media flows again, and each time that they
/// show that it does not they are cut off from it: once in 30 s is bearable.
pub(super) const MEDIA_HOLD: Duration = Duration::from_secs(30);

/// A suspicion on which nothing follows (silence is not to count as *down*) is dropped after this: its calls have hung up,
/// or there would have been something to hear.
pub(super) const SUSPICION: Duration = Duration::from_secs(10);

/// A relay's report of silence that began longer than this before the region was last heard is old: the events of several
/// shards overtake each other.
pub(super) const STALE_SILENCE: Duration = Duration::from_millis(100);

/// Weight of an INVITE without any response, and of a probe without one.
pub(super) const WEIGHT_SILENCE: u8 = 1;

/// Weight of an INVITE transaction that ran into timer B or got a 408: half a minute of silence, or a neighbour that
/// says that it waited for somebody in vain.
pub(super) const WEIGHT_TIMEOUT: u8 = 2;

/// A target's policy, with its bounds enforced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Policy {
    pub(super) probe: Option<ProbeTimes>,
    /// Failures in a row that mean *down*.
    pub(super) fall: u8,
    /// Answers in a row that mean *up* again.
    pub(super) rise: u8,
    /// Time over which its share of new calls grows when it has come back.
    pub(super) slow_start: Duration,
    pub(super) damping: Damping,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ProbeTimes {
    pub(super) interval: Duration,
    pub(super) timeout: Duration,
}

impl Policy {
    pub(super) fn new(probe: Option<ProbePolicy>, region: &RegionPolicy) -> Self {
        let times = probe.map(|probe| {
            let interval = probe.interval.max(MIN_INTERVAL);
            ProbeTimes { interval, timeout: probe.timeout.clamp(Duration::from_millis(1), interval) }
        });
        Self {
            probe: times,
            fall: probe.map_or(PASSIVE_FALL, |probe| probe.fall.max(1)),
            rise: probe.map_or(1, |probe| probe.rise.max(1)),
            slow_start: region.slow_start,
            damping: Damping::new(region),
        }
    }

    /// How long a 503 keeps calls away.
    pub(super) fn backoff(retry_after: Option<Duration>) -> Duration {
        retry_after.unwrap_or(DEFAULT_BACKOFF).clamp(MIN_BACKOFF, MAX_BACKOFF)
    }
}

impl ProbeTimes {
    /// How long an extra probe may take, given the round-trip of the regular ones.
    pub(super) fn extra_timeout(&self, round_trip: Duration) -> Duration {
        (round_trip * EXTRA_ROUND_TRIPS).max(EXTRA_TIMEOUT).min(self.timeout)
    }
}
