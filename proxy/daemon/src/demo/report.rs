//! The closing table for people.

use super::Outcome;
use super::closing::{Closing, MOST_EXTRA, ms};
use std::fmt::Write;

pub(super) fn text(Outcome { closing, broken }: &Outcome) -> String {
    let Closing { table, were_ringing, went_there_first, usual_pdd_ms, up_in_dead_region, .. } = closing;
    let mut rows = vec![
        (
            "calls placed",
            format!("{}, {} of them during the outage", table.calls_placed, table.placed_during_outage),
        ),
        ("answered", table.calls_answered.to_string()),
        ("failed", table.calls_failed.to_string()),
        ("dropped", table.calls_dropped.to_string()),
        (
            "region seen down after",
            match (table.region_down_ms, closing.down_reason) {
                (Some(after), Some(reason)) => format!("{after} ms ({})", reason.as_str().replace('_', " ")),
                _ => "never".to_owned(),
            },
        ),
        (
            "affected calls",
            format!(
                "{}: {were_ringing} were ringing there, {went_there_first} were sent there first",
                were_ringing + went_there_first
            ),
        ),
    ];
    if let Some(extra) = table.extra_pdd_ms {
        let promised = ms(MOST_EXTRA);
        rows.push((
            "extra post-dial delay",
            format!(
                "p50 {} ms, p99 {} ms, max {} ms; promised: below {promised} ms",
                extra.p50, extra.p99, extra.max
            ),
        ));
    }
    rows.push(("usual post-dial delay", format!("{usual_pdd_ms} ms (median before)")));
    let (heard, spoke) = (closing.heard_each_other, closing.spoke);
    rows.push(("heard each other", format!("{heard} of {spoke} calls that spoke")));
    rows.push(("the promise", if broken.is_empty() { "kept" } else { "broken" }.to_owned()));
    let mut text = String::from("\n");
    for (name, value) in rows {
        // Writing into a string cannot fail.
        let _ = writeln!(text, "{name:<24}{value}");
    }
    text.push_str(&dead_calls(*up_in_dead_region, closing.timed_out));
    text
}

/// What became of the answered calls in the dead region.
pub(super) fn dead_calls(up: usize, timed_out: usize) -> String {
    let ended = if timed_out == up { String::new() } else { format!("{timed_out} of them ") };
    format!(
        "answered calls on the dead region: {up}, {ended}ended by media timeout (re-homing is not in this release)"
    )
}
