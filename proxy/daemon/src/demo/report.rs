//! The closing table for people.

use super::closing::{Closing, MOST_EXTRA, ms};
use super::{Outcome, receipts};
use std::fmt::Write;

pub(super) fn text(Outcome { closing, broken }: &Outcome) -> String {
    let Closing { table, were_ringing, went_there_first, usual_pdd_ms, .. } = closing;
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
    rows.push((
        "up in the dead region",
        format!(
            "{}, kept {}; the carrier got {} SIP messages and heard {} breaks meanwhile",
            table.live_at_kill, table.live_kept, table.carrier_sip_during_move, table.carrier_seq_breaks
        ),
    ));
    for (name, gap) in
        [("gap of media", table.gap_media_ms), ("gap of conversation", table.gap_conversation_ms)]
    {
        let text = gap.map_or_else(
            || "nobody has heard both regions".to_owned(),
            |gap| format!("p50 {} ms, p99 {} ms, max {} ms, as callers heard it", gap.p50, gap.p99, gap.max),
        );
        rows.push((name, text));
    }
    rows.push(("the promise", if broken.is_empty() { "kept" } else { "broken" }.to_owned()));
    let mut text = String::from("\n");
    for (name, value) in rows {
        // Writing into a string cannot fail.
        let _ = writeln!(text, "{name:<24}{value}");
    }
    text.push_str(&receipts::table(&closing.receipts));
    text.push_str(&receipts::histogram("gap of media, ms", &closing.gaps_media_ms));
    text.push_str(&receipts::histogram("gap of conversation, ms", &closing.gaps_conversation_ms));
    text
}
