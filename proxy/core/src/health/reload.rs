//! A new configuration meets what is known of the old one's targets and regions.

use super::core::{Due, Health, Whose};
use super::options::ProbeId;
use super::silence::{Cause, RegionWatch};
use super::watch::Watch;
use crate::{Config, Overrides, RegionId, Router, SwitchReason, TargetId, TargetState};
use relay_values::Time;
use std::sync::Arc;

impl Health {
    /// Takes a configuration over, and what is known of its targets and regions with it.
    pub(super) fn reload(&mut self, now: Time, config: Arc<Config>) {
        let old = std::mem::replace(&mut self.config, Arc::clone(&config));
        let old_router = std::mem::replace(&mut self.router, Arc::new(Router::new(&config)));
        let old_watches = std::mem::take(&mut self.watches);
        let old_probes = std::mem::take(&mut self.probes);
        self.due = Due::Config;
        self.registrations.reload(now, (&old, &config), &mut self.sends);
        let numbers = Numbers { old: &old, new: &config, router: Arc::clone(&self.router) };

        for (id, target) in (0..).map(TargetId).zip(&config.targets) {
            let before = old_router.target_named(&target.name);
            let known = before.and_then(|id| old.target(id).zip(old_watches.get(id.index())));
            let fresh = |rng: &mut _| Watch::new(now, target, &config.region_health, rng);
            let watch = match known {
                Some((before, watch)) if before.peer == target.peer => {
                    let mut watch = watch.clone();
                    watch.adopt(now, target, &config.region_health, &mut self.rng);
                    watch
                }
                Some((_, watch)) => {
                    let from = watch.health().state;
                    if from != TargetState::Up {
                        self.changed(now, id, from, TargetState::Up, SwitchReason::Reload);
                    }
                    fresh(&mut self.rng)
                }
                None => fresh(&mut self.rng),
            };
            self.watches.push(watch);
        }
        self.reload_regions(now, &numbers);
        let bursts = old_probes.into_iter().filter_map(|(id, whose)| numbers.probe(id, whose));
        self.probes.extend(bursts);
        numbers.overrides(&mut self.overrides);
        if self.overrides.drill.is_none() {
            self.cohort = super::drill::Cohort::None;
        }
        self.reschedule_all();
    }

    fn reload_regions(&mut self, now: Time, numbers: &Numbers<'_>) {
        let mut watches: Vec<RegionWatch> =
            numbers.new.regions.iter().map(|_| RegionWatch::new(now)).collect();
        let old = std::mem::take(&mut self.regions);
        for (before, mut watch) in (0..).map(RegionId).zip(old) {
            let Some(id) = numbers.region(before) else { continue };
            if let Some(burst) = watch.region.burst_mut() {
                burst.renumber(|edge| numbers.edge(id, edge));
            }
            if let Some(slot) = watches.get_mut(usize::from(id.0)) {
                *slot = watch;
            }
        }
        self.regions = watches;
        for id in (0..).map(RegionId).take(numbers.new.regions.len()) {
            let cause = Cause { reason: SwitchReason::Reload, troubled: now };
            self.unsettled.entry(id).or_insert(cause);
        }
    }
}

/// From the old configuration's numbers to the new one's, by name.
struct Numbers<'a> {
    old: &'a Config,
    new: &'a Config,
    router: Arc<Router>,
}

impl Numbers<'_> {
    fn region(&self, id: RegionId) -> Option<RegionId> {
        let name = &self.old.regions.get(usize::from(id.0))?.name;
        let mut regions = (0..).map(RegionId).zip(&self.new.regions);
        regions.find(|(_, region)| region.name == *name).map(|(id, _)| id)
    }

    fn target(&self, id: TargetId) -> Option<TargetId> {
        self.router.target_named(&self.old.target(id)?.name)
    }

    /// An edge, if it is where it was and still of this region (by its new number).
    fn edge(&self, region: RegionId, id: TargetId) -> Option<TargetId> {
        let new = self.target(id)?;
        let same_peer = self.old.target(id)?.peer == self.new.target(new)?.peer;
        (same_peer && self.new.region_of(new) == Some(region)).then_some(new)
    }

    /// A burst's probe that is out. Those of targets come back with the targets.
    fn probe(&self, id: ProbeId, whose: Whose) -> Option<(ProbeId, Whose)> {
        match whose {
            Whose::Target(_) => None,
            Whose::Burst { region, edge } => {
                let region = self.region(region)?;
                Some((id, Whose::Burst { region, edge: self.edge(region, edge)? }))
            }
        }
    }

    /// What is gone needs no drain and ends its drill.
    fn overrides(&self, overrides: &mut Overrides) {
        overrides.drained = overrides.drained.iter().filter_map(|id| self.region(*id)).collect();
        overrides.drained_targets =
            overrides.drained_targets.iter().filter_map(|id| self.target(*id)).collect();
        overrides.drill = overrides.drill.and_then(|mut drill| {
            drill.region = self.region(drill.region)?;
            Some(drill)
        });
    }
}
