//! The calling side over a few connections: INVITE, ACK, BYE. Nothing is sent again, since nothing is lost on the way.

use super::clock::{CallNo, Clock, Fifo, MS, Nanos};
use super::line::Line;
use super::pace::Pace;
use super::scan::{Scan, numbers};
use super::tally::UacTally;
use super::uac::UacConfig;
use super::uas::response_to;
use super::write;
use std::io;

/// Calls placed before the loop looks at its connections again.
const BURST: u64 = 32;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Free,
    Calling { rung: bool },
    Up,
    Byeing,
}

#[derive(Debug)]
struct Call {
    state: State,
    serial: u32,
    placed: Nanos,
    /// What requests inside the dialog repeat.
    to: Vec<u8>,
    target: Vec<u8>,
    routes: Vec<u8>,
}

/// The calling side.
#[derive(Debug)]
pub struct Caller {
    /// Counts.
    pub tally: UacTally,
    config: UacConfig,
    lines: Vec<Line>,
    calls: Vec<Call>,
    free: Vec<u32>,
    hold: Fifo,
    pace: Option<(Pace, Nanos)>,
    paced: u64,
}

impl Caller {
    /// Calls are spread over these connections, and each stays on its own.
    pub fn new(config: UacConfig, lines: Vec<Line>) -> Self {
        let hold = Fifo::new(config.hold.unwrap_or(u64::MAX));
        let (calls, free) = (Vec::new(), Vec::new());
        Self { tally: UacTally::default(), config, lines, calls, free, hold, pace: None, paced: 0 }
    }

    /// The connections.
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// Begin to place calls.
    pub fn begin(&mut self, now: Nanos, pace: Pace) {
        (self.paced, self.pace) = (0, Some((pace, now)));
    }

    /// Whether a pace is under way.
    pub const fn is_placing(&self) -> bool {
        self.pace.is_some()
    }

    /// Calls not yet over.
    pub fn live(&self) -> usize {
        self.calls.len() - self.free.len()
    }

    /// Calls that are not over are failures now.
    pub fn give_up(&mut self) {
        for slot in 0..self.calls.len() {
            let reason = match self.calls[slot].state {
                State::Free => continue,
                State::Calling { .. } => "no_final_response",
                State::Up => "left_up",
                State::Byeing => "bye_unanswered",
            };
            self.over(slot, Some(reason));
        }
    }

    /// Place what is due, read what came, run timers. Whether there was anything to do.
    ///
    /// # Errors
    ///
    /// If a connection is gone: then there is nothing more to measure.
    pub fn turn(&mut self, clock: &Clock) -> io::Result<bool> {
        let mut busy = self.place(clock.now());
        for line in 0..self.lines.len() {
            self.lines[line].recv()?;
            let now = clock.now();
            while let Some(bytes) = self.lines[line].message() {
                busy = true;
                self.tally.received += 1;
                match Scan::read(&bytes) {
                    Some(scan) if scan.code != 0 => self.response(now, &scan),
                    Some(scan) => self.request(line, &scan),
                    None => self.tally.strays += 1,
                }
            }
        }
        while let Some(no) = self.hold.pop(clock.now()) {
            self.bye(no);
        }
        self.lines.iter_mut().try_for_each(Line::flush)?;
        Ok(busy)
    }

    /// When something is due.
    pub fn next(&self, now: Nanos) -> Nanos {
        // While placing, half a millisecond is close enough to the rate.
        let pace = if self.pace.is_some() { now + MS / 2 } else { Nanos::MAX };
        let waits = if self.lines.iter().any(Line::is_waiting) { now } else { Nanos::MAX };
        self.hold.next().unwrap_or(Nanos::MAX).min(pace).min(waits)
    }

    fn place(&mut self, now: Nanos) -> bool {
        let Some((pace, began)) = &self.pace else { return false };
        let Some((due, _)) = pace.due(now - began) else {
            self.pace = None;
            return false;
        };
        let behind = due.saturating_sub(self.paced);
        self.tally.behind = self.tally.behind.max(behind);
        for _ in 0..behind.min(BURST) {
            self.paced += 1;
            self.invite(now);
        }
        behind > 0
    }

    /// The connection of a call.
    fn line(&self, slot: u32) -> usize {
        slot as usize % self.lines.len()
    }

