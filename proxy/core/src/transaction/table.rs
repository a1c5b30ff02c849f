//! The table of transactions of one shard: slots, timers, outputs.

use super::entry::{Body, Entry, NOT_WAITING, keep};
use super::large::Large;
use super::matching::{KeyHasher, MatchKey};
use super::timers::TimerSets;
use super::{Key, Received, Shown, TxnEvent};
use crate::rng::Rng;
use crate::wheel::Wheel;
use crate::{Peer, Timers};
use bytes::Bytes;
use foldhash::fast::FixedState;
use hashbrown::{HashMap, HashTable};
use relay_values::Time;
use sip_wire::{Message, Via};
use slab::Slab;
use std::collections::VecDeque;
use std::num::NonZeroU32;

/// Transactions of a shard, above which new requests are not taken. A call over UDP leaves three that linger for 32 s
/// and one for 5 s: 101 transaction-seconds. At 10,000 calls/s that makes 1,010,000, some 300 MB with their messages.
pub(super) const MAX_TRANSACTIONS: usize = 1 << 20;

/// Bytes of messages and keys that a shard's transactions hold, above which new requests are not taken: 512 for each of
/// [`MAX_TRANSACTIONS`], since some of them may have a description of 60 KiB.
pub(super) const MAX_TRANSACTION_BYTES: usize = MAX_TRANSACTIONS << 9;

/// Above the limit there is still room for what makes room: a BYE or CANCEL for every sixteenth transaction.
pub(super) const RESERVED_FOR_ENDS: usize = MAX_TRANSACTIONS / 16;

/// Addresses under which our requests have gone out, over reloads: a handful of listeners and what they were before.
const MAX_SENT_BY: usize = 64;

/// The transactions of one shard. `U` is the TU's reference.
pub(crate) struct Transactions<U> {
    pub(super) shard: u8,
    rng: Rng,
    pub(super) timers: TimerSets,
    pub(super) entries: Slab<Entry<U>>,
    wheel: Wheel,
    /// Slots of client transactions that a transport error would end.
    pub(super) waiting: Vec<u32>,
    /// Slots of server transactions by their keys.
    by_request: HashTable<u32>,
    /// Bytes of messages and keys in the entries.
    pub(super) held: usize,
    pub(super) hasher: KeyHasher,
    /// What stands as sent-by in the Via of our requests.
    sent_by: Vec<(Box<[u8]>, u16)>,
    /// For making keys without an allocation each.
    pub(super) scratch: MatchKey,
    pub(super) sends: VecDeque<(Peer, Bytes)>,
    pub(super) events: VecDeque<TxnEvent<U>>,
    /// Hashes of the To tags of further 2xx, by token of the INVITE: only where a proxy forked it.
    pub(super) forks: HashMap<u64, Vec<NonZeroU32>, FixedState>,
    /// Requests with credentials, by token: only where somebody asks for them.
    pub(super) shown: HashMap<u64, Box<Shown>, FixedState>,
    /// What is too large for a datagram.
    pub(super) large: Large,
}

impl<U: Copy> Transactions<U> {
    /// An empty table. `seed` makes nonces and hashes that strangers cannot guess.
    pub(crate) fn new(shard: u8, seed: u64, timers: Timers) -> Self {
        let mut rng = Rng::new(seed);
        let hasher = KeyHasher::new(rng.next_u64());
        Self {
            shard,
            rng,
            timers: TimerSets::new(timers),
            entries: Slab::new(),
            wheel: Wheel::new(),
            waiting: Vec::new(),
            by_request: HashTable::new(),
            held: 0,
            hasher,
            sent_by: Vec::new(),
            scratch: MatchKey::default(),
            sends: VecDeque::new(),
            events: VecDeque::new(),
            forks: HashMap::with_hasher(FixedState::with_seed(seed)),
            shown: HashMap::with_hasher(FixedState::with_seed(seed)),
            large: Large::new(seed),
        }
    }

    /// New timers: intervals that begin from now on are theirs, running ones end as they would have.
    pub(crate) fn set_timers(&mut self, timers: Timers) {
        self.timers = TimerSets::new(timers);
    }

    /// Names what stands as sent-by in the Via of our requests; what stood there before is still answered. A table that was
    /// told none compares none.
    pub(crate) fn add_sent_by(&mut self, ours: impl Iterator<Item = (Box<[u8]>, u16)>) {
        for ours in ours {
            if !self.sent_by.contains(&ours) {
                if self.sent_by.len() >= MAX_SENT_BY {
                    self.sent_by.remove(0);
                }
                self.sent_by.push(ours);
            }
        }
    }

    /// RFC 3261 §18.1.2: a response whose top Via names somebody else as its sender is none to a request of ours.
    pub(super) fn is_sent_by_us(&self, via: &Via<'_>) -> bool {
        let port = via.port.unwrap_or(5060);
        self.sent_by.is_empty()
            || self.sent_by.iter().any(|(host, ours)| *ours == port && **host == *via.host)
    }

    /// A message from the network that has passed [`Message::check`].
    pub(crate) fn receive(&mut self, now: Time, from: Peer, msg: Message) -> Received<U> {
        if msg.is_request() { self.request(now, from, msg) } else { self.response(now, msg) }
    }

    /// The time has come. Calls for nothing that is not due.
    pub(crate) fn timeout(&mut self, now: Time) {
        while let Some(token) = self.wheel.pop(now) {
            let key = Key::from_token(token);
            let Some(entry) = live(&mut self.entries, key) else { continue };
            if entry.armed > now {
                continue;
            }
            entry.armed = Time::NEVER;
            if entry.body.deadline() <= now { self.fire(now, key) } else { self.settle(key) }
        }
    }

