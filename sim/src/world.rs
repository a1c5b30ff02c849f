//! Virtual time: one queue of events, both cores, every agent.

use crate::agent::{Agent, Book, CallPlan, Out, Role, Wake, call_of};
use crate::checks::{Checks, Violation};
use crate::link::Link;
use crate::rng::Rng;
use crate::setup::{AGENTS, OURS, Setup, peer};
use crate::trace::Trace;
use bytes::Bytes;
use proxy_core::{
    CallRecord, Config, Event as Told, Evidence, Health, HealthInput, HealthOutput, Input, Output, Overrides,
    OwnerOf, Shard, Snapshot, TransportFailure, owner,
};
use relay_core::{PortRef, PortRequest, Relay, Verdict};
use relay_values::{Duration, RelayCommand, RelayEvent, Time};
use sip_wire::{Message, Method, Uri};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

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
    Command(RelayCommand),
    /// From the relay to a shard.
    Media(RelayEvent),
    /// From a shard to the health core.
    Evidence(Evidence),
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
    /// What happened.
    pub trace: Trace,
    /// What must not happen.
    pub checks: Checks,
    ours: SocketAddr,
    link: Link,
    rng: Rng,
    lives: Vec<u32>,
    waiting: Vec<Vec<Event>>,
    queue: BinaryHeap<Reverse<(Time, u64)>>,
    events: HashMap<u64, Event>,
    serial: u64,
    bound: BTreeMap<SocketAddr, PortRef>,
    calls: HashMap<Vec<u8>, usize>,
    by_address: HashMap<SocketAddr, usize>,
    by_media: HashMap<IpAddr, usize>,
}

/// Turns at one instant before it is called a loop.
const MOST_TURNS: u32 = 100_000;

impl World {
    /// A world in which these calls will be made.
    pub fn new(setup: Setup, plans: Vec<CallPlan>) -> Self {
        let mut rng = Rng::new(setup.seed.wrapping_mul(31).wrapping_add(7));
        let ours: SocketAddr = OURS.parse().expect("an address");
        let first = Arc::new(Snapshot::first(Arc::new(setup.config())));
        let shards =
            (0..setup.shards).map(|id| Shard::new(id, rng.bits(), Time::ZERO, Arc::clone(&first))).collect();
        let mut trace = Trace::default();
        trace.name(ours, "us");
        let mut agents = Vec::new();
        let (mut by_address, mut by_media) = (HashMap::new(), HashMap::new());
        for (name, side, at, media) in AGENTS {
            let (at, media) = (at.parse().expect("an address"), media.parse().expect("an address"));
            trace.name(at, name);
            by_address.insert(at, agents.len());
            by_media.insert(media, agents.len());
            agents.push(Agent::new(name, side, (at, media), ours, setup.timers.t1, rng.fork()));
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
            trace,
            checks: Checks::new(&setup, first),
            ours,
            link: setup.link,
            rng,
            queue: BinaryHeap::new(),
            events: HashMap::new(),
            serial: 0,
            bound: BTreeMap::new(),
            calls: HashMap::new(),
            by_address,
            by_media,
            book: Book::default(),
            setup,
        };
        for (call, plan) in plans.iter().enumerate() {
            world.at(Time::ZERO + plan.at, Event::Call(call));
        }
        world.book = Book::new(plans);
        world
    }

    /// Lets something happen at an instant.
    pub fn at(&mut self, at: Time, event: Event) {
        self.serial += 1;
        self.queue.push(Reverse((at.max(self.now), self.serial)));
        self.events.insert(self.serial, event);
    }

    /// Lets something happen after a while.
    pub fn after(&mut self, wait: Duration, event: Event) {
        self.at(self.now + wait, event);
    }