    fn invite(&mut self, now: Nanos) {
        let slot = self.free.pop().unwrap_or_else(|| {
            let (to, target, routes) = (Vec::new(), Vec::new(), Vec::new());
            self.calls.push(Call { state: State::Free, serial: 0, placed: 0, to, target, routes });
            self.calls.len() as u32 - 1
        });
        let call = &mut self.calls[slot as usize];
        call.serial = call.serial.wrapping_add(1);
        (call.state, call.placed) = (State::Calling { rung: false }, now);
        let no = CallNo { slot, serial: call.serial };
        self.tally.placed += 1;
        let line = self.line(slot);
        let (config, line) = (&self.config, &mut self.lines[line]);
        let local = line.local();
        line.write(|b| write::invite(b, config, local, no, false));
    }

    fn in_dialog(&mut self, method: &[u8], cseq: u64, no: CallNo) {
        let line = self.line(no.slot);
        let (config, line, call) = (&self.config, &mut self.lines[line], &self.calls[no.slot as usize]);
        let local = line.local();
        line.write(|b| {
            write::in_dialog(b, method, cseq, config, local, no, &call.target, &call.to, &call.routes);
        });
    }

    fn bye(&mut self, no: CallNo) {
        let call = &mut self.calls[no.slot as usize];
        if call.serial == no.serial && call.state == State::Up {
            call.state = State::Byeing;
            self.in_dialog(b"BYE", 2, no);
        }
    }

    fn over(&mut self, slot: usize, failure: Option<&str>) {
        self.calls[slot].state = State::Free;
        self.free.push(slot as u32);
        match failure {
            Some(reason) => self.tally.fail(reason),
            None => self.tally.completed += 1,
        }
    }

    fn response(&mut self, now: Nanos, scan: &Scan<'_>) {
        let known = numbers(scan.call_id).filter(|(slot, serial)| {
            self.calls.get(*slot as usize).is_some_and(|c| c.serial == *serial && c.state != State::Free)
        });
        let Some((slot, serial)) = known else {
            self.tally.strays += 1;
            return;
        };
        let no = CallNo { slot, serial };
        let call = &mut self.calls[slot as usize];
        match (scan.method, scan.code, call.state) {
            (b"INVITE", 101..300, State::Calling { rung: false }) => {
                call.state = State::Calling { rung: true };
                self.tally.pdd.record(now - call.placed);
                if scan.code >= 200 {
                    self.response(now, scan);
                }
            }
            (b"INVITE", 200..300, State::Calling { rung: true }) => {
                call.state = State::Up;
                call.to = scan.to.to_vec();
                call.target = scan.contact.to_vec();
                call.routes.clear();
                for route in scan.routes().rev() {
                    call.routes.extend([&b"Route: "[..], route, b"\r\n"].concat());
                }
                self.tally.answered += 1;
                self.hold.start(now, no);
                self.in_dialog(b"ACK", 1, no);
            }
            (b"INVITE", 200..300, State::Up | State::Byeing) => {
                self.tally.duplicates += 1;
                self.in_dialog(b"ACK", 1, no);
            }
            (b"INVITE", 300.., State::Calling { .. }) => {
                let line = self.line(slot);
                let (config, line) = (&self.config, &mut self.lines[line]);
                let local = line.local();
                line.write(|b| write::ack_refusal(b, config, local, no, scan.to));
                self.over(slot as usize, Some(&scan.code.to_string()));
            }
            (b"BYE", 200..300, State::Byeing) => self.over(slot as usize, None),
            (b"BYE", 300.., State::Byeing) => self.over(slot as usize, Some(&format!("bye_{}", scan.code))),
            _ => {}
        }
    }

    /// The device asks for something: nothing that this caller expects, but it is answered.
    fn request(&mut self, line: usize, scan: &Scan<'_>) {
        self.tally.requests += 1;
        if scan.method == b"ACK" {
            return;
        }
        let ended = numbers(scan.call_id).filter(|(slot, serial)| {
            scan.method == b"BYE"
                && self.calls.get(*slot as usize).is_some_and(|c| c.serial == *serial && c.state == State::Up)
        });
        let line = &mut self.lines[line];
        let local = line.local();
        line.write(|b| response_to(b, scan, b"200 OK", None, local, false, scan.method));
        if let Some((slot, _)) = ended {
            self.over(slot as usize, Some("ended_by_the_device"));
        }
    }
}
