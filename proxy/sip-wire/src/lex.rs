//! The smallest pieces of SIP's grammar (RFC 3261 §25.1): blanks, folds, tokens, quoted strings, escapes, numbers.

use std::borrow::Cow;

/// A sub-slice, empty when out of range: positions come from our own scan, so that never happens.
pub(crate) fn sub(bytes: &[u8], start: usize, end: usize) -> &[u8] {
    bytes.get(start..end).unwrap_or_default()
}

/// The byte at `at`, or NUL past the end.
pub(crate) fn byte(bytes: &[u8], at: usize) -> u8 {
    bytes.get(at).copied().unwrap_or(0)
}

/// SP, HTAB, CR or LF: inside a value a CR or LF can only be part of a fold.
pub(crate) const fn is_blank(b: u8) -> bool {
    matches!(b, b' ' | b'\t' | b'\r' | b'\n')
}

/// Without blanks and folds at either end.
pub(crate) fn trim(mut bytes: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = bytes
        && is_blank(*first)
    {
        bytes = rest;
    }
    trim_end(bytes)
}

pub(crate) fn trim_end(mut bytes: &[u8]) -> &[u8] {
    while let [rest @ .., last] = bytes
        && is_blank(*last)
    {
        bytes = rest;
    }
    bytes
}

/// Decimal digits only; `None` when empty, with any other byte, or beyond `u64`.
pub(crate) fn number(bytes: &[u8]) -> Option<u64> {
    if bytes.is_empty() {
        return None;
    }
    bytes.iter().try_fold(0u64, |n, b| {
        let digit = b.is_ascii_digit().then(|| u64::from(b - b'0'))?;
        n.checked_mul(10)?.checked_add(digit)
    })
}

/// Decimal digits that fit a `u32`.
pub(crate) fn number32(bytes: &[u8]) -> Option<u32> {
    u32::try_from(number(bytes)?).ok()
}

/// Decimal digits that are a port.
pub(crate) fn port(bytes: &[u8]) -> Option<u16> {
    u16::try_from(number(bytes)?).ok()
}

/// The index just behind the quoted string that starts at `at` (where the opening quote stands); `None` when it does
/// not end.
pub(crate) fn quoted_end(bytes: &[u8], at: usize) -> Option<usize> {
    let mut i = at + 1;
    loop {
        match *bytes.get(i)? {
            b'"' => return Some(i + 1),
            b'\\' => i += 2,
            _ => i += 1,
        }
    }
}

/// Whether a name is this one, in any case. `name` is in lower case.
#[inline]
pub(crate) fn is_named<const N: usize>(text: &[u8], name: &[u8; N]) -> bool {
    text == name || (text.len() == N && text.eq_ignore_ascii_case(name))
}

/// The first `stop` byte outside quoted strings and, when `angles`, outside `<…>`. An open quote or bracket reaches to
/// the end.
pub(crate) fn find_outside(bytes: &[u8], from: usize, stop: u8, angles: bool) -> Option<usize> {
    let mut i = from;
    loop {
        let rest = sub(bytes, i, bytes.len());
        let hit =
            if angles { memchr::memchr3(stop, b'"', b'<', rest) } else { memchr::memchr2(stop, b'"', rest) };
        i += hit?;
        i = match byte(bytes, i) {
            b if b == stop => return Some(i),
            b'"' => quoted_end(bytes, i)?,
            _ => i + memchr::memchr(b'>', sub(bytes, i, bytes.len()))? + 1,
        };
    }
}

/// A folded value on one line: each fold, with the blanks around it, becomes one space (RFC 3261 §7.3.1). Borrowed when
/// there is no fold.
pub fn unfold(value: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr2(b'\r', b'\n', value).is_none() {
        return Cow::Borrowed(value);
    }
    let mut out = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some(cut) = memchr::memchr2(b'\r', b'\n', rest) {
        out.extend_from_slice(trim_end(sub(rest, 0, cut)));
        rest = sub(rest, cut, rest.len());
        let blanks = rest.iter().take_while(|b| is_blank(**b)).count();
        rest = sub(rest, blanks, rest.len());
        if !out.is_empty() && !rest.is_empty() {
            out.push(b' ');
        }
    }
    out.extend_from_slice(rest);
    Cow::Owned(out)
}

/// A value without its surrounding quotes and with `\x` read as `x` (RFC 3261 §25.1, `quoted-string`); anything that is
/// not a quoted string comes back as it is.
pub fn unquote(value: &[u8]) -> Cow<'_, [u8]> {
    match value {
        [b'"', inner @ .., b'"'] => unescape_quoted(inner),
        _ => Cow::Borrowed(value),
    }
}

/// The inside of a quoted string with `\x` read as `x`.
pub(crate) fn unescape_quoted(inner: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(b'\\', inner).is_none() {
        return Cow::Borrowed(inner);
    }
    let mut out = Vec::with_capacity(inner.len());
    let mut bytes = inner.iter().copied();
    while let Some(b) = bytes.next() {
        match b {
            b'\\' => out.extend(bytes.next()),
            b => out.push(b),
        }
    }
    Cow::Owned(out)
}

/// `%HH` read as the byte that it stands for (RFC 3261 §19.1.2); a `%` without two hex digits stays.
pub fn unescape(value: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(b'%', value).is_none() {
        return Cow::Borrowed(value);
    }
    let mut out = Vec::with_capacity(value.len());
    let mut rest = value;
    while let [b, tail @ ..] = rest {
        rest = match (b, tail) {
            (b'%', [high, low, after @ ..]) => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => {
                    out.push(high << 4 | low);
                    after
                }
                _ => {
                    out.push(b'%');
                    tail
                }
            },
            _ => {
                out.push(*b);
                tail
            }
        };
    }
    Cow::Owned(out)
}

const fn hex(b: u8) -> Option<u8> {
    match b {
        b'0'..=b'9' => Some(b - b'0'),
        b'a'..=b'f' => Some(b - b'a' + 10),
        b'A'..=b'F' => Some(b - b'A' + 10),
        _ => None,
    }
}

/// Decimal digits of a number, without allocation.
pub(crate) struct Decimal {
    digits: [u8; 20],
    start: usize,
}

impl Decimal {
    #[expect(clippy::indexing_slicing, reason = "a u64 has at most 20 digits")]
    pub(crate) fn new(mut n: u64) -> Decimal {
        let mut digits = [b'0'; 20];
        let mut start = 20;
        loop {
            start -= 1;
            digits[start] = b'0' + (n % 10) as u8;
            n /= 10;
            if n == 0 {
                return Decimal { digits, start };
            }
        }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        sub(&self.digits, self.start, 20)
    }
}
