//! What every request of the admin API works with.

use super::audit::{Audit, Change};
use crate::api::DeniedTally;
use crate::api::shapes::{Region, Scanners, Status, Words};
use crate::appliance::ReloadError;
use crate::clock::Clock;
use crate::config::{Loaded, RelaySettings};
use crate::dns::Known;
use crate::history::History;
use crate::limits::CONTROL_WRITE;
use crate::notice::Notice;
use crate::observe::{self, Traced};
use crate::overrides::{Override, Place, Refused};
use crate::report::ShardReport;
use crate::shared::{Mail, Phase, Shared};
use crate::tls::Tls;
use datapath::Engine;
use proxy_core::{RegionView, RegistrationView, Snapshot};
use serde::Serialize;
use serde_json::Value;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::Notify;
use tokio::time::timeout;

/// What the desk needs of the appliance.
pub(crate) trait Floor: Send + Sync + 'static {
    fn shared(&self) -> &Shared;
    /// One report of each shard that is not too busy. Waits: not for a thread that serves others.
    fn reports(&self) -> Vec<ShardReport>;
    /// What carries media, unless it bypasses us.
    fn media(&self) -> Option<(&Engine, &RelaySettings)>;
    /// What is known of every region, and from what. Waits too.
    fn regions(&self) -> Vec<RegionView>;
    /// What is known of names. Waits too.
    fn names(&self) -> Known;
    /// Trunks that have us registered. Waits too.
    fn registrations(&self) -> Vec<RegistrationView>;
    /// What was taken last, as it is configured.
    fn loaded(&self) -> Arc<Loaded>;
    /// Whether this could be taken without a restart.
    fn would_take(&self, loaded: &Loaded) -> Result<(), ReloadError>;
    /// Take a configuration, in place of this one and of no other if one is named. Waits for names and for the health thread.
    fn take(&self, loaded: Arc<Loaded>, instead: Option<&Arc<Loaded>>) -> Result<Arc<Snapshot>, ReloadError>;
    /// Say something to the health thread and wait for the snapshot that shows it; `None` if it does not answer.
    fn say(&self, said: Override) -> Option<Result<Arc<Snapshot>, Refused>>;
    /// The same without waiting, for what has to be said from a destructor.
    fn say_at_once(&self, said: Override);
}

/// The appliance as operators see it.
pub(crate) struct Desk {
    floor: Arc<dyn Floor>,
    /// Orders and drills are told apart by this.
    last: AtomicU64,
    /// Places that are being drained or drilled.
    busy: Mutex<Vec<(Place, Arc<Notify>)>>,
    audit: Arc<Audit>,
}

impl Desk {
    pub(crate) fn new(floor: Arc<dyn Floor>, audit: Audit) -> Self {
        Self { floor, last: AtomicU64::new(0), busy: Mutex::default(), audit: Arc::new(audit) }
    }

    /// Writes down what somebody asks for; the change may be made once this is back.
    pub(crate) async fn asked(
        &self,
        who: &str,
        what: &'static str,
        on: impl Serialize,
        before: Value,
    ) -> Result<Change, Words> {
        self.audit.asked(who, what, on, before).await
    }

    pub(crate) fn loaded(&self) -> Arc<Loaded> {
        self.floor.loaded()
    }

    pub(crate) fn would_take(&self, loaded: &Loaded) -> Result<(), ReloadError> {
        self.floor.would_take(loaded)
    }

    /// Takes a configuration, in place of this one and of no other if one is named.
    pub(crate) async fn take_over(
        &self,
        loaded: Arc<Loaded>,
        instead: Option<Arc<Loaded>>,
    ) -> Result<Arc<Snapshot>, ReloadError> {
        let floor = Arc::clone(&self.floor);
        let taken = tokio::task::spawn_blocking(move || floor.take(loaded, instead.as_ref())).await;
        taken.unwrap_or(Err(ReloadError::Stuck))
    }

    /// Requests that were turned away.
    pub(crate) fn denied(&self) -> &DeniedTally {
        &self.floor.shared().tally.denied
    }

    /// How TLS is spoken now.
    pub(crate) fn tls(&self) -> Arc<Tls> {
        self.floor.shared().tls.load_full()
    }

