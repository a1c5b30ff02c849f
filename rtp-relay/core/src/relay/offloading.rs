//! Flows that a fast path carries: when one is offered, when it is taken back, and why.
//!
//! ```text
//!            enough packets in a row, and fit            recalled
//!  Slow ────────────────────────────────────▶ Carried ──────────────▶ Recalled
//!   ▲ ▲              declined                    │                        │
//!   │ └──────────────────────────────────────────┘                        │
//!   └─────────────────────────────────────────────────────────────────────┘
//!                         what has become of it
//! ```

use super::{Relay, owned};
use crate::counters::Counters;
use crate::leg::{Component, LegState};
use crate::limits::{MOST_PATIENCE, MOST_RETURNS};
use crate::offload::{self, Carried, Fast, Flow, FlowState, Offload, Recall, Unfit};
use crate::packet::RtpHeader;
use crate::ports::PortRef;
use crate::session::Session;
use relay_values::{Leg, RelayCommand, SessionId, Time};
use std::collections::VecDeque;

impl Relay {
    /// The next thing to do about flows that a fast path carries or may carry. Nothing comes unless
    /// [`RelayConfig::offload_after`](crate::RelayConfig::offload_after) says so.
    pub fn poll_offload(&mut self) -> Option<Offload> {
        self.offloads.pop_front()
    }

    /// The flow that comes to the RTP port `at`, if a fast path could carry it from now on.
    ///
    /// # Errors
    ///
    /// Why it could not.
    pub fn flow(&self, at: PortRef) -> Result<Flow, Unfit> {
        let owner = self.by_port.get(at.index()).copied().flatten();
        let owner = owner.filter(|o| o.component == Component::Rtp).ok_or(Unfit::NoSession)?;
        let session = self.sessions.get(owner.slot as usize).ok_or(Unfit::NoSession)?;
        let tier = session.tier_leg == owner.leg;
        let counted = if tier { self.regions.counted(owner.slot as usize) } else { None };
        session.flow(at, owner.leg, counted)
    }

    /// The flows of the session that port `at` belongs to which a fast path carries: their ports. What they have become is
    /// to be told by [`absorb`](Self::absorb) before [`packet`](Self::packet) is given a packet of that session.
    pub fn carried(&self, at: PortRef) -> [Option<PortRef>; 2] {
        let owner = self.by_port.get(at.index()).copied().flatten();
        let session = owner.and_then(|o| self.sessions.get(o.slot as usize));
        session.map(carried_of).unwrap_or_default()
    }

    /// The same of the session that a command is about.
    pub fn carried_of(&self, command: &RelayCommand) -> [Option<PortRef>; 2] {
        about(command).map(|(session, _)| self.carried_in(session)).unwrap_or_default()
    }

    /// The same of a session by its name.
    pub fn carried_in(&self, session: SessionId) -> [Option<PortRef>; 2] {
        let session = self.slot_of.get(&session).and_then(|slot| self.sessions.get(*slot));
        session.map(carried_of).unwrap_or_default()
    }

    /// What has become of the flow that comes to port `at`, which a fast path carries.
    pub fn absorb(&mut self, now: Time, at: PortRef, after: &FlowState) {
        let Some((owner, session)) = owned(&self.by_port, &mut self.sessions, at) else { return };
        let tier = session.tier_leg == owner.leg;
        let leg = session.leg_mut(owner.leg);
        let (Fast::Carried(flow) | Fast::Recalled(flow)) = &mut leg.fast else { return };
        let before = std::mem::replace(&mut flow.state, *after);
        let Some(carried) = Carried::between(&before, after) else { return };
        let (shift, source) = (flow.shift, flow.source);
        self.counters.packets += carried.packets;
        self.counters.bytes += carried.bytes;
        self.counters.forwarded += carried.packets;
        self.counters.offloaded += carried.packets;
        self.counters.offloaded_bytes += carried.bytes;
        offload::absorb(leg, source, &shift, &before, &carried, after);
        if tier {
            let rate = leg.meter.clock_rate();
            self.regions.absorb(now, owner.slot as usize, after, || rate);
        }
    }

    /// What has become of the flow that comes to port `at`, as far as the silence of its region asks for it: that alone is
    /// taken over. It is to be told of all flows that are counted among a [region](Flow::region)'s before [`timeout`](Self::timeout), and now
    /// and then besides.
    pub fn heard(&mut self, now: Time, at: PortRef, after: &FlowState) {
        let Some(owner) = self.by_port.get(at.index()).copied().flatten() else { return };
        let slot = owner.slot as usize;
        let rate = || self.sessions.get(slot).map_or(0, |s| s.leg(owner.leg).meter.clock_rate());
        self.regions.absorb(now, slot, after, rate);
    }

