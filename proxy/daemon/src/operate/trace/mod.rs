//! `bascule trace`.

mod capture;
mod ladder;

use super::args::TraceArgs;
use super::line::ask_once;
use super::report::print;
use super::{Ended, Failure};
use bascule::control::{Answer, Request, Trace, Traced};
use std::cell::RefCell;

pub(super) async fn run(args: &TraceArgs) -> Result<Ended, Failure> {
    let request = Request::Trace(Trace { call_id: args.call_id.clone() });
    let failure = RefCell::new(None);
    let ended = ask_once(&args.at, &request, |answer| {
        let Answer::Traced(traced) = answer else { return false };
        *failure.borrow_mut() = show(args, traced).err();
        true
    })
    .await?;
    match failure.into_inner() {
        Some(failure) => Err(failure),
        None => Ok(ended),
    }
}

fn show(args: &TraceArgs, traced: &Traced) -> Result<(), Failure> {
    if let Some(path) = &args.pcap {
        let written = capture::of(&traced.messages).and_then(|bytes| std::fs::write(path, bytes));
        written.map_err(|error| {
            Failure::new(format!("{}: {error}", path.display()), "name a file where you may write")
        })?;
        print(&format!("{} messages in {}", traced.messages.len(), path.display()));
    } else {
        print(ladder::draw(traced).trim_end());
    }
    if args.messages {
        for message in &traced.messages {
            let (from, to) =
                if message.sent { (message.us, message.peer) } else { (message.peer, message.us) };
            print(&format!(
                "\n{} {} {from} > {to}\n{}",
                message.at,
                message.transport,
                message.text.trim_end()
            ));
        }
    }
    if traced.cut {
        print("There are more; these are the first.");
    }
    Ok(())
}
