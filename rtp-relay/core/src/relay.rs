//! The contract: commands and packets in; verdicts, events and wishes out.

mod offloading;
mod opening;

pub(crate) use offloading::Patience;
use offloading::about;

use crate::beats::{Beat, Beats};
use crate::config::{Prompt, RelayConfig};
use crate::counters::Counters;
use crate::ghosts::Ghosts;
use crate::intruders::{Intruder, Intruders};
use crate::leg::{Component, Onward, Whose};
use crate::limits::MAX_PACKET;
use crate::offload::{Offload, Recall};
use crate::own::{Outgoing, Own};
use crate::packet::{Expect, Packet, classify};
use crate::ports::{Pair, PortPool, PortRef, PortRequest};
use crate::random::SplitMix;
use crate::regions::Regions;
use crate::session::{Passed, Session};
use crate::strangers::Attempt;
use crate::watch::Wheel;
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use relay_values::{
    Carries, Connect, DropReason, Leg, Measured, RegionId, RelayCommand, RelayEvent, SessionId, SessionStats,
    Time,
};
use slab::Slab;
use std::collections::VecDeque;
use std::net::SocketAddr;

/// What is to happen to a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Send it, as it now is.
    Forward {
        /// From this of our ports.
        port: PortRef,
        /// To this address.
        to: SocketAddr,
    },
    /// It goes on in other words, of another length: [`Relay::poll_send`] gives them.
    Anew,
    /// It has been counted; forget it.
    Drop(DropReason),
}

/// A relay over one slice of the port range.
#[derive(Debug)]
pub struct Relay {
    pool: PortPool,
    max_sessions: usize,
    sessions: Slab<Session>,
    slot_of: HashMap<SessionId, usize, FixedState>,
    /// For every port, whose it is: the only table that a packet is looked up in.
    by_port: Vec<Option<Owner>>,
    /// Pairs that the shell is binding, and for whom.
    binding: HashMap<u32, (SessionId, Leg), FixedState>,
    wheel: Wheel,
    /// Sessions whose turn on the wheel has come and that the shell has been asked about.
    asked: usize,
    /// Sessions that will report of what a fast path carries.
    reporting: VecDeque<(usize, SessionId)>,
    ghosts: Ghosts,
    intruders: Intruders,
    beats: Beats,
    regions: Regions,
    /// Packets of our own making that wait to be sent.
    outbox: VecDeque<Own>,
    prompt: Option<Prompt>,
    random: SplitMix,
    events: VecDeque<RelayEvent>,
    requests: VecDeque<PortRequest>,
    counters: Counters,
    /// What the shell is to do about its fast path, if it has one.
    offloads: VecDeque<Offload>,
    offload_after: Option<u16>,
}

/// Whose a port is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Owner {
    slot: u32,
    leg: Leg,
    component: Component,
}

impl Relay {
    /// A relay without sessions. `seed` orders ports and hash tables, and names the streams that we begin.
    pub fn new(config: &RelayConfig, seed: u64) -> Self {
        let pool = PortPool::new(config, seed);
        Self {
            by_port: vec![None; pool.ports()],
            ghosts: Ghosts::new(pool.ports() / 2),
            intruders: Intruders::new(),
            pool,
            // Owners count slots in 32 bits.
            max_sessions: config.max_sessions.min(u32::MAX as usize),
            sessions: Slab::new(),
            slot_of: HashMap::with_hasher(FixedState::with_seed(seed)),
            binding: HashMap::with_hasher(FixedState::with_seed(seed)),
            wheel: Wheel::new(),
            asked: 0,
            reporting: VecDeque::new(),
            beats: Beats::default(),
            regions: Regions::new(&config.silence),
            outbox: VecDeque::new(),
            prompt: config.prompt.clone(),
            random: SplitMix::new(seed),
            events: VecDeque::new(),
            requests: VecDeque::new(),
            counters: Counters::default(),
            offloads: VecDeque::new(),
            offload_after: config.offload_after,
        }
    }

    /// How many ports there are: every [`PortRef::index`] is below it.
    pub fn ports(&self) -> usize {
        self.pool.ports()
    }

    /// Address and number of a port.
    pub fn local(&self, port: PortRef) -> Option<SocketAddr> {
        self.pool.local(port)
    }

    /// Sessions that are open or being opened.
    pub fn sessions(&self) -> usize {
        self.sessions.len()
    }

