//! The calling side: INVITE, ACK, hold, BYE, for as many calls at once as there are slots.

use super::clock::{CallNo, Clock, Fifo, MS, Nanos, STAGES, T2, backoff};
use super::media::{Side, Voices};
use super::pace::Pace;
use super::port::{Port, Tx};
use super::scan::{Scan, numbers};
use super::tally::{Step, Trace, UacTally};
use super::uas::response_to;
use super::write;
use std::io;
use std::net::SocketAddr;

/// Calls placed before the loop looks at its sockets again.
const BURST: u64 = 32;

/// What carries messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Over {
    /// Datagrams.
    #[default]
    Udp,
    /// A connection.
    Tcp,
    /// A connection that nobody else reads.
    Tls,
}

impl Over {
    /// As Via has it.
    pub(super) const fn via(self) -> &'static [u8] {
        match self {
            Self::Udp => b"UDP",
            Self::Tcp => b"TCP",
            Self::Tls => b"TLS",
        }
    }

    /// As a Contact has it.
    pub(super) const fn parameter(self) -> &'static [u8] {
        match self {
            Self::Udp => b"",
            Self::Tcp => b";transport=tcp",
            Self::Tls => b";transport=tls",
        }
    }
}

/// What the calling side is told.
#[derive(Debug, Clone)]
pub struct UacConfig {
    /// Our address.
    pub bind: SocketAddr,
    /// The device.
    pub to: SocketAddr,
    /// What carries the messages.
    pub over: Over,
    /// User part of the Request-URI and of To.
    pub number: String,
    /// From answer to BYE; `None`: calls stay up.
    pub hold: Option<Nanos>,
    /// How long before the BYE both sides stop sending media.
    pub hush: Nanos,
    /// Which calls carry media: every n-th; 0: none.
    pub media_every: u64,
    /// Keep a [`Trace`] of every call.
    pub trace: bool,
    /// A number that no earlier run has had: it stands in Call-IDs, tags and branches, which a device may remember.
    pub run: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Free,
    Calling,
    Proceeding,
    Up,
    Byeing,
}

#[derive(Debug)]
struct Call {
    state: State,
    serial: u32,
    rung: bool,
    media: bool,
    step: u16,
    stage: u8,
    placed: Nanos,
    order: u64,
    /// What requests inside the dialog repeat: To, the remote target, and the Route lines ready to send.
    to: Vec<u8>,
    target: Vec<u8>,
    routes: Vec<u8>,
}

/// The calling side.
#[derive(Debug)]
pub struct Uac {
    /// Counts.
    pub tally: UacTally,
    port: Port,
    config: UacConfig,
    calls: Vec<Call>,
    free: Vec<u32>,
    invite_timers: [Fifo; STAGES],
    bye_timers: [Fifo; STAGES],
    hold: Fifo,
    pace: Option<(Pace, Nanos)>,
    paced: u64,
    live: u64,
    up: u64,
}

impl Uac {
    /// Bind the socket.
    ///
    /// # Errors
    ///
    /// What the system says about binding.
    pub fn new(config: UacConfig) -> io::Result<Self> {
        let tally = UacTally { traces: config.trace.then(Vec::new), ..UacTally::default() };
        Ok(Self {
            tally,
            port: Port::bind(config.bind)?,
            hold: Fifo::new(config.hold.unwrap_or(u64::MAX)),
            config,
            calls: Vec::new(),
            free: Vec::new(),
            invite_timers: backoff(u64::MAX),
            bye_timers: backoff(T2),
            pace: None,
            paced: 0,
            live: 0,
            up: 0,
        })
    }

    /// The socket.
    pub fn port(&self) -> &Port {
        &self.port
    }

    /// Datagrams that our own send queue refused.
    pub fn refused(&self) -> u64 {
        self.port.tx.refused
    }

    /// Begin to place calls.
    pub fn begin(&mut self, now: Nanos, pace: Pace) {
        self.tally.steps.clear();
        self.paced = 0;
        self.pace = Some((pace, now));
    }

    /// Place no more calls.
    pub fn stop(&mut self) {
        self.pace = None;
    }

    /// Whether a pace is under way.
    pub fn is_placing(&self) -> bool {
        self.pace.is_some()
    }

    /// Calls not yet over.
    pub fn live(&self) -> u64 {
        self.live
    }

