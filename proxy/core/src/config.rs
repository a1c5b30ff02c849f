//! The compiled configuration: checked, resolved to numbers, without a trace of the file that it came from.

use crate::digest::{AccountsId, Authentication, DemandId};
use crate::identity::Profile;
use crate::locate::Place;
use crate::{Peer, RegionId, StirId, StirPolicy, Transport};
use ipnet::IpNet;
use relay_values::{Duration, Latching};
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::sync::Arc;

macro_rules! index {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub u16);

        impl $name {
            /// As an index into the configuration's list.
            pub const fn index(self) -> usize {
                self.0 as usize
            }
        }
    };
}

index!(/** A listener, by its place in [`Config::listeners`]. */ ListenerId);
index!(/** A trunk, by its place in [`Config::trunks`]. */ TrunkId);
index!(/** A site, by its place in [`Config::sites`]. */ SiteId);
index!(/** An edge group, by its place in [`Config::groups`]. */ GroupId);
index!(/** An edge or an address of a trunk, by its place in [`Config::targets`]. */ TargetId);
index!(/** An identity profile, by its place in [`Config::profiles`]. */ ProfileId);
index!(/** What final responses mean to the hunt, by its place in [`Config::codes`]. */ CodesId);

/// Everything that the signalling core is configured with.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Our SIP listeners.
    pub listeners: Vec<Listener>,
    /// Failure domains, indexed by [`RegionId`].
    pub regions: Vec<Region>,
    /// Edges and trunk addresses: whatever an INVITE can be sent to.
    pub targets: Vec<Target>,
    /// Edges and trunk addresses that are configured by host name: [`Config::located`] makes targets of them.
    pub named: Vec<NamedTarget>,
    /// Edge groups.
    pub groups: Vec<EdgeGroup>,
    /// Sites.
    pub sites: Vec<Site>,
    /// Trunks.
    pub trunks: Vec<Trunk>,
    /// Identity profiles of trunks and edge groups.
    pub profiles: Vec<Profile>,
    /// What final responses of a neighbour mean to the hunt, where they mean something else than [`HuntPolicy::advance_on`]
    /// says.
    pub codes: Vec<CodePolicy>,
    /// Who shows whom who he is.
    pub authentication: Authentication,
    /// What is signed and verified of trunks' calls.
    pub stir: Vec<StirPolicy>,
    /// Trunks that find us where we register.
    pub registrations: Vec<Registration>,
    /// Inbound routes (carrier → tier). The longest matching prefix wins; a route for one trunk beats one for all.
    pub inbound: Vec<InboundRoute>,
    /// Outbound routes (tier → carrier). The longest matching prefix wins; a route for one site beats one for all.
    pub outbound: Vec<OutboundRoute>,
    /// Media.
    pub media: MediaPolicy,
    /// SIP timers.
    pub timers: Timers,
    /// When to try the next target.
    pub hunt: HuntPolicy,
    /// How evidence of a whole region is weighed, and how one comes back.
    pub region_health: RegionPolicy,
    /// What happens to answered calls whose tier leg is lost.
    pub rehome: RehomePolicy,
    /// How sessions are kept alive.
    pub session: SessionPolicy,
    /// What a shard may hold.
    pub limits: ShardLimits,
    /// What is done when there is more to do than time to do it.
    pub overload: OverloadPolicy,
    /// Who is met with silence.
    pub scanners: ScannerPolicy,
    /// Neighbours that are known by their certificates over TLS, and by no address.
    pub certificates: Vec<Certificate>,
    /// What to do with a request from nobody we know.
    pub unknown_source: UnknownSource,
    /// Value of Server and User-Agent header fields; `None` leaves them out.
    pub product: Option<String>,
}

/// A SIP domain that the certificate of a trunk or edge group is of (RFC 5922 §7.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// The domain, in lower case.
    pub name: String,
    /// Whose it is. Where it has sources, too, the connection has to come from one of them.
    pub owner: Owner,
}

