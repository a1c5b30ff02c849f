//! URIs and addresses.

use sip_wire::{NameAddr, Uri};

/// No panic; an address's URI is one piece without blanks; a URI's parts are pieces of it.
pub fn uri(data: &[u8]) {
    if let Ok(address) = NameAddr::parse(data) {
        assert!(!address.uri.iter().any(|b| b.is_ascii_whitespace() || *b == b'<'));
        let _ = (address.tag(), address.display_text(), address.parse_uri());
    }
    let Ok(uri) = Uri::parse(data) else { return };
    if uri.is_sip() {
        assert!(!uri.host.is_empty() && !uri.host.contains(&b'@'));
        let bracketed = uri.host.starts_with(b"[");
        assert!(!bracketed || uri.ip().is_some_and(|ip| ip.is_ipv6()), "brackets hold an IPv6 address");
    }
    let _ = (uri.user_unescaped(), uri.user_name(), uri.user_params().iter().count());
    for param in uri.params.iter() {
        assert!(uri.param(param.name).is_some());
    }
}
