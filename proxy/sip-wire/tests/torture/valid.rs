//! RFC 4475 §3.1.1: valid messages, accepted and understood.

use crate::{Case, accept};
use sip_wire::{Frame, Framer, HeaderName, Method, NameAddr, Params, Uri, Via, sdp, unescape, unfold};

pub(crate) const CASES: &[Case] = &[
    ("rfc4475/wsinv.dat", wsinv),
    ("rfc4475/intmeth.dat", intmeth),
    ("rfc4475/esc01.dat", esc01),
    ("rfc4475/escnull.dat", escnull),
    ("rfc4475/esc02.dat", esc02),
    ("rfc4475/lwsdisp.dat", lwsdisp),
    ("rfc4475/longreq.dat", longreq),
    ("rfc4475/dblreq.dat", dblreq),
    ("rfc4475/semiuri.dat", semiuri),
    ("rfc4475/transports.dat", transports),
    ("rfc4475/mpart01.dat", mpart01),
    ("rfc4475/unreason.dat", unreason),
    ("rfc4475/noreason.dat", noreason),
];

/// §3.1.1.1: folds, blanks before colons, compact forms, two Vias on a line.
fn wsinv(bytes: &[u8]) {
    let m = accept(bytes);
    assert_eq!(m.method(), Method::Invite);
    assert_eq!(m.all().count(), 14);
    let uri = Uri::parse(m.uri()).unwrap();
    assert_eq!((uri.user, uri.host), (Some(&b"vivekg"[..]), &b"chair-dnrc.example.com"[..]));
    assert_eq!(uri.param(b"unknownparam"), Some(&b""[..]));
    let to = m.to().unwrap();
    assert_eq!((to.uri, to.tag()), (&b"sip:vivekg@chair-dnrc.example.com"[..], Some(&b"1918181833n"[..])));
    let from = m.from().unwrap();
    assert_eq!(from.display_text().unwrap().as_ref(), br#"J Rosenberg \""#);
    assert_eq!((from.uri, from.tag()), (&b"sip:jdrosen@example.com"[..], Some(&b"98asjd8"[..])));
    assert_eq!(m.max_forwards(), Ok(Some(68)));
    assert_eq!(m.call_id(), Ok(&b"wsinv.ndaksdj@192.0.2.1"[..]));
    assert_eq!(m.cseq().unwrap().number, 9);
    assert_eq!(m.header(HeaderName::Subject), Some(&b""[..]));
    let fangled = m.named(b"newfangledheader").next().unwrap();
    assert_eq!(unfold(fangled).as_ref(), b"newfangled value continued newfangled value");
    assert_eq!(m.named(b"UnknownHeaderWithUnusualValue").next(), Some(&b";;,,;;,;"[..]));

    let vias: Vec<Via<'_>> = m.values(HeaderName::Via).map(|via| Via::parse(via).unwrap()).collect();
    let seen: Vec<_> = vias.iter().map(|v| (v.transport, v.host, v.branch.unwrap())).collect();
    assert_eq!(
        seen,
        [
            (&b"UDP"[..], &b"192.0.2.2"[..], &b"390skdjuw"[..]),
            (b"TCP", b"spindle.example.com", b"z9hG4bK9ikj8"),
            (b"UDP", b"192.168.255.111", b"z9hG4bK30239"),
        ]
    );
    assert_eq!(vias[0].rfc3261_branch(), None, "an old element's branch");

    let route = NameAddr::parse(m.values(HeaderName::Route).next().unwrap()).unwrap().parse_uri().unwrap();
    assert_eq!((route.param(b"lr"), route.param(b"unknownwith")), (Some(&b""[..]), Some(&b"value"[..])));
    let contact = m.contact().unwrap().unwrap();
    assert_eq!(contact.display_text().unwrap().as_ref(), br#"Quoted string """#);
    assert_eq!(contact.param(b"newparam"), Some(&b"newvalue"[..]));
    assert_eq!((contact.param(b"secondparam"), contact.param(b"q")), (Some(&b""[..]), Some(&b"0.33"[..])));

    let session = sdp::Session::parse(sdp::find(&m).unwrap()).unwrap();
    assert_eq!(session.audio().unwrap().port, 49_217);
    assert_eq!(session.address, Some([192, 0, 2, 4].into()));
}

/// §3.1.1.2: every character that may stand somewhere.
fn intmeth(bytes: &[u8]) {
    let m = accept(bytes);
    let method = b"!interesting-Method0123456789_*+`.%indeed'~";
    assert_eq!(m.method(), Method::Other(method));
    assert_eq!(m.cseq().unwrap().method, Method::Other(method));
    assert_eq!(m.cseq().unwrap().number, 139_122_385);
    let uri = Uri::parse(m.uri()).unwrap();
    assert_eq!(uri.user, Some(&b"1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*"[..]));
    assert_eq!(uri.password, Some(&b"&it+has=1,weird!*pas$wo~d_too.(doesn't-it)"[..]));
    assert_eq!((uri.host, uri.headers), (&b"example.com"[..], None));
    assert_eq!(m.top_via().unwrap().branch, Some(&b"z9hG4bK-.!%66*_+`'~"[..]));
    assert_eq!(m.to().unwrap().display_text().unwrap().as_ref(), b"BEL:\x07 NUL:\0 DEL:\x7f");
    let from = m.from().unwrap();
    assert_eq!(from.display, Some(&b"token1~` token2'+_ token3*%!.-"[..]));
    assert_eq!(from.tag(), Some(&b"_token~1'+`*%!-."[..]));
    let param = from.params.find(b"fromParam''~+*_!.-%").unwrap();
    assert_eq!(param.unquoted().unwrap().as_ref(), "работающий".as_bytes());
    assert_eq!(m.call_id(), Ok(&br#"intmeth.word%ZK-!.*_+'@word`~)(><:\/"][?}{"#[..]));
    assert_eq!(m.max_forwards(), Ok(Some(255)));
    assert_eq!(m.named(b"extensionHeader-!.%*+_`'~").next().unwrap(), "\u{feff}大停電".as_bytes());
}

/// §3.1.1.3: escapes are read once, and `@` inside a user part stays there.
fn esc01(bytes: &[u8]) {
    let m = accept(bytes);
    let uri = Uri::parse(m.uri()).unwrap();
    assert!(uri.is_sip());
    assert_eq!(uri.user_unescaped().unwrap().as_ref(), b"sips:user@example.com");
    assert_eq!(uri.host, b"example.net");
    assert_eq!(m.to().unwrap().parse_uri().unwrap().user_unescaped().unwrap().as_ref(), b"user");
    assert_eq!(m.from().unwrap().parse_uri().unwrap().user_unescaped().unwrap().as_ref(), b"I have spaces");
    let contact = m.contact().unwrap().unwrap().parse_uri().unwrap();
    assert_eq!(contact.user_unescaped().unwrap().as_ref(), b"caller");
    let params: Vec<_> = contact
        .params
        .iter()
        .map(|p| (unescape(p.name).into_owned(), p.value.map(|v| unescape(v).into_owned())))
        .collect();
    assert_eq!(params, [(b"lr".to_vec(), None), (b"name".to_vec(), Some(b"value%41".to_vec()))]);
    assert!(sdp::find(&m).is_some(), "Content-Type in its compact form");
}

/// §3.1.1.4: an escaped NUL does not end a string.
fn escnull(bytes: &[u8]) {
    let m = accept(bytes);
    let users: Vec<_> = m
        .values(HeaderName::Contact)
        .map(|c| NameAddr::parse(c).unwrap().parse_uri().unwrap().user_unescaped().unwrap().into_owned())
        .collect();
    assert_eq!(users, [&b"\0"[..], b"\0\0"]);
    assert_eq!(m.to().unwrap().parse_uri().unwrap().user_unescaped().unwrap().as_ref(), b"null-\0-null");
}

/// §3.1.1.5: `%` outside a URI is a character like any other.
fn esc02(bytes: &[u8]) {
    let m = accept(bytes);
    assert_eq!(m.method(), Method::Other(b"RE%47IST%45R"));
    assert_eq!(m.from().unwrap().display_text().unwrap().as_ref(), b"%Z%45");
    assert_eq!(m.values(HeaderName::Contact).count(), 2);
    assert_eq!(m.named(b"C%6Fntact").next(), Some(&b"<sip:alias2@host2.example.com>"[..]));
    assert_eq!(m.top_via().unwrap().branch, Some(&b"z9hG4bK209%fzsnel234"[..]));
}

/// §3.1.1.6: no blank between display name and `<`.
fn lwsdisp(bytes: &[u8]) {
    let from = accept(bytes);
    let from = from.from().unwrap();
    assert_eq!((from.display, from.uri), (Some(&b"caller"[..]), &b"sip:caller@example.com"[..]));
}

/// §3.1.1.7: long values in each field.
fn longreq(bytes: &[u8]) {
    let m = accept(bytes);
    assert_eq!(m.values(HeaderName::Via).count(), 34);
    assert_eq!(m.top_via().unwrap().host, b"sip33.example.com");
    let last = m.values(HeaderName::Via).last().map(|via| Via::parse(via).unwrap()).unwrap();
    assert_eq!((last.branch.unwrap().len(), last.rfc3261_branch()), (215, None), "RFC 2543 made it");
    let from = m.from().unwrap();
    assert_eq!(from.tag().unwrap().len(), 155);
    assert_eq!(from.params.iter().count(), 3);
    assert_eq!(m.to().unwrap().display.unwrap().len(), 103);
    assert_eq!(m.to().unwrap().parse_uri().unwrap().port, Some(6000));
    assert_eq!(m.cseq().unwrap().number, 3_882_340);
    let long = m.all().find(|h| h.name.starts_with(b"Unknown-Long")).unwrap();
    let (_, params) = long.value.split_at(long.value.iter().position(|b| *b == b';').unwrap());
    assert!(Params::new(params).iter().next().unwrap().value.unwrap().ends_with(b"-parameter-value"));
    assert_eq!(m.contact().unwrap().unwrap().parse_uri().unwrap().host, b"host5.example.net");
    assert_eq!(m.body().len(), 150);
}

/// §3.1.1.8: a datagram with a second request behind Content-Length; in a stream these are two messages.
fn dblreq(bytes: &[u8]) {
    let m = accept(bytes);
    assert_eq!(m.method(), Method::Register);
    assert_eq!(m.call_id(), Ok(&b"dblreq.0ha0isndaksdj99sdfafnl3lk233412"[..]));
    assert!(m.body().is_empty() && m.bytes().len() < bytes.len());
    assert!(!m.bytes().windows(6).any(|w| w == b"INVITE"));

    let mut framer = Framer::new();
    framer.push(bytes);
    let first = framer.next();
    assert_eq!(first, Some(Ok(Frame::Message(m.bytes().clone()))));
    assert_eq!(framer.next(), Some(Ok(Frame::Pong)), "the line end between them");
    let Some(Ok(Frame::Message(second))) = framer.next() else { panic!("the INVITE") };
    let second = accept(&second);
    assert_eq!((second.method(), second.body().len()), (Method::Invite, 150));
}

/// §3.1.1.9: a semicolon in a user part is not a parameter's.
fn semiuri(bytes: &[u8]) {
    let m = accept(bytes);
    let uri = Uri::parse(m.uri()).unwrap();
    assert_eq!(uri.user_unescaped().unwrap().as_ref(), b"user;par=u@example.net");
    assert_eq!((uri.host, uri.params.iter().count()), (&b"example.com"[..], 0));
    assert_eq!(m.values(HeaderName::Accept).count(), 6);
    assert_eq!(m.values(HeaderName::Accept).last(), Some(&b"message/sipfrag"[..]));
}

/// §3.1.1.10: any transport in a Via.
fn transports(bytes: &[u8]) {
    let m = accept(bytes);
    let seen: Vec<_> = m.values(HeaderName::Via).map(|via| Via::parse(via).unwrap().transport).collect();
    assert_eq!(seen, [&b"UDP"[..], b"SCTP", b"TLS", b"UNKNOWN", b"TCP"]);
}

/// §3.1.1.11: a multipart body with binary parts, kept whole.
fn mpart01(bytes: &[u8]) {
    let m = accept(bytes);
    assert_eq!(m.method(), Method::Message);
    assert_eq!(m.body().len(), 553);
    assert!(bytes.ends_with(&m.body()), "byte for byte");
    assert!(std::str::from_utf8(&m.body()).is_err(), "not text");
    assert_eq!(m.top_via().unwrap().rport, Some(None));
    assert_eq!(m.header(HeaderName::Date), Some(&b"Sat, 15 Oct 2005 04:44:56 GMT"[..]));
    assert_eq!(m.values(HeaderName::Date).count(), 1, "a date's comma parts nothing");
    assert_eq!(sdp::find(&m), None);
}

/// §3.1.1.12: a reason phrase that is not ASCII.
fn unreason(bytes: &[u8]) {
    let m = accept(bytes);
    assert_eq!(m.code(), Some(200));
    assert_eq!(m.reason(), "= 2**3 * 5**2 но сто девяносто девять - простое".as_bytes());
    assert_eq!(m.method(), Method::Invite);
}

/// §3.1.1.13: an empty one.
fn noreason(bytes: &[u8]) {
    let m = accept(bytes);
    assert_eq!((m.code(), m.reason()), (Some(100), &b""[..]));
}
