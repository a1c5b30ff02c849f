//! A tier leg that moves: what is offered to its next peer, and what becomes of the answer.

use super::described::Described;
use super::line::Line;
use super::{Known, Media, Relayed, Understood, Unusable, mark, read};
use crate::GapFill;
use relay_values::{Carries, Duration, Fill, Law, Leg, RegionId, RelayCommand, Sound};
use sip_wire::sdp::{self, AgreedSession, Answerer, LineWith, Misfit, SessionWith};

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
                let ends = [Leg::A, Leg::B].map(|leg| relayed.line.end(leg).described);
                ends.iter().all(Option::is_some) && !matches!(relayed.known, Known::Nothing)
            }
        }
    }

    /// Whether the tier leg's side of the relay session can serve a peer of this address family.
    pub(crate) fn serves(&self, tier: Leg, v6: bool) -> bool {
        matches!(self, Self::Relayed(relayed) if relayed.side(tier).bound.is_ipv6() == v6)
    }

    /// The offer to the tier leg's next peer: every line that the carrier has agreed to, in its place, and nothing else.
    pub(crate) fn offer_again(&mut self, tier: Leg) -> Option<Vec<u8>> {
        let Self::Relayed(relayed) = self else { return None };
        relayed.agreed(tier)?;
        // The present peer does not hear of it: where nobody takes it, the next number there is this one (RFC 3264 §8).
        let version = relayed.side(tier).version + 1;
        let offer = relayed.offer_agreed(tier, version, |_| true)?;
        relayed.is_out = Some(mark(&offer));
        Some(offer)
    }

    /// Whether the next peer's answer leaves the carrier as it is. It may refuse what is beside the line that the call
    /// stands and falls with.
    pub(crate) fn fits(&mut self, tier: Leg, answer: &[u8]) -> Result<(), Misfit> {
        let Self::Relayed(relayed) = self else { return Err(Misfit::NoAudio) };
        let session = sdp::Session::parse(answer).map_err(|_| Misfit::NoAudio)?;
        let place = relayed.agreed(tier).ok_or(Misfit::NoAudio)?.lead();
        relayed.fits(tier, place, &session)
    }

    /// The tier leg has another peer from now on: the relay's streams go there. A line that it has refused, or that does
    /// not fit, is left without a peer.
    pub(crate) fn move_tier(
        &mut self,
        tier: Leg,
        answer: &[u8],
        region: RegionId,
        out: &mut impl FnMut(RelayCommand),
    ) -> Result<(), Unusable> {
        let Self::Relayed(relayed) = self else { return Err(Unusable::NoMedia) };
        let session = read(answer)?;
        let lead = relayed.agreed(tier).ok_or(Unusable::NoMedia)?.lead();
        let described = session.media().get(lead).and_then(Described::read);
        described.filter(Described::is_open).ok_or(Unusable::NoMedia)?;
        for at in 0..=relayed.further.len() {
            let Some(place) = relayed.lines().nth(at).map(Line::place) else { break };
            let taken = place == lead || relayed.fits(tier, place, &session).is_ok();
            let described = session.media().get(place).and_then(Described::read).filter(|_| taken);
            let Some(line) = relayed.lines_mut().nth(at) else { break };
            line.succeed(tier, described.unwrap_or(Described::CLOSED), region, out);
        }
        relayed.took_agreed(tier, answer);
        Ok(())
    }

    /// The next peer's answer did not fit: the offer to the carrier that follows from it.
    pub(crate) fn offer_to_carrier(&mut self, tier: Leg, answer: &[u8]) -> Result<Vec<u8>, Unusable> {
        let Self::Relayed(relayed) = self else { return Err(Unusable::NoMedia) };
        let session = read(answer)?;
        let carrier = tier.other();
        let mut ports = [0; sip_wire::limits::MAX_MEDIA];
        for line in relayed.lines() {
            let described = session.media().get(line.place()).and_then(Described::read);
            let open = described.is_some_and(|described| described.is_open());
            if let Some(port) = ports.get_mut(line.place()).filter(|_| open) {
                *port = line.end(carrier).port;
            }
        }
        if ports.iter().all(|port| *port == 0) {
            return Err(Unusable::NoMedia);
        }
        relayed.offer = super::keep(answer);
        let ports = ports.get(..session.media().len()).unwrap_or_default();
        Ok(relayed.side_mut(carrier).anchor(&session, ports))
    }

    /// The carrier has taken that offer; [`move_tier`](Self::move_tier) follows.
    pub(crate) fn carrier_answered(&mut self, tier: Leg, answer: &[u8]) -> Result<(), Unusable> {
        let Self::Relayed(relayed) = self else { return Err(Unusable::NoMedia) };
        let session = read(answer)?;
        let carrier = tier.other();
        let described = session.media().get(relayed.line.place()).and_then(Described::read);
        let others = relayed.further.iter().any(|line| {
            let described = session.media().get(line.place()).and_then(Described::read);
            described.is_some_and(|described| described.is_open())
        });
        if !others && !described.is_some_and(|described| described.is_open()) {
            return Err(Unusable::NoMedia);
        }
        for line in relayed.lines_mut() {
            let described = session.media().get(line.place()).and_then(Described::read);
            line.end_mut(carrier).described = Some(described.unwrap_or(Described::CLOSED));
        }
        relayed.learn(carrier, answer);
        Ok(())
    }

    /// The tier leg's peer, which was taken for lost, is there after all.
    pub(crate) fn is_back(&mut self, tier: Leg, out: &mut impl FnMut(RelayCommand)) {
        if let Self::Relayed(relayed) = self {
            relayed.lines_mut().for_each(|line| line.end_mut(tier).told = 0);
            relayed.connect(out);
        }
    }

    /// What the carrier hears while the tier leg has no peer; `None` where we cannot speak its codec. This is asked for every
    /// call of a dead region before anything else is done, so nothing is parsed for it.
    pub(crate) fn fill(&mut self, tier: Leg, fill: GapFill) -> Option<Fill> {
        let Self::Relayed(relayed) = self else { return None };
        let (carrier, lost) = (relayed.line.end(tier.other()).described?, relayed.line.end(tier).described?);
        if carrier.carries(&lost) != Carries::Rtp {
            return None;
        }
        let law = relayed.line.end(relayed.answerer).described?.law;
        let packet_time = carrier.packet_time.map_or(PACKET_TIME, u32::from);
        let (payload_type, sound) = match (fill, law) {
            (GapFill::Nothing, _) => return None,
            (GapFill::Noise, Some(law)) => (number(law), Sound::Noise(law)),
            (GapFill::Prompt, Some(law)) => (number(law), Sound::Prompt(law)),
            (GapFill::Noise | GapFill::Prompt, None) => {
                let stream = relayed.agreed(tier)?.stream()?;
                // Its packets share the codec's timestamps, and so its clock (RFC 3389 §4).
                let (_, _, clock_rate) = stream.first_codec();
                (stream.comfort_noise().filter(|_| clock_rate == CLOCK_RATE)?, Sound::ComfortNoise)
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
    /// What was agreed, as it is said to the tier leg's peer: every line that the carrier has agreed to, and that is `open`
    /// to this peer.
    pub(super) fn offer_agreed(
        &mut self,
        tier: Leg,
        version: u64,
        open: impl Fn(&Line) -> bool,
    ) -> Option<Vec<u8>> {
        let mut lines = [LineWith { port: 0, direction: sdp::Direction::Inactive, mux: false };
            sip_wire::limits::MAX_MEDIA];
        for line in self.lines().filter(|line| open(line)) {
            let carrier = line.end(tier.other()).described.filter(Described::is_open);
            if let (Some(with), Some(carrier)) = (lines.get_mut(line.place()), carrier) {
                let (direction, mux) = (carrier.direction(), carrier.remote.mux);
                *with = LineWith { port: line.end(tier).port, direction, mux };
            }
        }
        let side = self.side(tier);
        let (address, session_id) = (side.shown, side.origin);
        Some(self.agreed(tier)?.offer(&SessionWith { address, session_id, version, lines: &lines }))
    }

    /// What was agreed, worked out when it is first asked for.
    fn agreed(&mut self, tier: Leg) -> Option<&AgreedSession> {
        match std::mem::replace(&mut self.known, Known::Nothing) {
            Known::Texts { offer, answer, answerer } => {
                let session = agreed(&offer, &answer, answerer == tier);
                let (a_said, b_said) = match answerer {
                    Leg::A => (answer, offer),
                    Leg::B => (offer, answer),
                };
                if let Some(session) = session {
                    self.known = Known::Agreed(Box::new(Understood {
                        session,
                        a_said,
                        b_said,
                        offered_to: None,
                        peer_said: None,
                    }));
                }
            }
            known @ (Known::Nothing | Known::Agreed(_)) => self.known = known,
        }
        match &self.known {
            Known::Agreed(agreed) => Some(&agreed.session),
            Known::Nothing | Known::Texts { .. } => None,
        }
    }

    /// Whether the answer of the tier leg's next peer goes on with a line as the carrier has it.
    fn fits(&mut self, tier: Leg, place: usize, answer: &sdp::Session<'_>) -> Result<(), Misfit> {
        let line = self.lines().find(|line| line.place() == place).ok_or(Misfit::Refused)?;
        let carrier = line.end(tier.other()).described.ok_or(Misfit::NoAudio)?;
        self.agreed(tier).ok_or(Misfit::NoAudio)?.fits(place, carrier.direction(), answer)
    }
}

/// What both descriptions have in common, the tier's being the answer or the offer.
fn agreed(offer: &[u8], answer: &[u8], tier_answered: bool) -> Option<AgreedSession> {
    let (offer, answer) = (sdp::Session::parse(offer).ok()?, sdp::Session::parse(answer).ok()?);
    if tier_answered {
        AgreedSession::new(&offer, &answer, Answerer::Leaves)
    } else {
        AgreedSession::new(&answer, &offer, Answerer::Stays)
    }
}
