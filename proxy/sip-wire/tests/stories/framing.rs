//! Messages out of a stream.

use crate::crlf;
use sip_wire::{Frame, FrameError, Framer, Message, limits};

fn all(pieces: &[&[u8]]) -> Vec<Result<Frame, FrameError>> {
    let mut framer = Framer::new();
    let mut out = Vec::new();
    for piece in pieces {
        framer.push(piece);
        out.extend(std::iter::from_fn(|| framer.next()));
    }
    out
}

// Rules: framing-stream
#[test]
fn two_messages_in_one_read_and_one_message_in_many_are_the_same_to_it() {
    let first = crlf("OPTIONS sip:a@b SIP/2.0\nContent-Length : 4\n\n\n\n");
    let second = crlf("BYE sip:a@b SIP/2.0\nl:\n 0\n\n");
    let stream = [&first[..], &second].concat();
    let expected: Vec<Result<Frame, FrameError>> = [&stream[..stream.len() - second.len()], &second]
        .map(|b| Ok(Frame::Message(bytes::Bytes::copy_from_slice(b))))
        .into();
    assert_eq!(all(&[&stream]), expected);
    assert_eq!(all(&stream.chunks(1).collect::<Vec<_>>()), expected);
}

#[test]
fn pings_and_pongs_are_told_apart() {
    assert_eq!(all(&[b"\r\n\r\n"]), [Ok(Frame::Ping)]);
    assert_eq!(all(&[b"\r\n"]), [Ok(Frame::Pong)]);
    assert_eq!(all(&[b"\r\n\r\n\r\n\r\n"]), [Ok(Frame::Ping), Ok(Frame::Ping)]);
    // A ping in two halves: the first could have been a pong, and a pong is not kept waiting.
    assert_eq!(all(&[b"\r\n", b"\r\n"]), [Ok(Frame::Pong), Ok(Frame::Ping)]);
    assert_eq!(all(&[b"\r", b"\n\r", b"\n"]), [Ok(Frame::Ping)]);
}

#[test]
fn where_the_next_message_starts_must_be_known() {
    for (text, error) in [
        ("OPTIONS sip:a@b SIP/2.0\n\n", FrameError::NoContentLength),
        ("OPTIONS sip:a@b SIP/2.0\nl: -1\n\n", FrameError::ContentLength),
        ("OPTIONS sip:a@b SIP/2.0\nl: 1\nContent-Length: 2\n\n", FrameError::ContentLength),
        ("OPTIONS sip:a@b SIP/2.0\nl: 65535\n\n", FrameError::MessageTooLong),
        ("OPTIONS sip:a@b SIP/2.0\nl: 18446744073709551615\n\n", FrameError::MessageTooLong),
        ("OPTIONS sip:a@b SIP/2.0\nl: 99999999999999999999\n\n", FrameError::ContentLength),
    ] {
        let mut framer = Framer::new();
        framer.push(&crlf(text));
        assert_eq!(framer.next(), Some(Err(error)), "{text:?}");
        framer.push(&crlf("OPTIONS sip:a@b SIP/2.0\nl: 0\n\n"));
        assert_eq!((framer.next(), framer.pending()), (None, 0), "nothing is read any further, or kept");
    }
}

#[test]
fn a_head_without_end_is_given_up_at_the_limit_and_not_kept() {
    let mut framer = Framer::new();
    let mut pushed = 0;
    let error = loop {
        framer.push(&[b'a'; 1000]);
        pushed += 1000;
        assert!(framer.pending() <= limits::MAX_MESSAGE + 1000);
        if let Some(frame) = framer.next() {
            break frame;
        }
    };
    assert_eq!((error, pushed), (Err(FrameError::HeadTooLong), 66_000));
    assert_eq!(framer.pending(), 0);
}

#[test]
fn the_longest_message_passes() {
    let head = crlf("OPTIONS sip:a@b SIP/2.0\nContent-Length: 65485\n\n");
    let long = [&head[..], &vec![b'x'; 65_485]].concat();
    assert_eq!(long.len(), limits::MAX_MESSAGE);
    let frames = all(&long.chunks(1460).collect::<Vec<_>>());
    let [Ok(Frame::Message(framed))] = &frames[..] else { panic!("one message") };
    assert_eq!(Message::parse(framed.clone()).unwrap().body().len(), 65_485);
}
