//! One `m=` line and what belongs to it.

use crate::eight;
use crate::lex::{number32, port, sub};
use crate::sdp::{Lines, SdpError};
use std::net::IpAddr;

/// Who sends (RFC 3264 §5.1). A null address counts as hold (RFC 2543's way, RFC 3264 §8.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Direction {
    /// Both sides.
    #[default]
    SendRecv,
    /// Only the side that describes itself.
    SendOnly,
    /// Only the other side.
    RecvOnly,
    /// Neither.
    Inactive,
}

impl Direction {
    pub(crate) fn parse(attribute: &[u8]) -> Option<Direction> {
        match attribute {
            b"sendrecv" => Some(Direction::SendRecv),
            b"sendonly" => Some(Direction::SendOnly),
            b"recvonly" => Some(Direction::RecvOnly),
            b"inactive" => Some(Direction::Inactive),
            _ => None,
        }
    }

    /// Its attribute's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Direction::SendRecv => "sendrecv",
            Direction::SendOnly => "sendonly",
            Direction::RecvOnly => "recvonly",
            Direction::Inactive => "inactive",
        }
    }

    /// Without receiving: what a null address means.
    pub(crate) const fn held(self) -> Direction {
        match self {
            Direction::SendRecv | Direction::SendOnly => Direction::SendOnly,
            Direction::RecvOnly | Direction::Inactive => Direction::Inactive,
        }
    }

    /// The same stream as the other side sees it: the full answer to an offer (RFC 3264 §6.1).
    pub const fn mirrored(self) -> Direction {
        match self {
            Direction::SendRecv => Direction::SendRecv,
            Direction::SendOnly => Direction::RecvOnly,
            Direction::RecvOnly => Direction::SendOnly,
            Direction::Inactive => Direction::Inactive,
        }
    }

    /// What of it another direction leaves.
    pub(crate) const fn within(self, may: Direction) -> Direction {
        match (self.sends() && may.sends(), self.receives() && may.receives()) {
            (true, true) => Direction::SendRecv,
            (true, false) => Direction::SendOnly,
            (false, true) => Direction::RecvOnly,
            (false, false) => Direction::Inactive,
        }
    }

    /// Whether the side that describes itself wants to receive.
    pub const fn receives(self) -> bool {
        matches!(self, Direction::SendRecv | Direction::RecvOnly)
    }

    /// Whether the side that describes itself means to send.
    pub const fn sends(self) -> bool {
        matches!(self, Direction::SendRecv | Direction::SendOnly)
    }
}

/// How a line's packets travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transport {
    /// RTP/AVP (RFC 3551), RTP/AVPF (RFC 4585).
    Rtp,
    /// RTP/SAVP (RFC 3711), RTP/SAVPF (RFC 5124), both with keys by DTLS as well (RFC 5764 §8).
    Srtp,
    /// Fax over UDP (ITU-T T.38 Annex D), in the clear or over DTLS (RFC 7345).
    Udptl,
    /// Anything else: over TCP, SCTP…
    Other,
}

/// One media description.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Media<'a> {
    /// `audio`, `video`, `image`…
    pub kind: &'a [u8],
    /// Its port; 0 refuses it or takes it away (RFC 3264 §6, §8.2).
    pub port: u16,
    /// `RTP/AVP`…
    pub proto: &'a [u8],
    /// The formats, parted by spaces, as written.
    pub formats: &'a [u8],
    /// Where it is received: its own `c=`, else the session's. `None` for a name or when there is no `c=`.
    pub address: Option<IpAddr>,
    /// Who sends, the session's attribute and a null address taken into account.
    pub direction: Direction,
    /// `a=rtcp` (RFC 3605): port, and address where given.
    pub rtcp: Option<(u16, Option<IpAddr>)>,
    /// `a=rtcp-mux` (RFC 5761).
    pub rtcp_mux: bool,
    /// `a=ptime`, in milliseconds.
    pub ptime: Option<u32>,
    /// The lines behind the `m=` line.
    pub(crate) section: &'a [u8],
}

/// What a payload type stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Codec<'a> {
    /// The encoding's name; compare without case.
    pub name: &'a [u8],
    /// In Hz.
    pub clock_rate: u32,
    /// Audio channels, 1 when not said.
    pub channels: u8,
}

impl<'a> Media<'a> {
    /// Reads the value of an `m=` line.
    pub(crate) fn parse(value: &'a [u8]) -> Result<Media<'a>, SdpError> {
        let mut words = value.splitn(4, |b| *b == b' ');
        let mut word = || words.next().filter(|word| !word.is_empty()).ok_or(SdpError::Media);
        let (kind, ports, proto, formats) = (word()?, word()?, word()?, word()?);
        let first = ports.split(|b| *b == b'/').next().unwrap_or_default();
        Ok(Media {
            kind,
            port: port(first).ok_or(SdpError::Media)?,
            proto,
            formats,
            address: None,
            direction: Direction::SendRecv,
            rtcp: None,
            rtcp_mux: false,
            ptime: None,
            section: b"",
        })
    }

    /// How its packets travel. A transport's name has no case where devices write it in either (`udptl`).
    pub fn transport(&self) -> Transport {
        let (dtls, proto) = match self.proto.strip_prefix(b"UDP/TLS/") {
            Some(rest) => (true, rest),
            None => (false, self.proto),
        };
        match proto.strip_prefix(b"RTP/") {
            Some(profile) if profile.starts_with(b"SAVP") => Transport::Srtp,
            Some(_) if !dtls => Transport::Rtp,
            None if proto.eq_ignore_ascii_case(b"udptl") => Transport::Udptl,
            Some(_) | None => Transport::Other,
        }
    }

    /// Whether it has keys of its own: `a=crypto` (RFC 4568) or `a=fingerprint` (RFC 5763).
    pub fn is_keyed(&self) -> bool {
        self.attribute(b"crypto").is_some() || self.attribute(b"fingerprint").is_some()
    }

    /// Each format in order of preference.
    pub fn format_list(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        self.formats.split(|b| *b == b' ').filter(|format| !format.is_empty())
    }

    /// The formats that are RTP payload types.
    pub fn payload_types(&self) -> impl Iterator<Item = u8> + use<'a> {
        self.format_list().filter_map(number32).filter_map(|n| u8::try_from(n).ok()).filter(|n| *n < 128)
    }

