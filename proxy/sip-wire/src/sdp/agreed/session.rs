//! All lines of a session as they were agreed, each in its place.

use super::{Agreed, Answerer, Misfit, travels};
use crate::class::{self, TOKEN, VISIBLE};
use crate::host::Literal;
use crate::lex::{Decimal, sub};
use crate::limits::MAX_AGREED;
use crate::sdp::media::{Direction, Media, Transport};
use crate::sdp::session::Session;
use std::net::IpAddr;

/// A session as both sides agreed on it: its streams over RTP and its fax lines, and between them the lines that one side
/// has refused, since a line keeps its place for the life of the session (RFC 3264 §8).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgreedSession {
    lines: Box<[AgreedLine]>,
    /// The line without which there is no call.
    lead: usize,
}

/// One line.
#[derive(Clone, PartialEq, Eq)]
enum AgreedLine {
    /// Refused, or of a kind that cannot be offered again: the `m=` line with port 0.
    Closed(Box<[u8]>),
    /// Over RTP.
    Stream(Agreed),
    /// Fax: how long the kind is, the kind (`image`), the rest of the `m=` line behind the port, and the lines below it.
    Fax(u8, Box<[u8]>),
}

/// How an agreed session is offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionWith<'a> {
    /// Our address.
    pub address: IpAddr,
    /// `o=`: the session's number, the same in each description of one leg.
    pub session_id: u64,
    /// `o=`: counted up when the description changes (RFC 3264 §8).
    pub version: u64,
    /// Each line, in order; one that is missing is offered with port 0.
    pub lines: &'a [LineWith],
}

/// How one of its lines is offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LineWith {
    /// Our RTP port, an even one (RFC 3550 §11); 0 does not offer the line.
    pub port: u16,
    /// Who sends, we being the side that describes itself.
    pub direction: Direction,
    /// Offer `a=rtcp-mux` where both sides had it.
    pub mux: bool,
}

impl AgreedSession {
    /// Takes what was agreed from both descriptions, as [`Agreed::new`] does for each line.
    ///
    /// `None` where neither speech nor anything else is left to be offered.
    pub fn new(stays: &Session<'_>, leaves: &Session<'_>, answerer: Answerer) -> Option<AgreedSession> {
        let lines: Box<[AgreedLine]> = stays
            .media()
            .iter()
            .enumerate()
            .map(|(place, line)| AgreedLine::new(line, leaves.media().get(place), answerer))
            .collect();
        let speech = lines.iter().position(AgreedLine::is_audio);
        let lead = speech.or_else(|| lines.iter().position(AgreedLine::is_open))?;
        Some(AgreedSession { lines, lead })
    }

    /// The place of the line without which there is no call: the first audio line, or the first of what there is.
    pub fn lead(&self) -> usize {
        self.lead
    }

    /// That line, where it is a stream over RTP.
    pub fn stream(&self) -> Option<&Agreed> {
        match self.lines.get(self.lead)? {
            AgreedLine::Stream(agreed) => Some(agreed),
            AgreedLine::Closed(_) | AgreedLine::Fax(..) => None,
        }
    }

    /// A whole session description that offers every line as it was agreed.
    pub fn offer(&self, with: &SessionWith<'_>) -> Vec<u8> {
        let room = self.lines.iter().map(AgreedLine::len).sum();
        let mut out = head(with.address, with.session_id, with.version, room);
        for (place, line) in self.lines.iter().enumerate() {
            line.write(with.lines.get(place), &mut out);
        }
        out
    }

    /// Whether the answer to such an offer goes on with a line so that the staying side notices nothing; `offered` is the
    /// direction in which it was offered.
    ///
    /// # Errors
    ///
    /// Why it does not.
    pub fn fits(&self, place: usize, offered: Direction, answer: &Session<'_>) -> Result<(), Misfit> {
        let lost = if place == self.lead { Misfit::NoAudio } else { Misfit::Refused };
        let media = answer.media().get(place).ok_or(lost)?;
        match self.lines.get(place) {
            Some(AgreedLine::Stream(agreed)) => agreed.fits_line(offered, media),
            Some(AgreedLine::Fax(kind, text)) => {
                fax_fits(sub(text, 0, usize::from(*kind)), text, offered, media)
            }
            Some(AgreedLine::Closed(_)) | None => Err(Misfit::Refused),
        }
    }
}

impl AgreedLine {
    fn new(stays: &Media<'_>, leaves: Option<&Media<'_>>, answerer: Answerer) -> AgreedLine {
        let Some(leaves) = leaves.filter(|leaves| leaves.port != 0 && stays.port != 0) else {
            return AgreedLine::closed(stays);
        };
        let agreed = match (stays.transport(), leaves.transport()) {
            (Transport::Udptl, Transport::Udptl) => AgreedLine::fax(stays),
            (Transport::Rtp | Transport::Srtp, _) => {
                Agreed::stream(stays, leaves, answerer).map(AgreedLine::Stream)
            }
            (Transport::Udptl | Transport::Other, _) => None,
        };
        agreed.unwrap_or_else(|| AgreedLine::closed(stays))
    }

