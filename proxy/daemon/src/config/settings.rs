//! What the shell is configured with: threads, files, addresses that no core needs to know.

use super::stir::StirSettings;
use super::{ObserveSettings, RecordSettings};
use datapath::{DatapathChoice, SocketEngine};
use proxy_core::LocatePolicy;
use relay_core::{Prompt, SilencePolicy};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// Everything beside [`proxy_core::Config`]. None of it but `stir`, `dns` and `drain` changes without a restart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Signalling threads.
    pub shards: u8,
    /// Processors that threads are pinned to, shards first, then relay workers; empty: the system decides.
    pub cpus: Vec<usize>,
    /// The relay; `None` when no call can need it.
    pub relay: Option<RelaySettings>,
    /// Where /metrics and /healthz are served.
    pub admin: Option<SocketAddr>,
    /// Where `bascule regions`, `drain` and `drill` are served: a Unix socket.
    pub control: Option<PathBuf>,
    /// Who may do what at the admin API: a file with hashes of tokens and numbers of users.
    pub access: Option<PathBuf>,
    /// Where every change that an operator makes is written down.
    pub audit: Option<PathBuf>,
    /// What becomes of call records.
    pub records: RecordSettings,
    /// Who watches the signalling.
    pub observe: ObserveSettings,
    /// How to log.
    pub log: LogSettings,
    /// TCP connections at once, over all listeners.
    pub tcp_connections: usize,
    /// Of those, begun from one address.
    pub tcp_connections_per_peer: usize,
    /// How long calls may go on after a stop was asked for.
    pub drain: Duration,
    /// Keys and certificates of callers. Taken over live, unless there were none.
    pub stir: Vec<StirSettings>,
    /// Who is asked for names.
    pub dns: DnsSettings,
}

/// Who is asked for names, and how long what they said is believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DnsSettings {
    /// Name servers; empty: those of the system (resolv.conf(5)).
    pub servers: Vec<SocketAddr>,
    /// How long one attempt waits for its answer.
    pub timeout: Duration,
    /// Attempts for one question, 1 or more.
    pub attempts: u8,
    /// How long a start or a reload waits for names that are not known yet.
    pub start_wait: Duration,
    /// How long what was said is believed.
    pub policy: LocatePolicy,
}

impl Default for DnsSettings {
    fn default() -> Self {
        Self {
            servers: Vec::new(),
            timeout: Duration::from_secs(2),
            attempts: 2,
            start_wait: Duration::from_secs(5),
            policy: LocatePolicy::default(),
        }
    }
}

/// What the relay works with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelaySettings {
    /// Our addresses for media.
    pub addresses: Vec<IpAddr>,
    /// First port of the range, even.
    pub first_port: u16,
    /// Last port of the range, odd.
    pub last_port: u16,
    /// Differentiated services code point of what we send (46 is EF, RFC 3246).
    pub dscp: u8,
    /// What may carry media.
    pub datapath: DatapathChoice,
    /// How the sockets are served.
    pub sockets: SocketEngine,
    /// Relay threads.
    pub workers: u8,
    /// When a region's flows have fallen silent together.
    pub silence: SilencePolicy,
    /// What carriers hear while a call has no tier leg, where they hear a prompt.
    pub prompt: Option<Prompt>,
}

/// How to log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogSettings {
    /// In which form.
    pub format: LogFormat,
    /// A filter as `RUST_LOG` has it: `info`, `bascule=debug,warn`, …
    pub level: String,
}

/// In which form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Journald when systemd connected our standard error to it, text otherwise.
    Auto,
    /// Lines for people on standard error.
    Text,
    /// JSON lines on standard error.
    Json,
    /// The journal, with fields.
    Journald,
}
