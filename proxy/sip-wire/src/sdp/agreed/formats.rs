//! The formats that both sides know.

use super::Answerer;
use crate::class::{self, TOKEN};
use crate::limits::MAX_FORMATS;
use crate::sdp::media::{Codec, Media};
use smallvec::SmallVec;

/// A codec with its payload type on either side.
#[derive(Debug, Clone, Copy)]
pub(super) struct Format<'a> {
    pub(super) stays: u8,
    pub(super) leaves: u8,
    /// As the staying side spells it.
    pub(super) codec: Codec<'a>,
}

impl Format<'_> {
    pub(super) fn is_named(&self, name: &[u8]) -> bool {
        self.codec.name.eq_ignore_ascii_case(name)
    }

    pub(super) fn is_speech(&self) -> bool {
        is_speech(&self.codec)
    }
}

/// Whether a format carries what is said: neither events (RFC 4733) nor silence (RFC 3389).
pub(super) fn is_speech(codec: &Codec<'_>) -> bool {
    !codec.name.eq_ignore_ascii_case(b"telephone-event") && !codec.name.eq_ignore_ascii_case(b"CN")
}

/// Whether both are one codec. Names have no case (RFC 4855 §3).
pub(super) fn is_same(a: &Codec<'_>, b: &Codec<'_>) -> bool {
    a.name.eq_ignore_ascii_case(b.name) && a.clock_rate == b.clock_rate && a.channels == b.channels
}

/// A side's payload types that stand for something, each once, in its order.
pub(super) fn known<'a>(media: &Media<'a>) -> SmallVec<[(u8, Codec<'a>); 8]> {
    let mut known: SmallVec<[(u8, Codec<'a>); 8]> = SmallVec::new();
    for number in media.payload_types().take(MAX_FORMATS) {
        let is_new = known.iter().all(|(seen, _)| *seen != number);
        if is_new && let Some(codec) = media.codec(number).filter(is_sound) {
            known.push((number, codec));
        }
    }
    known
}

/// Whether a name can be written again, and its length be told in a byte.
fn is_sound(codec: &Codec<'_>) -> bool {
    class::is_word(codec.name, TOKEN) && codec.name.len() <= usize::from(u8::MAX)
}

/// The agreed formats, in the answer's order.
pub(super) type Formats<'a> = SmallVec<[Format<'a>; 8]>;

/// Pairs each format of the answer with one of the offer: the same number if it means the same, else the first of that
/// codec that is still free.
pub(super) fn common<'a>(stays: &Media<'a>, leaves: &Media<'a>, answerer: Answerer) -> Formats<'a> {
    let (stays, leaves) = (known(stays), known(leaves));
    let (mut offer, answer) = match answerer {
        Answerer::Stays => (leaves, stays),
        Answerer::Leaves => (stays, leaves),
    };
    let mut formats = Formats::new();
    for (number, codec) in answer {
        let same_number = offer.iter().position(|(other, its)| *other == number && is_same(its, &codec));
        let partner = same_number.or_else(|| offer.iter().position(|(_, its)| is_same(its, &codec)));
        if let Some(at) = partner {
            let (other, its) = offer.remove(at);
            formats.push(match answerer {
                Answerer::Stays => Format { stays: number, leaves: other, codec },
                Answerer::Leaves => Format { stays: other, leaves: number, codec: its },
            });
        }
    }
    formats
}
