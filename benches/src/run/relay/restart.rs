//! A relay that is killed under load and started again: what the kernel carries goes on.

use super::row::{at, command, connect, open, opened};
use crate::device::{DEVICE_CORE, scratch, sibling};
use crate::place::{CARRIER, RELAY_C, RELAY_T, Site, TIER, pin_thread, threads_of};
use crate::traffic::{Lane, Plan, Traffic};
use datapath::xdp::Rung;
use datapath::{DatapathChoice, Engine, EngineConfig, SocketEngine};
use relay_core::{RelayConfig, SilencePolicy};
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddrV4};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// Calls that speak, both ways.
pub(super) const CALLS: usize = 1_000;
/// For how long it stays dead.
const DEAD: Duration = Duration::from_millis(300);
/// What the process says when it stands.
const READY: &str = "ready";

/// What was measured.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Restart {
    pub(super) lost: u64,
    pub(super) sent: u64,
    /// The share that is lost when nobody is killed.
    pub(super) loss_before: f64,
}

/// A process that holds an engine.
struct Holder {
    child: Child,
    said: BufReader<ChildStdout>,
}

/// Measure it.
pub(super) fn restart() -> io::Result<Restart> {
    let site = Site::new()?;
    let mut traffic = Traffic::new(&site)?;
    let pins = scratch()?.join("pins");
    let done = killed(&site, &mut traffic, &pins);
    // What is left if anything went wrong: links end with their namespace, the file system does not.
    let _ = datapath::xdp::detach(&pins);
    let _ = Command::new("umount").arg(&pins).stderr(Stdio::null()).status();
    done
}

fn killed(site: &Site, traffic: &mut Traffic, pins: &Path) -> io::Result<Restart> {
    let mut first = Holder::start(site, pins, CALLS)?;
    let mut lanes = Vec::new();
    for n in 0..CALLS {
        let line = first.line()?;
        let mut ports = line.split_whitespace().filter_map(|p| p.parse::<u16>().ok());
        let (a, b) = ports.next().zip(ports.next()).ok_or_else(|| io::Error::other(line.clone()))?;
        let ours = |ip: IpAddr, port| match ip {
            IpAddr::V4(ip) => SocketAddrV4::new(ip, port),
            IpAddr::V6(_) => SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port),
        };
        let (carrier, tier) = (at(CARRIER, n), at(TIER, n));
        lanes.push(Lane { link: 0, from: carrier, to: ours(RELAY_C, a), expected: tier });
        lanes.push(Lane { link: 1, from: tier, to: ours(RELAY_T, b), expected: carrier });
    }
    traffic.lay(0, &lanes)?;
    site.poll_in_threads()?;
    let plan = |ms: u64| Plan {
        first: 0,
        step: 1,
        end: 2 * CALLS,
        rate: Some(CALLS as f64 * 100.0),
        burst: 1,
        batch: 16,
        stamped: false,
        inline: false,
        time: Duration::from_millis(ms),
    };
    // Until the kernel carries everything.
    traffic.run(site, &plan(600))?;
    let loss_before = traffic.run(site, &plan(1_000))?.loss();
    let flight = traffic.begin(site, &plan(2_500))?;
    std::thread::sleep(Duration::from_millis(500));
    first.child.kill()?;
    first.child.wait()?;
    std::thread::sleep(DEAD);
    let mut second = Holder::start(site, pins, 0)?;
    let tally = traffic.end(flight)?;
    second.finish();
    Ok(Restart { lost: tally.sent.saturating_sub(tally.received), sent: tally.sent, loss_before })
}

impl Holder {
    fn start(site: &Site, pins: &Path, calls: usize) -> io::Result<Self> {
        let mut command = Command::new(sibling("bascule-hold"));
        command.arg(pins).arg(calls.to_string()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = site.relay.run(move || command.spawn())?;
        let out = child.stdout.take().ok_or_else(|| io::Error::other("no standard output"))?;
        let mut holder = Self { child, said: BufReader::new(out) };
        let said = holder.line()?;
        if said != READY {
            return Err(io::Error::other(said));
        }
        for thread in threads_of(holder.child.id(), "relay-")? {
            pin_thread(thread, DEVICE_CORE)?;
        }
        Ok(holder)
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        self.said.read_line(&mut line)?;
        Ok(line.trim().to_owned())
    }

    fn finish(&mut self) {
        drop(self.child.stdin.take());
        let until = Instant::now() + Duration::from_secs(3);
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The other process: hold an engine with so many calls, until standard input ends.
///
/// # Errors
///
/// If the kernel engine cannot be had, or no call.
pub fn hold(pins: PathBuf, calls: usize) -> io::Result<()> {
    if let Some(parent) = pins.parent() {
        fs::create_dir_all(parent)?;
    }
    let config = EngineConfig {
        relay: RelayConfig {
            addresses: vec![RELAY_C, RELAY_T],
            ports: 2_000..=65_535,
            max_sessions: CALLS,
            silence: SilencePolicy { min_flows: u32::MAX, ..SilencePolicy::default() },
            ..RelayConfig::default()
        },
        datapath: DatapathChoice::By(Rung::NativeXdp),
        sockets: SocketEngine::Auto,
        pins: Some(pins),
        ..EngineConfig::default()
    };
    let (engine, mut handles) = Engine::start(&config).map_err(io::Error::other)?;
    let mut out = io::stdout().lock();
    if engine.standing().kernel.len() < 2 {
        return writeln!(out, "{}", engine.standing());
    }
    writeln!(out, "{READY}")?;
    let mut relay = handles.remove(0);
    for n in 0..calls {
        command(&mut relay, open(n))?;
        let (a, b) = opened(&mut relay)?;
        connect(&mut relay, n)?;
        relay.flush();
        writeln!(out, "{a} {b}")?;
    }
    out.flush()?;
    io::stdin().read_to_end(&mut Vec::new()).map(drop)
}
