//! Judges the RTP line that a carrier heard, packet by packet in the order of arrival. It shares no code with the relay.

use crate::load::ear::Heard;
use crate::report::round;
use serde_json::{Value, json};

/// Origin of a packet that the device made.
const DEVICE: u8 = 0;
/// RTP clock ticks in a packet of 20 ms, and in a millisecond, of G.711 (RFC 3551 §4.5.14).
const TICKS: u32 = 160;
const TICKS_PER_MS: f64 = 8.0;
/// Packets on each side of a splice that are asked how the line lies to the clock.
const WINDOW: usize = 25;

/// What became of one call's line.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Line {
    /// Packets heard.
    pub packets: u64,
    /// Sequence numbers that do not follow from the packet before, beyond packets that were lost before the device.
    pub sequence_breaks: u64,
    /// Timestamps that do not advance, or within one region's voice do not count the time of the packets sent.
    pub timestamp_breaks: u64,
    /// SSRCs that differ from the packet before.
    pub ssrc_changes: u64,
    /// Packets that were sent and not heard, and whose numbers are missing accordingly.
    pub lost: u64,
    /// Packets of the old region after the first of the new one.
    pub returned: u64,
    /// Packets that the device made.
    pub filled: u64,
    /// By how much timestamps leave real time at splices, in milliseconds, at most; as the least delayed packets on both
    /// sides of each splice tell.
    pub drift_ms: f64,
    /// When the old region was heard last, before the new one was.
    pub last: Option<u32>,
    /// From then to the next packet of any kind, in microseconds.
    pub gap_media: Option<u32>,
    /// From then to the first packet of the new region.
    pub gap_conversation: Option<u32>,
}

/// Judge one call, which moves from the region with one mark to the region with another.
pub fn judge(heard: &[Heard], old: u8, new: u8) -> Line {
    let mut line = Line { packets: heard.len() as u64, ..Line::default() };
    for pair in heard.windows(2) {
        if let [before, after] = pair {
            step(&mut line, before, after);
        }
    }
    line.filled = heard.iter().filter(|p| p.origin == DEVICE).count() as u64;
    line.drift_ms = drift(heard);
    let first_new = heard.iter().position(|p| p.origin == new);
    let until = first_new.unwrap_or(heard.len());
    line.returned = heard[until..].iter().filter(|p| p.origin == old).count() as u64;
    if let Some(last) = heard[..until].iter().rposition(|p| p.origin == old) {
        let at = heard[last].at;
        line.last = Some(at);
        line.gap_media = heard.get(last + 1).map(|p| p.at - at);
        line.gap_conversation = first_new.map(|new| heard[new].at - at);
    }
    line
}

fn step(line: &mut Line, before: &Heard, after: &Heard) {
    line.ssrc_changes += u64::from(after.ssrc != before.ssrc);
    let sequence = after.sequence.wrapping_sub(before.sequence);
    let timestamp = after.timestamp.wrapping_sub(before.timestamp);
    let spliced = before.origin != after.origin;
    // How many packets further the sender is, where it says so.
    let sent = if spliced || after.origin == DEVICE { 1 } else { after.n.wrapping_sub(before.n) };
    if sequence != 1 {
        if sent > 1 && u32::from(sequence) == sent {
            line.lost += u64::from(sequence) - 1;
        } else {
            line.sequence_breaks += 1;
        }
    }
    let advances = timestamp != 0 && timestamp < 1 << 31;
    // What the device makes is as long as it says; it may have been late, and then goes on by the clock.
    let follows = spliced || after.origin == DEVICE || timestamp == TICKS.wrapping_mul(sent);
    line.timestamp_breaks += u64::from(!(advances && follows));
}

/// The largest step of the line against the clock, over all splices.
fn drift(heard: &[Heard]) -> f64 {
    let Some(first) = heard.first() else { return 0.0 };
    // A packet's delay against the first one's, in milliseconds; the least of some is the line itself.
    let delay = |p: &Heard| {
        let ticks = p.timestamp.wrapping_sub(first.timestamp).cast_signed();
        (f64::from(p.at) - f64::from(first.at)) / 1e3 - f64::from(ticks) / TICKS_PER_MS
    };
    let least = |part: &[Heard]| part.iter().map(delay).fold(f64::INFINITY, f64::min);
    let runs: Vec<&[Heard]> = heard.chunk_by(|a, b| a.origin == b.origin).collect();
    let splices = runs.windows(2).map(|pair| {
        let (before, after) = (pair[0], pair[1]);
        let before = least(&before[before.len().saturating_sub(WINDOW)..]);
        (least(&after[..after.len().min(WINDOW)]) - before).abs()
    });
    splices.fold(0.0, f64::max)
}

