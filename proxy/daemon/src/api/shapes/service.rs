//! The service as it is now: `GET /v1/status`.

use serde::{Deserialize, Serialize};

/// The service as it is now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// Of the running program.
    pub version: String,
    /// `running`, `draining` or `stopping`.
    pub phase: String,
    /// Seconds since its start.
    pub uptime_s: f64,
    /// Generation of the snapshot in force.
    pub generation: u64,
    /// Shards that have told of their calls, of those that there are.
    pub shards: (usize, usize),
    /// Their calls.
    pub calls: LiveCalls,
    /// Trunks that have us registered.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub registrations: Vec<Registered>,
    /// The relay; absent where media bypasses us.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media: Option<Media>,
    /// Neighbours that are configured by name, and what is known of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<NameStatus>,
}

/// A name as it is known now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NameStatus {
    /// As it is configured: `sip.example.com`, `sip.example.com:5070`.
    pub name: String,
    /// Of the listener: `UDP`, `TCP`.
    pub transport: String,
    /// `fresh`, `stale` (no server answers), `denied` (a server says that there is nothing) or `nothing`.
    pub state: String,
    /// Why it is not fresh.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Since when; for a fresh one when the last answer came.
    pub since: String,
    /// Until when addresses are kept that no server names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// The least TTL of its records, in seconds, within our limits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_s: Option<u64>,
    /// Best first.
    pub addresses: Vec<NameAddress>,
}

/// One address of a name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NameAddress {
    /// Address and port.
    pub address: String,
    /// The host that the records name.
    pub host: String,
    /// 0 is tried first.
    pub rank: u16,
    /// Seconds since it was first seen.
    pub age_s: u64,
    /// Since when no answer names it any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left: Option<String>,
}

/// One trunk's registration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registered {
    /// The trunk.
    pub trunk: String,
    /// `registered`, `registering`, `failed` or `leaving`.
    pub state: String,
    /// The target that has bound us.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registrar: Option<String>,
    /// Seconds until it has to be asked again at the latest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_s: Option<u64>,
    /// What the last registrar said that did not bind us; 0 if nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_code: Option<u16>,
}

/// Calls by how far they have come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LiveCalls {
    /// Being set up.
    pub hunting: usize,
    /// Answered.
    pub answered: usize,
    /// Ending.
    pub closing: usize,
}

/// The relay as it is now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Media {
    /// Local addresses.
    pub addresses: Vec<String>,
    /// First and last port.
    pub ports: (u16, u16),
    /// How many calls it can hold, and by what it is bounded, for people.
    pub capacity: String,
    /// Calls that it can hold.
    pub room: usize,
    /// Where the kernel carries media, by which way, and why by no faster one.
    pub kernel: Vec<String>,
    /// What the sockets carry alone, and why.
    pub sockets: Vec<String>,
    /// What becomes of the kernel's flows when the service is killed, and what it found of an earlier run.
    #[serde(default)]
    pub survival: Option<String>,
    /// RTP that is carried now.
    pub carried: Carried,
    /// What was dropped since the start, by reason; those that never occurred are absent.
    pub drops: Vec<(String, u64)>,
    /// What the kernel's program left to the sockets although its port has a flow, by reason, likewise.
    pub passed_up: Vec<(String, u64)>,
}

/// Who carries how much.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Carried {
    /// Sessions of the relay.
    pub sessions: u64,
    /// Flows (one direction of the RTP of a session) that the kernel carries; the sockets carry the others.
    pub kernel_flows: u64,
}
