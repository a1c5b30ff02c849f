//! Session descriptions (RFC 8866): read what a relay needs, and put our own address into one without touching the rest.

mod agreed;
mod align;
mod anchor;
mod find;
mod media;
mod session;

pub use agreed::{Agreed, AgreedSession, Answerer, LineWith, Misfit, SessionWith, With};
pub use anchor::{Anchor, anchor};
pub use find::find;
pub use media::{Codec, Direction, Media, Transport};
pub use session::Session;

use crate::eight;
use crate::fault::reasons;
use crate::lex::sub;

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

/// One line of a description.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Line<'a> {
    /// What it is about.
    pub(crate) letter: u8,
    /// What stands behind `=`.
    pub(crate) value: &'a [u8],
    /// Where it starts in the text.
    pub(crate) start: usize,
    /// Where the next one starts.
    pub(crate) end: usize,
}

/// The lines of a text. They end in CRLF; a lone LF is accepted (RFC 8866 §5), and an empty line, which some add at the
/// end, is passed over.
#[derive(Debug, Clone)]
pub(crate) struct Lines<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Lines<'a> {
    pub(crate) fn new(text: &'a [u8]) -> Lines<'a> {
        Lines { text, at: 0 }
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = Result<Line<'a>, SdpError>;

    fn next(&mut self) -> Option<Result<Line<'a>, SdpError>> {
        while self.at < self.text.len() {
            let start = self.at;
            let rest = sub(self.text, start, self.text.len());
            let (line, end) = match eight::find(rest, b'\n') {
                Some(lf) => (sub(rest, 0, lf), start + lf + 1),
                None => (rest, self.text.len()),
            };
            self.at = end;
            match line.strip_suffix(b"\r").unwrap_or(line) {
                [] => continue,
                [letter, b'=', value @ ..] if letter.is_ascii_lowercase() => {
                    return Some(Ok(Line { letter: *letter, value, start, end }));
                }
                _ => {
                    self.at = self.text.len();
                    return Some(Err(SdpError::Line));
                }
            }
        }
        None
    }
}
