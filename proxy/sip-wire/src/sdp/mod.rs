//! Session descriptions (RFC 8866): read what a relay needs, and put our own address into one without touching the rest.

mod anchor;
mod find;
mod media;
mod session;

pub use anchor::{Anchor, anchor};
pub use find::find;
pub use media::{Codec, Direction, Media};
pub use session::Session;

use crate::fault::reasons;

reasons! {
    /// Why a session description cannot be used.
    SdpError {
        /// It does not begin with `v=0`, or has two `v=`.
        Version = "sdp_version",
        /// A line that is not `x=…`.
        Line = "sdp_line",
        /// An `m=` line without kind, port, transport and format, or with a port that is no number.
        Media = "sdp_media",
        /// More than [`MAX_MEDIA`](crate::limits::MAX_MEDIA) `m=` lines.
        TooManyMedia = "sdp_too_many_media",
    }
}

/// One line: its letter and what stands behind `=`. Lines end in CRLF; a lone LF is accepted (RFC 8866 §5).
pub(crate) fn lines(body: &[u8]) -> impl Iterator<Item = Result<(u8, &[u8]), SdpError>> {
    let mut rest = body;
    std::iter::from_fn(move || {
        while !rest.is_empty() {
            let (line, tail) = match memchr::memchr(b'\n', rest) {
                Some(at) => (crate::lex::sub(rest, 0, at), crate::lex::sub(rest, at + 1, rest.len())),
                None => (rest, &b""[..]),
            };
            rest = tail;
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            match line {
                // Some add an empty line at the end.
                [] => continue,
                [letter, b'=', value @ ..] if letter.is_ascii_lowercase() => {
                    return Some(Ok((*letter, value)));
                }
                _ => {
                    rest = b"";
                    return Some(Err(SdpError::Line));
                }
            }
        }
        None
    })
}
