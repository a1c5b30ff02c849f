//! Once from a name to its addresses: NAPTR, then SRV, then A or AAAA (RFC 3263 §4.1, §4.2).
//!
//! ```text
//! host:port ───────────────────────────────┐
//! host ──▶ NAPTR ──▶ SRV of each service ──▶ addresses of each host ──▶ over
//!            └ none: SRV of _sip._udp.host ──┘ └ none: of the host itself
//! ```

use super::place::{DnsName, Family, Place};
use super::question::{Answer, Ask, Data, Ended, Failure, Question, QuestionId, QuestionKind};
use super::reason::LocateReason;
use crate::limits::{MAX_HOSTS, MAX_PLACE_ADDRESSES, MAX_SERVICES};
use relay_values::Duration;
use std::net::{IpAddr, SocketAddr};

/// By which records a name was found. The more a domain says, the greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Way {
    /// Addresses alone.
    Address,
    /// SRV.
    Srv,
    /// NAPTR and SRV.
    Naptr,
}

/// A walk under way.
#[derive(Debug, Clone)]
pub(super) struct Round {
    place: Place,
    way: Way,
    /// The least of what was found so far.
    ttl: Duration,
    step: Step,
}

#[derive(Debug, Clone)]
enum Step {
    Naptr(Ask),
    /// The services, best first.
    Srv(Vec<Ask>),
    Addresses(Vec<Host>),
    Over(Outcome),
}

/// A host whose addresses are asked for.
#[derive(Debug, Clone)]
struct Host {
    name: DnsName,
    port: u16,
    rank: u16,
    weight: u16,
    ask: Ask,
}

/// What a walk came to.
#[derive(Debug, Clone)]
pub(super) enum Outcome {
    Found(Finding),
    /// There is nothing, say the servers.
    Nothing {
        why: LocateReason,
        ttl: Option<Duration>,
    },
    /// Nobody knows.
    Failed(LocateReason),
}

/// Addresses, one at least.
#[derive(Debug, Clone)]
pub(super) struct Finding {
    pub(super) way: Way,
    pub(super) ttl: Duration,
    /// Best first.
    pub(super) spots: Vec<Spot>,
    /// Hosts of which nobody knew: what was known of them before stands.
    pub(super) unanswered: Vec<(DnsName, u16)>,
}

/// An address as the records have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Spot {
    pub(super) address: SocketAddr,
    /// 0 is first. Without gaps.
    pub(super) rank: u16,
    /// Share among those of one rank, 1 or more.
    pub(super) weight: u32,
    /// Whose address.
    pub(super) host: DnsName,
}

/// A host's weight is divided among its addresses; so that 1 can be, all are so many times greater.
const FINENESS: u32 = 64;

impl Round {
    pub(super) fn new(place: &Place) -> Self {
        let step = match place.port {
            Some(port) => Step::Addresses(vec![Host::new(place, place.host.clone(), port, 0, 1)]),
            None => Step::Naptr(Ask::new(place.host.clone(), QuestionKind::Naptr)),
        };
        Self { place: place.clone(), way: Way::Address, ttl: Duration::MAX, step }
    }

    /// The next question, if there is one to ask; it gets the next number.
    pub(super) fn ask(&mut self, next: &mut u64) -> Option<Question> {
        let ask = self.asks().find(|ask| ask.is_waiting())?;
        let question = ask.ask(QuestionId(*next));
        *next += 1;
        question
    }

    /// Takes an answer in; `false` if nobody waits for it.
    pub(super) fn answer(&mut self, id: QuestionId, answer: Answer) -> bool {
        let Some(ask) = self.asks().find(|ask| ask.is_out_as(id)) else { return false };
        ask.answer(answer);
        self.advance();
        true
    }

    /// Nothing that is still out is waited for any longer.
    pub(super) fn give_up(&mut self) {
        while !matches!(self.step, Step::Over(_)) {
            self.asks()
                .filter(|ask| ask.ended().is_none())
                .for_each(|ask| ask.answer(Answer::Failed(Failure::Timeout)));
            self.advance();
        }
    }

    pub(super) const fn outcome(&self) -> Option<&Outcome> {
        match &self.step {
            Step::Over(outcome) => Some(outcome),
            Step::Naptr(_) | Step::Srv(_) | Step::Addresses(_) => None,
        }
    }

    fn asks(&mut self) -> impl Iterator<Item = &mut Ask> {
        let (one, some, hosts) = match &mut self.step {
            Step::Naptr(ask) => (Some(ask), &mut [][..], &mut [][..]),
            Step::Srv(asks) => (None, &mut asks[..], &mut [][..]),
            Step::Addresses(hosts) => (None, &mut [][..], &mut hosts[..]),
            Step::Over(_) => (None, &mut [][..], &mut [][..]),
        };
        one.into_iter().chain(some).chain(hosts.iter_mut().map(|host| &mut host.ask))
    }

