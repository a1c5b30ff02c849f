//! TCP in order, and where a SIP message ends in it (RFC 3261 §18.3).

use crate::frame::Segment;
use crate::limits::{MAX_AHEAD, MAX_CONNECTIONS, MAX_MESSAGE};
use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;

/// Every connection that is open.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    /// One for each direction, by sender and receiver.
    halves: HashMap<(SocketAddr, SocketAddr), Half>,
    /// Directions that could not be followed to their end.
    pub(crate) lost: u64,
}

/// One direction of a connection.
#[derive(Debug, Default)]
struct Half {
    /// Number of the byte that comes next; `None`: its beginning was not seen.
    next: Option<u32>,
    /// What came before something that is missing, by the number of its first byte.
    ahead: BTreeMap<u32, Vec<u8>>,
    bytes: Vec<u8>,
    /// Where its next message begins cannot be known.
    unframed: bool,
}

impl Streams {
    /// The messages that are whole with this segment, in order.
    pub(crate) fn segment(&mut self, segment: Segment) -> Vec<Vec<u8>> {
        let (there, back) = ((segment.from, segment.to), (segment.to, segment.from));
        if segment.syn {
            if !segment.ack {
                // A port may be used again.
                self.halves.remove(&back);
            }
            let half = Half { next: Some(segment.sequence.wrapping_add(1)), ..Half::default() };
            self.halves.insert(there, half);
            return Vec::new();
        }
        let mut messages = Vec::new();
        if !segment.payload.is_empty() {
            if self.halves.len() >= 2 * MAX_CONNECTIONS && !self.halves.contains_key(&there) {
                self.lost += 1;
                return messages;
            }
            let half = self.halves.entry(there).or_default();
            if half.takes(segment.sequence, segment.payload).is_err() {
                self.lost += 1;
                half.unframed = true;
            }
            messages.extend(std::iter::from_fn(|| half.message()));
        }
        if segment.rst {
            self.halves.remove(&there);
            self.halves.remove(&back);
        } else if segment.fin {
            self.halves.remove(&there);
        }
        messages
    }
}

/// Too much waits for something that never comes.
struct Missing;

impl Half {
    fn takes(&mut self, sequence: u32, bytes: Vec<u8>) -> Result<(), Missing> {
        if self.unframed {
            return Ok(());
        }
        let next = *self.next.get_or_insert(sequence);
        // Less than half of all numbers ahead is ahead (RFC 9293 §3.4).
        if sequence.wrapping_sub(next) as i32 > 0 {
            self.ahead.insert(sequence, bytes);
            let waiting: usize = self.ahead.values().map(Vec::len).sum();
            return if waiting > MAX_AHEAD { Err(Missing) } else { Ok(()) };
        }
        self.appends(sequence, &bytes);
        while let Some((&sequence, _)) =
            self.ahead.iter().find(|(at, _)| at.wrapping_sub(self.next.unwrap_or_default()) as i32 <= 0)
        {
            if let Some(bytes) = self.ahead.remove(&sequence) {
                self.appends(sequence, &bytes);
            }
        }
        Ok(())
    }

    /// What of it is new.
    fn appends(&mut self, sequence: u32, bytes: &[u8]) {
        let next = self.next.unwrap_or(sequence);
        let known = next.wrapping_sub(sequence) as usize;
        if let Some(new) = bytes.get(known..) {
            self.bytes.extend_from_slice(new);
            self.next = Some(next.wrapping_add(new.len() as u32));
        }
    }

    /// The next message, if it is whole. Of one without a length, or with one that is none, that much as it says of itself: what
    /// follows is not read.
    fn message(&mut self) -> Option<Vec<u8>> {
        // Keep-alives stand between messages (RFC 5626 §4.4.1).
        let blanks = self.bytes.iter().take_while(|b| matches!(b, b'\r' | b'\n')).count();
        self.bytes.drain(..blanks);
        if self.unframed || self.bytes.is_empty() {
            self.bytes.clear();
            return None;
        }
        let Some(head) = memchr::memmem::find(&self.bytes, b"\r\n\r\n").map(|at| at + 4) else {
            self.unframed = self.bytes.len() > MAX_MESSAGE;
            return None;
        };
        let length = content_length(self.bytes.get(..head)?);
        let Some(whole) =
            length.and_then(|length| head.checked_add(length)).filter(|all| *all <= MAX_MESSAGE)
        else {
            self.unframed = true;
            return self.bytes.get(..head).map(<[u8]>::to_vec);
        };
        if self.bytes.len() < whole {
            return None;
        }
        let rest = self.bytes.split_off(whole);
        Some(std::mem::replace(&mut self.bytes, rest))
    }
}