/// A local SIP address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// Its name in the configuration.
    pub name: String,
    /// Transport protocol.
    pub transport: Transport,
    /// The address to bind.
    pub bind: SocketAddr,
    /// The address that stands in Via, Contact and Record-Route: differs from `bind` behind a NAT.
    pub advertised: SocketAddr,
    /// What carries requests of ours that are too large for a datagram.
    pub large: LargeRequests,
}

/// What carries requests that are too large for a datagram. Only listeners for datagrams have such.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LargeRequests {
    /// Datagrams all the same, in fragments: for peers whose streams are worse than fragments.
    Datagram,
    /// The stream listener that peers see at the same address and port, if there is one; else datagrams.
    Stream {
        /// Bytes that still go by datagram: 200 below the path's MTU, or 1,300 where that is unknown (RFC 3261 §18.1.1).
        over: u16,
    },
}

impl Default for LargeRequests {
    fn default() -> Self {
        Self::Stream { over: 1_300 }
    }
}

/// A failure domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Region {
    /// Its name.
    pub name: String,
    /// Calls a second that may be moved here, per shard; `None`: no limit of its own. The shell divides the configured
    /// rate by the number of shards.
    pub moves_per_second: Option<u32>,
}

/// An edge, or an address of a trunk: whatever an INVITE can be sent to.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    /// Its name, unique, stable over reloads (health is carried over by name and peer).
    pub name: String,
    /// What it belongs to.
    pub owner: Owner,
    /// How it is reached.
    pub peer: Peer,
    /// Of the targets of one group or trunk those of the lowest rank come first, as with SRV's priority (RFC 2782). 0
    /// where an address is configured.
    pub rank: u16,
    /// Share among the targets of one group or trunk that have one rank, 1 to 65,535; 0 takes it out of selection.
    pub weight: u16,
    /// How it is probed; `None`: only passive evidence.
    pub probe: Option<ProbePolicy>,
}

/// Edges or addresses of a trunk that are configured by one host name.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedTarget {
    /// Its name, unique. Its targets are named after it and their addresses.
    pub name: String,
    /// What it belongs to.
    pub owner: Owner,
    /// What is looked up.
    pub place: Place,
    /// Through which listener it is reached.
    pub listener: ListenerId,
    /// The share of all its addresses together among the targets of one group or trunk; 0 takes them out of selection.
    pub weight: u16,
    /// How each is probed; `None`: only passive evidence.
    pub probe: Option<ProbePolicy>,
}

/// What a target belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// An edge of this group.
    Edge(GroupId),
    /// An address of this trunk.
    Trunk(TrunkId),
}

/// How a target is probed with OPTIONS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProbePolicy {
    /// Time between probes, 50 ms at least.
    pub interval: Duration,
    /// How long an answer may take; at most the interval.
    pub timeout: Duration,
    /// Failures in a row that mean *down*. Passive evidence counts here too.
    pub fall: u8,
    /// Answers in a row that mean *up* again.
    pub rise: u8,
}

/// Edges of one region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EdgeGroup {
    /// Its name.
    pub name: String,
    /// The failure domain.
    pub region: RegionId,
    /// Its edges.
    pub edges: Vec<TargetId>,
    /// Where its requests may come from, beside the edges' own addresses.
    pub sources: Vec<IpNet>,
    /// How strictly media sources are held to the SDP.
    pub latching: Latching,
    /// What is done about its redirections and transfers.
    pub manners: Manners,
}

/// A logical place with an ordered list of edge groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// Its name.
    pub name: String,
    /// Edge groups, best first.
    pub groups: Vec<GroupId>,
    /// How a new tier leg says which call it continues; a trunk's own word goes before it.
    pub correlation: Option<Arc<Correlation>>,
}

