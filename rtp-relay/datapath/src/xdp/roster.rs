//! The flows of one worker that the kernel carries, side by side: to look at all of them is one sweep.
//!
//! What the program writes about a flow lies in one cache line. A sweep touches that line and one small entry here, both in
//! order, and nothing of what the relay knows of the flow but for those that have news: at a tick of 5 ms one flow in four.

use super::tables::{FlowId, Tables};
use relay_core::{Flow, FlowState, PortRef, Relay};
use relay_values::Time;

/// The flows of one worker.
#[derive(Debug)]
pub struct Roster {
    flows: Vec<Entry>,
    ids: Vec<FlowId>,
    /// By [`PortRef::index`], the place above; [`NOWHERE`] if it has none.
    places: Vec<u32>,
    /// What flows that have gone had passed on.
    gone: Totals,
}

/// One of them.
#[derive(Debug, Clone, Copy)]
struct Entry {
    at: PortRef,
    /// Its place in the table.
    index: u32,
    /// When its last packet had come, as the program says it, when the relay was told last; nobody's time for a flow of which
    /// it is not to be told.
    told: u64,
}

/// No flow.
const NOWHERE: u32 = u32::MAX;

/// Not to be told.
const UNCOUNTED: u64 = u64::MAX;

/// What flows have passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// Packets.
    pub packets: u64,
    /// Their payload of UDP, in bytes.
    pub bytes: u64,
}

/// What the relay has been told of a flow that is new here.
fn told(flow: &Flow) -> u64 {
    if flow.region.is_some() { 0 } else { UNCOUNTED }
}

impl Roster {
    /// Nobody yet; there are so many ports.
    pub fn new(ports: usize) -> Self {
        Self { flows: Vec::new(), ids: Vec::new(), places: vec![NOWHERE; ports], gone: Totals::default() }
    }

    /// How many flows there are.
    pub fn len(&self) -> usize {
        self.flows.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.flows.is_empty()
    }

    /// A flow has been installed.
    pub fn put(&mut self, flow: &Flow, id: FlowId) {
        let Some(place) = self.places.get_mut(flow.at.index()) else { return };
        *place = self.flows.len() as u32;
        self.flows.push(Entry { at: flow.at, index: id.index(), told: told(flow) });
        self.ids.push(id);
    }

    /// The flow that comes to a port.
    pub fn get(&self, at: PortRef) -> Option<&FlowId> {
        self.ids.get(self.place(at)?)
    }

    /// The flow that comes to a port is about to be taken from the tables.
    pub fn take(&mut self, at: PortRef) -> Option<FlowId> {
        let place = self.place(at)?;
        if let Some(last) = self.flows.last().map(|last| last.at.index())
            && let Some(its) = self.places.get_mut(last)
        {
            *its = place as u32;
        }
        if let Some(its) = self.places.get_mut(at.index()) {
            *its = NOWHERE;
        }
        self.flows.swap_remove(place);
        Some(self.ids.swap_remove(place))
    }

    /// A flow has been changed: the id of what it was before is to be changed by `change`.
    pub fn change<T>(&mut self, flow: &Flow, change: impl FnOnce(&mut FlowId) -> T) -> Option<T> {
        let place = self.place(flow.at)?;
        let (entry, id) = self.flows.get_mut(place).zip(self.ids.get_mut(place))?;
        let done = change(id);
        entry.index = id.index();
        entry.told = told(flow);
        Some(done)
    }

    /// It has been taken, or changed, and this had become of it until then.
    pub fn taken(&mut self, last: &FlowState) {
        self.gone.packets += last.packets;
        self.gone.bytes += last.bytes;
    }

    /// All flows, and the ports that they come to.
    pub(crate) fn ids(&self) -> impl Iterator<Item = (PortRef, &FlowId)> {
        self.flows.iter().map(|flow| flow.at).zip(&self.ids)
    }

    /// All flows are about to be taken from the tables.
    pub fn drain(&mut self) -> impl Iterator<Item = FlowId> + '_ {
        self.flows.clear();
        self.places.fill(NOWHERE);
        self.ids.drain(..)
    }

    /// What all flows of all times have passed on: a sweep that reads two numbers of each.
    pub fn totals(&self, tables: &Tables) -> Totals {
        self.flows.iter().fold(self.gone, |sum, flow| {
            let Totals { packets, bytes } = tables.totals(flow.index);
            Totals { packets: sum.packets.wrapping_add(packets), bytes: sum.bytes.wrapping_add(bytes) }
        })
    }

    /// Tell the relay of every flow whose silence would say something and that has been heard since it was told last.
    pub fn tell(&mut self, now: Time, tables: &Tables, relay: &mut Relay) {
        for flow in &mut self.flows {
            if flow.told == UNCOUNTED {
                continue;
            }
            let seen = tables.last_seen(flow.index);
            if seen != flow.told {
                flow.told = seen;
                relay.heard(now, flow.at, &tables.state_at(flow.index));
            }
        }
    }

    fn place(&self, at: PortRef) -> Option<usize> {
        let place = *self.places.get(at.index())?;
        (place != NOWHERE).then_some(place as usize)
    }
}
