//! `bascule-hold`: a relay engine in a process of its own, for the bench that kills it.
#![forbid(unsafe_code)]

use bascule_benches::run::relay::restart::hold;
use clap::Parser;
use std::io;
use std::path::PathBuf;

#[derive(Parser)]
#[command(about = "Holds a relay engine with calls until its standard input ends", version)]
struct Cli {
    /// Where the kernel's tables are pinned.
    pins: PathBuf,
    /// How many calls.
    calls: usize,
}

fn main() -> io::Result<()> {
    let cli = Cli::parse();
    hold(cli.pins, cli.calls)
}
