//! The health core itself: from inputs to signals, from changes to snapshots.

use super::answer::read;
use super::machine::Signal;
use super::options::{ProbeId, options};
use super::policy::{EVIDENCE_DELAY, MAX_NEIGHBOURS, Policy, WEIGHT_SILENCE, WEIGHT_TIMEOUT};
use super::prober::Ended;
use super::watch::Watch;
use super::{HealthChange, HealthCounters, HealthInput, HealthOutput};
use crate::rng::Rng;
use crate::{
    Config, Evidence, EvidenceKind, Overrides, Peer, Router, Snapshot, SwitchReason, TargetId, TargetState,
    TransportFailure,
};
use bytes::Bytes;
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use relay_values::Time;
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

/// The health core.
///
/// After every [`Health::handle`], drain [`Health::poll_output`] to `None`: the changes of one input make one snapshot,
/// however many targets they touch.
#[derive(Debug)]
pub struct Health {
    /// The newest snapshot that was given out.
    snapshot: Arc<Snapshot>,
    pub(super) config: Arc<Config>,
    pub(super) router: Arc<Router>,
    pub(super) overrides: Overrides,
    /// What the next snapshot is due for.
    pub(super) due: Due,
    changes: Vec<HealthChange>,
    sends: VecDeque<(Peer, Bytes)>,
    pub(super) watches: Vec<Watch>,
    /// Every watch by its deadline, unless that is never.
    pub(super) schedule: BTreeSet<(Time, TargetId)>,
    /// Whose probe it is. Holds what the probers hold: at most two a target.
    pub(super) probes: HashMap<ProbeId, TargetId, FixedState>,
    counters: HealthCounters,
    pub(super) rng: Rng,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Due {
    Nothing,
    State,
    Config,
}

impl Health {
    /// Over the targets of a first snapshot. Another seed gives other probe phases and other branches.
    pub fn new(seed: u64, first: Arc<Snapshot>) -> Self {
        let mut rng = Rng::new(seed);
        let watches = first.config.targets.iter().map(|t| Watch::new(Time::ZERO, t, &mut rng)).collect();
        let mut health = Self {
            config: Arc::clone(&first.config),
            router: Arc::clone(&first.router),
            overrides: first.overrides.clone(),
            snapshot: first,
            due: Due::Nothing,
            changes: Vec::new(),
            sends: VecDeque::new(),
            watches,
            schedule: BTreeSet::new(),
            probes: HashMap::default(),
            counters: HealthCounters::default(),
            rng,
        };
        health.reschedule_all();
        health
    }

    /// Takes one input in.
    pub fn handle(&mut self, now: Time, input: HealthInput) {
        match input {
            HealthInput::Message { from: _, bytes } => self.message(now, bytes),
            HealthInput::Evidence(evidence) => self.evidence(now, evidence),
            HealthInput::TransportError { to, failure } => self.transport_error(now, to, failure),
            HealthInput::RegionSilent { .. } | HealthInput::RegionHeard { .. } => {}
            HealthInput::Config(config) => self.reload(now, config),
            HealthInput::Overrides(overrides) => {
                if overrides != self.overrides {
                    self.overrides = overrides;
                    self.due = self.due.max(Due::State);
                }
            }
            HealthInput::Timeout => self.timeout(now),
        }
    }

    /// The next output. A snapshot comes first: nothing is more urgent.
    pub fn poll_output(&mut self) -> Option<HealthOutput> {
        if self.due == Due::Nothing {
            return self.sends.pop_front().map(|(to, bytes)| HealthOutput::Send { to, bytes });
        }
        let generation = self.snapshot.generation + 1;
        let renumbered = self.due == Due::Config;
        let config_generation = if renumbered { generation } else { self.snapshot.config_generation };
        self.due = Due::Nothing;
        self.snapshot = Arc::new(Snapshot {
            generation,
            config_generation,
            config: Arc::clone(&self.config),
            router: Arc::clone(&self.router),
            health: self.watches.iter().map(Watch::health).collect(),
            regions: self.snapshot.regions.clone(),
            overrides: self.overrides.clone(),
        });
        let changes = std::mem::take(&mut self.changes);
        Some(HealthOutput::Snapshot { snapshot: Arc::clone(&self.snapshot), changes })
    }

