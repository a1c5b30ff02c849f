//! A signalling shard's thread: one core, its sockets, its post, its end of the relay.
//!
//! It works in turns. A turn takes what the sockets, the post and the relay hold, up to fixed numbers, handles up to a
//! fixed number of messages, fires the timer if it is due, and sends everything that came out with few system calls. Taking
//! in before handling is what makes overload visible: what waits, waits in a queue of ours where a BYE can be told from a
//! new call, not in the kernel's, which drops either.

mod ahead;
mod inbox;
mod pace;
mod sockets;

use crate::limits::{
    GATHER, HEARTBEAT, INBOX_MAIL, NOTABLE_WAIT, SEND_RETRY, TIMER_PATIENCE, TURN_EVENTS, TURN_MESSAGES,
};
use crate::observe::Tap;
use crate::records::Told;
use crate::report::{ShardReport, WireCounters};
use crate::shared::{Mail, Phase, Posted, Shared, count};
use ahead::Ahead;
use bytes::Bytes;
use datapath::RelayHandle;
use inbox::{Inbox, Taken, Waiting};
use pace::Pace;
use proxy_core::{Event, HealthInput, Input, Output, Peer, Shard, Transport};
use relay_values::{OpenFailure, RelayCommand, RelayEvent, Time};
use sockets::Sockets;
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{SyncSender, TrySendError};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::mpsc;

/// Finished calls and receipts on their way to the writer.
pub(crate) type Records = SyncSender<Vec<Told>>;

/// What a shard's thread is given.
pub(crate) struct Kit {
    pub(crate) id: u8,
    pub(crate) seed: u64,
    /// What nonces for trunks are made with.
    pub(crate) secret: [u8; 32],
    pub(crate) shared: Arc<Shared>,
    /// One socket for each UDP listener, by the listener's number.
    pub(crate) sockets: Vec<Option<UdpSocket>>,
    pub(crate) mail: mpsc::Receiver<Mail>,
    pub(crate) asks: mpsc::Receiver<SyncSender<ShardReport>>,
    pub(crate) relay: Option<RelayHandle>,
    pub(crate) records: Records,
    /// If somebody watches.
    pub(crate) tap: Option<Tap>,
}

/// Run until the appliance stops. To be called inside a runtime of the calling thread.
pub(crate) async fn run(kit: Kit) -> std::io::Result<()> {
    let mut turner = Turner::new(kit)?;
    while turner.shared.phase() != Phase::Stopping {
        if turner.turn() {
            // Lets the runtime look at the sockets, without sleeping.
            tokio::task::yield_now().await;
        } else {
            if turner.pace.is_busy(turner.wire.datagrams_in) {
                // Blocks the thread, on which nothing else runs.
                std::thread::sleep(GATHER);
            }
            turner.wait().await;
        }
    }
    // What was decided is sent: a 503 or BYE on the last turn should still leave.
    turner.turn();
    Ok(())
}

struct Turner {
    id: u8,
    shared: Arc<Shared>,
    shard: Shard,
    generation: u64,
    draining: bool,
    sockets: Sockets,
    inbox: Inbox,
    ahead: Ahead,
    mail: mpsc::Receiver<Mail>,
    asks: mpsc::Receiver<SyncSender<ShardReport>>,
    relay: Option<AsyncFd<RelayHandle>>,
    /// The relay has not taken every command yet.
    relay_behind: bool,
    /// What found no room elsewhere, to be told to the core: calls that the relay's full queue turned away, and signatures.
    refused: Vec<Input>,
    records: Records,
    tap: Option<Tap>,
    told: Vec<Told>,
    wire: WireCounters,
    pace: Pace,
    /// When something was handled last.
    handled: Time,
}

impl Turner {
    fn new(kit: Kit) -> std::io::Result<Self> {
        let Kit { id, seed, secret, shared, sockets, mail, asks, relay, records, tap } = kit;
        let snapshot = shared.snapshot.load_full();
        Ok(Self {
            id,
            generation: snapshot.generation,
            shard: Shard::new(id, seed, shared.clock.now(), snapshot).with_secret(secret),
            shared,
            draining: false,
            sockets: Sockets::new(sockets)?,
            inbox: Inbox::default(),
            ahead: Ahead::default(),
            mail,
            asks,
            relay: relay.map(watch).transpose()?,
            relay_behind: false,
            refused: Vec::new(),
            records,
            tap,
            told: Vec::new(),
            wire: WireCounters::default(),
            pace: Pace::new(),
            handled: Time::ZERO,
        })
    }

