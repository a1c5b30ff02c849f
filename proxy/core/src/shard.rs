//! A complete SIP element for the calls that it owns.

mod answers;
mod census;
mod joining;
mod listing;
mod moving;
mod ongoing;

pub(crate) use joining::Join;
pub(crate) use ongoing::Origin;

use crate::call::{Call, CallEvent, Env, User};
use crate::counters::{RegionCalls, ShardCounters, ShardCounts};
use crate::demands;
use crate::digest::Nonces;
use crate::face::Faces;
use crate::ids::{CallKey, LocalTag};
use crate::limits::{MAX_NAP, RETRY_AFTER};
use crate::overload::{Door, Load};
use crate::rng::Rng;
use crate::transaction::{Challenged, Received, ServerKey, response};
use crate::wheel::Wheel;
use crate::{Input, Output, Peer, RejectReason, Snapshot, UnknownSource};
use bytes::Bytes;
use census::{Census, Standing};
use core::hash::BuildHasher;
use hashbrown::HashMap;
use ongoing::Ongoing;
use relay_values::{Leg, RelayEvent, SessionId, Time};
use sip_wire::{HeaderName, Message, Rejected};
use slab::Slab;
use std::sync::Arc;

/// A shard. See [`Input`] and [`Output`] for what it hears and says.
pub struct Shard {
    pub(crate) env: Env,
    calls: Slab<Entry>,
    /// What there is of them.
    census: Census,
    wheel: Wheel,
    /// Record ids count up from here.
    pub(crate) serial: u64,
    pub(crate) draining: bool,
    /// Calls at once by trunk, keyed by a hash of its name, which outlives reloads.
    pub(crate) by_trunk: HashMap<u64, u32, foldhash::fast::FixedState>,
    ongoing: Ongoing,
    /// Legs that have gone from one call to another: their tags name the first one.
    aliases: HashMap<(CallKey, Leg), (CallKey, Leg), foldhash::fast::FixedState>,
    /// Who is let in.
    pub(crate) door: Door,
    /// What new requests are turned away by.
    pub(crate) load: Load,
    /// What trunks are asked with that have to show who they are.
    pub(crate) nonces: Nonces,
}

/// A call and the earliest instant that the wheel will ask after it.
#[derive(Debug)]
struct Entry {
    call: Box<Call>,
    armed: Time,
    /// As it is counted; not yet, if there is none.
    standing: Option<Standing>,
    /// Whose concurrent calls it counts among.
    counted: Option<u64>,
    /// Of its INVITE.
    origin: Origin,
}

impl Shard {
    /// A shard of this number, below the number of shards that [`owner()`](crate::owner()) is asked about. Equal seeds and equal
    /// inputs give equal outputs.
    pub fn new(id: u8, seed: u64, now: Time, snapshot: Arc<Snapshot>) -> Self {
        // Numbers of its own: what is drawn for calls does not depend on how many tables a shard has.
        let mut tables = Rng::new(seed.rotate_left(32));
        Self {
            door: Door::new(&mut tables),
            load: Load::new(&mut tables),
            nonces: Nonces::new(&mut tables),
            env: Env::new(id, seed, now, snapshot),
            calls: Slab::new(),
            census: Census::default(),
            wheel: Wheel::new(),
            serial: 0,
            draining: false,
            by_trunk: HashMap::with_hasher(foldhash::fast::FixedState::with_seed(2)),
            ongoing: Ongoing::new(seed),
            aliases: HashMap::with_hasher(foldhash::fast::FixedState::with_seed(3)),
        }
    }

    /// Takes one input. Drain [`Shard::poll_output`] to `None` afterwards.
    pub fn handle(&mut self, now: Time, input: Input) {
        self.env.now = now;
        let timeout = matches!(input, Input::Timeout);
        match input {
            Input::Message { from, bytes } => self.message(from, bytes),
            // Nothing follows before the message is there.
            Input::Waited(waited) => return self.load.waited(waited),
            Input::Proven { peer, connection, proof } => {
                return self.env.proven.learn(peer, connection, proof);
            }
            Input::TransportError { to, failure } => self.env.txns.transport_error(now, to, failure),
            Input::Relay(event) => self.relay_event(event),
            Input::Snapshot(snapshot) => self.take_snapshot(snapshot),
            Input::Timeout => self.timeout(),
            Input::Drain => self.draining = true,
            Input::Move(order) => self.move_calls(&order),
            Input::StopMove(order) => self.stop_moving(order),
            Input::Stir(answer) => {
                let key = answer.ticket.call;
                self.with(key, |call, env| call.stir_said(env, *answer));
            }
            Input::EndCall(name) => self.end_call(name),
        }
        self.join();
        self.settle();
        if timeout {
            self.give_turns();
        }
        self.keep_moving();
    }

