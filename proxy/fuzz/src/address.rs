//! Addresses: `name-addr` and `addr-spec` with the parameters behind them, alone and in lists.

use bytes::Bytes;
use sip_wire::{Builder, HeaderName, Message, Method, NameAddr, Uri, unquote};

/// No panic; what is read are pieces of what was given, in its order; what is read and written again is read as the same; a
/// list of addresses has as many values as it is read to have, in a message and out of it.
pub fn address(data: &[u8]) {
    if let Ok(address) = NameAddr::parse(data) {
        look(data, &address);
        again(&address);
    }
    list(data);
}

fn look(data: &[u8], address: &NameAddr<'_>) {
    let place = |piece: &[u8]| {
        let at = piece.as_ptr().addr().checked_sub(data.as_ptr().addr()).expect("a piece of what was given");
        assert!(at + piece.len() <= data.len(), "a piece of what was given");
        at
    };
    let uri = place(address.uri);
    assert!(address.display.is_none_or(|display| place(display) + display.len() <= uri), "display, then URI");
    assert!(!address.uri.iter().any(|b| b.is_ascii_whitespace() || matches!(b, b'<' | b'>')));
    assert_eq!(address.is_star(), address.uri == b"*");
    for param in address.params.iter() {
        assert!(place(param.name) >= uri + address.uri.len(), "URI, then parameters");
        assert!(address.param(param.name).is_some(), "a parameter is found by its name");
        let _ = param.unquoted();
    }
    let tag = address.tag();
    assert!(tag.is_none_or(|tag| !tag.is_empty() && address.param(b"tag").is_some()));
    // A bare URI has no parameters and no headers of its own: they are the header field's (RFC 3261 §20.10).
    if address.display.is_none() && !data.contains(&b'<') {
        assert!(!address.uri.iter().any(|b| matches!(b, b';' | b'?' | b',')));
    }
    let _ = address.parse_uri();
}

/// As we would write it: the display name quoted, the URI in brackets.
fn again(address: &NameAddr<'_>) {
    let mut text = Vec::new();
    if let Some(display) = address.display_text() {
        text.push(b'"');
        for byte in display.iter() {
            if matches!(byte, b'"' | b'\\') {
                text.push(b'\\');
            }
            text.push(*byte);
        }
        text.extend(b"\" ");
    }
    text.push(b'<');
    text.extend(address.uri);
    text.push(b'>');
    text.extend(address.tag().map(|tag| [b";tag=", tag].concat()).unwrap_or_default());
    let read = NameAddr::parse(&text).expect("what is written can be read");
    assert_eq!((read.uri, read.tag()), (address.uri, address.tag()));
    assert_eq!(read.display_text(), address.display_text(), "escapes are read as they are written");
    assert_eq!(Uri::parse(read.uri).is_ok(), address.parse_uri().is_ok());
}

/// As a Contact, and as a From, of which there is one.
fn list(data: &[u8]) {
    let mut builder = Builder::request(Method::Options, b"sip:a@192.0.2.1");
    builder
        .header(HeaderName::Contact, data)
        .header(HeaderName::From, data)
        .header(HeaderName::RecordRoute, data);
    let message =
        Message::parse(Bytes::from(builder.finish_vec())).expect("what the builder writes is a message");
    let values: Vec<_> = message.values(HeaderName::Contact).collect();
    assert!(
        message.values(HeaderName::RecordRoute).eq(values.iter().copied()),
        "one list, however it is called"
    );
    assert!(message.values(HeaderName::From).count() <= 1, "there is one From");
    assert_eq!(message.contact().is_ok_and(|contact| contact.is_none()), values.is_empty());
    for value in values {
        let _ = (NameAddr::parse(value), unquote(value));
    }
}
