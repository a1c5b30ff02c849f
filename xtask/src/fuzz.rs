//! libFuzzer on the stable toolchain, each target for a bounded time.

use crate::step::{self, Failed, cargo, root, run_aside};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// What makes rustc write the counters that libFuzzer reads.
const FLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing -Ccodegen-units=1";
/// Named, so that the flags do not reach build scripts and macros.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// Build every target and run each for so many seconds, or until an input breaks a promise. The same inputs each time, as far
/// as the seconds carry: a test judges the change, not the dice; finding new ones is what the long runs are for.
pub(crate) fn run(seconds: u32, only: &[String]) -> Result<(), Failed> {
    let targets = build(only)?;
    targets.iter().try_for_each(|target| one(target, seconds, Dice::Fixed))
}

/// All targets in turns for so many hours in all; one that finds something is left out from then on, and the others go on.
/// Ends with a table: what each has run, and what it has found.
pub(crate) fn long(hours: f64, only: &[String]) -> Result<(), Failed> {
    let targets = build(only)?;
    let began = Instant::now();
    let whole = Duration::from_secs_f64(hours.max(0.0) * 3600.0);
    let mut rows: Vec<Row> = targets.into_iter().map(Row::new).collect();
    while began.elapsed() < whole && rows.iter().any(|row| row.found.is_none()) {
        for row in rows.iter_mut().filter(|row| row.found.is_none()) {
            let left = whole.saturating_sub(began.elapsed());
            let seconds = left.min(TURN).as_secs().max(1);
            let turn = Instant::now();
            row.found = one(&row.target, u32::try_from(seconds).unwrap_or(u32::MAX), Dice::Thrown).err();
            row.ran += turn.elapsed();
            let (so_far, of) = (began.elapsed().as_secs_f64() / 3600.0, whole.as_secs_f64() / 3600.0);
            eprintln!("── {so_far:.2} of {of:.2} hours");
            if left.is_zero() {
                break;
            }
        }
    }
    eprintln!("\n{:<12}{:>10}{:>12}  found", "target", "hours", "inputs kept");
    for row in &rows {
        let kept = fs::read_dir(grown(&row.target)).map_or(0, Iterator::count);
        let found = row.found.as_deref().unwrap_or("nothing");
        eprintln!("{:<12}{:>10.2}{kept:>12}  {found}", row.target, row.ran.as_secs_f64() / 3600.0);
    }
    match rows.iter().filter(|row| row.found.is_some()).count() {
        0 => Ok(()),
        count => Err(format!("{count} targets have found something")),
    }
}

/// How long a target runs before the next one has its turn.
const TURN: Duration = Duration::from_secs(600);

struct Row {
    target: String,
    ran: Duration,
    found: Option<Failed>,
}

impl Row {
    fn new(target: String) -> Self {
        Self { target, ran: Duration::ZERO, found: None }
    }
}

/// Where libFuzzer keeps what it finds new.
fn grown(target: &str) -> PathBuf {
    root().join("target/fuzz/corpus").join(target)
}

/// Builds the targets, and names those that are wanted.
fn build(only: &[String]) -> Result<Vec<String>, Failed> {
    let all = targets()?;
    if let Some(unknown) = only.iter().find(|o| !all.contains(o)) {
        return Err(format!("there is no fuzz target {unknown}; there are {}", all.join(", ")));
    }
    let mut build = cargo(&["build", "--release", "-p", "bascule-fuzz", "--features", "fuzzing", "--bins"]);
    build.args(["--target", TARGET, "--target-dir", "target/fuzz"]).env("RUSTFLAGS", FLAGS);
    // Ten programs: whole-program optimisation of each would take longer than CI runs them.
    build.env("CARGO_PROFILE_RELEASE_LTO", "off");
    run_aside("build the fuzz targets", &mut build)?;
    Ok(all.into_iter().filter(|t| only.is_empty() || only.contains(t)).collect())
}

/// The binaries of the fuzz crate.
fn targets() -> Result<Vec<String>, Failed> {
    let folder = root().join("proxy/fuzz/src/bin");
    let entries = fs::read_dir(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let stem = |path: &Path| path.file_stem().map(|s| s.to_string_lossy().into_owned());
    let mut names: Vec<String> = entries.flatten().filter_map(|e| stem(&e.path())).collect();
    names.sort();
    Ok(names)
}

/// Where libFuzzer's inputs come from.
#[derive(Clone, Copy)]
enum Dice {
    /// One seed for all time.
    Fixed,
    /// Another seed each time.
    Thrown,
}

fn one(target: &str, seconds: u32, dice: Dice) -> Result<(), Failed> {
    let grown = grown(target);
    fs::create_dir_all(&grown).map_err(|e| format!("{}: {e}", grown.display()))?;
    let program = root().join("target/fuzz").join(TARGET).join("release").join(target);
    let mut fuzz = Command::new(program);
    fuzz.current_dir(root()).arg(format!("-max_total_time={seconds}"));
    fuzz.args(["-max_len=4096", "-rss_limit_mb=1024", "-timeout=5", "-verbosity=0", "-print_final_stats=1"]);
    if matches!(dice, Dice::Fixed) {
        fuzz.arg("-seed=1");
    }
    fuzz.arg("-artifact_prefix=target/fuzz/").arg(&grown).arg(format!("proxy/fuzz/corpus/{target}"));
    step::run(&format!("fuzz {target} for {seconds} s"), &mut fuzz)
        .map_err(|e| format!("{e}; the input that did it is in target/fuzz/"))
}
