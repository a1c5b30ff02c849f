//! Whether a certificate is believed: its chain by webpki (RFC 5280), its name by RFC 5922.

use super::{Domains, PROVIDER};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ParsedCertificate, WebPkiClientVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme,
};
use std::sync::Arc;

/// Believes whoever has a certificate of one domain.
#[derive(Debug)]
pub(super) struct Domain {
    wanted: Box<str>,
    roots: Arc<RootCertStore>,
}

impl Domain {
    pub(super) fn new(wanted: &str, roots: Arc<RootCertStore>) -> Self {
        Self { wanted: wanted.into(), roots }
    }
}

fn chain(
    roots: &RootCertStore,
    end_entity: &CertificateDer<'_>,
    intermediates: &[CertificateDer<'_>],
    now: UnixTime,
) -> Result<(), Error> {
    let certificate = ParsedCertificate::try_from(end_entity)?;
    let algorithms = PROVIDER.signature_verification_algorithms.all;
    verify_server_cert_signed_by_trust_anchor(&certificate, roots, intermediates, now, algorithms)
}

impl ServerCertVerifier for Domain {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        chain(&self.roots, end_entity, intermediates, now)?;
        if Domains::of(end_entity).has(&self.wanted) {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(CertificateError::NotValidForName.into())
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &PROVIDER.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &PROVIDER.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        PROVIDER.signature_verification_algorithms.supported_schemes()
    }
}

/// Believes whoever has a certificate that one of these has signed. Of what domains it is decides whose call it is, later.
#[derive(Debug)]
pub(super) struct Callers {
    roots: Arc<RootCertStore>,
    webpki: Arc<dyn ClientCertVerifier>,
}

impl Callers {
    pub(super) fn new(roots: Arc<RootCertStore>, required: bool) -> Result<Arc<Self>, Error> {
        let builder = WebPkiClientVerifier::builder_with_provider(Arc::clone(&roots), Arc::clone(&PROVIDER));
        let builder = if required { builder } else { builder.allow_unauthenticated() };
        let webpki = builder.build().map_err(|error| Error::General(error.to_string()))?;
        Ok(Arc::new(Self { roots, webpki }))
    }
}

impl ClientCertVerifier for Callers {
    fn offer_client_auth(&self) -> bool {
        self.webpki.offer_client_auth()
    }

    fn client_auth_mandatory(&self) -> bool {
        self.webpki.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.webpki.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.webpki.verify_client_cert(end_entity, intermediates, now).or_else(|why| {
            // A SIP server shows the one certificate that it has, and public authorities sign it for servers alone.
            let as_server = chain(&self.roots, end_entity, intermediates, now);
            as_server.map(|()| ClientCertVerified::assertion()).map_err(|_| why)
        })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.webpki.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.webpki.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.webpki.supported_verify_schemes()
    }
}
