//! What a call knows of its media: offers and answers, anchored at the relay, and the commands that follow from them
//! (RFC 3264).

mod again;
mod described;
pub(crate) mod lent;
mod line;
mod lines;
mod moving;
mod refused;

pub(crate) use lines::LineTerms;
pub(crate) use refused::refusal;

use crate::limits::MAX_KEPT_SDP;
use crate::{Config, MediaMode};
use described::Described;
use line::{End, Line};
use relay_values::{Latching, Leg, RegionId, RelayCommand, SessionId};
use sip_wire::sdp;
use std::borrow::Cow;
use std::net::IpAddr;
use std::num::NonZeroU32;

/// Media of a call.
#[derive(Debug)]
pub(crate) enum Media {
    /// No target was chosen yet.
    None,
    /// Session descriptions pass unchanged.
    Bypass,
    /// Media is anchored.
    Relayed(Box<Relayed>),
}

/// Anchored media.
#[derive(Debug)]
pub(crate) struct Relayed {
    a: Side,
    b: Side,
    /// How strictly the B-leg's media source is held to its SDP.
    b_latching: Latching,
    /// The line that the call stands and falls with. Its session is the call's.
    line: Line,
    /// It has been found in an offer.
    led: bool,
    /// Other lines; most calls have none.
    further: Vec<Line>,
    /// Whom the pending offer came from.
    offered: Option<Leg>,
    /// How many lines the last offer had.
    offered_lines: usize,
    /// The pending offer itself, for what may have to be offered to somebody else one day.
    offer: Option<Box<[u8]>>,
    /// Hash of what is being offered to the tier leg's next peer, of what was agreed.
    is_out: Option<NonZeroU32>,
    /// The last exchange that was completed.
    known: Known,
    /// Whose answer it was: its first codec is the one that is spoken.
    answerer: Leg,
}

/// What the legs have agreed on, as far as a new tier leg has to be told.
#[derive(Debug)]
enum Known {
    /// Nothing, or too much to keep.
    Nothing,
    /// Both descriptions as they came. They are read only when the call has to move.
    Texts { offer: Box<[u8]>, answer: Box<[u8]>, answerer: Leg },
    /// What came of them.
    Agreed(Box<Understood>),
}

/// What was agreed, and in which words.
#[derive(Debug)]
struct Understood {
    session: sdp::AgreedSession,
    /// What either leg's peer said last: the other leg was told so.
    a_said: Box<[u8]>,
    b_said: Box<[u8]>,
    /// The leg whose present peer was told what was agreed instead, and what that peer has said.
    offered_to: Option<Leg>,
    peer_said: Option<Box<[u8]>>,
}

/// One leg's side.
#[derive(Debug)]
struct Side {
    /// Our address towards this leg, as the relay binds it.
    bound: IpAddr,
    /// The same as SDP shows it.
    shown: IpAddr,
    /// Session id and version of the descriptions that we send to this leg (RFC 4566 §5.2).
    origin: u64,
    version: u64,
    /// Hash of what was last sent, its `o=` line aside, to tell a repetition from a change (RFC 3264 §8).
    sent: u64,
}

/// Why a session description cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unusable {
    /// It does not parse.
    Malformed,
    /// No m-line that the relay carries, or no address for the one that the call stands and falls with.
    NoMedia,
}

impl Media {
    /// Media for a call whose legs want these families; `None` where we have no address for one.
    pub(crate) fn new(
        config: &Config,
        session: SessionId,
        a_v6: impl FnOnce() -> bool,
        b_v6: bool,
        b_latching: Latching,
        origin: u64,
    ) -> Option<Self> {
        match config.media.mode {
            MediaMode::Bypass => Some(Self::Bypass),
            MediaMode::Relay => {
                let a = Side::new(config, a_v6(), origin)?;
                let b = Side::new(config, b_v6, origin.rotate_left(17))?;
                Some(Self::Relayed(Box::new(Relayed {
                    a,
                    b,
                    b_latching,
                    line: Line::new(session, 0),
                    led: false,
                    further: Vec::new(),
                    offered: None,
                    offered_lines: 0,
                    is_out: None,
                    offer: None,
                    known: Known::Nothing,
                    answerer: Leg::B,
                })))
            }
        }
    }

