//! What a number has to be kept with: the machine, the commit and the date.

use serde_json::{Value, json};
use std::fs;
use std::process::Command;

/// The machine.
pub fn machine() -> Value {
    let field = |file: &str, name: &str| {
        let text = fs::read_to_string(file).unwrap_or_default();
        let line = text.lines().find(|l| l.starts_with(name)).unwrap_or_default().to_owned();
        line.split_once([':', '=']).map(|(_, v)| v.trim().trim_matches('"').to_owned()).unwrap_or_default()
    };
    json!({
        "cpu": field("/proc/cpuinfo", "model name"),
        "cores": cores(),
        "memory": field("/proc/meminfo", "MemTotal"),
        "kernel": fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim(),
        "system": field("/etc/os-release", "PRETTY_NAME"),
    })
}

/// Cores of the machine, not those that we are pinned to.
fn cores() -> usize {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    text.lines().filter(|l| l.starts_with("processor")).count()
}

/// The commit, with a mark when the tree differs from it.
pub fn commit() -> String {
    let mut said = said("git", &["rev-parse", "--short=12", "HEAD"]);
    if !said_nothing(&["status", "--porcelain", "--untracked-files=no"]) {
        said.push_str("-dirty");
    }
    said
}

/// Today, in UTC.
pub fn date() -> String {
    said("date", &["-u", "+%Y-%m-%dT%H:%M:%SZ"])
}

/// The first line of what a program says, empty if it cannot be run.
pub fn said(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output().map(|o| o.stdout).unwrap_or_default();
    String::from_utf8_lossy(&output).lines().next().unwrap_or_default().trim().to_owned()
}

fn said_nothing(args: &[&str]) -> bool {
    Command::new("git").args(args).output().is_ok_and(|o| o.stdout.is_empty())
}
