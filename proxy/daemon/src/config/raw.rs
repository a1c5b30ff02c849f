//! The file as it is written: every key, its type and its place. No key has a meaning here, only a shape.

use super::secrets::Unshown;
use super::words::{Address, Source, Span, SpanOrNever, Text, Whereabouts};
use serde::Deserialize;
use serde_spanned::Spanned;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

/// An optional value with its place.
pub(super) type Maybe<T> = Option<Spanned<T>>;

/// The whole file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawConfig {
    pub(super) product: Maybe<String>,
    pub(super) unknown_source: Option<RawUnknownSource>,
    pub(super) listener: Vec<Spanned<RawListener>>,
    pub(super) region: Vec<Spanned<RawRegion>>,
    pub(super) edge_group: Vec<Spanned<RawEdgeGroup>>,
    pub(super) site: Vec<Spanned<RawSite>>,
    pub(super) trunk: Vec<Spanned<RawTrunk>>,
    pub(super) identity: Vec<Spanned<RawIdentity>>,
    pub(super) stir: Vec<Spanned<RawStir>>,
    pub(super) route: RawRoutes,
    pub(super) media: Option<Spanned<RawMedia>>,
    pub(super) timers: RawTimers,
    pub(super) hunt: RawHunt,
    pub(super) probe: RawProbe,
    pub(super) region_health: RawRegionHealth,
    pub(super) rehome: RawRehome,
    pub(super) session: RawSession,
    pub(super) limits: RawLimits,
    pub(super) overload: RawOverload,
    pub(super) scanners: RawScanners,
    pub(super) dns: RawDns,
    pub(super) process: RawProcess,
    pub(super) admin: RawAdmin,
    pub(super) records: RawRecords,
    pub(super) log: RawLog,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RawUnknownSource {
    Drop,
    Reject,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawListener {
    pub(super) name: Maybe<String>,
    pub(super) transport: Option<RawTransport>,
    pub(super) bind: Maybe<Address>,
    pub(super) advertised: Maybe<Address>,
    pub(super) large_requests: Maybe<RawLarge>,
    pub(super) path_mtu: Maybe<i64>,
    pub(super) certificate: Maybe<PathBuf>,
    pub(super) key: Maybe<PathBuf>,
    pub(super) client_ca: Maybe<PathBuf>,
    pub(super) require_client: Maybe<bool>,
}

/// How targets are called over TLS.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawTls {
    pub(super) server_name: Maybe<String>,
    pub(super) ca: Maybe<PathBuf>,
    pub(super) certificate: Maybe<PathBuf>,
    pub(super) key: Maybe<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum RawLarge {
    Stream,
    Datagram,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum RawTransport {
    Udp,
    Tcp,
    Tls,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRegion {
    pub(super) name: Maybe<String>,
    pub(super) moves_per_second: Maybe<i64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawEdgeGroup {
    pub(super) name: Maybe<String>,
    pub(super) region: Maybe<String>,
    pub(super) listener: Maybe<String>,
    pub(super) edges: Maybe<Vec<Spanned<RawTarget>>>,
    #[serde(default)]
    pub(super) sources: Vec<Spanned<Source>>,
    #[serde(default)]
    pub(super) certificates: Vec<Spanned<String>>,
    pub(super) tls: Maybe<RawTls>,
    pub(super) latching: Option<RawLatching>,
    pub(super) probe: Option<RawProbe>,
    pub(super) redirect: Option<RawRedirects>,
    pub(super) refer: Option<RawRefers>,
    pub(super) identity: Maybe<String>,
    #[serde(default)]
    pub(super) offer_100rel: bool,
    #[serde(default)]
    pub(super) codes: RawCodes,
    #[serde(default)]
    pub(super) auth: Vec<Spanned<RawAccount>>,
    pub(super) admits: Maybe<RawAdmits>,
    /// Where its media comes from.
    #[serde(default)]
    pub(super) media: Vec<Spanned<Source>>,
    pub(super) codecs: Maybe<Vec<Spanned<String>>>,
}

/// Codes, or classes of them, and what follows.
pub(super) type RawCodes = BTreeMap<Spanned<String>, Spanned<RawAfter>>;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RawAfter {
    Next,
    Leave,
    Stop,
}

/// What a neighbour's own access list lets through.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawAdmits {
    pub(super) signalling: Vec<Spanned<Source>>,
    pub(super) media: Vec<Spanned<Source>>,
}

/// A user's name and secret in a realm.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawAccount {
    pub(super) realm: Maybe<String>,
    pub(super) username: Maybe<String>,
    pub(super) password: Maybe<Unshown>,
    pub(super) password_file: Maybe<PathBuf>,
    pub(super) ha1: Maybe<Unshown>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawChallenge {
    pub(super) realm: Maybe<String>,
    pub(super) users: Vec<Spanned<RawAccount>>,
    pub(super) algorithms: Maybe<Vec<RawAlgorithm>>,
    pub(super) integrity: bool,
    pub(super) nonce_life: Maybe<Span>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(super) enum RawAlgorithm {
    #[serde(rename = "md5")]
    Md5,
    #[serde(rename = "sha256")]
    Sha256,
    #[serde(rename = "sha512_256")]
    Sha512_256,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RawRedirects {
    Refuse,
    Pass,
    Follow,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RawRefers {
    Refuse,
    Pass,
    Transfer,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTarget {
    pub(super) name: Maybe<String>,
    pub(super) address: Maybe<Whereabouts>,
    pub(super) weight: Maybe<i64>,
    pub(super) server_name: Maybe<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RawLatching {
    Exact,
    Address,
    Learn,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSite {
    #[serde(default)]
    pub(super) identity_differs: bool,
    pub(super) name: Maybe<String>,
    pub(super) groups: Maybe<Vec<Spanned<String>>>,
    pub(super) correlation: Maybe<RawCorrelation>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawCorrelation {
    pub(super) session_id: bool,
    pub(super) uui: Maybe<String>,
    pub(super) replaces: bool,
    pub(super) headers: BTreeMap<Spanned<String>, Spanned<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTrunk {
    pub(super) name: Maybe<String>,
    pub(super) listener: Maybe<String>,
    #[serde(default)]
    pub(super) sources: Vec<Spanned<Source>>,
    #[serde(default)]
    pub(super) certificates: Vec<Spanned<String>>,
    pub(super) tls: Maybe<RawTls>,
    #[serde(default)]
    pub(super) targets: Vec<Spanned<RawTarget>>,
    pub(super) max_calls: Maybe<i64>,
    pub(super) calls_per_second: Maybe<i64>,
    pub(super) latching: Option<RawLatching>,
    pub(super) probe: Option<RawProbe>,
    pub(super) correlation: Maybe<RawCorrelation>,
    pub(super) redirect: Option<RawRedirects>,
    pub(super) refer: Option<RawRefers>,
    pub(super) stir: Maybe<String>,
    pub(super) identity: Maybe<String>,
    #[serde(default)]
    pub(super) offer_100rel: bool,
    #[serde(default)]
    pub(super) codes: RawCodes,
    pub(super) admits: Maybe<RawAdmits>,
    #[serde(default)]
    pub(super) auth: Vec<Spanned<RawAccount>>,
    pub(super) challenge: Maybe<RawChallenge>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawIdentity {
    pub(super) name: Maybe<String>,
    pub(super) plan: Option<Spanned<RawNumberPlan>>,
    pub(super) called: Maybe<RawNumber>,
    pub(super) calling: Maybe<RawNumber>,
    pub(super) asserted: Maybe<RawNumber>,
    pub(super) diverting: Maybe<RawNumber>,
    pub(super) called_host: Maybe<String>,
    pub(super) calling_host: Maybe<String>,
    pub(super) asserted_host: Maybe<String>,
    pub(super) diverting_host: Maybe<String>,
    pub(super) trusts: Option<bool>,
    pub(super) trusted: Option<bool>,
    pub(super) assert: Maybe<Vec<RawAssertion>>,
    pub(super) assert_always: bool,
    pub(super) privacy: Option<RawPrivacy>,
    pub(super) diversion: Option<RawDiversion>,
    pub(super) trunk_group: Maybe<RawTrunkGroup>,
    pub(super) charging: bool,
    pub(super) uui: bool,
    pub(super) passports: Option<bool>,
    pub(super) takes: Vec<Spanned<String>>,
    pub(super) sends: Vec<Spanned<String>>,
    pub(super) presents: Vec<Spanned<String>>,
    pub(super) default_caller: Maybe<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawNumberPlan {
    pub(super) country: Maybe<String>,
    pub(super) national: Maybe<String>,
    pub(super) international: Maybe<String>,
    pub(super) access: Maybe<String>,
    pub(super) national_digits: Maybe<i64>,
    pub(super) short_digits: Maybe<i64>,
    pub(super) bare_is_global: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawStir {
    pub(super) name: Maybe<String>,
    pub(super) sign: Maybe<RawSign>,
    pub(super) verify: Maybe<RawVerify>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawSign {
    pub(super) key: Maybe<PathBuf>,
    pub(super) certificate: Maybe<String>,
    pub(super) origid: Maybe<String>,
    pub(super) owns: Vec<Spanned<String>>,
    pub(super) others: Option<RawAttestation>,
    pub(super) gateways: Vec<Spanned<String>>,
    pub(super) wait: Maybe<Span>,
    pub(super) required: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(super) enum RawAttestation {
    A,
    B,
    C,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawVerify {
    pub(super) authorities: Maybe<PathBuf>,
    pub(super) hosts: Vec<Spanned<RawHost>>,
    pub(super) https_authorities: Maybe<PathBuf>,
    pub(super) certificates: Vec<Spanned<RawKnown>>,
    pub(super) refuse: Vec<Spanned<i64>>,
    pub(super) wait: Maybe<Span>,
}

/// A host alone, or one that may be inside.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(super) enum RawHost {
    Plain(String),
    Marked(RawMarkedHost),
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawMarkedHost {
    pub(super) host: String,
    #[serde(default)]
    pub(super) internal: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawKnown {
    pub(super) url: Maybe<String>,
    pub(super) file: Maybe<PathBuf>,
}

/// A format alone, or with what stands before the number.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(super) enum RawNumber {
    Plain(RawFormat),
    Prefixed(RawPrefixed),
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPrefixed {
    pub(super) format: RawFormat,
    pub(super) prefix: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RawFormat {
    AsSaid,
    E164,
    Digits,
    National,
    International,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RawAssertion {
    Asserted,
    Preferred,
    RemoteParty,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RawPrivacy {
    Next,
    Us,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RawDiversion {
    Withheld,
    AsSaid,
    Diversion,
    HistoryInfo,
}

/// `"as_said"`, `"removed"`, or the words of a trunk group.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(super) enum RawTrunkGroup {
    Word(RawTrunkGroupWord),
    Put(RawTrunkGroupPut),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RawTrunkGroupWord {
    AsSaid,
    Removed,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTrunkGroupPut {
    pub(super) group: String,
    pub(super) context: String,
    #[serde(default)]
    pub(super) contact: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawRoutes {
    pub(super) inbound: Vec<Spanned<RawInbound>>,
    pub(super) outbound: Vec<Spanned<RawOutbound>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawInbound {
    pub(super) trunk: Maybe<String>,
    pub(super) prefix: Maybe<String>,
    pub(super) site: Maybe<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawOutbound {
    #[serde(default)]
    pub(super) identity_differs: bool,
    pub(super) site: Maybe<String>,
    pub(super) prefix: Maybe<String>,
    pub(super) trunks: Maybe<Vec<Spanned<RawTrunkChoice>>>,
}

/// A trunk's name alone, or with what decides its place.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(super) enum RawTrunkChoice {
    Ranked(String),
    Priced(RawPricedTrunk),
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPricedTrunk {
    pub(super) trunk: String,
    pub(super) cost: i64,
    pub(super) weight: Option<i64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawMedia {
    pub(super) mode: Maybe<RawMediaMode>,
    pub(super) v4: Maybe<IpAddr>,
    pub(super) v6: Maybe<IpAddr>,
    pub(super) advertised_v4: Maybe<IpAddr>,
    pub(super) advertised_v6: Maybe<IpAddr>,
    pub(super) ports: Maybe<Text>,
    pub(super) inactivity: Maybe<Span>,
    pub(super) inactivity_reason: Maybe<String>,
    pub(super) dscp: Maybe<i64>,
    pub(super) datapath: Maybe<RawDatapath>,
    pub(super) silence: Option<RawSilence>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawSilence {
    pub(super) min_flows: Maybe<i64>,
    pub(super) after: Maybe<Span>,
    pub(super) heard_percent: Maybe<i64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RawDatapath {
    Auto,
    Sockets,
    Lookup,
    Uring,
    Epoll,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RawMediaMode {
    Relay,
    Bypass,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawTimers {
    pub(super) t1: Maybe<Span>,
    pub(super) t2: Maybe<Span>,
    pub(super) t4: Maybe<Span>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawHunt {
    pub(super) no_response: Maybe<Span>,
    pub(super) no_progress: Maybe<Span>,
    pub(super) no_answer: Maybe<Span>,
    pub(super) max_attempts: Maybe<i64>,
    pub(super) advance_on: Maybe<Vec<Spanned<i64>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawProbe {
    pub(super) enabled: Option<bool>,
    pub(super) interval: Maybe<Span>,
    pub(super) timeout: Maybe<Span>,
    pub(super) fall: Maybe<i64>,
    pub(super) rise: Maybe<i64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawRegionHealth {
    pub(super) burst: Maybe<i64>,
    pub(super) burst_interval: Maybe<Span>,
    pub(super) burst_timeout: Maybe<Span>,
    pub(super) media_down: Maybe<SpanOrNever>,
    pub(super) slow_start: Maybe<Span>,
    pub(super) damping_half_life: Maybe<Span>,
    pub(super) damping_limit: Maybe<i64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawRehome {
    pub(super) enabled: Option<bool>,
    pub(super) deadline: Maybe<Span>,
    pub(super) min_interval: Maybe<Span>,
    pub(super) fill: Maybe<RawFill>,
    pub(super) prompt: Maybe<PathBuf>,
    pub(super) emergency: Vec<Spanned<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawSession {
    pub(super) enabled: Option<bool>,
    pub(super) expires: Maybe<Span>,
    pub(super) min_se: Maybe<Span>,
    pub(super) refresher: Maybe<RawRefresher>,
    pub(super) watch: Maybe<SpanOrNever>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RawRefresher {
    Either,
    Us,
    Peer,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RawFill {
    Noise,
    Prompt,
    Nothing,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawLimits {
    pub(super) max_calls: Maybe<i64>,
    pub(super) requests_per_second: Maybe<i64>,
    pub(super) above_rate: Option<RawAboveRate>,
    pub(super) tcp_connections: Maybe<i64>,
    pub(super) tcp_connections_per_peer: Maybe<i64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RawAboveRate {
    Reject,
    Drop,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawOverload {
    pub(super) target: Maybe<Span>,
    pub(super) interval: Maybe<Span>,
    pub(super) ask_peers: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawScanners {
    pub(super) strikes: Maybe<i64>,
    pub(super) half_life: Maybe<Span>,
    pub(super) user_agents: Maybe<Vec<Spanned<String>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawDns {
    pub(super) servers: Maybe<Vec<Spanned<Address>>>,
    pub(super) timeout: Maybe<Span>,
    pub(super) attempts: Maybe<i64>,
    pub(super) start_wait: Maybe<Span>,
    pub(super) stale: Maybe<Span>,
    pub(super) hold: Maybe<Span>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawProcess {
    pub(super) shards: Maybe<i64>,
    pub(super) relay_workers: Maybe<i64>,
    pub(super) cpus: Maybe<Vec<Spanned<i64>>>,
    pub(super) drain: Maybe<Span>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawAdmin {
    pub(super) listen: Maybe<SocketAddr>,
    pub(super) socket: Maybe<PathBuf>,
    pub(super) access: Maybe<PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawRecords {
    pub(super) file: Maybe<PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawLog {
    pub(super) format: Option<RawLogFormat>,
    pub(super) level: Maybe<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RawLogFormat {
    Auto,
    Text,
    Json,
    Journald,
}
