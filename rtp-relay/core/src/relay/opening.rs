//! How a session comes and goes: its ports are taken, bound and given back.

use super::{Owner, Relay};
use crate::leg::{Component, Ports};
use crate::limits::MAX_BIND_TRIES;
use crate::ports::{Pair, PortRef, PortRequest, Taken};
use crate::session::Session;
use relay_values::{Leg, Open, OpenFailure, RelayEvent, SessionId, Time};

impl Relay {
    /// The answer to [`PortRequest::Bind`] for the pair whose RTP port is `rtp`.
    pub fn bound(&mut self, now: Time, rtp: PortRef, done: bool) {
        let Some(pair) = Pair::of_rtp(rtp) else { return };
        let Some((id, leg)) = self.binding.remove(&pair.index()) else { return };
        if !done {
            self.counters.bind_failures += 1;
            self.pool.fail(now, pair);
        }
        let slot = self.slot_of.get(&id).copied();
        let waiting = slot.and_then(|s| self.sessions.get_mut(s)).map(|s| s.leg_mut(leg));
        match waiting.map(|state| (state.ports, state)) {
            Some((Ports::Binding { pair: of, tries }, state)) if of == pair => {
                if done {
                    state.ports = Ports::Held(pair);
                } else if let Err(reason) = self.try_another(now, id, leg, tries + 1) {
                    return self.abandon(now, id, reason);
                }
                self.open_if_ready(now, id);
            }
            Some((Ports::Renewing { held, pair: of, tries }, state)) if of == pair => {
                state.ports = Ports::Held(held);
                if done {
                    self.change(now, id, leg, pair);
                } else {
                    self.look_for_other(now, id, leg, tries + 1);
                }
            }
            // Its session has gone in the meantime.
            _ if done => self.pool.give_back(now, pair),
            _ => {}
        }
    }

    pub(super) fn open(&mut self, now: Time, open: &Open) {
        let id = open.session;
        if self.slot_of.contains_key(&id) {
            self.counters.ignored_commands += 1;
            return;
        }
        if self.sessions.len() >= self.max_sessions {
            return self.refuse_open(id, OpenFailure::SessionsExhausted);
        }
        let slot = self.sessions.insert(Session::new(open));
        self.slot_of.insert(id, slot);
        self.regions.place(now, slot, open.region);
        for leg in [Leg::A, Leg::B] {
            if let Err(reason) = self.try_another(now, id, leg, 0) {
                return self.abandon(now, id, reason);
            }
        }
        self.open_if_ready(now, id);
    }

    /// Take a pair for a leg, after `tries` that failed.
    fn try_another(&mut self, now: Time, id: SessionId, leg: Leg, tries: u8) -> Result<(), OpenFailure> {
        if tries >= MAX_BIND_TRIES {
            return Err(OpenFailure::Socket);
        }
        let Some(session) = self.slot_of.get(&id).and_then(|s| self.sessions.get_mut(*s)) else {
            return Ok(());
        };
        let state = session.leg_mut(leg);
        state.ports = match self.pool.take(now, state.local)? {
            Taken::Ready(pair) => Ports::Held(pair),
            Taken::Fresh(pair) => {
                self.binding.insert(pair.index(), (id, leg));
                self.requests.extend(self.pool.describe(pair).map(PortRequest::Bind));
                Ports::Binding { pair, tries }
            }
        };
        Ok(())
    }

    /// Once both legs have their ports, packets may come.
    fn open_if_ready(&mut self, now: Time, id: SessionId) {
        let Some(&slot) = self.slot_of.get(&id) else { return };
        let Some(session) = self.sessions.get(slot) else { return };
        let (Some(a), Some(b)) = (session.leg(Leg::A).pair(), session.leg(Leg::B).pair()) else { return };
        self.own(now, a, slot, Leg::A);
        self.own(now, b, slot, Leg::B);
        self.counters.opened += 1;
        self.tell_ports(id);
    }

    /// Other ports for a leg, if there are any.
    pub(super) fn renew(&mut self, now: Time, id: SessionId, leg: Leg) {
        self.look_for_other(now, id, leg, 0);
    }

