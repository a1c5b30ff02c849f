//! Programs under test: started on one core, measured with everything that they start, ended when dropped.

use rustix::process::{Pid, Signal, kill_process};
use rustix::thread::{CpuSet, sched_setaffinity};
use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a program may take to end by itself.
const GRACE: Duration = Duration::from_secs(3);

/// A running program and what it started.
#[derive(Debug)]
pub struct Process {
    child: Child,
    /// As the system names it.
    program: String,
}

/// Pin this thread, and what it starts, to some cores.
///
/// # Errors
///
/// The system's, above all when there is no such core.
pub fn pin(cores: &[usize]) -> io::Result<()> {
    let mut set = CpuSet::new();
    cores.iter().for_each(|core| set.set(*core));
    Ok(sched_setaffinity(None, &set)?)
}

impl Process {
    /// Start a program on some cores; its output goes to a file.
    ///
    /// # Errors
    ///
    /// What the system says about starting it.
    pub fn start(program: &str, command: &[String], cores: &[usize], log: &Path) -> io::Result<Self> {
        let out = File::create(log)?;
        // Whatever becomes of the thread that has started it, it does not stay behind.
        let mut taskset = Command::new("setpriv");
        let cores: Vec<String> = cores.iter().map(usize::to_string).collect();
        taskset.args(["--pdeathsig", "KILL", "taskset", "-c"]).arg(cores.join(",")).args(command);
        // A pipe that is closed with us tells a program of ours to end.
        taskset.stdin(Stdio::piped()).stdout(out.try_clone()?).stderr(out);
        let child = taskset.spawn().map_err(|e| io::Error::new(e.kind(), format!("setpriv: {e}")))?;
        Ok(Self { child, program: program.to_owned() })
    }

    /// Wait until somebody has bound a UDP address.
    ///
    /// # Errors
    ///
    /// `TimedOut`, or `BrokenPipe` when the program ended first.
    pub fn wait_bound(&mut self, at: SocketAddr) -> io::Result<()> {
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(15) {
            if is_bound(at) {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                let text = format!("{} ended at once: {status}", self.program);
                return Err(io::Error::new(io::ErrorKind::BrokenPipe, text));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Err(io::Error::new(io::ErrorKind::TimedOut, format!("{} does not listen on {at}", self.program)))
    }

    /// Its number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Send a signal to the program alone.
    pub fn signal(&self, signal: Signal) {
        signal_to(self.child.id(), signal);
    }

    /// CPU seconds that the program and everything under it have used, in user and system mode.
    pub fn cpu_seconds(&self) -> f64 {
        let ticks: u64 = self.tree().into_iter().filter_map(ticks).sum();
        ticks as f64 / rustix::param::clock_ticks_per_second() as f64
    }

    /// The same of the program alone: one file is read, and nobody waits for it.
    pub fn own_cpu_seconds(&self) -> f64 {
        ticks(self.child.id()).unwrap_or(0) as f64 / rustix::param::clock_ticks_per_second() as f64
    }

    /// Memory of the program and everything under it, shared pages counted once (proportional set size), in KiB.
    pub fn pss_kib(&self) -> u64 {
        self.tree().into_iter().filter_map(pss).sum()
    }

    /// Whether it still runs.
    pub fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Close its standard input and wait for it to end.
    pub fn finish(&mut self) {
        drop(self.child.stdin.take());
        let began = Instant::now();
        while self.is_alive() && began.elapsed() < GRACE {
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Ask it to end, and wait until it has.
    pub fn end(&mut self) {
        signal_to(self.child.id(), Signal::CONT);
        signal_to(self.child.id(), Signal::TERM);
        let began = Instant::now();
        while self.is_alive() && began.elapsed() < GRACE {
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn tree(&self) -> Vec<u32> {
        let parents = parents();
        let mut tree = vec![self.child.id()];
        let mut at = 0;
        while let Some(parent) = tree.get(at).copied() {
            tree.extend(parents.iter().filter(|(_, p)| **p == parent).map(|(pid, _)| *pid));
            at += 1;
        }
        tree
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let tree = self.tree();
        if self.is_alive() {
            self.end();
        }
        // Children that outlive their parent: told from strangers that were given their number since by the name.
        let parents = parents();
        for pid in tree
            .into_iter()
            .skip(1)
            .filter(|pid| parents.contains_key(pid) && name_of(*pid).as_ref() == Some(&self.program))
        {
            signal_to(pid, Signal::KILL);
        }
        if self.is_alive() {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}

/// The name of a program as the system has it.
fn name_of(pid: u32) -> Option<String> {
    fs::read_to_string(format!("/proc/{pid}/comm")).ok().map(|s| s.trim().to_owned())
}

fn signal_to(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        // One that has ended meanwhile needs no signal.
        let _ = kill_process(pid, signal);
    }
}

/// Every process with its parent.
fn parents() -> HashMap<u32, u32> {
    let Ok(entries) = fs::read_dir("/proc") else { return HashMap::new() };
    let pids = entries.flatten().filter_map(|e| e.file_name().to_str()?.parse().ok());
    pids.filter_map(|pid| Some((pid, stat(pid)?.get(1)?.parse().ok()?))).collect()
}

/// Fields of `/proc/PID/stat` after the name: state, parent, … (`proc(5)` counts them from 3).
fn stat(pid: u32) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = text.rsplit_once(')')?;
    Some(fields.split_whitespace().map(str::to_owned).collect())
}

fn ticks(pid: u32) -> Option<u64> {
    let fields = stat(pid)?;
    Some(fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?)
}

fn pss(pid: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let line = text.lines().find(|l| l.starts_with("Pss:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// Whether a UDP address is bound in this network namespace.
fn is_bound(at: SocketAddr) -> bool {
    let SocketAddr::V4(v4) = at else { return false };
    let address = u32::from_le_bytes(v4.ip().octets());
    let wanted = format!("{address:08X}:{:04X}", v4.port());
    // Of this thread's network namespace, where the program was started.
    fs::read_to_string("/proc/thread-self/net/udp").is_ok_and(|t| t.contains(&wanted))
}
