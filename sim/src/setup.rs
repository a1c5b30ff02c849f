//! The world's furniture: two regions with two edges each, two carriers, one appliance, and the rates that a seed draws.
//!
//! ```text
//! site main: group east (east-1, east-2), then group west (west-1, west-2)
//! trunk alpha: alpha-1, alpha-2        trunk beta: beta-1, never probed
//! ```

use crate::agent::Side;
use crate::link::Link;
use crate::rng::Rng;
use proxy_core::{
    Config, EdgeGroup, GroupId, HuntPolicy, InboundRoute, Listener, ListenerId, MediaMode, MediaPolicy,
    OutboundRoute, Owner, Peer, ProbePolicy, Region, RegionId, ShardLimits, Site, SiteId, Target, TargetId,
    Timers, Transport, Trunk, TrunkId, UnknownSource,
};
use relay_core::RelayConfig;
use relay_values::{Duration, Latching};
use std::net::{IpAddr, SocketAddr};

/// Our signalling address.
pub(crate) const OURS: &str = "192.0.2.1:5060";
/// Our media address.
pub(crate) const MEDIA: &str = "192.0.2.2";

/// Every agent: name, side, signalling address, media address.
pub const AGENTS: [(&str, Side, &str, &str); 7] = [
    ("east-1", Side::Tier, "172.20.1.1:5060", "172.20.101.1"),
    ("east-2", Side::Tier, "172.20.1.2:5060", "172.20.101.2"),
    ("west-1", Side::Tier, "172.20.2.1:5060", "172.20.102.1"),
    ("west-2", Side::Tier, "172.20.2.2:5060", "172.20.102.2"),
    ("alpha-1", Side::Carrier, "198.51.100.1:5060", "198.51.110.1"),
    ("alpha-2", Side::Carrier, "198.51.100.2:5060", "198.51.110.2"),
    ("beta-1", Side::Carrier, "198.51.101.1:5060", "198.51.111.1"),
];

/// Agents of the two regions.
pub const REGIONS: [[usize; 2]; 2] = [[0, 1], [2, 3]];
/// Agents that are carriers.
pub const CARRIERS: [usize; 3] = [4, 5, 6];

/// What one run is like.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Seed of everything.
    pub seed: u64,
    /// Signalling shards.
    pub shards: u8,
    /// The network while faults last.
    pub link: Link,
    /// From a shard to the relay, to the health core, and back.
    pub latency: Duration,
    /// SIP timers.
    pub timers: Timers,
    /// When to hunt on.
    pub hunt: HuntPolicy,
    /// Probes; `None`: nobody is probed.
    pub probe: Option<ProbePolicy>,
    /// Silence that ends a call.
    pub inactivity: Option<Duration>,
    /// How media sources are held to their SDP.
    pub latching: Latching,
    /// Port pairs that the relay has.
    pub pairs: u16,
    /// Binds that fail, in a thousand.
    pub bind_failures: u64,
    /// Calls that one trunk may have at once on one shard.
    pub max_calls: Option<u32>,
}

impl Setup {
    /// A network without faults and a policy that stories can count on: 200 ms without any response hunt on, 3 s
    /// without progress, 20 s without an answer; nobody is probed.
    pub fn quiet(seed: u64) -> Self {
        Self {
            seed,
            shards: 2,
            link: Link::perfect(),
            latency: Duration::from_micros(50),
            timers: Timers::default(),
            hunt: HuntPolicy {
                no_progress: Duration::from_secs(3),
                no_answer: Duration::from_secs(20),
                ..HuntPolicy::default()
            },
            probe: None,
            inactivity: Some(Duration::from_secs(5)),
            latching: Latching::Exact,
            pairs: 500,
            bind_failures: 0,
            max_calls: None,
        }
    }

