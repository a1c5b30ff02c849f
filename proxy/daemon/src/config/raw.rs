//! The file as it is written: every key, its type, its place, and what is said of it. No key has a meaning here, only a shape.
//!
//! docs/configuration.md and conf/bascule.schema.json are made of these types by `cargo xtask reference`: what stands
//! above a key is what an operator reads. Lines that begin with `Default:` (in TOML, tried by a test), `Without it:`, `Range:`, `Required.` or
//! `Restart.` (a reload that changes it is refused) are facts of their own.

mod call;
mod health;
mod identity;
mod listener;
mod media;
mod observe;
mod process;
mod route;
mod stir;
mod tier;

pub(super) use call::*;
pub(super) use health::*;
pub(super) use identity::*;
pub(super) use listener::*;
pub(super) use media::*;
pub(super) use observe::*;
pub(super) use process::*;
pub(super) use route::*;
pub(super) use stir::*;
pub(super) use tier::*;

use super::secrets::Unshown;
use super::words::{Address, Source, Span};
use serde::Deserialize;
use serde_spanned::Spanned;
use std::net::SocketAddr;
use std::path::PathBuf;

/// An optional value with its place.
pub(super) type Maybe<T> = Option<Spanned<T>>;

/// The whole file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawConfig {
    /// Name and version that stand in `Server` and `User-Agent`: up to 64 plain characters.
    /// Without it: neither header is sent.
    pub(super) product: Maybe<String>,
    /// What a request from nobody we know hears.
    /// Default: "drop".
    pub(super) unknown_source: Option<RawUnknownSource>,
    /// Addresses where SIP is spoken. To add one or to take one away needs a restart; certificates and keys are read
    /// anew by a reload.
    pub(super) listener: Vec<Spanned<RawListener>>,
    /// Failure domains.
    pub(super) region: Vec<Spanned<RawRegion>>,
    /// Edges of one region, one choice of a site.
    pub(super) edge_group: Vec<Spanned<RawEdgeGroup>>,
    /// Where inbound calls go: edge groups, best first.
    pub(super) site: Vec<Spanned<RawSite>>,
    /// Carriers.
    pub(super) trunk: Vec<Spanned<RawTrunk>>,
    /// How a neighbour is told who calls whom; trunks and edge groups name theirs.
    pub(super) identity: Vec<Spanned<RawIdentity>>,
    /// What is signed and verified (RFC 8224, RFC 8588); trunks name theirs.
    pub(super) stir: Vec<Spanned<RawStir>>,
    /// The number plan: the longest prefix wins.
    pub(super) route: RawRoutes,
    /// Where media comes in, and what carries it.
    pub(super) media: Option<Spanned<RawMedia>>,
    /// Timers of RFC 3261 §17, for every transaction.
    pub(super) timers: RawTimers,
    /// When a call that is not answered yet goes to the next target.
    pub(super) hunt: RawHunt,
    /// How targets are probed with OPTIONS, where a group or trunk says nothing of its own.
    pub(super) probe: RawProbe,
    /// When a region is lost, and how it comes back.
    pub(super) region_health: RawRegionHealth,
    /// What becomes of answered calls whose tier leg is lost.
    pub(super) rehome: RawRehome,
    /// How the sessions of calls that are up are kept alive (RFC 4028), each leg's by itself. A call keeps what it
    /// began with.
    pub(super) session: RawSession,
    /// How much there may be at once.
    pub(super) limits: RawLimits,
    /// When new calls are turned away because there is no time for them.
    pub(super) overload: RawOverload,
    /// Who is met with silence: strangers that try again and again.
    pub(super) scanners: RawScanners,
    /// Who is asked for names, and how long what was said is believed.
    pub(super) dns: RawDns,
    /// Threads, and how the service stops.
    pub(super) process: RawProcess,
    /// Where metrics, the admin API and the commands are served.
    pub(super) admin: RawAdmin,
    /// Where call records go.
    pub(super) records: RawRecords,
    /// How to log.
    pub(super) log: RawLog,
    /// Signalling kept in memory for `bascule trace`; as it is where `[trace]` alone is written.
    /// Without it: nothing is kept.
    /// Restart.
    pub(super) trace: Option<Spanned<RawTrace>>,
    /// A collector that is sent a copy of all signalling by HEPv3, such as Homer.
    /// Without it: nothing is sent.
    /// Restart.
    pub(super) hep: Option<Spanned<RawHep>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RawUnknownSource {
    /// Nothing at all.
    Drop,
    /// 403, never in more bytes than were sent, and only until the sender is taken for a scanner.
    Reject,
}

