//! How a relay is set up.

use relay_values::Duration;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::sync::Arc;

/// What one [`Relay`](crate::Relay) may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayConfig {
    /// Local media addresses; the port range exists on each of them.
    pub addresses: Vec<IpAddr>,
    /// Ports, split into pairs: an even one for RTP and the next for RTCP (RFC 3550 §11). An odd first port and an even
    /// last one are left out.
    pub ports: RangeInclusive<u16>,
    /// How long a released pair rests, so that the old call's last packets do not reach a new one. Calls per second are
    /// bounded by pairs ÷ (2 × (call length + rest)).
    pub rest: Duration,
    /// An unused pair is closed after this long.
    pub idle: Duration,
    /// Most sessions at a time.
    pub max_sessions: usize,
    /// Most pairs with open sockets (two descriptors each). The shell sets it from its descriptor limit.
    pub max_open_pairs: usize,
    /// When many flows that fall silent together mean that their region has.
    pub silence: SilencePolicy,
    /// What a bridge plays when asked for a prompt.
    pub prompt: Option<Prompt>,
    /// A flow is offered to a fast path after so many packets in a row that it could carry. `None`: there is no fast path.
    pub offload_after: Option<u16>,
    /// RTP ports that others hold for now: streams of an earlier run that a fast path still carries. Each comes back by
    /// [`Relay::give`](crate::Relay::give).
    pub withheld: Vec<SocketAddr>,
}

/// When a region is silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SilencePolicy {
    /// Fewer regular flows than this prove nothing.
    pub min_flows: u32,
    /// The flows of a region must have been silent together for this long. Two and a half packet times of 20 ms: one lost
    /// packet and its neighbour's jitter fit into it.
    pub after: Duration,
    /// Up to this share of the regular flows, in percent, may still be heard.
    pub heard_percent: u8,
}

impl Default for SilencePolicy {
    fn default() -> Self {
        Self { min_flows: 8, after: Duration::from_millis(50), heard_percent: 10 }
    }
}

/// A sound in both laws of G.711, 8,000 samples a second.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt {
    /// In µ-law.
    pub mu: Arc<[u8]>,
    /// In A-law.
    pub a: Arc<[u8]>,
}

impl RelayConfig {
    /// Port pairs on each address.
    pub fn pairs_per_address(&self) -> usize {
        let (first, last) = (u32::from(*self.ports.start()), u32::from(*self.ports.end()));
        (last + 1).saturating_sub(first.next_multiple_of(2)) as usize / 2
    }

    /// The first port of the first pair.
    pub(crate) fn first_port(&self) -> u16 {
        self.ports.start().checked_next_multiple_of(2).unwrap_or(u16::MAX)
    }
}

impl Default for RelayConfig {
    /// No address; ports 16384 to 32767, resting five seconds.
    fn default() -> Self {
        Self {
            addresses: Vec::new(),
            ports: 16384..=32767,
            rest: Duration::from_secs(5),
            idle: Duration::from_secs(60),
            max_sessions: 16_384,
            max_open_pairs: usize::MAX,
            silence: SilencePolicy::default(),
            prompt: None,
            offload_after: None,
            withheld: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(ports: RangeInclusive<u16>) -> usize {
        RelayConfig { ports, ..RelayConfig::default() }.pairs_per_address()
    }

    #[test]
    fn only_whole_even_odd_pairs_count() {
        assert_eq!(pairs(10_000..=10_003), 2);
        assert_eq!(pairs(10_001..=10_004), 1);
        assert_eq!(pairs(10_001..=10_002), 0);
        assert_eq!(pairs(65_535..=65_535), 0);
        assert_eq!(pairs(0..=65_535), 32_768);
        assert_eq!(pairs(RangeInclusive::new(5, 4)), 0);
    }
}
