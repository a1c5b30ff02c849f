//! `bascule init`: a first configuration out of a few answers. What is written has passed `bascule check`, and a file
//! that is there is never written over.

mod answers;
mod asked;
mod written;

use crate::complain::{self, say};
use answers::Answers;
use bascule::config::{self, LoadError, Loaded};
use clap::Args;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// `bascule init`.
#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    /// The configuration that is to be; it must not be there yet
    #[arg(value_name = "FILE", default_value = "bascule.toml")]
    file: PathBuf,
    /// Answers in TOML in place of questions; conf/answers.toml shows every one
    #[arg(long, value_name = "FILE")]
    answers: Option<PathBuf>,
}

/// Exit status: 0 written, 1 written and something about it is odd, 2 not written.
pub(crate) fn init(args: &InitArgs) -> ExitCode {
    match make(args) {
        Ok(loaded) => {
            let file = args.file.display();
            complain::warnings(&loaded);
            say(&format!(
                "{file}: written. What next:\n  bascule check --config {file}\n  bascule check --config {file} --firewall\n  \
                 bascule route --config {file} --from +12025550100 --to +12025550123"
            ));
            if loaded.warnings.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) }
        }
        Err(failure) => {
            match &failure {
                Failure::Bad(error) => complain::failure(error),
                Failure::Words(words) => say(&format!("bascule: {words}")),
            }
            say(&format!("{}: not written", args.file.display()));
            ExitCode::from(2)
        }
    }
}

/// Why nothing was written.
enum Failure {
    /// The answers make no good configuration.
    Bad(LoadError),
    /// Anything else.
    Words(String),
}

impl From<String> for Failure {
    fn from(words: String) -> Self {
        Self::Words(words)
    }
}

fn make(args: &InitArgs) -> Result<Loaded, Failure> {
    let file = &args.file;
    // Said before anybody has answered ten questions; what counts is `create_new` below.
    if file.exists() {
        return Err(format!("{} is there already, and is never written over", file.display()).into());
    }
    let answers = match &args.answers {
        Some(path) => Answers::read(path)?,
        None => asked::answers(&mut io::stdin().lock(), &mut io::stderr().lock())?,
    };
    let text = written::configuration(&answers);
    let loaded = config::parse(&file.display().to_string(), &text).map_err(Failure::Bad)?;
    create(file, &text).map_err(|error| format!("{}: {error}", file.display()))?;
    Ok(loaded)
}

/// For its owner and group: there may be names of accounts in it.
fn create(file: &Path, text: &str) -> io::Result<()> {
    let mut made = OpenOptions::new().write(true).create_new(true).mode(0o640).open(file)?;
    made.write_all(text.as_bytes())?;
    made.sync_all()
}