/// The datagrams in one piece of a loopback, where the kernel cuts what was given to it at once (UDP_SEGMENT) only if it has to: all
/// of one length, the last one at most as long. Where that does not fit what they say of themselves it is one datagram.
pub fn datagrams(piece: Vec<u8>) -> Vec<Vec<u8>> {
    let length = |at: usize| {
        let rest = piece.get(at..)?;
        let head = memchr::memmem::find(rest, b"\r\n\r\n")? + 4;
        head.checked_add(content_length(rest.get(..head)?)?)
    };
    let first = length(0).unwrap_or(piece.len());
    if first == 0 || first >= piece.len() {
        return vec![piece];
    }
    let starts = || (0..piece.len()).step_by(first);
    let fit = starts().all(|at| length(at) == Some(first.min(piece.len() - at)));
    if !fit {
        return vec![piece];
    }
    piece.chunks(first).map(<[u8]>::to_vec).collect()
}

fn content_length(head: &[u8]) -> Option<usize> {
    let lines = head.split(|b| *b == b'\n').skip(1);
    lines.filter_map(|line| std::str::from_utf8(line).ok()?.split_once(':')).find_map(|(name, value)| {
        let name = name.trim_end();
        let is_length = name.eq_ignore_ascii_case("content-length") || name.eq_ignore_ascii_case("l");
        is_length.then(|| value.trim().parse().ok())
    })?
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: u32 = u32::MAX - 20;

    fn segment(offset: u32, flags: &str, payload: &[u8]) -> Segment {
        let has = |flag| flags.contains(flag);
        Segment {
            from: "10.0.0.1:1".parse().unwrap(),
            to: "10.0.0.2:2".parse().unwrap(),
            sequence: START.wrapping_add(offset),
            syn: has('S'),
            ack: has('A'),
            fin: has('F'),
            rst: has('R'),
            payload: payload.to_vec(),
        }
    }

    fn message(body: &str) -> Vec<u8> {
        format!("MESSAGE sip:x SIP/2.0\r\nl: {}\r\n\r\n{body}", body.len()).into_bytes()
    }

    #[test]
    fn segments_out_of_order_and_twice_are_messages_in_order_and_once() {
        let all = [b"\r\n\r\n".to_vec(), message("one"), message(""), message("three")].concat();
        let cuts: Vec<(u32, &[u8])> =
            all.chunks(7).enumerate().map(|(n, piece)| (1 + 7 * n as u32, piece)).collect();
        let mut streams = Streams::default();
        assert!(streams.segment(segment(0, "S", b"")).is_empty());
        let mut heard = Vec::new();
        for pair in cuts.chunks(2) {
            for (at, piece) in pair.iter().rev().chain(pair) {
                heard.extend(streams.segment(segment(*at, "A", piece)));
            }
        }
        assert_eq!(heard, [message("one"), message(""), message("three")]);
        assert_eq!(streams.lost, 0);
        streams.segment(segment(1 + all.len() as u32, "AF", b""));
        assert!(streams.halves.is_empty());
    }

    #[test]
    fn after_a_message_without_a_length_nothing_is_read() {
        let mut streams = Streams::default();
        streams.segment(segment(0, "S", b""));
        let odd = b"OPTIONS sip:x SIP/2.0\r\nl: x\r\n\r\n".to_vec();
        let said = streams.segment(segment(1, "A", &[odd.clone(), message("")].concat()));
        assert_eq!(said, [odd]);
    }

    #[test]
    fn datagrams_of_one_length_that_the_kernel_has_not_cut_are_cut_and_nothing_else_is() {
        let (one, short) = (message("one"), message(""));
        let cut = |parts: &[&[u8]]| datagrams(parts.concat()).len();
        assert_eq!(datagrams([&one[..], &one, &short].concat()), [one.clone(), one.clone(), short.clone()]);
        assert_eq!((cut(&[&one]), cut(&[&one, &one])), (1, 2));
        assert_eq!(cut(&[&short, &one]), 1, "the last is no longer than the first");
        assert_eq!(cut(&[&one, &short, &one]), 1);
        assert_eq!(cut(&[&one, b"more"]), 1, "a message with more behind it is a fault, and stays one");
        assert_eq!((cut(&[b""]), cut(&[b"\r\n\r\n"])), (1, 1));
    }

    #[test]
    fn what_waits_for_ever_is_given_up_and_counted() {
        let mut streams = Streams::default();
        streams.segment(segment(0, "S", b""));
        for n in 0..20 {
            streams.segment(segment(2 + n * 60_000, "A", &vec![b'x'; 60_000]));
        }
        assert_eq!(streams.lost, 1);
    }
}
