//! A record as it stands in a segment:
//!
//! ```text
//! length u32 | CRC-32 u32 | written u64, milliseconds since 1970 | length of the key u8 | key | the record's line
//!                           \______________________ length and CRC are of this ____________________________/
//! ```
//!
//! Numbers are little endian. What has no whole length, or another checksum, is where a crash has cut the segment.

use crate::limits::SPOOL_ENTRY;

/// Length and checksum.
const HEAD: usize = 8;

/// Time and length of the key.
const PREFIX: usize = 9;

/// A record that waits for its receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// When it was written, in milliseconds since 1970.
    pub(crate) written_ms: u64,
    /// The same whenever it is sent.
    pub(crate) key: String,
    /// With its end of line.
    pub(crate) line: Vec<u8>,
}

impl Entry {
    /// Write it behind what is there; `false` if it is longer than an entry may be.
    pub(super) fn put(written_ms: u64, key: &str, line: &[u8], out: &mut Vec<u8>) -> bool {
        let Ok(key_length) = u8::try_from(key.len()) else { return false };
        let length = PREFIX + key.len() + line.len();
        let Some(said) = u32::try_from(length).ok().filter(|_| length <= SPOOL_ENTRY) else { return false };
        out.extend_from_slice(&said.to_le_bytes());
        let crc_at = out.len();
        out.extend_from_slice(&[0; 4]);
        let begin = out.len();
        out.extend_from_slice(&written_ms.to_le_bytes());
        out.push(key_length);
        out.extend_from_slice(key.as_bytes());
        out.extend_from_slice(line);
        let crc = crc32fast::hash(out.get(begin..).unwrap_or_default());
        if let Some(place) = out.get_mut(crc_at..begin) {
            place.copy_from_slice(&crc.to_le_bytes());
        }
        true
    }

    /// The entry that these bytes begin with, and its length in them.
    pub(super) fn take(bytes: &[u8]) -> Option<(Self, usize)> {
        let (length, rest) = bytes.split_first_chunk::<4>()?;
        let (crc, rest) = rest.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_le_bytes(*length)).ok().filter(|n| *n <= SPOOL_ENTRY)?;
        let payload = rest.get(..length)?;
        if crc32fast::hash(payload) != u32::from_le_bytes(*crc) {
            return None;
        }
        let (written, payload) = payload.split_first_chunk::<8>()?;
        let (key_length, payload) = payload.split_first()?;
        let (key, line) = payload.split_at_checked(usize::from(*key_length))?;
        let key = String::from_utf8(key.to_vec()).ok()?;
        let entry = Self { written_ms: u64::from_le_bytes(*written), key, line: line.to_vec() };
        Some((entry, HEAD + length))
    }

    /// How many of these bytes are whole entries.
    pub(super) fn whole(bytes: &[u8]) -> usize {
        let mut whole = 0;
        while let Some((_, n)) = bytes.get(whole..).and_then(Self::take) {
            whole += n;
        }
        whole
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cut_and_every_flipped_bit_is_seen() {
        let mut bytes = Vec::new();
        assert!(Entry::put(5, "k-1", b"{\"a\":1}\n", &mut bytes));
        let first = bytes.len();
        assert!(Entry::put(6, "k-2", b"{}\n", &mut bytes));
        let (entry, n) = Entry::take(&bytes).unwrap();
        assert_eq!(
            (entry.written_ms, &entry.key[..], &entry.line[..], n),
            (5, "k-1", &b"{\"a\":1}\n"[..], first)
        );
        assert_eq!(Entry::whole(&bytes), bytes.len());
        for cut in 0..bytes.len() {
            assert_eq!(Entry::whole(&bytes[..cut]), if cut < first { 0 } else { first });
        }
        for at in 0..first {
            for bit in 0..8 {
                let mut bytes = bytes.clone();
                bytes[at] ^= 1 << bit;
                assert_eq!(Entry::take(&bytes), None, "byte {at} bit {bit}");
            }
        }
        assert!(!Entry::put(1, "k", &vec![b'x'; SPOOL_ENTRY], &mut bytes), "too long");
    }
}
