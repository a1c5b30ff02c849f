//! A configuration to tell stories about: two regions with two edges each, two carriers.
//!
//! ```text
//! site main: group east (region east: east-1, east-2), then group west (region west: west-1, west-2)
//! trunk carrier: carrier-1, carrier-2, from 198.51.100.0/24      trunk backup: backup-1, never probed
//! ```

use crate::{
    Config, EdgeGroup, GroupId, HuntPolicy, InboundRoute, Listener, ListenerId, MediaMode, MediaPolicy,
    OutboundRoute, Owner, Peer, ProbePolicy, Region, RegionId, ShardLimits, Site, SiteId, Snapshot, Target,
    TargetId, Timers, Transport, Trunk, TrunkChoice, TrunkId, UnknownSource,
};
use relay_values::{Duration, Latching};
use std::net::SocketAddr;
use std::sync::Arc;

pub(crate) const EAST_1: TargetId = TargetId(0);
pub(crate) const EAST_2: TargetId = TargetId(1);
pub(crate) const WEST_1: TargetId = TargetId(2);
pub(crate) const WEST_2: TargetId = TargetId(3);
pub(crate) const CARRIER_1: TargetId = TargetId(4);
pub(crate) const CARRIER_2: TargetId = TargetId(5);
pub(crate) const BACKUP_1: TargetId = TargetId(6);

/// 200 ms between probes, 200 ms for an answer, fall 2, rise 2.
pub(crate) const PROBE: ProbePolicy = ProbePolicy {
    interval: Duration::from_millis(200),
    timeout: Duration::from_millis(200),
    fall: 2,
    rise: 2,
};

pub(crate) fn target(name: &str, owner: Owner, remote: &str) -> Target {
    let remote = remote.parse().unwrap();
    let peer = Peer { transport: Transport::Udp, listener: ListenerId(0), remote };
    Target { name: name.into(), owner, peer, rank: 0, weight: 1, probe: Some(PROBE) }
}

fn group(name: &str, region: u16, edges: &[TargetId]) -> EdgeGroup {
    let latching = Latching::Learn;
    EdgeGroup {
        name: name.into(),
        region: RegionId(region),
        edges: edges.to_vec(),
        sources: vec![],
        latching,
        manners: crate::Manners::default(),
    }
}

fn trunk(name: &str, sources: &[&str], targets: &[TargetId]) -> Trunk {
    Trunk {
        name: name.into(),
        sources: sources.iter().map(|s| s.parse().unwrap()).collect(),
        targets: targets.to_vec(),
        max_calls: None,
        calls_per_second: None,
        latching: Latching::Learn,
        correlation: None,
        manners: crate::Manners::default(),
    }
}

pub(crate) fn config() -> Config {
    let ours: SocketAddr = "192.0.2.1:5060".parse().unwrap();
    let (east, west) = (Owner::Edge(GroupId(0)), Owner::Edge(GroupId(1)));
    let (carrier, backup) = (Owner::Trunk(TrunkId(0)), Owner::Trunk(TrunkId(1)));
    let unprobed = |target| Target { probe: None, ..target };
    Config {
        listeners: vec![Listener {
            name: "udp".into(),
            transport: Transport::Udp,
            bind: ours,
            advertised: ours,
            large: crate::LargeRequests::default(),
        }],
        regions: ["east", "west"].map(|name| Region { name: name.into(), moves_per_second: None }).to_vec(),
        targets: vec![
            target("east-1", east, "10.1.0.1:5060"),
            target("east-2", east, "10.1.0.2:5060"),
            target("west-1", west, "10.2.0.1:5060"),
            target("west-2", west, "10.2.0.2:5060"),
            target("carrier-1", carrier, "198.51.100.1:5060"),
            target("carrier-2", carrier, "198.51.100.2:5060"),
            unprobed(target("backup-1", backup, "203.0.113.1:5060")),
        ],
        named: vec![],
        groups: vec![group("east", 0, &[EAST_1, EAST_2]), group("west", 1, &[WEST_1, WEST_2])],
        sites: vec![Site { name: "main".into(), groups: vec![GroupId(0), GroupId(1)], correlation: None }],
        trunks: vec![
            trunk("carrier", &["198.51.100.0/24"], &[CARRIER_1, CARRIER_2]),
            trunk("backup", &[], &[BACKUP_1]),
        ],
        profiles: vec![],
        codes: vec![],
        authentication: crate::Authentication::default(),
        stir: vec![],
        registrations: vec![],
        inbound: vec![InboundRoute { trunk: None, prefix: String::new(), site: SiteId(0) }],
        outbound: vec![OutboundRoute {
            site: None,
            prefix: String::new(),
            trunks: TrunkChoice::ranked([TrunkId(0), TrunkId(1)]),
        }],
        media: MediaPolicy {
            mode: MediaMode::Relay,
            v4: None,
            v6: None,
            advertised_v4: None,
            advertised_v6: None,
            inactivity: None,
        },
        timers: Timers::default(),
        hunt: HuntPolicy::default(),
        limits: ShardLimits { max_calls: 1_000 },
        certificates: Vec::new(),
        unknown_source: UnknownSource::Drop,
        product: None,
        region_health: crate::RegionPolicy::default(),
        rehome: crate::RehomePolicy::default(),
        session: crate::SessionPolicy::default(),
        overload: crate::OverloadPolicy::default(),
        scanners: crate::ScannerPolicy::default(),
    }
}

pub(crate) fn snapshot() -> Snapshot {
    Snapshot::first(Arc::new(config()))
}
