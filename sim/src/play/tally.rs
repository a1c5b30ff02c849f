//! A run in numbers, so that a sweep can show that it went where the trouble is.

use crate::world::World;
use proxy_core::{MoveOutcome, MoveReason};

/// How many of everything.
#[derive(Debug, Clone, Default)]
pub struct Tally(Vec<(&'static str, u64)>);

impl Tally {
    pub(super) fn of(world: &World, calls: u64) -> Self {
        let counters = || world.shards.iter().map(|shard| shard.counters());
        let relay = world.relay.counters();
        let faults = world.faults;
        let mut rows = vec![
            ("calls", calls),
            ("answered", counters().map(|c| c.answered).sum()),
            ("hunt_steps", counters().flat_map(|c| c.hunts()).map(|(_, n)| n).sum()),
            ("sip_messages", counters().map(|c| c.received + c.sent).sum()),
            ("rtp_packets", relay.packets),
            ("fill_packets", relay.filled),
            ("generations", world.health.snapshot().generation),
            ("virtual_seconds", world.now.as_millis() / 1000),
            ("edges_frozen", faults.frozen),
            ("edges_killed", faults.killed),
            ("edges_cut_off", faults.cut),
            ("regions_silent", faults.silent),
            ("moves", world.receipts.len() as u64),
        ];
        for reason in MoveReason::ALL {
            let count = world.receipts.iter().filter(|receipt| receipt.reason == *reason).count();
            rows.push((reason_row(*reason), count as u64));
        }
        for outcome in MoveOutcome::ALL {
            let count = world.receipts.iter().filter(|receipt| receipt.outcome == *outcome).count();
            rows.push((outcome_row(*outcome), count as u64));
        }
        Self(rows)
    }

    /// Adds a run.
    pub fn add(&mut self, other: &Self) {
        if self.0.is_empty() {
            self.0.clone_from(&other.0);
            return;
        }
        for ((_, sum), (_, more)) in self.0.iter_mut().zip(&other.0) {
            *sum += more;
        }
    }

    /// Names and numbers, in a fixed order.
    pub fn rows(&self) -> &[(&'static str, u64)] {
        &self.0
    }
}

const fn reason_row(reason: MoveReason) -> &'static str {
    match reason {
        MoveReason::RegionDown => "for_region_down",
        MoveReason::EdgeDown => "for_edge_down",
        MoveReason::LegLost => "for_leg_lost",
        MoveReason::Drain => "for_drain",
        MoveReason::Back => "for_back",
        MoveReason::Drill => "for_drill",
    }
}

const fn outcome_row(outcome: MoveOutcome) -> &'static str {
    match outcome {
        MoveOutcome::Moved => "ended_moved",
        MoveOutcome::Renegotiated => "ended_renegotiated",
        MoveOutcome::Stayed => "ended_stayed",
        MoveOutcome::Deadline => "ended_deadline",
        MoveOutcome::Declined => "ended_declined",
        MoveOutcome::Unmatched => "ended_unmatched",
        MoveOutcome::HungUp => "ended_hung_up",
    }
}
