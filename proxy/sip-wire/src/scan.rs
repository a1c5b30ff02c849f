//! One pass over a message's bytes: where its start line, header lines and body are.

use crate::fault::RejectReason;
use crate::header::HeaderName;
use crate::lex::{number, sub};
use crate::limits::{INLINE_HEADERS, MAX_HEADERS, MAX_MESSAGE};
use crate::lines::{Line, Lines, split};
use crate::start::{self, StartLine};
use smallvec::SmallVec;

/// A range of a message's bytes. `MAX_MESSAGE` makes 16 bits enough.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: u16,
    pub(crate) end: u16,
}

impl Span {
    pub(crate) fn new(start: usize, end: usize) -> Span {
        debug_assert!(start <= end && end <= MAX_MESSAGE);
        Span { start: start as u16, end: end as u16 }
    }

    /// The span of `part`, which is a sub-slice of `whole`.
    pub(crate) fn of(whole: &[u8], part: &[u8]) -> Span {
        let start = (part.as_ptr() as usize).wrapping_sub(whole.as_ptr() as usize);
        debug_assert!(start + part.len() <= whole.len());
        Span::new(start, start + part.len())
    }

    pub(crate) fn range(self) -> (usize, usize) {
        (usize::from(self.start), usize::from(self.end))
    }

    pub(crate) fn slice(self, bytes: &[u8]) -> &[u8] {
        let (start, end) = self.range();
        sub(bytes, start, end)
    }
}

/// A header line in the index.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    pub(crate) id: HeaderName,
    pub(crate) name: Span,
    pub(crate) value: Span,
}

/// The start line in the index.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Start {
    Request { method: Span, uri: Span, version: Span },
    Response { version: Span, code: u16, reason: Span },
}

/// The names of a message's header lines as sets, one bit for each [`HeaderName`] by its place in the enum.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Names {
    once: u128,
    twice: u128,
}

impl Names {
    #[inline]
    fn bit(name: HeaderName) -> u128 {
        const { assert!((HeaderName::Other as u8) < 128, "the last name has a bit") };
        1_u128.wrapping_shl(u32::from(name as u8))
    }

    #[inline]
    pub(crate) fn add(&mut self, name: HeaderName) {
        let bit = Names::bit(name);
        self.twice |= self.once & bit;
        self.once |= bit;
    }

    /// Whether a line has this name.
    #[inline]
    pub(crate) fn has(&self, name: HeaderName) -> bool {
        self.once & Names::bit(name) != 0
    }

    /// Whether more than one line has.
    #[inline]
    pub(crate) fn repeats(&self, name: HeaderName) -> bool {
        self.twice & Names::bit(name) != 0
    }
}

/// Where everything is.
#[derive(Debug, Clone)]
pub(crate) struct Index {
    pub(crate) start: Start,
    /// Where the first header line starts.
    pub(crate) first: u16,
    pub(crate) entries: SmallVec<[Entry; INLINE_HEADERS]>,
    /// Which names stand there: most questions are for headers that do not.
    pub(crate) names: Names,
    /// Behind the last header line's CRLF.
    pub(crate) head_end: u16,
    pub(crate) body: Span,
}

impl Index {
    pub(crate) fn new() -> Index {
        let nowhere = Span::default();
        Index {
            start: Start::Response { version: nowhere, code: 0, reason: nowhere },
            first: 0,
            entries: SmallVec::new(),
            names: Names::default(),
            head_end: 0,
            body: nowhere,
        }
    }
}

/// Fills the index of `bytes`, which begin with the start line; or tells the first fault, after which the index holds
/// what could be read (nothing when the start line could not be), and no body.
pub(crate) fn scan(bytes: &[u8], index: &mut Index) -> Result<(), RejectReason> {
    if bytes.len() > MAX_MESSAGE {
        return Err(RejectReason::TooLong);
    }
    let mut lines = Lines::new(bytes);
    let first = lines.next();
    let (start, mut fault) = match start::parse(first.text) {
        Ok(start) => (start, None),
        Err((reason, Some(start))) => (start, Some(reason)),
        Err((reason, None)) => return Err(reason),
    };
    if first.stray {
        fault = fault.or(Some(RejectReason::LineBreak));
    } else if !first.ended {
        fault = fault.or(Some(RejectReason::HeadUnfinished));
    }
    index.start = locate(bytes, start);
    index.first = Span::new(0, lines.at).end;
    let mut length = Ok(None);
    let body = headers(bytes, &mut lines, index, &mut length, &mut fault);
    index.body = Span::new(body, body);
    if memchr::memchr_iter(b'\r', sub(bytes, 0, body)).count() != lines.breaks {
        fault = fault.or(Some(RejectReason::LineBreak));
    }
    if let Some(reason) = fault {
        return Err(reason);
    }
    let rest = bytes.len() - body;
    let length = match length? {
        Some(length) => usize::try_from(length).ok().filter(|n| *n <= rest).ok_or(RejectReason::BodyShort)?,
        None => rest,
    };
    index.body = Span::new(body, body + length);
    Ok(())
}

/// Indexes the header lines; where the body starts.
fn headers(
    bytes: &[u8],
    lines: &mut Lines<'_>,
    index: &mut Index,
    length: &mut Result<Option<u64>, RejectReason>,
    fault: &mut Option<RejectReason>,
) -> usize {
    loop {
        let here = lines.next();
        index.head_end = Span::new(0, here.start).end;
        if here.text.is_empty() {
            // The empty line; or the bytes end here. A datagram that ends after a complete header line has lost its
            // empty line only: it is read as if that stood there.
            return lines.at;
        }
        let problem = if !here.ended {
            Some(RejectReason::HeadUnfinished)
        } else if here.stray {
            Some(RejectReason::LineBreak)
        } else if index.entries.len() >= MAX_HEADERS {
            Some(RejectReason::TooManyHeaders)
        } else {
            header(bytes, here, index, length).err()
        };
        if let Some(reason) = problem {
            *fault = fault.or(Some(reason));
            if reason == RejectReason::TooManyHeaders {
                return here.start;
            }
        }
    }
}

fn header(
    bytes: &[u8],
    line: Line<'_>,
    index: &mut Index,
    length: &mut Result<Option<u64>, RejectReason>,
) -> Result<(), RejectReason> {
    let (id, name, value) = split(line.text)?;
    if id == HeaderName::ContentLength {
        *length = content_length(value, *length);
    }
    index.names.add(id);
    index.entries.push(Entry { id, name: Span::of(bytes, name), value: Span::of(bytes, value) });
    Ok(())
}

/// One more Content-Length: the same number twice is one.
pub(crate) fn content_length(
    value: &[u8],
    before: Result<Option<u64>, RejectReason>,
) -> Result<Option<u64>, RejectReason> {
    let now = number(value).ok_or(RejectReason::ContentLength);
    match (before?, now?) {
        (Some(before), now) if before != now => Err(RejectReason::ContentLengthConflict),
        (_, now) => Ok(Some(now)),
    }
}

fn locate(bytes: &[u8], start: StartLine<'_>) -> Start {
    let of = |part| Span::of(bytes, part);
    match start {
        StartLine::Request { method, uri, version } => {
            Start::Request { method: of(method), uri: of(uri), version: of(version) }
        }
        StartLine::Response { version, code, reason } => {
            Start::Response { version: of(version), code, reason: of(reason) }
        }
    }
}
