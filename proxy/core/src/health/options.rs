//! The OPTIONS request that probes a target (RFC 3261 §11), built by rsip: every byte of it is ours. It is built once for
//! each target; a probe is a copy with its own id.

use crate::rng::Rng;
use crate::{Listener, Peer, Transport};
use bytes::Bytes;
use rsip::headers::UntypedHeader as _;
use rsip::{Header, Headers, Host, HostWithPort, Method, Request, Uri, Version, headers};
use std::fmt;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::net::SocketAddr;

/// What the branch of a probe begins with, after the magic cookie (RFC 3261 §8.1.1.7): the letter names the health core,
/// as `b` names a shard.
const BRANCH_PREFIX: &str = "z9hG4bKh";

/// Names one probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct ProbeId(pub(super) u64);

impl fmt::Display for ProbeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// Where ids come from. A target sees its own probes' ids and must not learn from them what another's will be: its answers
/// would be taken for the other's. So they are not the core's plain random numbers, which can be run backwards and on, but
/// a hash (SipHash) of a secret and a count.
#[derive(Debug, Clone)]
pub(super) struct ProbeIds {
    secret: [u64; 2],
    count: u64,
}

impl ProbeIds {
    pub(super) fn new(rng: &mut Rng) -> Self {
        Self { secret: [rng.next_u64(), rng.next_u64()], count: 0 }
    }

    pub(super) fn draw(&mut self) -> ProbeId {
        self.count += 1;
        let mut hasher = DefaultHasher::new();
        (self.secret, self.count).hash(&mut hasher);
        ProbeId(hasher.finish())
    }
}

impl ProbeId {
    /// From the branch of a response.
    pub(super) fn from_branch(branch: &[u8]) -> Option<Self> {
        let text = branch.strip_prefix(BRANCH_PREFIX.as_bytes())?;
        let digits = text.len() == 16 && text.iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let text = std::str::from_utf8(text).ok().filter(|_| digits)?;
        u64::from_str_radix(text, 16).ok().map(Self)
    }
}

/// A target's request, and where the id stands in it.
#[derive(Debug, Clone)]
pub(super) struct Template {
    bytes: Vec<u8>,
    places: Vec<usize>,
}

impl Template {
    pub(super) fn new(to: &Peer, ours: &Listener, product: Option<&str>) -> Self {
        // No digit of one id is the other's, so what differs is the id, whatever the product is called.
        let (bytes, other) =
            (options(ProbeId(0), to, ours, product), options(ProbeId(u64::MAX), to, ours, product));
        let differs = bytes.iter().zip(&other).enumerate().filter(|(_, (a, b))| a != b);
        let places = differs.map(|(at, _)| at).collect();
        Self { bytes: bytes.to_vec(), places }
    }

    /// The request with this id.
    pub(super) fn with(&self, id: ProbeId) -> Bytes {
        let mut bytes = self.bytes.clone();
        for (nth, place) in self.places.iter().enumerate() {
            let nibble = (id.0 >> (60 - 4 * (nth % 16))) & 0xf;
            if let (Some(byte), Some(digit)) = (bytes.get_mut(*place), char::from_digit(nibble as u32, 16)) {
                *byte = digit as u8;
            }
        }
        bytes.into()
    }
}

/// The whole request.
fn options(id: ProbeId, to: &Peer, ours: &Listener, product: Option<&str>) -> Bytes {
    let transport = to.transport;
    let protocol = transport.as_str();
    let sent_by = host_with_port(ours.advertised);
    let target = uri(to.remote, transport);
    let local = uri(ours.advertised, transport);
    let mut headers = Headers::from(vec![
        Header::Via(headers::Via::new(format!(
            "SIP/2.0/{protocol} {sent_by};branch={BRANCH_PREFIX}{id};rport{}",
            transport.alias()
        ))),
        Header::MaxForwards(headers::MaxForwards::new("70")),
        Header::From(headers::From::new(format!("<{local}>;tag={id}"))),
        Header::To(headers::To::new(format!("<{target}>"))),
        Header::CallId(headers::CallId::new(format!("{BRANCH_PREFIX}{id}"))),
        Header::CSeq(headers::CSeq::new("1 OPTIONS")),
        Header::Contact(headers::Contact::new(format!("<{local}>"))),
        Header::Accept(headers::Accept::new("application/sdp")),
    ]);
    if let Some(product) = product {
        // Not a byte of the configuration may end the line that it stands in.
        let product: String = product.chars().filter(|c| !c.is_control()).collect();
        headers.push(Header::UserAgent(headers::UserAgent::new(product)));
    }
    headers.push(Header::ContentLength(headers::ContentLength::new("0")));
    Request { method: Method::Options, uri: target, version: Version::V2, headers, body: Vec::new() }.into()
}

