//! Credentials and challenges (RFC 3261 §20.7, §20.27, §20.28, §20.44): we take no part in them, so all that may happen to
//! them on their way through a message is nothing.

use bytes::Bytes;
use sip_wire::{Builder, HeaderName, Message, Method, Params, Splice, unquote};

const FIELDS: [HeaderName; 5] = [
    HeaderName::Authorization,
    HeaderName::ProxyAuthorization,
    HeaderName::WwwAuthenticate,
    HeaderName::ProxyAuthenticate,
    HeaderName::AuthenticationInfo,
];

/// No panic; a field that holds commas is one value (RFC 3261 §7.3.1); what is read and written again, or passed by a hop, is
/// the same; whatever its parameters are, they are pieces of it.
pub fn auth(data: &[u8]) {
    let mut builder = Builder::request(Method::Invite, b"sip:a@192.0.2.1");
    for field in FIELDS {
        builder.header(field, data);
    }
    builder.header(HeaderName::MaxForwards, b"70");
    let message = Message::parse(builder.finish()).expect("what the builder writes is a message");
    let value = message.header(HeaderName::Authorization).unwrap_or_default().to_vec();
    for field in FIELDS {
        let values: Vec<_> = message.values(field).collect();
        assert!(values.len() <= 1, "commas stand between parameters, not between values");
        assert_eq!(
            values.first().copied().unwrap_or_default(),
            value,
            "no field is read otherwise than the next"
        );
    }
    hop(&message, &value);
    parameters(&value);
    rewritten(&value);
}

/// A hop passes them as they are.
fn hop(message: &Message, value: &[u8]) {
    let mut splice = Splice::new(message);
    splice.push_via(b"SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKfuzz").set_number(HeaderName::MaxForwards, 69);
    let hop = Message::parse(splice.finish()).expect("a hop's output is a message");
    for field in FIELDS {
        assert_eq!(hop.header(field).unwrap_or_default(), value);
    }
}

/// With commas for semicolons, as whoever reads credentials would.
fn parameters(value: &[u8]) {
    let scheme = value.iter().position(|b| *b == b' ').unwrap_or(value.len());
    let text: Vec<u8> = value[scheme..].iter().map(|b| if *b == b',' { b';' } else { *b }).collect();
    let params = Params::new(&text);
    let mut length = 0;
    for param in params.iter() {
        length += param.name.len() + param.value.map_or(0, <[u8]>::len);
        assert!(params.has(param.name), "a parameter is found by its name");
        if let Some(value) = param.value {
            assert!(unquote(value).len() <= value.len());
        }
    }
    assert!(length <= text.len(), "no byte belongs to two parameters");
}

/// Read and written again it is what it was.
fn rewritten(value: &[u8]) {
    let mut builder = Builder::response(401, b"Unauthorized");
    builder.header(HeaderName::WwwAuthenticate, value);
    let message = Message::parse(Bytes::from(builder.finish_vec())).expect("a response");
    assert_eq!(message.header(HeaderName::WwwAuthenticate).unwrap_or_default(), value);
}
