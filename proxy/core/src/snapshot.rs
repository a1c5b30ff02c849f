//! The one value that the whole appliance swaps: configuration ⊕ health ⊕ operator overrides.

use crate::{Config, RegionId, Router, TargetId};
use relay_values::Time;
use std::sync::Arc;

/// What every shard decides by. Immutable; a change builds the next one and stores it once.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// Counts up by one with every stored snapshot, whatever changed.
    pub generation: u64,
    /// Generation at which `config` was taken: evidence that names an older numbering is ignored.
    pub config_generation: u64,
    /// The configuration.
    pub config: Arc<Config>,
    /// The configuration's prefix tables, built with it and shared for as long as it stands.
    pub router: Arc<Router>,
    /// Health of every target, indexed by [`TargetId`].
    pub health: Vec<TargetHealth>,
    /// What operators said.
    pub overrides: Overrides,
}

/// What is known of a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TargetHealth {
    /// Its state.
    pub state: TargetState,
    /// Since when.
    pub since: Time,
}

/// State of a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TargetState {
    /// Usable. Also the state before the first probe has returned: a call is better tried than refused.
    Up,
    /// Asked us to come back later (503 with Retry-After): used only when nothing better is left.
    Backoff,
    /// Down: used only when every target is.
    Down,
}

/// What operators said. Wins over health.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Overrides {
    /// Regions that get no new calls.
    pub drained: Vec<RegionId>,
}

impl Snapshot {
    /// The first snapshot of a configuration: everything is up.
    pub fn first(config: Arc<Config>) -> Self {
        let up = TargetHealth { state: TargetState::Up, since: Time::ZERO };
        let health = vec![up; config.targets.len()];
        let router = Arc::new(Router::new(&config));
        Self { generation: 1, config_generation: 1, config, router, health, overrides: Overrides::default() }
    }

    /// State of a target; a number from nowhere is down.
    pub fn state(&self, target: TargetId) -> TargetState {
        self.health.get(target.index()).map_or(TargetState::Down, |h| h.state)
    }

    /// Whether new calls may go to a target without a second thought.
    pub fn is_usable(&self, target: TargetId) -> bool {
        let drained = self.config.region_of(target).is_some_and(|r| self.overrides.drained.contains(&r));
        !drained && self.state(target) == TargetState::Up
    }
}