    /// Calls that are answered and not yet ending.
    pub fn up(&self) -> u64 {
        self.up
    }

    /// Whether the call in this slot is up: answered, and ended by nobody.
    pub fn is_up(&self, slot: u32) -> bool {
        self.calls.get(slot as usize).is_some_and(|call| call.state == State::Up)
    }

    /// End the calls that are up.
    pub fn hang_up(&mut self, now: Nanos) {
        self.hold.hurry();
        if self.config.hold.is_none() {
            for slot in 0..self.calls.len() {
                let serial = self.calls[slot].serial;
                self.bye(now, CallNo { slot: slot as u32, serial });
            }
        }
    }

    /// Calls that are not over are failures now.
    pub fn give_up(&mut self) {
        for slot in 0..self.calls.len() as u32 {
            let reason = match self.calls[slot as usize].state {
                State::Free => continue,
                State::Calling => "no_response",
                State::Proceeding => "no_final_response",
                State::Up => "left_up",
                State::Byeing => "bye_unanswered",
            };
            self.fail(slot, reason);
        }
    }

    /// Place what is due, run timers, read what came. Whether there was anything to do.
    pub fn turn(&mut self, clock: &Clock, media: &mut dyn Voices) -> bool {
        let mut busy = self.place(clock.now());
        for _ in 0..4 {
            let n = self.port.rx.recv();
            if n == 0 {
                break;
            }
            busy = true;
            let now = clock.now();
            let Self { tally, port, config, calls, free, hold, live, up, bye_timers: _, .. } = self;
            let mut on = Receiver { now, tally, config, calls, free, hold, live, up, media };
            for datagram in port.rx.datagrams() {
                on.tally.received += 1;
                match Scan::read(datagram.bytes) {
                    Some(scan) if scan.code != 0 => on.response(&mut port.tx, &scan),
                    Some(scan) => on.request(&mut port.tx, datagram.from, &scan),
                    None => on.tally.strays += 1,
                }
            }
        }
        self.timers(clock.now());
        self.port.tx.flush();
        busy
    }

    /// When the next timer is due.
    pub fn next(&self, now: Nanos) -> Nanos {
        let timers = self.invite_timers.iter().chain(&self.bye_timers).chain([&self.hold]);
        let timer = timers.filter_map(Fifo::next).min().unwrap_or(Nanos::MAX);
        // While placing, half a millisecond is close enough to the rate.
        let pace = if self.pace.is_some() { now + MS / 2 } else { Nanos::MAX };
        timer.min(pace).min(if self.port.tx.is_empty() { Nanos::MAX } else { now })
    }

    fn place(&mut self, now: Nanos) -> bool {
        let Some((pace, began)) = &self.pace else { return false };
        let Some((due, step)) = pace.due(now - began) else {
            self.pace = None;
            return false;
        };
        while self.tally.steps.len() <= step {
            let rate = pace.rate(self.tally.steps.len());
            self.tally.steps.push(Step { rate, ..Step::default() });
        }
        let behind = due.saturating_sub(self.paced);
        self.tally.behind = self.tally.behind.max(behind);
        for _ in 0..behind.min(BURST) {
            self.paced += 1;
            self.invite(now, step);
        }
        behind > 0
    }

