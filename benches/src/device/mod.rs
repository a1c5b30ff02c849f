//! The devices that are measured, each as a recipe: what to write, what to start, when it is ready.

pub mod bascule;
pub mod kamailio;
pub mod ng;
pub mod rtpengine;

use crate::process::Process;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

/// The core that devices run on.
pub const DEVICE_CORE: usize = 0;
/// The core that generators run on.
pub const LOAD_CORE: usize = 1;

/// The device's SIP address.
pub const DEVICE: SocketAddr = at(10, 5060);
/// The caller's address.
pub const UAC: SocketAddr = at(1, 5090);
/// The answerer's address.
pub const UAS: SocketAddr = at(2, 5080);

/// An address of the loopback network, in a corner of it that nobody else is likely to use.
pub const fn at(last: u8, port: u16) -> SocketAddr {
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::new(127, 77, 0, last)), port)
}

/// How a device is started.
#[derive(Debug, Clone)]
pub struct Recipe {
    /// As it is called in results.
    pub name: String,
    /// The program's name as the system has it.
    pub program: String,
    /// What it does, in a few words, with its version.
    pub note: String,
    /// Its configuration file's name and text.
    pub config: (String, String),
    /// The command; `{config}` and `{folder}` are replaced.
    pub command: Vec<String>,
    /// It is ready when this is bound.
    pub ready: SocketAddr,
}

/// A running device.
#[derive(Debug)]
pub struct Device {
    /// The program.
    pub process: Process,
    /// Its configuration file.
    pub config: PathBuf,
    /// Its output.
    pub log: PathBuf,
}

impl Recipe {
    /// Start it on the devices' core and wait until it is ready.
    ///
    /// # Errors
    ///
    /// The system's, with the last lines of the device's own output.
    pub fn start(&self) -> io::Result<Device> {
        self.start_on(&[DEVICE_CORE])
    }

    /// Start it on some cores and wait until it is ready.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start)'s.
    pub fn start_on(&self, cores: &[usize]) -> io::Result<Device> {
        let folder = scratch()?.join(&self.name);
        fs::create_dir_all(&folder)?;
        let config = folder.join(&self.config.0);
        fs::write(&config, &self.config.1)?;
        let fill = |part: &String| {
            let part = part.replace("{config}", &config.display().to_string());
            part.replace("{folder}", &folder.display().to_string())
        };
        let command: Vec<String> = self.command.iter().map(fill).collect();
        let log = folder.join("log");
        let mut process = Process::start(&self.program, &command, cores, &log)?;
        process
            .wait_bound(self.ready)
            .map_err(|e| io::Error::new(e.kind(), format!("{e}\n{}", tail(&log))))?;
        Ok(Device { process, config, log })
    }
}

/// A folder of this run.
///
/// # Errors
///
/// What the system says about making it.
pub fn scratch() -> io::Result<PathBuf> {
    let folder = std::env::temp_dir().join(format!("bascule-bench-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

fn tail(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(12)..].join("\n")
}

/// A program of this workspace, built beside the one that runs.
pub fn sibling(name: &str) -> String {
    std::env::current_exe().unwrap_or_default().with_file_name(name).display().to_string()
}
