//! Histograms that were counted elsewhere, as Prometheus' text: its library only takes values one by one.

use std::fmt::Write;

/// One series of a histogram.
pub(super) struct Series<'a> {
    /// `name="value"`; empty if it is the only one.
    pub(super) label: String,
    /// Its bounds, in seconds, ascending.
    pub(super) bounds: &'a [f64],
    /// How many in each bucket, not cumulated; one more than there are bounds.
    pub(super) counts: &'a [u64],
    /// Of all values, in seconds.
    pub(super) sum: f64,
}

/// A histogram with its series.
pub(super) fn histogram(name: &str, help: &str, all: &[Series<'_>]) -> String {
    let mut text = format!("# HELP {name} {help}\n# TYPE {name} histogram\n");
    for Series { label, bounds, counts, sum } in all {
        let comma = if label.is_empty() { "" } else { "," };
        let mut below = 0;
        let ends = bounds.iter().map(f64::to_string).chain(["+Inf".to_owned()]);
        for (end, count) in ends.zip(counts.iter()) {
            below += count;
            // Writing to a string does not fail.
            let _ = writeln!(text, "{name}_bucket{{{label}{comma}le=\"{end}\"}} {below}");
        }
        let own = if label.is_empty() { String::new() } else { format!("{{{label}}}") };
        let _ = writeln!(text, "{name}_sum{own} {sum}\n{name}_count{own} {below}");
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_cumulated_and_the_last_one_is_everything() {
        let series = |label: &str| Series {
            label: label.to_owned(),
            bounds: &[0.01, 2.0],
            counts: &[3, 0, 2],
            sum: 9.5,
        };
        let text = histogram("x_seconds", "How long", &[series(""), series("outcome=\"failed\"")]);
        let expected = "# HELP x_seconds How long\n# TYPE x_seconds histogram\n\
                        x_seconds_bucket{le=\"0.01\"} 3\nx_seconds_bucket{le=\"2\"} 3\nx_seconds_bucket{le=\"+Inf\"} 5\n\
                        x_seconds_sum 9.5\nx_seconds_count 5\n\
                        x_seconds_bucket{outcome=\"failed\",le=\"0.01\"} 3\nx_seconds_bucket{outcome=\"failed\",le=\"2\"} 3\n\
                        x_seconds_bucket{outcome=\"failed\",le=\"+Inf\"} 5\n\
                        x_seconds_sum{outcome=\"failed\"} 9.5\nx_seconds_count{outcome=\"failed\"} 5\n\n";
        assert_eq!(text, expected);
    }
}
