//! Where call records go, and how.

use std::path::PathBuf;
use std::time::Duration;

/// What becomes of call records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordSettings {
    /// Where they are written.
    pub to: RecordsTo,
    /// In which form.
    pub format: RecordFormat,
    /// When a file is put aside and another begun.
    pub rotation: Rotation,
    /// A file is made safe against a loss of power so often; `None`: when the system does it by itself.
    pub sync: Option<Duration>,
    /// Where they are sent beside.
    pub delivery: Option<DeliverySettings>,
}

/// How records are sent to somebody who collects them: JSON lines by HTTP POST, out of a spool on the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliverySettings {
    /// Where to: `http` or `https`.
    pub url: hyper::Uri,
    /// A file of the authorities that are believed, for `https`; read for each connection.
    pub ca: PathBuf,
    /// A file with the bearer token (RFC 6750 §2.1), read for each request.
    pub token_file: Option<PathBuf>,
    /// A folder that nobody else writes to.
    pub spool: PathBuf,
    /// At most so many bytes wait there.
    pub spool_bytes: u64,
    /// Records of one request at most.
    pub batch: usize,
    /// How long a request may take, connection and answer included.
    pub timeout: Duration,
    /// The longest pause between two tries.
    pub retry_at_most: Duration,
    /// How often the spool is made safe against a loss of power. A process that dies loses nothing that was written.
    pub sync: Duration,
}

/// Where call records are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordsTo {
    /// Nowhere, though subscribers still see them.
    Nowhere,
    /// Standard output, a line each.
    Stdout,
    /// Appended to a file, a line each.
    File(PathBuf),
}

/// In which form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordFormat {
    /// A JSON object on each line.
    Json,
    /// RFC 4180, with a line of names at the head of each file. Steps and moves are counted, not told.
    Csv,
}

/// When a file is put aside under a name of its time, and how many such are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rotation {
    /// Before it would be longer than this, in bytes.
    pub bytes: Option<u64>,
    /// At each multiple of this since 1970-01-01 UTC: `24h` is midnight.
    pub every: Option<Duration>,
    /// The older ones are deleted.
    pub keep: usize,
}