    /// What has been counted.
    pub fn counters(&self) -> Counters {
        Counters { sessions: self.sessions.len() as u64, ports: self.pool.counts(), ..self.counters }
    }

    /// The hosts whose packets are nobody's peer's, as far as they have tried lately: the busiest.
    pub fn intruders(&self) -> impl Iterator<Item = &Intruder> {
        self.intruders.iter()
    }

    /// Whose a port is at the moment.
    pub fn session_at(&self, port: PortRef) -> Option<SessionId> {
        let owner = (*self.by_port.get(port.index())?)?;
        Some(self.sessions.get(owner.slot as usize)?.id)
    }

    /// What is measured of a session at this moment. What a fast path [carries](Self::carried_in) of it is to be told by
    /// [`absorb`](Self::absorb) before; otherwise it is as old as what was told last.
    pub fn measure(&self, now: Time, session: SessionId) -> Option<Measured> {
        self.sessions.get(*self.slot_of.get(&session)?).map(|session| session.measure(now))
    }

    /// The statistics of a session so far.
    pub fn stats(&self, session: SessionId) -> Option<SessionStats> {
        self.sessions.get(*self.slot_of.get(&session)?).map(Session::stats)
    }

    /// Do what signalling asks.
    pub fn command(&mut self, now: Time, command: RelayCommand) {
        self.recall(&command);
        let about = about(&command);
        self.obey(now, command);
        if let Some((session, why)) = about {
            self.follow(session, why);
        }
    }

    fn obey(&mut self, now: Time, command: RelayCommand) {
        match command {
            RelayCommand::Open(open) => self.open(now, &open),
            RelayCommand::Connect { session, leg, to } => {
                let tier = self.with_session(now, session, |s, _| {
                    s.connect(now, leg, &to);
                    s.tier_leg == leg
                });
                // Hold is not silence, and a fax may be silent for long.
                let quiet = !to.direction.receives() || to.carries == Carries::Datagrams;
                if let (Some(&slot), Some(true), true) = (self.slot_of.get(&session), tier, quiet) {
                    self.regions.rest(slot);
                }
            }
            RelayCommand::Retarget { session, leg, region, to } => {
                self.retarget(now, session, leg, region, to.as_ref());
            }
            RelayCommand::Renew { session, leg, region } => {
                self.retarget(now, session, leg, region, None);
                self.renew(now, session, leg);
            }
            RelayCommand::Bridge { session, leg, fill } => {
                let done = self.with_session(now, session, |s, outbox| s.bridge(now, leg, fill, outbox));
                self.counters.bridged += u64::from(done.is_some());
                let slot = self.slot_of.get(&session).copied();
                if let (Some(slot), Some(Some(at))) = (slot, done) {
                    self.beats.put(Beat { at, slot, session, leg });
                }
            }
            RelayCommand::Place { session, region, cut } => {
                let done = self.with_session(now, session, |s, _| s.cut(cut));
                if let (Some(&slot), Some(())) = (self.slot_of.get(&session), done) {
                    self.regions.place(now, slot, region);
                }
            }
            RelayCommand::Release { session } => self.release(now, session),
        }
    }

    fn retarget(&mut self, now: Time, id: SessionId, leg: Leg, region: RegionId, to: Option<&Connect>) {
        let tier = self.with_session(now, id, |s, outbox| {
            s.retarget(now, leg, to, outbox);
            s.tier_leg == leg
        });
        self.counters.retargets += u64::from(tier.is_some());
        if let (Some(&slot), Some(true)) = (self.slot_of.get(&id), tier) {
            self.regions.rest(slot);
            self.regions.place(now, slot, region);
        }
    }

