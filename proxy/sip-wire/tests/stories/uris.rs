//! URIs and addresses.

use sip_wire::{Defect, NameAddr, Scheme, Uri};

#[test]
fn a_trunk_group_stands_in_the_user_part() {
    let uri = Uri::parse(b"sip:+16305550100;tgrp=TG-1;trunk-context=example.com@gw:5061;user=phone").unwrap();
    assert_eq!(uri.user_name(), Some(&b"+16305550100"[..]));
    assert_eq!(uri.user_params().value(b"tgrp"), Some(&b"TG-1"[..]));
    assert_eq!(uri.user_params().value(b"Trunk-Context"), Some(&b"example.com"[..]));
    assert_eq!((uri.host, uri.port, uri.param(b"user")), (&b"gw"[..], Some(5061), Some(&b"phone"[..])));

    let tel = Uri::parse(b"tel:+16305550100;tgrp=TG-1;trunk-context=example.com").unwrap();
    assert_eq!((tel.scheme, tel.user), (Scheme::Tel, Some(&b"+16305550100"[..])));
    assert_eq!(tel.user_params().value(b"tgrp"), Some(&b"TG-1"[..]));
}

#[test]
fn each_scheme_keeps_what_it_says() {
    let sips = Uri::parse(b"SIPS:a:secret@[2001:db8::1]:5061;lr?Subject=x%20y&a=b").unwrap();
    assert_eq!((sips.scheme, sips.password), (Scheme::Sips, Some(&b"secret"[..])));
    assert_eq!((sips.host, sips.ip()), (&b"[2001:db8::1]"[..], Some("2001:db8::1".parse().unwrap())));
    assert_eq!((sips.param(b"lr"), sips.headers), (Some(&b""[..]), Some(&b"Subject=x%20y&a=b"[..])));
    let urn = Uri::parse(b"urn:service:sos.fire").unwrap();
    assert_eq!((urn.scheme, urn.opaque, urn.host), (Scheme::Urn, &b"service:sos.fire"[..], &b""[..]));
    assert_eq!(Uri::parse(b"h323:a@b").unwrap().scheme, Scheme::Other(b"h323"));
}

#[test]
fn what_is_no_uri_is_refused_with_its_reason() {
    for (text, defect) in [
        (&b""[..], Defect::Uri),
        (b"sip:", Defect::Uri),
        (b"1sip:a@b", Defect::Uri),
        (b"sip:a b@c", Defect::Uri),
        (b"<sip:a@b>", Defect::Uri),
        (b"sip:a@b\0", Defect::Uri),
        (b"tel:;x=1", Defect::Uri),
        (b"sip:a@", Defect::Host),
        (b"sip:a@b@c", Defect::Host),
        (b"sip:a@[::1", Defect::Host),
        (b"sip:a@[::1]x", Defect::Host),
        (b"sip:a@[1.2.3.4]", Defect::Host),
        (b"sip:a@b:65536", Defect::Port),
        (b"sip:a@b:", Defect::Port),
        (b"sip:a@b:-1", Defect::Port),
        (b"sip:2001:db8::1", Defect::Port),
    ] {
        assert_eq!(Uri::parse(text), Err(defect), "{}", text.escape_ascii());
    }
}

#[test]
fn a_bare_uri_leaves_its_parameters_to_the_header() {
    let bare = NameAddr::parse(b"sip:a@b;user=phone ; tag=x").unwrap();
    assert_eq!(
        (bare.uri, bare.tag(), bare.param(b"user")),
        (&b"sip:a@b"[..], Some(&b"x"[..]), Some(&b"phone"[..]))
    );
    let bracketed = NameAddr::parse(b"<sip:a@b;user=phone>;tag=x").unwrap();
    assert_eq!(
        (bracketed.param(b"user"), bracketed.parse_uri().unwrap().param(b"user")),
        (None, Some(&b"phone"[..]))
    );
}

#[test]
fn an_address_that_could_be_read_in_two_ways_is_refused() {
    for text in [
        &b"\"open <sip:a@b>"[..],
        b"<sip:a@b",
        b"sip:a@b>",
        b"<sip:a@b>x",
        b"a, b <sip:a@b>",
        b"<sip:a@b> <sip:c@d>",
        b"sip:a@b?x=y",
        b"<sip:a @b>",
        b"<a@b>",
        b"<>",
        b"",
        b"<sip:a@b>;tag=a b",
        b"<sip:a@b>;tag=\"a\"",
    ] {
        assert_eq!(NameAddr::parse(text), Err(Defect::NameAddr), "{}", text.escape_ascii());
    }
}

#[test]
fn display_names_are_bytes() {
    let latin = NameAddr::parse(b"\"Andr\xe9 \\\"B\\\"\" <sip:a@b>").unwrap();
    assert_eq!(latin.display_text().unwrap().as_ref(), b"Andr\xe9 \"B\"");
    let words = NameAddr::parse("José (home) <sip:a@b>".as_bytes()).unwrap();
    assert_eq!(words.display, Some("José (home)".as_bytes()));
    assert_eq!(NameAddr::parse(b"<sip:a@b>").unwrap().display, None);
    assert_eq!(NameAddr::parse(b"\"\" <sip:a@b>").unwrap().display, Some(&b""[..]));
}
