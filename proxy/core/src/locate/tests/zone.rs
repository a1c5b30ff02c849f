//! A name server to tell stories with: a zone that the story changes, a clock that it moves.

use crate::locate::*;
use crate::{Transport, locate::core::Locate};
use relay_values::{Duration, Time};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

/// What the server does with questions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Server {
    Answers,
    /// Nothing comes back; the shell says so after [`PATIENCE`].
    Silent,
    /// SERVFAIL to everything.
    Fails,
    /// NXDOMAIN to everything.
    Denies,
}

/// How long the shell waits for a server.
pub(super) const PATIENCE: Duration = Duration::from_secs(4);

pub(super) struct Zone {
    pub(super) locate: Locate,
    pub(super) now: Time,
    pub(super) server: Server,
    pub(super) records: BTreeMap<(String, QuestionKind), Answer>,
    /// Every question, and when it was asked.
    pub(super) asked: Vec<(Time, String)>,
    /// Every change, and when it came.
    pub(super) changes: Vec<(Time, LocateChange)>,
    pending: Vec<(Time, QuestionId)>,
}

pub(super) fn name(text: &str) -> DnsName {
    DnsName::in_answer(text).unwrap()
}

pub(super) fn place(host: &str, port: Option<u16>) -> Place {
    Place { host: DnsName::host(host).unwrap(), port, transport: Transport::Udp, family: Family::V4 }
}

pub(super) fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

impl Zone {
    pub(super) fn new(host: &str, port: Option<u16>) -> Self {
        let mut zone = Self::of(&[place(host, port)], LocatePolicy::default());
        zone.server = Server::Answers;
        zone
    }

    pub(super) fn of(places: &[Place], policy: LocatePolicy) -> Self {
        let mut locate = Locate::new(7, policy);
        let now = Time::from_millis(1_000);
        locate.handle(now, LocateInput::Places(places.iter().cloned().collect()));
        Self {
            locate,
            now,
            server: Server::Answers,
            records: BTreeMap::new(),
            asked: Vec::new(),
            changes: Vec::new(),
            pending: Vec::new(),
        }
    }

    pub(super) fn set(&mut self, owner: &str, kind: QuestionKind, ttl: u64, data: Vec<Data>) {
        let owner_name = name(owner);
        let record = |data| Record { owner: owner_name.clone(), ttl: secs(ttl), data };
        let answer = Answer::Records(data.into_iter().map(record).collect());
        self.records.insert((owner.into(), kind), answer);
    }

    pub(super) fn a(&mut self, owner: &str, ttl: u64, addresses: &[&str]) {
        let data = addresses.iter().map(|ip| Data::Address(ip.parse().unwrap())).collect();
        self.set(owner, QuestionKind::A, ttl, data);
    }

    pub(super) fn srv(&mut self, owner: &str, ttl: u64, hosts: &[(u16, u16, &str)]) {
        let one = |(priority, weight, host): &(u16, u16, &str)| Data::Srv {
            priority: *priority,
            weight: *weight,
            port: 5070,
            target: DnsName::in_answer(host),
        };
        let data = hosts.iter().map(one).collect();
        self.set(owner, QuestionKind::Srv, ttl, data);
    }

    pub(super) fn remove(&mut self, owner: &str, kind: QuestionKind) {
        self.records.remove(&(owner.into(), kind));
    }

    /// Whatever happens in so long.
    pub(super) fn run(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            self.drain();
            let reply = self.pending.iter().map(|(at, _)| *at).min().unwrap_or(Time::NEVER);
            let next = reply.min(self.locate.poll_timeout());
            if next > end {
                break;
            }
            self.now = self.now.max(next);
            match self.pending.iter().position(|(at, _)| *at <= self.now) {
                Some(i) => {
                    let (_, id) = self.pending.remove(i);
                    self.tell(LocateInput::Answer { id, answer: Answer::Failed(Failure::Timeout) });
                }
                None => self.tell(LocateInput::Timeout),
            }
        }
        self.now = end;
    }

    pub(super) fn tell(&mut self, input: LocateInput) {
        self.locate.handle(self.now, input);
        self.drain();
    }

    pub(super) fn down(&mut self, addresses: &[&str]) {
        let down: BTreeSet<SocketAddr> = addresses.iter().map(|at| at.parse().unwrap()).collect();
        self.tell(LocateInput::Down(down));
    }

    fn drain(&mut self) {
        while let Some(question) = self.locate.poll_query() {
            let Question { id, name, kind } = question;
            self.asked.push((self.now, format!("{} {name}", kind.as_str())));
            let nothing = |absent| Answer::Nothing { absent, ttl: Some(secs(30)) };
            let answer = match self.server {
                Server::Silent => {
                    self.pending.push((self.now + PATIENCE, id));
                    continue;
                }
                Server::Fails => Answer::Failed(Failure::Server),
                Server::Denies => nothing(Absent::Name),
                Server::Answers => {
                    let known = self.records.get(&(name.as_str().into(), kind)).cloned();
                    known.unwrap_or_else(|| nothing(Absent::Data))
                }
            };
            self.locate.handle(self.now, LocateInput::Answer { id, answer });
        }
        while let Some(change) = self.locate.poll_change() {
            self.changes.push((self.now, change));
        }
    }

    /// The first place's state.
    pub(super) fn view(&self) -> PlaceView {
        self.locate.places().remove(0)
    }

    pub(super) fn state(&self) -> PlaceState {
        self.view().state
    }

    /// Its addresses as `rank*weight address`.
    pub(super) fn found(&self) -> Vec<String> {
        let one = |a: AddressView| format!("{}*{} {}", a.rank, a.weight, a.address);
        self.view().addresses.into_iter().map(one).collect()
    }

    /// Only the addresses.
    pub(super) fn at(&self) -> Vec<String> {
        self.view().addresses.into_iter().map(|a| a.address.to_string()).collect()
    }

    /// Questions since then.
    pub(super) fn asked_since(&self, time: Time) -> usize {
        self.asked.iter().filter(|(at, _)| *at > time).count()
    }
}
