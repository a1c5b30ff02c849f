//! The world's furniture: two regions with two edges each, two carriers, one appliance, and the rates that a seed draws.
//!
//! ```text
//! site main: group east (east-1, east-2), then group west (west-1, west-2)
//! trunk alpha: alpha-1, alpha-2        trunk beta: beta-1, never probed
//! ```

use crate::agent::{ACCOUNT, Side};
use crate::link::Link;
use crate::rng::Rng;
use crate::world::Zone;
use proxy_core::{
    Account, AccountsId, Authentication, Config, Correlation, DnsName, EdgeGroup, Family, GapFill, GroupId,
    HuntPolicy, InboundRoute, Listener, ListenerId, Manners, MediaMode, MediaPolicy, NamedTarget,
    OutboundRoute, Owner, Peer, Place, ProbePolicy, Refers, Region, RegionId, RegionPolicy, RehomePolicy,
    Secret, SessionPolicy, ShardLimits, Site, SiteId, Target, TargetId, Timers, Transport, Trunk,
    TrunkChoice, TrunkId, UnknownSource,
};
use relay_core::{Prompt, RelayConfig, SilencePolicy};
use relay_values::{Duration, Latching};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

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

/// Between two packets of a real phone.
pub(crate) const PACKET_TIME: Duration = Duration::from_millis(20);

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
    /// Between two RTP packets of an agent.
    pub pace: Duration,
    /// Whether the world keeps every RTP header that leaves us, for a story to look at.
    pub tape: bool,
    /// Whether agents send RTCP.
    pub reports: bool,
    /// When silence is a region's.
    pub silence: SilencePolicy,
    /// How regions are judged.
    pub region_health: RegionPolicy,
    /// What becomes of answered calls whose region is lost.
    pub rehome: RehomePolicy,
    /// How sessions are kept alive.
    pub session: SessionPolicy,
    /// Calls a second that may be moved to one region, on one shard.
    pub moves_per_second: Option<u32>,
    /// Whether a stranger sprays at our ports.
    pub stranger: bool,
    /// What a moved call's INVITE says of the one that it continues.
    pub correlation: Option<Correlation>,
    /// What becomes of REFER, whoever sends it.
    pub refer: Refers,
    /// Every agent asks who we are (RFC 7616), with nonces that are good for so many requests.
    pub asks: Option<u32>,
    /// The trunk alpha is the name `alpha.example`, and the name server says this of it.
    pub named: Option<Zone>,
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
            pace: Duration::from_millis(500),
            tape: false,
            reports: false,
            silence: SilencePolicy::default(),
            region_health: RegionPolicy::default(),
            rehome: RehomePolicy::default(),
            session: SessionPolicy::default(),
            moves_per_second: None,
            stranger: false,
            correlation: None,
            refer: Refers::Refuse,
            asks: None,
            named: None,
        }
    }

    /// The same with what regions are judged by: media at the rate of real phones, reports, and probes.
    pub fn lively(seed: u64) -> Self {
        Self {
            pace: PACKET_TIME,
            reports: true,
            probe: Some(ProbePolicy {
                interval: Duration::from_millis(200),
                timeout: Duration::from_millis(200),
                fall: 2,
                rise: 2,
            }),
            silence: SilencePolicy { min_flows: 2, ..SilencePolicy::default() },
            correlation: Some(correlation()),
            ..Self::quiet(seed)
        }
    }

    /// Whatever the seed says, for a world whose answered calls are moved: real media, ports for all.
    pub fn draw_lively(seed: u64, rng: &mut Rng) -> Self {
        let drawn = Self::draw(seed, rng);
        let link = Link { loss: drawn.link.loss.min(80), ..drawn.link };
        Self {
            link: if rng.chance(300) { Link::perfect() } else { link },
            pace: PACKET_TIME,
            reports: true,
            probe: Some(ProbePolicy {
                interval: rng.ms(150, 600),
                timeout: Duration::from_millis(120),
                fall: 2 + rng.below(2) as u8,
                rise: 1 + rng.below(2) as u8,
            }),
            latching: Latching::Exact,
            pairs: 500,
            bind_failures: 0,
            max_calls: None,
            silence: SilencePolicy { min_flows: 2 + rng.below(7) as u32, ..SilencePolicy::default() },
            region_health: RegionPolicy {
                slow_start: rng.ms(0, 5000),
                damping_half_life: rng.ms(0, 4000),
                ..RegionPolicy::default()
            },
            rehome: RehomePolicy {
                deadline: rng.ms(2000, 10_000),
                min_interval: rng.ms(0, 3000),
                fill: rng.pick(&[GapFill::Noise, GapFill::Noise, GapFill::Prompt, GapFill::Nothing]),
                ..RehomePolicy::default()
            },
            moves_per_second: rng.chance(400).then(|| 1 + rng.below(30) as u32),
            correlation: rng.chance(700).then(correlation),
            ..drawn
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
            rehome: RehomePolicy { enabled: rng.chance(800), ..RehomePolicy::default() },
            // Of worlds of both kinds.
            stranger: seed % 3 == 1,
            refer: if seed % 5 < 2 { Refers::Pass } else { Refers::Refuse },
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
            rank: 0,
            weight: 1,
            probe: self.probe.filter(|_| agent.0 != "beta-1"),
        });
        let mut targets: Vec<Target> = targets.collect();
        let (mut alpha, mut beta) = (vec![4, 5], 6);
        let mut named = Vec::new();
        if self.named.is_some() {
            targets.retain(|target| target.owner != Owner::Trunk(TrunkId(0)));
            (alpha, beta) = (vec![], 4);
            named.push(NamedTarget {
                name: "alpha".into(),
                owner: Owner::Trunk(TrunkId(0)),
                place: Place {
                    host: DnsName::host("alpha.example").expect("a name"),
                    port: None,
                    transport: Transport::Udp,
                    family: Family::V4,
                },
                listener: ListenerId(0),
                weight: 1,
                probe: self.probe,
            });
        }
        let accounts = self.asks.map(|_| AccountsId(0));
        let manners = Manners { refer: self.refer, accounts, ..Manners::default() };
        let group = |name: &str, region: u16, edges: [u16; 2]| EdgeGroup {
            name: name.into(),
            region: RegionId(region),
            edges: edges.map(TargetId).to_vec(),
            sources: vec![],
            latching: self.latching,
            manners,
        };
        let trunk = |name: &str, sources: &str, targets: &[u16]| Trunk {
            name: name.into(),
            sources: vec![sources.parse().expect("a network")],
            targets: targets.iter().copied().map(TargetId).collect(),
            max_calls: self.max_calls,
            calls_per_second: None,
            latching: self.latching,
            correlation: None,
            manners,
        };
        Config {
            listeners: vec![Listener {
                name: "udp".into(),
                transport: Transport::Udp,
                bind: ours,
                advertised: ours,
                large: proxy_core::LargeRequests::default(),
            }],
            regions: ["east", "west"]
                .map(|name| Region { name: name.into(), moves_per_second: self.moves_per_second })
                .to_vec(),
            targets,
            named,
            groups: vec![group("east", 0, [0, 1]), group("west", 1, [2, 3])],
            sites: vec![Site {
                name: "main".into(),
                groups: vec![GroupId(0), GroupId(1)],
                correlation: self.correlation.clone().map(Arc::new),
            }],
            trunks: vec![
                trunk("alpha", "198.51.100.0/24", &alpha),
                trunk("beta", "198.51.101.0/24", &[beta]),
            ],
            profiles: vec![],
            codes: vec![],
            authentication: authentication(),
            stir: vec![],
            registrations: vec![],
            inbound: vec![InboundRoute { trunk: None, prefix: "+4930".into(), site: SiteId(0) }],
            outbound: vec![OutboundRoute {
                site: None,
                prefix: String::new(),
                trunks: TrunkChoice::ranked([TrunkId(0), TrunkId(1)]),
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
            certificates: Vec::new(),
            unknown_source: UnknownSource::Drop,
            product: Some("Bascule".into()),
            region_health: self.region_health,
            rehome: self.rehome.clone(),
            session: self.session,
            overload: proxy_core::OverloadPolicy {
                target: Duration::from_millis(20),
                interval: Duration::from_millis(100),
                ..Default::default()
            },
            scanners: proxy_core::ScannerPolicy::default(),
        }
    }

    /// The relay's part.
    pub fn relay(&self) -> RelayConfig {
        let address: IpAddr = MEDIA.parse().expect("an address");
        let last = 16_384 + 2 * self.pairs - 1;
        let prompt = Prompt { mu: Arc::from(&[0x7e; 4000][..]), a: Arc::from(&[0x55; 4000][..]) };
        RelayConfig {
            addresses: vec![address],
            ports: 16_384..=last,
            silence: self.silence,
            prompt: Some(prompt),
            ..RelayConfig::default()
        }
    }
}

/// What every agent that asks knows us by.
fn authentication() -> Authentication {
    let [realm, username, password] = ACCOUNT;
    let secret = Secret::Password(password.as_bytes().into());
    let account = Account { realm: realm.into(), username: username.into(), secret };
    Authentication { accounts: vec![[account].into()], demands: Vec::new() }
}

/// Everything that can be said of the call that is continued, short of what would show one side's names to the other.
fn correlation() -> Correlation {
    Correlation {
        session_id: true,
        uui: Some("{session_id}".into()),
        replaces: true,
        headers: vec![("X-Continues".into(), "{call_id} from {from_region}".into())],
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