    fn invite(&mut self, now: Nanos, step: usize) {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.calls.push(Call {
                state: State::Free,
                serial: 0,
                rung: false,
                media: false,
                step: 0,
                stage: 0,
                placed: 0,
                order: 0,
                to: Vec::new(),
                target: Vec::new(),
                routes: Vec::new(),
            });
            self.calls.len() as u32 - 1
        });
        let every = self.config.media_every;
        let call = &mut self.calls[slot as usize];
        call.serial = call.serial.wrapping_add(1);
        call.state = State::Calling;
        call.rung = false;
        call.media = every > 0 && self.tally.placed.is_multiple_of(every);
        call.step = step as u16;
        call.stage = 0;
        call.placed = now;
        call.order = self.tally.placed;
        let no = CallNo { slot, serial: call.serial };
        self.tally.placed += 1;
        self.tally.steps[step].placed += 1;
        if let Some(traces) = &mut self.tally.traces {
            traces.push(Trace { placed: now, progress: None, answered: None, failed: false });
        }
        self.live += 1;
        self.send_invite(no);
        self.invite_timers[0].start(now, no);
    }

    fn send_invite(&mut self, no: CallNo) {
        let (config, local, media) = (&self.config, self.port.local(), self.calls[no.slot as usize].media);
        self.port.tx.write(config.to, |b| write::invite(b, config, local, no, media));
    }

    fn bye(&mut self, now: Nanos, no: CallNo) {
        let call = &mut self.calls[no.slot as usize];
        if call.serial != no.serial || call.state != State::Up {
            return;
        }
        call.state = State::Byeing;
        call.stage = 0;
        self.up -= 1;
        self.send_bye(no);
        self.bye_timers[0].start(now, no);
    }

    fn send_bye(&mut self, no: CallNo) {
        let (config, local, call) = (&self.config, self.port.local(), &self.calls[no.slot as usize]);
        self.port.tx.write(config.to, |b| {
            write::in_dialog(b, b"BYE", 2, config, local, no, &call.target, &call.to, &call.routes);
        });
    }

    fn timers(&mut self, now: Nanos) {
        while let Some(no) = self.hold.pop(now) {
            self.bye(now, no);
        }
        for stage in 0..STAGES {
            while let Some(no) = self.invite_timers[stage].pop(now) {
                self.again(now, no, stage, State::Calling);
            }
            while let Some(no) = self.bye_timers[stage].pop(now) {
                self.again(now, no, stage, State::Byeing);
            }
        }
    }

    /// A retransmission timer has fired.
    fn again(&mut self, now: Nanos, no: CallNo, stage: usize, of: State) {
        let call = &mut self.calls[no.slot as usize];
        if call.serial != no.serial || call.state != of {
            return;
        }
        if stage + 1 == STAGES {
            self.fail(no.slot, if of == State::Calling { "no_response" } else { "bye_unanswered" });
            return;
        }
        call.stage += 1;
        self.tally.retransmitted += 1;
        if let Some(step) = self.tally.steps.get_mut(call.step as usize) {
            step.retransmissions += 1;
        }
        let timers = if of == State::Calling {
            self.send_invite(no);
            &mut self.invite_timers
        } else {
            self.send_bye(no);
            &mut self.bye_timers
        };
        timers[stage + 1].start(now, no);
    }

    fn fail(&mut self, slot: u32, reason: &str) {
        let call = &mut self.calls[slot as usize];
        if call.state == State::Up {
            self.up -= 1;
        }
        call.state = State::Free;
        self.free.push(slot);
        self.live -= 1;
        count_failure(&mut self.tally, call, reason);
    }
}

fn count_failure(tally: &mut UacTally, call: &Call, reason: &str) {
    tally.fail(reason);
    if let Some(step) = tally.steps.get_mut(call.step as usize) {
        step.failed += 1;
    }
    if let Some(trace) = tally.traces.as_mut().and_then(|t| t.get_mut(call.order as usize)) {
        trace.failed = true;
    }
}

/// The parts of the calling side that a response may change, apart from the socket it is read from.
struct Receiver<'a> {
    now: Nanos,
    tally: &'a mut UacTally,
    config: &'a UacConfig,
    calls: &'a mut Vec<Call>,
    free: &'a mut Vec<u32>,
    hold: &'a mut Fifo,
    live: &'a mut u64,
    up: &'a mut u64,
    media: &'a mut dyn Voices,
}

