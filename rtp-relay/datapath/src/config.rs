//! How the engine is set up, and what that setting can hold.

use crate::io::SocketEngine;
use crate::xdp::Rung;
use relay_core::RelayConfig;
use relay_values::Duration;
use std::fmt;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Instant;

/// What may carry media.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DatapathChoice {
    /// The kernel engine wherever it can be had, and the sockets for everything else.
    Auto,
    /// The kernel engine by this rung alone, whatever the interfaces are, and the sockets for everything else.
    By(Rung),
    /// The sockets alone.
    Sockets,
}

/// What [`Engine::start`](crate::Engine::start) is given.
#[derive(Debug, Clone)]
pub struct EngineConfig {
    /// Addresses, the whole port range and its limits. The workers share them out.
    pub relay: RelayConfig,
    /// Worker threads, at least one.
    pub workers: usize,
    /// CPUs to pin the workers to, in turn; none: the system decides.
    pub cpus: Vec<usize>,
    /// Signalling shards, at least one: as many handles are returned.
    pub shards: usize,
    /// Commands that one shard may have under way to one worker.
    pub queue: usize,
    /// The zero of [`Time`](relay_values::Time), the same as that of the signalling shards.
    pub epoch: Instant,
    /// Orders ports and hash tables.
    pub seed: u64,
    /// DSCP of outgoing media, 0 to 63 (RFC 2474); 46 is Expedited Forwarding (RFC 3246), as RFC 4594 §4.1 has it.
    pub dscp: u8,
    /// Receive buffer of every socket in bytes, `None` for the system's default. One flow brings 50 packets a second,
    /// so 64 KiB (some 80 small packets as the kernel counts them) outlast a stall of more than a second.
    pub receive_buffer: Option<usize>,
    /// Send buffer of every socket in bytes, `None` for the system's default.
    pub send_buffer: Option<usize>,
    /// What may carry media.
    pub datapath: DatapathChoice,
    /// How the sockets are served.
    pub sockets: SocketEngine,
    /// Where the kernel engine's flows outlive this process, if it is killed: a directory in a bpffs, or one on which a bpffs
    /// can be mounted. `None`: they end with it.
    pub pins: Option<PathBuf>,
    /// Streams of an earlier process are ended when one of their sources has been silent for this long, as calls are
    /// ([`Open::inactivity`](relay_values::Open::inactivity)); `None`: only when all of a call's are, for a minute.
    pub orphan_inactivity: Option<Duration>,
    /// Reports (RTCP) of one worker that may wait for whoever watches ([`Engine::take_reports`](crate::Engine::take_reports)); 0: nobody
    /// does.
    pub reports: usize,
    /// Descriptors left to the rest of the process (signalling, files, admin).
    pub reserved_descriptors: usize,
}

impl Default for EngineConfig {
    /// One worker, one shard, Expedited Forwarding, the epoch now.
    fn default() -> Self {
        Self {
            relay: RelayConfig::default(),
            workers: 1,
            cpus: Vec::new(),
            shards: 1,
            queue: 4096,
            epoch: Instant::now(),
            seed: 0,
            dscp: 46,
            receive_buffer: None,
            send_buffer: None,
            datapath: DatapathChoice::Sockets,
            sockets: SocketEngine::Epoll,
            pins: None,
            orphan_inactivity: Some(Duration::from_secs(12)),
            reports: 0,
            reserved_descriptors: 1024,
        }
    }
}

impl EngineConfig {
    /// What one of the workers may use: its part of the port range and of every limit.
    pub(crate) fn slice(&self, worker: usize, capacity: &Capacity) -> RelayConfig {
        let workers = self.workers.max(1);
        RelayConfig {
            max_sessions: self.relay.max_sessions.div_ceil(workers),
            max_open_pairs: self.relay.max_open_pairs.min(capacity.open_pairs()) / workers,
            ..self.ports_of(worker)
        }
    }

    /// The same without what the system's limits make of it.
    pub(crate) fn ports_of(&self, worker: usize) -> RelayConfig {
        RelayConfig { ports: slice_ports(&self.relay, worker, self.workers.max(1)), ..self.relay.clone() }
    }

    /// What this configuration holds under a limit of open descriptors, of which a call takes so many.
    pub(crate) fn capacity(&self, descriptor_limit: usize, descriptors_per_call: usize) -> Capacity {
        let pairs = self.relay.pairs_per_address() * self.relay.addresses.len();
        Capacity {
            sessions: self.relay.max_sessions,
            pairs,
            descriptors: descriptor_limit.saturating_sub(self.reserved_descriptors),
            descriptor_limit,
            descriptors_per_call,
        }
    }
}

