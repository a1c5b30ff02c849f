//! Whether a flow sends at a steady beat, so that its silence says something.
//!
//! The beat is read from the packets themselves: in a talkspurt the timestamp grows by the same step with every sequence
//! number (RFC 3550 §5.1), whatever the network does to the arrival times, and a lost packet leaves a gap of whole steps.
//! A pause, comfort noise, an event or a new source breaks the step, and the flow leaves the regular ones quietly.

use crate::limits::{LONGEST_BEAT, MAX_DROPOUT, MAX_MISORDER, SHORTEST_BEAT, STEADY_PACKETS};
use crate::offload::FlowBeat;
use crate::packet::RtpHeader;
use relay_values::Time;

/// What is known of a flow's beat. One for every session, side by side, so that a tick reads them in one sweep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Pulse {
    pub(crate) last: Time,
    /// Time between packets in nanoseconds; 0 while the flow is not regular.
    pub(crate) beat: u32,
    /// The step of the timestamp with one sequence number, and the last packet.
    step: u32,
    timestamp: u32,
    sequence: u16,
    /// Packets in a row that kept the step.
    steady: u8,
}

/// What a packet has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    None,
    /// The flow counts from now on.
    Regular,
    /// It does not any more.
    Irregular,
}

impl Pulse {
    /// Whether its packets come regularly.
    pub(crate) fn is_regular(&self) -> bool {
        self.beat > 0
    }

    /// As a fast path goes on with it after the packet `newest`, if that is where it stands.
    pub(crate) fn shown(&self, newest: u16) -> Option<FlowBeat> {
        let Self { timestamp, step, steady, .. } = *self;
        (self.sequence == newest).then_some(FlowBeat { timestamp, step, steady })
    }

    /// Another has taken packets: the last of them came at `last`, and the newest has the number `sequence`.
    pub(crate) fn absorb(
        &mut self,
        last: Time,
        sequence: u16,
        beat: &FlowBeat,
        clock_rate: impl FnOnce() -> u32,
    ) -> Change {
        let was = self.beat > 0;
        (self.last, self.sequence, self.timestamp) = (last, sequence, beat.timestamp);
        let same = was && beat.step == self.step && beat.steady >= STEADY_PACKETS;
        if same {
            return Change::None;
        }
        (self.beat, self.step, self.steady) = (0, beat.step, beat.steady);
        match (was, self.count_in(clock_rate())) {
            (true, Change::None | Change::Irregular) => Change::Irregular,
            // It has changed its beat, and is as regular as before.
            (true, Change::Regular) => Change::None,
            (false, change) => change,
        }
    }

    /// Begin anew: 16 packets will show.
    pub(crate) fn rest(&mut self) {
        (self.beat, self.step, self.steady) = (0, 0, 0);
    }

    /// Take a packet into account.
    pub(crate) fn packet(&mut self, now: Time, header: &RtpHeader, clock_rate: u32) -> Change {
        self.last = now;
        let ahead = header.sequence.wrapping_sub(self.sequence);
        if self.step > 0 && (ahead == 0 || ahead > u16::MAX - MAX_MISORDER) {
            // A late one or a second one says nothing new.
            return Change::None;
        }
        let step = header.timestamp.wrapping_sub(self.timestamp);
        (self.sequence, self.timestamp) = (header.sequence, header.timestamp);
        if self.step > 0 && ahead < MAX_DROPOUT && step == self.step.wrapping_mul(ahead.into()) {
            if self.steady < STEADY_PACKETS {
                self.steady += 1;
                return self.count_in(clock_rate);
            }
            return Change::None;
        }
        let change = if self.beat > 0 { Change::Irregular } else { Change::None };
        self.rest();
        if ahead == 1 {
            self.step = step;
        }
        change
    }

    fn count_in(&mut self, clock_rate: u32) -> Change {
        let beat = u64::from(self.step) * 1_000_000_000 / u64::from(clock_rate.max(1));
        let usual = SHORTEST_BEAT.as_nanos() as u64..=LONGEST_BEAT.as_nanos() as u64;
        if self.steady < STEADY_PACKETS || !usual.contains(&beat) {
            return Change::None;
        }
        self.beat = beat as u32;
        Change::Regular
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Change::{Irregular, None, Regular};
    use relay_values::Duration;

    struct Flow {
        pulse: Pulse,
        now: Time,
        sequence: u16,
        timestamp: u32,
    }

    impl Flow {
        fn new() -> Self {
            Self { pulse: Pulse::default(), now: Time::ZERO, sequence: 65_530, timestamp: u32::MAX - 500 }
        }

        /// Skip `lost` packets and send the next; each is `step` on.
        fn send(&mut self, lost: u16, step: u32) -> Change {
            let n = lost + 1;
            self.now += Duration::from_millis(20) * n.into();
            self.sequence = self.sequence.wrapping_add(n);
            self.timestamp = self.timestamp.wrapping_add(step * u32::from(n));
            let (sequence, timestamp) = (self.sequence, self.timestamp);
            self.pulse.packet(self.now, &RtpHeader { sequence, timestamp, ..RtpHeader::default() }, 8000)
        }

        fn changes(&mut self, packets: u16, lost: u16, step: u32) -> Vec<Change> {
            (0..packets).map(|_| self.send(lost, step)).filter(|c| *c != None).collect()
        }
    }

    #[test]
    fn a_flow_is_regular_after_its_first_packets_also_over_the_wraps() {
        let mut flow = Flow::new();
        // One to begin, one to set the step, sixteen to keep it.
        assert_eq!(flow.changes(17, 0, 160), []);
        assert_eq!(flow.send(0, 160), Regular);
        assert_eq!(flow.changes(1000, 0, 160), []);
        assert_eq!(flow.pulse.beat, 20_000_000);
    }

    #[test]
    fn a_lost_a_late_and_a_doubled_packet_do_not_disturb_it() {
        let mut flow = Flow::new();
        flow.changes(18, 0, 160);
        assert_eq!(flow.changes(20, 1, 160), [], "every second one is lost");
        let late = RtpHeader { sequence: flow.sequence - 1, timestamp: 0, ..RtpHeader::default() };
        assert_eq!(flow.pulse.packet(flow.now, &late, 8000), None);
        assert_eq!(flow.changes(20, 0, 160), []);
    }

    #[test]
    fn a_pause_an_event_and_a_new_source_end_it() {
        for break_it in [
            |f: &mut Flow| f.timestamp = f.timestamp.wrapping_add(1600), // silence suppressed
            |f: &mut Flow| f.timestamp = f.timestamp.wrapping_sub(160), // the next packet has the timestamp again
            |f: &mut Flow| f.sequence = f.sequence.wrapping_add(30_000),
        ] {
            let mut flow = Flow::new();
            flow.changes(18, 0, 160);
            break_it(&mut flow);
            assert_eq!(flow.send(0, 160), Irregular);
            assert!(!flow.pulse.is_regular());
            assert_eq!(flow.changes(40, 0, 160), [Regular]);
        }
    }

    #[test]
    fn beats_that_nobody_speaks_at_do_not_count() {
        for (step, expected) in [(39, 0), (40, 1), (240, 1), (480, 1), (481, 0), (800, 0)] {
            assert_eq!(Flow::new().changes(100, 0, step).len(), expected, "{step} units");
        }
    }
}
