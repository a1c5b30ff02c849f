//! An array of the kernel in our memory.

use std::io;
use std::marker::PhantomData;
use std::mem::{MaybeUninit, size_of};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// An entry of a table that a program shares with us.
///
/// # Safety
///
/// Any bytes are a value of the type, all of its bytes are a field's, and its size is a multiple of eight.
pub(crate) unsafe trait Plain: Copy + 'static {}

/// Memory that is shared with the kernel, which both sides read and write at any time: it is only ever touched by atomic
/// loads and stores.
#[derive(Debug)]
struct Memory {
    at: NonNull<u8>,
    bytes: usize,
}

// SAFETY: the mapping belongs to nobody in particular, and every access is atomic.
unsafe impl Send for Memory {}
// SAFETY: as above.
unsafe impl Sync for Memory {}

impl Memory {
    /// Map the array `fd` of `bytes` bytes.
    fn map(fd: BorrowedFd<'_>, bytes: usize) -> io::Result<Self> {
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a new mapping at a place of the kernel's choice; the result is checked.
        let at = unsafe {
            libc::mmap(std::ptr::null_mut(), bytes, protection, libc::MAP_SHARED, fd.as_raw_fd(), 0)
        };
        if at == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let at = NonNull::new(at.cast()).ok_or(io::ErrorKind::InvalidData)?;
        Ok(Self { at, bytes })
    }

    /// The eight bytes at `offset`, if they are inside.
    fn word(&self, offset: usize) -> Option<&AtomicU64> {
        let inside = offset.is_multiple_of(8) && offset.checked_add(8)? <= self.bytes;
        // SAFETY: inside the mapping, which lives as long as `self` and begins at a page; aligned; only touched atomically.
        inside.then(|| unsafe { AtomicU64::from_ptr(self.at.as_ptr().add(offset).cast()) })
    }

    /// The four bytes at `offset`, if they are inside.
    fn half(&self, offset: usize) -> Option<&AtomicU32> {
        let inside = offset.is_multiple_of(4) && offset.checked_add(4)? <= self.bytes;
        // SAFETY: as above. No array is read by both widths.
        inside.then(|| unsafe { AtomicU32::from_ptr(self.at.as_ptr().add(offset).cast()) })
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: our own mapping, of this length, to which no reference outlives us.
        let _ = unsafe { libc::munmap(self.at.as_ptr().cast(), self.bytes) };
    }
}

/// An array of entries.
#[derive(Debug)]
pub(crate) struct SharedArray<T> {
    memory: Memory,
    entries: usize,
    entry: PhantomData<fn() -> T>,
}

impl<T: Plain> SharedArray<T> {
    const WORDS: usize = size_of::<T>() / 8;
    const WHOLE: () = assert!(size_of::<T>().is_multiple_of(8) && size_of::<T>() > 0);

    /// Map the array `fd`.
    pub(crate) fn map(fd: BorrowedFd<'_>, entries: usize) -> io::Result<Self> {
        let () = Self::WHOLE;
        let memory = Memory::map(fd, entries * size_of::<T>())?;
        Ok(Self { memory, entries, entry: PhantomData })
    }

    pub(crate) fn len(&self) -> usize {
        self.entries
    }

    /// A copy of an entry. What the other side is writing meanwhile may be new in one half and old in the other.
    pub(crate) fn read(&self, i: usize) -> Option<T> {
        self.read_part(i, 0)
    }

    /// A copy of the part of an entry that begins `offset` bytes into it.
    pub(crate) fn read_part<P: Plain>(&self, i: usize, offset: usize) -> Option<P> {
        if i >= self.entries || offset.checked_add(size_of::<P>())? > size_of::<T>() {
            return None;
        }
        let begin = i * size_of::<T>() + offset;
        let mut part = MaybeUninit::<P>::uninit();
        let to = part.as_mut_ptr().cast::<u8>();
        for at in (0..size_of::<P>()).step_by(8) {
            let word = self.memory.word(begin + at)?.load(Ordering::Relaxed);
            // SAFETY: within the eight bytes' multiple that `P` is.
            unsafe { to.add(at).cast::<[u8; 8]>().write(word.to_ne_bytes()) };
        }
        // SAFETY: every byte has been written, and any bytes are a `P`.
        Some(unsafe { part.assume_init() })
    }

    /// Write an entry.
    pub(crate) fn write(&self, i: usize, value: &T) -> Option<()> {
        if i >= self.entries {
            return None;
        }
        let from = std::ptr::from_ref(value).cast::<u8>();
        for n in 0..Self::WORDS {
            // SAFETY: within the value, all of whose bytes are a field's.
            let word = u64::from_ne_bytes(unsafe { from.add(n * 8).cast::<[u8; 8]>().read() });
            self.memory.word(i * size_of::<T>() + n * 8)?.store(word, Ordering::Relaxed);
        }
        Some(())
    }

    /// Write eight bytes of an entry at once, those that begin `offset` bytes into it, and everything else before them.
    pub(super) fn write_word(&self, i: usize, offset: usize, value: &T) -> Option<()> {
        let word = self.word(i, offset)?;
        // SAFETY: within the value, all of whose bytes are a field's and whose size is a multiple of eight, as the offset of a
        // word is.
        let bytes = unsafe { std::ptr::from_ref(value).cast::<u8>().add(offset).cast::<[u8; 8]>().read() };
        word.store(u64::from_ne_bytes(bytes), Ordering::Release);
        Some(())
    }

    /// The first eight bytes of an entry, to be read or written at once.
    pub(crate) fn first_word(&self, i: usize) -> Option<&AtomicU64> {
        self.word(i, 0)
    }

    /// The eight bytes of an entry at `offset`, to be read or written at once.
    pub(crate) fn word(&self, i: usize, offset: usize) -> Option<&AtomicU64> {
        self.memory
            .word((i < self.entries && offset < size_of::<T>()).then_some(i * size_of::<T>() + offset)?)
    }
}

/// An array of numbers of 32 bits without gaps.
#[derive(Debug)]
pub(crate) struct SharedNumbers {
    memory: Memory,
}

impl SharedNumbers {
    /// Map the array `fd` of so many numbers.
    pub(crate) fn map(fd: BorrowedFd<'_>, numbers: usize) -> io::Result<Self> {
        Ok(Self { memory: Memory::map(fd, numbers * 4)? })
    }

    pub(crate) fn get(&self, i: usize) -> Option<&AtomicU32> {
        self.memory.half(i.checked_mul(4)?)
    }
}
