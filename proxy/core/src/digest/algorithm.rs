//! The hashes, and what they are of (RFC 7616 §3.4, RFC 8760 §2.3).

use crate::ids::hex;
use md5::Md5;
use sha2::digest::Digest;
use sha2::{Sha256, Sha512_256};

/// A hash function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DigestHash {
    /// RFC 1321. Broken as a hash; all that many carriers know.
    Md5,
    /// SHA2-256.
    Sha256,
    /// SHA2-512/256.
    Sha512_256,
}

/// A value of the `algorithm` parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Algorithm {
    pub(super) hash: DigestHash,
    /// `-sess`: the password is hashed once for a nonce.
    pub(super) session: bool,
}

/// A hash as it stands in a message: lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hex {
    text: [u8; 64],
    len: usize,
}

impl DigestHash {
    /// As `algorithm` says it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha256 => "SHA-256",
            Self::Sha512_256 => "SHA-512-256",
        }
    }

    /// Digits of a hash.
    pub const fn digits(self) -> usize {
        match self {
            Self::Md5 => 32,
            Self::Sha256 | Self::Sha512_256 => 64,
        }
    }

    /// H of the parts with a colon between each two.
    pub(super) fn of(self, parts: &[&[u8]]) -> Hex {
        match self {
            Self::Md5 => joined::<Md5>(parts),
            Self::Sha256 => joined::<Sha256>(parts),
            Self::Sha512_256 => joined::<Sha512_256>(parts),
        }
    }
}

fn joined<D: Digest>(parts: &[&[u8]]) -> Hex {
    let mut hash = D::new();
    for (place, part) in parts.iter().enumerate() {
        if place > 0 {
            hash.update(b":");
        }
        hash.update(part);
    }
    Hex::new(&hash.finalize())
}

impl Algorithm {
    /// What stands where nothing is said (RFC 7616 §3.3).
    pub(super) const DEFAULT: Self = Self { hash: DigestHash::Md5, session: false };

    pub(super) fn parse(word: &[u8]) -> Option<Self> {
        let session = word.len() > 5 && word.get(word.len() - 5..)?.eq_ignore_ascii_case(b"-sess");
        let name = if session { word.get(..word.len() - 5)? } else { word };
        let known = [DigestHash::Md5, DigestHash::Sha256, DigestHash::Sha512_256];
        let hash = known.into_iter().find(|hash| name.eq_ignore_ascii_case(hash.as_str().as_bytes()))?;
        Some(Self { hash, session })
    }

    /// A1's hash, from the one that is kept for a user: the same, but for `-sess` (RFC 7616 §3.4.2).
    pub(super) fn a1(self, ha1: &[u8], nonce: &[u8], cnonce: &[u8]) -> Hex {
        if self.session { self.hash.of(&[ha1, nonce, cnonce]) } else { Hex::copy(ha1) }
    }
}

impl Hex {
    fn new(hash: &[u8]) -> Self {
        let mut text = [0; 64];
        let mut len = 0;
        for (byte, digits) in hash.iter().zip(text.chunks_exact_mut(2)) {
            hex(u64::from(*byte), digits);
            len += 2;
        }
        Self { text, len }
    }

    /// Of digits; of more than there can be those that there can be.
    pub(super) fn copy(digits: &[u8]) -> Self {
        let mut text = [0; 64];
        let mut len = 0;
        for (to, digit) in text.iter_mut().zip(digits) {
            *to = digit.to_ascii_lowercase();
            len += 1;
        }
        Self { text, len }
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.text.get(..self.len).unwrap_or_default()
    }
}

/// It is as good as a password.
impl core::fmt::Debug for Hex {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Hex(..)")
    }
}

/// What is asked for, as the hash sees it (RFC 7616 §3.4.3).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) method: &'a [u8],
    pub(crate) uri: &'a [u8],
    /// For `auth-int`.
    pub(crate) body: &'a [u8],
}

/// Quality of protection (RFC 7616 §3.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Qop {
    /// The body is not protected.
    Auth,
    /// It is.
    AuthInt,
}

impl Qop {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::AuthInt => "auth-int",
        }
    }

    pub(super) fn parse(word: &[u8]) -> Option<Self> {
        [Self::Auth, Self::AuthInt].into_iter().find(|qop| word.eq_ignore_ascii_case(qop.as_str().as_bytes()))
    }
}

/// What makes one request's response another than the next one's.
#[derive(Debug, Clone, Copy)]
pub(super) struct Salt<'a> {
    pub(super) nonce: &'a [u8],
    pub(super) cnonce: &'a [u8],
    /// Eight digits, and what is protected; `None` as RFC 2069 had it.
    pub(super) qop: Option<(&'a [u8], Qop)>,
}

