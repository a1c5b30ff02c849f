//! Random lives of a line, and what its receiver sees of them.

use super::super::*;
use proptest::prelude::*;
use relay_values::Duration;
use std::collections::{BTreeMap, HashSet};

const HZ: u32 = 8000;
/// Time in a packet, in milliseconds and in timestamp units.
const BEAT: u64 = 20;
const STEP: u32 = 160;
/// The most that the network holds a packet back, in beats.
const LATEST: u64 = 3;

#[derive(Debug, Clone)]
enum Step {
    /// The source sends so many packets; each byte is the fate of one.
    Speak(Vec<u8>),
    /// It is silent, and we speak, for so many beats.
    Fill(u8),
    /// Nobody speaks.
    Silence(u8),
    /// Another peer, with a stream that begins like this.
    Move(u32, u16, u32),
    /// The same peer begins another stream.
    Rename(u32, u16, u32),
}

/// Numbers near their end, or anywhere.
fn start() -> impl Strategy<Value = (u32, u16, u32)> {
    let sequence = prop_oneof![any::<u16>(), 65_500..=u16::MAX];
    let timestamp = prop_oneof![any::<u32>(), u32::MAX - 3000..=u32::MAX];
    (1..1_000_000_u32, sequence, timestamp)
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => proptest::collection::vec(any::<u8>(), 1..60).prop_map(Step::Speak),
        2 => (1..30_u8).prop_map(Step::Fill),
        1 => (1..200_u8).prop_map(Step::Silence),
        3 => start().prop_map(|(a, b, c)| Step::Move(a, b, c)),
        1 => start().prop_map(|(a, b, c)| Step::Rename(a, b, c)),
    ]
}

/// A packet as the receiver got it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Got {
    at: Time,
    timestamp: u32,
    /// The source, counted, and its own number; `None` for a packet of ours.
    origin: Option<(u32, u16)>,
}

struct Life {
    line: Line,
    now: Time,
    source: (u32, u16, u32),
    /// Sources so far.
    serial: u32,
    /// Packets on their way, with their source.
    network: BTreeMap<(Time, u32), (RtpHeader, u32)>,
    sent: u32,
    moved: bool,
    ssrc: Option<u32>,
    /// By extended sequence number, the first being 100,000 so that it can go back.
    got: BTreeMap<u64, Got>,
    highest: (u64, u16),
    random: SplitMix,
}

impl Life {
    fn new(source: (u32, u16, u32)) -> Self {
        Self {
            line: Line::default(),
            now: Time::from_millis(1),
            source,
            serial: 0,
            network: BTreeMap::new(),
            sent: 0,
            moved: false,
            ssrc: None,
            got: BTreeMap::new(),
            highest: (0, 0),
            random: SplitMix::new(1),
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Speak(fates) => {
                for fate in fates {
                    self.speak(fate);
                    self.beat();
                }
            }
            Step::Fill(beats) => {
                // As a bridge does: not before it has been quiet for two packet times.
                (0..2).for_each(|_| self.beat());
                for _ in 0..beats {
                    let sent = self.line.fill(self.now, HZ, &mut self.random);
                    self.receive(sent.ssrc, sent.sequence as u16, sent.timestamp, None);
                    self.beat();
                }
            }
            Step::Silence(beats) => (0..beats).for_each(|_| self.beat()),
            Step::Move(ssrc, sequence, timestamp) => {
                // What the old peer has on its way is a stranger's now.
                self.network.clear();
                self.line.moved();
                self.source = (ssrc, sequence, timestamp);
                // A leg that is moved before its first packet has nothing to go on from.
                self.moved |= self.ssrc.is_some();
                self.serial += 1;
            }
            // Before a move a source's own change is passed on as it is.
            Step::Rename(ssrc, sequence, timestamp) if self.moved => {
                // A name of its own: a source that uses name and number again is beyond help.
                self.source = (self.source.0 ^ (ssrc << 8), sequence, timestamp);
                self.serial += 1;
            }
            Step::Rename(..) => {}
        }
    }

