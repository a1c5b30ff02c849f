//! What will happen, in order of time; at one instant in the order in which it was said.

use super::Event;
use relay_values::Time;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Slots are numbered with so many bits; the rest of a word says which in the order of saying.
const SLOT_BITS: u32 = 24;

#[derive(Default)]
pub(super) struct Queue {
    /// When, which in the order of saying, and its slot, as one number: what is compared most is compared at once.
    order: BinaryHeap<Reverse<u128>>,
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
        assert!(slot < 1 << SLOT_BITS, "sixteen million things wait to happen");
        self.slots[slot] = Some(event);
        let rest = self.serial << SLOT_BITS | slot as u64;
        self.order.push(Reverse(u128::from(at.as_nanos()) << 64 | u128::from(rest)));
    }

    /// When the next one happens.
    pub(super) fn next(&self) -> Time {
        self.order.peek().map_or(Time::NEVER, |Reverse(first)| Time::from_nanos((first >> 64) as u64))
    }

    pub(super) fn pop(&mut self) -> Option<Event> {
        let Reverse(first) = self.order.pop()?;
        let slot = (first as usize) & ((1 << SLOT_BITS) - 1);
        self.free.push(slot);
        self.slots[slot].take()
    }
}
