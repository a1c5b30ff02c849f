//! A health core, targets that answer its probes or do not, and the time between.

use crate::health::{Health, HealthChange, HealthInput, HealthOutput};
use crate::route::fixture;
use crate::{Config, Evidence, EvidenceKind, Peer, RegionId, Snapshot, SwitchReason, TargetId, TargetState};
use bytes::Bytes;
use relay_values::{Duration, Time};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How a target treats probes.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Manner {
    /// Answers with this start line and these header lines.
    Answers(&'static str),
    /// Says nothing.
    Silent,
}

pub(super) const OK: Manner = Manner::Answers("200 OK");

pub(super) struct Lab {
    pub(super) health: Health,
    pub(super) now: Time,
    pub(super) manners: Vec<Manner>,
    /// One way.
    pub(super) delay: Duration,
    /// We are woken up to so many microseconds late, now more, now less, as real timers do it.
    pub(super) late_us: u64,
    /// Every probe: when, to whom.
    pub(super) probes: Vec<(Time, TargetId)>,
    /// Every snapshot but the first.
    pub(super) snapshots: Vec<(Arc<Snapshot>, Vec<HealthChange>)>,
    wire: BTreeMap<(Time, u64), (Peer, Bytes)>,
    serial: u64,
}

impl Lab {
    pub(super) fn new(seed: u64, config: Config) -> Self {
        let manners = vec![OK; config.targets.len()];
        Self {
            health: Health::new(seed, Arc::new(Snapshot::first(Arc::new(config)))),
            now: Time::ZERO,
            manners,
            delay: Duration::from_micros(500),
            late_us: 0,
            probes: Vec::new(),
            snapshots: Vec::new(),
            wire: BTreeMap::new(),
            serial: 0,
        }
    }

    /// The fixture's configuration.
    pub(super) fn usual(seed: u64) -> Self {
        Self::new(seed, fixture::config())
    }

    /// Lets time pass, up to and including `until`.
    pub(super) fn run(&mut self, until: Time) {
        loop {
            let arrival = self.wire.first_key_value().map_or(Time::NEVER, |((at, _), _)| *at);
            let late = (self.serial * 7 + self.probes.len() as u64 * 613) % (self.late_us + 1);
            let timeout = (self.health.poll_timeout() + Duration::from_micros(late)).max(self.now);
            let next = arrival.min(timeout);
            if next > until || next.is_never() {
                self.now = until;
                return;
            }
            self.now = next;
            if arrival <= timeout {
                let (_, (from, bytes)) = self.wire.pop_first().unwrap();
                self.handle(HealthInput::Message { from, bytes });
            } else {
                self.handle(HealthInput::Timeout);
            }
        }
    }

    pub(super) fn pass(&mut self, ms: u64) {
        self.run(self.now + Duration::from_millis(ms));
    }

    pub(super) fn handle(&mut self, input: HealthInput) {
        self.health.handle(self.now, input);
        while let Some(output) = self.health.poll_output() {
            match output {
                HealthOutput::Send { to, bytes } => self.send(to, bytes),
                HealthOutput::Snapshot { snapshot, changes } => self.snapshots.push((snapshot, changes)),
            }
        }
    }

    pub(super) fn evidence(&mut self, target: TargetId, kind: EvidenceKind) {
        let generation = self.health.snapshot().config_generation;
        self.handle(HealthInput::Evidence(Evidence { target, generation, kind }));
    }

    /// A relay says that a region's last packet came at `since`.
    pub(super) fn silent(&mut self, region: RegionId, since: Time) {
        let generation = self.health.snapshot().config_generation;
        self.handle(HealthInput::RegionSilent { region, generation, since });
    }

    /// A relay hears a region again.
    pub(super) fn heard(&mut self, region: RegionId) {
        let generation = self.health.snapshot().config_generation;
        self.handle(HealthInput::RegionHeard { region, generation });
    }

    fn send(&mut self, to: Peer, bytes: Bytes) {
        let config = &self.health.snapshot().config;
        let target = (0..).map(TargetId).zip(&config.targets).find(|(_, t)| t.peer == to).unwrap().0;
        self.probes.push((self.now, target));
        if let Manner::Answers(start) = self.manners[target.index()].clone() {
            let request = String::from_utf8(bytes.to_vec()).unwrap();
            let copied = request.lines().filter(|line| {
                ["Via:", "From:", "To:", "Call-ID:", "CSeq:"].iter().any(|name| line.starts_with(name))
            });
            let answer = format!(
                "SIP/2.0 {start}\r\n{}\r\nContent-Length: 0\r\n\r\n",
                copied.collect::<Vec<_>>().join("\r\n")
            );
            self.serial += 1;
            self.wire.insert((self.now + self.delay * 2, self.serial), (to, Bytes::from(answer)));
        }
    }

    /// The target freezes: answers on their way are lost too.
    pub(super) fn freeze(&mut self, target: TargetId) {
        self.manners[target.index()] = Manner::Silent;
        let peer = self.health.snapshot().config.targets[target.index()].peer;
        self.wire.retain(|_, (from, _)| *from != peer);
    }

    /// Runs until the target has just answered a probe.
    pub(super) fn run_to_answer(&mut self, target: TargetId) {
        let before = self.probes.len();
        while self.probes.iter().skip(before).all(|(_, id)| *id != target) {
            self.run(self.now.max(self.health.poll_timeout()));
        }
        self.run(self.now + self.delay * 2);
    }

    pub(super) fn state(&self, target: TargetId) -> TargetState {
        self.health.snapshot().state(target)
    }

    /// What became of a target: when, what, why.
    pub(super) fn story(&self, target: TargetId) -> Vec<(Time, TargetState, SwitchReason)> {
        let changes = self.snapshots.iter().flat_map(|(_, changes)| changes).filter(|c| c.target == target);
        changes.map(|c| (c.at, c.to, c.reason)).collect()
    }

    /// When a target's probes were sent.
    pub(super) fn probes_of(&self, target: TargetId) -> Vec<Time> {
        self.probes.iter().filter(|(_, id)| *id == target).map(|(at, _)| *at).collect()
    }
}

pub(super) const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}
