//! One region: its phones ring, are picked up, speak once they hear somebody, and can die.

use super::alarms::Phone;
use super::voice::{self, Mark, PACKET_TIME, Speaker, Voice};
use super::write::{callee_says, continues, response, serial_in};
use super::{Alarm, Desk, Line, Region, T1, T2};
use crate::demo::args::How;
use bytes::Bytes;
use sip_wire::{Message, Method, Uri};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

/// A region.
pub(super) struct Callee {
    region: Region,
    life: Life,
    ring: (Duration, Duration),
    legs: Vec<Leg>,
    by_call_id: HashMap<Bytes, usize>,
    by_serial: HashMap<u32, usize>,
}

/// Whether the region lives.
enum Life {
    Alive(Line),
    /// The sockets are open, and nobody looks at them.
    Frozen(#[expect(dead_code, reason = "holding the sockets open is what it is for")] Line),
    Gone,
}

/// The region's side of one call.
struct Leg {
    serial: u32,
    state: State,
    invite: Message,
    from: SocketAddr,
    voice: Option<Voice>,
}

/// Where a call stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Ringing,
    /// 2xx sent, no ACK.
    Answered,
    Up,
    Over,
}

impl Callee {
    pub(super) fn new(region: Region, line: Line, ring: (Duration, Duration)) -> Self {
        let (by_call_id, by_serial) = (HashMap::new(), HashMap::new());
        Self { region, life: Life::Alive(line), ring, legs: Vec::new(), by_call_id, by_serial }
    }

    /// Its sockets, while somebody looks at them.
    pub(super) fn line(&self) -> Option<&Line> {
        match &self.life {
            Life::Alive(line) => Some(line),
            Life::Frozen(_) | Life::Gone => None,
        }
    }

    pub(super) fn die(&mut self, how: How) {
        self.life = match (std::mem::replace(&mut self.life, Life::Gone), how) {
            (Life::Alive(line), How::Freeze) => Life::Frozen(line),
            _ => Life::Gone,
        };
    }

    /// A message from the appliance.
    pub(super) fn message(&mut self, desk: &mut Desk, message: &Message, from: SocketAddr) {
        if !message.is_request() {
            return;
        }
        let leg = message.call_id().ok().and_then(|id| self.by_call_id.get(id)).copied();
        match (message.method(), leg) {
            (Method::Invite, None) => self.invited(desk, message, from),
            (Method::Invite, Some(at)) => self.invited_again(at),
            (Method::Ack, Some(at)) => self.acknowledged(at),
            (Method::Ack, None) => {}
            (Method::Bye, Some(at)) => {
                self.over(at);
                self.respond(message, from, 200);
            }
            (Method::Cancel, Some(at)) => {
                self.respond(message, from, 200);
                if self.legs.get(at).is_some_and(|leg| leg.state == State::Ringing) {
                    self.over(at);
                    self.say(at, 487);
                }
            }
            (Method::Options, _) => self.respond(message, from, 200),
            (Method::Bye | Method::Cancel, None) => self.respond(message, from, 481),
            _ => self.respond(message, from, 501),
        }
    }

    fn invited(&mut self, desk: &mut Desk, invite: &Message, from: SocketAddr) {
        let user = Uri::parse(invite.uri()).ok().and_then(|uri| uri.user);
        let serial = user.and_then(|user| std::str::from_utf8(user).ok()).and_then(serial_in);
        let (Some(serial), Ok(call_id)) = (serial, invite.call_id()) else {
            return self.respond(invite, from, 404);
        };
        let at = self.legs.len();
        self.by_call_id.insert(Bytes::copy_from_slice(call_id), at);
        self.by_serial.insert(serial, at);
        self.legs.push(Leg { serial, state: State::Ringing, invite: invite.clone(), from, voice: None });
        if let Some(entry) = desk.ledger.get(serial) {
            entry.rings_in = Some(self.region);
        }
        // Whoever comes back to a call that was up elsewhere is put through at once.
        if continues(invite) {
            return self.pick_up(desk, at);
        }
        self.say(at, 180);
        desk.alarms.set(desk.now + desk.dice.between(self.ring), self.alarm(at, Phone::PickUp));
    }

