//! What operators say, by name, and what becomes of it: the numbers of the configuration in force.
//!
//! Only the health thread applies these, one after the other, so that two operators never undo each other's words.

use proxy_core::{Config, Cut, Drill, Overrides, Owner, RegionId, Snapshot, TargetId};

/// One thing that an operator says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Override {
    /// These regions get no new calls, and no others.
    DrainOnly(Vec<String>),
    /// No new calls to this place.
    Drain(Place),
    /// New calls to this place again.
    Open(Place),
    /// Cut a share of a region's calls off.
    Drill { id: u64, region: String, share: u8, cut: Cut },
    /// Restore what this drill has cut. Another drill goes on.
    EndDrill(u64),
}

/// What can be drained.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    Region(String),
    Edge(String),
}

/// Why an operator's word was not taken. Says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    #[error("no region or edge is named `{name}`")]
    Unknown { name: String, known: Vec<String> },
    #[error("a drill of region `{region}` is under way")]
    DrillUnderWay { region: String },
}

impl Refused {
    pub(crate) fn advice(&self) -> String {
        match self {
            Self::Unknown { known, .. } => format!("known: {}", known.join(", ")),
            Self::DrillUnderWay { .. } => {
                "wait for its end, or end it with Ctrl-C where it was begun".to_owned()
            }
        }
    }
}

impl Place {
    /// The region or else the edge of this name.
    pub(crate) fn named(config: &Config, name: &str) -> Result<Self, Refused> {
        let edge =
            |name: &str| config.targets.iter().any(|t| t.name == name && matches!(t.owner, Owner::Edge(_)));
        if config.regions.iter().any(|r| r.name == name) {
            Ok(Self::Region(name.to_owned()))
        } else if edge(name) {
            Ok(Self::Edge(name.to_owned()))
        } else {
            let edges = config.targets.iter().filter(|t| matches!(t.owner, Owner::Edge(_))).map(|t| &t.name);
            let known = config.regions.iter().map(|r| &r.name).chain(edges).cloned().collect();
            Err(Refused::Unknown { name: name.to_owned(), known })
        }
    }

    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Region(name) | Self::Edge(name) => name,
        }
    }
}

/// The region of this name.
pub(crate) fn region(config: &Config, name: &str) -> Option<RegionId> {
    (0..).map(RegionId).zip(&config.regions).find(|(_, r)| r.name == name).map(|(id, _)| id)
}

/// The edge of this name.
pub(crate) fn edge(config: &Config, name: &str) -> Option<TargetId> {
    let edges = (0..).map(TargetId).zip(&config.targets).filter(|(_, t)| matches!(t.owner, Owner::Edge(_)));
    edges.into_iter().find(|(_, t)| t.name == name).map(|(id, _)| id)
}

/// What operators say from now on, all of it.
pub(crate) fn apply(now: &Snapshot, said: Override) -> Result<Overrides, Refused> {
    let config = &now.config;
    let mut next = now.overrides.clone();
    match said {
        Override::DrainOnly(names) => {
            next.drained = names.iter().filter_map(|name| region(config, name)).collect();
        }
        Override::Drain(place) => {
            if let Some(drill) = next.drill.filter(|drill| concerns(config, drill.region, &place)) {
                return Err(Refused::DrillUnderWay { region: region_name(config, drill.region) });
            }
            match number(config, &place)? {
                Number::Region(id) => include(&mut next.drained, id),
                Number::Edge(id) => include(&mut next.drained_targets, id),
            }
        }
        Override::Open(place) => match number(config, &place)? {
            Number::Region(id) => next.drained.retain(|other| *other != id),
            Number::Edge(id) => next.drained_targets.retain(|other| *other != id),
        },
        Override::Drill { id, region, share, cut } => {
            if let Some(drill) = next.drill {
                return Err(Refused::DrillUnderWay { region: region_name(config, drill.region) });
            }
            let Number::Region(region) = number(config, &Place::Region(region.clone()))? else {
                return Err(unknown(config, &region));
            };
            next.drill = Some(Drill { id, region, share, cut, found: None });
        }
        Override::EndDrill(id) => next.drill = next.drill.filter(|drill| drill.id != id),
    }
    Ok(next)
}

