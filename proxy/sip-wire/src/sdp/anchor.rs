//! Our address in place of theirs.

use crate::lex::{Decimal, sub};
use crate::sdp::media::{Direction, Media, named};
use crate::sdp::session::Session;
use crate::sdp::{SdpError, lines};
use std::io::Write;
use std::net::IpAddr;

/// What takes the other side's place in a session description.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Anchor<'a> {
    /// Our address.
    pub address: IpAddr,
    /// Our RTP port for each `m=` line; 0, or none, refuses that line.
    pub ports: &'a [u16],
    /// `o=`: the session's number, the same in each description of one leg.
    pub session_id: u64,
    /// `o=`: counted up when the description changes (RFC 3264 §8).
    pub version: u64,
    /// Leave `a=rtcp-mux` where it stands.
    pub mux: bool,
}

/// The description with our address and ports. Lines that say where the other side is are replaced or dropped, all
/// others are copied byte for byte:
///
/// - `o=`, `s=` and every `c=` become ours; `i=`, `u=`, `e=`, `p=` and `k=` are dropped.
/// - An `m=` line gets our port. One that was refused stays so; a refused one keeps only its `a=mid`.
/// - `a=rtcp` becomes our next port, or goes where RTCP shares the RTP port.
/// - ICE, `a=ssrc` and `a=source-filter` are dropped, and so is any attribute that names an address or the other side's
///   host.
/// - A null `c=` (hold, RFC 2543) becomes the direction that it means, since our own address cannot say it.
pub fn anchor(body: &[u8], with: &Anchor<'_>) -> Result<Vec<u8>, SdpError> {
    let session = Session::parse(body)?;
    let theirs = foreign(body);
    let mut out = Out { bytes: Vec::with_capacity(body.len() + 96), with };
    let mut at = Section::Session;
    let mut sections = session.media().iter().enumerate();
    for line in lines(body) {
        let (letter, value) = line?;
        match letter {
            b'v' => out.opening(),
            b'm' => {
                out.close(at);
                let (number, media) = sections.next().ok_or(SdpError::Media)?;
                let port = with.ports.get(number).copied().filter(|_| media.port != 0).unwrap_or(0);
                let held = (port != 0 && media.is_null()).then_some(media.direction);
                let mux = with.mux && media.rtcp_mux;
                out.media(value, media, port);
                at = Section::Media { port, mux, held };
            }
            b'o' | b's' | b'i' | b'u' | b'e' | b'p' | b'k' => {}
            b'a' => out.attribute(value, at, &theirs),
            _ if at.is_refused() => {}
            b'c' if matches!(at, Section::Session) => {}
            b'c' => out.connection(),
            _ => out.line(letter, &[value]),
        }
    }
    out.close(at);
    Ok(out.bytes)
}

/// Where the line that is written next belongs.
#[derive(Clone, Copy)]
enum Section {
    Session,
    /// Our port; whether RTCP shares it; the direction to write when it was held by a null address.
    Media {
        port: u16,
        mux: bool,
        held: Option<Direction>,
    },
}

impl Section {
    fn is_refused(self) -> bool {
        matches!(self, Section::Media { port: 0, .. })
    }
}

struct Out<'w> {
    bytes: Vec<u8>,
    with: &'w Anchor<'w>,
}

