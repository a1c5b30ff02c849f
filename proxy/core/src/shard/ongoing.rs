//! INVITEs that have become calls here, by what a second copy of one repeats on its way through another proxy (RFC 3261
//! §8.2.2.2).

use core::hash::{BuildHasher, Hash, Hasher};
use foldhash::fast::FixedState;
use hashbrown::HashSet;
use sip_wire::Message;

/// From tag, Call-ID and CSeq number of a request, hashed with a seed of ours: nobody can choose whose call his own
/// request would be taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Origin(u64);

/// The INVITEs of the calls that live here: one entry of 8 bytes for each.
#[derive(Debug)]
pub(super) struct Ongoing {
    hasher: FixedState,
    invites: HashSet<Origin, FixedState>,
}

impl Ongoing {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            hasher: FixedState::with_seed(seed),
            invites: HashSet::with_hasher(FixedState::with_seed(seed.rotate_left(32))),
        }
    }

    /// Where a request comes from.
    pub(super) fn origin(&self, request: &Message) -> Origin {
        let mut hasher = self.hasher.build_hasher();
        request.from().ok().and_then(|from| from.tag()).unwrap_or_default().hash(&mut hasher);
        request.call_id().unwrap_or_default().hash(&mut hasher);
        request.cseq().map(|cseq| cseq.number).unwrap_or_default().hash(&mut hasher);
        Origin(hasher.finish())
    }

    /// Whether an INVITE of this origin is a call already.
    pub(super) fn has(&self, origin: Origin) -> bool {
        self.invites.contains(&origin)
    }

    pub(super) fn begins(&mut self, origin: Origin) {
        self.invites.insert(origin);
    }

    pub(super) fn ends(&mut self, origin: Origin) {
        self.invites.remove(&origin);
    }
}
