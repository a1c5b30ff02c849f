//! libFuzzer on the stable toolchain, each target for a bounded time.

use crate::step::{self, Failed, cargo, root, run_aside};
use std::fs;
use std::path::Path;
use std::process::Command;

/// What makes rustc write the counters that libFuzzer reads.
const FLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing -Ccodegen-units=1";
/// Named, so that the flags do not reach build scripts and macros.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// Build every target and run each for so many seconds, or until an input breaks a promise.
pub(crate) fn run(seconds: u32, only: &[String]) -> Result<(), Failed> {
    let all = targets()?;
    if let Some(unknown) = only.iter().find(|o| !all.contains(o)) {
        return Err(format!("there is no fuzz target {unknown}; there are {}", all.join(", ")));
    }
    let mut build = cargo(&["build", "--release", "-p", "bascule-fuzz", "--features", "fuzzing", "--bins"]);
    build.args(["--target", TARGET, "--target-dir", "target/fuzz"]).env("RUSTFLAGS", FLAGS);
    run_aside("build the fuzz targets", &mut build)?;
    for target in all.iter().filter(|t| only.is_empty() || only.contains(t)) {
        one(target, seconds)?;
    }
    Ok(())
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

fn one(target: &str, seconds: u32) -> Result<(), Failed> {
    let grown = root().join("target/fuzz/corpus").join(target);
    fs::create_dir_all(&grown).map_err(|e| format!("{}: {e}", grown.display()))?;
    let program = root().join("target/fuzz").join(TARGET).join("release").join(target);
    let mut fuzz = Command::new(program);
    fuzz.current_dir(root()).arg(format!("-max_total_time={seconds}"));
    fuzz.args(["-max_len=4096", "-rss_limit_mb=1024", "-timeout=5", "-verbosity=0", "-print_final_stats=1"]);
    fuzz.arg("-artifact_prefix=target/fuzz/").arg(&grown).arg(format!("proxy/fuzz/corpus/{target}"));
    step::run(&format!("fuzz {target} for {seconds} s"), &mut fuzz)
        .map_err(|e| format!("{e}; the input that did it is in target/fuzz/"))
}
