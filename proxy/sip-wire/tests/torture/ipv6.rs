//! RFC 5118: IPv6 in SIP. Three messages were published with a Content-Length that is not their body's; `cl-corrected`
//! holds them with the right one.

use crate::{Case, accept, refuse, reject};
use sip_wire::{Defect, HeaderName, Message, RejectReason, Uri, Via, sdp};
use std::net::IpAddr;

pub(crate) const CASES: &[Case] = &[
    ("rfc5118/ipv6-good.dat", |b| {
        let m = accept(b);
        let uri = Uri::parse(m.uri()).unwrap();
        assert_eq!((uri.host, uri.ip(), uri.port), (&b"[2001:db8::10]"[..], Some(ip("2001:db8::10")), None));
        assert_eq!(m.top_via().unwrap().ip(), Some(ip("2001:db8::9:1")));
        assert_eq!(m.contact().unwrap().unwrap().parse_uri().unwrap().ip(), Some(ip("2001:db8::1")));
    }),
    // Without brackets.
    ("rfc5118/ipv6-bad.dat", |b| {
        refuse(b, Defect::RequestUri, 400);
    }),
    // What looks like a port is part of the address…
    ("rfc5118/port-ambiguous.dat", |b| {
        let m = accept(b);
        let uri = Uri::parse(m.uri()).unwrap();
        assert_eq!((uri.ip(), uri.port), (Some(ip("2001:db8::10:5070")), None));
    }),
    // …unless it stands behind the bracket.
    ("rfc5118/port-unambiguous.dat", |b| {
        let m = accept(b);
        let uri = Uri::parse(m.uri()).unwrap();
        assert_eq!((uri.ip(), uri.port), (Some(ip("2001:db8::10")), Some(5070)));
    }),
    ("rfc5118/via-received-param-with-delim.dat", received),
    ("rfc5118/via-received-param-no-delim.dat", received),
    ("rfc5118/ipv6-in-sdp.dat", |b| {
        reject(b, RejectReason::BodyShort);
    }),
    ("rfc5118/cl-corrected/ipv6-in-sdp.dat", |b| {
        let m = accept(b);
        assert_eq!(addresses(&m), [Some(ip("2001:db8::20")); 2]);
    }),
    ("rfc5118/mult-ip-in-header.dat", |b| {
        let m = accept(b);
        let vias: Vec<_> = m.values(HeaderName::Via).map(|via| Via::parse(via).unwrap()).collect();
        assert_eq!((vias[0].ip(), vias[0].port), (Some(ip("2001:db8::9:1")), Some(6050)));
        assert_eq!(vias[1].ip(), Some(ip("192.0.2.1")));
        assert_eq!(vias[2].received_ip(), Some(ip("192.0.2.200")));
    }),
    // As published the last line of the body is cut; the addresses stand before that.
    ("rfc5118/mult-ip-in-sdp.dat", |b| two_families(b, 181)),
    ("rfc5118/cl-corrected/mult-ip-in-sdp.dat", |b| two_families(b, 189)),
    ("rfc5118/ipv4-mapped-ipv6.dat", |b| mapped(b, 236)),
    ("rfc5118/cl-corrected/ipv4-mapped-ipv6.dat", |b| mapped(b, 245)),
    // A third colon, from a mistake in RFC 3261's grammar: read as two.
    ("rfc5118/ipv6-bug-abnf-3-colons.dat", colons),
    ("rfc5118/ipv6-correct-abnf-2-colons.dat", colons),
];

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn addresses(m: &Message) -> Vec<Option<IpAddr>> {
    let session = sdp::Session::parse(sdp::find(m).unwrap()).unwrap();
    session.media().iter().map(|media| media.address).collect()
}

fn received(bytes: &[u8]) {
    let m = accept(bytes);
    assert_eq!(m.top_via().unwrap().received_ip(), Some(ip("2001:db8::9:255")));
    assert!(m.top_via().unwrap().rfc3261_branch().is_some(), "what follows the address is still read");
}

fn two_families(bytes: &[u8], length: usize) {
    let m = accept(bytes);
    assert_eq!(m.body().len(), length);
    assert_eq!(addresses(&m), [Some(ip("192.0.2.1")), Some(ip("2001:db8::1"))]);
}

fn mapped(bytes: &[u8], length: usize) {
    let m = accept(bytes);
    assert_eq!(m.body().len(), length);
    assert_eq!(
        (m.top_via().unwrap().ip(), m.top_via().unwrap().port),
        (Some(ip("::ffff:192.0.2.10")), Some(19_823))
    );
    assert_eq!(addresses(&m), [Some(ip("::ffff:192.0.2.2")); 2]);
}

fn colons(bytes: &[u8]) {
    let m = accept(bytes);
    let uri = Uri::parse(m.uri()).unwrap();
    assert_eq!((uri.user, uri.ip()), (Some(&b"user"[..]), Some(ip("2001:db8::192.0.2.1"))));
}
