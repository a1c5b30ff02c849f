//! What must hold at every instant of every run, whatever the network and the peers do. One rule, one file:
//!
//! | rule | what it says |
//! |---|---|
//! | [`finals`] | an INVITE gets one final response from us, repeated byte by byte, and no provisional one after it |
//! | [`timers`] | what is sent again is sent at the instant that RFC 3261 names, neither missed nor added |
//! | [`topology`] | nothing that was coined on one leg is seen on the other |
//! | [`dialogs`] | CSeq counts up in every dialog; every final response to an INVITE of ours gets its ACK in the same turn |
//! | [`answers`] | one leg is answered exactly if the other is, or a BYE is under way |
//! | [`targets`] | no INVITE goes to a target that the generation in force calls down while another is left |
//! | [`moved`] | an answered call whose edge goes down is moved or ended in time, and never keeps two tier legs |
//! | [`over`] | a call that is over, or whose callee has declined, rings nobody |
//! | [`quiet`] | the carrier hears of no move |
//! | [`receipts`] | a receipt tells a story that can be true; at most one move in its interval |
//! | [`identity`] | who calls whom is the same in every INVITE to the tier |
//! | [`line`] | whoever hears RTP from us hears one stream, whoever speaks |
//! | [`keys`] | a key that is pressed is heard once, and ends |
//! | [`zombies`] | once regions are back, whoever is up at the tier belongs to a call that is up |
//! | [`leaks`] | when all is over, nothing is left: no call, transaction, session, port or peer that still waits; one record a call |
//!
//! The rules see what a wire tap would see, and the generations that the shards were given; they ask the cores nothing
//! until the end. They are mirrors, not copies: each keeps the few facts that its sentence needs.

mod answers;
mod dialogs;
mod facts;
mod finals;
mod identity;
mod keys;
mod leaks;
mod line;
mod moved;
mod over;
mod quiet;
mod receipts;
mod seen;
mod targets;
mod timers;
mod topology;
mod zombies;

pub use line::{Header, Source};

use crate::agent::{Agent, Book};
use crate::setup::Setup;
use proxy_core::{CallRecord, Receipt, Shard, Snapshot, TargetState};
use relay_core::Relay;
use relay_values::{Leg, RelayCommand, SessionId, Time};
use seen::Seen;
use sip_wire::Message;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;

/// A rule that was broken.
#[derive(Debug, Clone)]
pub struct Violation {
    /// When.
    pub at: Time,
    /// In which call.
    pub call: Option<usize>,
    /// The rule's name.
    pub rule: &'static str,
    /// What happened.
    pub text: String,
}

/// All rules.
#[derive(Debug)]
pub struct Checks {
    /// Rules that were broken so far.
    pub violations: Vec<Violation>,
    finals: finals::Finals,
    timers: timers::Timers,
    topology: topology::Topology,
    dialogs: dialogs::Dialogs,
    answers: answers::Answers,
    targets: targets::Targets,
    facts: facts::Facts,
    moved: moved::Moved,
    over: over::Over,
    quiet: quiet::Quiet,
    receipts: receipts::Receipts,
    identity: identity::Identity,
    lines: line::Lines,
    keys: keys::Keys,
    zombies: zombies::Zombies,
    leaks: leaks::Leaks,
}

/// Where rules complain.
#[derive(Debug, Default)]
pub(crate) struct Complaints(Vec<Violation>);

impl Complaints {
    pub(crate) fn add(&mut self, at: Time, call: Option<usize>, rule: &'static str, text: String) {
        self.0.push(Violation { at, call, rule, text });
    }
}

impl Checks {
    /// Rules for one run.
    pub fn new(setup: &Setup, first: Arc<Snapshot>) -> Self {
        Self {
            violations: Vec::new(),
            finals: finals::Finals::new(setup.timers.t1 * 64),
            timers: timers::Timers::new(setup.timers, setup.latency),
            topology: topology::Topology::default(),
            dialogs: dialogs::Dialogs::new(setup.timers.t1 * 64),
            answers: answers::Answers::new(setup.timers.t1 * 64),
            facts: facts::Facts::default(),
            moved: moved::Moved::new(setup, &first),
            over: over::Over::new(setup, &first),
            quiet: quiet::Quiet::default(),
            receipts: receipts::Receipts::new(setup),
            identity: identity::Identity::default(),
            lines: line::Lines::new(setup),
            keys: keys::Keys::new(setup.link.loss == 0),
            zombies: zombies::Zombies::default(),
            targets: targets::Targets::new(setup.shards, first),
            leaks: leaks::Leaks::new(setup),
        }
    }

    /// A message reaches a shard.
    pub fn received(&mut self, now: Time, call: Option<usize>, from: SocketAddr, message: &Message) {
        let Some(seen) = Seen::new(now, call, from, message) else { return };
        self.clock(now);
        self.facts.received(&seen);
        self.moved.up(now, call, &self.facts);
        self.moved.received(&seen);
        self.over.received(&seen, &self.facts);
        self.quiet.received(&seen);
        self.identity.received(&seen);
        self.timers.received(&seen);
        self.dialogs.received(&seen);
        self.answers.received(&seen, &self.facts);
        self.targets.received(&seen);
        self.leaks.received(&seen);
    }