    /// The relay session, if there is one.
    pub(crate) fn session(&self) -> Option<SessionId> {
        match self {
            Self::None | Self::Bypass => None,
            Self::Relayed(relayed) => Some(relayed.line.session),
        }
    }

    /// Takes an offer from `from` and returns what the other leg is sent.
    pub(crate) fn offer<'s>(&mut self, from: Leg, body: &'s [u8]) -> Result<Cow<'s, [u8]>, Unusable> {
        match self {
            Self::None | Self::Bypass => Ok(Cow::Borrowed(body)),
            Self::Relayed(relayed) => {
                let session = read(body)?;
                relayed.choose_lead(&session);
                relayed.describe(from, &session)?;
                relayed.offered = Some(from);
                relayed.offered_lines = session.media().len();
                relayed.offer = keep(body);
                Ok(Cow::Owned(relayed.anchor(from.other(), &session)))
            }
        }
    }

    /// Takes an answer from `from`, returns what the other leg is sent and appends what the relay has to be told.
    pub(crate) fn answer<'s>(
        &mut self,
        from: Leg,
        body: &'s [u8],
        out: &mut impl FnMut(RelayCommand),
    ) -> Result<Cow<'s, [u8]>, Unusable> {
        match self {
            Self::None | Self::Bypass => Ok(Cow::Borrowed(body)),
            Self::Relayed(relayed) => {
                let session = read(body)?;
                if let Some(aligned) = relayed.aligned(from, &session) {
                    return relayed.answered(from, &read(&aligned)?, out).map(Cow::Owned);
                }
                relayed.answered(from, &session, out).map(Cow::Owned)
            }
        }
    }

    /// Whether a description from `from` would be an answer: the other leg's offer is pending.
    pub(crate) fn is_answer(&self, from: Leg) -> bool {
        matches!(self, Self::Relayed(relayed) if relayed.offered == Some(from.other()))
    }

    /// Forgets the B-leg's peer, and asks for other ports towards the next target: those that a target was told it may go on
    /// sending to when it is left. Whether there is something to wait for.
    pub(crate) fn renew_b(&mut self, region: RegionId, out: &mut impl FnMut(RelayCommand)) -> bool {
        if let Self::Relayed(relayed) = self {
            // Without an offer of the caller's the next target's first line may be another.
            relayed.led &= relayed.line.end(Leg::A).is_open();
            for line in relayed.lines_mut() {
                let session = line.session;
                let end = line.end_mut(Leg::B);
                *end = End::default();
                out(RelayCommand::Renew { session, leg: Leg::B, region });
            }
        }
        matches!(self, Self::Relayed(_))
    }

    /// Whether the relay has said which ports it has, for every line that was asked for.
    pub(crate) fn is_opened(&self) -> bool {
        matches!(self, Self::Relayed(relayed) if relayed.lines().all(Line::is_opened))
    }

    /// Whether nothing is waited for any more.
    pub(crate) fn is_ready(&self) -> bool {
        matches!(self, Self::Bypass) || self.is_opened()
    }

    /// Gives all sessions back.
    pub(crate) fn release(&self, out: &mut impl FnMut(RelayCommand)) {
        self.sessions().for_each(|session| out(RelayCommand::Release { session }));
    }

    /// Local addresses to bind, by leg.
    pub(crate) fn bound(&self) -> Option<(IpAddr, IpAddr)> {
        match self {
            Self::None | Self::Bypass => None,
            Self::Relayed(relayed) => Some((relayed.a.bound, relayed.b.bound)),
        }
    }

    /// Whether the B-leg's side, as the relay opened it, can serve a peer of this family that is latched like this.
    pub(crate) fn b_serves(&self, v6: bool, latching: Latching) -> bool {
        match self {
            Self::None => false,
            Self::Bypass => true,
            Self::Relayed(relayed) => relayed.b.bound.is_ipv6() == v6 && relayed.b_latching == latching,
        }
    }

    /// The call is being answered: the relay is to hear of both legs even if nothing changed since early media, because
    /// its watch for silence starts anew with that.
    pub(crate) fn forget_told(&mut self) {
        if let Self::Relayed(relayed) = self {
            for line in relayed.lines_mut() {
                (line.end_mut(Leg::A).told, line.end_mut(Leg::B).told) = (0, 0);
            }
        }
    }

    /// Tells the relay of both legs, if it has not heard yet.
    pub(crate) fn tell(&mut self, out: &mut impl FnMut(RelayCommand)) {
        if let Self::Relayed(relayed) = self {
            relayed.connect(out);
        }
    }

    /// A failed re-INVITE leaves everything as it was (RFC 3261 §14.1, RFC 6141 §3.3): the relay was told nothing yet, only
    /// the pending offer is dropped.
    pub(crate) fn rolled_back(&mut self) {
        if let Self::Relayed(relayed) = self {
            relayed.offered = None;
            relayed.offer = None;
            for line in relayed.lines_mut() {
                (line.end_mut(Leg::A).pending, line.end_mut(Leg::B).pending) = (None, None);
            }
        }
    }
}

