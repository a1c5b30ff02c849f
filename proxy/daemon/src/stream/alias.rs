//! A peer that asks for its connection to be used both ways (RFC 5923).
//!
//! Where it says `alias` in the Via of its requests, what we have for its own address goes over the connection that it has begun,
//! if its certificate is of the domain that we would have called there. Without TLS nobody's word for an address is taken.

use bytes::Bytes;
use proxy_core::{Peer, Transport};
use sip_wire::Message;
use std::net::SocketAddr;

/// Requests that are looked into for it: a peer that wants it says so in every one.
const LOOKS: u8 = 4;

/// Whether a peer has asked, on one connection.
#[derive(Debug)]
pub(super) struct AliasAsked {
    peer: Peer,
    looks: u8,
}

impl AliasAsked {
    /// Only whoever has begun a TLS connection is asked for.
    pub(super) fn new(peer: Peer, accepted: bool) -> Self {
        let looks = if accepted && peer.transport == Transport::Tls { LOOKS } else { 0 };
        Self { peer, looks }
    }

    /// The address that the peer has besides that of this connection, when it has asked for the first time: where it comes from,
    /// at the port of its sent-by (RFC 5923 §6).
    pub(super) fn look(&mut self, message: &Bytes) -> Option<SocketAddr> {
        if self.looks == 0 || message.starts_with(b"SIP/") {
            return None;
        }
        self.looks -= 1;
        let request = Message::parse(message.clone()).ok()?;
        let via = request.top_via().ok().filter(|via| via.params.has(b"alias"))?;
        self.looks = 0;
        let port = via.port.unwrap_or(Transport::Tls.default_port());
        Some(SocketAddr::new(self.peer.remote.ip(), port)).filter(|at| at.port() != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proxy_core::ListenerId;

    fn asked(transport: Transport, accepted: bool, vias: &[&str]) -> Option<SocketAddr> {
        let remote = "192.0.2.7:49152".parse().unwrap();
        let mut asked = AliasAsked::new(Peer { transport, listener: ListenerId(0), remote }, accepted);
        let request = |via: &&str| {
            Bytes::from(format!(
                "OPTIONS sip:a SIP/2.0\r\nVia: SIP/2.0/TLS {via}\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\n\
                 Call-ID: x\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
            ))
        };
        vias.iter().map(request).find_map(|request| asked.look(&request))
    }

    #[test]
    fn who_says_alias_is_found_again_at_the_port_of_its_sent_by() {
        let at = |text: &str| Some(text.parse().unwrap());
        assert_eq!(asked(Transport::Tls, true, &["c.example;branch=z9hG4bK1;alias"]), at("192.0.2.7:5061"));
        assert_eq!(asked(Transport::Tls, true, &["198.51.100.1:5081;alias"]), at("192.0.2.7:5081"));
        assert_eq!(asked(Transport::Tls, true, &["c.example", "c.example;alias"]), at("192.0.2.7:5061"));
    }

    #[test]
    fn nobody_else_is() {
        assert_eq!(asked(Transport::Tls, true, &["c.example;branch=z9hG4bKalias", "c.example"]), None);
        assert_eq!(asked(Transport::Tcp, true, &["c.example;alias"]), None);
        assert_eq!(asked(Transport::Tls, false, &["c.example;alias"]), None, "that one is ours");
        let late = ["c.example"; 4].into_iter().chain(["c.example;alias"]).collect::<Vec<_>>();
        assert_eq!(asked(Transport::Tls, true, &late), None);
    }
}
