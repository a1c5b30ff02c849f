//! `bascule run`: an appliance as a service in the foreground, with signals and systemd.
//!
//! SIGHUP reloads, SIGTERM and SIGINT drain and stop; a second one stops at once. Told to systemd as `sd_notify(3)` and
//! `systemd.service(5)` (`Type=notify-reload`) have it; without systemd all of that does nothing.

use crate::appliance::{Appliance, StartError};
use crate::config::{self, LoadError, Loaded};
use crate::lookout::Lookout;
use crate::{log, net};
use sd_notify::NotifyState;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// How often a service looks after itself.
const TICK: Duration = Duration::from_millis(250);

/// Why a service ended otherwise than asked.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The appliance did not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// Signals cannot be heard.
    #[error("signals: {0}")]
    Signals(#[from] std::io::Error),
    /// A part of it ended by itself.
    #[error("{0}")]
    Broken(String),
}

/// What the service tells its terminal.
#[derive(Debug)]
pub enum News<'a> {
    /// Started; what it listens on, a line each.
    Started(Vec<String>),
    /// A reload was refused over errors in the file.
    Refused(&'a LoadError),
    /// A reload brought these warnings, if any.
    Reloaded(&'a Loaded),
}

/// Run until asked to stop. `tell` is for a person at the terminal; the log has it all too.
///
/// # Errors
///
/// [`ServiceError`].
pub fn run(path: &Path, loaded: Loaded, tell: impl FnMut(News<'_>)) -> Result<(), ServiceError> {
    log::init(&loaded.settings.log);
    net::raise_descriptor_limit();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async move {
        // Before anything is started: a signal in between is heard, not fatal.
        let signals = Signals::new()?;
        let appliance = Appliance::start(loaded)?;
        let service = Service {
            path: path.to_owned(),
            appliance,
            tell,
            watchdog: Watchdog::new(),
            lookout: Lookout::default(),
        };
        service.serve(signals).await
    })
}

struct Signals {
    hangup: Signal,
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            hangup: signal(SignalKind::hangup())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) -> Heard {
        tokio::select! {
            _ = self.hangup.recv() => Heard::Reload,
            _ = self.terminate.recv() => Heard::End,
            _ = self.interrupt.recv() => Heard::End,
        }
    }
}

/// What somebody wants of us.
enum Heard {
    Reload,
    End,
}

struct Service<T> {
    path: PathBuf,
    appliance: Appliance,
    tell: T,
    watchdog: Watchdog,
    lookout: Lookout,
}

impl<T: FnMut(News<'_>)> Service<T> {
    async fn serve(mut self, mut signals: Signals) -> Result<(), ServiceError> {
        let listens = self.appliance.listens();
        listens.iter().for_each(|line| tracing::debug!("{line}"));
        (self.tell)(News::Started(listens));
        notify(&[NotifyState::Ready, NotifyState::Status("taking calls")]);
        let mut tick = tokio::time::interval(TICK);
        loop {
            tokio::select! {
                heard = signals.next() => match heard {
                    Heard::Reload => self.reload(),
                    Heard::End => break,
                },
                _ = tick.tick() => self.look()?,
            }
        }
        self.end(&mut signals).await
    }

    /// Watch over the parts, and let systemd watch over us.
    fn look(&mut self) -> Result<(), ServiceError> {
        if let Some(why) = self.appliance.failure() {
            return Err(ServiceError::Broken(why));
        }
        self.watchdog.look(&self.appliance);
        self.appliance.look_out(&mut self.lookout);
        log::tell_repeats();
        Ok(())
    }

    fn reload(&mut self) {
        // Whatever becomes of the configuration.
        self.appliance.reopen_files();
        if let Ok(now) = NotifyState::monotonic_usec_now() {
            notify(&[NotifyState::Reloading, now]);
        }
        let status = match config::read(&self.path) {
            Err(error) => {
                tracing::error!(%error, "reload refused, the running configuration stays");
                (self.tell)(News::Refused(&error));
                "reload refused: see the log".to_owned()
            }
            Ok(loaded) => match self.appliance.reload(&loaded) {
                Ok(snapshot) => {
                    for warning in &loaded.warnings {
                        tracing::warn!("{}", warning.line(&loaded.source));
                    }
                    tracing::info!(generation = snapshot.generation, "reloaded");
                    (self.tell)(News::Reloaded(&loaded));
                    format!("taking calls, generation {}", snapshot.generation)
                }
                Err(error) => {
                    tracing::error!(%error, "reload refused, the running configuration stays");
                    format!("reload refused: {error}")
                }
            },
        };
        notify(&[NotifyState::Ready, NotifyState::Status(&status)]);
    }

    /// Drain, though not for ever and not against a second signal; then stop.
    async fn end(mut self, signals: &mut Signals) -> Result<(), ServiceError> {
        notify(&[NotifyState::Stopping, NotifyState::Status("draining")]);
        self.appliance.drain();
        let until = Instant::now() + self.appliance.drain_time();
        let mut tick = tokio::time::interval(TICK);
        let mut calls = self.appliance.live_calls();
        tracing::info!(calls, "draining");
        while calls > 0 && Instant::now() < until {
            tokio::select! {
                heard = signals.next() => if matches!(heard, Heard::End) { break },
                _ = tick.tick() => self.look()?,
            }
            calls = self.appliance.live_calls();
        }
        if calls > 0 {
            tracing::warn!(calls, "stopping with calls that are up");
        }
        self.appliance.stop();
        tracing::info!("stopped");
        Ok(())
    }
}

/// Pings systemd while every shard makes turns.
struct Watchdog {
    /// Half of what systemd allows; `None` if it does not watch.
    interval: Option<Duration>,
    last: Instant,
    turns: Vec<u64>,
}

impl Watchdog {
    fn new() -> Self {
        let interval = sd_notify::watchdog_enabled().map(|allowed| allowed / 2);
        Self { interval, last: Instant::now(), turns: Vec::new() }
    }

    fn look(&mut self, appliance: &Appliance) {
        let Some(interval) = self.interval.filter(|i| self.last.elapsed() >= *i) else { return };
        let turns = appliance.turns();
        // A shard turns once a second at least; an interval shorter than that says nothing of a quiet one.
        let stuck = interval > Duration::from_secs(1)
            && turns.iter().zip(&self.turns).any(|(now, before)| now == before);
        if stuck {
            tracing::error!(?turns, "a shard stands still");
        } else {
            notify(&[NotifyState::Watchdog]);
        }
        self.turns = turns;
        self.last = Instant::now();
    }
}

/// Tell systemd, if it listens.
fn notify(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::debug!(%error, "sd_notify");
    }
}
