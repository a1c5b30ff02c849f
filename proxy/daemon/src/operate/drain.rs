//! `bascule drain`.

use super::args::DrainArgs;
use super::line::{Came, Connection};
use super::report::{Counted, note, print, summary};
use super::{Ended, Failure};
use bascule::control::{Answer, Drain, End, Request, Summary};
use std::time::Duration;

pub(super) async fn run(args: &DrainArgs) -> Result<Ended, Failure> {
    let mut connection = Connection::open(&args.at).await?;
    connection.ask(&Request::Drain(request(args))).await?;
    let counted = Counted::moves(args.at.json);
    let mut interrupted = false;
    loop {
        match connection.next().await? {
            // The first one ends it cleanly, the second one at once: the service then stops it by itself.
            Came::Interrupt if interrupted => return Ok(Ended::Interrupted),
            Came::Interrupt => {
                interrupted = true;
                note("stopping: moves that are under way are finished");
                connection.ask(&Request::Stop).await?;
            }
            Came::Line(line, text) => {
                if args.at.json {
                    print(&text);
                }
                match line.answer {
                    Answer::Progress(progress) => counted.show(progress),
                    Answer::Warning(words) if !args.at.json => {
                        counted
                            .over(|| note(&format!("warning: {}\n  help: {}", words.message, words.advice)));
                    }
                    Answer::Error(words) => return Err(Failure(words)),
                    Answer::Summary(end) => {
                        counted.clear();
                        if !args.at.json {
                            summary(&end);
                            closing(args, &end);
                        }
                        return Ok(ended(&end));
                    }
                    Answer::Warning(_) | Answer::Receipt(_) => {}
                }
            }
        }
    }
}

fn request(args: &DrainArgs) -> Drain {
    Drain {
        place: args.place.clone(),
        share: args.share,
        number: args.number.clone(),
        calls: args.calls,
        deadline_ms: millis(args.deadline),
        back: args.back,
        stay: false,
    }
}

pub(super) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn closing(args: &DrainArgs, end: &Summary) {
    let place = &end.place;
    print(&match (end.drained, args.back) {
        (true, _) => format!("{place} gets no new calls; `bascule drain {place} --back` opens it again"),
        (false, true) => format!("{place} gets new calls again"),
        (false, false) => format!("{place} gets new calls as before"),
    });
}

fn ended(end: &Summary) -> Ended {
    match end.end {
        End::Stopped => Ended::Interrupted,
        End::Finished if end.progress.failed == 0 => Ended::Done,
        End::Finished | End::Aborted | End::Incomplete => Ended::NotAllWell,
    }
}
