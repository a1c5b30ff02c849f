//! What is written down and told of calls: `[records]`, `[trace]`, `[hep]`.

use super::Maybe;
use crate::config::secrets::Unshown;
use crate::config::words::{Span, SpanOrNever};
use serde::Deserialize;
use serde_spanned::Spanned;
use std::net::SocketAddr;
use std::path::PathBuf;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct RawRecords {
    /// File that a line a call is appended to; `"-"` is standard output.
    /// Without it: nowhere.
    /// Restart.
    pub(in crate::config) file: Maybe<PathBuf>,
    /// In which form.
    /// Default: "json".
    /// Restart.
    pub(in crate::config) format: Option<RawRecordFormat>,
    /// Megabytes after which the file is put aside and another begun.
    /// Range: 1 to 1048576.
    /// Without it: however long it is.
    /// Restart.
    pub(in crate::config) rotate_mb: Maybe<i64>,
    /// The file is put aside at each multiple of this, in UTC: "24h" is midnight.
    /// Range: from "60s".
    /// Without it: however old it is.
    /// Restart.
    pub(in crate::config) rotate_every: Maybe<Span>,
    /// Files that were put aside and are kept; older ones are deleted.
    /// Default: 10.
    /// Range: 0 to 1000.
    /// Restart.
    pub(in crate::config) keep: Maybe<i64>,
    /// How often the file is made safe against a loss of power, or `"never"`.
    /// Default: "never".
    /// Range: from "10ms".
    /// Restart.
    pub(in crate::config) sync: Maybe<SpanOrNever>,
    /// Somebody who is sent every record by HTTP.
    /// Restart.
    pub(in crate::config) delivery: Option<Spanned<RawDelivery>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct RawDelivery {
    /// Where to, `https://` or `http://`: JSON lines by POST, a `key` in each that no other record has.
    /// With `https` the host's certificate has to be of its name.
    /// Required.
    /// Restart.
    pub(in crate::config) url: Maybe<String>,
    /// File of the authorities that have signed the receiver's certificate, in PEM, read for each connection.
    /// Without it: the system's, `/etc/ssl/certs/ca-certificates.crt`.
    /// Restart.
    pub(in crate::config) ca: Maybe<PathBuf>,
    /// File with the bearer token, read for each request.
    /// Restart.
    pub(in crate::config) token_file: Maybe<PathBuf>,
    /// Folder where records wait, for us alone.
    /// Required.
    /// Restart.
    pub(in crate::config) spool: Maybe<PathBuf>,
    /// Megabytes that may wait; a record above that is refused, and counted.
    /// Default: 1024.
    /// Range: 1 to 1048576.
    /// Restart.
    pub(in crate::config) spool_mb: Maybe<i64>,
    /// Records in one request at most.
    /// Default: 200.
    /// Range: 1 to 1000.
    /// Restart.
    pub(in crate::config) batch: Maybe<i64>,
    /// How long a request may take.
    /// Default: "10s".
    /// Range: from "100ms".
    /// Restart.
    pub(in crate::config) timeout: Maybe<Span>,
    /// The longest pause between two tries.
    /// Default: "30s".
    /// Range: from "200ms".
    /// Restart.
    pub(in crate::config) retry_at_most: Maybe<Span>,
    /// How often the spool is made safe against a loss of power.
    /// Default: "500ms".
    /// Range: from "10ms".
    /// Restart.
    pub(in crate::config) sync: Maybe<Span>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::config) enum RawRecordFormat {
    /// A JSON object on each line.
    Json,
    /// RFC 4180, names at the head of each file; steps and moves are counted, not told.
    Csv,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct RawTrace {
    /// For how long, if there is room.
    /// Default: "10m".
    /// Range: from "1s".
    /// Restart.
    pub(in crate::config) keep: Maybe<Span>,
    /// Megabytes of messages that are kept.
    /// Default: 64.
    /// Range: 1 to 1048576.
    /// Restart.
    pub(in crate::config) mb: Maybe<i64>,
    /// What is not shown; keys and credentials never are.
    /// Default: ["numbers"].
    /// Restart.
    pub(in crate::config) redact: Option<Vec<RawRedacted>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct RawHep {
    /// Its address.
    /// Required.
    /// Restart.
    pub(in crate::config) to: Maybe<SocketAddr>,
    /// How it is reached.
    /// Default: "udp".
    /// Restart.
    pub(in crate::config) transport: Option<RawHepTransport>,
    /// Who we are to it.
    /// Default: 1.
    /// Range: 0 to 4294967295.
    /// Restart.
    pub(in crate::config) capture_id: Maybe<i64>,
    /// What it wants to hear from those who may send.
    /// Restart.
    pub(in crate::config) key: Option<Unshown>,
    /// What it is not told; keys and credentials never are.
    /// Default: [].
    /// Restart.
    pub(in crate::config) redact: Option<Vec<RawRedacted>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::config) enum RawHepTransport {
    /// A datagram for each packet.
    Udp,
    /// One connection.
    Tcp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::config) enum RawRedacted {
    /// Digits of numbers, up to the last two.
    Numbers,
    /// Bodies, but for their ends of lines.
    Bodies,
}
