//! Tells the log of strangers at the media ports: at most a line a second, whatever they do.

use crate::limits::STRANGERS_EVERY;
use datapath::Engine;
use relay_core::{Intruder, StrangerCounts};
use std::fmt;
use std::time::Instant;

/// What has been told, and when.
#[derive(Debug, Default)]
pub(crate) struct Lookout {
    told: StrangerCounts,
    at: Option<Instant>,
}

/// What is new.
#[derive(Debug, PartialEq, Eq)]
struct News {
    since: StrangerCounts,
    busiest: Option<Intruder>,
}

impl Lookout {
    /// Look at what the engine has counted, and say so if that is news and it is time.
    pub(crate) fn look(&mut self, engine: &Engine) {
        let counts = engine.counters().relay.strangers;
        if let Some(since) = self.news(Instant::now(), counts) {
            let news = News { since, busiest: engine.intruders().first().copied() };
            if news.is_grave() {
                tracing::warn!("{news}");
            } else {
                tracing::info!("{news}");
            }
        }
    }

    fn news(&mut self, now: Instant, counts: StrangerCounts) -> Option<StrangerCounts> {
        if counts == self.told || self.at.is_some_and(|at| now < at + STRANGERS_EVERY) {
            return None;
        }
        let told = std::mem::replace(&mut self.told, counts);
        self.at = Some(now);
        Some(StrangerCounts {
            rtp: counts.rtp - told.rtp,
            rtcp: counts.rtcp - told.rtcp,
            forged: counts.forged - told.forged,
            strayed: counts.strayed - told.strayed,
            sprays: counts.sprays - told.sprays,
        })
    }
}

impl News {
    /// It is no error of a peer that sends from another port than it has said.
    fn is_grave(&self) -> bool {
        self.since.forged > 0 || self.since.strayed > 0 || self.since.sprays > 0
    }
}

impl fmt::Display for News {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let StrangerCounts { rtp, rtcp, forged, strayed, sprays } = self.since;
        write!(f, "strangers at the media ports: {rtp} packets of RTP and {rtcp} of RTCP were kept out")?;
        for (n, what) in [
            (forged, "of them with the numbers of a peer's stream"),
            (strayed, "streams went on from elsewhere and were not followed"),
            (sprays, "times a host tried many ports"),
        ] {
            if n > 0 {
                write!(f, "; {n} {what}")?;
            }
        }
        if let Some(Intruder { source, packets, ports, .. }) = self.busiest {
            write!(f, "; busiest: {source}, {packets} packets lately, to {ports} ports")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_flood_is_a_line_a_second_and_silence_is_none() {
        let (mut lookout, begin) = (Lookout::default(), Instant::now());
        let mut lines = 0;
        for tick in 0..40 {
            let counts = StrangerCounts { rtp: 1000 * (tick + 1), ..StrangerCounts::default() };
            lines +=
                usize::from(lookout.news(begin + Duration::from_millis(250) * tick as u32, counts).is_some());
        }
        assert_eq!(lines, 10);
        let counts = lookout.told;
        assert_eq!(lookout.news(begin + Duration::from_secs(60), counts), None);
    }

    #[test]
    fn the_line_says_what_is_new_and_nothing_that_did_not_happen() {
        let mut lookout = Lookout::default();
        let begin = Instant::now();
        lookout.news(begin, StrangerCounts { rtp: 7, ..StrangerCounts::default() });
        let counts = StrangerCounts { rtp: 10, forged: 2, ..StrangerCounts::default() };
        let since = lookout.news(begin + STRANGERS_EVERY, counts).expect("it is time");
        let news = News { since, busiest: None };
        assert!(news.is_grave());
        let expected = "strangers at the media ports: 3 packets of RTP and 0 of RTCP were kept out; 2 of them with the numbers \
                        of a peer's stream";
        assert_eq!(news.to_string(), expected);
    }
}
