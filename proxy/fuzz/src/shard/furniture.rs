//! Two regions with an edge each, and a carrier.

use proxy_core::{
    Config, EdgeGroup, GroupId, HuntPolicy, InboundRoute, Listener, ListenerId, Manners, MediaMode,
    MediaPolicy, OutboundRoute, OverloadPolicy, Owner, Peer, Redirects, Refers, Region, RegionPolicy,
    RehomePolicy, ScannerPolicy, SessionPolicy, ShardLimits, Site, SiteId, Target, TargetId, Timers,
    Transport, Trunk, TrunkChoice, TrunkId, UnknownSource,
};
use relay_values::{Duration, Latching, RegionId};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Calls at once.
pub(super) const MOST_CALLS: u32 = 4;

/// Carrier, east, west; and somebody whom nobody knows.
pub(super) const PEERS: [[u8; 4]; 4] = [[192, 0, 2, 1], [198, 51, 100, 1], [203, 0, 113, 1], [198, 18, 0, 1]];
pub(super) const CARRIER: usize = 0;
pub(super) const EAST: usize = 1;
pub(super) const WEST: usize = 2;

const OURS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 100);

/// A neighbour. Beside UDP each has a connection, where nothing is sent again.
pub(super) fn peer(of: usize, transport: Transport) -> Peer {
    let listener = ListenerId(u16::from(transport.is_reliable()));
    Peer { transport, listener, remote: SocketAddr::from((PEERS[of % PEERS.len()], 5060)) }
}

/// What can be configured otherwise, by bits.
pub(super) fn config(bits: u8) -> Config {
    let listener = |name: &str, transport| {
        let at = SocketAddr::from((OURS, 5060));
        Listener {
            name: name.into(),
            transport,
            bind: at,
            advertised: at,
            large: proxy_core::LargeRequests::default(),
        }
    };
    let target = |name: &str, owner, of| Target {
        name: name.into(),
        owner,
        peer: peer(of, Transport::Udp),
        rank: 0,
        weight: 1,
        probe: None,
    };
    let group = |name: &str, region, edge| EdgeGroup {
        name: name.into(),
        region: RegionId(region),
        edges: vec![TargetId(edge)],
        sources: vec![],
        latching: Latching::Learn,
        manners: manners(bits),
    };
    let relay = bits & 1 == 0;
    Config {
        listeners: vec![listener("udp", Transport::Udp), listener("tcp", Transport::Tcp)],
        regions: ["east", "west"].map(|name| Region { name: name.into(), moves_per_second: None }).to_vec(),
        targets: vec![
            target("east-1", Owner::Edge(GroupId(0)), EAST),
            target("west-1", Owner::Edge(GroupId(1)), WEST),
            target("carrier-1", Owner::Trunk(TrunkId(0)), CARRIER),
        ],
        named: vec![],
        groups: vec![group("east", 0, 0), group("west", 1, 1)],
        sites: vec![Site { name: "main".into(), groups: vec![GroupId(0), GroupId(1)], correlation: None }],
        trunks: vec![Trunk {
            name: "carrier".into(),
            sources: vec!["192.0.2.0/28".parse().expect("a network")],
            targets: vec![TargetId(2)],
            max_calls: None,
            calls_per_second: None,
            latching: Latching::Learn,
            correlation: None,
            manners: manners(bits),
        }],
        profiles: vec![],
        codes: vec![],
        authentication: proxy_core::Authentication::default(),
        stir: vec![],
        registrations: vec![],
        inbound: vec![InboundRoute { trunk: None, prefix: String::new(), site: SiteId(0) }],
        outbound: vec![OutboundRoute {
            site: None,
            prefix: String::new(),
            trunks: TrunkChoice::ranked([TrunkId(0)]),
        }],
        media: MediaPolicy {
            mode: if relay { MediaMode::Relay } else { MediaMode::Bypass },
            v4: relay.then_some(IpAddr::V4(OURS)),
            v6: None,
            advertised_v4: None,
            advertised_v6: None,
            inactivity: Some(Duration::from_secs(12)),
        },
        timers: Timers::default(),
        hunt: HuntPolicy::default(),
        session: SessionPolicy { enabled: bits & 8 != 0, ..SessionPolicy::default() },
        overload: OverloadPolicy::default(),
        scanners: ScannerPolicy::default(),
        limits: ShardLimits { max_calls: MOST_CALLS },
        certificates: Vec::new(),
        unknown_source: if bits & 2 == 0 { UnknownSource::Drop } else { UnknownSource::Reject },
        product: None,
        region_health: RegionPolicy::default(),
        rehome: RehomePolicy { enabled: bits & 4 == 0, ..RehomePolicy::default() },
    }
}

fn manners(bits: u8) -> Manners {
    let of = usize::from(bits >> 4 & 3) % 3;
    Manners {
        redirect: [Redirects::Refuse, Redirects::Pass, Redirects::Follow][of],
        refer: [Refers::Refuse, Refers::Pass, Refers::Transfer][of],
        ..Manners::default()
    }
}
