//! Certificates: from the one behind a URL up to an authority that is trusted (RFC 5280 §6, RFC 8226).
//!
//! What SHAKEN uses of X.509 is little: ECDSA on P-256 or P-384, basic constraints, key usage and the TNAuthList. A critical
//! extension beyond that refuses the chain. Revocation is not looked at.

use crate::limits::{MAX_BUNDLE, MAX_CHAIN, MAX_ROOTS};
use crate::tn_auth::{self, TnAuthList};
use crate::{Failure, pem};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA384_ASN1, ECDSA_P384_SHA256_ASN1, ECDSA_P384_SHA384_ASN1,
    UnparsedPublicKey, VerificationAlgorithm,
};
use x509_parser::prelude::{FromDer, ParsedExtension, X509Certificate};

/// What a checked certificate allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    /// Its public key, an uncompressed point of P-256.
    pub key: Vec<u8>,
    /// The numbers that it speaks for.
    pub numbers: TnAuthList,
    /// The first second in which the whole chain is valid, since 1970.
    pub not_before: u64,
    /// The last one.
    pub not_after: u64,
}

/// Authorities that are trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trust {
    roots: Vec<Vec<u8>>,
}

impl Trust {
    /// From certificates in PEM. `None` where there is none, one that cannot be read, or more than anybody trusts.
    pub fn read(text: &[u8]) -> Option<Self> {
        let roots = pem::blocks(text, &["CERTIFICATE"], MAX_ROOTS)?;
        let roots: Vec<Vec<u8>> = roots.into_iter().map(|(_, der)| der).collect();
        let is_sound = !roots.is_empty() && roots.iter().all(|der| parse(der).is_ok());
        is_sound.then_some(Self { roots })
    }

    /// Checks what lies behind a certificate's URL: the certificate, in PEM followed by those above it, or alone in DER.
    ///
    /// # Errors
    ///
    /// [`Failure::BadCertificate`], [`Failure::Untrusted`], [`Failure::Expired`], or [`Failure::NotEntitled`] where it
    /// names no numbers at all.
    pub fn check(&self, bundle: &[u8], now: u64) -> Result<Credential, Failure> {
        let ders = ders(bundle)?;
        let all: Vec<X509Certificate<'_>> = ders.iter().map(|der| parse(der)).collect::<Result<_, _>>()?;
        let roots: Vec<X509Certificate<'_>> = self.roots.iter().filter_map(|der| parse(der).ok()).collect();
        let leaf = all.first().ok_or(Failure::BadCertificate)?;
        let (mut not_before, mut not_after) = (i64::MIN, i64::MAX);
        let mut note = |certificate: &X509Certificate<'_>| {
            not_before = not_before.max(certificate.validity.not_before.timestamp());
            not_after = not_after.min(certificate.validity.not_after.timestamp());
        };
        note(leaf);
        let mut at = leaf;
        let mut below = 0;
        loop {
            if let Some(root) = roots.iter().find(|root| has_signed(root, at, below)) {
                note(root);
                break;
            }
            let above = all.iter().skip(1).find(|above| has_signed(above, at, below));
            at = above.filter(|_| below < MAX_CHAIN).ok_or(Failure::Untrusted)?;
            note(at);
            below += 1;
        }
        let key = leaf.subject_pki.subject_public_key.data.to_vec();
        let may_sign = leaf.key_usage().ok().flatten().is_none_or(|usage| usage.value.digital_signature());
        if !is_on(leaf, P256) || key.len() != 65 || !may_sign {
            return Err(Failure::BadCertificate);
        }
        let seconds = |at: i64| u64::try_from(at).unwrap_or(0);
        let (not_before, not_after) = (seconds(not_before), seconds(not_after));
        if now < not_before || now > not_after {
            return Err(Failure::Expired);
        }
        Ok(Credential { key, numbers: numbers(leaf)?, not_before, not_after })
    }
}

impl Credential {
    /// Whether it is valid at this second.
    pub fn is_valid(&self, now: u64) -> bool {
        (self.not_before..=self.not_after).contains(&now)
    }
}