    /// The next output; `None` when there is nothing more to do for this input.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.env.out.pop_front()
    }

    /// When [`Input::Timeout`] is wanted; [`Time::NEVER`] when idle.
    pub fn poll_timeout(&self) -> Time {
        let moving = self.env.moves.next().min(self.env.ghosts.next());
        self.env.txns.next_timeout().min(self.wheel.next()).min(moving).min(self.load.next())
    }

    /// Totals since start.
    pub fn counters(&self) -> &ShardCounters {
        &self.env.counters
    }

    /// What the shard holds right now.
    pub fn counts(&self) -> ShardCounts {
        let (transactions, ghosts) = (self.env.txns.len(), self.env.ghosts.len());
        let overloaded = self.load.is_shedding();
        let RegionCalls { hunting, answered, moving } = self.census.all();
        let [hunting, answered, moving] = [hunting, answered, moving].map(|n| n as usize);
        ShardCounts {
            hunting,
            answered,
            moving,
            ghosts,
            closing: self.census.closing(),
            transactions,
            overloaded,
        }
    }

    /// Deadlines that wait, of calls and of transactions. One of a call that has ended waits until its time has come, 128 s
    /// at most.
    pub fn timers(&self) -> usize {
        self.env.txns.timers() + self.wheel.len()
    }

    /// Calls at once.
    pub(crate) fn live(&self) -> usize {
        self.calls.len()
    }

    fn message(&mut self, from: Peer, bytes: Bytes) {
        self.env.counters.received += 1;
        let late = self.load.judge(self.env.now, &self.env.newest.config.overload);
        self.env.load_said = self.load.said(self.env.now);
        if self.is_stateless_ack(&bytes) {
            return;
        }
        let message = match Message::parse(bytes) {
            Ok(message) => message,
            Err(rejected) => return self.broken(from, *rejected),
        };
        if !message.is_request() && message.check().is_err() {
            return self.env.counters.reject(RejectReason::Garbage);
        }
        let leg = if message.is_request() { self.find_leg(&message) } else { None };
        if leg.is_some_and(|(key, leg)| self.find(key).is_some_and(|call| call.is_deaf(leg))) {
            // A drill: it was lost on its way.
            return self.env.counters.reject(RejectReason::Cut);
        }
        if message.is_request() {
            // A request inside a dialog that lives here is welcome from any source.
            let source = if leg.is_none() { self.env.source(from) } else { None };
            let source = source.map(|source| self.env.newest.narrowed(source, from.remote, &message));
            if leg.is_none() && source.is_none() {
                return self.stranger(from, &message);
            }
            if let Err(defect) = message.check() {
                return self.malformed(from, &message, defect.status());
            }
            if let Some(source) = source
                && (self.turned_away(from, source, late, &message) || self.asks(from, source, &message))
            {
                return;
            }
        }
        match self.env.txns.receive(self.env.now, from, message) {
            Received::Absorbed => {}
            Received::NoRoom => self.env.counters.reject(RejectReason::TransactionLimit),
            Received::Request { server, msg } => self.request(from, server, leg, msg),
            Received::Ack { msg } => self.ack(leg, &msg),
            Received::Cancel { server, invite, msg } => self.cancel(from, server, invite, &msg),
            Received::Response { client, user, msg } => self.response(from, client, user, &msg),
            Received::Challenged(challenged) => {
                if !self.answers(&challenged) {
                    let Challenged { client, user, msg, .. } = *challenged;
                    self.response(from, client, user, &msg);
                }
            }
            Received::Stray => self.env.counters.reject(RejectReason::StrayResponse),
        }
    }

    /// Bytes that do not parse: 400 where enough of them was understood to answer.
    fn broken(&mut self, from: Peer, rejected: Rejected) {
        match rejected.partial {
            Some(message) if message.is_request() && self.env.source(from).is_some() => {
                self.malformed(from, &message, 400);
            }
            _ => self.env.counters.reject(RejectReason::Garbage),
        }
    }

    fn malformed(&mut self, from: Peer, message: &Message, status: u16) {
        self.env.counters.reject(RejectReason::Malformed);
        self.answer_statelessly(from, message, status);
    }

    /// Somebody whom no trunk, group or target names.
    fn stranger(&mut self, from: Peer, message: &Message) {
        self.env.counters.reject(RejectReason::UnknownSource);
        match self.env.newest.config.unknown_source {
            UnknownSource::Drop => {}
            UnknownSource::Reject => self.answer_stranger(from, message, 403),
        }
    }

    /// A tag for an answer that begins no dialog. It names this shard, so that the ACK finds its way.
    pub(crate) fn fresh_tag(&mut self) -> LocalTag {
        let key = CallKey { slot: u32::MAX, nonce: self.draw_nonce() };
        LocalTag::new(self.env.shard, Leg::A, key)
    }

    fn draw_nonce(&mut self) -> u32 {
        (self.env.rng.next_u64() >> 32) as u32
    }

    /// The call and leg whose dialog a request is inside.
    fn find_leg(&self, request: &Message) -> Option<(CallKey, Leg)> {
        let to = request.to().ok()?;
        let (shard, leg, key) = LocalTag::decode(to.tag()?)?;
        if shard != self.env.shard {
            return None;
        }
        let owns = |(key, leg)| self.find(key).is_some_and(|call| call.leg(leg).owns(request));
        let named = Some((key, leg)).filter(|named| owns(*named));
        named.or_else(|| self.aliases.get(&(key, leg)).copied().filter(|named| owns(*named)))
    }

    /// What a second copy of a request repeats.
    pub(crate) fn origin_of(&self, request: &Message) -> Origin {
        self.ongoing.origin(request)
    }

    /// Whether an INVITE of this origin has become a call: another copy of it has come on another way (RFC 3261 §8.2.2.2).
    pub(crate) fn is_merged(&self, origin: Origin) -> bool {
        self.ongoing.has(origin)
    }

    /// The Call-ID of the caller of the call that this request of ours belongs to, found by our tag in it; for those who watch. `None`
    /// where there is no such call any more.
    pub fn caller_call_id(&self, request: &[u8]) -> Option<&[u8]> {
        const TAG: &[u8] = b";tag=";
        let mut rest = request;
        while let Some(at) = memchr::memmem::find(rest, TAG) {
            rest = rest.get(at + TAG.len()..)?;
            let end = rest.iter().position(|b| !b.is_ascii_alphanumeric()).unwrap_or(rest.len());
            if let Some((shard, _, key)) = rest.get(..end).and_then(LocalTag::decode)
                && shard == self.env.shard
            {
                return self.find(key)?.caller_call_id();
            }
        }
        None
    }

    /// The Call-ID of the leg that called us, of the call that has this relay session.
    pub fn caller_of(&self, session: SessionId) -> Option<&[u8]> {
        self.find(self.call_of(session)?)?.caller_call_id()
    }

    fn find(&self, key: CallKey) -> Option<&Call> {
        let entry = self.calls.get(usize::try_from(key.slot).ok()?)?;
        (entry.call.key == key).then_some(&*entry.call)
    }

    fn request(&mut self, from: Peer, server: ServerKey, leg: Option<(CallKey, Leg)>, request: Message) {
        let tagged = request.to().is_ok_and(|to| to.tag().is_some());
        match leg {
            Some((key, leg)) => {
                self.with(key, |call, env| call.request(env, leg, from, server, request));
            }
            None if tagged => self.refuse(from, server, &request, 481, RejectReason::NoDialog),
            None => self.outside_dialog(from, server, request),
        }
    }

    fn ack(&mut self, leg: Option<(CallKey, Leg)>, ack: &Message) {
        match leg {
            Some((key, leg)) => {
                self.with(key, |call, env| call.acknowledged(env, leg, ack));
            }
            None => {
                let tag = ack.to().ok().and_then(|to| to.tag()).and_then(LocalTag::decode);
                let call = tag.filter(|(shard, ..)| *shard == self.env.shard).map(|(.., key)| key);
                let left = call.and_then(|key| self.with(key, |call, env| call.left_acknowledges(env, ack)));
                if left != Some(true) {
                    self.env.counters.reject(RejectReason::NoDialog);
                }
            }
        }
    }

    fn cancel(&mut self, from: Peer, server: ServerKey, invite: Option<(ServerKey, User)>, cancel: &Message) {
        let Some((invite, user)) = invite else {
            return self.refuse(from, server, cancel, 481, RejectReason::NoTransaction);
        };
        // RFC 3261 §9.2: the tag of the 200 to CANCEL and of the response to the INVITE should be the same.
        let tag = match user.call() {
            Some(key) => LocalTag::new(self.env.shard, Leg::A, key),
            None => self.fresh_tag(),
        };
        let ok = response(cancel, from.remote, 200, self.env.load_said, Some(tag.as_bytes())).finish();
        self.env.txns.respond(self.env.now, server, 200, ok);
        match user {
            User::Invite(key) => {
                self.with(key, |call, env| call.hears(env, cancel, CallEvent::Cancel));
                None
            }
            User::Carried(key, _) => self.with(key, |call, env| call.cancel_carried(env, invite)),
            User::Attempt(..)
            | User::Move(_)
            | User::Refit(_)
            | User::Session(..)
            | User::Transfer(_)
            | User::Within(..)
            | User::Ghost(_)
            | User::Farewell(_) => None,
        };
    }

    /// A refusal that begins no dialog.
    pub(crate) fn refuse(
        &mut self,
        from: Peer,
        server: ServerKey,
        request: &Message,
        code: u16,
        reason: RejectReason,
    ) {
        self.env.counters.reject(reason);
        let tag = self.fresh_tag();
        let mut out = response(request, from.remote, code, self.env.load_said, Some(tag.as_bytes()));
        let allow = || self.env.allow(from.remote);
        demands::explain(&mut out, code, request, &self.env.newest.config.session, allow);
        if code == 503 {
            out.number(HeaderName::RetryAfter, RETRY_AFTER);
        }
        // It is kept for 32 s, in no more room than it takes: a storm of what is refused keeps as many as there is room for.
        let kept = Bytes::from(out.finish_vec().into_boxed_slice());
        self.env.txns.respond(self.env.now, server, code, kept);
    }

    fn relay_event(&mut self, event: RelayEvent) {
        let Some(session) = event.session() else { return self.region_event(&event) };
        let Some(key) = self.call_of(session) else { return };
        self.with(key, |call, env| match event {
            RelayEvent::Released { stats, .. } => call.released(env, session, stats),
            RelayEvent::Opened { a_port, b_port, .. } => call.opened(env, session, a_port, b_port),
            RelayEvent::OpenFailed { .. } => call.not_opened(env, session),
            RelayEvent::Silent { .. } if call.session() == Some(session) => {
                call.handle(env, CallEvent::Silent);
            }
            RelayEvent::Resumed { gap, .. } if call.is_led_by(session) => {
                call.handle(env, CallEvent::Resumed(gap));
            }
            RelayEvent::Silent { .. } | RelayEvent::Resumed { .. } => {}
            RelayEvent::Latched { .. }
            | RelayEvent::Strayed { .. }
            | RelayEvent::RegionHeard { .. }
            | RelayEvent::RegionSilent { .. } => {}
        });
    }

    /// A session's number holds its call's slot.
    fn call_of(&self, session: SessionId) -> Option<CallKey> {
        let slot = usize::try_from(session.0 & 0xffff_ffff).ok()?;
        self.calls.get(slot).map(|entry| entry.call.key)
    }

    /// A new generation: calls that are up on a living edge do not notice; calls that wait for a target that is down now
    /// move on.
    fn take_snapshot(&mut self, snapshot: Arc<Snapshot>) {
        if snapshot.config_generation != self.env.newest.config_generation {
            self.env.faces = Faces::new(&snapshot.config);
            self.env.txns.add_sent_by(self.env.faces.sent_by());
            self.env.txns.set_timers(snapshot.config.timers);
            self.env.txns.set_listeners(&snapshot.config);
            let hasher = self.by_trunk.hasher();
            self.load.configure(&snapshot.config, |name| hasher.hash_one(name));
        }
        self.door.forget_neighbour();
        let old = std::mem::replace(&mut self.env.newest, snapshot);
        self.judge_calls(&old);
    }

    fn timeout(&mut self) {
        self.load.rest(self.env.now, &self.env.newest.config.overload);
        self.env.txns.timeout(self.env.now);
        while let Some(token) = self.wheel.pop(self.env.now) {
            let Some(entry) = usize::try_from(token).ok().and_then(|slot| self.calls.get_mut(slot)) else {
                continue;
            };
            if entry.armed > self.env.now {
                // Of an earlier call in this place, or of a deadline that has moved.
                continue;
            }
            entry.armed = Time::NEVER;
            let key = entry.call.key;
            let due = entry.call.deadline() <= self.env.now;
            self.with(key, |call, env| {
                if due {
                    call.handle(env, CallEvent::Timer);
                }
            });
        }
    }

    /// Puts a call into its slot.
    pub(crate) fn begin(
        &mut self,
        counted: Option<u64>,
        origin: Origin,
        make: impl FnOnce(&mut Env, CallKey) -> Option<Call>,
    ) -> bool {
        let slot = self.calls.vacant_key();
        let Ok(number) = u32::try_from(slot) else { return false };
        let key = CallKey { slot: number, nonce: self.draw_nonce() };
        let Some(call) = make(&mut self.env, key) else { return false };
        self.ongoing.begins(origin);
        self.calls.insert(Entry {
            call: Box::new(call),
            armed: Time::NEVER,
            standing: None,
            counted,
            origin,
        });
        if let Some(trunk) = counted {
            *self.by_trunk.entry(trunk).or_insert(0) += 1;
        }
        self.env.counters.calls += 1;
        self.with(key, |_, _| ());
        true
    }

    /// Lets `f` work on a call; afterwards its timer is set, or its record is written.
    pub(crate) fn with<R>(&mut self, key: CallKey, f: impl FnOnce(&mut Call, &mut Env) -> R) -> Option<R> {
        let slot = usize::try_from(key.slot).ok()?;
        let entry = self.calls.get_mut(slot).filter(|entry| entry.call.key == key)?;
        let result = f(&mut entry.call, &mut self.env);
        if let Some(trunk) = self.env.taken_by.take() {
            let trunk = self.by_trunk.hasher().hash_one(&*trunk);
            if let Some(count) =
                entry.counted.replace(trunk).and_then(|before| self.by_trunk.get_mut(&before))
            {
                *count = count.saturating_sub(1);
            }
            *self.by_trunk.entry(trunk).or_insert(0) += 1;
        }
        if let Some((close, reject)) = entry.call.over() {
            self.serial += 1;
            let id = (u64::from(self.env.shard) << 48) | self.serial;
            let record = entry.call.record(id, self.env.now, close, reject);
            let (counted, origin) = (entry.counted, entry.origin);
            self.census.changes(entry.standing, None);
            self.ongoing.ends(origin);
            self.env.counters.close(close);
            self.env.out.push_back(Output::Finished(Box::new(record)));
            self.calls.remove(slot);
            if !self.aliases.is_empty() {
                self.aliases.retain(|_, (call, _)| *call != key);
            }
            if let Some(count) = counted.and_then(|trunk| self.by_trunk.get_mut(&trunk)) {
                *count = count.saturating_sub(1);
            }
            return Some(result);
        }
        let standing = Some(Standing::of(&entry.call));
        if entry.standing != standing {
            self.census.changes(entry.standing, standing);
            entry.standing = standing;
        }
        let mut deadline = entry.call.deadline();
        if !deadline.is_never() {
            deadline = deadline.min(self.env.now + MAX_NAP);
        }
        if deadline < entry.armed {
            entry.armed = deadline;
            self.wheel.insert(deadline, u64::from(key.slot));
        }
        Some(result)
    }
}

impl std::fmt::Debug for Shard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (id, generation) = (self.env.shard, self.env.newest.generation);
        f.debug_struct("Shard").field("id", &id).field("generation", &generation).finish_non_exhaustive()
    }
}
