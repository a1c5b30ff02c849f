//! Virtual time: one queue of events, both cores, every agent.

mod appliance;
mod audit;
mod bound;
mod look;
mod media;
mod names;
mod queue;
mod stranger;
mod wire;

pub use media::Heard;
pub use names::{Mood, Zone};

use crate::agent::{Agent, Book, CallPlan, Wake};
use crate::checks::Checks;
use crate::link::Link;
use crate::maps::Map;
use crate::rng::Rng;
use crate::setup::{AGENTS, OURS, Setup};
use crate::trace::Trace;
use bound::Bound;
use bytes::Bytes;
use proxy_core::{
    CallRecord, Config, Health, HealthInput, Input, LocateInput, MoveOrder, MoveProgress, Overrides, Receipt,
    Shard, Snapshot,
};
use queue::Queue;
use relay_core::Relay;
use relay_values::{Duration, Leg, RelayCommand, RelayEvent, SessionId, Time};
use sip_audit::Auditor;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use stranger::Stranger;

/// Something that will happen.
#[derive(Debug)]
pub enum Event {
    /// An agent places a call.
    Call(usize),
    /// A SIP datagram reaches us.
    ToUs(SocketAddr, Bytes),
    /// A SIP datagram reaches an agent.
    ToAgent(usize, Bytes),
    /// An RTP packet from there reaches our port here.
    RtpToUs(SocketAddr, SocketAddr, Vec<u8>),
    /// An RTP packet reaches an agent's port.
    RtpToAgent(usize, u16, Vec<u8>),
    /// An agent's wake-up, of this life of its.
    Wake(usize, u32, Wake),
    /// ICMP: what we sent there found no port.
    Icmp(SocketAddr),
    /// From a shard to the relay.
    Command(Box<RelayCommand>),
    /// From the relay to a shard.
    Media(Box<RelayEvent>),
    /// From the relay to the shard that passes on what it hears of regions.
    Region(Box<RelayEvent>),
    /// From a shard to the health core.
    Health(Box<HealthInput>),
    /// From the health core to a shard.
    Snapshot(u8, Arc<Snapshot>),
    /// Something happens to an agent.
    Agent(usize, Condition),
    /// The network changes.
    Link(Link),
    /// A new configuration.
    Reload(Arc<Config>),
    /// Operators speak.
    Overrides(Overrides),
    /// Operators move calls: every shard is told.
    Move(MoveOrder),
    /// They have changed their minds.
    StopMove(u64),
    /// To the core that locates.
    Named(Box<LocateInput>),
    /// The name server is otherwise.
    NameServer(Mood),
    /// It has other records.
    Zone(Zone),
    /// The rules look at who still holds what.
    Look,
    /// A stranger tries our ports.
    Spray,
}

/// How an agent is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// Well.
    Alive,
    /// Stopped (SIGSTOP): what reaches it waits.
    Frozen,
    /// Killed: its port is closed, and what it knew is gone.
    Dead,
    /// Cut off: nothing reaches it, nothing leaves it.
    Cut,
}

/// What has happened to edges and regions, in numbers.
#[derive(Debug, Clone, Copy, Default)]
pub struct Faults {
    /// Edges stopped.
    pub frozen: u64,
    /// Edges killed.
    pub killed: u64,
    /// Edges cut off.
    pub cut: u64,
    /// Times that the relay heard a region fall silent.
    pub silent: u64,
}

/// Both cores and everybody around them.
pub struct World {
    /// The present.
    pub now: Time,
    /// What the run is like.
    pub setup: Setup,
    /// Signalling.
    pub shards: Vec<Shard>,
    /// Health.
    pub health: Health,
    /// Media.
    pub relay: Relay,
    /// Carriers and edges.
    pub agents: Vec<Agent>,
    /// Their condition.
    pub conditions: Vec<Condition>,
    /// The calls.
    pub book: Book,
    /// Records of finished calls.
    pub records: Vec<CallRecord>,
    /// Receipts of moves, as they were told.
    pub receipts: Vec<Receipt>,
    /// What happened to the world.
    pub faults: Faults,
    /// How orders came on, as it was told: shard and progress.
    pub progress: Vec<(u8, MoveProgress)>,
    /// From when to when what reaches us has waited for so long before its shard looks at it.
    pub busy: Option<(Time, Time, Duration)>,
    /// RTP that left us, if the setup's stories want to look at it.
    pub tape: Vec<Heard>,
    /// What happened.
    pub trace: Trace,
    /// What must not happen.
    pub checks: Checks,
    /// A stranger who reads every message of SIP that crosses our border.
    auditor: Option<Auditor>,
    ours: SocketAddr,
    link: Link,
    rng: Rng,
    lives: Vec<u32>,
    waiting: Vec<Vec<Event>>,
    /// Neighbours by name, where the setup has them.
    names: Option<names::Names>,
    queue: Queue,
    due: Due,
    bound: Bound,
    /// Where the relay writes packets of its own.
    buffer: Vec<u8>,
    /// Whose our RTP ports are.
    sessions: Map<u16, (SessionId, Leg)>,
    stranger: Stranger,
    calls: Map<Vec<u8>, usize>,
    by_address: Map<SocketAddr, usize>,
    by_media: Map<IpAddr, usize>,
}

