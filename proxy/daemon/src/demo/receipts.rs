//! The appliance's receipts as a table, and gaps as bars.

use super::closing::ms;
use proxy_core::Receipt;
use relay_values::{Duration, Time};
use std::fmt::Write;
use std::sync::Arc;

/// Receipts that are shown: what fits on a screen beside the closing table.
const SHOWN: usize = 10;

/// Upper ends of the bars, in milliseconds; what lies above the last has a bar of its own.
const BARS: [f64; 8] = [20.0, 40.0, 60.0, 100.0, 150.0, 250.0, 400.0, 600.0];

/// The longest bar.
const WIDTH: usize = 40;

/// The first receipts, a line each. Times count from the moment when trouble was first seen.
pub(super) fn table(receipts: &[Arc<Receipt>]) -> String {
    if receipts.is_empty() {
        return String::new();
    }
    let mut text = format!(
        "\nreceipts, {} of {}; ms after trouble was seen\n",
        receipts.len().min(SHOWN),
        receipts.len()
    );
    let heads = ["from", "to", "decided", "INVITE", "200", "first RTP", "gap media", "gap talk", "outcome"];
    row(&mut text, heads.map(str::to_owned));
    for receipt in receipts.iter().take(SHOWN) {
        let after = |at: Option<Time>| figure(at.map(|at| at.since(receipt.detected)));
        row(
            &mut text,
            [
                receipt.from.0.clone(),
                receipt.to.0.clone(),
                after(Some(receipt.decided)),
                after(receipt.invited),
                after(receipt.answered),
                after(receipt.resumed),
                figure(receipt.gap_media),
                figure(receipt.gap_conversation),
                receipt.outcome.as_str().to_owned(),
            ],
        );
    }
    text
}

fn row(text: &mut String, cells: [String; 9]) {
    for cell in cells {
        // Writing into a string cannot fail.
        let _ = write!(text, "{cell:<11}");
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
}

/// Milliseconds; a dash for what did not happen, or not measurably: a call that says nothing has no gaps.
fn figure(value: Option<Duration>) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{:.1}", ms(value)))
}

/// How many gaps are how long.
pub(super) fn histogram(name: &str, values: &[f64]) -> String {
    if values.is_empty() {
        return String::new();
    }
    let mut counts = [0; BARS.len() + 1];
    for value in values {
        let bar = BARS.iter().position(|end| value <= end).unwrap_or(BARS.len());
        if let Some(count) = counts.get_mut(bar) {
            *count += 1;
        }
    }
    let last = counts.iter().rposition(|n| *n > 0).unwrap_or(0);
    let most = counts.iter().copied().max().unwrap_or(1).max(1);
    let mut text = format!("\n{name}\n");
    for (bar, count) in counts.iter().enumerate().take(last + 1) {
        let label = BARS.get(bar).map_or_else(|| "more".to_owned(), |end| format!("≤ {end}"));
        let _ = writeln!(text, "{label:>7}  {:<WIDTH$}  {count}", "█".repeat((count * WIDTH).div_ceil(most)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_as_long_as_there_are_gaps_and_none_is_left_out() {
        let text = histogram("gap", &[10.0, 20.0, 25.0, 700.0]);
        let lines: Vec<&str> = text.lines().skip(2).collect();
        assert_eq!(lines.len(), BARS.len() + 1, "{text}");
        assert!(lines[0].starts_with("   ≤ 20  ") && lines[0].contains(&"█".repeat(WIDTH)), "{text}");
        assert!(
            lines[0].ends_with("  2")
                && lines[8].trim_start().starts_with("more")
                && lines[8].ends_with("  1"),
            "{text}"
        );
        assert_eq!(histogram("gap", &[]), "");
    }
}
