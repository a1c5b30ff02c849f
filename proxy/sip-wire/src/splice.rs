//! Rewriting a message by splicing new text between untouched spans.

use crate::builder::{push_uri, push_value};
use crate::header::HeaderName;
use crate::lex::{Decimal, sub};
use crate::limits::INLINE_TEXT;
use crate::message::Message;
use crate::scan::{Entry, Span, Start};
use crate::values::Values;
use bytes::Bytes;
use smallvec::SmallVec;

/// Edits over a [`Message`], written out in one go. What no edit names is copied byte for byte, folds and all.
///
/// Positions are those of the original: edits do not see each other. Where two meet, the one that starts first in the
/// message wins. A value cannot leave its line, as with [`Builder`](crate::Builder).
///
/// One hop of a proxy (two allocations at most: the output, and the text when it is long):
///
/// ```
/// use sip_wire::{HeaderName, Message, Splice};
/// # let bytes = bytes::Bytes::from_static(b"OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP c;branch=z9hG4bK1\r\nRoute: <sip:p;lr>\r\nMax-Forwards: 70\r\n\r\n");
/// let message = Message::parse(bytes).unwrap();
/// let hops = message.max_forwards().unwrap().unwrap_or(70);
/// let mut splice = Splice::new(&message);
/// splice.set_uri(b"sip:a@192.0.2.7").push_via(b"SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK2");
/// splice.set_number(HeaderName::MaxForwards, u64::from(hops - 1)).remove_first_value(HeaderName::Route);
/// let out = splice.finish();
/// # assert_eq!(&out[..], b"OPTIONS sip:a@192.0.2.7 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK2\r\nVia: SIP/2.0/UDP c;branch=z9hG4bK1\r\nMax-Forwards: 69\r\n\r\n");
/// ```
#[derive(Debug)]
pub struct Splice<'m> {
    message: &'m Message,
    edits: SmallVec<[Edit; 16]>,
    text: SmallVec<[u8; INLINE_TEXT]>,
    body: Option<&'m [u8]>,
}

/// The original's `from..to` becomes `text`.
#[derive(Debug, Clone, Copy)]
struct Edit {
    from: u16,
    to: u16,
    text: (u32, u32),
}