    fn speak(&mut self, fate: u8) {
        let (ssrc, sequence, timestamp) = self.source;
        let header = RtpHeader { ssrc, sequence, timestamp, ..RtpHeader::default() };
        let (lost, twice, late) = (fate < 26, fate >= 230, u64::from(fate % 8).min(LATEST));
        for copy in 0..if lost { 0 } else { 1 + u64::from(twice) } {
            self.sent += 1;
            let held = (late + copy).min(LATEST) * BEAT;
            self.network.insert((self.now + Duration::from_millis(held), self.sent), (header, self.serial));
        }
        self.source.1 = sequence.wrapping_add(1);
    }

    /// Time goes on, and what has arrived passes.
    fn beat(&mut self) {
        let until = self.now + Duration::from_millis(BEAT);
        self.source.2 = self.source.2.wrapping_add(STEP);
        while let Some(next) = self.network.first_entry().filter(|e| e.key().0 < until) {
            let ((at, _), (header, source)) = next.remove_entry();
            self.now = self.now.max(at);
            let mut bytes = [0x80; RTP_HEADER];
            write(&mut bytes, header.sequence, header.timestamp, header.ssrc);
            if self.line.pass(self.now, HZ, &header, &mut bytes).is_ok() {
                let [_, _, s0, s1, t0, t1, t2, t3, c0, c1, c2, c3] = bytes;
                let ssrc = u32::from_be_bytes([c0, c1, c2, c3]);
                let timestamp = u32::from_be_bytes([t0, t1, t2, t3]);
                let origin = Some((source, header.sequence));
                self.receive(ssrc, u16::from_be_bytes([s0, s1]), timestamp, origin);
            }
        }
        self.now = until;
    }

    fn receive(&mut self, ssrc: u32, sequence: u16, timestamp: u32, origin: Option<(u32, u16)>) {
        assert_eq!(*self.ssrc.get_or_insert(ssrc), ssrc, "a second SSRC");
        let extended = match self.highest {
            (0, _) => 100_000,
            (extended, low) => extended.wrapping_add_signed((sequence.wrapping_sub(low) as i16).into()),
        };
        let got = Got { at: self.now, timestamp, origin };
        if let Some(before) = self.got.get(&extended) {
            assert!(before.origin.is_some(), "the number of one of ours is used again: {before:?} {got:?}");
            assert_eq!((before.origin, before.timestamp), (got.origin, got.timestamp), "a number used twice");
            return;
        }
        if extended > self.highest.0 {
            self.highest = (extended, sequence);
        }
        self.got.insert(extended, got);
    }

    /// What the receiver sees in the order of the numbers.
    fn check(&self) {
        let start = self.got.first_key_value().map(|(_, g)| *g);
        let all: HashSet<_> = self.got.values().map(|g| g.origin).collect();
        let mut changes = 1_u64;
        for (before, after) in self.got.iter().zip(self.got.iter().skip(1)) {
            let ((n, a), (m, b)) = (before, after);
            let grown = b.timestamp.wrapping_sub(a.timestamp);
            assert!((1..1 << 31).contains(&grown), "time goes back or stands still: {a:?} {b:?}");
            let same = match (a.origin, b.origin) {
                (Some((s, i)), Some((t, j))) => s == t && u64::from(j.wrapping_sub(i)) == m - n,
                _ => false,
            };
            assert!(same || m - n == 1, "a gap that no source has made: {n} {a:?}, {m} {b:?}");
            if let Some((source, number)) = a.origin {
                let missing = (1..m - n).map(|k| Some((source, number.wrapping_add(k as u16))));
                let known: Vec<_> = missing.filter(|origin| all.contains(origin)).collect();
                assert_eq!(known, [], "a gap for what has been received: {n} {a:?}, {m} {b:?}");
            }
            changes += u64::from(!same);
            // Each change may add what the network has held two packets back.
            let real = b.at.as_millis() as i64 - start.map_or(0, |g| g.at.as_millis() as i64);
            let told = i64::from(b.timestamp.wrapping_sub(start.map_or(0, |g| g.timestamp))) / 8;
            let jitter = ((LATEST + 1) * BEAT * changes) as i64;
            assert!((real - told).abs() <= jitter, "{real} ms have passed, {told} ms were told: {b:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_the_receiver_sees_one_stream(first in start(), steps in proptest::collection::vec(step(), 1..40)) {
        let mut life = Life::new(first);
        life.speak(100);
        life.beat();
        for step in steps {
            life.step(step);
        }
        life.step(Step::Silence(10));
        life.check();
    }
}
