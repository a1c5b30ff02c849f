//! Loss and jitter of one incoming RTP stream (RFC 3550 §6.4.1, appendices A.1, A.3 and A.8).

use crate::limits::{DEFAULT_CLOCK_RATE, MAX_DROPOUT, MAX_MISORDER};
use crate::losses::Losses;
use crate::offload::{Carried, FlowState};
use crate::packet::RtpHeader;
use relay_values::{FlowStats, Time};

/// What is measured of the packets from one leg.
#[derive(Debug, Clone)]
pub(crate) struct Meter {
    packets: u64,
    bytes: u64,
    forwarded: u64,
    /// Lost by sources before the present one.
    lost_before: u64,
    clock_rate: u32,
    source: Option<Source>,
    losses: Losses,
    /// Of sound.
    payload_type: Option<u8>,
    /// Timestamp units of a packet: what two in a row had.
    packet_time: u32,
    /// The next packet begins a new source, whatever its SSRC.
    ended: bool,
}

/// One synchronisation source, as in RFC 3550 appendix A.1, without its probation: who may send is the latch's question.
#[derive(Debug, Clone, Copy)]
struct Source {
    ssrc: u32,
    /// First sequence number, and the highest, extended by the number of times that it went round.
    first: u16,
    highest: u16,
    rounds: u32,
    /// The sequence number that would confirm a restart.
    restart: Option<u16>,
    received: u64,
    /// Of the packet with the highest number, and how far it was from the one before that.
    timestamp: u32,
    step: u32,
    /// Arrival of the last packet, and that less its timestamp, in timestamp units.
    arrival: u32,
    transit: u32,
    /// Jitter × 16 (appendix A.8).
    jitter: u32,
}

/// Where a sequence number lies, seen from the highest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Higher by so much.
    Ahead(u32),
    /// Lower by so much, or the same.
    Behind(u32),
    /// Far away, and nothing has followed it.
    Wild,
    /// Far away, and the second there: the sender has begun anew, after so many that were lost.
    Restarted { lost: u64 },
}

/// Where the source stands that is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Metered {
    /// The highest sequence number, extended.
    pub(crate) newest: u32,
    pub(crate) losses: Losses,
    pub(crate) last_timestamp: u32,
    /// × 16.
    pub(crate) jitter: u32,
    pub(crate) payload_type: u8,
}

/// The same for a report block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) ssrc: u32,
    /// The highest sequence number, extended.
    pub(crate) newest: u32,
    /// In timestamp units.
    pub(crate) jitter: u32,
    /// Packets lost on the way to us, of all sources.
    pub(crate) lost: u64,
}

impl Meter {
    pub(crate) fn new() -> Self {
        Self {
            packets: 0,
            bytes: 0,
            forwarded: 0,
            lost_before: 0,
            clock_rate: DEFAULT_CLOCK_RATE,
            source: None,
            losses: Losses::default(),
            payload_type: None,
            packet_time: 0,
            ended: false,
        }
    }

    /// The negotiated clock rate; 0 counts as unknown.
    pub(crate) fn set_clock_rate(&mut self, hz: u32) {
        let hz = if hz == 0 { DEFAULT_CLOCK_RATE } else { hz };
        if hz != self.clock_rate {
            self.clock_rate = hz;
            // Transit times in the old unit cannot be compared with those in the new one.
            self.ended = true;
        }
    }

    pub(crate) fn clock_rate(&self) -> u32 {
        self.clock_rate
    }

    /// The stream has another sender now: what is missing between the two is not loss.
    pub(crate) fn end_source(&mut self) {
        self.ended = true;
    }