    pub(crate) fn clock(&self) -> Clock {
        self.floor.shared().clock
    }

    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        self.floor.shared().snapshot.load_full()
    }

    pub(crate) fn notices(&self) -> Receiver<Notice> {
        self.floor.shared().subscribers.add()
    }

    pub(crate) fn history(&self) -> &History {
        &self.floor.shared().history
    }

    pub(crate) async fn status(&self) -> Status {
        super::status::now(self).await
    }

    /// Every region, and the generation that this was read from.
    pub(crate) async fn region_table(&self) -> (u64, Vec<Region>) {
        super::regions::table(self).await
    }

    /// Strangers that are met with silence; with `forget` they are forgotten, and this is what the list was.
    pub(crate) async fn scanners(&self, forget: bool) -> Result<Scanners, Words> {
        super::scanners::list(self, forget).await
    }

    /// What is kept of a call's signalling, by the Call-ID of either leg; `None`: nothing is kept of any.
    pub(crate) async fn trace(&self, call_id: String) -> Option<Traced> {
        let floor = Arc::clone(&self.floor);
        // Looks through all that is kept.
        tokio::task::spawn_blocking(move || observe::trace(floor.shared(), &call_id)).await.ok().flatten()
    }

    pub(crate) fn shards(&self) -> usize {
        self.floor.shared().posts.len()
    }

    pub(super) fn next_id(&self) -> u64 {
        self.last.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(crate) async fn reports(&self) -> Vec<ShardReport> {
        let floor = Arc::clone(&self.floor);
        tokio::task::spawn_blocking(move || floor.reports()).await.unwrap_or_default()
    }

    pub(super) fn media(&self) -> Option<(&Engine, &RelaySettings)> {
        self.floor.media()
    }

    pub(super) fn phase(&self) -> Phase {
        self.floor.shared().phase()
    }

    pub(super) async fn regions(&self) -> Vec<RegionView> {
        let floor = Arc::clone(&self.floor);
        tokio::task::spawn_blocking(move || floor.regions()).await.unwrap_or_default()
    }

    pub(super) async fn names(&self) -> Known {
        let floor = Arc::clone(&self.floor);
        tokio::task::spawn_blocking(move || floor.names()).await.unwrap_or_default()
    }

    pub(super) async fn registrations(&self) -> Vec<RegistrationView> {
        let floor = Arc::clone(&self.floor);
        tokio::task::spawn_blocking(move || floor.registrations()).await.unwrap_or_default()
    }

    pub(super) async fn say(&self, said: Override) -> Result<Arc<Snapshot>, Words> {
        let floor = Arc::clone(&self.floor);
        let answer = tokio::task::spawn_blocking(move || floor.say(said)).await;
        match answer.ok().flatten() {
            Some(answer) => answer.map_err(|refused| words(&refused)),
            None => Err(Words {
                message: "the health thread does not answer".to_owned(),
                advice: "look at the log; a restart may be what is left".to_owned(),
            }),
        }
    }

    /// Put something into a shard's post. Waits for room, though not for ever.
    pub(crate) async fn post(&self, shard: usize, mail: Mail) -> Result<(), Words> {
        let stuck = || Words {
            message: format!("shard {shard} takes no orders"),
            advice: "it is overloaded or stuck: look at /metrics and the log".to_owned(),
        };
        let post = self.floor.shared().posts.get(shard).ok_or_else(stuck)?;
        match timeout(CONTROL_WRITE, post.mail.send(mail)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(stuck()),
        }
    }

    /// Begin no further move of this order.
    pub(super) async fn stop_moves(&self, order: u64) {
        for shard in 0..self.shards() {
            if let Err(words) = self.post(shard, Mail::StopMove(order)).await {
                tracing::warn!("{}", words.message);
            }
        }
    }

    /// Keep others from a place while something is done with it.
    pub(super) fn claim(self: &Arc<Self>, place: &Place) -> Result<Claim, Words> {
        let mut busy = self.busy();
        if busy.iter().any(|(other, _)| other == place) {
            return Err(Words {
                message: format!("somebody is draining or drilling `{}` at this moment", place.name()),
                advice: "wait for its end, or stop it with Ctrl-C where it was begun".to_owned(),
            });
        }
        let stop = Arc::new(Notify::new());
        busy.push((place.clone(), Arc::clone(&stop)));
        Ok(Claim { desk: Arc::clone(self), place: place.clone(), stop })
    }

    /// Has a drain or a drill end before its time, as its client's going does, but for the summary; whether there was one.
    pub(crate) fn stop(&self, place: &Place) -> bool {
        let busy = self.busy();
        let found = busy.iter().find(|(other, _)| other == place);
        found.inspect(|(_, stop)| stop.notify_one()).is_some()
    }

    fn busy(&self) -> MutexGuard<'_, Vec<(Place, Arc<Notify>)>> {
        self.busy.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

pub(super) fn words(refused: &Refused) -> Words {
    Words { message: refused.to_string(), advice: refused.advice() }
}

/// A place that nobody else works on until this is dropped.
pub(super) struct Claim {
    desk: Arc<Desk>,
    place: Place,
    stop: Arc<Notify>,
}

impl Claim {
    /// Waits until somebody wants it to be over.
    pub(super) async fn stopped(&self) {
        self.stop.notified().await;
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let place = &self.place;
        self.desk.busy().retain(|(other, _)| other != place);
    }
}

/// What has to be unsaid, whatever happens: by [`now`](Self::now), or else by the destructor.
pub(super) struct Undo {
    desk: Arc<Desk>,
    said: Option<Override>,
}

impl Undo {
    pub(super) fn new(desk: &Arc<Desk>, said: Option<Override>) -> Self {
        Self { desk: Arc::clone(desk), said }
    }

    /// Let stand what was said.
    pub(super) fn keep(&mut self) {
        self.said = None;
    }

    pub(super) async fn now(&mut self) -> Result<(), Words> {
        match self.said.take() {
            Some(said) => self.desk.say(said).await.map(|_| ()),
            None => Ok(()),
        }
    }
}

impl Drop for Undo {
    fn drop(&mut self) {
        if let Some(said) = self.said.take() {
            self.desk.floor.say_at_once(said);
        }
    }
}
