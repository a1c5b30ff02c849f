//! The health core itself: from inputs to signals, from changes to snapshots.

use super::answer::read;
use super::drill::Cohort;
use super::machine::Signal;
use super::options::{ProbeId, ProbeIds};
use super::probing::Kind;
use super::region::News;
use super::silence::{Cause, RegionWatch};
use super::watch::Watch;
use super::{HealthChange, HealthCounters, HealthInput, HealthOutput};
use crate::registration::{RegistrationView, Registrations, is_for_registration};
use crate::rng::Rng;
use crate::{Config, Overrides, Peer, RegionId, Router, Snapshot, SwitchReason, TargetId, TargetState};
use bytes::Bytes;
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use relay_values::Time;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
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
    pub(super) sends: VecDeque<(Peer, Bytes)>,
    pub(super) watches: Vec<Watch>,
    pub(super) regions: Vec<RegionWatch>,
    pub(super) cohort: Cohort,
    cohort_scheduled: Time,
    /// Regions whose edges have changed, and why.
    pub(super) unsettled: BTreeMap<RegionId, Cause>,
    /// Everything that waits for a time.
    pub(super) schedule: BTreeSet<(Time, Wake)>,
    /// Whose probe it is. Holds what the probers hold, at most two a target, and what the bursts have sent.
    pub(super) probes: HashMap<ProbeId, Whose, FixedState>,
    pub(super) ids: ProbeIds,
    pub(super) counters: HealthCounters,
    pub(super) registrations: Registrations,
    pub(super) rng: Rng,
}

/// What waits for a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Wake {
    Target(TargetId),
    Region(RegionId),
    Drill,
}

