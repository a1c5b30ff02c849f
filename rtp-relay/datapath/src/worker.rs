//! A relay worker: one thread, one relay, its engine.

use crate::asks::{ASKS_PER_TURN, Ask};
use crate::engine::{EngineCounters, Shared};
use crate::fast::FastPath;
use crate::io::{Arrived, Judge, PacketIo};
use crate::reports::{Draft, Tap};
use crate::wake::Wake;
use crate::watchers::{NotWatched, Watcher, Watchers};
use relay_core::{Counters, Outgoing, PortRef, PortRequest, Relay, Verdict};
use relay_values::{DropReason, Duration, Measured, RelayCommand, RelayEvent, SessionId, Time};
use rtrb::{Consumer, Producer};
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;
use std::time::Instant;

/// Commands of one shard that are done before the sockets have their turn again. A dead region's calls are bridged with
/// one each, below a microsecond; opening a session may take four system calls, 256 of them a few milliseconds.
const COMMANDS_PER_TURN: usize = 256;

/// How old published counters may be.
const PUBLISH_EVERY: Duration = Duration::from_millis(100);

/// How soon to try again when a shard's event queue was full.
const RETRY_EVENTS: Duration = Duration::from_millis(1);

/// What a worker is made of.
pub(crate) struct Worker<Io> {
    pub(crate) media: Media,
    pub(crate) io: Io,
    pub(crate) wake: Arc<Wake>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) shards: Vec<ShardLine>,
    pub(crate) asks: Receiver<Ask>,
    /// When the counters were last shown, and whether they have changed since.
    pub(crate) published: Time,
    pub(crate) unpublished: bool,
}

/// What decides about packets, and has a clock to do it by.
pub(crate) struct Media {
    pub(crate) relay: Relay,
    /// The kernel engine, where there is one.
    pub(crate) fast: Option<FastPath>,
    pub(crate) epoch: Instant,
    pub(crate) receive_errors: u64,
    /// Own packets have been made.
    pub(crate) spoke: bool,
    /// Where reports are told that pass.
    pub(crate) tap: Option<Tap>,
    /// Who watches sessions.
    pub(crate) watchers: Watchers,
}

/// The worker's end of the two queues to a shard.
pub(crate) struct ShardLine {
    pub(crate) commands: Consumer<RelayCommand>,
    pub(crate) events: Producer<RelayEvent>,
    /// Events that found the queue full, in order. Bounded by what the shard's sessions can cause.
    pub(crate) backlog: VecDeque<RelayEvent>,
    pub(crate) wake: Arc<Wake>,
}

impl<Io: PacketIo> Worker<Io> {
    /// Work until told to stop.
    pub(crate) fn run(mut self) -> io::Result<()> {
        let mut timeout = Some(Duration::ZERO);
        while !self.shared.stop.load(Ordering::Acquire) {
            let woken = self.io.wait(timeout)?;
            self.unpublished |= woken.any;
            if woken.news {
                self.media.fast.iter_mut().for_each(FastPath::look_again);
            }
            self.io.receive(&mut self.media);
            // Before the queues are looked at; no system call when nobody has knocked.
            self.wake.lower();
            self.media.heed();
            let more = self.commands() | self.asks();
            self.media.watchers.tend(&mut self.media.relay);
            let now = self.media.now();
            if woken.behind {
                self.media.relay.behind(now);
            }
            if self.media.relay.poll_timeout() <= now {
                self.media.before_timeout(now);
                self.media.relay.timeout(now);
                self.media.obey(now);
                self.ports(now);
                self.unpublished = true;
            }
            self.io.send_own(&mut self.media);
            self.unpublished |= std::mem::take(&mut self.media.spoke);
            let waiting = self.events();
            let stale = self.publish(now);
            let ways = self.media.fast.as_mut().map_or(Time::NEVER, |fast| fast.turn(now));
            let next = self.media.relay.poll_timeout().min(stale).min(ways);
            timeout = match (more, waiting) {
                (true, _) => Some(Duration::ZERO),
                (false, true) => Some(RETRY_EVENTS),
                (false, false) => (!next.is_never()).then(|| next.since(now)),
            };
        }
        Ok(())
    }

    /// Do what signalling asks; whether there is more.
    fn commands(&mut self) -> bool {
        let mut more = false;
        for shard in 0..self.shards.len() {
            for _ in 0..COMMANDS_PER_TURN {
                let Some(line) = self.shards.get_mut(shard) else { break };
                let Ok(command) = line.commands.pop() else { break };
                let now = self.media.now();
                self.media.command(now, command);
                self.ports(now);
            }
            more |= self.shards.get(shard).is_some_and(|line| !line.commands.is_empty());
        }
        more
    }

    /// Answer questions; whether there may be more.
    fn asks(&mut self) -> bool {
        for _ in 0..ASKS_PER_TURN {
            let Ok(ask) = self.asks.try_recv() else { return false };
            match ask {
                Ask::Measure(session, then) => then(self.media.measure(session)),
                Ask::Watch(watcher, then) => then(self.media.watch(watcher)),
            }
        }
        true
    }

    /// Bind and close as the relay wishes.
    fn ports(&mut self, now: Time) {
        while let Some(request) = self.media.relay.poll_port() {
            match request {
                PortRequest::Bind(pair) => {
                    let bound = self.io.bind(&pair).is_ok();
                    self.media.relay.bound(now, pair.rtp, bound);
                }
                PortRequest::Close(pair) => self.io.close(&pair),
            }
        }
    }