impl Receiver<'_> {
    fn response(&mut self, tx: &mut Tx, scan: &Scan<'_>) {
        let Some((slot, serial)) = numbers(scan.call_id) else {
            self.tally.strays += 1;
            return;
        };
        let no = CallNo { slot, serial };
        let Some(call) = self.calls.get_mut(slot as usize) else {
            self.tally.strays += 1;
            return;
        };
        if call.serial != serial || call.state == State::Free {
            // A response to a call that is over: its device has sent it again.
            self.tally.duplicates += u64::from(scan.code >= 200);
            return;
        }
        match (scan.method, scan.code) {
            (b"INVITE", ..200) => self.provisional(slot, scan),
            (b"INVITE", 200..300) => self.answer(tx, no, scan),
            (b"INVITE", _) => self.refuse(tx, no, scan),
            (b"BYE", 200..) if call.state == State::Byeing => {
                call.state = State::Free;
                self.free.push(slot);
                *self.live -= 1;
                if scan.code < 300 {
                    self.tally.completed += 1;
                } else {
                    count_failure(self.tally, call, &format!("bye_{}", scan.code));
                }
            }
            _ => {}
        }
    }

    fn provisional(&mut self, slot: u32, scan: &Scan<'_>) {
        let call = &mut self.calls[slot as usize];
        if call.state == State::Calling {
            call.state = State::Proceeding;
        }
        if scan.code > 100 {
            self.progress(slot);
        }
    }

    /// The first response above 100.
    fn progress(&mut self, slot: u32) {
        let call = &mut self.calls[slot as usize];
        if !call.rung {
            call.rung = true;
            self.tally.pdd.record(self.now - call.placed);
            if let Some(trace) = self.tally.traces.as_mut().and_then(|t| t.get_mut(call.order as usize)) {
                trace.progress = Some(self.now);
            }
        }
    }

    fn answer(&mut self, tx: &mut Tx, no: CallNo, scan: &Scan<'_>) {
        self.progress(no.slot);
        let call = &mut self.calls[no.slot as usize];
        if matches!(call.state, State::Calling | State::Proceeding) {
            call.state = State::Up;
            *self.up += 1;
            self.tally.answered += 1;
            if let Some(trace) = self.tally.traces.as_mut().and_then(|t| t.get_mut(call.order as usize)) {
                trace.answered = Some(self.now);
            }
            call.to.clear();
            call.to.extend_from_slice(scan.to);
            call.target.clear();
            call.target.extend_from_slice(scan.contact);
            call.routes.clear();
            for route in scan.routes().rev() {
                for part in [&b"Route: "[..], route, b"\r\n"] {
                    call.routes.extend_from_slice(part);
                }
            }
            if self.config.hold.is_some() {
                self.hold.start(self.now, no);
            }
            if let (true, Some(to)) = (call.media, scan.media()) {
                let talk = self.config.hold.map(|h| h.saturating_sub(self.config.hush));
                self.media.start(Side::A, no.slot, to, self.now, talk);
            }
        } else {
            self.tally.duplicates += 1;
            if let Some(step) = self.tally.steps.get_mut(call.step as usize) {
                step.retransmissions += 1;
            }
        }
        let (config, local) = (self.config, self.config.bind);
        tx.write(config.to, |b| {
            write::in_dialog(b, b"ACK", 1, config, local, no, &call.target, &call.to, &call.routes);
        });
    }

    /// The device asks for something inside a call: it ends it, or would have its media elsewhere.
    fn request(&mut self, tx: &mut Tx, from: SocketAddr, scan: &Scan<'_>) {
        self.tally.requests += 1;
        let known = numbers(scan.call_id).filter(|(slot, serial)| {
            self.calls.get(*slot as usize).is_some_and(|c| c.serial == *serial && c.state != State::Free)
        });
        let local = self.config.bind;
        let mut respond = |status: &[u8], no: Option<CallNo>| {
            tx.write(from, |b| response_to(b, scan, status, no, local, no.is_some(), scan.method));
        };
        let Some((slot, serial)) = known else {
            self.tally.strays += 1;
            return respond(b"481 Call/Transaction Does Not Exist", None);
        };
        match scan.method {
            b"ACK" => {}
            b"INVITE" => respond(b"200 OK", Some(CallNo { slot, serial })),
            b"BYE" => {
                respond(b"200 OK", None);
                let call = &mut self.calls[slot as usize];
                if call.state == State::Up {
                    *self.up -= 1;
                    *self.live -= 1;
                    call.state = State::Free;
                    self.free.push(slot);
                    self.media.stop(Side::A, slot);
                    count_failure(self.tally, call, "ended_by_the_device");
                }
            }
            _ => respond(b"200 OK", None),
        }
    }

    fn refuse(&mut self, tx: &mut Tx, no: CallNo, scan: &Scan<'_>) {
        let config = self.config;
        tx.write(config.to, |b| write::ack_refusal(b, config, config.bind, no, scan.to));
        let call = &mut self.calls[no.slot as usize];
        if matches!(call.state, State::Calling | State::Proceeding) {
            call.state = State::Free;
            self.free.push(no.slot);
            *self.live -= 1;
            count_failure(self.tally, call, &scan.code.to_string());
        }
    }
}
