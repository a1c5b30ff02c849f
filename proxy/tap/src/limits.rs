//! What grows has an end.

/// TCP connections that are followed at once: six times those of the largest test. At about 200 bytes: 13 MB.
pub(crate) const MAX_CONNECTIONS: usize = 1 << 16;

/// Bytes of a direction that wait for one that is missing: 16 of the longest segments of a loopback.
pub(crate) const MAX_AHEAD: usize = 1 << 20;

/// Bytes without the end of a message: four times what the appliance takes.
pub(crate) const MAX_MESSAGE: usize = 1 << 18;

/// Messages that are kept for ladders, in bytes: some 50,000.
pub(crate) const MAX_HISTORY: usize = 32 << 20;

/// Lines of a ladder: who reads more opens a capture.
pub(crate) const MAX_LADDER: usize = 60;

/// Findings that are shown with their ladder.
pub(crate) const MAX_SHOWN: usize = 8;

/// Bytes that the kernel keeps while the tap is not run: a full second of the largest flood, at about 2 KiB a frame.
pub(crate) const BUFFER: usize = 256 << 20;

/// The longest frame: 64 KiB of IP, and what a link puts before it.
pub(crate) const FRAME: usize = (64 << 10) + 64;

/// Seconds after which the fragments of a datagram are given up (RFC 8200 §4.5).
pub(crate) const FRAGMENTS: u64 = 60;

/// Bytes of a block of a capture file at first, and at most.
pub(crate) const BLOCK: usize = 1 << 18;