    /// One turn; whether there is more to do at once.
    fn turn(&mut self) -> bool {
        if let Some(post) = self.shared.posts.get(usize::from(self.id)) {
            post.turns.fetch_add(1, Ordering::Relaxed);
        }
        self.take_orders();
        // Before the datagrams: an error may have hidden some of them.
        self.take_errors();
        let mut more = self.take_datagrams();
        more |= self.take_mail();
        self.say_what_waits();
        more |= self.take_relay_events();
        let mut handled = 0;
        while handled < TURN_MESSAGES {
            let Some(Waiting { arrived, from, bytes }) = self.inbox.next() else { break };
            handled += 1;
            // The clock as it stood at the last message: near enough, and read anyway.
            let waited = self.handled.since(arrived);
            if waited >= NOTABLE_WAIT {
                // What came before the overload was known is turned away as what comes now.
                let (now, wary) = (self.handled, self.shard.is_wary(self.handled));
                if wary && self.shard.disposes_of(now, waited, from, &bytes) {
                    self.perform_all();
                    self.handled = self.shared.clock.now();
                    continue;
                }
                self.shard.handle(now, Input::Waited(waited));
            }
            if let Some(tap) = &mut self.tap {
                tap.heard(arrived, from, &bytes);
            }
            self.handle(Input::Message { from, bytes });
        }
        self.say_what_waits();
        self.fire_timer();
        self.answer_asks();
        self.hand_over();
        let now = self.shared.clock.now();
        self.ahead.ends(now, handled);
        // Calls that leave a dead region get their turns one timer after the other: none of them waits for a sleep.
        more || !self.inbox.is_empty() || self.shard.poll_timeout() <= now
    }

    /// For whoever would bring more.
    fn say_what_waits(&self) {
        if let Some(post) = self.shared.posts.get(usize::from(self.id)) {
            post.waiting.store(self.inbox.len(), Ordering::Relaxed);
        }
    }

    /// After the messages: an answer that waits here has arrived in time, and an edge must not be taken for dead because
    /// we are slow. But not for ever.
    fn fire_timer(&mut self) {
        let (due, now) = (self.shard.poll_timeout(), self.shared.clock.now());
        if due <= now && (self.inbox.is_empty() || due + TIMER_PATIENCE <= now) {
            self.handle(Input::Timeout);
        }
    }

    /// The newest snapshot and phase.
    fn take_orders(&mut self) {
        if self.shared.snapshot.load().generation != self.generation {
            let snapshot = self.shared.snapshot.load_full();
            self.generation = snapshot.generation;
            self.handle(Input::Snapshot(snapshot));
            // Calls of a region that has died hear the fill before anything else is done for them.
            self.hand_over();
        }
        if !self.draining && self.shared.phase() >= Phase::Draining {
            self.draining = true;
            self.handle(Input::Drain);
        }
    }

    fn take_datagrams(&mut self) -> bool {
        let Self { sockets, inbox, ahead, shared, wire, id, shard, .. } = self;
        let now = shared.clock.now();
        ahead.begins(now);
        let is_wary = shard.is_wary(now);
        let more = sockets.receive(wire, |from, datagram, wire| {
            // A keep-alive: CRLFs or zeros.
            if datagram.len() <= 4 && datagram.iter().all(|b| matches!(b, b'\r' | b'\n' | 0)) {
                wire.keepalives += 1;
                return;
            }
            // A stranger's datagram that nobody wants is not even copied.
            if !shard.lets_in(now, from, datagram) {
                return;
            }
            let owner = shared.owner(datagram, *id);
            // Nor is a call for which there is no time.
            if is_wary && owner == Some(*id) && shard.disposes_of(now, ahead.of(inbox.len()), from, datagram)
            {
                return;
            }
            let bytes = Bytes::copy_from_slice(datagram);
            match owner {
                None => shared.tell_health(HealthInput::Message { from, bytes }),
                Some(shard) if shard == *id => take(inbox, wire, now, from, bytes),
                Some(shard) => match shared.post(shard, now, from, bytes) {
                    Posted::Done => {}
                    // A datagram's sender repeats it.
                    Posted::Refused(_) | Posted::Full(..) => count(&shared.tally.mail_full),
                },
            }
        });
        self.perform_all();
        more
    }