/// The `response` (RFC 7616 §3.4.1). `ha1` is the hash of user, realm and password.
pub(super) fn response(algorithm: Algorithm, ha1: &[u8], asked: &Asked<'_>, salt: &Salt<'_>) -> Hex {
    let hash = algorithm.hash;
    let a1 = algorithm.a1(ha1, salt.nonce, salt.cnonce);
    let a2 = match salt.qop {
        Some((_, Qop::AuthInt)) => hash.of(&[asked.method, asked.uri, hash.of(&[asked.body]).as_bytes()]),
        Some((_, Qop::Auth)) | None => hash.of(&[asked.method, asked.uri]),
    };
    match salt.qop {
        Some((count, qop)) => {
            hash.of(&[a1.as_bytes(), salt.nonce, count, salt.cnonce, qop.as_str().as_bytes(), a2.as_bytes()])
        }
        None => hash.of(&[a1.as_bytes(), salt.nonce, a2.as_bytes()]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(
        hash: DigestHash,
        session: bool,
        (user, realm, password): (&str, &str, &str),
        asked: (&str, &str, &str),
        salt: (&str, &str, Option<Qop>),
    ) -> String {
        let ha1 = hash.of(&[user.as_bytes(), realm.as_bytes(), password.as_bytes()]);
        let asked = Asked { method: asked.0.as_bytes(), uri: asked.1.as_bytes(), body: asked.2.as_bytes() };
        let salt = Salt {
            nonce: salt.0.as_bytes(),
            cnonce: salt.1.as_bytes(),
            qop: salt.2.map(|qop| (&b"00000001"[..], qop)),
        };
        let digits = response(Algorithm { hash, session }, ha1.as_bytes(), &asked, &salt);
        String::from_utf8(digits.as_bytes().to_vec()).unwrap()
    }

    /// RFC 7616 §3.9.1.
    #[test]
    fn the_examples_of_rfc_7616_come_out() {
        let user = ("Mufasa", "http-auth@example.org", "Circle of Life");
        let asked = ("GET", "/dir/index.html", "");
        let salt = (
            "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
            "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
            Some(Qop::Auth),
        );
        assert_eq!(said(DigestHash::Md5, false, user, asked, salt), "8ca523f5e9506fed4657c9700eebdbec");
        assert_eq!(
            said(DigestHash::Sha256, false, user, asked, salt),
            "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"
        );
    }

    /// RFC 2617 §3.5.
    #[test]
    fn the_example_of_rfc_2617_comes_out() {
        let user = ("Mufasa", "testrealm@host.com", "Circle Of Life");
        let asked = ("GET", "/dir/index.html", "");
        let salt = ("dcd98b7102dd2f0e8b11d0f600bfb0c093", "0a4f113b", Some(Qop::Auth));
        assert_eq!(said(DigestHash::Md5, false, user, asked, salt), "6629fae49393a05397450978507c4ef1");
    }

    /// Worked out with another program: Python's hashlib.
    #[test]
    fn the_variants_that_no_rfc_shows_agree_with_another_program() {
        let user = ("bob", "biloxi.com", "zanzibar");
        let asked = ("INVITE", "sip:bob@biloxi.com", "v=0\r\n");
        let with = |qop| ("dcd98b7102dd2f0e8b11d0f600bfb0c093", "0a4f113b", qop);
        // No qop, as RFC 2069 had it.
        assert_eq!(said(DigestHash::Md5, false, user, asked, with(None)), "bf57e4e0d0bffc0fbaedce64d59add5e");
        let auth_int = with(Some(Qop::AuthInt));
        for (hash, session, digits) in [
            (DigestHash::Md5, false, MD5_INT),
            (DigestHash::Md5, true, MD5_SESS_INT),
            (DigestHash::Sha256, true, SHA256_SESS_INT),
            (DigestHash::Sha512_256, false, SHA512_256_INT),
        ] {
            assert_eq!(said(hash, session, user, asked, auth_int), digits, "{hash:?} {session}");
        }
    }

    const MD5_INT: &str = "77226bb823dc077c1ad3537415667bae";
    const MD5_SESS_INT: &str = "8527c9ab1b4eed3fd75491f811944e26";
    const SHA256_SESS_INT: &str = "0b4a1efc19e1b701ec5775b6b16dde0fc416102e34a6c5bd6f957b20b5d79170";
    const SHA512_256_INT: &str = "e9a7fbc1c80a10421c59a0c982f28d40e0ddc7b62ef3dc4faf68f179c6e05922";

    #[test]
    fn algorithms_are_known_in_any_case_and_strangers_are_not() {
        let md5_sess = Algorithm { hash: DigestHash::Md5, session: true };
        assert_eq!(Algorithm::parse(b"md5-SESS"), Some(md5_sess));
        assert_eq!(
            Algorithm::parse(b"SHA-512-256"),
            Some(Algorithm { hash: DigestHash::Sha512_256, session: false })
        );
        for stranger in ["", "-sess", "SHA-1", "AKAv1-MD5", "MD5-", "MD5-sess-sess"] {
            assert_eq!(Algorithm::parse(stranger.as_bytes()), None, "{stranger}");
        }
    }
}
