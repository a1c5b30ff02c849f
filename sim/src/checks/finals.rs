//! An INVITE gets one final response from us, repeated byte by byte, and no provisional one after it (RFC 3261 §17.2.1).

use super::Complaints;
use super::seen::Seen;
use crate::maps::Map;
use bytes::Bytes;
use relay_values::{Duration, Time};

/// What each INVITE that we received was answered with.
#[derive(Debug)]
pub(super) struct Finals {
    /// 64*T1, after which the transaction is forgotten and a repeated INVITE is a new one.
    lifetime: Duration,
    first: Map<(String, String), (Time, Bytes)>,
}

impl Finals {
    pub(super) fn new(lifetime: Duration) -> Self {
        Self { lifetime, first: Map::default() }
    }

    pub(super) fn sent(&mut self, seen: &Seen<'_>, complaints: &mut Complaints) {
        let (true, Some(code)) = (seen.is_invite(), seen.code) else { return };
        let key = (seen.peer.to_string(), seen.branch.clone());
        let lifetime = self.lifetime;
        let known = self.first.get(&key).filter(|(at, _)| seen.at.since(*at) < lifetime);
        match known.map(|(_, bytes)| bytes) {
            None if code >= 200 => {
                self.first.insert(key, (seen.at, seen.message.bytes().clone()));
            }
            None => {}
            Some(_) if code < 200 => {
                complaints.add(
                    seen.at,
                    seen.call,
                    "finals",
                    format!("{} after a final response", seen.line()),
                );
            }
            Some(first) if first != seen.message.bytes() => {
                let text = format!("{} is not what was answered before", seen.line());
                complaints.add(seen.at, seen.call, "finals", text);
            }
            Some(_) => {}
        }
    }
}
