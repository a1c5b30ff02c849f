//! What will happen, in order of time; at one instant in the order in which it was said.

use super::Event;
use relay_values::Time;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

#[derive(Default)]
pub(super) struct Queue {
    /// When, which in the order of saying, and its slot.
    order: BinaryHeap<Reverse<(Time, u64, usize)>>,
    slots: Vec<Option<Event>>,
    free: Vec<usize>,
    serial: u64,
}

impl Queue {
    pub(super) fn push(&mut self, at: Time, event: Event) {
        self.serial += 1;
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() - 1
        });
        self.slots[slot] = Some(event);
        self.order.push(Reverse((at, self.serial, slot)));
    }

    /// When the next one happens.
    pub(super) fn next(&self) -> Time {
        self.order.peek().map_or(Time::NEVER, |Reverse((at, ..))| *at)
    }

    pub(super) fn pop(&mut self) -> Option<Event> {
        let Reverse((.., slot)) = self.order.pop()?;
        self.free.push(slot);
        self.slots[slot].take()
    }
}
