//! What is done where there is too much of it.

use relay_values::Duration;
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
