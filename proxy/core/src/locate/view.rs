//! What an operator is shown of names.

use super::core::Locate;
use super::known::Known;
use super::name::Work;
use super::place::{DnsName, Place};
use super::reason::LocateReason;
use relay_values::{Duration, Time};
use std::net::SocketAddr;

/// What is known of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlaceView {
    /// The name.
    pub place: Place,
    /// How it is known.
    pub state: PlaceState,
    /// Why it is not fresh.
    pub why: Option<LocateReason>,
    /// Since when it is in this state; for a fresh one when the last answer came.
    pub since: Time,
    /// Until when it may stay in it.
    pub until: Option<Time>,
    /// What the records' least TTL was, within our limits.
    pub ttl: Option<Duration>,
    /// It is being asked for.
    pub asking: bool,
    /// Its addresses, best first.
    pub addresses: Vec<AddressView>,
}

/// How a name is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PlaceState {
    /// It has no address.
    Nothing,
    /// By the last answer.
    Fresh,
    /// By an earlier answer: nobody answers now.
    Stale,
    /// By an earlier answer: a later one denies it.
    Denied,
}

impl PlaceState {
    /// Every value.
    pub const ALL: [Self; 4] = [Self::Nothing, Self::Fresh, Self::Stale, Self::Denied];

    /// The word for logs, metric labels and operators.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Fresh => "fresh",
            Self::Stale => "stale",
            Self::Denied => "denied",
        }
    }
}

/// One address of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressView {
    /// Address and port.
    pub address: SocketAddr,
    /// The host that the records named.
    pub host: DnsName,
    /// 0 is tried first.
    pub rank: u16,
    /// Share among those of one rank.
    pub weight: u32,
    /// When it was first seen.
    pub since: Time,
    /// When answers ceased to name it, if they did.
    pub left: Option<Time>,
}

impl Locate {
    /// Every name, in order.
    pub fn places(&self) -> Vec<PlaceView> {
        let one = |(place, name): (&Place, &super::name::Name)| {
            let (state, why, since, until) = match &name.known {
                Known::Nothing { since, why } => (PlaceState::Nothing, Some(*why), *since, None),
                Known::Fresh { found } => (PlaceState::Fresh, None, found.at, None),
                Known::Stale { since, until, why, .. } => {
                    (PlaceState::Stale, Some(*why), *since, Some(*until))
                }
                Known::Denied { since, until, why, .. } => {
                    (PlaceState::Denied, Some(*why), *since, Some(*until))
                }
            };
            let found = name.known.found();
            let addresses = found.map_or(&[][..], |found| &found.kept).iter().map(|kept| AddressView {
                address: kept.spot.address,
                host: kept.spot.host.clone(),
                rank: kept.spot.rank,
                weight: kept.spot.weight,
                since: kept.since,
                left: kept.left,
            });
            PlaceView {
                place: place.clone(),
                state,
                why,
                since,
                until,
                ttl: found.map(|found| found.ttl),
                asking: matches!(name.work, Work::Asking { .. }),
                addresses: addresses.collect(),
            }
        };
        self.names.iter().map(one).collect()
    }
}
