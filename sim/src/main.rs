//! `sim --seeds N [--first S] [--jobs J] [--json]`: plays seeds on every core, or on so many, says where it is, and ends with a table.
//! Exit status 0 only if no rule was broken.

#![forbid(unsafe_code)]

use sim::{Outcome, Tally, play};
use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;

/// Every event, packet and message is a small block or two.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What was asked for.
struct Asked {
    seeds: u64,
    first: u64,
    jobs: u64,
    json: bool,
}

const USAGE: &str = "usage: sim [--seeds N] [--first S] [--jobs J] [--json]";

fn asked(mut words: impl Iterator<Item = String>) -> Result<Asked, String> {
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u64);
    let mut asked = Asked { seeds: 1000, first: 0, jobs: cores, json: false };
    while let Some(word) = words.next() {
        let mut number = || {
            let value = words.next().ok_or(format!("{word} wants a number"))?;
            value.parse().map_err(|_| format!("{word} wants a number, not {value}"))
        };
        match word.as_str() {
            "--seeds" => asked.seeds = number()?,
            "--first" => asked.first = number()?,
            "--jobs" => asked.jobs = number()?.max(1),
            "--json" => asked.json = true,
            _ => return Err(format!("{word}? {USAGE}")),
        }
    }
    Ok(asked)
}

fn main() -> ExitCode {
    let asked = match asked(std::env::args().skip(1)) {
        Ok(asked) => asked,
        Err(why) => {
            eprintln!("{why}");
            return ExitCode::from(2);
        }
    };
    let began = std::time::Instant::now();
    let swept = sweep(&asked);
    let report = Report { asked, swept, took: began.elapsed().as_secs_f64() };
    let mut out = std::io::stdout().lock();
    // A reader that has gone away is no failure of the rules.
    let _ = if report.asked.json { report.json(&mut out) } else { report.table(&mut out) };
    if report.swept.failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Plays all seeds on as many threads as there are jobs.
fn sweep(asked: &Asked) -> Swept {
    let next = AtomicU64::new(asked.first);
    let end = asked.first.saturating_add(asked.seeds);
    let (sender, outcomes) = mpsc::channel::<Outcome>();
    std::thread::scope(|scope| {
        for _ in 0..asked.jobs {
            let (sender, next) = (sender.clone(), &next);
            scope.spawn(move || {
                while let Some(seed) = Some(next.fetch_add(1, Ordering::Relaxed)).filter(|seed| *seed < end) {
                    if sender.send(play(seed)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        collect(&outcomes, asked)
    })
}

fn collect(outcomes: &mpsc::Receiver<Outcome>, asked: &Asked) -> Swept {
    let live = std::io::stderr().is_terminal();
    let Swept { mut tally, mut failed, mut digest } = Swept::default();
    for (done, outcome) in (1_u64..).zip(outcomes) {
        tally.add(&outcome.tally);
        digest = digest.wrapping_add(outcome.hash);
        if let Some(failure) = outcome.failure {
            // One ladder is enough to begin with; the others are a seed away.
            if failed.is_empty() {
                eprintln!("{failure}");
            }
            failed.push((outcome.seed, outcome.first));
        }
        if live && (done % 16 == 0 || done == asked.seeds) {
            eprint!("\r{done} of {} seeds, {} failed", asked.seeds, failed.len());
        } else if !live && done % 1000 == 0 {
            eprintln!("{done} of {} seeds, {} failed", asked.seeds, failed.len());
        }
    }
    if live {
        eprintln!();
    }
    failed.sort_unstable();
    Swept { tally, failed, digest }
}

/// What came of it.
#[derive(Default)]
struct Swept {
    tally: Tally,
    /// Seeds, and the first rule that each broke.
    failed: Vec<(u64, String)>,
    /// The hashes of all runs together, in any order: two programs that tell the same stories have the same one.
    digest: u64,
}

struct Report {
    asked: Asked,
    swept: Swept,
    took: f64,
}

impl Report {
    fn rows(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        std::iter::once(("seeds", self.asked.seeds)).chain(self.swept.tally.rows().iter().copied())
    }

    fn rate(&self) -> f64 {
        self.asked.seeds as f64 * 60.0 / self.took / self.asked.jobs as f64
    }

    fn table(&self, out: &mut impl Write) -> std::io::Result<()> {
        for (name, value) in self.rows() {
            writeln!(out, "{:<18}{value:>14}", name.replace('_', " "))?;
        }
        writeln!(out, "{:<18}{:>14.1}", "seconds", self.took)?;
        writeln!(out, "{:<18}{:>14}", "jobs", self.asked.jobs)?;
        writeln!(out, "{:<18}{:>14.0}", "per minute and job", self.rate())?;
        writeln!(out, "{:<18}{:>#20x}", "digest", self.swept.digest)?;
        writeln!(out, "{:<18}{:>14}", "failed", self.swept.failed.len())?;
        for (seed, first) in self.swept.failed.iter().take(20) {
            let first: String = first.chars().take(160).collect();
            writeln!(out, "  SIM_SEED={seed} cargo test -p sim    # {first}")?;
        }
        Ok(())
    }

    fn json(&self, out: &mut impl Write) -> std::io::Result<()> {
        write!(out, "{{")?;
        for (name, value) in self.rows() {
            write!(out, "\"{name}\": {value}, ")?;
        }
        let failed: Vec<u64> = self.swept.failed.iter().map(|(seed, _)| *seed).collect();
        writeln!(
            out,
            "\"seconds\": {:.1}, \"jobs\": {}, \"seeds_per_minute_per_job\": {:.0}, \"digest\": \"{:#x}\", \"failed\": {failed:?}}}",
            self.took,
            self.asked.jobs,
            self.rate(),
            self.swept.digest,
        )
    }
}
