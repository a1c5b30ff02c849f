//! What the process may do and takes upon itself: `[limits]`, `[overload]`, `[scanners]`, `[dns]`, `[process]`.

use super::Maybe;
use crate::config::words::{Address, Span};
use serde::Deserialize;
use serde_spanned::Spanned;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct RawLimits {
    /// Calls at once, of the whole process; four media ports for each.
    /// Range: from 1.
    /// Without it: as many as `[media] ports` hold.
    pub(in crate::config) max_calls: Maybe<i64>,
    /// New requests of one address in a second.
    /// Range: 1 to 1000000.
    /// Without it: no limit.
    pub(in crate::config) requests_per_second: Maybe<i64>,
    /// What is done with more.
    /// Default: "reject".
    pub(in crate::config) above_rate: Option<RawAboveRate>,
    /// Stream connections at once, over all listeners.
    /// Default: 1024.
    /// Range: 1 to 100000.
    /// Restart.
    pub(in crate::config) tcp_connections: Maybe<i64>,
    /// Of those, begun from one address.
    /// Default: 64.
    /// Range: 1 to 100000.
    /// Restart.
    pub(in crate::config) tcp_connections_per_peer: Maybe<i64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::config) enum RawAboveRate {
    /// 503 with Retry-After.
    Reject,
    /// Silence.
    Drop,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct RawOverload {
    /// How long a message may wait before new calls are turned away.
    /// Default: "20ms".
    /// Range: "5ms" to "250ms".
    pub(in crate::config) target: Maybe<Span>,
    /// For how long it has to be so; `target` or more.
    /// Default: "200ms".
    pub(in crate::config) interval: Maybe<Span>,
    /// Whether targets are asked to say when they are overloaded (`oc`, RFC 7339).
    /// Default: false.
    pub(in crate::config) ask_peers: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct RawScanners {
    /// Tries of a stranger, forgotten by halves, after which he gets no answer any more.
    /// Default: 10.
    /// Range: 1 to 10000.
    pub(in crate::config) strikes: Maybe<i64>,
    /// How fast they are forgotten.
    /// Default: "60s".
    /// Range: above "0s".
    pub(in crate::config) half_life: Maybe<Span>,
    /// Words of User-Agent, 3 to 64 characters, that give a stranger away at once; 64 at most.
    /// Without it: the known tools'.
    pub(in crate::config) user_agents: Maybe<Vec<Spanned<String>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct RawDns {
    /// Name servers, 1 to 8; without a port 53.
    /// Without it: those of resolv.conf(5).
    pub(in crate::config) servers: Maybe<Vec<Spanned<Address>>>,
    /// How long one attempt waits for its answer.
    /// Default: "2s".
    /// Range: above "0s" to "10s".
    pub(in crate::config) timeout: Maybe<Span>,
    /// Attempts for one question.
    /// Default: 2.
    /// Range: 1 to 5.
    pub(in crate::config) attempts: Maybe<i64>,
    /// How long a start or a reload waits for names that were never answered.
    /// Default: "5s".
    pub(in crate::config) start_wait: Maybe<Span>,
    /// How long addresses stay while no server answers (RFC 8767).
    /// Default: "72h".
    /// Range: "0s" to "720h".
    pub(in crate::config) stale: Maybe<Span>,
    /// How long healthy addresses stay when a server no longer names them.
    /// Default: "10m".
    pub(in crate::config) hold: Maybe<Span>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct RawProcess {
    /// Signalling threads.
    /// Default: 1.
    /// Range: 1 to 64.
    /// Restart.
    pub(in crate::config) shards: Maybe<i64>,
    /// Media threads.
    /// Default: 1.
    /// Range: 1 to 64.
    /// Restart.
    pub(in crate::config) relay_workers: Maybe<i64>,
    /// Processors that threads are pinned to, shards first.
    /// Without it: the system decides.
    /// Restart.
    pub(in crate::config) cpus: Maybe<Vec<Spanned<i64>>>,
    /// How long calls may go on after a stop was asked for; the unit's `TimeoutStopSec` has to be longer.
    /// Default: "30s".
    pub(in crate::config) drain: Maybe<Span>,
}
