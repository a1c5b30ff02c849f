//! One socket for all ports of a worker: the kernel is told by a program which ports those are.
//!
//! ```text
//!   sk_lookup ──▶ gate ──▶ socket ──▶ recvmmsg ──▶ judge ──▶ headers in front of the same buffer ──▶ sendmmsg (raw)
//!                  │ full: turned away                 ▲ to which port: IP_RECVORIGDSTADDR
//! ```
//!
//! A port costs no descriptor and no system call, and batches go across flows. No port of the range is answered with an ICMP
//! error. Foreign sockets that are bound inside the range get nothing while the engine lives.

mod header;
mod layout;
mod raw;
mod slice;
mod slots;
mod steering;
mod tables;
#[cfg(test)]
mod tests;

pub(crate) use steering::Steering;

use super::{Arrived, Judge, PacketIo, Seat, Woken};
use crate::latency::{Latency, Stopwatch};
use crate::sys::{Epoll, Ready};
use layout::DEPTH;
use raw::Sender;
use relay_core::{PortPair, PortRef};
use slice::Slice;
use slots::{BATCH, Slots};
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;
use tables::{Tables, place};

/// Tokens to wait by.
const WAKE: u64 = 0;
const NEWS: u64 = 1;
const SOCKETS: u64 = 2;

/// Batches in a row that leave none behind, after which an overload is over.
const RELIEF: u32 = 16;

/// A worker's two sockets to receive by, and those to send by.
pub(crate) struct LookupIo {
    tables: Arc<Tables>,
    slice: Slice,
    worker: usize,
    epoll: Epoll,
    ready: Ready,
    receivers: Vec<Receiver>,
    /// By the place of the address.
    senders: Vec<Sender>,
    slots: Slots,
    watch: Stopwatch,
    /// From which port each slot's packet goes on.
    onward: Vec<PortRef>,
}

/// A socket for all ports of one family.
struct Receiver {
    socket: OwnedFd,
    gate: usize,
    taken: u64,
    ready: bool,
    /// Batches in a row that left some behind.
    full: u64,
    /// Whether the worker is overloaded, and then the batches in a row that left none behind.
    pressed: Option<u32>,
}

impl LookupIo {
    pub(crate) fn new(steering: &Steering, seat: &Seat<'_>) -> io::Result<Self> {
        let slice = Slice::new(&seat.config.ports_of(seat.worker));
        let epoll = Epoll::new()?;
        epoll.add(seat.wake, WAKE)?;
        if let Some(news) = seat.news {
            epoll.add(news, NEWS)?;
        }
        let mut receivers = Vec::new();
        for is_ipv6 in [false, true] {
            if let Some(socket) = steering.socket(seat.worker, is_ipv6)? {
                epoll.add(socket.as_fd(), SOCKETS + receivers.len() as u64)?;
                let gate = place(seat.worker, is_ipv6);
                receivers.push(Receiver { socket, gate, taken: 0, ready: false, full: 0, pressed: None });
            }
        }
        let senders = slice.addresses().iter().map(|&address| Sender::new(address, seat.config));
        Ok(Self {
            tables: steering.tables(),
            worker: seat.worker,
            epoll,
            ready: Ready::new(4),
            receivers,
            senders: senders.collect::<io::Result<_>>()?,
            slots: Slots::new(),
            watch: Stopwatch::default(),
            onward: vec![PortRef::new(0); BATCH],
            slice,
        })
    }

    fn open(&self, pair: &PortPair, open: bool) {
        for port in [pair.rtp, pair.rtcp] {
            self.tables.open(&self.slice, self.worker, port, open);
        }
    }

    /// Queue the packet of a slot; whether it was taken.
    fn push(&mut self, slot: usize, port: PortRef, to: SocketAddr, len: usize) -> bool {
        if let Some(onward) = self.onward.get_mut(slot) {
            *onward = port;
        }
        let Some((address, number)) = self.slice.number(port) else { return false };
        match self.senders.get_mut(address) {
            Some(sender) => sender.push(&mut self.slots, slot, number, to, len),
            None => false,
        }
    }

    /// Have a packet judged; whether it is queued to be sent on.
    fn onward(&mut self, slot: usize, judge: &mut impl Judge) -> bool {
        let Some(received) = self.slots.received(slot) else { return false };
        // To the port that the socket happens to be bound to: nobody has been told of it.
        let Some(port) = self.slice.port(received.to) else { return false };
        let payload = self.slots.payload(slot, received.len);
        let arrived = payload.map_or(Arrived::TooLong, Arrived::Whole);
        let Some((port, to)) = judge.packet(port, received.from, arrived) else { return false };
        let queued = self.push(slot, port, to, received.len);
        if !queued {
            judge.send_failed(port);
        }
        queued
    }

