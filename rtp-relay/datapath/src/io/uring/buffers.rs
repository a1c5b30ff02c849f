//! Buffers that the kernel takes as packets come (`IORING_REGISTER_PBUF_RING`), and that packets leave from.
//!
//! ```text
//! 0                16              44
//! ┌────────────────┬───────────────┬──────────────────────────┐
//! │ recvmsg header │ address       │ packet                   │   received: whom from
//! └────────────────┴───────────────┴──────────────────────────┘   sent on:  where to
//! ```

use super::limits::{BUFFERS, OWN_BUFFERS, ROOM};
use crate::sockaddr::Name;
use io_uring::Submitter;
use io_uring::types::BufRingEntry;
use std::io;
use std::net::SocketAddr;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU16, Ordering};

/// The group of our buffers: there is only one.
pub(super) const GROUP: u16 = 0;

/// `struct io_uring_recvmsg_out`: four `u32`.
const HEADER: usize = 16;
const PACKET_AT: usize = HEADER + size_of::<Name>();

/// From one buffer to the next: whole cache lines.
const STRIDE: usize = (PACKET_AT + ROOM).next_multiple_of(64);

const ALL: u16 = BUFFERS + OWN_BUFFERS;

/// Memory of the process's own, in whole pages.
struct Pages {
    at: NonNull<u8>,
    len: usize,
}

/// All buffers of a worker. The first [`BUFFERS`] go round between the kernel and us, the others are for packets of our own
/// making.
///
/// Whoever has the number of a buffer has the buffer: a number comes from the kernel with a completion, or from
/// [`take_own`](Self::take_own), and goes back with [`give`](Self::give).
pub(super) struct Buffers {
    ring: Pages,
    memory: Pages,
    /// Where the next one goes in the ring.
    tail: u16,
    /// Of the first kind, how many the kernel has.
    lent: u16,
    /// Of the second kind, those that are free.
    own: Vec<u16>,
}

// SAFETY: the pages belong to the value alone and do not move with it.
unsafe impl Send for Buffers {}

/// What has come into a buffer.
pub(super) struct Received<'a> {
    /// Whom it is from, if that is an Internet address.
    pub(super) from: Option<SocketAddr>,
    /// How long it was.
    pub(super) len: usize,
    /// What there was room for.
    pub(super) bytes: &'a mut [u8],
}

/// A packet in its buffer with its destination, for a request.
pub(super) struct Outbound {
    pub(super) bytes: *const u8,
    pub(super) len: u32,
    pub(super) name: *const libc::sockaddr,
    pub(super) name_len: libc::socklen_t,
}

impl Buffers {
    /// Buffers that all belong to us.
    pub(super) fn new() -> io::Result<Self> {
        let ring = Pages::new(usize::from(BUFFERS) * size_of::<BufRingEntry>())?;
        let memory = Pages::new(usize::from(ALL) * STRIDE)?;
        memory.prefer_huge();
        Ok(Self { ring, memory, tail: 0, lent: 0, own: (BUFFERS..ALL).collect() })
    }

    /// Make the ring known to the kernel and give it `lend` buffers of the first kind.
    ///
    /// # Safety
    ///
    /// The value must outlive the io_uring of `submitter`.
    pub(super) unsafe fn register(&mut self, submitter: &Submitter<'_>, lend: u16) -> io::Result<()> {
        // SAFETY: the pages hold `BUFFERS` entries, begin on a page and outlive the ring, as the caller promises.
        unsafe { submitter.register_buf_ring_with_flags(self.ring.at.as_ptr() as u64, BUFFERS, GROUP, 0)? };
        (0..lend.min(BUFFERS)).for_each(|buffer| self.give(buffer));
        self.publish();
        Ok(())
    }

    /// How many buffers the kernel has for what comes.
    pub(super) fn lent(&self) -> usize {
        usize::from(self.lent)
    }

    /// The kernel has handed over a buffer of the first kind. Whether that can be.
    pub(super) fn taken(&mut self, buffer: u16) -> bool {
        let known = buffer < BUFFERS && self.lent > 0;
        debug_assert!(known, "buffer {buffer} of {BUFFERS}, {} lent", self.lent);
        self.lent -= u16::from(known);
        known
    }

