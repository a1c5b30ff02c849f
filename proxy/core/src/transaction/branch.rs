//! Branches of ours: they name the transaction that they belong to.

use super::ClientKey;
use crate::ids::{hex, unhex};

/// The magic cookie that starts every branch (RFC 3261 §8.1.1.7), and our mark behind it.
const PREFIX: &[u8; 8] = b"z9hG4bKb";
const LEN: usize = PREFIX.len() + 2 + 8 + 8;

/// The branch of a client transaction: `z9hG4bKb<shard><slot><nonce>`, in hexadecimal digits, 2, 8 and 8 of them.
///
/// A response brings it back, so its shard and its transaction are found by decoding. The nonce keeps a late response
/// from the slot's next transaction, and strangers from answering in a peer's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Branch([u8; LEN]);

impl Branch {
    pub(super) fn new(shard: u8, key: ClientKey) -> Self {
        let mut text = [0; LEN];
        let (prefix, rest) = text.split_at_mut(PREFIX.len());
        prefix.copy_from_slice(PREFIX);
        let (first, rest) = rest.split_at_mut(2);
        hex(u64::from(shard), first);
        let (slot, nonce) = rest.split_at_mut(8);
        hex(u64::from(key.0.slot), slot);
        hex(u64::from(key.0.nonce), nonce);
        Self(text)
    }

    /// The transaction that a branch names, if it is one of this shard's.
    pub(super) fn decode(shard: u8, branch: &[u8]) -> Option<ClientKey> {
        let rest = branch.strip_prefix(PREFIX).filter(|_| branch.len() == LEN)?;
        let (first, rest) = rest.split_at_checked(2)?;
        let (slot, nonce) = rest.split_at_checked(8)?;
        if unhex(first)? != u64::from(shard) {
            return None;
        }
        let slot = u32::try_from(unhex(slot)?).ok()?;
        let nonce = u32::try_from(unhex(nonce)?).ok()?;
        Some(ClientKey(super::Key { slot, nonce }))
    }

    /// As it stands in the Via header field.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transaction::Key;

    #[test]
    fn a_branch_brings_its_transaction_back_to_its_own_shard_only() {
        let key = ClientKey(Key { slot: 77, nonce: 0xdead_beef });
        let branch = Branch::new(3, key);
        assert_eq!(branch.as_bytes(), b"z9hG4bKb030000004ddeadbeef");
        assert_eq!(Branch::decode(3, branch.as_bytes()), Some(key));
        assert_eq!(Branch::decode(4, branch.as_bytes()), None);
    }

    #[test]
    fn a_strangers_branch_names_nothing() {
        for branch in [
            &b""[..],
            b"z9hG4bK",
            b"z9hG4bKb",
            b"z9hG4bK776asdhds",
            b"z9hG4bKb030000004ddeadbee",
            b"z9hG4bKb030000004ddeadbeef0",
            b"z9hG4bKb03000000 ddeadbeef",
        ] {
            assert_eq!(Branch::decode(3, branch), None, "{}", branch.escape_ascii());
        }
    }
}
