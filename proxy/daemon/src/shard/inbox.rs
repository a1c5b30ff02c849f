//! What waits for a shard.

use crate::limits::{INBOX_BYTES, INBOX_MAX, INBOX_NEW};
use bytes::Bytes;
use proxy_core::{Peer, begins_something, calls_for_help};
use relay_values::Time;
use std::collections::VecDeque;

/// A message that waits.
#[derive(Debug)]
pub(super) struct Waiting {
    /// Since when.
    pub(super) arrived: Time,
    pub(super) from: Peer,
    pub(super) bytes: Bytes,
}

/// Messages in order of arrival, bounded in number and in bytes.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    queue: VecDeque<Waiting>,
    bytes: usize,
}

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    Waiting,
    /// Something new for which there is no room. It is not answered: who has sent it has not been looked at.
    Shed,
    Dropped,
}

impl Inbox {
    /// Above the first mark nothing new is taken, above the second nothing at all. Both are far from what a shard lets wait
    /// that sheds by delay.
    pub(super) fn take(&mut self, arrived: Time, from: Peer, bytes: Bytes) -> Taken {
        let waiting = self.queue.len();
        if waiting >= INBOX_NEW && begins_something(&bytes) && !calls_for_help(&bytes) {
            return Taken::Shed;
        }
        if waiting >= INBOX_MAX || self.bytes >= INBOX_BYTES {
            return Taken::Dropped;
        }
        self.bytes += bytes.len();
        self.queue.push_back(Waiting { arrived, from, bytes });
        Taken::Waiting
    }

    pub(super) fn next(&mut self) -> Option<Waiting> {
        let next = self.queue.pop_front()?;
        self.bytes -= next.bytes.len();
        Some(next)
    }

    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proxy_core::{ListenerId, Transport};

    fn peer() -> Peer {
        Peer { transport: Transport::Udp, listener: ListenerId(0), remote: "127.0.0.2:5060".parse().unwrap() }
    }

    fn request(method: &str) -> Bytes {
        Bytes::from(format!(
            "{method} sip:1@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.2;branch=z9hG4bKx\r\nFrom: <sip:a@b>;tag=1\r\n\
             To: <sip:c@d>\r\nCall-ID: x\r\nCSeq: 1 {method}\r\nMax-Forwards: 70\r\nContact: <sip:a@127.0.0.2>\r\n\
             Content-Length: 0\r\n\r\n"
        ))
    }

    #[test]
    fn a_full_inbox_takes_nothing_new_without_a_word_but_a_bye_and_a_call_for_help() {
        let mut inbox = Inbox::default();
        let mut take = |method: &str| inbox.take(Time::ZERO, peer(), request(method));
        for _ in 0..INBOX_NEW {
            assert_eq!(take("INVITE"), Taken::Waiting);
        }
        assert_eq!(take("INVITE"), Taken::Shed);
        assert_eq!(take("BYE"), Taken::Waiting);
        let help = String::from_utf8(request("INVITE").to_vec()).unwrap();
        let help = help.replace("<sip:c@d>", "<urn:service:sos>");
        assert_eq!(inbox.take(Time::ZERO, peer(), Bytes::from(help)), Taken::Waiting);
        while inbox.len() < INBOX_MAX {
            inbox.take(Time::ZERO, peer(), request("ACK"));
        }
        let last = inbox.take(Time::ZERO, peer(), request("BYE"));
        assert_eq!(last, Taken::Dropped, "the inbox is bounded all the same");
    }

    #[test]
    fn long_messages_fill_it_too_and_make_room_when_they_leave() {
        let mut inbox = Inbox::default();
        let long = Bytes::from(vec![b'x'; 65_000]);
        while inbox.take(Time::ZERO, peer(), long.clone()) == Taken::Waiting {}
        assert!(inbox.len() < INBOX_NEW, "{}", inbox.len());
        inbox.next();
        inbox.next();
        assert_eq!(inbox.take(Time::ZERO, peer(), long), Taken::Waiting);
    }
}
