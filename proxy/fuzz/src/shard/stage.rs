//! The shard on its stage, and what must hold whatever the script says.

use super::answers::Answers;
use super::furniture::{MOST_CALLS, config, peer};
use super::peers::{self, Dialog, text};
use super::script::Script;
use bytes::Bytes;
use proxy_core::{
    Config, Cut, Drill, Input, MoveFrom, MoveOrder, MoveReason, Output, Overrides, Peer, Shard, Snapshot,
    TargetId, TargetState, Transport, TransportFailure,
};
use relay_values::{
    Duration, Gap, Leg, OpenFailure, RegionId, RelayCommand, RelayEvent, SessionId, SessionStats,
    SilenceKind, Time,
};
use sip_wire::{HeaderName, Message, Method};
use std::collections::VecDeque;
use std::sync::Arc;

/// Outputs to one input: a turn moves at most 64 calls and says at most 50 goodbyes; four calls have two legs with some
/// lines each.
const MOST_OUTPUTS: usize = 400;
/// Transactions that one input may begin: a hunt that goes on cancels and invites, a forked INVITE says BYE to each phone.
const NEW_TRANSACTIONS: usize = 40;
/// Timeouts at one instant before time stands still.
const MOST_TURNS: u32 = 500;
/// When everything is over: a left leg is haunted for an hour (and a little for its last BYE).
const END: Duration = Duration::from_secs(2 * 3600);
/// Messages that are remembered for the script to come back to.
const KEPT: usize = 64;

pub(super) struct Stage {
    shard: Shard,
    config: Arc<Config>,
    snapshot: Snapshot,
    now: Time,
    serial: u32,
    answers: Answers,
    /// Requests of ours that somebody may answer.
    requests: VecDeque<(Peer, Message)>,
    /// INVITEs that came to us, and finals that we gave them.
    invites: VecDeque<(Peer, Message)>,
    finals: VecDeque<(Peer, Message)>,
    dialogs: Vec<Dialog>,
    heard: VecDeque<(Peer, Bytes)>,
    sessions: Vec<SessionId>,
    /// What the relay has still to say.
    relay: VecDeque<RelayEvent>,
    /// The relay answers at once.
    prompt: bool,
    records: u64,
    turns: u32,
}

impl Stage {
    pub(super) fn new(bits: u8) -> Self {
        let config = Arc::new(config(bits));
        let snapshot = Snapshot::first(Arc::clone(&config));
        Self {
            shard: Shard::new(0, 7, Time::ZERO, Arc::new(snapshot.clone())),
            config,
            snapshot,
            now: Time::from_millis(1000),
            serial: 0,
            answers: Answers::default(),
            requests: VecDeque::new(),
            invites: VecDeque::new(),
            finals: VecDeque::new(),
            dialogs: Vec::new(),
            heard: VecDeque::new(),
            sessions: Vec::new(),
            relay: VecDeque::new(),
            prompt: true,
            records: 0,
            turns: 0,
        }
    }

    /// One thing happens.
    pub(super) fn step(&mut self, script: &mut Script<'_>) {
        self.serial += 1;
        let what = script.byte() % 20;
        match what {
            0 | 1 => {
                let from = self.anybody(script);
                let bytes = peers::begins(script, &from, self.serial);
                self.message(from, bytes, true);
            }
            2..=5 => self.respond(script),
            6 => self.acknowledge(script),
            7..=9 => self.inside(script),
            10 => {
                if let Some((from, invite)) = script.recent(self.invites.make_contiguous()).cloned() {
                    let to = text(invite.header(HeaderName::To).unwrap_or_default());
                    self.message(from, peers::of_invite("CANCEL", &invite, &to), true);
                }
            }
            11 => {
                if let Some((from, bytes)) = script.recent(self.heard.make_contiguous()).cloned() {
                    self.message(from, bytes.to_vec(), true);
                }
            }
            12 => self.broken(script),
            13..=15 => self.wait(script),
            16 => self.relay_speaks(script),
            17 => self.generation(script),
            18 => self.order(script),
            _ => match script.byte() {
                0 => self.input(Input::Drain),
                1..=40 => self.prompt = !self.prompt,
                byte => {
                    let to = peer(usize::from(byte), Transport::Udp);
                    self.input(Input::TransportError { to, failure: TransportFailure::Unreachable });
                }
            },
        }
    }

