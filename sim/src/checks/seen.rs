//! A message as the rules look at it.

use relay_values::Time;
use sip_wire::{HeaderName, Message, Method, sdp};
use std::net::SocketAddr;

/// A message that crossed our border, either way.
#[derive(Debug)]
pub(super) struct Seen<'m> {
    pub(super) at: Time,
    pub(super) call: Option<usize>,
    /// The other end.
    pub(super) peer: SocketAddr,
    pub(super) message: &'m Message,
    /// Of the request, or that the response answers.
    pub(super) method: Method<'m>,
    /// `None`: a request.
    pub(super) code: Option<u16>,
    /// Of the top Via.
    pub(super) branch: String,
    pub(super) call_id: String,
    pub(super) cseq: u32,
    pub(super) from_tag: String,
    /// Empty: none.
    pub(super) to_tag: String,
    pub(super) has_sdp: bool,
}

impl<'m> Seen<'m> {
    pub(super) fn new(at: Time, call: Option<usize>, peer: SocketAddr, message: &'m Message) -> Option<Self> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Some(Self {
            at,
            call,
            peer,
            message,
            method: message.method(),
            code: message.code(),
            branch: text(message.top_via().ok()?.branch?),
            call_id: text(message.call_id().ok()?),
            cseq: message.cseq().ok()?.number,
            from_tag: message.from().ok()?.tag().map(text).unwrap_or_default(),
            to_tag: message.to().ok()?.tag().map(text).unwrap_or_default(),
            has_sdp: sdp::find(message).is_some(),
        })
    }

    /// A request outside of every dialog.
    pub(super) fn begins(&self) -> bool {
        self.code.is_none() && self.to_tag.is_empty()
    }

    /// Its Reason is that the call goes on elsewhere.
    pub(super) fn says_moved(&self) -> bool {
        let moved = |reason: &[u8]| reason.ends_with(b"\"rehomed\"") || reason.ends_with(b"\"moved\"");
        self.message.values(HeaderName::Reason).any(moved)
    }

    /// An INVITE, or a response to one.
    pub(super) fn is_invite(&self) -> bool {
        self.method == Method::Invite
    }

    /// A 2xx.
    pub(super) fn is_success(&self) -> bool {
        self.code.is_some_and(|code| (200..300).contains(&code))
    }

    /// A final response.
    pub(super) fn is_final(&self) -> bool {
        self.code.is_some_and(|code| code >= 200)
    }

    /// In a line.
    pub(super) fn line(&self) -> String {
        let method = String::from_utf8_lossy(self.method.as_bytes()).into_owned();
        match self.code {
            Some(code) => format!("{code} to {method} {} ({})", self.cseq, self.branch),
            None => format!("{method} {} ({})", self.cseq, self.branch),
        }
    }
}
