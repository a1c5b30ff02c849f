//! What the threads of an appliance have in common: the snapshot, the post, and the phase of life.

use crate::api::DeniedTally;
use crate::clock::Clock;
use crate::history::History;
use crate::limits::MAIL_RESERVE;
use crate::metrics::SessionTally;
use crate::notice::Subscribers;
use crate::observe::{self, ObserveTally};
use crate::records::Life;
use crate::records::delivery::DeliveryTally;
use crate::report::ShardReport;
use crate::shed;
use crate::stir::Desk;
use crate::stream::StreamTally;
use crate::tls::{HandshakeTally, Tls};
use arc_swap::ArcSwap;
use bytes::Bytes;
use proxy_core::{
    CallDetail, CallName, CallPage, CallQuery, HealthInput, MoveOrder, OwnerOf, Peer, Proof, ScannerView,
    Snapshot, StirAnswer, TransportFailure, begins_something, calls_for_help,
};
use relay_values::Time;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::SyncSender;
use tokio::sync::{Notify, mpsc, oneshot};

/// Where an appliance is in its life. Only ever goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Phase {
    Running,
    /// No new calls.
    Draining,
    /// Threads end.
    Stopping,
}

/// How the others reach a shard.
#[derive(Debug)]
pub(crate) struct Post {
    pub(crate) mail: mpsc::Sender<Mail>,
    pub(crate) asks: mpsc::Sender<SyncSender<ShardReport>>,
    /// Rung after a new snapshot or phase, which the shard fetches itself: neither can be lost in a full queue.
    pub(crate) bell: Notify,
    /// Counts the shard's turns: standing still means stuck.
    pub(crate) turns: AtomicU64,
    /// Messages in the shard's inbox.
    pub(crate) waiting: AtomicUsize,
}

/// What a shard is told by another thread.
#[derive(Debug)]
pub(crate) enum Mail {
    Message {
        /// When it came to us.
        arrived: Time,
        from: Peer,
        bytes: Bytes,
    },
    /// Somebody whom nobody knows has connected, and was not taken.
    Knock(Peer),
    /// Who the peer of a TLS connection is, or that it has ended.
    Proven {
        peer: Peer,
        connection: u64,
        proof: Option<Proof>,
    },
    TransportError {
        to: Peer,
        failure: TransportFailure,
    },
    Move(MoveOrder),
    StopMove(u64),
    /// What was asked to be signed or verified.
    Stir(Box<StirAnswer>),
    /// Whom its sockets meet with silence.
    Scanners(SyncSender<Vec<ScannerView>>),
    ForgetScanners,
    /// Some of its live calls: which, from which place on, and how many at most.
    Calls((Arc<CallQuery>, u32, usize), oneshot::Sender<CallPage>),
    Call(CallName, oneshot::Sender<Option<Box<CallDetail>>>),
    /// An operator ends a call; the answer is whether it was there.
    EndCall(CallName, oneshot::Sender<bool>),
}

/// What was counted outside of the shards.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// New calls turned away because a shard's post was full.
    pub(crate) shed: AtomicU64,
    /// Messages dropped for the same reason.
    pub(crate) mail_full: AtomicU64,
    pub(crate) health_full: AtomicU64,
    pub(crate) stream_full: AtomicU64,
    /// Streams not taken or made, and those that have ended, by reason.
    pub(crate) connections: StreamTally,
    pub(crate) streams: AtomicU64,
    /// TLS handshakes by what became of them.
    pub(crate) handshakes: HandshakeTally,
    /// Requests that the admin API turned away.
    pub(crate) denied: DeniedTally,
    pub(crate) records_lost: AtomicU64,
    pub(crate) records_unwritten: AtomicU64,
    pub(crate) sessions: SessionTally,
    pub(crate) delivery: DeliveryTally,
    pub(crate) observe: ObserveTally,
    pub(crate) probe_send_errors: AtomicU64,
}

/// Add one.
pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) clock: Clock,
    /// Makes names of records unique.
    pub(crate) life: Life,
    /// Counts how often somebody has asked for files to be opened anew.
    pub(crate) reopen: AtomicU64,
    pub(crate) snapshot: ArcSwap<Snapshot>,
    /// What new TLS connections are made with.
    pub(crate) tls: ArcSwap<Tls>,
    pub(crate) posts: Vec<Post>,
    pub(crate) health: mpsc::Sender<HealthInput>,
    /// Messages for streams; `None` without a stream listener.
    pub(crate) streams: Option<mpsc::Sender<(Peer, Bytes)>>,
    /// Who signs and verifies; `None` where no trunk wants that.
    pub(crate) stir: Option<Desk>,
    /// The last minutes of signalling, if they are kept.
    pub(crate) signalling: Option<observe::History>,
    pub(crate) subscribers: Subscribers,
    pub(crate) history: History,
    pub(crate) tally: Tally,
    pub(crate) phase: AtomicU8,
    /// Rung with every shard's bell, for whoever looks names up.
    pub(crate) renewed: Notify,
    /// Ends the threads that are not shards.
    pub(crate) stop: tokio::sync::watch::Sender<bool>,
}

