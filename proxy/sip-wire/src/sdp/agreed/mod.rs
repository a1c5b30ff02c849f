//! What both ends of a call's audio stream have agreed on, so that the call can be offered to another peer as it is.

mod fits;
mod formats;
mod session;
mod travels;

pub use fits::Misfit;
pub use session::{AgreedSession, LineWith, SessionWith};

use crate::class::{self, TOKEN, VISIBLE};
use crate::lex::{Decimal, sub};
use crate::limits::{MAX_AGREED, MAX_PACKET_TIME_MS};
use crate::sdp::media::{Direction, Media, Transport};
use formats::Format;
use std::fmt;
use std::net::IpAddr;

/// Which of the two sides answered (RFC 3264 §6): the answer's formats are the agreed ones, and its order is theirs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Answerer {
    /// The side that stays.
    Stays,
    /// The side that leaves.
    Leaves,
}

/// A stream over RTP as it was agreed, in one allocation: about 100 bytes for G.711 with telephone-event, never more than
/// [`MAX_AGREED`](crate::limits::MAX_AGREED).
///
/// One side *stays*: its peer is to notice nothing. The other *leaves*, and another takes its place: it is offered the
/// stream as the staying side described it, so that it sends what the staying side expects, and it fits if it receives
/// what the staying side sends.
#[derive(Clone, PartialEq, Eq)]
pub struct Agreed {
    /// The kind (`audio`), the first codec's name, then the rest of the `m=` line behind the port and the lines below it.
    text: Box<[u8]>,
    /// How long the kind is, and the name.
    kind: u8,
    name: u8,
    channels: u8,
    packet_time: Option<u8>,
    comfort_noise: Option<u8>,
    codec: Numbered,
    event: Option<Numbered>,
    secured: bool,
    /// The staying side wrote `a=rtcp`.
    rtcp: bool,
    /// Both sides wrote `a=rtcp-mux`.
    mux: bool,
}

/// A format's payload type on either side: each is what that side receives (RFC 3264 §5.1, §6.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Numbered {
    stays: u8,
    leaves: u8,
    clock_rate: u32,
}

/// How an agreed stream is offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct With {
    /// Our address.
    pub address: IpAddr,
    /// Our RTP port, an even one (RFC 3550 §11). RTCP is at the next one, or at the same where it is multiplexed.
    pub port: u16,
    /// `o=`: the session's number, the same in each description of one leg.
    pub session_id: u64,
    /// `o=`: counted up when the description changes (RFC 3264 §8).
    pub version: u64,
    /// Who sends, we being the side that describes itself.
    pub direction: Direction,
    /// Offer `a=rtcp-mux` where both sides had it.
    pub mux: bool,
}

impl Agreed {
    /// Takes what was agreed from both descriptions of one stream. `stays` and `leaves` are each side's own words, not
    /// what we wrote in its name.
    ///
    /// Formats are those of the answer that the offer had too, by codec and not by number: either side may have numbers
    /// of its own for dynamic types. Payload types, `a=fmtp`, `a=ptime` and the other attributes are those of the
    /// staying side, without what says where it is (ICE, sources, addresses) and what offers a change (RFC 5939).
    ///
    /// `None` where there is nothing to offer: not audio over RTP, refused by either side, no codec in common, or longer
    /// than [`MAX_AGREED`](crate::limits::MAX_AGREED).
    pub fn new(stays: &Media<'_>, leaves: &Media<'_>, answerer: Answerer) -> Option<Agreed> {
        let audio = is_open_audio(stays) && is_open_audio(leaves);
        if audio { Agreed::stream(stays, leaves, answerer) } else { None }
    }

    /// The same of any kind of media.
    fn stream(stays: &Media<'_>, leaves: &Media<'_>, answerer: Answerer) -> Option<Agreed> {
        let same = stays.kind == leaves.kind && stays.kind.len() <= usize::from(u8::MAX);
        if !same || !class::is_word(stays.kind, TOKEN) || !is_open_rtp(stays) || !is_open_rtp(leaves) {
            return None;
        }
        let formats = formats::common(stays, leaves, answerer);
        let first = formats.iter().find(|format| format.is_speech())?;
        let same_clock = formats.iter().find(|format| {
            format.is_named(b"telephone-event") && format.codec.clock_rate == first.codec.clock_rate
        });
        let event = same_clock.or_else(|| formats.iter().find(|format| format.is_named(b"telephone-event")));
        let comfort =
            formats.iter().find(|format| format.is_named(b"CN") && format.codec.clock_rate == 8_000);
        let secured = is_savp(stays) || (is_secured(stays) && is_secured(leaves));
        let ptime = stays.ptime.filter(|ms| *ms > 0);
        let mut text = Vec::with_capacity(stays.section.len().min(MAX_AGREED) + 32);
        text.extend_from_slice(stays.kind);
        text.extend_from_slice(first.codec.name);
        travels::write(&mut text, stays, &formats, ptime, secured);
        (text.len() <= MAX_AGREED).then(|| Agreed {
            text: text.into_boxed_slice(),
            kind: stays.kind.len() as u8,
            name: first.codec.name.len() as u8,
            channels: first.codec.channels,
            packet_time: ptime.filter(|ms| *ms <= MAX_PACKET_TIME_MS).map(|ms| ms as u8),
            comfort_noise: comfort.map(|format| format.stays),
            codec: numbered(first),
            event: event.map(numbered),
            secured,
            rtcp: stays.rtcp.is_some(),
            mux: stays.rtcp_mux && leaves.rtcp_mux,
        })
    }

