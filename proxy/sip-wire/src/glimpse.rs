//! A request as far as an answer without a transaction copies it, read in one pass and without an index.

use crate::address::NameAddr;
use crate::header::HeaderName;
use crate::lines::{Lines, split};
use crate::method::Method;
use crate::start::{self, StartLine};
use crate::values::Values;
use crate::via::Via;
use crate::views::CSeq;

/// Lines of Via that are carried back; more make a request one for [`Message::parse`](crate::Message::parse).
const VIAS: usize = 8;

/// An ordinary request: what an answer to it copies (RFC 3261 §8.2.6.2), and what tells whether it may be answered so.
#[derive(Debug, Clone, Copy)]
pub struct Glimpse<'a> {
    /// The request's method.
    pub method: Method<'a>,
    /// The Request-URI.
    pub uri: &'a [u8],
    /// The topmost Via.
    pub via: Via<'a>,
    /// The same as written.
    pub top: &'a [u8],
    /// From's value.
    pub from: &'a [u8],
    /// To's value.
    pub to: &'a [u8],
    /// What To's value says.
    pub callee: NameAddr<'a>,
    /// Call-ID's value.
    pub call_id: &'a [u8],
    /// CSeq's value.
    pub cseq: &'a [u8],
    /// Whether it has a Resource-Priority (RFC 4412).
    pub is_urgent: bool,
    vias: [&'a [u8]; VIAS],
    lines: usize,
}

impl<'a> Glimpse<'a> {
    /// Reads the header section. `None` for a response, for what is no message, and for everything unusual (folded lines,
    /// what should stand once and stands twice, more Via lines than a few): a whole parse judges those. Where
    /// [`Message::parse`](crate::Message::parse) accepts the same bytes, both say the same.
    pub fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut lines = Lines::new(bytes);
        let mut next = || {
            let before = lines.breaks;
            let line = lines.next();
            // Neither folded nor broken off.
            (line.ended && !line.stray && lines.breaks == before + 1).then_some(line.text)
        };
        let Ok(StartLine::Request { method, uri, version: b"SIP/2.0" }) = start::parse(next()?) else {
            return None;
        };
        let method = Method::parse(method);
        let (mut vias, mut count, mut is_urgent) = ([&b""[..]; VIAS], 0, false);
        let (mut from, mut to, mut call_id, mut cseq) = (None, None, None, None);
        let once = |place: &mut Option<&'a [u8]>, value| place.replace(value).is_none().then_some(());
        loop {
            let line = next()?;
            let Some(letter) = line.first() else { break };
            // Only names that begin with one of our letters, in full or compact, are looked up.
            if !matches!(letter | 0x20, b'v' | b'f' | b't' | b'c' | b'i' | b'r') {
                continue;
            }
            let (name, _, value) = split(line).ok()?;
            match name {
                HeaderName::Via => {
                    *vias.get_mut(count)? = value;
                    count += 1;
                }
                HeaderName::From => once(&mut from, value)?,
                HeaderName::To => once(&mut to, value)?,
                HeaderName::CallId => once(&mut call_id, value)?,
                HeaderName::CSeq => once(&mut cseq, value)?,
                HeaderName::ResourcePriority => is_urgent = true,
                _ => {}
            }
        }
        let (from, to, cseq) = (from?, to?, cseq?);
        let top = Values::new(vias.first()?, true).next()?;
        NameAddr::parse(from).ok()?;
        (CSeq::parse(cseq).ok()?.method == method).then_some(())?;
        Some(Self {
            method,
            uri,
            via: Via::parse(top).ok()?,
            top,
            from,
            to,
            callee: NameAddr::parse(to).ok()?,
            call_id: call_id?,
            cseq,
            is_urgent,
            vias,
            lines: count,
        })
    }

    /// Values of Via by line, topmost first, each as written.
    pub fn vias(&self) -> impl Iterator<Item = &'a [u8]> + '_ {
        self.vias.iter().copied().take(self.lines)
    }
}
