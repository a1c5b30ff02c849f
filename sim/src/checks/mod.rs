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
//! | [`leaks`] | when all is over, nothing is left: no call, transaction, session, port or peer that still waits; one record a call |
//!
//! The rules see what a wire tap would see, and the generations that the shards were given; they ask the cores nothing
//! until the end. They are mirrors, not copies: each keeps the few facts that its sentence needs.

mod answers;
mod dialogs;
mod finals;
mod leaks;
mod seen;
mod targets;
mod timers;
mod topology;

use crate::agent::{Agent, Book};
use crate::setup::Setup;
use proxy_core::{CallRecord, Shard, Snapshot};
use relay_core::Relay;
use relay_values::Time;
use seen::Seen;
use sip_wire::Message;
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
            timers: timers::Timers::new(setup.timers),
            topology: topology::Topology::default(),
            dialogs: dialogs::Dialogs::new(setup.timers.t1 * 64),
            answers: answers::Answers::new(setup.timers.t1 * 64),
            targets: targets::Targets::new(setup.shards, first),
            leaks: leaks::Leaks::new(setup),
        }
    }

    /// A message reaches a shard.
    pub fn received(&mut self, now: Time, call: Option<usize>, from: SocketAddr, message: &Message) {
        let Some(seen) = Seen::new(now, call, from, message) else { return };
        self.clock(now);
        self.timers.received(&seen);
        self.dialogs.received(&seen);
        self.answers.received(&seen);
        self.leaks.received(&seen);
    }

    /// A shard sends a message.
    pub fn sent(&mut self, now: Time, call: Option<usize>, shard: u8, to: SocketAddr, message: &Message) {
        let Some(seen) = Seen::new(now, call, to, message) else {
            return self.broken(now, call, "syntax", "we sent a message without its mandatory fields".into());
        };
        let mut complaints = Complaints::default();
        self.finals.sent(&seen, &mut complaints);
        self.timers.sent(&seen, &mut complaints);
        self.topology.sent(&seen, &mut complaints);
        self.dialogs.sent(&seen, &mut complaints);
        self.answers.sent(&seen, &mut complaints);
        self.targets.sent(shard, &seen, &mut complaints);
        self.leaks.sent(&seen);
        self.violations.append(&mut complaints.0);
    }

    /// A shard is about to hear of a generation.
    pub fn snapshot(&mut self, shard: u8, snapshot: &Arc<Snapshot>) {
        self.targets.snapshot(shard, snapshot);
    }

    /// The shards are about to hear that nobody can be reached there.
    pub fn unreachable(&mut self, now: Time, to: SocketAddr) {
        self.clock(now);
        self.timers.unreachable(to);
        self.dialogs.unreachable(to);
        self.answers.unreachable(to);
    }

    /// A shard has said all that it has to say to one input.
    pub fn turn_over(&mut self, now: Time) {
        let mut complaints = Complaints::default();
        self.dialogs.turn_over(now, &mut complaints);
        self.answers.turn_over(now, &mut complaints);
        self.violations.append(&mut complaints.0);
    }

    /// Time has come this far.
    pub fn clock(&mut self, now: Time) {
        let mut complaints = Complaints::default();
        self.timers.clock(now, &mut complaints);
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
        self.leaks.at_end(now, (shards, relay), (agents, book), records, &mut complaints);
        self.violations.append(&mut complaints.0);
    }

    /// A rule that the world itself watches.
    pub fn broken(&mut self, at: Time, call: Option<usize>, rule: &'static str, text: String) {
        self.violations.push(Violation { at, call, rule, text });
    }
}