/// One BYOC signalling peering with a carrier.
#[derive(Debug, Clone, PartialEq)]
pub struct Trunk {
    /// Its name.
    pub name: String,
    /// Where its requests come from; the longest prefix over all trunks and groups wins.
    pub sources: Vec<IpNet>,
    /// Where outbound calls go, by weight.
    pub targets: Vec<TargetId>,
    /// Concurrent calls, both ways, per shard; `None`: no limit of its own.
    pub max_calls: Option<u32>,
    /// New calls a second, both ways, per shard; `None`: no limit of its own. A second's worth may come at once.
    pub calls_per_second: Option<u32>,
    /// How strictly media sources are held to the SDP.
    pub latching: Latching,
    /// How a new tier leg of this trunk's calls says which call it continues; `None`: as the site says.
    pub correlation: Option<Arc<Correlation>>,
    /// What is done about its redirections and transfers.
    pub manners: Manners,
}

/// A trunk's carrier calls us where we have said that we are (RFC 3261 §10), and takes calls from there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// The trunk.
    pub trunk: TrunkId,
    /// Its registrars, the first choice first: some of the trunk's targets. Calls go to the one that has bound us.
    pub registrars: Vec<TargetId>,
    /// The address that we are bound to: a SIP URI, `sip:user@domain`.
    pub aor: Box<str>,
    /// The user part of our Contact: what is called by it comes by this trunk.
    pub contact: Box<str>,
    /// For how long we ask to be bound, in whole seconds.
    pub expires: Duration,
}

/// What a neighbour may ask of us beside a call, and what we ask of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Manners {
    /// When it answers an INVITE of ours with 3xx.
    pub redirect: Redirects,
    /// When it sends REFER.
    pub refer: Refers,
    /// It is told that we take reliable provisionals (RFC 3262) in every INVITE that brings an offer, and not only where the
    /// caller takes them too: its early media arrives for certain, for two messages more a call.
    pub offer_100rel: bool,
    /// What it is believed and told of who calls whom; `None`: the default profile.
    pub profile: Option<ProfileId>,
    /// What its final responses mean to the hunt; `None`: what they mean of everybody.
    pub codes: Option<CodesId>,
    /// What it knows us by, where it asks; `None`: it does not, or is not answered.
    pub accounts: Option<AccountsId>,
    /// What it has to show before anything new of its is begun; `None`: its address is enough.
    pub demand: Option<DemandId>,
    /// What is signed of calls to it and verified of calls from it; `None`: nothing.
    pub stir: Option<StirId>,
}

/// What some final responses of one neighbour mean to the hunt.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CodePolicy {
    /// Codes, and what follows them. The first that fits counts: single codes stand before classes.
    pub rules: Vec<(RangeInclusive<u16>, AfterRefusal)>,
}

impl CodePolicy {
    /// What follows this code, if there is a word on it.
    pub fn after(&self, code: u16) -> Option<AfterRefusal> {
        self.rules.iter().find(|(codes, _)| codes.contains(&code)).map(|(_, after)| *after)
    }
}

/// What follows a final response to an INVITE of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AfterRefusal {
    /// The next target: another address of the same neighbour, if there is one.
    Next,
    /// The next neighbour: this one has spoken for all its addresses.
    Leave,
    /// The caller hears it.
    Stop,
}

/// What becomes of a redirection (RFC 3261 §8.1.3.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Redirects {
    /// The hunt ends; the caller hears 480, since the Contact names the inside of another network.
    #[default]
    Refuse,
    /// It reaches the caller with its Contacts.
    Pass,
    /// We follow it, to addresses of the same neighbour.
    Follow,
}

/// What becomes of REFER (RFC 3515).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Refers {
    /// 603.
    #[default]
    Refuse,
    /// It is carried to the other leg, whose user agent does it.
    Pass,
    /// We do it: the call goes on between the other leg and a new one.
    Transfer,
}

