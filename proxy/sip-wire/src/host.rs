//! `host [":" port]` (RFC 3261 §25.1), with RFC 5118's advice on IPv6.

use crate::fault::Defect;
use crate::lex::{byte, port, sub, trim};
use std::net::{IpAddr, Ipv6Addr};

/// Host and port; blanks around the colon are allowed, as a Via's sent-by may have them.
pub(crate) fn split(text: &[u8]) -> Result<(&[u8], Option<u16>), Defect> {
    let text = trim(text);
    let colon = if byte(text, 0) == b'[' {
        let close = memchr::memchr(b']', text).ok_or(Defect::Host)?;
        let behind = sub(text, close + 1, text.len());
        let blanks = behind.len() - trim(behind).len();
        match trim(behind) {
            [] => None,
            [b':', ..] => Some(close + 1 + blanks),
            _ => return Err(Defect::Host),
        }
    } else {
        memchr::memchr(b':', text)
    };
    let host = trim(sub(text, 0, colon.unwrap_or(text.len())));
    check(host)?;
    let number = match colon {
        None => None,
        Some(at) => Some(port(trim(sub(text, at + 1, text.len()))).ok_or(Defect::Port)?),
    };
    Ok((host, number))
}

fn check(host: &[u8]) -> Result<(), Defect> {
    let sound = match host {
        [] => false,
        [b'[', ..] => ip(host).is_some(),
        // An underscore is no host name, but is seen in Vias of private networks, and harms nobody.
        name => name.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_')),
    };
    if sound { Ok(()) } else { Err(Defect::Host) }
}

/// The address that a host is, with or without brackets (RFC 5118 §4.5); `None` for a name.
pub fn ip(host: &[u8]) -> Option<IpAddr> {
    let bracketed = matches!(host, [b'[', .., b']']);
    let bare = if bracketed { sub(host, 1, host.len() - 1) } else { host };
    let text = std::str::from_utf8(bare).ok()?;
    if bracketed || text.contains(':') { ip6(text).map(IpAddr::V6) } else { text.parse().ok() }
}

fn ip6(text: &str) -> Option<Ipv6Addr> {
    if let Ok(address) = text.parse() {
        return Some(address);
    }
    // RFC 3261's grammar allowed three colons before an IPv4 tail by mistake: accept, never write (RFC 5118 §4.10).
    let (head, tail) = text.split_once(":::")?;
    format!("{head}::{tail}").parse().ok()
}
