//! What is known of a call's signalling, as it may be shown: the one place that `bascule trace` and others ask.

use super::history::Message;
use crate::limits::TRACE_BYTES;
use crate::shared::Shared;
use serde::{Deserialize, Serialize};
use std::fmt::Write;
use std::net::SocketAddr;

/// The messages of a call, both legs in order of time, redacted as the configuration says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traced {
    /// As it was asked for.
    pub call_id: String,
    /// Oldest first; none: nothing is known of the call any more.
    pub messages: Vec<TracedMessage>,
    /// There are more than are told.
    pub cut: bool,
}

/// A message that came or went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TracedMessage {
    /// When, RFC 3339 in UTC.
    pub at: String,
    /// The same in microseconds since 1970.
    pub at_us: u64,
    /// Our address.
    pub us: SocketAddr,
    /// The other's.
    pub peer: SocketAddr,
    /// `UDP`, `TCP` or `TLS`.
    pub transport: String,
    /// We sent it.
    pub sent: bool,
    /// The message. Bytes that are no UTF-8 are shown as such.
    pub text: String,
    /// All of it in hexadecimal, where `text` cannot say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hex: Option<String>,
}

impl TracedMessage {
    /// As it was on the wire, but for what is redacted.
    pub fn bytes(&self) -> Vec<u8> {
        let Some(hex) = &self.hex else { return self.text.clone().into_bytes() };
        let digits = hex.as_bytes().chunks(2);
        digits.filter_map(|two| u8::from_str_radix(std::str::from_utf8(two).ok()?, 16).ok()).collect()
    }
}

/// What is kept of the call with this Call-ID on either leg; `None` where nothing is kept of any.
pub(crate) fn trace(shared: &Shared, call_id: &str) -> Option<Traced> {
    let history = shared.signalling.as_ref()?;
    let ladder = history.ladder(call_id);
    let (mut bytes, mut cut, mut messages) = (0, ladder.cut, Vec::new());
    let snapshot = shared.snapshot.load();
    for Message { at, peer, sent, bytes: message } in ladder.messages {
        bytes += message.len();
        if bytes > TRACE_BYTES {
            cut = true;
            break;
        }
        let message = history.redaction().apply(&message).into_owned();
        let (text, hex) = match String::from_utf8(message) {
            Ok(text) => (text, None),
            Err(error) => {
                (String::from_utf8_lossy(error.as_bytes()).into_owned(), Some(hex(error.as_bytes())))
            }
        };
        let us = snapshot.config.listeners.get(peer.listener.index()).map_or(peer.remote, |l| l.bind);
        messages.push(TracedMessage {
            at: shared.clock.rfc3339(at),
            at_us: u64::try_from(shared.clock.wall(at).as_micros()).unwrap_or(u64::MAX),
            us,
            peer: peer.remote,
            transport: peer.transport.as_str().to_owned(),
            sent,
            text,
            hex,
        });
    }
    Some(Traced { call_id: call_id.to_owned(), messages, cut })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing into a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
