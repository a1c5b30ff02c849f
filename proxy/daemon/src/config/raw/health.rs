//! `[probe]` and `[region_health]`.

use super::Maybe;
use crate::config::words::{Span, SpanOrNever};
use serde::Deserialize;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct RawProbe {
    /// Whether there are probes at all. In a group or trunk alone: in `[probe]` it has no effect.
    /// Default: true.
    pub(in crate::config) enabled: Option<bool>,
    /// Time between two probes of one target.
    /// Default: "1s".
    /// Range: from "50ms".
    pub(in crate::config) interval: Maybe<Span>,
    /// How long an answer may take, `interval` at most. A shorter interval shortens it.
    /// Default: "500ms".
    /// Range: above "0s".
    pub(in crate::config) timeout: Maybe<Span>,
    /// Failures in a row that mean down.
    /// Default: 2.
    /// Range: 1 to 100.
    pub(in crate::config) fall: Maybe<i64>,
    /// Answers in a row that mean up again.
    /// Default: 2.
    /// Range: 1 to 100.
    pub(in crate::config) rise: Maybe<i64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct RawRegionHealth {
    /// Probes to each edge of a region that is suspected.
    /// Default: 3.
    /// Range: 1 to 20.
    pub(in crate::config) burst: Maybe<i64>,
    /// Time between them.
    /// Default: "10ms".
    /// Range: above "0s".
    pub(in crate::config) burst_interval: Maybe<Span>,
    /// How long an answer may take, or twice the round trip where that is longer.
    /// Default: "50ms".
    /// Range: above "0s".
    pub(in crate::config) burst_timeout: Maybe<Span>,
    /// Silence for so long is down although probes are answered; or `"never"`.
    /// Default: "1s".
    /// Range: above "0s".
    pub(in crate::config) media_down: Maybe<SpanOrNever>,
    /// A target that is back gets its share of new calls over this time; 0: at once.
    /// Default: "30s".
    pub(in crate::config) slow_start: Maybe<Span>,
    /// Each fall is a penalty of 1 that halves in this time; 0: no damping.
    /// Default: "30s".
    pub(in crate::config) damping_half_life: Maybe<Span>,
    /// Above this penalty a target stays away.
    /// Default: 2.
    /// Range: 1 to 100.
    pub(in crate::config) damping_limit: Maybe<i64>,
}
