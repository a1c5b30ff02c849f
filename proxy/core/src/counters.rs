//! Plain counters of a shard, summed by the shell when somebody asks.

use crate::delays::{Delays, Disconnect};
use crate::{
    Attestation, ChallengeOutcome, CloseReason, HuntReason, MoveOutcome, RejectReason, UnsignedReason,
    VerifyReason,
};
use relay_values::Duration;

/// Totals since start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShardCounters {
    /// Messages received, requests and responses.
    pub received: u64,
    /// Messages sent, retransmissions included.
    pub sent: u64,
    /// Calls admitted.
    pub calls: u64,
    /// Calls answered.
    pub answered: u64,
    /// INVITEs that asserted what their source is not believed: it went no further.
    pub disbelieved: u64,
    rejects: [u64; RejectReason::ALL.len()],
    hunts: [u64; HuntReason::ALL.len()],
    closes: [u64; CloseReason::ALL.len()],
    moves: [u64; MoveOutcome::ALL.len()],
    challenges: [u64; ChallengeOutcome::ALL.len()],
    verified: [u64; VerifyReason::ALL.len()],
    signed: [u64; Attestation::ALL.len()],
    unsigned: [u64; UnsignedReason::ALL.len()],
    disconnects: [Delays; Disconnect::ALL.len()],
}

impl Default for ShardCounters {
    fn default() -> Self {
        Self {
            received: 0,
            sent: 0,
            calls: 0,
            answered: 0,
            disbelieved: 0,
            rejects: [0; RejectReason::ALL.len()],
            hunts: [0; HuntReason::ALL.len()],
            closes: [0; CloseReason::ALL.len()],
            moves: [0; MoveOutcome::ALL.len()],
            challenges: [0; ChallengeOutcome::ALL.len()],
            verified: [0; VerifyReason::ALL.len()],
            signed: [0; Attestation::ALL.len()],
            unsigned: [0; UnsignedReason::ALL.len()],
            disconnects: Default::default(),
        }
    }
}

impl ShardCounters {
    pub(crate) fn reject(&mut self, reason: RejectReason) {
        bump(&mut self.rejects, reason as usize);
    }

    pub(crate) fn hunt(&mut self, reason: HuntReason) {
        bump(&mut self.hunts, reason as usize);
    }

    pub(crate) fn close(&mut self, reason: CloseReason) {
        bump(&mut self.closes, reason as usize);
    }

    pub(crate) fn moved(&mut self, outcome: MoveOutcome) {
        bump(&mut self.moves, outcome as usize);
    }

    pub(crate) fn challenged(&mut self, outcome: ChallengeOutcome) {
        bump(&mut self.challenges, outcome as usize);
    }

    /// Challenges to requests of ours, by what became of them.
    pub fn challenges(&self) -> impl Iterator<Item = (ChallengeOutcome, u64)> + '_ {
        ChallengeOutcome::ALL.iter().copied().zip(self.challenges)
    }

    pub(crate) fn verified(&mut self, reason: VerifyReason) {
        bump(&mut self.verified, reason as usize);
    }

    pub(crate) fn signed(&mut self, attested: Attestation) {
        bump(&mut self.signed, attested as usize);
    }

    pub(crate) fn unsigned(&mut self, reason: UnsignedReason) {
        bump(&mut self.unsigned, reason as usize);
    }

    pub(crate) fn disconnected(&mut self, outcome: Disconnect, after: Duration) {
        if let Some(delays) = self.disconnects.get_mut(outcome as usize) {
            delays.note(after);
        }
    }

    /// How long our BYEs waited for their end, by outcome.
    pub fn disconnects(&self) -> impl Iterator<Item = (Disconnect, &Delays)> + '_ {
        Disconnect::ALL.into_iter().zip(&self.disconnects)
    }

    /// Callers that were verified, by result.
    pub fn verifications(&self) -> impl Iterator<Item = (VerifyReason, u64)> + '_ {
        VerifyReason::ALL.iter().copied().zip(self.verified)
    }

    /// INVITEs that were signed, by what was attested.
    pub fn signatures(&self) -> impl Iterator<Item = (Attestation, u64)> + '_ {
        Attestation::ALL.into_iter().zip(self.signed)
    }

    /// INVITEs that were to be signed and were not, by reason.
    pub fn unsigned_calls(&self) -> impl Iterator<Item = (UnsignedReason, u64)> + '_ {
        UnsignedReason::ALL.iter().copied().zip(self.unsigned)
    }

    /// Moves of answered calls that are over, by outcome.
    pub fn moves(&self) -> impl Iterator<Item = (MoveOutcome, u64)> + '_ {
        MoveOutcome::ALL.iter().copied().zip(self.moves)
    }

    /// Requests and messages not taken up, by reason.
    pub fn rejects(&self) -> impl Iterator<Item = (RejectReason, u64)> + '_ {
        RejectReason::ALL.iter().copied().zip(self.rejects)
    }

    /// Those for one reason.
    pub fn rejected(&self, reason: RejectReason) -> u64 {
        self.rejects.get(reason as usize).copied().unwrap_or(0)
    }

    /// Hunts that moved on, by reason.
    pub fn hunts(&self) -> impl Iterator<Item = (HuntReason, u64)> + '_ {
        HuntReason::ALL.iter().copied().zip(self.hunts)
    }

    /// Calls that ended, by reason.
    pub fn closes(&self) -> impl Iterator<Item = (CloseReason, u64)> + '_ {
        CloseReason::ALL.iter().copied().zip(self.closes)
    }
}

fn bump(counts: &mut [u64], index: usize) {
    if let Some(count) = counts.get_mut(index) {
        *count += 1;
    }
}

/// What a shard holds right now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ShardCounts {
    /// Calls not answered yet.
    pub hunting: usize,
    /// Answered calls, those that are being moved included.
    pub answered: usize,
    /// Answered calls that are being moved.
    pub moving: usize,
    /// Legs left behind that have not answered their BYE.
    pub ghosts: usize,
    /// Calls that wait for their last statistics.
    pub closing: usize,
    /// Transactions of all four kinds.
    pub transactions: usize,
    /// New requests are being turned away.
    pub overloaded: bool,
}

/// Calls of one region, by where their tier leg is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RegionCalls {
    /// Not answered yet.
    pub hunting: u32,
    /// Answered.
    pub answered: u32,
    /// Answered, and on their way elsewhere.
    pub moving: u32,
}