/// Whether a drill in `region` and a drain of `place` would be about the same calls.
fn concerns(config: &Config, region: RegionId, place: &Place) -> bool {
    match number(config, place) {
        Ok(Number::Region(id)) => id == region,
        Ok(Number::Edge(id)) => config.region_of(id) == Some(region),
        Err(_) => false,
    }
}

enum Number {
    Region(RegionId),
    Edge(TargetId),
}

fn number(config: &Config, place: &Place) -> Result<Number, Refused> {
    let found = match place {
        Place::Region(name) => region(config, name).map(Number::Region),
        Place::Edge(name) => edge(config, name).map(Number::Edge),
    };
    found.ok_or_else(|| unknown(config, place.name()))
}

fn unknown(config: &Config, name: &str) -> Refused {
    let known = config.regions.iter().map(|r| r.name.clone()).collect();
    Refused::Unknown { name: name.to_owned(), known }
}

fn region_name(config: &Config, id: RegionId) -> String {
    config.regions.get(usize::from(id.0)).map(|r| r.name.clone()).unwrap_or_default()
}

fn include<T: PartialEq>(list: &mut Vec<T>, item: T) {
    if !list.contains(&item) {
        list.push(item);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn snapshot() -> Snapshot {
        let text = include_str!("../../../conf/production.toml");
        let loaded = crate::config::parse("production.toml", text).unwrap();
        Snapshot::first(Arc::clone(&loaded.config))
    }

    fn say(now: &mut Snapshot, said: Override) -> Result<(), Refused> {
        now.overrides = apply(now, said)?;
        Ok(())
    }

    #[test]
    fn two_drains_stand_beside_each_other_and_one_is_lifted_alone() {
        let mut now = snapshot();
        let place = |name: &str| Place::named(&snapshot().config, name).unwrap();
        say(&mut now, Override::Drain(place("fra"))).unwrap();
        say(&mut now, Override::Drain(place("ams-2"))).unwrap();
        say(&mut now, Override::Drain(place("ams-2"))).unwrap();
        assert_eq!((now.overrides.drained.len(), now.overrides.drained_targets.len()), (1, 1));
        say(&mut now, Override::Open(place("fra"))).unwrap();
        assert!(now.overrides.drained.is_empty());
        assert!(now.is_drained(edge(&now.config, "ams-2").unwrap()));
    }

    #[test]
    fn one_drill_at_a_time_and_no_drain_of_what_is_drilled() {
        let mut now = snapshot();
        let drill = |id| Override::Drill { id, region: "fra".to_owned(), share: 5, cut: Cut::Both };
        say(&mut now, drill(1)).unwrap();
        let refused = Err(Refused::DrillUnderWay { region: "fra".to_owned() });
        assert_eq!(say(&mut now, drill(2)), refused);
        for name in ["fra", "fra-3"] {
            let place = Place::named(&now.config, name).unwrap();
            assert_eq!(say(&mut now, Override::Drain(place)), refused);
        }
        say(&mut now, Override::Drain(Place::Region("ams".to_owned()))).unwrap();
        say(&mut now, Override::EndDrill(2)).unwrap();
        assert!(now.overrides.drill.is_some(), "somebody else's drill goes on");
        say(&mut now, Override::EndDrill(1)).unwrap();
        assert_eq!(now.overrides.drill, None);
    }

    #[test]
    fn a_name_that_nobody_has_is_refused_with_those_that_are_known() {
        let refused = Place::named(&snapshot().config, "acme-1").unwrap_err();
        assert!(
            refused.advice().contains("ams-3"),
            "a trunk's target is nothing to drain: {}",
            refused.advice()
        );
    }
}
