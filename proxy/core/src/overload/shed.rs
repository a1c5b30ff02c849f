//! New requests that are turned away before they cost a transaction.

use super::beginnings::{begins, is_for_help};
use super::bucket::Bucket;
use super::control::{Said, Share};
use super::delay::QueueDelay;
use super::sources::Sources;
use crate::limits::{RATED_SETS, REFUSALS_AT_ONCE, REFUSALS_PER_MESSAGE, RETRY_AFTER, STATELESS_ACKS};
use crate::rng::Rng;
use crate::route::Source;
use crate::shard::Shard;
use crate::transaction::{reply_to, response};
use crate::{Config, Output, OverRate, OverloadPolicy, Peer, RejectReason, Snapshot};
use core::hash::BuildHasher;
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use relay_values::{Duration, Time};
use sip_wire::{Builder, HeaderName, Message, Method};

/// How busy a shard is, and what its sources and trunks have used of their rates.
#[derive(Debug)]
pub(crate) struct Load {
    queue: QueueDelay,
    /// When it is judged again although nothing comes.
    next: Time,
    /// How long the message that comes next has waited.
    waited: Duration,
    sources: Sources<Bucket>,
    /// By a hash of the trunk's name, which outlives reloads.
    trunks: HashMap<u64, Bucket, FixedState>,
    /// What peers that ask are to be told.
    share: Share,
    /// How many calls may be refused where they arrive before the next message is handled.
    refusals: u32,
    /// Until when ACKs to answers without a transaction are expected.
    acks_until: Time,
    /// Makes the tags of such answers.
    tags: FixedState,
}

/// Whether the message that is handled now is late, and that in an overload.
pub(crate) type Late = bool;

impl Load {
    pub(crate) fn new(rng: &mut Rng) -> Self {
        Self {
            queue: QueueDelay::Calm,
            next: Time::NEVER,
            waited: Duration::ZERO,
            sources: Sources::new(RATED_SETS, rng.next_u64()),
            trunks: HashMap::with_hasher(FixedState::with_seed(3)),
            share: Share::default(),
            refusals: REFUSALS_AT_ONCE,
            acks_until: Time::ZERO,
            tags: FixedState::with_seed(rng.next_u64()),
        }
    }

    /// The next message has waited for so long.
    pub(crate) fn waited(&mut self, waited: Duration) {
        self.waited = waited;
    }

    /// A message is handled.
    pub(crate) fn judge(&mut self, now: Time, policy: &OverloadPolicy) -> Late {
        let waited = core::mem::take(&mut self.waited);
        if waited <= policy.target && self.next == Time::NEVER {
            return false;
        }
        self.share.pass(now, policy.interval);
        let late = self.queue.waited(now, waited, policy);
        self.refusals = (self.refusals + REFUSALS_PER_MESSAGE).min(REFUSALS_AT_ONCE);
        let amiss = self.queue != QueueDelay::Calm || !self.share.is_zero();
        self.next = if amiss { now + policy.interval } else { Time::NEVER };
        late
    }

    /// Whether the shard is overloaded.
    pub(crate) const fn is_shedding(&self) -> bool {
        self.queue.is_shedding()
    }

    /// Something new is turned away before it is handled. Whether there is time to say so.
    pub(super) fn turned_away(&mut self) -> bool {
        self.share.offered(true);
        let left = self.refusals.checked_sub(1);
        self.refusals = left.unwrap_or(0);
        left.is_some()
    }

    /// An answer without a transaction goes out.
    pub(super) fn expect_acks(&mut self, now: Time) {
        self.acks_until = now + STATELESS_ACKS;
    }

    /// Whether ACKs to such answers may still come.
    pub(super) fn expects_acks(&self, now: Time) -> bool {
        now < self.acks_until
    }

    /// When the shard has to be judged although nothing comes; [`Time::NEVER`] while nothing is amiss.
    pub(crate) const fn next(&self) -> Time {
        self.next
    }

    /// Nothing has come for a while: nothing waits.
    pub(crate) fn rest(&mut self, now: Time, policy: &OverloadPolicy) {
        if self.next <= now {
            self.judge(now, policy);
        }
    }

    /// Whether it is so at this moment: messages do wait.
    pub(super) const fn is_pressed(&self) -> bool {
        self.queue.is_pressed()
    }

    /// What peers that ask are told.
    pub(crate) fn said(&self, now: Time) -> Said {
        Said::new(&self.share, now)
    }

    /// The bucket of a trunk, by a hash of its name.
    pub(crate) fn trunk(&mut self, key: u64) -> &mut Bucket {
        self.trunks.entry(key).or_default()
    }

    /// A new configuration: forgets the trunks that have gone, and whoever has no rate any more.
    pub(crate) fn configure(&mut self, config: &Config, key_of: impl Fn(&str) -> u64) {
        let rated = config.trunks.iter().filter(|trunk| trunk.calls_per_second.is_some());
        let keys: Vec<u64> = rated.map(|trunk| key_of(&trunk.name)).collect();
        self.trunks.retain(|key, _| keys.contains(key));
        if config.overload.source_rate.is_none() {
            self.sources.clear();
        }
    }

    /// The To tag of an answer without a transaction: the same for the same request (RFC 3261 §8.2.7), and for nobody to
    /// guess.
    pub(super) fn tag(&self, call_id: &[u8], branch: &[u8]) -> [u8; 18] {
        let mut tag = *b"n-................";
        if let Some(digits) = tag.get_mut(2..) {
            crate::ids::hex(self.tags.hash_one((call_id, branch)), digits);
        }
        tag
    }
}