    /// Take another pair for a leg that has one, after `tries` that failed. Where there is none it keeps its own.
    fn look_for_other(&mut self, now: Time, id: SessionId, leg: Leg, tries: u8) {
        let Some(session) = self.slot_of.get(&id).and_then(|s| self.sessions.get_mut(*s)) else { return };
        let state = session.leg_mut(leg);
        // Whoever waits for ports has them told when they come.
        let Ports::Held(held) = state.ports else { return };
        let local = state.local;
        let taken = if tries < MAX_BIND_TRIES { self.pool.take(now, local).ok() } else { None };
        match taken {
            Some(Taken::Ready(pair)) => self.change(now, id, leg, pair),
            Some(Taken::Fresh(pair)) => {
                state.ports = Ports::Renewing { held, pair, tries };
                self.binding.insert(pair.index(), (id, leg));
                self.requests.extend(self.pool.describe(pair).map(PortRequest::Bind));
            }
            None => self.tell_ports(id),
        }
    }

    /// A leg has another pair. Its own rests.
    fn change(&mut self, now: Time, id: SessionId, leg: Leg, pair: Pair) {
        let Some(&slot) = self.slot_of.get(&id) else { return };
        let Some(session) = self.sessions.get_mut(slot) else { return };
        let state = session.leg_mut(leg);
        if let Some(held) = state.pair() {
            state.ports = Ports::Held(pair);
            self.disown(held);
            self.pool.release(now, held);
        }
        self.own(now, pair, slot, leg);
        self.tell_ports(id);
    }

    fn tell_ports(&mut self, id: SessionId) {
        let Some(session) = self.slot_of.get(&id).and_then(|slot| self.sessions.get(*slot)) else { return };
        let (Some(a), Some(b)) = (session.leg(Leg::A).pair(), session.leg(Leg::B).pair()) else { return };
        let number = |pair: Pair| self.pool.local(pair.rtp()).map_or(0, |at| at.port());
        let (a_port, b_port) = (number(a), number(b));
        self.events.push_back(RelayEvent::Opened { session: id, a_port, b_port });
    }

    pub(super) fn release(&mut self, now: Time, id: SessionId) {
        let Some(session) = self.remove(id) else {
            self.counters.ignored_commands += 1;
            return;
        };
        for leg in [Leg::A, Leg::B] {
            // A pair that is still being bound comes back with its answer.
            if let Some(pair) = session.leg(leg).pair() {
                self.disown(pair);
                self.pool.release(now, pair);
            }
        }
        self.counters.released += 1;
        self.events.push_back(RelayEvent::Released { session: id, stats: Box::new(session.stats()) });
    }

    /// Give up a session that could not be opened.
    fn abandon(&mut self, now: Time, id: SessionId, reason: OpenFailure) {
        if let Some(session) = self.remove(id) {
            for pair in [Leg::A, Leg::B].into_iter().filter_map(|leg| session.leg(leg).pair()) {
                self.pool.give_back(now, pair);
            }
        }
        self.refuse_open(id, reason);
    }

    fn refuse_open(&mut self, session: SessionId, reason: OpenFailure) {
        self.counters.open_failed += 1;
        self.events.push_back(RelayEvent::OpenFailed { session, reason });
    }

    fn remove(&mut self, id: SessionId) -> Option<Session> {
        let slot = self.slot_of.remove(&id)?;
        self.regions.leave(slot);
        self.sessions.try_remove(slot)
    }

    fn own(&mut self, now: Time, pair: Pair, slot: usize, leg: Leg) {
        let ghost = self.ghosts.follow(now, pair);
        if let Some(session) = self.sessions.get_mut(slot) {
            session.leg_mut(leg).opened(now, ghost);
        }
        let slot = slot as u32;
        for (port, component) in [(pair.rtp(), Component::Rtp), (pair.rtcp(), Component::Rtcp)] {
            if let Some(owner) = self.by_port.get_mut(port.index()) {
                *owner = Some(Owner { slot, leg, component });
            }
        }
    }

    fn disown(&mut self, pair: Pair) {
        for port in [pair.rtp(), pair.rtcp()] {
            if let Some(owner) = self.by_port.get_mut(port.index()) {
                *owner = None;
            }
        }
    }
}
