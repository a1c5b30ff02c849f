//! Every test.

use crate::fuzz;
use crate::packages::{SIPP, TASKSET, need};
use crate::step::{self, Failed, cargo};

/// Install what is missing, fuzz each target shortly, run the workspace's tests.
pub(crate) fn run(fuzz_seconds: u32) -> Result<(), Failed> {
    need(&[SIPP, TASKSET])?;
    fuzz::run(fuzz_seconds, &[])?;
    step::run("tests of the workspace", &mut cargo(&["test", "--workspace", "--no-fail-fast"]))
}

/// The simulator over many seeds, with optimisation.
pub(crate) fn sim(seeds: u64, first: u64) -> Result<(), Failed> {
    let mut command = cargo(&["test", "--release", "-p", "sim", "--", "--nocapture"]);
    command.env("SIM_SEEDS", seeds.to_string()).env("SIM_FIRST_SEED", first.to_string());
    step::run(&format!("{seeds} seeds from {first}"), &mut command)
}
