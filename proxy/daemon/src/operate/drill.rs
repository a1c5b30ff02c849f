//! `bascule drill`.

use super::args::DrillArgs;
use super::drain::millis;
use super::line::{Came, Connection};
use super::report::{Counted, note, print, receipts, summary};
use super::{Ended, Failure};
use bascule::control::{Answer, Drill, End, Request, Summary};

pub(super) async fn run(args: &DrillArgs) -> Result<Ended, Failure> {
    let mut connection = Connection::open(&args.at).await?;
    let request = Drill {
        region: args.region.clone(),
        share: args.share,
        cut: args.cut,
        for_ms: millis(args.lasts),
        abort_if: args.abort_if.clone(),
    };
    connection.ask(&Request::Drill(request)).await?;
    let counted = Counted::time(args.at.json, millis(args.lasts));
    let (mut interrupted, mut kept) = (false, Vec::new());
    loop {
        match connection.next().await? {
            Came::Interrupt if interrupted => return Ok(Ended::Interrupted),
            Came::Interrupt => {
                interrupted = true;
                note("restoring what was cut");
                connection.ask(&Request::Stop).await?;
            }
            Came::Line(line, text) => {
                if args.at.json {
                    print(&text);
                }
                match line.answer {
                    Answer::Progress(progress) => counted.show(progress),
                    Answer::Receipt(receipt) => kept.push(receipt),
                    Answer::Warning(words) if !args.at.json => note(&format!("warning: {}", words.message)),
                    Answer::Error(words) => return Err(Failure(words)),
                    Answer::Summary(end) => {
                        counted.clear();
                        if !args.at.json {
                            receipts(&kept);
                            summary(&end);
                            closing(&end);
                        }
                        return Ok(ended(&end));
                    }
                    Answer::Warning(_) => {}
                }
            }
        }
    }
}

fn closing(end: &Summary) {
    match end.found_ms {
        Some(ms) => print(&format!("the detector found the cut after {ms} ms")),
        None => print("the detector has not found the cut: too few calls, or too short a drill"),
    }
    print(&format!("restored; {} calls dropped", end.dropped));
}

fn ended(end: &Summary) -> Ended {
    match end.end {
        End::Stopped => Ended::Interrupted,
        End::Finished if end.progress.failed == 0 && end.dropped == 0 => Ended::Done,
        End::Finished | End::Aborted | End::Incomplete => Ended::NotAllWell,
    }
}