    /// A shard sends a message.
    pub fn sent(&mut self, now: Time, call: Option<usize>, shard: u8, to: SocketAddr, message: &Message) {
        let Some(seen) = Seen::new(now, call, to, message) else {
            return self.broken(now, call, "syntax", "we sent a message without its mandatory fields".into());
        };
        let mut complaints = Complaints::default();
        self.facts.sent(shard, &seen);
        self.moved.sent(&seen);
        self.over.sent(shard, &seen, &self.facts, &mut complaints);
        self.quiet.sent(&seen);
        self.identity.sent(&seen, &mut complaints);
        self.finals.sent(&seen, &mut complaints);
        self.timers.sent(&seen, &self.facts, &mut complaints);
        self.topology.sent(&seen, &mut complaints);
        self.dialogs.sent(&seen, &mut complaints);
        self.answers.sent(&seen, &mut complaints);
        self.targets.sent(shard, &seen, &self.facts, &mut complaints);
        self.leaks.sent(&seen);
        self.violations.append(&mut complaints.0);
    }

    /// A shard is about to hear of a generation.
    pub fn snapshot(&mut self, now: Time, shard: u8, snapshot: &Arc<Snapshot>) {
        let drilled = snapshot.overrides.drill.is_some_and(|drill| drill.found.is_some());
        let those = |dead: &dyn Fn(TargetState) -> bool| -> BTreeSet<SocketAddr> {
            let all = snapshot.config.targets.iter().zip(&snapshot.health);
            all.filter(|(_, health)| dead(health.state)).map(|(target, _)| target.peer.remote).collect()
        };
        self.facts.lost(shard, &those(&|state| state == TargetState::Down));
        self.timers.lost(those(&|state| state == TargetState::Down || drilled));
        self.moved.snapshot(now, shard, snapshot, &self.facts);
        self.targets.snapshot(shard, snapshot);
        self.over.snapshot(shard, snapshot);
    }

    /// A shard has told of a move.
    pub fn receipt(&mut self, now: Time, call: Option<usize>, receipt: &Receipt) {
        let mut complaints = Complaints::default();
        self.over.receipt(call);
        self.facts.receipt(call);
        self.quiet.receipt(call, receipt);
        self.receipts.receipt(now, call, receipt, &self.facts, &mut complaints);
        self.targets.receipt(call);
        self.moved.receipt(call, receipt);
        self.violations.append(&mut complaints.0);
    }

    /// The relay is about to get a command.
    pub fn command(&mut self, now: Time, command: &RelayCommand) {
        self.lines.command(command);
        self.keys.command(now, command);
    }

    /// The relay has closed a session.
    pub fn released(&mut self, session: SessionId) {
        self.lines.released(session);
        self.keys.released(session);
    }

    /// An RTP packet has left us.
    pub fn heard(
        &mut self,
        now: Time,
        call: Option<usize>,
        by: (SessionId, Leg),
        source: Source,
        header: Header,
        packet: &[u8],
    ) {
        let mut complaints = Complaints::default();
        self.lines.heard(now, call, by, source, header, &mut complaints);
        self.keys.heard(now, call, by, source, (header, packet), &mut complaints);
        self.violations.append(&mut complaints.0);
    }

    /// Everything has been well for a while: who still holds a leg?
    pub fn look(&mut self, now: Time, agents: &[Agent]) {
        let mut complaints = Complaints::default();
        self.zombies.look(now, agents, &mut complaints);
        self.violations.append(&mut complaints.0);
    }

    /// The shards are about to hear that nobody can be reached there.
    pub fn unreachable(&mut self, now: Time, to: SocketAddr) {
        self.clock(now);
        self.facts.unreachable(to);
        self.timers.unreachable(to);
        self.dialogs.unreachable(to);
        self.answers.unreachable(to);
    }

    /// A shard has said all that it has to say to one input.
    pub fn turn_over(&mut self, now: Time) {
        let mut complaints = Complaints::default();
        self.dialogs.turn_over(now, &mut complaints);
        self.answers.turn_over(now, &mut complaints);
        self.moved.settle(&self.facts);
        self.violations.append(&mut complaints.0);
    }

    /// Time has come this far.
    pub fn clock(&mut self, now: Time) {
        let mut complaints = Complaints::default();
        self.timers.clock(now, &mut complaints);
        self.moved.clock(now, &mut complaints);
        self.keys.clock(now, &mut complaints);
        self.violations.append(&mut complaints.0);
    }

    /// Everything is over.
    pub fn at_end(
        &mut self,
        now: Time,
        shards: &[Shard],
        relay: &Relay,
        agents: &[Agent],
        records: &[CallRecord],
        book: &Book,
    ) {
        self.clock(now);
        let mut complaints = Complaints::default();
        self.dialogs.at_end(now, &mut complaints);
        self.answers.at_end(now, &mut complaints);
        self.quiet.at_end(&mut complaints);
        self.receipts.at_end(now, &self.facts, records, &mut complaints);
        self.leaks.at_end(now, (shards, relay), (agents, book), records, &mut complaints);
        self.violations.append(&mut complaints.0);
    }

    /// A rule that the world itself watches.
    pub fn broken(&mut self, at: Time, call: Option<usize>, rule: &'static str, text: String) {
        self.violations.push(Violation { at, call, rule, text });
    }
}