    /// When to come back with [`HealthInput::Timeout`]; [`Time::NEVER`] while nothing is probed or waits.
    pub fn poll_timeout(&self) -> Time {
        self.schedule.first().map_or(Time::NEVER, |(at, _)| *at)
    }

    /// The newest snapshot that was given out, or the first one.
    pub fn snapshot(&self) -> &Arc<Snapshot> {
        &self.snapshot
    }

    /// Totals since the start.
    pub fn counters(&self) -> &HealthCounters {
        &self.counters
    }

    fn message(&mut self, now: Time, bytes: Bytes) {
        let Some((id, answer)) = read(bytes) else {
            self.counters.strays += 1;
            return;
        };
        // The id is 64 bits that only we and the target have seen: whoever sends it back need not be asked his address.
        let Some(target) = self.probes.remove(&id) else {
            self.counters.strays += 1;
            return;
        };
        let Some(watch) = self.watches.get_mut(target.index()) else { return };
        if let Some(prober) = &mut watch.prober {
            prober.answered(now, id);
        }
        watch.alive(now);
        self.counters.answers += 1;
        self.signal(now, target, answer);
        self.reschedule(target);
    }

    fn evidence(&mut self, now: Time, evidence: Evidence) {
        let current = evidence.generation >= self.snapshot.config_generation;
        let Some(watch) = self.watches.get(evidence.target.index()).filter(|_| current) else {
            self.counters.outdated += 1;
            return;
        };
        self.counters.evidence += 1;
        let signal = match evidence.kind {
            EvidenceKind::NoResponse => {
                // The hunt timer has just run out, so that is how long ago the INVITE was sent.
                let sent = self.config.hunt.no_response + EVIDENCE_DELAY;
                if watch.answered_within(now, sent) {
                    // It lived after that. But is it still alive?
                    self.ask(now, evidence.target);
                    return;
                }
                Signal::Failed { weight: WEIGHT_SILENCE, reason: SwitchReason::InviteTimeout }
            }
            EvidenceKind::Timeout => {
                Signal::Failed { weight: WEIGHT_TIMEOUT, reason: SwitchReason::InviteTimeout }
            }
            EvidenceKind::Unreachable => unreachable_now(&watch.policy),
            EvidenceKind::Unavailable(retry_after) => Signal::Refused(Policy::backoff(retry_after)),
        };
        self.signal(now, evidence.target, signal);
        self.reschedule(evidence.target);
    }

    fn transport_error(&mut self, now: Time, to: Peer, failure: TransportFailure) {
        match failure {
            TransportFailure::Unreachable | TransportFailure::Reset => {}
            // Our own trouble: it says nothing about the target.
            TransportFailure::Local => return,
        }
        let config = Arc::clone(&self.config);
        for (id, _) in (0..).map(TargetId).zip(&config.targets).filter(|(_, target)| target.peer == to) {
            let Some(watch) = self.watches.get(id.index()) else { continue };
            let signal = unreachable_now(&watch.policy);
            self.signal(now, id, signal);
            self.reschedule(id);
        }
    }

    fn timeout(&mut self, now: Time) {
        while let Some((_, id)) = self.schedule.first().copied().filter(|(at, _)| *at <= now) {
            self.probes_ended(now, id);
            self.signal(now, id, Signal::Elapsed);
            let due = self.watches.get_mut(id.index()).is_some_and(|watch| {
                let Watch { policy, prober, .. } = watch;
                prober.as_mut().zip(policy.probe).is_some_and(|(prober, times)| prober.is_due(now, &times))
            });
            if due {
                self.probe(now, id, Kind::Regular);
            }
            self.reschedule(id);
        }
    }

    fn probes_ended(&mut self, now: Time, target: TargetId) {
        while let Some(ended) =
            self.watches.get_mut(target.index()).and_then(|w| w.prober.as_mut()).and_then(|p| p.ended(now))
        {
            match ended {
                Ended::Missed(id) => {
                    self.probes.remove(&id);
                    self.counters.misses += 1;
                    let reason = SwitchReason::ProbeTimeout;
                    self.signal(now, target, Signal::Failed { weight: WEIGHT_SILENCE, reason });
                }
                Ended::Void(id) => {
                    self.probes.remove(&id);
                    self.counters.void += 1;
                    self.ask(now, target);
                }
            }
        }
    }

