//! The ring: a socket for each port, and one system call for a whole turn.
//!
//! ```text
//!            ┌──────────────────────── io_uring_enter ────────────────────────┐
//!   requests │ sends of the last turn, receives anew, cancels, polls          │
//!            │   ──▶ wait ──▶ packets of many sockets, each in a buffer       │ completions
//!            └────────────────────────────────────────────────────────────────┘
//!   buffer: kernel ──packet──▶ Judge ──rewritten──▶ send ──done──▶ kernel
//! ```
//!
//! Every port has one receive that lasts (multishot), and takes a buffer from the common ring of buffers for each packet
//! (`IORING_REGISTER_PBUF_RING`). A packet is judged and rewritten in that buffer and sent from it. Nothing is done behind the
//! worker's back: the kernel works for the ring only while the worker is in it (`IORING_SETUP_DEFER_TASKRUN`).

mod buffers;
mod limits;
mod port;
mod requests;
mod ring;
#[cfg(test)]
mod tests;
mod token;

pub(crate) use ring::Unavailable;

use super::{Arrived, Judge, PacketIo, Seat, Woken};
use crate::latency::{Latency, Stopwatch, stamped};
use crate::sockaddr::Name;
use crate::socket::SocketOptions;
use buffers::Buffers;
use limits::{BUFFERS, COMPLETIONS, FAREWELLS, FULL_TURN};
use port::{Closing, Port};
use relay_core::limits::MAX_PACKET;
use relay_core::{Outgoing, PortPair, PortRef};
use requests::Failed;
use ring::{Patience, Ring};
use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;
use token::{Generation, Token};

/// A worker's ring and its sockets.
pub(crate) struct UringIo {
    options: SocketOptions,
    // Before the buffers: the kernel must have let go of them.
    ring: Ring,
    started: bool,
    buffers: Buffers,
    /// What receives ask for: room for an address.
    form: Box<libc::msghdr>,
    /// By [`PortRef::index`].
    ports: Vec<Port>,
    /// How many of them are bound.
    open: usize,
    /// Ports whose receive is to be asked for anew, in turn.
    parked: VecDeque<PortRef>,
    wake: Poll,
    news: Option<Poll>,
    under_way: UnderWay,
    /// Packets that nobody has looked at yet.
    arrived: Vec<Packet>,
    /// What the judge does not know yet.
    failed: Vec<Failed>,
    turn: Turn,
    watch: Stopwatch,
    /// The judge may have packets of its own that no buffer was left for.
    owes: bool,
    /// What went wrong where it could not be said.
    broken: Option<io::Error>,
}

/// A descriptor that is polled. Once each, and again after it was looked at: so nothing is missed.
struct Poll {
    fd: OwnedFd,
    token: Token,
    due: bool,
    /// It has become readable in this turn.
    ready: bool,
}

/// What the kernel has to do for us.
#[derive(Default)]
struct UnderWay {
    receives: usize,
    sends: usize,
}

/// A packet in its buffer.
#[derive(Clone, Copy)]
struct Packet {
    at: PortRef,
    generation: Generation,
    buffer: u16,
}

/// How full the turns are.
#[derive(Default)]
struct Turn {
    /// The last one brought as many packets as it was asked for.
    full: bool,
    /// Packets of the full ones in a row.
    packets: usize,
}

// SAFETY: the only pointers are those of `form`, which point to nothing.
unsafe impl Send for UringIo {}

impl UringIo {
    /// Whether there can be a ring for each of so many workers.
    pub(crate) fn probe(workers: usize) -> Result<(), Unavailable> {
        // All of them at a time: together they may be too much.
        let rings: Vec<_> = (0..workers.max(1)).map(|_| Self::rings(BUFFERS)).collect::<Result<_, _>>()?;
        rings.into_iter().for_each(|(ring, _)| drop(ring));
        Ok(())
    }

    pub(crate) fn new(seat: &Seat<'_>) -> io::Result<Self> {
        Self::with_buffers(seat, BUFFERS)
    }

