//! Requests that are too large for a datagram (RFC 3261 §18.1.1).
//!
//! One that is larger than its listener allows goes over the stream listener at the same address, if there is one, with TCP in
//! its Via. If the peer takes no connection, or none that brings an answer in time, the request goes by datagram after all,
//! as the same transaction: whoever has both takes the second for a repetition. For a while that peer is then sent datagrams
//! of any size at once.

use super::table::{Transactions, live};
use super::{ClientKey, Key};
use crate::limits::{MAX_WITHOUT_STREAMS, WITHOUT_STREAMS};
use crate::transaction::entry::Body;
use crate::{Config, LargeRequests, Listener, ListenerId, Peer, Transport};
use bytes::Bytes;
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use relay_values::{Duration, Time};
use sip_wire::{HeaderName, Message};

/// What is too large, what carries it instead, and with whom that has failed.
#[derive(Debug)]
pub(super) struct Large {
    /// Nothing below is too large for any listener.
    least: usize,
    /// By listener.
    ways: Vec<Option<Way>>,
    /// How long a stream may take to bring an answer.
    patience: Duration,
    /// Peers that took no stream, until when that is remembered.
    without: HashMap<Peer, Time, FixedState>,
    /// Whom a request is for that went over a stream, by the token of its transaction.
    aside: HashMap<u64, Peer, FixedState>,
}

/// The way of a listener's large requests.
#[derive(Debug, Clone, Copy)]
struct Way {
    over: usize,
    by: ListenerId,
}

impl Large {
    /// Everything goes by datagram. `seed`: peers choose what is remembered.
    pub(super) fn new(seed: u64) -> Self {
        let hasher = FixedState::with_seed(seed);
        Self {
            least: usize::MAX,
            ways: Vec::new(),
            patience: Duration::ZERO,
            without: HashMap::with_hasher(hasher.clone()),
            aside: HashMap::with_hasher(hasher),
        }
    }

    fn configure(&mut self, config: &Config) {
        self.ways = config.listeners.iter().map(|listener| way(listener, &config.listeners)).collect();
        self.least = self.ways.iter().flatten().map(|way| way.over).min().unwrap_or(usize::MAX);
        // Before the hunt moves on, and with as much time again for the datagram.
        self.patience = config.timers.t1.min(config.hunt.no_response / 2);
        self.without.clear();
    }

    /// Where this request goes instead, if it is too large.
    fn stream(&self, now: Time, to: Peer, length: usize) -> Option<Peer> {
        let way = self.ways.get(to.listener.index()).copied().flatten()?;
        let refused = || self.without.get(&to).is_some_and(|until| now < *until);
        let goes = to.transport == Transport::Udp && length > way.over && !refused();
        goes.then_some(Peer { transport: Transport::Tcp, listener: way.by, ..to })
    }

    fn remember(&mut self, now: Time, peer: Peer) {
        if self.without.len() >= MAX_WITHOUT_STREAMS {
            self.without.retain(|_, until| now < *until);
        }
        if self.without.len() < MAX_WITHOUT_STREAMS {
            self.without.insert(peer, now + WITHOUT_STREAMS);
        }
    }

    /// A transaction is over.
    pub(super) fn forget(&mut self, key: Key) {
        if !self.aside.is_empty() {
            self.aside.remove(&key.token());
        }
    }
}

/// The stream listener beside a listener for datagrams: the one that peers see at the same address and port, so that
/// sent-by stays as it is.
fn way(listener: &Listener, all: &[Listener]) -> Option<Way> {
    let LargeRequests::Stream { over } = listener.large else { return None };
    let is_beside = |other: &Listener| {
        other.transport == Transport::Tcp
            && other.advertised == listener.advertised
            && other.bind.ip() == listener.bind.ip()
    };
    let at = all.iter().position(is_beside).filter(|_| listener.transport == Transport::Udp)?;
    Some(Way { over: usize::from(over), by: ListenerId(u16::try_from(at).ok()?) })
}

impl<U: Copy> Transactions<U> {
    /// New listeners and how long their peers may take.
    pub(crate) fn set_listeners(&mut self, config: &Config) {
        self.large.configure(config);
    }

    /// Whom a request was for that may have gone another way.
    pub(crate) fn meant_for(&self, key: ClientKey) -> Option<Peer> {
        self.large.aside.get(&key.0.token()).copied()
    }

    /// The stream that this request goes over in the place of a datagram, and the request as it is said there. No answer
    /// by the instant means that it goes by datagram after all.
    pub(super) fn set_aside(
        &mut self,
        now: Time,
        key: Key,
        to: Peer,
        request: &Bytes,
    ) -> Option<(Peer, Bytes, Time)> {
        if request.len() <= self.large.least {
            return None;
        }
        let stream = self.large.stream(now, to, request.len())?;
        let request = said_over(request, stream.transport)?;
        self.large.aside.insert(key.token(), to);
        Some((stream, request, now + self.large.patience))
    }

    /// The stream has failed, or takes too long: by datagram. False where there is nothing to fall back on, or an answer has
    /// come.
    pub(super) fn fall_back(&mut self, now: Time, key: Key) -> bool {
        let Some(to) = self.large.aside.get(&key.token()).copied() else { return false };
        let timers = self.timers.over(to.transport);
        let Some(entry) = live(&mut self.entries, key) else { return false };
        let again = match &mut entry.body {
            Body::InviteClient { machine, .. } => machine.begin_again(now, timers),
            Body::Client(machine) => machine.begin_again(now, timers),
            Body::Reserved | Body::InviteServer { .. } | Body::Server { .. } => false,
        };
        let Some(request) = said_over(&entry.bytes, to.transport).filter(|_| again) else { return false };
        if let Body::InviteClient { cancel: Some(cancel), .. } = &mut entry.body
            && let Some(said) = said_over(&cancel.bytes, to.transport)
        {
            cancel.bytes = said;
        }
        (entry.peer, entry.bytes) = (Some(to), request.clone());
        self.sends.push_back((to, request));
        self.large.forget(key);
        self.large.remember(now, to);
        self.settle(key);
        true
    }
}

/// The request with another transport in its top Via. Ours all begin `SIP/2.0/UDP` or `SIP/2.0/TCP`: the length stays.
fn said_over(request: &Bytes, transport: Transport) -> Option<Bytes> {
    const PROTOCOL: &[u8] = b"SIP/2.0/";
    let message = Message::parse(request.clone()).ok()?;
    let via = message.header(HeaderName::Via)?;
    let start = (via.as_ptr() as usize).wrapping_sub(request.as_ptr() as usize);
    let mut said = request.to_vec();
    let word = start.wrapping_add(PROTOCOL.len());
    if !via.starts_with(PROTOCOL) {
        return None;
    }
    said.get_mut(word..word.wrapping_add(3))?.copy_from_slice(transport.as_str().as_bytes());
    Some(said.into())
}
