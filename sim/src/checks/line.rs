//! Whoever hears RTP from us hears one stream (RFC 3550 §5.1): one SSRC; no number said twice by two packets; one source's
//! packets keep their distances; a new source, or a fill, begins with the next number and a timestamp that has advanced
//! with real time; a source that another one has followed is not heard again.

use super::Complaints;
use crate::maps::{Map, Set};
use crate::setup::Setup;
use relay_values::{Carries, Duration, Latching, Leg, RelayCommand, SessionId, Time};
use std::net::SocketAddr;

/// What the rules read of an RTP header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Payload type.
    pub kind: u8,
    /// Marker bit.
    pub marker: bool,
    /// Sequence number.
    pub sequence: u16,
    /// Timestamp.
    pub timestamp: u32,
    /// SSRC.
    pub ssrc: u32,
}

impl Header {
    /// Of an RTP packet; `None`: it is none, or RTCP (RFC 5761 §4).
    pub fn read(packet: &[u8]) -> Option<Self> {
        let [first, second, a, b, c, d, e, f, g, h, i, j, ..] = *packet else { return None };
        (first >> 6 == 2 && !(192..=223).contains(&second)).then_some(Self {
            kind: second & 0x7f,
            marker: second & 0x80 != 0,
            sequence: u16::from_be_bytes([a, b]),
            timestamp: u32::from_be_bytes([c, d, e, f]),
            ssrc: u32::from_be_bytes([g, h, i, j]),
        })
    }
}

/// Whose packet it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Of our own making.
    Ours,
    /// A peer's, with the header that it had when it came.
    Peer(SocketAddr, Header),
}

/// Payload types of telephone-event, everywhere in the simulator.
pub(super) const EVENTS: [u8; 2] = [101, 96];
/// Packets that are remembered for the rule about numbers said twice: longer than anything is held up.
const WINDOW: u16 = 1024;
/// Units of a clock of 8,000 Hz in a millisecond.
const UNITS: u64 = 8;

#[derive(Debug)]
pub(super) struct Lines {
    /// How far a timestamp may be from real time where its source changes, in units.
    tolerance: u64,
    /// Peers are held to the port that they named.
    exact: bool,
    all: Map<(SessionId, Leg), Line>,
    /// Where each leg's other peer said that it is.
    named: Map<(SessionId, Leg), SocketAddr>,
    /// Sessions that carry a fax: speech that is still on its way there is no line's any more.
    faxes: Set<SessionId>,
}

#[derive(Debug)]
struct Line {
    ssrc: u32,
    /// The newest number.
    top: u16,
    /// The newest timestamp of sound, and when it passed.
    sound: (u32, Time),
    /// The same of a key that has passed since, of its first packet that did: a phone that was cut off may have begun it before.
    key: Option<(u32, Time)>,
    /// The present source's distances.
    shift: Option<(SocketAddr, u16, u32)>,
    /// The source was changed, or we have spoken: distances may change.
    may_shift: bool,
    /// It was moved once, or we have spoken: it is ours to keep together.
    ours: bool,
    /// Packets of it have passed between a fax and speech.
    uncounted: bool,
    retired: Set<SocketAddr>,
    said: Said,
}

/// The newest numbers that were said, and by whom: places count from the first one, and come round.
#[derive(Debug)]
struct Said {
    first: u16,
    places: Vec<Option<(u16, Source)>>,
}

impl Said {
    fn new(number: u16, source: Source) -> Self {
        Self { first: number, places: vec![Some((number, source))] }
    }

    fn place(&self, number: u16) -> usize {
        usize::from(number.wrapping_sub(self.first) % WINDOW)
    }

    fn by(&self, number: u16) -> Option<&Source> {
        let (said, source) = self.places.get(self.place(number))?.as_ref()?;
        (*said == number).then_some(source)
    }

    fn say(&mut self, number: u16, source: Source) {
        let place = self.place(number);
        if place >= self.places.len() {
            self.places.resize(place + 1, None);
        }
        self.places[place] = Some((number, source));
    }
}

impl Lines {
    pub(super) fn new(setup: &Setup) -> Self {
        let perfect = setup.link.loss + setup.link.reorder + setup.link.duplicate == 0;
        let late = setup.link.jitter + if perfect { Duration::ZERO } else { crate::link::HELD_UP };
        let allowed = setup.pace * 2 + late * 2;
        let tolerance = allowed.as_millis() as u64 * UNITS;
        let exact = setup.latching == Latching::Exact;
        Self { tolerance, exact, all: Map::default(), named: Map::default(), faxes: Set::default() }
    }

    /// A leg is moved, or its peer taken for lost: what the other one hears may change its source.
    pub(super) fn command(&mut self, command: &RelayCommand) {
        match command {
            RelayCommand::Retarget { session, leg, to, .. } => {
                self.changes((*session, leg.other()));
                if let Some(to) = to {
                    self.named.insert((*session, leg.other()), to.remote.rtp);
                }
            }
            RelayCommand::Renew { session, leg, .. } | RelayCommand::Bridge { session, leg, .. } => {
                self.changes((*session, leg.other()));
            }
            RelayCommand::Connect { session, leg, to } => {
                self.named.insert((*session, leg.other()), to.remote.rtp);
                if to.carries == Carries::Datagrams {
                    self.faxes.insert(*session);
                } else {
                    self.faxes.remove(session);
                }
            }
            RelayCommand::Open(_) | RelayCommand::Place { .. } | RelayCommand::Release { .. } => {}
        }
    }

