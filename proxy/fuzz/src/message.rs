//! One datagram.

use bytes::Bytes;
use sip_wire::{Builder, Glimpse, HeaderName, Message, Splice, Uri, peek, unescape, unfold, unquote};

/// No panic; `peek`, a glimpse and a parse agree; views borrow from the message; a rewrite changes what it should and nothing else;
/// a value that is copied into a new message stays one value.
pub fn message(data: &[u8]) {
    let keys = peek(data);
    let message = match Message::parse(Bytes::copy_from_slice(data)) {
        Ok(message) => message,
        Err(rejected) => {
            if let Some(partial) = rejected.partial {
                assert!(partial.is_request() && partial.header(HeaderName::CallId).is_some());
                look(&partial);
            }
            return;
        }
    };
    assert_eq!(keys, message.keys(), "peek says the same as a parse");
    glimpse(data, &message);
    look(&message);
    rewrite(&message);
    rebuild(&message);
}

/// Whatever a glimpse makes out, a parse has found.
fn glimpse(data: &[u8], message: &Message) {
    let Some(glimpse) = Glimpse::read(data) else { return };
    assert_eq!((glimpse.method, glimpse.uri), (message.method(), message.uri()));
    assert_eq!(Ok(glimpse.via), message.top_via());
    assert_eq!(Ok(glimpse.callee), message.to());
    assert_eq!(Some(glimpse.top), message.values(HeaderName::Via).next());
    assert!(glimpse.vias().eq(message.lines(HeaderName::Via)));
    let copied = [
        (HeaderName::From, glimpse.from),
        (HeaderName::To, glimpse.to),
        (HeaderName::CallId, glimpse.call_id),
        (HeaderName::CSeq, glimpse.cseq),
    ];
    for (name, value) in copied {
        assert!(message.lines(name).eq([value]), "{name:?}");
    }
    assert_eq!(glimpse.is_urgent, message.header(HeaderName::ResourcePriority).is_some());
}

/// Every view, for its own assertions.
fn look(message: &Message) {
    let _ =
        (message.check(), message.top_via(), message.from(), message.to(), message.cseq(), message.contact());
    let _ =
        (message.max_forwards(), message.rseq(), message.rack(), message.expires(), message.retry_after());
    let _ = sip_wire::sdp::find(message);
    for header in message.all() {
        assert!(message.named(header.name).any(|value| value == header.value));
        let _ = (unfold(header.value), unquote(header.value), unescape(header.value));
    }
    for name in HeaderName::all() {
        for value in message.values(*name) {
            assert!(!value.is_empty());
            let _ = (sip_wire::Via::parse(value), sip_wire::NameAddr::parse(value));
        }
    }
}

fn rewrite(message: &Message) {
    let again = Message::parse(Splice::new(message).finish()).expect("an unchanged copy is a message");
    assert!(message.all().eq(again.all()), "an unchanged copy has the same headers");
    assert_eq!(message.body_bytes(), again.body_bytes());

    let mut splice = Splice::new(message);
    splice.push_via(b"SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKfuzz").set_number(HeaderName::MaxForwards, 69);
    splice.remove_first_value(HeaderName::Route).remove_first_value(HeaderName::Route).set_body(b"v=0\r\n");
    let hop = Message::parse(splice.finish()).expect("a hop's output is a message");
    assert_eq!(hop.top_via().ok().and_then(|via| via.branch), Some(&b"z9hG4bKfuzz"[..]));
    assert_eq!(hop.max_forwards(), Ok(Some(69)));
    assert_eq!(hop.body_bytes(), b"v=0\r\n");
    assert!(hop.values(HeaderName::Via).skip(1).eq(message.values(HeaderName::Via)));
    assert!(hop.values(HeaderName::Route).eq(message.values(HeaderName::Route).skip(2)));
}

fn rebuild(message: &Message) {
    // A URI that no URI is made of is left out byte by byte, perhaps to nothing: such a request is refused, not rebuilt.
    let uri = if Uri::parse(message.uri()).is_ok() { message.uri() } else { b"sip:x" };
    let mut builder = Builder::request(message.method(), uri);
    let mut written = 0;
    for header in message.all().filter(|h| h.id != HeaderName::ContentLength) {
        written += 1;
        match header.id {
            HeaderName::Other => builder.other(header.name, header.value),
            id => builder.header(id, header.value),
        };
    }
    let bytes = builder.finish();
    // A response has no URI to build a request with.
    if message.is_request() {
        let built = Message::parse(bytes).expect("what the builder writes is a message");
        assert_eq!(built.all().count(), written + 1, "as many headers out as in, and Content-Length");
    }
}
