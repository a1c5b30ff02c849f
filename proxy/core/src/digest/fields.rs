//! The fields of a challenge or of credentials: `Digest name=value, name="value"` (RFC 3261 §25.1, RFC 7235 §2.1).

use crate::limits::MAX_AUTH_FIELDS;
use sip_wire::unquote;
use std::borrow::Cow;

/// What follows `Digest`: one field after the other. A broken one is the last.
#[derive(Debug, Clone)]
pub(super) struct Fields<'a> {
    rest: &'a [u8],
    /// How many may follow.
    left: usize,
}

/// Not what the grammar has, or more of it than anybody needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Broken;

/// A field's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Value<'a> {
    /// As it stands, without its quotes: this is what is hashed and said again (RFC 7616 §1.2: `unq`).
    pub(super) raw: &'a [u8],
    quoted: bool,
}

impl<'a> Value<'a> {
    /// What it means: `\x` read as `x`.
    pub(super) fn meant(&self) -> Cow<'a, [u8]> {
        if !self.quoted || !self.raw.contains(&b'\\') {
            return Cow::Borrowed(self.raw);
        }
        let quoted = [b"\"", self.raw, b"\""].concat();
        Cow::Owned(unquote(&quoted).into_owned())
    }

    pub(super) fn is(&self, word: &str) -> bool {
        self.raw.eq_ignore_ascii_case(word.as_bytes())
    }
}

impl<'a> Fields<'a> {
    /// `None` for another scheme than Digest. `value` is on one line.
    pub(super) fn of_digest(value: &'a [u8]) -> Option<Self> {
        let (scheme, rest) = value.split_at_checked(b"Digest".len())?;
        let blank = rest.first().is_some_and(|b| is_blank(*b));
        (scheme.eq_ignore_ascii_case(b"Digest") && blank).then_some(Self { rest, left: MAX_AUTH_FIELDS })
    }

    /// The value of a quoted string that begins at the start; and what follows it.
    fn quoted(text: &'a [u8]) -> Option<(Value<'a>, &'a [u8])> {
        let inner = text.strip_prefix(b"\"")?;
        let mut at = 0;
        loop {
            match *inner.get(at)? {
                b'"' => break,
                b'\\' => at += 2,
                b if b.is_ascii_control() && b != b'\t' => return None,
                _ => at += 1,
            }
        }
        Some((Value { raw: inner.get(..at)?, quoted: true }, inner.get(at + 1..)?))
    }

    fn field(&mut self) -> Option<(&'a [u8], Value<'a>)> {
        let text = self.rest;
        let name_end = text.iter().position(|b| *b == b'=' || is_blank(*b))?;
        let (name, rest) = text.split_at_checked(name_end)?;
        let rest = skip(rest).strip_prefix(b"=").map(skip)?;
        if name.is_empty() || !name.iter().all(|b| is_token(*b)) {
            return None;
        }
        let (value, rest) = match rest.first()? {
            b'"' => Self::quoted(rest)?,
            _ => {
                let end = rest.iter().position(|b| *b == b',' || is_blank(*b)).unwrap_or(rest.len());
                let (raw, rest) = rest.split_at_checked(end)?;
                // More is let through than tokens: many say URIs and nonces without quotes.
                let fine = |b: &u8| !b.is_ascii_control() && !matches!(*b, b'"' | b'\\');
                if raw.is_empty() || !raw.iter().all(fine) {
                    return None;
                }
                (Value { raw, quoted: false }, rest)
            }
        };
        let rest = skip(rest);
        if !rest.is_empty() && rest.first() != Some(&b',') {
            return None;
        }
        self.rest = rest;
        Some((name, value))
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(&'a [u8], Value<'a>), Broken>;

    fn next(&mut self) -> Option<Self::Item> {
        // Lists may have empty places (RFC 7230 §7).
        while let Some(b) = self.rest.first().filter(|b| is_blank(**b) || **b == b',') {
            let _ = b;
            self.rest = self.rest.get(1..).unwrap_or_default();
        }
        if self.rest.is_empty() {
            return None;
        }
        let field = self.left.checked_sub(1).and_then(|left| {
            self.left = left;
            self.field()
        });
        if field.is_none() {
            self.rest = &[];
        }
        Some(field.ok_or(Broken))
    }
}

/// Puts a value where there is none yet: who says a thing twice cannot be understood.
pub(super) fn once<'a>(place: &mut Option<Value<'a>>, value: Value<'a>) -> Result<(), Broken> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(Broken),
    }
}

const fn is_blank(b: u8) -> bool {
    matches!(b, b' ' | b'\t')
}

const fn is_token(b: u8) -> bool {
    b.is_ascii_alphanumeric()
        || matches!(b, b'-' | b'.' | b'!' | b'%' | b'*' | b'_' | b'+' | b'`' | b'\'' | b'~')
}

fn skip(text: &[u8]) -> &[u8] {
    let blanks = text.iter().take_while(|b| is_blank(**b)).count();
    text.get(blanks..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<Result<(String, String), Broken>> {
        let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let fields = Fields::of_digest(text.as_bytes()).unwrap();
        fields.map(|field| field.map(|(name, value)| (said(name), said(&value.meant())))).collect()
    }

    #[test]
    fn fields_are_read_with_blanks_escapes_and_empty_places() {
        let ok = |name: &str, value: &str| Ok((name.to_owned(), value.to_owned()));
        assert_eq!(
            read(r#"dIgEsT realm = "a \"b\" c",, nonce="x,y=z" ,algorithm=MD5,uri=sip:a@b;c=d"#),
            [
                ok("realm", "a \"b\" c"),
                ok("nonce", "x,y=z"),
                ok("algorithm", "MD5"),
                ok("uri", "sip:a@b;c=d")
            ]
        );
    }

    #[test]
    fn what_is_broken_ends_the_reading() {
        for text in [
            r#"Digest realm="open"#,
            r#"Digest realm="open\"#,
            "Digest realm",
            "Digest =x",
            "Digest realm=",
            r#"Digest realm="a" nonce="b""#,
            "Digest re\u{e9}alm=x",
            "Digest realm=a\\b",
        ] {
            assert_eq!(read(text).pop(), Some(Err(Broken)), "{text}");
        }
        assert_eq!(read(&format!("Digest {}", "a=b,".repeat(1000))).len(), MAX_AUTH_FIELDS + 1);
        for other in ["", "Digest", "Basic a=b", "Digestive a=b"] {
            assert!(Fields::of_digest(other.as_bytes()).is_none(), "{other}");
        }
    }
}