/// A copy, if it is worth its memory.
fn keep(body: &[u8]) -> Option<Box<[u8]>> {
    (body.len() <= MAX_KEPT_SDP).then(|| body.into())
}

impl Relayed {
    /// An exchange is complete. The same offer may be answered again (a 183, then the 200).
    fn learn(&mut self, answerer: Leg, body: &[u8]) {
        self.answerer = answerer;
        let before = std::mem::replace(&mut self.known, Known::Nothing);
        let offer = match (self.offer.take(), before) {
            (Some(offer), _) => Some(offer),
            (None, Known::Texts { offer, answerer: same, .. }) if same == answerer => Some(offer),
            // Another peer has taken exactly what was agreed.
            (None, Known::Agreed(mut agreed)) => {
                if let Some(said) = keep(body) {
                    match answerer {
                        Leg::A => agreed.a_said = said,
                        Leg::B => agreed.b_said = said,
                    }
                }
                self.known = Known::Agreed(agreed);
                self.took_agreed(answerer, body);
                return;
            }
            (None, Known::Nothing | Known::Texts { .. }) => None,
        };
        if let (Some(offer), Some(answer)) = (offer, keep(body)) {
            self.known = Known::Texts { offer, answer, answerer };
        }
    }

    /// The leg's present peer took what was agreed.
    fn took_agreed(&mut self, leg: Leg, said: &[u8]) {
        if let Known::Agreed(agreed) = &mut self.known {
            (agreed.offered_to, agreed.peer_said) = (Some(leg), keep(said));
            if let Some(sent) = self.is_out.take() {
                let side = self.side_mut(leg);
                (side.version, side.sent) = (side.version + 1, u64::from(sent.get()));
            }
        }
    }

    fn side(&self, leg: Leg) -> &Side {
        match leg {
            Leg::A => &self.a,
            Leg::B => &self.b,
        }
    }

    fn side_mut(&mut self, leg: Leg) -> &mut Side {
        match leg {
            Leg::A => &mut self.a,
            Leg::B => &mut self.b,
        }
    }

    /// Takes what a leg says of every line. A line that it does not mention any more is closed, like one whose place we
    /// do not know how to reach.
    fn describe(&mut self, from: Leg, session: &sdp::Session<'_>) -> Result<(), Unusable> {
        if !session.media().iter().any(Described::is_carried) {
            return Err(Unusable::NoMedia);
        }
        let first = match session.media().get(self.line.place()) {
            Some(media) => Described::read(media).ok_or(Unusable::NoMedia)?,
            None => Described::CLOSED,
        };
        self.line.end_mut(from).pending = Some(Box::new(first));
        for line in &mut self.further {
            let described = session.media().get(line.place()).and_then(Described::read);
            line.end_mut(from).pending = Some(Box::new(described.unwrap_or(Described::CLOSED)));
        }
        Ok(())
    }

    /// An answer: what was pending holds, and the other leg is told of it.
    fn answered(
        &mut self,
        from: Leg,
        session: &sdp::Session<'_>,
        out: &mut impl FnMut(RelayCommand),
    ) -> Result<Vec<u8>, Unusable> {
        self.describe(from, session)?;
        self.offered = None;
        let anchored = self.anchor(from.other(), session);
        self.lines_mut().for_each(Line::agree);
        self.learn(from, session.body());
        self.connect(out);
        Ok(anchored)
    }

    /// An answer whose lines are not those of its offer, put right.
    fn aligned(&self, from: Leg, answer: &sdp::Session<'_>) -> Option<Vec<u8>> {
        if self.offered_lines == 1 && answer.media().len() == 1 {
            return None;
        }
        let offer = match (&self.offer, &self.known) {
            (Some(offer), _) => offer,
            (None, Known::Texts { offer, answerer, .. }) if *answerer == from => offer,
            (None, Known::Nothing | Known::Texts { .. } | Known::Agreed(_)) => return None,
        };
        answer.aligned(&read(offer).ok()?)
    }