    /// Judge a packet that came from `from` to our port `at`. If it goes on, `bytes` have been rewritten in place.
    pub fn packet(&mut self, now: Time, at: PortRef, from: SocketAddr, bytes: &mut [u8]) -> Verdict {
        self.counters.packets += 1;
        self.counters.bytes += bytes.len() as u64;
        let Some((owner, session)) = owned(&self.by_port, &mut self.sessions, at) else {
            if let (Some(pair), Ok(Packet::Rtp(header))) = (Pair::of_rtp(at), classify(bytes, Expect::Rtp)) {
                self.ghosts.heard(now, pair, from, &header);
            }
            self.counters.strangers.sprays += u64::from(self.intruders.count(now, from.ip(), at));
            return self.drop_packet(DropReason::NoSession);
        };
        let Owner { slot, leg, component } = owner;
        // RTP of the peer, whatever becomes of it.
        let mut heard = None;
        // Where a peer is may be known better than before.
        let mut found = None;
        let taken = if bytes.len() > MAX_PACKET {
            Err(DropReason::TooLong)
        } else {
            session.take(now, leg, component, from, bytes, &mut self.outbox)
        };
        while let Some((leg, from)) = session.learnt() {
            self.counters.latched += 1;
            self.events.push_back(RelayEvent::Latched { session: session.id, leg, from });
            found = Some(session.id);
        }
        let outcome = taken.and_then(|taken| {
            if let Packet::Rtp(header) = taken.packet {
                heard = Some(header);
            }
            if matches!(taken.whose, Whose::First(_)) {
                found = Some(session.id);
            }
            if let Whose::First(Some(gap)) = taken.whose {
                self.counters.resumed += 1;
                self.events.push_back(RelayEvent::Resumed { session: session.id, leg, gap });
            }
            if let (true, Packet::Rtp(header), Whose::Present | Whose::First(_)) =
                (leg == session.tier_leg, taken.packet, taken.whose)
            {
                let rate = session.leg(leg).meter.clock_rate();
                self.regions.packet(now, slot as usize, &header, rate);
            }
            session.pass(now, leg, &taken, bytes, &mut self.outbox)
        });
        if let Err(reason) = outcome {
            session.count_drop(reason);
        }
        let id = session.id;
        let attempt = match outcome {
            Err(DropReason::Stranger) => session.tried(now, leg, component, from, bytes),
            _ => None,
        };
        if let Some(attempt) = attempt {
            self.tried(now, at, id, leg, from, attempt);
        }
        if let Some(session) = found {
            self.follow(session, Recall::Latched);
        }
        match outcome {
            Ok(Passed::Anew) => {
                self.counters.forwarded += 1;
                Verdict::Anew
            }
            Ok(Passed::Here(Onward { port, to })) => {
                self.counters.forwarded += 1;
                if let Some(header) = heard {
                    self.by_socket(at, &header, true);
                }
                Verdict::Forward { port, to }
            }
            Err(reason) => {
                if let Some(header) = heard {
                    self.by_socket(at, &header, false);
                }
                self.drop_packet(reason)
            }
        }
    }

    /// Count a packet to port `at` that the shell could not even hand over (longer than its buffer).
    pub fn refuse(&mut self, at: PortRef, reason: DropReason) {
        self.counters.packets += 1;
        self.counters.drops.count(reason);
        if let Some((_, session)) = owned(&self.by_port, &mut self.sessions, at) {
            session.count_drop(reason);
        }
    }

    /// A packet that was to be forwarded from port `from` could not be sent.
    pub fn send_failed(&mut self, from: PortRef) {
        self.counters.forwarded = self.counters.forwarded.saturating_sub(1);
        self.counters.drops.count(DropReason::SendFailed);
        if let Some((owner, session)) = owned(&self.by_port, &mut self.sessions, from) {
            session.send_failed(owner.leg, owner.component);
        }
    }

    /// Who held a pair of [`RelayConfig::withheld`] is done with it: it rests, as after a release, and is then free.
    pub fn give(&mut self, now: Time, rtp: SocketAddr) {
        self.pool.give(now, rtp);
    }

    /// A packet of our own making ([`poll_send`](Self::poll_send)) could not be sent.
    pub fn own_failed(&mut self) {
        self.counters.filled = self.counters.filled.saturating_sub(1);
        self.counters.fill_failed += 1;
    }

    /// Write the next packet of our own making to the beginning of `buf`, which should have room for [`MAX_PACKET`] bytes:
    /// what does not fit is counted and left out.
    pub fn poll_send(&mut self, buf: &mut [u8]) -> Option<Outgoing> {
        while let Some(own) = self.outbox.pop_front() {
            self.counters.filled += 1;
            match own.write(self.prompt.as_ref(), buf) {
                Some(outgoing) => return Some(outgoing),
                None => self.own_failed(),
            }
        }
        None
    }

    /// The next event for signalling.
    pub fn poll_event(&mut self) -> Option<RelayEvent> {
        self.events.pop_front()
    }

    /// The next thing to do about sockets.
    pub fn poll_port(&mut self) -> Option<PortRequest> {
        self.requests.pop_front()
    }

