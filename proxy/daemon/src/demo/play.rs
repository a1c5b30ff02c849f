//! One performance: everybody is started, watched and stopped.

use super::args::{Args, How};
use super::closing::{Closing, Heard, ms};
use super::ledger::{Death, Ledger, Tally};
use super::network::Network;
use super::peers::{News, Region, Script};
use super::timeline::{BETWEEN_CALLS, Timeline};
use super::view::{Status, View};
use super::{Outcome, promise};
use crate::{Appliance, Notice, StartError, config, raise_descriptor_limit};
use proxy_core::{HealthChange, TargetState};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

/// How long the last records and statistics may take after the last call.
const AFTER: Duration = Duration::from_millis(700);

/// Between two looks at what is still under way.
const LOOK: Duration = Duration::from_millis(20);

/// Open files that are enough: 4 sockets a call for the 300 calls that are up, ringing or dead at once, 1,024 that the
/// relay leaves to others, and the rest for being wrong.
const LEAST_DESCRIPTORS: u64 = 3_000;

/// Why there was no performance.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// No network of 127.0.0.0/8 is free, or the system has no sockets or threads for us.
    #[error("sockets on loopback: {0}")]
    Sockets(#[from] io::Error),
    /// The system allows too few open files.
    #[error(
        "{limit} open files are allowed, {LEAST_DESCRIPTORS} are needed: raise the hard limit, as root with `ulimit -n 4096`"
    )]
    Descriptors {
        /// The hard limit.
        limit: u64,
    },
    /// The embedded configuration is not good: ours to mend.
    #[error("embedded configuration: {0}")]
    Config(#[from] config::LoadError),
    /// The appliance did not start.
    #[error("the appliance did not start: {0}")]
    Start(#[from] StartError),
    /// The peers' thread has panicked.
    #[error("the demo's own peers have failed")]
    Peers,
}

/// What the stage manager hears.
enum Word {
    News(News),
    /// With the time at which it came.
    Notice(Instant, Notice),
    /// The script is played.
    Played,
}

/// Plays the demo from start to end. `stop` ends it early.
///
/// # Errors
///
/// [`DemoError`] if it could not be played; a promise that did not hold is no error but an [`Outcome`].
pub fn run(args: &Args, view: &mut View, stop: &Arc<AtomicBool>) -> Result<Outcome, DemoError> {
    if let Some(limit) = raise_descriptor_limit().filter(|limit| *limit < LEAST_DESCRIPTORS) {
        return Err(DemoError::Descriptors { limit });
    }
    let timeline = Timeline::of(args.seconds);
    let (network, lines) = Network::claim()?;
    let loaded = config::parse("demo.toml", &network.config(&timeline))?;
    let appliance = Appliance::start(loaded)?;
    introduce(view, network, &timeline);

    let (tx, words) = channel();
    let notices = forward(appliance.events(), tx.clone())?;
    let mut script = Script::new(network, lines, timeline, args.how, u64::from(std::process::id()));
    let start = Instant::now();
    let stopped = Arc::clone(stop);
    let peers = thread::Builder::new().name("demo-peers".to_owned()).spawn(move || {
        script.play(&stopped, |news| drop(tx.send(Word::News(news))));
        drop(tx.send(Word::Played));
        script
    })?;
    let mut stage = Stage {
        view,
        timeline,
        how: args.how,
        start,
        heard: Heard::default(),
        death: None,
        last: None,
        rescued: false,
    };
    while let Ok(word) = words.recv() {
        if stage.hears(word) {
            break;
        }
    }
    // The sockets stay open until the appliance has stopped: nobody is to be told by ICMP that the play is over.
    let script = peers.join().map_err(|_| DemoError::Peers)?;
    let unclean = wind_up(&mut stage, &appliance, &words);
    let failure = appliance.failure();
    appliance.stop();
    drop(notices.join());
    while let Ok(word) = words.try_recv() {
        stage.hears(word);
    }
    let Stage { view, heard, .. } = stage;
    view.settle();
    let ledger: Ledger = script.into_ledger();
    let closing = Closing::draw_up(&ledger, &heard);
    let broken = promise::broken(&closing, failure.or(unclean), stop.load(Ordering::Relaxed));
    Ok(Outcome { closing, broken })
}

fn introduce(view: &mut View, network: Network, timeline: &Timeline) {
    view.say(&format!(
        "carrier {} → appliance {} → regions east {} and west {}",
        network.carrier(),
        network.appliance(),
        network.east(),
        network.west()
    ));
    view.say(&format!(
        "{} calls a second, half of them to the east first, half to the west; the east dies after {:.1} s",
        Duration::from_secs(1).as_millis() / BETWEEN_CALLS.as_millis(),
        timeline.death.as_secs_f64()
    ));
}

/// Stamps what the appliance says with the time at which it was said.
fn forward(notices: Receiver<Notice>, tx: Sender<Word>) -> io::Result<thread::JoinHandle<()>> {
    thread::Builder::new().name("demo-notices".to_owned()).spawn(move || {
        while let Ok(notice) = notices.recv() {
            if tx.send(Word::Notice(Instant::now(), notice)).is_err() {
                break;
            }
        }
    })
}

/// Lets the appliance finish what it has in hand; what it has not finished then.
fn wind_up(stage: &mut Stage<'_>, appliance: &Appliance, words: &Receiver<Word>) -> Option<String> {
    let until = Instant::now() + AFTER;
    let placed = stage.last.map_or(0, |tally| tally.placed);
    appliance.drain();
    loop {
        while let Ok(word) = words.try_recv() {
            stage.hears(word);
        }
        let live = appliance.live_calls();
        if live == 0 && stage.heard.records.len() >= placed {
            return None;
        }
        if Instant::now() > until {
            return (live > 0).then(|| format!("{live} calls were left in it"));
        }
        thread::sleep(LOOK);
    }
}

/// What the stage manager knows.
struct Stage<'a> {
    view: &'a mut View,
    timeline: Timeline,
    how: How,
    start: Instant,
    heard: Heard,
    death: Option<Death>,
    last: Option<Tally>,
    rescued: bool,
}

