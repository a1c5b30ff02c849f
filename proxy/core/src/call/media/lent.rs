//! A leg that takes another call's media: what it is told goes on from what it was told before, whichever call tells it. Its `o=`
//! line keeps session id and address, and the version counts on (RFC 3264 §8).

use super::{Media, behind_origin, hash};
use relay_values::Leg;

/// Where a leg's line of descriptions stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Line {
    origin: u64,
    version: u64,
    sent: u64,
}

impl Media {
    /// Another call's offer, as the next description of this leg's own line. It counts as sent, whatever comes of it.
    pub(crate) fn as_next(&mut self, leg: Leg, offer: &[u8]) -> Option<Vec<u8>> {
        let Self::Relayed(relayed) = self else { return None };
        let side = relayed.side_mut(leg);
        let tail = behind_origin(offer);
        let head = offer.get(..offer.len() - tail.len())?;
        let mut words = std::str::from_utf8(head).ok()?.splitn(4, ' ');
        let (name, _, _, place) = (words.next()?, words.next()?, words.next()?, words.next()?);
        (side.version, side.sent) = (side.version + 1, hash(tail));
        let head = format!("{name} {} {} {place}", side.origin, side.version);
        Some([head.as_bytes(), tail].concat())
    }

    /// The leg's line, for the call that takes the leg.
    pub(crate) fn line_of(&self, leg: Leg) -> Option<Line> {
        let Self::Relayed(relayed) = self else { return None };
        let side = relayed.side(leg);
        Some(Line { origin: side.origin, version: side.version, sent: side.sent })
    }

    /// A leg has come here from another call, and its line goes on.
    pub(crate) fn goes_on(&mut self, leg: Leg, line: Line) {
        let Self::Relayed(relayed) = self else { return };
        let side = relayed.side_mut(leg);
        (side.origin, side.version, side.sent) = (line.origin, line.version, line.sent);
    }
}
