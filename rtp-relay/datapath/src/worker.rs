//! A relay worker: one thread, one relay, its sockets.

use crate::engine::{EngineCounters, Shared};
use crate::fast::FastPath;
use crate::socket::SocketOptions;
use crate::sys::{Epoll, Ready, recv_from, send_to};
use crate::wake::Wake;
use relay_core::limits::MAX_PACKET;
use relay_core::{Outgoing, PortPair, PortRef, PortRequest, Relay, Verdict};
use relay_values::{DropReason, Duration, RelayCommand, RelayEvent, Time};
use rtrb::{Consumer, Producer};
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

/// The token of the worker's own wake; ports have their index.
const WAKE: u64 = u64::MAX;

/// The token of news about routes and neighbours.
const NEWS: u64 = u64::MAX - 1;

/// Ready sockets taken from one wait. At 3 µs a packet a full round takes below a millisecond.
const READY: usize = 256;

/// Commands of one shard that are done before the sockets have their turn again. A dead region's calls are bridged with
/// one each, below a microsecond; opening a session may take four system calls, 256 of them a few milliseconds.
const COMMANDS_PER_TURN: usize = 256;

/// How old published counters may be.
const PUBLISH_EVERY: Duration = Duration::from_millis(100);

/// How soon to try again when a shard's event queue was full.
const RETRY_EVENTS: Duration = Duration::from_millis(1);

/// What a worker is made of.
pub(crate) struct Worker {
    pub(crate) relay: Relay,
    pub(crate) epoch: Instant,
    pub(crate) options: SocketOptions,
    pub(crate) epoll: Epoll,
    pub(crate) wake: Arc<Wake>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) shards: Vec<ShardLine>,
    /// By [`PortRef::index`].
    pub(crate) sockets: Vec<Option<OwnedFd>>,
    /// How many there are.
    pub(crate) open: usize,
    pub(crate) receive_errors: u64,
    /// When the counters were last shown, and whether they have changed since.
    pub(crate) published: Time,
    pub(crate) unpublished: bool,
    /// The kernel engine, where there is one.
    pub(crate) fast: Option<FastPath>,
}

/// The worker's end of the two queues to a shard.
pub(crate) struct ShardLine {
    pub(crate) commands: Consumer<RelayCommand>,
    pub(crate) events: Producer<RelayEvent>,
    /// Events that found the queue full, in order. Bounded by what the shard's sessions can cause.
    pub(crate) backlog: VecDeque<RelayEvent>,
    pub(crate) wake: Arc<Wake>,
}

impl Worker {
    /// Work until told to stop.
    pub(crate) fn run(mut self) -> io::Result<()> {
        self.epoll.add(self.wake.as_fd(), WAKE)?;
        if let Some(fast) = &self.fast {
            self.epoll.add(fast.news(), NEWS)?;
        }
        let mut ready = Ready::new(READY);
        // One byte more than is carried, so that "too long" is seen also without the flag.
        let mut buffer = [0_u8; MAX_PACKET + 1];
        let mut timeout = Some(Duration::ZERO);
        // Waits in a row that had no room for all that was ready.
        let mut full = 0;
        while !self.shared.stop.load(Ordering::Acquire) {
            let n = self.epoll.wait(&mut ready, timeout)?;
            full = if n == READY { full + 1 } else { 0 };
            self.unpublished |= n > 0;
            for token in (0..n).filter_map(|i| ready.token(i)) {
                match token {
                    WAKE => {}
                    NEWS => self.fast.iter_mut().for_each(FastPath::look_again),
                    port => self.readable(PortRef::new(port as u32), &mut buffer),
                }
            }
            // Before the queues are looked at; no system call when nobody has knocked.
            self.wake.lower();
            let more = self.commands();
            let now = self.now();
            if full > 0 && full * READY <= self.open {
                // The wait goes round: after so many every socket has had its turn.
                self.relay.behind(now);
            }
            if self.relay.poll_timeout() <= now {
                if let Some(fast) = &self.fast {
                    fast.absorb_all(now, &mut self.relay);
                }
                self.relay.timeout(now);
                self.ports(now);
                self.unpublished = true;
            }
            self.own_packets(&mut buffer);
            let waiting = self.events();
            let stale = self.publish(now);
            let touch = self.fast.as_mut().map_or(Time::NEVER, |fast| fast.touch(now));
            let next = self.relay.poll_timeout().min(stale).min(touch);
            timeout = match (more, waiting) {
                (true, _) => Some(Duration::ZERO),
                (false, true) => Some(RETRY_EVENTS),
                (false, false) => (!next.is_never()).then(|| next.since(now)),
            };
        }
        Ok(())
    }

