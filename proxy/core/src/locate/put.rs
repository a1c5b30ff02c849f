//! Configuration ⊕ resolution: the addresses behind names become targets like those that were configured.

use super::known::LocatedAddress;
use super::place::Place;
use crate::{Config, NamedTarget, Owner, Peer, Target, TargetId};
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// What is known of every name.
pub type Resolution = BTreeMap<Place, Vec<LocatedAddress>>;

/// An address that a name has and that is not used: it is somebody else's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disputed {
    /// The target that is configured by name.
    pub target: String,
    /// The address.
    pub address: SocketAddr,
    /// Whose it is.
    pub dispute: Dispute,
}

/// Whose an address is that a name claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dispute {
    /// Ours: calls would come back to us.
    Ours,
    /// Another neighbour's, by its targets or sources: the word of one neighbour's name server says nothing of another.
    Neighbours,
}

impl Dispute {
    /// The word for logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Neighbours => "neighbours",
        }
    }
}

/// Where a list mixes names and addresses, or several names, weights are so many times greater than configured, so that a
/// name's share can be divided among its addresses.
const FINENESS: u32 = 256;

impl Config {
    /// This configuration with the addresses that its names have. Each becomes a target `name/address`, whose health is
    /// its own and goes with it from one resolution to the next. Without names it is this configuration as it is.
    pub fn located(&self, resolution: &Resolution) -> (Self, Vec<Disputed>) {
        let (mut config, mut disputed) = (self.clone(), Vec::new());
        let lists = (0..).map(crate::GroupId).take(self.groups.len()).map(Owner::Edge);
        let trunks = (0..).map(crate::TrunkId).take(self.trunks.len()).map(Owner::Trunk);
        for owner in lists.chain(trunks) {
            let named: Vec<&NamedTarget> = self.named.iter().filter(|named| named.owner == owner).collect();
            if named.is_empty() {
                continue;
            }
            let known = self.targets_of(owner).to_vec();
            let scale = self.scale(&known, &named);
            for id in known.iter().filter(|_| named.len() + known.len() > 1) {
                if let Some(target) = config.targets.get_mut(id.index()) {
                    target.weight = narrow(u32::from(target.weight) * scale);
                }
            }
            let alone = known.is_empty() && named.len() == 1;
            for named in named {
                let addresses = resolution.get(&named.place).map_or(&[][..], Vec::as_slice);
                let mut free = Vec::new();
                for located in addresses {
                    match self.dispute(owner, located.address) {
                        Some(dispute) => {
                            let (target, address) = (named.name.clone(), located.address);
                            disputed.push(Disputed { target, address, dispute });
                        }
                        None => free.push(*located),
                    }
                }
                let weights =
                    if alone { fitted(&free) } else { shares(&free, u32::from(named.weight) * scale) };
                for (located, weight) in free.iter().zip(weights) {
                    config.put(named, located, if named.weight == 0 { 0 } else { weight });
                }
            }
        }
        (config, disputed)
    }

    fn targets_of(&self, owner: Owner) -> &[TargetId] {
        match owner {
            Owner::Edge(group) => self.groups.get(group.index()).map_or(&[][..], |group| &group.edges),
            Owner::Trunk(trunk) => self.trunks.get(trunk.index()).map_or(&[][..], |trunk| &trunk.targets),
        }
    }

    /// The greatest factor, up to [`FINENESS`], by which all of these weights still fit.
    fn scale(&self, known: &[TargetId], named: &[&NamedTarget]) -> u32 {
        let configured = known.iter().filter_map(|id| self.target(*id)).map(|target| target.weight);
        let greatest = configured.chain(named.iter().map(|named| named.weight)).max().unwrap_or(1);
        u32::from(u16::MAX).checked_div(u32::from(greatest)).unwrap_or(1).clamp(1, FINENESS)
    }

    fn dispute(&self, owner: Owner, address: SocketAddr) -> Option<Dispute> {
        if self.listeners.iter().any(|listener| listener.bind == address || listener.advertised == address) {
            return Some(Dispute::Ours);
        }
        let others = |other: Owner| other != owner;
        let taken = self.targets.iter().any(|t| others(t.owner) && t.peer.remote == address);
        let trunks =
            (0..).map(crate::TrunkId).zip(&self.trunks).map(|(id, t)| (Owner::Trunk(id), &t.sources));
        let groups = (0..).map(crate::GroupId).zip(&self.groups).map(|(id, g)| (Owner::Edge(id), &g.sources));
        // Whoever has the longest prefix is whose it would be without the name.
        let claims = trunks.chain(groups).flat_map(|(owner, nets)| nets.iter().map(move |net| (owner, net)));
        let claimed = claims
            .filter(|(_, net)| net.contains(&address.ip()))
            .max_by_key(|(claimant, net)| (net.prefix_len(), *claimant == owner));
        let taken = taken || claimed.is_some_and(|(claimant, _)| others(claimant));
        taken.then_some(Dispute::Neighbours)
    }

    fn put(&mut self, named: &NamedTarget, located: &LocatedAddress, weight: u16) {
        let remote = located.address;
        let same = |target: &Target| target.owner == named.owner && target.peer.remote == remote;
        if self.targets.iter().any(same) {
            // It is there already, by its address or by another name.
            return;
        }
        let Ok(id) = u16::try_from(self.targets.len()).map(TargetId) else { return };
        self.targets.push(Target {
            name: format!("{}/{remote}", named.name),
            owner: named.owner,
            peer: Peer { transport: named.place.transport, listener: named.listener, remote },
            rank: located.rank,
            weight,
            probe: named.probe,
        });
        let list = match named.owner {
            Owner::Edge(group) => self.groups.get_mut(group.index()).map(|group| &mut group.edges),
            Owner::Trunk(trunk) => self.trunks.get_mut(trunk.index()).map(|trunk| &mut trunk.targets),
        };
        if let Some(list) = list {
            list.push(id);
        }
    }
}

/// Weights as the records have them, made to fit.
fn fitted(located: &[LocatedAddress]) -> Vec<u16> {
    let greatest = located.iter().map(|one| one.weight).max().unwrap_or(1);
    let divisor = greatest.div_ceil(u32::from(u16::MAX)).max(1);
    located.iter().map(|one| narrow((one.weight / divisor).max(1))).collect()
}

/// `whole` divided among those of each rank by their weights.
fn shares(located: &[LocatedAddress], whole: u32) -> Vec<u16> {
    let share = |one: &LocatedAddress| {
        let peers = located.iter().filter(|other| other.rank == one.rank);
        let sum: u64 = peers.map(|peer| u64::from(peer.weight)).sum();
        let share = (u64::from(whole) * u64::from(one.weight)).checked_div(sum).unwrap_or_default();
        narrow(u32::try_from(share).unwrap_or(u32::MAX).max(1))
    };
    located.iter().map(share).collect()
}

fn narrow(weight: u32) -> u16 {
    u16::try_from(weight).unwrap_or(u16::MAX)
}
