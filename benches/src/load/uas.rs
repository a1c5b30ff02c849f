//! The answering side: 180, 200, and 200 again for the BYE.

use super::clock::{CallNo, Clock, Fifo, Nanos, STAGES, T2, backoff, run_number};
use super::media::{Side, Voices};
use super::port::{Port, Tx};
use super::scan::{Scan, numbers};
use super::tally::UasTally;
use super::write::{address, decimal, hex, put};
use bytes::{Bytes, BytesMut};
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use std::hash::BuildHasher;
use std::io;
use std::net::SocketAddr;

/// What the answering side is told.
#[derive(Debug, Clone)]
pub struct UasConfig {
    /// Our address.
    pub bind: SocketAddr,
    /// From 180 to 200.
    pub ring: Nanos,
    /// Final code that refuses every INVITE; 200 answers them.
    pub code: u16,
    /// How long media is sent after the ACK; `None`: until the BYE.
    pub talk: Option<Nanos>,
    /// Leave media off.
    pub no_media: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Free,
    Ringing,
    /// The final response is out and waits for its ACK.
    Answered,
    Confirmed,
}

#[derive(Debug)]
struct Call {
    state: State,
    serial: u32,
    key: u64,
    peer: SocketAddr,
    media: Option<SocketAddr>,
    /// The last response to the INVITE, for retransmissions of either side.
    last: Bytes,
    /// The final response, ready, while it rings.
    ready: Bytes,
}

/// The answering side.
#[derive(Debug)]
pub struct Uas {
    /// Counts.
    pub tally: UasTally,
    port: Port,
    config: UasConfig,
    table: Table,
    ring: Fifo,
}

#[derive(Debug)]
struct Table {
    calls: Vec<Call>,
    free: Vec<u32>,
    /// Serials begin here: one that was killed and begins again must not take an old call's BYE for a new one's.
    first: u32,
    /// INVITEs that are not over, by hash of branch and Call-ID.
    invites: HashMap<u64, CallNo, FixedState>,
    timers: [Fifo; STAGES],
}

impl Uas {
    /// Bind the socket.
    ///
    /// # Errors
    ///
    /// What the system says about binding.
    pub fn new(config: UasConfig) -> io::Result<Self> {
        let table = Table {
            calls: Vec::new(),
            free: Vec::new(),
            first: run_number(),
            invites: HashMap::with_hasher(FixedState::with_seed(1)),
            timers: backoff(T2),
        };
        let ring = Fifo::new(config.ring);
        Ok(Self { tally: UasTally::default(), port: Port::bind(config.bind)?, config, table, ring })
    }

    /// The socket.
    pub fn port(&self) -> &Port {
        &self.port
    }

    /// Calls not yet over.
    pub fn live(&self) -> usize {
        self.table.calls.len() - self.table.free.len()
    }

    /// Datagrams that our own send queue refused.
    pub fn refused(&self) -> u64 {
        self.port.tx.refused
    }

    /// Read what came and run timers. Whether there was anything to do.
    pub fn turn(&mut self, clock: &Clock, media: &mut dyn Voices) -> bool {
        let mut busy = false;
        for _ in 0..4 {
            let n = self.port.rx.recv();
            if n == 0 {
                break;
            }
            busy = true;
            let now = clock.now();
            let Self { tally, port, config, table, ring } = self;
            let local = port.local();
            let mut on = Receiver { now, tally, config, table, ring, media, local };
            for datagram in port.rx.datagrams() {
                match Scan::read(datagram.bytes) {
                    Some(scan) if scan.code == 0 => on.request(&mut port.tx, datagram.from, &scan),
                    Some(_) | None => on.tally.strays += 1,
                }
            }
        }
        self.timers(clock.now());
        self.port.tx.flush();
        busy
    }

    /// When the next timer is due.
    pub fn next(&self, now: Nanos) -> Nanos {
        let timers = self.table.timers.iter().chain([&self.ring]);
        let waiting = if self.port.tx.is_empty() { Nanos::MAX } else { now };
        timers.filter_map(Fifo::next).min().unwrap_or(Nanos::MAX).min(waiting)
    }