/// What a probe was sent for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    /// For the target itself.
    Target(TargetId),
    /// To hear whether a region lives.
    Burst { region: RegionId, edge: TargetId },
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
        let policy = &first.config.region_health;
        let targets = first.config.targets.iter();
        let watches = targets.map(|t| Watch::new(Time::ZERO, t, policy, &mut rng)).collect();
        let mut health = Self {
            config: Arc::clone(&first.config),
            router: Arc::clone(&first.router),
            overrides: first.overrides.clone(),
            due: Due::Nothing,
            changes: Vec::new(),
            sends: VecDeque::new(),
            watches,
            regions: first.config.regions.iter().map(|_| RegionWatch::new(Time::ZERO)).collect(),
            cohort: Cohort::None,
            cohort_scheduled: Time::NEVER,
            unsettled: BTreeMap::new(),
            schedule: BTreeSet::new(),
            probes: HashMap::default(),
            ids: ProbeIds::new(&mut rng),
            counters: HealthCounters::default(),
            // Numbers of its own: what is drawn for probes does not depend on trunks that register.
            registrations: Registrations::new(&first.config, Time::ZERO, seed.rotate_left(17)),
            rng,
            snapshot: first,
        };
        health.reschedule_all();
        health
    }

    /// Takes one input in.
    pub fn handle(&mut self, now: Time, input: HealthInput) {
        match input {
            HealthInput::Message { from: _, bytes } => self.message(now, bytes),
            HealthInput::Leave => {
                let config = Arc::clone(&self.config);
                self.registrations.leave(now, &config, &mut self.sends);
            }
            HealthInput::Evidence(evidence) => self.evidence(now, evidence),
            HealthInput::TransportError { to, failure } => {
                self.transport_error(now, to, failure);
                let config = Arc::clone(&self.config);
                self.registrations.transport_error(now, &config, &mut self.sends, (to, failure));
            }
            HealthInput::RegionSilent { region, generation, since } => {
                self.region_news(now, region, generation, News::Silent { since });
            }
            HealthInput::RegionHeard { region, generation } => {
                self.region_news(now, region, generation, News::Heard);
            }
            HealthInput::Config(config) => self.reload(now, config),
            HealthInput::Overrides(overrides) => self.override_with(now, overrides),
            HealthInput::Timeout => self.timeout(now),
        }
        self.settle(now);
        if self.registrations.bindings().1 {
            self.due = self.due.max(Due::State);
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
            regions: self.regions.iter().map(RegionWatch::health).collect(),
            overrides: self.overrides.clone(),
            bindings: self.registrations.bindings().0.to_vec(),
        });
        let changes = std::mem::take(&mut self.changes);
        Some(HealthOutput::Snapshot { snapshot: Arc::clone(&self.snapshot), changes })
    }

    /// When to come back with [`HealthInput::Timeout`]; [`Time::NEVER`] while nothing is probed or waits.
    pub fn poll_timeout(&self) -> Time {
        self.schedule.first().map_or(Time::NEVER, |(at, _)| *at).min(self.registrations.deadline())
    }

    /// What is known of trunks that have us registered.
    pub fn registrations(&self) -> Vec<RegistrationView> {
        self.registrations.views(&self.config)
    }

    /// Whether no registrar has bound us any more, after [`HealthInput::Leave`].
    pub fn has_left(&self) -> bool {
        self.registrations.has_left()
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
        if sip_wire::peek(&bytes).is_some_and(|keys| is_for_registration(keys.branch)) {
            let config = Arc::clone(&self.config);
            if !self.registrations.message(now, &config, &mut self.sends, bytes) {
                self.counters.strays += 1;
            }
            return;
        }
        let Some((id, answer)) = read(bytes) else {
            self.counters.strays += 1;
            return;
        };
        let Some(whose) = self.probes.remove(&id) else {
            self.counters.strays += 1;
            return;
        };
        self.counters.answers += 1;
        match whose {
            Whose::Target(target) => {
                let Some(watch) = self.watches.get_mut(target.index()) else { return };
                if let Some(prober) = &mut watch.prober {
                    prober.answered(now, id);
                }
                watch.alive(now);
                self.signal(now, target, answer);
                self.reschedule(Wake::Target(target));
            }
            Whose::Burst { region, edge } => {
                let Some(watch) = self.watches.get_mut(edge.index()) else { return };
                watch.alive(now);
                let burst = self.regions.get(usize::from(region.0)).and_then(|watch| watch.region.burst());
                if burst.is_some_and(|burst| burst.silent().any(|silent| silent == edge)) {
                    // Once a burst: three answers within 20 ms say no more than one.
                    self.signal(now, edge, answer);
                    self.reschedule(Wake::Target(edge));
                }
                self.tell(now, region, News::Answered(edge), None);
            }
        }
    }

    fn timeout(&mut self, now: Time) {
        let config = Arc::clone(&self.config);
        self.registrations.timeout(now, &config, &mut self.sends);
        while let Some((_, wake)) = self.schedule.first().copied().filter(|(at, _)| *at <= now) {
            match wake {
                Wake::Target(id) => self.target_elapsed(now, id),
                Wake::Region(id) => self.tell(now, id, News::Elapsed, None),
                Wake::Drill => self.cohort_news(now, News::Elapsed),
            }
            self.reschedule(wake);
        }
    }

    fn target_elapsed(&mut self, now: Time, id: TargetId) {
        self.probes_ended(now, id);
        self.signal(now, id, Signal::Elapsed);
        let due = self.watches.get_mut(id.index()).is_some_and(|watch| {
            let Watch { policy, prober, .. } = watch;
            prober.as_mut().zip(policy.probe).is_some_and(|(prober, times)| prober.is_due(now, &times))
        });
        if due {
            self.probe(now, id, Kind::Regular);
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
        if let Some(region) = self.config.region_of(target) {
            let troubled = self.watches.get(target.index()).map_or(at, Watch::troubled);
            self.unsettled.insert(region, Cause { reason, troubled });
        }
        let name = self.config.target(target).map(|t| t.name.clone()).unwrap_or_default();
        self.changes.push(HealthChange { target, name, from, to, reason, at });
        self.due = self.due.max(Due::State);
    }

    /// Puts it where its deadline belongs.
    pub(super) fn reschedule(&mut self, wake: Wake) {
        let (deadline, scheduled) = match wake {
            Wake::Target(id) => {
                let Some(watch) = self.watches.get_mut(id.index()) else { return };
                (watch.deadline(), &mut watch.scheduled)
            }
            Wake::Region(id) => {
                let Some(watch) = self.regions.get_mut(usize::from(id.0)) else { return };
                (watch.region.deadline(), &mut watch.scheduled)
            }
            Wake::Drill => (self.cohort.deadline(), &mut self.cohort_scheduled),
        };
        let before = std::mem::replace(scheduled, deadline);
        if before == deadline {
            return;
        }
        self.schedule.remove(&(before, wake));
        if !deadline.is_never() {
            self.schedule.insert((deadline, wake));
        }
    }

    /// Enters everything that waits, and every probe that a target has out.
    pub(super) fn reschedule_all(&mut self) {
        self.schedule.clear();
        for (id, watch) in (0..).map(TargetId).zip(&mut self.watches) {
            let ids = watch.prober.iter().flat_map(|prober| prober.ids());
            self.probes.extend(ids.map(|probe| (probe, Whose::Target(id))));
            watch.scheduled = Time::NEVER;
        }
        self.regions.iter_mut().for_each(|watch| watch.scheduled = Time::NEVER);
        self.cohort_scheduled = Time::NEVER;
        let targets = (0..).map(TargetId).take(self.watches.len()).map(Wake::Target);
        let regions = (0..).map(RegionId).take(self.regions.len()).map(Wake::Region);
        let all: Vec<Wake> = targets.chain(regions).chain([Wake::Drill]).collect();
        all.into_iter().for_each(|wake| self.reschedule(wake));
    }
}
