//! Whose turn it is to move: a token bucket for each target region, and before it a queue of calls by rank.
//!
//! A region that takes over another one's calls must not fall under them. Each call that has to move waits in the lane
//! of the region that it would go to; a lane lets calls out at the region's configured rate, emergency calls first, then
//! those that have been answered longest.

use crate::ids::CallKey;
use crate::limits::{MOVE_BURST, MOVES_PER_TURN};
use crate::{Config, MoveProgress};
use hashbrown::HashMap;
use relay_values::{Duration, RegionId, Time};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Who goes first: greater goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Rank {
    /// Emergency calls before all others.
    pub(crate) emergency: bool,
    /// The earlier answered, the earlier moved.
    pub(crate) answered: Reverse<Time>,
}

/// The calls that wait for one region.
#[derive(Debug, Default)]
struct Lane {
    waiting: BinaryHeap<(Rank, u32, u32)>,
    bucket: Option<Bucket>,
}

/// A token bucket in nanoseconds: `next` is when its next token would be due if it had been drained without a pause (the
/// virtual-scheduling form of the leaky bucket, ITU-T I.371 annex A's GCRA).
#[derive(Debug, Clone, Copy)]
struct Bucket {
    interval: Duration,
    next: Time,
}

impl Bucket {
    fn new(per_second: u32) -> Self {
        Self { interval: Duration::from_secs(1) / per_second.max(1), next: Time::ZERO }
    }

    /// When there is a token.
    fn ready(&self) -> Time {
        Time::from_nanos(self.next.as_nanos().saturating_sub(self.slack()))
    }

    /// How far `next` may be ahead: that many tokens are kept.
    fn slack(&self) -> u64 {
        let burst = MOVE_BURST.as_nanos().max(self.interval.as_nanos()) - self.interval.as_nanos();
        u64::try_from(burst).unwrap_or(u64::MAX)
    }

    fn take(&mut self, now: Time) -> bool {
        if self.ready() > now {
            return false;
        }
        self.next = self.next.max(now) + self.interval;
        true
    }
}

/// What a shard knows of moves that are to come and of the orders that they belong to.
#[derive(Debug, Default)]
pub(crate) struct Moves {
    /// Calls that have just been told to leave, and have no plan yet.
    fresh: BinaryHeap<(Rank, u32, u32)>,
    /// By [`RegionId`].
    lanes: Vec<Lane>,
    waiting: usize,
    /// Turns given since the shard was last left alone, and calls put in line.
    turns: usize,
    lined: usize,
    orders: HashMap<u64, Order, foldhash::fast::FixedState>,
}

/// An operator's order under way.
#[derive(Debug, Clone, Copy)]
struct Order {
    progress: MoveProgress,
    left: u32,
    stopped: bool,
    changed: bool,
}

impl Moves {
    /// Takes the regions' rates over from a configuration. Calls that wait stay in their lanes.
    pub(crate) fn configure(&mut self, config: &Config) {
        self.lanes.resize_with(config.regions.len().max(self.lanes.len()), Lane::default);
        for (lane, region) in self.lanes.iter_mut().zip(&config.regions) {
            lane.bucket = region.moves_per_second.map(|rate| match lane.bucket {
                Some(old) => Bucket { next: old.next, ..Bucket::new(rate) },
                None => Bucket::new(rate),
            });
        }
    }

    /// A call has to leave; where to, it finds out when it is put in line.
    pub(crate) fn uprooted(&mut self, rank: Rank, call: CallKey) {
        self.fresh.push((rank, call.slot, call.nonce));
    }

    /// The next call to be put in line.
    pub(crate) fn line_up(&mut self) -> Option<CallKey> {
        if self.lined >= MOVES_PER_TURN {
            return None;
        }
        let (_, slot, nonce) = self.fresh.pop()?;
        self.lined += 1;
        Some(CallKey { slot, nonce })
    }

    /// A call waits for its turn to go to a region.
    pub(crate) fn wait(&mut self, region: RegionId, rank: Rank, call: CallKey) {
        let at = usize::from(region.0).min(self.lanes.len().saturating_sub(1));
        if let Some(lane) = self.lanes.get_mut(at) {
            lane.waiting.push((rank, call.slot, call.nonce));
            self.waiting += 1;
        }
    }

    /// The next call whose turn it is. Not every call in the lanes still waits: its shard knows.
    pub(crate) fn turn(&mut self, now: Time) -> Option<CallKey> {
        if self.waiting == 0 || self.turns >= MOVES_PER_TURN {
            return None;
        }
        let ready = |lane: &Lane| lane.bucket.is_none_or(|bucket| bucket.ready() <= now);
        let best = self
            .lanes
            .iter_mut()
            .filter(|lane| ready(lane))
            .max_by_key(|lane| lane.waiting.peek().map(|(rank, ..)| *rank))?;
        let (_, slot, nonce) = best.waiting.pop()?;
        self.waiting -= 1;
        self.turns += 1;
        Some(CallKey { slot, nonce })
    }

    /// The call whose turn it was has sent an INVITE to this region.
    pub(crate) fn spend(&mut self, now: Time, region: RegionId) {
        if let Some(bucket) = self.lanes.get_mut(usize::from(region.0)).and_then(|l| l.bucket.as_mut()) {
            bucket.take(now);
        }
    }

    /// The shard's timer is due: it may give turns again.
    pub(crate) fn begin(&mut self) {
        (self.turns, self.lined) = (0, 0);
    }

