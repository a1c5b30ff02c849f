//! Every test.

use crate::fuzz;
use crate::packages::{
    BARESIP, CHROMIUM, CURL, ETHTOOL, IP, KAMAILIO, KAMAILIO_TLS, KEEPALIVED, NFT, OPENSSL, PROMTOOL,
    SECSIPIDX, SIPP, SNGREP, TASKSET, TSHARK, need,
};
use crate::step::{self, Failed, cargo};
use crate::xdp;

/// Install what is missing, look at the kernel's program, fuzz each target shortly, run the workspace's tests.
pub(crate) fn run(fuzz_seconds: u32) -> Result<(), Failed> {
    need(&[
        CURL,
        KEEPALIVED,
        SIPP,
        KAMAILIO,
        KAMAILIO_TLS,
        BARESIP,
        CHROMIUM,
        TASKSET,
        IP,
        ETHTOOL,
        NFT,
        OPENSSL,
        SECSIPIDX,
        TSHARK,
        PROMTOOL,
        SNGREP,
    ])?;
    xdp::check()?;
    fuzz::run(fuzz_seconds, &[])?;
    step::run("tests of the workspace", &mut cargo(&["test", "--workspace", "--no-fail-fast"]))
}

/// Random packets through the relay core and through the program in the kernel, with optimisation.
pub(crate) fn differential(packets: u64, seed: u64) -> Result<(), Failed> {
    let args = ["test", "--release", "-p", "datapath", "--test", "xdp_differential", "--", "--nocapture"];
    let mut test = cargo(&args);
    test.env("XDP_PACKETS", packets.to_string()).env("XDP_SEED", seed.to_string());
    step::run(&format!("{packets} packets from seed {seed}"), &mut test)
}

/// The simulator over many seeds, with optimisation, on every core.
pub(crate) fn sim(seeds: u64, first: u64, jobs: Option<u64>, json: bool) -> Result<(), Failed> {
    let (seeds, first) = (seeds.to_string(), first.to_string());
    let mut args = vec!["run", "--release", "-p", "sim", "--", "--seeds", &seeds, "--first", &first];
    let jobs = jobs.map(|jobs| jobs.to_string());
    args.extend(jobs.iter().flat_map(|jobs| ["--jobs", jobs.as_str()]));
    args.extend(json.then_some("--json"));
    step::run(&format!("{seeds} seeds from {first}"), &mut cargo(&args))
}
