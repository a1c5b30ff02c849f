//! Probes: sent, missed, and what follows from that.

use super::core::{Health, Wake, Whose};
use super::machine::Signal;
use super::options::{ProbeId, Template};
use super::policy::{MAX_NEIGHBOURS, WEIGHT_SILENCE};
use super::prober::Ended;
use super::watch::Watch;
use crate::{RegionId, SwitchReason, TargetId};
use relay_values::Time;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Regular,
    Extra,
}

impl Health {
    pub(super) fn probes_ended(&mut self, now: Time, target: TargetId) {
        while let Some(ended) =
            self.watches.get_mut(target.index()).and_then(|w| w.prober.as_mut()).and_then(|p| p.ended(now))
        {
            match ended {
                Ended::Missed(id) => {
                    self.probes.remove(&id);
                    self.missed(target);
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
    pub(super) fn signal(&mut self, now: Time, id: TargetId, signal: Signal) {
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

    /// What silenced one edge may have silenced its region: asks neighbours that nobody suspects yet, so that a region is
    /// seen down as a whole, not edge by edge as calls happen to find them.
    fn ask_neighbours(&mut self, now: Time, id: TargetId) {
        let Some(region) = self.config.region_of(id) else { return };
        let mut room = MAX_NEIGHBOURS;
        for neighbour in self.edges_of(region).into_iter().filter(|neighbour| *neighbour != id) {
            let unsuspected = self.watches.get(neighbour.index()).is_some_and(Watch::is_unsuspected);
            if room > 0 && unsuspected && self.ask(now, neighbour) {
                room -= 1;
            }
        }
    }

    /// Sends an extra probe, unless one is out or the target is not probed at all.
    pub(super) fn ask(&mut self, now: Time, id: TargetId) -> bool {
        let prober = self.watches.get(id.index()).and_then(|watch| watch.prober.as_ref());
        let may = prober.is_some_and(|prober| !prober.has_extra());
        if may {
            self.probe(now, id, Kind::Extra);
        }
        may
    }

    pub(super) fn probe(&mut self, now: Time, target: TargetId, kind: Kind) {
        let id = self.ids.draw();
        let Some(watch) = self.watches.get_mut(target.index()) else { return };
        let Some((prober, times)) = watch.prober.as_mut().zip(watch.policy.probe) else { return };
        match kind {
            Kind::Regular => {
                let replaced = prober.regular_sent(now, id, &times);
                replaced.map(|old| self.probes.remove(&old));
            }
            Kind::Extra => prober.extra_sent(now, id, &times),
        }
        self.send(id, Whose::Target(target), target);
        self.reschedule(Wake::Target(target));
    }

    /// Sends a round of probes to the edges of a region that have not answered.
    pub(super) fn ask_region(&mut self, region: RegionId) {
        let watch = self.regions.get(usize::from(region.0));
        let burst = watch.and_then(|watch| watch.region.burst());
        let edges: Vec<TargetId> = burst.into_iter().flat_map(|burst| burst.silent()).collect();
        for edge in edges {
            let id = self.ids.draw();
            self.send(id, Whose::Burst { region, edge }, edge);
        }
    }

    /// Forgets the probes of a region's burst; how many were out.
    pub(super) fn forget_burst(&mut self, id: RegionId) -> u64 {
        let before = self.probes.len();
        self.probes.retain(|_, whose| !matches!(whose, Whose::Burst { region, .. } if *region == id));
        u64::try_from(before - self.probes.len()).unwrap_or(u64::MAX)
    }

    /// Counts a probe that was not answered.
    pub(super) fn missed(&mut self, target: TargetId) {
        self.counters.misses += 1;
        if let Some(watch) = self.watches.get_mut(target.index()) {
            watch.missed = watch.missed.saturating_add(1);
        }
    }

    fn send(&mut self, id: ProbeId, whose: Whose, target: TargetId) {
        let Some(config) = self.config.target(target) else { return };
        let Some(listener) = self.config.listener(config.peer.listener) else { return };
        let Some(watch) = self.watches.get_mut(target.index()) else { return };
        let build = || Template::new(&config.peer, listener, self.config.product.as_deref());
        let bytes = watch.template.get_or_insert_with(build).with(id);
        watch.asked += 1;
        self.sends.push_back((config.peer, bytes));
        self.probes.insert(id, whose);
        self.counters.probes += 1;
    }
}
