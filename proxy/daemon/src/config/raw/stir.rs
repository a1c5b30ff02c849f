//! `[[stir]]`: callers signed and verified.

use super::Maybe;
use crate::config::words::Span;
use serde::Deserialize;
use serde_spanned::Spanned;
use std::path::PathBuf;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct RawStir {
    /// How trunks refer to it.
    /// Required.
    pub(in crate::config) name: Maybe<String>,
    /// How calls to a trunk are signed.
    pub(in crate::config) sign: Maybe<RawSign>,
    /// How calls from a trunk are verified.
    pub(in crate::config) verify: Maybe<RawVerify>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct RawSign {
    /// PEM file with a P-256 key.
    /// Required.
    pub(in crate::config) key: Maybe<PathBuf>,
    /// The https URL of its certificate, as others fetch it.
    /// Required.
    pub(in crate::config) certificate: Maybe<String>,
    /// A UUID that stands for us in traces (RFC 8588 §5).
    /// Required.
    pub(in crate::config) origid: Maybe<String>,
    /// Beginnings of numbers, in E.164, that are known to be our callers': attested A.
    /// Default: [].
    pub(in crate::config) owns: Vec<Spanned<String>>,
    /// What other numbers are attested.
    /// Default: "B".
    pub(in crate::config) others: Option<RawAttestation>,
    /// Edge groups whose calls come from elsewhere: attested C.
    /// Default: [].
    pub(in crate::config) gateways: Vec<Spanned<String>>,
    /// How long an INVITE waits for its signature.
    /// Default: "100ms".
    /// Range: above "0s" to "5s".
    pub(in crate::config) wait: Maybe<Span>,
    /// Whether a call that is not signed in time is refused with 503.
    /// Default: false.
    pub(in crate::config) required: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(in crate::config) enum RawAttestation {
    /// Full: the caller is ours and may use the number.
    A,
    /// Partial: the caller is ours.
    B,
    /// Gateway: neither is known.
    C,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct RawVerify {
    /// PEM file of the authorities that are believed.
    /// Required.
    pub(in crate::config) authorities: Maybe<PathBuf>,
    /// Hosts that certificates may be fetched from, with a port where it is not 443; 256 at most.
    /// Default: [].
    pub(in crate::config) hosts: Vec<Spanned<RawHost>>,
    /// PEM file of those who vouch for these hosts themselves.
    /// Without it: those of the system.
    pub(in crate::config) https_authorities: Maybe<PathBuf>,
    /// Certificates that are here already; 256 at most.
    /// Default: [].
    pub(in crate::config) certificates: Vec<Spanned<RawKnown>>,
    /// Codes that end a call: 403 (stale), 428 (not signed), 436 (no certificate), 437 (not believed), 438 (not
    /// true). Other calls are marked and go on.
    /// Default: [].
    pub(in crate::config) refuse: Vec<Spanned<i64>>,
    /// How long a call waits for what is found of its caller.
    /// Default: "500ms".
    /// Range: above "0s" to "5s".
    pub(in crate::config) wait: Maybe<Span>,
}

/// A host alone, or one that may be inside.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(in crate::config) enum RawHost {
    /// A host, from outside alone.
    Plain(String),
    /// A host that may be inside.
    Marked(RawMarkedHost),
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct RawMarkedHost {
    /// The host.
    /// Required.
    pub(in crate::config) host: String,
    /// Whether it may be an address inside of a network.
    /// Default: false.
    #[serde(default)]
    pub(in crate::config) internal: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct RawKnown {
    /// The URL that stands in signatures.
    /// Required.
    pub(in crate::config) url: Maybe<String>,
    /// PEM file with what would be fetched from there.
    /// Required.
    pub(in crate::config) file: Maybe<PathBuf>,
}