const P256: &str = "1.2.840.10045.3.1.7";
const P384: &str = "1.3.132.0.34";
const EC_PUBLIC_KEY: &str = "1.2.840.10045.2.1";
const ECDSA_SHA256: &str = "1.2.840.10045.4.3.2";
const ECDSA_SHA384: &str = "1.2.840.10045.4.3.3";

fn ders(bundle: &[u8]) -> Result<Vec<Vec<u8>>, Failure> {
    if bundle.len() > MAX_BUNDLE {
        return Err(Failure::BadCertificate);
    }
    // A certificate in DER begins as every sequence does; no text does.
    if bundle.first() == Some(&0x30) {
        return Ok(vec![bundle.to_vec()]);
    }
    let blocks = pem::blocks(bundle, &["CERTIFICATE"], MAX_CHAIN).ok_or(Failure::BadCertificate)?;
    Ok(blocks.into_iter().map(|(_, der)| der).collect())
}

/// A certificate without anything critical that is not understood here.
fn parse(der: &[u8]) -> Result<X509Certificate<'_>, Failure> {
    let (rest, certificate) = X509Certificate::from_der(der).map_err(|_| Failure::BadCertificate)?;
    let understood = |extension: &x509_parser::extensions::X509Extension<'_>| {
        let known = matches!(
            extension.parsed_extension(),
            ParsedExtension::BasicConstraints(_)
                | ParsedExtension::KeyUsage(_)
                | ParsedExtension::CertificatePolicies(_)
        );
        !extension.critical || known || extension.oid.to_id_string() == tn_auth::OID
    };
    if !rest.is_empty() || !certificate.extensions().iter().all(understood) {
        return Err(Failure::BadCertificate);
    }
    Ok(certificate)
}

fn is_on(certificate: &X509Certificate<'_>, curve: &str) -> bool {
    let algorithm = &certificate.subject_pki.algorithm;
    let named = algorithm.parameters.as_ref().and_then(|parameters| parameters.as_oid().ok());
    algorithm.algorithm.to_id_string() == EC_PUBLIC_KEY
        && named.is_some_and(|named| named.to_id_string() == curve)
}

/// Whether `above` is an authority whose name and key stand in and under `certificate`, which has `below` intermediates
/// below it.
fn has_signed(above: &X509Certificate<'_>, certificate: &X509Certificate<'_>, below: usize) -> bool {
    if above.subject.as_raw() != certificate.issuer.as_raw() {
        return false;
    }
    let Ok(Some(constraints)) = above.basic_constraints() else { return false };
    let deep = constraints.value.path_len_constraint.is_some_and(|most| (most as usize) < below);
    let may_sign = above.key_usage().ok().flatten().is_none_or(|usage| usage.value.key_cert_sign());
    if !constraints.value.ca || deep || !may_sign {
        return false;
    }
    let hash = certificate.signature_algorithm.algorithm.to_id_string();
    let algorithm: &'static dyn VerificationAlgorithm =
        match (is_on(above, P256), is_on(above, P384), hash.as_str()) {
            (true, _, ECDSA_SHA256) => &ECDSA_P256_SHA256_ASN1,
            (true, _, ECDSA_SHA384) => &ECDSA_P256_SHA384_ASN1,
            (_, true, ECDSA_SHA256) => &ECDSA_P384_SHA256_ASN1,
            (_, true, ECDSA_SHA384) => &ECDSA_P384_SHA384_ASN1,
            _ => return false,
        };
    let key = UnparsedPublicKey::new(algorithm, &above.subject_pki.subject_public_key.data);
    key.verify(certificate.tbs_certificate.as_ref(), &certificate.signature_value.data).is_ok()
}

fn numbers(leaf: &X509Certificate<'_>) -> Result<TnAuthList, Failure> {
    let mut found = leaf.extensions().iter().filter(|e| e.oid.to_id_string() == tn_auth::OID);
    match (found.next(), found.next()) {
        (Some(list), None) => TnAuthList::read(list.value).ok_or(Failure::BadCertificate),
        (None, _) => Err(Failure::NotEntitled),
        (Some(_), Some(_)) => Err(Failure::BadCertificate),
    }
}