    /// Take one packet into account.
    pub(crate) fn packet(&mut self, now: Time, header: &RtpHeader, bytes: usize) {
        self.packets += 1;
        self.bytes += bytes as u64;
        let arrival = in_units(now, self.clock_rate);
        match &mut self.source {
            Some(source) if source.ssrc == header.ssrc && !self.ended => {
                let newest = source.newest();
                match source.sequence(header.sequence) {
                    Place::Ahead(1) => {
                        if source.step_to(header.timestamp) && source.step <= self.clock_rate {
                            self.packet_time = source.step;
                        }
                    }
                    Place::Ahead(ahead) => {
                        self.losses.leapt(newest.wrapping_add(ahead), ahead);
                        source.timestamp = header.timestamp;
                    }
                    Place::Behind(behind) => self.losses.late(newest, behind),
                    Place::Wild => {}
                    Place::Restarted { lost } => {
                        self.lost_before += lost;
                        self.losses.begin(source.newest());
                        source.timestamp = header.timestamp;
                    }
                }
                source.jitter(arrival, header.timestamp);
            }
            source => {
                self.lost_before += source.map_or(0, |s| s.lost());
                self.losses.begin(header.sequence.into());
                *source = Some(Source::begin(header, arrival));
                self.ended = false;
            }
        }
    }

    /// The same for one that has no RTP header to measure by.
    pub(crate) fn datagram(&mut self, bytes: usize) {
        self.packets += 1;
        self.bytes += bytes as u64;
    }

    /// The last packet was sound of a payload type.
    pub(crate) fn sounds(&mut self, payload_type: u8) {
        self.payload_type = Some(payload_type);
    }

    /// The last packet went on to the other leg.
    pub(crate) fn forwarded(&mut self) {
        self.forwarded += 1;
    }

    /// It did not, after all.
    pub(crate) fn not_forwarded(&mut self) {
        self.forwarded = self.forwarded.saturating_sub(1);
    }

    /// Whether a packet has the numbers of the present source.
    pub(crate) fn continues(&self, header: &RtpHeader) -> bool {
        let source = self.source.as_ref().filter(|s| s.ssrc == header.ssrc && !self.ended);
        source.is_some_and(|source| {
            let ahead = header.sequence.wrapping_sub(source.highest);
            ahead < MAX_DROPOUT || ahead.wrapping_neg() <= MAX_MISORDER
        })
    }

    /// Where a source stands, if it is the one that is measured.
    pub(crate) fn steady(&self, ssrc: u32) -> Option<Metered> {
        let source = self.source.as_ref().filter(|s| s.ssrc == ssrc && !self.ended)?;
        Some(Metered {
            newest: source.newest(),
            losses: self.losses,
            last_timestamp: source.arrival.wrapping_sub(source.transit),
            jitter: source.jitter,
            payload_type: self.payload_type.unwrap_or_default(),
        })
    }

    /// Where the present source stands, as a report says it.
    pub(crate) fn standing(&self) -> Option<Standing> {
        let source = self.source.as_ref().filter(|_| !self.ended)?;
        Some(Standing {
            ssrc: source.ssrc,
            newest: source.newest(),
            jitter: source.jitter >> 4,
            lost: self.lost(),
        })
    }

    /// Packets lost so far.
    pub(crate) fn lost(&self) -> u64 {
        self.lost_before + self.source.map_or(0, |s| s.lost())
    }

    /// Another has taken packets of `ssrc` and passed them on. Where it stood before is `state`.
    pub(crate) fn absorb(&mut self, ssrc: u32, state: &FlowState, carried: &Carried, after: &FlowState) {
        let before = state.newest;
        self.packets += carried.packets;
        self.bytes += carried.bytes;
        self.forwarded += carried.packets;
        self.payload_type = Some(after.payload_type);
        let arrival = in_units(after.last, self.clock_rate);
        if let Some(source) = self.source.as_mut().filter(|s| s.ssrc == ssrc && !self.ended) {
            let step = if source.highest == before as u16 {
                carried.advance
            } else {
                // A packet came to us meanwhile: only what is newer than that is news.
                let ahead = (after.newest as u16).wrapping_sub(source.highest);
                if ahead < MAX_DROPOUT { ahead.into() } else { 0 }
            };
            // Rounds are never more than 16 bits here: 65,536 of them take years at any packet rate.
            let newest = source.newest().wrapping_add(step);
            (source.rounds, source.highest) = (newest >> 16, newest as u16);
            source.received += carried.packets;
            source.arrival = arrival;
            source.transit = arrival.wrapping_sub(after.last_timestamp);
            source.jitter = after.jitter;
            (source.timestamp, source.step) = (after.beat.timestamp, after.beat.step);
            self.losses.absorb(&state.losses, &after.losses);
            if after.beat.steady > 0 && after.beat.step <= self.clock_rate {
                self.packet_time = after.beat.step;
            }
        }
    }