    fn now(&self) -> Time {
        Time::from_nanos(u64::try_from(self.epoch.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }

    /// One packet from a ready socket: a flow has one each 20 ms, so a second look would mostly be in vain. If there is
    /// more, the level-triggered wait brings the socket back after all others had their turn.
    fn readable(&mut self, port: PortRef, buffer: &mut [u8]) {
        let Some(Some(socket)) = self.sockets.get(port.index()) else { return };
        let (len, from) = match recv_from(socket.as_fd(), buffer) {
            Ok((len, Some(from))) => (len, from),
            Ok((_, None)) => return,
            Err(e) => {
                if !matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) {
                    self.receive_errors += 1;
                }
                return;
            }
        };
        let Some(bytes) = buffer.get_mut(..len) else {
            return self.relay.refuse(port, DropReason::TooLong);
        };
        let now = self.now();
        if let Some(fast) = &self.fast {
            fast.absorb_session(now, &mut self.relay, port);
        }
        let verdict = self.relay.packet(now, port, from, bytes);
        if let Some(fast) = &mut self.fast {
            fast.obey(now, &mut self.relay);
        }
        if let Verdict::Forward { port, to } = verdict
            && !self.send(port, to, bytes)
        {
            self.relay.send_failed(port);
        }
    }

    /// Send what the relay has made itself.
    fn own_packets(&mut self, buffer: &mut [u8]) {
        while let Some(Outgoing { port, to, len }) = self.relay.poll_send(buffer) {
            self.unpublished = true;
            if !self.send(port, to, buffer.get(..len).unwrap_or_default()) {
                self.relay.own_failed();
            }
        }
    }

    /// Send a packet; whether the system took it.
    fn send(&self, from: PortRef, to: SocketAddr, bytes: &[u8]) -> bool {
        match self.sockets.get(from.index()) {
            Some(Some(socket)) => send_to(socket.as_fd(), bytes, to).is_ok(),
            _ => false,
        }
    }

    /// Do what signalling asks; whether there is more.
    fn commands(&mut self) -> bool {
        let mut more = false;
        for shard in 0..self.shards.len() {
            for _ in 0..COMMANDS_PER_TURN {
                let Some(line) = self.shards.get_mut(shard) else { break };
                let Ok(command) = line.commands.pop() else { break };
                let now = self.now();
                if let Some(fast) = &mut self.fast {
                    self.relay.recall(&command);
                    fast.obey(now, &mut self.relay);
                }
                self.relay.command(now, command);
                self.ports(now);
            }
            more |= self.shards.get(shard).is_some_and(|line| !line.commands.is_empty());
        }
        more
    }

    /// Bind and close as the relay wishes.
    fn ports(&mut self, now: Time) {
        while let Some(request) = self.relay.poll_port() {
            match request {
                PortRequest::Bind(pair) => {
                    let bound = self.bind(&pair).is_ok();
                    self.relay.bound(now, pair.rtp, bound);
                }
                PortRequest::Close(pair) => {
                    self.put(pair.rtp, None);
                    self.put(pair.rtcp, None);
                }
            }
        }
    }

    fn bind(&mut self, pair: &PortPair) -> io::Result<()> {
        let (rtp, rtcp) = self.options.bind_pair(pair)?;
        self.epoll.add(rtp.as_fd(), pair.rtp.index() as u64)?;
        self.epoll.add(rtcp.as_fd(), pair.rtcp.index() as u64)?;
        self.put(pair.rtp, Some(rtp));
        self.put(pair.rtcp, Some(rtcp));
        Ok(())
    }

    fn put(&mut self, port: PortRef, socket: Option<OwnedFd>) {
        if let Some(place) = self.sockets.get_mut(port.index()) {
            self.open = (self.open + usize::from(socket.is_some())) - usize::from(place.is_some());
            *place = socket;
        }
    }

    /// Hand events to their shards; whether some found no room.
    fn events(&mut self) -> bool {
        while let Some(event) = self.relay.poll_event() {
            match event.session() {
                Some(session) => {
                    if let Some(line) = self.shards.get_mut(usize::from(session.shard())) {
                        line.backlog.push_back(event);
                    }
                }
                None => {
                    for line in &mut self.shards {
                        line.backlog.push_back(event.clone());
                    }
                }
            }
        }
        self.shards.iter_mut().fold(false, |waiting, line| line.work_off() | waiting)
    }

    /// Show the counters to others, at most so often; when there is something to show again.
    fn publish(&mut self, now: Time) -> Time {
        // What the program forwards wakes nobody.
        self.unpublished |= self.fast.as_ref().is_some_and(|fast| fast.flows() > 0);
        if !self.unpublished {
            return Time::NEVER;
        }
        let due = self.published + PUBLISH_EVERY;
        if now < due {
            return due;
        }
        if let Some(fast) = &self.fast {
            fast.absorb_all(now, &mut self.relay);
        }
        let mut shown = self.shared.counters.lock().unwrap_or_else(|broken| broken.into_inner());
        let flows = self.fast.as_ref().map_or(0, FastPath::flows);
        *shown = EngineCounters {
            relay: self.relay.counters(),
            receive_errors: self.receive_errors,
            kernel_flows: flows as u64,
            ..EngineCounters::default()
        };
        (self.published, self.unpublished) = (now, false);
        if self.fast.as_ref().is_some_and(|fast| fast.flows() > 0) {
            now + PUBLISH_EVERY
        } else {
            Time::NEVER
        }
    }
}

impl ShardLine {
    fn work_off(&mut self) -> bool {
        let mut pushed = false;
        while let Some(event) = self.backlog.pop_front() {
            match self.events.push(event) {
                Ok(()) => pushed = true,
                Err(rtrb::PushError::Full(event)) => {
                    self.backlog.push_front(event);
                    break;
                }
            }
        }
        if pushed {
            self.wake.raise();
        }
        !self.backlog.is_empty()
    }
}
