//! What changes are asked for with, and what is answered, as types.

use super::condition::Condition;
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// Why something was not done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// What is the matter.
    pub message: String,
    /// What to do.
    pub advice: String,
    /// Why it was not even looked at: the label of `bascule_admin_refused_total`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Every complaint about a configuration, a line each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub complaints: Vec<String>,
}

/// `POST /v1/regions/{region}/drain` and `/v1/edges/{edge}/drain`; the body may be left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DrainWish {
    /// Share of its answered calls, in percent, 1 to 100.
    pub share: u8,
    /// Only calls whose called number (inbound) or calling number (outbound) begins like this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
    /// At most so many.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calls: Option<u32>,
    /// What is not moved after so many milliseconds stays where it is.
    pub deadline_ms: u64,
}

impl Default for DrainWish {
    fn default() -> Self {
        Self { share: 100, number: None, calls: None, deadline_ms: 60_000 }
    }
}

/// `POST /v1/regions/{region}/undrain` and `/v1/edges/{edge}/undrain`; the body may be left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct UndrainWish {
    /// Move the calls back that began there; without it they stay where they are.
    pub move_back: bool,
    /// Share of these, in percent, 1 to 100.
    pub share: u8,
    /// Only calls whose called number (inbound) or calling number (outbound) begins like this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
    /// At most so many.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calls: Option<u32>,
    /// What is not moved after so many milliseconds stays where it is.
    pub deadline_ms: u64,
}

impl Default for UndrainWish {
    fn default() -> Self {
        Self { move_back: false, share: 100, number: None, calls: None, deadline_ms: 60_000 }
    }
}

/// `POST /v1/regions/{region}/drill`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DrillWish {
    /// Share of its answered calls, in percent, 1 to 100.
    pub share: u8,
    /// What they lose.
    pub cut: Cut,
    /// For so many milliseconds.
    pub for_ms: u64,
    /// Any of these ends the drill, such as `dropped>0`.
    #[serde(default)]
    pub abort_if: Vec<Condition>,
}

/// What a drill cuts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Cut {
    /// SIP of the tier legs
    Signalling,
    /// RTP and RTCP of the tier legs
    Media,
    /// Both
    Both,
}

/// `GET /v1/reload`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Configured {
    /// The file, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Generation in which its contents were taken.
    pub generation: u64,
    /// It is on trial, and undone by itself then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirm_until: Option<String>,
}

/// `POST /v1/reload`; the body may be left out.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Reload {
    /// Undo it by itself unless it is confirmed within so many seconds.
    #[serde(rename = "confirm", skip_serializing_if = "Option::is_none")]
    pub confirm_s: Option<u64>,
    /// Only say whether it would be taken.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
}

/// A configuration was taken, or would be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reloaded {
    /// The generation in force.
    pub generation: u64,
    /// Whether it shows the file.
    pub taken: bool,
    /// What is odd about it, a line each.
    pub warnings: Vec<String>,
    /// When it is undone, unless it is confirmed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirm_until: Option<String>,
}

/// `GET` and `PUT /v1/log-level`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogLevel {
    /// A filter as `RUST_LOG` has it: `info`, `bascule=debug,warn`, …
    pub level: String,
}