    /// Hand events to their shards; whether some found no room.
    fn events(&mut self) -> bool {
        while let Some(event) = self.media.relay.poll_event() {
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
        self.unpublished |= self.media.fast.as_ref().is_some_and(|fast| fast.flows() > 0);
        if !self.unpublished {
            return Time::NEVER;
        }
        let due = self.published + PUBLISH_EVERY;
        if now < due {
            return due;
        }
        let relay = self.media.counters(now);
        let mut shown = self.shared.counters.lock().unwrap_or_else(|broken| broken.into_inner());
        let flows = self.media.fast.as_ref().map_or(0, FastPath::flows);
        *shown = EngineCounters {
            relay,
            receive_errors: self.media.receive_errors,
            latency: self.io.latency(),
            reports_missed: self.media.tap.as_ref().map_or(0, Tap::missed),
            kernel_flows: flows as u64,
            fast: self.media.fast.as_ref().map_or_else(Default::default, FastPath::counts),
            ..EngineCounters::default()
        };
        drop(shown);
        let mut intruders = self.shared.intruders.lock().unwrap_or_else(|broken| broken.into_inner());
        intruders.clear();
        intruders.extend(self.media.relay.intruders());
        (self.published, self.unpublished) = (now, false);
        if self.media.fast.as_ref().is_some_and(|fast| fast.flows() > 0) {
            now + PUBLISH_EVERY
        } else {
            Time::NEVER
        }
    }
}

impl Media {
    fn now(&self) -> Time {
        Time::from_nanos(u64::try_from(self.epoch.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }

    fn command(&mut self, now: Time, command: RelayCommand) {
        if let Some(fast) = &mut self.fast {
            fast.before_command(now, &mut self.relay, &command);
        }
        self.relay.command(now, command);
        self.obey(now);
    }

    /// A session as it is now, with what the kernel has carried of it.
    fn measure(&mut self, session: SessionId) -> Option<Measured> {
        let now = self.now();
        if let Some(fast) = &self.fast {
            fast.absorb_carried(now, &mut self.relay, session);
        }
        self.relay.measure(now, session)
    }

    /// The packets of a session are copied from now on. Its flows come back from the kernel.
    fn watch(&mut self, watcher: Watcher) -> Result<(), NotWatched> {
        let watched = self.watchers.add(&mut self.relay, watcher);
        self.obey(self.now());
        watched
    }

    fn obey(&mut self, now: Time) {
        if let Some(fast) = &mut self.fast {
            fast.obey(now, &mut self.relay);
        }
    }

    /// The kernel engine may stand elsewhere, and streams of an earlier run may have ended.
    fn heed(&mut self) {
        let now = self.now();
        if let Some(fast) = &mut self.fast {
            fast.heed(now, &mut self.relay);
        }
    }

    fn before_timeout(&mut self, now: Time) {
        if let Some(fast) = &mut self.fast {
            fast.before_timeout(now, &mut self.relay);
        }
    }

    /// A packet of reports was passed on.
    fn tell(&mut self, now: Time, draft: Draft, at: PortRef, from: SocketAddr) {
        let to = self.relay.session_at(at).zip(self.relay.local(at));
        if let (Some(tap), Some((session, to))) = (&mut self.tap, to) {
            tap.tell(draft, session, now, (from, to));
        }
    }

    fn counters(&mut self, now: Time) -> Counters {
        match &mut self.fast {
            Some(fast) => fast.counters(now, &mut self.relay),
            None => self.relay.counters(),
        }
    }
}

impl Judge for Media {
    fn packet(
        &mut self,
        at: PortRef,
        from: SocketAddr,
        arrived: Arrived<'_>,
    ) -> Option<(PortRef, SocketAddr)> {
        let Arrived::Whole(bytes) = arrived else {
            self.relay.refuse(at, DropReason::TooLong);
            self.watchers.misses(&self.relay, at);
            return None;
        };
        let now = self.now();
        if let Some(fast) = &self.fast {
            fast.absorb_session(now, &mut self.relay, at);
        }
        let watched = self.watchers.came(&self.relay, now, at, from, bytes);
        let draft = self.tap.as_mut().and_then(|tap| tap.draft(bytes));
        let verdict = self.relay.packet(now, at, from, bytes);
        self.obey(now);
        if let (Some(draft), Verdict::Forward { .. } | Verdict::Anew) = (draft, verdict) {
            self.tell(now, draft, at, from);
        }
        match verdict {
            Verdict::Forward { port, to } => {
                if let Some(which) = watched {
                    self.watchers.went(&self.relay, which, self.now(), port, to, bytes);
                }
                Some((port, to))
            }
            // What is written anew is among our own.
            Verdict::Anew | Verdict::Drop(_) => None,
        }
    }

    fn own(&mut self, buffer: &mut [u8]) -> Option<Outgoing> {
        let own = self.relay.poll_send(buffer);
        self.spoke |= own.is_some();
        if let Some(Outgoing { port, to, len }) = own
            && let (Some(which), Some(bytes)) = (self.watchers.of(&self.relay, port), buffer.get(..len))
        {
            self.watchers.went(&self.relay, which, self.now(), port, to, bytes);
        }
        own
    }

    fn send_failed(&mut self, from: PortRef) {
        self.relay.send_failed(from);
    }

    fn own_failed(&mut self) {
        self.relay.own_failed();
    }

    fn receive_failed(&mut self) {
        self.receive_errors += 1;
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
