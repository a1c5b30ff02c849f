//! Who is known by a certificate.

use super::Source;
use crate::{Config, Owner};
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use ipnet::IpNet;
use std::net::IpAddr;

/// SIP domains, and whose certificates are of them.
#[derive(Debug, Clone)]
pub(super) struct Certified(HashMap<Box<str>, Claim, FixedState>);

/// Whose a domain is.
#[derive(Debug, Clone)]
struct Claim {
    owner: Owner,
    /// Where it may be shown from; empty: from everywhere.
    from: Box<[IpNet]>,
}

impl Certified {
    pub(super) fn new(config: &Config) -> Self {
        let mut claims = HashMap::default();
        for certificate in &config.certificates {
            let from = match certificate.owner {
                Owner::Trunk(id) => config.trunks.get(id.index()).map(|trunk| &trunk.sources),
                Owner::Edge(id) => config.groups.get(id.index()).map(|group| &group.sources),
            };
            let from = from.map(|nets| nets.as_slice().into()).unwrap_or_default();
            let claim = Claim { owner: certificate.owner, from };
            claims.entry(certificate.name.as_str().into()).or_insert(claim);
        }
        Self(claims)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether this one is known by certificates, and so by no address.
    pub(super) fn has(&self, owner: Owner) -> bool {
        self.0.values().any(|claim| claim.owner == owner)
    }

    pub(super) fn find(&self, names: &[Box<str>], ip: IpAddr) -> Option<Source> {
        let ip = ip.to_canonical();
        names.iter().find_map(|name| {
            let claim = self.0.get(name)?;
            let is_from_there = claim.from.is_empty() || claim.from.iter().any(|net| net.contains(&ip));
            is_from_there.then(|| claim.owner.into())
        })
    }
}