    /// Goes on if everything that was asked has ended.
    fn advance(&mut self) {
        let next = match &self.step {
            Step::Naptr(ask) => ask.ended().map(|ended| self.after_naptr(ended)),
            Step::Srv(asks) => {
                let ended: Option<Vec<&Ended>> = asks.iter().map(Ask::ended).collect();
                ended.map(|ended| self.after_srv(&ended))
            }
            Step::Addresses(hosts) => {
                let ended: Option<Vec<(&Host, &Ended)>> =
                    hosts.iter().map(|host| Some((host, host.ask.ended()?))).collect();
                ended.map(|ended| (self.way, self.ttl, self.after_addresses(&ended)))
            }
            Step::Over(_) => None,
        };
        if let Some((way, ttl, step)) = next {
            (self.way, self.ttl, self.step) = (way, ttl, step);
        }
    }

    fn after_naptr(&self, ended: &Ended) -> (Way, Duration, Step) {
        let own = || vec![Ask::new(self.place.host.below(self.place.service().srv), QuestionKind::Srv)];
        match ended {
            Ended::Found { data, ttl } => {
                let services = services(data, self.place.service().naptr);
                if services.is_empty() {
                    return (Way::Srv, self.ttl, Step::Srv(own()));
                }
                let asks = services.into_iter().map(|name| Ask::new(name, QuestionKind::Srv)).collect();
                (Way::Naptr, self.ttl.min(*ttl), Step::Srv(asks))
            }
            Ended::Nothing { .. } => (Way::Srv, self.ttl, Step::Srv(own())),
            // Whoever does not answer at all would not answer the next question either.
            Ended::Failed(Failure::Timeout) => {
                (self.way, self.ttl, Step::Over(Outcome::Failed(LocateReason::Timeout)))
            }
            // There are servers that know no NAPTR, and say so with an error.
            Ended::Failed(Failure::Server | Failure::Malformed | Failure::AliasLoop) => {
                (Way::Srv, self.ttl, Step::Srv(own()))
            }
        }
    }

    fn after_srv(&self, ended: &[&Ended]) -> (Way, Duration, Step) {
        let (mut hosts, mut ttl, mut refused, mut failed) = (Vec::new(), self.ttl, false, None);
        for (service, ended) in ended.iter().enumerate() {
            match ended {
                Ended::Found { data, ttl: own } => {
                    ttl = ttl.min(*own);
                    for one in data {
                        let Data::Srv { priority, weight, port, target } = one else { continue };
                        match target {
                            Some(target) if *port != 0 => {
                                hosts.push(((service, *priority), *weight, *port, target.clone()));
                            }
                            Some(_) | None => refused = true,
                        }
                    }
                }
                Ended::Nothing { .. } => {}
                Ended::Failed(failure) => failed = failed.or(Some(*failure)),
            }
        }
        hosts.sort();
        hosts.dedup();
        hosts.truncate(MAX_HOSTS);
        if !hosts.is_empty() {
            let mut ranks: Vec<(usize, u16)> = hosts.iter().map(|host| host.0).collect();
            ranks.dedup();
            let rank = |at: &(usize, u16)| ranks.iter().position(|r| r == at).unwrap_or_default();
            let hosts = hosts.iter().map(|(at, weight, port, name)| {
                let rank = u16::try_from(rank(at)).unwrap_or(u16::MAX);
                Host::new(&self.place, name.clone(), *port, rank, *weight)
            });
            return (self.way, ttl, Step::Addresses(hosts.collect()));
        }
        let step = match failed {
            Some(failure) => Step::Over(Outcome::Failed(failure.into())),
            None if refused => Step::Over(Outcome::Nothing { why: LocateReason::NotOffered, ttl: Some(ttl) }),
            None => {
                let place = &self.place;
                let host = Host::new(place, place.host.clone(), place.service().port, 0, 1);
                return (Way::Address, self.ttl, Step::Addresses(vec![host]));
            }
        };
        (self.way, ttl, step)
    }