    /// Whatever the seed says.
    pub fn draw(seed: u64, rng: &mut Rng) -> Self {
        let interval = rng.ms(60, 1200);
        let probe = ProbePolicy {
            interval,
            timeout: interval.mul_f64(0.4 + 0.6 * (rng.below(1000) as f64 / 1000.0)),
            fall: 1 + rng.below(3) as u8,
            rise: 1 + rng.below(3) as u8,
        };
        // A pair that could not be bound rests for a minute: of eight, none would be left.
        let scarce = rng.chance(150);
        Self {
            link: Link::draw(rng),
            latency: rng.between(Duration::from_micros(1), Duration::from_millis(2)),
            timers: Timers { t1: rng.pick(&[500, 500, 300]).ms(), ..Timers::default() },
            hunt: HuntPolicy {
                no_response: rng.ms(150, 2500),
                no_progress: rng.ms(1000, 5000),
                no_answer: rng.ms(4000, 15_000),
                max_attempts: 2 + rng.below(5) as u8,
                ..HuntPolicy::default()
            },
            probe: rng.chance(800).then_some(probe),
            inactivity: rng.chance(850).then(|| rng.ms(3000, 9000)),
            latching: rng.pick(&[Latching::Exact, Latching::Address, Latching::Learn]),
            pairs: if scarce { 8 } else { 500 },
            bind_failures: if !scarce && rng.chance(150) { 100 } else { 0 },
            max_calls: rng.chance(100).then(|| 2 + rng.below(4) as u32),
            ..Self::quiet(seed)
        }
    }

    /// The configuration.
    pub fn config(&self) -> Config {
        let ours: SocketAddr = OURS.parse().expect("an address");
        let owners = [0, 0, 1, 1].map(|group| Owner::Edge(GroupId(group)));
        let trunks = [0, 0, 1].map(|trunk| Owner::Trunk(TrunkId(trunk)));
        let targets = AGENTS.iter().zip(owners.into_iter().chain(trunks)).map(|(agent, owner)| Target {
            name: agent.0.into(),
            owner,
            peer: peer(agent.2.parse().expect("an address")),
            weight: 1,
            probe: self.probe.filter(|_| agent.0 != "beta-1"),
        });
        let group = |name: &str, region: u16, edges: [u16; 2]| EdgeGroup {
            name: name.into(),
            region: RegionId(region),
            edges: edges.map(TargetId).to_vec(),
            sources: vec![],
            latching: self.latching,
        };
        let trunk = |name: &str, sources: &str, targets: &[u16]| Trunk {
            name: name.into(),
            sources: vec![sources.parse().expect("a network")],
            targets: targets.iter().copied().map(TargetId).collect(),
            max_calls: self.max_calls,
            latching: self.latching,
            correlation: None,
        };
        Config {
            listeners: vec![Listener {
                name: "udp".into(),
                transport: Transport::Udp,
                bind: ours,
                advertised: ours,
            }],
            regions: ["east", "west"]
                .map(|name| Region { name: name.into(), moves_per_second: None })
                .to_vec(),
            targets: targets.collect(),
            groups: vec![group("east", 0, [0, 1]), group("west", 1, [2, 3])],
            sites: vec![Site {
                name: "main".into(),
                groups: vec![GroupId(0), GroupId(1)],
                correlation: None,
            }],
            trunks: vec![trunk("alpha", "198.51.100.0/24", &[4, 5]), trunk("beta", "198.51.101.0/24", &[6])],
            inbound: vec![InboundRoute { trunk: None, prefix: "+4930".into(), site: SiteId(0) }],
            outbound: vec![OutboundRoute {
                site: None,
                prefix: String::new(),
                trunks: vec![TrunkId(0), TrunkId(1)],
            }],
            media: MediaPolicy {
                mode: MediaMode::Relay,
                v4: MEDIA.parse().ok(),
                v6: None,
                advertised_v4: None,
                advertised_v6: None,
                inactivity: self.inactivity,
            },
            timers: self.timers,
            hunt: self.hunt.clone(),
            limits: ShardLimits { max_calls: 1000 },
            unknown_source: UnknownSource::Drop,
            product: Some("Bascule".into()),
            region_health: proxy_core::RegionPolicy::default(),
            rehome: proxy_core::RehomePolicy::default(),
        }
    }

    /// The relay's part.
    pub fn relay(&self) -> RelayConfig {
        let address: IpAddr = MEDIA.parse().expect("an address");
        let last = 16_384 + 2 * self.pairs - 1;
        RelayConfig { addresses: vec![address], ports: 16_384..=last, ..RelayConfig::default() }
    }
}

/// A neighbour by its address: there is one listener.
pub(crate) fn peer(remote: SocketAddr) -> Peer {
    Peer { transport: Transport::Udp, listener: ListenerId(0), remote }
}

trait Ms {
    fn ms(self) -> Duration;
}

impl Ms for u64 {
    fn ms(self) -> Duration {
        Duration::from_millis(self)
    }
}