    /// The next session that is about to be looked at for silence or to report: the ports of its flows that a fast path carries.
    /// What has become of those is to be told by [`absorb`](Self::absorb) before [`timeout`](Self::timeout), with the same
    /// time.
    pub fn poll_overdue(&mut self, now: Time) -> Option<[Option<PortRef>; 2]> {
        while let Some((slot, id)) = self.reporting.pop_front() {
            let session = self.sessions.get(slot).filter(|s| s.id == id);
            if let Some(session) = session {
                return Some(carried_of(session));
            }
        }
        self.wheel.turn(now);
        let waiting = self.wheel.waiting().get(self.asked..).unwrap_or_default();
        for turn in waiting {
            self.asked += 1;
            let session = self.sessions.get(turn.slot).filter(|s| s.id == turn.session);
            if let Some(carried) = session.map(carried_of).filter(|c| c.iter().any(Option::is_some)) {
                return Some(carried);
            }
        }
        None
    }

    /// An [`Offload::Remove`] has been done: no fast path carries the flow any more, and this is what has become of it.
    pub fn recalled(&mut self, now: Time, at: PortRef, after: &FlowState) {
        self.absorb(now, at, after);
        self.slow(at);
    }

    /// An [`Offload::Change`] has been done: the flow is carried as `flow` says, and this had become of it until then.
    pub fn changed(&mut self, now: Time, flow: &Flow, until: &FlowState) {
        self.absorb(now, flow.at, until);
        if let Some((owner, session)) = owned(&self.by_port, &mut self.sessions, flow.at)
            && let Fast::Carried(was) | Fast::Recalled(was) = &mut session.leg_mut(owner.leg).fast
        {
            **was = *flow;
        }
    }

    /// An [`Offload::Install`] cannot be done at present.
    pub fn declined(&mut self, at: PortRef) {
        if let Some((owner, session)) = owned(&self.by_port, &mut self.sessions, at) {
            session.leg_mut(owner.leg).patience.wasted();
        }
        self.slow(at);
    }

    /// A command is about to come: take back the flows of whose source it says something new. The shell calls this, does what
    /// [`poll_offload`](Self::poll_offload) says, [absorbs](Self::absorb) what is still [carried](Self::carried_of) of the
    /// session, gives the [`command`](Self::command) and does what `poll_offload` says then. So nobody carries packets by old
    /// rules, and those that go to another place do so without a pause.
    pub fn recall(&mut self, command: &RelayCommand) {
        let Some((id, why)) = about(command) else { return };
        let Some(&slot) = self.slot_of.get(&id) else { return };
        let Some(session) = self.sessions.get_mut(slot) else { return };
        for leg in [Leg::A, Leg::B] {
            let is_over = match command {
                RelayCommand::Open(_) => false,
                RelayCommand::Connect { leg: of, to, .. } => {
                    *of == leg && session.leg(leg).is_news_of_source(to)
                }
                RelayCommand::Retarget { leg: of, to, .. } => *of == leg || to.is_none(),
                RelayCommand::Renew { .. } => true,
                RelayCommand::Bridge { leg: of, .. } => *of == leg,
                RelayCommand::Place { cut, .. } => *cut != session.has_cut(),
                RelayCommand::Release { .. } => true,
            };
            let lost = matches!(command, RelayCommand::Bridge { .. }) && session.tier_leg == leg && is_over;
            if lost && let Some(region) = self.regions.shut(slot) {
                // Before any of its flows: what comes to life again finds all doors closed.
                self.offloads.push_back(Offload::Shut(region));
            }
            if is_over {
                take_back(session.leg_mut(leg), why, &mut self.offloads, &mut self.counters);
            }
        }
    }

    /// Somebody watches the packets of a session from now on, or does so no longer: as long as it is watched its flows are not
    /// offered to a fast path, whose packets the shell does not see. Those that are carried are taken back; the shell does what
    /// [`poll_offload`](Self::poll_offload) says. Afterwards they are offered again with their next packet. False: there is no
    /// such session.
    pub fn watch(&mut self, session: SessionId, watched: bool) -> bool {
        let Some(session) = self.slot_of.get(&session).and_then(|slot| self.sessions.get_mut(*slot)) else {
            return false;
        };
        session.watch(watched);
        for leg in [Leg::A, Leg::B].into_iter().filter(|_| watched) {
            if let Some(at) = session.leg_mut(leg).fast.recall() {
                self.counters.recalled(Recall::Watched);
                session.leg_mut(leg).patience.returns();
                self.offloads.push_back(Offload::Remove { at, why: Recall::Watched });
            }
        }
        true
    }

    /// Something has been said or learnt of a session: what a fast path carries of it may go another way from now on.
    pub(super) fn follow(&mut self, id: SessionId, why: Recall) {
        let Some(&slot) = self.slot_of.get(&id) else { return };
        for leg in [Leg::A, Leg::B] {
            let Some(session) = self.sessions.get_mut(slot) else { return };
            let Fast::Carried(carried) = &session.leg(leg).fast else { continue };
            let counted = if session.tier_leg == leg { self.regions.counted(slot) } else { None };
            match session.flow(carried.at, leg, counted) {
                Ok(flow) if flow.is_carried_by(carried) => {}
                Ok(flow) => self.offloads.push_back(Offload::Change(Box::new(flow))),
                Err(_) => take_back(session.leg_mut(leg), why, &mut self.offloads, &mut self.counters),
            }
        }
    }

