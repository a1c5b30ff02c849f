//! The carrier: it calls, speaks, listens and hangs up.

use super::voice::{self, PACKET_TIME, Speaker, Voice};
use super::write::{self, number, response, serial_of};
use super::{Alarm, Desk, Line, T1, T2};
use crate::demo::ledger::{End, Entry};
use sip_wire::{HeaderName, Message, Method};
use std::net::SocketAddr;
use std::time::Duration;

/// Calls that speak at once: 64 × 2 directions × 50 packets/s are 6,400 packets/s through the relay, which leaves the
/// rest of a small machine to whoever else works there.
const MOST_SPEAKING: usize = 64;

/// The carrier.
pub(super) struct Caller {
    line: Line,
    appliance: SocketAddr,
    run: u64,
    talk: (Duration, Duration),
    calls: Vec<Call>,
    speaking: usize,
}

/// The carrier's side of one call.
struct Call {
    state: State,
    to: Vec<u8>,
    target: Vec<u8>,
    voice: Option<Voice>,
    /// Counts among those that speak.
    speaks: bool,
}

/// Where a call stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// INVITE sent, no response.
    Calling,
    /// 100 or more.
    Proceeding,
    Up,
    /// BYE sent.
    Leaving,
    Over,
}

impl Caller {
    pub(super) fn new(line: Line, appliance: SocketAddr, run: u64, talk: (Duration, Duration)) -> Self {
        Self { line, appliance, run, talk, calls: Vec::new(), speaking: 0 }
    }

    pub(super) fn line(&self) -> &Line {
        &self.line
    }

    /// Whether no call is left.
    pub(super) fn is_idle(&self) -> bool {
        self.calls.iter().all(|call| call.state == State::Over)
    }

    /// Places the next call.
    pub(super) fn place(&mut self, desk: &mut Desk) {
        let serial = self.calls.len() as u32;
        let speaks = self.speaking < MOST_SPEAKING;
        self.speaking += usize::from(speaks);
        let (to, target) = (Vec::new(), Vec::new());
        self.calls.push(Call { state: State::Calling, to, target, voice: None, speaks });
        desk.ledger.calls.push(Entry::new(desk.now, speaks));
        self.say(serial, |who, media| who.invite(media));
        desk.alarms.set(desk.now + T1, Alarm::Invite(serial, T1));
    }

    pub(super) fn invite_again(&mut self, desk: &mut Desk, serial: u32, passed: Duration) {
        if self.state(serial) == Some(State::Calling) {
            self.say(serial, |who, media| who.invite(media));
            desk.alarms.set(desk.now + passed * 2, Alarm::Invite(serial, passed * 2));
        }
    }

    /// The caller has said everything. One whose callee's region has died hears nothing and stays on the line: it is
    /// the appliance that has to notice.
    pub(super) fn hang_up(&mut self, desk: &mut Desk, serial: u32) {
        let Some(entry) = desk.ledger.get(serial) else { return };
        if self.state(serial) == Some(State::Up) && !entry.lost_its_region {
            entry.end = Some(End::HungUp);
            self.leave(serial, State::Leaving);
            self.say(serial, |who, _| who.bye());
            desk.alarms.set(desk.now + T1, Alarm::Bye(serial, T1));
        }
    }

    pub(super) fn bye_again(&mut self, desk: &mut Desk, serial: u32, passed: Duration) {
        if self.state(serial) == Some(State::Leaving) {
            self.say(serial, |who, _| who.bye());
            let next = (passed * 2).min(T2);
            desk.alarms.set(desk.now + next, Alarm::Bye(serial, next));
        }
    }

    pub(super) fn speak(&mut self, desk: &mut Desk, serial: u32) {
        let Some(voice) = self.calls.get_mut(serial as usize).and_then(|call| call.voice.as_mut()) else {
            return;
        };
        voice.speak(&self.line);
        desk.alarms.set(desk.now + PACKET_TIME, Alarm::Speak(serial));
    }

    pub(super) fn hears(&mut self, desk: &mut Desk, packet: &[u8], from: SocketAddr) {
        let Some((who, serial)) = voice::heard(packet) else { return };
        let Some(entry) = desk.ledger.get(serial) else { return };
        let voice = self.calls.get(serial as usize).and_then(|call| call.voice.as_ref());
        match voice {
            Some(voice) if who == Speaker::Callee as u8 && voice.to() == from => entry.caller_heard += 1,
            Some(_) => entry.foreign += 1,
            // The last packets of a call that is over.
            None => {}
        }
    }

