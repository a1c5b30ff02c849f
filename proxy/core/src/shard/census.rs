//! How many calls stand where, kept with every step of a call: nobody has to walk over all of them to say so, which would stand in
//! the way of signalling for as long as there are calls.

use crate::call::Call;
use crate::counters::RegionCalls;
use crate::{CallPhase, RegionId};

/// Where one call stands: how far it has come, and the region of its tier leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Standing {
    stage: Stage,
    region: RegionId,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Hunting,
    Answered,
    Moving,
    Closing,
}

impl Standing {
    pub(super) fn of(call: &Call) -> Self {
        let stage = match call.phase() {
            CallPhase::Hunting | CallPhase::Ringing => Stage::Hunting,
            CallPhase::Answered => Stage::Answered,
            CallPhase::Moving => Stage::Moving,
            CallPhase::Closing => Stage::Closing,
        };
        Self { stage, region: call.region() }
    }
}

/// Above all numbers that a configuration gives to its regions: a call whose region is gone has one of these.
const GONE: u16 = 1 << 15;

/// All calls of a shard.
#[derive(Debug, Default)]
pub(super) struct Census {
    closing: u32,
    /// Everything else, indexed by [`RegionId`].
    regions: Vec<RegionCalls>,
    /// Calls of regions that no configuration has any more.
    gone: RegionCalls,
}

impl Census {
    /// A call that stood there, or is new, stands here now, or is over.
    #[inline]
    pub(super) fn changes(&mut self, from: Option<Standing>, to: Option<Standing>) {
        // In this order a count is never below zero.
        if let Some(to) = to {
            self.count(to, 1);
        }
        if let Some(from) = from {
            self.count(from, u32::MAX);
        }
    }

    /// One more, or, by a carry that is dropped, one less.
    fn count(&mut self, Standing { stage, region }: Standing, one: u32) {
        let index = usize::from(region.0);
        if region.0 < GONE && index >= self.regions.len() {
            self.regions.resize(index + 1, RegionCalls::default());
        }
        let calls = self.regions.get_mut(index).unwrap_or(&mut self.gone);
        let count = match stage {
            Stage::Closing => &mut self.closing,
            Stage::Hunting => &mut calls.hunting,
            Stage::Answered => &mut calls.answered,
            Stage::Moving => {
                calls.moving = calls.moving.wrapping_add(one);
                &mut calls.answered
            }
        };
        *count = count.wrapping_add(one);
    }

    /// Calls that wait for their last statistics.
    pub(super) fn closing(&self) -> usize {
        self.closing as usize
    }

    /// Calls of one region that are not closing.
    pub(super) fn region(&self, region: RegionId) -> RegionCalls {
        self.regions.get(usize::from(region.0)).copied().unwrap_or_default()
    }

    /// Calls of all regions that are not closing, those of regions that no configuration has any more included.
    pub(super) fn all(&self) -> RegionCalls {
        self.regions.iter().fold(self.gone, |sum, calls| RegionCalls {
            hunting: sum.hunting + calls.hunting,
            answered: sum.answered + calls.answered,
            moving: sum.moving + calls.moving,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_counts_once_wherever_it_goes_and_leaves_nothing() {
        let at = |stage, region| Some(Standing { stage, region: RegionId(region) });
        let way = [
            None,
            at(Stage::Hunting, 0),
            at(Stage::Hunting, 1),
            at(Stage::Answered, 1),
            at(Stage::Moving, 1),
            at(Stage::Answered, 2),
            at(Stage::Closing, 2),
            None,
        ];
        let mut census = Census::default();
        let counts = |hunting, answered, moving| RegionCalls { hunting, answered, moving };
        let mut seen = Vec::new();
        for step in way.windows(2) {
            census.changes(step[0], step[1]);
            seen.push((census.all(), census.closing()));
        }
        let wanted = [
            (1, 0, 0, 0),
            (1, 0, 0, 0),
            (0, 1, 0, 0),
            (0, 1, 1, 0),
            (0, 1, 0, 0),
            (0, 0, 0, 1),
            (0, 0, 0, 0),
        ];
        assert_eq!(
            seen,
            wanted.map(|(hunting, answered, moving, closing)| (counts(hunting, answered, moving), closing))
        );
    }

    #[test]
    fn calls_of_two_regions_are_told_apart() {
        let mut census = Census::default();
        for region in [0, 0, 1, u16::MAX - 1] {
            census.changes(None, Some(Standing { stage: Stage::Answered, region: RegionId(region) }));
        }
        assert_eq!([0, 1, 2].map(|id| census.region(RegionId(id)).answered), [2, 1, 0]);
        assert_eq!(census.all().answered, 4, "one of a region that is gone is a call, too");
    }
}
