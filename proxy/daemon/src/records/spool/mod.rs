//! Records on the disk until their receiver has them.
//!
//! A folder of segments, `0000000000000001.seg` and so on, each a row of [`Entry`]s. The [`Writer`] only appends; the [`Reader`] goes
//! behind it and keeps its place in the file `cursor`; a segment that it has left behind is deleted. A crash loses what had not been written
//! yet, and nothing else: an entry that it cut is cut off, and what was sent but not noted is sent again under the same key.

mod entry;
mod reader;
mod writer;

pub(crate) use entry::Entry;
pub(crate) use reader::{Batch, Reader};
pub(crate) use writer::{Refusal, Writer};

use crate::limits::{SPOOL_SEGMENT_LEAST, SPOOL_SEGMENT_MOST, SPOOL_SEGMENTS};
use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// What writer and reader have in common.
#[derive(Debug)]
pub(crate) struct Spool {
    folder: PathBuf,
    /// All segments together, in bytes.
    most: u64,
    state: Mutex<State>,
    /// Rung when there is more to read, and at the end.
    pub(crate) bell: Notify,
    /// Held as long as we live: another process would write into the same segments.
    _lock: File,
}

#[derive(Debug, Default)]
struct State {
    /// Oldest first; the last one may be written to.
    segments: VecDeque<Segment>,
    /// Their bytes.
    total: u64,
    /// Nothing more will be written.
    closed: bool,
}

#[derive(Debug, Clone, Copy)]
struct Segment {
    number: u64,
    /// Whole entries.
    bytes: u64,
}

/// Open the folder, made if it is not there, of at most `most` bytes.
pub(crate) fn open(folder: &Path, most: u64) -> io::Result<(Arc<Spool>, Writer, Reader)> {
    std::fs::create_dir_all(folder)?;
    let lock = private().create(true).truncate(false).write(true).open(folder.join("lock"))?;
    lock.try_lock()
        .map_err(|_| io::Error::new(ErrorKind::ResourceBusy, "another process uses this spool"))?;
    let cursor = reader::cursor(folder)?;
    let mut state = State::default();
    let mut numbers = numbers(folder)?;
    numbers.sort_unstable();
    let last = numbers.last().copied();
    for number in numbers {
        if number < cursor.segment {
            std::fs::remove_file(path(folder, number))?;
            continue;
        }
        let bytes =
            if Some(number) == last { cut(&path(folder, number))? } else { length(&path(folder, number))? };
        state.total += bytes;
        state.segments.push_back(Segment { number, bytes });
    }
    let next = last.unwrap_or(0).max(cursor.segment) + 1;
    let state = Mutex::new(state);
    let spool = Arc::new(Spool { folder: folder.to_owned(), most, state, bell: Notify::new(), _lock: lock });
    let segment_bytes = (most / SPOOL_SEGMENTS).clamp(SPOOL_SEGMENT_LEAST, SPOOL_SEGMENT_MOST);
    let writer = Writer::new(Arc::clone(&spool), next, segment_bytes);
    let reader = Reader::new(Arc::clone(&spool), cursor);
    Ok((spool, writer, reader))
}

impl Spool {
    /// Bytes on the disk.
    pub(crate) fn bytes(&self) -> u64 {
        self.lock().total
    }

    /// Whether nothing more will be written.
    pub(crate) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// The segment that was written to last, and how much of it there is.
    pub(crate) fn end(&self) -> Option<(PathBuf, u64)> {
        let last = self.lock().segments.back().copied()?;
        Some((path(&self.folder, last.number), last.bytes))
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Records hold numbers of people: nobody else reads them.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(0o600);
    options
}

fn path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:016}.seg"))
}

fn numbers(folder: &Path) -> io::Result<Vec<u64>> {
    let mut numbers = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let name = entry?.file_name();
        let number = name.to_str().and_then(|n| n.strip_suffix(".seg"));
        numbers.extend(number.and_then(|n| n.parse::<u64>().ok()));
    }
    Ok(numbers)
}

fn length(path: &Path) -> io::Result<u64> {
    Ok(std::fs::metadata(path)?.len())
}

/// The last segment may end in the middle of an entry: it is cut behind the last whole one. Its length then.
fn cut(path: &Path) -> io::Result<u64> {
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    let length = file.metadata()?.len();
    // A segment is at most twice as long as it should be.
    let mut bytes = vec![0; usize::try_from(length).unwrap_or(usize::MAX)];
    file.read_exact_at(&mut bytes, 0)?;
    let whole = Entry::whole(&bytes) as u64;
    if whole < length {
        tracing::warn!(segment = %path.display(), bytes = length - whole, "the end of the spool was cut by a crash");
        file.set_len(whole)?;
    }
    Ok(whole)
}

#[cfg(test)]
mod tests;
