//! The regions and the flows that are counted among them.

use crate::config::SilencePolicy;
use crate::limits::{LATE_TICK, SILENCE_TICK};
use crate::offload::{FlowState, Offload};
use crate::packet::RtpHeader;
use crate::pulse::{Change, Pulse};
use crate::silence::{News, Sweep, Tick, Verdict, Weights};
use relay_values::{RegionId, RelayEvent, Time};
use std::collections::VecDeque;

/// Every region that has flows.
#[derive(Debug)]
pub(crate) struct Regions {
    weights: Weights,
    /// By the session's slot: the flow from its tier leg, and its region's place below.
    flows: Vec<(Pulse, Option<u16>)>,
    regions: Vec<Region>,
    /// When the last tick was, and when the next one is.
    ticked: Time,
    next: Time,
    /// Before this, nobody listened.
    void_until: Time,
}

#[derive(Debug)]
struct Region {
    id: RegionId,
    flows: u32,
    regular: u32,
    verdict: Verdict,
    sweep: Sweep,
    /// Its silence was taken for its death: what a fast path carries of it, it is to carry no longer.
    shut: bool,
}

/// Where a session's tier leg is counted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Counted<'r> {
    pub(crate) region: RegionId,
    pub(crate) shut: bool,
    pub(crate) pulse: &'r Pulse,
}

impl Regions {
    pub(crate) fn new(policy: &SilencePolicy) -> Self {
        Self {
            weights: Weights::new(policy),
            flows: Vec::new(),
            regions: Vec::new(),
            ticked: Time::ZERO,
            next: Time::NEVER,
            void_until: Time::ZERO,
        }
    }

    /// Count a session's flow among a region's. It keeps its beat.
    pub(crate) fn place(&mut self, now: Time, slot: usize, id: RegionId) {
        let region = self.region(id);
        if self.flows.len() <= slot {
            self.flows.resize(slot + 1, Default::default());
        }
        let Some((pulse, place)) = self.flows.get_mut(slot) else { return };
        if *place == region {
            return;
        }
        let regular = u32::from(pulse.is_regular());
        let before = std::mem::replace(place, region);
        if let Some(left) = before.and_then(|r| self.regions.get_mut(usize::from(r))) {
            left.flows -= 1;
            left.regular -= regular;
        }
        if let Some(joined) = region.and_then(|r| self.regions.get_mut(usize::from(r))) {
            joined.flows += 1;
            joined.regular += regular;
            if joined.regular >= self.weights.min_flows {
                self.watch(now);
            }
        }
    }

    /// A session's flow has another source, or none for now.
    pub(crate) fn rest(&mut self, slot: usize) {
        let Some((pulse, place)) = self.flows.get_mut(slot) else { return };
        let region = place.and_then(|r| self.regions.get_mut(usize::from(r)));
        if let (Some(region), true) = (region, pulse.is_regular()) {
            region.regular -= 1;
        }
        pulse.rest();
    }

    /// A session has ended.
    pub(crate) fn leave(&mut self, slot: usize) {
        self.rest(slot);
        let Some(flow) = self.flows.get_mut(slot) else { return };
        let (_, place) = std::mem::take(flow);
        if let Some(region) = place.and_then(|r| self.regions.get_mut(usize::from(r))) {
            region.flows -= 1;
        }
    }

    /// A packet of a session's tier leg.
    pub(crate) fn packet(&mut self, now: Time, slot: usize, header: &RtpHeader, clock_rate: u32) {
        self.beat(now, slot, |pulse| pulse.packet(now, header, clock_rate));
    }

    /// Another has taken packets of a session's tier leg.
    pub(crate) fn absorb(
        &mut self,
        now: Time,
        slot: usize,
        after: &FlowState,
        clock_rate: impl FnOnce() -> u32,
    ) {
        self.beat(now, slot, |pulse| pulse.absorb(after.last, after.newest as u16, &after.beat, clock_rate));
    }