/// What became of a message that was posted.
#[derive(Debug)]
pub(crate) enum Posted {
    /// On its way, or dropped and counted.
    Done,
    /// Something new on a stream, for which there is no room; this is the answer.
    Refused(Bytes),
    /// No room now. A stream waits, a datagram is dropped: its sender repeats it.
    Full(u8, Mail),
}

impl Shared {
    pub(crate) fn shards(&self) -> u8 {
        u8::try_from(self.posts.len()).unwrap_or(u8::MAX)
    }

    pub(crate) fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Acquire) {
            0 => Phase::Running,
            1 => Phase::Draining,
            _ => Phase::Stopping,
        }
    }

    /// Go on to a later phase.
    pub(crate) fn enter(&self, phase: Phase) {
        self.phase.fetch_max(phase as u8, Ordering::AcqRel);
        if phase == Phase::Stopping {
            self.stop.send_replace(true);
        }
        self.ring();
    }

    /// Publish the next snapshot: one store, then every shard fetches it. Gives the last one back.
    pub(crate) fn publish(&self, snapshot: Arc<Snapshot>) -> Arc<Snapshot> {
        let before = self.snapshot.swap(snapshot);
        self.ring();
        before
    }

    fn ring(&self) {
        for post in &self.posts {
            post.bell.notify_one();
        }
        self.renewed.notify_one();
    }

    /// Whom a message belongs to. What nobody can route goes to `here`, which knows how to answer or count it.
    pub(crate) fn owner(&self, bytes: &[u8], here: u8) -> Option<u8> {
        let shards = self.shards();
        // One shard owns every request; only responses have to be looked into.
        if shards == 1 && !bytes.starts_with(b"SIP/") {
            return Some(0);
        }
        match proxy_core::owner(bytes, shards) {
            OwnerOf::Shard(shard) => Some(shard),
            OwnerOf::Garbage => Some(here),
            OwnerOf::Health => None,
        }
    }

    /// Hand a message to the shard that owns it.
    pub(crate) fn post(&self, shard: u8, arrived: Time, from: Peer, bytes: Bytes) -> Posted {
        let Some(post) = self.posts.get(usize::from(shard)) else { return Posted::Done };
        if post.mail.capacity() < MAIL_RESERVE && begins_something(&bytes) && !calls_for_help(&bytes) {
            count(&self.tally.shed);
            // A datagram may come from anywhere: it gets no answer from somebody who has not looked.
            let stream = from.transport.is_reliable().then(|| shed::refusal(&bytes)).flatten();
            return stream.map_or(Posted::Done, Posted::Refused);
        }
        match post.mail.try_send(Mail::Message { arrived, from, bytes }) {
            Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => Posted::Done,
            Err(mpsc::error::TrySendError::Full(mail)) => Posted::Full(shard, mail),
        }
    }

    /// Messages that wait for a shard, in its post and in its inbox.
    pub(crate) fn backlog(&self, shard: u8) -> usize {
        self.posts.get(usize::from(shard)).map_or(0, |post| {
            let posted = post.mail.max_capacity() - post.mail.capacity();
            posted + post.waiting.load(Ordering::Relaxed)
        })
    }

    /// Tell the health core. Never waits.
    pub(crate) fn tell_health(&self, input: HealthInput) {
        if self.health.try_send(input).is_err() {
            count(&self.tally.health_full);
        }
    }

    /// Tell a shard of a connection that was not taken. Never waits: there will be more of them.
    pub(crate) fn knocked(&self, from: Peer) {
        let refused = self.posts.first().map(|post| post.mail.try_send(Mail::Knock(from)));
        if refused.is_some_and(|sent| sent.is_err()) {
            count(&self.tally.mail_full);
        }
    }

    /// Tell everybody that a peer cannot be reached: whose transaction it was is not known here.
    pub(crate) fn unreachable(&self, to: Peer, failure: TransportFailure) {
        self.tell_health(HealthInput::TransportError { to, failure });
        for post in &self.posts {
            if post.mail.try_send(Mail::TransportError { to, failure }).is_err() {
                count(&self.tally.mail_full);
            }
        }
    }

    /// Tell every shard who a TLS peer is, before its first message, or that its connection has ended. Waits for room: a
    /// connection that began in an overload is not to be a stranger's for good.
    pub(crate) async fn proven(&self, peer: Peer, connection: u64, proof: Option<Proof>) {
        for post in &self.posts {
            // Closed means that the appliance stops.
            let _ = post.mail.send(Mail::Proven { peer, connection, proof: proof.clone() }).await;
        }
    }

    /// Send over a stream.
    pub(crate) fn send_stream(&self, to: Peer, bytes: Bytes) {
        debug_assert!(to.transport.is_reliable());
        let taken = self.streams.as_ref().is_some_and(|streams| streams.try_send((to, bytes)).is_ok());
        if !taken {
            count(&self.tally.stream_full);
        }
    }
}
