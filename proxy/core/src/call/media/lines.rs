//! The lines of a call beside the first: how they come and go (RFC 3264 §8).
//!
//! Each is a session of its own at the relay, with a pair of ports towards either leg. It is opened before the offer that
//! brings it is passed on, and closed when an exchange leaves it refused. What one answer refuses, a later offer may bring
//! again, on other ports.

use super::described::Described;
use super::line::Line;
use super::{Media, Relayed};
use crate::call::Env;
use crate::ids::CallKey;
use crate::limits::MAX_LINES;
use crate::{CallMedia, MediaLine};
use relay_values::{Latching, Leg, LegSpec, Open, RegionId, RelayCommand, SessionId};
use sip_wire::sdp;

/// What the relay has to know to open a line.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LineTerms {
    /// How strictly the A-leg's media source is held to its SDP.
    pub(crate) a_latching: Latching,
    /// The failure domain of the tier leg.
    pub(crate) region: RegionId,
    /// Which leg that is.
    pub(crate) tier_leg: Leg,
}

impl Media {
    /// Asks the relay for ports for each line of an offer that has none yet. Whether there is something to wait for.
    ///
    /// Lines beyond [`MAX_LINES`], and those that the relay cannot carry, get none: they are offered onward with port 0.
    pub(crate) fn open_lines(
        &mut self,
        offer: &[u8],
        terms: LineTerms,
        env: &mut Env,
        call: CallKey,
    ) -> bool {
        let Self::Relayed(relayed) = self else { return false };
        if has_one_line(offer) && relayed.led {
            return false;
        }
        let Ok(session) = sdp::Session::parse(offer) else { return false };
        relayed.choose_lead(&session);
        for (place, media) in session.media().iter().enumerate() {
            let wanted = media.port != 0 && media.address.is_some() && Described::is_carried(media);
            if !wanted || relayed.is_known(place) || relayed.further.len() + 1 >= MAX_LINES {
                continue;
            }
            let session = env.fresh_session(call);
            relayed.further.push(Line::new(session, place));
            env.relay(RelayCommand::Open(Open {
                session,
                a: LegSpec { local: relayed.a.bound, latching: terms.a_latching },
                b: LegSpec { local: relayed.b.bound, latching: relayed.b_latching },
                region: terms.region,
                tier_leg: terms.tier_leg,
                // Nobody moves in a picture, and a fax waits for its paper.
                inactivity: None,
            }));
        }
        relayed.further.iter().any(|line| !line.is_opened())
    }

    /// The relay's ports for a line are known.
    pub(crate) fn opened(&mut self, session: SessionId, a_port: u16, b_port: u16) {
        let Self::Relayed(relayed) = self else { return };
        if let Some(line) = relayed.lines_mut().find(|line| line.session == session) {
            line.opened(a_port, b_port);
        }
    }

    /// Whether the relay has said which ports it has for a line.
    pub(crate) fn is_open(&self, session: SessionId) -> bool {
        let Self::Relayed(relayed) = self else { return false };
        relayed.lines().any(|line| line.session == session && line.is_opened())
    }

    /// The relay has no ports for a line: it goes without. False where it is the first, without which there is no call.
    pub(crate) fn goes_without(&mut self, session: SessionId) -> bool {
        let Self::Relayed(relayed) = self else { return false };
        relayed.further.retain(|line| line.session != session);
        relayed.line.session != session
    }

    /// Gives back the ports of lines that an exchange has left refused. A rejected offer leaves those without that it
    /// would have brought.
    pub(crate) fn prune(&mut self, out: &mut impl FnMut(RelayCommand)) {
        let Self::Relayed(relayed) = self else { return };
        relayed.further.retain(|line| {
            let kept = line.is_kept();
            if !kept {
                out(RelayCommand::Release { session: line.session });
            }
            kept
        });
    }

    /// Whether a session is that of the line by which the call's moves are measured: the first that both legs take.
    pub(crate) fn leads(&self, session: SessionId) -> bool {
        let Self::Relayed(relayed) = self else { return false };
        let taken = relayed.lines().find(|line| line.is_taken());
        taken.unwrap_or(&relayed.line).session == session
    }

    /// Where it is, for operators.
    pub(crate) fn shown(&self) -> CallMedia {
        let relayed = match self {
            Self::None => return CallMedia::None,
            Self::Bypass => return CallMedia::Bypass,
            Self::Relayed(relayed) => relayed,
        };
        let shown = |line: &Line| MediaLine {
            session: line.session,
            place: line.place(),
            leads: self.leads(line.session),
        };
        let mut lines: Vec<_> = relayed.lines().map(shown).collect();
        lines.sort_by_key(|line| line.place);
        CallMedia::Relayed(lines)
    }

    /// All sessions at the relay, the first line's at the end: its statistics are the last ones that are awaited.
    pub(crate) fn sessions(&self) -> impl Iterator<Item = SessionId> {
        let relayed = match self {
            Self::None | Self::Bypass => None,
            Self::Relayed(relayed) => Some(relayed),
        };
        let further = relayed.map(|relayed| relayed.further.iter()).unwrap_or_default();
        further.chain(relayed.map(|relayed| &relayed.line)).map(|line| line.session)
    }
}

impl Relayed {
    /// The first audio line over RTP, else the first that can be carried, is the call's for its whole life.
    pub(super) fn choose_lead(&mut self, offer: &sdp::Session<'_>) {
        if self.led {
            return;
        }
        let is_audio = |media: &sdp::Media<'_>| media.kind == b"audio" && Described::is_carried(media);
        let audio = offer.media().iter().position(is_audio);
        if let Some(place) = audio.or_else(|| offer.media().iter().position(Described::is_carried)) {
            self.line.put(place);
            self.led = true;
        }
    }

    fn is_known(&self, place: usize) -> bool {
        self.lines().any(|line| line.place() == place)
    }

    pub(super) fn lines(&self) -> impl Iterator<Item = &Line> {
        std::iter::once(&self.line).chain(&self.further)
    }

    pub(super) fn lines_mut(&mut self) -> impl Iterator<Item = &mut Line> {
        std::iter::once(&mut self.line).chain(&mut self.further)
    }
}

/// Most offers have one line: a look shows that without a parse.
fn has_one_line(offer: &[u8]) -> bool {
    offer.split(|b| *b == b'\n').filter(|line| line.starts_with(b"m=")).take(2).count() < 2
}
