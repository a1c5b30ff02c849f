//! Who sent this?

use crate::{Config, GroupId, Owner, TrunkId};
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use ipnet::IpNet;
use std::net::{IpAddr, SocketAddr};

/// Who a request came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    /// A carrier, through this trunk: the call is inbound.
    Trunk(TrunkId),
    /// An edge of this group: the call is outbound.
    Group(GroupId),
}

impl Source {
    /// The same, as whatever belongs to it names it.
    pub const fn owner(self) -> Owner {
        match self {
            Self::Trunk(trunk) => Owner::Trunk(trunk),
            Self::Group(group) => Owner::Edge(group),
        }
    }
}

impl From<Owner> for Source {
    fn from(owner: Owner) -> Self {
        match owner {
            Owner::Edge(group) => Self::Group(group),
            Owner::Trunk(trunk) => Self::Trunk(trunk),
        }
    }
}

/// Longest prefix over the targets' own addresses, the trunks' sources and the groups' sources.
///
/// Claims on one and the same network are settled by order: targets first, then trunks, then groups, each as configured.
/// (`bascule check` complains about them.) The tables hold only what the configuration names, so a fixed seed is safe:
/// a sender chooses what is looked up, never what is stored.
#[derive(Debug, Clone)]
pub(super) struct Sources {
    /// Targets with their port: the most specific thing that can be said of a sender.
    exact: HashMap<SocketAddr, Source, FixedState>,
    v4: Vec<Length>,
    v6: Vec<Length>,
}

/// Networks of one prefix length.
#[derive(Debug, Clone)]
struct Length {
    bits: u8,
    networks: HashMap<IpNet, Source, FixedState>,
}

impl Sources {
    /// The sources of those owners that are `counted`.
    pub(super) fn new(config: &Config, counted: impl Fn(Owner) -> bool) -> Self {
        let mut sources = Self { exact: HashMap::default(), v4: Vec::new(), v6: Vec::new() };
        for target in config.targets.iter().filter(|target| counted(target.owner)) {
            let remote = canonical(target.peer.remote);
            sources.exact.entry(remote).or_insert(target.owner.into());
            sources.claim(IpNet::from(remote.ip()), target.owner.into());
        }
        let trunks = (0..).map(TrunkId).zip(&config.trunks);
        for (id, trunk) in trunks.filter(|(id, _)| counted(Owner::Trunk(*id))) {
            trunk.sources.iter().for_each(|net| sources.claim(*net, Source::Trunk(id)));
        }
        let groups = (0..).map(GroupId).zip(&config.groups);
        for (id, group) in groups.filter(|(id, _)| counted(Owner::Edge(*id))) {
            group.sources.iter().for_each(|net| sources.claim(*net, Source::Group(id)));
        }
        sources
    }

    fn claim(&mut self, net: IpNet, source: Source) {
        let lengths = if net.addr().is_ipv4() { &mut self.v4 } else { &mut self.v6 };
        // Longest first, so that the first hit is the answer.
        let place = lengths.partition_point(|l| l.bits > net.prefix_len());
        if lengths.get(place).is_none_or(|l| l.bits != net.prefix_len()) {
            lengths.insert(place, Length { bits: net.prefix_len(), networks: HashMap::default() });
        }
        if let Some(length) = lengths.get_mut(place) {
            length.networks.entry(net.trunc()).or_insert(source);
        }
    }

    pub(super) fn by_ip(&self, ip: IpAddr) -> Option<Source> {
        let ip = ip.to_canonical();
        let lengths = if ip.is_ipv4() { &self.v4 } else { &self.v6 };
        lengths.iter().find_map(|length| {
            let net = IpNet::new(ip, length.bits).ok()?.trunc();
            length.networks.get(&net).copied()
        })
    }

    pub(super) fn by_address(&self, address: SocketAddr) -> Option<Source> {
        let address = canonical(address);
        self.exact.get(&address).copied().or_else(|| self.by_ip(address.ip()))
    }
}

/// A socket for both families reports IPv4 senders as `::ffff:a.b.c.d`; scope and flow label name no peer.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}
