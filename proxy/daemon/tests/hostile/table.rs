//! Every row over UDP and over TCP, an ordinary call after each.

use crate::agent::{self, Agent, PATIENCE};
use crate::line::{Line, Polled};
use crate::process::Daemon;
use crate::rows::{self, OPTIONS, Outcome, Row, fill};
use sip_wire::{HeaderName, Message, Method};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// How a row gets there.
enum Way {
    Udp(Agent),
    Tcp(Line),
}

impl Way {
    fn at(&self) -> SocketAddr {
        match self {
            Self::Udp(agent) => agent.at,
            Self::Tcp(line) => line.at,
        }
    }

    fn transport(&self) -> &'static str {
        match self {
            Self::Udp(_) => "UDP",
            Self::Tcp(_) => "TCP",
        }
    }

    fn expected(&self, row: &Row) -> Outcome {
        match self {
            Self::Udp(_) => row.over_udp,
            Self::Tcp(_) => row.over_tcp,
        }
    }

    fn send(&mut self, bytes: Vec<u8>, to: SocketAddr) {
        match self {
            Self::Udp(agent) => agent.send(bytes, to),
            // It may be closed by now: what comes back says so.
            Self::Tcp(line) => drop(line.send(bytes)),
        }
    }

    fn poll(&mut self, what: &str) -> Polled {
        match self {
            Self::Udp(agent) => agent.at_once().map_or(Polled::Nothing, Polled::Message),
            Self::Tcp(line) => line.poll(what),
        }
    }
}

struct Table {
    daemon: Daemon,
    carrier: Agent,
    edge: Agent,
    wrong: Vec<String>,
}

impl Table {
    /// Send the row and an honest question behind it: when that is answered, the row has had its effect.
    fn run(&mut self, way: &mut Way, row: &Row, id: &str) {
        let what = format!("{} over {}", row.name, way.transport());
        let (at, transport, to) = (way.at(), way.transport(), self.daemon.sip());
        way.send(row.bytes(at, transport, id), to);
        let fence = format!("fence{id}");
        way.send(fill(OPTIONS.as_bytes(), b"", at, transport, &fence), to);
        let outcome = self.outcome(way, &what, fence.as_bytes());
        if outcome != way.expected(row) {
            self.wrong.push(format!("{what}: {outcome:?}, not {:?}", way.expected(row)));
        }
        agent::call(&self.daemon, &self.carrier, &self.edge, &format!("after{id}"));
    }

    fn outcome(&mut self, way: &mut Way, what: &str, fence: &[u8]) -> Outcome {
        let (mut tried, mut ended, mut fenced) = (false, None, false);
        let begun = Instant::now();
        while !fenced || (tried && ended.is_none()) {
            if begun.elapsed() > PATIENCE {
                self.wrong.push(format!("{what}: tried: {tried}, the question behind it answered: {fenced}"));
                return Outcome::Silence;
            }
            match way.poll(what) {
                Polled::Nothing if tried => self.refuse(what),
                Polled::Nothing => std::thread::sleep(Duration::from_micros(200)),
                Polled::Closed => return Outcome::Closed,
                Polled::Message(bytes) => match Message::parse(bytes.clone()) {
                    Ok(response) => match response.code() {
                        Some(200) if response.call_id() == Ok(fence) => fenced = true,
                        Some(100) => tried = true,
                        Some(code) if code >= 200 => ended = Some(code),
                        _ => {}
                    },
                    Err(_) => {
                        let bytes = bytes.escape_ascii();
                        self.wrong.push(format!("{what}: what came cannot be read: {bytes}"));
                    }
                },
            }
        }
        match ended {
            Some(486) if tried => Outcome::Rings,
            Some(code) => Outcome::Code(code),
            None => Outcome::Silence,
        }
    }

    /// The edge says that it is busy, if it is asked, after a look at what it was sent.
    fn refuse(&mut self, what: &str) {
        let Some(bytes) = self.edge.at_once() else { return };
        let Ok(invite) = Message::parse(bytes.clone()) else {
            return self.wrong.push(format!("{what}: the edge cannot read {}", bytes.escape_ascii()));
        };
        if invite.method() != Method::Invite {
            return;
        }
        if let Err(defect) = invite.check() {
            self.wrong.push(format!("{what}: the edge was sent a message with a fault: {defect}"));
        }
        let is_clean = |text: &[u8]| text.iter().all(|b| *b == b'\t' || !b.is_ascii_control());
        for header in invite.all().filter(|header| !is_clean(header.value)) {
            let line = header.value.escape_ascii();
            self.wrong.push(format!("{what}: the edge was sent controls in {:?}: {line}", header.id));
        }
        if bytes.windows(b"bank.example".len()).any(|part| part == b"bank.example") {
            self.wrong
                .push(format!("{what}: the edge was told what a stranger asserts: {}", bytes.escape_ascii()));
        }
        if invite.header(HeaderName::Subject).is_some() {
            self.wrong.push(format!("{what}: the edge was sent what nobody names"));
        }
        self.edge.send(agent::answer(&self.edge, &invite, 486), self.daemon.tier());
    }
}

#[test]
fn whatever_comes_the_next_call_goes_through_and_nothing_is_left_behind() {
    let daemon = Daemon::start(1, "");
    let (carrier, edge) = (Agent::at(daemon.carrier(5060)), Agent::at(daemon.edge()));
    agent::call(&daemon, &carrier, &edge, "first");
    let before = daemon.memory();
    let mut table = Table { daemon, carrier, edge, wrong: Vec::new() };
    for (number, row) in rows::all().iter().enumerate() {
        let from = table.daemon.carrier(0);
        table.run(&mut Way::Udp(Agent::at(from)), row, &format!("u{number}"));
        let line = Line::connect(from, table.daemon.sip());
        table.run(&mut Way::Tcp(line), row, &format!("t{number}"));
    }
    assert!(table.wrong.is_empty(), "{} rows:\n{}", table.wrong.len(), table.wrong.join("\n"));
    table.daemon.keeps(0);
    let after = table.daemon.memory();
    assert!(after <= before + 64 * 1024, "memory: {before} KiB, then {after}");
}

#[test]
fn from_a_stranger_no_row_gets_a_word_nor_a_connection() {
    let daemon = Daemon::start(2, "");
    let (carrier, edge) = (Agent::at(daemon.carrier(5060)), Agent::at(daemon.edge()));
    let stranger = Agent::at(daemon.stranger(5060));
    for (number, row) in rows::all().iter().enumerate() {
        stranger.send(row.bytes(stranger.at, "UDP", &format!("s{number}")), daemon.sip());
    }
    agent::call(&daemon, &carrier, &edge, "beside");
    assert_eq!(stranger.at_once(), None);
    let mut line = Line::connect(stranger.at, daemon.sip());
    assert_eq!(line.frame("a stranger's connection"), None);
    agent::call(&daemon, &carrier, &edge, "after");
}
