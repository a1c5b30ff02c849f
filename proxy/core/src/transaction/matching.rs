//! Which server transaction a request belongs to (RFC 3261 §17.2.3).
//!
//! Peers choose what is compared, so it is hashed with a seed of ours and compared byte by byte.

use foldhash::fast::FixedState;
use sip_wire::{HeaderName, Message, Method, Via};
use std::hash::BuildHasher;

/// What is compared, spelled out as bytes: everything but the method, then the method. The method comes last so that a
/// CANCEL's key becomes its INVITE's by a change of tail.
#[derive(Debug, Default)]
pub(super) struct MatchKey {
    bytes: Vec<u8>,
    method_at: usize,
}

/// First byte: by which rules the key was made.
const RFC3261: u8 = 1;
const RFC2543: u8 = 2;

impl MatchKey {
    /// Makes this the key of a request with this top Via; `None` if the request cannot be matched by anything. An ACK gets the key of
    /// the INVITE that it acknowledges.
    pub(super) fn set(&mut self, request: &Message, via: &Via<'_>) -> Option<()> {
        let method = if request.method() == Method::Ack { Method::Invite } else { request.method() };
        if self.set_branch(via, method).is_some() {
            return Some(());
        }
        self.bytes.clear();
        self.bytes.push(RFC2543);
        self.push(request.uri());
        self.push(request.values(HeaderName::Via).next()?);
        self.push(request.call_id().ok()?);
        self.push(request.from().ok()?.tag().unwrap_or_default());
        self.bytes.extend_from_slice(&request.cseq().ok()?.number.to_be_bytes());
        self.method_at = self.bytes.len();
        self.set_method(method);
        Some(())
    }

    /// The same of the top Via alone; `None` where its branch is none by RFC 3261.
    pub(super) fn set_branch(&mut self, via: &Via<'_>, method: Method<'_>) -> Option<()> {
        let branch = via.rfc3261_branch()?;
        self.bytes.clear();
        self.bytes.push(RFC3261);
        self.push(branch);
        self.push(via.host);
        // Host names in any case name the same host.
        let host_at = self.bytes.len() - via.host.len();
        if let Some(host) = self.bytes.get_mut(host_at..) {
            host.make_ascii_lowercase();
        }
        self.bytes.extend_from_slice(&via.port.unwrap_or(5060).to_be_bytes());
        self.method_at = self.bytes.len();
        self.set_method(method);
        Some(())
    }

    /// The same key for another method: the CANCEL's for its INVITE.
    pub(super) fn set_method(&mut self, method: Method<'_>) {
        self.bytes.truncate(self.method_at);
        self.bytes.extend_from_slice(method.as_bytes());
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// A field with its length before it, so that no two lists of fields spell the same bytes.
    fn push(&mut self, field: &[u8]) {
        // A message has at most 65,535 bytes, so the length is exact.
        let length = u16::try_from(field.len()).unwrap_or(u16::MAX);
        self.bytes.extend_from_slice(&length.to_be_bytes());
        self.bytes.extend_from_slice(field);
    }
}

/// Hashes keys with a seed.
#[derive(Debug, Clone)]
pub(super) struct KeyHasher(FixedState);

impl KeyHasher {
    pub(super) fn new(seed: u64) -> Self {
        Self(FixedState::with_seed(seed))
    }

    pub(super) fn hash(&self, key: &[u8]) -> u64 {
        self.0.hash_one(key)
    }
}
