//! Names of transactions, dialogs and calls as one number each, and tables by it.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// What names something: a hash of its parts. Among a million names two are equal once in 10^7 traces.
pub(crate) type Key = u64;

/// By name. Keys are hashes already.
pub(crate) type Table<V> = HashMap<Key, V, BuildHasherDefault<AsItIs>>;

/// Odd numbers without a pattern: digits of pi.
const SEED: u64 = 0x243f_6a88_85a3_08d3;
const FACTOR: u64 = 0x1319_8a2e_0370_7345;

/// A name of several parts; where one ends and the next begins matters.
pub(crate) fn key(parts: &[&str]) -> Key {
    parts.iter().fold(SEED, |so_far, part| joined(so_far, hash(part.as_bytes())))
}

/// A name that goes on with another part.
pub(crate) fn joined(so_far: Key, part: u64) -> Key {
    folded(so_far ^ part.rotate_left(17), FACTOR)
}

/// Eight bytes at a time.
pub(crate) fn hash(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let so_far = words.iter().fold(SEED, |so_far, word| folded(so_far ^ u64::from_le_bytes(*word), FACTOR));
    let last = rest.iter().fold(0, |word, byte| word << 8 | u64::from(*byte));
    folded(so_far ^ last ^ (bytes.len() as u64) << 56, FACTOR)
}

/// The same for every way in which letters may be written.
pub(crate) fn hash_of_any_case(text: &str) -> u64 {
    text.bytes().fold(SEED, |so_far, byte| folded(so_far ^ u64::from(byte.to_ascii_lowercase()), FACTOR))
}

/// Both halves of the product.
fn folded(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    (product as u64) ^ (product >> 64) as u64
}

/// Keys are hashes already.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = hash(bytes);
    }

    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_differ_by_every_part_and_by_where_a_part_ends() {
        let names =
            [key(&["ab", "c"]), key(&["a", "bc"]), key(&["abc"]), key(&["abc", ""]), key(&["c", "ab"])];
        for (i, one) in names.iter().enumerate() {
            assert!(names.iter().skip(i + 1).all(|other| other != one), "{i}");
        }
        assert_ne!(hash(b""), hash(b"\0"));
        assert_ne!(hash(b"12345678"), hash(b"12345678\0"));
        assert_eq!(hash_of_any_case("Host.Example"), hash_of_any_case("hOST.eXAMPLE"));
    }
}
