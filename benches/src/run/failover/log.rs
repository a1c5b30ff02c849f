//! The moment at which the device took a region for down, as it says itself.

use std::time::SystemTime;

/// Seconds since midnight, UTC.
pub(super) fn time_of_day() -> f64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    now.as_secs_f64() % 86_400.0
}

/// From a moment of the day to the first line of a log after it that says that the first region's edge is not usable.
pub(super) fn said_down(log: &str, since: f64) -> Option<f64> {
    let lines = log.lines().filter(|l| l.contains("target not usable") && l.contains("north"));
    lines.filter_map(logged_at).map(|at| (at - since).rem_euclid(86_400.0)).find(|after| *after < 43_200.0)
}

/// Seconds since midnight of a line that begins as `2026-01-31T12:34:56.789012Z`.
fn logged_at(line: &str) -> Option<f64> {
    let (_, time) = line.split_once('T')?;
    let mut parts = time.split('Z').next()?.split(':').map(str::parse::<f64>);
    let (h, m, s) = (parts.next()?.ok()?, parts.next()?.ok()?, parts.next()?.ok()?);
    Some(h * 3_600.0 + m * 60.0 + s)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_moment_that_a_region_was_seen_down_is_read_from_the_log() {
        let log = "2026-01-31T00:00:01.000000Z  WARN health: target not usable target_name=\"north\" to=\"down\"\n\
                   2026-01-31T00:00:02.250000Z  WARN health: target not usable target_name=\"north\" to=\"down\"\n";
        assert_eq!(said_down(log, 2.0), Some(0.25));
        assert_eq!(said_down(log, 3.0), None);
    }
}
