//! One command, said before it runs.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

/// Why a task ended early, for a person.
pub(crate) type Failed = String;

/// The workspace's root.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

/// The cargo that runs us.
pub(crate) fn cargo(args: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(args).current_dir(root());
    command
}

/// Run a command to its end.
pub(crate) fn run(what: &str, command: &mut Command) -> Result<(), Failed> {
    eprintln!("\n── {what}");
    let began = Instant::now();
    let status = command.status().map_err(|e| format!("{what}: {}: {e}", command.get_program().display()))?;
    if status.success() {
        eprintln!("── {what}: done in {:.1} s", began.elapsed().as_secs_f64());
        Ok(())
    } else {
        Err(format!("{what} failed ({status})"))
    }
}

/// Run a command that must not write on our standard output.
pub(crate) fn run_aside(what: &str, command: &mut Command) -> Result<(), Failed> {
    command.stdout(Stdio::from(std::io::stderr()));
    run(what, command)
}
