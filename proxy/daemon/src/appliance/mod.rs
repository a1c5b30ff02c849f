//! The whole appliance as one value: started, reloaded, watched, drained and stopped from any thread, without a runtime.

mod start;
mod threads;

pub(crate) use start::RESERVED_DESCRIPTORS;
pub use start::StartError;

use crate::api::Shown;
use crate::config::{Loaded, NeedsRestart, RelaySettings, Settings, needs_restart};
use crate::control::Floor;
use crate::dns::{self, Known};
use crate::health::Order;
use crate::limits::{LEAVING, REPORT_TIMEOUT};
use crate::lookout::Lookout;
use crate::metrics::{self, Durations, Page};
use crate::notice::Notice;
use crate::overrides::{Override, Refused};
use crate::report::ShardReport;
use crate::shared::{Phase, Shared};
use arc_swap::ArcSwap;
use datapath::Engine;
use proxy_core::{RegionView, RegistrationView, Snapshot};
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use threads::Threads;
use tokio::sync::mpsc;

/// A running appliance. Dropping it stops it.
#[derive(Debug)]
pub struct Appliance {
    core: Arc<Core>,
    threads: Threads,
}

/// What outlives no thread but is shown by one: the admin port reads it.
struct Core {
    shared: Arc<Shared>,
    orders: mpsc::Sender<Order>,
    names: mpsc::Sender<dns::Order>,
    durations: Arc<Durations>,
    engine: Option<Engine>,
    settings: Settings,
    /// What was taken last, as it is configured.
    loaded: ArcSwap<Loaded>,
    /// Held while a configuration is taken: one after the other.
    taking: Mutex<()>,
}

/// Why a new configuration was not taken. The old one goes on as it is.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// It differs in what cannot be changed while running.
    #[error(transparent)]
    NeedsRestart(#[from] NeedsRestart),
    /// Another configuration was taken meanwhile.
    #[error("another configuration has been taken meanwhile")]
    Overtaken,
    /// The health core did not answer.
    #[error("the health thread does not answer")]
    Stuck,
}

impl Appliance {
    /// Open every socket and file, then start every thread. Calls are taken from here on.
    ///
    /// # Errors
    ///
    /// [`StartError`]; nothing is left running then.
    pub fn start(loaded: Loaded) -> Result<Self, StartError> {
        start::start(loaded)
    }

    /// Swap a checked configuration in, whole or not at all. Calls that are up keep what they were admitted under.
    ///
    /// # Errors
    ///
    /// [`ReloadError`]; nothing has changed then.
    pub fn reload(&self, loaded: &Loaded) -> Result<Arc<Snapshot>, ReloadError> {
        self.core.take(Arc::new(loaded.clone()), None)
    }

    /// How long a stop may wait for calls that are up, as the configuration in force says.
    pub fn drain_time(&self) -> Duration {
        self.core.loaded.load().settings.drain
    }

    /// From now on, no new calls into these regions, and into no others kept out before: the whole list, by name.
    ///
    /// # Errors
    ///
    /// [`ReloadError::Stuck`].
    pub fn drain_regions(&self, names: &[&str]) -> Result<Arc<Snapshot>, ReloadError> {
        let names = names.iter().map(|n| (*n).to_owned()).collect();
        let said = Override::DrainOnly(names);
        let answer = self.core.order(|done| Order::Override(said, done));
        answer.and_then(Result::ok).ok_or(ReloadError::Stuck)
    }

    /// Open the file of records anew: somebody may have moved it away.
    pub fn reopen_files(&self) {
        self.core.shared.reopen.fetch_add(1, Ordering::Relaxed);
    }