    fn fire(&mut self, now: Time, key: Key) {
        match live(&mut self.entries, key).map(|entry| &entry.body) {
            Some(Body::InviteClient { .. } | Body::Client(_)) => self.client_timer(now, key),
            Some(Body::InviteServer { .. } | Body::Server { .. }) => self.server_timer(now, key),
            Some(Body::Reserved) | None => {}
        }
    }

    /// When to call [`Transactions::timeout`]. Never later than the earliest deadline; earlier at times, where a
    /// deadline was put off.
    pub(crate) fn next_timeout(&self) -> Time {
        self.wheel.next()
    }

    /// Deadlines that wait, stale ones included.
    pub(crate) fn timers(&self) -> usize {
        self.wheel.len()
    }

    /// The next message to send.
    pub(crate) fn poll_send(&mut self) -> Option<(Peer, Bytes)> {
        self.sends.pop_front()
    }

    /// The next event.
    pub(crate) fn poll_event(&mut self) -> Option<TxnEvent<U>> {
        self.events.pop_front()
    }

    /// Transactions, lingering and reserved ones included.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// A new transaction; its machine is started by [`Transactions::begin`].
    pub(super) fn allocate(&mut self, user: Option<U>) -> Key {
        let nonce = (self.rng.next_u64() >> 32) as u32;
        let slot = self.entries.insert(Entry {
            nonce,
            waiting: NOT_WAITING,
            armed: Time::NEVER,
            user,
            peer: None,
            bytes: Bytes::new(),
            body: Body::Reserved,
        });
        // Peers can make at most MAX_TRANSACTIONS and a sixteenth; the TU makes a few for each of them.
        Key { slot: u32::try_from(slot).unwrap_or(u32::MAX), nonce }
    }

    /// Gives a transaction that was just allocated its machine.
    pub(super) fn begin(&mut self, key: Key, to: Peer, bytes: Bytes, body: Body) {
        if let Some(request) = body.key() {
            let hash = self.hasher.hash(request);
            let (hasher, entries) = (&self.hasher, &self.entries);
            self.by_request.insert_unique(hash, key.slot, |slot| {
                entries.get(*slot as usize).and_then(|e| e.body.key()).map_or(0, |k| hasher.hash(k))
            });
        }
        if let Some(entry) = live(&mut self.entries, key) {
            self.held += body.key().map_or(0, <[u8]>::len);
            keep(&mut self.held, &mut entry.bytes, bytes);
            (entry.peer, entry.body) = (Some(to), body);
        }
        self.settle(key);
    }

    /// The server transaction that a request with this key belongs to.
    pub(super) fn find(&self, request: &[u8]) -> Option<Key> {
        let is_it = |slot: &u32| self.entries.get(*slot as usize).and_then(|e| e.body.key()) == Some(request);
        let slot = *self.by_request.find(self.hasher.hash(request), is_it)?;
        Some(Key { slot, nonce: self.entries.get(slot as usize)?.nonce })
    }

    /// After every step of a machine: arms its next deadline, or removes it when it is over.
    pub(super) fn settle(&mut self, key: Key) {
        let Some(entry) = live(&mut self.entries, key) else { return };
        if entry.body.is_over() {
            self.remove(key);
            return;
        }
        let deadline = entry.body.deadline();
        // A deadline that was put off needs no new place in the wheel: the old one looks again.
        if deadline < entry.armed {
            entry.armed = deadline;
            self.wheel.insert(deadline, key.token());
        }
        let (waits, listed) = (entry.body.is_waiting(), entry.waiting != NOT_WAITING);
        if waits && !listed {
            entry.waiting = self.waiting.len() as u32;
            self.waiting.push(key.slot);
        } else if listed && !waits {
            let index = std::mem::replace(&mut entry.waiting, NOT_WAITING);
            self.unlist(index);
        }
    }

    pub(super) fn remove(&mut self, key: Key) {
        if live(&mut self.entries, key).is_none() {
            return;
        }
        if let Some(request) = self.entries.get(key.slot as usize).and_then(|e| e.body.key()) {
            let hash = self.hasher.hash(request);
            if let Ok(found) = self.by_request.find_entry(hash, |slot| *slot == key.slot) {
                found.remove();
            }
        }
        let Some(entry) = self.entries.try_remove(key.slot as usize) else { return };
        let compared = entry.body.key().map_or(0, <[u8]>::len);
        self.held = self.held.saturating_sub(entry.bytes.len() + compared);
        if entry.waiting != NOT_WAITING {
            self.unlist(entry.waiting);
        }
        if !self.forks.is_empty() {
            self.forks.remove(&key.token());
        }
        if !self.shown.is_empty() {
            self.shown.remove(&key.token());
        }
        self.large.forget(key);
        if self.entries.is_empty() {
            // What is left there is stale, and nobody ought to be woken for it.
            self.wheel.clear();
        }
    }

    /// Takes an index out of the waiting list; the last one moves into its place.
    fn unlist(&mut self, index: u32) {
        if (index as usize) < self.waiting.len() {
            self.waiting.swap_remove(index as usize);
        }
        if let Some(moved) = self.waiting.get(index as usize)
            && let Some(entry) = self.entries.get_mut(*moved as usize)
        {
            entry.waiting = index;
        }
    }
}

/// The transaction that a key names, if it still lives.
pub(super) fn live<U>(entries: &mut Slab<Entry<U>>, key: Key) -> Option<&mut Entry<U>> {
    entries.get_mut(key.slot as usize).filter(|entry| entry.nonce == key.nonce)
}
