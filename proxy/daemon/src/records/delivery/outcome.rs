//! What became of a POST.

use crate::tls::TlsFailure;
use std::fmt;
use std::time::Duration;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// 2xx.
    Taken,
    /// The receiver does not want these records, now or later.
    Refused(u16),
    /// It does not want them now, or not from us, or not there: whoever looks after it can mend that.
    Later(u16, Option<Duration>),
    /// The receiver is not who it should be, or does not speak TLS as we do.
    Insecure(TlsFailure),
    /// No connection.
    Unreachable(String),
    /// The connection ended before the answer.
    Lost(String),
    /// Nothing came in time.
    Silent,
    /// No room for what was refused.
    SetAsideFull,
    /// The disk.
    SpoolUnreadable,
}

impl Outcome {
    pub(super) fn of(code: u16, retry_after: Option<Duration>) -> Self {
        match code {
            200..=299 => Self::Taken,
            // Of who asks and where (401, 403, 404, 405, 407), or of the moment (408, 409, 421, 423, 425, 429): no record is to
            // blame, and one by one they would fare no better.
            401 | 403 | 404 | 405 | 407 | 408 | 409 | 421 | 423 | 425 | 429 => Self::Later(code, retry_after),
            400..=499 => Self::Refused(code),
            // A 3xx is not followed: records go where the configuration says.
            _ => Self::Later(code, retry_after),
        }
    }

    pub(super) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Later(_, after) => *after,
            Self::Taken
            | Self::Refused(_)
            | Self::Insecure(_)
            | Self::Unreachable(_)
            | Self::Lost(_)
            | Self::Silent
            | Self::SetAsideFull
            | Self::SpoolUnreadable => None,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Taken => f.write_str("taken"),
            Self::Refused(code) => write!(f, "refused with {code}"),
            Self::Later(code, _) => write!(f, "answered {code}"),
            Self::Insecure(why) => write!(f, "no TLS: {}", why.as_str()),
            Self::Unreachable(why) => write!(f, "no connection: {why}"),
            Self::Lost(why) => write!(f, "the connection ended: {why}"),
            Self::Silent => f.write_str("no answer in time"),
            Self::SetAsideFull => f.write_str("no room to set refused records aside"),
            Self::SpoolUnreadable => f.write_str("the spool cannot be read"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_speaks_of_the_record_sets_it_aside() {
        for code in [200, 202, 204] {
            assert_eq!(Outcome::of(code, None), Outcome::Taken);
        }
        for code in [400, 410, 413, 415, 422] {
            assert_eq!(Outcome::of(code, None), Outcome::Refused(code));
        }
        for code in [301, 401, 403, 404, 408, 409, 429, 500, 502, 503] {
            assert_eq!(Outcome::of(code, None), Outcome::Later(code, None));
        }
    }
}
