//! Values with a spelling of their own: durations, addresses, sources, names of things.

use ipnet::IpNet;
use proxy_core::{DnsName, NotAHost, Transport};
use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// A plain string.
pub(super) type Text = String;

/// A duration: `"200ms"`, `"5s"`, `"2m"`, `"1h"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span(pub(super) Duration);

/// A duration, or `"never"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SpanOrNever(pub(super) Option<Duration>);

/// An address with an optional port: `"192.0.2.1"`, `"192.0.2.1:5060"`, `"[2001:db8::1]:5060"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) ip: IpAddr,
    pub(super) port: Option<u16>,
}

/// Where a neighbour is: an address, or a host name with an optional port (`"sip.example.com"`,
/// `"sip.example.com:5070"`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Whereabouts {
    Address(Address),
    Name(DnsName, Option<u16>),
    /// Neither: what was written, and what is wrong with it as a name.
    Neither(String, NotAHost),
}

/// Where requests come from: `"192.0.2.0/24"` or one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Source(pub(super) IpNet);

impl Address {
    /// With SIP's own port for a transport where none is written.
    pub(super) fn sip(self, transport: Transport) -> SocketAddr {
        SocketAddr::new(self.ip, self.port.unwrap_or(transport.default_port()))
    }
}

/// Deserialise from a string by `read`, or say what was expected.
struct Spelled<T> {
    expected: &'static str,
    read: fn(&str) -> Option<T>,
}

impl<T> Visitor<'_> for Spelled<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        (self.read)(text).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self.expected))
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let expected = r#"a duration such as "200ms", "5s" or "2m""#;
        d.deserialize_str(Spelled { expected, read: duration }).map(Self)
    }
}

impl<'de> Deserialize<'de> for SpanOrNever {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let expected = "a duration such as \"200ms\" or \"5s\", or \"never\"";
        let read = |text: &str| if text == "never" { Some(None) } else { duration(text).map(Some) };
        d.deserialize_str(Spelled { expected, read }).map(Self)
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let expected =
            r#"an address such as "192.0.2.1:5060" or "[2001:db8::1]:5060" (names are not looked up)"#;
        d.deserialize_str(Spelled { expected, read: address })
    }
}

impl<'de> Deserialize<'de> for Whereabouts {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let expected = r#"an address such as "192.0.2.1:5060" or "[2001:db8::1]:5060", or a name such as "sip.example.com""#;
        d.deserialize_str(Spelled { expected, read: |text| Some(whereabouts(text)) })
    }
}

impl<'de> Deserialize<'de> for Source {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let expected = r#"an address or a network such as "192.0.2.0/24""#;
        let read = |text: &str| text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
        d.deserialize_str(Spelled { expected, read }).map(Self)
    }
}

/// A duration as the file spells it, for other places where people write one: digits and a unit (`us`, `ms`, `s`, `m`,
/// `h`), nothing else.
pub fn duration(text: &str) -> Option<Duration> {
    let unit_at = text.find(|c: char| !c.is_ascii_digit())?;
    let (digits, unit) = text.split_at(unit_at);
    let n: u64 = digits.parse().ok()?;
    match unit {
        "us" => Some(Duration::from_micros(n)),
        "ms" => Some(Duration::from_millis(n)),
        "s" => Some(Duration::from_secs(n)),
        "m" => n.checked_mul(60).map(Duration::from_secs),
        "h" => n.checked_mul(3600).map(Duration::from_secs),
        _ => None,
    }
}

fn address(text: &str) -> Option<Address> {
    if let Ok(at) = text.parse::<SocketAddr>() {
        return (at.port() != 0).then_some(Address { ip: at.ip(), port: Some(at.port()) });
    }
    text.parse().ok().map(|ip| Address { ip, port: None })
}

fn whereabouts(text: &str) -> Whereabouts {
    if let Some(address) = address(text) {
        return Whereabouts::Address(address);
    }
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) => match port.parse() {
            Ok(port) if port != 0 => (host, Some(port)),
            Ok(_) | Err(_) => return Whereabouts::Neither(text.to_owned(), NotAHost::Character),
        },
        None => (text, None),
    };
    match DnsName::host(host) {
        Ok(name) => Whereabouts::Name(name, port),
        Err(why) => Whereabouts::Neither(text.to_owned(), why),
    }
}

/// As a person writes it.
pub(super) fn say(d: Duration) -> String {
    let us = d.as_micros();
    match us {
        _ if !us.is_multiple_of(1_000) => format!("{us}us"),
        _ if !us.is_multiple_of(1_000_000) => format!("{}ms", us / 1_000),
        _ => format!("{}s", us / 1_000_000),
    }
}

/// The known word nearest to what was written, if one is near.
pub(super) fn nearest<'a>(wanted: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known
        .map(|k| (strsim::damerau_levenshtein(wanted, k), k))
        .filter(|(distance, k)| *distance <= 1 + k.len().min(wanted.len()) / 4)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, k)| k)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_digits_and_a_unit() {
        assert_eq!(duration("200ms"), Some(Duration::from_millis(200)));
        assert_eq!(duration("2m"), Some(Duration::from_secs(120)));
        for wrong in
            ["", "5", "s", "5 s", "-5s", "5sec", "1.5s", "99999999999999999999s", "9999999999999999999h"]
        {
            assert_eq!(duration(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn an_address_may_leave_its_port_out() {
        assert_eq!(address("192.0.2.1").unwrap().sip(Transport::Udp), "192.0.2.1:5060".parse().unwrap());
        assert_eq!(address("192.0.2.1").unwrap().sip(Transport::Tls), "192.0.2.1:5061".parse().unwrap());
        assert_eq!(address("[::1]:5070").unwrap().sip(Transport::Tls), "[::1]:5070".parse().unwrap());
        assert_eq!(address("sip.example.com:5060"), None);
        assert_eq!(address("192.0.2.1:0"), None);
    }

    #[test]
    fn a_neighbour_has_an_address_or_a_name() {
        let name = |text: &str, port| Whereabouts::Name(DnsName::host(text).unwrap(), port);
        assert_eq!(whereabouts("SIP.example.com."), name("sip.example.com", None));
        assert_eq!(whereabouts("sip.example.com:5070"), name("sip.example.com", Some(5070)));
        assert!(matches!(whereabouts("[2001:db8::1]:5060"), Whereabouts::Address(_)));
        for wrong in [
            "",
            "192.0.2.256",
            "192.0.2.1:0",
            "a..b",
            "-a.b",
            "a_b",
            "sip.example.com:x",
            "2001:db8::g",
            "müller.de",
        ] {
            assert!(matches!(whereabouts(wrong), Whereabouts::Neither(..)), "{wrong:?}");
        }
    }

    #[test]
    fn a_slip_of_the_finger_is_recognised_and_another_word_is_not() {
        let known = ["north", "south"];
        assert_eq!(nearest("nroth", known.into_iter()), Some("north"));
        assert_eq!(nearest("west", known.into_iter()), None);
    }
}
