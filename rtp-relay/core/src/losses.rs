//! Where numbers of a stream are missing, repeated or late: what loss and jitter do not say about how it sounds.
//!
//! A packet whose number is the next one leaves no trace here, so this costs nothing while all is well; a fast path does
//! the same in its own memory (`rtp-relay/xdp/stream.h`). On a leap the numbers between are taken for lost at once, and one
//! that comes after all takes its place again, if the loss has not been judged since.
//!
//! Losses with fewer than [`BURST_GAP`] packets between them are of one burst (RFC 3611 §4.7.2).

use crate::limits::BURST_GAP;
use relay_values::Bursts;

/// How far back a number is remembered.
const WINDOW: u32 = u64::BITS;

/// What has been odd about the numbers of a stream. Numbers are extended by how often they went round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Losses {
    /// Bit n: the number n before `at` has not come.
    pub missing: u64,
    /// The newest number when something was odd last.
    pub at: u32,
    /// Packets that came again.
    pub duplicates: u32,
    /// Packets that came late.
    pub reordered: u32,
    /// The first and the last of the losses that lie together now.
    pub first: u32,
    /// See above.
    pub last: u32,
    /// How many they are, and the most in a row of them.
    pub lost: u32,
    /// See above.
    pub run: u32,
    /// Bursts that are over, their packets and losses, and the longest.
    pub bursts: u32,
    /// See above.
    pub packets: u32,
    /// See above.
    pub burst_lost: u32,
    /// See above.
    pub longest: u32,
    /// The most losses in a row, in or outside of a burst.
    pub longest_loss: u32,
}

impl Losses {
    /// A source begins with `number`.
    pub(crate) fn begin(&mut self, number: u32) {
        self.close();
        (self.at, self.missing) = (number, 0);
    }

    /// `newest` has come, and the number before it is not the one that was newest: they are `ahead` numbers apart, at least 2.
    pub(crate) fn leapt(&mut self, newest: u32, ahead: u32) {
        self.advance(newest);
        let count = ahead.saturating_sub(1);
        self.missing |= if count >= WINDOW - 1 { !1 } else { ((1 << count) - 1) << 1 };
        let first = newest.wrapping_sub(count);
        if self.lost > 0 && first.wrapping_sub(self.last) > BURST_GAP {
            self.close();
        }
        if self.lost == 0 {
            (self.first, self.run) = (first, 0);
        }
        self.last = newest.wrapping_sub(1);
        self.lost = self.lost.saturating_add(count);
        self.run = self.run.max(count);
    }

    /// The number that lies `behind` the newest has come.
    pub(crate) fn late(&mut self, newest: u32, behind: u32) {
        self.advance(newest);
        if behind >= WINDOW {
            // Nobody knows any more whether it had come. The network repeats at once, and holds up for longer.
            self.reordered = self.reordered.saturating_add(1);
            return;
        }
        let bit = 1 << behind;
        if self.missing & bit == 0 {
            self.duplicates = self.duplicates.saturating_add(1);
            return;
        }
        self.missing &= !bit;
        self.reordered = self.reordered.saturating_add(1);
        let number = newest.wrapping_sub(behind);
        if self.lost > 0 && number.wrapping_sub(self.first) <= self.last.wrapping_sub(self.first) {
            self.lost -= 1;
            if number == self.last {
                self.last = number.wrapping_sub(1);
            } else if number == self.first {
                self.first = number.wrapping_add(1);
            }
        }
    }

    /// Another has counted on from `before` to `after`.
    pub(crate) fn absorb(&mut self, before: &Self, after: &Self) {
        if self == before {
            *self = *after;
            return;
        }
        // Something odd came to us meanwhile, too: the counts are added up, and the places are ours.
        for (ours, before, after) in [
            (&mut self.duplicates, before.duplicates, after.duplicates),
            (&mut self.reordered, before.reordered, after.reordered),
            (&mut self.bursts, before.bursts, after.bursts),
            (&mut self.packets, before.packets, after.packets),
            (&mut self.burst_lost, before.burst_lost, after.burst_lost),
        ] {
            *ours = ours.wrapping_add(after.wrapping_sub(before));
        }
        self.longest = self.longest.max(after.longest);
        self.longest_loss = self.longest_loss.max(after.longest_loss);
    }

    /// The bursts, that of now included.
    pub(crate) fn bursts(mut self) -> Bursts {
        self.close();
        let Self { bursts, packets, burst_lost, longest, longest_loss, .. } = self;
        Bursts { bursts, packets: packets.into(), lost: burst_lost.into(), longest, longest_loss }
    }

