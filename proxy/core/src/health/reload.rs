//! A new configuration meets what is known of the old one's targets.

use super::core::{Due, Health};
use super::watch::Watch;
use crate::{Config, RegionId, Router, SwitchReason, TargetId, TargetState};
use relay_values::Time;
use std::sync::Arc;

impl Health {
    /// Takes a configuration over, and what is known of its targets with it.
    pub(super) fn reload(&mut self, now: Time, config: Arc<Config>) {
        let old = std::mem::replace(&mut self.config, config);
        let old_router = std::mem::replace(&mut self.router, Arc::new(Router::new(&self.config)));
        let config = Arc::clone(&self.config);
        let old_watches = std::mem::take(&mut self.watches);
        self.schedule.clear();
        self.probes.clear();
        self.due = Due::Config;
        for (id, target) in (0..).map(TargetId).zip(&config.targets) {
            let before = old_router.target_named(&target.name);
            let known = before.and_then(|id| old.target(id).zip(old_watches.get(id.index())));
            let watch = match known {
                Some((before, watch)) if before.peer == target.peer => {
                    let mut watch = watch.clone();
                    watch.adopt(now, target, &mut self.rng);
                    watch
                }
                Some((_, watch)) => {
                    let from = watch.health().state;
                    if from != TargetState::Up {
                        self.changed(now, id, from, TargetState::Up, SwitchReason::Reload);
                    }
                    Watch::new(now, target, &mut self.rng)
                }
                None => Watch::new(now, target, &mut self.rng),
            };
            self.watches.push(watch);
        }
        self.overrides.drained = renumber_regions(&self.overrides.drained, &old, &config);
        self.reschedule_all();
    }
}

/// Regions are numbered by the configuration too; those that are gone need no drain.
fn renumber_regions(drained: &[RegionId], old: &Config, new: &Config) -> Vec<RegionId> {
    let name = |id: &RegionId| old.regions.get(usize::from(id.0)).map(|region| &region.name);
    let names = drained.iter().filter_map(name);
    names
        .filter_map(|name| {
            (0..).map(RegionId).zip(&new.regions).find(|(_, r)| r.name == *name).map(|(id, _)| id)
        })
        .collect()
}