    /// A message from the appliance.
    pub(super) fn message(&mut self, desk: &mut Desk, message: &Message, from: SocketAddr) {
        if message.is_request() {
            self.request(desk, message, from);
            return;
        }
        let (Some(serial), Some(code)) = (serial_of(message), message.code()) else { return };
        match (message.method(), code) {
            (Method::Invite, ..200) => self.progress(desk, serial, code),
            (Method::Invite, 200..300) => self.answer(desk, serial, message),
            (Method::Invite, _) => self.refusal(desk, serial, code, message),
            (Method::Bye, 200..) if self.state(serial) == Some(State::Leaving) => {
                self.leave(serial, State::Over)
            }
            _ => {}
        }
    }

    fn progress(&mut self, desk: &mut Desk, serial: u32, code: u16) {
        let Some(call) = self.calls.get_mut(serial as usize) else { return };
        if matches!(call.state, State::Calling | State::Proceeding) {
            call.state = State::Proceeding;
            if let (Some(entry), true) = (desk.ledger.get(serial), code > 100) {
                entry.progress(desk.now);
            }
        }
    }

    fn answer(&mut self, desk: &mut Desk, serial: u32, answer: &Message) {
        self.progress(desk, serial, 200);
        let Some(call) = self.calls.get_mut(serial as usize) else { return };
        if matches!(call.state, State::Calling | State::Proceeding) {
            call.state = State::Up;
            call.to = answer.header(HeaderName::To).unwrap_or_default().to_vec();
            let contact = answer.contact().ok().flatten();
            call.target = contact.map(|contact| contact.uri.to_vec()).unwrap_or_default();
            if let (true, Some(to)) = (call.speaks, voice::audio_of(answer)) {
                call.voice = Some(Voice::new(to, serial, Speaker::Caller, desk.dice.roll()));
                desk.alarms.set(desk.now, Alarm::Speak(serial));
            }
            if let Some(entry) = desk.ledger.get(serial) {
                entry.answered = Some(desk.now);
            }
            desk.alarms.set(desk.now + desk.dice.between(self.talk), Alarm::HangUp(serial));
        }
        // A repeated 2xx is acknowledged again (RFC 3261 §13.2.2.4).
        self.say(serial, |who, _| who.ack());
    }

    fn refusal(&mut self, desk: &mut Desk, serial: u32, code: u16, refusal: &Message) {
        let Some(call) = self.calls.get_mut(serial as usize) else { return };
        call.to = refusal.header(HeaderName::To).unwrap_or_default().to_vec();
        if matches!(call.state, State::Calling | State::Proceeding) {
            if let Some(entry) = desk.ledger.get(serial) {
                entry.end = Some(End::Refused(code));
            }
            self.leave(serial, State::Over);
        }
        self.say(serial, |who, _| who.ack_refusal());
    }

    fn request(&mut self, desk: &mut Desk, request: &Message, from: SocketAddr) {
        let serial = serial_of(request);
        let call = serial.and_then(|serial| self.calls.get(serial as usize).map(|call| (serial, call.state)));
        let code = match (request.method(), call) {
            (Method::Ack, _) => return,
            (Method::Options, _) => 200,
            (Method::Bye, Some((serial, State::Up))) => {
                let reason = request.header(HeaderName::Reason).unwrap_or(b"without a reason");
                if let Some(entry) = desk.ledger.get(serial) {
                    entry.end = Some(End::Dropped(String::from_utf8_lossy(reason).into_owned()));
                }
                self.leave(serial, State::Over);
                200
            }
            (Method::Bye, Some((_, State::Leaving | State::Over))) => 200,
            (Method::Bye, _) => 481,
            _ => 501,
        };
        self.line.send(from, &response(request, code, "carrier").finish());
    }

    /// The call is not up any more.
    fn leave(&mut self, serial: u32, state: State) {
        let Some(call) = self.calls.get_mut(serial as usize) else { return };
        self.speaking -= usize::from(std::mem::take(&mut call.speaks));
        (call.state, call.voice) = (state, None);
    }

    fn state(&self, serial: u32) -> Option<State> {
        self.calls.get(serial as usize).map(|call| call.state)
    }

    /// Sends a message in a call.
    fn say(&self, serial: u32, write: impl FnOnce(&write::Caller<'_>, SocketAddr) -> bytes::Bytes) {
        let Some(call) = self.calls.get(serial as usize) else { return };
        let who = write::Caller {
            serial,
            run: self.run,
            number: &number(serial),
            at: self.line.sip_at(),
            appliance: self.appliance,
            to: (!call.to.is_empty()).then_some(&call.to),
            target: (!call.target.is_empty()).then_some(&call.target),
        };
        self.line.send(self.appliance, &write(&who, self.line.rtp_at()));
    }
}