    fn flush(&mut self, mut failed: impl FnMut(PortRef)) {
        for sender in &mut self.senders {
            let onward = &self.onward;
            sender.flush(&mut self.slots, |slot| onward.get(slot).copied().into_iter().for_each(&mut failed));
        }
    }
}

impl PacketIo for LookupIo {
    fn bind(&mut self, pair: &PortPair) -> io::Result<()> {
        self.open(pair, true);
        Ok(())
    }

    fn close(&mut self, pair: &PortPair) {
        self.open(pair, false);
    }

    fn wait(&mut self, timeout: Option<Duration>) -> io::Result<Woken> {
        let n = self.epoll.wait(&mut self.ready, timeout)?;
        let mut woken = Woken { any: n > 0, ..Woken::default() };
        for token in (0..n).filter_map(|i| self.ready.token(i)) {
            match token {
                WAKE => {}
                NEWS => woken.news = true,
                socket => {
                    if let Some(receiver) = self.receivers.get_mut((socket - SOCKETS) as usize) {
                        receiver.ready = true;
                    }
                }
            }
        }
        // The gate lets no more than that wait: after so many, all that had come before has been taken.
        woken.behind = self.receivers.iter().any(|r| r.full > 0 && r.waited() <= DEPTH);
        Ok(woken)
    }

    fn receive(&mut self, judge: &mut impl Judge) {
        for at in 0..self.receivers.len() {
            let Some(receiver) = self.receivers.get_mut(at) else { continue };
            if !std::mem::take(&mut receiver.ready) {
                continue;
            }
            let n = receiver.receive(&self.tables, &mut self.slots, &mut self.watch, judge);
            for slot in 0..n {
                let queued = self.onward(slot, judge);
                // It is the oldest of a batch that is measured.
                if slot == 0 && !queued {
                    self.watch.forget();
                }
            }
            self.flush(|port| judge.send_failed(port));
            self.watch.sent();
        }
    }

    fn send_own(&mut self, judge: &mut impl Judge) {
        let mut slot = 0;
        while let Some(own) = judge.own(self.slots.room(slot)) {
            if !self.push(slot, own.port, own.to, own.len) {
                judge.own_failed();
            }
            slot += 1;
            if slot == BATCH {
                self.flush(|_| judge.own_failed());
                slot = 0;
            }
        }
        if slot > 0 {
            self.flush(|_| judge.own_failed());
        }
    }

    fn latency(&self) -> Latency {
        self.watch.latency()
    }
}

impl Receiver {
    /// Receive a batch; how many.
    fn receive(
        &mut self,
        tables: &Tables,
        slots: &mut Slots,
        watch: &mut Stopwatch,
        judge: &mut impl Judge,
    ) -> usize {
        let let_in = tables.let_in(self.gate);
        let n = match self.take(slots, watch) {
            Ok(n) => n,
            Err(e) => {
                if !matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) {
                    judge.receive_failed();
                }
                0
            }
        };
        // An empty queue shows that everything has come through, also what was let in and lost behind the gate.
        self.taken = if n < BATCH { let_in } else { self.taken.wrapping_add(n as u64) };
        tables.take(self.gate, self.taken);
        self.full = if n < BATCH { 0 } else { self.full + 1 };
        self.press(tables);
        n
    }

    /// All that there is room for. The packet to be measured is received alone, before the others: the stamp is the last one's.
    fn take(&self, slots: &mut Slots, watch: &mut Stopwatch) -> io::Result<usize> {
        let socket = self.socket.as_fd();
        let mut n = 0;
        if watch.is_due() {
            n = slots.receive(socket, 0..1)?;
            watch.begin(socket.as_raw_fd());
        }
        match slots.receive(socket, n..BATCH) {
            Ok(others) => n += others,
            Err(_) if n > 0 => {}
            Err(e) => return Err(e),
        }
        watch.seen(n);
        Ok(n)
    }

    /// Packets taken since some have been left behind.
    fn waited(&self) -> u64 {
        self.full * BATCH as u64
    }

    /// Whoever has taken as many as may wait and still finds more is not late, but overloaded.
    fn press(&mut self, tables: &Tables) {
        self.pressed = match self.pressed {
            None if self.waited() < DEPTH => None,
            None => {
                tables.press(self.gate, true);
                Some(0)
            }
            Some(_) if self.full > 0 => Some(0),
            Some(empty) if empty < RELIEF => Some(empty + 1),
            Some(_) => {
                tables.press(self.gate, false);
                None
            }
        };
    }
}
