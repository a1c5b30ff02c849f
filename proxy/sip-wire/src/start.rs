//! The start line (RFC 3261 §7.1, §7.2).

use crate::class::{self, TOKEN};
use crate::eight;
use crate::fault::RejectReason;
use crate::lex::{byte, number32, sub, trim_end};

/// A start line's parts, borrowed from it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum StartLine<'a> {
    /// `METHOD URI VERSION`
    Request { method: &'a [u8], uri: &'a [u8], version: &'a [u8] },
    /// `VERSION CODE REASON`
    Response { version: &'a [u8], code: u16, reason: &'a [u8] },
}

/// Reads it. A fault comes with whatever of a request could be told, so that it can be answered.
pub(crate) fn parse(line: &[u8]) -> Result<StartLine<'_>, (RejectReason, Option<StartLine<'_>>)> {
    if is_version(sub(line, 0, 4)) { response(line).map_err(|reason| (reason, None)) } else { request(line) }
}

/// Whether it begins like a version, and so like a response.
pub(crate) fn is_version(bytes: &[u8]) -> bool {
    bytes.len() >= 4 && sub(bytes, 0, 4).eq_ignore_ascii_case(b"SIP/")
}

fn response(line: &[u8]) -> Result<StartLine<'_>, RejectReason> {
    let space = eight::find(line, b' ').ok_or(RejectReason::StartLine)?;
    let rest = sub(line, space + 1, line.len());
    let (digits, reason) = match eight::find(rest, b' ') {
        Some(end) => (sub(rest, 0, end), sub(rest, end + 1, rest.len())),
        None => (rest, sub(rest, rest.len(), rest.len())),
    };
    let code = number32(digits).filter(|code| digits.len() == 3 && (100..700).contains(code));
    let code = code.and_then(|code| u16::try_from(code).ok()).ok_or(RejectReason::StatusCode)?;
    Ok(StartLine::Response { version: sub(line, 0, space), code, reason })
}

fn request(line: &[u8]) -> Result<StartLine<'_>, (RejectReason, Option<StartLine<'_>>)> {
    let none = (RejectReason::StartLine, None);
    let method_end = eight::find2(line, b' ', b'\t').ok_or(none)?;
    let method = sub(line, 0, method_end);
    let trimmed = trim_end(line);
    let version_start = trimmed.iter().rposition(|b| *b == b' ').ok_or(none)? + 1;
    let version = sub(trimmed, version_start, trimmed.len());
    if !class::is_word(method, TOKEN) || version_start <= method_end + 1 || !is_version(version) {
        return Err(none);
    }
    let uri = sub(trimmed, method_end + 1, version_start - 1);
    let start = StartLine::Request { method, uri, version };
    if byte(line, method_end) != b' ' || trimmed.len() != line.len() || !eight::all_from(uri, b' ' + 1) {
        return Err((RejectReason::StartLineBlanks, Some(start)));
    }
    if uri.is_empty() { Err(none) } else { Ok(start) }
}
