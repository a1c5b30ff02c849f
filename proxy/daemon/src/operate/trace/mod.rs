//! `bascule trace`.

mod capture;
mod ladder;

use super::args::TraceArgs;
use super::http::{ask, escaped, line, read, watched};
use super::report::print;
use super::{Ended, Failure};
use bascule::api::Traced;
use hyper::Method;

pub(super) async fn run(args: &TraceArgs) -> Result<Ended, Failure> {
    let target = format!("/v1/calls/{}/ladder", escaped(&args.call_id));
    watched(false, async || {
        let body = ask(&args.at, Method::GET, &target).await?;
        let traced: Traced = read(&body)?;
        if args.at.json {
            print(&line("traced", &traced));
        } else {
            show(args, &traced)?;
        }
        Ok(Ended::Done)
    })
    .await
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
