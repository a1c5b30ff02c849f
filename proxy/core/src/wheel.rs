//! A hierarchical timer wheel: insert in constant time, exact deadlines.
//!
//! Eight levels of 64 slots count ticks of 2²⁰ ns (1.05 ms); together they cover every `Time`, so there is no overflow
//! list. An entry lives at the level of the highest 6-bit digit in which its tick differs from the current one. Hence
//! everything at a lower level is earlier than everything at a higher one, and within a level a lower slot is earlier
//! than a higher one: the first occupied slot of the first occupied level holds the next entry. Each slot remembers
//! its earliest deadline to the nanosecond, so [`Wheel::next`] is exact without looking at the entries.
//!
//! Entries are not cancelled: owners ignore a token that has become stale.

use relay_values::Time;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// 2²⁰ ns.
const TICK_BITS: u32 = 20;
/// 64 slots a level: one word of occupancy.
const DIGIT_BITS: u32 = 6;
const SLOTS: usize = 1 << DIGIT_BITS;
/// 64 bits of time less 20 of tick are 44 bits: 8 digits.
const LEVELS: usize = 8;
/// End of a list.
const NONE: u32 = u32::MAX;

/// One pending deadline, linked into its slot or into the free list.
#[derive(Debug, Clone, Copy)]
struct Node {
    at: Time,
    token: u64,
    next: u32,
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    head: u32,
    earliest: Time,
}

#[derive(Debug, Clone, Copy)]
struct Level {
    occupied: u64,
    slots: [Slot; SLOTS],
}

impl Level {
    const EMPTY: Self = Self { occupied: 0, slots: [Slot { head: NONE, earliest: Time::NEVER }; SLOTS] };
}

/// Deadlines and the opaque tokens that come back when they have passed.
#[derive(Debug)]
pub(crate) struct Wheel {
    /// The current tick: every entry of this tick or before it is in `due`.
    tick: u64,
    levels: Box<[Level; LEVELS]>,
    nodes: Vec<Node>,
    free: u32,
    len: usize,
    due: BinaryHeap<Reverse<(Time, u64)>>,
}

impl Wheel {
    /// An empty wheel at the epoch.
    pub(crate) fn new() -> Self {
        Self {
            tick: 0,
            levels: Box::new([Level::EMPTY; LEVELS]),
            nodes: Vec::new(),
            free: NONE,
            len: 0,
            due: BinaryHeap::new(),
        }
    }

    /// Entries, stale ones included.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Drops every entry.
    pub(crate) fn clear(&mut self) {
        if self.len > 0 {
            *self.levels = [Level::EMPTY; LEVELS];
            self.nodes.clear();
            self.due.clear();
            (self.free, self.len) = (NONE, 0);
        }
    }

    /// Gives `token` back once `at` has come. A deadline that is [`Time::NEVER`] is not kept.
    pub(crate) fn insert(&mut self, at: Time, token: u64) {
        if at.is_never() {
            return;
        }
        self.len += 1;
        if tick_of(at) <= self.tick {
            self.due.push(Reverse((at, token)));
        } else {
            let node = self.allocate(Node { at, token, next: NONE });
            self.link(node);
        }
    }

    /// The next token whose deadline is not after `now`: in order of deadlines, equal ones in order of tokens.
    pub(crate) fn pop(&mut self, now: Time) -> Option<u64> {
        self.advance(tick_of(now));
        let &Reverse((at, token)) = self.due.peek()?;
        if at > now {
            return None;
        }
        self.due.pop();
        self.len -= 1;
        Some(token)
    }

    /// The earliest deadline, exactly; [`Time::NEVER`] when there is none.
    pub(crate) fn next(&self) -> Time {
        if let Some(Reverse((at, _))) = self.due.peek() {
            return *at;
        }
        match self.first() {
            Some((level, slot)) => {
                self.levels.get(level).and_then(|l| l.slots.get(slot)).map_or(Time::NEVER, |s| s.earliest)
            }
            None => Time::NEVER,
        }
    }

    /// The first occupied slot.
    fn first(&self) -> Option<(usize, usize)> {
        let (level, found) = self.levels.iter().enumerate().find(|(_, l)| l.occupied != 0)?;
        Some((level, found.occupied.trailing_zeros() as usize))
    }

    /// Moves time on to `tick`: everything up to it becomes due, higher levels spill into lower ones on the way.
    fn advance(&mut self, tick: u64) {
        while let Some((level, slot)) = self.first() {
            let start = self.start_of(level, slot);
            if start > tick {
                break;
            }
            self.tick = start;
            let mut node = self.unlink(level, slot);
            while let Some(&Node { at, token, next }) = self.nodes.get(node as usize) {
                if tick_of(at) <= self.tick {
                    self.due.push(Reverse((at, token)));
                    self.release(node);
                } else {
                    self.link(node);
                }
                node = next;
            }
        }
        self.tick = self.tick.max(tick);
    }

    /// The first tick that a slot stands for: the current tick's higher digits, the slot's number, zeros.
    fn start_of(&self, level: usize, slot: usize) -> u64 {
        let shift = level as u32 * DIGIT_BITS;
        let above = self.tick >> (shift + DIGIT_BITS) << (shift + DIGIT_BITS);
        above | ((slot as u64) << shift)
    }

    /// Empties a slot and gives back its list.
    fn unlink(&mut self, level: usize, slot: usize) -> u32 {
        let Some(level) = self.levels.get_mut(level) else { return NONE };
        level.occupied &= !(1 << slot);
        match level.slots.get_mut(slot) {
            Some(slot) => {
                slot.earliest = Time::NEVER;
                std::mem::replace(&mut slot.head, NONE)
            }
            None => NONE,
        }
    }

