//! The health core's thread. Its own, so that a busy shard never delays the news that a region is dead.
//!
//! Probes leave through duplicates of the listeners' sockets, so that they come from the address that calls come from;
//! the answers arrive at whichever shard the kernel chooses, which forwards them here.

use crate::limits::HEARTBEAT;
use crate::notice::Notice;
use crate::overrides::{self, Override, Refused};
use crate::shared::{Shared, count};
use bytes::Bytes;
use proxy_core::{
    Config, Disputed, Health, HealthCounters, HealthInput, HealthOutput, LocateChange, Peer, RegionState,
    RegionView, RegistrationView, Resolution, Snapshot, SwitchReason, TargetState, TransportFailure,
};
use std::io::ErrorKind;
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use tokio::sync::mpsc;

/// What is asked of the health thread by the appliance, never lost.
pub(crate) enum Order {
    /// Take a new configuration, and what is known of its names; the answer is the snapshot that shows it.
    Reload(Arc<Config>, Resolution, SyncSender<Arc<Snapshot>>),
    /// What is known of names has changed.
    Located(Vec<LocateChange>),
    /// What an operator says; the answer is the snapshot that shows it.
    Override(Override, SyncSender<Result<Arc<Snapshot>, Refused>>),
    /// What is known of every region, and from what.
    Regions(SyncSender<Vec<RegionView>>),
    /// Trunks that have us registered.
    Registrations(SyncSender<Vec<RegistrationView>>),
    /// We stop: answered when no registrar has bound us any more.
    Leave(SyncSender<()>),
    /// What was counted.
    Count(SyncSender<HealthCounters>),
}

/// What the thread is given.
pub(crate) struct Kit {
    pub(crate) seed: u64,
    /// As it is configured, with names, and what is known of these: the first snapshot has both.
    pub(crate) configured: Arc<Config>,
    pub(crate) resolution: Resolution,
    pub(crate) shared: Arc<Shared>,
    /// By the listener's number; `None` for streams.
    pub(crate) sockets: Vec<Option<UdpSocket>>,
    pub(crate) inputs: mpsc::Receiver<HealthInput>,
    pub(crate) orders: mpsc::Receiver<Order>,
}

struct Keeper {
    health: Health,
    configured: Arc<Config>,
    resolution: Resolution,
    /// What the log was told of.
    disputed: Vec<Disputed>,
    shared: Arc<Shared>,
    sockets: Vec<Option<UdpSocket>>,
    /// Who waits until we have left every registrar.
    waiting: Vec<SyncSender<()>>,
    /// What was said of registrations last.
    registered: Vec<RegistrationView>,
}

pub(crate) async fn run(kit: Kit) {
    let Kit { seed, configured, resolution, shared, sockets, mut inputs, mut orders } = kit;
    let mut stop = shared.stop.subscribe();
    let health = Health::new(seed, shared.snapshot.load_full());
    let mut keeper = Keeper {
        health,
        configured,
        resolution,
        disputed: Vec::new(),
        shared,
        sockets,
        waiting: Vec::new(),
        registered: Vec::new(),
    };
    keeper.located();
    while !*stop.borrow() {
        let deadline = keeper.shared.clock.deadline(keeper.health.poll_timeout(), HEARTBEAT);
        tokio::select! {
            // Inputs first: an answer that waits here has arrived in time.
            biased;
            _ = stop.changed() => {}
            Some(input) = inputs.recv() => keeper.handle(input),
            Some(order) = orders.recv() => keeper.obey(order),
            () = tokio::time::sleep_until(deadline.into()) => {
                if keeper.health.poll_timeout() <= keeper.shared.clock.now() {
                    keeper.handle(HealthInput::Timeout);
                }
            }
        }
    }
}

impl Keeper {
    fn obey(&mut self, order: Order) {
        match order {
            Order::Reload(config, resolution, done) => {
                self.resolution.retain(|place, _| config.named.iter().any(|named| named.place == *place));
                // What came by itself is no older than what was known when the reload was asked for.
                for (place, addresses) in resolution {
                    self.resolution.entry(place).or_insert(addresses);
                }
                self.configured = config;
                let config = self.located();
                self.handle(HealthInput::Config(config));
                let _ = done.try_send(Arc::clone(self.health.snapshot()));
            }
            Order::Located(changes) => {
                for LocateChange { place, addresses } in changes {
                    self.resolution.insert(place, addresses);
                }
                let config = self.located();
                if config != self.health.snapshot().config {
                    self.handle(HealthInput::Config(config));
                }
            }
            Order::Override(said, done) => {
                tracing::info!(?said, "an operator says");
                let applied = overrides::apply(self.health.snapshot(), said);
                let answer = applied.map(|overrides| {
                    self.handle(HealthInput::Overrides(overrides));
                    Arc::clone(self.health.snapshot())
                });
                let _ = done.try_send(answer);
            }
            Order::Regions(done) => {
                let _ = done.try_send(self.health.regions(self.shared.clock.now()));
            }
            Order::Registrations(done) => {
                let _ = done.try_send(self.health.registrations());
            }
            Order::Leave(done) => {
                self.waiting.push(done);
                self.handle(HealthInput::Leave);
            }
            Order::Count(done) => {
                let _ = done.try_send(*self.health.counters());
            }
        }
    }

