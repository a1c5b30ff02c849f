//! A file of records that is put aside when it is long or old.
//!
//! The file always has its own name; what is put aside is named `NAME.2026-11-23T18-52-17.123Z`. Whoever has moved it away by
//! himself (logrotate) sends SIGHUP, and it is opened anew.

use crate::config::Rotation;
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// After a rotation that failed, the next try.
const AGAIN: Duration = Duration::from_secs(10);

pub(super) struct RecordFile {
    path: PathBuf,
    /// At the head of each file.
    head: Vec<u8>,
    out: BufWriter<File>,
    bytes: u64,
    /// Which multiple of [`Rotation::every`] the file belongs to.
    period: u64,
    rotation: Rotation,
    sync: Option<Duration>,
    /// Since when there is something that only the system's cache has.
    unsynced: Option<Instant>,
    /// No rotation before.
    not_before: Option<Instant>,
    /// The time in the last name that was given: the next one sorts behind it.
    last_name: Duration,
}

impl RecordFile {
    pub(super) fn open(
        path: &Path,
        head: Vec<u8>,
        rotation: Rotation,
        sync: Option<Duration>,
    ) -> io::Result<Self> {
        let file = append(path)?;
        let found = file.metadata()?;
        let (bytes, written) = (found.len(), found.modified().unwrap_or(UNIX_EPOCH));
        let period = period(rotation, if bytes > 0 { written } else { SystemTime::now() });
        let out = BufWriter::new(file);
        let path = path.to_owned();
        let (unsynced, not_before, last_name) = (None, None, Duration::ZERO);
        let mut file =
            Self { path, head, out, bytes, period, rotation, sync, unsynced, not_before, last_name };
        file.put_head()?;
        Ok(file)
    }

    pub(super) fn write(&mut self, line: &[u8]) -> io::Result<()> {
        self.rotate_for(line.len() as u64, SystemTime::now());
        self.out.write_all(line)?;
        self.bytes += line.len() as u64;
        self.unsynced.get_or_insert_with(Instant::now);
        Ok(())
    }

    /// Readers see everything up to here; and, where it is time, a loss of power does not take it away.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()?;
        if let (Some(every), Some(since)) = (self.sync, self.unsynced)
            && since.elapsed() >= every
        {
            self.out.get_ref().sync_data()?;
            self.unsynced = None;
        }
        Ok(())
    }

    /// Nothing was written for a while: the file may have grown old, or wait for its sync.
    pub(super) fn tick(&mut self) -> io::Result<()> {
        self.rotate_for(0, SystemTime::now());
        self.flush()
    }

    /// Somebody has moved the file away.
    pub(super) fn reopen(&mut self) -> io::Result<()> {
        self.out.flush()?;
        let file = append(&self.path)?;
        self.bytes = file.metadata()?.len();
        self.out = BufWriter::new(file);
        self.put_head()
    }

    fn put_head(&mut self) -> io::Result<()> {
        if self.bytes == 0 && !self.head.is_empty() {
            self.out.write_all(&self.head)?;
            self.bytes = self.head.len() as u64;
        }
        Ok(())
    }

    /// Put the file aside if it is too old, or too long for so many bytes more. What fails is tried again: records go on into the
    /// file that there is.
    fn rotate_for(&mut self, more: u64, now: SystemTime) {
        let too_long = self
            .rotation
            .bytes
            .is_some_and(|most| self.bytes + more > most && self.bytes > self.head.len() as u64);
        let period = period(self.rotation, now);
        if !too_long && period == self.period {
            return;
        }
        if self.bytes <= self.head.len() as u64 {
            // Nothing to put aside.
            self.period = period;
            return;
        }
        if self.not_before.is_some_and(|at| Instant::now() < at) {
            return;
        }
        match self.rotate(now) {
            Ok(()) => {
                self.period = period;
                self.not_before = None;
            }
            Err(error) => {
                self.not_before = Some(Instant::now() + AGAIN);
                tracing::warn!(file = %self.path.display(), %error, "records cannot be put aside");
            }
        }
    }

    fn rotate(&mut self, now: SystemTime) -> io::Result<()> {
        self.out.flush()?;
        if self.sync.is_some() {
            self.out.get_ref().sync_data()?;
        }
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        let (aside, time) = aside(&self.path, now.max(self.last_name + Duration::from_millis(1)));
        self.last_name = time;
        std::fs::rename(&self.path, &aside)?;
        self.out = BufWriter::new(append(&self.path)?);
        (self.bytes, self.unsynced) = (0, None);
        self.put_head()?;
        self.forget_old()
    }

    fn forget_old(&self) -> io::Result<()> {
        let mut old = put_aside(&self.path)?;
        old.sort();
        let surplus = old.len().saturating_sub(self.rotation.keep);
        old.iter().take(surplus).try_for_each(std::fs::remove_file)
    }
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

