//! Which SIP domains a certificate is of (RFC 5922 §7.1), and when that is the one that is wanted (§7.2).

use std::net::IpAddr;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// Domains that are read from one certificate: beyond, it is of more than anybody needs.
const MOST: usize = 64;

/// What a certificate is of.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Domains {
    /// In lower case, in the certificate's order.
    pub(crate) names: Vec<Box<str>>,
    /// For targets that are configured by their address: nobody's SIP identity.
    addresses: Vec<IpAddr>,
}

impl Domains {
    /// Of a certificate in DER; of none if it cannot be read.
    pub(crate) fn of(der: &[u8]) -> Self {
        let Ok((_, certificate)) = X509Certificate::from_der(der) else { return Self::default() };
        match certificate.subject_alternative_name() {
            Ok(Some(alternative)) => Self::alternative(&alternative.value.general_names),
            // Only where there is no subjectAltName at all.
            Ok(None) => {
                let mut names = certificate.subject().iter_common_name();
                let name = names.next().and_then(|name| name.as_str().ok()).and_then(domain);
                Self { names: name.into_iter().collect(), addresses: Vec::new() }
            }
            // Two of them, or one that cannot be read.
            Err(_) => Self::default(),
        }
    }

    fn alternative(names: &[GeneralName<'_>]) -> Self {
        let (mut by_uri, mut by_dns, mut addresses) = (Vec::new(), Vec::new(), Vec::new());
        for name in names.iter().take(MOST) {
            match name {
                GeneralName::URI(uri) => by_uri.extend(sip_host(uri).and_then(domain)),
                GeneralName::DNSName(name) => by_dns.extend(domain(name)),
                GeneralName::IPAddress(bytes) => addresses.extend(address(bytes)),
                _ => {}
            }
        }
        // A DNS name counts only where no SIP URI says better.
        Self { names: if by_uri.is_empty() { by_dns } else { by_uri }, addresses }
    }

    /// Whether it is of this one: the whole name, whatever the case; no wildcards, no suffixes.
    pub(crate) fn has(&self, wanted: &str) -> bool {
        match wanted.parse::<IpAddr>() {
            Ok(ip) => self.addresses.contains(&ip.to_canonical()),
            Err(_) => self.names.iter().any(|name| name.eq_ignore_ascii_case(wanted)),
        }
    }
}

/// The host of a `sip` URI that names no user: one with a user is of a person, not of a domain.
fn sip_host(uri: &str) -> Option<&str> {
    let (scheme, rest) = uri.split_once(':')?;
    let is_domains = scheme.eq_ignore_ascii_case("sip") && !rest.contains('@');
    is_domains.then(|| rest.split([';', '?', ':']).next().unwrap_or_default())
}

/// As it is compared, if it can be a domain.
fn domain(text: &str) -> Option<Box<str>> {
    is_domain(text).then(|| text.to_ascii_lowercase().into())
}

/// Whether a text is a host name in full (RFC 1123 §2.1), without wildcards.
pub(crate) fn is_domain(text: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 253 && text.parse::<IpAddr>().is_err() && text.split('.').all(is_label)
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from);
    v4.or_else(|| <[u8; 16]>::try_from(bytes).ok().map(|v6| IpAddr::from(v6).to_canonical()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, DnType, KeyPair, SanType};

    fn of(names: Vec<SanType>, common: &str) -> Domains {
        let mut params = CertificateParams::default();
        params.subject_alt_names = names;
        params.distinguished_name.push(DnType::CommonName, common);
        let key = KeyPair::generate().unwrap();
        Domains::of(params.self_signed(&key).unwrap().der())
    }

    fn uri(text: &str) -> SanType {
        SanType::URI(text.try_into().unwrap())
    }

    fn dns(text: &str) -> SanType {
        SanType::DnsName(text.try_into().unwrap())
    }

    fn names(domains: &Domains) -> Vec<&str> {
        domains.names.iter().map(|name| &**name).collect()
    }

    #[test]
    fn a_sip_uri_says_better_than_a_dns_name() {
        let both = of(vec![dns("host7.example"), uri("SIP:Carrier.Example")], "cn.example");
        assert_eq!(names(&both), ["carrier.example"]);
        assert_eq!(names(&of(vec![dns("Host7.example")], "cn.example")), ["host7.example"]);
    }

    #[test]
    fn persons_other_schemes_and_wildcards_are_no_domains() {
        let odd =
            [uri("sip:alice@carrier.example"), uri("sips:carrier.example"), uri("https://carrier.example")];
        assert!(of(odd.to_vec(), "carrier.example").names.is_empty());
        assert!(of(vec![dns("*.carrier.example")], "carrier.example").names.is_empty());
        let also = of(vec![uri("sip:alice@a.example"), dns("b.example")], "cn");
        assert_eq!(names(&also), ["b.example"], "a person's URI does not hide the DNS name");
    }

    #[test]
    fn the_common_name_counts_only_where_there_is_no_other_name() {
        assert_eq!(names(&of(Vec::new(), "Old.example")), ["old.example"]);
        assert!(of(vec![uri("sip:alice@a.example")], "old.example").names.is_empty());
        assert!(of(Vec::new(), "not a domain").names.is_empty());
    }

    #[test]
    fn names_are_compared_whole() {
        let domains = of(vec![dns("carrier.example")], "");
        assert!(domains.has("CARRIER.example"));
        for other in ["sip.carrier.example", "example", "arrier.example", "carrier.example.", ""] {
            assert!(!domains.has(other), "{other}");
        }
    }

    #[test]
    fn an_address_is_only_proved_as_one() {
        let domains = of(vec![SanType::IpAddress([192, 0, 2, 1].into())], "");
        assert!(domains.has("192.0.2.1") && !domains.has("192.0.2.2") && domains.names.is_empty());
        assert!(!of(vec![dns("a.example")], "192.0.2.1").has("192.0.2.1"));
    }

    #[test]
    fn what_is_no_certificate_is_of_nothing() {
        for der in [&b""[..], b"\x30\x82", &[0x30; 1_000]] {
            assert_eq!(Domains::of(der), Domains::default());
        }
    }
}