    /// Where a session's tier leg is counted, if it is.
    pub(crate) fn counted(&self, slot: usize) -> Option<Counted<'_>> {
        let (pulse, place) = self.flows.get(slot)?;
        let region = self.regions.get(usize::from((*place)?))?;
        Some(Counted { region: region.id, shut: region.shut, pulse })
    }

    /// The peer of a session's tier leg is taken for lost: its region, if that has fallen silent and this is the first one.
    pub(crate) fn shut(&mut self, slot: usize) -> Option<RegionId> {
        let (_, place) = self.flows.get(slot)?;
        let region = self.regions.get_mut(usize::from((*place)?))?;
        let first = matches!(region.verdict, Verdict::Silent { .. }) && !region.shut;
        region.shut |= first;
        first.then_some(region.id)
    }

    fn beat(&mut self, now: Time, slot: usize, take: impl FnOnce(&mut Pulse) -> Change) {
        let Some((pulse, Some(region))) = self.flows.get_mut(slot) else { return };
        let change = take(pulse);
        if change == Change::None {
            return;
        }
        let Some(region) = self.regions.get_mut(usize::from(*region)) else { return };
        match change {
            Change::None => {}
            Change::Irregular => region.regular -= 1,
            Change::Regular => {
                region.regular += 1;
                if region.regular >= self.weights.min_flows {
                    self.watch(now);
                }
            }
        }
    }

    /// When the next tick is.
    pub(crate) fn next(&self) -> Time {
        self.next
    }

    /// Look at every flow, if it is time. What is to be told goes to `events`, and to `offloads` what that means for a fast
    /// path; how many regions have fallen silent.
    pub(crate) fn tick(
        &mut self,
        now: Time,
        events: &mut VecDeque<RelayEvent>,
        offloads: &mut VecDeque<Offload>,
    ) -> u64 {
        if now < self.next {
            return 0;
        }
        if now.since(self.next) >= LATE_TICK {
            self.void(now);
        }
        let tick = Tick { from: self.ticked, to: now, void_until: self.void_until };
        for (pulse, place) in &mut self.flows {
            let Some(region) = place.and_then(|r| self.regions.get_mut(usize::from(r))) else { continue };
            if region.sweep.flow(&self.weights, region.verdict, &tick, pulse) {
                pulse.rest();
                region.regular -= 1;
            }
        }
        let mut silent = 0;
        let mut watched = false;
        for region in &mut self.regions {
            let sweep = std::mem::take(&mut region.sweep);
            match region.verdict.judge(&self.weights, &sweep, now) {
                None => {}
                Some(News::Heard) => {
                    events.push_back(RelayEvent::RegionHeard { region: region.id });
                    if std::mem::take(&mut region.shut) {
                        offloads.push_back(Offload::Open(region.id));
                    }
                }
                Some(News::Silent) => {
                    silent += 1;
                    let (region, since) = (region.id, sweep.last);
                    let (silent, of) = (sweep.silent, sweep.regular);
                    events.push_back(RelayEvent::RegionSilent { region, silent, of, since });
                }
            }
            watched |= region.is_watched(&self.weights);
        }
        self.ticked = now;
        self.next = if watched { now + SILENCE_TICK } else { Time::NEVER };
        silent
    }

    /// Nobody has listened until now.
    pub(crate) fn void(&mut self, now: Time) {
        self.void_until = now;
        for region in &mut self.regions {
            region.verdict.void();
        }
    }

    fn watch(&mut self, now: Time) {
        if self.next.is_never() {
            (self.ticked, self.next) = (now, now + SILENCE_TICK);
        }
    }

    /// The place of a region: its own, or one that nobody needs any more, or a new one.
    fn region(&mut self, id: RegionId) -> Option<u16> {
        let known = self.regions.iter().position(|r| r.id == id);
        let place = known.or_else(|| self.regions.iter().position(Region::is_unused));
        let place = place.unwrap_or(self.regions.len());
        if known.is_none() {
            let (verdict, sweep) = (Verdict::Alive(0.0), Sweep::default());
            let fresh = Region { id, flows: 0, regular: 0, verdict, sweep, shut: false };
            match self.regions.get_mut(place) {
                Some(unused) => *unused = fresh,
                None => self.regions.push(fresh),
            }
        }
        u16::try_from(place).ok()
    }
}

impl Region {
    /// Whether nothing is left to be told of it.
    fn is_unused(&self) -> bool {
        self.flows == 0 && matches!(self.verdict, Verdict::Alive(_))
    }

    /// Whether there is enough to judge by, or a silence that may end.
    fn is_watched(&self, weights: &Weights) -> bool {
        self.regular >= weights.min_flows || matches!(self.verdict, Verdict::Silent { .. })
    }
}

#[cfg(test)]
mod tests;