fn period(rotation: Rotation, at: SystemTime) -> u64 {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    rotation.every.map_or(0, |every| since / every.as_secs().max(1))
}

/// A name that sorts by time and is not taken, and its time since 1970.
fn aside(path: &Path, mut time: Duration) -> (PathBuf, Duration) {
    loop {
        let name = format!("{}.{}", name(path), crate::clock::rfc3339(time).replace(':', "-"));
        let aside = path.with_file_name(name);
        if !aside.exists() {
            return (aside, time);
        }
        time += Duration::from_millis(1);
    }
}

/// Files that were put aside and are still there.
fn put_aside(path: &Path) -> io::Result<Vec<PathBuf>> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let start = format!("{}.", name(path));
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let is_ours = name(&path).strip_prefix(&start).is_some_and(is_a_time);
        if is_ours {
            found.push(path);
        }
    }
    Ok(found)
}

/// Written as [`aside`] writes it: others' files beside ours are never deleted.
fn is_a_time(text: &str) -> bool {
    let shape = b"0000-00-00T00-00-00.000Z";
    let fits = |(c, s): (u8, &u8)| if *s == b'0' { c.is_ascii_digit() } else { c == *s };
    text.len() == shape.len() && text.bytes().zip(shape).all(fits)
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEVER: Rotation = Rotation { bytes: None, every: None, keep: 2 };

    fn place(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("bascule-file-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        folder.join("calls.jsonl")
    }

    fn read(path: &Path) -> String {
        std::fs::read_to_string(path).unwrap()
    }

    fn end(path: &Path) {
        std::fs::remove_dir_all(path.parent().unwrap()).unwrap();
    }

    #[test]
    fn a_full_file_is_put_aside_whole_and_the_oldest_is_deleted() {
        let path = place("full");
        let stranger = path.with_file_name("calls.jsonl.backup");
        std::fs::write(&stranger, "keep").unwrap();
        let rotation = Rotation { bytes: Some(20), ..NEVER };
        let mut file = RecordFile::open(&path, b"head\n".to_vec(), rotation, None).unwrap();
        for n in 0..9 {
            file.write(format!("record {n}\n").as_bytes()).unwrap();
        }
        file.flush().unwrap();
        assert_eq!(read(&path), "head\nrecord 8\n", "two would not fit in 20 bytes");
        let mut aside = put_aside(&path).unwrap();
        aside.sort();
        assert_eq!(aside.len(), 2);
        assert_eq!(
            aside.iter().map(|p| read(p)).collect::<Vec<_>>(),
            ["head\nrecord 6\n", "head\nrecord 7\n"]
        );
        assert_eq!(read(&stranger), "keep");
        end(&path);
    }

    #[test]
    fn a_file_of_yesterday_is_put_aside_although_it_is_short_and_an_empty_day_makes_none() {
        let path = place("old");
        let rotation = Rotation { every: Some(Duration::from_secs(86_400)), ..NEVER };
        let mut file = RecordFile::open(&path, Vec::new(), rotation, None).unwrap();
        file.write(b"today\n").unwrap();
        let day = |n: u32| SystemTime::now() + Duration::from_secs(86_400) * n;
        file.rotate_for(0, day(1));
        file.rotate_for(0, day(2));
        file.rotate_for(0, day(3));
        let aside = put_aside(&path).unwrap();
        assert_eq!(aside.len(), 1, "{aside:?}");
        assert_eq!((read(&aside[0]), read(&path)), ("today\n".to_owned(), String::new()));
        end(&path);
    }

    #[test]
    fn who_has_moved_the_file_away_gets_a_new_one() {
        let path = place("moved");
        let mut file = RecordFile::open(&path, b"head\n".to_vec(), NEVER, Some(Duration::ZERO)).unwrap();
        file.write(b"first\n").unwrap();
        let away = path.with_file_name("away");
        std::fs::rename(&path, &away).unwrap();
        file.reopen().unwrap();
        file.write(b"second\n").unwrap();
        file.flush().unwrap();
        assert_eq!((read(&away), read(&path)), ("head\nfirst\n".to_owned(), "head\nsecond\n".to_owned()));
        end(&path);
    }

    #[test]
    fn what_cannot_be_put_aside_goes_on_where_it_is() {
        let path = place("stuck");
        let rotation = Rotation { bytes: Some(8), ..NEVER };
        let mut file = RecordFile::open(&path, Vec::new(), rotation, None).unwrap();
        file.write(b"first\n").unwrap();
        file.flush().unwrap();
        // Its name is gone: there is nothing that could be renamed.
        std::fs::remove_file(&path).unwrap();
        file.write(b"second\n").unwrap();
        file.flush().unwrap();
        assert_eq!(file.bytes, 13, "it went into the file that has no name");
        end(&path);
    }
}