    pub(crate) fn stats(&self) -> FlowStats {
        let jitter_ts = self.source.map_or(0, |s| s.jitter >> 4);
        FlowStats {
            packets: self.packets,
            bytes: self.bytes,
            forwarded: self.forwarded,
            lost: self.lost(),
            jitter_ts,
            jitter_us: micros(jitter_ts, self.clock_rate),
            ssrc: self.source.map_or(0, |s| s.ssrc),
            payload_type: self.payload_type,
            packet_time_us: micros(self.packet_time, self.clock_rate),
            duplicates: self.losses.duplicates.into(),
            reordered: self.losses.reordered.into(),
            bursts: self.losses.bursts(),
            ..FlowStats::default()
        }
    }
}

impl Source {
    fn begin(header: &RtpHeader, arrival: u32) -> Self {
        Self {
            ssrc: header.ssrc,
            first: header.sequence,
            highest: header.sequence,
            rounds: 0,
            restart: None,
            received: 1,
            timestamp: header.timestamp,
            step: 0,
            arrival,
            transit: arrival.wrapping_sub(header.timestamp),
            jitter: 0,
        }
    }

    /// The highest number, extended.
    fn newest(&self) -> u32 {
        (self.rounds << 16) | u32::from(self.highest)
    }

    /// `update_seq` of appendix A.1.
    fn sequence(&mut self, sequence: u16) -> Place {
        let ahead = sequence.wrapping_sub(self.highest);
        let place = if ahead == 0 || ahead > u16::MAX - MAX_MISORDER {
            Place::Behind(ahead.wrapping_neg().into())
        } else if ahead < MAX_DROPOUT {
            if sequence < self.highest {
                self.rounds = self.rounds.wrapping_add(1);
            }
            self.highest = sequence;
            Place::Ahead(ahead.into())
        } else {
            // A large jump: believed only when the next packet follows it.
            if self.restart != Some(sequence) {
                self.restart = Some(sequence.wrapping_add(1));
                return Place::Wild;
            }
            let lost = self.lost();
            (self.first, self.highest, self.rounds) = (sequence, sequence, 0);
            (self.restart, self.received) = (None, 1);
            return Place::Restarted { lost };
        };
        self.received += 1;
        place
    }

    /// The next packet in order has this timestamp: whether it is as far from the one before as that from its own.
    fn step_to(&mut self, timestamp: u32) -> bool {
        let step = timestamp.wrapping_sub(self.timestamp);
        self.timestamp = timestamp;
        std::mem::replace(&mut self.step, step) == step && step > 0
    }

    /// Appendix A.8, in its integer form.
    fn jitter(&mut self, arrival: u32, timestamp: u32) {
        let transit = arrival.wrapping_sub(timestamp);
        self.arrival = arrival;
        let d = (transit.wrapping_sub(self.transit) as i32).unsigned_abs();
        self.transit = transit;
        let decay = self.jitter.saturating_add(8) >> 4;
        self.jitter = self.jitter.saturating_add(d).saturating_sub(decay);
    }

    /// Expected less received (appendix A.3); duplicates can make it negative, which counts as none.
    fn lost(&self) -> u64 {
        let highest = (u64::from(self.rounds) << 16) | u64::from(self.highest);
        let expected = (highest + 1).saturating_sub(u64::from(self.first));
        expected.saturating_sub(self.received)
    }
}

/// A time in units of a clock, modulo 2³² as RTP timestamps are. Seconds and their rest apart, so that no clock rate
/// overflows.
pub(crate) fn in_units(time: Time, hz: u32) -> u32 {
    const SECOND: u64 = 1_000_000_000;
    let (ns, hz) = (time.as_nanos(), u64::from(hz));
    ((ns / SECOND).wrapping_mul(hz)).wrapping_add(ns % SECOND * hz / SECOND) as u32
}