    fn fax(media: &Media<'_>) -> Option<AgreedLine> {
        let sound = is_sound(media) && media.kind.len() <= usize::from(u8::MAX);
        let mut text = media.kind.to_vec();
        text.extend_from_slice(media.proto);
        for format in media.format_list() {
            text.extend_from_slice(b" ");
            text.extend_from_slice(format);
        }
        text.extend_from_slice(b"\r\n");
        travels::attributes(&mut text, media, &[], true);
        let kept = sound && text.len() <= MAX_AGREED;
        kept.then(|| AgreedLine::Fax(media.kind.len() as u8, text.into_boxed_slice()))
    }

    /// A line that nobody can use has no more than its begin: kind, port 0, transport and a format.
    fn closed(media: &Media<'_>) -> AgreedLine {
        let format = media.format_list().next().unwrap_or_default();
        let text = if is_sound(media) && media.kind.len() + media.proto.len() + format.len() <= MAX_AGREED {
            [media.kind, b" 0 ", media.proto, b" ", format, b"\r\n"].concat()
        } else {
            b"audio 0 RTP/AVP 0\r\n".to_vec()
        };
        AgreedLine::Closed(text.into_boxed_slice())
    }

    fn is_open(&self) -> bool {
        !matches!(self, AgreedLine::Closed(_))
    }

    fn is_audio(&self) -> bool {
        matches!(self, AgreedLine::Stream(agreed) if agreed.kind() == b"audio")
    }

    /// About so many bytes are written of it.
    fn len(&self) -> usize {
        match self {
            AgreedLine::Stream(agreed) => agreed.text.len() + 48,
            AgreedLine::Closed(text) | AgreedLine::Fax(_, text) => text.len() + 16,
        }
    }

    fn write(&self, with: Option<&LineWith>, out: &mut Vec<u8>) {
        let with = with.copied().unwrap_or(LineWith { port: 0, direction: Direction::Inactive, mux: false });
        let mut put = |parts: &[&[u8]]| parts.iter().for_each(|part| out.extend_from_slice(part));
        match self {
            AgreedLine::Stream(agreed) => agreed.write(&with, out),
            AgreedLine::Closed(text) => put(&[b"m=", text]),
            AgreedLine::Fax(kind, text) => {
                let (kind, rest) = text.split_at_checked(usize::from(*kind)).unwrap_or_default();
                let port = Decimal::new(u64::from(with.port));
                put(&[b"m=", kind, b" ", port.as_bytes(), b" "]);
                if with.port == 0 {
                    let end = memchr::memchr(b'\n', rest).map_or(rest.len(), |lf| lf + 1);
                    return put(&[sub(rest, 0, end)]);
                }
                put(&[rest]);
                // T.38 has no word for it; devices that hold a fax at all do it like this.
                if with.direction != Direction::SendRecv {
                    put(&[b"a=", with.direction.as_str().as_bytes(), b"\r\n"]);
                }
            }
        }
    }
}

/// Sizes only, as with [`Agreed`].
impl std::fmt::Debug for AgreedLine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            AgreedLine::Closed(text) => f.debug_tuple("Closed").field(&text.len()).finish(),
            AgreedLine::Stream(agreed) => agreed.fmt(f),
            AgreedLine::Fax(_, text) => f.debug_tuple("Fax").field(&text.len()).finish(),
        }
    }
}

/// The lines above the first `m=` line, with room for `more` bytes behind them.
pub(super) fn head(address: IpAddr, session_id: u64, version: u64, more: usize) -> Vec<u8> {
    let literal = Literal::new(address);
    let family: &[u8] = if address.is_ipv4() { b"IN IP4 " } else { b"IN IP6 " };
    let (id, version) = (Decimal::new(session_id), Decimal::new(version));
    let mut out = Vec::with_capacity(more + 176);
    for part in [
        &b"v=0\r\no=- "[..],
        id.as_bytes(),
        b" ",
        version.as_bytes(),
        b" ",
        family,
        literal.as_bytes(),
        b"\r\ns=-\r\nc=",
        family,
        literal.as_bytes(),
        b"\r\nt=0 0\r\n",
    ] {
        out.extend_from_slice(part);
    }
    out
}

/// Whether its words can be written again.
fn is_sound(media: &Media<'_>) -> bool {
    class::is_word(media.kind, TOKEN)
        && class::is_word(media.proto, VISIBLE)
        && media.format_list().next().is_some()
        && media.format_list().all(|format| class::is_word(format, VISIBLE))
}

/// Whether fax goes on: what a line carries is told by its transport, and how a receiver is trained by
/// `T38FaxRateManagement` (ITU-T T.38 Annex D.2.3).
fn fax_fits(kind: &[u8], agreed: &[u8], offered: Direction, media: &Media<'_>) -> Result<(), Misfit> {
    if media.port == 0 {
        return Err(Misfit::Refused);
    }
    if media.kind != kind || media.transport() != Transport::Udptl || media.address.is_none() {
        return Err(Misfit::Transport);
    }
    let management = |line: &[u8]| {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        line.strip_prefix(b"a=T38FaxRateManagement:").map(<[u8]>::to_vec)
    };
    let theirs = media.attribute(b"T38FaxRateManagement");
    let ours = agreed.split(|b| *b == b'\n').find_map(management);
    match (ours, theirs) {
        (Some(ours), Some(theirs)) if ours != theirs => Err(Misfit::Codec),
        _ if media.direction != offered.mirrored() => Err(Misfit::Direction),
        (Some(_) | None, Some(_) | None) => Ok(()),
    }
}
