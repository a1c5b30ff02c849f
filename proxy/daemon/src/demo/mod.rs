//! `bascule demo`: a region dies under load, and one can watch what becomes of the calls.
//!
//! The appliance is the real one, started from an embedded configuration on addresses of 127.0.0.0/8 that nobody uses.
//! Carrier and regions are user agents of the demo's own on real sockets (`peers`). Nothing is simulated but the death:
//! the region's sockets are no longer looked at, or closed.
//!
//! The demo makes a promise and its exit status says whether it held; `bascule demo --help` has it in full.

mod args;
mod closing;
mod ledger;
mod network;
mod peers;
mod play;
mod promise;
mod receipts;
mod report;
mod timeline;
mod view;

pub use args::{Args, How};
pub use closing::{Closing, Percentiles, Table};
pub use play::{DemoError, run};
pub use promise::Broken;
pub use view::View;

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What came out.
#[derive(Debug)]
pub struct Outcome {
    /// The closing table and what stands behind it.
    pub closing: Closing,
    /// What did not hold of the promise.
    pub broken: Vec<Broken>,
}

/// The sub-command: plays, prints, and says by its exit status whether the promise held.
pub fn main(args: &Args) -> ExitCode {
    let stop = Arc::new(AtomicBool::new(false));
    if let Err(error) = stop_on_signals(Arc::clone(&stop)) {
        complain(&format!("signals: {error}"));
    }
    match run(args, &mut View::for_people(args.json), &stop) {
        Ok(outcome) => print(args, &outcome),
        Err(error) => {
            complain(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

fn print(args: &Args, outcome: &Outcome) -> ExitCode {
    let text = if args.json {
        serde_json::to_string(&outcome.closing.table).unwrap_or_default()
    } else {
        report::text(outcome)
    };
    let written = writeln!(io::stdout(), "{text}");
    for broken in &outcome.broken {
        complain(&broken.to_string());
    }
    if outcome.broken.is_empty() && written.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn complain(text: &str) {
    let _ = writeln!(io::stderr(), "bascule demo: {text}");
}

/// The first SIGINT or SIGTERM ends the play in order, the second ends the process.
fn stop_on_signals(stop: Arc<AtomicBool>) -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (mut interrupt, mut terminate) = {
        let _inside = runtime.enter();
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?)
    };
    std::thread::Builder::new().name("demo-signals".to_owned()).spawn(move || {
        runtime.block_on(async {
            loop {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
                if stop.swap(true, Ordering::Relaxed) {
                    std::process::exit(130);
                }
            }
        });
    })?;
    Ok(())
}