/// When each core wants to be woken, as it said after its last turn.
#[derive(Default)]
struct Due {
    shards: Vec<Time>,
    health: Time,
    relay: Time,
    names: Time,
}

impl Due {
    fn cores(&self) -> Time {
        self.shards.iter().copied().fold(self.health.min(self.relay).min(self.names), Time::min)
    }
}

/// Datagrams that the sockets of a stopped process hold; the system drops the rest.
const BACKLOG: usize = 512;

/// Turns at one instant before it is called a loop.
const MOST_TURNS: u32 = 100_000;

impl World {
    /// A world in which these calls will be made.
    pub fn new(setup: Setup, plans: Vec<CallPlan>) -> Self {
        let mut rng = Rng::new(setup.seed.wrapping_mul(31).wrapping_add(7));
        let ours: SocketAddr = OURS.parse().expect("an address");
        let zone = setup.named.clone();
        let names = zone.map(|zone| names::Names::new(setup.seed, setup.config(), zone));
        let config = names.as_ref().map_or_else(|| setup.config(), names::Names::config);
        let first = Arc::new(Snapshot::first(Arc::new(config)));
        let shards =
            (0..setup.shards).map(|id| Shard::new(id, rng.bits(), Time::ZERO, Arc::clone(&first))).collect();
        let mut trace = Trace::default();
        trace.name(ours, "us");
        let mut agents = Vec::new();
        let (mut by_address, mut by_media) = (Map::default(), Map::default());
        for (name, side, at, media) in AGENTS {
            let (at, media) = (at.parse().expect("an address"), media.parse().expect("an address"));
            trace.name(at, name);
            by_address.insert(at, agents.len());
            by_media.insert(media, agents.len());
            agents.push(Agent::new(name, side, (at, media), ours, &setup, rng.fork()));
        }
        let mut world = Self {
            now: Time::ZERO,
            shards,
            health: Health::new(rng.bits(), Arc::clone(&first)),
            relay: Relay::new(&setup.relay(), rng.bits()),
            conditions: vec![Condition::Alive; agents.len()],
            lives: vec![0; agents.len()],
            waiting: agents.iter().map(|_| Vec::new()).collect(),
            agents,
            records: Vec::new(),
            receipts: Vec::new(),
            faults: Faults::default(),
            progress: Vec::new(),
            busy: None,
            tape: Vec::new(),
            trace,
            checks: Checks::new(&setup, first),
            auditor: Some(audit::auditor(&setup, ours)),
            ours,
            link: setup.link,
            rng,
            names,
            queue: Queue::default(),
            due: Due::default(),
            bound: Bound::default(),
            buffer: vec![0; 1500],
            sessions: Map::default(),
            stranger: Stranger::new(&setup),
            calls: Map::default(),
            by_address,
            by_media,
            book: Book::default(),
            setup,
        };
        world.due = Due {
            shards: world.shards.iter().map(Shard::poll_timeout).collect(),
            health: world.health.poll_timeout(),
            relay: world.relay.poll_timeout(),
            names: world.locate().map_or(Time::NEVER, proxy_core::Locate::poll_timeout),
        };
        for (call, plan) in plans.iter().enumerate() {
            world.at(Time::ZERO + plan.at, Event::Call(call));
        }
        if world.setup.stranger {
            world.at(Time::ZERO, Event::Spray);
        }
        world.book = Book::new(plans);
        world
    }

    /// Lets something happen at an instant.
    pub fn at(&mut self, at: Time, event: Event) {
        self.queue.push(at.max(self.now), event);
    }

    /// Lets something happen after a while.
    pub fn after(&mut self, wait: Duration, event: Event) {
        self.at(self.now + wait, event);
    }

    /// Lets time pass.
    pub fn run_until(&mut self, end: Time) {
        let mut turns = 0;
        loop {
            let event = self.queue.next();
            let next = event.min(self.due.cores()).max(self.now);
            if next > end {
                break;
            }
            turns = if next == self.now { turns + 1 } else { 0 };
            if turns > MOST_TURNS {
                self.checks.broken(
                    self.now,
                    None,
                    "progress",
                    "time stands still: a core asks to be woken again and again".into(),
                );
                break;
            }
            self.now = next;
            // What the sockets hold comes before what the clock says.
            if event <= next {
                let Some(event) = self.queue.pop() else { break };
                self.happen(event);
            } else {
                self.cores_due();
            }
        }
        self.now = self.now.max(end);
        self.checks.clock(self.now);
    }

