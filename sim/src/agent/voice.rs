//! RTP and RTCP of the far ends: voice every packet time, keys pressed (RFC 4733), pauses, reports (RFC 3550 §6.4).

use super::{Agent, Leg, Out, Role, Side, Stage, Wake};
use crate::rng::Rng;
use relay_values::{Duration, Time};
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// Longer than any of our scripts holds or mutes, and than 64*T1, which ends a call that nobody acknowledges.
const DEAF: Duration = Duration::from_secs(40);
/// Between two reports. Real ones come every five seconds; calls here are short.
const REPORT_INTERVAL: Duration = Duration::from_secs(1);
/// Between the first packet on one end and a report about it from the other, at most, most of the time.
const WHILE: Duration = Duration::from_secs(2);
/// Reports in a row that may be wrong.
const MISSES: u32 = 3;
/// Begins the payload of every voice packet of ours: what does not is not voice of ours.
const VOICE: [u8; 3] = [0xba, 0x5c, 0x1e];
/// Payload types of telephone-event, in every description of ours.
const EVENTS: [u8; 2] = [101, 96];
/// Packets of a key before its end is said, and how often that is (RFC 4733 §2.5.1.4).
const KEY_PACKETS: u16 = 8;
const KEY_ENDS: u16 = 3;
/// Bytes of a voice packet of ours: the header, whose it is, and a little sound.
const PACKET: usize = 12 + 8 + 12;
/// In timestamp units, for a clock of 8,000 Hz.
const UNIT: u64 = 125_000;

/// What a leg sends.
#[derive(Debug)]
pub struct Voice {
    /// Its SSRC.
    pub ssrc: u32,
    /// RTP packets sent.
    pub sent: u32,
    /// Keys pressed.
    pub keys: u32,
    sequence: u16,
    base: u32,
    /// It pauses where nothing is said.
    pub(super) pauses: bool,
    key: Option<Key>,
    first: Time,
    last: Time,
    reported: Time,
}

/// A key that is pressed.
#[derive(Debug, Clone, Copy)]
struct Key {
    digit: u8,
    timestamp: u32,
    packets: u16,
}

/// What a leg hears.
#[derive(Debug, Default)]
pub struct Ear {
    /// Packets of the other end's voice and keys.
    pub heard: u32,
    /// When the last packet of any kind came.
    pub at: Time,
    /// Pieces of the other end's fax, and of its picture.
    pub faxed: u32,
    /// See `faxed`.
    pub seen: u32,
    /// Packets that are nobody's voice: what fills a gap.
    pub filled: u32,
    /// Voice of anybody else's call.
    pub foreign: u32,
    /// Keys by timestamp: digit, and packets that say its end.
    pub keys: BTreeMap<u32, (u8, u32)>,
    /// Reports that came.
    pub reports: u32,
    /// What was wrong with them, several times in a row: one may cross a change of source on its way.
    pub wrong_reports: Vec<String>,
    misses: u32,
    reported: Time,
    ssrc: Option<u32>,
    highest: u16,
}

impl Voice {
    pub(super) fn draw(rng: &mut Rng) -> Self {
        Self {
            ssrc: rng.bits() as u32,
            sent: 0,
            keys: 0,
            sequence: rng.bits() as u16,
            base: rng.bits() as u32,
            pauses: false,
            key: None,
            first: Time::NEVER,
            last: Time::ZERO,
            reported: Time::ZERO,
        }
    }

    fn timestamp(&self, now: Time) -> u32 {
        self.base.wrapping_add((now.as_nanos() / UNIT) as u32)
    }

    /// Presses a key, unless one is pressed.
    pub(super) fn press(&mut self, now: Time, digit: u8) {
        if self.key.is_none() {
            self.keys += 1;
            self.key = Some(Key { digit, timestamp: self.timestamp(now), packets: 0 });
        }
    }

    fn packet(&mut self, kind: u8, timestamp: u32) -> Vec<u8> {
        self.sequence = self.sequence.wrapping_add(1);
        self.sent += 1;
        let mut packet = Vec::with_capacity(PACKET);
        packet.extend([0x80, kind]);
        packet.extend(self.sequence.to_be_bytes());
        packet.extend(timestamp.to_be_bytes());
        packet.extend(self.ssrc.to_be_bytes());
        packet
    }

    /// The next packet of the key that is pressed. While it is on hold a phone says no key: it begins when it can be said.
    fn of_key(&mut self, now: Time, step: u32, event: u8) -> Option<Vec<u8>> {
        let pressed = self.key?;
        let timestamp = if pressed.packets == 0 { self.timestamp(now) } else { pressed.timestamp };
        let key = Key { timestamp, ..pressed };
        let (last, end) = (key.packets + 1 == KEY_PACKETS + KEY_ENDS, key.packets >= KEY_PACKETS);
        let duration = u32::from(key.packets.min(KEY_PACKETS - 1) + 1) * step;
        self.key = (!last).then_some(Key { packets: key.packets + 1, ..key });
        let marker = if key.packets == 0 { 0x80 } else { 0 };
        let mut packet = self.packet(event | marker, key.timestamp);
        packet.extend([key.digit, u8::from(end) << 7 | 10]);
        packet.extend((duration as u16).to_be_bytes());
        Some(packet)
    }
}

