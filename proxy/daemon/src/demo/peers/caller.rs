//! The carrier: it calls, speaks, listens and hangs up.

use super::ear::Ear;
use super::script::DYING;
use super::voice::{self, PACKET_TIME, Speaker, Voice};
use super::write::{self, home, number, response, serial_of};
use super::{Alarm, Desk, Line, T1, T2};
use crate::demo::ledger::{End, Entry};
use crate::demo::timeline::Timeline;
use sip_wire::{HeaderName, Message, Method};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Calls that speak at once: 84 × 2 directions × 50 packets/s are 8,400 packets/s through the relay, which leaves the
/// rest of a small machine to whoever else works there.
const MOST_SPEAKING: usize = 84;

/// Of these, how many stay up until the region dies and after it: enough for a median and a worst case.
const MOST_STAYING: usize = 60;

/// The carrier.
pub(super) struct Caller {
    line: Line,
    appliance: SocketAddr,
    run: u64,
    timeline: Timeline,
    start: Instant,
    calls: Vec<Call>,
    speaking: usize,
    staying: usize,
    /// Whose packets come from where.
    by_media: HashMap<SocketAddr, u32>,
}

/// The carrier's side of one call.
struct Call {
    state: State,
    to: Vec<u8>,
    target: Vec<u8>,
    voice: Option<Voice>,
    ear: Ear,
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
    pub(super) fn new(line: Line, appliance: SocketAddr, run: u64, timeline: Timeline) -> Self {
        Self {
            line,
            appliance,
            run,
            timeline,
            start: Instant::now(),
            calls: Vec::new(),
            speaking: 0,
            staying: 0,
            by_media: HashMap::new(),
        }
    }

    /// The play begins.
    pub(super) fn begin(&mut self, start: Instant) {
        self.start = start;
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
        // Those that stay are called where the region dies.
        let early = desk.now < self.start + self.timeline.last_to_stay;
        let stays = speaks && early && home(serial) == DYING && self.staying < MOST_STAYING;
        self.staying += usize::from(stays);
        self.speaking += usize::from(speaks);
        let (to, target) = (Vec::new(), Vec::new());
        let ear = Ear::default();
        self.calls.push(Call { state: State::Calling, to, target, voice: None, ear, speaks });
        desk.ledger.calls.push(Entry::new(desk.now, speaks, stays));
        self.say(serial, |who, media| who.invite(media));
        desk.alarms.set(desk.now + T1, Alarm::Invite(serial, T1));
    }

    pub(super) fn invite_again(&mut self, desk: &mut Desk, serial: u32, passed: Duration) {
        if self.state(serial) == Some(State::Calling) {
            self.say(serial, |who, media| who.invite(media));
            desk.alarms.set(desk.now + passed * 2, Alarm::Invite(serial, passed * 2));
        }
    }

    /// The caller has said everything.
    pub(super) fn hang_up(&mut self, desk: &mut Desk, serial: u32) {
        let Some(entry) = desk.ledger.get(serial) else { return };
        if self.state(serial) == Some(State::Up) {
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

    pub(super) fn hears(&mut self, desk: &mut Desk, now: Instant, packet: &[u8], from: SocketAddr) {
        let Some(packet) = voice::heard(packet) else { return };
        let Some(serial) = self.by_media.get(&from).copied() else { return };
        let call = self.calls.get_mut(serial as usize);
        // A call without a voice is over, and these are its last packets.
        let (Some(entry), Some(call)) = (desk.ledger.get(serial), call.filter(|call| call.voice.is_some()))
        else {
            return;
        };
        match packet.mark {
            Some(mark) if mark.serial != serial || mark.who == Speaker::Caller => entry.foreign += 1,
            mark => {
                entry.caller_heard += u32::from(mark.is_some());
                let verdict = call.ear.hears(now, packet);
                entry.breaks += u32::from(verdict.breaks);
                // One that was rescued before its answer is not of interest.
                if entry.lost_its_region && entry.gap.is_none() {
                    entry.gap = verdict.gap;
                }
            }
        }
    }

    /// A message from the appliance.
    pub(super) fn message(&mut self, desk: &mut Desk, message: &Message, from: SocketAddr) {
        if let Some(serial) = serial_of(message)
            && self.state(serial) == Some(State::Up)
            && let Some(entry) = desk.ledger.get(serial)
        {
            entry.sip_in_move += u32::from(entry.lost_its_region);
        }
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
                self.by_media.insert(to, serial);
                desk.alarms.set(desk.now, Alarm::Speak(serial));
            }
            let mut until = desk.now + desk.dice.between(self.timeline.talk);
            if let Some(entry) = desk.ledger.get(serial) {
                entry.answered = Some(desk.now);
                if entry.stays {
                    until = self.start + self.timeline.stay;
                }
            }
            desk.alarms.set(until, Alarm::HangUp(serial));
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
