//! RFC 4475 §3.1.2: invalid messages. Requests get 400 (505 for the version), responses are dropped, one is repaired.

use crate::{Case, accept, drop, parse, refuse, reject};
use sip_wire::{Defect, HeaderName, Method, RejectReason};

pub(crate) const CASES: &[Case] = &[
    // Via with empty parameters; the Contact's empty ones alone would have been forgiven.
    ("rfc4475/badinv01.dat", |b| {
        refuse(b, Defect::Malformed(HeaderName::Via), 400);
    }),
    // Content-Length beyond the datagram.
    ("rfc4475/clerr.dat", |b| {
        let partial = reject(b, RejectReason::BodyShort);
        assert_eq!(partial.method(), Method::Invite);
        assert!(partial.body().is_empty(), "what was read of the body is not used");
    }),
    // Content-Length: -999
    ("rfc4475/ncl.dat", |b| {
        reject(b, RejectReason::ContentLength);
    }),
    // Max-Forwards, CSeq, Expires and a Contact's expires all too large.
    ("rfc4475/scalar02.dat", |b| {
        let m = refuse(b, Defect::Malformed(HeaderName::MaxForwards), 400);
        assert_eq!(m.cseq(), Err(Defect::Malformed(HeaderName::CSeq)));
        assert_eq!(m.expires(), Err(Defect::Malformed(HeaderName::Expires)));
    }),
    // A response's CSeq and Retry-After too large: dropped.
    ("rfc4475/scalarlg.dat", |b| {
        let m = parse(b);
        assert_eq!(m.code(), Some(503));
        assert_eq!(m.check(), Err(Defect::Malformed(HeaderName::CSeq)));
        assert_eq!(m.retry_after(), Err(Defect::Malformed(HeaderName::RetryAfter)));
        assert_eq!(m.method(), Method::Other(b""), "belongs to no transaction");
    }),
    // A quote that does not end.
    ("rfc4475/quotbal.dat", |b| {
        refuse(b, Defect::Malformed(HeaderName::To), 400);
    }),
    // A request URI in angle brackets.
    ("rfc4475/ltgtruri.dat", |b| {
        refuse(b, Defect::RequestUri, 400);
    }),
    // Blanks in the start line: in the URI, twice between its parts, behind the version. RFC 4475 allows repairs; what
    // element in front of us repaired it in what way is unknown, so we do not.
    ("rfc4475/lwsruri.dat", |b| {
        let partial = reject(b, RejectReason::StartLineBlanks);
        assert_eq!(partial.uri(), b"sip:user@example.com; lr");
        assert_eq!(partial.cseq().unwrap().number, 2_130_706_432);
    }),
    ("rfc4475/lwsstart.dat", |b| {
        reject(b, RejectReason::StartLineBlanks);
    }),
    ("rfc4475/trws.dat", |b| {
        assert_eq!(reject(b, RejectReason::StartLineBlanks).method(), Method::Options);
    }),
    // Headers in a request URI: never taken over into the message.
    ("rfc4475/escruri.dat", |b| {
        let m = refuse(b, Defect::RequestUriHeaders, 400);
        assert_eq!(m.header(HeaderName::Route), None);
    }),
    // Repaired: a Date that is not GMT. We neither use nor pass on Date, so it is left alone.
    ("rfc4475/baddate.dat", |b| {
        let m = accept(b);
        assert_eq!(m.header(HeaderName::Date), Some(&b"Fri, 01 Jan 2010 16:00:00 EST"[..]));
        assert_eq!(m.body().len(), 150);
    }),
    // A bare Contact URI with `?`.
    ("rfc4475/regbadct.dat", |b| {
        refuse(b, Defect::Malformed(HeaderName::Contact), 400);
    }),
    // Blanks inside `<…>`.
    ("rfc4475/badaspec.dat", |b| {
        let m = refuse(b, Defect::Malformed(HeaderName::To), 400);
        assert_eq!(m.from().unwrap().display, Some(&b"Bell, Alexander"[..]));
    }),
    // A comma in a display name without quotes.
    ("rfc4475/baddn.dat", |b| {
        let m = refuse(b, Defect::Malformed(HeaderName::From), 400);
        assert!(m.to().is_err());
    }),
    // SIP/7.0
    ("rfc4475/badvers.dat", |b| {
        assert_eq!(refuse(b, Defect::Version, 505).version(), b"SIP/7.0");
    }),
    // CSeq of another method.
    ("rfc4475/mismatch01.dat", |b| {
        refuse(b, Defect::CSeqMethod, 400);
    }),
    ("rfc4475/mismatch02.dat", |b| {
        assert_eq!(refuse(b, Defect::CSeqMethod, 400).method(), Method::Other(b"NEWMETHOD"));
    }),
    // A status code beyond 32 bits (its lower bits spell 5): a response is dropped.
    ("rfc4475/bigcode.dat", |b| drop(b, RejectReason::StatusCode)),
    // Not one of the RFC's 49: no version, no Via.
    ("rfc4475/test.dat", |b| drop(b, RejectReason::StartLine)),
];
