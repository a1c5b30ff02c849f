//! The program `bascule`.

#![forbid(unsafe_code)]

mod cli;
mod complain;
mod init;
mod operate;
mod pages;

use clap::Parser;
use cli::{Cli, Command};
use std::path::Path;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Demo(args) => bascule::demo::main(&args),
        Command::Init(args) => init::init(&args),
        Command::Run(file) => run(&file.config),
        Command::Check(args) => complain::check(&args),
        Command::Route(args) => operate::route(&args),
        Command::Status(args) => operate::status(&args),
        Command::Regions(args) => operate::regions(&args),
        Command::Calls(args) => operate::calls(&args),
        Command::Call(args) => operate::call(&args),
        Command::Scanners(args) => operate::scanners(&args),
        Command::Trace(args) => operate::trace(&args),
        Command::Drain(args) => operate::drain(&args),
        Command::Drill(args) => operate::drill(&args),
        Command::Detach(args) => operate::detach(&args),
        Command::Pages(args) => pages::pages(&args),
    }
}

fn run(path: &Path) -> ExitCode {
    let loaded = match bascule::config::read(path) {
        Ok(loaded) => loaded,
        Err(error) => {
            complain::failure(&error);
            return ExitCode::from(2);
        }
    };
    complain::warnings(&loaded);
    match bascule::service::run(path, loaded, complain::news) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain::say(&format!("bascule: {error}"));
            ExitCode::FAILURE
        }
    }
}
