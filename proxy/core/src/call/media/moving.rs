//! A tier leg that moves: what is offered to its next peer, and what becomes of the answer.

use super::{Known, Media, Read, Relayed, Unusable, hash};
use crate::GapFill;
use relay_values::{Duration, Fill, Law, Leg, RegionId, RelayCommand, Sound};
use sip_wire::sdp::{self, Agreed, Answerer, Misfit};

/// RFC 3551 §4.2: the default packet time of audio, in milliseconds.
const PACKET_TIME: u32 = 20;

/// Of G.711, and of comfort noise beside codecs of that rate, in Hz.
const CLOCK_RATE: u32 = 8000;

impl Media {
    /// Whether there is a relay session whose legs have agreed on something that another peer can be offered.
    pub(crate) fn can_move(&self) -> bool {
        match self {
            Self::None | Self::Bypass => false,
            Self::Relayed(relayed) => {
                let described = relayed.a.described.is_some() && relayed.b.described.is_some();
                described && !matches!(relayed.known, Known::Nothing)
            }
        }
    }

    /// Whether the tier leg's side of the relay session can serve a peer of this address family.
    pub(crate) fn serves(&self, tier: Leg, v6: bool) -> bool {
        matches!(self, Self::Relayed(relayed) if relayed.side(tier).bound.is_ipv6() == v6)
    }

    /// The offer to the tier leg's next peer: what the carrier has agreed to, and nothing else.
    pub(crate) fn offer_again(&mut self, tier: Leg) -> Option<Vec<u8>> {
        let Self::Relayed(relayed) = self else { return None };
        relayed.agreed(tier)?;
        let carrier = relayed.side(tier.other()).described?;
        let direction = carrier.direction();
        let side = relayed.side_mut(tier);
        side.version += 1;
        let with = sdp::With {
            address: side.shown,
            port: side.port,
            session_id: side.origin,
            version: side.version,
            direction,
            mux: carrier.remote.mux,
        };
        Some(relayed.agreed(tier)?.offer(&with))
    }

    /// Whether the next peer's answer leaves the carrier as it is.
    pub(crate) fn fits(&mut self, tier: Leg, answer: &[u8]) -> Result<(), Misfit> {
        let Self::Relayed(relayed) = self else { return Err(Misfit::NoAudio) };
        let Some(carrier) = relayed.side(tier.other()).described else { return Err(Misfit::NoAudio) };
        let session = sdp::Session::parse(answer).map_err(|_| Misfit::NoAudio)?;
        relayed.agreed(tier).ok_or(Misfit::NoAudio)?.fits(carrier.direction(), &session)
    }

    /// The tier leg has another peer from now on: the relay's stream goes there.
    pub(crate) fn move_tier(
        &mut self,
        tier: Leg,
        answer: &[u8],
        region: RegionId,
        out: &mut impl FnMut(RelayCommand),
    ) -> Result<(), Unusable> {
        let Self::Relayed(relayed) = self else { return Err(Unusable::NoAudio) };
        let described = Read::new(answer)?.described;
        let carrier = relayed.side(tier.other()).described.ok_or(Unusable::NoAudio)?;
        let session = relayed.session;
        let side = relayed.side_mut(tier);
        (side.described, side.pending) = (Some(described), None);
        let to = described.facing(carrier);
        side.told = hash(&to) | 1;
        out(RelayCommand::Retarget { session, leg: tier, region, to: Some(to) });
        relayed.tell(tier.other(), carrier.facing(described), out);
        Ok(())
    }

    /// The next peer's answer did not fit: the offer to the carrier that follows from it.
    pub(crate) fn offer_to_carrier(&mut self, tier: Leg, answer: &[u8]) -> Result<Vec<u8>, Unusable> {
        let Self::Relayed(relayed) = self else { return Err(Unusable::NoAudio) };
        let read = Read::new(answer)?;
        relayed.offer = super::keep(answer);
        Ok(relayed.side_mut(tier.other()).anchor(answer, &read))
    }

    /// The carrier has taken that offer; [`move_tier`](Self::move_tier) follows.
    pub(crate) fn carrier_answered(&mut self, tier: Leg, answer: &[u8]) -> Result<(), Unusable> {
        let Self::Relayed(relayed) = self else { return Err(Unusable::NoAudio) };
        let read = Read::new(answer)?;
        let carrier = tier.other();
        if read.described.remote.rtp.port() == 0 {
            return Err(Unusable::NoAudio);
        }
        relayed.side_mut(carrier).described = Some(read.described);
        relayed.learn(carrier, answer);
        Ok(())
    }

    /// The tier leg's peer, which was taken for lost, is there after all.
    pub(crate) fn is_back(&mut self, tier: Leg, out: &mut impl FnMut(RelayCommand)) {
        if let Self::Relayed(relayed) = self {
            relayed.side_mut(tier).told = 0;
            relayed.connect(out);
        }
    }

    /// What the carrier hears while the tier leg has no peer; `None` where we cannot speak its codec. This is asked for every
    /// call of a dead region before anything else is done, so nothing is parsed for it.
    pub(crate) fn fill(&mut self, tier: Leg, fill: GapFill) -> Option<Fill> {
        let Self::Relayed(relayed) = self else { return None };
        let carrier = relayed.side(tier.other()).described?;
        let law = relayed.side(relayed.answerer).described?.law;
        let packet_time = carrier.packet_time.map_or(PACKET_TIME, u32::from);
        let (payload_type, sound) = match (fill, law) {
            (GapFill::Nothing, _) => return None,
            (GapFill::Noise, Some(law)) => (number(law), Sound::Noise(law)),
            (GapFill::Prompt, Some(law)) => (number(law), Sound::Prompt(law)),
            (GapFill::Noise | GapFill::Prompt, None) => {
                (relayed.agreed(tier)?.comfort_noise()?, Sound::ComfortNoise)
            }
        };
        let packet_time = Duration::from_millis(u64::from(packet_time));
        Some(Fill { payload_type, clock_rate: CLOCK_RATE, packet_time, sound })
    }
}

/// RFC 3551 table 4.
const fn number(law: Law) -> u8 {
    match law {
        Law::Mu => 0,
        Law::A => 8,
    }
}

impl Relayed {
    /// What was agreed, worked out when it is first asked for.
    fn agreed(&mut self, tier: Leg) -> Option<&Agreed> {
        if let Known::Texts { offer, answer, answerer } = &self.known {
            let agreed = agreed(offer, answer, *answerer == tier);
            self.known = agreed.map_or(Known::Nothing, Known::Agreed);
        }
        match &self.known {
            Known::Agreed(agreed) => Some(agreed),
            Known::Nothing | Known::Texts { .. } => None,
        }
    }
}

/// What both descriptions have in common, the tier's being the answer or the offer.
fn agreed(offer: &[u8], answer: &[u8], tier_answered: bool) -> Option<Agreed> {
    let (offer, answer) = (sdp::Session::parse(offer).ok()?, sdp::Session::parse(answer).ok()?);
    let offer = offer.media().iter().find(|media| super::is_audio(media))?;
    let answer = answer.media().iter().find(|media| super::is_audio(media))?;
    if tier_answered {
        Agreed::new(offer, answer, Answerer::Leaves)
    } else {
        Agreed::new(answer, offer, Answerer::Stays)
    }
}

impl super::Described {
    fn direction(&self) -> sdp::Direction {
        match (self.sends, self.receives) {
            (true, true) => sdp::Direction::SendRecv,
            (true, false) => sdp::Direction::SendOnly,
            (false, true) => sdp::Direction::RecvOnly,
            (false, false) => sdp::Direction::Inactive,
        }
    }
}
