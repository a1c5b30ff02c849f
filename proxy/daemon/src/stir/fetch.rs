//! One certificate by `https`: one request, no redirection, no more bytes and no more time than a certificate needs.

use super::place::{Place, is_public};
use crate::config::DnsSettings;
use crate::dns::Asker;
use crate::limits::STIR_FETCH;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::header::{ACCEPT, HOST, USER_AGENT};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use proxy_core::VerifyReason;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::ServerName;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use stir::MAX_BUNDLE;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// How the hosts prove who they are, and who knows where they are.
#[derive(Clone)]
pub(super) struct Web {
    tls: TlsConnector,
    /// None where the system names no servers.
    asker: Option<Asker>,
}

impl std::fmt::Debug for Web {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Web")
    }
}

impl Web {
    /// By authorities in PEM; what cannot be read among them is left out.
    pub(super) fn new(authorities: &[u8], dns: &DnsSettings) -> Option<Self> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(CertificateDer::pem_slice_iter(authorities).filter_map(Result::ok));
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config =
            ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().ok()?;
        let config = config.with_root_certificates(roots).with_no_client_auth();
        Some(Self { tls: TlsConnector::from(Arc::new(config)), asker: Asker::new(dns).ok() })
    }

    /// What lies there. `internal`: at whatever address; else at public ones only, looked at after the name was resolved, so
    /// that no name leads inside.
    pub(super) async fn fetch(self, place: Place, internal: bool) -> Result<Vec<u8>, VerifyReason> {
        let fetched = tokio::time::timeout(STIR_FETCH, self.ask(&place, internal)).await;
        fetched.unwrap_or(Err(VerifyReason::Unreachable))
    }

    async fn ask(&self, place: &Place, internal: bool) -> Result<Vec<u8>, VerifyReason> {
        let address = self.address(place, internal).await?;
        let gone = |_| VerifyReason::Unreachable;
        let stream = TcpStream::connect(address).await.map_err(gone)?;
        let name = ServerName::try_from(place.host.clone()).map_err(|_| VerifyReason::BadInfo)?;
        let stream = self.tls.connect(name, stream).await.map_err(gone)?;
        let failed = |_| VerifyReason::Unreachable;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(failed)?;
        let exchange = async {
            let host =
                if place.host.contains(':') { format!("[{}]", place.host) } else { place.host.clone() };
            let host = if place.port == 443 { host } else { format!("{host}:{}", place.port) };
            let request = Request::get(place.path.as_str())
                .header(HOST, host)
                .header(ACCEPT, "application/pem-certificate-chain, application/pkix-cert, */*;q=0.1")
                .header(USER_AGENT, concat!("bascule/", env!("CARGO_PKG_VERSION")))
                .body(Empty::<Bytes>::new())
                .map_err(|_| VerifyReason::BadInfo)?;
            let response = sender.send_request(request).await.map_err(failed)?;
            if response.status() != StatusCode::OK {
                return Err(VerifyReason::Unreachable);
            }
            let body = Limited::new(response.into_body(), MAX_BUNDLE).collect().await;
            // Too long, or broken off.
            Ok(body.map_err(|_| VerifyReason::BadCertificate)?.to_bytes().to_vec())
        };
        tokio::pin!(exchange);
        tokio::select! {
            found = &mut exchange => found,
            // The connection may end before its last bytes were looked at.
            _ = connection => exchange.await,
        }
    }

    /// An address of the host that may be asked.
    async fn address(&self, place: &Place, internal: bool) -> Result<SocketAddr, VerifyReason> {
        let found = match (place.host.parse::<IpAddr>(), &self.asker) {
            (Ok(ip), _) => vec![ip],
            (Err(_), Some(asker)) => asker.addresses(&place.host).await,
            (Err(_), None) => Vec::new(),
        };
        if found.is_empty() {
            return Err(VerifyReason::Unreachable);
        }
        let allowed = found.into_iter().find(|ip| internal || is_public(*ip));
        allowed.map(|ip| SocketAddr::new(ip, place.port)).ok_or(VerifyReason::PrivateAddress)
    }
}
