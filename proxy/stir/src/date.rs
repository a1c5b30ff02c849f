//! The Date header field (RFC 3261 §20.17), which says in words what `iat` says in seconds.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Seconds since 1970 as a Date header field has them: `Fri, 25 Sep 2015 19:12:25 GMT`.
pub fn date(seconds: u64) -> String {
    // The year 9999 is the last that can be written.
    let seconds = seconds.min(253_402_300_799);
    httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(seconds))
}

/// Seconds since 1970 of a Date header field; `None` if it cannot be read.
pub fn seconds(date: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(date).ok()?;
    let at: SystemTime = httpdate::parse_http_date(text.trim()).ok()?;
    at.duration_since(UNIX_EPOCH).ok().map(|since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::{date, seconds};

    #[test]
    fn a_date_is_read_as_it_was_written() {
        assert_eq!(date(1_443_208_345), "Fri, 25 Sep 2015 19:12:25 GMT");
        for at in [0, 951_827_696, 1_443_208_345, 253_402_300_799] {
            assert_eq!(seconds(date(at).as_bytes()), Some(at));
        }
        assert_eq!(date(u64::MAX), date(253_402_300_799));
        for wrong in ["", "yesterday", "Fri, 32 Sep 2015 19:12:25 GMT", "\u{fffd}"] {
            assert_eq!(seconds(wrong.as_bytes()), None, "{wrong}");
        }
    }
}
