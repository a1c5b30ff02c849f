//! What the program shares with us: `rtp-relay/xdp/gate.h` says the same in C.

use crate::xdp::{Address, MAX_LOCALS, Plain};

/// Workers that there are gates for.
pub(super) const MAX_WORKERS: usize = 64;

/// Workers have two sockets each, one for each family.
pub(super) const GATES: usize = 2 * MAX_WORKERS;

/// Packets that may wait for a worker which is usually in time: those of 40 ms at 100,000 a second. A stall is forgiven; what
/// is later than that has missed its turn at the far end's ear anyway.
pub(super) const DEPTH: u64 = 4096;

/// Packets that may wait for one which is overloaded: it carries as many with 128 as with 2,048 (measured), and each is heard
/// the later the more there are. 512 are 4 ms at 130,000 a second.
pub(super) const DEPTH_PRESSED: u64 = 512;

/// In [`PortEntry::owner`]: a session has the port.
pub(super) const OPEN: u32 = 1 << 31;

/// The media addresses.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub(super) struct MediaEntry {
    pub(super) locals: u32,
    pub(super) unused: u32,
    pub(super) local: [Address; MAX_LOCALS],
}

/// A port of an address.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub(super) struct PortEntry {
    /// The worker's number plus one, and [`OPEN`]; 0 where there is none.
    pub(super) owner: u32,
    /// The program's.
    pub(super) turn: u32,
}

/// What goes in to a socket and out of it.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub(super) struct GateEntry {
    /// Line 0: the program's.
    pub(super) let_in: u64,
    pub(super) turned_away: u64,
    pub(super) unused: [u64; 6],
    /// Line 1: the worker's.
    pub(super) taken: u64,
    pub(super) room: u64,
    pub(super) unused_either: [u64; 6],
}

// SAFETY: integers without gaps between them, of a size that is a multiple of eight.
unsafe impl Plain for MediaEntry {}
// SAFETY: as above.
unsafe impl Plain for GateEntry {}

/// Numbers of 32 bits in an entry of the table of ports.
pub(super) const HALVES_PER_PORT: usize = size_of::<PortEntry>() / 4;

const _: () = assert!(size_of::<MediaEntry>() == 136 && size_of::<PortEntry>() == 8);
const _: () = assert!(size_of::<GateEntry>() == 128 && std::mem::offset_of!(GateEntry, taken) == 64);
