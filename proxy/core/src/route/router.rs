//! The compiled form of everything that a configuration says about who and where.

use super::certified::Certified;
use super::number::Number;
use super::sources::{Source, Sources};
use super::trie::{Rank, Trie};
use crate::{Config, GroupId, Owner, Refers, SiteId, TargetId, TrunkChoice, TrunkId};
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use std::net::{IpAddr, SocketAddr};

/// Prefix tables of one configuration. Built once, then shared by every snapshot until the next configuration.
#[derive(Debug, Clone)]
pub struct Router {
    sources: Sources,
    /// The same with those, too, that are known by their certificates; `None` where there are none.
    everyone: Option<Box<Sources>>,
    certified: Certified,
    inbound: Routes<SiteId>,
    outbound: Routes<Box<[TrunkChoice]>>,
    sites: Vec<Option<SiteId>>,
    names: HashMap<Box<str>, TargetId, FixedState>,
    /// Whether anybody's REFER is taken.
    refers: bool,
}

impl Router {
    /// Compiles a configuration.
    pub fn new(config: &Config) -> Self {
        let mut inbound = Routes::new(config.trunks.len());
        for route in &config.inbound {
            inbound.insert(route.trunk.map(TrunkId::index), &route.prefix, route.site);
        }
        let mut outbound = Routes::new(config.sites.len());
        for route in &config.outbound {
            let mut trunks: Box<[TrunkChoice]> = route.trunks.clone().into();
            trunks.sort_by_key(|choice| choice.cost);
            outbound.insert(route.site.map(SiteId::index), &route.prefix, trunks);
        }
        let mut sites = vec![None; config.groups.len()];
        for (id, site) in (0..).map(SiteId).zip(&config.sites) {
            for group in &site.groups {
                if let Some(slot) = sites.get_mut(group.index()) {
                    slot.get_or_insert(id);
                }
            }
        }
        let mut names = HashMap::default();
        for (id, target) in (0..).map(TargetId).zip(&config.targets) {
            names.entry(target.name.as_str().into()).or_insert(id);
        }
        let groups = config.groups.iter().map(|group| group.manners);
        let mut manners = groups.chain(config.trunks.iter().map(|trunk| trunk.manners));
        let refers = manners.any(|manners| manners.refer != Refers::Refuse);
        let certified = Certified::new(config);
        let sources = Sources::new(config, |owner| !certified.has(owner));
        let everyone = (!certified.is_empty()).then(|| Box::new(Sources::new(config, |_| true)));
        Self { sources, everyone, certified, inbound, outbound, sites, names, refers }
    }

    /// Who sends from this address, by IP alone. A target's own address beats a network, a longer prefix a shorter one.
    pub fn source(&self, ip: IpAddr) -> Option<Source> {
        self.sources.by_ip(ip)
    }

    /// The same, but a sender at exactly a target's address and port is that target's owner: where several neighbours
    /// share a host (behind one NAT, or on loopback) only the port tells them apart.
    pub fn source_at(&self, address: SocketAddr) -> Option<Source> {
        self.sources.by_address(address)
    }

    /// Who shows a certificate of these SIP domains from this address: the first that is somebody's.
    pub fn source_named(&self, names: &[Box<str>], ip: IpAddr) -> Option<Source> {
        self.certified.find(names, ip)
    }

    /// Whether anybody is known by a certificate.
    pub fn knows_certificates(&self) -> bool {
        !self.certified.is_empty()
    }

    /// Whether somebody is at this address, be it that he has to prove it.
    pub fn expects(&self, ip: IpAddr) -> bool {
        self.everyone.as_deref().unwrap_or(&self.sources).by_ip(ip).is_some()
    }

    /// Whose this address is, be it that its owner has to prove who it is: says nothing of who sends from there.
    pub(crate) fn owner_at(&self, address: SocketAddr) -> Option<Source> {
        self.everyone.as_deref().unwrap_or(&self.sources).by_address(address)
    }

    /// Whether a REFER from an address is taken, by this router's configuration (RFC 3515 §2.4.2).
    pub(crate) fn takes_refer(&self, config: &Config, from: SocketAddr) -> bool {
        let owner = |source| match source {
            Source::Trunk(trunk) => Owner::Trunk(trunk),
            Source::Group(group) => Owner::Edge(group),
        };
        // Mostly nobody's is, and nobody has to be looked up.
        self.refers
            && self.owner_at(from).is_some_and(|source| config.manners(owner(source)).refer != Refers::Refuse)
    }

    /// Where a call from a carrier goes. `number` is the user part of the request URI. The longest prefix wins; of two as
    /// long, the one for this trunk.
    pub fn inbound(&self, trunk: TrunkId, number: &str) -> Option<SiteId> {
        self.inbound.find(Some(trunk.index()), number).copied()
    }

    /// Which trunks, cheapest first, a call from the tier may take. The longest prefix wins; of two as long, the one for this
    /// site. Without a site only the routes for every site count.
    pub fn outbound(&self, site: Option<SiteId>, number: &str) -> Option<&[TrunkChoice]> {
        self.outbound.find(site.map(SiteId::index), number).map(|trunks| &**trunks)
    }

    /// The first site that lists a group.
    pub fn site_of(&self, group: GroupId) -> Option<SiteId> {
        self.sites.get(group.index()).copied().flatten()
    }

    /// The target of that name: how a number is carried from one configuration to the next.
    pub fn target_named(&self, name: &str) -> Option<TargetId> {
        self.names.get(name).copied()
    }
}

/// Routes for everybody and for some.
#[derive(Debug, Clone)]
struct Routes<T> {
    all: Trie<T>,
    own: Vec<Trie<T>>,
}

impl<T> Routes<T> {
    fn new(owners: usize) -> Self {
        Self { all: Trie::default(), own: std::iter::repeat_with(Trie::default).take(owners).collect() }
    }

    fn insert(&mut self, owner: Option<usize>, prefix: &str, value: T) {
        match owner {
            None => self.all.insert(prefix, value),
            Some(owner) => {
                if let Some(trie) = self.own.get_mut(owner) {
                    trie.insert(prefix, value);
                }
            }
        }
    }

    fn find(&self, owner: Option<usize>, number: &str) -> Option<&T> {
        let number = Number::new(number);
        let own: Option<(Rank, &T)> = owner.and_then(|o| self.own.get(o)).and_then(|t| t.longest(&number));
        match (own, self.all.longest(&number)) {
            (Some(own), Some(all)) if all.0 > own.0 => Some(all.1),
            (Some(own), _) => Some(own.1),
            (None, all) => all.map(|found| found.1),
        }
    }
}