    /// Lets a target's machine see a signal, and acts on what it says.
    fn signal(&mut self, now: Time, id: TargetId, signal: Signal) {
        let Some(watch) = self.watches.get_mut(id.index()) else { return };
        let (before, failures) = (watch.health(), watch.failures());
        let reason = watch.on(now, signal);
        let (after, suspect) = (watch.health(), failures == 0 && watch.failures() > 0);
        if let Some(reason) = reason {
            self.changed(now, id, before.state, after.state, reason);
        } else if suspect {
            self.ask(now, id);
            self.ask_neighbours(now, id);
        }
    }

    pub(super) fn changed(
        &mut self,
        at: Time,
        target: TargetId,
        from: TargetState,
        to: TargetState,
        reason: SwitchReason,
    ) {
        let name = self.config.target(target).map(|t| t.name.clone()).unwrap_or_default();
        self.changes.push(HealthChange { target, name, from, to, reason, at });
        self.due = self.due.max(Due::State);
    }

    /// What silenced one edge may have silenced its region: asks neighbours that nobody suspects yet, so that a region is
    /// seen down as a whole, not edge by edge as calls happen to find them.
    fn ask_neighbours(&mut self, now: Time, id: TargetId) {
        let config = Arc::clone(&self.config);
        let Some(region) = config.region_of(id) else { return };
        let neighbours =
            config.groups.iter().filter(|group| group.region == region).flat_map(|group| &group.edges);
        let mut room = MAX_NEIGHBOURS;
        for neighbour in neighbours.copied().filter(|neighbour| *neighbour != id) {
            let unsuspected = self.watches.get(neighbour.index()).is_some_and(Watch::is_unsuspected);
            if room > 0 && unsuspected && self.ask(now, neighbour) {
                room -= 1;
            }
        }
    }

    /// Sends an extra probe, unless one is out or the target is not probed at all.
    fn ask(&mut self, now: Time, id: TargetId) -> bool {
        let prober = self.watches.get(id.index()).and_then(|watch| watch.prober.as_ref());
        let may = prober.is_some_and(|prober| !prober.has_extra());
        if may {
            self.probe(now, id, Kind::Extra);
        }
        may
    }

    fn probe(&mut self, now: Time, target: TargetId, kind: Kind) {
        let Some(config) = self.config.target(target) else { return };
        let Some(listener) = self.config.listener(config.peer.listener) else { return };
        let Some(watch) = self.watches.get_mut(target.index()) else { return };
        let Some((prober, times)) = watch.prober.as_mut().zip(watch.policy.probe) else { return };
        let id = ProbeId(self.rng.next_u64());
        match kind {
            Kind::Regular => {
                let replaced = prober.regular_sent(now, id, &times);
                replaced.map(|old| self.probes.remove(&old));
            }
            Kind::Extra => prober.extra_sent(now, id, &times),
        }
        self.probes.insert(id, target);
        self.counters.probes += 1;
        let bytes = options(id, &config.peer, listener, self.config.product.as_deref());
        self.sends.push_back((config.peer, bytes));
        self.reschedule(target);
    }

    /// Puts a target where its deadline belongs.
    fn reschedule(&mut self, id: TargetId) {
        let Some(watch) = self.watches.get_mut(id.index()) else { return };
        let deadline = watch.deadline();
        if deadline == watch.scheduled {
            return;
        }
        self.schedule.remove(&(watch.scheduled, id));
        watch.scheduled = deadline;
        if !deadline.is_never() {
            self.schedule.insert((deadline, id));
        }
    }

    /// Enters every target and every probe that is out.
    pub(super) fn reschedule_all(&mut self) {
        for (id, watch) in (0..).map(TargetId).zip(&mut self.watches) {
            let ids = watch.prober.iter().flat_map(|prober| prober.ids());
            self.probes.extend(ids.map(|probe| (probe, id)));
            watch.scheduled = watch.deadline();
            if !watch.scheduled.is_never() {
                self.schedule.insert((watch.scheduled, id));
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Regular,
    Extra,
}

/// ICMP or a refused connection is proof, not suspicion: as much as it takes.
fn unreachable_now(policy: &Policy) -> Signal {
    Signal::Failed { weight: policy.fall, reason: SwitchReason::Unreachable }
}
