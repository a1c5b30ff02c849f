//! The closing table: what became of the calls, and whether the promise held.

use super::ledger::{Death, End, Entry, Gap, Ledger, Tally};
use super::peers::serial_in;
use proxy_core::{CallRecord, Receipt, StepOutcome, SwitchReason};
use serde::Serialize;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The promise: no affected call waits longer than this beyond what is usual.
pub(super) const MOST_EXTRA: Duration = Duration::from_millis(400);

/// The closing table as `--json` prints it. Its fields are defined in `bascule demo --help`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the definitions are in the help, where users are")]
pub struct Table {
    pub calls_placed: usize,
    pub calls_answered: usize,
    pub calls_failed: usize,
    pub calls_dropped: usize,
    pub placed_during_outage: usize,
    /// `None`: never seen down.
    pub region_down_ms: Option<f64>,
    /// `None`: no call was affected.
    pub extra_pdd_ms: Option<Percentiles>,
    pub live_at_kill: usize,
    pub live_kept: usize,
    pub carrier_sip_during_move: u64,
    pub carrier_seq_breaks: u64,
    /// `None`: no caller has heard both regions.
    pub gap_media_ms: Option<Percentiles>,
    /// `None`: no caller has heard both regions.
    pub gap_conversation_ms: Option<Percentiles>,
}

/// Of all values, the nearest rank.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[expect(missing_docs, reason = "as they are called everywhere")]
pub struct Percentiles {
    pub p50: f64,
    pub p99: f64,
    pub max: f64,
}

/// The table and what stands behind it.
#[derive(Debug, Clone, PartialEq)]
pub struct Closing {
    /// What is printed as JSON.
    pub table: Table,
    /// Affected calls that rang in the dead region.
    pub were_ringing: usize,
    /// Affected calls that were sent there and got no phone to ring.
    pub went_there_first: usize,
    /// Median post-dial delay before the death.
    pub usual_pdd_ms: f64,
    /// Every gap of conversation that a caller heard, in milliseconds, sorted.
    pub gaps_conversation_ms: Vec<f64>,
    /// Every gap of media, likewise.
    pub gaps_media_ms: Vec<f64>,
    /// The appliance's receipts, in the order in which they came.
    pub receipts: Vec<Arc<Receipt>>,
    /// Calls that spoke.
    pub spoke: usize,
    /// Of these, in how many both sides heard each other.
    pub heard_each_other: usize,
    /// Packets of one call that were heard in another.
    pub foreign_packets: u64,
    /// Answered calls that the appliance ended though their region lives.
    pub lost_elsewhere: usize,
    /// Calls that were still up at the end.
    pub left_up: usize,
    /// Calls of which the appliance has left no record.
    pub without_record: usize,
    /// Why the appliance took the region for down.
    pub(super) down_reason: Option<SwitchReason>,
}

/// What the appliance said.
#[derive(Debug, Default)]
pub(super) struct Heard {
    pub(super) down: Option<(Instant, SwitchReason)>,
    pub(super) records: Vec<Arc<CallRecord>>,
    pub(super) receipts: Vec<Arc<Receipt>>,
}

