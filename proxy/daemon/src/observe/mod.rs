//! Who watches the signalling: a copy of what shards take up and send goes through a queue that nobody waits for to a thread that keeps
//! the last minutes of it for `bascule trace`, and sends it on to a collector (HEPv3).
//!
//! Off, it costs a shard one branch a message. On, a message that does not fit into the queue is not seen, and counted; no call notices.

mod encode;
mod history;
mod joins;
mod media;
mod redact;
mod report;
mod rtcp;
mod sender;
mod tally;
mod trace;

pub(crate) use history::History;
pub use redact::Redaction;
pub(crate) use sender::{Sender, run as send};
pub(crate) use tally::ObserveTally;
pub(crate) use trace::trace;
pub use trace::{Traced, TracedMessage};

use crate::config::ObserveSettings;
use crate::limits::{OBSERVE_PAUSE, OBSERVE_QUEUE};
use crate::notice::Notice;
use crate::shared::Shared;
use bytes::Bytes;
use datapath::Report;
use encode::Packet;
use joins::Joins;
use media::Reports;
use proxy_core::{Peer, Shard, Transport};
use relay_values::{SessionId, Time};
use rtrb::{Consumer, Producer, RingBuffer};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::Receiver;

/// A message as a shard has seen it.
#[derive(Debug)]
pub(crate) struct Seen {
    at: Time,
    peer: Peer,
    /// By us, to the peer.
    sent: bool,
    bytes: Bytes,
    /// For what begins another leg: the Call-ID of the leg that called us.
    joins: Option<Box<[u8]>>,
}

/// What a shard tells.
#[derive(Debug)]
pub(crate) enum Told {
    Message(Seen),
    /// A session of the relay is opened for the call that has this Call-ID.
    Session(SessionId, Box<[u8]>),
}

/// A shard's end of its queue.
#[derive(Debug)]
pub(crate) struct Tap {
    queue: Producer<Told>,
    /// Somebody wants to know whose sessions are.
    names_sessions: bool,
    shared: Arc<Shared>,
}

impl Tap {
    /// A message that the shard takes up, and when it came.
    pub(crate) fn heard(&mut self, at: Time, peer: Peer, bytes: &Bytes) {
        self.push(Seen { at, peer, sent: false, bytes: bytes.clone(), joins: None });
    }

    /// A message that it sends.
    pub(crate) fn said(&mut self, at: Time, peer: Peer, bytes: &Bytes, shard: &Shard) {
        let begins = bytes.starts_with(b"INVITE ");
        let joins = if begins { shard.caller_call_id(bytes).map(Into::into) } else { None };
        self.push(Seen { at, peer, sent: true, bytes: bytes.clone(), joins });
    }

    /// A session that it has the relay open.
    pub(crate) fn opens(&mut self, session: SessionId, shard: &Shard) {
        if self.names_sessions
            && let Some(call) = shard.caller_of(session)
        {
            self.tell(Told::Session(session, call.into()));
        }
    }

    fn push(&mut self, seen: Seen) {
        self.tell(Told::Message(seen));
    }

    fn tell(&mut self, told: Told) {
        if self.queue.push(told).is_err() {
            self.shared.tally.observe.missed();
        }
    }
}

/// A queue for a shard, and where the watcher reads it.
pub(crate) fn queue(shared: &Arc<Shared>, names_sessions: bool) -> (Tap, Consumer<Told>) {
    let (queue, read) = RingBuffer::new(OBSERVE_QUEUE);
    (Tap { queue, names_sessions, shared: Arc::clone(shared) }, read)
}

/// What the watcher's thread is given.
pub(crate) struct Kit {
    pub(crate) shared: Arc<Shared>,
    /// One of each shard.
    pub(crate) queues: Vec<Consumer<Told>>,
    /// One of each relay worker.
    pub(crate) reports: Vec<Consumer<Report>>,
    pub(crate) settings: ObserveSettings,
    pub(crate) sender: Option<Sender>,
    /// Finished calls, for reports of their media.
    pub(crate) notices: Option<Receiver<Notice>>,
    /// Where we listen, by the listener's number.
    pub(crate) listeners: Vec<SocketAddr>,
}

/// Watch until every shard has ended.
pub(crate) fn run(kit: Kit) {
    let Kit { shared, mut queues, reports, settings, mut sender, notices, listeners } = kit;
    let (mut joins, mut reports) = (Joins::new(), Reports::new(reports));
    let redaction = settings.hep.as_ref().map(|hep| hep.redact).unwrap_or_default();
    let mut batch = Vec::new();
    loop {
        // Before the queues are read: what was pushed last is read below.
        let over = queues.iter().all(Consumer::is_abandoned);
        for queue in &mut queues {
            while let Ok(told) = queue.pop() {
                match told {
                    Told::Message(seen) => batch.push(seen),
                    Told::Session(session, call) => reports.opened(session, call),
                }
            }
        }
        // Each queue is in order, two of them together are not.
        batch.sort_by_key(|seen| seen.at);
        if !batch.is_empty() {
            let mut history = shared.signalling.as_ref().map(History::write);
            for seen in batch.drain(..) {
                let call_id = sip_wire::peek_call_id(&seen.bytes).unwrap_or_default();
                let (call, number) = joins.call_of(call_id, seen.joins.as_deref());
                if let Some(history) = &mut history {
                    history.keep(number, &seen);
                }
                if let Some(sender) = &mut sender {
                    let us = local(&listeners, seen.peer);
                    let (from, to) = if seen.sent { (us, seen.peer.remote) } else { (seen.peer.remote, us) };
                    let payload = redaction.apply(&seen.bytes);
                    let is_tcp = seen.peer.transport != Transport::Udp;
                    let packet = Packet { from, to, is_tcp, kind: encode::SIP, payload: &payload, call };
                    sender.put(&packet, shared.clock.wall(seen.at));
                }
            }
        }
        if let Some(sender) = &mut sender {
            reports.pass_on(sender, &shared);
        }
        if let (Some(sender), Some(notices)) = (&mut sender, &notices) {
            for notice in notices.try_iter() {
                if let Notice::Finished(record) = notice {
                    let us = listeners.first().copied().unwrap_or_else(|| ([0, 0, 0, 0], 0).into());
                    report::put(sender, &shared.clock, &record, us);
                }
            }
        }
        if let Some(sender) = &mut sender {
            sender.hand_over();
        }
        if over {
            return;
        }
        // A queue that is read now and then costs its writer no wake-up.
        std::thread::sleep(OBSERVE_PAUSE);
    }
}

fn local(listeners: &[SocketAddr], peer: Peer) -> SocketAddr {
    listeners.get(peer.listener.index()).copied().unwrap_or(peer.remote)
}
