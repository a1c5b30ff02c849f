//! What is known of a name, and what one more answer makes of it.
//!
//! ```text
//!            found                     nobody answers
//! Nothing ──────────▶ Fresh ─────────────────────────────▶ Stale ──▶ Nothing, when its time is over
//!                     ▲   │ denied: NXDOMAIN, no records     │ denied
//!              found  │   ▼                                  │
//!                     └─ Denied ◀────────────────────────────┘
//!                          └──▶ Nothing, when its time is over
//! ```

use super::core::LocatePolicy;
use super::reason::LocateReason;
use super::round::{Finding, Outcome, Spot, Way};
use crate::limits::{MAX_PLACE_ADDRESSES, MAX_TTL, MIN_TTL};
use relay_values::{Duration, Time};
use std::collections::BTreeSet;
use std::net::SocketAddr;

/// An address behind a name, for use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocatedAddress {
    /// Address and port.
    pub address: SocketAddr,
    /// 0 is tried first: NAPTR's preference and SRV's priority, without gaps. Those that an answer no longer names come last.
    pub rank: u16,
    /// Share among those of one rank, 1 or more.
    pub weight: u32,
}

/// What is known of a name.
#[derive(Debug, Clone)]
pub(super) enum Known {
    /// No address.
    Nothing { since: Time, why: LocateReason },
    /// What the last answer said.
    Fresh { found: Found },
    /// What an earlier answer said: nobody answers now.
    Stale { found: Found, since: Time, until: Time, why: LocateReason },
    /// What an earlier answer said: a later one says that there is nothing. Kept for a while, as far as it is healthy.
    Denied { found: Found, since: Time, until: Time, why: LocateReason },
}

/// Addresses.
#[derive(Debug, Clone)]
pub(super) struct Found {
    way: Way,
    /// When a server said so last.
    pub(super) at: Time,
    pub(super) ttl: Duration,
    pub(super) kept: Vec<Kept>,
}

/// One of them.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    pub(super) spot: Spot,
    /// When it was first seen.
    pub(super) since: Time,
    /// When answers ceased to name it, if they did.
    pub(super) left: Option<Time>,
}

impl Known {
    pub(super) const fn found(&self) -> Option<&Found> {
        match self {
            Self::Nothing { .. } => None,
            Self::Fresh { found } | Self::Stale { found, .. } | Self::Denied { found, .. } => Some(found),
        }
    }

    fn found_mut(&mut self) -> Option<&mut Found> {
        match self {
            Self::Nothing { .. } => None,
            Self::Fresh { found } | Self::Stale { found, .. } | Self::Denied { found, .. } => Some(found),
        }
    }

    /// What calls may use.
    pub(super) fn addresses(&self) -> Vec<LocatedAddress> {
        let kept = self.found().map_or(&[][..], |found| &found.kept);
        let one = |kept: &Kept| {
            let Spot { address, rank, weight, host: _ } = kept.spot;
            LocatedAddress { address, rank, weight }
        };
        kept.iter().map(one).collect()
    }

    /// Takes in what a walk came to.
    pub(super) fn learn(&mut self, now: Time, outcome: &Outcome, policy: &LocatePolicy) {
        match outcome {
            Outcome::Found(finding) => match self.found() {
                // A domain that had SRV records and suddenly has none but an address: mostly a mistake, and what answers
                // at that address is some other service.
                Some(found) if finding.way < found.way => self.deny(now, LocateReason::RecordsGone, policy),
                _ => self.find(now, finding),
            },
            Outcome::Nothing { why, ttl: _ } => self.deny(now, *why, policy),
            Outcome::Failed(why) => self.fail(now, *why, policy),
        }
    }