/// A user's name and secret in a realm.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawAccount {
    /// The realm that is answered; of a trunk's `challenge` that one's, so that none is written there.
    pub(super) realm: Maybe<String>,
    /// The user.
    /// Required.
    pub(super) username: Maybe<String>,
    /// The secret itself. One of `password`, `password_file` and `ha1` is needed.
    pub(super) password: Maybe<Unshown>,
    /// File with the secret on its first line, up to 1,024 bytes, for the service's user alone.
    pub(super) password_file: Maybe<PathBuf>,
    /// Hash of `user:realm:password`, 32 hexadecimal digits (MD5) or 64 (SHA-256).
    pub(super) ha1: Maybe<Unshown>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawChallenge {
    /// What we ask in the name of.
    /// Required.
    pub(super) realm: Maybe<String>,
    /// Who may answer.
    /// Required.
    pub(super) users: Vec<Spanned<RawAccount>>,
    /// What is offered, best first (RFC 8760).
    /// Default: ["sha256", "md5"].
    pub(super) algorithms: Maybe<Vec<RawAlgorithm>>,
    /// Whether the body may be protected too (`qop=auth-int`).
    /// Default: false.
    pub(super) integrity: bool,
    /// How long a nonce is good for, in whole seconds.
    /// Default: "60s".
    /// Range: "5s" to "1h".
    pub(super) nonce_life: Maybe<Span>,
}