    fn timers(&mut self, now: Nanos) {
        while let Some(no) = self.ring.pop(now) {
            let call = &mut self.table.calls[no.slot as usize];
            if call.serial == no.serial && call.state == State::Ringing {
                call.state = State::Answered;
                call.last = std::mem::take(&mut call.ready);
                self.port.tx.push(call.peer, call.last.clone());
                self.table.timers[0].start(now, no);
            }
        }
        for stage in 0..STAGES {
            while let Some(no) = self.table.timers[stage].pop(now) {
                let call = &mut self.table.calls[no.slot as usize];
                if call.serial != no.serial || call.state != State::Answered {
                    continue;
                }
                if stage + 1 == STAGES {
                    self.tally.unacknowledged += 1;
                    self.table.end(no.slot);
                    continue;
                }
                self.tally.retransmitted += 1;
                self.port.tx.push(call.peer, call.last.clone());
                self.table.timers[stage + 1].start(now, no);
            }
        }
    }
}

impl Table {
    fn find(&self, tag: Option<&[u8]>) -> Option<u32> {
        let (slot, serial) = numbers(tag?)?;
        let call = self.calls.get(slot as usize)?;
        (call.serial == serial && call.state != State::Free).then_some(slot)
    }

    fn end(&mut self, slot: u32) {
        let call = &mut self.calls[slot as usize];
        call.state = State::Free;
        call.last = Bytes::new();
        call.ready = Bytes::new();
        self.invites.remove(&call.key);
        self.free.push(slot);
    }

    fn begin(&mut self, key: u64, peer: SocketAddr) -> CallNo {
        let slot = self.free.pop().unwrap_or_else(|| {
            let (last, ready) = (Bytes::new(), Bytes::new());
            let serial = self.first;
            self.calls.push(Call { state: State::Free, serial, key, peer, media: None, last, ready });
            self.calls.len() as u32 - 1
        });
        let call = &mut self.calls[slot as usize];
        call.serial = call.serial.wrapping_add(1);
        call.state = State::Ringing;
        (call.key, call.peer) = (key, peer);
        let no = CallNo { slot, serial: call.serial };
        self.invites.insert(key, no);
        no
    }
}

/// The answering side apart from the socket that is being read.
struct Receiver<'a> {
    now: Nanos,
    tally: &'a mut UasTally,
    config: &'a UasConfig,
    table: &'a mut Table,
    ring: &'a mut Fifo,
    media: &'a mut dyn Voices,
    local: SocketAddr,
}

