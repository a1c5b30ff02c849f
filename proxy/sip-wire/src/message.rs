//! A message: its bytes and the index of one scan.

use crate::fault::{RejectReason, Rejected};
use crate::header::{Header, HeaderName};
use crate::lines;
use crate::method::Method;
use crate::scan::{Entry, Index, Span, Start, scan};
use crate::values::Values;
use crate::vitals::Vitals;
use bytes::{Buf, Bytes};
use std::fmt;
use std::sync::OnceLock;

/// A SIP message: bytes that were scanned once. Nothing is copied; views into it are made on demand.
///
/// A clone shares the bytes and copies the index (about 600 bytes).
#[derive(Clone)]
pub struct Message {
    bytes: Bytes,
    index: Index,
    vitals: OnceLock<Vitals>,
}

impl Message {
    /// Reads one datagram, or one message that [`Framer`](crate::Framer) cut from a stream.
    ///
    /// Line ends before the start line are skipped (RFC 3261 §7.5). Bytes behind Content-Length are cut off; without
    /// Content-Length the body is the rest (RFC 3261 §18.3). A message that ends after a complete header line has its
    /// empty line supplied. Everything else that is broken in shape is a [`RejectReason`]; what single headers say is
    /// not looked at here, see [`Message::check`].
    pub fn parse(mut bytes: Bytes) -> Result<Message, Box<Rejected>> {
        let skip = lines::leading(&bytes);
        if skip > 0 {
            bytes.advance(skip);
        }
        if bytes.is_empty() {
            return Err(Box::new(Rejected { reason: RejectReason::Empty, partial: None }));
        }
        let mut message = Message { bytes, index: Index::new(), vitals: OnceLock::new() };
        if let Err(reason) = scan(&message.bytes, &mut message.index) {
            let partial = Some(message).filter(Message::can_be_answered);
            return Err(Box::new(Rejected { reason, partial }));
        }
        let end = usize::from(message.index.body.end);
        if end < message.bytes.len() {
            message.bytes.truncate(end);
        }
        Ok(message)
    }

    /// A request with what a response copies from it (RFC 3261 §8.2.6.2).
    fn can_be_answered(&self) -> bool {
        use HeaderName::{CSeq, CallId, From, To, Via};
        self.is_request() && [Via, From, To, CallId, CSeq].iter().all(|name| self.header(*name).is_some())
    }

    /// Whether this is a request.
    pub fn is_request(&self) -> bool {
        matches!(self.index.start, Start::Request { .. })
    }

    /// A request's method; for a response its CSeq's, or `Other(b"")` when that cannot be read.
    pub fn method(&self) -> Method<'_> {
        match self.index.start {
            Start::Request { method, .. } => Method::parse(self.slice(method)),
            Start::Response { .. } => self.cseq().map_or(Method::Other(b""), |cseq| cseq.method),
        }
    }

    /// A response's status code.
    pub fn code(&self) -> Option<u16> {
        match self.index.start {
            Start::Request { .. } => None,
            Start::Response { code, .. } => Some(code),
        }
    }

    /// A response's reason phrase; empty for a request.
    pub fn reason(&self) -> &[u8] {
        match self.index.start {
            Start::Request { .. } => b"",
            Start::Response { reason, .. } => self.slice(reason),
        }
    }

    /// A request's URI; empty for a response.
    pub fn uri(&self) -> &[u8] {
        match self.index.start {
            Start::Request { uri, .. } => self.slice(uri),
            Start::Response { .. } => b"",
        }
    }

    /// The version as written, `SIP/2.0` in a message that [`Message::check`] passes.
    pub fn version(&self) -> &[u8] {
        match self.index.start {
            Start::Request { version, .. } | Start::Response { version, .. } => self.slice(version),
        }
    }

    /// The value of the first line with this name, without blanks at its ends; folds inside are kept (see
    /// [`unfold`](crate::unfold)).
    pub fn header(&self, name: HeaderName) -> Option<&[u8]> {
        self.lines(name).next()
    }

    /// The value of each line with this name.
    pub fn lines(&self, name: HeaderName) -> impl Iterator<Item = &[u8]> {
        let entries: &[Entry] = if self.index.names.has(name) { &self.index.entries } else { &[] };
        entries.iter().filter(move |e| e.id == name).map(|e| self.slice(e.value))
    }

    /// Each value of a header over all its lines. Commas part values where the header's grammar is a list (RFC 3261
    /// §7.3.1), outside quotes and `<…>`; empty values are skipped. A header that is no list has one value a line.
    pub fn values(&self, name: HeaderName) -> impl Iterator<Item = &[u8]> {
        let list = name.is_list();
        self.lines(name).flat_map(move |line| Values::new(line, list))
    }

    /// The value of each line with this name, in any case, known to us or not. A name that we know is matched in its
    /// compact form too.
    pub fn named<'a>(&'a self, name: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
        let id = HeaderName::lookup(name);
        self.all()
            .filter(move |h| h.id == id && (id != HeaderName::Other || h.name.eq_ignore_ascii_case(name)))
            .map(|h| h.value)
    }

    /// Every header line, in order.
    pub fn all(&self) -> impl Iterator<Item = Header<'_>> {
        let slice = |span| self.slice(span);
        self.index.entries.iter().map(move |e| Header {
            id: e.id,
            name: slice(e.name),
            value: slice(e.value),
        })
    }

    /// The body, byte for byte; shares the message's memory.
    pub fn body(&self) -> Bytes {
        let (start, end) = self.index.body.range();
        self.bytes.slice(start..end)
    }

    /// The body, borrowed.
    pub fn body_bytes(&self) -> &[u8] {
        self.slice(self.index.body)
    }

    /// The whole message, from its start line to the end of its body.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Read when first asked for.
    pub(crate) fn vitals(&self) -> &Vitals {
        self.vitals.get_or_init(|| Vitals::read(self))
    }

    pub(crate) fn entries(&self) -> &[Entry] {
        &self.index.entries
    }

    pub(crate) fn index(&self) -> &Index {
        &self.index
    }

    pub(crate) fn slice(&self, span: Span) -> &[u8] {
        span.slice(&self.bytes)
    }
}

/// Start line and sizes only: headers hold numbers and keys, which belong in no log.
impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Message");
        match self.code() {
            Some(code) => out.field("code", &code),
            None => out.field("method", &self.method()),
        };
        out.field("headers", &self.index.entries.len()).field("bytes", &self.bytes.len()).finish()
    }
}
