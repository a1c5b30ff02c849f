//! One PASSporT as it came: what it claims, what was signed, and the signature.

use crate::claims::{Claims, Kind, string};
use crate::{Failure, Identity, Party};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

/// A PASSporT that could be read. Its signature was not looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passport {
    /// What it claims.
    pub claims: Claims,
    /// Where its certificate is (RFC 8225 §4.3).
    pub x5u: String,
    signed: String,
    signature: Vec<u8>,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    typ: String,
    x5u: String,
    ppt: Option<String>,
    /// Names of extensions that must be understood (RFC 7515 §4.1.11): none is.
    crit: Option<Vec<String>>,
}

/// What the compact form leaves out (RFC 8224 §4.1): the SIP request says it.
#[derive(Debug, Clone, Copy)]
pub struct Implied<'a> {
    /// The caller's number.
    pub calling: &'a str,
    /// Whom he calls.
    pub called: &'a str,
    /// The Date header field, in seconds since 1970.
    pub date: u64,
}

impl Passport {
    /// Reads what an Identity value holds. `None`: of a kind that is not known here, and so to be passed over
    /// (RFC 8224 §6.2 step 1).
    ///
    /// # Errors
    ///
    /// [`Failure::Malformed`] or [`Failure::BadInfo`].
    pub fn read(identity: &Identity<'_>, implied: Option<Implied<'_>>) -> Result<Option<Self>, Failure> {
        if identity.alg != "ES256" {
            // Another algorithm is another kind: RFC 8225 §8.1 has this one alone.
            return Ok(None);
        }
        let mut parts = identity.token.split('.');
        let (Some(header), Some(claims), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(Failure::Malformed);
        };
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| Failure::Malformed);
        let signature = decode(signature)?;
        if header.is_empty() && claims.is_empty() {
            return match (identity.ppt, implied) {
                (None, Some(implied)) => Ok(Some(Self::compact(identity.info, implied, signature))),
                (None, None) => Err(Failure::Malformed),
                // What these kinds add is nowhere else (RFC 8588 §5, RFC 8946 §4).
                (Some("shaken" | "div"), _) => Err(Failure::Malformed),
                (Some(_), _) => Ok(None),
            };
        }
        let read: Header = serde_json::from_slice(&decode(header)?).map_err(|_| Failure::Malformed)?;
        if read.alg != "ES256" || !read.typ.eq_ignore_ascii_case("passport") || read.crit.is_some() {
            return Err(Failure::Malformed);
        }
        // Said twice, it has to be said alike: only one of the two is signed.
        if identity.ppt.is_some_and(|outside| read.ppt.as_deref() != Some(outside)) {
            return Err(Failure::Malformed);
        }
        let Some(found) = Claims::read(&decode(claims)?, read.ppt.as_deref())? else { return Ok(None) };
        if read.x5u != identity.info {
            return Err(Failure::BadInfo);
        }
        let signed = format!("{header}.{claims}");
        Ok(Some(Self { claims: found, x5u: read.x5u, signed, signature }))
    }

    /// What the compact form stands for: the full form of the same call, written as every signer has to (RFC 8224 §4.1).
    fn compact(info: &str, implied: Implied<'_>, signature: Vec<u8>) -> Self {
        let claims = Claims {
            orig: Party::Number(implied.calling.to_owned()),
            dest: vec![Party::Number(implied.called.to_owned())],
            iat: implied.date,
            kind: Kind::Plain,
        };
        let signed = signing_input(&header(&claims.kind, info), &claims);
        Self { claims, x5u: info.to_owned(), signed, signature }
    }

    /// Whether it was signed with the key that this one belongs to: an uncompressed point of P-256.
    pub(crate) fn is_signed_by(&self, key: &[u8]) -> bool {
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key);
        key.verify(self.signed.as_bytes(), &self.signature).is_ok()
    }
}

/// The protected header, encoded.
pub(crate) fn header(kind: &Kind, x5u: &str) -> String {
    let mut json = String::from("{\"alg\":\"ES256\",");
    if let Some(ppt) = kind.ppt() {
        json.push_str("\"ppt\":\"");
        json.push_str(ppt);
        json.push_str("\",");
    }
    json.push_str("\"typ\":\"passport\",\"x5u\":");
    string(&mut json, x5u);
    json.push('}');
    URL_SAFE_NO_PAD.encode(json)
}

/// What is signed: both parts, encoded, and the dot between them (RFC 7515 §5.1).
pub(crate) fn signing_input(header: &str, claims: &Claims) -> String {
    let json = claims.json();
    let mut out = String::with_capacity(header.len() + 1 + json.len().div_ceil(3) * 4 + 90);
    out.push_str(header);
    out.push('.');
    URL_SAFE_NO_PAD.encode_string(json, &mut out);
    out
}
