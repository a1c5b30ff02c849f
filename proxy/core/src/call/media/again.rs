//! What a leg was told last, said again: a session that is refreshed does not change (RFC 4028 §7.4).

use super::line::Line;
use super::{Known, Media, Relayed, mark, read};
use relay_values::{Leg, RelayCommand};
use sip_wire::sdp;
use smallvec::SmallVec;

impl Media {
    /// How far the versions of what a leg was sent are counted.
    pub(crate) fn counted(&self, leg: Leg) -> (u64, u64) {
        match self {
            Self::Relayed(relayed) => (relayed.side(leg).version, relayed.side(leg).sent),
            Self::None | Self::Bypass => (0, 0),
        }
    }

    /// What was written for a leg since is not said to it: the next version follows on this one (RFC 3264 §8).
    pub(crate) fn count_from(&mut self, leg: Leg, counted: (u64, u64)) {
        if let Self::Relayed(relayed) = self {
            let side = relayed.side_mut(leg);
            (side.version, side.sent) = counted;
        }
    }

    /// The description that a leg was sent last, with the same version where nothing has changed since. `None` where it is
    /// not known any more.
    pub(crate) fn same_again(&mut self, to: Leg) -> Option<Vec<u8>> {
        let Self::Relayed(relayed) = self else { return None };
        if let Known::Agreed(agreed) = &relayed.known
            && agreed.offered_to == Some(to)
        {
            // What that peer has refused is not its again: this may be the answer to an offer in which it stays refused.
            let open = |line: &Line| line.end(to).is_open();
            let before = relayed.side(to).version;
            let text = relayed.offer_agreed(to, before + 1, open)?;
            let sent = u64::from(mark(&text).get());
            if sent == relayed.side(to).sent {
                return relayed.offer_agreed(to, before, open);
            }
            let side = relayed.side_mut(to);
            (side.version, side.sent) = (before + 1, sent);
            return Some(text);
        }
        // It is put back below: to write for one leg while the other's words are read.
        let known = std::mem::replace(&mut relayed.known, Known::Nothing);
        let said = match &known {
            Known::Nothing => None,
            Known::Texts { offer, answer, answerer } => Some(if *answerer == to { offer } else { answer }),
            Known::Agreed(agreed) => Some(match to {
                Leg::A => &agreed.b_said,
                Leg::B => &agreed.a_said,
            }),
        };
        let text =
            said.and_then(|said| sdp::Session::parse(said).ok()).map(|session| relayed.retell(to, &session));
        relayed.known = known;
        text
    }

    /// The same as the answer to an offer of that leg's: where this sends or receives less than what was said last has it do,
    /// so does its answer (RFC 3264 §6.1).
    pub(crate) fn same_answer(&mut self, offerer: Leg, offer: &[u8]) -> Option<Vec<u8>> {
        let counted = self.counted(offerer);
        let text = self.same_again(offerer)?;
        let narrowed = match (sdp::Session::parse(&text), sdp::Session::parse(offer)) {
            (Ok(said), Ok(offer)) => said.narrowed(&offer),
            (Err(_), _) | (_, Err(_)) => None,
        };
        let Some(narrowed) = narrowed else { return Some(text) };
        self.count_from(offerer, counted);
        let Self::Relayed(relayed) = self else { return None };
        let narrowed = read(&narrowed).ok()?;
        let ports: SmallVec<[u16; 4]> = narrowed.media().iter().map(|media| media.port).collect();
        Some(relayed.side_mut(offerer).anchor(&narrowed, &ports))
    }

    /// Whether a leg's present peer has said just that, when it spoke last.
    pub(crate) fn has_said(&self, from: Leg, body: &[u8]) -> bool {
        let Self::Relayed(relayed) = self else { return false };
        let said = match &relayed.known {
            Known::Nothing => return false,
            Known::Texts { offer, answer, answerer } => {
                if *answerer == from {
                    answer
                } else {
                    offer
                }
            }
            Known::Agreed(agreed) if agreed.offered_to == Some(from) => {
                return relayed.offered.is_none() && agreed.peer_said.as_deref() == Some(body);
            }
            Known::Agreed(agreed) => match from {
                Leg::A => &agreed.a_said,
                Leg::B => &agreed.b_said,
            },
        };
        relayed.offered.is_none() && **said == *body
    }

    /// The answer to that: where the leg's media is may have changed after all.
    pub(crate) fn repeated(&mut self, from: Leg, body: &[u8], out: &mut impl FnMut(RelayCommand)) {
        let Self::Relayed(relayed) = self else { return };
        let Ok(session) = read(body) else { return };
        if relayed.describe(from, &session).is_ok() {
            relayed.lines_mut().for_each(Line::agree);
            relayed.connect(out);
        }
    }
}

impl Relayed {
    /// The other leg's description with our ports: for each line that it has open and this leg has taken.
    fn retell(&mut self, to: Leg, session: &sdp::Session<'_>) -> Vec<u8> {
        let mut ports = [0; sip_wire::limits::MAX_MEDIA];
        for line in self.lines() {
            let open = session.media().get(line.place()).is_some_and(|media| media.port != 0);
            if let Some(port) = ports.get_mut(line.place()).filter(|_| open && line.end(to).is_open()) {
                *port = line.end(to).port;
            }
        }
        self.side_mut(to).anchor(session, ports.get(..session.media().len()).unwrap_or_default())
    }
}
