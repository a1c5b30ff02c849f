//! Instructions of a plain call inside the shard, counted by callgrind: the same on a busy machine and on a quiet one, so
//! that a gate can hold them where seconds would lie.

use crate::packages::{VALGRIND, need};
use crate::step::{Failed, cargo, root, run_aside};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::process::Command;

/// Calls before the counted ones, so that tables have their size and timers their company.
const WARM: u64 = 300;
/// Calls that are counted.
const COUNTED: u64 = 2_000;
/// What a change may add to the kept figure before somebody has to say why.
const MAY_GROW: f64 = 1.03;
/// What everything since the foundation may add: compliance and defence are not paid by the plain call.
const OF_THE_FOUNDATION: f64 = 1.10;
/// Where the figures are kept.
const KEPT: &str = "benches/instructions.json";

/// Build, count, compare.
pub(crate) fn run(keep: bool, json: bool) -> Result<(), Failed> {
    need(&[VALGRIND])?;
    let build = ["build", "--release", "-p", "bascule-benches", "--bin", "bascule-call"];
    run_aside("build with optimisation", &mut cargo(&build))?;
    let counted = (count(WARM + COUNTED)? - count(WARM)?) / COUNTED;
    let kept = root().join(KEPT);
    let text = fs::read_to_string(&kept).map_err(|e| format!("{KEPT}: {e}"))?;
    let mut figures: Value = serde_json::from_str(&text).map_err(|e| format!("{KEPT}: {e}"))?;
    let of = |name: &str| figures[name].as_u64().ok_or_else(|| format!("{KEPT}: no number {name:?}"));
    let (before, foundation) = (of("plain_call")?, of("plain_call_after_the_foundation")?);
    let share = |figure: u64| figure as f64 / foundation as f64;
    let mut text = String::from("instructions in the shard for a plain call (7 messages in, 7 out)\n\n");
    for (name, figure) in [("now", counted), ("kept", before), ("after the foundation", foundation)] {
        let _ = writeln!(text, "  {name:<22} {figure:>9}   {:>6.3} of the foundation", share(figure));
    }
    if json {
        let ratio = (share(counted) * 1e3).round() / 1e3;
        text = json!({ "plain_call": counted, "kept": before, "after_the_foundation": foundation,
            "ratio_to_foundation": ratio })
        .to_string()
            + "\n";
    }
    io::stdout().write_all(text.as_bytes()).map_err(|e| e.to_string())?;
    if keep {
        figures["plain_call"] = counted.into();
        let text = serde_json::to_string_pretty(&figures).map_err(|e| e.to_string())?;
        return fs::write(&kept, text + "\n").map_err(|e| format!("{KEPT}: {e}"));
    }
    if counted as f64 > before as f64 * MAY_GROW {
        return Err(format!(
            "a plain call takes {counted} instructions, more than 3 % above the kept {before}. Find out what made it \
             dearer (callgrind_annotate), or keep the new figure with `cargo xtask instructions --keep` and say why"
        ));
    }
    if counted as f64 > foundation as f64 * OF_THE_FOUNDATION {
        return Err(format!(
            "a plain call takes {counted} instructions, more than 10 % above the {foundation} of the foundation: make \
             something cheaper before this goes on"
        ));
    }
    Ok(())
}

/// Instructions inside the shard over so many calls.
fn count(calls: u64) -> Result<u64, Failed> {
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |t| root().join(t));
    let out = target.join("callgrind.out");
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=callgrind", "--collect-atstart=no", "--toggle-collect=*through_the_shard*"]);
    valgrind.arg(format!("--callgrind-out-file={}", out.display()));
    valgrind.arg(target.join("release").join("bascule-call")).arg(calls.to_string());
    eprintln!("\n── count the instructions of {calls} calls");
    let done = valgrind.output().map_err(|e| format!("valgrind: {e}"))?;
    let said = String::from_utf8_lossy(&done.stderr);
    let collected = said.lines().find_map(|line| line.split_once("Collected :")).map(|(_, n)| n.trim());
    let number = collected.and_then(|n| n.parse().ok()).filter(|_| done.status.success());
    number.ok_or_else(|| format!("callgrind counted nothing ({}):\n{said}", done.status))
}