    fn take_mail(&mut self) -> bool {
        for _ in 0..TURN_EVENTS {
            if self.inbox.len() >= INBOX_MAIL {
                break;
            }
            let Ok(mail) = self.mail.try_recv() else { return false };
            self.open(mail);
        }
        true
    }

    fn open(&mut self, mail: Mail) {
        match mail {
            Mail::Message { arrived, from, bytes } => {
                // What came by datagram was let in where it came.
                if from.transport.is_reliable() && !self.shard.lets_in(arrived, from, &bytes) {
                    return;
                }
                take(&mut self.inbox, &mut self.wire, arrived, from, bytes);
            }
            Mail::Knock(from) => self.shard.knocked(self.shared.clock.now(), from),
            Mail::Scanners(ask) => {
                // Who asked may have stopped waiting.
                let _ = ask.try_send(self.shard.scanners(self.shared.clock.now()));
            }
            Mail::ForgetScanners => self.shard.forget_scanners(),
            Mail::Calls((query, from, most), answer) => {
                let _ = answer.send(self.shard.calls(&query, from, most));
            }
            Mail::Call(name, answer) => {
                let _ = answer.send(self.shard.call(name).map(Box::new));
            }
            Mail::EndCall(name, answer) => {
                let _ = answer.send(self.shard.call(name).is_some());
                self.handle(Input::EndCall(name));
            }
            Mail::Proven { peer, connection, proof } => {
                self.handle(Input::Proven { peer, connection, proof });
            }
            Mail::TransportError { to, failure } => self.handle(Input::TransportError { to, failure }),
            Mail::Move(order) => {
                // The drain was published before the order was posted, perhaps after this turn began: a call must not be
                // moved to where it has just been told to leave.
                self.take_orders();
                self.handle(Input::Move(order));
            }
            Mail::StopMove(order) => self.handle(Input::StopMove(order)),
            Mail::Stir(answer) => self.handle(Input::Stir(answer)),
        }
    }

    /// What ICMP said, and what the system refused to send.
    fn take_errors(&mut self) {
        for (to, failure) in self.sockets.errors(&mut self.wire) {
            self.handle(Input::TransportError { to, failure });
            self.shared.tell_health(HealthInput::TransportError { to, failure });
            // ICMP goes to any one of the sockets on an address, not to the one that sent.
            for (i, post) in self.shared.posts.iter().enumerate() {
                if i != usize::from(self.id)
                    && post.mail.try_send(Mail::TransportError { to, failure }).is_err()
                {
                    count(&self.shared.tally.mail_full);
                }
            }
        }
    }

    fn take_relay_events(&mut self) -> bool {
        for _ in 0..TURN_EVENTS {
            let event = self.relay.as_mut().and_then(|relay| relay.get_mut().recv());
            let Some(event) = event else { return false };
            self.handle(Input::Relay(event));
        }
        true
    }

    fn answer_asks(&mut self) {
        while let Ok(ask) = self.asks.try_recv() {
            self.answer(&ask);
        }
    }

    fn answer(&self, ask: &SyncSender<ShardReport>) {
        let report = ShardReport {
            shard: self.id,
            counts: self.shard.counts(),
            timers: self.shard.timers(),
            counters: self.shard.counters().clone(),
            wire: self.wire,
            regions: self.shard.region_calls(),
            trunks: self.shard.trunk_calls(),
        };
        // Who asked may have stopped waiting.
        let _ = ask.try_send(report);
    }

    /// One input, and everything that comes of it.
    fn handle(&mut self, input: Input) {
        let mut next = Some(input);
        while let Some(input) = next.take().or_else(|| self.refused.pop()) {
            self.handled = self.shared.clock.now();
            self.shard.handle(self.handled, input);
            self.perform_all();
        }
    }

    fn perform_all(&mut self) {
        while let Some(output) = self.shard.poll_output() {
            self.perform(output);
        }
    }