/// Units of a clock in microseconds.
pub(crate) fn micros(units: u32, hz: u32) -> u32 {
    u32::try_from(u64::from(units) * 1_000_000 / u64::from(hz.max(1))).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meter(packets: &[(u64, u16, u32)]) -> FlowStats {
        let mut m = Meter::new();
        for &(ms, sequence, timestamp) in packets {
            m.packet(
                Time::from_millis(ms),
                &RtpHeader { sequence, timestamp, ssrc: 7, ..RtpHeader::default() },
                172,
            );
        }
        m.stats()
    }

    #[test]
    fn a_regular_stream_has_neither_loss_nor_jitter() {
        let s = meter(&(0..100).map(|i| (i * 20, i as u16, i as u32 * 160)).collect::<Vec<_>>());
        assert_eq!((s.packets, s.bytes, s.lost, s.jitter_ts, s.ssrc), (100, 17_200, 0, 0, 7));
    }

    #[test]
    fn jitter_follows_the_rfcs_integers() {
        // Arrivals 0, 20, 50, 60 ms at 8,000 Hz, timestamps in steps of 160. Transit: 0, 0, 80, 0, so |D| is 0, 80, 80.
        // J×16: 0 → 0 + 0 − (8>>4) = 0 → 0 + 80 − (8>>4) = 80 → 80 + 80 − (88>>4) = 155; J = 155>>4 = 9.
        let s = meter(&[(0, 1, 0), (20, 2, 160), (50, 3, 320), (60, 4, 480)]);
        assert_eq!(s.jitter_ts, 9);
        assert_eq!(s.jitter_us, 1125); // 9 / 8000 s
    }

    #[test]
    fn lost_is_expected_less_received_also_over_the_wrap() {
        // 65,533 to 4 are eight numbers; three of them never came.
        let s = meter(&[(0, 65_533, 0), (20, 65_534, 160), (80, 1, 640), (100, 2, 800), (140, 4, 1120)]);
        assert_eq!(s.lost, 3);
    }

    #[test]
    fn reordering_is_no_loss_and_a_duplicate_is_never_negative_loss() {
        assert_eq!(meter(&[(0, 1, 0), (1, 3, 320), (2, 2, 160), (3, 4, 480)]).lost, 0);
        assert_eq!(meter(&[(0, 1, 0), (1, 1, 0), (2, 2, 160)]).lost, 0);
    }

    #[test]
    fn a_restart_is_believed_when_it_goes_on() {
        // One lost at 12; then the sender restarts at 40,000 and loses one there.
        let s = meter(&[(0, 11, 0), (1, 13, 0), (2, 40_000, 0), (3, 40_001, 0), (4, 40_003, 0)]);
        assert_eq!(s.lost, 2);
        // A single wild number changes nothing.
        let s = meter(&[(0, 11, 0), (1, 12, 0), (2, 40_000, 0), (3, 13, 0), (4, 14, 0)]);
        assert_eq!(s.lost, 0);
    }

    #[test]
    fn a_new_source_begins_anew_and_keeps_the_sum() {
        let mut m = Meter::new();
        let send = |m: &mut Meter, ssrc, sequence| {
            m.packet(Time::ZERO, &RtpHeader { sequence, ssrc, ..RtpHeader::default() }, 12);
        };
        send(&mut m, 1, 10);
        send(&mut m, 1, 12);
        send(&mut m, 2, 50_000);
        send(&mut m, 2, 50_002);
        m.end_source();
        send(&mut m, 2, 100);
        assert_eq!((m.stats().lost, m.stats().ssrc), (2, 2));
    }

    #[test]
    fn no_time_and_no_clock_rate_overflows() {
        for hz in [0, 1, 8000, u32::MAX] {
            in_units(Time::NEVER, hz);
        }
        assert_eq!(in_units(Time::from_millis(1_500), 8000), 12_000);
    }
}
