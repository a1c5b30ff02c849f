//! What bounds the ring, each with its arithmetic.

use relay_core::limits::MAX_PACKET;

/// Buffers for what is received; a power of two, as the kernel wants it. What one turn brings is on its way again before the
/// next one: [`FULL_TURN`] receives of [`PACKETS_PER_RECEIVE`] packets at worst are 640. A quarter of these buffers costs 5 % of
/// throughput when all sockets have packets, since receives then end for want of a buffer and are asked for anew.
pub(super) const BUFFERS: u16 = 1024;

/// Buffers for packets of our own making, on top. They come back with every entry into the kernel.
pub(super) const OWN_BUFFERS: u16 = 128;

/// Requests that one entry into the kernel takes. Beyond some hundreds its cost has been shared out.
pub(super) const SUBMISSIONS: u32 = 512;

/// Room for completions. One entry brings at most one for each request, one for each buffer and one for each receive that
/// ends without a buffer; what finds no room is kept by the kernel and comes with the next entry.
pub(super) const COMPLETIONS: u32 = 4096;

/// Longest packet that is seen whole: one byte more than is carried, so that "too long" is seen.
pub(super) const ROOM: usize = MAX_PACKET + 1;

/// Most packets that the kernel takes from one socket before the others have their turn (`MULTISHOT_MAX_RETRY`).
pub(super) const PACKETS_PER_RECEIVE: usize = 32;

/// Packets that make a turn full: the kernel looks after no more receives in one entry unless it is asked to
/// (`IO_LOCAL_TW_DEFAULT_MAX`), so there is probably more.
pub(super) const FULL_TURN: usize = 20;

/// Entries of 10 ms at most that are made in vain to see a receive end: a second. Nothing is known to hold one up.
pub(super) const FAREWELLS: usize = 100;
