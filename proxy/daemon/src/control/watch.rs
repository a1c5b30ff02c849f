//! What comes of a drain or a drill, counted.

use super::gaps::GapCount;
use crate::api::condition::{Condition, Measure};
use crate::api::shapes::{End, Progress, Receipt, Summary};
use crate::notice::Notice;
use crate::records::receipt::millis;
use proxy_core::{CallRecord, CloseReason, Direction, MoveOutcome, MoveProgress, MoveReason, StepOutcome};
use std::collections::HashSet;
use std::sync::mpsc::Receiver;
use std::time::Instant;

/// Whose receipts count.
pub(super) struct Wanted {
    pub(super) order: u64,
    pub(super) reason: MoveReason,
    /// Name of the region or edge that calls leave; of the region that they come back to.
    pub(super) place: String,
}

/// The counts.
pub(super) struct Watch {
    wanted: Wanted,
    notices: Receiver<Notice>,
    begun: Instant,
    /// By shard; `None` before its first word.
    shards: Vec<Option<MoveProgress>>,
    /// Receipts, by what became of the call.
    seen: Progress,
    /// Carrier legs of calls that ended by it: one call may be told of by its receipt and by its record.
    dropped: HashSet<String>,
    gap_media: GapCount,
    gap_conversation: GapCount,
    last_news: Instant,
}

impl Watch {
    /// To be begun before the order is given: nothing is missed then.
    pub(super) fn new(wanted: Wanted, notices: Receiver<Notice>, shards: usize) -> Self {
        Self {
            wanted,
            notices,
            begun: Instant::now(),
            shards: vec![None; shards],
            seen: Progress::default(),
            dropped: HashSet::new(),
            gap_media: GapCount::new(),
            gap_conversation: GapCount::new(),
            last_news: Instant::now(),
        }
    }

    /// Take what has come; the receipts of it.
    pub(super) fn look(&mut self) -> Vec<Receipt> {
        let mut receipts = Vec::new();
        while let Ok(notice) = self.notices.try_recv() {
            match notice {
                Notice::Moved(receipt) if self.is_ours(&receipt) => receipts.push(self.receipt(&receipt)),
                Notice::Moves { shard, progress } if progress.order == self.wanted.order => {
                    if let Some(slot) = self.shards.get_mut(usize::from(shard)) {
                        *slot = Some(progress);
                        self.last_news = Instant::now();
                    }
                }
                Notice::Finished(record) => self.ended(&record),
                Notice::Moved(_) | Notice::Moves { .. } | Notice::Health { .. } => {}
            }
        }
        receipts
    }

    /// This shard was given nothing to do.
    pub(super) fn excuse(&mut self, shard: usize) {
        if let Some(slot) = self.shards.get_mut(shard) {
            *slot = Some(MoveProgress { done: true, ..MoveProgress::default() });
        }
    }

    /// Whether every shard is done.
    pub(super) fn is_done(&self) -> bool {
        self.shards.iter().all(|shard| shard.is_some_and(|progress| progress.done))
    }

    /// Since when nothing has come.
    pub(super) fn last_news(&self) -> Instant {
        self.last_news
    }

