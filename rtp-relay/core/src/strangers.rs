//! What strangers try on one session.

use relay_values::StrangerStats;
use std::net::SocketAddr;

/// So many are told from each other.
const KNOWN: usize = StrangerStats::MOST_SOURCES as usize;

/// A session's account of them.
#[derive(Debug, Default)]
pub(crate) struct Strangers {
    stats: StrangerStats,
    known: [Option<SocketAddr>; KNOWN],
}

/// What a stranger's packet is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Attempt {
    /// RTP, or nothing that is known.
    Rtp,
    /// RTP with the numbers of the peer's stream.
    Forged,
    /// The same, while the peer is silent: for the first time since it was learnt.
    Strayed,
    /// RTCP.
    Rtcp,
}

impl Strangers {
    pub(crate) fn count(&mut self, from: SocketAddr, attempt: Attempt) {
        let stats = &mut self.stats;
        match attempt {
            Attempt::Rtp => stats.rtp += 1,
            Attempt::Forged => (stats.rtp, stats.forged) = (stats.rtp + 1, stats.forged + 1),
            Attempt::Strayed => {
                (stats.rtp, stats.forged, stats.strayed) =
                    (stats.rtp + 1, stats.forged + 1, stats.strayed + 1);
            }
            Attempt::Rtcp => stats.rtcp += 1,
        }
        stats.first = stats.first.or(Some(from));
        let mut places = self.known.iter_mut();
        // The first place that is his or nobody's, if there is one.
        if let Some(place) = places.find(|place| place.is_none_or(|known| known == from))
            && place.is_none()
        {
            *place = Some(from);
            stats.sources += 1;
        }
    }

    /// The account.
    pub(crate) fn stats(&self) -> StrangerStats {
        self.stats
    }
}
