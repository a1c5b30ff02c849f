//! Header names.

use crate::message;
use sip_wire::HeaderName;

#[test]
fn every_name_is_found_in_any_case_and_no_near_miss_is() {
    for name in HeaderName::all() {
        let text = name.as_str();
        for spelled in [text.to_owned(), text.to_uppercase(), text.to_lowercase()] {
            assert_eq!(HeaderName::lookup(spelled.as_bytes()), *name, "{spelled}");
        }
        let mut changed = text.as_bytes().to_vec();
        let middle = changed.len() / 2;
        changed[middle] = b'~';
        assert_eq!(HeaderName::lookup(&changed), HeaderName::Other);
        assert_eq!(HeaderName::lookup(format!("{text}~").as_bytes()), HeaderName::Other);
    }
}

#[test]
fn every_registered_compact_form_is_the_same_name() {
    let forms = [
        (b'a', "Accept-Contact"),
        (b'b', "Referred-By"),
        (b'c', "Content-Type"),
        (b'd', "Request-Disposition"),
        (b'e', "Content-Encoding"),
        (b'f', "From"),
        (b'i', "Call-ID"),
        (b'j', "Reject-Contact"),
        (b'k', "Supported"),
        (b'l', "Content-Length"),
        (b'm', "Contact"),
        (b'o', "Event"),
        (b'r', "Refer-To"),
        (b's', "Subject"),
        (b't', "To"),
        (b'u', "Allow-Events"),
        (b'v', "Via"),
        (b'x', "Session-Expires"),
        (b'y', "Identity"),
    ];
    for byte in 0..=u8::MAX {
        let known = forms.iter().find(|(letter, _)| *letter == byte.to_ascii_lowercase());
        let found = HeaderName::lookup(&[byte]);
        assert_eq!(found.as_str(), known.map_or("", |(_, name)| name), "{}", byte.escape_ascii());
    }
}

#[test]
fn a_header_is_found_by_the_name_that_it_was_written_with_and_by_the_other_one() {
    let m = message("OPTIONS sip:a@b SIP/2.0\nk: a, b\nSUPPORTED : c\nX-Foo: 1\nx-fOO:2\n\n");
    assert_eq!(m.values(HeaderName::Supported).collect::<Vec<_>>(), [b"a", b"b", b"c"]);
    assert_eq!(m.named(b"supported").collect::<Vec<_>>(), [&b"a, b"[..], b"c"]);
    assert_eq!(m.named(b"x-foo").collect::<Vec<_>>(), [b"1", b"2"]);
    assert_eq!(m.named(b"x-bar").count(), 0);
}

#[test]
fn commas_part_values_only_where_the_grammar_is_a_list() {
    let m = message(
        "OPTIONS sip:a@b SIP/2.0\nContact: \"a, \\\" b\" <sip:a,b@c;x=1>;q=\"1,2\" ,, <sip:d@e>\n\
         Date: Sat, 13 Nov 2010 23:29:00 GMT\nWWW-Authenticate: Digest realm=\"x\", nonce=\"y\"\n\n",
    );
    let contacts: Vec<_> = m.values(HeaderName::Contact).collect();
    assert_eq!(contacts, [&b"\"a, \\\" b\" <sip:a,b@c;x=1>;q=\"1,2\""[..], b"<sip:d@e>"]);
    assert_eq!(m.values(HeaderName::Date).count(), 1);
    assert_eq!(m.values(HeaderName::WwwAuthenticate).count(), 1);
}
