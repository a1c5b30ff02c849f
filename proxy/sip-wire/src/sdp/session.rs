//! A session description's parts.

use crate::lex::{number32, port, sub};
use crate::limits::MAX_MEDIA;
use crate::sdp::media::{Direction, Media, named};
use crate::sdp::{Line, Lines, SdpError};
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
    /// What `o=` and `c=` lines call the hosts of the side that describes itself, each once.
    pub(crate) hosts: SmallVec<[&'a [u8]; 2]>,
    pub(crate) body: &'a [u8],
}

impl<'a> Session<'a> {
    /// Reads it. Missing lines are forgiven (T.38 gateways leave out much), lines of no known shape are not.
    pub fn parse(body: &'a [u8]) -> Result<Session<'a>, SdpError> {
        let (media, hosts) = (SmallVec::new(), SmallVec::new());
        let mut session = Session { origin: b"", address: None, media, hosts, body };
        let mut direction = Direction::SendRecv;
        let mut ptime = None;
        // Where the lines that belong to the last `m=` line start.
        let mut section = 0;
        let mut first = true;
        for line in Lines::new(body) {
            let Line { letter, value, start, end } = line?;
            match (first, letter) {
                (true, b'v') if value.starts_with(b"0") => {}
                (true, _) | (_, b'v') => return Err(SdpError::Version),
                (_, b'm') => {
                    if session.media.len() == MAX_MEDIA {
                        return Err(SdpError::TooManyMedia);
                    }
                    session.ends(sub(body, section, start));
                    section = end;
                    let mut media = Media::parse(value)?;
                    (media.address, media.direction, media.ptime) = (session.address, direction, ptime);
                    session.media.push(media);
                }
                _ => {
                    if matches!(letter, b'o' | b'c') {
                        session.remember(host(value));
                    }
                    match session.media.last_mut() {
                        None => session.line(letter, value, &mut direction, &mut ptime),
                        Some(media) => media.line(letter, value),
                    }
                }
            }
            first = false;
        }
        if first {
            return Err(SdpError::Version);
        }
        session.ends(sub(body, section, body.len()));
        for media in &mut session.media {
            if media.is_null() {
                media.direction = media.direction.held();
            }
        }
        Ok(session)
    }

    /// The last `m=` line's section is complete.
    fn ends(&mut self, section: &'a [u8]) {
        if let Some(media) = self.media.last_mut() {
            media.section = section;
        }
    }

    fn remember(&mut self, host: &'a [u8]) {
        if host.iter().any(u8::is_ascii_alphanumeric) && !self.hosts.contains(&host) {
            self.hosts.push(host);
        }
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

    /// The whole text.
    pub fn body(&self) -> &'a [u8] {
        self.body
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

/// The host of `IN IP4 192.0.2.1/127`: the last word, without a time to live.
fn host(value: &[u8]) -> &[u8] {
    let word = value.rsplit(|b| *b == b' ').find(|word| !word.is_empty()).unwrap_or_default();
    word.split(|b| *b == b'/').next().unwrap_or_default()
}

/// The same as an address; `None` for a name.
fn connection(value: &[u8]) -> Option<IpAddr> {
    crate::host::ip(host(value))
}
