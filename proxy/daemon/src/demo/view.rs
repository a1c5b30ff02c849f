//! What people see: a live view on a terminal, plain lines elsewhere.

use super::ledger::Tally;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

/// How often plain lines say how many calls are where.
const PLAIN_EVERY: Duration = Duration::from_secs(1);

/// Who watches.
#[derive(Debug)]
pub enum View {
    /// Lines into something.
    Plain(Plain),
    /// A live view.
    Live(Live),
}

/// Lines into something.
pub struct Plain {
    out: Box<dyn Write>,
    last: Option<Instant>,
}

/// A terminal.
#[derive(Debug)]
pub struct Live {
    all: MultiProgress,
    time: ProgressBar,
    calls: ProgressBar,
    regions: ProgressBar,
}

/// How the play stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Status<'a> {
    pub(super) at: Duration,
    pub(super) of: Duration,
    pub(super) tally: Tally,
    pub(super) regions: &'a str,
}

impl View {
    /// On standard output, or on standard error so that standard output stays free for JSON.
    pub fn for_people(json: bool) -> Self {
        let (is_terminal, target, out): (bool, _, Box<dyn Write>) = if json {
            (io::stderr().is_terminal(), ProgressDrawTarget::stderr(), Box::new(io::stderr()))
        } else {
            (io::stdout().is_terminal(), ProgressDrawTarget::stdout(), Box::new(io::stdout()))
        };
        if is_terminal { Self::Live(Live::new(target)) } else { Self::lines(out) }
    }

    /// Lines into something.
    pub fn lines(out: Box<dyn Write>) -> Self {
        Self::Plain(Plain { out, last: None })
    }

    /// Something that happened, for good. An audience that has left is no reason to stop.
    pub(super) fn say(&mut self, text: &str) {
        let _ = match self {
            Self::Plain(plain) => writeln!(plain.out, "{text}").and_then(|()| plain.out.flush()),
            Self::Live(live) => live.all.println(text),
        };
    }

    pub(super) fn happens(&mut self, at: Duration, text: &str) {
        self.say(&format!("{:5.1} s  {text}", at.as_secs_f64()));
    }

    pub(super) fn status(&mut self, status: Status<'_>) {
        let Status { at, of, tally, regions } = status;
        let Tally { placed, answered, ringing, up, refused, dropped, .. } = tally;
        let calls = format!(
            "placed {placed}, answered {answered}, ringing {ringing}, up {up}, failed {refused}, dropped {dropped}"
        );
        match self {
            Self::Plain(Plain { last, .. }) => {
                if last.is_none_or(|last| last.elapsed() >= PLAIN_EVERY) {
                    *last = Some(Instant::now());
                    self.happens(at, &calls);
                }
            }
            Self::Live(live) => {
                live.time.set_length(of.as_millis() as u64);
                live.time.set_position(at.as_millis() as u64);
                live.time.set_message(format!("{:.1} s of at most {} s", at.as_secs_f64(), of.as_secs()));
                live.calls.set_message(calls);
                live.regions.set_message(regions.to_owned());
            }
        }
    }

    /// The live part goes, what was said stays.
    pub(super) fn settle(&mut self) {
        if let Self::Live(live) = self {
            [&live.time, &live.calls, &live.regions].into_iter().for_each(ProgressBar::finish_and_clear);
        }
    }
}

impl Live {
    fn new(target: ProgressDrawTarget) -> Self {
        let all = MultiProgress::with_draw_target(target);
        let bar = |template| {
            // A template that does not parse would only look plain.
            let style =
                ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
            let bar = ProgressBar::new(1).with_style(style);
            all.add(bar)
        };
        let time = bar("[{bar:40}] {msg}");
        let (calls, regions) = (bar("{msg}"), bar("{msg}"));
        Self { time, calls, regions, all }
    }
}

impl std::fmt::Debug for Plain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Plain").finish_non_exhaustive()
    }
}