    /// What every decision is made by right now.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.core.shared.snapshot.load_full()
    }

    /// What an operator reads on /metrics.
    pub fn metrics_text(&self) -> String {
        self.core.metrics()
    }

    /// What each shard holds and has counted.
    pub fn reports(&self) -> Vec<ShardReport> {
        self.core.reports()
    }

    /// Calls that are up or being set up.
    pub fn live_calls(&self) -> usize {
        self.reports().iter().map(|r| r.counts.hunting + r.counts.answered + r.counts.closing).sum()
    }

    /// Health changes and finished calls from now on. Who does not read them loses them, nobody waits.
    pub fn events(&self) -> Receiver<Notice> {
        self.core.shared.subscribers.add()
    }

    /// What it listens on, a line each, for people.
    pub fn listens(&self) -> Vec<String> {
        let snapshot = self.snapshot();
        let sip = snapshot.config.listeners.iter().map(|l| {
            let behind =
                if l.advertised == l.bind { String::new() } else { format!(", seen as {}", l.advertised) };
            format!("SIP   {} {} ({}){behind}", l.transport.as_str(), l.bind, l.name)
        });
        let media =
            self.core.settings.relay.as_ref().zip(self.core.engine.as_ref()).map(|(relay, engine)| {
                let at: Vec<_> = relay.addresses.iter().map(ToString::to_string).collect();
                let (first, last) = (relay.first_port, relay.last_port);
                format!("media {} ports {first} to {last}, {}", at.join(" and "), engine.capacity())
            });
        let carried = self.core.engine.as_ref().map(|e| format!("media carried by {}", e.standing()));
        let admin = self.core.settings.admin.map(|at| {
            let scheme = if self.core.shared.tls.load().admin().is_some() { "https" } else { "http" };
            format!("admin {scheme}://{at}/metrics")
        });
        let control = self.core.settings.control.as_ref().map(|path| format!("admin {}", path.display()));
        sip.chain(media).chain(carried).chain(admin).chain(control).collect()
    }

    /// Take no new calls. Those that are up go on.
    pub fn drain(&self) {
        self.core.shared.enter(Phase::Draining);
        if self.registers() {
            let (nobody, _) = sync_channel(1);
            let _ = self.core.orders.try_send(Order::Leave(nobody));
        }
    }

    fn registers(&self) -> bool {
        !self.core.shared.snapshot.load().config.registrations.is_empty()
    }

    /// Every shard's turns: a number that stands still for longer than a second is a stuck shard.
    pub fn turns(&self) -> Vec<u64> {
        self.core.shared.posts.iter().map(|p| p.turns.load(Ordering::Relaxed)).collect()
    }

    /// Why a part of the appliance has ended by itself, if one has: then the service should end.
    pub fn failure(&self) -> Option<String> {
        let media =
            self.core.engine.as_ref().and_then(Engine::failure).map(|why| format!("relay worker: {why}"));
        media.or_else(|| self.threads.failure())
    }

    /// Tell the log of strangers at the media ports, if there is news and it is time.
    pub(crate) fn look_out(&self, lookout: &mut Lookout) {
        if let Some(engine) = &self.core.engine {
            lookout.look(engine);
        }
    }

    /// Stop and wait for every thread. Calls that are up are left to their peers: [`drain`](Self::drain) first.
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for Appliance {
    fn drop(&mut self) {
        if self.registers() {
            // Answers still come while the shards run.
            let (left, leaving) = sync_channel(1);
            if self.core.orders.try_send(Order::Leave(left)).is_ok() {
                let _ = leaving.recv_timeout(LEAVING);
            }
        }
        self.core.shared.enter(Phase::Stopping);
        self.threads.join();
    }
}

impl Core {
    /// Ask the health thread for something and wait, though not for ever.
    fn order<T>(&self, order: impl FnOnce(std::sync::mpsc::SyncSender<T>) -> Order) -> Option<T> {
        let (tx, rx) = sync_channel(1);
        self.orders.try_send(order(tx)).ok()?;
        rx.recv_timeout(Duration::from_secs(5)).ok()
    }

    /// What is known of names.
    fn names(&self) -> Known {
        let (tx, rx) = sync_channel(1);
        let asked = self.names.try_send(dns::Order::Show(tx));
        asked.ok().and_then(|()| rx.recv_timeout(REPORT_TIMEOUT).ok()).unwrap_or_default()
    }

