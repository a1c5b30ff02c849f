//! Listeners: where SIP is spoken.

use super::names::{Names, number};
use super::policy::ranged;
use crate::config::complaint::Complaints;
use crate::config::raw::{Maybe, RawLarge, RawListener, RawTransport};
use crate::config::words::Address;
use proxy_core::{DnsName, Family, LargeRequests, Listener, ListenerId, Peer, Place, Transport};
use serde_spanned::Spanned;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::Range;

/// Listeners and how to find them again.
pub(super) struct Listeners<'a> {
    pub(super) compiled: Vec<Listener>,
    names: Names<'a>,
}

pub(super) fn read<'a>(raw: &'a [Spanned<RawListener>], complaints: &mut Complaints) -> Listeners<'a> {
    let names = Names::collect("[[listener]]", raw.iter().map(|l| (&l.get_ref().name, l.span())), complaints);
    if raw.is_empty() {
        complaints
            .error(0..0, "no [[listener]]: nothing could reach us")
            .advise("add a section [[listener]] with `name = \"carrier\"` and `bind = \"192.0.2.1:5060\"`");
    }
    let compiled: Vec<_> =
        raw.iter().zip(names.all()).map(|(listener, name)| one(listener, name, complaints)).collect();
    for (i, later) in compiled.iter().enumerate() {
        let clash = compiled.iter().take(i).position(|earlier| collide(earlier, later));
        if let (Some(j), Some(section)) = (clash, raw.get(i)) {
            let at = |l: &Spanned<RawListener>| l.get_ref().bind.as_ref().map_or(l.span(), Spanned::span);
            complaints
                .error(at(section), format!("two listeners on {} {}", later.transport.as_str(), later.bind))
                .at("second")
                .see(raw.get(j).map_or(0..0, at), "first")
                .advise("give one of them another port or address");
        }
    }
    Listeners { compiled, names }
}

fn one(section: &Spanned<RawListener>, name: String, complaints: &mut Complaints) -> Listener {
    let raw = section.get_ref();
    let transport = transport(raw.transport);
    let bind = match &raw.bind {
        Some(bind) => bind.get_ref().sip(transport),
        None => {
            complaints.missing(section.span(), "this [[listener]]", "bind", "\"192.0.2.1:5060\"");
            SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0)
        }
    };
    let advertised = raw.advertised.as_ref().map_or(bind, |a| {
        let port = a.get_ref().port.unwrap_or(bind.port());
        SocketAddr::new(a.get_ref().ip, port)
    });
    let at = raw.advertised.as_ref().or(raw.bind.as_ref()).map_or(section.span(), Spanned::span);
    if advertised.ip().is_unspecified() {
        complaints
            .error(
                at,
                format!("{} would stand in Via and Contact, where no peer could reach it", advertised.ip()),
            )
            .at("says every address, which is none")
            .advise("bind one address, or add `advertised` with the one that peers see");
    } else if advertised.is_ipv4() != bind.is_ipv4() {
        complaints
            .error(at, "`advertised` is of another address family than `bind`")
            .advise("use one listener for IPv4 and one for IPv6");
    }
    Listener { name, transport, bind, advertised, large: large(raw, transport, complaints) }
}

/// UDP where nothing is written.
pub(super) fn transport(raw: Option<RawTransport>) -> Transport {
    match raw {
        Some(RawTransport::Tcp) => Transport::Tcp,
        Some(RawTransport::Tls) => Transport::Tls,
        Some(RawTransport::Udp) | None => Transport::Udp,
    }
}

/// RFC 791: every host takes so many bytes. RFC 768: no datagram has more.
const PATH_MTU: (u32, u32) = (576, 65_535);

/// A request has to be so much smaller than the path's MTU (RFC 3261 §18.1.1): its answer has more in it.
const MARGIN: u16 = 200;

fn large(raw: &RawListener, transport: Transport, complaints: &mut Complaints) -> LargeRequests {
    let over = raw.path_mtu.as_ref().map(|mtu| {
        let mtu = ranged(mtu, PATH_MTU.0, PATH_MTU.1, "`path_mtu`", complaints);
        u16::try_from(mtu).unwrap_or(u16::MAX).saturating_sub(MARGIN)
    });
    let places = [
        raw.path_mtu.as_ref().map(|v| (v.span(), "path_mtu")),
        raw.large_requests.as_ref().map(|v| (v.span(), "large_requests")),
    ];
    for (at, key) in places.into_iter().flatten().filter(|_| transport.is_reliable()) {
        complaints
            .error(at, format!("`{key}` on a listener for streams, which have no datagrams"))
            .advise("write it at the listener for UDP on the same address");
    }
    match (raw.large_requests.as_ref().map(Spanned::get_ref), over) {
        (Some(RawLarge::Datagram), _) => LargeRequests::Datagram,
        (Some(RawLarge::Stream) | None, Some(over)) => LargeRequests::Stream { over },
        (Some(RawLarge::Stream) | None, None) => LargeRequests::default(),
    }
}

fn collide(a: &Listener, b: &Listener) -> bool {
    let same_ip = a.bind.ip() == b.bind.ip() || a.bind.ip().is_unspecified() || b.bind.ip().is_unspecified();
    let same_family = a.bind.is_ipv4() == b.bind.is_ipv4();
    // TCP and TLS share the system's ports.
    a.transport.is_reliable() == b.transport.is_reliable()
        && a.bind.port() == b.bind.port()
        && a.bind.port() != 0
        && same_ip
        && same_family
}

impl Listeners<'_> {
    /// The listener that a section names, or the only one.
    pub(super) fn choose(
        &self,
        named: &Maybe<String>,
        section: Range<usize>,
        what: &str,
        complaints: &mut Complaints,
    ) -> Option<ListenerId> {
        match named {
            Some(name) => self.names.find(name, complaints).map(ListenerId),
            None if self.names.len() == 1 => Some(ListenerId(0)),
            None if self.names.len() == 0 => None,
            None => {
                let known: Vec<_> =
                    self.names.all().filter(|n| !n.is_empty()).map(|n| format!("\"{n}\"")).collect();
                complaints.missing(section, what, "listener", &known.join("` or `"));
                None
            }
        }
    }

    /// A neighbour behind a listener; complains if they cannot talk.
    pub(super) fn peer(
        &self,
        listener: Option<ListenerId>,
        address: Address,
        at: Range<usize>,
        complaints: &mut Complaints,
    ) -> Peer {
        let id = listener.unwrap_or(ListenerId(number(0)));
        let found = listener.and_then(|l| self.compiled.get(l.index()));
        let transport = found.map_or(Transport::Udp, |l| l.transport);
        let remote = address.sip(transport);
        if let Some(l) = found {
            if l.bind.is_ipv4() != remote.is_ipv4() {
                complaints
                    .error(at, format!("{remote} cannot be reached from listener `{}` on {}", l.name, l.bind))
                    .at("another address family")
                    .advise("name a listener of the same family");
            } else if l.bind == remote || l.advertised == remote {
                complaints
                    .error(at, format!("{remote} is our own listener `{}`", l.name))
                    .at("calls would come back to us")
                    .advise("write the neighbour's address");
            }
        }
        Peer { transport, listener: id, remote }
    }

    /// What is looked up for a neighbour behind a listener.
    pub(super) fn place(&self, listener: Option<ListenerId>, host: DnsName, port: Option<u16>) -> Place {
        let found = listener.and_then(|l| self.compiled.get(l.index()));
        let transport = found.map_or(Transport::Udp, |l| l.transport);
        let family = found.map_or(Family::V4, |l| Family::of(&l.bind));
        Place { host, port, transport, family }
    }
}