    /// With so many buffers for what comes, at most [`BUFFERS`].
    fn with_buffers(seat: &Seat<'_>, buffers: u16) -> io::Result<Self> {
        let (ring, buffers) = Self::rings(buffers).map_err(io::Error::other)?;
        // SAFETY: integers and pointers, for which all-zero bytes are valid.
        let mut form: Box<libc::msghdr> = Box::new(unsafe { std::mem::zeroed() });
        form.msg_namelen = Name::LEN;
        let poll = |fd, token| io::Result::Ok(Poll { fd, token, due: true, ready: false });
        Ok(Self {
            options: SocketOptions::new(seat.config),
            ring,
            started: false,
            buffers,
            form,
            ports: (0..seat.ports).map(|_| Port::new()).collect(),
            open: 0,
            parked: VecDeque::new(),
            wake: poll(seat.wake.try_clone_to_owned()?, Token::Wake)?,
            news: seat.news.map(|news| poll(news.try_clone_to_owned()?, Token::News)).transpose()?,
            under_way: UnderWay::default(),
            arrived: Vec::new(),
            failed: Vec::new(),
            turn: Turn::default(),
            watch: Stopwatch::default(),
            owes: false,
            broken: None,
        })
    }

    /// A ring and its buffers, which belong together. The ring goes first.
    fn rings(lend: u16) -> Result<(Ring, Buffers), Unavailable> {
        let mut buffers = Buffers::new()?;
        let ring = Ring::new()?;
        // SAFETY: whoever takes them apart drops the ring first, as locals are here.
        unsafe { buffers.register(&ring.submitter(), lend)? };
        Ok((ring, buffers))
    }

    /// The ring belongs to the thread that first comes here.
    fn start(&mut self) -> io::Result<()> {
        if !self.started {
            self.ring.start()?;
            self.started = true;
        }
        Ok(())
    }

    /// Wait until the port's last receive has ended, if it has one.
    fn settle(&mut self, at: PortRef) -> io::Result<()> {
        for _ in 0..FAREWELLS {
            if self.ports.get(at.index()).and_then(Port::ending).is_none() {
                return Ok(());
            }
            self.enter(Patience::A_MOMENT)?;
        }
        Err(io::ErrorKind::AddrInUse.into())
    }

    /// Give a port its socket, and ask for its packets.
    fn open(&mut self, at: PortRef, socket: OwnedFd) -> io::Result<()> {
        let port = self.ports.get_mut(at.index()).ok_or(io::ErrorKind::InvalidInput)?;
        port.open(socket).map_err(|_| io::ErrorKind::AddrInUse)?;
        self.open += 1;
        self.ask(at)
    }

    /// Judge a packet and send it on.
    fn packet(&mut self, Packet { at, generation, buffer }: Packet, judge: &mut impl Judge) {
        if !self.ports.get(at.index()).is_some_and(|port| port.hears(generation)) {
            return self.buffers.give(buffer);
        }
        self.watch.seen(1);
        // The stamp is of the packet that the kernel took last from this socket: a stream has one in a turn, hardly ever two.
        let measured = self.watch.is_due();
        if measured && let Some(socket) = self.ports.get(at.index()).and_then(Port::socket) {
            self.watch.begin(socket);
        }
        let onward = self.buffers.received(buffer).and_then(|packet| {
            let arrived = match packet.bytes.get_mut(..packet.len) {
                Some(bytes) if packet.len <= MAX_PACKET => Arrived::Whole(bytes),
                _ => Arrived::TooLong,
            };
            judge.packet(at, packet.from?, arrived).map(|(port, to)| (port, to, packet.len))
        });
        match onward {
            None => {
                self.buffers.give(buffer);
                if measured {
                    self.watch.forget();
                }
            }
            Some((port, to, len)) => {
                if !self.send(Token::Forward(port, buffer), port, to, len) {
                    judge.send_failed(port);
                    if measured {
                        self.watch.forget();
                    }
                }
            }
        }
    }

