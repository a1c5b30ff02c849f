//! Authorities of a test's own, and what they sign.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, SanType, date_time_ymd,
};
use rustls::client::ResolvesClientCert;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, RootCertStore, ServerConfig, SignatureScheme};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// An authority.
pub(crate) struct Ca(CertifiedIssuer<'static, KeyPair>);

/// A certificate with its key.
pub(crate) struct Badge {
    certificate: rcgen::Certificate,
    key: KeyPair,
}

/// What a certificate says of its holder.
pub(crate) struct Holder(CertificateParams);

impl Holder {
    /// Of these names: those with a colon are URIs.
    pub(crate) fn of(names: &[&str]) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "holder of a test's certificate");
        params.subject_alt_names = names
            .iter()
            .map(|name| match name.parse() {
                Ok(ip) => SanType::IpAddress(ip),
                Err(_) if name.contains(':') => SanType::URI((*name).try_into().unwrap()),
                Err(_) => SanType::DnsName((*name).try_into().unwrap()),
            })
            .collect();
        Self(params)
    }

    /// It was valid once.
    pub(crate) fn expired(mut self) -> Self {
        (self.0.not_before, self.0.not_after) = (date_time_ymd(2001, 1, 1), date_time_ymd(2002, 1, 1));
        self
    }

    /// As public authorities sign it.
    pub(crate) fn for_servers_only(mut self) -> Self {
        self.0.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self
    }
}

impl Ca {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(crate) fn signs(&self, holder: Holder) -> Badge {
        let key = KeyPair::generate().unwrap();
        Badge { certificate: holder.0.signed_by(&key, &self.0).unwrap(), key }
    }

    pub(crate) fn write(&self, folder: &Path, name: &str) -> PathBuf {
        let path = folder.join(format!("{name}.pem"));
        std::fs::write(&path, self.0.pem()).unwrap();
        path
    }

    pub(crate) fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        roots
    }
}

impl Badge {
    pub(crate) fn chain(&self) -> Vec<CertificateDer<'static>> {
        vec![self.certificate.der().clone()]
    }

    pub(crate) fn key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::try_from(self.key.serialize_der()).unwrap()
    }

    /// The paths of certificate and key.
    pub(crate) fn write(&self, folder: &Path, name: &str) -> (PathBuf, PathBuf) {
        let file = |kind: &str| folder.join(format!("{name}.{kind}"));
        // Whole or not at all: whoever reads them meanwhile has the old ones.
        for (path, text) in [(file("pem"), self.certificate.pem()), (file("key"), self.key.serialize_pem())] {
            let draft = path.with_extension("new");
            std::fs::write(&draft, text).unwrap();
            std::fs::rename(draft, path).unwrap();
        }
        (file("pem"), file("key"))
    }
}

/// One that believes in an authority, and shows a badge where it is asked for one.
pub(crate) fn client(ca: &Ca, badge: Option<&Badge>) -> Arc<ClientConfig> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let builder = builder.with_root_certificates(ca.roots());
    Arc::new(match badge {
        Some(badge) => builder.with_client_auth_cert(badge.chain(), badge.key()).unwrap(),
        None => builder.with_no_client_auth(),
    })
}

/// One that shows these bytes as if they were its certificate, and has a badge's key.
pub(crate) fn client_showing(ca: &Ca, shown: Vec<u8>, badge: &Badge) -> Arc<ClientConfig> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let key = provider.key_provider.load_private_key(badge.key()).unwrap();
    let shows = Shows(Arc::new(CertifiedKey::new(vec![CertificateDer::from(shown)], key)));
    let builder =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    Arc::new(builder.with_root_certificates(ca.roots()).with_client_cert_resolver(Arc::new(shows)))
}

#[derive(Debug)]
struct Shows(Arc<CertifiedKey>);

impl ResolvesClientCert for Shows {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// One that shows a badge, and asks for one that the authority has signed.
pub(crate) fn server(ca: &Ca, badge: &Badge) -> Arc<ServerConfig> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let asks =
        rustls::server::WebPkiClientVerifier::builder_with_provider(Arc::new(ca.roots()), provider.clone());
    let builder =
        ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let builder = builder.with_client_cert_verifier(asks.build().unwrap());
    Arc::new(builder.with_single_cert(badge.chain(), badge.key()).unwrap())
}

/// A folder of the test's own, empty.
pub(crate) fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}