/// How an INVITE that re-homes a call says which call it continues.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Correlation {
    /// Session-ID (RFC 7989) in every INVITE to the tier: the local UUID stays the call's own over every move.
    pub session_id: bool,
    /// `User-to-User` (RFC 7433) with this text, hex-encoded. A template like those of `headers`.
    pub uui: Option<String>,
    /// `Replaces` (RFC 3891) naming the lost leg's dialog, with `Supported: replaces`.
    pub replaces: bool,
    /// Header fields by name and template. `{call_id}` is the tier leg's first Call-ID, `{lost_call_id}` the lost leg's,
    /// `{carrier_call_id}` the carrier leg's, `{session_id}` the call's UUID, `{from_region}` and `{to_region}` names,
    /// `{reason}` the move's reason. Names and templates hold no line end and no control character.
    pub headers: Vec<(String, String)>,
}

/// Called-number prefix → site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InboundRoute {
    /// Only calls of this trunk; `None`: of every trunk.
    pub trunk: Option<TrunkId>,
    /// Digits, with an optional leading `+`; empty matches everything.
    pub prefix: String,
    /// The site.
    pub site: SiteId,
}

/// Called-number prefix → ordered trunks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboundRoute {
    /// Only calls from this site; `None`: from every site.
    pub site: Option<SiteId>,
    /// Digits, with an optional leading `+`; empty matches everything.
    pub prefix: String,
    /// The trunks it may take.
    pub trunks: Vec<TrunkChoice>,
}

/// One of a route's trunks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrunkChoice {
    /// The trunk.
    pub trunk: TrunkId,
    /// The cheapest come first; only their order counts.
    pub cost: u16,
    /// Share among those that cost the same; 0 only where all others have failed.
    pub weight: u16,
}

impl TrunkChoice {
    /// These trunks one after the other, best first.
    pub fn ranked(trunks: impl IntoIterator<Item = TrunkId>) -> Vec<Self> {
        (0..).zip(trunks).map(|(cost, trunk)| Self { trunk, cost, weight: 1 }).collect()
    }
}

/// Media policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaPolicy {
    /// Relay or bypass.
    pub mode: MediaMode,
    /// Our address for IPv4 media.
    pub v4: Option<IpAddr>,
    /// Our address for IPv6 media.
    pub v6: Option<IpAddr>,
    /// What stands in the SDP instead of `v4` behind a NAT.
    pub advertised_v4: Option<IpAddr>,
    /// What stands in the SDP instead of `v6`.
    pub advertised_v6: Option<IpAddr>,
    /// Silence that ends a call; `None`: never.
    pub inactivity: Option<Duration>,
}

/// Whether media goes through us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MediaMode {
    /// Media is anchored at the relay: the normal case.
    Relay,
    /// SDP passes unchanged and media flows between the peers: only for signalling-only tiers and comparisons, since it
    /// shows each side's media address to the other.
    Bypass,
}

/// SIP timers (RFC 3261 table 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timers {
    /// Round-trip estimate, 500 ms by default.
    pub t1: Duration,
    /// Largest retransmission interval for non-INVITE requests and INVITE responses, 4 s by default.
    pub t2: Duration,
    /// How long a message stays in the network, 5 s by default.
    pub t4: Duration,
}

impl Default for Timers {
    fn default() -> Self {
        Self { t1: Duration::from_millis(500), t2: Duration::from_secs(4), t4: Duration::from_secs(5) }
    }
}

/// When to leave a target for the next one. These are timers of the call, apart from RFC 3261's A to K.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HuntPolicy {
    /// No response at all, not even 100.
    pub no_response: Duration,
    /// A 100 but nothing above it.
    pub no_progress: Duration,
    /// Ringing without an answer: ends the call with 480, does not hunt.
    pub no_answer: Duration,
    /// Attempts for one call, the first included.
    pub max_attempts: u8,
    /// Final codes that move on to the next target. Others end the hunt. By default 408, 500, 502, 503 and 504.
    pub advance_on: Vec<u16>,
}

impl Default for HuntPolicy {
    fn default() -> Self {
        Self {
            no_response: Duration::from_millis(200),
            no_progress: Duration::from_secs(4),
            no_answer: Duration::from_secs(120),
            max_attempts: 6,
            advance_on: vec![408, 500, 502, 503, 504],
        }
    }
}

