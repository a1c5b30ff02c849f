//! What both ends of a call's audio stream have agreed on, so that the call can be offered to another peer as it is.

mod fits;
mod formats;
mod travels;

pub use fits::Misfit;

use crate::class::{self, VISIBLE};
use crate::host::Literal;
use crate::lex::{Decimal, sub};
use crate::limits::{MAX_AGREED, MAX_PACKET_TIME_MS};
use crate::sdp::media::{Direction, Media};
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

/// An audio stream as it was agreed, in one allocation: about 100 bytes for G.711 with telephone-event, never more than
/// [`MAX_AGREED`](crate::limits::MAX_AGREED).
///
/// One side *stays*: its peer is to notice nothing. The other *leaves*, and another takes its place: it is offered the
/// stream as the staying side described it, so that it sends what the staying side expects, and it fits if it receives
/// what the staying side sends.
#[derive(Clone, PartialEq, Eq)]
pub struct Agreed {
    /// The first codec's name, then the rest of the `m=` line behind the port and the lines below it.
    text: Box<[u8]>,
    /// Where the name ends.
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
        if !is_open_audio(stays) || !is_open_audio(leaves) {
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
        text.extend_from_slice(first.codec.name);
        travels::write(&mut text, stays, &formats, ptime, secured);
        (text.len() <= MAX_AGREED).then(|| Agreed {
            text: text.into_boxed_slice(),
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
        (self.codec.stays, sub(&self.text, 0, usize::from(self.name)), self.codec.clock_rate)
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
        let address = Literal::new(with.address);
        let family: &[u8] = if with.address.is_ipv4() { b"IN IP4 " } else { b"IN IP6 " };
        let (id, version) = (Decimal::new(with.session_id), Decimal::new(with.version));
        let (port, next) = (Decimal::new(u64::from(with.port)), Decimal::new(u64::from(with.port | 1)));
        let text = sub(&self.text, usize::from(self.name), self.text.len());
        let mux = with.mux && self.mux;
        let rtcp: [&[u8]; 3] = match (mux, self.rtcp) {
            (true, _) => [b"a=rtcp-mux\r\n", b"", b""],
            (false, true) => [b"a=rtcp:", next.as_bytes(), b"\r\n"],
            (false, false) => [b"", b"", b""],
        };
        let at: [&[u8]; 3] = [family, address.as_bytes(), b"\r\n"];
        let parts: [&[&[u8]]; 8] = [
            &[b"v=0\r\no=- ", id.as_bytes(), b" ", version.as_bytes(), b" "],
            &at,
            &[b"s=-\r\nc="],
            &at,
            &[b"t=0 0\r\nm=audio ", port.as_bytes(), b" ", text],
            &rtcp,
            &[b"a=", with.direction.as_str().as_bytes()],
            &[b"\r\n"],
        ];
        parts.concat().concat()
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
    let is_rtp = media.proto.starts_with(b"RTP/") && class::is_word(media.proto, VISIBLE);
    media.kind == b"audio" && media.port != 0 && is_rtp
}

/// RTP/SAVP (RFC 3711) and RTP/SAVPF (RFC 5124).
fn is_savp(media: &Media<'_>) -> bool {
    media.proto.split(|b| *b == b'/').any(|word| word.starts_with(b"SAVP"))
}

fn is_secured(media: &Media<'_>) -> bool {
    is_savp(media) || media.attribute(b"crypto").is_some() || media.attribute(b"fingerprint").is_some()
}
