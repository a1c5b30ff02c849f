//! The program `bascule`.

mod cli;
mod report;

use clap::Parser;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    match cli.command {
        cli::Command::Check(check) => report::check(&check.config),
        cli::Command::Run(_run) => ExitCode::SUCCESS,
    }
}