    fn anybody(&self, script: &mut Script<'_>) -> Peer {
        let byte = script.byte();
        peer(usize::from(byte & 3), if byte & 0x30 == 0x30 { Transport::Tcp } else { Transport::Udp })
    }

    fn message(&mut self, from: Peer, bytes: Vec<u8>, whole: bool) {
        let bytes = Bytes::from(bytes);
        self.answers.heard(self.now, &bytes, whole);
        if let Some(invite) =
            Message::parse(bytes.clone()).ok().filter(|m| m.is_request() && m.method() == Method::Invite)
        {
            keep(&mut self.invites, (from, invite));
        }
        keep(&mut self.heard, (from, bytes.clone()));
        self.input(Input::Message { from, bytes });
    }

    fn respond(&mut self, script: &mut Script<'_>) {
        let Some((from, request)) = script.recent(self.requests.make_contiguous()).cloned() else { return };
        let (bytes, dialog) = peers::response(script, &from, &request);
        if request.method() == Method::Invite {
            self.dialogs.extend(dialog);
        }
        self.message(from, bytes, true);
    }

    fn acknowledge(&mut self, script: &mut Script<'_>) {
        let Some((from, last)) = script.recent(self.finals.make_contiguous()).cloned() else { return };
        let to = text(last.header(HeaderName::To).unwrap_or_default());
        let mut bytes = peers::of_invite("ACK", &last, &to);
        if last.code().is_some_and(|code| code < 300) {
            // A transaction of its own (RFC 3261 13.2.2.4).
            let whole =
                text(&bytes).replacen("branch=z9hG4bK", &format!("branch=z9hG4bKa{}", self.serial), 1);
            bytes = whole.into_bytes();
        }
        self.message(from, bytes, true);
    }

    fn inside(&mut self, script: &mut Script<'_>) {
        let back = usize::from(script.byte());
        let Some(at) = self.dialogs.len().checked_sub(1 + back % self.dialogs.len().max(1)) else { return };
        let method = script.pick(&[
            "BYE", "INVITE", "INVITE", "UPDATE", "INFO", "PRACK", "REFER", "OPTIONS", "MESSAGE", "NOTIFY",
            "ACK", "BYE",
        ]);
        let Some(dialog) = self.dialogs.get_mut(at) else { return };
        let bytes = peers::inside(dialog, method, self.serial, script);
        let from = dialog.peer;
        self.message(from, bytes, true);
    }

    /// Something that was said before, with bytes changed; or bytes.
    fn broken(&mut self, script: &mut Script<'_>) {
        let (from, mut bytes) = match script.recent(self.heard.make_contiguous()).cloned() {
            Some((from, bytes)) => (from, bytes.to_vec()),
            None => (self.anybody(script), b"INVITE sip:a SIP/2.0\r\n\r\n".to_vec()),
        };
        for _ in 0..1 + script.byte() % 4 {
            let at = (usize::from(script.byte()) << 4 | usize::from(script.byte() & 15)) % bytes.len().max(1);
            let count = usize::from(script.byte() % 9);
            let end = (at + usize::from(script.byte() % 9)).min(bytes.len());
            bytes.splice(at..end, script.bytes(count).iter().copied());
        }
        self.message(from, bytes, false);
    }

    /// Time passes: to the next timeout, or by so much if that comes first.
    fn wait(&mut self, script: &mut Script<'_>) {
        let byte = u64::from(script.byte());
        let until = self.now + Duration::from_millis(byte * byte);
        self.run_until(until);
    }

