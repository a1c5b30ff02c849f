//! Writing messages. No value can end its own line.

use crate::class::{self, TOKEN, URI};
use crate::eight;
use crate::header::HeaderName;
use crate::lex::{Decimal, byte, is_blank, sub};
use crate::limits::MESSAGE_GUESS;
use crate::method::Method;
use bytes::Bytes;

/// Writes one message, top to bottom.
///
/// Values are copied byte for byte, with one exception: a fold becomes one space, any other CR or LF and every NUL is
/// left out. So a value can never start a header of its own.
///
/// ```
/// use sip_wire::{Builder, HeaderName, Message, Method};
/// let mut b = Builder::request(Method::Options, b"sip:edge.example.com");
/// b.parts(HeaderName::Via, &[b"SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK", b"74bf9"]);
/// b.header(HeaderName::From, b"<sip:probe@192.0.2.1>;tag=a1").header(HeaderName::To, b"<sip:edge.example.com>");
/// b.header(HeaderName::CallId, b"f81d4fae@192.0.2.1").header(HeaderName::CSeq, b"1 OPTIONS");
/// b.number(HeaderName::MaxForwards, 70);
/// let message = Message::parse(b.finish()).unwrap();
/// assert_eq!(message.check(), Ok(()));
/// ```
#[derive(Debug)]
pub struct Builder {
    out: Vec<u8>,
}

impl Builder {
    /// Starts a request.
    pub fn request(method: Method<'_>, uri: &[u8]) -> Builder {
        Builder::request_into(Vec::with_capacity(MESSAGE_GUESS), method, uri)
    }

    /// Starts a response.
    pub fn response(code: u16, reason: &[u8]) -> Builder {
        Builder::response_into(Vec::with_capacity(MESSAGE_GUESS), code, reason)
    }

    /// Starts a request in this buffer, which is emptied first.
    pub fn request_into(mut out: Vec<u8>, method: Method<'_>, uri: &[u8]) -> Builder {
        out.clear();
        out.extend(method.as_bytes().iter().filter(|b| class::is(**b, TOKEN)));
        out.push(b' ');
        push_uri(&mut out, uri);
        out.extend_from_slice(b" SIP/2.0\r\n");
        Builder { out }
    }

    /// Starts a response in this buffer, which is emptied first.
    pub fn response_into(mut out: Vec<u8>, code: u16, reason: &[u8]) -> Builder {
        debug_assert!((100..700).contains(&code), "a status code has three digits");
        out.clear();
        out.extend_from_slice(b"SIP/2.0 ");
        out.extend_from_slice(Decimal::new(u64::from(code.clamp(100, 699))).as_bytes());
        out.push(b' ');
        push_value(&mut out, reason);
        out.extend_from_slice(b"\r\n");
        Builder { out }
    }

    /// Writes a header. Content-Length is written by [`Builder::finish`] and [`Builder::body`] alone: here it is left
    /// out, as is [`HeaderName::Other`], which has no name.
    pub fn header(&mut self, name: HeaderName, value: &[u8]) -> &mut Self {
        self.parts(name, &[value])
    }

    /// Writes a header whose value is the parts joined.
    pub fn parts(&mut self, name: HeaderName, parts: &[&[u8]]) -> &mut Self {
        if !matches!(name, HeaderName::Other | HeaderName::ContentLength) {
            self.line(&[name.label()], parts);
        }
        self
    }

    /// Writes a header whose value is a number.
    pub fn number(&mut self, name: HeaderName, value: u64) -> &mut Self {
        self.header(name, Decimal::new(value).as_bytes())
    }

    /// Writes a header that we have no name for. One whose name is not a token, and Content-Length in any spelling, is
    /// left out.
    pub fn other(&mut self, name: &[u8], value: &[u8]) -> &mut Self {
        if class::is_word(name, TOKEN) && HeaderName::lookup(name) != HeaderName::ContentLength {
            self.line(&[name, b": "], &[value]);
        }
        self
    }

    fn line(&mut self, label: &[&[u8]], parts: &[&[u8]]) {
        for part in label {
            self.out.extend_from_slice(part);
        }
        for part in parts {
            push_value(&mut self.out, part);
        }
        self.out.extend_from_slice(b"\r\n");
    }

    /// Ends the message with a body. An empty body is [`Builder::finish`].
    pub fn body(self, content_type: &[u8], body: &[u8]) -> Bytes {
        Bytes::from(self.body_vec(content_type, body))
    }

    /// Ends the message without a body.
    pub fn finish(self) -> Bytes {
        Bytes::from(self.finish_vec())
    }

    /// [`Builder::body`] for a caller that keeps its buffer.
    pub fn body_vec(mut self, content_type: &[u8], body: &[u8]) -> Vec<u8> {
        if body.is_empty() {
            return self.finish_vec();
        }
        self.header(HeaderName::ContentType, content_type);
        self.end(body)
    }

    /// [`Builder::finish`] for a caller that keeps its buffer.
    pub fn finish_vec(self) -> Vec<u8> {
        self.end(b"")
    }

    fn end(mut self, body: &[u8]) -> Vec<u8> {
        self.out.extend_from_slice(b"Content-Length: ");
        self.out.extend_from_slice(Decimal::new(body.len() as u64).as_bytes());
        self.out.extend_from_slice(b"\r\n\r\n");
        self.out.extend_from_slice(body);
        self.out
    }
}

/// Something that text can be appended to.
pub(crate) trait Text {
    fn push_slice(&mut self, bytes: &[u8]);
}

impl Text for Vec<u8> {
    fn push_slice(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

impl<const N: usize> Text for smallvec::SmallVec<[u8; N]> {
    fn push_slice(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// Appends a URI that cannot leave its place in the start line.
pub(crate) fn push_uri(out: &mut impl Text, uri: &[u8]) {
    if class::run(uri, URI) == uri.len() {
        return out.push_slice(uri);
    }
    for piece in uri.split(|b| *b <= b' ' || *b == 0x7f) {
        out.push_slice(piece);
    }
}

/// Appends a value that cannot leave its line.
#[inline]
pub(crate) fn push_value(out: &mut impl Text, value: &[u8]) {
    // CR, LF and NUL are below; so are a few others, which are rare.
    if eight::all_from(value, 14) { out.push_slice(value) } else { push_folded(out, value) }
}

#[cold]
fn push_folded(out: &mut impl Text, value: &[u8]) {
    let mut rest = value;
    while let Some(cut) = memchr::memchr3(b'\r', b'\n', 0, rest) {
        let fold = byte(rest, cut) == b'\r'
            && byte(rest, cut + 1) == b'\n'
            && matches!(byte(rest, cut + 2), b' ' | b'\t');
        out.push_slice(sub(rest, 0, cut));
        rest = sub(rest, cut + 1, rest.len());
        if fold {
            out.push_slice(b" ");
            let blanks = rest.iter().take_while(|b| is_blank(**b)).count();
            rest = sub(rest, blanks, rest.len());
        }
    }
    out.push_slice(rest);
}
