//! `bascule-bench`: side-by-side runs of Bascule and its peers. `cargo xtask bench` builds what it needs and calls it.
#![forbid(unsafe_code)]

use bascule_benches::device::{LOAD_CORE, scratch};
use bascule_benches::run::soak::{Plan, Soaked};
use bascule_benches::run::{self, Options};
use bascule_benches::{process, report};
use clap::{Parser, ValueEnum};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Parser)]
#[command(about = "Runs Bascule and its peers side by side, each on a core of its own", version)]
struct Cli {
    /// What is measured.
    what: What,
    /// One JSON object and nothing else on standard output.
    #[arg(long)]
    json: bool,
    /// Within a minute or two, once.
    #[arg(long)]
    quick: bool,
    /// Only this device or part; may be said several times.
    #[arg(long)]
    only: Vec<String>,
    /// An older build of the daemon, measured beside this one (calls).
    #[arg(long, value_name = "PROGRAM")]
    before: Option<PathBuf>,
    /// Minutes of load (soak).
    #[arg(long, default_value_t = 10.0)]
    minutes: f64,
    /// Where the picture goes (soak).
    #[arg(long, value_name = "FILE", default_value = "soak.svg")]
    graph: PathBuf,
}

#[derive(Clone, Copy, ValueEnum)]
enum What {
    /// One hop of an INVITE, beside rsip.
    Wire,
    /// Calls per second, CPU per call, delay, memory.
    Calls,
    /// What one core relays, beside rtpengine and the kernel's own forwarding.
    Relay,
    /// A region that dies, and reloads, under load.
    Failover,
    /// Three times as many calls as can be made, and a flood of INVITEs from nobody.
    Overload,
    /// CPU per call with all observation on, beside none.
    Observed,
    /// The receiver of records is away for an hour, in scaled time.
    Outage,
    /// Scrapes, the API, clients that do not read and the console, with 20,000 calls up.
    Admin,
    /// One bad peer among a hundred on TCP.
    Streams,
    /// What TLS costs: calls over ten connections.
    Tls,
    /// Mixed traffic, faults and reloads for some minutes; then nothing may be left.
    Soak,
}

fn main() -> io::Result<ExitCode> {
    let cli = Cli::parse();
    let options = Options { quick: cli.quick, only: cli.only, before: cli.before };
    let _alone = alone()?;
    process::pin(&[LOAD_CORE]).map_err(|e| io::Error::new(e.kind(), format!("two cores are needed: {e}")))?;
    let result = match cli.what {
        What::Wire => run::wire::run(&options)?,
        What::Calls => run::calls::run(&options)?,
        What::Relay => run::relay::run(&options)?,
        What::Failover => run::failover::run(&options)?,
        What::Overload => run::overload::run(&options)?,
        What::Observed => run::observed::run(&options)?,
        What::Outage => run::outage::run(&options)?,
        What::Admin => run::admin::run(&options)?,
        What::Streams => run::streams::run(&options)?,
        What::Tls => run::tls::run(&options)?,
        What::Soak => return soak(&Plan { minutes: cli.minutes, graph: cli.graph }, cli.json),
    };
    // Kept when something went wrong: the devices' configurations and logs are there.
    fs::remove_dir_all(scratch()?)?;
    report::publish(&result, cli.json)?;
    // What could not be run is named; that it is missing is no success.
    let missing = result["not_run"].as_object().is_some_and(|rows| !rows.is_empty());
    Ok(if missing { ExitCode::from(2) } else { ExitCode::SUCCESS })
}

/// It succeeds if everything has returned.
fn soak(plan: &Plan, as_json: bool) -> io::Result<ExitCode> {
    let Soaked { result, table, passed } = run::soak::run(plan)?;
    let mut out = io::stdout().lock();
    if as_json {
        writeln!(out, "{result}")?
    } else {
        write!(out, "{table}")?
    }
    if passed {
        fs::remove_dir_all(scratch()?)?;
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("soak: failed; the device's log and configuration are in {}", scratch()?.display());
    Ok(ExitCode::FAILURE)
}

/// Two benches at a time would measure each other: the second waits.
fn alone() -> io::Result<File> {
    let lock = File::create(std::env::temp_dir().join("bascule-bench.lock"))?;
    if lock.try_lock().is_err() {
        eprintln!("another bench runs on this machine: waiting for it");
        lock.lock()?;
    }
    Ok(lock)
}
