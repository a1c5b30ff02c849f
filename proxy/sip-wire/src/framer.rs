//! Messages out of a byte stream (RFC 3261 §18.3), with CRLF keep-alives (RFC 5626 §3.5.1).

use crate::fault::{RejectReason, reasons};
use crate::header::HeaderName;
use crate::lex::{byte, sub};
use crate::limits::MAX_MESSAGE;
use crate::lines::{Lines, split};
use crate::scan::content_length;
use bytes::{Buf, Bytes, BytesMut};

/// What a stream carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// One message's bytes, for [`Message::parse`](crate::Message::parse).
    Message(Bytes),
    /// CRLF CRLF: answer with CRLF.
    Ping,
    /// CRLF: the answer to our ping, or a harmless line end before a message.
    Pong,
}

reasons! {
    /// Why a stream cannot be read any further: where its next message starts is unknown. Close the connection.
    FrameError {
        /// Start line and headers are longer than a message may be.
        HeadTooLong = "head_too_long",
        /// Head and body are longer than a message may be.
        MessageTooLong = "message_too_long",
        /// No Content-Length, which streams need (RFC 3261 §18.3).
        NoContentLength = "no_content_length",
        /// A Content-Length that is no number, or two that differ.
        ContentLength = "content_length",
    }
}

/// Cuts a stream into messages. Feed it what was read, then take frames until there is none.
///
/// Each byte is looked at once, however small the pieces. It holds at most one unfinished message
/// ([`MAX_MESSAGE`](crate::limits::MAX_MESSAGE)) and what the last `push` brought.
///
/// Messages and pings do not depend on how the stream was cut into pieces. A ping that arrives in two halves is seen as
/// [`Frame::Pong`], then [`Frame::Ping`]: waiting for a second half would leave a true pong unnoticed.
#[derive(Debug, Default)]
pub struct Framer {
    buffer: BytesMut,
    state: State,
}

#[derive(Debug, Default)]
enum State {
    /// Between messages; `half` when the last thing seen was a lone CRLF that may turn out to be half a ping.
    Between { half: bool },
    /// Inside a head; up to `seen` it holds no empty line.
    Head { seen: usize },
    /// The whole message has `total` bytes.
    Body { total: usize },
    /// After an error.
    #[default]
    Closed,
}

impl Framer {
    /// At the start of a stream.
    pub fn new() -> Framer {
        Framer { buffer: BytesMut::new(), state: State::Between { half: false } }
    }

    /// More bytes. After an error they are forgotten.
    pub fn push(&mut self, bytes: &[u8]) {
        if !matches!(self.state, State::Closed) {
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// The next frame; `None` when more bytes are needed, and for ever after an error.
    #[expect(clippy::should_implement_trait, reason = "None is not the end: a push may bring more")]
    pub fn next(&mut self) -> Option<Result<Frame, FrameError>> {
        loop {
            match self.state {
                State::Closed => return None,
                State::Between { half } => match self.between(half) {
                    Step::Frame(frame) => return Some(Ok(frame)),
                    Step::Wait => return None,
                    Step::Message => self.state = State::Head { seen: 0 },
                },
                State::Head { seen } => match self.head(seen)? {
                    Ok(total) => self.state = State::Body { total },
                    Err(error) => {
                        self.state = State::Closed;
                        self.buffer = BytesMut::new();
                        return Some(Err(error));
                    }
                },
                State::Body { total } => {
                    if self.buffer.len() < total {
                        return None;
                    }
                    self.state = State::Between { half: false };
                    return Some(Ok(Frame::Message(self.buffer.split_to(total).freeze())));
                }
            }
        }
    }

    /// How many bytes wait for more.
    pub fn pending(&self) -> usize {
        self.buffer.len()
    }

    fn between(&mut self, half: bool) -> Step {
        let (frame, used, half) = match &*self.buffer {
            [b'\r', b'\n', ..] if half => (Frame::Ping, 2, false),
            [b'\r', b'\n', b'\r', b'\n', ..] => (Frame::Ping, 4, false),
            // The second half may be on its way, but a lone CRLF must not wait for it.
            [b'\r', b'\n'] => (Frame::Pong, 2, true),
            // Three bytes of four: whether it is a ping is known with the next.
            [] | [b'\r'] | [b'\r', b'\n', b'\r'] => return Step::Wait,
            [b'\r', b'\n', ..] => (Frame::Pong, 2, false),
            _ => return Step::Message,
        };
        self.buffer.advance(used);
        self.state = State::Between { half };
        Step::Frame(frame)
    }

    /// The message's length once its head is complete.
    fn head(&mut self, seen: usize) -> Option<Result<usize, FrameError>> {
        // An empty line may have begun in what was seen already.
        let from = seen.saturating_sub(3);
        match memchr::memmem::find(sub(&self.buffer, from, self.buffer.len()), b"\r\n\r\n") {
            Some(at) if from + at + 4 <= MAX_MESSAGE => Some(total(sub(&self.buffer, 0, from + at + 4))),
            None if self.buffer.len() < MAX_MESSAGE => {
                self.state = State::Head { seen: self.buffer.len() };
                None
            }
            _ => Some(Err(FrameError::HeadTooLong)),
        }
    }
}

enum Step {
    Frame(Frame),
    Message,
    Wait,
}

/// Head and body together.
fn total(head: &[u8]) -> Result<usize, FrameError> {
    let mut length = Ok(None);
    let mut lines = Lines::new(head);
    lines.next();
    while lines.at < head.len() {
        let text = lines.next().text;
        if matches!(byte(text, 0) | 0x20, b'c' | b'l')
            && let Ok((HeaderName::ContentLength, _, value)) = split(text)
        {
            length = content_length(value, length);
        }
    }
    let body =
        length.map_err(|_: RejectReason| FrameError::ContentLength)?.ok_or(FrameError::NoContentLength)?;
    let total = usize::try_from(body).ok().and_then(|body| body.checked_add(head.len()));
    total.filter(|total| *total <= MAX_MESSAGE).ok_or(FrameError::MessageTooLong)
}
