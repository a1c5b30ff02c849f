//! `bascule status`, `regions`, `calls`, `call`, `scanners`, `trace`, `drain` and `drill`: the admin API from a terminal.
//!
//! Exit status: 0 done; 1 done, and not all is well (a call was not moved, a drill was aborted or dropped a call);
//! 2 not done (refused, or nobody to ask); 130 stopped with Ctrl-C.

mod args;
mod calls;
mod detach;
mod drain;
mod drill;
mod firewall;
mod http;
mod media;
mod names;
mod order;
mod regions;
mod report;
mod route;
mod scanners;
mod sizing;
mod socket;
mod status;
mod trace;

pub(crate) use args::{
    CallArgs, CallsArgs, DetachArgs, DrainArgs, DrillArgs, RegionsArgs, RouteArgs, ScannersArgs, StatusArgs,
    TraceArgs,
};
pub(crate) use detach::detach;
pub(crate) use firewall::show as firewall;
pub(crate) use names::show as names;
pub(crate) use route::route;
pub(crate) use sizing::show as sizing;

use crate::complain::say;
use bascule::api::shapes::Words;
use std::fmt;
use std::future::Future;
use std::process::ExitCode;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    Done,
    NotAllWell,
    Interrupted,
}

/// Why it was not done.
#[derive(Debug)]
struct Failure(Words);

impl Failure {
    fn new(message: impl Into<String>, advice: impl Into<String>) -> Self {
        Self(Words { message: message.into(), advice: advice.into() })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "bascule: {}\n  help: {}", self.0.message, self.0.advice)
    }
}

pub(crate) fn status(args: &StatusArgs) -> ExitCode {
    run(status::run(args))
}

pub(crate) fn regions(args: &RegionsArgs) -> ExitCode {
    run(regions::run(args))
}

pub(crate) fn calls(args: &CallsArgs) -> ExitCode {
    run(calls::list(args))
}

pub(crate) fn call(args: &CallArgs) -> ExitCode {
    run(calls::one(args))
}

pub(crate) fn scanners(args: &ScannersArgs) -> ExitCode {
    run(scanners::run(args))
}

pub(crate) fn trace(args: &TraceArgs) -> ExitCode {
    run(trace::run(args))
}

pub(crate) fn drain(args: &DrainArgs) -> ExitCode {
    run(drain::run(args))
}

pub(crate) fn drill(args: &DrillArgs) -> ExitCode {
    run(drill::run(args))
}

fn run(command: impl Future<Output = Result<Ended, Failure>>) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let ended = match runtime {
        Ok(runtime) => runtime.block_on(command),
        Err(error) => {
            Err(Failure::new(error.to_string(), "the system gives this process nothing to wait with"))
        }
    };
    match ended {
        Ok(Ended::Done) => ExitCode::SUCCESS,
        Ok(Ended::NotAllWell) => ExitCode::from(1),
        Ok(Ended::Interrupted) => ExitCode::from(130),
        Err(failure) => {
            say(&failure.to_string());
            ExitCode::from(2)
        }
    }
}
