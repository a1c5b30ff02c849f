//! Lines of a header section. A line goes on where the next one begins with a blank (RFC 3261 §7.3.1).

use crate::lex::{byte, sub};

/// One line, folds included.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Line {
    /// Behind its last byte, before the CRLF.
    pub(crate) end: usize,
    /// Where the next line starts.
    pub(crate) next: usize,
    /// Whether it ends in CRLF (and not with the bytes).
    pub(crate) ended: bool,
    /// Whether a lone CR or LF stands in it.
    pub(crate) stray: bool,
}

/// The line that starts at `at`.
pub(crate) fn line(bytes: &[u8], at: usize) -> Line {
    let mut from = at;
    let mut stray = false;
    loop {
        let Some(hit) = memchr::memchr2(b'\r', b'\n', sub(bytes, from, bytes.len())) else {
            return Line { end: bytes.len(), next: bytes.len(), ended: false, stray };
        };
        let hit = from + hit;
        if byte(bytes, hit) != b'\r' || byte(bytes, hit + 1) != b'\n' {
            stray = true;
            from = hit + 1;
            continue;
        }
        let next = hit + 2;
        if hit > at && matches!(byte(bytes, next), b' ' | b'\t') {
            from = next;
            continue;
        }
        return Line { end: hit, next, ended: true, stray };
    }
}

/// Name and value of a header line; `None` without a colon. Blanks before the colon are allowed (RFC 3261 §7.3.1,
/// `HCOLON`).
pub(crate) fn split(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = memchr::memchr(b':', line)?;
    let mut name = sub(line, 0, colon);
    while let [rest @ .., b' ' | b'\t'] = name {
        name = rest;
    }
    Some((name, crate::lex::trim(sub(line, colon + 1, line.len()))))
}

/// How many bytes of line ends stand before the start line (RFC 3261 §7.5: they are ignored).
pub(crate) fn leading(bytes: &[u8]) -> usize {
    let mut at = 0;
    while byte(bytes, at) == b'\r' && byte(bytes, at + 1) == b'\n' {
        at += 2;
    }
    at
}
