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
use crate::leg::{Component, LegState};
use crate::limits::MOST_PATIENCE;
use crate::offload::{self, Carried, Fast, Flow, FlowState, Offload, Recall, Unfit};
use crate::packet::RtpHeader;
use crate::ports::PortRef;
use crate::session::Session;
use relay_values::{Leg, RelayCommand, SessionId, Time};

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

    /// What has become of the flow that comes to port `at`, which a fast path carries.
    pub fn absorb(&mut self, now: Time, at: PortRef, after: &FlowState) {
        let Some((owner, session)) = owned(&self.by_port, &mut self.sessions, at) else { return };
        let tier = session.tier_leg == owner.leg;
        let leg = session.leg_mut(owner.leg);
        let (Fast::Carried(flow) | Fast::Recalled(flow)) = &mut leg.fast else { return };
        let before = std::mem::replace(&mut flow.state, *after);
        let Some(carried) = Carried::between(&before, after) else { return };
        let (before, shift, source) = (before.newest, flow.shift, flow.source);
        self.counters.packets += carried.packets;
        self.counters.bytes += carried.bytes;
        self.counters.forwarded += carried.packets;
        self.counters.offloaded += carried.packets;
        self.counters.offloaded_bytes += carried.bytes;
        offload::absorb(leg, source, &shift, before, &carried, after);
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

    /// The next session whose turn has come to be looked at for silence: the ports of its flows that a fast path carries.
    /// What has become of those is to be told by [`absorb`](Self::absorb) before [`timeout`](Self::timeout), with the same
    /// time.
    pub fn poll_overdue(&mut self, now: Time) -> Option<[Option<PortRef>; 2]> {
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

    /// An [`Offload::Install`] cannot be done at present.
    pub fn declined(&mut self, at: PortRef) {
        if let Some((owner, session)) = owned(&self.by_port, &mut self.sessions, at) {
            session.leg_mut(owner.leg).patience.wasted();
        }
        self.slow(at);
    }

    /// A command is about to come: take back what it is about. The shell calls this, does what
    /// [`poll_offload`](Self::poll_offload) says, and then gives the [`command`](Self::command): so nobody carries packets by
    /// old rules.
    pub fn recall(&mut self, command: &RelayCommand) {
        let (session, why) = match command {
            RelayCommand::Open(_) => return,
            RelayCommand::Connect { session, .. } => (session, Recall::Connect),
            RelayCommand::Retarget { session, .. } => (session, Recall::Retarget),
            RelayCommand::Bridge { session, .. } => (session, Recall::Bridge),
            RelayCommand::Place { session, .. } => (session, Recall::Place),
            RelayCommand::Release { session } => (session, Recall::Release),
        };
        self.recall_session(*session, why);
    }

    fn recall_session(&mut self, id: SessionId, why: Recall) {
        let Some(session) = self.slot_of.get(&id).and_then(|s| self.sessions.get_mut(*s)) else { return };
        for leg in [Leg::A, Leg::B] {
            let leg = session.leg_mut(leg);
            match leg.fast.recall() {
                Some(at) => self.offloads.push_back(Offload::Remove { at, why }),
                // What was ordinary before is no sign for what comes.
                None => leg.fast.begin_anew(),
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
                if let Ok(flow) = self.flow(at)
                    && let Some((owner, session)) = owned(&self.by_port, &mut self.sessions, at)
                {
                    session.leg_mut(owner.leg).fast = Fast::Carried(Box::new(flow));
                    self.offloads.push_back(Offload::Install(Box::new(flow)));
                }
            }
        }
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
}

impl Patience {
    fn needed(self, after: u16) -> u16 {
        after.max(1).saturating_mul(1 << self.wasted.min(MOST_PATIENCE))
    }

    fn wasted(&mut self) {
        self.wasted = (self.wasted + 1).min(MOST_PATIENCE);
    }

    /// It was carried for so many packets.
    fn served(&mut self, packets: u64, after: u16) {
        if packets >= self.needed(after).into() {
            self.wasted = 0;
        } else {
            self.wasted();
        }
    }
}
