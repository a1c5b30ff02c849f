//! The table: what is sent in one message, and what comes of it over UDP and over TCP.
//!
//! A row is a sound message with one thing changed. In its text `«at»` is the sender's address and port, `«ip»` the
//! address alone, `«t»` the transport, `«id»` a word of the row's own, and `«len»` the length of the body.

mod bodies;
mod callers;
mod descriptions;
mod heads;
mod numbers;
mod uris;

use std::net::SocketAddr;

/// What a row leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Nothing comes back.
    Silence,
    /// A final response.
    Code(u16),
    /// It is good enough to become a call: the edge is asked, and says 486.
    Rings,
    /// The connection is closed: where the next message begins cannot be known.
    Closed,
}

pub(crate) struct Row {
    pub(crate) name: String,
    head: Vec<u8>,
    body: Vec<u8>,
    pub(crate) over_udp: Outcome,
    pub(crate) over_tcp: Outcome,
}

/// A question without a body.
pub(crate) const OPTIONS: &str = "OPTIONS sip:+4930@127.0.0.1 SIP/2.0\r\n\
    Via: SIP/2.0/«t» «at»;branch=z9hG4bK«id»;rport\r\nFrom: <sip:x@«at»>;tag=f«id»\r\nTo: <sip:y@127.0.0.1>\r\n\
    Call-ID: «id»\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nSubject: x\r\nContent-Length: «len»\r\n\r\n";

/// A call with a description.
pub(crate) const INVITE: &str = "INVITE sip:+4930@127.0.0.1 SIP/2.0\r\n\
    Via: SIP/2.0/«t» «at»;branch=z9hG4bK«id»;rport\r\nFrom: <sip:+4917@«at»>;tag=f«id»\r\nTo: <sip:+4930@127.0.0.1>\r\n\
    Call-ID: «id»\r\nCSeq: 1 INVITE\r\nMax-Forwards: 70\r\nContact: <sip:c@«at»>\r\nSubject: x\r\n\
    Content-Type: application/sdp\r\nContent-Length: «len»\r\n\r\n";

pub(crate) const SDP: &str = "v=0\r\no=- 1 1 IN IP4 «ip»\r\ns=-\r\nc=IN IP4 «ip»\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0 101\r\n\
    a=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n";

impl Row {
    fn new(name: &str, head: Vec<u8>, body: Vec<u8>, outcome: Outcome) -> Self {
        Self { name: name.to_owned(), head, body, over_udp: outcome, over_tcp: outcome }
    }

    /// An OPTIONS with `instead` in the place of `part`.
    fn options(name: &str, part: &str, instead: impl AsRef<[u8]>, outcome: Outcome) -> Self {
        Self::new(name, replaced(OPTIONS.as_bytes(), part, instead.as_ref()), Vec::new(), outcome)
    }

    /// An INVITE with `instead` in the place of `part`.
    fn invite(name: &str, part: &str, instead: impl AsRef<[u8]>, outcome: Outcome) -> Self {
        Self::new(name, replaced(INVITE.as_bytes(), part, instead.as_ref()), SDP.into(), outcome)
    }

    /// An INVITE whose description has `instead` in the place of `part`.
    fn sdp(name: &str, part: &str, instead: impl AsRef<[u8]>, outcome: Outcome) -> Self {
        Self::new(name, INVITE.into(), replaced(SDP.as_bytes(), part, instead.as_ref()), outcome)
    }

    /// An INVITE with another body of another type.
    fn body(name: &str, kind: &str, body: impl Into<Vec<u8>>, outcome: Outcome) -> Self {
        let head = replaced(INVITE.as_bytes(), "application/sdp", kind.as_bytes());
        Self::new(name, head, body.into(), outcome)
    }

    fn over_tcp(mut self, outcome: Outcome) -> Self {
        self.over_tcp = outcome;
        self
    }

    /// The bytes as they are sent from here.
    pub(crate) fn bytes(&self, at: SocketAddr, transport: &str, id: &str) -> Vec<u8> {
        fill(&self.head, &self.body, at, transport, id)
    }
}

/// A message with every mark replaced.
pub(crate) fn fill(head: &[u8], body: &[u8], at: SocketAddr, transport: &str, id: &str) -> Vec<u8> {
    let (at, ip) = (at.to_string(), at.ip().to_string());
    let marks = |text: &[u8], length: &str| {
        let words = [("«at»", &*at), ("«ip»", &*ip), ("«t»", transport), ("«id»", id), ("«len»", length)];
        words.into_iter().fold(text.to_vec(), |text, (mark, word)| each(&text, mark, word.as_bytes()))
    };
    let body = marks(body, "");
    let mut message = marks(head, &body.len().to_string());
    message.extend_from_slice(&body);
    message
}

/// Every occurrence replaced.
fn each(text: &[u8], part: &str, instead: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = find(rest, part) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(instead);
        rest = &rest[at + part.len()..];
    }
    out.extend_from_slice(rest);
    out
}

/// The first occurrence replaced.
fn replaced(text: &[u8], part: &str, instead: &[u8]) -> Vec<u8> {
    let at = find(text, part).unwrap_or_else(|| panic!("a row changes what is there, not {part:?}"));
    [&text[..at], instead, &text[at + part.len()..]].concat()
}

fn find(text: &[u8], part: &str) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part.as_bytes())
}

/// The whole table.
pub(crate) fn all() -> Vec<Row> {
    [heads::rows(), numbers::rows(), uris::rows(), callers::rows(), bodies::rows(), descriptions::rows()]
        .into_iter()
        .flatten()
        .collect()
}
