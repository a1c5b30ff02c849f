//! `cargo xtask …`: tests, benches, fuzzing and simulation by one short command each. CI runs what a person runs.
//!
//! Everything is a step that is said on standard error before it runs; the first that fails ends the run with its
//! status. What a step needs and the machine lacks is installed when that is possible, and otherwise the line to type is
//! printed: nothing is skipped in silence.
#![forbid(unsafe_code)]

mod audit;
mod bench;
mod compliance;
mod deb;
mod fuzz;
mod instructions;
mod packages;
mod reference;
mod step;
mod test;
mod xdp;

use clap::{Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Tests, benches, fuzzing and simulation")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Run every test: the workspace's, and each fuzz target for a bounded time.
    Test {
        /// Seconds for each fuzz target.
        #[arg(long, default_value_t = 5)]
        fuzz_seconds: u32,
    },
    /// Measure, beside peers where there are any.
    Bench {
        /// What is measured.
        #[arg(value_enum)]
        what: bench::What,
        /// One JSON object and nothing else on standard output.
        #[arg(long)]
        json: bool,
        /// Within a minute or two (once built), once, nothing kept.
        #[arg(long)]
        quick: bool,
        /// Only this device or part; may be said several times.
        #[arg(long)]
        only: Vec<String>,
        /// An older build of the daemon, measured beside this one (calls).
        #[arg(long, value_name = "PROGRAM")]
        before: Option<PathBuf>,
    },
    /// Mixed traffic with media, faults and reloads; at the end nothing may be left. The picture is target/soak.svg.
    Soak {
        /// Minutes of load; up to two and a half more are waited for what lingers.
        #[arg(long, default_value_t = 10.0)]
        minutes: f64,
        /// One JSON object and nothing else on standard output.
        #[arg(long)]
        json: bool,
        /// Where the picture goes instead.
        #[arg(long, value_name = "FILE")]
        graph: Option<PathBuf>,
        /// The build without optimisation.
        #[arg(long)]
        debug: bool,
    },
    /// Fuzz every target.
    Fuzz {
        /// Seconds for each target.
        #[arg(long, default_value_t = 60)]
        seconds: u32,
        /// All targets in turns for so many hours in all, instead; a table at the end.
        #[arg(long)]
        hours: Option<f64>,
        /// Only this target; may be said several times.
        #[arg(long)]
        only: Vec<String>,
    },
    /// Random packets through the relay core and through the program in the kernel: same bytes, same verdict. Needs root.
    Differential {
        /// How many packets.
        #[arg(long, default_value_t = 1_000_000)]
        packets: u64,
        /// What they are made of.
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Build the Debian package: target/debian/bascule_….deb.
    Deb {
        /// The build without optimisation.
        #[arg(long)]
        debug: bool,
        /// Install it in a clean Debian, start the daemon from it, upgrade, remove. Needs root.
        #[arg(long = "try")]
        trial: bool,
    },
    /// Build the programs that go into the kernel, whose objects are committed.
    Xdp {
        /// Only say whether object and sources belong together.
        #[arg(long)]
        check: bool,
    },
    /// Count the instructions of a plain call, and hold them to the kept figure.
    Instructions {
        /// Keep what was counted as the new figure.
        #[arg(long)]
        keep: bool,
        /// One JSON object and nothing else on standard output.
        #[arg(long)]
        json: bool,
    },
    /// Write docs/compliance.md: the RFCs' rules with the tests that exercise them.
    Compliance {
        /// Only say whether the page is up to date.
        #[arg(long)]
        check: bool,
    },
    /// Write docs/configuration.md and conf/bascule.schema.json: every section and key, from the types that read them.
    Reference {
        /// Only say whether they are up to date.
        #[arg(long)]
        check: bool,
    },
    /// Read a capture (pcap or pcapng) and say which rules of SIP were broken on the wire.
    Audit {
        /// The capture.
        file: PathBuf,
        /// Whose messages are judged; may be said several times. Without it everybody's are, each host by itself.
        #[arg(long, value_name = "IP", num_args = 1..)]
        ours: Vec<std::net::IpAddr>,
        /// One JSON array and nothing else on standard output.
        #[arg(long)]
        json: bool,
    },
    /// Run the simulator over many seeds.
    Sim {
        /// How many.
        #[arg(long, default_value_t = 2_000)]
        seeds: u64,
        /// The first one.
        #[arg(long, default_value_t = 0)]
        first: u64,
        /// How many at once; as many as there are cores if it is not said.
        #[arg(long)]
        jobs: Option<u64>,
        /// The closing table as one JSON object.
        #[arg(long)]
        json: bool,
    },
}

fn main() -> ExitCode {
    let done = match Cli::parse().task {
        Task::Test { fuzz_seconds } => test::run(fuzz_seconds),
        Task::Bench { what, json, quick, only, before } => {
            bench::run(what, json, quick, &only, before.as_deref())
        }
        Task::Soak { minutes, json, graph, debug } => bench::soak(minutes, json, graph.as_deref(), debug),
        Task::Fuzz { hours: Some(hours), only, .. } => fuzz::long(hours, &only),
        Task::Fuzz { hours: None, seconds, only } => fuzz::run(seconds, &only),
        Task::Differential { packets, seed } => test::differential(packets, seed),
        Task::Deb { debug, trial } => deb::run(debug, trial),
        Task::Instructions { keep, json } => instructions::run(keep, json),
        Task::Xdp { check: false } => xdp::build(),
        Task::Xdp { check: true } => xdp::check(),
        Task::Compliance { check } => compliance::run(check),
        Task::Reference { check } => reference::run(check),
        Task::Audit { file, ours, json } => audit::run(&file, &ours, json),
        Task::Sim { seeds, first, jobs, json } => test::sim(seeds, first, jobs, json),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("\nxtask: {why}");
            ExitCode::FAILURE
        }
    }
}
