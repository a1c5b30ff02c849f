//! What a call knows of its media: offers and answers, anchored at the relay, and the commands that follow from them
//! (RFC 3264).

mod moving;

use crate::limits::MAX_KEPT_SDP;
use crate::{Config, MediaMode};
use relay_values::{
    Carries, Connect, Direction, Latching, Law, Leg, RegionId, RelayCommand, Remote, SessionId,
};
use sip_wire::sdp;
use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};

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
    /// The relay's name for it.
    pub(crate) session: SessionId,
    a: Side,
    b: Side,
    /// How strictly the B-leg's media source is held to its SDP.
    b_latching: Latching,
    /// Whom the pending offer came from.
    offered: Option<Leg>,
    /// The pending offer itself, for what may have to be offered to somebody else one day.
    offer: Option<Box<[u8]>>,
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
    Agreed(sdp::Agreed),
}

/// One leg's side.
#[derive(Debug)]
struct Side {
    /// Our address towards this leg, as the relay binds it.
    bound: IpAddr,
    /// The same as SDP shows it.
    shown: IpAddr,
    /// Our RTP port towards this leg; 0 until the relay has opened.
    port: u16,
    /// Session id and version of the descriptions that we send to this leg (RFC 4566 §5.2).
    origin: u64,
    version: u64,
    /// Hash of what was last anchored, to tell a repetition from a change (RFC 3264 §8).
    sent: u64,
    /// The leg's own description, as agreed.
    described: Option<Described>,
    /// The same while its offer or answer is not agreed yet.
    pending: Option<Box<Described>>,
    /// Hash of what the relay was last told, 0 before: it hears only of changes.
    told: u64,
}

/// What matters of a leg's session description.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Described {
    remote: Remote,
    sends: bool,
    receives: bool,
    clock_rate: u32,
    /// Payload type of telephone-event (RFC 4733).
    event: Option<u8>,
    /// The first codec, if it is one that we can speak ourselves.
    law: Option<Law>,
    /// `ptime` in milliseconds.
    packet_time: Option<u8>,
}

/// Why a session description cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unusable {
    /// It does not parse.
    Malformed,
    /// No m-line that the relay carries: no audio over RTP, or no address.
    NoAudio,
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
                    session,
                    a,
                    b,
                    b_latching,
                    offered: None,
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
            Self::Relayed(relayed) => Some(relayed.session),
        }
    }

    /// Takes an offer from `from` and returns what the other leg is sent.
    pub(crate) fn offer<'s>(&mut self, from: Leg, body: &'s [u8]) -> Result<Cow<'s, [u8]>, Unusable> {
        match self {
            Self::None | Self::Bypass => Ok(Cow::Borrowed(body)),
            Self::Relayed(relayed) => {
                let read = Read::new(body)?;
                relayed.side_mut(from).pending = Some(Box::new(read.described));
                relayed.offered = Some(from);
                relayed.offer = keep(body);
                Ok(Cow::Owned(relayed.side_mut(from.other()).anchor(body, &read)))
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
                let read = Read::new(body)?;
                relayed.side_mut(from).pending = Some(Box::new(read.described));
                relayed.offered = None;
                let anchored = relayed.side_mut(from.other()).anchor(body, &read);
                relayed.a.agree();
                relayed.b.agree();
                relayed.learn(from, body);
                relayed.connect(out);
                Ok(Cow::Owned(anchored))
            }
        }
    }

    /// Whether a description from `from` would be an answer: the other leg's offer is pending.
    pub(crate) fn is_answer(&self, from: Leg) -> bool {
        matches!(self, Self::Relayed(relayed) if relayed.offered == Some(from.other()))
    }

    /// Forgets the B-leg's peer: the next target has not answered yet.
    pub(crate) fn forget_b(&mut self, region: RegionId, out: &mut impl FnMut(RelayCommand)) {
        if let Self::Relayed(relayed) = self {
            relayed.b.described = None;
            relayed.b.pending = None;
            if std::mem::take(&mut relayed.b.told) != 0 {
                out(RelayCommand::Retarget { session: relayed.session, leg: Leg::B, region, to: None });
            }
        }
    }

    /// The relay's ports are known.
    pub(crate) fn opened(&mut self, a_port: u16, b_port: u16) {
        if let Self::Relayed(relayed) = self {
            relayed.a.port = a_port;
            relayed.b.port = b_port;
        }
    }

    /// Whether the relay has said which ports it has.
    pub(crate) fn is_opened(&self) -> bool {
        matches!(self, Self::Relayed(relayed) if relayed.a.port != 0)
    }

    /// Gives the session up and returns its name.
    pub(crate) fn close(&mut self) -> Option<SessionId> {
        let session = self.session();
        *self = Self::None;
        session
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
            (relayed.a.told, relayed.b.told) = (0, 0);
        }
    }

    /// Tells the relay of both legs, if it has not heard yet.
    pub(crate) fn tell(&mut self, out: &mut impl FnMut(RelayCommand)) {
        if let Self::Relayed(relayed) = self {
            relayed.connect(out);
        }
    }

    /// A failed re-INVITE leaves everything as it was (RFC 6141 §2): the relay was told nothing yet, only the pending
    /// offer is dropped.
    pub(crate) fn rolled_back(&mut self) {
        if let Self::Relayed(relayed) = self {
            relayed.offered = None;
            relayed.offer = None;
            relayed.a.pending = None;
            relayed.b.pending = None;
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
            (None, Known::Agreed(agreed)) => {
                self.known = Known::Agreed(agreed);
                return;
            }
            (None, Known::Nothing | Known::Texts { .. }) => None,
        };
        if let (Some(offer), Some(answer)) = (offer, keep(body)) {
            self.known = Known::Texts { offer, answer, answerer };
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

    /// Tells the relay where both legs are and which way media flows. A direction is open when one side sends and the
    /// other receives, whatever spelling either used for hold.
    fn connect(&mut self, out: &mut impl FnMut(RelayCommand)) {
        let (Some(a), Some(b)) = (self.a.described, self.b.described) else { return };
        self.tell(Leg::A, a.facing(b), out);
        self.tell(Leg::B, b.facing(a), out);
    }

    fn tell(&mut self, leg: Leg, to: Connect, out: &mut impl FnMut(RelayCommand)) {
        let session = self.session;
        let side = self.side_mut(leg);
        let told = hash(&to) | 1;
        if side.told != told {
            side.told = told;
            out(RelayCommand::Connect { session, leg, to });
        }
    }
}

impl Described {
    /// What the relay is told of this leg while the other one is described like that.
    fn facing(self, other: Self) -> Connect {
        let direction = match (other.sends && self.receives, self.sends && other.receives) {
            (true, true) => Direction::SendRecv,
            (true, false) => Direction::SendOnly,
            (false, true) => Direction::RecvOnly,
            (false, false) => Direction::Inactive,
        };
        Connect {
            remote: self.remote,
            direction,
            clock_rate: self.clock_rate,
            event: self.event,
            carries: Carries::Rtp,
        }
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
            port: 0,
            // RFC 4566 §5.2 wants a numeric string; 62 bits stay below what anybody's parser takes.
            origin: origin >> 2,
            version: 0,
            sent: 0,
            described: None,
            pending: None,
            told: 0,
        })
    }

    /// The exchange is complete: what was pending holds.
    fn agree(&mut self) {
        if let Some(pending) = self.pending.take() {
            self.described = Some(*pending);
        }
    }

    /// The other leg's description with our addresses, for this leg. A repetition keeps its version.
    fn anchor(&mut self, body: &[u8], read: &Read<'_>) -> Vec<u8> {
        let mut ports = [0; sip_wire::limits::MAX_MEDIA];
        if let Some(port) = ports.get_mut(read.line) {
            *port = if read.described.remote.rtp.port() == 0 { 0 } else { self.port };
        }
        let sent = hash(body);
        if self.version == 0 || sent != self.sent {
            (self.version, self.sent) = (self.version + 1, sent);
        }
        let with = sdp::Anchor {
            address: self.shown,
            ports: ports.get(..=read.line).unwrap_or_default(),
            session_id: self.origin,
            version: self.version,
            mux: read.described.remote.mux,
        };
        read.session.anchor(&with)
    }
}

