//! What followers are told, as types.

use super::shapes::{Call, LiveCalls};
use serde::{Deserialize, Serialize};

/// `service` of `GET /v1/events`: sent when it has changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceNow {
    /// Generation of the snapshot that this was read from.
    pub generation: u64,
    /// Calls by how far they have come.
    pub calls: LiveCalls,
    /// In order of the configuration.
    pub regions: Vec<RegionNow>,
}

/// A region in few words; `/v1/regions` has the evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegionNow {
    /// Its name.
    pub region: String,
    /// `up`, `suspect` or `down`.
    pub state: String,
    /// Since when.
    pub since: String,
    /// Why its state changed last; left out if it never did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
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
    /// Edges that are up, of all.
    pub edges_up: usize,
    /// Edges that operators keep new calls away from.
    pub edges_drained: usize,
    /// Edges.
    pub edges: usize,
}

/// `trunks` of `GET /v1/events` has a list of these.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrunkNow {
    /// Its name.
    pub trunk: String,
    /// Its live calls, both ways.
    pub calls: u32,
}

/// `calls` of `GET /v1/calls?follow=true`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallsNow {
    /// Those that are new, or look otherwise than before.
    pub calls: Vec<Call>,
    /// Names of those that are over, or do not fit any more.
    pub gone: Vec<String>,
    /// All that fit have been told of once.
    pub whole: bool,
}
