//! A byte stream in pieces.

use sip_wire::{Frame, FrameError, Framer, Message};

/// The first bytes choose the pieces, the rest is the stream: frames do not depend on the pieces, and what is framed has
/// exactly the length that a parse sees.
pub fn stream(data: &[u8]) {
    let (cuts, bytes) = data.split_at(data.len().min(4));
    let whole = frames(&[bytes]);
    assert_eq!(whole, frames(&pieces(cuts, bytes)), "frames do not depend on how the stream was cut");
    for frame in whole.iter().flatten() {
        if let Frame::Message(bytes) = frame
            && let Ok(message) = Message::parse(bytes.clone())
        {
            assert_eq!(message.bytes(), bytes, "parser and framer agree on where a message ends");
        }
    }
}

fn pieces<'a>(cuts: &[u8], bytes: &'a [u8]) -> Vec<&'a [u8]> {
    let mut lengths = cuts.iter().map(|n| usize::from(*n).max(1)).cycle();
    let mut rest = bytes;
    let mut pieces = Vec::new();
    while !rest.is_empty() {
        let (piece, tail) = rest.split_at(lengths.next().unwrap_or(1).min(rest.len()));
        pieces.push(piece);
        rest = tail;
    }
    pieces
}

/// Pongs left out: half a ping that arrives alone looks like one.
fn frames(pieces: &[&[u8]]) -> Vec<Result<Frame, FrameError>> {
    let mut framer = Framer::new();
    let mut frames = Vec::new();
    for piece in pieces {
        framer.push(piece);
        while let Some(frame) = framer.next() {
            frames.push(frame);
        }
    }
    frames.retain(|frame| *frame != Ok(Frame::Pong));
    frames
}