    /// Whether media is encrypted end to end, so that only a peer with the same keys could go on with it: RTP/SAVP,
    /// `a=crypto` (RFC 4568) or `a=fingerprint` (RFC 5763) on both sides.
    pub fn secured(&self) -> bool {
        self.secured
    }

    /// Payload type that the staying side receives, name and RTP clock rate in Hz of the first codec: the one that an
    /// answerer means to use (RFC 3264 §6.1).
    pub fn first_codec(&self) -> (u8, &[u8], u32) {
        let kind = usize::from(self.kind);
        (self.codec.stays, sub(&self.text, kind, kind + usize::from(self.name)), self.codec.clock_rate)
    }

    /// How much audio the staying side wants in a packet, in milliseconds; `None` where it did not say, or said more than
    /// anybody has to take ([`MAX_PACKET_TIME_MS`](crate::limits::MAX_PACKET_TIME_MS)).
    pub fn packet_time(&self) -> Option<u32> {
        self.packet_time.map(u32::from)
    }

    /// Payload type in which the staying side receives telephone-event (RFC 4733): that of the first codec's clock rate,
    /// else any.
    pub fn event(&self) -> Option<u8> {
        self.event.map(|event| event.stays)
    }

    /// Payload type in which the staying side receives comfort noise at 8,000 Hz (RFC 3389).
    pub fn comfort_noise(&self) -> Option<u8> {
        self.comfort_noise
    }

    /// A whole session description that offers the stream as it was agreed.
    pub fn offer(&self, with: &With) -> Vec<u8> {
        let With { address, port, session_id, version, direction, mux } = *with;
        let mut out = session::head(address, session_id, version, self.text.len());
        self.write(&LineWith { port, direction, mux }, &mut out);
        out
    }

    /// The kind of media: `audio`.
    pub(crate) fn kind(&self) -> &[u8] {
        sub(&self.text, 0, usize::from(self.kind))
    }

    /// The `m=` line and the lines below it.
    fn write(&self, with: &LineWith, out: &mut Vec<u8>) {
        let text = sub(&self.text, usize::from(self.kind) + usize::from(self.name), self.text.len());
        let (port, next) = (Decimal::new(u64::from(with.port)), Decimal::new(u64::from(with.port | 1)));
        let mut put = |parts: &[&[u8]]| parts.iter().for_each(|part| out.extend_from_slice(part));
        put(&[b"m=", self.kind(), b" ", port.as_bytes(), b" "]);
        if with.port == 0 {
            // A refused line needs no more than its first.
            let end = memchr::memchr(b'\n', text).map_or(text.len(), |lf| lf + 1);
            return put(&[sub(text, 0, end)]);
        }
        put(&[text]);
        match (with.mux && self.mux, self.rtcp) {
            (true, _) => put(&[b"a=rtcp-mux\r\n"]),
            (false, true) => put(&[b"a=rtcp:", next.as_bytes(), b"\r\n"]),
            (false, false) => {}
        }
        put(&[b"a=", with.direction.as_str().as_bytes(), b"\r\n"]);
    }
}

/// Sizes and numbers only: the text may hold keys, which belong in no log.
impl fmt::Debug for Agreed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Agreed")
            .field("codec", &self.codec)
            .field("event", &self.event)
            .field("secured", &self.secured)
            .field("bytes", &self.text.len())
            .finish_non_exhaustive()
    }
}

fn numbered(format: &Format<'_>) -> Numbered {
    Numbered { stays: format.stays, leaves: format.leaves, clock_rate: format.codec.clock_rate }
}

fn is_open_audio(media: &Media<'_>) -> bool {
    media.kind == b"audio" && media.proto.starts_with(b"RTP/") && is_open_rtp(media)
}

fn is_open_rtp(media: &Media<'_>) -> bool {
    let is_rtp = matches!(media.transport(), Transport::Rtp | Transport::Srtp);
    media.port != 0 && is_rtp && class::is_word(media.proto, VISIBLE)
}

fn is_savp(media: &Media<'_>) -> bool {
    media.transport() == Transport::Srtp
}

fn is_secured(media: &Media<'_>) -> bool {
    media.is_keyed() || is_savp(media)
}