    fn run_until(&mut self, until: Time) {
        loop {
            let due = self.shard.poll_timeout().max(self.now);
            if due > until {
                break;
            }
            self.turns = if due == self.now { self.turns + 1 } else { 0 };
            assert!(self.turns < MOST_TURNS, "time stands still");
            self.now = due;
            self.input(Input::Timeout);
        }
        self.now = self.now.max(until);
    }

    fn relay_speaks(&mut self, script: &mut Script<'_>) {
        if let Some(event) = self.relay.pop_front() {
            return self.input(Input::Relay(event));
        }
        let byte = script.byte();
        let Some(session) = script.recent(&self.sessions).copied() else { return };
        let leg = if byte & 1 == 0 { Leg::A } else { Leg::B };
        let event = match byte >> 1 & 7 {
            0 => RelayEvent::Silent { session, leg, since: Time::ZERO, kind: SilenceKind::Stopped },
            1 => RelayEvent::Latched { session, leg, from: peer(1, Transport::Udp).remote },
            2 => RelayEvent::RegionSilent { region: RegionId(0), silent: 2, of: 2, since: self.now },
            3 => RelayEvent::RegionHeard { region: RegionId(0) },
            4 => RelayEvent::Opened { session, a_port: 20_000, b_port: 20_002 },
            5 => RelayEvent::OpenFailed { session, reason: OpenFailure::PortsExhausted },
            _ => {
                RelayEvent::Resumed { session, leg, gap: Gap { last: None, filled: None, resumed: self.now } }
            }
        };
        self.input(Input::Relay(event));
    }

    fn generation(&mut self, script: &mut Script<'_>) {
        let byte = script.byte();
        let states = [TargetState::Up, TargetState::Down, TargetState::Backoff, TargetState::Up];
        for (at, health) in self.snapshot.health.iter_mut().enumerate() {
            health.state = states[usize::from(byte >> (2 * at) & 3)];
            health.since = self.now;
        }
        let drill = Drill {
            id: u64::from(self.serial),
            region: RegionId(0),
            share: 100,
            cut: Cut::Both,
            found: None,
        };
        self.snapshot.overrides = match script.byte() % 8 {
            0 => Overrides { drained: vec![RegionId(0)], ..Overrides::default() },
            1 => Overrides { drill: Some(drill), ..Overrides::default() },
            2 => Overrides { drill: Some(Drill { found: Some(self.now), ..drill }), ..Overrides::default() },
            _ => Overrides::default(),
        };
        self.publish();
    }

    fn publish(&mut self) {
        self.snapshot.generation += 1;
        self.input(Input::Snapshot(Arc::new(self.snapshot.clone())));
    }

    fn order(&mut self, script: &mut Script<'_>) {
        let byte = script.byte();
        if byte & 0x80 != 0 {
            return self.input(Input::StopMove(u64::from(self.serial.saturating_sub(1))));
        }
        let from = match byte & 3 {
            0 => MoveFrom::Region(RegionId(0)),
            1 => MoveFrom::Region(RegionId(1)),
            2 => MoveFrom::Edge(TargetId(0)),
            _ => MoveFrom::BackTo(RegionId(0)),
        };
        self.input(Input::Move(MoveOrder {
            id: u64::from(self.serial),
            from,
            share: 100,
            prefix: None,
            calls: None,
            deadline: Duration::from_secs(5),
            reason: MoveReason::Drain,
        }));
    }

    /// One input, and all that comes of it.
    fn input(&mut self, input: Input) {
        let before = self.shard.counts().transactions;
        self.shard.handle(self.now, input);
        let mut outputs = 0;
        while let Some(output) = self.shard.poll_output() {
            outputs += 1;
            assert!(outputs < MOST_OUTPUTS, "outputs without end");
            match output {
                Output::Send { to, bytes } => self.sent(to, &bytes),
                Output::Relay(command) => self.command(command),
                Output::Finished(_) => self.records += 1,
                Output::Event(_) => {}
                // No trunk of this stage signs.
                Output::Stir(_) => {}
            }
        }
        let counts = self.shard.counts();
        let calls = counts.hunting + counts.answered + counts.closing;
        assert!(calls <= MOST_CALLS as usize, "{counts:?}");
        assert!(counts.transactions <= before + NEW_TRANSACTIONS, "from {before} transactions to {counts:?}");
        // What the relay says to this comes as an input of its own.
        while self.prompt && !self.relay.is_empty() {
            let events = std::mem::take(&mut self.relay);
            events.into_iter().for_each(|event| self.input(Input::Relay(event)));
        }
    }

