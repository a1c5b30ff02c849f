//! Which call a Call-ID belongs to: its own, or that of the caller whose call led to it.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

/// Legs of a generation. Two generations at 150 bytes a leg are 40 MB; whatever is heard of stays, so that a call is forgotten only
/// if 131,072 others were placed between two of its messages.
const MOST: usize = 131_072;

/// Call-IDs longer than this are not joined: ours have some thirty bytes, and nobody's are to be kept for ever.
const LONGEST: usize = 512;

type Calls = HashMap<Box<[u8]>, Box<[u8]>>;

/// Our own Call-IDs, each with its caller's.
#[derive(Debug)]
pub(super) struct Joins {
    young: Calls,
    old: Calls,
    hasher: RandomState,
}

impl Joins {
    pub(super) fn new() -> Self {
        Self { young: Calls::new(), old: Calls::new(), hasher: RandomState::new() }
    }

    /// The call that this Call-ID belongs to, and a number for it; `joins` says so where it is known anew.
    pub(super) fn call_of<'a>(&'a mut self, call_id: &'a [u8], joins: Option<&[u8]>) -> (&'a [u8], u64) {
        let call = match joins.filter(|joins| *joins != call_id && joins.len() <= LONGEST) {
            Some(joins) => Some(joins.into()),
            None if self.young.contains_key(call_id) => None,
            None => self.old.remove(call_id),
        };
        if let Some(call) = call {
            if self.young.len() >= MOST {
                self.old = std::mem::take(&mut self.young);
            }
            self.young.insert(call_id.into(), call);
        }
        let call = self.young.get(call_id).map_or(call_id, |call| call);
        (call, self.hasher.hash_one(call))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leg_belongs_to_its_caller_for_as_long_as_it_is_heard_of() {
        let mut joins = Joins::new();
        let own = joins.call_of(b"a", None).1;
        assert_eq!(joins.call_of(b"b", Some(b"a")), (&b"a"[..], own));
        for n in 0..MOST * 3 {
            let call_id = n.to_le_bytes();
            joins.call_of(&call_id, Some(b"x"));
            if n % 100_000 == 0 {
                assert_eq!(joins.call_of(b"b", None), (&b"a"[..], own));
            }
        }
        assert_eq!(joins.call_of(b"b", None), (&b"a"[..], own));
        assert!(joins.young.len() + joins.old.len() <= 2 * MOST);
    }
}