impl<'m> Splice<'m> {
    /// No edit yet.
    pub fn new(message: &'m Message) -> Splice<'m> {
        Splice { message, edits: SmallVec::new(), text: SmallVec::new(), body: None }
    }

    /// Replaces the request URI; nothing for a response.
    pub fn set_uri(&mut self, uri: &[u8]) -> &mut Self {
        if let Start::Request { uri: span, .. } = self.message.index().start {
            let from = self.text.len();
            push_uri(&mut self.text, uri);
            self.edit(span, from);
        }
        self
    }

    /// A new line before the first with this name; when there is none, before all headers.
    pub fn insert_before_first(&mut self, name: HeaderName, value: &[u8]) -> &mut Self {
        let first = self.entries().find(|(_, e)| e.id == name);
        let at = first.map_or(self.message.index().first, |(_, e)| e.name.start);
        self.insert(at, name, value)
    }

    /// A new top Via.
    pub fn push_via(&mut self, value: &[u8]) -> &mut Self {
        self.insert_before_first(HeaderName::Via, value)
    }

    /// A new line behind all headers.
    pub fn append(&mut self, name: HeaderName, value: &[u8]) -> &mut Self {
        self.insert(self.message.index().head_end, name, value)
    }

    /// Replaces the value of the first line with this name (in place, its name as written); whether there is one.
    pub fn replace_value(&mut self, name: HeaderName, value: &[u8]) -> bool {
        let Some((at, _)) = self.entries().find(|(_, e)| e.id == name) else { return false };
        self.replace_line(at, value)
    }

    /// Replaces the value of header line `at`, counted from 0 over [`Message::all`]; whether there is one.
    pub fn replace_line(&mut self, at: usize, value: &[u8]) -> bool {
        let Some(entry) = self.message.entries().get(at) else { return false };
        let from = self.text.len();
        if entry.value.start == entry.value.end {
            // An empty value has no place of its own; what stands after the colon is blanks.
            self.text.push(b' ');
        }
        push_value(&mut self.text, value);
        self.edit(entry.value, from);
        true
    }

    /// Replaces the first line's value, or appends the header.
    pub fn set(&mut self, name: HeaderName, value: &[u8]) -> &mut Self {
        if !self.replace_value(name, value) {
            self.append(name, value);
        }
        self
    }

    /// [`Splice::set`] with a number.
    pub fn set_number(&mut self, name: HeaderName, value: u64) -> &mut Self {
        self.set(name, Decimal::new(value).as_bytes())
    }

    /// Removes the first value of a header that is not removed yet, with its line when it is the only one there.
    pub fn remove_first_value(&mut self, name: HeaderName) -> &mut Self {
        let message = self.message;
        let bytes = message.bytes();
        for (at, entry) in message.entries().iter().enumerate().filter(|(_, e)| e.id == name) {
            let mut values = Values::new(message.slice(entry.value), name.is_list())
                .map(|v| Span::of(bytes, v))
                .peekable();
            let mut first = true;
            while let Some(value) = values.next() {
                if !self.is_edited(value) {
                    match values.peek() {
                        Some(next) => self.cut(value.start, next.start),
                        None if first => self.cut_line(at),
                        // The last of several, the others gone already: the line goes, if they went by our own hand.
                        None => self.cut_rest(at, entry.value),
                    }
                    return self;
                }
                first = false;
            }
        }
        self
    }

    /// Removes every line with this name.
    pub fn remove_all(&mut self, name: HeaderName) -> &mut Self {
        for (at, entry) in self.message.entries().iter().enumerate() {
            if entry.id == name {
                self.cut_line(at);
            }
        }
        self
    }

    /// Replaces the body; Content-Length follows. Content-Type is the caller's.
    pub fn set_body(&mut self, body: &'m [u8]) -> &mut Self {
        self.body = Some(body);
        self.remove_all(HeaderName::ContentLength);
        self.insert_number(HeaderName::ContentLength, body.len() as u64)
    }

    /// The new message.
    pub fn finish(mut self) -> Bytes {
        self.edits.sort_by_key(|edit| (edit.from, edit.to));
        let bytes = self.message.bytes();
        let (_, head_end) = Span { start: 0, end: self.message.index().head_end }.range();
        let body = self.body.unwrap_or_else(|| self.message.body_bytes());
        // Where two edits meet, the later one goes.
        let mut at = 0;
        self.edits.retain(|edit| {
            let keep = edit.from >= at;
            at = if keep { edit.to } else { at };
            keep
        });
        let grown: usize = self.edits.iter().map(Edit::len).sum();
        let cut: usize = self.edits.iter().map(|edit| usize::from(edit.to - edit.from)).sum();
        // Exact, so that the vector becomes `Bytes` without a further allocation.
        let mut out = Vec::with_capacity((head_end + grown + 2 + body.len()).saturating_sub(cut));
        let mut at = 0;
        for edit in &self.edits {
            out.extend_from_slice(sub(bytes, at, usize::from(edit.from)));
            out.extend_from_slice(sub(&self.text, edit.text.0 as usize, edit.text.1 as usize));
            at = usize::from(edit.to);
        }
        out.extend_from_slice(sub(bytes, at, head_end));
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(body);
        Bytes::from(out)
    }

    fn entries(&self) -> impl Iterator<Item = (usize, &'m Entry)> {
        self.message.entries().iter().enumerate()
    }

    fn insert(&mut self, at: u16, name: HeaderName, value: &[u8]) -> &mut Self {
        if name != HeaderName::Other {
            let from = self.text.len();
            self.text.extend_from_slice(name.as_bytes());
            self.text.extend_from_slice(b": ");
            push_value(&mut self.text, value);
            self.text.extend_from_slice(b"\r\n");
            self.edit(Span { start: at, end: at }, from);
        }
        self
    }

    fn insert_number(&mut self, name: HeaderName, value: u64) -> &mut Self {
        self.insert(self.message.index().head_end, name, Decimal::new(value).as_bytes())
    }

    /// `span` becomes the text from `from` on.
    fn edit(&mut self, span: Span, from: usize) {
        let at = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        self.edits.push(Edit { from: span.start, to: span.end, text: (at(from), at(self.text.len())) });
    }

    fn cut(&mut self, start: u16, end: u16) {
        self.edit(Span { start, end }, self.text.len());
    }

    fn cut_line(&mut self, at: usize) {
        let entries = self.message.entries();
        let Some(entry) = entries.get(at) else { return };
        let end = entries.get(at + 1).map_or(self.message.index().head_end, |next| next.name.start);
        self.cut(entry.name.start, end);
    }

    /// Cuts what is left of a line whose earlier values were edited: all of it when they were cut.
    fn cut_rest(&mut self, at: usize, value: Span) {
        let inside = |edit: &Edit| edit.from >= value.start && edit.to <= value.end && edit.from < edit.to;
        if self.edits.iter().filter(|edit| inside(edit)).all(|edit| edit.len() == 0) {
            self.edits.retain(|edit| !inside(edit));
            self.cut_line(at);
        }
    }

    fn is_edited(&self, span: Span) -> bool {
        self.edits.iter().any(|edit| edit.from < span.end && span.start < edit.to)
    }
}

impl Edit {
    fn len(&self) -> usize {
        (self.text.1 - self.text.0) as usize
    }
}
