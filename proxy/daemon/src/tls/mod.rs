//! What TLS connections are made and taken with: certificates, keys, and who is believed.
//!
//! All of it is read when a configuration is, and again with each reload: connections that are up stay as they are, new
//! ones are made with what is new (docs/adr/0027).

mod domains;
mod failure;
mod material;
mod verify;

pub(crate) use domains::{Domains, is_domain};
pub(crate) use failure::{HandshakeTally, TlsFailure};
pub(crate) use material::{Pair, PairError, Standing, read_pair, read_roots};

use proxy_core::{Config, Peer};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{IpAddr, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig, version};
use std::collections::HashMap;
use std::sync::{Arc, LazyLock};
use verify::{Callers, Domain};

/// Never one that somebody else in the process has chosen.
static PROVIDER: LazyLock<Arc<CryptoProvider>> =
    LazyLock::new(|| Arc::new(rustls::crypto::aws_lc_rs::default_provider()));

/// RFC 8996: nothing below 1.2.
const VERSIONS: &[&rustls::SupportedProtocolVersion] = &[&version::TLS13, &version::TLS12];

/// How TLS is spoken under one configuration.
#[derive(Debug, Clone, Default)]
pub struct Tls {
    /// By the listener's number.
    servers: HashMap<u16, Arc<ServerConfig>>,
    /// By the target's name.
    clients: HashMap<String, Client>,
    /// The admin listener's.
    admin: Option<Arc<ServerConfig>>,
}

/// How one target is called.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    /// What its certificate has to be of.
    pub(crate) domain: Arc<str>,
    /// The same for the handshake, where a name is told to the server (RFC 6066 §3).
    pub(crate) name: ServerName<'static>,
    pub(crate) config: Arc<ClientConfig>,
}

/// Who may call a listener.
#[derive(Debug)]
pub(crate) enum Ask {
    /// Nobody is asked for a certificate.
    Nothing,
    /// Who has a certificate may show it.
    Wanted(Arc<RootCertStore>),
    /// Who has none is not served.
    Required(Arc<RootCertStore>),
}

/// How a host of the web is called: by its own name, which its certificate has to be of (RFC 9110 §4.3.4).
pub(crate) fn web_client(roots: Arc<RootCertStore>) -> Result<ClientConfig, rustls::Error> {
    let builder =
        ClientConfig::builder_with_provider(Arc::clone(&PROVIDER)).with_protocol_versions(VERSIONS)?;
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

impl Tls {
    /// A listener's side.
    pub(crate) fn serve(&mut self, listener: u16, pair: &Pair, ask: Ask) -> Result<(), rustls::Error> {
        let builder =
            ServerConfig::builder_with_provider(Arc::clone(&PROVIDER)).with_protocol_versions(VERSIONS)?;
        let builder = match ask {
            Ask::Nothing => builder.with_no_client_auth(),
            Ask::Wanted(roots) => builder.with_client_cert_verifier(Callers::new(roots, false)?),
            Ask::Required(roots) => builder.with_client_cert_verifier(Callers::new(roots, true)?),
        };
        let config = builder.with_single_cert(pair.chain.clone(), pair.key.clone_key())?;
        self.servers.insert(listener, Arc::new(config));
        Ok(())
    }

    /// The admin listener's side: HTTP/1.1 and nobody's certificate but ours.
    pub(crate) fn administer(&mut self, pair: &Pair) -> Result<(), rustls::Error> {
        let builder =
            ServerConfig::builder_with_provider(Arc::clone(&PROVIDER)).with_protocol_versions(VERSIONS)?;
        let mut config =
            builder.with_no_client_auth().with_single_cert(pair.chain.clone(), pair.key.clone_key())?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        self.admin = Some(Arc::new(config));
        Ok(())
    }

    /// How a target of this name is called: its certificate has to be of `domain`, signed by one of `roots`.
    pub(crate) fn call(
        &mut self,
        target: &str,
        domain: &str,
        roots: Arc<RootCertStore>,
        ours: Option<&Pair>,
    ) -> Result<(), rustls::Error> {
        let name = match domain.parse::<std::net::IpAddr>() {
            Ok(ip) => ServerName::IpAddress(IpAddr::from(ip)),
            Err(_) => {
                ServerName::try_from(domain.to_owned()).map_err(|_| rustls::Error::UnsupportedNameType)?
            }
        };
        let builder = ClientConfig::builder_with_provider(Arc::clone(&PROVIDER))
            .with_protocol_versions(VERSIONS)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Domain::new(domain, roots)));
        let config = match ours {
            Some(pair) => builder.with_client_auth_cert(pair.chain.clone(), pair.key.clone_key())?,
            None => builder.with_no_client_auth(),
        };
        let client = Client { domain: domain.into(), name, config: Arc::new(config) };
        self.clients.insert(target.to_owned(), client);
        Ok(())
    }

    /// A listener's side, by its number.
    pub(crate) fn server(&self, listener: u16) -> Option<&Arc<ServerConfig>> {
        self.servers.get(&listener)
    }

    /// The admin listener's side; `None`: it speaks in clear.
    pub(crate) fn admin(&self) -> Option<&Arc<ServerConfig>> {
        self.admin.as_ref()
    }

    /// How a peer is called: as the target at this address, else as one on that host. Nobody else is called: nothing says
    /// which certificate he has to have.
    pub(crate) fn client(&self, config: &Config, peer: Peer) -> Option<&Client> {
        let here = || config.targets.iter().filter(|t| t.peer.listener == peer.listener);
        let exact = here().find(|target| target.peer.remote == peer.remote);
        let target = exact.or_else(|| here().find(|t| t.peer.remote.ip() == peer.remote.ip()))?;
        self.clients.get(&target.name).or_else(|| {
            // A name that stands for several addresses: each is called as the name is.
            self.clients.get(target.name.split_once('/')?.0)
        })
    }
}
