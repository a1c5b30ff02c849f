//! Who is answered, with what: whole messages, only to who asked, and one final answer to each request.

use bytes::Bytes;
use proxy_core::Peer;
use relay_values::{Duration, Time};
use sip_wire::{HeaderName, Message, Method};
use std::collections::{BTreeMap, BTreeSet};

/// 64*T1: after that a request that comes again is a new one (RFC 3261 17.2.1, 17.2.2).
const LIFETIME: Duration = Duration::from_secs(32);

/// Timer I: how long an INVITE's transaction takes in repetitions of the ACK to its refusal (RFC 3261 17.2.1).
const AFTER_ACK: Duration = Duration::from_secs(5);

/// What a transaction is known by here: branch, Call-ID, and CSeq with its method.
type Key = (Vec<u8>, Vec<u8>, Vec<u8>);

#[derive(Debug, Default)]
pub(super) struct Answers {
    asked: BTreeSet<Vec<u8>>,
    /// Branches that a broken copy of a message had: two requests may have it now.
    spoilt: BTreeSet<Vec<u8>>,
    /// Branches of ACKs, and when the first came: what was refused and has its ACK is soon forgotten.
    acked: BTreeMap<Vec<u8>, Time>,
    finals: BTreeMap<Key, (Time, Bytes)>,
}

/// As far as it can be read.
fn read(bytes: Bytes) -> Option<Message> {
    Message::parse(bytes).map_or_else(|rejected| rejected.partial, Some)
}

fn branch(message: &Message) -> Vec<u8> {
    message.top_via().ok().and_then(|via| via.branch).unwrap_or_default().to_vec()
}

/// Without control characters: CR stays where it ends a line.
fn text_of(bytes: &Bytes) -> Bytes {
    let ends = |at: usize| bytes.get(at + 1) == Some(&b'\n');
    let is_text = |(at, byte): &(usize, &u8)| match byte {
        b'\r' => ends(*at),
        byte => !byte.is_ascii_control() || byte.is_ascii_whitespace(),
    };
    bytes.iter().enumerate().filter(is_text).map(|(_, byte)| *byte).collect()
}

impl Answers {
    /// Something is about to reach the shard.
    pub(super) fn heard(&mut self, now: Time, bytes: &Bytes, whole: bool) {
        let Some(message) = read(bytes.clone()).filter(Message::is_request) else { return };
        let branch = branch(&message);
        if !whole {
            self.spoilt.insert(branch.clone());
            // An answer leaves out what is no text, and has the branch that stands there then, or none.
            if let Some(shown) = read(text_of(bytes)) {
                let shown = self::branch(&shown);
                self.spoilt.insert(shown.clone());
                self.asked.insert(shown);
            }
        }
        if message.method() == Method::Ack {
            self.acked.entry(branch.clone()).or_insert(now);
        }
        self.asked.insert(branch);
    }

    /// The shard says something.
    pub(super) fn said(&mut self, now: Time, to: &Peer, bytes: &Bytes) -> Message {
        let message = Message::parse(bytes.clone()).expect("what we send can be read");
        let whole =
            || assert!(message.check().is_ok(), "what we send is whole:\n{}", String::from_utf8_lossy(bytes));
        let Some(code) = message.code() else {
            whole();
            return message;
        };
        let branch = branch(&message);
        assert!(
            self.asked.contains(&branch),
            "{to:?} is answered and has not asked: {}",
            String::from_utf8_lossy(bytes).escape_debug()
        );
        assert_ne!(
            message.method(),
            Method::Ack,
            "an ACK is not answered: {}",
            String::from_utf8_lossy(bytes)
        );
        // The answer to a broken request says what that said.
        if self.spoilt.contains(&branch) {
            return message;
        }
        whole();
        // Over a connection a transaction ends with its answer: timers I and J are zero (RFC 3261 17.2.1, 17.2.2).
        if to.transport.is_reliable() {
            return message;
        }
        let field = |name| message.header(name).unwrap_or_default().to_vec();
        let acked = self.acked.get(&branch).filter(|_| message.method() == Method::Invite).copied();
        let key = (branch, field(HeaderName::CallId), field(HeaderName::CSeq));
        // An ACK that came before there was anything to acknowledge begins nothing.
        let over =
            |at: Time| acked.map_or(at + LIFETIME, |acked| (acked.max(at) + AFTER_ACK).min(at + LIFETIME));
        let first = self.finals.get(&key).filter(|(at, _)| now < over(*at));
        match first {
            Some((_, first)) => assert_eq!(
                String::from_utf8_lossy(first),
                String::from_utf8_lossy(bytes),
                "one final answer, and nothing after it but itself"
            ),
            None if code >= 200 => {
                // An ACK may be another's by all but its branch: then the answer is said again, and is as old as it was.
                let again = |(at, said): &(Time, Bytes)| said == bytes && now < *at + LIFETIME;
                if !self.finals.get(&key).is_some_and(again) {
                    self.finals.insert(key, (now, bytes.clone()));
                }
            }
            None => {}
        }
        message
    }
}