    /// The configuration with the addresses that its names have.
    fn located(&mut self) -> Arc<Config> {
        if self.configured.named.is_empty() {
            return Arc::clone(&self.configured);
        }
        let (config, disputed) = self.configured.located(&self.resolution);
        for new in disputed.iter().filter(|new| !self.disputed.contains(new)) {
            let Disputed { target, address, dispute } = new;
            let whose = dispute.as_str();
            tracing::warn!(target_name = target, %address, whose, "an address of a name is somebody else's: not used");
        }
        self.disputed = disputed;
        Arc::new(config)
    }

    /// One input, and what comes of it; a probe that cannot be sent is an input in turn, though never more than one for
    /// each target.
    fn handle(&mut self, input: HealthInput) {
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            self.health.handle(self.shared.clock.now(), input);
            while let Some(output) = self.health.poll_output() {
                match output {
                    HealthOutput::Send { to, bytes } => inputs.extend(self.send(to, &bytes)),
                    HealthOutput::Snapshot { snapshot, changes } => self.publish(snapshot, changes),
                }
            }
        }
        if !self.waiting.is_empty() && self.health.has_left() {
            for done in self.waiting.drain(..) {
                let _ = done.try_send(());
            }
        }
    }

    /// What has become of registrations.
    fn talk_of_registrations(&mut self) {
        let now = self.health.registrations();
        let known = |trunk: &str| self.registered.iter().find(|before| before.trunk == trunk);
        for view in &now {
            let before = known(&view.trunk).map_or("", |before| before.state);
            let (trunk, registrar) = (view.trunk.as_str(), view.registrar.as_deref().unwrap_or_default());
            match view.state {
                state if state == before => {}
                "registered" => tracing::info!(trunk, registrar, "registered"),
                "failed" => tracing::warn!(trunk, code = view.last.unwrap_or(0), "no registrar has us"),
                state => tracing::debug!(trunk, state, "registration"),
            }
        }
        self.registered = now;
    }

    fn send(&self, to: Peer, bytes: &Bytes) -> Option<HealthInput> {
        if to.transport.is_reliable() {
            self.shared.send_stream(to, bytes.clone());
            return None;
        }
        let socket = self.sockets.get(to.listener.index())?.as_ref()?;
        let mut result = socket.send_to(bytes, to.remote);
        if result.as_ref().is_err_and(|e| e.kind() == ErrorKind::ConnectionRefused) {
            // The late ICMP answer to somebody else's datagram; taken note of elsewhere, gone now.
            result = socket.send_to(bytes, to.remote);
        }
        let error = result.err()?;
        count(&self.shared.tally.probe_send_errors);
        let failure = match error.kind() {
            ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => TransportFailure::Unreachable,
            // The probe is lost like one lost on the wire, and counts as that when its time is over.
            _ => return None,
        };
        Some(HealthInput::TransportError { to, failure })
    }

    fn publish(&mut self, snapshot: Arc<Snapshot>, changes: Vec<proxy_core::HealthChange>) {
        let generation = snapshot.generation;
        let registers = !snapshot.config.registrations.is_empty() || !self.registered.is_empty();
        // First the switch, then the talk about it.
        let before = self.shared.publish(Arc::clone(&snapshot));
        self.shared.history.add(self.shared.clock.now(), &before, &snapshot, &changes);
        if before.config_generation == snapshot.config_generation {
            talk_of_regions(&before, &snapshot);
        }
        if registers {
            self.talk_of_registrations();
        }
        for change in changes {
            let (from, to) = (state(change.from), state(change.to));
            let (target, reason) = (change.name.as_str(), change.reason.as_str());
            if change.to == TargetState::Up {
                tracing::info!(target_name = target, from, to, reason, generation, "target usable again");
            } else {
                tracing::warn!(target_name = target, from, to, reason, generation, "target not usable");
            }
            self.shared.subscribers.tell(|| Notice::Health { change: change.clone(), generation });
        }
    }
}

/// What has become of regions and of a drill between two snapshots of one configuration.
fn talk_of_regions(before: &Snapshot, now: &Snapshot) {
    let generation = now.generation;
    let known = now.config.regions.iter().zip(&now.regions).zip(&before.regions);
    for ((region, is), was) in known.filter(|((_, is), was)| is.state != was.state) {
        let (name, from, to) = (region.name.as_str(), region_state(was.state), region_state(is.state));
        let reason = is.reason.map_or("", SwitchReason::as_str);
        match is.state {
            RegionState::Up => {
                tracing::info!(region = name, from, to, reason, generation, "region usable again")
            }
            RegionState::Suspect => {
                tracing::info!(region = name, from, to, reason, generation, "region suspected")
            }
            RegionState::Down => {
                let after_ms = is.since.since(is.suspected).as_millis();
                tracing::warn!(region = name, from, to, reason, after_ms, generation, "region down");
            }
        }
    }
}

/// A state's name in logs and metrics.
pub(crate) fn state(state: TargetState) -> &'static str {
    match state {
        TargetState::Up => "up",
        TargetState::Backoff => "backoff",
        TargetState::Down => "down",
    }
}

/// A region's state in logs, metrics and answers.
pub(crate) fn region_state(state: RegionState) -> &'static str {
    match state {
        RegionState::Up => "up",
        RegionState::Suspect => "suspect",
        RegionState::Down => "down",
    }
}
