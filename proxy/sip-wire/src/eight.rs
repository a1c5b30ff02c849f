//! Eight bytes at a look, in one machine word.
//!
//! What is looked for in a message stands a few dozen bytes away, where a call into a vector search costs more than the
//! search. The tests on words are those of Anderson's *Bit Twiddling Hacks* ("determine if a word has a zero byte", "a
//! byte less than n"); of several bytes that are marked the lowest is a true one.

const EACH: u64 = u64::from_ne_bytes([1; 8]);
const HIGH: u64 = EACH << 7;

/// Marks the first byte that is `b`.
#[inline]
const fn equal(word: u64, b: u8) -> u64 {
    let zero_where_equal = word ^ (EACH * b as u64);
    zero_where_equal.wrapping_sub(EACH) & !zero_where_equal & HIGH
}

/// The first byte for which `mark` sets a bit.
#[inline]
fn first(bytes: &[u8], mark: impl Fn(u64) -> u64, is: impl Fn(u8) -> bool) -> Option<usize> {
    let (words, tail) = bytes.as_chunks();
    for (at, word) in words.iter().enumerate() {
        let marked = mark(u64::from_le_bytes(*word));
        if marked != 0 {
            return Some(at * 8 + marked.trailing_zeros() as usize / 8);
        }
    }
    tail.iter().position(|b| is(*b)).map(|at| words.len() * 8 + at)
}

/// The first `b`.
#[inline]
pub(crate) fn find(bytes: &[u8], b: u8) -> Option<usize> {
    first(bytes, |word| equal(word, b), |found| found == b)
}

/// The first of two.
#[inline]
pub(crate) fn find2(bytes: &[u8], a: u8, b: u8) -> Option<usize> {
    first(bytes, |word| equal(word, a) | equal(word, b), |found| found == a || found == b)
}

/// Whether every byte is `least` or more; `least` is 128 at most.
#[inline]
pub(crate) fn all_from(bytes: &[u8], least: u8) -> bool {
    let below = |word: &[u8; 8]| {
        let word = u64::from_ne_bytes(*word);
        word.wrapping_sub(EACH * u64::from(least)) & !word & HIGH
    };
    match bytes.last_chunk() {
        Some(last) => bytes.as_chunks().0.iter().fold(below(last), |seen, word| seen | below(word)) == 0,
        None => bytes.iter().all(|b| *b >= least),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_them_is_found_wherever_it_stands() {
        for length in 0..40 {
            for at in 0..=length {
                for other in [b'.', b':' + 1, b':' - 1, b':' | 0x80, 0, 0xff] {
                    let mut bytes = vec![other; length];
                    if let Some(place) = bytes.get_mut(at) {
                        *place = b':';
                    }
                    let expected = (at < length).then_some(at);
                    assert_eq!((find(&bytes, b':'), find2(&bytes, b'\n', b':')), (expected, expected));
                }
            }
        }
        assert_eq!(find2(b"abcdefgh,;", b';', b','), Some(8));
    }

    #[test]
    fn one_low_byte_is_seen_wherever_it_stands() {
        for length in 1..40 {
            for (low, others) in [(13, 14), (0, 0xff), (13, 0x80), (9, b'a')] {
                assert!(all_from(&vec![others; length], 14));
                for at in 0..length {
                    let mut bytes = vec![others; length];
                    bytes[at] = low;
                    assert!(!all_from(&bytes, 14));
                }
            }
        }
    }
}
