//! A region and its edges, with what speaks for their state.

use serde::{Deserialize, Serialize};

/// A region as it is now. Instants are RFC 3339 in UTC.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Region {
    /// Its name.
    pub region: String,
    /// `up`, `suspect` or `down`.
    pub state: String,
    /// Since when.
    pub since: String,
    /// Why its state changed last; absent if it never did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When the present or last trouble was first suspected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspected: Option<String>,
    /// The last packet before its flows fell silent together for the last time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub silent_since: Option<String>,
    /// Live calls that are being set up in it.
    pub hunting: u32,
    /// Answered calls in it.
    pub answered: u32,
    /// Of these, how many are being moved.
    pub moving: u32,
    /// Operators keep new calls away from all of it.
    pub drained: bool,
    /// Share of its calls that a drill has cut off, in percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drill: Option<u8>,
    /// Its edges.
    pub edges: Vec<Edge>,
}

/// An edge as it is now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Edge {
    /// Its name.
    pub edge: String,
    /// `up`, `backoff` or `down`.
    pub state: String,
    /// Since when.
    pub since: String,
    /// Why its state changed last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Share among its group's edges; 0 takes no new calls.
    pub weight: u16,
    /// Operators keep new calls away from it.
    pub drained: bool,
    /// Probes sent.
    pub probes: u64,
    /// Probes without an answer since the last one with.
    pub missed: u32,
    /// Weight of the failures since the last answer; it is down at `fall`.
    pub failures: u8,
    /// See `failures`.
    pub fall: u8,
    /// Smoothed time to an answer, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub round_trip_ms: Option<f64>,
    /// Penalty for falling again and again.
    pub penalty: f64,
    /// It stays down until then, whatever it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_until: Option<String>,
}