impl Closing {
    pub(super) fn draw_up(ledger: &Ledger, heard: &Heard) -> Self {
        let Tally { placed, answered, dropped, up, .. } = ledger.tally();
        let records: HashMap<u32, &CallRecord> =
            heard.records.iter().filter_map(|r| Some((serial_in(&r.called)?, &**r))).collect();
        let death = ledger.death;
        let mut usual: Vec<_> =
            ledger.calls.iter().filter(|c| is_usual(c, death)).filter_map(|c| c.delay).collect();
        usual.sort_unstable();
        let median = rank(&usual, 50).unwrap_or_default();
        let calls = || (0_u32..).zip(&ledger.calls);
        let affected: Vec<_> = calls()
            .filter(|(n, c)| death.is_some_and(|d| is_affected(c, records.get(n).copied(), d)))
            .collect();
        let mut extra: Vec<_> =
            affected.iter().filter_map(|(_, c)| c.delay).map(|d| d.saturating_sub(median)).collect();
        extra.sort_unstable();
        let spoke: Vec<_> = ledger.calls.iter().filter(|c| c.speaks && c.answered.is_some()).collect();
        let live: Vec<_> = ledger.calls.iter().filter(|c| c.lost_its_region).collect();
        let kept = live.iter().filter(|c| death.is_some_and(|d| c.is_kept(d.region))).count();
        let gaps = |of: fn(&Gap) -> Duration| {
            let mut gaps: Vec<_> = live.iter().filter_map(|c| c.gap.as_ref()).map(of).collect();
            gaps.sort_unstable();
            gaps
        };
        let (media, conversation) = (gaps(Gap::media), gaps(Gap::conversation));
        let dropped_elsewhere = |c: &&Entry| !c.lost_its_region && matches!(c.end, Some(End::Dropped(_)));
        let seen_down =
            death.zip(heard.down).map(|(death, (down, _))| ms(down.saturating_duration_since(death.at)));
        let were_ringing = affected.iter().filter(|(_, c)| c.was_ringing).count();
        Self {
            table: Table {
                calls_placed: placed,
                calls_answered: answered,
                calls_failed: placed - answered,
                calls_dropped: dropped,
                placed_during_outage: ledger
                    .calls
                    .iter()
                    .filter(|c| death.is_some_and(|d| c.placed > d.at))
                    .count(),
                region_down_ms: seen_down,
                extra_pdd_ms: percentiles(&extra),
                live_at_kill: live.len(),
                live_kept: kept,
                carrier_sip_during_move: live.iter().map(|c| u64::from(c.sip_in_move)).sum(),
                carrier_seq_breaks: ledger.calls.iter().map(|c| u64::from(c.breaks)).sum(),
                gap_media_ms: percentiles(&media),
                gap_conversation_ms: percentiles(&conversation),
            },
            were_ringing,
            went_there_first: affected.len() - were_ringing,
            usual_pdd_ms: ms(median),
            gaps_conversation_ms: conversation.into_iter().map(ms).collect(),
            gaps_media_ms: media.into_iter().map(ms).collect(),
            receipts: heard.receipts.clone(),
            spoke: spoke.len(),
            heard_each_other: spoke.iter().filter(|c| c.caller_heard > 0 && c.callee_heard > 0).count(),
            foreign_packets: ledger.calls.iter().map(|c| u64::from(c.foreign)).sum(),
            lost_elsewhere: ledger.calls.iter().filter(dropped_elsewhere).count(),
            left_up: up,
            without_record: calls().filter(|(n, _)| !records.contains_key(n)).count(),
            down_reason: heard.down.map(|(_, reason)| reason),
        }
    }
}

/// A call that rang before any region died.
fn is_usual(call: &Entry, death: Option<Death>) -> bool {
    let rang = call.delay.map(|delay| call.placed + delay);
    !call.was_ringing && rang.is_some_and(|rang| death.is_none_or(|death| rang < death.at))
}

/// A call that the appliance tried in the dead region in vain, or that rang there.
fn is_affected(call: &Entry, record: Option<&CallRecord>, death: Death) -> bool {
    let in_vain = record.is_some_and(|record| {
        let there = record.steps.iter().filter(|step| step.region == death.region.name());
        there.into_iter().any(|step| matches!(step.outcome, StepOutcome::Advanced { .. }))
    });
    call.was_ringing || (in_vain && call.answered.is_none_or(|answered| answered >= death.at))
}

/// Nearest rank of sorted values.
fn rank(sorted: &[Duration], percent: usize) -> Option<Duration> {
    sorted.get((sorted.len() * percent).div_ceil(100).max(1) - 1).copied()
}

fn percentiles(sorted: &[Duration]) -> Option<Percentiles> {
    let of = |percent| rank(sorted, percent).map(ms);
    Some(Percentiles { p50: of(50)?, p99: of(99)?, max: of(100)? })
}

/// Milliseconds to a tenth.
pub(super) fn ms(d: Duration) -> f64 {
    (d.as_secs_f64() * 10_000.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_the_nearest_rank() {
        let values: Vec<_> = (1..=200).map(Duration::from_millis).collect();
        assert_eq!(percentiles(&values), Some(Percentiles { p50: 100.0, p99: 198.0, max: 200.0 }));
        let one = [Duration::from_micros(1_260)];
        assert_eq!(percentiles(&one), Some(Percentiles { p50: 1.3, p99: 1.3, max: 1.3 }));
        assert_eq!(percentiles(&[]), None);
    }
}