    fn reports(&self) -> Vec<ShardReport> {
        let (tx, rx) = sync_channel(self.shared.posts.len());
        let asked = self.shared.posts.iter().filter(|post| post.asks.try_send(tx.clone()).is_ok()).count();
        let until = Instant::now() + REPORT_TIMEOUT;
        let told =
            (0..asked).filter_map(|_| rx.recv_timeout(until.saturating_duration_since(Instant::now())).ok());
        let mut reports: Vec<_> = told.collect();
        reports.sort_by_key(|report| report.shard);
        reports
    }
}

impl Floor for Core {
    fn shared(&self) -> &Shared {
        &self.shared
    }

    fn reports(&self) -> Vec<ShardReport> {
        Self::reports(self)
    }

    fn media(&self) -> Option<(&Engine, &RelaySettings)> {
        self.engine.as_ref().zip(self.settings.relay.as_ref())
    }

    fn loaded(&self) -> Arc<Loaded> {
        self.loaded.load_full()
    }

    fn would_take(&self, loaded: &Loaded) -> Result<(), ReloadError> {
        Ok(needs_restart((&self.shared.snapshot.load().config, &self.settings), loaded)?)
    }

    fn take(&self, loaded: Arc<Loaded>, instead: Option<&Arc<Loaded>>) -> Result<Arc<Snapshot>, ReloadError> {
        let _alone = self.taking.lock().unwrap_or_else(PoisonError::into_inner);
        if instead.is_some_and(|known| !Arc::ptr_eq(known, &self.loaded.load())) {
            return Err(ReloadError::Overtaken);
        }
        self.would_take(&loaded)?;
        // Before the snapshot: a call of the new configuration finds its keys.
        if let Some(desk) = &self.shared.stir {
            desk.renew(&loaded.settings.stir, &loaded.settings.dns);
        }
        let resolution = dns::wait_for(&self.names, &loaded.config, &loaded.settings.dns);
        let snapshot = self.order(|done| Order::Reload(Arc::clone(&loaded.config), resolution, done));
        let snapshot = snapshot.ok_or(ReloadError::Stuck)?;
        // Targets are found in it by name, so that it may be a moment later than what names them.
        self.shared.tls.store(Arc::clone(&loaded.tls));
        self.loaded.store(loaded);
        Ok(snapshot)
    }

    fn say(&self, said: Override) -> Option<Result<Arc<Snapshot>, Refused>> {
        self.order(|done| Order::Override(said, done))
    }

    fn regions(&self) -> Vec<RegionView> {
        self.order(Order::Regions).unwrap_or_default()
    }

    fn names(&self) -> Known {
        Self::names(self)
    }

    fn registrations(&self) -> Vec<RegistrationView> {
        self.order(Order::Registrations).unwrap_or_default()
    }

    fn say_at_once(&self, said: Override) {
        let (nobody, _) = sync_channel(1);
        if self.orders.try_send(Order::Override(said, nobody)).is_err() {
            tracing::error!("the health thread takes no orders");
        }
    }
}

impl Shown for Core {
    fn metrics(&self) -> String {
        let shards = self.reports();
        metrics::render(Page {
            shards: &shards,
            snapshot: &self.shared.snapshot.load(),
            names: &self.names(),
            health: self.order(Order::Count).unwrap_or_default(),
            tally: &self.shared.tally,
            relay: self.engine.as_ref().map(Engine::counters),
            stir: self.shared.stir.as_ref().map(|desk| &desk.tally),
            durations: self.durations.render(),
            uptime_s: self.shared.clock.epoch().elapsed().as_secs_f64(),
        })
    }

    fn healthy(&self) -> Result<String, String> {
        let generation = self.shared.snapshot.load().generation;
        match self.shared.phase() {
            Phase::Running => Ok(format!("ok, generation {generation}\n")),
            Phase::Draining => Err("draining\n".to_owned()),
            Phase::Stopping => Err("stopping\n".to_owned()),
        }
    }
}

impl std::fmt::Debug for Core {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Core").field("settings", &self.settings).finish_non_exhaustive()
    }
}
