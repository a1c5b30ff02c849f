//! Which shard a message belongs to, decided before it is parsed.

use crate::ids::{LocalTag, unhex};
use core::hash::{BuildHasher, Hasher};

/// Whom a message belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OwnerOf {
    /// A signalling shard.
    Shard(u8),
    /// The health core: an answer to one of its probes, or of its REGISTERs.
    Health,
    /// Nobody: not SIP, or a response to nothing of ours.
    Garbage,
}

/// The magic cookie that starts every branch (RFC 3261 §8.1.1.7).
const COOKIE: &[u8] = b"z9hG4bK";

/// Finds the owner of a message among `shards` shards.
///
/// Responses carry our branch; requests inside a dialog carry our tag in To. What begins something new goes by its
/// Call-ID, and so does CANCEL, which repeats the Call-ID of its INVITE and has no tag of ours.
pub fn owner(bytes: &[u8], shards: u8) -> OwnerOf {
    let in_range = |shard: u64| u8::try_from(shard).ok().filter(|s| *s < shards).map(OwnerOf::Shard);
    if let Some((_, branch)) = sip_wire::peek_answer(bytes) {
        let Some(rest) = branch.strip_prefix(COOKIE) else { return OwnerOf::Garbage };
        return match rest.split_first() {
            // Probes and REGISTERs.
            Some((b'h' | b'r', _)) => OwnerOf::Health,
            Some((b'b', rest)) => {
                rest.get(..2).and_then(unhex).and_then(in_range).unwrap_or(OwnerOf::Garbage)
            }
            _ => OwnerOf::Garbage,
        };
    }
    let Some(keys) = sip_wire::peek(bytes).filter(|keys| keys.is_request) else { return OwnerOf::Garbage };
    let by_tag = keys.to_tag.and_then(LocalTag::decode).and_then(|(shard, ..)| in_range(u64::from(shard)));
    by_tag.unwrap_or_else(|| OwnerOf::Shard(by_call_id(keys.call_id, shards)))
}

fn by_call_id(call_id: &[u8], shards: u8) -> u8 {
    let mut hasher = foldhash::fast::FixedState::with_seed(0).build_hasher();
    hasher.write(call_id);
    u8::try_from(hasher.finish() % u64::from(shards.max(1))).unwrap_or(0)
}
