//! Going on with the tables of an earlier run.

use super::{FlowId, NextHopId, Tables};
use crate::xdp::layout::{
    AlternateEntry, FlowEntry, MAX_NEXT_HOPS, MAX_SLOTS, PORTS, RATES, RouteEntry, SlotEntry,
};
use std::collections::BTreeSet;
use std::mem::offset_of;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::Ordering;

/// Where a route's next hop stands: eight bytes with both ports and the generation, so that it changes at once.
const HOP: usize = offset_of!(FlowEntry, route) + offset_of!(RouteEntry, peer_port);
/// Where a flow's slot stands, in eight bytes with others.
const SLOT: usize = offset_of!(FlowEntry, sequence_shift);

const _: () = assert!(HOP.is_multiple_of(8) && offset_of!(RouteEntry, generation) + 2 == 40);
const _: () = assert!(SLOT.is_multiple_of(8) && offset_of!(FlowEntry, event) < SLOT + 8);

/// A flow that an earlier run has published, and that still goes on.
#[derive(Debug)]
pub(crate) struct Adopted {
    pub(crate) id: FlowId,
    /// Our port that it comes to.
    pub(crate) at: SocketAddr,
    /// Our port from which it goes on.
    pub(crate) out: SocketAddr,
    /// To whom.
    pub(crate) to: IpAddr,
    /// By an entry of the earlier run.
    pub(crate) hop: NextHopId,
}

/// Which route of an entry is in force.
enum InForce {
    Own,
    Alternate(AlternateEntry),
    None,
}

impl Tables {
    /// The flows that an earlier run has left. From now on each goes the way that it went last, whatever becomes of its
    /// slot; what was with the sockets stays with nobody. All else of the tables is free.
    pub(crate) fn adopt(&self) -> Vec<Adopted> {
        let mut adopted: Vec<Adopted> = Vec::new();
        let (mut flows, mut hops) = (BTreeSet::new(), BTreeSet::new());
        for (place, ip) in self.known.locals.iter().enumerate() {
            for number in 0..=u16::MAX {
                let port = place * PORTS + usize::from(number);
                let Some(index) = self.by_port.get(port).map(|i| i.load(Ordering::Acquire)) else { continue };
                if index == 0 {
                    continue;
                }
                let id = FlowId { index, port: port as u32 };
                let at = SocketAddr::new(*ip, number);
                match self.settled(id, at).filter(|a| !flows.contains(&a.id.index)) {
                    Some(flow) => {
                        flows.insert(index);
                        hops.insert(flow.hop.0);
                        adopted.push(flow);
                    }
                    // No entry of ours is so; or it was the sockets' to carry, and they are closed.
                    None => self.publish(&FlowId { index, port: port as u32 }, 0),
                }
            }
        }
        let free = &mut self.free();
        free.flows.retain(|index| !flows.contains(index));
        free.next_hops.retain(|hop| !hops.contains(hop));
        for slot in 0..MAX_SLOTS {
            let _ = self.slots.write(slot, &SlotEntry::default());
        }
        adopted
    }

    /// The flow with the route that is in force as its own, and in no slot that anybody switches.
    fn settled(&self, id: FlowId, at: SocketAddr) -> Option<Adopted> {
        let index = id.index as usize;
        let mut entry: FlowEntry = self.flows.read(index)?;
        let out = SocketAddr::new(
            *self.known.locals.get(usize::from(entry.local))?,
            u16::from_be_bytes(entry.our_port),
        );
        match self.in_force(index, &entry) {
            InForce::Own => entry.route.generation = 0,
            InForce::Alternate(alternate) => {
                entry.route = RouteEntry { generation: 0, ..alternate.route };
            }
            InForce::None => return None,
        }
        if usize::from(entry.clock) >= RATES || usize::from(entry.route.next_hop) >= MAX_NEXT_HOPS {
            return None;
        }
        // An own route that is in force is the same but for its generation; one that is not is read by nobody.
        for offset in (0..=HOP).step_by(8) {
            self.flows.write_word(index, offset, &entry)?;
        }
        entry.slot = 0;
        self.flows.write_word(index, SLOT, &entry)?;
        let hop = NextHopId(entry.route.next_hop);
        Some(Adopted { id, at, out, to: entry.route.target.ip(), hop })
    }

    /// As the program finds it: `route_of` in relay.c.
    fn in_force(&self, index: usize, entry: &FlowEntry) -> InForce {
        let Some(slot) = self.slots.read(entry.slot.into()) else { return InForce::None };
        let active = usize::from(slot.active);
        let (route, found) = match active {
            0 => (entry.route, InForce::Own),
            1 | 2 => match self.alternates.read(2 * index + active - 1) {
                Some(alternate) => (alternate.route, InForce::Alternate(alternate)),
                None => return InForce::None,
            },
            3.. => return InForce::None,
        };
        if route.generation != 0 && route.generation != slot.generation { InForce::None } else { found }
    }

    /// Send a flow that was adopted by another next hop, or by none: its packets then come to the sockets.
    pub(crate) fn repoint(&self, id: &FlowId, hop: Option<NextHopId>) {
        let index = id.index as usize;
        if let Some(mut entry) = self.flows.read(index) {
            // Number 0 is never known.
            entry.route.next_hop = hop.map_or(0, |hop| hop.0);
            let _ = self.flows.write_word(index, HOP, &entry);
        }
    }

    /// An entry of an earlier run that no flow uses any more; 0 is nobody's.
    pub(crate) fn disown(&self, hop: NextHopId) {
        if hop.0 != 0 {
            self.remove_next_hop(hop);
        }
    }
}
