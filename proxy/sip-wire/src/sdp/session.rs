//! A session description's parts.

use crate::lex::{number32, port, sub};
use crate::limits::MAX_MEDIA;
use crate::sdp::media::{Direction, Media, named};
use crate::sdp::{SdpError, lines};
use smallvec::SmallVec;
use std::net::IpAddr;

/// A session description.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session<'a> {
    /// The value of `o=`.
    pub origin: &'a [u8],
    /// The session's own `c=` address.
    pub address: Option<IpAddr>,
    media: SmallVec<[Media<'a>; 2]>,
}

impl<'a> Session<'a> {
    /// Reads it. Missing lines are forgiven (T.38 gateways leave out much), lines of no known shape are not.
    pub fn parse(body: &'a [u8]) -> Result<Session<'a>, SdpError> {
        let mut session = Session { origin: b"", address: None, media: SmallVec::new() };
        let mut direction = Direction::SendRecv;
        let mut ptime = None;
        for (at, line) in lines(body).enumerate() {
            let (letter, value) = line?;
            match (at, letter) {
                (0, b'v') if value.starts_with(b"0") => {}
                (0, _) | (_, b'v') => return Err(SdpError::Version),
                (_, b'm') => {
                    if session.media.len() == MAX_MEDIA {
                        return Err(SdpError::TooManyMedia);
                    }
                    let mut media = Media::parse(value, section(body, value))?;
                    (media.address, media.direction, media.ptime) = (session.address, direction, ptime);
                    session.media.push(media);
                }
                _ => match session.media.last_mut() {
                    None => session.line(letter, value, &mut direction, &mut ptime),
                    Some(media) => media.line(letter, value),
                },
            }
        }
        if lines(body).next().is_none() {
            return Err(SdpError::Version);
        }
        for media in &mut session.media {
            if media.is_null() {
                media.direction = media.direction.held();
            }
        }
        Ok(session)
    }

    fn line(&mut self, letter: u8, value: &'a [u8], direction: &mut Direction, ptime: &mut Option<u32>) {
        match letter {
            b'o' => self.origin = value,
            b'c' => self.address = connection(value),
            b'a' => {
                *direction = Direction::parse(value).unwrap_or(*direction);
                *ptime = named(value, b"ptime").and_then(number32).or(*ptime);
            }
            _ => {}
        }
    }

    /// The media descriptions, in order.
    pub fn media(&self) -> &[Media<'a>] {
        &self.media
    }

    /// The first audio line over RTP that is not refused.
    pub fn audio(&self) -> Option<&Media<'a>> {
        self.media.iter().find(|m| m.kind == b"audio" && m.port != 0 && m.proto.starts_with(b"RTP/"))
    }
}

impl<'a> Media<'a> {
    fn line(&mut self, letter: u8, value: &'a [u8]) {
        match letter {
            b'c' => self.address = connection(value),
            b'a' => {
                if let Some(direction) = Direction::parse(value) {
                    self.direction = direction;
                } else if let Some(ptime) = named(value, b"ptime") {
                    self.ptime = number32(ptime);
                } else if value == b"rtcp-mux" {
                    self.rtcp_mux = true;
                } else if let Some(rtcp) = named(value, b"rtcp") {
                    let mut words = rtcp.splitn(2, |b| *b == b' ');
                    let number = words.next().and_then(port);
                    self.rtcp = number.map(|number| (number, words.next().and_then(connection)));
                }
            }
            _ => {}
        }
    }

    /// Whether its address is the null address that RFC 2543 put a call on hold with.
    pub(crate) fn is_null(&self) -> bool {
        self.address.is_some_and(|address| address.is_unspecified())
    }
}

/// The address of `IN IP4 192.0.2.1/127`; `None` for a name.
fn connection(value: &[u8]) -> Option<IpAddr> {
    let text = value.rsplit(|b| *b == b' ').find(|word| !word.is_empty())?;
    let address = text.split(|b| *b == b'/').next()?;
    crate::host::ip(address)
}

/// The lines that follow the `m=` line with this value, up to the next `m=` line.
fn section<'a>(body: &'a [u8], value: &[u8]) -> &'a [u8] {
    let start = (value.as_ptr() as usize - body.as_ptr() as usize) + value.len();
    let rest = sub(body, start, body.len());
    let end = memchr::memmem::find(rest, b"\nm=").map_or(rest.len(), |at| at + 1);
    sub(rest, 0, end)
}
