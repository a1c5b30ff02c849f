//! A user agent of our own: carriers and edges are made of it. It shares no code with the appliance but the parser: its
//! transactions, dialogs and media are its own, small and by the book, so that an error of ours meets no twin here.

mod dialog;
mod incoming;
mod media;
mod outgoing;
mod responses;
mod script;
mod transactions;

pub use dialog::{Leg, Role, Stage};
pub use script::{Act, CallPlan, Callee, Caller, Reliable, Step};

use crate::rng::Rng;
use bytes::Bytes;
use relay_values::{Duration, Time};
use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use transactions::{Client, Server};

/// Whom an agent belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Side {
    /// A carrier's.
    Carrier,
    /// A region's.
    Tier,
}

impl Side {
    /// Stands in every token that an agent of this side makes (tags, branches, Call-IDs, Contact), so that a leak to
    /// the other side shows in the bytes.
    pub const fn mark(self) -> &'static str {
        match self {
            Self::Carrier => "Carrier",
            Self::Tier => "Edge",
        }
    }

    /// How every address of this side begins, signalling and media.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Carrier => "198.51.",
            Self::Tier => "172.20.",
        }
    }

    /// The opposite side.
    pub const fn other(self) -> Self {
        match self {
            Self::Carrier => Self::Tier,
            Self::Tier => Self::Carrier,
        }
    }
}

/// What an agent wants done.
#[derive(Debug, Clone)]
pub enum Out {
    /// Send this to the appliance.
    Sip(Bytes),
    /// Send this RTP packet from the media port.
    Rtp(u16, SocketAddr, Vec<u8>),
    /// Come back.
    Wake(Time, Wake),
}

/// Why an agent wants to be woken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wake {
    /// A request may have to be sent again.
    Request(String),
    /// A final response to an INVITE may have to be sent again.
    Final(String),
    /// A 2xx may have to be sent again.
    Answer(usize, u32, Duration),
    /// A reliable provisional may have to be sent again.
    Reliable(usize, u32, Duration),
    /// The next thing that the callee says.
    Step(usize, usize),
    /// The next thing that the leg does.
    Act(usize, usize),
    /// The caller loses patience.
    Cancel(usize),
    /// The next RTP packet.
    Talk(usize),
}

/// The calls of a run, and how many INVITEs of each have arrived somewhere.
#[derive(Debug, Default)]
pub struct Book {
    /// The plans, by call.
    pub plans: Vec<CallPlan>,
    arrived: Vec<usize>,
}

impl Book {
    /// From plans.
    pub fn new(plans: Vec<CallPlan>) -> Self {
        Self { arrived: vec![0; plans.len()], plans }
    }

    /// What the callee does with the next INVITE of a call.
    pub fn callee(&mut self, call: usize) -> Callee {
        let Some(plan) = self.plans.get(call) else { return Callee::dead() };
        let nth = self.arrived[call].min(plan.callees.len().saturating_sub(1));
        self.arrived[call] += 1;
        plan.callees.get(nth).cloned().unwrap_or_default()
    }
}

/// The number that a call dials: the appliance carries it across, so a message on either side names its call.
pub fn number_of(call: usize) -> String {
    format!("+4930{call:06}")
}

/// The call that a number names.
pub fn call_of(number: &[u8]) -> Option<usize> {
    let digits = number.strip_prefix(b"+4930")?;
    std::str::from_utf8(digits.get(..6)?).ok()?.parse().ok()
}

/// One user agent.
#[derive(Debug)]
pub struct Agent {
    /// Its name, as its target's in the configuration.
    pub name: String,
    /// Where it is.
    pub at: SocketAddr,
    /// Where its media is.
    pub media: IpAddr,
    /// Whose it is.
    pub side: Side,
    /// Its legs; those that are over stay for the checks.
    pub legs: Vec<Leg>,
    /// What it wants done.
    pub out: VecDeque<Out>,
    /// OPTIONS that it has answered.
    pub probed: u64,
    ours: SocketAddr,
    t1: Duration,
    t2: Duration,
    rng: Rng,
    clients: BTreeMap<String, Client>,
    servers: BTreeMap<String, Server>,
    by_port: BTreeMap<u16, usize>,
    /// Media ports are never used twice, not even by another life of the agent.
    next_port: u16,
}

impl Agent {
    /// An agent that talks to the appliance at `ours`.
    #[must_use]
    pub fn new(
        name: &str,
        side: Side,
        (at, media): (SocketAddr, IpAddr),
        ours: SocketAddr,
        t1: Duration,
        rng: Rng,
    ) -> Self {
        Self {
            name: name.to_owned(),
            at,
            media,
            side,
            legs: Vec::new(),
            out: VecDeque::new(),
            probed: 0,
            ours,
            t1,
            t2: Duration::from_secs(4),
            rng,
            clients: BTreeMap::new(),
            servers: BTreeMap::new(),
            by_port: BTreeMap::new(),
            next_port: 20_000,
        }
    }

    /// The process dies: it knows nothing any more.
    pub fn die(&mut self) {
        self.legs.clear();
        self.clients.clear();
        self.servers.clear();
        self.by_port.clear();
        self.out.clear();
    }

    /// The time of a wake-up has come.
    pub fn wake(&mut self, now: Time, wake: Wake) {
        match wake {
            Wake::Request(key) => self.request_due(now, &key),
            Wake::Final(key) => self.final_due(now, &key),
            Wake::Answer(leg, cseq, waited) => self.answer_due(now, leg, cseq, waited),
            Wake::Reliable(leg, rseq, waited) => self.reliable_due(now, leg, rseq, waited),
            Wake::Step(leg, step) => self.step(now, leg, step),
            Wake::Act(leg, act) => self.act(now, leg, act),
            Wake::Cancel(leg) => self.cancel(now, leg),
            Wake::Talk(leg) => self.talk(now, leg),
        }
    }

    fn token(&mut self, what: &str) -> String {
        format!("{what}{}{:012x}", self.side.mark(), self.rng.bits() & 0xffff_ffff_ffff)
    }

    fn branch(&mut self) -> String {
        format!("z9hG4bK{}", self.token("br"))
    }

    fn send(&mut self, bytes: Bytes) {
        self.out.push_back(Out::Sip(bytes));
    }

    fn wake_at(&mut self, at: Time, wake: Wake) {
        self.out.push_back(Out::Wake(at, wake));
    }
}