/// The ports of one worker: whole pairs, every pair with exactly one worker.
fn slice_ports(relay: &RelayConfig, worker: usize, workers: usize) -> RangeInclusive<u16> {
    let pairs = relay.pairs_per_address();
    let first = usize::from(*relay.ports.start()).next_multiple_of(2);
    let (from, to) = (pairs * worker / workers, pairs * (worker + 1) / workers);
    let port = |n: usize| u16::try_from(n).unwrap_or(u16::MAX);
    if from == to {
        // No pair at all: a range that holds none.
        return RangeInclusive::new(1, 1);
    }
    port(first + from * 2)..=port(first + to * 2 - 1)
}

/// How many calls the engine can hold, and why no more. Its `Display` is a line for the operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capacity {
    /// The configured session limit.
    pub sessions: usize,
    /// Port pairs on all addresses; a call takes two, and those of ended calls rest.
    pub pairs: usize,
    /// Descriptors that sockets may use: the limit less what is reserved.
    pub descriptors: usize,
    /// The process's limit of open files (`RLIMIT_NOFILE`).
    pub descriptor_limit: usize,
    /// Descriptors that a call takes: none where one socket serves all ports.
    pub descriptors_per_call: usize,
}

impl Capacity {
    /// Calls at a time, at most.
    pub fn calls(&self) -> usize {
        let by_ports = self.sessions.min(self.pairs / 2);
        let by_descriptors = self.descriptors.checked_div(self.descriptors_per_call);
        by_descriptors.map_or(by_ports, |calls| calls.min(by_ports))
    }

    /// Pairs that may be open at a time; a call has two.
    pub(crate) fn open_pairs(&self) -> usize {
        (2 * self.descriptors).checked_div(self.descriptors_per_call).unwrap_or(usize::MAX)
    }

    /// The limit of open files under which ports and session limit could be used in full, if the present one is lower.
    pub fn wanted_descriptor_limit(&self) -> Option<usize> {
        let calls = self.sessions.min(self.pairs / 2);
        let wanted =
            calls * self.descriptors_per_call + self.descriptor_limit.saturating_sub(self.descriptors);
        (self.descriptors_per_call > 0 && wanted > self.descriptor_limit).then_some(wanted)
    }
}

impl fmt::Display for Capacity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "room for {} calls at a time ({} port pairs", self.calls(), self.pairs)?;
        match self.wanted_descriptor_limit() {
            None => write!(f, ")"),
            Some(wanted) => write!(
                f,
                "; limited by open files: {} descriptors a call, limit {}, {wanted} would use all; raise LimitNOFILE= \
                 or shorten the port range)",
                self.descriptors_per_call, self.descriptor_limit
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_share_the_range_without_gap_or_overlap() {
        for (ports, workers) in
            [(10_000..=10_099, 1), (10_001..=10_100, 3), (0..=65_535, 7), (10_000..=10_003, 5)]
        {
            let relay = RelayConfig { ports, ..RelayConfig::default() };
            let mut next = None;
            let mut pairs = 0;
            for w in 0..workers {
                let slice = slice_ports(&relay, w, workers);
                let n = RelayConfig { ports: slice.clone(), ..RelayConfig::default() }.pairs_per_address();
                pairs += n;
                if n > 0 {
                    assert_eq!(slice.start() % 2, 0);
                    assert!(next.is_none_or(|p| p == *slice.start()));
                    next = slice.end().checked_add(1);
                }
            }
            assert_eq!(pairs, relay.pairs_per_address());
        }
    }

    #[test]
    fn capacity_says_what_limits_it() {
        let config = EngineConfig {
            relay: RelayConfig {
                addresses: vec!["127.0.0.1".parse().unwrap()],
                ports: 20_000..=59_999,
                ..RelayConfig::default()
            },
            ..EngineConfig::default()
        };
        let short = config.capacity(20_000, 4);
        assert_eq!((short.pairs, short.calls()), (20_000, 4744));
        assert_eq!(short.wanted_descriptor_limit(), Some(41_024));
        assert!(
            short.to_string().contains("4 descriptors a call, limit 20000, 41024 would use all"),
            "{short}"
        );
        let ample = config.capacity(100_000, 4);
        assert_eq!(ample.calls(), 10_000);
        assert_eq!(ample.to_string(), "room for 10000 calls at a time (20000 port pairs)");
        let one_socket = config.capacity(1_000, 0);
        assert_eq!((one_socket.calls(), one_socket.wanted_descriptor_limit()), (10_000, None));
        assert_eq!(config.slice(0, &one_socket).max_open_pairs, usize::MAX);
    }
}