/// Where we say that we are.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawRegister {
    /// Whom the carrier knows us as: `sip:user@domain`.
    /// Required.
    pub(super) aor: Maybe<String>,
    /// User part of the Contact, by which the trunk's calls are known; another one for each trunk of a registrar.
    /// Without it: the user of `aor`.
    pub(super) contact: Maybe<String>,
    /// Targets of the trunk that take registrations, best first.
    /// Without it: all of them, in their order.
    pub(super) registrars: Vec<Spanned<Address>>,
    /// How long a binding is asked for, in whole seconds.
    /// Default: "300s".
    /// Range: "10s" to "24h".
    pub(super) expires: Maybe<Span>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(super) enum RawAlgorithm {
    /// MD5.
    #[serde(rename = "md5")]
    Md5,
    /// SHA-256.
    #[serde(rename = "sha256")]
    Sha256,
    /// SHA-512/256.
    #[serde(rename = "sha512_256")]
    Sha512_256,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTrunk {
    /// How others refer to it.
    /// Required.
    pub(super) name: Maybe<String>,
    /// Through which it is reached.
    /// Without it: the only one.
    pub(super) listener: Maybe<String>,
    /// Networks that its requests come from; the longest prefix over all neighbours wins.
    /// Default: [].
    #[serde(default)]
    pub(super) sources: Vec<Spanned<Source>>,
    /// Domains: its requests are those of whoever shows a certificate of one of them; addresses say nothing then.
    /// Default: [].
    #[serde(default)]
    pub(super) certificates: Vec<Spanned<String>>,
    /// How it is called over TLS.
    pub(super) tls: Maybe<RawTls>,
    /// Where outbound calls go, by weight.
    /// Without it: no call can be sent to it.
    #[serde(default)]
    pub(super) targets: Vec<Spanned<RawTarget>>,
    /// Its calls at once, both ways.
    /// Range: 1 to 1000000.
    /// Without it: no limit of its own.
    pub(super) max_calls: Maybe<i64>,
    /// Its new calls in a second, both ways; a second's worth may come at once.
    /// Range: 1 to 1000000.
    /// Without it: no limit of its own.
    pub(super) calls_per_second: Maybe<i64>,
    /// From where its media is taken.
    /// Default: "address".
    pub(super) latching: Option<RawLatching>,
    /// How its targets are probed, where otherwise than `[probe]` says.
    pub(super) probe: Option<RawProbe>,
    /// How an INVITE that moves one of its calls says which call it continues; goes before the site's.
    pub(super) correlation: Maybe<RawCorrelation>,
    /// What becomes of its 3xx.
    /// Default: "refuse".
    pub(super) redirect: Option<RawRedirects>,
    /// What becomes of its REFER.
    /// Default: "refuse".
    pub(super) refer: Option<RawRefers>,
    /// Name of the `[[stir]]` that its calls are signed and verified by.
    /// Without it: neither.
    pub(super) stir: Maybe<String>,
    /// Name of the `[[identity]]` that it is told by.
    /// Without it: numbers as they were said.
    pub(super) identity: Maybe<String>,
    /// Whether it is asked for reliable provisionals (RFC 3262) where the caller knows none.
    /// Default: false.
    #[serde(default)]
    pub(super) offer_100rel: bool,
    /// What its final responses mean to the hunt: codes from 400 to 699, or classes (`"5xx"`); a single code goes
    /// before its class.
    /// Without it: as `[hunt] advance_on` says.
    #[serde(default)]
    pub(super) codes: RawCodes,
    /// What its own access list lets through, as far as it is known: for warnings alone.
    pub(super) admits: Maybe<RawAdmits>,
    /// What it knows us by, an account for each realm.
    #[serde(default)]
    pub(super) auth: Vec<Spanned<RawAccount>>,
    /// What it has to show before anything new of its is begun.
    /// Without it: its address is enough.
    pub(super) challenge: Maybe<RawChallenge>,
    /// Where it is told that we are (RFC 3261 §10); its calls go to the registrar that has us.
    /// Without it: it knows our address.
    pub(super) register: Maybe<RawRegister>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawAdmin {
    /// Where `/metrics`, `/healthz`, the console and the API for bearers of tokens are served, over TCP. Without a
    /// certificate the API is for loopback alone.
    /// Without it: nowhere.
    /// Restart.
    pub(super) listen: Maybe<SocketAddr>,
    /// PEM file with the certificate of `listen`, then those between it and its root: nothing but TLS is spoken there.
    /// Without it: in clear.
    pub(super) certificate: Maybe<PathBuf>,
    /// PEM file with its key, unencrypted. Needed with `certificate`.
    pub(super) key: Maybe<PathBuf>,
    /// Unix socket of the commands and the API, up to 96 bytes.
    /// Without it: none.
    /// Restart.
    pub(super) socket: Maybe<PathBuf>,
    /// File that says who may do what at the API.
    /// Without it: whoever may open the socket may everything.
    /// Restart.
    pub(super) access: Maybe<PathBuf>,
    /// File that every change of an operator is appended to, before it is done.
    /// Without it: none is written down.
    /// Restart.
    pub(super) audit: Maybe<PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawLog {
    /// In which form.
    /// Default: "auto".
    /// Restart.
    pub(super) format: Option<RawLogFormat>,
    /// A level (error, warn, info, debug, trace), or a filter such as `bascule=debug,warn`.
    /// Default: "info".
    /// Restart.
    pub(super) level: Maybe<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RawLogFormat {
    /// The journal where systemd connected standard error to it, text otherwise.
    Auto,
    /// Lines for people on standard error.
    Text,
    /// JSON lines on standard error.
    Json,
    /// The journal, with fields.
    Journald,
}
