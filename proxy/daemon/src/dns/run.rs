//! The thread.

use super::asker::Asker;
use crate::clock::Clock;
use crate::config::DnsSettings;
use crate::health;
use crate::limits::{DNS_GATHER, HEARTBEAT};
use crate::shared::Shared;
use proxy_core::{
    Answer, Failure, Locate, LocateChange, LocateCounters, LocateInput, LocatePolicy, Place, PlaceState,
    PlaceView, QuestionId, Resolution, Snapshot, TargetState,
};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::Instant;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// What is asked of the thread by the appliance.
pub(crate) enum Order {
    /// These names are wanted from now on; answered when all of them have had an answer, or when that takes too long.
    Places { places: BTreeSet<Place>, settings: Box<DnsSettings>, done: SyncSender<Resolution> },
    /// From now on the health thread is told of changes, and what it finds down is heeded.
    Begin(Arc<Shared>, mpsc::Sender<health::Order>),
    /// What is known.
    Show(SyncSender<Known>),
}

/// What is known of names, for people.
#[derive(Debug, Clone, Default)]
pub(crate) struct Known {
    pub(crate) places: Vec<PlaceView>,
    pub(crate) counters: LocateCounters,
}

pub(crate) struct Kit {
    pub(crate) seed: u64,
    pub(crate) clock: Clock,
    pub(crate) orders: mpsc::Receiver<Order>,
}

/// Whoever waits for names that have had no answer yet.
struct Waiting {
    until: Instant,
    done: SyncSender<Resolution>,
}

struct Finder {
    locate: Locate,
    clock: Clock,
    settings: DnsSettings,
    /// Made for the first question.
    asker: Option<Asker>,
    answers: JoinSet<(QuestionId, Answer)>,
    resolution: Resolution,
    waiting: Vec<Waiting>,
    /// What the health thread was not told yet, and when it was told last.
    untold: Vec<LocateChange>,
    told: Option<Instant>,
    down: BTreeSet<SocketAddr>,
    generation: u64,
}

/// Until the appliance stops or is gone.
pub(crate) async fn run(kit: Kit) {
    let Kit { seed, clock, mut orders } = kit;
    let mut finder = Finder {
        locate: Locate::new(seed, LocatePolicy::default()),
        clock,
        settings: DnsSettings::default(),
        asker: None,
        answers: JoinSet::new(),
        resolution: Resolution::new(),
        waiting: Vec::new(),
        untold: Vec::new(),
        told: None,
        down: BTreeSet::new(),
        generation: 0,
    };
    let mut begun: Option<(Arc<Shared>, mpsc::Sender<health::Order>)> = None;
    loop {
        let stopping = begun.as_ref().is_some_and(|(shared, _)| *shared.stop.borrow());
        if stopping {
            return;
        }
        if let Some((shared, health)) = &begun {
            finder.tell(health).await;
            if finder.locate.poll_timeout().is_never() {
                // Without a name there is nothing to look after.
            } else {
                finder.heed(&shared.snapshot.load());
            }
        }
        let deadline = finder.deadline();
        tokio::select! {
            order = orders.recv() => match order {
                None => return,
                Some(Order::Begin(shared, health)) => begun = Some((shared, health)),
                Some(Order::Places { places, settings, done }) => finder.want(places, *settings, done),
                Some(Order::Show(done)) => {
                    let counters = *finder.locate.counters();
                    let _ = done.try_send(Known { places: finder.locate.places(), counters });
                }
            },
            Some(answered) = finder.answers.join_next() => {
                if let Ok((id, answer)) = answered {
                    finder.handle(LocateInput::Answer { id, answer });
                }
            }
            () = news(begun.as_ref()) => {}
            () = at(deadline) => finder.elapse(),
        }
    }
}

/// A snapshot, or the end. A missed bell costs a heartbeat.
async fn news(begun: Option<&(Arc<Shared>, mpsc::Sender<health::Order>)>) {
    match begun {
        Some((shared, _)) => shared.renewed.notified().await,
        None => std::future::pending().await,
    }
}

async fn at(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}