    /// Lets time pass.
    pub fn run_for(&mut self, time: Duration) {
        self.run_until(self.now + time);
    }

    fn cores_due(&mut self) {
        for id in 0..self.shards.len() {
            if self.due.shards[id] <= self.now {
                self.shard(id, Input::Timeout);
            }
        }
        if self.due.health <= self.now {
            self.health.handle(self.now, HealthInput::Timeout);
            self.drain_health();
        }
        if self.due.names <= self.now {
            self.name_input(LocateInput::Timeout);
        }
        if self.due.relay <= self.now {
            self.relay.timeout(self.now);
            self.drain_relay();
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Call(call) => {
                let Some(plan) = self.book.plans.get(call).cloned() else { return };
                if self.conditions[plan.from] == Condition::Alive {
                    self.agents[plan.from].call(self.now, call, &plan.caller);
                    self.drain_agent(plan.from);
                }
            }
            Event::ToUs(from, bytes) => self.reaches_us(from, bytes),
            Event::ToAgent(agent, _) | Event::RtpToAgent(agent, ..) | Event::Wake(agent, ..)
                if self.conditions[agent] == Condition::Frozen =>
            {
                // A timer of its own is no datagram.
                let kept = matches!(event, Event::Wake(..)) || self.waiting[agent].len() < BACKLOG;
                self.waiting[agent].extend(kept.then_some(event));
            }
            Event::ToAgent(agent, bytes) => self.reaches_agent(agent, &bytes),
            Event::RtpToUs(at, from, packet) => self.rtp_to_us(at, from, packet),
            Event::RtpToAgent(agent, port, packet) => {
                if self.conditions[agent] == Condition::Alive {
                    self.agents[agent].hear(self.now, port, &packet);
                }
            }
            Event::Wake(agent, life, wake) => {
                if self.lives[agent] == life {
                    self.agents[agent].wake(self.now, wake);
                    self.drain_agent(agent);
                }
            }
            Event::Icmp(to) => self.icmp(to),
            Event::Command(command) => {
                self.checks.command(self.now, &command);
                self.stranger.command(&command);
                self.relay.command(self.now, *command);
                self.drain_relay();
            }
            Event::Media(event) => {
                if let Some(session) = event.session() {
                    self.shard(usize::from(session.shard()), Input::Relay(*event));
                }
            }
            Event::Region(event) => self.shard(0, Input::Relay(*event)),
            Event::Health(input) => {
                self.health.handle(self.now, *input);
                self.drain_health();
            }
            Event::Snapshot(shard, snapshot) => {
                self.checks.snapshot(self.now, shard, &snapshot);
                self.shard(usize::from(shard), Input::Snapshot(snapshot));
            }
            Event::Agent(agent, condition) => self.change(agent, condition),
            Event::Link(link) => self.link = link,
            Event::Reload(config) => {
                self.trace.note(self.now, None, "a new configuration".into());
                self.health.handle(self.now, HealthInput::Config(config));
                self.drain_health();
            }
            Event::Move(order) => {
                self.trace.note(self.now, None, format!("{order:?}"));
                for id in 0..self.shards.len() {
                    self.shard(id, Input::Move(order.clone()));
                }
            }
            Event::StopMove(order) => {
                for id in 0..self.shards.len() {
                    self.shard(id, Input::StopMove(order));
                }
            }
            Event::Named(input) => self.name_input(*input),
            Event::NameServer(mood) => {
                self.trace.note(self.now, None, format!("the name server: {mood:?}"));
                if let Some(names) = &mut self.names {
                    names.mood = mood;
                }
            }
            Event::Zone(zone) => {
                if let Some(names) = &mut self.names {
                    names.zone = zone;
                }
            }
            Event::Spray => self.spray(),
            Event::Look => self.checks.look(self.now, &self.agents),
            Event::Overrides(overrides) => {
                self.trace.note(self.now, None, format!("{overrides:?}"));
                self.health.handle(self.now, HealthInput::Overrides(overrides));
                self.drain_health();
            }
        }
    }

    fn change(&mut self, agent: usize, condition: Condition) {
        let before = std::mem::replace(&mut self.conditions[agent], condition);
        let text = format!("{} is {condition:?}", self.agents[agent].name);
        self.trace.note(self.now, None, text);
        match condition {
            Condition::Alive => {}
            Condition::Frozen => self.faults.frozen += 1,
            Condition::Dead => self.faults.killed += 1,
            Condition::Cut => self.faults.cut += 1,
        }
        match condition {
            Condition::Dead => {
                self.agents[agent].die();
                self.lives[agent] += 1;
                self.waiting[agent].clear();
            }
            Condition::Alive if before == Condition::Frozen => {
                // What waited is dealt with at once, in the order in which it came.
                for event in std::mem::take(&mut self.waiting[agent]) {
                    self.happen(event);
                }
            }
            Condition::Alive | Condition::Frozen | Condition::Cut => {}
        }
    }
}
