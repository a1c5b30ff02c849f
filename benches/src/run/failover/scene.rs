//! Two regions and the device between them and the carrier.

use super::CORES;
use super::Fault;
use crate::device::bascule::{self, MediaMode, Region, Wishes};
use crate::device::{Device, at, scratch, sibling};
use crate::load::ear::Ranges;
use crate::netns::{Filter, HERE, Namespace, THERE};
use crate::process::Process;
use rustix::process::Signal;
use serde_json::Value;
use std::fs::{self, File};
use std::io::{self, BufReader};
use std::path::PathBuf;
use std::process::Child;
use std::time::Duration;

/// What stands in the packets of the region that dies, and of the other.
pub(super) const NORTH: u8 = 1;
pub(super) const SOUTH: u8 = 2;

/// A region's process and what it writes.
#[derive(Debug)]
pub(super) struct Place {
    process: Process,
    log: PathBuf,
    heard: PathBuf,
}

/// Everybody but the carrier.
#[derive(Debug)]
pub(super) struct Scene {
    pub(super) device: Device,
    pub(super) north: Place,
    pub(super) south: Place,
    pub(super) records: PathBuf,
    pub(super) admin: PathBuf,
    cut: Option<Filter>,
    // Deleted last: the north lives in it.
    namespace: Option<Namespace>,
}

impl Scene {
    pub(super) fn new(fault: Fault) -> io::Result<Self> {
        let namespace = if fault == Fault::Dropped { Some(Namespace::new()?) } else { None };
        let north = match &namespace {
            Some(_) => Region { name: "north", edge: (THERE, 5080).into(), via: Some((HERE, 5060).into()) },
            None => Region { name: "north", edge: at(3, 5080), via: None },
        };
        let south = Region { name: "south", edge: at(4, 5080), via: None };
        let folder = scratch()?;
        let (records, admin) = (folder.join("records.jsonl"), folder.join("admin.sock"));
        // A run of its own: the file is appended to.
        let _ = fs::remove_file(&records);
        let wishes = Wishes {
            media: namespace.as_ref().map(|_| HERE),
            records: Some(records.clone()),
            admin: (fault == Fault::Drain).then(|| admin.clone()),
            ..Wishes::default()
        };
        let north_runs = Place::start(NORTH, &north, namespace.as_ref())?;
        let south_runs = Place::start(SOUTH, &south, None)?;
        let recipe = bascule::recipe("bascule-failover", MediaMode::Relay, &[north, south], &wishes);
        let device = recipe.start_on(CORES)?;
        let cut = namespace.as_ref().map(Namespace::cut).transpose()?;
        Ok(Self { device, north: north_runs, south: south_runs, records, admin, cut, namespace })
    }

    /// The north dies, if that is what is to happen. Nobody waits: a child, if there is one, ends when it is done.
    pub(super) fn strike(&mut self, fault: Fault) -> io::Result<Option<Child>> {
        match fault {
            Fault::Frozen => self.north.process.signal(Signal::STOP),
            Fault::Killed => self.north.process.signal(Signal::KILL),
            Fault::Dropped => return self.cut.take().map(Filter::commit).transpose(),
            Fault::Drain => {}
        }
        Ok(None)
    }

    /// The north comes back, if it can.
    pub(super) fn mend(&self, fault: Fault) -> io::Result<Option<Child>> {
        match (fault, &self.namespace) {
            (Fault::Frozen, _) => self.north.process.signal(Signal::CONT),
            (Fault::Dropped, Some(namespace)) => return namespace.mend()?.commit().map(Some),
            (Fault::Killed | Fault::Drain, _) | (Fault::Dropped, None) => {}
        }
        Ok(None)
    }
}

impl Place {
    fn start(origin: u8, region: &Region, inside: Option<&Namespace>) -> io::Result<Self> {
        let folder = scratch()?;
        let (log, heard) = (folder.join(region.name), folder.join(format!("{}.heard", region.name)));
        let _ = fs::remove_file(&heard);
        let mut command = inside.map(Namespace::prefix).unwrap_or_default();
        command.extend([sibling("bascule-load"), "region".to_owned()]);
        command.extend(["--bind".to_owned(), region.edge.to_string()]);
        command.extend(["--origin".to_owned(), origin.to_string()]);
        command.extend(["--heard".to_owned(), heard.display().to_string()]);
        let mut process = Process::start("bascule-load", &command, CORES, &log)?;
        if inside.is_none() {
            process.wait_bound(region.edge)?;
        } else {
            // Its sockets are not in our tables.
            std::thread::sleep(Duration::from_millis(500));
        }
        Ok(Self { process, log, heard })
    }

    /// Let it end: what it counted, and which of the carrier's packets it heard. Nothing of one that was killed.
    pub(super) fn finish(&mut self) -> io::Result<(Value, Ranges)> {
        self.process.finish();
        let said = serde_json::from_str(&fs::read_to_string(&self.log)?).unwrap_or(Value::Null);
        let heard = match File::open(&self.heard) {
            Ok(file) => Ranges::read(BufReader::new(file))?,
            Err(_) => Ranges::default(),
        };
        Ok((said, heard))
    }
}