    /// When [`timeout`](Self::timeout) wants to be called.
    pub fn poll_timeout(&self) -> Time {
        self.wheel.next().min(self.pool.next()).min(self.beats.next()).min(self.regions.next())
    }

    /// Time has passed: fill what is silent, look for silence and for idle ports.
    pub fn timeout(&mut self, now: Time) {
        while let Some(Beat { at, slot, session: id, leg }) = self.beats.due(now) {
            let Some(session) = self.sessions.get_mut(slot).filter(|s| s.id == id) else { continue };
            if let Some(at) = session.beat(now, leg, at, &mut self.random, &mut self.outbox) {
                if session.reports_of_carried(leg, at) {
                    self.reporting.push_back((slot, id));
                }
                self.beats.put(Beat { at, slot, session: id, leg });
            }
            await_ends(&mut self.beats, slot, session);
        }
        self.counters.region_silent += self.regions.tick(now, &mut self.events, &mut self.offloads);
        self.wheel.turn(now);
        self.asked = 0;
        while let Some(turn) = self.wheel.due() {
            let Some(session) = self.sessions.get_mut(turn.slot).filter(|s| s.id == turn.session) else {
                continue;
            };
            session.on_wheel = false;
            while let Some((leg, since, kind)) = session.silence(now) {
                self.counters.silent += 1;
                self.events.push_back(RelayEvent::Silent { session: turn.session, leg, since, kind });
            }
            watch(&mut self.wheel, turn.slot, session);
        }
        while let Some(pair) = self.pool.close_idle(now) {
            self.requests.extend(self.pool.describe(pair).map(PortRequest::Close));
        }
    }

    /// Packets that came before `now` may still wait in sockets which have not had their turn since the shell was held up:
    /// no flow has been silent for longer than since now.
    pub fn behind(&mut self, now: Time) {
        self.regions.void(now);
    }

    fn with_session<T>(
        &mut self,
        now: Time,
        id: SessionId,
        f: impl FnOnce(&mut Session, &mut VecDeque<Own>) -> T,
    ) -> Option<T> {
        let slot = self.slot_of.get(&id).copied();
        let Some((slot, session)) = slot.and_then(|s| Some((s, self.sessions.get_mut(s)?))) else {
            self.counters.ignored_commands += 1;
            return None;
        };
        let done = f(session, &mut self.outbox);
        // A wheel that stood still while there was nothing to watch.
        self.wheel.catch_up(now);
        watch(&mut self.wheel, slot, session);
        await_ends(&mut self.beats, slot, session);
        Some(done)
    }

    /// A stranger has tried something on a leg.
    fn tried(
        &mut self,
        now: Time,
        at: PortRef,
        session: SessionId,
        leg: Leg,
        from: SocketAddr,
        attempt: Attempt,
    ) {
        let counts = &mut self.counters.strangers;
        counts.sprays += u64::from(self.intruders.count(now, from.ip(), at));
        counts.rtcp += u64::from(attempt == Attempt::Rtcp);
        counts.rtp += u64::from(attempt != Attempt::Rtcp);
        counts.forged += u64::from(matches!(attempt, Attempt::Forged | Attempt::Strayed));
        if attempt == Attempt::Strayed {
            counts.strayed += 1;
            self.events.push_back(RelayEvent::Strayed { session, leg, from });
        }
    }

    fn drop_packet(&mut self, reason: DropReason) -> Verdict {
        self.counters.drops.count(reason);
        Verdict::Drop(reason)
    }
}

/// The session that a port belongs to.
fn owned<'a>(
    by_port: &[Option<Owner>],
    sessions: &'a mut Slab<Session>,
    port: PortRef,
) -> Option<(Owner, &'a mut Session)> {
    let owner = (*by_port.get(port.index())?)?;
    Some((owner, sessions.get_mut(owner.slot as usize)?))
}

/// Give the session a turn on the wheel, if it wants one and has none.
fn watch(wheel: &mut Wheel, slot: usize, session: &mut Session) {
    if !session.on_wheel
        && let Some(at) = session.next_watch()
    {
        wheel.arm(at, slot, session.id);
        session.on_wheel = true;
    }
}

/// Come back for the ends of events that are not wholly said.
fn await_ends(beats: &mut Beats, slot: usize, session: &mut Session) {
    while let Some((leg, at)) = session.await_end() {
        beats.put(Beat { at, slot, session: session.id, leg });
    }
}