    fn changes(&mut self, by: (SessionId, Leg)) {
        if let Some(line) = self.all.get_mut(&by) {
            (line.may_shift, line.ours) = (true, true);
        }
    }

    pub(super) fn released(&mut self, session: SessionId) {
        self.all.retain(|(of, _), _| *of != session);
        self.named.retain(|(of, _), _| *of != session);
        self.faxes.remove(&session);
    }

    pub(super) fn heard(
        &mut self,
        now: Time,
        call: Option<usize>,
        by: (SessionId, Leg),
        source: Source,
        header: Header,
        complaints: &mut Complaints,
    ) {
        if self.faxes.contains(&by.0) {
            // Speech on its way out, or in already, which nobody counts here.
            if let Some(line) = self.all.get_mut(&by) {
                line.uncounted |= line.ssrc == header.ssrc;
            }
            return;
        }
        let Header { kind, sequence, timestamp, ssrc, .. } = header;
        let Some(line) = self.all.get_mut(&by) else {
            self.all.insert(by, Line::first(now, source, header));
            return;
        };
        // Another phone of the same forked INVITE, while the stream was still theirs: it brings one of its own.
        let speaks = |from: SocketAddr| line.shift.is_some_and(|(old, ..)| old == from);
        // Where a host is enough to be known by, it may send from any port.
        let named = |from: SocketAddr| {
            let at = |to: &SocketAddr| *to == from || !self.exact && to.ip() == from.ip();
            self.named.get(&by).is_some_and(at)
        };
        if !line.ours && matches!(source, Source::Peer(from, _) if named(from) && !speaks(from)) {
            *line = Line::first(now, source, header);
            return;
        }
        let mut add = |text: String| {
            let text = format!("{:?} of {:x} hears {header:?} from {source:?}: {text}", by.1, by.0.0);
            complaints.add(now, call, "line", text);
        };
        if ssrc != line.ssrc {
            add(format!("the SSRC was {:08x}", line.ssrc));
            line.ssrc = ssrc;
        }
        if let Some(before) = line.said.by(sequence).filter(|before| !same(before, &source)) {
            add(format!("the number was said before, by {before:?}"));
        }
        let next = line.top.wrapping_add(1);
        let keeps = match source {
            Source::Ours => false,
            Source::Peer(from, was) => {
                // Who is known by his address alone may be an old phone of the same host.
                let host = |peer: &SocketAddr| !self.exact && peer.ip() == from.ip();
                if line.retired.contains(&from) && !self.named.get(&by).is_some_and(host) {
                    add("another source has followed this one".into());
                }
                let shift =
                    (from, sequence.wrapping_sub(was.sequence), timestamp.wrapping_sub(was.timestamp));
                let keeps = line.shift == Some(shift);
                let other = line.shift.map(|(old, ..)| old).filter(|old| *old != from);
                if !keeps && other.is_none() && !line.may_shift {
                    add(format!("its distance was {:?}", line.shift));
                }
                line.retired.extend(other);
                line.shift = Some(shift);
                keeps
            }
        };
        if !keeps {
            let since = |(before, at): (u32, Time)| {
                let passed = now.since(at).as_micros() as u64 * UNITS / 1000;
                (passed, timestamp.wrapping_sub(before) as i32)
            };
            let (passed, ahead) = since(line.sound);
            let fits =
                |(passed, ahead): (u64, i32)| ahead > 0 && (ahead as u64).abs_diff(passed) <= self.tolerance;
            let is_after_key = line.key.is_none_or(|key| since(key).1 > 0);
            let goes_on =
                is_after_key && (fits((passed, ahead)) || line.key.is_some_and(|key| fits(since(key))));
            if sequence != next && !line.uncounted {
                add(format!("the next number was {next}"));
            }
            // A key's timestamp is that of its beginning.
            if !EVENTS.contains(&kind) && !goes_on {
                add(format!("{passed} units have passed, its timestamp has advanced by {ahead}"));
            }
        }
        line.may_shift = source == Source::Ours || (line.may_shift && keeps);
        line.ours |= source == Source::Ours;
        line.uncounted = false;
        line.follow(now, header);
        line.said.say(sequence, source);
    }
}

impl Line {
    /// The newest number and sound, where this is newer.
    fn follow(&mut self, now: Time, header: Header) {
        if header.sequence.wrapping_sub(self.top) < 0x8000 && header.sequence != self.top {
            self.top = header.sequence;
            if !EVENTS.contains(&header.kind) {
                (self.sound, self.key) = ((header.timestamp, now), None);
            } else if (header.timestamp.wrapping_sub(self.key.unwrap_or(self.sound).0) as i32) > 0 {
                self.key = Some((header.timestamp, now));
            }
        }
    }

    fn first(now: Time, source: Source, header: Header) -> Self {
        let shift = match source {
            Source::Ours => None,
            Source::Peer(from, was) => Some((
                from,
                header.sequence.wrapping_sub(was.sequence),
                header.timestamp.wrapping_sub(was.timestamp),
            )),
        };
        Self {
            ssrc: header.ssrc,
            top: header.sequence,
            sound: (header.timestamp, now),
            key: None,
            shift,
            may_shift: source == Source::Ours,
            ours: source == Source::Ours,
            uncounted: false,
            retired: Set::default(),
            said: Said::new(header.sequence, source),
        }
    }
}

/// The same packet, perhaps doubled by the network.
fn same(a: &Source, b: &Source) -> bool {
    matches!((a, b), (Source::Peer(..), Source::Peer(..))) && a == b
}
