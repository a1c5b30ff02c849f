//! A user agent of our own: carriers and edges are made of it. It shares no code with the appliance but the parser: its
//! transactions, dialogs and media are its own, small and by the book, so that an error of ours meets no twin here.

mod asking;
mod dialog;
mod incoming;
mod media;
mod outgoing;
mod ports;
mod probed;
mod responses;
mod script;
mod session;
mod transactions;
mod voice;

pub(crate) use asking::ACCOUNT;
pub use asking::Asked;
pub use dialog::{Leg, Role, Stage};
pub use script::{Act, CallPlan, Callee, Caller, Provisionals, Reliable, Sdp, Step};
pub use session::{Refresher, Session};
pub use voice::{Ear, Voice};

use crate::maps::{Map, Set};
use crate::rng::Rng;
use crate::setup::Setup;
use bytes::Bytes;
use relay_values::{Duration, Time};
use std::collections::VecDeque;
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

    /// The same as numbers.
    pub const fn network(self) -> [u8; 2] {
        match self {
            Self::Carrier => [198, 51],
            Self::Tier => [172, 20],
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
    /// The same; it answers a probe, and so belongs to no call.
    Answer(Bytes),
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
    /// A session is to be refreshed, or has run out; of the leg's so many sessions.
    Session(usize, u32),
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
    answered: Vec<bool>,
    /// INVITEs for calls that were answered already, by branch.
    moves: Set<String>,
    moved: Vec<usize>,
}

impl Book {
    /// From plans.
    pub fn new(plans: Vec<CallPlan>) -> Self {
        let calls = plans.len();
        Self {
            arrived: vec![0; calls],
            answered: vec![false; calls],
            moves: Set::default(),
            moved: vec![0; calls],
            plans,
        }
    }

    /// The call's caller has his answer: every INVITE from now on is one that moves it.
    pub fn answer(&mut self, call: usize) {
        if let Some(answered) = self.answered.get_mut(call) {
            *answered = true;
        }
    }

    /// An INVITE that begins a dialog leaves us.
    pub fn invite(&mut self, call: usize, branch: &str) {
        if self.answered.get(call) == Some(&true) {
            self.moves.insert(branch.to_owned());
        }
    }

    /// Whether the INVITE with this branch moves a call that was answered already.
    pub fn is_move(&self, branch: &str) -> bool {
        self.moves.contains(branch)
    }

    /// What the callee does with the next INVITE of a call.
    pub fn callee(&mut self, call: usize, branch: &str) -> Callee {
        let is_move = self.is_move(branch);
        let Some(plan) = self.plans.get(call) else { return Callee::dead() };
        if is_move {
            let nth = self.moved[call].min(plan.movers.len().saturating_sub(1));
            self.moved[call] += 1;
            return plan.movers.get(nth).cloned().unwrap_or_else(Callee::takes_over);
        }
        let nth = self.arrived[call].min(plan.callees.len().saturating_sub(1));
        self.arrived[call] += 1;
        plan.callees.get(nth).cloned().unwrap_or_default()
    }
}

impl Book {
    /// The INVITE that came last for a call was refused for its session interval: it comes again, to the same habits.
    pub fn again(&mut self, call: usize, branch: &str) {
        let counted = if self.is_move(branch) { &mut self.moved } else { &mut self.arrived };
        if let Some(count) = counted.get_mut(call) {
            *count = count.saturating_sub(1);
        }
    }
}

/// The number that a call dials: the appliance carries it across, so a message on either side names its call.
pub fn number_of(call: usize) -> String {
    format!("+4930{call:06}")
}

/// The call that a number names: the called one, or the calling one, which is called when its leg is moved.
pub fn call_of(number: &[u8]) -> Option<usize> {
    let digits = number.strip_prefix(b"+4930").or_else(|| number.strip_prefix(b"+4989"))?;
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
    /// What came of asking who the appliance is.
    pub asked: Asked,
    asking: Option<asking::Asking>,
    ours: SocketAddr,
    t1: Duration,
    t2: Duration,
    rng: Rng,
    clients: Map<String, Client>,
    servers: Map<String, Server>,
    probes: probed::Probes,
    ports: ports::Ports,
    /// Between two RTP packets.
    pace: Duration,
    /// Whether it sends RTCP.
    reports: bool,
}

impl Agent {
    /// An agent that talks to the appliance at `ours`.
    #[must_use]
    pub fn new(
        name: &str,
        side: Side,
        (at, media): (SocketAddr, IpAddr),
        ours: SocketAddr,
        setup: &Setup,
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
            asked: Asked::default(),
            asking: setup.asks.map(asking::Asking::for_uses),
            ours,
            t1: setup.timers.t1,
            t2: Duration::from_secs(4),
            rng,
            clients: Map::default(),
            servers: Map::default(),
            probes: probed::Probes::default(),
            ports: ports::Ports::default(),
            pace: setup.pace,
            reports: setup.reports,
        }
    }

    /// The process dies: it knows nothing any more.
    pub fn die(&mut self) {
        self.legs.clear();
        self.clients.clear();
        self.servers.clear();
        self.probes.clear();
        self.ports.close();
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
            Wake::Session(leg, number) => self.session_due(now, leg, number),
            Wake::Cancel(leg) => self.cancel(now, leg),
            Wake::Talk(leg) => self.talk(now, leg),
        }
    }

    fn token(&mut self, what: &str) -> String {
        let (mark, bits) = (self.side.mark(), self.rng.bits());
        let mut token = String::with_capacity(what.len() + mark.len() + 12);
        token.push_str(what);
        token.push_str(mark);
        token.extend(
            (0..12).rev().map(|at| char::from(b"0123456789abcdef"[(bits >> (4 * at) & 15) as usize])),
        );
        token
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