fn uri(address: SocketAddr, transport: Transport) -> Uri {
    let params = match transport {
        // UDP is what a SIP URI with a port means without the parameter (RFC 3263 §4.1).
        Transport::Udp => Vec::new(),
        Transport::Tcp => vec![rsip::Param::Transport(rsip::Transport::Tcp)],
        Transport::Tls => vec![rsip::Param::Transport(rsip::Transport::Tls)],
    };
    Uri { scheme: Some(rsip::Scheme::Sip), host_with_port: host_with_port(address), params, ..Uri::default() }
}

fn host_with_port(address: SocketAddr) -> HostWithPort {
    let host = match address {
        SocketAddr::V4(v4) => Host::IpAddr((*v4.ip()).into()),
        // rsip writes an IPv6 address without the brackets of RFC 3261 §25.1 `IPv6reference`.
        SocketAddr::V6(v6) => Host::Domain(format!("[{}]", v6.ip()).into()),
    };
    HostWithPort { host, port: Some(address.port().into()) }
}

#[cfg(test)]
mod tests {
    use super::{ProbeId, Template, options};
    use crate::{Listener, ListenerId, Peer, Transport};

    fn probe(transport: Transport, remote: &str, advertised: &str, product: Option<&str>) -> String {
        let advertised = advertised.parse().unwrap();
        let ours = Listener {
            name: "l".into(),
            transport,
            bind: advertised,
            advertised,
            large: crate::LargeRequests::default(),
        };
        let to = Peer { transport, listener: ListenerId(0), remote: remote.parse().unwrap() };
        let bytes = options(ProbeId(0x1f), &to, &ours, product);
        for id in [ProbeId(0), ProbeId(0x1f), ProbeId(0x0123_4567_89ab_cdef), ProbeId(u64::MAX)] {
            let copy = Template::new(&to, &ours, product).with(id);
            assert_eq!(copy, options(id, &to, &ours, product), "a copy is what would have been built");
        }
        sip_wire::Message::parse(bytes.clone()).unwrap().check().unwrap();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[test]
    fn a_probe_is_byte_for_byte_what_the_rfc_asks_for() {
        let text = probe(Transport::Udp, "192.0.2.1:5060", "198.51.100.7:5062", Some("Bas\r\nX: y"));
        probe(Transport::Udp, "192.0.2.1:5060", "198.51.100.7:5062", Some("0000000000000000"));
        assert_eq!(
            text,
            "OPTIONS sip:192.0.2.1:5060 SIP/2.0\r\n\
             Via: SIP/2.0/UDP 198.51.100.7:5062;branch=z9hG4bKh000000000000001f;rport\r\n\
             Max-Forwards: 70\r\n\
             From: <sip:198.51.100.7:5062>;tag=000000000000001f\r\n\
             To: <sip:192.0.2.1:5060>\r\n\
             Call-ID: z9hG4bKh000000000000001f\r\n\
             CSeq: 1 OPTIONS\r\n\
             Contact: <sip:198.51.100.7:5062>\r\n\
             Accept: application/sdp\r\n\
             User-Agent: BasX: y\r\n\
             Content-Length: 0\r\n\r\n"
        );
    }

    #[test]
    fn ipv6_stands_in_brackets_and_tcp_is_said() {
        let text = probe(Transport::Tcp, "[2001:db8::1]:5060", "[2001:db8::2]:5060", None);
        assert!(text.starts_with("OPTIONS sip:[2001:db8::1]:5060;transport=TCP SIP/2.0\r\n"), "{text}");
        assert!(text.contains("Via: SIP/2.0/TCP [2001:db8::2]:5060;branch="), "{text}");
        assert!(text.contains("Contact: <sip:[2001:db8::2]:5060;transport=TCP>\r\n"), "{text}");
    }

    #[test]
    fn only_our_own_branches_name_a_probe() {
        assert_eq!(ProbeId::from_branch(b"z9hG4bKh00000000000000ff"), Some(ProbeId(255)));
        for other in [
            "z9hG4bKb00000000000000ff",
            "z9hG4bKhff",
            "z9hG4bKh+0000000000000ff",
            "z9hG4bKh00000000000000FF",
            "",
        ] {
            assert_eq!(ProbeId::from_branch(other.as_bytes()), None, "{other}");
        }
    }
}