    fn perform(&mut self, output: Output) {
        match output {
            Output::Send { to, bytes } => self.send(to, bytes),
            Output::Relay(command) => {
                if let (Some(tap), RelayCommand::Open(open)) = (&mut self.tap, &command) {
                    tap.opens(open.session, &self.shard);
                }
                self.command(command);
            }
            Output::Stir(task) => {
                let refused = match &self.shared.stir {
                    Some(desk) => desk.hand_in(self.id, task).err(),
                    None => Some(task),
                };
                self.refused.extend(refused.map(|task| Input::Stir(Box::new(task.busy()))));
            }
            Output::Finished(record) => self.told.push(Told::Finished(record)),
            // At once, not at the turn's end: a region's silence is urgent.
            Output::Event(event) => match event.into_health() {
                Ok(input) => self.shared.tell_health(input),
                Err(Event::Moved(receipt)) => self.told.push(Told::Moved(receipt)),
                Err(Event::Moves(progress)) => self.told.push(Told::Moves { shard: self.id, progress }),
                Err(Event::Evidence(_) | Event::RegionSilent { .. } | Event::RegionHeard { .. }) => {}
            },
        }
    }

    fn send(&mut self, to: Peer, bytes: Bytes) {
        if let Some(tap) = &mut self.tap {
            tap.said(self.handled, to, &bytes, &self.shard);
        }
        match to.transport {
            Transport::Udp => {
                if !self.sockets.send(to, bytes) {
                    self.wire.send_full += 1;
                }
            }
            Transport::Tcp | Transport::Tls => self.shared.send_stream(to, bytes),
        }
    }

    fn command(&mut self, command: RelayCommand) {
        let opening = match &command {
            RelayCommand::Open(open) => Some(open.session),
            _ => None,
        };
        let sent = self.relay.as_mut().is_some_and(|relay| relay.get_mut().send(command).is_ok());
        if let (false, Some(session)) = (sent, opening) {
            self.wire.relay_full += 1;
            self.refused.push(Input::Relay(RelayEvent::OpenFailed { session, reason: OpenFailure::Busy }));
        }
    }

    /// The end of a turn: what was collected goes out.
    fn hand_over(&mut self) {
        // The relay first: whoever gets our message may send media at once, and is to be known by then.
        if let Some(relay) = &mut self.relay {
            self.relay_behind = !relay.get_mut().flush();
        }
        self.sockets.flush(&mut self.wire);
        if !self.told.is_empty() {
            let n = self.told.len() as u64;
            if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) =
                self.records.try_send(std::mem::take(&mut self.told))
            {
                self.shared.tally.records_lost.fetch_add(n, Ordering::Relaxed);
            }
        }
    }

    /// Sleep until there is something to do.
    async fn wait(&mut self) {
        let behind = self.relay_behind || self.sockets.is_behind();
        let at_most = if behind { SEND_RETRY } else { HEARTBEAT };
        let deadline = self.shared.clock.deadline(self.shard.poll_timeout(), at_most);
        let shared = Arc::clone(&self.shared);
        let bell = shared.posts.get(usize::from(self.id)).map(|post| &post.bell);
        let (mut mail, mut ask) = (None, None);
        tokio::select! {
            biased;
            () = self.sockets.readable() => {}
            some = self.mail.recv() => mail = some,
            some = self.asks.recv() => ask = some,
            () = ring(bell) => {}
            () = relay_readable(self.relay.as_ref()) => {}
            () = tokio::time::sleep_until(deadline.into()) => {}
        }
        if let Some(mail) = mail {
            self.open(mail);
        }
        if let Some(ask) = ask {
            self.answer(&ask);
        }
    }
}

/// Watch the relay's descriptor.
#[expect(
    deprecated,
    reason = "sound here: a handle owns its one descriptor for life; the replacement is `unsafe`, which this crate forbids"
)]
fn watch(relay: RelayHandle) -> std::io::Result<AsyncFd<RelayHandle>> {
    AsyncFd::with_interest(relay, Interest::READABLE)
}

/// Put a message into the inbox, if there is room.
fn take(inbox: &mut Inbox, wire: &mut WireCounters, arrived: Time, from: Peer, bytes: Bytes) {
    match inbox.take(arrived, from, bytes) {
        Taken::Waiting => {}
        Taken::Shed => wire.shed += 1,
        Taken::Dropped => wire.inbox_full += 1,
    }
}

async fn ring(bell: Option<&tokio::sync::Notify>) {
    match bell {
        Some(bell) => bell.notified().await,
        None => std::future::pending().await,
    }
}

async fn relay_readable(relay: Option<&AsyncFd<RelayHandle>>) {
    match relay {
        // `recv` empties the descriptor, so readiness is cleared here: the next event makes a new edge.
        Some(relay) => {
            if let Ok(mut guard) = relay.readable().await {
                guard.clear_ready();
            }
        }
        None => std::future::pending().await,
    }
}