    /// A retransmission: the last response again (RFC 3261 §17.2.1).
    fn invited_again(&self, at: usize) {
        match self.legs.get(at).map(|leg| leg.state) {
            Some(State::Ringing) => self.say(at, 180),
            Some(State::Answered | State::Up) => self.say(at, 200),
            Some(State::Over) => self.say(at, 487),
            None => {}
        }
    }

    /// Something that was put off is due.
    pub(super) fn due(&mut self, desk: &mut Desk, at: u32, phone: Phone) {
        match phone {
            Phone::PickUp => self.pick_up(desk, at as usize),
            Phone::Answer(passed) => self.answer_again(desk, at as usize, passed),
            Phone::Speak => self.speak(desk, at as usize),
        }
    }

    fn alarm(&self, at: usize, phone: Phone) -> Alarm {
        Alarm::Phone(self.region, at as u32, phone)
    }

    fn pick_up(&mut self, desk: &mut Desk, at: usize) {
        let alive = self.line().is_some();
        let Some(leg) = self.legs.get_mut(at).filter(|leg| alive && leg.state == State::Ringing) else {
            return;
        };
        leg.state = State::Answered;
        if let Some(entry) = desk.ledger.get(leg.serial) {
            entry.answered_by = Some(self.region);
        }
        self.say(at, 200);
        desk.alarms.set(desk.now + T1, self.alarm(at, Phone::Answer(T1)));
    }

    /// No ACK yet: the 2xx again (RFC 3261 §13.3.1.4).
    fn answer_again(&mut self, desk: &mut Desk, at: usize, passed: Duration) {
        if self.legs.get(at).is_some_and(|leg| leg.state == State::Answered) {
            self.say(at, 200);
            let next = (passed * 2).min(T2);
            desk.alarms.set(desk.now + next, self.alarm(at, Phone::Answer(next)));
        }
    }

    fn acknowledged(&mut self, at: usize) {
        if let Some(leg) = self.legs.get_mut(at).filter(|leg| leg.state == State::Answered) {
            leg.state = State::Up;
        }
    }

    /// Somebody speaks: so does the callee from now on, if it is his caller.
    pub(super) fn hears(&mut self, desk: &mut Desk, packet: &[u8], from: SocketAddr) {
        let Some(Mark { who, serial, .. }) = voice::heard(packet).and_then(|packet| packet.mark) else {
            return;
        };
        let Some(entry) = desk.ledger.get(serial) else { return };
        let Some(at) = self.by_serial.get(&serial).copied() else { return entry.foreign += 1 };
        let Some(leg) = self.legs.get_mut(at).filter(|leg| leg.state != State::Over) else { return };
        if leg.voice.is_none()
            && let Some(to) = voice::audio_of(&leg.invite)
        {
            leg.voice = Some(Voice::new(to, serial, Speaker::Callee(self.region), desk.dice.roll()));
            desk.alarms.set(desk.now, Alarm::Phone(self.region, at as u32, Phone::Speak));
        }
        let his = who == Speaker::Caller && leg.voice.as_ref().is_some_and(|voice| voice.to() == from);
        if his { entry.callee_heard += 1 } else { entry.foreign += 1 }
    }

    fn speak(&mut self, desk: &mut Desk, at: usize) {
        let Life::Alive(line) = &self.life else { return };
        let Some(voice) = self.legs.get_mut(at).and_then(|leg| leg.voice.as_mut()) else { return };
        voice.speak(line);
        desk.alarms.set(desk.now + PACKET_TIME, Alarm::Phone(self.region, at as u32, Phone::Speak));
    }

    fn over(&mut self, at: usize) {
        if let Some(leg) = self.legs.get_mut(at) {
            (leg.state, leg.voice) = (State::Over, None);
        }
    }

    /// A response to the INVITE of a leg.
    fn say(&self, at: usize, code: u16) {
        let (Some(line), Some(leg)) = (self.line(), self.legs.get(at)) else { return };
        let media = (code == 200).then_some((line.rtp_at(), leg.serial));
        let tag = format!("{}{at}", self.region.name());
        line.send(leg.from, &callee_says(&leg.invite, code, &tag, line.sip_at(), media));
    }

    fn respond(&self, request: &Message, from: SocketAddr, code: u16) {
        if let Some(line) = self.line() {
            line.send(from, &response(request, code, self.region.name()).finish());
        }
    }
}
