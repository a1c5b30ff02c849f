//! What the crate promises, one story at a time.

mod building;
mod framing;
mod keys;
mod limits;
mod names;
mod sdp_agreed;
mod sdp_anchor;
mod sdp_fits;
mod sdp_reading;
mod sdp_session;
mod splicing;
mod uris;

use bytes::Bytes;
use sip_wire::Message;

/// A message from text with plain line ends.
pub(crate) fn message(text: &str) -> Message {
    Message::parse(crlf(text)).unwrap()
}

pub(crate) fn crlf(text: &str) -> Bytes {
    Bytes::from(text.replace('\n', "\r\n"))
}