    fn after_addresses(&self, hosts: &[(&Host, &Ended)]) -> Step {
        let (mut ttl, mut spots, mut unanswered) = (self.ttl, Vec::new(), Vec::new());
        let (mut failed, mut nothing) = (None, None);
        for (host, ended) in hosts {
            match ended {
                Ended::Found { data, ttl: own } => {
                    ttl = ttl.min(*own);
                    host.spots(data, &mut spots);
                }
                Ended::Nothing { absent, ttl } => {
                    nothing = nothing.or(Some((LocateReason::from(*absent), *ttl)))
                }
                Ended::Failed(failure) => {
                    failed = failed.or(Some(*failure));
                    unanswered.push((host.name.clone(), host.port));
                }
            }
        }
        let spots = in_order(spots);
        Step::Over(match (spots.is_empty(), failed, nothing) {
            (false, _, _) => Outcome::Found(Finding { way: self.way, ttl, spots, unanswered }),
            (true, Some(failure), _) => Outcome::Failed(failure.into()),
            (true, None, Some((why, ttl))) => Outcome::Nothing { why, ttl },
            // Addresses that nobody can be at.
            (true, None, None) => Outcome::Nothing { why: LocateReason::NoData, ttl: Some(ttl) },
        })
    }
}

impl Host {
    fn new(place: &Place, name: DnsName, port: u16, rank: u16, weight: u16) -> Self {
        let kind = match place.family {
            Family::V4 => QuestionKind::A,
            Family::V6 => QuestionKind::Aaaa,
        };
        Self { ask: Ask::new(name.clone(), kind), name, port, rank, weight }
    }

    fn spots(&self, data: &[Data], spots: &mut Vec<Spot>) {
        let mut addresses: Vec<IpAddr> = data
            .iter()
            .filter_map(|one| match one {
                Data::Address(ip) => Some(*ip).filter(is_somebody),
                Data::Srv { .. } | Data::Naptr { .. } | Data::Alias(_) => None,
            })
            .collect();
        // In the order that the server chose this time there is no meaning.
        addresses.sort();
        addresses.dedup();
        addresses.truncate(MAX_PLACE_ADDRESSES);
        let each = u32::try_from(addresses.len()).unwrap_or(u32::MAX);
        // RFC 2782: weight 0 has a very small chance of being chosen.
        let weight = (u32::from(self.weight) * FINENESS).checked_div(each).unwrap_or_default().max(1);
        spots.extend(addresses.into_iter().map(|ip| Spot {
            address: SocketAddr::new(ip, self.port),
            rank: self.rank,
            weight,
            host: self.name.clone(),
        }));
    }
}

/// Whether anybody can be at an address.
fn is_somebody(ip: &IpAddr) -> bool {
    let nobody = match ip {
        IpAddr::V4(v4) => v4.is_broadcast(),
        IpAddr::V6(v6) => v6.to_ipv4_mapped().is_some(),
    };
    !(nobody || ip.is_unspecified() || ip.is_multicast())
}

/// Best first, each address once, ranks without gaps, no more than a place may have.
fn in_order(mut spots: Vec<Spot>) -> Vec<Spot> {
    spots.sort_by_key(|spot| (spot.rank, spot.address));
    let mut kept: Vec<Spot> = Vec::new();
    for spot in spots {
        match kept.iter_mut().find(|other| other.address == spot.address) {
            Some(same) if same.rank == spot.rank => same.weight = same.weight.saturating_add(spot.weight),
            Some(_) => {}
            None => kept.push(spot),
        }
    }
    kept.truncate(MAX_PLACE_ADDRESSES);
    let mut ranks: Vec<u16> = kept.iter().map(|spot| spot.rank).collect();
    ranks.dedup();
    for spot in &mut kept {
        let rank = ranks.iter().position(|rank| *rank == spot.rank).unwrap_or_default();
        spot.rank = u16::try_from(rank).unwrap_or(u16::MAX);
    }
    kept
}

/// Where NAPTR records send us, best first: of the records that we can use only those of the lowest order count (RFC 3403
/// §4.1), by preference.
fn services(data: &[Data], wanted: &str) -> Vec<DnsName> {
    let mut usable: Vec<(u16, u16, &DnsName)> = data
        .iter()
        .filter_map(|one| match one {
            Data::Naptr { order, preference, flags, services, regexp: false, replacement: Some(next) }
                if flags.eq_ignore_ascii_case("s") && services.eq_ignore_ascii_case(wanted) =>
            {
                Some((*order, *preference, next))
            }
            Data::Naptr { .. } | Data::Address(_) | Data::Srv { .. } | Data::Alias(_) => None,
        })
        .collect();
    usable.sort();
    let lowest = usable.first().map(|first| first.0);
    let mut names: Vec<DnsName> = Vec::new();
    for (_, _, name) in usable.into_iter().filter(|(order, _, _)| Some(*order) == lowest) {
        if !names.contains(name) && names.len() < MAX_SERVICES {
            names.push(name.clone());
        }
    }
    names
}
