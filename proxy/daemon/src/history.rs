//! The last generations: when, what changed, why.

use crate::health::{region_state, state};
use crate::limits::{GENERATION_CHANGES, GENERATIONS};
use proxy_core::{HealthChange, Overrides, Snapshot, SwitchReason};
use relay_values::Time;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// One generation. Names, not numbers: the configuration that had the numbers may be gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Generation {
    pub(crate) generation: u64,
    pub(crate) at: Time,
    /// A configuration was taken.
    pub(crate) configured: bool,
    pub(crate) changes: Vec<Change>,
    /// Changes beyond those that are remembered.
    pub(crate) left_out: usize,
}

/// What changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change {
    /// `target`, `region`, `drain` or `drill`.
    pub(crate) of: &'static str,
    pub(crate) name: String,
    pub(crate) from: String,
    pub(crate) to: String,
    /// Empty where an operator said so.
    pub(crate) reason: &'static str,
}

/// The last ones. Locked by the health thread and by whoever reads them, never by a shard.
#[derive(Debug, Default)]
pub(crate) struct History(Mutex<VecDeque<Arc<Generation>>>);

impl History {
    pub(crate) fn add(&self, at: Time, before: &Snapshot, now: &Snapshot, targets: &[HealthChange]) {
        let generation = Arc::new(generation(at, before, now, targets));
        let mut last = self.lock();
        if last.len() >= GENERATIONS {
            last.pop_front();
        }
        last.push_back(generation);
    }

    /// The newest first.
    pub(crate) fn last(&self, most: usize) -> Vec<Arc<Generation>> {
        self.lock().iter().rev().take(most).cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Arc<Generation>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn generation(at: Time, before: &Snapshot, now: &Snapshot, targets: &[HealthChange]) -> Generation {
    let configured = before.config_generation != now.config_generation;
    let mut changes: Vec<Change> = targets.iter().map(of_target).collect();
    if !configured {
        changes.extend(of_regions(before, now));
    }
    changes.extend(of_operators(before, now));
    let left_out = changes.len().saturating_sub(GENERATION_CHANGES);
    changes.truncate(GENERATION_CHANGES);
    Generation { generation: now.generation, at, configured, changes, left_out }
}

fn of_target(change: &HealthChange) -> Change {
    Change {
        of: "target",
        name: change.name.clone(),
        from: state(change.from).to_owned(),
        to: state(change.to).to_owned(),
        reason: change.reason.as_str(),
    }
}

fn of_regions<'a>(before: &'a Snapshot, now: &'a Snapshot) -> impl Iterator<Item = Change> + 'a {
    let known = now.config.regions.iter().zip(&now.regions).zip(&before.regions);
    known.filter(|((_, is), was)| is.state != was.state).map(|((region, is), was)| Change {
        of: "region",
        name: region.name.clone(),
        from: region_state(was.state).to_owned(),
        to: region_state(is.state).to_owned(),
        reason: is.reason.map_or("", SwitchReason::as_str),
    })
}

/// What operators have said or unsaid.
fn of_operators(before: &Snapshot, now: &Snapshot) -> Vec<Change> {
    let (was, is) = (drained(before), drained(now));
    let change = |name: &String, from: &str, to: &str| Change {
        of: "drain",
        name: name.clone(),
        from: from.to_owned(),
        to: to.to_owned(),
        reason: "",
    };
    let new = is.iter().filter(|name| !was.contains(name)).map(|name| change(name, "open", "drained"));
    let gone = was.iter().filter(|name| !is.contains(name)).map(|name| change(name, "drained", "open"));
    let mut changes: Vec<Change> = new.chain(gone).collect();
    let (was, is) = (drill(before), drill(now));
    if was != is
        && let Some((region, _)) = is.as_ref().or(was.as_ref())
    {
        let said =
            |drill: &Option<(String, u8)>| drill.as_ref().map_or("none".to_owned(), |(_, s)| format!("{s}%"));
        changes.push(Change {
            of: "drill",
            name: region.clone(),
            from: said(&was),
            to: said(&is),
            reason: "",
        });
    }
    changes
}

/// Names of the places that are drained.
pub(crate) fn drained(snapshot: &Snapshot) -> Vec<String> {
    let Overrides { drained, drained_targets, drill: _ } = &snapshot.overrides;
    let regions = drained.iter().filter_map(|id| snapshot.config.regions.get(usize::from(id.0)));
    let edges = drained_targets.iter().filter_map(|id| snapshot.config.target(*id));
    regions.map(|region| region.name.clone()).chain(edges.map(|edge| edge.name.clone())).collect()
}

/// The region that is drilled, and the share of its calls in percent.
pub(crate) fn drill(snapshot: &Snapshot) -> Option<(String, u8)> {
    let drill = snapshot.overrides.drill?;
    let region = snapshot.config.regions.get(usize::from(drill.region.0))?;
    Some((region.name.clone(), drill.share))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::overrides::{Override, Place, apply};

    fn snapshot() -> Snapshot {
        let text = include_str!("../../../conf/production.toml");
        Snapshot::first(crate::config::parse("production.toml", text).unwrap().config)
    }

    #[test]
    fn a_drain_and_its_end_are_two_generations_that_say_what_an_operator_did() {
        let (history, first) = (History::default(), snapshot());
        let mut second = first.clone();
        let place = Place::named(&first.config, "fra").unwrap();
        second.overrides = apply(&first, Override::Drain(place)).unwrap();
        second.generation += 1;
        history.add(Time::from_millis(5), &first, &second, &[]);
        let mut third = first.clone();
        third.generation += 2;
        history.add(Time::from_millis(9), &second, &third, &[]);
        let said: Vec<_> = history
            .last(9)
            .iter()
            .map(|g| (g.generation, g.changes[0].name.clone(), g.changes[0].to.clone()))
            .collect();
        assert_eq!(
            said,
            [(3, "fra".to_owned(), "open".to_owned()), (2, "fra".to_owned(), "drained".to_owned())]
        );
    }

    #[test]
    fn the_oldest_are_forgotten() {
        let (history, mut now) = (History::default(), snapshot());
        for _ in 0..2 * GENERATIONS {
            let before = now.clone();
            now.generation += 1;
            history.add(Time::ZERO, &before, &now, &[]);
        }
        let last = history.last(usize::MAX);
        assert_eq!(last.len(), GENERATIONS);
        assert_eq!(last.first().map(|g| g.generation), Some(now.generation));
    }
}
