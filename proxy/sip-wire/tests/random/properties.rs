//! What holds for every message.

use crate::generate::{Said, hostile, message, token};
use bytes::Bytes;
use proptest::prelude::*;
use sip_wire::{
    Builder, Frame, Framer, HeaderName, Message, Method, NameAddr, Splice, Uri, Via, peek, peek_answer,
    peek_call_id, sdp, unescape, unfold,
};

fn parse(bytes: &[u8]) -> Message {
    Message::parse(Bytes::copy_from_slice(bytes)).unwrap()
}

/// Looks at everything; for panics.
fn look(bytes: &[u8]) {
    let answer = peek(bytes).and_then(|keys| keys.code.map(|code| (code, keys.branch)));
    assert_eq!(peek_answer(bytes), answer, "the short look sees what the long one does");
    assert_eq!(peek_call_id(bytes), peek(bytes).map(|keys| keys.call_id), "and so does the shortest");
    let message = match Message::parse(Bytes::copy_from_slice(bytes)) {
        Ok(message) => message,
        Err(rejected) => match rejected.partial {
            Some(partial) => partial,
            None => return,
        },
    };
    let _ = (message.check(), message.keys(), message.rack(), message.rseq(), sdp::find(&message));
    for name in HeaderName::all() {
        for value in message.values(*name) {
            let _ = (
                Via::parse(value),
                NameAddr::parse(value),
                Uri::parse(value),
                unfold(value),
                unescape(value),
            );
        }
    }
    let mut splice = Splice::new(&message);
    splice
        .push_via(b"x")
        .remove_first_value(HeaderName::Via)
        .set_number(HeaderName::MaxForwards, 1)
        .set_uri(b"sip:a");
    let _ = splice.finish();
}