impl Out<'_> {
    fn line(&mut self, letter: u8, parts: &[&[u8]]) {
        self.bytes.extend_from_slice(&[letter, b'=']);
        for part in parts {
            self.bytes.extend_from_slice(part);
        }
        self.bytes.extend_from_slice(b"\r\n");
    }

    /// The lines that every description of ours begins with.
    fn opening(&mut self) {
        self.line(b'v', &[b"0"]);
        let (id, version) = (Decimal::new(self.with.session_id), Decimal::new(self.with.version));
        self.bytes.extend_from_slice(b"o=- ");
        self.bytes.extend_from_slice(id.as_bytes());
        self.bytes.push(b' ');
        self.bytes.extend_from_slice(version.as_bytes());
        self.bytes.push(b' ');
        self.address();
        self.line(b's', &[b"-"]);
        self.connection();
    }

    fn connection(&mut self) {
        self.bytes.extend_from_slice(b"c=");
        self.address();
    }

    fn address(&mut self) {
        let family = if self.with.address.is_ipv4() { "IP4" } else { "IP6" };
        // Writing to a vector cannot fail.
        let _ = write!(self.bytes, "IN {family} {}\r\n", self.with.address);
    }

    fn media(&mut self, value: &[u8], media: &Media<'_>, port: u16) {
        let proto = (media.proto.as_ptr() as usize).saturating_sub(value.as_ptr() as usize);
        let digits = Decimal::new(u64::from(port));
        self.line(b'm', &[media.kind, b" ", digits.as_bytes(), b" ", sub(value, proto, value.len())]);
    }

    fn close(&mut self, section: Section) {
        if let Section::Media { held: Some(direction), .. } = section {
            self.line(b'a', &[direction.as_str().as_bytes()]);
        }
    }

    fn attribute(&mut self, value: &[u8], at: Section, theirs: &[&[u8]]) {
        let is = |name: &[u8]| named(value, name).is_some();
        let keep = match at {
            Section::Media { port: 0, .. } => is(b"mid"),
            Section::Media { port, mux, .. } if is(b"rtcp") => {
                if !mux {
                    self.line(b'a', &[b"rtcp:", Decimal::new(u64::from(port) + 1).as_bytes()]);
                }
                false
            }
            Section::Media { mux, .. } if is(b"rtcp-mux") || is(b"rtcp-mux-only") => mux,
            Section::Media { held: Some(_), .. } if Direction::parse(value).is_some() => false,
            // A word of the grammar, even where the other side calls its host so.
            _ if Direction::parse(value).is_some() => true,
            _ => !is(b"rtcp") && !names_a_place(value, theirs),
        };
        if keep {
            self.line(b'a', &[value]);
        }
    }
}

/// Attributes that say where the other side is, whatever their value.
const PLACES: [&[u8]; 14] = [
    b"candidate",
    b"end-of-candidates",
    b"remote-candidates",
    b"ice-ufrag",
    b"ice-pwd",
    b"ice-options",
    b"ice-lite",
    b"ice-mismatch",
    b"ice-pacing",
    b"ice2",
    b"ssrc",
    b"ssrc-group",
    b"source-filter",
    b"tool",
];

fn names_a_place(value: &[u8], theirs: &[&[u8]]) -> bool {
    PLACES.iter().any(|name| named(value, name).is_some())
        || theirs.iter().any(|host| has_word(value, host))
        || value.split(|b| !b.is_ascii_hexdigit() && !matches!(b, b'.' | b':')).any(is_address)
}

/// Whether `word` stands in `text`, and is not a piece of a longer one.
fn has_word(text: &[u8], word: &[u8]) -> bool {
    let inside = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'-');
    memchr::memmem::find_iter(text, word).any(|at| {
        let before = at.checked_sub(1).and_then(|at| text.get(at));
        !inside(before) && !inside(text.get(at + word.len()))
    })
}

/// Whether a run of hex digits, dots and colons is an address, perhaps behind an attribute's own colon or before a port.
fn is_address(run: &[u8]) -> bool {
    let parses = |text: &[u8]| crate::host::ip(text).is_some();
    let after_colon = memchr::memchr(b':', run).map_or(&b""[..], |at| sub(run, at + 1, run.len()));
    let before_colon = memchr::memrchr(b':', run).map_or(&b""[..], |at| sub(run, 0, at));
    run.len() > 1 && (parses(run) || parses(after_colon) || parses(before_colon))
}

/// The words of `o=` and `c=` that name the other side's hosts.
fn foreign(body: &[u8]) -> Vec<&[u8]> {
    lines(body)
        .filter_map(|line| {
            line.ok().filter(|(letter, _)| matches!(letter, b'o' | b'c')).map(|(_, value)| value)
        })
        .filter_map(|value| value.rsplit(|b| *b == b' ').find(|word| !word.is_empty()))
        .map(|word| word.split(|b| *b == b'/').next().unwrap_or(word))
        .filter(|word| word.iter().any(u8::is_ascii_alphanumeric))
        .collect()
}