    fn slow(&mut self, at: PortRef) {
        if let Some((owner, session)) = owned(&self.by_port, &mut self.sessions, at) {
            session.leg_mut(owner.leg).fast = Fast::default();
        }
    }

    /// RTP of the peer came to port `at` by the sockets, and has gone on or not.
    pub(super) fn by_socket(&mut self, at: PortRef, header: &RtpHeader, gone_on: bool) {
        let Some(after) = self.offload_after else { return };
        let Some((owner, session)) = owned(&self.by_port, &mut self.sessions, at) else { return };
        let LegState { fast, patience, peer, .. } = session.leg_mut(owner.leg);
        match fast {
            Fast::Carried(flow) => {
                let why = match flow.event {
                    Some(event) if event == header.payload_type => Recall::Event,
                    _ if header.ssrc != flow.source => Recall::Source,
                    _ => Recall::PassedUp,
                };
                patience.served(flow.state.packets, after);
                if let Some(at) = fast.recall() {
                    self.counters.recalled(why);
                    self.offloads.push_back(Offload::Remove { at, why });
                }
            }
            Fast::Recalled(_) => {}
            Fast::Slow { ordinary } => {
                let is_ordinary = gone_on && !peer.is_event(header.payload_type);
                *ordinary = if is_ordinary { ordinary.saturating_add(1) } else { 0 };
                if *ordinary < patience.needed(after) {
                    return;
                }
                let flow = match self.flow(at) {
                    Ok(flow) => flow,
                    Err(why) => return self.counters.unfit(why),
                };
                if let Some((owner, session)) = owned(&self.by_port, &mut self.sessions, at) {
                    session.leg_mut(owner.leg).fast = Fast::Carried(Box::new(flow));
                    self.offloads.push_back(Offload::Install(Box::new(flow)));
                }
            }
        }
    }
}

/// The session that a command is about, and why flows of it are taken back, if they are.
pub(super) fn about(command: &RelayCommand) -> Option<(SessionId, Recall)> {
    match command {
        RelayCommand::Open(_) => None,
        RelayCommand::Connect { session, .. } => Some((*session, Recall::Connect)),
        RelayCommand::Retarget { session, .. } | RelayCommand::Renew { session, .. } => {
            Some((*session, Recall::Retarget))
        }
        RelayCommand::Bridge { session, .. } => Some((*session, Recall::Bridge)),
        RelayCommand::Place { session, .. } => Some((*session, Recall::Place)),
        RelayCommand::Release { session } => Some((*session, Recall::Release)),
    }
}

/// Signalling takes the flow from a leg back. It had proved itself: what follows it will go the same way soon.
fn take_back(leg: &mut LegState, why: Recall, offloads: &mut VecDeque<Offload>, counters: &mut Counters) {
    match leg.fast.recall() {
        Some(at) => {
            counters.recalled(why);
            leg.patience.returns();
            offloads.push_back(Offload::Remove { at, why });
        }
        // What was ordinary before is no sign for what comes.
        None => leg.fast.begin_anew(),
    }
}

/// The ports of a session's flows that are carried.
fn carried_of(session: &Session) -> [Option<PortRef>; 2] {
    [Leg::A, Leg::B].map(|leg| match &session.leg(leg).fast {
        Fast::Carried(flow) | Fast::Recalled(flow) => Some(flow.at),
        Fast::Slow { .. } => None,
    })
}

/// How many packets in a row a flow must have had by the sockets before it is offered again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Patience {
    /// How often in a row it was not worth it.
    wasted: u8,
    /// How often it may still be offered with its first packet: signalling has taken it back, not its packets.
    returns: u8,
}

impl Patience {
    fn needed(self, after: u16) -> u16 {
        if self.returns > 0 { 1 } else { self.proven(after) }
    }

    fn proven(self, after: u16) -> u16 {
        after.max(1).saturating_mul(1 << self.wasted.min(MOST_PATIENCE))
    }

    fn returns(&mut self) {
        self.returns = MOST_RETURNS;
    }

    fn wasted(&mut self) {
        self.returns = 0;
        self.wasted = (self.wasted + 1).min(MOST_PATIENCE);
    }

    /// It was carried for so many packets, until one came that could not be.
    fn served(&mut self, packets: u64, after: u16) {
        if packets >= self.proven(after).into() {
            (self.wasted, self.returns) = (0, 0);
        } else if self.returns > 1 {
            // It was under way when the flow was offered.
            self.returns -= 1;
        } else {
            self.wasted();
        }
    }
}
