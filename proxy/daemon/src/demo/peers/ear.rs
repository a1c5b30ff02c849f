//! The caller's ear: one RTP line, packet by packet as it comes. It shares no code with the relay.

use super::voice::{Heard, SAMPLES, Speaker};
use crate::demo::ledger::Gap;
use std::time::Instant;

/// A timestamp more than half its range ahead is behind (RFC 3550 §5.1 lets it wrap around).
const BEHIND: u32 = 1 << 31;

/// What one caller has heard of the line so far.
#[derive(Debug, Default)]
pub(super) struct Ear {
    last: Option<Heard>,
    gap: Listening,
}

/// Where the caller stands between two voices.
#[derive(Debug, Clone, Copy, Default)]
enum Listening {
    /// Nobody has spoken yet.
    #[default]
    Nothing,
    /// To this one, and this was its last packet.
    Voice(Speaker, Instant),
    /// To what the appliance plays since this one's last packet; when it began.
    Bridge(Speaker, Instant, Instant),
}

/// What a packet means for the line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Verdict {
    /// The line broke: another SSRC, a sequence number that does not follow, a timestamp that does not advance.
    pub(super) breaks: bool,
    /// Another speaker's first packet.
    pub(super) gap: Option<Gap>,
}

impl Ear {
    pub(super) fn hears(&mut self, now: Instant, packet: Heard) -> Verdict {
        let breaks = self.last.is_some_and(|last| !follows(&last, &packet));
        self.last = Some(packet);
        let speaker = packet.mark.map(|mark| mark.who);
        let (next, gap) = match (self.gap, speaker) {
            (Listening::Nothing, None) => (Listening::Nothing, None),
            (Listening::Voice(old, at), None) => (Listening::Bridge(old, at, now), None),
            (bridge @ Listening::Bridge(..), None) => (bridge, None),
            (Listening::Voice(old, at), Some(new)) if new != old => {
                (Listening::Voice(new, now), Some(Gap { last: at, filled: now, resumed: now }))
            }
            (Listening::Bridge(old, at, filled), Some(new)) if new != old => {
                (Listening::Voice(new, now), Some(Gap { last: at, filled, resumed: now }))
            }
            (Listening::Nothing | Listening::Voice(..) | Listening::Bridge(..), Some(who)) => {
                (Listening::Voice(who, now), None)
            }
        };
        self.gap = next;
        Verdict { breaks, gap }
    }
}

/// Whether one packet follows the other. What was lost before the appliance is missing in its numbers, too, and no break.
fn follows(before: &Heard, after: &Heard) -> bool {
    let sent = match (before.mark, after.mark) {
        (Some(b), Some(a)) if a.who == b.who && a.n > b.n => a.n - b.n,
        _ => 1,
    };
    let sequence = after.sequence.wrapping_sub(before.sequence);
    let timestamp = after.timestamp.wrapping_sub(before.timestamp);
    let same_voice = before.mark.map(|m| m.who) == after.mark.map(|m| m.who);
    let in_step = !same_voice || timestamp == sent.wrapping_mul(SAMPLES as u32);
    after.ssrc == before.ssrc
        && u32::from(sequence) == sent
        && timestamp != 0
        && timestamp < BEHIND
        && in_step
}

#[cfg(test)]
mod tests {
    use super::super::Region;
    use super::super::voice::Mark;
    use super::*;
    use std::time::Duration;

    fn packet(i: u32) -> Heard {
        let callee = |region, n| Some(Mark { who: Speaker::Callee(region), serial: 1, n });
        let mark = match i {
            0..10 => callee(Region::East, i),
            10..15 => None,
            _ => callee(Region::West, i - 15),
        };
        let (sequence, timestamp) =
            (65_530_u16.wrapping_add(i as u16), 4_294_967_000_u32.wrapping_add(i * 160));
        Heard { ssrc: 3, sequence, timestamp, mark }
    }

    fn verdicts(packets: &[Heard]) -> (usize, Vec<(u128, u128)>) {
        let (mut ear, start) = (Ear::default(), Instant::now());
        let at = |i: usize| start + Duration::from_millis(20) * i as u32;
        let all: Vec<_> = packets.iter().enumerate().map(|(i, p)| ear.hears(at(i), *p)).collect();
        let gaps = all.iter().filter_map(|v| v.gap);
        let gaps = gaps.map(|g| (g.media().as_millis(), g.conversation().as_millis())).collect();
        (all.iter().filter(|v| v.breaks).count(), gaps)
    }

    #[test]
    fn a_call_that_goes_over_has_one_gap_and_no_break() {
        let packets: Vec<_> = (0..30).map(packet).collect();
        assert_eq!(verdicts(&packets), (0, vec![(20, 120)]));
    }

    #[test]
    fn a_packet_that_was_lost_on_its_way_is_no_break_and_a_line_that_jumps_is_one() {
        let lost: Vec<_> = (0..30).filter(|i| *i != 5).map(packet).collect();
        assert_eq!(verdicts(&lost).0, 0);
        let mut jumped: Vec<_> = (0..30).map(packet).collect();
        jumped[20..].iter_mut().for_each(|p| p.sequence = p.sequence.wrapping_add(1));
        assert_eq!(verdicts(&jumped).0, 1);
        let mut jumped: Vec<_> = (0..30).map(packet).collect();
        jumped[15..].iter_mut().for_each(|p| p.timestamp = p.timestamp.wrapping_sub(900));
        assert_eq!(verdicts(&jumped).0, 1);
        let mut changed: Vec<_> = (0..30).map(packet).collect();
        changed[15..].iter_mut().for_each(|p| p.ssrc = 4);
        assert_eq!(verdicts(&changed).0, 1);
    }
}
