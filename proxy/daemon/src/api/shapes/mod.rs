//! What is answered, as types. Instants are RFC 3339 in UTC; what does not apply is left out.

mod line;
mod region;
mod service;

pub use super::measured::{CallMedia, MediaFlow, MediaLine};
pub use crate::records::{Flow, FlowBursts, FlowReported};
pub use line::{End, Gaps, Line, News, Progress, Receipt, Summary};
pub use region::{Edge, Region};
pub use service::{Carried, LiveCalls, Media, NameAddress, NameStatus, Registered, Status};

use serde::{Deserialize, Serialize};

/// Something for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Words {
    /// What is the matter.
    pub message: String,
    /// What to do.
    pub advice: String,
}

/// `GET /v1/me`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Me {
    /// As the audit log names you.
    pub name: String,
    /// What you may.
    pub roles: Vec<String>,
}

/// `GET /v1/regions`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Regions {
    /// Generation of the snapshot that this was read from.
    pub generation: u64,
    /// In order of the configuration.
    pub regions: Vec<Region>,
}

/// `GET` and `DELETE /v1/scanners`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scanners {
    /// Strangers that are met with silence; who is forgotten last stands last.
    pub scanners: Vec<Scanner>,
    /// Where we listen for SIP: transport in lower case, and port.
    pub ports: Vec<(String, u16)>,
    /// They are forgotten now: this is what the list was.
    pub forgotten: bool,
}

/// A stranger that is met with silence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scanner {
    /// Its address; for IPv6 its network of 64 bits, with `/64`.
    pub address: String,
    /// `tool`: by its User-Agent; `tries`: by what it has tried.
    pub known_by: String,
    /// Messages of its since `first`, as far as they count.
    pub messages: u64,
    /// When it was seen first.
    pub first: String,
    /// When it was seen last.
    pub last: String,
    /// Seconds after which it is forgotten, if it is not seen again.
    pub forgotten_in_s: u64,
}

/// `GET /v1/edge-groups`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EdgeGroups {
    /// In order of the configuration.
    pub edge_groups: Vec<EdgeGroup>,
}

/// Edges of one region.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EdgeGroup {
    /// Its name.
    pub edge_group: String,
    /// The failure domain.
    pub region: String,
    /// Names of its edges.
    pub edges: Vec<String>,
    /// How many of them are up and not drained.
    pub usable: usize,
    /// Sites that use it.
    pub sites: Vec<String>,
    /// Networks that its requests may come from, beside the edges' own addresses.
    pub sources: Vec<String>,
}

/// `GET /v1/edges`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Edges {
    /// By region, then in order of the configuration.
    pub edges: Vec<PlacedEdge>,
}

/// An edge, with where it stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlacedEdge {
    /// Its region.
    pub region: String,
    /// Its group.
    pub edge_group: String,
    /// Its address.
    pub address: String,
    /// `udp` or `tcp`.
    pub transport: String,
    /// Its state and evidence.
    #[serde(flatten)]
    pub edge: Edge,
}

/// `GET /v1/sites`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sites {
    /// In order of the configuration.
    pub sites: Vec<Site>,
}

/// A site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Site {
    /// Its name.
    pub site: String,
    /// Edge groups, best first.
    pub edge_groups: Vec<String>,
    /// Edges that new calls may go to at this moment.
    pub usable: usize,
}

/// `GET /v1/trunks`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trunks {
    /// In order of the configuration.
    pub trunks: Vec<Trunk>,
}

/// A trunk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trunk {
    /// Its name.
    pub trunk: String,
    /// Its live calls, both ways.
    pub calls: u32,
    /// Most calls at once, over all shards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_calls: Option<u32>,
    /// Most new calls a second, over all shards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls_per_second: Option<u32>,
    /// Networks that its requests come from.
    pub sources: Vec<String>,
    /// Where outbound calls go.
    pub targets: Vec<TrunkTarget>,
}

/// An address of a trunk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrunkTarget {
    /// Its name.
    pub target: String,
    /// Its address.
    pub address: String,
    /// `udp` or `tcp`.
    pub transport: String,
    /// Share among the trunk's targets.
    pub weight: u16,
    /// `up`, `backoff` or `down`.
    pub state: String,
    /// Since when.
    pub since: String,
}

