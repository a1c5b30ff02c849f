//! Whoever signs for our callers.

use crate::claims::Kind;
use crate::passport::{header, signing_input};
use crate::{Attest, Claims, Party, pem};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// A key, and where its certificate is.
pub struct Signer {
    key: EcdsaKeyPair,
    /// The protected headers of the two kinds that we make, encoded.
    shaken: String,
    div: String,
    /// What stands behind the token of each kind.
    behind: String,
    origid: String,
}

/// Why a key is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadKey {
    /// No PEM block of a private key.
    #[error("there is no private key in it")]
    NoKey,
    /// Not a key for ES256 (RFC 8225 §8.1).
    #[error("it is no key on the curve P-256")]
    NotP256,
}

impl Signer {
    /// From a key in PEM (PKCS #8 or RFC 5915), the URL of its certificate, and the name of the place that it signs for
    /// (`origid`, a UUID).
    ///
    /// # Errors
    ///
    /// [`BadKey`].
    pub fn new(key: &[u8], x5u: &str, origid: &str) -> Result<Self, BadKey> {
        let blocks = pem::blocks(key, &["PRIVATE KEY", "EC PRIVATE KEY"], 1).ok_or(BadKey::NoKey)?;
        let (label, der) = blocks.first().ok_or(BadKey::NoKey)?;
        let key = if label == "PRIVATE KEY" {
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der)
        } else {
            EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_FIXED_SIGNING, der)
        };
        let kind = Kind::Shaken { attest: Attest::C, origid: String::new() };
        Ok(Self {
            key: key.map_err(|_| BadKey::NotP256)?,
            shaken: header(&kind, x5u),
            div: header(&Kind::Div { div: Party::Number(String::new()) }, x5u),
            behind: format!(";info=<{x5u}>;alg=ES256;ppt="),
            origid: origid.to_owned(),
        })
    }

    /// Whether a certificate's key is the other half of this one.
    pub fn fits(&self, public: &[u8]) -> bool {
        self.key.public_key().as_ref() == public
    }

    /// The Identity value of a SHAKEN PASSporT (RFC 8588); `None` if the library fails, which has no reason that it would
    /// tell.
    pub fn shaken(&self, orig: &Party, dest: &Party, attest: Attest, iat: u64) -> Option<String> {
        let kind = Kind::Shaken { attest, origid: self.origid.clone() };
        self.sign(&self.shaken, &Claims { orig: orig.clone(), dest: vec![dest.clone()], iat, kind })
    }

    /// The Identity value that says that a call for `div` goes to `dest` now (RFC 8946 §4).
    pub fn div(&self, orig: &Party, dest: &Party, div: &Party, iat: u64) -> Option<String> {
        let kind = Kind::Div { div: div.clone() };
        self.sign(&self.div, &Claims { orig: orig.clone(), dest: vec![dest.clone()], iat, kind })
    }

    fn sign(&self, header: &str, claims: &Claims) -> Option<String> {
        let mut token = signing_input(header, claims);
        let signature = self.key.sign(&SystemRandom::new(), token.as_bytes()).ok()?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature.as_ref(), &mut token);
        token.push_str(&self.behind);
        token.push_str(claims.kind.ppt()?);
        Some(token)
    }
}

/// Never the key.
impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signer").field("origid", &self.origid).finish_non_exhaustive()
    }
}