    /// A buffer is not needed any more. The kernel sees it after [`publish`](Self::publish).
    pub(super) fn give(&mut self, buffer: u16) {
        if buffer >= BUFFERS {
            debug_assert!(buffer < ALL && !self.own.contains(&buffer));
            return self.own.push(buffer);
        }
        debug_assert!(self.lent < BUFFERS);
        let at = usize::from(self.tail % BUFFERS);
        let address = self.start(buffer) as u64;
        // SAFETY: `at` is within the ring's pages, which are aligned for entries. The kernel reads no entry beyond the tail,
        // and the tail itself, which lies in the first entry's spare bytes, is not among what is written here.
        let entry = unsafe { &mut *self.ring.at.cast::<BufRingEntry>().as_ptr().add(at) };
        entry.set_addr(address);
        entry.set_len((PACKET_AT + ROOM) as u32);
        entry.set_bid(buffer);
        self.tail = self.tail.wrapping_add(1);
        self.lent += 1;
    }

    /// Show the kernel what was given.
    pub(super) fn publish(&mut self) {
        // SAFETY: the tail lies within the ring's pages and is aligned; only we write it, the kernel reads it.
        let tail = unsafe {
            AtomicU16::from_ptr(BufRingEntry::tail(self.ring.at.cast::<BufRingEntry>().as_ptr()).cast_mut())
        };
        tail.store(self.tail, Ordering::Release);
    }

    /// A free buffer of the second kind.
    pub(super) fn take_own(&mut self) -> Option<u16> {
        self.own.pop()
    }

    /// What the kernel has put into a buffer. `None` if that cannot be.
    pub(super) fn received(&mut self, buffer: u16) -> Option<Received<'_>> {
        if buffer >= BUFFERS {
            return None;
        }
        let start = self.start(buffer);
        // SAFETY: header, name and packet lie within the buffer, which is ours (see the type) and initialised: the pages came
        // zeroed. Any bytes are valid values of all three; the header is read unaligned, the name is copied.
        unsafe {
            let header = start.cast::<[u32; 4]>().read_unaligned();
            let [_name_len, _control_len, len, _flags] = header.map(|n| n as usize);
            let name = start.add(HEADER).cast::<Name>().read_unaligned();
            let bytes = std::slice::from_raw_parts_mut(start.add(PACKET_AT), len.min(ROOM));
            Some(Received { from: name.decode(), len, bytes })
        }
    }

    /// The place for a packet of our own making.
    pub(super) fn room(&mut self, buffer: u16) -> &mut [u8] {
        // SAFETY: the packet's place lies within the buffer, which is ours (see the type) and nobody else's, and the pages
        // came zeroed.
        unsafe { std::slice::from_raw_parts_mut(self.start(buffer).add(PACKET_AT), ROOM) }
    }

    /// Address the packet in a buffer. The pointers hold until the buffer is given back.
    pub(super) fn outbound(&mut self, buffer: u16, len: usize, to: SocketAddr) -> Outbound {
        let (name, name_len) = Name::encode(to);
        let start = self.start(buffer);
        // SAFETY: the name's place lies within the buffer, which is ours (see the type).
        unsafe {
            let place = start.add(HEADER);
            place.cast::<Name>().write_unaligned(name);
            Outbound { bytes: start.add(PACKET_AT), len: len.min(ROOM) as u32, name: place.cast(), name_len }
        }
    }

    fn start(&self, buffer: u16) -> *mut u8 {
        debug_assert!(buffer < ALL);
        self.memory.at.as_ptr().wrapping_add(usize::from(buffer) * STRIDE)
    }
}

impl Pages {
    /// Zeroed pages for `len` bytes.
    fn new(len: usize) -> io::Result<Self> {
        // SAFETY: a new mapping of our own; the result is checked.
        let at = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                len,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        match NonNull::new(at.cast::<u8>()) {
            Some(start) if at != libc::MAP_FAILED => Ok(Self { at: start, len }),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// Few large pages rather than many small ones, where the system has them to give.
    fn prefer_huge(&self) {
        // SAFETY: the mapping is ours and of this length. A refusal changes nothing.
        let _ = unsafe { libc::madvise(self.at.as_ptr().cast(), self.len, libc::MADV_HUGEPAGE) };
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours and of this length, and whoever pointed into it is gone.
        unsafe { libc::munmap(self.at.as_ptr().cast(), self.len) };
    }
}
