//! The end of the spool that grows.

use super::{Entry, Segment, Spool, path, private};
use std::fs::File;
use std::io::{self, Write};
use std::sync::Arc;

/// Why records were not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// As much waits as may wait.
    Full,
    /// The disk did not take it: full, broken or not writable.
    Disk,
}

impl Refusal {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Disk => "disk",
        }
    }
}

#[derive(Debug)]
pub(crate) struct Writer {
    spool: Arc<Spool>,
    /// The next segment's number.
    next: u64,
    segment_bytes: u64,
    /// The last segment, if it is ours and whole.
    file: Option<File>,
    /// Entries that wait for [`flush`](Self::flush), and how many.
    pending: Vec<u8>,
    waiting: u64,
}

impl Writer {
    pub(super) fn new(spool: Arc<Spool>, next: u64, segment_bytes: u64) -> Self {
        Self { spool, next, segment_bytes, file: None, pending: Vec::new(), waiting: 0 }
    }

    /// Take a record, to be written with the next [`flush`](Self::flush).
    pub(crate) fn take(&mut self, written_ms: u64, key: &str, line: &[u8]) -> Result<(), Refusal> {
        let before = self.pending.len();
        if !Entry::put(written_ms, key, line, &mut self.pending) {
            return Err(Refusal::Full);
        }
        if self.spool.bytes() + self.pending.len() as u64 > self.spool.most {
            self.pending.truncate(before);
            return Err(Refusal::Full);
        }
        self.waiting += 1;
        Ok(())
    }

    /// Bytes that wait.
    pub(crate) fn pending(&self) -> usize {
        self.pending.len()
    }

    /// Write what was taken: how many records are in the spool now that were not, or how many were lost, and why.
    pub(crate) fn flush(&mut self) -> Result<u64, (u64, Refusal, io::Error)> {
        if self.pending.is_empty() {
            return Ok(0);
        }
        let pending = std::mem::take(&mut self.pending);
        let records = std::mem::take(&mut self.waiting);
        let written = self.write(&pending);
        // The buffer is kept, not its contents.
        self.pending = pending;
        self.pending.clear();
        match written {
            Ok(()) => {
                self.spool.bell.notify_one();
                Ok(records)
            }
            Err(error) => Err((records, Refusal::Disk, error)),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let used = self.spool.lock().segments.back().map_or(0, |last| last.bytes);
        if self.file.is_none() || used >= self.segment_bytes {
            self.begin()?;
        }
        let Some(file) = &mut self.file else { return Ok(()) };
        let written = file.write_all(bytes);
        let mut state = self.spool.lock();
        let Some(last) = state.segments.back_mut() else { return Ok(()) };
        match written {
            Ok(()) => {
                last.bytes += bytes.len() as u64;
                state.total += bytes.len() as u64;
            }
            Err(_) => {
                // A part of it may be there. What comes next must not stand behind it.
                let whole = last.bytes;
                if file.set_len(whole).is_err() {
                    self.file = None;
                }
            }
        }
        written
    }

    /// Begin a segment.
    fn begin(&mut self) -> io::Result<()> {
        self.file = None;
        let file = private().create_new(true).append(true).open(path(&self.spool.folder, self.next))?;
        self.spool.lock().segments.push_back(Segment { number: self.next, bytes: 0 });
        self.next += 1;
        self.file = Some(file);
        Ok(())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.spool.lock().closed = true;
        self.spool.bell.notify_one();
    }
}
