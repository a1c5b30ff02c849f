//! The end of the spool that is delivered.

use super::{Entry, Segment, Spool, path};
use crate::limits::{SPOOL_ENTRY, SPOOL_READ};
use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

/// Behind everything that is delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Cursor {
    pub(super) segment: u64,
    offset: u64,
}

/// Records that go together.
#[derive(Debug)]
pub(crate) struct Batch {
    /// Oldest first.
    pub(crate) entries: Vec<Entry>,
    end: Cursor,
}

#[derive(Debug)]
pub(crate) struct Reader {
    spool: Arc<Spool>,
    at: Cursor,
    file: Option<(u64, File)>,
    /// Bytes of entries that could not be read.
    damaged: u64,
}

impl Reader {
    pub(super) fn new(spool: Arc<Spool>, at: Cursor) -> Self {
        Self { spool, at, file: None, damaged: 0 }
    }

    /// The oldest records, up to so many; `None` if nothing waits. The same again until [`done`](Self::done).
    pub(crate) fn load(&mut self, records: usize) -> io::Result<Option<Batch>> {
        while let Some((segment, is_last)) = self.segment() {
            if self.at.segment < segment.number {
                self.at = Cursor { segment: segment.number, offset: 0 };
            }
            if self.at.offset >= segment.bytes {
                if is_last {
                    return Ok(None);
                }
                self.leave(segment)?;
                continue;
            }
            let bytes = self.read(segment)?;
            let mut entries = Vec::new();
            let mut used = 0;
            while entries.len() < records
                && used < SPOOL_READ
                && let Some((entry, n)) = bytes.get(used..).and_then(Entry::take)
            {
                entries.push(entry);
                used += n;
            }
            if entries.is_empty() {
                // Nobody knows where the next entry begins.
                let lost = segment.bytes - self.at.offset;
                self.damaged += lost;
                tracing::error!(segment = segment.number, bytes = lost, "a segment of the spool is damaged");
                self.at.offset = segment.bytes;
                continue;
            }
            let end = Cursor { offset: self.at.offset + used as u64, ..self.at };
            return Ok(Some(Batch { entries, end }));
        }
        Ok(None)
    }

    /// These are with their receiver, or put aside: never again.
    pub(crate) fn done(&mut self, batch: &Batch) -> io::Result<()> {
        self.at = batch.end;
        keep(&self.spool.folder, self.at)
    }

    /// Bytes that could not be read, since the last call.
    pub(crate) fn take_damaged(&mut self) -> u64 {
        std::mem::take(&mut self.damaged)
    }

    /// The segment to read from, and whether it may still grow.
    fn segment(&self) -> Option<(Segment, bool)> {
        let state = self.spool.lock();
        state.segments.front().map(|first| (*first, state.segments.len() == 1))
    }

    fn read(&mut self, segment: Segment) -> io::Result<Vec<u8>> {
        let file = match self.file.take().filter(|(number, _)| *number == segment.number) {
            Some((_, file)) => file,
            None => match File::open(path(&self.spool.folder, segment.number)) {
                // Somebody has taken it away.
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
                opened => opened?,
            },
        };
        let left = usize::try_from(segment.bytes - self.at.offset).unwrap_or(usize::MAX);
        // The longest entry fits behind what is enough for a batch.
        let mut bytes = vec![0; left.min(SPOOL_READ + 2 * SPOOL_ENTRY)];
        let read = file.read_exact_at(&mut bytes, self.at.offset);
        self.file = Some((segment.number, file));
        match read {
            // Somebody has cut it: what is left is damaged.
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(Vec::new()),
            read => read.map(|()| bytes),
        }
    }

    /// All of it is delivered.
    fn leave(&mut self, segment: Segment) -> io::Result<()> {
        self.file = None;
        self.at = Cursor { segment: segment.number + 1, offset: 0 };
        keep(&self.spool.folder, self.at)?;
        match std::fs::remove_file(path(&self.spool.folder, segment.number)) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut state = self.spool.lock();
        state.segments.pop_front();
        state.total = state.total.saturating_sub(segment.bytes);
        Ok(())
    }
}

/// Replaced in one step: a crash leaves the old place or the new one.
fn keep(folder: &Path, cursor: Cursor) -> io::Result<()> {
    let unfinished = folder.join("cursor.new");
    let mut file = File::create(&unfinished)?;
    file.write_all(format!("{} {}\n", cursor.segment, cursor.offset).as_bytes())?;
    std::fs::rename(unfinished, folder.join("cursor"))
}

/// Where an earlier life of the process came to. Without one, or with one that cannot be read, from the start: keys tell the receiver
/// what it has already.
pub(super) fn cursor(folder: &Path) -> io::Result<Cursor> {
    let text = match std::fs::read_to_string(folder.join("cursor")) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Cursor::default()),
        text => text?,
    };
    let mut numbers = text.split_whitespace().map(str::parse);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(segment)), Some(Ok(offset))) => Ok(Cursor { segment, offset }),
        _ => Ok(Cursor::default()),
    }
}
