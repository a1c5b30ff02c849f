//! What a shard says of itself when somebody asks.

use proxy_core::{RegionCalls, ShardCounters, ShardCounts};

/// A shard's counts, core and shell.
#[derive(Debug, Clone, Default)]
pub struct ShardReport {
    /// Its number.
    pub shard: u8,
    /// What it holds.
    pub counts: ShardCounts,
    /// Deadlines that wait in its core.
    pub timers: usize,
    /// What its core has counted.
    pub counters: ShardCounters,
    /// What its sockets have counted.
    pub wire: WireCounters,
    /// Its live calls by the region of their tier leg, indexed by [`proxy_core::RegionId`].
    pub regions: Vec<RegionCalls>,
    /// Its live calls by trunk, indexed by [`proxy_core::TrunkId`].
    pub trunks: Vec<u32>,
}

/// What a shard's sockets and queues have counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WireCounters {
    /// Datagrams received.
    pub datagrams_in: u64,
    /// Datagrams sent.
    pub datagrams_out: u64,
    /// System calls that received at least one.
    pub batches_in: u64,
    /// System calls that sent at least one.
    pub batches_out: u64,
    /// Keep-alives, answered by nobody (RFC 5626 §4.4 has them for streams only, but they are sent).
    pub keepalives: u64,
    /// New requests dropped because too much was waiting, though the shard had not judged yet.
    pub shed: u64,
    /// Messages dropped because even more was waiting.
    pub inbox_full: u64,
    /// Datagrams not sent because the socket did not take earlier ones.
    pub send_full: u64,
    /// Datagrams that the system refused.
    pub send_errors: u64,
    /// Errors that ICMP reported.
    pub icmp_errors: u64,
    /// Calls refused because the relay's command queue was full.
    pub relay_full: u64,
}

impl WireCounters {
    /// Add another shard's.
    pub(crate) fn add(&mut self, other: &Self) {
        for (sum, n) in [
            (&mut self.datagrams_in, other.datagrams_in),
            (&mut self.datagrams_out, other.datagrams_out),
            (&mut self.batches_in, other.batches_in),
            (&mut self.batches_out, other.batches_out),
            (&mut self.keepalives, other.keepalives),
            (&mut self.shed, other.shed),
            (&mut self.inbox_full, other.inbox_full),
            (&mut self.send_full, other.send_full),
            (&mut self.send_errors, other.send_errors),
            (&mut self.icmp_errors, other.icmp_errors),
            (&mut self.relay_full, other.relay_full),
        ] {
            *sum += n;
        }
    }
}
