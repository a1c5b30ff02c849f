//! What is configured instead of an address.

use crate::Transport;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

/// Bytes of a name in text, without its last dot (RFC 1035 §3.1: 255 on the wire, which is 253 so written).
const MAX_NAME: usize = 253;
/// Bytes of one label (RFC 1035 §2.3.4).
const MAX_LABEL: usize = 63;

/// A domain name in lower case, without its last dot.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DnsName(Arc<str>);

/// Why a text names no host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAHost {
    /// Nothing there.
    #[error("it is empty")]
    Empty,
    /// Longer than 253 bytes.
    #[error("it is longer than 253 bytes")]
    TooLong,
    /// A label without a letter or digit, or of more than 63.
    #[error("between two dots there must be 1 to 63 characters")]
    Label,
    /// Something else than letters, digits and hyphens, or a hyphen at a label's end.
    #[error("a host name has letters, digits and hyphens inside")]
    Character,
    /// The last label is a number: that is an address, and a wrong one.
    #[error("its last part is a number, as in an address")]
    Number,
}

impl DnsName {
    /// The name of a host, as RFC 1123 §2.1 has them.
    ///
    /// # Errors
    ///
    /// [`NotAHost`].
    pub fn host(text: &str) -> Result<Self, NotAHost> {
        let text = text.strip_suffix('.').unwrap_or(text);
        match text.len() {
            0 => return Err(NotAHost::Empty),
            n if n > MAX_NAME => return Err(NotAHost::TooLong),
            _ => {}
        }
        for label in text.split('.') {
            if label.is_empty() || label.len() > MAX_LABEL {
                return Err(NotAHost::Label);
            }
            let known = label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
            if !known || label.starts_with('-') || label.ends_with('-') {
                return Err(NotAHost::Character);
            }
        }
        let last = text.rsplit('.').next().unwrap_or_default();
        if last.bytes().all(|b| b.is_ascii_digit()) {
            return Err(NotAHost::Number);
        }
        Ok(Self(text.to_ascii_lowercase().into()))
    }

    /// A name as it stands in an answer. `None` for the root, which stands for *nothing* (RFC 2782), and for what cannot be.
    pub fn in_answer(text: &str) -> Option<Self> {
        let text = text.strip_suffix('.').unwrap_or(text);
        let fits = !text.is_empty() && text.len() <= MAX_NAME && text.is_ascii();
        fits.then(|| Self(text.to_ascii_lowercase().into()))
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Labels put before it: `_sip._udp` and `example.com` are `_sip._udp.example.com`.
    pub(super) fn below(&self, labels: &str) -> Self {
        Self(format!("{labels}.{}", self.0).into())
    }
}

impl fmt::Display for DnsName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which addresses a listener can reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// IPv4: A records.
    V4,
    /// IPv6: AAAA records.
    V6,
}

impl Family {
    /// That of an address.
    pub const fn of(address: &SocketAddr) -> Self {
        match address {
            SocketAddr::V4(_) => Self::V4,
            SocketAddr::V6(_) => Self::V6,
        }
    }
}

/// A host name with what decides how it is looked up. Two targets with equal places have one resolution.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The name.
    pub host: DnsName,
    /// With a port only addresses are asked for; without one NAPTR and SRV come first (RFC 3263 §4.1, §4.2).
    pub port: Option<u16>,
    /// That of the listener.
    pub transport: Transport,
    /// That of the listener.
    pub family: Family,
}

/// What RFC 3263 calls one transport.
pub(super) struct Service {
    /// In the services field of a NAPTR record (§4.1; the registry begun in §8).
    pub(super) naptr: &'static str,
    /// Before the name in a question for SRV (§4.1).
    pub(super) srv: &'static str,
    /// Where neither name nor record says a port (RFC 3261 §19.1.2).
    pub(super) port: u16,
}

impl Place {
    pub(super) const fn service(&self) -> Service {
        match self.transport {
            Transport::Udp => Service { naptr: "SIP+D2U", srv: "_sip._udp", port: 5060 },
            Transport::Tcp => Service { naptr: "SIP+D2T", srv: "_sip._tcp", port: 5060 },
            Transport::Tls => Service { naptr: "SIPS+D2T", srv: "_sips._tcp", port: 5061 },
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => write!(f, "{}:{port}", self.host),
            None => self.host.fmt(f),
        }
    }
}
