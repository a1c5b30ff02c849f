//! Nothing that was coined on one leg is seen on the other: Via branch, Contact, Call-ID, tag, Record-Route, SDP origin
//! and address. Agents put their side's mark into every token and have addresses that begin alike, so a leak shows in
//! the bytes; what we coin ourselves is remembered by leg.

use super::Complaints;
use super::seen::Seen;
use crate::agent::Side;
use crate::maps::Map;
use memchr::memmem;
use sip_wire::sdp;
use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

/// Our own tokens, by call and side.
#[derive(Debug, Default)]
pub(super) struct Topology(Map<(usize, Side), BTreeSet<String>>);

impl Topology {
    pub(super) fn sent(&mut self, seen: &Seen<'_>, complaints: &mut Complaints) {
        let Some(side) = side_of(seen.peer) else { return };
        let bytes = seen.message.bytes();
        let other = side.other();
        for token in [other.mark(), other.prefix()] {
            if memmem::find(bytes, token.as_bytes()).is_some() {
                complaints.add(seen.at, seen.call, "topology", format!("{} shows {token}", seen.line()));
            }
        }
        let Some(call) = seen.call else { return };
        for token in self.0.get(&(call, other)).into_iter().flatten() {
            if memmem::find(bytes, token.as_bytes()).is_some() {
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
    let IpAddr::V4(ip) = peer.ip() else { return None };
    [Side::Carrier, Side::Tier].into_iter().find(|side| ip.octets().starts_with(&side.network()))
}