/// `{p50, p99, max}` of some values by nearest rank, in milliseconds to a tenth; null of none.
pub fn percentiles(mut ms: Vec<f64>) -> Value {
    ms.sort_by(f64::total_cmp);
    let rank = |percent: usize| ms.get((ms.len() * percent).div_ceil(100).max(1) - 1).map(|v| round(*v, 1));
    if ms.is_empty() {
        return Value::Null;
    }
    json!({ "p50": rank(50), "p99": rank(99), "max": rank(100) })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Twenty packets of the north, four of the device, twenty of the south, on one line, 20 ms apart.
    fn moved() -> Vec<Heard> {
        let origin = |i: u32| match i {
            0..20 => 1,
            20..24 => DEVICE,
            _ => 2,
        };
        let packet = |i: u32| Heard {
            at: 5_000 + i * 20_000,
            timestamp: (u32::MAX - 2_000).wrapping_add(i * TICKS),
            ssrc: 9,
            n: if i < 20 { 100 + i } else { i.saturating_sub(24) },
            sequence: (65_530_u16).wrapping_add(i as u16),
            origin: origin(i),
        };
        (0..44).map(packet).collect()
    }

    #[test]
    fn a_line_that_was_moved_well_has_no_break_and_its_gaps_are_told() {
        let line = judge(&moved(), 1, 2);
        assert_eq!((line.sequence_breaks, line.timestamp_breaks, line.ssrc_changes), (0, 0, 0));
        assert_eq!((line.lost, line.returned, line.filled), (0, 0, 4));
        assert_eq!((line.gap_media, line.gap_conversation), (Some(20_000), Some(100_000)));
        assert!(line.drift_ms < 0.001, "{line:?}");
    }

    #[test]
    fn what_was_lost_on_the_way_is_no_break_and_a_number_left_out_is_one() {
        let mut heard = moved();
        heard.remove(5);
        let line = judge(&heard, 1, 2);
        assert_eq!((line.lost, line.sequence_breaks, line.timestamp_breaks), (1, 0, 0));
        for packet in &mut heard[10..] {
            packet.sequence = packet.sequence.wrapping_add(1);
        }
        assert_eq!(judge(&heard, 1, 2).sequence_breaks, 1);
    }

    #[test]
    fn a_repeat_a_step_back_a_new_ssrc_and_a_late_voice_are_seen() {
        let mut heard = moved();
        heard.insert(6, heard[5]);
        let line = judge(&heard, 1, 2);
        assert_eq!((line.sequence_breaks, line.timestamp_breaks), (1, 1));
        let mut heard = moved();
        for packet in &mut heard[24..] {
            packet.timestamp = packet.timestamp.wrapping_sub(1_000);
            packet.ssrc = 10;
        }
        let line = judge(&heard, 1, 2);
        assert_eq!((line.timestamp_breaks, line.ssrc_changes), (1, 1));
        assert!((line.drift_ms - 125.0).abs() < 0.001, "{line:?}");
        let mut heard = moved();
        heard[30].origin = 1;
        assert_eq!(judge(&heard, 1, 2).returned, 1);
    }

    #[test]
    fn a_call_that_nobody_took_has_no_gap_of_conversation() {
        let line = judge(&moved()[..22], 1, 2);
        assert_eq!((line.gap_media, line.gap_conversation), (Some(20_000), None));
        assert_eq!(judge(&[], 1, 2), Line::default());
    }

    #[test]
    fn percentiles_are_nearest_ranks() {
        assert_eq!(
            percentiles((1..=200).map(f64::from).collect()),
            json!({"p50": 100.0, "p99": 198.0, "max": 200.0})
        );
        assert_eq!(percentiles(vec![]), Value::Null);
    }
}
