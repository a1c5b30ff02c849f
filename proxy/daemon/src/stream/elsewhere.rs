//! Where a message goes whose connection is gone.
//!
//! A peer that has begun a connection is known by a port that nobody listens on. What we have for it after the connection
//! has ended goes where the peer says that it listens: a response to its address and the port in the top Via (RFC 3261
//! §18.2.2), a request to the first Route or to the remote target (§8.1.2, §12.2.1.1), where that names an address.

use bytes::Bytes;
use proxy_core::Peer;
use sip_wire::{HeaderName, Message, NameAddr, Uri};
use std::net::SocketAddr;

/// Another way to the receiver of this message, if it names one.
pub(super) fn elsewhere(to: Peer, bytes: &Bytes) -> Option<Peer> {
    let message = Message::parse(bytes.clone()).ok()?;
    let remote = if message.is_request() {
        by_uri(&message, to.transport.default_port())?
    } else {
        // `received` is where the request came from, which `to` names too.
        SocketAddr::new(to.remote.ip(), message.top_via().ok()?.port.unwrap_or(to.transport.default_port()))
    };
    let fits = remote != to.remote && remote.port() != 0 && remote.is_ipv4() == to.remote.is_ipv4();
    fits.then_some(Peer { remote, ..to })
}

/// `port`: where none is written (RFC 3261 §18.2.2, §19.1.2).
fn by_uri(request: &Message, port: u16) -> Option<SocketAddr> {
    let route = request.values(HeaderName::Route).next();
    let uri = match route {
        Some(route) => NameAddr::parse(route).ok()?.uri,
        None => request.uri(),
    };
    let uri = Uri::parse(uri).ok()?;
    let by_datagram = uri.param(b"transport").is_some_and(|name| name.eq_ignore_ascii_case(b"udp"));
    if by_datagram {
        return None;
    }
    Some(SocketAddr::new(uri.ip()?, uri.port.unwrap_or(port)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proxy_core::{ListenerId, Transport};

    fn peer(remote: &str) -> Peer {
        Peer { transport: Transport::Tcp, listener: ListenerId(1), remote: remote.parse().unwrap() }
    }

    fn to(text: String) -> Option<SocketAddr> {
        elsewhere(peer("192.0.2.7:49152"), &Bytes::from(text)).map(|peer| peer.remote)
    }

    fn rest() -> &'static str {
        "From: <sip:a@b>;tag=1\r\nTo: <sip:c@d>;tag=2\r\nCall-ID: x\r\nCSeq: 1 BYE\r\nContent-Length: 0\r\n\r\n"
    }

    #[test]
    fn a_response_goes_to_where_its_request_came_from_at_the_port_that_the_via_names() {
        let response = |sent_by| {
            format!(
                "SIP/2.0 200 OK\r\nVia: SIP/2.0/TCP {sent_by};branch=z9hG4bK1;received=192.0.2.7\r\n{}",
                rest()
            )
        };
        assert_eq!(to(response("10.0.0.1:5070")), Some("192.0.2.7:5070".parse().unwrap()));
        assert_eq!(to(response("sbc.example.com")), Some("192.0.2.7:5060".parse().unwrap()));
        assert_eq!(to(response("192.0.2.7:49152")), None, "that is the way that was tried");
    }

    #[test]
    fn a_request_goes_to_its_first_route_else_to_its_target() {
        let request = |uri, route| {
            format!("BYE {uri} SIP/2.0\r\nVia: SIP/2.0/TCP 198.51.100.1;branch=z9hG4bK1\r\n{route}{}", rest())
        };
        let at = |text: &str| Some(text.parse().unwrap());
        assert_eq!(to(request("sip:x@192.0.2.9:5080;transport=tcp", "")), at("192.0.2.9:5080"));
        assert_eq!(to(request("sip:x@192.0.2.9", "Route: <sip:192.0.2.8;lr>\r\n")), at("192.0.2.8:5060"));
        assert_eq!(to(request("sip:x@sbc.example.com", "")), None, "no names are resolved here");
        assert_eq!(to(request("sip:x@192.0.2.9;transport=udp", "")), None);
        assert_eq!(to(request("sip:x@[2001:db8::1]", "")), None, "another family");
    }
}