/// How evidence of a whole region is weighed, and how targets come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RegionPolicy {
    /// Probes to each edge when the region's flows fall silent together.
    pub burst: u8,
    /// Time between them.
    pub burst_interval: Duration,
    /// A region whose burst is unanswered this long after the silence was seen is down. Grows to twice the round-trip of
    /// the region's edges where that is longer.
    pub burst_timeout: Duration,
    /// Silence that lasts this long is *down* even if probes are answered: signalling lives, media does not. `None`:
    /// never.
    pub media_down: Option<Duration>,
    /// A target that has come back gets its share of new calls over this time, from a tenth up. Zero: at once.
    pub slow_start: Duration,
    /// A target that goes down again and again stays away longer each time (after RFC 2439): its penalty grows by 1
    /// with each fall and halves in this time. Zero: no damping.
    pub damping_half_life: Duration,
    /// It does not come back while its penalty is above this.
    pub damping_limit: u8,
}

impl Default for RegionPolicy {
    fn default() -> Self {
        Self {
            burst: 3,
            burst_interval: Duration::from_millis(10),
            burst_timeout: Duration::from_millis(50),
            media_down: Some(Duration::from_secs(1)),
            slow_start: Duration::from_secs(30),
            damping_half_life: Duration::from_secs(30),
            damping_limit: 2,
        }
    }
}

/// What happens to answered calls whose tier leg is lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RehomePolicy {
    /// Whether they are moved at all; otherwise they end as their media does.
    pub enabled: bool,
    /// A call that has no new tier leg after this long ends.
    pub deadline: Duration,
    /// A call is moved at most once in this time; a loss within it waits.
    pub min_interval: Duration,
    /// What the carrier hears meanwhile.
    pub fill: GapFill,
    /// Called numbers (prefixes) whose calls go first, beside those with Resource-Priority (RFC 4412).
    pub emergency: Vec<String>,
}

/// What the carrier hears while a call has no tier leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GapFill {
    /// Nothing.
    Nothing,
    /// Quiet noise.
    Noise,
    /// The relay's configured prompt.
    Prompt,
}

impl Default for RehomePolicy {
    fn default() -> Self {
        Self {
            enabled: true,
            deadline: Duration::from_secs(10),
            min_interval: Duration::from_secs(2),
            fill: GapFill::Noise,
            emergency: Vec::new(),
        }
    }
}

/// How the sessions of calls that are up are kept alive (RFC 4028), each leg's by itself. A call keeps what it began with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionPolicy {
    /// Whether there are session timers, and a watch over peers without them.
    pub enabled: bool,
    /// The session interval that we ask for, in whole seconds; at least `min_se`.
    pub expires: Duration,
    /// The shortest interval that we take, in whole seconds. RFC 4028 §5 allows none below 90 s.
    pub min_se: Duration,
    /// Who refreshes, where it is ours to say.
    pub refresher: Refresher,
    /// How often a peer that knows no session timer is asked whether it is there, with OPTIONS inside the dialog; `None`:
    /// never.
    pub watch: Option<Duration>,
}

/// Who refreshes a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refresher {
    /// Whom we call may choose, as RFC 4028 §7.1 recommends; whoever calls us does, if he can.
    Either,
    /// We.
    Us,
    /// The peer, if it can.
    Peer,
}

impl Default for SessionPolicy {
    fn default() -> Self {
        Self {
            enabled: true,
            expires: Duration::from_secs(1800),
            min_se: Duration::from_secs(90),
            refresher: Refresher::Either,
            watch: Some(Duration::from_secs(300)),
        }
    }
}

/// What a shard may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShardLimits {
    /// Calls at once.
    pub max_calls: u32,
}

