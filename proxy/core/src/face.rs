//! How each of our listeners shows itself in messages, and how each target is addressed: spelt once.

use crate::{Config, Listener, ListenerId, Target, TargetId, Transport};
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
    /// The port beside it.
    port: u16,
}

impl Face {
    fn new(listener: &Listener, ask: bool) -> Self {
        let at = listener.advertised;
        let transport = listener.transport.as_str();
        let alias = listener.transport.alias();
        let contact = match listener.transport {
            Transport::Udp => format!("<sip:{at}>"),
            Transport::Tcp => format!("<sip:{at};transport=tcp>"),
            Transport::Tls => format!("<sip:{at};transport=tls>"),
        };
        Self {
            via: format!("SIP/2.0/{transport} {at};rport{alias}{};branch=", if ask { OC } else { "" })
                .into_bytes()
                .into(),
            contact: contact.into_bytes().into(),
            host: host(at).into_bytes().into(),
            port: at.port(),
        }
    }
}

/// Asks a peer to say when it is overloaded, by either algorithm (RFC 7339 §4.1 and §4.2, RFC 7415).
const OC: &str = ";oc;oc-algo=\"loss,rate\"";

/// How a target is named in a request URI.
#[derive(Debug, Clone)]
pub(crate) struct Aim {
    /// `host:port`, with the transport where it is not UDP.
    pub(crate) host_port: Box<[u8]>,
    /// `host` alone.
    pub(crate) host: Box<[u8]>,
}

impl Aim {
    fn new(target: &Target) -> Self {
        let at = target.peer.remote;
        let host_port = match target.peer.transport {
            Transport::Udp => at.to_string(),
            Transport::Tcp => format!("{at};transport=tcp"),
            Transport::Tls => format!("{at};transport=tls"),
        };
        Self { host_port: host_port.into_bytes().into(), host: host(at).into_bytes().into() }
    }
}

/// The host part of a URI for an address: IPv6 stands in brackets (RFC 3261 §19.1.1).
fn host(at: SocketAddr) -> String {
    match at {
        SocketAddr::V4(v4) => v4.ip().to_string(),
        SocketAddr::V6(v6) => format!("[{}]", v6.ip()),
    }
}

/// Every listener's and every target's texts.
#[derive(Debug, Clone, Default)]
pub(crate) struct Faces {
    listeners: Vec<Face>,
    targets: Vec<Aim>,
}

impl Faces {
    /// Spells them out. A reload never renumbers listeners, so that the calls that are up keep theirs.
    pub(crate) fn new(config: &Config) -> Self {
        let listeners = config.listeners.iter().map(|at| Face::new(at, config.overload.ask_peers)).collect();
        Self { listeners, targets: config.targets.iter().map(Aim::new).collect() }
    }

    /// What stands as sent-by in the Via of our requests.
    pub(crate) fn sent_by(&self) -> impl Iterator<Item = (Box<[u8]>, u16)> + '_ {
        self.listeners.iter().map(|face| (face.host.clone(), face.port))
    }

    /// One listener's texts.
    pub(crate) fn get(&self, id: ListenerId) -> Option<&Face> {
        self.listeners.get(id.index())
    }

    /// One target's texts, by its number in the newest configuration.
    pub(crate) fn aim(&self, id: TargetId) -> Option<&Aim> {
        self.targets.get(id.index())
    }
}