    fn sent(&mut self, to: Peer, bytes: &Bytes) {
        let message = self.answers.said(self.now, &to, bytes);
        match message.code() {
            None if message.method() != Method::Ack => keep(&mut self.requests, (to, message)),
            None => {}
            Some(code) if message.method() == Method::Invite => {
                let field = |name| text(message.header(name).unwrap_or_default());
                let (local, remote) = (field(HeaderName::From), field(HeaderName::To));
                if remote.contains(";tag=") && code < 300 && code > 100 {
                    let call_id = field(HeaderName::CallId);
                    if !self
                        .dialogs
                        .iter()
                        .any(|d| d.call_id == call_id && d.local == local && d.remote == remote)
                    {
                        self.dialogs.push(Dialog { peer: to, call_id, local, remote, cseq: 1 });
                    }
                }
                if code >= 200 {
                    keep(&mut self.finals, (to, message));
                }
            }
            Some(_) => {}
        }
    }

    fn command(&mut self, command: RelayCommand) {
        match command {
            RelayCommand::Open(open) => {
                self.sessions.push(open.session);
                let port = 20_000 + 4 * (self.sessions.len() as u16 % 1000);
                self.relay.push_back(RelayEvent::Opened {
                    session: open.session,
                    a_port: port,
                    b_port: port + 2,
                });
            }
            RelayCommand::Renew { session, .. } => {
                let (a_port, b_port) = (20_000, 24_000 + 2 * (self.sessions.len() as u16 % 1000));
                self.relay.push_back(RelayEvent::Opened { session, a_port, b_port });
            }
            RelayCommand::Release { session } => {
                self.sessions.retain(|open| *open != session);
                let stats = Box::new(SessionStats::default());
                self.relay.push_back(RelayEvent::Released { session, stats });
            }
            RelayCommand::Connect { .. }
            | RelayCommand::Retarget { .. }
            | RelayCommand::Bridge { .. }
            | RelayCommand::Place { .. } => {}
        }
    }

    /// All is well again, everybody hangs up, and everything runs out.
    pub(super) fn end(mut self) {
        self.prompt = true;
        self.snapshot =
            Snapshot { generation: self.snapshot.generation, ..Snapshot::first(Arc::clone(&self.config)) };
        self.publish();
        // Twice: what was being moved or answered when they hung up first has come to rest by then.
        for _ in 0..2 {
            for mut dialog in std::mem::take(&mut self.dialogs) {
                self.serial += 1;
                dialog.cseq = 1_000_000 + self.serial;
                let bytes = peers::inside(&mut dialog, "BYE", self.serial, &mut Script::new(&[]));
                self.message(dialog.peer, bytes, true);
                self.dialogs.push(dialog);
            }
            self.run_until(self.now + Duration::from_secs(300));
        }
        self.run_until(self.now + END);
        let counts = self.shard.counts();
        let left = [
            counts.hunting,
            counts.answered,
            counts.moving,
            counts.ghosts,
            counts.closing,
            counts.transactions,
        ];
        assert_eq!(left, [0; 6], "{counts:?} is left");
        assert_eq!(self.shard.poll_timeout(), Time::NEVER, "nothing is waited for");
        // Calls that were refused have records, too.
        assert!(self.records >= self.shard.counters().calls, "one record for each call");
        assert!(self.sessions.is_empty(), "{:?} is left at the relay", self.sessions);
    }
}

fn keep<T>(all: &mut VecDeque<T>, one: T) {
    if all.len() == KEPT {
        all.pop_front();
    }
    all.push_back(one);
}
