//! How each of our listeners shows itself in messages, spelt once.

use crate::{Config, Listener, ListenerId, Transport};
use std::net::SocketAddr;

/// The texts of one listener.
#[derive(Debug, Clone)]
pub(crate) struct Face {
    /// `SIP/2.0/UDP host:port;rport;branch=`
    pub(crate) via: Box<[u8]>,
    /// `<sip:host:port>`, with the transport where it is not UDP.
    pub(crate) contact: Box<[u8]>,
    /// `host` alone: what stands after the @ in From and To.
    pub(crate) host: Box<[u8]>,
}

impl Face {
    fn new(listener: &Listener) -> Self {
        let at = listener.advertised;
        let transport = listener.transport.as_str();
        let contact = match listener.transport {
            Transport::Udp => format!("<sip:{at}>"),
            Transport::Tcp => format!("<sip:{at};transport=tcp>"),
        };
        Self {
            via: format!("SIP/2.0/{transport} {at};rport;branch=").into_bytes().into(),
            contact: contact.into_bytes().into(),
            host: host(at).into_bytes().into(),
        }
    }
}

/// The host part of a URI for an address: IPv6 stands in brackets (RFC 3261 §19.1.1).
pub(crate) fn host(at: SocketAddr) -> String {
    match at {
        SocketAddr::V4(v4) => v4.ip().to_string(),
        SocketAddr::V6(v6) => format!("[{}]", v6.ip()),
    }
}

/// Every listener's texts.
#[derive(Debug, Clone, Default)]
pub(crate) struct Faces(Vec<Face>);

impl Faces {
    /// Spells them out. A reload never renumbers listeners, so that the calls that are up keep theirs.
    pub(crate) fn new(config: &Config) -> Self {
        Self(config.listeners.iter().map(Face::new).collect())
    }

    /// One listener's texts.
    pub(crate) fn get(&self, id: ListenerId) -> Option<&Face> {
        self.0.get(id.index())
    }
}