    fn advance(&mut self, newest: u32) {
        let step = newest.wrapping_sub(self.at);
        self.missing = if step >= WINDOW { 0 } else { self.missing << step };
        self.at = newest;
    }

    /// The losses that lie together are complete. One by itself is no burst.
    fn close(&mut self) {
        if self.lost > 1 {
            let packets = self.last.wrapping_sub(self.first).wrapping_add(1);
            self.bursts = self.bursts.saturating_add(1);
            self.packets = self.packets.wrapping_add(packets);
            self.burst_lost = self.burst_lost.wrapping_add(self.lost);
            self.longest = self.longest.max(packets);
        }
        if self.lost > 0 {
            self.longest_loss = self.longest_loss.max(self.run.min(self.lost));
        }
        self.lost = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers as they come, all within one round.
    fn play(numbers: &[u32]) -> Losses {
        let mut losses = Losses::default();
        let mut newest = numbers[0];
        losses.begin(newest);
        for &number in &numbers[1..] {
            match number.wrapping_sub(newest) {
                1 => newest = number,
                ahead if ahead < 3000 => {
                    newest = number;
                    if ahead == 0 { losses.late(newest, 0) } else { losses.leapt(newest, ahead) }
                }
                _ => losses.late(newest, newest.wrapping_sub(number)),
            }
        }
        losses
    }

    fn without(lost: &[u32], count: u32) -> Vec<u32> {
        (0..count).filter(|n| !lost.contains(n)).collect()
    }

    #[test]
    fn losses_near_each_other_are_a_burst_and_one_by_itself_is_none() {
        // 16 that came stand between 10 and 27: two losses by themselves. 15 between 60 and 76: one burst of 17.
        let b = play(&without(&[10, 27], 100)).bursts();
        assert_eq!(b, Bursts { longest_loss: 1, ..Bursts::default() });
        let b = play(&without(&[10, 60, 76], 100)).bursts();
        assert_eq!(b, Bursts { bursts: 1, packets: 17, lost: 2, longest: 17, longest_loss: 1 });
        let b = play(&without(&[5, 6, 7, 50, 52, 53, 54, 55], 100)).bursts();
        assert_eq!(b, Bursts { bursts: 2, packets: 3 + 6, lost: 8, longest: 6, longest_loss: 4 });
    }

    #[test]
    fn what_comes_late_is_not_lost_and_what_comes_again_is_not_late() {
        let l = play(&[1, 2, 4, 3, 5, 5, 6, 9, 7, 8, 8, 4, 10]);
        assert_eq!((l.reordered, l.duplicates, l.missing), (3, 3, 0));
        assert_eq!(l.bursts(), Bursts::default());
        // One of three comes after all.
        let l = play(&[1, 2, 6, 5, 7]);
        assert_eq!(l.bursts(), Bursts { bursts: 1, packets: 2, lost: 2, longest: 2, longest_loss: 2 });
        // From beyond what is remembered.
        let l = play(&(1..50).chain(51..150).chain([50]).collect::<Vec<_>>());
        assert_eq!((l.reordered, l.duplicates), (1, 0));
    }

    #[test]
    fn a_leap_over_everything_remembered_is_one_burst() {
        for leap in [63, 64, 65, 2999] {
            let l = play(&[1, 2, 2 + leap, 3 + leap]);
            let lost = leap - 1;
            let expected = Bursts {
                bursts: 1,
                packets: lost.into(),
                lost: lost.into(),
                longest: lost,
                longest_loss: lost,
            };
            assert_eq!(l.bursts(), expected);
        }
    }

    #[test]
    fn two_who_count_come_to_the_sum() {
        let before = play(&without(&[10, 12], 40));
        let mut after = before;
        after.late(41, 0);
        after.leapt(80, 5);
        let mut ours = before;
        ours.absorb(&before, &after);
        assert_eq!(ours, after);
        let mut ours = before;
        ours.late(40, 0);
        ours.absorb(&before, &after);
        assert_eq!((ours.duplicates, ours.bursts), (2, 1));
    }

    #[test]
    fn numbers_at_the_edge_of_their_width_do_not_disturb() {
        let l = play(&[u32::MAX - 1, u32::MAX, 2, 1, 3]);
        assert_eq!((l.reordered, l.lost, l.bursts().longest_loss), (1, 1, 1));
    }
}
