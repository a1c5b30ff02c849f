//! Where certificates may be fetched from. Whoever calls us chooses the URL, so it is held to `https`, to hosts that the
//! configuration names, and to addresses that are not inside of anybody's network.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Bytes of a URL; real ones have 60 to 120.
const MAX_URL: usize = 1_024;

/// An `https` URL, taken apart.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    /// Lower case; an address without brackets.
    pub(super) host: String,
    pub(super) port: u16,
    /// With its query.
    pub(super) path: String,
}

/// A host that certificates may be fetched from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    name: String,
    port: u16,
    internal: bool,
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.name, self.port)
    }
}

impl Place {
    /// `None` where it is no `https` URL, or says who asks, or where in a document.
    pub(crate) fn parse(url: &str) -> Option<Self> {
        let (scheme, rest) = url.split_at_checked(8)?;
        let is_plain = |b: u8| b.is_ascii_graphic() && !matches!(b, b'\\' | b'<' | b'>' | b'"' | b'#');
        if !scheme.eq_ignore_ascii_case("https://") || url.len() > MAX_URL || !url.bytes().all(is_plain) {
            return None;
        }
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let (host, port) = authority_of(authority)?;
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        Some(Self { host, port, path })
    }
}

impl Host {
    /// `name` or `name:port`.
    pub(crate) fn parse(text: &str, internal: bool) -> Option<Self> {
        let (name, port) = authority_of(text)?;
        Some(Self { name, port, internal })
    }

    /// Whether it is an address that nobody outside has.
    pub(crate) fn is_inside(&self) -> bool {
        self.name.parse().is_ok_and(|ip| !is_public(ip))
    }

    /// Whether a URL names it.
    pub(super) fn is(&self, place: &Place) -> bool {
        self.name == place.host && self.port == place.port
    }

    /// Whether it may be an address of our own.
    pub(super) fn is_internal(&self) -> bool {
        self.internal
    }
}

/// Host and port of `host[:port]`, without user information.
fn authority_of(text: &str) -> Option<(String, u16)> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest.split_once(']')?;
            host.parse::<Ipv6Addr>().ok()?;
            (host, after)
        }
        None => text.split_at(text.find(':').unwrap_or(text.len())),
    };
    let port = match port.strip_prefix(':') {
        Some(digits) => digits.parse().ok().filter(|port| *port != 0)?,
        None if port.is_empty() => 443,
        None => return None,
    };
    let is_name = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b':' | b'_');
    let is_sound = !host.is_empty() && host.len() <= 253 && host.bytes().all(is_name);
    is_sound.then(|| (host.to_ascii_lowercase(), port))
}

/// Whether an address is one that anybody can have: not private, not of one link or machine, not reserved
/// (RFC 6890, RFC 4193, RFC 6598). What an address of one kind carries of another is looked into.
pub(super) fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => {
            let inner = |high: u16, low: u16| {
                let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
                is_public_v4(Ipv4Addr::new(a, b, c, d))
            };
            match v6.segments() {
                // Mapped, compatible, unspecified and loopback.
                [0, 0, 0, 0, 0, 0xffff, high, low] => inner(high, low),
                [0, 0, 0, 0, 0, ..] => false,
                // NAT64 and 6to4.
                [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => inner(high, low),
                // Of all the rest only what is given out.
                [first, second, ..] => first & 0xe000 == 0x2000 && (first, second) != (0x2001, 0xdb8),
            }
        }
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    let inside = ip.is_private() || ip.is_loopback() || ip.is_link_local() || ip.is_documentation();
    let reserved = a == 0
        || a >= 224
        || (a == 100 && b & 0xc0 == 64)
        || (a == 198 && b & 0xfe == 18)
        || (a == 192 && b == 0 && c == 0);
    !inside && !reserved
}

#[cfg(test)]
mod tests {
    use super::{Host, Place, is_public};

    #[test]
    fn a_place_is_an_https_url_and_nothing_else() {
        let place = Place::parse("HTTPS://CR.example.com/a/b.pem?x=1").unwrap();
        assert_eq!(
            (place.host.as_str(), place.port, place.path.as_str()),
            ("cr.example.com", 443, "/a/b.pem?x=1")
        );
        let place = Place::parse("https://[2001:db8::1]:8443").unwrap();
        assert_eq!((place.host.as_str(), place.port, place.path.as_str()), ("2001:db8::1", 8443, "/"));
        for wrong in [
            "http://cr.example.com/a.pem",
            "https://",
            "https:///a.pem",
            "https://user@cr.example.com/",
            "https://cr.example.com:0/",
            "https://cr.example.com:99999/",
            "https://cr.example.com/a#b",
            "https://cr.example.com/a b",
            "https://cr.example.com\\@inside/",
            "https://[::1/",
            "https://cr.example.com%2einside/",
            "file:///etc/passwd",
            "",
        ] {
            assert_eq!(Place::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_host_is_named_whole_with_its_port() {
        let host = Host::parse("cr.example.com", false).unwrap();
        assert!(host.is(&Place::parse("https://CR.EXAMPLE.com:443/x").unwrap()));
        for other in
            ["https://cr.example.com:8443/x", "https://x.cr.example.com/x", "https://cr.example.com.evil/x"]
        {
            assert!(!host.is(&Place::parse(other).unwrap()), "{other}");
        }
    }

    #[test]
    fn addresses_inside_of_networks_are_not_public() {
        for inside in [
            "10.0.0.1",
            "172.16.0.1",
            "192.168.1.1",
            "127.0.0.1",
            "169.254.169.254",
            "0.0.0.0",
            "100.64.0.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "192.0.2.1",
            "::",
            "::1",
            "fe80::1",
            "fc00::1",
            "fd12::1",
            "ff02::1",
            "::ffff:10.0.0.1",
            "::ffff:127.0.0.1",
            "64:ff9b::a00:1",
            "2002:7f00:1::",
            "2001:db8::1",
            "::10.0.0.1",
        ] {
            assert!(!is_public(inside.parse().unwrap()), "{inside}");
        }
        for outside in ["8.8.8.8", "193.0.14.129", "2a00:1450::1", "::ffff:8.8.8.8", "64:ff9b::808:808"] {
            assert!(is_public(outside.parse().unwrap()), "{outside}");
        }
    }
}