    /// Tell the judge what has failed since the last time.
    fn confess(&mut self, judge: &mut impl Judge) {
        for failed in self.failed.drain(..) {
            match failed {
                Failed::Receive => judge.receive_failed(),
                Failed::Forward(port) => judge.send_failed(port),
                Failed::Own => judge.own_failed(),
            }
        }
    }
}

impl PacketIo for UringIo {
    fn bind(&mut self, pair: &PortPair) -> io::Result<()> {
        self.start()?;
        self.settle(pair.rtp)?;
        self.settle(pair.rtcp)?;
        let (rtp, rtcp) = self.options.bind_pair(pair)?;
        [&rtp, &rtcp].into_iter().for_each(|socket| stamped(socket.as_fd()));
        let both = self.open(pair.rtp, rtp).and_then(|()| self.open(pair.rtcp, rtcp));
        if both.is_err() {
            self.close(pair);
        }
        both
    }

    fn close(&mut self, pair: &PortPair) {
        for at in [pair.rtp, pair.rtcp] {
            let Some(port) = self.ports.get_mut(at.index()) else { continue };
            self.open -= usize::from(port.socket().is_some());
            match port.close() {
                Closing::Done => {}
                Closing::Cancel(generation) => self.cancel(at, generation),
            }
        }
    }

    fn wait(&mut self, timeout: Option<Duration>) -> io::Result<Woken> {
        self.start()?;
        if let Some(e) = self.broken.take() {
            return Err(e);
        }
        self.poll()?;
        let left = self.ask_again()?;
        let at_once = left || self.owes || !self.arrived.is_empty() || !self.failed.is_empty();
        let patience = match timeout {
            _ if at_once => Patience::NONE,
            Some(Duration::ZERO) => Patience::NONE,
            // The sends that go with it are done at once.
            timeout => Patience { want: self.under_way.sends + 1, timeout },
        };
        self.enter(patience)?;
        let packets = self.arrived.len();
        self.turn.full = packets >= FULL_TURN;
        self.turn.packets = if self.turn.full { self.turn.packets + packets } else { 0 };
        let news = self.news.as_mut().is_some_and(|news| std::mem::take(&mut news.ready));
        let knocked = std::mem::take(&mut self.wake.ready);
        Ok(Woken {
            any: packets > 0 || news || knocked || !self.failed.is_empty(),
            news,
            // The kernel goes round: after so many every socket has had its turn.
            behind: self.turn.full && self.turn.packets <= self.open,
        })
    }

    fn receive(&mut self, judge: &mut impl Judge) {
        let mut arrived = std::mem::take(&mut self.arrived);
        for packet in arrived.drain(..) {
            self.packet(packet, judge);
        }
        if self.arrived.is_empty() {
            // Keep what is allocated.
            self.arrived = arrived;
        }
        self.confess(judge);
    }

    fn send_own(&mut self, judge: &mut impl Judge) {
        self.owes = true;
        while let Some(buffer) = self.buffers.take_own().or_else(|| self.own_again()) {
            let Some(Outgoing { port, to, len }) = judge.own(self.buffers.room(buffer)) else {
                self.buffers.give(buffer);
                self.owes = false;
                break;
            };
            if !self.send(Token::Own(port, buffer), port, to, len) {
                judge.own_failed();
            }
        }
        self.confess(judge);
    }

    fn latency(&self) -> Latency {
        self.watch.latency()
    }
}

impl Drop for UringIo {
    /// The ports are free when this is done: the kernel alone would take its time.
    fn drop(&mut self) {
        if !self.started {
            return;
        }
        for at in 0..self.ports.len() {
            let Some(Closing::Cancel(generation)) = self.ports.get_mut(at).map(Port::close) else { continue };
            self.cancel(PortRef::new(at as u32), generation);
        }
        let mut in_vain = 0;
        while self.under_way.receives > 0 && in_vain < FAREWELLS {
            let before = self.under_way.receives;
            let want = self.under_way.sends + before.min(COMPLETIONS as usize / 2);
            if self.enter(Patience { want, ..Patience::A_MOMENT }).is_err() {
                break;
            }
            in_vain += usize::from(self.under_way.receives == before);
        }
    }
}
