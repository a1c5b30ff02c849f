//! Nothing that was coined on one leg is seen on the other: Via branch, Contact, Call-ID, tag, Record-Route, SDP origin
//! and address. Agents put their side's mark into every token and have addresses that begin alike, so a leak shows in
//! the bytes; what we coin ourselves is remembered by leg.

use super::Complaints;
use super::seen::Seen;
use crate::agent::Side;
use crate::maps::Map;
use memmem::contains;
use sip_wire::sdp;
use std::collections::BTreeSet;
use std::net::SocketAddr;

/// Our own tokens, by call and side.
#[derive(Debug, Default)]
pub(super) struct Topology(Map<(usize, Side), BTreeSet<String>>);

impl Topology {
    pub(super) fn sent(&mut self, seen: &Seen<'_>, complaints: &mut Complaints) {
        let Some(side) = side_of(seen.peer) else { return };
        let bytes = seen.message.bytes();
        let other = side.other();
        for token in [other.mark(), other.prefix()] {
            if contains(bytes, token.as_bytes()) {
                complaints.add(seen.at, seen.call, "topology", format!("{} shows {token}", seen.line()));
            }
        }
        let Some(call) = seen.call else { return };
        for token in self.0.get(&(call, other)).into_iter().flatten() {
            if contains(bytes, token.as_bytes()) {
                let text = format!("{} shows our token {token} of the other leg", seen.line());
                complaints.add(seen.at, seen.call, "topology", text);
            }
        }
        self.0.entry((call, side)).or_default().extend(own_tokens(seen));
    }
}

/// What we coined for this leg and this message shows.
fn own_tokens(seen: &Seen<'_>) -> Vec<String> {
    let mut tokens = Vec::new();
    match seen.code {
        None => {
            tokens.push(seen.from_tag.clone());
            tokens.push(seen.branch.clone());
            if seen.begins() {
                tokens.push(seen.call_id.clone());
            }
        }
        Some(_) => tokens.push(seen.to_tag.clone()),
    }
    let origin = sdp::find(seen.message).and_then(|body| sdp::Session::parse(body).ok()).map(|s| s.origin);
    let session = origin.and_then(|o| o.split(|b| *b == b' ').nth(1)).unwrap_or_default();
    tokens.push(String::from_utf8_lossy(session).into_owned());
    tokens.retain(|token| token.len() > 6);
    tokens
}

/// Whose address it is.
pub(super) fn side_of(peer: SocketAddr) -> Option<Side> {
    let text = peer.to_string();
    [Side::Carrier, Side::Tier].into_iter().find(|side| text.starts_with(side.prefix()))
}

mod memmem {
    /// Whether `needle` is in `haystack`.
    pub(super) fn contains(haystack: &[u8], needle: &[u8]) -> bool {
        let Some(first) = needle.first() else { return false };
        let mut rest = haystack;
        while let Some(at) = rest.iter().position(|byte| byte == first) {
            rest = &rest[at..];
            if rest.starts_with(needle) {
                return true;
            }
            rest = &rest[1..];
        }
        false
    }
}
