//! An authority, and certificates of it that speak for numbers.

#![allow(dead_code, reason = "each of the tests that share it uses a part of it")]

use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256,
};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Where every certificate of these tests is.
pub(crate) const URL: &str = "https://certificates.example.com/sp.pem";
/// The place that they sign for.
pub(crate) const ORIGID: &str = "123e4567-e89b-12d3-a456-426655440000";
/// When these tests take place: a day in 2026.
pub(crate) const NOW: u64 = 1_795_000_000;

/// Numbers that a certificate covers.
#[derive(Clone, Copy)]
pub(crate) enum Numbers<'a> {
    /// All of a service provider's.
    Provider(&'a str),
    /// This many from this one on.
    Range(&'a str, u16),
    /// It has no TNAuthList.
    None,
}

/// How a certificate is made.
#[derive(Clone, Copy)]
pub(crate) struct Wish<'a> {
    pub(crate) numbers: Numbers<'a>,
    /// Seconds from now.
    pub(crate) from: i64,
    pub(crate) until: i64,
}

impl Default for Wish<'_> {
    fn default() -> Self {
        Self { numbers: Numbers::Provider("1234"), from: -86_400, until: 86_400 }
    }
}

/// An authority.
pub(crate) struct Authority {
    now: u64,
    issuer: Issuer<'static, KeyPair>,
    /// Its own certificate.
    pub(crate) pem: String,
    /// Those between it and a root, which stand behind every certificate that it makes.
    above: String,
}

/// A certificate and its key.
pub(crate) struct Issued {
    /// With those above it.
    pub(crate) bundle: String,
    /// PKCS #8.
    pub(crate) key: String,
    pub(crate) der: Vec<u8>,
}

fn at(now: u64, seconds: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(now.checked_add_signed(seconds).unwrap())
}

fn authority_params(name: &str, now: u64) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params.not_before = at(now, -10 * 86_400).into();
    params.not_after = at(now, 10 * 86_400).into();
    params
}

fn key() -> KeyPair {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap()
}

impl Authority {
    pub(crate) fn root(name: &str) -> Self {
        Self::root_at(name, NOW)
    }

    /// One whose now is another.
    pub(crate) fn root_at(name: &str, now: u64) -> Self {
        let (params, key) = (authority_params(name, now), key());
        let pem = params.self_signed(&key).unwrap().pem();
        Self { now, issuer: Issuer::new(params, key), pem, above: String::new() }
    }

    /// One that this one stands behind.
    pub(crate) fn intermediate(&self, name: &str) -> Self {
        let (params, key) = (authority_params(name, self.now), key());
        let pem = params.signed_by(&key, &self.issuer).unwrap().pem();
        Self { now: self.now, issuer: Issuer::new(params, key), above: format!("{pem}{}", self.above), pem }
    }

    /// Certificate and key of a host on the web, an address or a name, in PEM.
    pub(crate) fn issue_for_host(&self, host: &str) -> (String, String) {
        let mut params = CertificateParams::new(vec![host.to_owned()]).unwrap();
        (params.not_before, params.not_after) = (at(self.now, -60).into(), at(self.now, 86_400).into());
        let key = key();
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }

    pub(crate) fn issue(&self, wish: Wish<'_>) -> Issued {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "SHAKEN 1234");
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        (params.not_before, params.not_after) =
            (at(self.now, wish.from).into(), at(self.now, wish.until).into());
        if let Some(list) = tn_auth_list(wish.numbers) {
            let oid = [1, 3, 6, 1, 5, 5, 7, 1, 26];
            params.custom_extensions.push(CustomExtension::from_oid_content(&oid, list));
        }
        let key = key();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let bundle = format!("{}{}", certificate.pem(), self.above);
        Issued { bundle, key: key.serialize_pem(), der: certificate.der().to_vec() }
    }
}

/// DER of RFC 8226 §9.
fn tn_auth_list(numbers: Numbers<'_>) -> Option<Vec<u8>> {
    let tagged = |tag: u8, inner: &[u8]| [&[tag, u8::try_from(inner.len()).unwrap()], inner].concat();
    let entry = match numbers {
        Numbers::Provider(code) => tagged(0xa0, &tagged(0x16, code.as_bytes())),
        Numbers::Range(start, count) => {
            let [high, low] = count.to_be_bytes();
            let range = [tagged(0x16, start.as_bytes()), tagged(2, &[0, high, low])].concat();
            tagged(0xa1, &tagged(0x30, &range))
        }
        Numbers::None => return None,
    };
    Some(tagged(0x30, &entry))
}
