//! Lines of a header section. A line goes on where the next one begins with a blank (RFC 3261 §7.3.1).

use crate::class::{self, TOKEN};
use crate::eight;
use crate::fault::RejectReason;
use crate::header::HeaderName;
use crate::lex::{byte, sub, trim};

/// One line, folds included.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Line<'a> {
    /// Where it starts.
    pub(crate) start: usize,
    /// Its bytes without the CRLF; empty for the line that ends the section.
    pub(crate) text: &'a [u8],
    /// Whether it ends in CRLF (and not with the bytes).
    pub(crate) ended: bool,
    /// Whether a LF without CR stands in it.
    pub(crate) stray: bool,
}

/// The lines of a header section, one after the other.
pub(crate) struct Lines<'a> {
    bytes: &'a [u8],
    /// Where the next line starts.
    pub(crate) at: usize,
    /// How many CRLFs were passed. More CRs than that: some stand alone.
    pub(crate) breaks: usize,
}

impl<'a> Lines<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Lines<'a> {
        Lines { bytes, at: 0, breaks: 0 }
    }

    /// The next line; at the end of the bytes an empty one that is not ended.
    pub(crate) fn next(&mut self) -> Line<'a> {
        let start = self.at;
        let mut stray = false;
        loop {
            let Some(lf) = eight::find(sub(self.bytes, self.at, self.bytes.len()), b'\n') else {
                self.at = self.bytes.len();
                return Line { start, text: sub(self.bytes, start, self.at), ended: false, stray };
            };
            let end = (self.at + lf).wrapping_sub(1);
            self.at += lf + 1;
            if byte(self.bytes, end) != b'\r' || end < start {
                stray = true;
                continue;
            }
            self.breaks += 1;
            let folded = end > start && matches!(byte(self.bytes, self.at), b' ' | b'\t');
            if !folded {
                return Line { start, text: sub(self.bytes, start, end), ended: true, stray };
            }
        }
    }
}

/// Name, id and value of a header line. Blanks before the colon are allowed (RFC 3261 §7.3.1, `HCOLON`).
pub(crate) fn split(line: &[u8]) -> Result<(HeaderName, &[u8], &[u8]), RejectReason> {
    let colon = eight::find(line, b':').ok_or(RejectReason::HeaderLine)?;
    let mut name = sub(line, 0, colon);
    while let [rest @ .., b' ' | b'\t'] = name {
        name = rest;
    }
    let id = HeaderName::lookup(name);
    // A name that we know is a token.
    if id == HeaderName::Other && !class::is_word(name, TOKEN) {
        return Err(RejectReason::HeaderName);
    }
    Ok((id, name, trim(sub(line, colon + 1, line.len()))))
}

/// How many bytes of line ends stand before the start line (RFC 3261 §7.5: they are ignored).
pub(crate) fn leading(bytes: &[u8]) -> usize {
    let mut at = 0;
    while byte(bytes, at) == b'\r' && byte(bytes, at + 1) == b'\n' {
        at += 2;
    }
    at
}
