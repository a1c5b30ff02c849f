//! What outlives the process: the program's tables and its links to interfaces, as files of a bpffs.
//!
//! ```text
//! DIR/relay/setup, by_port, …         the tables, by their names in the object
//! DIR/relay/program-xdp, program-tcx  the program's two entries
//! DIR/relay/link-IFINDEX-RUNG         where it stands
//! ```
//!
//! The kernel puts files of its own at the root of a bpffs, which nobody can remove; hence a directory below.
//!
//! The files are made in this order and taken away in the opposite one: where there is a link, all it needs is there. What is
//! found at the next start is adopted if it is exactly what this program would have made, and replaced if not.

use super::attach::Rung;
use super::bpf;
use super::layout::{
    AlternateEntry, CPUS, FlowEntry, LAYOUT_VERSION, MAX_LOCALS, MAX_NEXT_HOPS, MAX_SLOTS, NextHopEntry,
    PORTS, PassedEntry, SetupEntry, SlotEntry,
};
use super::shared::SharedArray;
use super::tables::Setup;
use aya::maps::{Map, MapData};
use std::fs::{self, File, TryLockError};
use std::io;
use std::mem::size_of;
use std::os::fd::AsFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// Where else pins may stand: in the bpffs that systemd mounts, if somebody lets us.
const FALLBACK: &str = "/sys/fs/bpf/bascule";

/// All pins stand in this directory of it.
const OURS: &str = "relay";

/// A directory of a bpffs that belongs to this process alone, as long as it lives.
#[derive(Debug)]
pub struct Pins {
    dir: PathBuf,
    /// Locked; the lock goes with the process, however that ends.
    _ours: File,
}

/// What an earlier run has left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Left {
    /// Nothing.
    Nothing,
    /// Tables that this program can go on with.
    Tables,
    /// Something else, and why it is not for us.
    Foreign(String),
}

