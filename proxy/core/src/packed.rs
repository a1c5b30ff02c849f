//! Several byte strings in one allocation.

/// `N` byte strings, one behind the other: what is kept for the life of a call is made of many short ones.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Packed<const N: usize> {
    bytes: Box<[u8]>,
    /// Where each one ends.
    ends: [u32; N],
}

impl<const N: usize> Packed<N> {
    /// Packs strings, each given in pieces.
    pub(crate) fn new(strings: [&[&[u8]]; N]) -> Self {
        // Messages are no longer than 65,535 bytes, so a handful of their parts is far below 2^32.
        let mut end = 0;
        let ends = strings.map(|pieces| {
            end += pieces.iter().map(|piece| piece.len()).sum::<usize>();
            end as u32
        });
        let mut bytes = Vec::with_capacity(end);
        for piece in strings.into_iter().flatten().filter(|piece| !piece.is_empty()) {
            bytes.extend_from_slice(piece);
        }
        Self { bytes: bytes.into_boxed_slice(), ends }
    }

    /// Packs strings, each in one piece.
    pub(crate) fn of(strings: [&[u8]; N]) -> Self {
        let mut end = 0;
        let ends = strings.map(|string| {
            end += string.len();
            end as u32
        });
        let mut bytes = Vec::with_capacity(end);
        // Most of what could be said of a call is not.
        for string in strings.into_iter().filter(|string| !string.is_empty()) {
            bytes.extend_from_slice(string);
        }
        Self { bytes: bytes.into_boxed_slice(), ends }
    }

    /// One of the strings; empty for a place that there is not.
    pub(crate) fn get(&self, at: usize) -> &[u8] {
        let start = at.checked_sub(1).and_then(|before| self.ends.get(before)).map_or(0, |end| *end as usize);
        let end = self.ends.get(at).map_or(0, |end| *end as usize);
        self.bytes.get(start..end).unwrap_or_default()
    }

    /// The same strings with another at one place.
    pub(crate) fn with(&self, at: usize, string: &[u8]) -> Self {
        let strings = std::array::from_fn(|i| if i == at { string } else { self.get(i) });
        Self::of(strings)
    }
}

/// The sizes only: these are numbers and keys, which belong in no log.
impl<const N: usize> std::fmt::Debug for Packed<N> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Packed").field("bytes", &self.bytes.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::Packed;

    #[test]
    fn each_string_comes_back_as_it_was_put_in() {
        let packed = Packed::new([&[b"a", b"bc"], &[], &[b""], &[b"d"]]);
        assert_eq!([0, 1, 2, 3, 4].map(|at| packed.get(at)), [&b"abc"[..], b"", b"", b"d", b""]);
    }

    #[test]
    fn one_string_is_replaced_and_the_others_stay() {
        let packed = Packed::new([&[b"a"], &[b"bc"], &[b"d"]]).with(1, b"longer");
        assert_eq!([0, 1, 2].map(|at| packed.get(at)), [&b"a"[..], b"longer", b"d"]);
    }
}