impl Agent {
    /// One packet, and the next one later. It says whose it is.
    pub(super) fn talk(&mut self, now: Time, leg: usize) {
        let (side, pace, reports) = (self.side, self.pace, self.reports);
        let Some(state) = self.legs.get_mut(leg) else { return };
        if state.stage == Stage::Over {
            state.talking = false;
            return;
        }
        // A phone that hears nothing for so long takes the call for dead.
        let quiet = state.stage == Stage::Up
            && now.since(state.ear.at.max(state.answered.unwrap_or_default())) > DEAF;
        if quiet {
            return self.bye(now, leg);
        }
        let from = if state.caller.nat { state.port + 1000 } else { state.port };
        if let Some(to) = state.remote_media.filter(|_| state.may_talk()) {
            let step = (pace.as_nanos() as u64 / UNIT) as u32;
            // Three seconds in five are said.
            let pause = state.muted || (state.voice.pauses && (now.as_millis() / 1000 + leg as u64) % 5 >= 3);
            let packet = if state.fax {
                state.voice.key = None;
                Some(fax(state, side))
            } else {
                let key = state.voice.of_key(now, step, state.agreed.1);
                key.or_else(|| (!pause).then(|| voice(state, side, now)))
            };
            if packet.is_some() {
                state.voice.first = state.voice.first.min(now);
                state.voice.last = now;
            }
            self.out.extend(packet.map(|packet| Out::Rtp(from, to, packet)));
        }
        let state = &mut self.legs[leg];
        if let Some(to) = state.remote_picture.filter(|_| state.may_talk()) {
            let packet = picture(state, side, now);
            self.out.extend(packet.map(|(from, packet)| Out::Rtp(from, to, packet)));
        }
        let state = &mut self.legs[leg];
        if let Some(to) = state.remote_media.filter(|_| reports && state.stage == Stage::Up)
            && now.since(state.voice.reported) >= REPORT_INTERVAL
            && state.voice.sent > 0
        {
            state.voice.reported = now;
            let to = SocketAddr::new(to.ip(), to.port() + 1);
            let report = report(state, now);
            self.out.push_back(Out::Rtp(from + 1, to, report));
        }
        self.wake_at(now + pace, Wake::Talk(leg));
    }

    /// A packet came to a media port of ours: from the other end of the same call, or a leak.
    pub fn hear(&mut self, now: Time, port: u16, packet: &[u8]) {
        let known = |port: u16| self.ports.leg(port);
        let (side, Some(leg)) = (self.side, known(port).or_else(|| known(port.wrapping_sub(1000)))) else {
            return;
        };
        let leg = &mut self.legs[leg];
        if leg.picture.as_ref().is_some_and(|(screen, _)| *screen == port & !1) {
            let whose = whose(packet, side, leg.call).filter(|_| port.is_multiple_of(2));
            leg.ear.seen += u32::from(whose == Some(true));
            leg.ear.foreign += u32::from(whose == Some(false));
            return;
        }
        if port % 2 == 1 {
            return leg.hear_report(now, packet);
        }
        if packet.first().is_some_and(|first| first >> 6 != 2) {
            leg.ear.at = now;
            let ours = packet.get(2..5) == Some(&VOICE[..])
                && packet.get(5) == Some(&u8::from(side.other() == Side::Carrier))
                && packet.get(6..10) == Some(&(leg.call as u32).to_be_bytes()[..]);
            let heard = if ours { &mut leg.ear.faxed } else { &mut leg.ear.foreign };
            *heard += 1;
            return;
        }
        let word = |at: usize| packet.get(at..at + 4).map(|b| u32::from_be_bytes([b[0], b[1], b[2], b[3]]));
        let (Some(timestamp), Some(ssrc)) = (word(4), word(8)) else { return };
        leg.ear.at = now;
        leg.ear.ssrc = Some(ssrc);
        leg.ear.highest = u16::from_be_bytes([packet[2], packet[3]]);
        if EVENTS.contains(&(packet[1] & 0x7f)) {
            leg.ear.heard += 1;
            if let Some(payload) = packet.get(12..14) {
                let key = leg.ear.keys.entry(timestamp).or_insert((payload[0], 0));
                key.1 += u32::from(payload[1] >> 7);
            }
            return;
        }
        match whose(packet, side, leg.call) {
            None => leg.ear.filled += 1,
            Some(true) => leg.ear.heard += 1,
            Some(false) => leg.ear.foreign += 1,
        }
    }

