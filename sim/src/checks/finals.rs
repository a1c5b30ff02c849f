//! An INVITE gets one final response from us, repeated byte by byte, and no provisional one after it (RFC 3261 §17.2.1).

use super::Complaints;
use super::seen::Seen;
use bytes::Bytes;
use std::collections::HashMap;

/// What each INVITE that we received was answered with.
#[derive(Debug, Default)]
pub(super) struct Finals(HashMap<(String, String), Bytes>);

impl Finals {
    pub(super) fn sent(&mut self, seen: &Seen<'_>, complaints: &mut Complaints) {
        let (true, Some(code)) = (seen.is_invite(), seen.code) else { return };
        let key = (seen.peer.to_string(), seen.branch.clone());
        match self.0.get(&key) {
            None if code >= 200 => {
                self.0.insert(key, seen.message.bytes().clone());
            }
            None => {}
            Some(_) if code < 200 => {
                complaints.add(seen.at, seen.call, "finals", format!("{} after a final response", seen.line()));
            }
            Some(first) if first != seen.message.bytes() => {
                let text = format!("{} is not what was answered before", seen.line());
                complaints.add(seen.at, seen.call, "finals", text);
            }
            Some(_) => {}
        }
    }
}