/// `GET /v1/routes`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Routes {
    /// Carrier → tier. The longest prefix wins; of two as long, the one for the trunk.
    pub inbound: Vec<InboundRoute>,
    /// Tier → carrier, likewise by site.
    pub outbound: Vec<OutboundRoute>,
}

/// Carrier → tier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InboundRoute {
    /// How called numbers begin.
    pub prefix: String,
    /// Only calls of this trunk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trunk: Option<String>,
    /// Where they go.
    pub site: String,
}

/// Tier → carrier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutboundRoute {
    /// How called numbers begin.
    pub prefix: String,
    /// Only calls of this site.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<String>,
    /// Where they go: cheapest first, within one cost by weight.
    pub trunks: Vec<RouteTrunk>,
}

/// A trunk of a route.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteTrunk {
    /// Its name.
    pub trunk: String,
    /// Its cost.
    pub cost: u16,
    /// Its weight.
    pub weight: u16,
}

/// `GET /v1/generations`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Generations {
    /// The one in force.
    pub generation: u64,
    /// The newest first; as many as are remembered.
    pub generations: Vec<Generation>,
}

/// A generation of the snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Generation {
    /// Its number.
    pub generation: u64,
    /// When.
    pub at: String,
    /// A configuration was taken.
    pub configured: bool,
    /// What changed.
    pub changes: Vec<Change>,
    /// How many changes are not remembered.
    #[serde(default)]
    pub left_out: usize,
}

/// What changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// `target`, `region`, `drain` or `drill`.
    pub of: String,
    /// Whose.
    pub name: String,
    /// What it was.
    pub from: String,
    /// What it is.
    pub to: String,
    /// Why; left out where an operator said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// `GET /v1/calls`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Calls {
    /// Those that fit, in no order that means anything.
    pub calls: Vec<Call>,
    /// Where to go on; left out at the end. A list may be short, or empty, and go on all the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// A live call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// Its name.
    pub call: String,
    /// `hunting`, `ringing`, `answered`, `moving` or `closing`.
    pub state: String,
    /// `inbound` or `outbound`.
    pub direction: String,
    /// Calling number or user, as the A-leg said it.
    pub calling: String,
    /// Called number or user.
    pub called: String,
    /// Where the INVITE came from.
    pub source: String,
    /// The trunk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trunk: Option<String>,
    /// The site.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<String>,
    /// The region that the tier leg is in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// The target that was tried last, or since a move the edge that the tier leg sits at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// The A-leg's Call-ID.
    pub a_call_id: String,
    /// The B-leg's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub b_call_id: Option<String>,
    /// INVITE received.
    pub started: String,
    /// First response above 100 sent to the A-leg.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ringing: Option<String>,
    /// 2xx sent to the A-leg.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered: Option<String>,
    /// Generation that it was admitted under.
    pub generation: u64,
    /// How often its tier leg has been moved, or was to be.
    pub moves: usize,
}

/// `GET /v1/calls/{call}`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CallDetail {
    /// The call.
    #[serde(flatten)]
    pub call: Call,
    /// The hunt, step by step.
    pub steps: Vec<Step>,
    /// Receipts of the moves that have ended.
    #[serde(rename = "receipts")]
    pub moves: Vec<Move>,
    /// What the relay measures of it at this moment.
    pub media: CallMedia,
}

/// One attempt at a target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// The target.
    pub target: String,
    /// Its region; left out for a trunk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// INVITE sent.
    pub at: String,
    /// Generation by which it was chosen.
    pub generation: u64,
    /// `pending`, `answered`, `advanced`, `refused` or `cancelled`.
    pub outcome: String,
    /// Why it was moved on from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The final code, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<u16>,
}

/// The receipt of a move.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Move {
    /// Why.
    pub reason: String,
    /// What became of it.
    pub outcome: String,
    /// The target that was left.
    pub from: String,
    /// The one that took the call; left out if none did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// When trouble was first seen.
    pub detected: String,
    /// From there to the new leg's 2xx.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered_ms: Option<f64>,
    /// How long the carrier heard nothing at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gap_media_ms: Option<f64>,
    /// How long it heard nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gap_conversation_ms: Option<f64>,
}

/// `DELETE /v1/calls/{call}`; the body may be left out.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EndCall {
    /// For the audit log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// `POST /v1/regions/{region}/stop` and `/v1/edges/{edge}/stop`: what is under way there ends before its time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stopped {
    /// The region or edge.
    pub place: String,
}

/// A call is being ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// Its name.
    pub call: String,
}