    /// The other leg's description with our addresses, for `to`: our port for each line that both legs take, or may
    /// still take. A repetition keeps its version.
    fn anchor(&mut self, to: Leg, session: &sdp::Session<'_>) -> Vec<u8> {
        let answering = self.offered.is_none();
        let mut ports = [0; sip_wire::limits::MAX_MEDIA];
        for line in self.lines() {
            let open = line.end(to.other()).is_open() && (!answering || line.end(to).is_open());
            if let Some(port) = ports.get_mut(line.place()).filter(|_| open) {
                *port = line.end(to).port;
            }
        }
        self.side_mut(to).anchor(session, ports.get(..session.media().len()).unwrap_or_default())
    }

    /// Tells the relay of every line.
    fn connect(&mut self, out: &mut impl FnMut(RelayCommand)) {
        self.lines_mut().for_each(|line| line.connect(out));
    }
}

impl Side {
    fn new(config: &Config, v6: bool, origin: u64) -> Option<Self> {
        let media = &config.media;
        let (bound, advertised) =
            if v6 { (media.v6, media.advertised_v6) } else { (media.v4, media.advertised_v4) };
        let bound = bound?;
        Some(Self {
            bound,
            shown: advertised.unwrap_or(bound),
            // RFC 4566 §5.2 wants a numeric string; 62 bits stay below what anybody's parser takes.
            origin: origin >> 2,
            version: 0,
            sent: 0,
        })
    }

    fn anchor(&mut self, session: &sdp::Session<'_>, ports: &[u16]) -> Vec<u8> {
        let write = |version| {
            let (address, session_id) = (self.shown, self.origin);
            session.anchor(&sdp::Anchor { address, ports, session_id, version, mux: true })
        };
        let text = write(self.version + 1);
        // Whether it is another one is seen in what comes of it: theirs may count on without a change, or change in
        // what is not passed on.
        let sent = hash(behind_origin(&text));
        if self.version != 0 && sent == self.sent {
            return write(self.version);
        }
        (self.version, self.sent) = (self.version + 1, sent);
        text
    }
}

/// A warning of no other kind (RFC 3261 §20.43).
pub(crate) const MISCELLANEOUS: (&[u8], &[u8]) = (b"399", b"Offer not possible now");

/// What stands against a description that was refused: warn-code and text (RFC 3261 §20.43).
pub(crate) fn objection(body: &[u8]) -> (&'static [u8], &'static [u8]) {
    let Ok(session) = sdp::Session::parse(body) else {
        return (b"399", b"Session description malformed");
    };
    let media = session.media();
    if media.is_empty() {
        return (b"304", b"Media type not available");
    }
    if !media.iter().any(Described::is_carried) {
        return (b"302", b"Incompatible transport protocol");
    }
    if media.iter().any(|media| media.port != 0 && media.address.is_none()) {
        return (b"301", b"Incompatible network address formats");
    }
    MISCELLANEOUS
}

fn read(body: &[u8]) -> Result<sdp::Session<'_>, Unusable> {
    sdp::Session::parse(body).map_err(|_| Unusable::Malformed)
}

/// What stands behind the `o=` line, which is the second of every description of ours.
fn behind_origin(text: &[u8]) -> &[u8] {
    let mut ends = (0..).zip(text).filter(|(_, byte)| **byte == b'\n');
    ends.nth(1).and_then(|(end, _): (usize, _)| text.get(end..)).unwrap_or(text)
}

/// A description without its origin, in little room.
fn mark(text: &[u8]) -> NonZeroU32 {
    NonZeroU32::new(hash(behind_origin(text)) as u32).unwrap_or(NonZeroU32::MIN)
}

fn hash(value: &(impl core::hash::Hash + ?Sized)) -> u64 {
    use core::hash::BuildHasher;
    foldhash::fast::FixedState::with_seed(1).hash_one(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_other_lines_need_costs_a_call_of_one_line_next_to_nothing() {
        // 400 bytes without them: a list, a place, and what a line carries.
        let call = std::mem::size_of::<Relayed>();
        assert!(call <= 448, "{call} bytes");
    }
}
