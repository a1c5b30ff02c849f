//! What waits for a shard.

use crate::limits::{INBOX_MAX, INBOX_SHED};
use crate::shed;
use bytes::Bytes;
use proxy_core::Peer;
use std::collections::VecDeque;

/// Messages in order of arrival, bounded.
#[derive(Debug, Default)]
pub(super) struct Inbox(VecDeque<(Peer, Bytes)>);

/// What became of a message.
#[derive(Debug)]
pub(super) enum Taken {
    Waiting,
    /// A new call for which there is no time; the answer, if it can be answered.
    Refused(Option<Bytes>),
    Dropped,
}

impl Inbox {
    /// Above the first mark new calls are turned away, the newest first to suffer; above the second everything is.
    pub(super) fn take(&mut self, from: Peer, bytes: Bytes) -> Taken {
        let waiting = self.0.len();
        if waiting >= INBOX_SHED && shed::begins_a_call(&bytes) {
            return Taken::Refused(shed::refusal(&bytes));
        }
        if waiting >= INBOX_MAX {
            return Taken::Dropped;
        }
        self.0.push_back((from, bytes));
        Taken::Waiting
    }

    pub(super) fn next(&mut self) -> Option<(Peer, Bytes)> {
        self.0.pop_front()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
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
    fn a_full_inbox_turns_the_newest_call_away_and_never_a_bye() {
        let mut inbox = Inbox::default();
        for _ in 0..INBOX_SHED {
            assert!(matches!(inbox.take(peer(), request("INVITE")), Taken::Waiting));
        }
        assert!(matches!(inbox.take(peer(), request("INVITE")), Taken::Refused(Some(_))));
        assert!(matches!(inbox.take(peer(), request("BYE")), Taken::Waiting));
        while inbox.0.len() < INBOX_MAX {
            inbox.take(peer(), request("ACK"));
        }
        assert!(
            matches!(inbox.take(peer(), request("BYE")), Taken::Dropped),
            "the inbox is bounded all the same"
        );
    }
}
