//! A key that is pressed (RFC 4733) is heard once: one timestamp for all its packets, whatever becomes of its stream, and
//! an end. Where its peer was lost in the middle of it, the end comes from us.

use super::Complaints;
use super::line::{EVENTS, Header, Source};
use crate::maps::{Map, Set};
use relay_values::{Carries, Duration, Leg, RelayCommand, SessionId, Time};
use std::net::SocketAddr;

/// How long after its peer was taken for lost a key may wait for its end.
const ENDS: Duration = Duration::from_millis(200);
/// And after its last packet, where its peer may come back: longer than any of our regions is frozen.
const COMES_BACK: Duration = Duration::from_secs(15);

#[derive(Debug)]
pub(super) struct Keys {
    /// A network that loses ends makes keys without one.
    lossless: bool,
    /// Our timestamp of each key of a peer's.
    known: Map<(SessionId, Leg, SocketAddr, u32), u32>,
    /// Keys without an end.
    open: Map<(SessionId, Leg, u32), Open>,
    /// Keys with one.
    ended: Set<(SessionId, Leg, u32)>,
    /// Who is on hold, or has a fax: of what still comes nothing has to end.
    deaf: Set<(SessionId, Leg)>,
}

#[derive(Debug)]
struct Open {
    call: Option<usize>,
    last: Time,
    /// Its peer was taken for lost in the middle of it.
    lost: bool,
    /// Its sender has begun another since: what is missing of its end was lost before, on the way here.
    followed: bool,
}

impl Keys {
    pub(super) fn new(lossless: bool) -> Self {
        Self {
            lossless,
            known: Map::default(),
            open: Map::default(),
            ended: Set::default(),
            deaf: Set::default(),
        }
    }

    pub(super) fn command(&mut self, now: Time, command: &RelayCommand) {
        match command {
            RelayCommand::Bridge { session, leg, .. } => {
                for ((of, by, _), open) in &mut self.open {
                    if of == session && *by == leg.other() && !open.followed {
                        (open.last, open.lost) = (open.last.max(now), true);
                    }
                }
            }
            RelayCommand::Connect { session, leg, to } => {
                let fax = to.carries == Carries::Datagrams;
                // Whoever is put on hold, or gets a fax, hears no more of it.
                if !to.direction.sends() || fax {
                    self.open.retain(|(of, by, _), _| of != session || by != leg);
                    self.deaf.insert((*session, *leg));
                } else {
                    self.deaf.remove(&(*session, *leg));
                }
                // Speech after a fax is a stream of its own.
                if fax {
                    self.known.retain(|(of, ..), _| of != session);
                }
            }
            // Who is left for another hears no end; the other has heard no begin.
            RelayCommand::Retarget { session, leg, .. } | RelayCommand::Renew { session, leg, .. } => {
                self.open.retain(|(of, by, _), _| of != session || by != leg);
            }
            RelayCommand::Open(_) | RelayCommand::Place { .. } | RelayCommand::Release { .. } => {}
        }
    }

    pub(super) fn released(&mut self, session: SessionId) {
        self.open.retain(|(of, ..), _| *of != session);
        self.ended.retain(|(of, ..)| *of != session);
        self.deaf.retain(|(of, _)| *of != session);
        self.known.retain(|(of, ..), _| *of != session);
    }

    pub(super) fn heard(
        &mut self,
        now: Time,
        call: Option<usize>,
        by: (SessionId, Leg),
        source: Source,
        packet: (Header, &[u8]),
        complaints: &mut Complaints,
    ) {
        let (header, bytes) = packet;
        if !EVENTS.contains(&header.kind) || self.deaf.contains(&by) {
            return;
        }
        if let Source::Peer(from, was) = source {
            let ours = *self.known.entry((by.0, by.1, from, was.timestamp)).or_insert(header.timestamp);
            if ours != header.timestamp {
                let text = format!("a key is heard twice: at {ours} and at {}", header.timestamp);
                complaints.add(now, call, "keys", text);
            }
        }
        let key = (by.0, by.1, header.timestamp);
        if bytes.get(13).is_some_and(|flags| flags & 0x80 != 0) {
            self.open.remove(&key);
            self.ended.insert(key);
        } else if !self.ended.contains(&key) {
            // All packets of a key bear the timestamp of its begin (RFC 4733 §2.3), so that they are told apart and ordered.
            let is_later =
                |than: u32| header.timestamp != than && header.timestamp.wrapping_sub(than) < 1 << 31;
            for ((of, to, before), open) in &mut self.open {
                open.followed |= (*of, *to) == by && !open.lost && is_later(*before);
            }
            let new = Open { call, last: now, lost: false, followed: false };
            self.open.entry(key).or_insert(new).last = now;
        }
    }

    pub(super) fn clock(&mut self, now: Time, complaints: &mut Complaints) {
        let lossless = self.lossless;
        self.open.retain(|(_, by, timestamp), open| {
            let waits =
                now.since(open.last) < if open.lost { ENDS } else { COMES_BACK } || !(lossless || open.lost);
            if !waits {
                let text = format!("{by:?} has heard no end of the key at {timestamp}");
                complaints.add(now, open.call, "keys", text);
            }
            waits
        });
    }
}