    /// The call whose leg has this media port.
    pub fn call_at(&self, port: u16) -> Option<usize> {
        let known = |port: u16| self.ports.leg(port);
        let leg = known(port).or_else(|| known(port.wrapping_sub(1000)))?;
        self.legs.get(leg).map(|leg| leg.call)
    }

    /// RTP that a leg of this call and role has heard, all its legs together.
    pub fn heard(&self, call: usize, role: Role) -> u32 {
        self.legs.iter().filter(|leg| leg.call == call && leg.role == role).map(|leg| leg.ear.heard).sum()
    }
}

/// Whether an RTP packet is of the other end of the same call; `None`: it is of our agents' at all not.
fn whose(packet: &[u8], side: Side, call: usize) -> Option<bool> {
    let marked = packet.get(12..15) == Some(&VOICE[..]);
    let from_other = packet.get(15) == Some(&u8::from(side.other() == Side::Carrier));
    let same_call = packet.get(16..20) == Some(&(call as u32).to_be_bytes()[..]);
    marked.then_some(from_other && same_call)
}

fn voice(leg: &mut Leg, side: Side, now: Time) -> Vec<u8> {
    let timestamp = leg.voice.timestamp(now);
    let packet = leg.voice.packet(leg.agreed.0, timestamp);
    marked(packet, side, leg.call)
}

/// A piece of the picture, and from which port.
fn picture(leg: &mut Leg, side: Side, now: Time) -> Option<(u16, Vec<u8>)> {
    let (port, camera) = leg.picture.as_mut()?;
    let timestamp = camera.timestamp(now);
    let packet = camera.packet(98, timestamp);
    Some((*port, marked(packet, side, leg.call)))
}

/// A piece of a fax: a UDPTL packet begins with its number, which stays small here.
fn fax(leg: &mut Leg, side: Side) -> Vec<u8> {
    leg.faxed = leg.faxed.wrapping_add(1) & 0x0fff;
    marked(leg.faxed.to_be_bytes().to_vec(), side, leg.call)
}

/// With whose it is.
fn marked(mut packet: Vec<u8>, side: Side, call: usize) -> Vec<u8> {
    packet.extend(VOICE);
    packet.push(u8::from(side == Side::Carrier));
    packet.extend((call as u32).to_be_bytes());
    packet.extend([0xd5; 12]);
    packet
}

/// Sender report with one block about the other end's stream (RFC 3550 §6.4.1), or with none while nothing was heard.
fn report(leg: &Leg, now: Time) -> Vec<u8> {
    let blocks = u8::from(leg.ear.ssrc.is_some());
    let mut packet = vec![0x80 | blocks, 200];
    packet.extend((6 + 6 * u16::from(blocks)).to_be_bytes());
    packet.extend(leg.voice.ssrc.to_be_bytes());
    packet.extend(now.as_nanos().to_be_bytes());
    packet.extend(leg.voice.timestamp(now).to_be_bytes());
    packet.extend(leg.voice.sent.to_be_bytes());
    packet.extend((leg.voice.sent * 160).to_be_bytes());
    if let Some(ssrc) = leg.ear.ssrc {
        packet.extend(ssrc.to_be_bytes());
        packet.extend([0; 4]);
        packet.extend(u32::from(leg.ear.highest).to_be_bytes());
        packet.extend([0; 12]);
    }
    packet
}

impl Leg {
    /// A sender report speaks of the stream that is heard, and its block of the stream that is sent.
    fn hear_report(&mut self, now: Time, packet: &[u8]) {
        let word = |at: usize| packet.get(at..at + 4).map(|b| u32::from_be_bytes([b[0], b[1], b[2], b[3]]));
        if packet.get(1) != Some(&200) {
            return;
        }
        self.ear.reports += 1;
        let of = word(4).filter(|of| self.ear.ssrc.is_some_and(|heard| heard != *of));
        // Whoever has not spoken for a while, or has only just begun, is not heard: the block is about a fill.
        let speaks = now.since(self.voice.last) < WHILE && now.since(self.voice.first) > WHILE;
        let about = word(28).filter(|about| speaks && *about != self.voice.ssrc);
        let wrong = of.is_some() || about.is_some();
        // What waited for a process that was stopped comes all at once.
        let backlog = now.since(self.ear.reported) < REPORT_INTERVAL / 4;
        self.ear.reported = now;
        if backlog {
            return;
        }
        self.ear.misses = if wrong { self.ear.misses + 1 } else { 0 };
        if self.ear.misses >= MISSES {
            let (heard, ours) = (self.ear.ssrc, self.voice.ssrc);
            let text = format!(
                "at {} ms: of {of:x?}, hearing {heard:x?}; about {about:x?}, being {ours:x}",
                now.as_millis()
            );
            self.ear.wrong_reports.push(text);
        }
    }
}