    /// Each `a=` line's value.
    pub fn attributes(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        Lines::new(self.section)
            .filter_map(|line| line.ok().filter(|line| line.letter == b'a').map(|line| line.value))
    }

    /// The value of the first attribute `a=name:value`; empty for a flag.
    pub fn attribute(&self, name: &[u8]) -> Option<&'a [u8]> {
        self.attributes().find_map(|attribute| named(attribute, name))
    }

    /// What a payload type stands for: its `a=rtpmap`, else its static meaning (RFC 3551 §6).
    pub fn codec(&self, payload_type: u8) -> Option<Codec<'a>> {
        self.mapped(b"rtpmap", payload_type).and_then(rtpmap).or_else(|| static_codec(payload_type))
    }

    /// Whether a payload type has an `a=rtpmap` that can be read.
    pub(crate) fn is_mapped(&self, payload_type: u8) -> bool {
        self.mapped(b"rtpmap", payload_type).and_then(rtpmap).is_some()
    }

    /// The `a=fmtp` of a payload type.
    pub fn fmtp(&self, payload_type: u8) -> Option<&'a [u8]> {
        self.mapped(b"fmtp", payload_type)
    }

    /// The payload type that carries DTMF events (RFC 4733) at this clock rate.
    pub fn telephone_event(&self, clock_rate: u32) -> Option<u8> {
        self.payload_types().find(|pt| {
            self.codec(*pt).is_some_and(|c| {
                c.clock_rate == clock_rate && c.name.eq_ignore_ascii_case(b"telephone-event")
            })
        })
    }

    fn mapped(&self, name: &[u8], payload_type: u8) -> Option<&'a [u8]> {
        self.attributes().filter_map(|attribute| named(attribute, name)).find_map(|value| {
            let space = eight::find(value, b' ')?;
            let same = number32(sub(value, 0, space)) == Some(u32::from(payload_type));
            same.then(|| crate::lex::trim(sub(value, space, value.len())))
        })
    }
}

/// The value of `name:value`, empty for `name` alone, when the attribute has this name.
pub(crate) fn named<'a>(attribute: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    match attribute.strip_prefix(name)? {
        [] => Some(b""),
        [b':', value @ ..] => Some(value),
        _ => None,
    }
}

fn rtpmap(value: &[u8]) -> Option<Codec<'_>> {
    let mut parts = value.split(|b| *b == b'/');
    let name = parts.next().filter(|name| !name.is_empty())?;
    let clock_rate = number32(parts.next()?).filter(|rate| *rate > 0)?;
    let channels = parts.next().map_or(Some(1), |n| u8::try_from(number32(n)?).ok()).filter(|n| *n > 0)?;
    Some(Codec { name, clock_rate, channels })
}

/// RFC 3551 tables 4 and 5.
fn static_codec(payload_type: u8) -> Option<Codec<'static>> {
    let (name, clock_rate, channels): (&[u8], u32, u8) = match payload_type {
        0 => (b"PCMU", 8_000, 1),
        3 => (b"GSM", 8_000, 1),
        4 => (b"G723", 8_000, 1),
        5 => (b"DVI4", 8_000, 1),
        6 => (b"DVI4", 16_000, 1),
        7 => (b"LPC", 8_000, 1),
        8 => (b"PCMA", 8_000, 1),
        // 16 kHz audio, but an RTP clock of 8 kHz, by an old mistake that stayed (RFC 3551 §4.5.2).
        9 => (b"G722", 8_000, 1),
        10 => (b"L16", 44_100, 2),
        11 => (b"L16", 44_100, 1),
        12 => (b"QCELP", 8_000, 1),
        13 => (b"CN", 8_000, 1),
        14 => (b"MPA", 90_000, 1),
        15 => (b"G728", 8_000, 1),
        16 => (b"DVI4", 11_025, 1),
        17 => (b"DVI4", 22_050, 1),
        18 => (b"G729", 8_000, 1),
        25 => (b"CelB", 90_000, 1),
        26 => (b"JPEG", 90_000, 1),
        28 => (b"nv", 90_000, 1),
        31 => (b"H261", 90_000, 1),
        32 => (b"MPV", 90_000, 1),
        33 => (b"MP2T", 90_000, 1),
        34 => (b"H263", 90_000, 1),
        _ => return None,
    };
    Some(Codec { name, clock_rate, channels })
}