impl Stage<'_> {
    /// Whether it is over.
    fn hears(&mut self, word: Word) -> bool {
        match word {
            Word::Played => return true,
            Word::News(News::Tally(tally)) => self.tally(tally),
            Word::News(News::Death(death)) => self.death(death),
            Word::Notice(at, Notice::Health { change, .. }) => self.health(at, &change),
            Word::Notice(_, Notice::Finished(record)) => self.heard.records.push(record),
            Word::Notice(_, Notice::Moved(receipt)) => self.heard.receipts.push(receipt),
            Word::Notice(_, Notice::Moves { .. }) => {}
        }
        false
    }

    fn tally(&mut self, tally: Tally) {
        let at = self.start.elapsed();
        let last = self.last.replace(tally);
        if let Some(death) = self.death {
            if !self.rescued && tally.rescued == death.ringing && death.ringing > 0 {
                self.rescued = true;
                let (n, other) = (death.ringing, death.region.other().name());
                self.view.happens(at, &format!("all {n} calls that rang there ring in {other} now"));
            }
            if tally.dead == 0 && last.is_some_and(|last| last.dead > 0) {
                let (n, other) = (death.up, death.region.other().name());
                self.view.happens(
                    at,
                    &format!(
                        "of the {n} calls that were up there nobody is left: they are up in {other} or over"
                    ),
                );
            }
        }
        let regions = match (self.death, self.heard.down) {
            (None, _) => "east up, west up",
            (Some(_), None) => "east dead and not seen down yet, west up",
            (Some(_), Some(_)) => "east down, west up",
        };
        self.view.status(Status { at, of: self.timeline.end, tally, regions });
    }

    fn death(&mut self, death: Death) {
        let name = death.region.name();
        let what = match self.how {
            How::Freeze => "stands still: its sockets are open, and nobody reads them",
            How::Kill => "is killed: its sockets are closed",
        };
        let (ringing, up) = (death.ringing, death.up);
        self.view.happens(
            death.at - self.start,
            &format!("{name} {what}; {ringing} calls ring there, {up} are up"),
        );
        self.death = Some(death);
    }

    fn health(&mut self, at: Instant, change: &HealthChange) {
        let since_start = at.saturating_duration_since(self.start);
        let Some(region) = Region::BOTH.into_iter().find(|region| change.name.starts_with(region.name()))
        else {
            return;
        };
        let (name, reason) = (region.name(), change.reason.as_str().replace('_', " "));
        let dies = self.death.is_some_and(|death| death.region == region);
        match (change.to, self.death) {
            (TargetState::Down, Some(death)) if dies => {
                self.heard.down.get_or_insert((at, change.reason));
                let other = region.other().name();
                let after = ms(at.saturating_duration_since(death.at));
                self.view.happens(
                    since_start,
                    &format!("{name} seen down after {after} ms ({reason}); new calls go to {other}"),
                );
            }
            (state, _) => self.view.happens(since_start, &format!("{name} is {state:?} ({reason})")),
        }
    }
}
