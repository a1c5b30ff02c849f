//! New calls that come while a region dies.

use crate::load::clock::{MS, Nanos};
use crate::load::tally::{Trace, UacTally};
use crate::report::round;
use serde_json::{Value, json};

/// A call whose first ring comes later than this noticed something.
const NOTICED: Nanos = 50 * MS;

/// What became of the calls, by the moment of death.
pub(super) fn summary(tally: &UacTally, died: Nanos) -> Value {
    let traces: &[Trace] = tally.traces.as_deref().unwrap_or_default();
    let delay = |t: &Trace| t.progress.map(|p| p - t.placed);
    let mut usual: Vec<Nanos> = traces.iter().filter(|t| t.placed < died).filter_map(delay).collect();
    usual.sort_unstable();
    let usual = usual.get(usual.len() / 2).copied().unwrap_or(0);
    // Placed before, and not answered when it happened: those count too.
    let after: Vec<&Trace> = traces.iter().filter(|t| t.answered.is_none_or(|a| a > died)).collect();
    let noticed = |t: &&&Trace| delay(t).is_none_or(|d| d > usual + NOTICED);
    let affected: Vec<&&Trace> = after.iter().filter(noticed).collect();
    let extra = affected.iter().filter_map(|t| delay(t)).map(|d| d.saturating_sub(usual));
    let last = affected.iter().map(|t| t.placed).max();
    json!({
        "calls": traces.len(),
        "failed": tally.failed,
        "failures": tally.failures,
        "placed_after": after.len(),
        "affected": affected.len(),
        "affected_answered_elsewhere": affected.iter().filter(|t| t.answered.is_some()).count(),
        "worst_extra_pdd_ms": round(extra.max().unwrap_or(0) as f64 / MS as f64, 1),
        // As callers see it: until the last call that noticed anything was placed.
        "last_call_affected_ms": last.map_or(0.0, |l| round(l.saturating_sub(died) as f64 / MS as f64, 1)),
    })
}
