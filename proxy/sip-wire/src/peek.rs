//! What routes a message to its owner, found without a parse.

use crate::address::NameAddr;
use crate::class::{self, VISIBLE};
use crate::header::HeaderName;
use crate::lex::sub;
use crate::lines::{Lines, leading, split};
use crate::method::Method;
use crate::start::{self, StartLine};
use crate::values::Values;
use crate::via::Via;
use crate::views::CSeq;

/// What names a message's transaction and dialog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keys<'a> {
    /// Whether it is a request.
    pub is_request: bool,
    /// A request's method; a response's CSeq method, where that can be read.
    pub method: Option<Method<'a>>,
    /// A response's status code.
    pub code: Option<u16>,
    /// The top Via's branch; empty when there is none.
    pub branch: &'a [u8],
    /// To's tag.
    pub to_tag: Option<&'a [u8]>,
    /// Call-ID.
    pub call_id: &'a [u8],
}

/// A response's status code and the topmost Via's branch, as [`peek`] says them, without what names its dialog: all that it
/// takes to find who waits for it. `None`: it is a request, or cannot be routed.
pub fn peek_answer(bytes: &[u8]) -> Option<(u16, &[u8])> {
    let bytes = sub(bytes, leading(bytes), bytes.len());
    if !start::is_version(bytes) {
        return None;
    }
    let mut lines = Lines::new(bytes);
    let Ok(StartLine::Response { code, .. }) = start::parse(lines.next().text) else { return None };
    let (mut branch, mut call_id) = (None, None);
    while lines.at < bytes.len() && (branch.is_none() || call_id.is_none()) {
        let text = lines.next().text;
        let Some(first) = text.first() else { break };
        if !matches!(first.to_ascii_lowercase(), b'v' | b'c' | b'i') {
            continue;
        }
        match split(text) {
            Ok((HeaderName::Via, _, value)) if branch.is_none() => branch = top_branch(value),
            Ok((HeaderName::CallId, _, value)) if call_id.is_none() => call_id = Some(value),
            _ => {}
        }
    }
    call_id.filter(|id| class::is_word(id, VISIBLE))?;
    Some((code, branch.unwrap_or_default()))
}

/// The Call-ID as [`peek`] says it, and nothing else. `None`: no start line or no Call-ID.
pub fn peek_call_id(bytes: &[u8]) -> Option<&[u8]> {
    let bytes = sub(bytes, leading(bytes), bytes.len());
    let mut lines = Lines::new(bytes);
    start::parse(lines.next().text).or_else(|(_, start)| start.ok_or(())).ok()?;
    while lines.at < bytes.len() {
        let text = lines.next().text;
        let first = text.first()?;
        if matches!(first.to_ascii_lowercase(), b'c' | b'i')
            && let Ok((HeaderName::CallId, _, value)) = split(text)
        {
            return Some(value).filter(|id| class::is_word(id, VISIBLE));
        }
    }
    None
}

/// The branch of the first in a line of Vias.
fn top_branch(value: &[u8]) -> Option<&[u8]> {
    Values::new(value, true)
        .next()
        .map(|via| Via::parse(via).ok().and_then(|via| via.branch).unwrap_or_default())
}

/// Reads no further than it must. `None`: cannot be routed (no start line or no Call-ID). Where
/// [`Message::parse`](crate::Message::parse) accepts the same bytes, both say the same.
pub fn peek(bytes: &[u8]) -> Option<Keys<'_>> {
    let bytes = sub(bytes, leading(bytes), bytes.len());
    let mut lines = Lines::new(bytes);
    let first = lines.next();
    let (is_request, mut method, code) = match start::parse(first.text).or_else(|(_, start)| start.ok_or(()))
    {
        Ok(StartLine::Request { method, .. }) => (true, Some(Method::parse(method)), None),
        Ok(StartLine::Response { code, .. }) => (false, None, Some(code)),
        Err(()) => return None,
    };
    let (mut branch, mut to_tag, mut call_id) = (None, None, None);
    let mut want_cseq = !is_request;
    while lines.at < bytes.len() && (branch.is_none() || to_tag.is_none() || call_id.is_none() || want_cseq) {
        let text = lines.next().text;
        if text.is_empty() {
            break;
        }
        // Only names that begin with one of our letters are looked up.
        if !matches!(text.first().map(u8::to_ascii_lowercase), Some(b'v' | b't' | b'c' | b'i')) {
            continue;
        }
        let Ok((id, _, value)) = split(text) else { continue };
        match id {
            HeaderName::Via if branch.is_none() => {
                branch = top_branch(value);
            }
            HeaderName::To if to_tag.is_none() => {
                to_tag = Some(NameAddr::parse(value).ok().and_then(|to| to.tag()))
            }
            HeaderName::CallId if call_id.is_none() => call_id = Some(value),
            HeaderName::CSeq if want_cseq => {
                method = CSeq::parse(value).ok().map(|cseq| cseq.method);
                want_cseq = false;
            }
            _ => {}
        }
    }
    let call_id = call_id.filter(|id| class::is_word(id, VISIBLE))?;
    Some(Keys {
        is_request,
        method,
        code,
        branch: branch.unwrap_or_default(),
        to_tag: to_tag.flatten(),
        call_id,
    })
}