    /// Puts a node, whose tick is after the current one, where it belongs.
    fn link(&mut self, index: u32) {
        let Some(node) = self.nodes.get_mut(index as usize) else { return };
        let tick = tick_of(node.at);
        let level = (63 - ((tick ^ self.tick) | 1).leading_zeros()) / DIGIT_BITS;
        let slot = (tick >> (level * DIGIT_BITS)) as usize % SLOTS;
        let Some(level) = self.levels.get_mut(level as usize) else { return };
        level.occupied |= 1 << slot;
        if let Some(slot) = level.slots.get_mut(slot) {
            node.next = std::mem::replace(&mut slot.head, index);
            slot.earliest = slot.earliest.min(node.at);
        }
    }

    fn allocate(&mut self, node: Node) -> u32 {
        if let Some(old) = self.nodes.get_mut(self.free as usize) {
            let index = self.free;
            self.free = old.next;
            *old = node;
            return index;
        }
        self.nodes.push(node);
        (self.nodes.len() - 1) as u32
    }

    fn release(&mut self, index: u32) {
        if let Some(node) = self.nodes.get_mut(index as usize) {
            node.next = std::mem::replace(&mut self.free, index);
        }
    }
}

const fn tick_of(at: Time) -> u64 {
    at.as_nanos() >> TICK_BITS
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn ms(ms: u64) -> Time {
        Time::from_millis(ms)
    }

    #[test]
    fn an_empty_wheel_never_wants_to_be_woken() {
        let mut wheel = Wheel::new();
        assert_eq!(wheel.next(), Time::NEVER);
        assert_eq!(wheel.pop(ms(1_000_000)), None);
    }

    #[test]
    fn a_deadline_is_given_back_at_its_nanosecond_and_not_one_before() {
        let mut wheel = Wheel::new();
        let at = Time::from_nanos(500_000_001);
        wheel.insert(at, 7);
        assert_eq!(wheel.next(), at);
        assert_eq!(wheel.pop(Time::from_nanos(500_000_000)), None);
        assert_eq!(wheel.next(), at);
        assert_eq!(wheel.pop(at), Some(7));
        assert_eq!(wheel.pop(at), None);
        assert_eq!(wheel.len(), 0);
    }

    #[test]
    fn tokens_come_back_in_order_of_their_deadlines_however_far_apart() {
        let mut wheel = Wheel::new();
        for (token, at) in [32_000, 1, 500, 4_000_000, 2, 64_000, 31_500].into_iter().enumerate() {
            wheel.insert(ms(at), token as u64);
        }
        let mut seen = Vec::new();
        while let Some(token) = wheel.pop(ms(5_000_000)) {
            seen.push(token);
        }
        assert_eq!(seen, [1, 4, 2, 6, 0, 5, 3]);
    }

    #[test]
    fn a_deadline_in_the_past_is_due_at_once_and_never_is_not_kept() {
        let mut wheel = Wheel::new();
        assert_eq!(wheel.pop(ms(10_000)), None);
        wheel.insert(ms(3), 1);
        wheel.insert(Time::NEVER, 2);
        assert_eq!(wheel.next(), ms(3));
        assert_eq!(wheel.pop(ms(10_000)), Some(1));
        assert_eq!((wheel.next(), wheel.len()), (Time::NEVER, 0));
    }

    #[test]
    fn nodes_are_used_again() {
        let mut wheel = Wheel::new();
        for round in 0..1_000 {
            wheel.insert(ms(round * 500 + 500), round);
            assert_eq!(wheel.pop(ms(round * 500 + 500)), Some(round));
        }
        assert!(wheel.nodes.len() <= 1, "{} nodes", wheel.nodes.len());
    }

    #[test]
    fn a_cleared_wheel_has_forgotten_everything_but_the_time() {
        let mut wheel = Wheel::new();
        wheel.pop(ms(1_000));
        for at in [900, 1_000, 1_001, 2_000, 90_000] {
            wheel.insert(ms(at), at);
        }
        wheel.clear();
        assert_eq!((wheel.next(), wheel.len(), wheel.pop(ms(1_000_000))), (Time::NEVER, 0, None));
        wheel.insert(ms(1_000_500), 1);
        assert_eq!(wheel.next(), ms(1_000_500));
        assert_eq!(wheel.pop(ms(1_000_500)), Some(1));
    }

    proptest! {
        #[test]
        fn it_agrees_with_a_sorted_set(steps in prop::collection::vec((0u64..1 << 45, 0u64..1 << 36, any::<bool>()), 1..200)) {
            let mut wheel = Wheel::new();
            let mut model = BTreeSet::new();
            let mut now = 0;
            for (token, (delay, step, far)) in steps.into_iter().enumerate() {
                let at = Time::from_nanos(now + if far { delay } else { delay >> 16 });
                wheel.insert(at, token as u64);
                model.insert((at, token as u64));
                prop_assert_eq!(wheel.next(), model.first().map_or(Time::NEVER, |f| f.0));
                now += step >> (token % 24);
                while let Some(token) = wheel.pop(Time::from_nanos(now)) {
                    let (at, expected) = model.pop_first().expect("more than were put in");
                    prop_assert_eq!(token, expected);
                    prop_assert!(at.as_nanos() <= now);
                }
                prop_assert_eq!(wheel.next(), model.first().map_or(Time::NEVER, |f| f.0));
                prop_assert!(wheel.next().as_nanos() > now);
                prop_assert_eq!(wheel.len(), model.len());
            }
        }
    }
}