fn frames(pieces: &[&[u8]]) -> Vec<Frame> {
    let mut framer = Framer::new();
    let mut out = Vec::new();
    for piece in pieces {
        framer.push(piece);
        while let Some(frame) = framer.next() {
            out.push(frame.unwrap());
        }
    }
    out.retain(|frame| *frame != Frame::Pong);
    out
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_sound_message_is_understood_in_every_spelling(said in message()) {
        let m = parse(&said.bytes);
        prop_assert_eq!(m.check(), Ok(()));
        prop_assert_eq!(peek(&said.bytes), m.keys());
        prop_assert_eq!(m.method().as_bytes(), said.method.as_bytes());
        prop_assert_eq!(m.call_id().unwrap(), said.call_id.as_bytes());
        prop_assert_eq!(m.cseq().unwrap().number, said.cseq);
        prop_assert_eq!(m.top_via().unwrap().branch.unwrap(), said.branch.as_bytes());
        prop_assert_eq!(m.values(HeaderName::Via).count(), said.vias);
        prop_assert_eq!(m.from().unwrap().tag().unwrap(), said.from_tag.as_bytes());
        prop_assert_eq!(m.from().unwrap().display_text().unwrap().to_vec(), b"Bell, \"A\" <x>");
        prop_assert_eq!(m.to().unwrap().tag(), said.to_tag.as_ref().map(|tag| tag.as_bytes()));
        prop_assert_eq!(m.all().count(), 7);
        prop_assert_eq!(m.body_bytes(), &said.body[..]);
    }

    #[test]
    fn no_mutation_of_a_sound_message_panics(
        said in message(),
        edits in proptest::collection::vec((any::<prop::sample::Index>(), hostile(), 0usize..4), 1..6),
    ) {
        let mut bytes = said.bytes;
        for (at, new, cut) in edits {
            let at = at.index(bytes.len() + 1);
            let end = (at + cut).min(bytes.len());
            bytes.splice(at..end, new);
        }
        look(&bytes);
    }

    #[test]
    fn no_bytes_at_all_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        look(&bytes);
    }

    #[test]
    fn what_is_built_reads_back(
        headers in proptest::collection::vec((token(), "[ -~]{0,20}"), 0..20),
        body in proptest::collection::vec(any::<u8>(), 0..40),
    ) {
        let mut builder = Builder::request(Method::Invite, b"sip:a@b");
        let mut written = Vec::new();
        for (name, value) in &headers {
            if HeaderName::lookup(name) != HeaderName::ContentLength {
                builder.other(name, value.as_bytes());
                written.push((name.clone(), value.trim().as_bytes().to_vec()));
            }
        }
        let typed = usize::from(!body.is_empty());
        let m = parse(&builder.body(b"application/octet-stream", &body));
        let read: Vec<_> = m.all().take(written.len()).map(|h| (h.name.to_vec(), h.value.to_vec())).collect();
        prop_assert_eq!(&read, &written);
        prop_assert_eq!(m.all().count(), written.len() + typed + 1);
        prop_assert_eq!(m.body_bytes(), &body[..]);
    }

    #[test]
    fn no_value_can_smuggle_a_header_or_a_body(
        values in proptest::collection::vec(hostile(), 1..8),
        uri in hostile(),
        reason in hostile(),
        name in hostile(),
    ) {
        let mut builder = Builder::request(Method::Other(&name), &[b"sip:x", &uri[..]].concat());
        let mut response = Builder::response(200, &reason);
        for value in &values {
            builder.header(HeaderName::Subject, value);
            response.parts(HeaderName::Subject, &[value, value]);
        }
        builder.header(HeaderName::ContentLength, b"7").other(b"l", b"7").other(b"a b", b"").other(b"", b"");
        let bytes = builder.finish();
        // A method of no token characters leaves no request; then nothing can be smuggled either.
        if let Ok(m) = Message::parse(bytes) {
            prop_assert_eq!(m.all().count(), values.len() + 1);
            prop_assert!(m.body_bytes().is_empty());
        }
        let m = parse(&response.finish());
        prop_assert_eq!(m.all().count(), values.len() + 1);
        prop_assert_eq!(m.code(), Some(200));
    }

    #[test]
    fn no_value_can_smuggle_a_header_through_a_splice(said in message(), value in hostile(), uri in hostile()) {
        let m = parse(&said.bytes);
        let mut splice = Splice::new(&m);
        splice.push_via(&value).append(HeaderName::Subject, &value).set_uri(&[b"sip:x", &uri[..]].concat());
        splice.replace_value(HeaderName::CallId, &value);
        let out = parse(&splice.finish());
        prop_assert_eq!(out.all().count(), 9);
        prop_assert_eq!(out.body_bytes(), m.body_bytes());
    }

    #[test]
    fn a_hop_changes_what_it_names_and_nothing_else(said in message()) {
        let m = parse(&said.bytes);
        let mut splice = Splice::new(&m);
        splice.push_via(b"SIP/2.0/UDP ours;branch=z9hG4bKours").set_number(HeaderName::MaxForwards, 69);
        let out = parse(&splice.finish());
        prop_assert!(out.values(HeaderName::Via).skip(1).eq(m.values(HeaderName::Via)));
        let rest = |m: &Message| -> Vec<Vec<u8>> {
            m.all().filter(|h| !matches!(h.id, HeaderName::Via | HeaderName::MaxForwards)).map(|h| h.value.to_vec()).collect()
        };
        prop_assert_eq!(rest(&out), rest(&m));
        prop_assert_eq!(out.body_bytes(), m.body_bytes());

        // And back: the top Via popped, as on the way of the response.
        let mut splice = Splice::new(&out);
        splice.remove_first_value(HeaderName::Via).remove_all(HeaderName::MaxForwards);
        prop_assert_eq!(&splice.finish()[..], m.bytes());
    }

    #[test]
    fn vias_are_popped_one_by_one_until_none_is_left(said in message(), pops in 0usize..5) {
        let m = parse(&said.bytes);
        let mut splice = Splice::new(&m);
        for _ in 0..pops {
            splice.remove_first_value(HeaderName::Via);
        }
        let out = parse(&splice.finish());
        prop_assert!(out.values(HeaderName::Via).eq(m.values(HeaderName::Via).skip(pops)));
        prop_assert_eq!(out.lines(HeaderName::Via).count(), usize::from(pops < said.vias));
    }

    #[test]
    fn frames_do_not_depend_on_how_a_stream_was_cut(
        said in proptest::collection::vec(message(), 1..4),
        pings in any::<bool>(),
        cuts in proptest::collection::vec(1usize..40, 1..8),
    ) {
        let mut stream = Vec::new();
        for Said { bytes, .. } in &said {
            stream.extend_from_slice(bytes);
            stream.extend_from_slice(if pings { b"\r\n\r\n" } else { b"" });
        }
        let whole = frames(&[&stream]);
        let bytes: Vec<&[u8]> = stream.chunks(1).collect();
        prop_assert_eq!(&whole, &frames(&bytes));
        let mut pieces = Vec::new();
        let mut rest = &stream[..];
        for cut in cuts.iter().cycle() {
            let (piece, tail) = rest.split_at((*cut).min(rest.len()));
            pieces.push(piece);
            rest = tail;
            if rest.is_empty() {
                break;
            }
        }
        prop_assert_eq!(&whole, &frames(&pieces));
        let messages: Vec<_> = whole.iter().filter(|frame| **frame != Frame::Ping).cloned().collect();
        let sent: Vec<_> = said.iter().map(|said| Frame::Message(Bytes::copy_from_slice(&said.bytes))).collect();
        prop_assert_eq!(messages, sent);
        prop_assert_eq!(whole.len() - said.len(), if pings { said.len() } else { 0 });
    }
}
