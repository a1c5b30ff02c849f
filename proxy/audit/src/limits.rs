//! What grows has an end.

/// Messages between two looks for what is long over: each look reads every table once, so a message costs a 2,048th of it.
pub(crate) const SWEEP: u64 = 2048;

/// Dialogs and transactions of a trace that are kept in mind at once, each. At about 200 bytes: 50 MB of each. What comes beyond
/// is not judged, and the report says so.
pub(crate) const MAX_KEPT: usize = 1 << 18;

/// Findings that are kept. Who has so many reads the first.
pub(crate) const MAX_FINDINGS: usize = 10_000;

/// Headers of a message that are kept: the appliance takes no more.
pub(crate) const MAX_HEADERS: usize = 512;

/// `m=` lines of a description that are kept.
pub(crate) const MAX_MEDIA: usize = 64;