    /// What shards say where they say something, and what receipts say where they say more.
    pub(super) fn progress(&self) -> Progress {
        let sum = |of: fn(&MoveProgress) -> u32| self.shards.iter().flatten().map(of).sum::<u32>();
        let (moved, failed, gone) =
            (sum(|p| p.moved).max(self.seen.moved), sum(|p| p.failed).max(self.seen.failed), sum(|p| p.gone));
        let gone = gone.max(self.seen.gone);
        Progress {
            chosen: sum(|p| p.chosen).max(moved + failed + gone),
            moved,
            failed,
            gone,
            elapsed_ms: u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX),
        }
    }

    /// The first condition that has come true.
    pub(super) fn trips(&self, conditions: &[Condition]) -> Option<Condition> {
        let value = |measure| match measure {
            Measure::Dropped => self.dropped.len() as u64,
            Measure::Failed => u64::from(self.progress().failed),
            Measure::GapMedia => self.gap_media.max(),
            Measure::GapConversation => self.gap_conversation.max(),
        };
        conditions.iter().copied().find(|condition| value(condition.measure) > u64::from(condition.above))
    }

    pub(super) fn sum_up(&self, end: End, why: Option<String>) -> Summary {
        Summary {
            place: self.wanted.place.clone(),
            end,
            why,
            progress: self.progress(),
            dropped: u32::try_from(self.dropped.len()).unwrap_or(u32::MAX),
            found_ms: None,
            drained: false,
            gap_media_ms: self.gap_media.sum_up(),
            gap_conversation_ms: self.gap_conversation.sum_up(),
        }
    }

    fn is_ours(&self, receipt: &proxy_core::Receipt) -> bool {
        let Wanted { reason, place, .. } = &self.wanted;
        let (from, to) = (&receipt.from, &receipt.to);
        receipt.reason == *reason
            && match reason {
                // One that found no way back has no `to`.
                MoveReason::Back => to.1 == *place || to.1.is_empty(),
                _ => from.0 == *place || from.1 == *place,
            }
    }

    fn receipt(&mut self, receipt: &proxy_core::Receipt) -> Receipt {
        self.last_news = Instant::now();
        match receipt.outcome {
            MoveOutcome::Moved | MoveOutcome::Renegotiated => self.seen.moved += 1,
            MoveOutcome::HungUp => self.seen.gone += 1,
            MoveOutcome::Stayed => self.seen.failed += 1,
            MoveOutcome::Deadline | MoveOutcome::Declined | MoveOutcome::Unmatched => {
                self.seen.failed += 1;
                // A planned move that fails leaves the old leg where it is.
                if self.wanted.reason == MoveReason::Drill {
                    self.dropped.insert(receipt.carrier_call_id.clone());
                }
            }
        }
        self.gap_media.add(receipt.gap_media);
        self.gap_conversation.add(receipt.gap_conversation);
        let after = |at: relay_values::Time| millis(at.since(receipt.detected));
        Receipt {
            carrier_call_id: receipt.carrier_call_id.clone(),
            reason: receipt.reason.as_str().to_owned(),
            outcome: receipt.outcome.as_str().to_owned(),
            from: receipt.from.0.clone(),
            to: receipt.to.0.clone(),
            decided_ms: after(receipt.decided),
            answered_ms: receipt.answered.map(after),
            gap_media_ms: receipt.gap_media.map(millis),
            gap_conversation_ms: receipt.gap_conversation.map(millis),
            identity_kept: receipt.identity_before == receipt.identity_after,
        }
    }

    /// A call that a leg did not end, and that had to do with the place, ended by what we do.
    fn ended(&mut self, record: &CallRecord) {
        let by_us = match record.close {
            CloseReason::NotRehomed
            | CloseReason::MediaTimeout
            | CloseReason::LegGone
            | CloseReason::SessionExpired
            | CloseReason::PeerLost => true,
            CloseReason::ByeFromA
            | CloseReason::ByeFromB
            | CloseReason::Cancelled
            | CloseReason::Refused
            | CloseReason::HuntExhausted
            | CloseReason::NoAnswer
            | CloseReason::Expired
            | CloseReason::Transferred
            | CloseReason::NotTransferred
            | CloseReason::Operator
            | CloseReason::Rejected
            | CloseReason::NoAck
            | CloseReason::NoPrack
            | CloseReason::BadAnswer
            | CloseReason::Internal => false,
        };
        let Wanted { reason, place, .. } = &self.wanted;
        let there = |target: &str, region: &str| target == *place || region == *place;
        let began =
            record.steps.iter().any(|s| s.outcome == StepOutcome::Answered && there(&s.target, &s.region));
        let moved = record.moves.last();
        let concerned = match moved {
            None => began,
            Some(last) => {
                last.reason == *reason && (there(&last.from.0, &last.from.1) || there(&last.to.0, &last.to.1))
            }
        };
        if by_us && concerned {
            let carrier = match record.direction {
                Direction::Inbound => &record.a_call_id,
                Direction::Outbound => &record.b_call_id,
            };
            self.dropped.insert(carrier.clone());
        }
    }
}
