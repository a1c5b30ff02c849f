//! Stories of the transaction layer: messages in, messages and events out, at exact instants.

mod cancel;
mod client;
mod invite_client;
mod invite_server;
mod large;
mod limits;
mod matching;
mod random;
mod respond;
mod server;
mod transitions;

use super::entry::Body;
use super::*;
use crate::{ListenerId, Peer, Timers, Transport};
use bytes::Bytes;
use relay_values::{Duration, Time};

pub(super) fn ms(ms: u64) -> Time {
    Time::from_millis(ms)
}

pub(super) fn peer(transport: Transport, port: u16) -> Peer {
    Peer { transport, listener: ListenerId(0), remote: ([192, 0, 2, 1], port).into() }
}

/// A table with a clock, and the neighbour that it talks to.
pub(super) struct Bench {
    pub(super) txns: Transactions<u32>,
    pub(super) now: Time,
    pub(super) peer: Peer,
}

impl Bench {
    pub(super) fn new(transport: Transport) -> Self {
        let txns = Transactions::new(3, 42, Timers::default());
        Self { txns, now: Time::ZERO, peer: peer(transport, 5060) }
    }

    /// What has been sent by now: instant in ms and start line's method or code.
    pub(super) fn sent(&mut self) -> Vec<(u64, String)> {
        let now = self.now.as_millis();
        std::iter::from_fn(|| self.txns.poll_send())
            .map(|(_, bytes)| {
                let text = String::from_utf8_lossy(&bytes).into_owned();
                let mut words = text.split(' ');
                let first = words.next().unwrap_or_default();
                (now, if first == "SIP/2.0" { words.next().unwrap_or_default() } else { first }.to_owned())
            })
            .collect()
    }

    /// The whole next message.
    pub(super) fn sent_text(&mut self) -> String {
        let (_, bytes) = self.txns.poll_send().expect("something was sent");
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    /// Lets time pass, waking exactly when asked to.
    pub(super) fn run_to(&mut self, until: Time) -> Vec<(u64, String)> {
        let mut sent = self.sent();
        while self.txns.next_timeout() <= until {
            let wake = self.txns.next_timeout();
            assert!(wake >= self.now, "woken in the past");
            self.now = wake;
            self.txns.timeout(wake);
            assert!(self.txns.next_timeout() > wake, "woken twice for one instant");
            sent.extend(self.sent());
        }
        self.now = until;
        sent
    }

    pub(super) fn events(&mut self) -> Vec<TxnEvent<u32>> {
        std::iter::from_fn(|| self.txns.poll_event()).collect()
    }

    /// Sends a request of ours; its reference is 7.
    pub(super) fn call(&mut self, method: &str) -> ClientKey {
        let key = self.txns.reserve(7);
        let branch = self.txns.branch(key);
        let via = format!(
            "SIP/2.0/{} 198.51.100.1:5060;branch={}",
            self.peer.transport.as_str(),
            String::from_utf8_lossy(branch.as_bytes())
        );
        let kind = if method == "INVITE" { ClientKind::Invite } else { ClientKind::NonInvite };
        let request = format!(
            "{method} sip:bob@example.net SIP/2.0\r\nVia: {via}\r\nRoute: <sip:p1.example.net;lr>\r\nRoute: \
             <sip:p2.example.net;lr>\r\nMax-Forwards: 68\r\nFrom: <sip:alice@example.com>;tag=a1\r\nTo: \
             <sip:bob@example.net>\r\nCall-ID: c1\r\nCSeq: 4711 {method}\r\nContact: \
             <sip:198.51.100.1>\r\nContent-Length: 0\r\n\r\n"
        );
        self.txns.start(self.now, key, self.peer, kind, request.into());
        key
    }

    /// The neighbour answers a request of ours.
    pub(super) fn answer(&mut self, key: ClientKey, code: u16, method: &str) -> Received<u32> {
        let branch = self.txns.branch(key);
        let msg = format!(
            "SIP/2.0 {code} Whatever\r\nVia: SIP/2.0/UDP 198.51.100.1:5060;branch={}\r\nFrom: \
             <sip:alice@example.com>;tag=a1\r\nTo: <sip:bob@example.net>;tag=b1\r\nCall-ID: c1\r\nCSeq: 4711 \
             {method}\r\nContent-Length: 0\r\n\r\n",
            String::from_utf8_lossy(branch.as_bytes())
        );
        self.receive(&msg)
    }

    /// The neighbour sends a request with this top Via.
    pub(super) fn ask_via(&mut self, method: &str, via: &str) -> Received<u32> {
        self.receive(&format!(
            "{method} sip:alice@198.51.100.1 SIP/2.0\r\nVia: {via}\r\nMax-Forwards: 70\r\nFrom: \
             <sip:bob@example.net>;tag=b9\r\nTo: <sip:alice@example.com>\r\nCall-ID: c9\r\nCSeq: 17 \
             {method}\r\nContent-Length: 0\r\n\r\n"
        ))
    }

    /// The neighbour sends a request in this transaction.
    pub(super) fn ask(&mut self, method: &str, branch: &str) -> Received<u32> {
        let transport = self.peer.transport.as_str();
        self.ask_via(method, &format!("SIP/2.0/{transport} 192.0.2.1:5060;branch=z9hG4bK{branch}"))
    }

    /// A new request, whose transaction is wanted.
    pub(super) fn asked(&mut self, method: &str, branch: &str) -> ServerKey {
        match self.ask(method, branch) {
            Received::Request { server, .. } => server,
            other => panic!("not a new request: {other:?}"),
        }
    }

    pub(super) fn receive(&mut self, text: &str) -> Received<u32> {
        let msg = Message::parse(Bytes::copy_from_slice(text.as_bytes())).expect("a sound message");
        msg.check().expect("a message that passes");
        self.txns.receive(self.now, self.peer, msg)
    }

    pub(super) fn respond(&mut self, key: ServerKey, code: u16) {
        self.txns.respond(self.now, key, code, format!("SIP/2.0 {code} Whatever\r\n\r\n").into());
    }
}

/// Expected sends: the same message at these instants.
pub(super) fn at(instants: &[u64], what: &str) -> Vec<(u64, String)> {
    instants.iter().map(|ms| (*ms, what.to_owned())).collect()
}

pub(super) fn passed(received: &Received<u32>, code: u16) -> bool {
    matches!(received, Received::Response { user: 7, msg, .. } if msg.code() == Some(code))
}

pub(super) fn absorbed(received: &Received<u32>) -> bool {
    matches!(received, Received::Absorbed)
}

pub(super) fn seconds(s: u64) -> Time {
    Time::ZERO + Duration::from_secs(s)
}

/// Transactions by kind. A reserved client transaction is none yet; a CANCEL counts with its INVITE.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct TxnCounts {
    invite_client: usize,
    client: usize,
    invite_server: usize,
    server: usize,
}

impl TxnCounts {
    fn of<U>(txns: &Transactions<U>) -> Self {
        let mut counts = Self::default();
        for (_, entry) in &txns.entries {
            match entry.body {
                Body::Reserved => {}
                Body::InviteClient { .. } => counts.invite_client += 1,
                Body::Client(_) => counts.client += 1,
                Body::InviteServer { .. } => counts.invite_server += 1,
                Body::Server { .. } => counts.server += 1,
            }
        }
        counts
    }
}