    fn find(&mut self, now: Time, finding: &Finding) {
        let before = self.found().map_or(&[][..], |found| &found.kept);
        let since =
            |address| before.iter().find(|old| old.spot.address == address).map_or(now, |old| old.since);
        let mut kept: Vec<Kept> = finding
            .spots
            .iter()
            .map(|spot| Kept { spot: spot.clone(), since: since(spot.address), left: None })
            .collect();
        let last = kept.iter().map(|kept| kept.spot.rank).max().unwrap_or_default().saturating_add(1);
        let known: BTreeSet<SocketAddr> = kept.iter().map(|kept| kept.spot.address).collect();
        let silent = |old: &Kept| {
            let mut hosts = finding.unanswered.iter();
            hosts.any(|(host, port)| *host == old.spot.host && *port == old.spot.address.port())
        };
        for old in before.iter().filter(|old| !known.contains(&old.spot.address)) {
            if silent(old) && old.left.is_none() {
                kept.push(old.clone());
            } else {
                let spot = Spot { rank: last, ..old.spot.clone() };
                kept.push(Kept { spot, since: old.since, left: old.left.or(Some(now)) });
            }
        }
        kept.sort_by_key(|kept| (kept.spot.rank, kept.left.is_some(), kept.spot.address));
        kept.truncate(MAX_PLACE_ADDRESSES);
        let ttl = finding.ttl.clamp(MIN_TTL, MAX_TTL);
        *self = Self::Fresh { found: Found { way: finding.way, at: now, ttl, kept } };
    }

    fn deny(&mut self, now: Time, why: LocateReason, policy: &LocatePolicy) {
        let until = now + policy.hold;
        *self = match std::mem::replace(self, Self::Nothing { since: now, why }) {
            Self::Nothing { since, why: _ } => Self::Nothing { since, why },
            Self::Fresh { found } | Self::Stale { found, .. } => {
                Self::Denied { found, since: now, until, why }
            }
            Self::Denied { found, since, until, why: _ } => Self::Denied { found, since, until, why },
        };
    }

    fn fail(&mut self, now: Time, why: LocateReason, policy: &LocatePolicy) {
        *self = match std::mem::replace(self, Self::Nothing { since: now, why }) {
            // Silence that goes on says nothing new.
            Self::Nothing { since, why: LocateReason::StaleTooLong } => {
                Self::Nothing { since, why: LocateReason::StaleTooLong }
            }
            Self::Nothing { since, why: _ } => Self::Nothing { since, why },
            Self::Fresh { found } => {
                let until = found.at + found.ttl + policy.stale;
                Self::Stale { found, since: now, until, why }
            }
            Self::Stale { found, since, until, why: _ } => Self::Stale { found, since, until, why },
            // What was said stands, though it cannot be asked about.
            Self::Denied { found, since, until, why } => Self::Denied { found, since, until, why },
        };
    }

    /// Drops what is not believed any longer: by time, and what no answer names once it is down. `true` if nothing is left
    /// of what there was.
    pub(super) fn sweep(&mut self, now: Time, policy: &LocatePolicy, down: &BTreeSet<SocketAddr>) -> bool {
        let over = match self {
            Self::Nothing { .. } | Self::Fresh { .. } => None,
            Self::Stale { until, .. } => (now >= *until).then_some(LocateReason::StaleTooLong),
            Self::Denied { found, until, why, .. } => {
                found.kept.retain(|kept| !down.contains(&kept.spot.address));
                (now >= *until || found.kept.is_empty()).then_some(*why)
            }
        };
        if let Some(why) = over {
            *self = Self::Nothing { since: now, why };
            return true;
        }
        if let Some(found) = self.found_mut() {
            let stays =
                |left: Time, address: &SocketAddr| now < left + policy.hold && !down.contains(address);
            found.kept.retain(|kept| kept.left.is_none_or(|left| stays(left, &kept.spot.address)));
        }
        false
    }

    /// When there is something to drop.
    pub(super) fn deadline(&self, policy: &LocatePolicy) -> Time {
        let whole = match self {
            Self::Nothing { .. } | Self::Fresh { .. } => Time::NEVER,
            Self::Stale { until, .. } | Self::Denied { until, .. } => *until,
        };
        let kept = self.found().map_or(&[][..], |found| &found.kept);
        let left = kept.iter().filter_map(|kept| kept.left).map(|left| left + policy.hold);
        left.fold(whole, Time::min)
    }
}