/// The m-lines that the relay carries: audio over plain RTP, secured or not (it does not look inside). T.38 and other
/// media come with the multi-stream relay; until then they are offered onward with port 0, which refuses them.
fn is_audio(media: &sdp::Media<'_>) -> bool {
    media.kind == b"audio" && media.proto.starts_with(b"RTP/")
}

/// A session description, read once.
struct Read<'a> {
    session: sdp::Session<'a>,
    described: Described,
    /// Place of the m-line that the relay carries.
    line: usize,
}

impl<'a> Read<'a> {
    fn new(body: &'a [u8]) -> Result<Self, Unusable> {
        let session = sdp::Session::parse(body).map_err(|_| Unusable::Malformed)?;
        let (line, media) =
            session.media().iter().enumerate().find(|(_, m)| is_audio(m)).ok_or(Unusable::NoAudio)?;
        let address = media.address.ok_or(Unusable::NoAudio)?;
        let rtcp = match media.rtcp {
            Some((port, at)) => SocketAddr::new(at.unwrap_or(address), port),
            None => SocketAddr::new(address, media.port.saturating_add(1)),
        };
        let open = media.port != 0;
        let codec = media.payload_types().find_map(|payload_type| media.codec(payload_type));
        let described = Described {
            remote: Remote { rtp: SocketAddr::new(address, media.port), rtcp, mux: media.rtcp_mux },
            sends: open && media.direction.sends(),
            receives: open && media.direction.receives(),
            clock_rate: codec.map_or(8000, |codec| codec.clock_rate),
            event: media.telephone_event(codec.map_or(8000, |codec| codec.clock_rate)),
            // The static numbers of RFC 3551 table 4: whoever gives G.711 another one is heard without fill.
            law: match media.payload_types().next() {
                Some(0) => Some(Law::Mu),
                Some(8) => Some(Law::A),
                _ => None,
            },
            packet_time: media.ptime.and_then(|ms| u8::try_from(ms).ok()).filter(|ms| (5..=60).contains(ms)),
        };
        Ok(Self { session, described, line })
    }
}

fn hash(value: &(impl core::hash::Hash + ?Sized)) -> u64 {
    use core::hash::BuildHasher;
    foldhash::fast::FixedState::with_seed(1).hash_one(value)
}
