//! `host [":" port]` (RFC 3261 §25.1), with RFC 5118's advice on IPv6.

use crate::class::{self, HOST};
use crate::fault::Defect;
use crate::lex::{byte, number, port, sub, trim};
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Host and port; blanks around the colon are allowed, as a Via's sent-by may have them.
pub(crate) fn split(text: &[u8]) -> Result<(&[u8], Option<u16>), Defect> {
    let text = trim(text);
    let end = if byte(text, 0) == b'[' {
        let end = memchr::memchr(b']', text).ok_or(Defect::Host)? + 1;
        ip(sub(text, 0, end)).map(|_| end)
    } else {
        Some(class::run(text, HOST)).filter(|end| *end > 0)
    };
    let end = end.ok_or(Defect::Host)?;
    let host = sub(text, 0, end);
    match trim(sub(text, end, text.len())) {
        [] => Ok((host, None)),
        [b':', digits @ ..] => Ok((host, Some(port(trim(digits)).ok_or(Defect::Port)?))),
        _ => Err(Defect::Host),
    }
}

/// The address that a host is, with or without brackets (RFC 5118 §4.5); `None` for a name.
pub fn ip(host: &[u8]) -> Option<IpAddr> {
    let bracketed = matches!(host, [b'[', .., b']']);
    let bare = if bracketed { sub(host, 1, host.len() - 1) } else { host };
    if !bracketed && let Some(v4) = ip4(bare) {
        return Some(IpAddr::V4(v4));
    }
    let text = bare.contains(&b':').then(|| std::str::from_utf8(bare).ok())??;
    ip6(text).map(IpAddr::V6)
}

/// Four numbers up to 255 without leading zeros, which some read as octal.
fn ip4(text: &[u8]) -> Option<Ipv4Addr> {
    let mut octets = [0; 4];
    let mut parts = text.split(|b| *b == b'.');
    for octet in &mut octets {
        let part = parts.next().filter(|part| part.len() < 2 || byte(part, 0) != b'0')?;
        *octet = u8::try_from(number(part).filter(|_| part.len() <= 3)?).ok()?;
    }
    parts.next().is_none().then(|| Ipv4Addr::from(octets))
}

fn ip6(text: &str) -> Option<Ipv6Addr> {
    if let Ok(address) = text.parse() {
        return Some(address);
    }
    // RFC 3261's grammar allowed three colons before an IPv4 tail by mistake: accept, never write (RFC 5118 §4.10).
    let (head, tail) = text.split_once(":::")?;
    format!("{head}::{tail}").parse().ok()
}

/// An address as text, without brackets and without an allocation.
#[derive(Debug, Clone, Copy)]
pub struct Literal {
    /// The longest is an IPv6 address with an IPv4 tail: 45 characters.
    text: [u8; 48],
    end: usize,
}

impl Literal {
    /// Writes it.
    pub fn new(ip: IpAddr) -> Literal {
        let mut out = Literal { text: [0; 48], end: 0 };
        match ip {
            IpAddr::V4(v4) => {
                for (at, octet) in v4.octets().into_iter().enumerate() {
                    if at > 0 {
                        out.push(b'.');
                    }
                    out.octet(octet);
                }
            }
            IpAddr::V6(v6) => {
                let mut room = &mut out.text[..];
                // There is room for every address, so that writing cannot fail.
                let _ = write!(room, "{v6}");
                out.end = 48 - room.len();
            }
        }
        out
    }

    /// The text.
    pub fn as_bytes(&self) -> &[u8] {
        sub(&self.text, 0, self.end)
    }

    fn octet(&mut self, octet: u8) {
        if octet >= 100 {
            self.push(b'0' + octet / 100);
        }
        if octet >= 10 {
            self.push(b'0' + octet / 10 % 10);
        }
        self.push(b'0' + octet % 10);
    }

    fn push(&mut self, b: u8) {
        if let Some(place) = self.text.get_mut(self.end) {
            *place = b;
            self.end += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_written_as_the_standard_library_writes_it_and_read_back() {
        for text in
            ["0.0.0.0", "9.10.99.100", "192.0.2.255", "::", "::1", "2001:db8::1:0:0:1", "::ffff:192.0.2.1"]
        {
            let address: IpAddr = text.parse().unwrap();
            assert_eq!(Literal::new(address).as_bytes(), address.to_string().as_bytes());
            assert_eq!(ip(Literal::new(address).as_bytes()), Some(address));
        }
        let longest = "1111:2222:3333:4444:5555:6666:255.255.255.255".parse().unwrap();
        assert_eq!(ip(Literal::new(longest).as_bytes()), Some(longest));
    }

    #[test]
    fn what_the_standard_library_does_not_take_for_an_address_is_none() {
        for text in
            ["1.2.3", "1.2.3.4.5", "01.2.3.4", "1.2.3.256", "1.2.3.0256", "1..3.4", "1.2.3.4 ", "", "a.b.c.d"]
        {
            assert_eq!((ip(text.as_bytes()), text.parse::<IpAddr>().ok()), (None, None), "{text}");
        }
    }
}
