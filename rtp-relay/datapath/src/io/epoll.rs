//! The plain engine: a socket for each port, `epoll`, one system call for each packet.

use super::{Arrived, Judge, PacketIo, Seat, Woken};
use crate::latency::{Latency, Stopwatch, stamped};
use crate::socket::SocketOptions;
use crate::sys::{Epoll, Ready, recv_from, send_to};
use relay_core::limits::MAX_PACKET;
use relay_core::{Outgoing, PortPair, PortRef};
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::Duration;

/// The token of the worker's own wake; ports have their index.
const WAKE: u64 = u64::MAX;

/// The token of news about routes and neighbours.
const NEWS: u64 = u64::MAX - 1;

/// Ready sockets taken from one wait. At 3 µs a packet a full round takes below a millisecond.
const READY: usize = 256;

/// A worker's sockets.
pub(crate) struct EpollIo {
    options: SocketOptions,
    epoll: Epoll,
    /// By [`PortRef::index`].
    sockets: Vec<Option<OwnedFd>>,
    /// How many there are.
    open: usize,
    ready: Ready,
    /// How many of `ready` the last wait has filled.
    woken: usize,
    /// Waits in a row that had no room for all that was ready.
    full: usize,
    watch: Stopwatch,
    /// One byte more than is carried, so that "too long" is seen also without the flag.
    buffer: Box<[u8; MAX_PACKET + 1]>,
}

impl EpollIo {
    pub(crate) fn new(seat: &Seat<'_>) -> io::Result<Self> {
        let epoll = Epoll::new()?;
        epoll.add(seat.wake, WAKE)?;
        if let Some(news) = seat.news {
            epoll.add(news, NEWS)?;
        }
        Ok(Self {
            options: SocketOptions::new(seat.config),
            epoll,
            sockets: (0..seat.ports).map(|_| None).collect(),
            open: 0,
            ready: Ready::new(READY),
            woken: 0,
            full: 0,
            watch: Stopwatch::default(),
            buffer: Box::new([0; MAX_PACKET + 1]),
        })
    }

    /// One packet from a ready socket: a flow has one each 20 ms, so a second look would mostly be in vain. If there is
    /// more, the level-triggered wait brings the socket back after all others had their turn.
    fn readable(&mut self, port: PortRef, judge: &mut impl Judge) {
        let Some(Some(socket)) = self.sockets.get(port.index()) else { return };
        let (len, from) = match recv_from(socket.as_fd(), &mut *self.buffer) {
            Ok((len, Some(from))) => (len, from),
            Ok((_, None)) => return,
            Err(e) => {
                if !matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) {
                    judge.receive_failed();
                }
                return;
            }
        };
        self.watch.seen(1);
        if self.watch.is_due() {
            self.watch.begin(socket.as_raw_fd());
        }
        let arrived = self.buffer.get_mut(..len).map_or(Arrived::TooLong, Arrived::Whole);
        match judge.packet(port, from, arrived) {
            Some((port, to)) if self.send(port, to, len) => self.watch.sent(),
            Some((port, _)) => {
                self.watch.forget();
                judge.send_failed(port);
            }
            None => self.watch.forget(),
        }
    }

    /// Send what is at the beginning of the buffer; whether the system took it.
    fn send(&self, from: PortRef, to: SocketAddr, len: usize) -> bool {
        match (self.sockets.get(from.index()), self.buffer.get(..len)) {
            (Some(Some(socket)), Some(bytes)) => send_to(socket.as_fd(), bytes, to).is_ok(),
            _ => false,
        }
    }

    fn put(&mut self, port: PortRef, socket: Option<OwnedFd>) {
        if let Some(place) = self.sockets.get_mut(port.index()) {
            self.open = (self.open + usize::from(socket.is_some())) - usize::from(place.is_some());
            *place = socket;
        }
    }
}

impl PacketIo for EpollIo {
    fn bind(&mut self, pair: &PortPair) -> io::Result<()> {
        let (rtp, rtcp) = self.options.bind_pair(pair)?;
        [&rtp, &rtcp].into_iter().for_each(|socket| stamped(socket.as_fd()));
        self.epoll.add(rtp.as_fd(), pair.rtp.index() as u64)?;
        self.epoll.add(rtcp.as_fd(), pair.rtcp.index() as u64)?;
        self.put(pair.rtp, Some(rtp));
        self.put(pair.rtcp, Some(rtcp));
        Ok(())
    }

    fn close(&mut self, pair: &PortPair) {
        self.put(pair.rtp, None);
        self.put(pair.rtcp, None);
    }

    fn wait(&mut self, timeout: Option<Duration>) -> io::Result<Woken> {
        let n = self.epoll.wait(&mut self.ready, timeout)?;
        self.woken = n;
        self.full = if n == READY { self.full + 1 } else { 0 };
        let news = (0..n).any(|i| self.ready.token(i) == Some(NEWS));
        // The wait goes round: after so many every socket has had its turn.
        let behind = self.full > 0 && self.full * READY <= self.open;
        Ok(Woken { any: n > 0, news, behind })
    }

    fn receive(&mut self, judge: &mut impl Judge) {
        for token in 0..std::mem::take(&mut self.woken) {
            match self.ready.token(token) {
                None | Some(WAKE | NEWS) => {}
                Some(port) => self.readable(PortRef::new(port as u32), judge),
            }
        }
    }

    fn send_own(&mut self, judge: &mut impl Judge) {
        while let Some(Outgoing { port, to, len }) = judge.own(&mut *self.buffer) {
            if !self.send(port, to, len) {
                judge.own_failed();
            }
        }
    }

    fn latency(&self) -> Latency {
        self.watch.latency()
    }
}