    /// When a turn will be due: at once where the last input left some.
    pub(crate) fn next(&self) -> Time {
        if !self.fresh.is_empty() {
            return Time::ZERO;
        }
        if self.waiting == 0 {
            return Time::NEVER;
        }
        let busy = self.lanes.iter().filter(|lane| !lane.waiting.is_empty());
        busy.map(|lane| lane.bucket.map_or(Time::ZERO, |b| b.ready())).min().unwrap_or(Time::NEVER)
    }

    /// An order has chosen its calls.
    pub(crate) fn ordered(&mut self, order: u64, chosen: u32) {
        let progress = MoveProgress { order, chosen, done: chosen == 0, ..MoveProgress::default() };
        self.orders.insert(order, Order { progress, left: chosen, stopped: false, changed: true });
    }

    /// Lets no further call of an order have its turn.
    pub(crate) fn stop(&mut self, order: u64) {
        if let Some(order) = self.orders.get_mut(&order) {
            order.stopped = true;
        }
    }

    /// Whether an order was stopped.
    pub(crate) fn is_stopped(&self, order: u64) -> bool {
        self.orders.get(&order).is_none_or(|order| order.stopped)
    }

    /// One of an order's calls has come to its end.
    pub(crate) fn settled(&mut self, order: u64, how: Settled) {
        let Some(order) = self.orders.get_mut(&order) else { return };
        let progress = &mut order.progress;
        match how {
            Settled::Moved => progress.moved += 1,
            Settled::Failed => progress.failed += 1,
            Settled::Gone => progress.gone += 1,
        }
        order.left = order.left.saturating_sub(1);
        progress.done = order.left == 0;
        order.changed = true;
    }

    /// What has changed since the last call; an order that is done is told for the last time.
    pub(crate) fn report(&mut self) -> Vec<MoveProgress> {
        if self.orders.is_empty() {
            return Vec::new();
        }
        let mut told = Vec::new();
        self.orders.retain(|_, order| {
            if std::mem::take(&mut order.changed) {
                told.push(order.progress);
            }
            !order.progress.done
        });
        told
    }
}

/// How one of an order's calls ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Settled {
    /// It lives elsewhere.
    Moved,
    /// It stayed.
    Failed,
    /// A leg hung up.
    Gone,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moves(rate: Option<u32>) -> Moves {
        let mut moves = Moves::default();
        moves.lanes.push(Lane { bucket: rate.map(Bucket::new), ..Lane::default() });
        moves
    }

    fn wait(moves: &mut Moves, slot: u32, emergency: bool, answered_ms: u64) {
        let rank = Rank { emergency, answered: Reverse(Time::from_millis(answered_ms)) };
        moves.wait(RegionId(0), rank, CallKey { slot, nonce: 0 });
    }

    fn drain(moves: &mut Moves, ms: u64) -> Vec<u32> {
        let now = Time::from_millis(ms);
        moves.begin();
        let turns = std::iter::from_fn(|| {
            let key = moves.turn(now)?;
            moves.spend(now, RegionId(0));
            Some(key.slot)
        });
        turns.collect()
    }

    #[test]
    fn emergency_goes_first_and_then_who_was_answered_longest_ago() {
        let mut moves = moves(None);
        for (slot, emergency, at) in [(1, false, 30), (2, false, 10), (3, true, 99), (4, false, 20)] {
            wait(&mut moves, slot, emergency, at);
        }
        assert_eq!(drain(&mut moves, 100), [3, 2, 4, 1]);
        assert!(moves.next().is_never());
    }

    #[test]
    fn a_lane_lets_calls_out_at_its_regions_rate() {
        let mut moves = moves(Some(100));
        for slot in 0..100 {
            wait(&mut moves, slot, false, u64::from(slot));
        }
        let at_once = drain(&mut moves, 1_000).len();
        assert_eq!(at_once, 10, "a tenth of a second's worth");
        let mut out = at_once;
        for ms in 1_001..=1_500 {
            out += drain(&mut moves, ms).len();
        }
        assert_eq!(out, 60, "and 100 a second from then on");
        assert_eq!(moves.next(), Time::from_millis(1_510));
    }

    #[test]
    fn a_slow_region_still_gets_one_at_a_time() {
        let mut moves = moves(Some(1));
        for slot in 0..3 {
            wait(&mut moves, slot, false, u64::from(slot));
        }
        assert_eq!(drain(&mut moves, 5_000), [0]);
        assert_eq!(drain(&mut moves, 5_999), []);
        assert_eq!(drain(&mut moves, 6_000), [1]);
    }

    #[test]
    fn one_input_gives_a_bounded_number_of_turns() {
        let mut moves = moves(None);
        for slot in 0..1_000 {
            wait(&mut moves, slot, false, 0);
        }
        assert_eq!(drain(&mut moves, 1).len(), MOVES_PER_TURN);
        assert_eq!(moves.next(), Time::ZERO, "the rest at once, but after whatever else waits");
    }

    #[test]
    fn an_order_is_told_of_until_it_is_done() {
        let mut moves = moves(None);
        moves.ordered(7, 2);
        assert_eq!(moves.report().len(), 1);
        assert!(moves.report().is_empty(), "nothing new");
        moves.settled(7, Settled::Moved);
        moves.settled(7, Settled::Gone);
        let told = moves.report();
        assert!(matches!(
            told[..],
            [MoveProgress { order: 7, chosen: 2, moved: 1, gone: 1, done: true, .. }]
        ));
        assert!(moves.is_stopped(7), "forgotten");
    }
}
