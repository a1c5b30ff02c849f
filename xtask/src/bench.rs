//! Measurements, beside peers where there are any.

use crate::packages::{CHROMIUM, ETHTOOL, IP, IPTABLES, KAMAILIO, Program, RTPENGINE, TASKSET, need};
use crate::step::{self, Failed, cargo, root, run_aside};
use clap::ValueEnum;
use std::path::{Path, PathBuf};
use std::process::Command;

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum What {
    /// One hop of an INVITE, beside rsip.
    Wire,
    /// Calls per second, CPU per call, delay and memory, beside Kamailio.
    Calls,
    /// What one core relays, beside rtpengine and the kernel's own forwarding; most of it needs root.
    Relay,
    /// A region that dies, a configuration that is reloaded, under load.
    Failover,
    /// Three times as many calls as can be made, and a flood of INVITEs from nobody.
    Overload,
    /// CPU per call with records, traces, HEP and metrics, beside none.
    Observed,
    /// The receiver of records is away for an hour, in scaled time.
    Outage,
    /// Scrapes, the admin API, clients that do not read and the console, with 20,000 calls up.
    Admin,
    /// One bad peer among a hundred on TCP: how long the others wait.
    Streams,
    /// The same calls over UDP, TCP, TLS and mutual TLS.
    Tls,
}

impl What {
    const fn name(self) -> &'static str {
        match self {
            Self::Wire => "wire",
            Self::Calls => "calls",
            Self::Relay => "relay",
            Self::Failover => "failover",
            Self::Overload => "overload",
            Self::Observed => "observed",
            Self::Outage => "outage",
            Self::Admin => "admin",
            Self::Streams => "streams",
            Self::Tls => "tls",
        }
    }

    const fn programs(self) -> &'static [Program] {
        match self {
            Self::Wire | Self::Overload | Self::Observed | Self::Outage | Self::Streams | Self::Tls => {
                &[TASKSET]
            }
            Self::Admin => &[TASKSET, CHROMIUM],
            Self::Calls => &[TASKSET, KAMAILIO],
            Self::Relay => &[TASKSET, RTPENGINE, IP, ETHTOOL],
            Self::Failover => &[TASKSET, IP, IPTABLES],
        }
    }
}

/// Build everything with optimisation, then run one bench.
pub(crate) fn run(
    what: What,
    json: bool,
    quick: bool,
    only: &[String],
    before: Option<&Path>,
) -> Result<(), Failed> {
    need(what.programs())?;
    let mut bench = built(false)?;
    bench.arg(what.name());
    for (wanted, flag) in [(json, "--json"), (quick, "--quick")] {
        if wanted {
            bench.arg(flag);
        }
    }
    for name in only {
        bench.args(["--only", name]);
    }
    if let Some(program) = before {
        bench.arg("--before").arg(std::path::absolute(program).map_err(|e| e.to_string())?);
    }
    step::run(&format!("bench {}", what.name()), &mut bench)
}

/// Build everything, then let it run for some minutes, with faults and reloads, and see that nothing is left.
pub(crate) fn soak(minutes: f64, json: bool, graph: Option<&Path>, debug: bool) -> Result<(), Failed> {
    if !(0.2..=100_000.0).contains(&minutes) {
        return Err("a soak takes 0.2 minutes at least".to_owned());
    }
    need(&[TASKSET])?;
    let mut bench = built(debug)?;
    let graph = match graph {
        Some(graph) => std::path::absolute(graph).map_err(|e| e.to_string())?,
        None => target().join("soak.svg"),
    };
    bench.args(["soak", "--minutes", &minutes.to_string(), "--graph"]).arg(graph);
    if json {
        bench.arg("--json");
    }
    step::run(&format!("soak, {minutes} minutes of load"), &mut bench)
}

/// The program that runs benches, and the daemon beside it.
fn built(debug: bool) -> Result<Command, Failed> {
    let mut build = cargo(&["build", "-p", "bascule", "-p", "bascule-benches"]);
    let (said, folder) = if debug { ("build", "debug") } else { ("build with optimisation", "release") };
    if !debug {
        build.arg("--release");
    }
    run_aside(said, &mut build)?;
    let mut bench = Command::new(target().join(folder).join("bascule-bench"));
    bench.current_dir(root());
    Ok(bench)
}

/// Where cargo builds.
fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |t| root().join(t))
}