    /// Lets time pass.
    pub fn run_until(&mut self, end: Time) {
        let mut turns = 0;
        loop {
            let event = self.queue.peek().map_or(Time::NEVER, |Reverse((at, _))| *at);
            let shards = self.shards.iter().map(Shard::poll_timeout).min().unwrap_or(Time::NEVER);
            let cores = shards.min(self.health.poll_timeout()).min(self.relay.poll_timeout());
            let next = event.min(cores).max(self.now);
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
                let Some(Reverse((_, serial))) = self.queue.pop() else { break };
                if let Some(event) = self.events.remove(&serial) {
                    self.happen(event);
                }
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
            if self.shards[id].poll_timeout() <= self.now {
                self.shard(id, Input::Timeout);
            }
        }
        if self.health.poll_timeout() <= self.now {
            self.health.handle(self.now, HealthInput::Timeout);
            self.drain_health();
        }
        if self.relay.poll_timeout() <= self.now {
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
                self.waiting[agent].push(event);
            }
            Event::ToAgent(agent, bytes) => self.reaches_agent(agent, &bytes),
            Event::RtpToUs(at, from, mut packet) => self.rtp_to_us(at, from, &mut packet),
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
                self.relay.command(self.now, command);
                self.drain_relay();
            }
            Event::Media(event) => {
                if let Some(session) = event.session() {
                    self.shard(usize::from(session.shard()), Input::Relay(event));
                }
            }
            Event::Evidence(evidence) => {
                self.health.handle(self.now, HealthInput::Evidence(evidence));
                self.drain_health();
            }
            Event::Snapshot(shard, snapshot) => {
                self.checks.snapshot(shard, &snapshot);
                self.shard(usize::from(shard), Input::Snapshot(snapshot));
            }
            Event::Agent(agent, condition) => self.change(agent, condition),
            Event::Link(link) => self.link = link,
            Event::Reload(config) => {
                self.trace.note(self.now, None, "a new configuration".into());
                self.health.handle(self.now, HealthInput::Config(config));
                self.drain_health();
            }
            Event::Overrides(overrides) => {
                self.health.handle(self.now, HealthInput::Overrides(overrides));
                self.drain_health();
            }
        }
    }

    fn reaches_us(&mut self, from: SocketAddr, bytes: Bytes) {
        match owner(&bytes, self.setup.shards) {
            OwnerOf::Shard(id) => {
                if let Ok(message) = Message::parse(bytes.clone()) {
                    let call = self.call(&message);
                    self.checks.received(self.now, call, from, &message);
                }
                self.shard(usize::from(id), Input::Message { from: peer(from), bytes });
            }
            OwnerOf::Health => {
                self.health.handle(self.now, HealthInput::Message { from: peer(from), bytes });
                self.drain_health();
            }
            OwnerOf::Garbage => {
                let text = String::from_utf8_lossy(&bytes).into_owned();
                self.checks.broken(self.now, None, "owner", format!("no shard owns this:\n{text}"));
            }
        }
    }

    fn icmp(&mut self, to: SocketAddr) {
        let (to, failure) = (peer(to), TransportFailure::Unreachable);
        self.checks.unreachable(self.now, to.remote);
        for id in 0..self.shards.len() {
            self.shard(id, Input::TransportError { to, failure });
        }
        self.health.handle(self.now, HealthInput::TransportError { to, failure });
        self.drain_health();
    }

    /// One turn of a shard.
    fn shard(&mut self, id: usize, input: Input) {
        self.checks.clock(self.now);
        self.shards[id].handle(self.now, input);
        while let Some(output) = self.shards[id].poll_output() {
            match output {
                Output::Send { to, bytes } => {
                    match Message::parse(bytes.clone()) {
                        Ok(message) => {
                            let call = self.call(&message);
                            self.checks.sent(self.now, call, id as u8, to.remote, &message);
                        }
                        Err(_) => {
                            self.checks.broken(self.now, None, "syntax", "we sent what does not parse".into())
                        }
                    }
                    self.send(to.remote, bytes);
                }
                Output::Relay(command) => self.after(self.setup.latency, Event::Command(command)),
                Output::Finished(record) => {
                    self.trace.mix(self.now, format!("{record:?}").as_bytes());
                    let call = call_of(record.called.as_bytes());
                    self.trace.note(self.now, call, summary(&record));
                    self.records.push(*record);
                }
                Output::Event(Told::Evidence(evidence)) => {
                    self.after(self.setup.latency, Event::Evidence(evidence));
                }
            }
        }
        self.checks.turn_over(self.now);
    }

    /// The call that a message belongs to: by its Call-ID, once an INVITE has named the number.
    fn call(&mut self, message: &Message) -> Option<usize> {
        let call_id = message.call_id().ok()?;
        if let Some(call) = self.calls.get(call_id) {
            return Some(*call);
        }
        let initial = message.is_request() && message.method() == Method::Invite;
        let uri = Uri::parse(message.uri()).ok().filter(|_| initial)?;
        let call = call_of(uri.user?)?;
        self.calls.insert(call_id.to_vec(), call);
        Some(call)
    }

    /// From us to an agent.
    fn send(&mut self, to: SocketAddr, bytes: Bytes) {
        let call = Message::parse(bytes.clone()).ok().and_then(|m| self.call(&m));
        let Some(&agent) = self.by_address.get(&to) else {
            self.checks.broken(
                self.now,
                call,
                "address",
                format!("we sent something to {to}, where nobody is"),
            );
            return;
        };
        let condition = self.conditions[agent];
        let arrivals = self.link.arrivals(&mut self.rng);
        let what = match condition {
            Condition::Cut => "  (cut off)",
            Condition::Dead => "  (nobody there)",
            Condition::Alive | Condition::Frozen if arrivals == [None; 2] => "  (lost)",
            Condition::Alive | Condition::Frozen => "",
        };
        self.trace.sip(self.now, call, (self.ours, to), &bytes, what);
        for wait in arrivals.into_iter().flatten() {
            if condition != Condition::Cut {
                self.after(wait, Event::ToAgent(agent, bytes.clone()));
            }
        }
    }

    fn reaches_agent(&mut self, agent: usize, bytes: &Bytes) {
        match self.conditions[agent] {
            Condition::Alive => {
                self.agents[agent].hear_sip(self.now, &mut self.book, bytes);
                self.drain_agent(agent);
            }
            Condition::Dead => self.after(self.link.delay, Event::Icmp(self.agents[agent].at)),
            Condition::Cut | Condition::Frozen => {}
        }
    }

    fn drain_agent(&mut self, agent: usize) {
        while let Some(out) = self.agents[agent].out.pop_front() {
            let cut = self.conditions[agent] != Condition::Alive;
            match out {
                Out::Sip(bytes) => {
                    let call = Message::parse(bytes.clone()).ok().and_then(|m| self.call(&m));
                    let from = self.agents[agent].at;
                    let arrivals = self.link.arrivals(&mut self.rng);
                    let what = match (cut, arrivals) {
                        (true, _) => "  (cut off)",
                        (_, [None, None]) => "  (lost)",
                        _ => "",
                    };
                    self.trace.sip(self.now, call, (from, self.ours), &bytes, what);
                    for wait in arrivals.into_iter().flatten().filter(|_| !cut) {
                        self.after(wait, Event::ToUs(from, bytes.clone()));
                    }
                }
                Out::Rtp(port, to, packet) => {
                    let from = SocketAddr::new(self.agents[agent].media, port);
                    for wait in self.link.arrivals(&mut self.rng).into_iter().flatten().filter(|_| !cut) {
                        self.after(wait, Event::RtpToUs(to, from, packet.clone()));
                    }
                }
                Out::Wake(at, wake) => self.at(at, Event::Wake(agent, self.lives[agent], wake)),
            }
        }
    }

    fn rtp_to_us(&mut self, at: SocketAddr, from: SocketAddr, packet: &mut [u8]) {
        // A port that is closed: the datagram is lost, as the system would have it.
        let Some(port) = self.bound.get(&at).copied() else { return };
        let verdict = self.relay.packet(self.now, port, from, packet);
        self.drain_relay();
        let Verdict::Forward { to, .. } = verdict else { return };
        self.trace.mix(self.now, packet);
        let Some(&agent) = self.by_media.get(&to.ip()) else {
            return self.checks.broken(self.now, None, "address", format!("RTP to {to}, where nobody is"));
        };
        if matches!(self.conditions[agent], Condition::Alive | Condition::Frozen) {
            for wait in self.link.arrivals(&mut self.rng).into_iter().flatten() {
                self.after(wait, Event::RtpToAgent(agent, to.port(), packet.to_vec()));
            }
        }
    }

    fn drain_relay(&mut self) {
        while let Some(request) = self.relay.poll_port() {
            match request {
                PortRequest::Bind(pair) => {
                    let done = !self.rng.chance(self.setup.bind_failures);
                    if done {
                        self.bound.insert(pair.rtp_addr, pair.rtp);
                        self.bound.insert(pair.rtcp_addr, pair.rtcp);
                    }
                    self.relay.bound(self.now, pair.rtp, done);
                }
                PortRequest::Close(pair) => {
                    self.bound.remove(&pair.rtp_addr);
                    self.bound.remove(&pair.rtcp_addr);
                }
            }
        }
        while let Some(event) = self.relay.poll_event() {
            self.after(self.setup.latency, Event::Media(event));
        }
    }

    fn drain_health(&mut self) {
        while let Some(output) = self.health.poll_output() {
            match output {
                HealthOutput::Send { to, bytes } => self.send(to.remote, bytes),
                HealthOutput::Snapshot { snapshot, changes } => {
                    for change in changes {
                        let text = format!(
                            "{}: {:?} -> {:?} ({})",
                            change.name,
                            change.from,
                            change.to,
                            change.reason.as_str()
                        );
                        self.trace.note(self.now, None, text);
                    }
                    for shard in 0..self.setup.shards {
                        // Each shard looks at its own next turn.
                        let wait = self.setup.latency * (1 + u32::from(shard));
                        self.after(wait, Event::Snapshot(shard, Arc::clone(&snapshot)));
                    }
                }
            }
        }
    }

    fn change(&mut self, agent: usize, condition: Condition) {
        let before = std::mem::replace(&mut self.conditions[agent], condition);
        let text = format!("{} is {condition:?}", self.agents[agent].name);
        self.trace.note(self.now, None, text);
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

    /// Looks at everything that has to be empty once all is over, and returns every broken rule.
    pub fn verdict(&mut self) -> Vec<Violation> {
        let Self { checks, shards, relay, agents, records, book, now, .. } = self;
        checks.at_end(*now, shards, relay, agents, records, book);
        std::mem::take(&mut checks.violations)
    }

    /// The ladder of a call.
    pub fn ladder(&self, call: usize) -> String {
        self.trace.ladder(Some(call))
    }

    /// The record of a call.
    pub fn record(&self, call: usize) -> Option<&CallRecord> {
        self.records.iter().find(|record| call_of(record.called.as_bytes()) == Some(call))
    }

    /// The caller's leg of a call.
    pub fn caller(&self, call: usize) -> &crate::agent::Leg {
        self.leg(call, Role::Caller)
    }

    /// The last callee's leg of a call.
    pub fn callee(&self, call: usize) -> &crate::agent::Leg {
        self.leg(call, Role::Callee)
    }

    fn leg(&self, call: usize, role: Role) -> &crate::agent::Leg {
        let mut legs = self.agents.iter().flat_map(|agent| &agent.legs);
        match legs.rfind(|leg| leg.call == call && leg.role == role) {
            Some(leg) => leg,
            None => panic!("no {role:?} of call {call}\n{}", self.ladder(call)),
        }
    }

    /// The agent that a call's INVITEs reached, in order.
    pub fn reached(&self, call: usize) -> Vec<&str> {
        let reached = self
            .agents
            .iter()
            .filter(|agent| agent.legs.iter().any(|leg| leg.call == call && leg.role == Role::Callee));
        reached.map(|agent| agent.name.as_str()).collect()
    }
}

/// A record in a line.
fn summary(record: &CallRecord) -> String {
    let steps: Vec<_> = record.steps.iter().map(|step| (step.target.as_str(), step.outcome)).collect();
    let media = record.media.as_deref().map(|stats| {
        let (a, b) = (stats.from_a, stats.from_b);
        let drops: Vec<_> = stats.drops.nonzero().map(|(why, n)| format!("{} {n}", why.as_str())).collect();
        format!("A {}/{} B {}/{} {}", a.forwarded, a.packets, b.forwarded, b.packets, drops.join(", "))
    });
    format!("record: {} {} {} {steps:?}", record.code, record.close.as_str(), media.unwrap_or_default())
}