/// The tables: name, bytes of an entry, entries. `flows` is for how many flows there is room.
fn shapes(flows: usize) -> [(&'static str, usize, usize); 7] {
    [
        ("setup", size_of::<SetupEntry>(), 1),
        ("by_port", PORTS * size_of::<u32>(), MAX_LOCALS),
        ("flows", size_of::<FlowEntry>(), flows),
        ("alternates", size_of::<AlternateEntry>(), 2 * flows),
        ("slots", size_of::<SlotEntry>(), MAX_SLOTS),
        ("next_hops", size_of::<NextHopEntry>(), MAX_NEXT_HOPS),
        ("passed", size_of::<PassedEntry>(), CPUS),
    ]
}

/// The names of the tables.
pub(super) fn tables() -> [&'static str; 7] {
    shapes(0).map(|(name, ..)| name)
}

impl Pins {
    /// Have a directory for pins: `dir`, on which a bpffs is mounted if it is in none, or one in the system's bpffs.
    ///
    /// # Errors
    ///
    /// Why neither can be had; what the kernel carries then ends with the process.
    pub fn open(dir: &Path) -> Result<Self, String> {
        Self::at(dir).or_else(|why| {
            let fallback = Path::new(FALLBACK);
            if dir == fallback {
                return Err(why);
            }
            Self::there(fallback).map_err(|other| format!("{why}; {other}"))
        })
    }

    /// `dir`, and nowhere else.
    fn at(dir: &Path) -> Result<Self, String> {
        let said = |e: io::Error| format!("{}: {e}", dir.display());
        fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(said)?;
        if !bpf::is_bpffs(dir).map_err(said)? {
            let refused = |e| format!("mounting a bpffs on {}: {e} (it takes CAP_SYS_ADMIN)", dir.display());
            bpf::mount_bpffs(dir).map_err(refused)?;
        }
        Self::lock(dir)
    }

    /// `dir`, whose parent has to be in a bpffs already.
    fn there(dir: &Path) -> Result<Self, String> {
        let said = |e: io::Error| format!("{}: {e}", dir.display());
        let parent = dir.parent().unwrap_or(dir);
        if !bpf::is_bpffs(parent).map_err(said)? {
            return Err(format!("{} is not a bpffs", parent.display()));
        }
        Self::lock(dir)
    }

    fn lock(dir: &Path) -> Result<Self, String> {
        let dir = &dir.join(OURS);
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(dir);
        let ours = made.and_then(|()| File::open(dir)).map_err(|e| format!("{}: {e}", dir.display()))?;
        match ours.try_lock() {
            Ok(()) => Ok(Self { dir: dir.to_owned(), _ours: ours }),
            Err(TryLockError::WouldBlock) => Err(format!("{}: another process has it", dir.display())),
            Err(TryLockError::Error(e)) => Err(format!("locking {}: {e}", dir.display())),
        }
    }

    /// Where they are.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    pub(crate) fn link(&self, ifindex: u32, rung: Rung) -> PathBuf {
        self.path(&format!("link-{ifindex}-{}", rung.as_str()))
    }

    /// The links that are pinned, by what their names say of them.
    pub(crate) fn links(&self) -> Vec<(u32, Rung, PathBuf)> {
        let rung = |name: &str| Rung::ALL.into_iter().find(|r| r.as_str() == name);
        let parse = |name: &str| {
            let (ifindex, by) = name.strip_prefix("link-")?.split_once('-')?;
            Some((ifindex.parse().ok()?, rung(by)?, self.path(name)))
        };
        self.names().iter().filter_map(|name| parse(name)).collect()
    }

    /// What is there, compared with what there should be.
    pub(super) fn look(&self, setup: &Setup, flows: usize) -> Left {
        if self.names().is_empty() {
            return Left::Nothing;
        }
        match self.compare(setup, flows) {
            Ok(()) => Left::Tables,
            Err(why) => Left::Foreign(why),
        }
    }

    fn compare(&self, setup: &Setup, flows: usize) -> Result<(), String> {
        for (name, bytes, entries) in shapes(flows) {
            let map = MapData::from_pin(self.path(name)).map_err(|e| format!("table {name}: {e}"))?;
            let info = map.info().map_err(|e| format!("table {name}: {e}"))?;
            let found = (info.value_size() as usize, info.max_entries() as usize);
            if found != (bytes, entries) {
                let (b, n) = found;
                return Err(format!("table {name} has {n} entries of {b} bytes, not {entries} of {bytes}"));
            }
            if name == "setup" {
                // The first table, so that another version is told as such and not by what it changed.
                let array = Map::Array(map);
                let Map::Array(data) = &array else { continue };
                let entry = SharedArray::<SetupEntry>::map(data.fd().as_fd(), 1).ok().and_then(|s| s.read(0));
                let found = entry.ok_or("table setup cannot be read")?;
                if found.version != LAYOUT_VERSION {
                    return Err(format!(
                        "its layout has version {}, this one {LAYOUT_VERSION}",
                        found.version
                    ));
                }
                let wanted = setup.entry();
                if (found.locals, found.local) != (wanted.locals, wanted.local) {
                    return Err("the media addresses are others".to_owned());
                }
            }
        }
        Ok(())
    }

    /// Take everything away: what stood before interfaces does so no longer.
    pub(super) fn wipe(&self) -> io::Result<usize> {
        wipe(&self.dir)
    }

    fn names(&self) -> Vec<String> {
        names(&self.dir).unwrap_or_default()
    }
}

impl Drop for Pins {
    /// A clean end leaves nothing.
    fn drop(&mut self) {
        let _ = self.wipe();
    }
}

/// Take away what a process that is no more has left under `dir`, or in the system's bpffs: no packet is forwarded any more.
/// How many pins there were.
///
/// # Errors
///
/// A process that lives uses them, or the system does not let us.
pub fn detach(dir: &Path) -> Result<usize, String> {
    let mut taken = 0;
    for dir in [dir, Path::new(FALLBACK)] {
        if bpf::is_bpffs(&dir.join(OURS)).unwrap_or(false) {
            let pins = Pins::lock(dir)?;
            taken += pins.wipe().map_err(|e| format!("{}: {e}", dir.display()))?;
        }
    }
    Ok(taken)
}

/// Links first: what they need goes after them.
fn wipe(dir: &Path) -> io::Result<usize> {
    let (links, rest): (Vec<_>, Vec<_>) = names(dir)?.into_iter().partition(|n| n.starts_with("link-"));
    for name in links.iter().chain(&rest) {
        fs::remove_file(dir.join(name))?;
    }
    Ok(links.len() + rest.len())
}

fn names(dir: &Path) -> io::Result<Vec<String>> {
    fs::read_dir(dir)?.map(|file| Ok(file?.file_name().to_string_lossy().into_owned())).collect()
}
