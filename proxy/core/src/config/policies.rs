//! How calls are made, kept and moved.

use relay_values::Duration;
use std::net::IpAddr;
/// Media policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaPolicy {
    /// Relay or bypass.
    pub mode: MediaMode,
    /// Our address for IPv4 media.
    pub v4: Option<IpAddr>,
    /// Our address for IPv6 media.
    pub v6: Option<IpAddr>,
    /// What stands in the SDP instead of `v4` behind a NAT.
    pub advertised_v4: Option<IpAddr>,
    /// What stands in the SDP instead of `v6`.
    pub advertised_v6: Option<IpAddr>,
    /// Silence that ends a call; `None`: never.
    pub inactivity: Option<Duration>,
}

/// Whether media goes through us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MediaMode {
    /// Media is anchored at the relay: the normal case.
    Relay,
    /// SDP passes unchanged and media flows between the peers: only for signalling-only tiers and comparisons, since it
    /// shows each side's media address to the other.
    Bypass,
}

/// SIP timers (RFC 3261 table 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timers {
    /// Round-trip estimate, 500 ms by default.
    pub t1: Duration,
    /// Largest retransmission interval for non-INVITE requests and INVITE responses, 4 s by default.
    pub t2: Duration,
    /// How long a message stays in the network, 5 s by default.
    pub t4: Duration,
}

impl Default for Timers {
    fn default() -> Self {
        Self { t1: Duration::from_millis(500), t2: Duration::from_secs(4), t4: Duration::from_secs(5) }
    }
}

/// When to leave a target for the next one. These are timers of the call, apart from RFC 3261's A to K.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HuntPolicy {
    /// No response at all, not even 100.
    pub no_response: Duration,
    /// A 100 but nothing above it.
    pub no_progress: Duration,
    /// Ringing without an answer: ends the call with 480, does not hunt.
    pub no_answer: Duration,
    /// Attempts for one call, the first included.
    pub max_attempts: u8,
    /// Final codes that move on to the next target. Others end the hunt. By default 408, 500, 502, 503 and 504.
    pub advance_on: Vec<u16>,
}

impl Default for HuntPolicy {
    fn default() -> Self {
        Self {
            no_response: Duration::from_millis(200),
            no_progress: Duration::from_secs(4),
            no_answer: Duration::from_secs(120),
            max_attempts: 6,
            advance_on: vec![408, 500, 502, 503, 504],
        }
    }
}

/// How evidence of a whole region is weighed, and how targets come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RegionPolicy {
    /// Probes to each edge when the region's flows fall silent together.
    pub burst: u8,
    /// Time between them.
    pub burst_interval: Duration,
    /// A region whose burst is unanswered this long after the silence was seen is down. Grows to twice the round-trip of
    /// the region's edges where that is longer.
    pub burst_timeout: Duration,
    /// Silence that lasts this long is *down* even if probes are answered: signalling lives, media does not. `None`:
    /// never.
    pub media_down: Option<Duration>,
    /// A target that has come back gets its share of new calls over this time, from a tenth up. Zero: at once.
    pub slow_start: Duration,
    /// A target that goes down again and again stays away longer each time (after RFC 2439): its penalty grows by 1
    /// with each fall and halves in this time. Zero: no damping.
    pub damping_half_life: Duration,
    /// It does not come back while its penalty is above this.
    pub damping_limit: u8,
}

impl Default for RegionPolicy {
    fn default() -> Self {
        Self {
            burst: 3,
            burst_interval: Duration::from_millis(10),
            burst_timeout: Duration::from_millis(50),
            media_down: Some(Duration::from_secs(1)),
            slow_start: Duration::from_secs(30),
            damping_half_life: Duration::from_secs(30),
            damping_limit: 2,
        }
    }
}

/// What happens to answered calls whose tier leg is lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RehomePolicy {
    /// Whether they are moved at all; otherwise they end as their media does.
    pub enabled: bool,
    /// A call that has no new tier leg after this long ends.
    pub deadline: Duration,
    /// A call is moved at most once in this time; a loss within it waits.
    pub min_interval: Duration,
    /// What the carrier hears meanwhile.
    pub fill: GapFill,
    /// Called numbers (prefixes) whose calls go first, beside those with Resource-Priority (RFC 4412).
    pub emergency: Vec<String>,
}

/// What the carrier hears while a call has no tier leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GapFill {
    /// Nothing.
    Nothing,
    /// Quiet noise.
    Noise,
    /// The relay's configured prompt.
    Prompt,
}

impl Default for RehomePolicy {
    fn default() -> Self {
        Self {
            enabled: true,
            deadline: Duration::from_secs(10),
            min_interval: Duration::from_secs(2),
            fill: GapFill::Noise,
            emergency: Vec::new(),
        }
    }
}

/// How the sessions of calls that are up are kept alive (RFC 4028), each leg's by itself. A call keeps what it began with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionPolicy {
    /// Whether there are session timers, and a watch over peers without them.
    pub enabled: bool,
    /// The session interval that we ask for, in whole seconds; at least `min_se`.
    pub expires: Duration,
    /// The shortest interval that we take, in whole seconds. RFC 4028 §5 allows none below 90 s.
    pub min_se: Duration,
    /// Who refreshes, where it is ours to say.
    pub refresher: Refresher,
    /// How often a peer that knows no session timer is asked whether it is there, with OPTIONS inside the dialog; `None`:
    /// never.
    pub watch: Option<Duration>,
}

/// Who refreshes a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refresher {
    /// Whom we call may choose, as RFC 4028 §7.1 recommends; whoever calls us does, if he can.
    Either,
    /// We.
    Us,
    /// The peer, if it can.
    Peer,
}

impl Default for SessionPolicy {
    fn default() -> Self {
        Self {
            enabled: true,
            expires: Duration::from_secs(1800),
            min_se: Duration::from_secs(90),
            refresher: Refresher::Either,
            watch: Some(Duration::from_secs(300)),
        }
    }
}