impl Receiver<'_> {
    fn request(&mut self, tx: &mut Tx, from: SocketAddr, scan: &Scan<'_>) {
        match (scan.method, scan.to_tag()) {
            (b"INVITE", None) => self.invite(tx, from, scan),
            (b"ACK", tag) => self.ack(tag),
            (b"BYE", tag) => self.bye(tx, from, scan, tag),
            (b"CANCEL", _) => self.cancel(tx, from, scan),
            (b"OPTIONS", _) => {
                self.tally.options += 1;
                self.plain(tx, from, scan, b"200 OK");
            }
            (_, tag) => {
                let known = self.table.find(tag).is_some();
                self.tally.strays += u64::from(!known);
                let status: &[u8] = if known { b"200 OK" } else { b"481 Call/Transaction Does Not Exist" };
                self.plain(tx, from, scan, status);
            }
        }
    }

    fn invite(&mut self, tx: &mut Tx, from: SocketAddr, scan: &Scan<'_>) {
        let key = key(scan);
        if let Some(no) = self.table.invites.get(&key) {
            self.tally.duplicates += 1;
            tx.push(from, self.table.calls[no.slot as usize].last.clone());
            return;
        }
        let no = self.table.begin(key, from);
        self.tally.invited += 1;
        let (local, config) = (self.local, self.config);
        let call = &mut self.table.calls[no.slot as usize];
        call.media = scan.media().filter(|_| scan.talks());
        if let Some(from) = call.media {
            self.media.expect(no.slot, from);
        }
        if config.code >= 300 {
            let status = format!("{} Refused", config.code);
            call.last = tx.write(from, |b| response(b, scan, status.as_bytes(), no, local, false));
            call.state = State::Answered;
            self.table.timers[0].start(self.now, no);
            return;
        }
        call.last = tx.write(from, |b| response(b, scan, b"180 Ringing", no, local, false));
        if config.ring > 0 {
            let mut b = BytesMut::with_capacity(1024);
            response(&mut b, scan, b"200 OK", no, local, true);
            call.ready = b.freeze();
            self.ring.start(self.now, no);
        } else {
            call.last = tx.write(from, |b| response(b, scan, b"200 OK", no, local, true));
            call.state = State::Answered;
            self.table.timers[0].start(self.now, no);
        }
    }

    fn ack(&mut self, tag: Option<&[u8]>) {
        let Some(slot) = self.table.find(tag) else {
            self.tally.strays += 1;
            return;
        };
        if self.config.code >= 300 {
            self.table.end(slot);
            return;
        }
        let call = &mut self.table.calls[slot as usize];
        if call.state == State::Answered {
            call.state = State::Confirmed;
            call.last = Bytes::new();
            self.tally.confirmed += 1;
            if let (false, Some(to)) = (self.config.no_media, call.media) {
                self.media.start(Side::B, slot, to, self.now, self.config.talk);
            }
        }
    }

    fn bye(&mut self, tx: &mut Tx, from: SocketAddr, scan: &Scan<'_>, tag: Option<&[u8]>) {
        match self.table.find(tag) {
            Some(slot) => {
                self.tally.ended += 1;
                self.media.stop(Side::B, slot);
                self.table.end(slot);
            }
            // The tag is of a call that was ours: sent again.
            None if tag.and_then(numbers).is_some() => self.tally.duplicates += 1,
            None => self.tally.strays += 1,
        }
        self.plain(tx, from, scan, b"200 OK");
    }

    fn cancel(&mut self, tx: &mut Tx, from: SocketAddr, scan: &Scan<'_>) {
        self.plain(tx, from, scan, b"200 OK");
        let Some(no) = self.table.invites.get(&key(scan)).copied() else { return };
        let local = self.local;
        let call = &mut self.table.calls[no.slot as usize];
        if call.state == State::Ringing {
            self.tally.cancelled += 1;
            tx.write(from, |b| {
                response_to(b, scan, b"487 Request Terminated", Some(no), local, false, b"INVITE")
            });
            self.table.end(no.slot);
        }
    }

    fn plain(&mut self, tx: &mut Tx, from: SocketAddr, scan: &Scan<'_>, status: &[u8]) {
        let local = self.local;
        tx.write(from, |b| response_to(b, scan, status, None, local, false, scan.method));
    }
}

fn key(scan: &Scan<'_>) -> u64 {
    let via = scan.vias().next().unwrap_or_default();
    FixedState::with_seed(7).hash_one((via, scan.call_id))
}

fn response(b: &mut BytesMut, scan: &Scan<'_>, status: &[u8], no: CallNo, local: SocketAddr, answer: bool) {
    response_to(b, scan, status, Some(no), local, answer, b"INVITE");
}

/// A response; `no` gives the To tag where the request has none.
pub(super) fn response_to(
    b: &mut BytesMut,
    scan: &Scan<'_>,
    status: &[u8],
    no: Option<CallNo>,
    local: SocketAddr,
    answer: bool,
    method: &[u8],
) {
    put(b, &[b"SIP/2.0 ", status, b"\r\n"]);
    for via in scan.vias() {
        put(b, &[b"Via: ", via, b"\r\n"]);
    }
    for route in scan.routes() {
        put(b, &[b"Record-Route: ", route, b"\r\n"]);
    }
    put(b, &[b"From: ", scan.from, b"\r\nTo: ", scan.to]);
    if scan.to_tag().is_none() {
        let no = no.unwrap_or(CallNo { slot: u32::MAX, serial: 0 });
        put(b, &[b";tag=", &hex(no.slot), &hex(no.serial)]);
    }
    let number = scan.cseq.split(|c| *c == b' ').next().unwrap_or_default();
    put(b, &[b"\r\nCall-ID: ", scan.call_id, b"\r\nCSeq: ", number, b" ", method, b"\r\n"]);
    if let Some(no) = no {
        b.extend_from_slice(b"Contact: <sip:load@");
        address(b, local);
        b.extend_from_slice(b">\r\n");
        if answer {
            b.extend_from_slice(b"Allow: INVITE, ACK, BYE, CANCEL, OPTIONS\r\nContent-Type: application/sdp\r\nContent-Length: ");
            super::write::body(b, local, no.slot, scan.formats(), scan.talks());
            return;
        }
    }
    b.extend_from_slice(b"Content-Length: ");
    decimal(b, 0);
    b.extend_from_slice(b"\r\n\r\n");
}
