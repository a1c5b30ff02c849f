//! The session description inside a message's body.

use crate::header::HeaderName;
use crate::lex::{find_outside, sub, trim, unquote};
use crate::limits::MAX_PARTS;
use crate::lines::{Lines, split};
use crate::message::Message;
use crate::values::Params;

/// The body when it is `application/sdp`, or the first such part of a multipart (RFC 5621 §3.1).
pub fn find(message: &Message) -> Option<&[u8]> {
    let body = message.body_bytes();
    let content_type = message.header(HeaderName::ContentType)?;
    if body.is_empty() {
        return None;
    }
    if is_sdp(content_type) {
        return Some(body);
    }
    let (kind, params) = media_type(content_type);
    let multipart = kind.get(..10).is_some_and(|start| start.eq_ignore_ascii_case(b"multipart/"));
    let boundary = unquote(params.value(b"boundary").filter(|_| multipart)?);
    Parts { rest: Some(body), boundary: &boundary }.take(MAX_PARTS).find_map(part_body)
}

fn media_type(value: &[u8]) -> (&[u8], Params<'_>) {
    match find_outside(value, 0, b';', false) {
        Some(at) => (trim(sub(value, 0, at)), Params::new(sub(value, at, value.len()))),
        None => (trim(value), Params::default()),
    }
}

fn is_sdp(content_type: &[u8]) -> bool {
    media_type(content_type).0.eq_ignore_ascii_case(b"application/sdp")
}

/// A part's body when the part is a session description.
fn part_body(part: &[u8]) -> Option<&[u8]> {
    let mut lines = Lines::new(part);
    let mut found = false;
    while lines.at < part.len() {
        let text = lines.next().text;
        if text.is_empty() {
            return Some(sub(part, lines.at, part.len())).filter(|body| found && !body.is_empty());
        }
        if let Ok((HeaderName::ContentType, _, value)) = split(text) {
            found |= is_sdp(value);
        }
    }
    None
}

/// What stands between boundaries (RFC 2046 §5.1.1): each starts on a line of its own with `--`.
struct Parts<'a, 'b> {
    rest: Option<&'a [u8]>,
    boundary: &'b [u8],
}

impl<'a> Iterator for Parts<'a, '_> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = self.rest.take()?;
        let (_, start) = delimiter(rest, self.boundary)?;
        let part = sub(rest, start, rest.len());
        // The line end before a delimiter belongs to the delimiter.
        let (end, _) = delimiter(part, self.boundary)?;
        self.rest = Some(sub(part, end, part.len()));
        let body = sub(part, 0, end);
        Some(body.strip_suffix(b"\r\n").unwrap_or(body))
    }
}

/// Where the next delimiter line starts, and where the text behind it does. The part behind a closing delimiter finds no
/// further one.
fn delimiter(text: &[u8], boundary: &[u8]) -> Option<(usize, usize)> {
    let mut from = 0;
    loop {
        let dash = from + memchr::memmem::find(sub(text, from, text.len()), b"--")?;
        let behind = dash + 2 + boundary.len();
        let starts_line = dash == 0 || text.get(dash - 1) == Some(&b'\n');
        if starts_line && sub(text, dash + 2, behind) == boundary && !boundary.is_empty() {
            let end =
                memchr::memchr(b'\n', sub(text, behind, text.len())).map_or(text.len(), |at| behind + at + 1);
            return Some((dash, end));
        }
        from = dash + 2;
    }
}
