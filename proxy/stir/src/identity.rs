//! One Identity header field (RFC 8224 §4, ABNF in §4 and §12): a token, and where its certificate is.

use crate::Failure;
use crate::limits::MAX_IDENTITY;

/// The parts of an Identity value. Nothing is believed yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity<'a> {
    /// The PASSporT: three parts between dots; the first two are empty in compact form.
    pub token: &'a str,
    /// Where the certificate is.
    pub info: &'a str,
    /// The algorithm, ES256 where none is named.
    pub alg: &'a str,
    /// The kind of PASSporT; `None`: the plain one.
    pub ppt: Option<&'a str>,
}

impl<'a> Identity<'a> {
    /// Reads a value.
    ///
    /// # Errors
    ///
    /// [`Failure::Malformed`], or [`Failure::BadInfo`] where `info` is missing.
    pub fn parse(value: &'a [u8]) -> Result<Self, Failure> {
        if value.len() > MAX_IDENTITY {
            return Err(Failure::Malformed);
        }
        let value = std::str::from_utf8(value).map_err(|_| Failure::Malformed)?.trim();
        let (token, mut rest) = value.split_once(';').ok_or(Failure::BadInfo)?;
        let token = token.trim_end();
        let is_token = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        if token.is_empty() || !token.bytes().all(is_token) {
            return Err(Failure::Malformed);
        }
        let (mut info, mut alg, mut ppt) = (None, None, None);
        while !rest.trim().is_empty() {
            let (name, after) = rest.split_once('=').ok_or(Failure::Malformed)?;
            let after = after.trim_start();
            // A URI may have a semicolon in it, and stands between angle brackets for that.
            let closer = match after.as_bytes().first() {
                Some(b'<') => Some('>'),
                Some(b'"') => Some('"'),
                _ => None,
            };
            let (text, after) = match closer {
                Some(closer) => {
                    let inner = after.get(1..).unwrap_or_default();
                    inner.split_once(closer).ok_or(Failure::Malformed)?
                }
                None => {
                    let end = after.find(';').unwrap_or(after.len());
                    after.split_at(end)
                }
            };
            let twice = match name.trim() {
                name if name.eq_ignore_ascii_case("info") => info.replace(text.trim()),
                name if name.eq_ignore_ascii_case("alg") => alg.replace(text.trim()),
                name if name.eq_ignore_ascii_case("ppt") => ppt.replace(text.trim()),
                _ => None,
            };
            if twice.is_some() {
                return Err(Failure::Malformed);
            }
            let after = after.trim_start();
            rest = match after.strip_prefix(';') {
                Some(rest) => rest,
                None if after.is_empty() => after,
                None => return Err(Failure::Malformed),
            };
        }
        let info = info.filter(|info| !info.is_empty()).ok_or(Failure::BadInfo)?;
        Ok(Self { token, info, alg: alg.unwrap_or("ES256"), ppt })
    }
}

#[cfg(test)]
mod tests {
    use super::Identity;
    use crate::Failure;

    #[test]
    fn parameters_come_in_any_order_and_case_quoted_or_not() {
        for value in [
            "a.b.c;info=<https://x.example/c.pem>;alg=ES256;ppt=shaken",
            " a.b.c ; PPT=\"shaken\" ; Alg=ES256; info = <https://x.example/c.pem> ; x=1",
            "a.b.c;info=<https://x.example/c.pem>;ppt=\"shaken\"",
        ] {
            let read = Identity::parse(value.as_bytes()).unwrap();
            let Identity { token, info, alg, ppt } = read;
            assert_eq!(
                (token, info, alg, ppt),
                ("a.b.c", "https://x.example/c.pem", "ES256", Some("shaken"))
            );
        }
    }

    #[test]
    fn what_is_no_identity_is_refused_with_its_reason() {
        for (value, failure) in [
            ("", Failure::BadInfo),
            ("a.b.c", Failure::BadInfo),
            ("a.b.c;alg=ES256", Failure::BadInfo),
            ("a.b.c;info=<>", Failure::BadInfo),
            (";info=<https://x>", Failure::Malformed),
            ("a b;info=<https://x>", Failure::Malformed),
            ("a.b.c;info=<https://x", Failure::Malformed),
            ("a.b.c;info=<https://x>junk", Failure::Malformed),
            ("a.b.c;info=<https://x>;info=<https://y>", Failure::Malformed),
            ("a.b.c;info", Failure::Malformed),
        ] {
            assert_eq!(Identity::parse(value.as_bytes()), Err(failure), "{value}");
        }
        let huge = format!("{};info=<https://x>", "a".repeat(9_000));
        assert_eq!(Identity::parse(huge.as_bytes()), Err(Failure::Malformed));
    }
}
