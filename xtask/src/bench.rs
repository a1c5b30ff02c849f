//! Measurements, beside peers where there are any.

use crate::packages::{ETHTOOL, IP, IPTABLES, KAMAILIO, Program, RTPENGINE, TASKSET, need};
use crate::step::{self, Failed, cargo, root, run_aside};
use clap::ValueEnum;
use std::path::Path;
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
    /// One bad peer among a hundred on TCP: how long the others wait.
    Streams,
}

impl What {
    const fn name(self) -> &'static str {
        match self {
            Self::Wire => "wire",
            Self::Calls => "calls",
            Self::Relay => "relay",
            Self::Failover => "failover",
            Self::Overload => "overload",
            Self::Streams => "streams",
        }
    }

    const fn programs(self) -> &'static [Program] {
        match self {
            Self::Wire | Self::Overload | Self::Streams => &[TASKSET],
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
    let build = ["build", "--release", "-p", "bascule", "-p", "bascule-benches"];
    run_aside("build with optimisation", &mut cargo(&build))?;
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |t| root().join(t));
    let mut bench = Command::new(target.join("release").join("bascule-bench"));
    bench.arg(what.name()).current_dir(root());
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
