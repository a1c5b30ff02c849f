//! `bascule pages DIR`: manual pages and shell completions, from the same words as `--help`. For whoever makes a package.

use crate::cli::Cli;
use crate::complain::say;
use clap::{Args, CommandFactory};
use clap_complete::{Shell, generate_to};
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// `bascule pages`.
#[derive(Debug, Args)]
pub(crate) struct PagesArgs {
    /// Where to: man1/ and completions/ are made there
    #[arg(value_name = "DIR")]
    dir: PathBuf,
}

pub(crate) fn pages(args: &PagesArgs) -> ExitCode {
    match manual(&args.dir.join("man1")).and_then(|()| completions(&args.dir.join("completions"))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("bascule: {}: {error}", args.dir.display()));
            ExitCode::from(2)
        }
    }
}

/// One page for the program and one for each sub-command.
fn manual(to: &Path) -> io::Result<()> {
    std::fs::create_dir_all(to)?;
    // The pages name what can be typed, and `pages` itself is hidden.
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    clap_mangen::generate_to(command, to)
}

fn completions(to: &Path) -> io::Result<()> {
    std::fs::create_dir_all(to)?;
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        generate_to(shell, &mut Cli::command(), "bascule", to)?;
    }
    Ok(())
}