impl Shard {
    /// Turns a request outside of every dialog away if it is late in an overload, or above its source's or trunk's rate.
    /// Whether that was done. Retransmissions of what was taken, and what is no beginning of anything, go on.
    pub(crate) fn turned_away(&mut self, from: Peer, source: Source, late: Late, request: &Message) -> bool {
        let policy = self.env.newest.config.overload;
        let rate = self.rate_of(source);
        let busy = self.load.is_shedding() || !self.load.share.is_zero();
        if !(busy || rate.is_some() || policy.source_rate.is_some()) || !begins_something(request) {
            return false;
        }
        if self.env.txns.knows(request) || is_emergency(request, &self.env.newest) {
            return false;
        }
        if busy {
            self.load.share.offered(late);
        }
        if late {
            self.env.counters.reject(RejectReason::Overload);
            self.answer_statelessly(from, request, 503);
            return true;
        }
        let now = self.env.now;
        let own = policy.source_rate.is_none_or(|most| {
            self.load.sources.enter(from.remote.ip()).is_none_or(|bucket| bucket.take(now, most))
        });
        let of_trunk = rate
            .filter(|_| matches!(request.method(), Method::Invite) && !self.has_yet_to_show(source, request));
        if own && of_trunk.is_none_or(|(key, most)| self.load.trunk(key).take(now, most)) {
            return false;
        }
        self.env.counters.reject(RejectReason::RateLimit);
        match policy.over_rate {
            OverRate::Reject => self.answer_statelessly(from, request, 503),
            OverRate::Drop => {}
        }
        true
    }

    /// The trunk that a call from there would be counted to, and how many it may begin in a second.
    fn rate_of(&self, source: Source) -> Option<(u64, u32)> {
        let Source::Trunk(id) = source else { return None };
        let trunk = self.env.newest.config.trunks.get(id.index())?;
        let most = trunk.calls_per_second?;
        Some((self.trunk_key(&trunk.name), most))
    }

    /// An answer that leaves no state behind (RFC 3261 §8.2.7). An ACK is never answered.
    pub(crate) fn answer_statelessly(&mut self, from: Peer, request: &Message, status: u16) {
        self.answer_statelessly_with(from, request, status, |_| {});
    }

    /// The same with more to say.
    pub(crate) fn answer_statelessly_with(
        &mut self,
        from: Peer,
        request: &Message,
        status: u16,
        say: impl FnOnce(&mut Builder),
    ) {
        self.answer_within(from, request, status, usize::MAX, say);
    }

    /// The same for somebody whom we do not know: never in more bytes than it has sent, so that a forged address is no
    /// lever.
    pub(crate) fn answer_stranger(&mut self, from: Peer, request: &Message, status: u16) {
        self.answer_within(from, request, status, request.bytes().len(), |_| {});
    }

    fn answer_within(
        &mut self,
        from: Peer,
        request: &Message,
        status: u16,
        most: usize,
        say: impl FnOnce(&mut Builder),
    ) {
        let (Ok(via), Ok(call_id)) = (request.top_via(), request.call_id()) else { return };
        // Where only its CSeq says so it may be one, too: an ACK has no response (RFC 3261 §17).
        let is_ack = |method: Method<'_>| matches!(method, Method::Ack);
        if is_ack(request.method()) || request.cseq().is_ok_and(|cseq| is_ack(cseq.method)) {
            return;
        }
        let tag = self.load.tag(call_id, via.branch.unwrap_or_default());
        let mut out = response(request, from.remote, status, self.env.load_said, Some(&tag));
        // Who is told how much less to send is not to stop altogether.
        if status == 503 && !via.oc {
            out.number(HeaderName::RetryAfter, RETRY_AFTER);
        }
        say(&mut out);
        let bytes = out.finish();
        if bytes.len() > most {
            return;
        }
        self.load.expect_acks(self.env.now);
        self.env.counters.sent += 1;
        self.env.out.push_back(Output::Send { to: reply_to(request, from), bytes });
    }

    /// Whether this is the ACK to an answer that left no state behind. It says nothing that anybody waits for, and is not
    /// even parsed: in an overload there are as many of them as of refusals.
    pub(crate) fn is_stateless_ack(&self, bytes: &[u8]) -> bool {
        if !self.load.expects_acks(self.env.now) || !bytes.starts_with(b"ACK ") {
            return false;
        }
        let keys = sip_wire::peek(bytes);
        keys.is_some_and(|keys| keys.to_tag == Some(&self.load.tag(keys.call_id, keys.branch)[..]))
    }
}

/// Whether a request outside of every dialog begins anything.
fn begins_something(request: &Message) -> bool {
    request.to().is_ok_and(|to| begins(request.method(), to.tag().is_some()))
}

/// Whether an INVITE calls for help: an emergency service's URN as its target or in To (RFC 5031), a number that is
/// configured as one, or words of priority (RFC 4412).
fn is_emergency(request: &Message, snapshot: &Snapshot) -> bool {
    matches!(request.method(), Method::Invite)
        && (request.values(HeaderName::ResourcePriority).any(crate::identity::is_priority)
            || is_for_help(request.uri(), request.to().map_or(b"", |to| to.uri), snapshot))
}
