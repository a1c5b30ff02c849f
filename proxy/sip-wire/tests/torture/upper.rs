//! RFC 4475 §3.2 to §3.4: sound in shape; what matters is for the transaction or the application to decide, and is there
//! to be read.

use crate::{Case, accept, refuse, reject};
use sip_wire::{Defect, HeaderName, Method, NameAddr, RejectReason, Scheme, Uri, Via, sdp};

pub(crate) const CASES: &[Case] = &[
    // The magic cookie with nothing behind it names no transaction.
    ("rfc4475/badbranch.dat", |b| {
        let m = accept(b);
        assert_eq!(m.top_via().unwrap().branch, Some(&b"z9hG4bK"[..]));
        assert_eq!(m.top_via().unwrap().rfc3261_branch(), None);
    }),
    // No Call-ID, From, To: 400.
    ("rfc4475/insuf.dat", |b| {
        let m = refuse(b, Defect::Missing(HeaderName::From), 400);
        assert_eq!(m.call_id(), Err(Defect::Missing(HeaderName::CallId)));
        assert_eq!(m.to(), Err(Defect::Missing(HeaderName::To)));
        assert_eq!(m.body().len(), 152);
    }),
    // Unknown schemes in the request URI: 416 is the application's answer.
    ("rfc4475/unkscm.dat", |b| {
        let m = accept(b);
        let uri = Uri::parse(m.uri()).unwrap();
        assert_eq!(uri.scheme, Scheme::Other(b"nobodyKnowsThisScheme"));
        assert_eq!(uri.opaque, b"totallyopaquecontent");
    }),
    ("rfc4475/novelsc.dat", |b| {
        let m = accept(b);
        let uri = Uri::parse(m.uri()).unwrap();
        assert_eq!((uri.scheme, uri.is_sip()), (Scheme::Other(b"soap.beep"), false));
    }),
    // Unknown schemes in To, From and Contact.
    ("rfc4475/unksm2.dat", |b| {
        let m = accept(b);
        assert_eq!(m.to().unwrap().parse_uri().unwrap().scheme, Scheme::Other(b"isbn"));
        assert_eq!(
            (m.from().unwrap().uri, m.from().unwrap().tag()),
            (&b"http://www.example.com"[..], Some(&b"3234233"[..]))
        );
        assert_eq!(m.contact().unwrap().unwrap().uri, b"name:John_Smith");
    }),
    // Extensions that nobody supports: 420 with these names.
    ("rfc4475/bext01.dat", |b| {
        let m = accept(b);
        let required: Vec<_> = m.values(HeaderName::Require).collect();
        assert_eq!(required, [&b"nothingSupportsThis"[..], b"nothingSupportsThisEither"]);
        assert_eq!(m.values(HeaderName::ProxyRequire).count(), 2);
    }),
    // A body of unknown type: 415.
    ("rfc4475/invut.dat", |b| {
        let m = accept(b);
        assert_eq!(m.header(HeaderName::ContentType), Some(&b"application/unknownformat"[..]));
        assert_eq!((m.body().len(), sdp::find(&m)), (40, None));
    }),
    // An authorization scheme that nobody knows.
    ("rfc4475/regaut01.dat", |b| {
        let m = accept(b);
        assert_eq!(m.header(HeaderName::Authorization), Some(&b"NoOneKnowsThisScheme opaque-data=here"[..]));
    }),
    // Two of each single header: 400.
    ("rfc4475/multi01.dat", |b| {
        let m = refuse(b, Defect::Duplicate(HeaderName::From), 400);
        for name in [HeaderName::CSeq, HeaderName::CallId, HeaderName::To, HeaderName::MaxForwards] {
            assert_eq!(m.lines(name).count(), 2);
        }
    }),
    // Two Content-Lengths that differ: where the body ends is unknown, so there is no message; 400.
    ("rfc4475/mcl01.dat", |b| {
        assert_eq!(reject(b, RejectReason::ContentLengthConflict).method(), Method::Options);
    }),
    // A response whose second Via names a broadcast address: it was not sent by us, dropped by the transaction layer.
    ("rfc4475/bcast.dat", |b| {
        let m = accept(b);
        let hosts: Vec<_> =
            m.values(HeaderName::Via).map(|via| Via::parse(via).unwrap().ip().unwrap()).collect();
        assert_eq!(hosts, [std::net::IpAddr::from([192, 0, 2, 198]), [255, 255, 255, 255].into()]);
    }),
    // Max-Forwards: 0 of an OPTIONS, which we answer ourselves.
    ("rfc4475/zeromf.dat", |b| assert_eq!(accept(b).max_forwards(), Ok(Some(0)))),
    // The parameter behind a bare URI is the header's, inside brackets it is the URI's.
    ("rfc4475/cparam01.dat", |b| {
        let m = accept(b);
        let contact = m.contact().unwrap().unwrap();
        assert_eq!(
            (contact.uri, contact.param(b"unknownparam")),
            (&b"sip:+19725552222@gw1.example.net"[..], Some(&b""[..]))
        );
    }),
    ("rfc4475/cparam02.dat", |b| {
        let m = accept(b);
        let contact = m.contact().unwrap().unwrap();
        assert_eq!(contact.param(b"unknownparam"), None);
        assert_eq!(contact.parse_uri().unwrap().param(b"unknownparam"), Some(&b""[..]));
    }),
    // Escaped headers in a Contact's URI, in brackets: allowed there, and kept.
    ("rfc4475/regescrt.dat", |b| {
        let m = accept(b);
        let contact = NameAddr::parse(m.lines(HeaderName::Contact).next().unwrap()).unwrap();
        assert_eq!(contact.parse_uri().unwrap().headers, Some(&b"Route=%3Csip:sip.example.com%3E"[..]));
    }),
    // Accepts only a type that nobody knows: 406 is possible.
    ("rfc4475/sdp01.dat", |b| {
        let m = accept(b);
        assert_eq!(m.values(HeaderName::Accept).collect::<Vec<_>>(), [b"text/nobodyKnowsThis"]);
        assert!(sdp::find(&m).is_some());
    }),
    // RFC 2543: no tag, no branch, no Max-Forwards, no Content-Length; accepted.
    ("rfc4475/inv2543.dat", |b| {
        let m = accept(b);
        assert_eq!((m.from().unwrap().tag(), m.top_via().unwrap().branch), (None, None));
        assert_eq!((m.max_forwards(), m.header(HeaderName::ContentLength)), (Ok(None), None));
        assert_eq!(
            m.to().unwrap().param(b"user"),
            Some(&b"phone"[..]),
            "bare: the parameter is the header's"
        );
        let session = sdp::Session::parse(sdp::find(&m).unwrap()).unwrap();
        assert_eq!(session.audio().unwrap().port, 49_217, "the body is the rest");
    }),
];