/// When new requests are shed (docs/adr/0022). The shell divides rates by the number of shards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OverloadPolicy {
    /// How long a message may wait for its shard before it is late.
    pub target: Duration,
    /// How long messages have to be late, one after the other, before that is an overload and no burst.
    pub interval: Duration,
    /// Requests outside of every dialog that one address may begin in a second, per shard; `None`: as many as it likes.
    pub source_rate: Option<u32>,
    /// What becomes of a request above its source's or its trunk's rate.
    pub over_rate: OverRate,
    /// Whether peers are asked to say when they are overloaded: `oc` in our Via (RFC 7339 §4). Who asks us is answered in any
    /// case.
    pub ask_peers: bool,
    /// Shards that share what a peer lets us send in a second.
    pub shards: u8,
}

/// What becomes of a request above a rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OverRate {
    /// 503 with Retry-After.
    Reject,
    /// Nothing: its sender repeats it.
    Drop,
}

impl Default for OverloadPolicy {
    fn default() -> Self {
        Self {
            target: Duration::from_millis(20),
            interval: Duration::from_millis(200),
            source_rate: None,
            over_rate: OverRate::Reject,
            ask_peers: false,
            shards: 1,
        }
    }
}

/// Who is met with silence: strangers that try again and again. Addresses that the configuration names never are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScannerPolicy {
    /// Requests of a stranger, each of which would be refused, after which it gets no answer any more.
    pub strikes: u16,
    /// What counts against it halves in this time.
    pub half_life: Duration,
    /// A stranger whose User-Agent has one of these words in it, in any case, is on the list at once. Lower case.
    pub user_agents: Vec<String>,
}

impl Default for ScannerPolicy {
    fn default() -> Self {
        let known =
            ["friendly-scanner", "sipvicious", "sipcli", "sip-scan", "sipsak", "sundayddr", "pplsip", "iwar"];
        Self {
            strikes: 10,
            half_life: Duration::from_secs(60),
            user_agents: known.map(str::to_owned).to_vec(),
        }
    }
}

/// What to do with a request from nobody we know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UnknownSource {
    /// Count it and stay silent, so that a scanner learns nothing.
    Drop,
    /// Answer 403, in no more bytes than it asked with; not to scanners.
    Reject,
}

impl Config {
    /// The listener, if the number is one of this configuration's.
    pub fn listener(&self, id: ListenerId) -> Option<&Listener> {
        self.listeners.get(id.index())
    }

    /// The target, if the number is one of this configuration's.
    pub fn target(&self, id: TargetId) -> Option<&Target> {
        self.targets.get(id.index())
    }

    /// How strictly media sources of a trunk or a group are held to their SDP.
    pub fn latching(&self, owner: Owner) -> Option<Latching> {
        match owner {
            Owner::Edge(group) => self.groups.get(group.index()).map(|g| g.latching),
            Owner::Trunk(trunk) => self.trunks.get(trunk.index()).map(|t| t.latching),
        }
    }

    /// What a trunk or a group may ask of us, and is asked.
    pub fn manners(&self, owner: Owner) -> Manners {
        match owner {
            Owner::Edge(group) => self.groups.get(group.index()).map(|g| g.manners),
            Owner::Trunk(trunk) => self.trunks.get(trunk.index()).map(|t| t.manners),
        }
        .unwrap_or_default()
    }

    /// What a trunk or a group is believed and told of who calls whom.
    pub fn profile(&self, owner: Owner) -> &Profile {
        let own = self.manners(owner).profile.and_then(|id| self.profiles.get(id.index()));
        own.unwrap_or(Profile::plain())
    }

    /// What this final response of a trunk or a group means to the hunt, if that has been said of it.
    pub fn after_refusal(&self, owner: Owner, code: u16) -> Option<AfterRefusal> {
        self.codes.get(self.manners(owner).codes?.index())?.after(code)
    }

    /// The region of a target; `None` for an address of a trunk.
    pub fn region_of(&self, id: TargetId) -> Option<RegionId> {
        match self.target(id)?.owner {
            Owner::Edge(group) => self.groups.get(group.index()).map(|g| g.region),
            Owner::Trunk(_) => None,
        }
    }
}
