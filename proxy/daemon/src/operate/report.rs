//! What people see: a bar while it lasts, tables at the end.

use crate::complain::say;
use bascule::api::shapes::{End, Gaps, Progress, Receipt, Summary};
use indicatif::{ProgressBar, ProgressStyle};
use std::io::{IsTerminal, Write};

/// Receipts that are shown one by one; --json has them all.
const SHOWN: usize = 20;

/// Characters of the longest bar of a histogram.
const WIDTH: u64 = 40;

/// Standard output gone is no reason to fail.
pub(super) fn print(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Begins anew at the top of a terminal; elsewhere an empty line parts what comes from what was.
pub(super) fn clear() {
    print(if std::io::stdout().is_terminal() { "\x1b[2J\x1b[H" } else { "" });
}

/// Beside the answer, so that standard output holds nothing else.
pub(super) fn note(text: &str) {
    say(text);
}

/// A bar on a terminal, nothing otherwise.
pub(super) struct Counted {
    bar: ProgressBar,
    /// Milliseconds that the whole takes; `None` where calls are counted.
    lasts: Option<u64>,
}

impl Counted {
    pub(super) fn moves(json: bool) -> Self {
        Self::new(json, None, "{bar:40} {pos}/{len} calls, {elapsed_precise}, {msg}")
    }

    pub(super) fn time(json: bool, lasts: u64) -> Self {
        Self::new(json, Some(lasts), "{bar:40} {elapsed_precise}, {msg}")
    }

    fn new(json: bool, lasts: Option<u64>, template: &str) -> Self {
        let seen = !json && std::io::stderr().is_terminal();
        let bar = if seen { ProgressBar::new(lasts.unwrap_or(0)) } else { ProgressBar::hidden() };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Self { bar, lasts }
    }

    pub(super) fn show(&self, progress: Progress) {
        let Progress { chosen, moved, failed, gone, elapsed_ms } = progress;
        if self.lasts.is_some() {
            self.bar.set_position(elapsed_ms);
        } else {
            self.bar.set_length(u64::from(chosen));
            self.bar.set_position(u64::from(moved + failed + gone));
        }
        self.bar.set_message(format!("{moved} moved, {failed} failed, {gone} gone"));
    }

    /// Write something without tearing the bar.
    pub(super) fn over(&self, write: impl FnOnce()) {
        self.bar.suspend(write);
    }

    pub(super) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

/// Columns as wide as what is in them.
pub(super) fn table<const N: usize>(head: &[&str; N], rows: impl Iterator<Item = [String; N]>) {
    let rows: Vec<_> = std::iter::once(head.map(str::to_owned)).chain(rows).collect();
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    for row in &rows {
        let cells = row.iter().enumerate().map(|(i, cell)| format!("{cell:<width$}", width = width(i)));
        print(cells.collect::<Vec<_>>().join("  ").trim_end());
    }
}

pub(super) fn receipts(kept: &[Receipt]) {
    if kept.is_empty() {
        return;
    }
    let head = [
        "outcome",
        "from",
        "to",
        "decided ms",
        "answered ms",
        "gap media ms",
        "gap conv. ms",
        "identity",
        "Call-ID",
    ];
    let ms = |value: Option<f64>| value.map_or("-".to_owned(), |v| v.to_string());
    let rows = kept.iter().take(SHOWN).map(|receipt| {
        [
            receipt.outcome.clone(),
            receipt.from.clone(),
            if receipt.to.is_empty() { "-".to_owned() } else { receipt.to.clone() },
            receipt.decided_ms.to_string(),
            ms(receipt.answered_ms),
            ms(receipt.gap_media_ms),
            ms(receipt.gap_conversation_ms),
            if receipt.identity_kept { "kept" } else { "changed" }.to_owned(),
            printable(&receipt.carrier_call_id),
        ]
    });
    table(&head, rows);
    if let Some(more) = kept.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        print(&format!("… and {more} more; --json shows every one"));
    }
    print("");
}

/// A carrier chose these bytes; a terminal obeys some.
fn printable(text: &str) -> String {
    text.chars().take(64).map(|c| if c.is_control() { '?' } else { c }).collect()
}

pub(super) fn summary(end: &Summary) {
    let Progress { chosen, moved, failed, gone, elapsed_ms } = end.progress;
    let how = match end.end {
        End::Finished => "finished",
        End::Stopped => "stopped",
        End::Aborted => "aborted",
        End::Incomplete => "incomplete: the deadline has passed",
    };
    let why = end.why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
    print(&format!("{} {how}{why} after {:.1} s", end.place, elapsed_ms as f64 / 1_000.0));
    let row = [chosen, moved, failed, gone].map(|n| n.to_string());
    table(&["chosen", "moved", "failed", "gone"], std::iter::once(row));
    gaps("carriers heard nothing at all", &end.gap_media_ms);
    gaps("carriers heard nobody", &end.gap_conversation_ms);
}

fn gaps(what: &str, gaps: &Gaps) {
    if gaps.calls == 0 {
        return;
    }
    print(&format!("\n{what}: p50 {} ms, p99 {} ms, max {} ms", gaps.p50, gaps.p99, gaps.max));
    let most = gaps.buckets.iter().map(|(_, n)| *n).max().unwrap_or(1).max(1);
    for (bound, n) in &gaps.buckets {
        let label = bound.map_or("more".to_owned(), |bound| format!("≤ {bound} ms"));
        let bar = "█".repeat(usize::try_from((n * WIDTH).div_ceil(most)).unwrap_or(0));
        print(&format!("{label:>12} {n:>7} {bar}"));
    }
}
