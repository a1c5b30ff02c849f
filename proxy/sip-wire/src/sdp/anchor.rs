//! Our address in place of theirs.

use crate::eight;
use crate::host::Literal;
use crate::lex::{Decimal, sub};
use crate::sdp::media::{Direction, Media};
use crate::sdp::session::Session;
use crate::sdp::{Line, Lines, SdpError};
use std::net::IpAddr;
use std::ops::Range;

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
/// - `a=group:BUNDLE` is dropped, and `a=bundle-only` with it (RFC 9143): each line has a port of its own here.
/// - A null `c=` (hold, RFC 2543) becomes the direction that it means, since our own address cannot say it.
pub fn anchor(body: &[u8], with: &Anchor<'_>) -> Result<Vec<u8>, SdpError> {
    Ok(Session::parse(body)?.anchor(with))
}

impl Session<'_> {
    /// [`anchor`] for a description that was read.
    pub fn anchor(&self, with: &Anchor<'_>) -> Vec<u8> {
        let mut out = Out::new(self.body, with);
        let mut at = Section::Session;
        let mut sections = self.media().iter().enumerate();
        // Every line was read once without a fault.
        for line in Lines::new(self.body).flatten() {
            match line.letter {
                b'v' => out.opening(),
                b'm' => {
                    out.close(at);
                    let Some((number, media)) = sections.next() else { break };
                    let port = with.ports.get(number).copied().filter(|_| media.port != 0).unwrap_or(0);
                    let held = (port != 0 && media.is_null()).then_some(media.direction);
                    let mux = with.mux && media.rtcp_mux;
                    out.media(line.value, media, port);
                    at = Section::Media { port, mux, held };
                }
                b'o' | b's' | b'i' | b'u' | b'e' | b'p' | b'k' => {}
                b'a' => out.attribute(line, at, &self.hosts),
                _ if at.is_refused() => {}
                b'c' if matches!(at, Section::Session) => {}
                b'c' => out.connection(),
                _ => out.keep(line),
            }
        }
        out.close(at);
        out.finish()
    }
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
    body: &'w [u8],
    with: &'w Anchor<'w>,
    address: Literal,
    /// Their lines that stay and were not copied yet: those that follow each other go in one piece.
    kept: Range<usize>,
}

impl<'w> Out<'w> {
    fn new(body: &'w [u8], with: &'w Anchor<'w>) -> Self {
        let bytes = Vec::with_capacity(body.len() + 96);
        Out { bytes, body, with, address: Literal::new(with.address), kept: 0..0 }
    }

    fn keep(&mut self, line: Line<'_>) {
        let whole = sub(self.body, line.start, line.end);
        if !whole.ends_with(b"\r\n") {
            return self.write(&[&[line.letter], b"=", line.value, b"\r\n"]);
        }
        if self.kept.end != line.start {
            self.copy_kept();
            self.kept.start = line.start;
        }
        self.kept.end = line.end;
    }

    fn copy_kept(&mut self) {
        self.bytes.extend_from_slice(sub(self.body, self.kept.start, self.kept.end));
        self.kept.start = self.kept.end;
    }

    fn write(&mut self, parts: &[&[u8]]) {
        self.copy_kept();
        for part in parts {
            self.bytes.extend_from_slice(part);
        }
    }

    fn finish(mut self) -> Vec<u8> {
        self.copy_kept();
        self.bytes
    }

    /// The lines that every description of ours begins with.
    fn opening(&mut self) {
        let (id, version) = (Decimal::new(self.with.session_id), Decimal::new(self.with.version));
        self.write(&[b"v=0\r\no=- ", id.as_bytes(), b" ", version.as_bytes(), b" "]);
        self.address();
        self.write(&[b"s=-\r\n"]);
        self.connection();
    }

    fn connection(&mut self) {
        self.write(&[b"c="]);
        self.address();
    }

    fn address(&mut self) {
        let family: &[u8] = if self.with.address.is_ipv4() { b"IN IP4 " } else { b"IN IP6 " };
        let address = self.address;
        self.write(&[family, address.as_bytes(), b"\r\n"]);
    }

    fn media(&mut self, value: &[u8], media: &Media<'_>, port: u16) {
        let proto = (media.proto.as_ptr() as usize).saturating_sub(value.as_ptr() as usize);
        let digits = Decimal::new(u64::from(port));
        let rest = sub(value, proto, value.len());
        self.write(&[b"m=", media.kind, b" ", digits.as_bytes(), b" ", rest, b"\r\n"]);
    }

    fn close(&mut self, section: Section) {
        if let Section::Media { held: Some(direction), .. } = section {
            self.write(&[b"a=", direction.as_str().as_bytes(), b"\r\n"]);
        }
    }

    fn attribute(&mut self, line: Line<'_>, at: Section, theirs: &[&[u8]]) {
        let name = name(line.value);
        let is_direction = Direction::parse(line.value).is_some();
        let keep = match (at, name) {
            (Section::Media { port: 0, .. }, _) => name == b"mid",
            (Section::Media { port, mux, .. }, b"rtcp") => {
                if !mux {
                    let next = Decimal::new(u64::from(port) + 1);
                    self.write(&[b"a=rtcp:", next.as_bytes(), b"\r\n"]);
                }
                false
            }
            (Section::Media { mux, .. }, b"rtcp-mux" | b"rtcp-mux-only") => mux,
            (Section::Session, b"group") if is_bundle(line.value) => false,
            (Section::Media { .. }, b"bundle-only") => false,
            (Section::Media { held: Some(_), .. }, _) if is_direction => false,
            // A word of the grammar, even where the other side calls its host so.
            _ if is_direction => true,
            _ => name != b"rtcp" && !is_place(name) && !names_a_place(line.value, theirs),
        };
        if keep {
            self.keep(line);
        }
    }
}

/// `group:BUNDLE` and the lines that it names (RFC 5888, RFC 9143).
fn is_bundle(group: &[u8]) -> bool {
    let semantics = group.strip_prefix(b"group:").unwrap_or_default();
    semantics.split(|b| *b == b' ').next().is_some_and(|word| word.eq_ignore_ascii_case(b"BUNDLE"))
}

/// What stands before an attribute's colon.
pub(super) fn name(attribute: &[u8]) -> &[u8] {
    sub(attribute, 0, eight::find(attribute, b':').unwrap_or(attribute.len()))
}

/// Attributes that say where the other side is, whatever their value.
pub(super) fn is_place(name: &[u8]) -> bool {
    matches!(
        name,
        b"candidate"
            | b"end-of-candidates"
            | b"remote-candidates"
            | b"ice-ufrag"
            | b"ice-pwd"
            | b"ice-options"
            | b"ice-lite"
            | b"ice-mismatch"
            | b"ice-pacing"
            | b"ice2"
            | b"ssrc"
            | b"ssrc-group"
            | b"source-filter"
            | b"tool"
    )
}

/// Whether an attribute names one of the other side's hosts, or any address. An address has dots, or more colons than
/// the one behind an attribute's name: one look clears most.
pub(super) fn names_a_place(attribute: &[u8], hosts: &[&[u8]]) -> bool {
    let rest = sub(attribute, name(attribute).len() + 1, attribute.len());
    let marked = eight::find2(rest, b'.', b':').is_some() || name(attribute).contains(&b'.');
    let may_stand = |host: &&&[u8]| marked || !host.contains(&b'.');
    hosts.iter().filter(may_stand).any(|host| has_word(attribute, host))
        || (marked
            && attribute.split(|b| !b.is_ascii_hexdigit() && !matches!(b, b'.' | b':')).any(is_address))
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
