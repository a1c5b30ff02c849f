//! The one clock: monotonic for the cores, the wall only where a person reads it.

use relay_values::Time;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Both clocks, read together once: what the cores stamped can be told in wall-clock time later.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    epoch: Instant,
    wall: SystemTime,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { epoch: Instant::now(), wall: SystemTime::now() }
    }

    /// The zero of [`Time`].
    pub(crate) fn epoch(&self) -> Instant {
        self.epoch
    }

    pub(crate) fn now(&self) -> Time {
        Time::from_nanos(u64::try_from(self.epoch.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }

    /// When a timer of a core is due, no later than `at_most` from now.
    pub(crate) fn deadline(&self, at: Time, at_most: Duration) -> Instant {
        let latest = Instant::now() + at_most;
        self.epoch.checked_add(Duration::from_nanos(at.as_nanos())).map_or(latest, |due| due.min(latest))
    }

    /// Since 1970, by the wall clock as it was at the start.
    pub(crate) fn wall(&self, at: Time) -> Duration {
        self.wall.duration_since(UNIX_EPOCH).unwrap_or_default() + Duration::from_nanos(at.as_nanos())
    }

    /// RFC 3339 in UTC, to the millisecond.
    pub(crate) fn rfc3339(&self, at: Time) -> String {
        rfc3339(self.wall(at))
    }
}

pub(crate) fn rfc3339(since_1970: Duration) -> String {
    let seconds = since_1970.as_secs();
    let (year, month, day) = civil(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60);
    // Five of these stand in each record: written by hand, they cost a tenth of what a formatter takes.
    let mut text = String::with_capacity(24);
    let numbers = [
        (year, 4, '-'),
        (month, 2, '-'),
        (day, 2, 'T'),
        (hour, 2, ':'),
        (minute, 2, ':'),
        (second, 2, '.'),
        (u64::from(since_1970.subsec_millis()), 3, 'Z'),
    ];
    for (number, digits, behind) in numbers {
        for place in (0..digits).rev() {
            let digit = number / 10_u64.pow(place) % 10;
            text.push(char::from(b'0' + digit as u8));
        }
        text.push(behind);
    }
    text
}

/// Year, month and day of a day since 1970-01-01 in the Gregorian calendar: years begin in March here, so that the leap
/// day is the last of its year, and 400 years are 146,097 days.
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468; // days from 0000-03-01 to 1970-01-01
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_named_as_the_calendar_names_them() {
        let at = |s| rfc3339(Duration::from_millis(s));
        assert_eq!(at(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(at(951_782_400_000), "2000-02-29T00:00:00.000Z");
        assert_eq!(at(1_709_251_199_999), "2024-02-29T23:59:59.999Z");
        assert_eq!(at(1_709_251_200_000), "2024-03-01T00:00:00.000Z");
        assert_eq!(at(4_107_542_400_000), "2100-03-01T00:00:00.000Z");
    }
}
