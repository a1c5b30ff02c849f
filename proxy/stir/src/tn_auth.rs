//! The numbers that a certificate may speak for (RFC 8226 §9):
//!
//! ```text
//! TNAuthorizationList ::= SEQUENCE SIZE (1..MAX) OF TNEntry
//! TNEntry ::= CHOICE { spc [0] ServiceProviderCode, range [1] TelephoneNumberRange, one [2] TelephoneNumber }
//! TelephoneNumberRange ::= SEQUENCE { start TelephoneNumber, count INTEGER (2..MAX) }
//! ```
//!
//! The module's tags are explicit; codes and numbers are IA5Strings.

use crate::limits::{MAX_ENTRIES, MAX_NUMBER};

/// `id-pe-TNAuthList`.
pub(crate) const OID: &str = "1.3.6.1.5.5.7.1.26";

/// A certificate's TNAuthList.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TnAuthList {
    /// Codes of service providers: a provider speaks for all its customers.
    codes: Vec<String>,
    /// First number, how many digits it has, and how many numbers there are.
    ranges: Vec<(u64, usize, u64)>,
    /// Single numbers.
    numbers: Vec<String>,
}

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const IA5_STRING: u8 = 0x16;

impl TnAuthList {
    /// Reads the extension's value; `None` if it is not one.
    pub(crate) fn read(der: &[u8]) -> Option<Self> {
        let (list, rest) = value(der, SEQUENCE)?;
        if !rest.is_empty() {
            return None;
        }
        let (mut out, mut left) = (Self::default(), list);
        for _ in 0..MAX_ENTRIES {
            let Some(tag) = left.first().copied() else { break };
            let (entry, after) = value(left, tag)?;
            left = after;
            match tag {
                0xa0 => out.codes.push(text(entry)?),
                0xa1 => {
                    let (range, rest) = value(entry, SEQUENCE)?;
                    let (start, count) = value(range, IA5_STRING)?;
                    let (count, end) = value(count, INTEGER)?;
                    if !rest.is_empty() || !end.is_empty() {
                        return None;
                    }
                    let start = std::str::from_utf8(start).ok()?;
                    out.ranges.push((digits(start)?, start.len(), integer(count)?));
                }
                0xa2 => out.numbers.push(text(entry)?),
                _ => return None,
            }
        }
        let is_whole =
            left.is_empty() && !(out.codes.is_empty() && out.ranges.is_empty() && out.numbers.is_empty());
        is_whole.then_some(out)
    }

    /// Whether it covers a canonical number.
    pub fn covers(&self, number: &str) -> bool {
        let in_range = |(start, length, count): &(u64, usize, u64)| {
            number.len() == *length && digits(number).is_some_and(|n| n >= *start && n - *start < *count)
        };
        !self.codes.is_empty()
            || self.numbers.iter().any(|own| own == number)
            || self.ranges.iter().any(in_range)
    }

    /// The service providers that it names.
    pub fn codes(&self) -> &[String] {
        &self.codes
    }
}

/// One element of DER with this tag, and what follows it. Lengths of up to two bytes: no more fits into a certificate.
fn value(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (found, rest) = der.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(*first), rest),
        0x81 => {
            let (length, rest) = rest.split_first()?;
            (usize::from(*length), rest)
        }
        0x82 => {
            let (length, rest) = rest.split_at_checked(2)?;
            (length.iter().fold(0, |all, byte| all << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    if *found == tag { rest.split_at_checked(length) } else { None }
}

/// An explicitly tagged IA5String.
fn text(entry: &[u8]) -> Option<String> {
    let (text, rest) = value(entry, IA5_STRING)?;
    let is_sound = rest.is_empty() && (1..=MAX_NUMBER).contains(&text.len()) && text.is_ascii();
    is_sound.then(|| String::from_utf8_lossy(text).into_owned())
}

fn digits(text: &str) -> Option<u64> {
    // RFC 8226 §9: 15 at most, which is what a u64 has room for.
    let is_number = (1..=15).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|_| is_number)
}

fn integer(bytes: &[u8]) -> Option<u64> {
    let is_positive = bytes.first().is_some_and(|first| *first < 0x80);
    let fits = bytes.len() <= 8;
    (is_positive && fits).then(|| bytes.iter().fold(0, |all, byte| all << 8 | u64::from(*byte)))
}

#[cfg(test)]
mod tests {
    use super::TnAuthList;

    fn tagged(tag: u8, inner: &[u8]) -> Vec<u8> {
        let mut out = vec![tag, u8::try_from(inner.len()).unwrap()];
        out.extend_from_slice(inner);
        out
    }

    fn list(entries: &[Vec<u8>]) -> Vec<u8> {
        tagged(0x30, &entries.concat())
    }

    #[test]
    fn a_provider_covers_every_number_a_range_its_own() {
        let code = tagged(0xa0, &tagged(0x16, b"1234"));
        let all = TnAuthList::read(&list(&[code])).unwrap();
        assert!(all.covers("12155551212") && all.codes() == ["1234"]);
        let range = [tagged(0x16, b"12155550000"), tagged(2, &[0x27, 0x10])].concat();
        let range = tagged(0xa1, &tagged(0x30, &range));
        let one = tagged(0xa2, &tagged(0x16, b"442079460123"));
        let some = TnAuthList::read(&list(&[range, one])).unwrap();
        for (number, covered) in [
            ("12155550000", true),
            ("12155559999", true),
            ("12155560000", false),
            ("12155549999", false),
            ("2155550000", false),
            ("442079460123", true),
            ("442079460124", false),
        ] {
            assert_eq!(some.covers(number), covered, "{number}");
        }
    }

    #[test]
    fn what_is_no_list_is_not_read() {
        let code = tagged(0xa0, &tagged(0x16, b"1234"));
        for wrong in [
            vec![],
            list(&[]),
            code.clone(),
            list(&[tagged(0xa3, b"")]),
            list(&[tagged(0xa0, b"1234")]),
            [list(&[code]), vec![0]].concat(),
            vec![0x30, 0x84, 0, 0, 0, 1],
            vec![0x30, 0x7f],
        ] {
            assert_eq!(TnAuthList::read(&wrong), None, "{wrong:?}");
        }
    }
}
