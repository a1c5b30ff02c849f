//! What becomes of a region: relays hear it fall silent, its edges are asked, and their answers are judged.

use super::core::{Due, Health, Wake};
use super::machine::Signal;
use super::policy::{MAX_NEIGHBOURS, WEIGHT_SILENCE};
use super::region::{Act, News, Region, Scene};
use crate::{RegionHealth, RegionId, RegionState, SwitchReason, TargetId, TargetState};
use relay_values::{Duration, Time};

/// One region under watch.
#[derive(Debug, Clone)]
pub(super) struct RegionWatch {
    pub(super) region: Region,
    pub(super) scheduled: Time,
    since: Time,
    suspected: Time,
    reason: Option<SwitchReason>,
    /// The last packet before the last silence that was reported.
    pub(super) silence: Option<Time>,
}

impl RegionWatch {
    pub(super) fn new(now: Time) -> Self {
        Self {
            region: Region::NEW,
            scheduled: Time::NEVER,
            since: now,
            suspected: Time::NEVER,
            reason: None,
            silence: None,
        }
    }

    pub(super) fn health(&self) -> RegionHealth {
        let state = self.region.state();
        RegionHealth { state, since: self.since, suspected: self.suspected, reason: self.reason }
    }
}

/// What made every edge of a region go down, or one of them come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cause {
    pub(super) reason: SwitchReason,
    /// When that was first seen.
    pub(super) troubled: Time,
}

impl Health {
    pub(super) fn region_news(&mut self, now: Time, region: RegionId, generation: u64, news: News) {
        let current = generation >= self.snapshot().config_generation;
        if current && region == RegionId::DRILL {
            self.counters.evidence += 1;
            self.cohort_news(now, news);
        } else if current && self.regions.get(usize::from(region.0)).is_some() {
            self.counters.evidence += 1;
            self.tell(now, region, news, None);
        } else {
            self.counters.outdated += 1;
        }
    }

    /// Lets a region's machine see news, and does what it says.
    pub(super) fn tell(&mut self, now: Time, id: RegionId, news: News, cause: Option<Cause>) {
        let scene = self.scene(id);
        let Some(watch) = self.regions.get_mut(usize::from(id.0)) else { return };
        let (before, asked) = (watch.region.state(), watch.region.burst().is_some());
        let act = watch.region.on(now, news, &scene);
        let after = watch.region.state();
        if let Some(since) = watch.region.silent_since() {
            (watch.suspected, watch.silence) = (since, Some(since));
        }
        if before != after {
            watch.since = now;
            watch.reason = match (&act, cause, after) {
                (Act::Condemn { reason, .. }, ..) => Some(*reason),
                (_, Some(cause), _) => Some(cause.reason),
                (_, None, RegionState::Suspect) => Some(SwitchReason::Suspected),
                (_, None, RegionState::Up | RegionState::Down) => Some(SwitchReason::Withdrawn),
            };
            if let (RegionState::Up, RegionState::Down, Some(cause)) = (before, after, cause) {
                watch.suspected = cause.troubled;
            }
            self.due = self.due.max(Due::State);
        }
        let over = asked && watch.region.burst().is_none();
        if over || act == Act::AskAnew {
            let forgotten = self.forget_burst(id);
            self.counters.void += if act == Act::AskAnew { forgotten } else { 0 };
        }
        match act {
            Act::Nothing => {}
            Act::Ask | Act::AskAnew => self.ask_region(id),
            Act::Blame(edges) => {
                for edge in edges {
                    self.missed(edge);
                    let reason = SwitchReason::ProbeTimeout;
                    self.signal(now, edge, Signal::Failed { weight: WEIGHT_SILENCE, reason });
                    self.reschedule(Wake::Target(edge));
                }
            }
            Act::Condemn { reason, hold, missed } => {
                missed.into_iter().for_each(|edge| self.missed(edge));
                let hold = now + hold;
                for edge in self.edges_of(id) {
                    self.signal(now, edge, Signal::Condemned { reason, hold });
                    self.reschedule(Wake::Target(edge));
                }
            }
        }
        self.reschedule(Wake::Region(id));
    }

    /// Tells the regions whose edges have changed what that makes of them.
    pub(super) fn settle(&mut self, now: Time) {
        while let Some((id, cause)) = self.unsettled.pop_first() {
            let edges = self.edges_of(id);
            let weighty = |id: &TargetId| self.config.target(*id).is_some_and(|target| target.weight > 0);
            // Where no edge takes new calls, all of them speak for the region.
            let any = edges.iter().any(weighty);
            let mut voters = edges.iter().filter(|edge| !any || weighty(edge)).peekable();
            let is_down = |id: &TargetId| {
                self.watches.get(id.index()).is_none_or(|watch| watch.health().state == TargetState::Down)
            };
            let fell = voters.peek().is_some() && voters.all(is_down);
            self.tell(now, id, if fell { News::Fell } else { News::Rose }, Some(cause));
        }
    }

    /// Every edge of a region.
    pub(super) fn edges_of(&self, id: RegionId) -> Vec<TargetId> {
        let targets = (0..).map(TargetId).take(self.config.targets.len());
        targets.filter(|target| self.config.region_of(*target) == Some(id)).collect()
    }

    /// The edges to ask first: those that take calls and are not down already.
    pub(super) fn scene(&self, id: RegionId) -> Scene {
        let mut edges = self.edges_of(id);
        edges.sort_by_key(|id| {
            let weight = self.config.target(*id).map_or(0, |target| target.weight);
            let is_down = |id: &TargetId| self.watches.get(id.index()).is_none_or(|w| !w.is_alive());
            (weight == 0, is_down(id))
        });
        edges.truncate(MAX_NEIGHBOURS);
        let alive = edges.iter().filter_map(|id| self.watches.get(id.index())).filter(|w| w.is_alive());
        let round_trip = alive.filter_map(|watch| watch.round_trip()).max().unwrap_or(Duration::ZERO);
        Scene { policy: self.config.region_health, edges, round_trip }
    }

    pub(super) fn is_suspect(&self, target: TargetId) -> bool {
        let region = self.config.region_of(target).and_then(|id| self.regions.get(usize::from(id.0)));
        region.is_some_and(|watch| watch.region.state() == RegionState::Suspect)
    }
}