impl Finder {
    fn want(&mut self, places: BTreeSet<Place>, settings: DnsSettings, done: SyncSender<Resolution>) {
        self.handle(LocateInput::Policy(settings.policy));
        let until = Instant::now() + settings.start_wait;
        self.settings = settings;
        // The system's own servers may be others by now, too.
        self.asker = None;
        self.resolution.retain(|place, _| places.contains(place));
        self.handle(LocateInput::Places(places));
        self.handle(LocateInput::Anew);
        self.waiting.push(Waiting { until, done });
        self.answer_waiting();
    }

    fn handle(&mut self, input: LocateInput) {
        self.locate.handle(self.clock.now(), input);
        while let Some(question) = self.locate.poll_query() {
            let asker = self.asker();
            self.answers.spawn(async move {
                let answer = match asker {
                    Some(asker) => asker.ask(&question).await,
                    None => Answer::Failed(Failure::Server),
                };
                (question.id, answer)
            });
        }
        while let Some(change) = self.locate.poll_change() {
            let LocateChange { place, addresses } = &change;
            let list: Vec<String> = addresses.iter().map(|one| one.address.to_string()).collect();
            tracing::info!(name = %place, addresses = list.join(" "), "name located");
            self.resolution.insert(place.clone(), addresses.clone());
            self.untold.retain(|other| other.place != change.place);
            self.untold.push(change);
        }
        self.answer_waiting();
    }

    fn asker(&mut self) -> Option<Asker> {
        if self.asker.is_none() {
            match Asker::new(&self.settings) {
                Ok(asker) => self.asker = Some(asker),
                Err(error) => tracing::error!(%error, "no name servers: names are not looked up"),
            }
        }
        self.asker.clone()
    }

    fn elapse(&mut self) {
        if self.locate.poll_timeout() <= self.clock.now() {
            self.handle(LocateInput::Timeout);
        }
        self.answer_waiting();
    }

    /// Whoever waits hears when all is known, or when the time is over.
    fn answer_waiting(&mut self) {
        let (now, settled) = (Instant::now(), self.locate.is_settled());
        for waiting in self.waiting.extract_if(.., |waiting| settled || waiting.until <= now) {
            for view in self.locate.places().iter().filter(|view| view.state == PlaceState::Nothing) {
                let why = view.why.map_or("", |why| why.as_str());
                tracing::warn!(name = %view.place, why, "name without an address: its targets do not exist yet");
            }
            let _ = waiting.done.try_send(self.resolution.clone());
        }
    }

    /// Hands changes on, though not more often than once in [`DNS_GATHER`]: each is a new configuration.
    async fn tell(&mut self, health: &mpsc::Sender<health::Order>) {
        let due = self.told.is_none_or(|told| told.elapsed() >= DNS_GATHER);
        if due && !self.untold.is_empty() {
            self.told = Some(Instant::now());
            // The health thread takes orders for as long as there is an appliance.
            let _ = health.send(health::Order::Located(std::mem::take(&mut self.untold))).await;
        }
    }

    /// What health says of addresses.
    fn heed(&mut self, snapshot: &Snapshot) {
        if snapshot.generation == self.generation {
            return;
        }
        self.generation = snapshot.generation;
        let targets = snapshot.config.targets.iter().zip(&snapshot.health);
        let down = targets.filter(|(_, health)| health.state == TargetState::Down);
        let down: BTreeSet<SocketAddr> = down.map(|(target, _)| target.peer.remote).collect();
        if down != self.down {
            self.down.clone_from(&down);
            self.handle(LocateInput::Down(down));
        }
    }

    fn deadline(&self) -> Option<Instant> {
        let locate = self.locate.poll_timeout();
        let locate = (!locate.is_never()).then(|| self.clock.deadline(locate, HEARTBEAT));
        let waiting = self.waiting.iter().map(|waiting| waiting.until).min();
        let untold = self.told.filter(|_| !self.untold.is_empty()).map(|told| told + DNS_GATHER);
        [locate, waiting, untold].into_iter().flatten().min()
    }
}
