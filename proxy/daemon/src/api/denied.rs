//! Why a request was turned away, or a client cut off, before anything was done: one value each for the answer, the metric
//! label and the test.

use std::sync::atomic::{AtomicU64, Ordering};

/// Why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Denied {
    /// It came from another site's page.
    CrossSite,
    /// It asked for a host that is not this one, as a page does whose name was rebound to our address.
    Host,
    /// A token would have been readable on its way.
    NoTls,
    /// No token, a wrong one, or a user that nobody named.
    Nobody,
    /// Somebody without the role.
    Role,
    /// What came is no TLS: HTTP in clear, most likely.
    NotTls,
    /// A handshake of TLS that took too long.
    HandshakeTimeout,
    /// A handshake that came to nothing for another reason.
    Handshake,
    /// As many handshakes as may be, at once or from one address.
    Handshakes,
    /// As many connections as may be.
    Connections,
    /// As many follow as may.
    Followers,
    /// A follower that did not read.
    NotReading,
}

impl Denied {
    pub(crate) const ALL: [Self; 12] = [
        Self::CrossSite,
        Self::Host,
        Self::NoTls,
        Self::Nobody,
        Self::Role,
        Self::NotTls,
        Self::HandshakeTimeout,
        Self::Handshake,
        Self::Handshakes,
        Self::Connections,
        Self::Followers,
        Self::NotReading,
    ];

    /// The word for metric labels and answers.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::CrossSite => "cross_site",
            Self::Host => "host",
            Self::NoTls => "no_tls",
            Self::Nobody => "nobody",
            Self::Role => "role",
            Self::NotTls => "not_tls",
            Self::HandshakeTimeout => "handshake_timeout",
            Self::Handshake => "handshake",
            Self::Handshakes => "handshakes",
            Self::Connections => "connections",
            Self::Followers => "followers",
            Self::NotReading => "not_reading",
        }
    }
}

/// How often each, since the start.
#[derive(Debug, Default)]
pub(crate) struct DeniedTally([AtomicU64; Denied::ALL.len()]);

impl DeniedTally {
    pub(crate) fn count(&self, why: Denied) {
        if let Some(counter) = self.0.get(why as usize) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = (Denied, u64)> + '_ {
        Denied::ALL.into_iter().zip(self.0.iter().map(|counter| counter.load(Ordering::Relaxed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_its_own_counter() {
        let tally = DeniedTally::default();
        for (i, why) in Denied::ALL.into_iter().enumerate() {
            (0..=i).for_each(|_| tally.count(why));
        }
        assert!(tally.all().zip(1..).all(|((_, n), expected)| n == expected));
    }
}
