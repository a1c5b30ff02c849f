//! Answers that take nothing of an offer: whoever acknowledges a 2xx with an offer that he does not want says so, and then BYE
//! (RFC 3261 §13.2.2.4).

use super::{Known, Media, hash};
use crate::MediaPolicy;
use relay_values::{Leg, RelayCommand};
use sip_wire::{Message, sdp};

impl Media {
    /// The answer to a leg's late offer, if there is one that nobody has answered: every line refused (RFC 3264 §6).
    pub(crate) fn refusal(&mut self, offerer: Leg) -> Option<Vec<u8>> {
        let Self::Relayed(relayed) = self else { return None };
        let offer = relayed.offer.take().filter(|_| relayed.offered == Some(offerer))?;
        let session = sdp::Session::parse(&offer).ok()?;
        let side = relayed.side(offerer);
        // Nothing follows on it.
        let (address, session_id, version) = (side.shown, side.origin, side.version + 1);
        Some(session.anchor(&sdp::Anchor { address, ports: &[], session_id, version, mux: false }))
    }

    /// The answer to an offer that its leg is not wanted for: every line refused.
    pub(crate) fn refused(&mut self, offerer: Leg, offer: &[u8]) -> Option<Vec<u8>> {
        let Self::Relayed(relayed) = self else { return None };
        let session = sdp::Session::parse(offer).ok()?;
        Some(relayed.side_mut(offerer).anchor(&session, &[]))
    }

    /// Another peer of a leg has made an offer of its own, which [fits](Self::fits) what its fellow's was answered with: it has
    /// the same answer, and the relay's streams go there.
    pub(crate) fn answered_alike(
        &mut self,
        offerer: Leg,
        offer: &[u8],
        out: &mut impl FnMut(RelayCommand),
    ) -> Option<Vec<u8>> {
        let answerer = offerer.other();
        let counted = self.counted(answerer);
        let Self::Relayed(relayed) = self else { return None };
        let answer = match &relayed.known {
            Known::Nothing => return None,
            Known::Texts { offer, answer, answerer: by } => {
                if *by == answerer {
                    answer
                } else {
                    offer
                }
            }
            Known::Agreed(agreed) => match answerer {
                Leg::A => &agreed.a_said,
                Leg::B => &agreed.b_said,
            },
        };
        let answer = answer.clone();
        self.offer(offerer, offer).ok()?;
        // The answerer does not hear of it.
        self.count_from(answerer, counted);
        self.answer(answerer, &answer, out).ok().map(std::borrow::Cow::into_owned)
    }

    /// The answer to an offer that comes too late for anybody to hear of it: what its leg was told last, or nothing at all where
    /// that has other lines, or takes one that is not offered.
    pub(crate) fn unchanged(&mut self, offerer: Leg, offer: &[u8]) -> Option<Vec<u8>> {
        let session = sdp::Session::parse(offer).ok()?;
        let same = self.same_answer(offerer, offer).filter(|said| {
            sdp::Session::parse(said).is_ok_and(|said| {
                let mut pairs = said.media().iter().zip(session.media());
                said.media().len() == session.media().len()
                    && pairs.all(|(said, offered)| said.port == 0 || offered.port != 0)
            })
        });
        match self {
            Self::Relayed(relayed) => same.or_else(|| Some(relayed.side_mut(offerer).anchor(&session, &[]))),
            Self::None | Self::Bypass => None,
        }
    }
}

/// The same where no call is left that could know more: the repetition of a 2xx gets the same again.
pub(crate) fn refusal(answer: &Message, media: &MediaPolicy) -> Option<Vec<u8>> {
    let session = sdp::Session::parse(sdp::find(answer)?).ok()?;
    let v4 = media.advertised_v4.or(media.v4);
    let address = v4.or(media.advertised_v6).or(media.v6)?;
    let session_id = hash(answer.call_id().unwrap_or_default()) >> 2;
    Some(session.anchor(&sdp::Anchor { address, ports: &[], session_id, version: 1, mux: false }))
}
