//! What a call may reach of its shard while it handles an event.

use super::leg::{ALLOW, ALLOW_WITH_REFER};
use crate::counters::ShardCounters;
use crate::face::{Face, Faces};
use crate::ghosts::Ghosts;
use crate::ids::{CallKey, hex};
use crate::moves::Moves;
use crate::overload::{Said, Throttles};
use crate::proven::Proven;
use crate::rng::Rng;
use crate::shard::Join;
use crate::transaction::Transactions;
use crate::{Event, Evidence, EvidenceKind, ListenerId, Output, Snapshot, TargetId};
use bytes::Bytes;
use relay_values::{Leg, RelayCommand, SessionId, Time};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;

/// Whom a transaction works for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum User {
    /// The INVITE that began a call (server side).
    Invite(CallKey),
    /// An INVITE of ours to a target: the call's attempt of this number.
    Attempt(CallKey, u8),
    /// A request inside a dialog, carried across: the client side stands on this leg.
    Carried(CallKey, Leg),
    /// An INVITE that moves the tier leg.
    Move(CallKey),
    /// Our re-INVITE of the carrier, because the moved leg's media is another.
    Refit(CallKey),
    /// A refresh of a leg's session, or a question whether its peer is there.
    Session(CallKey, Leg),
    /// An INVITE or re-INVITE to whoever takes a leg's place by transfer.
    Transfer(CallKey),
    /// BYE to a leg that was left behind.
    Ghost(u64),
    /// A request of ours inside a leg's dialog whose answer changes nothing: PRACK, NOTIFY.
    Within(CallKey, Leg),
    /// A BYE that was first said then: its answer changes nothing any more, but is counted.
    Farewell(Time),
}

impl User {
    /// The call that the transaction works for.
    pub(crate) const fn call(self) -> Option<CallKey> {
        match self {
            Self::Invite(key)
            | Self::Attempt(key, _)
            | Self::Carried(key, _)
            | Self::Move(key)
            | Self::Refit(key)
            | Self::Session(key, _)
            | Self::Within(key, _)
            | Self::Transfer(key) => Some(key),
            Self::Ghost(_) | Self::Farewell(_) => None,
        }
    }
}

/// What the calls of a shard share, and each may reach while it handles an event.
pub(crate) struct Env {
    pub(crate) now: Time,
    pub(crate) shard: u8,
    pub(crate) txns: Transactions<User>,
    pub(crate) out: VecDeque<Output>,
    pub(crate) rng: Rng,
    pub(crate) faces: Faces,
    /// The newest snapshot; what a call was admitted under it holds itself.
    pub(crate) newest: Arc<Snapshot>,
    /// Who is at the other end of TLS connections.
    pub(crate) proven: Proven,
    pub(crate) counters: ShardCounters,
    /// Serial of the last relay session.
    pub(crate) sessions: u64,
    /// What peers that ask are told of our load.
    pub(crate) load_said: Said,
    /// Peers that ask for less.
    pub(crate) throttles: Throttles,
    /// Who moves next.
    pub(crate) moves: Moves,
    /// Legs that were left behind.
    pub(crate) ghosts: Ghosts,
    /// Calls whose edge went down while their answer was on its way.
    pub(crate) late: Vec<CallKey>,
    /// What calls want of each other.
    pub(crate) joins: Vec<Join>,
    /// The trunk whose call it is now: another one's than that which it was counted for.
    pub(crate) taken_by: Option<Box<str>>,
}

impl Env {
    /// Of a shard that begins.
    pub(crate) fn new(shard: u8, seed: u64, now: Time, newest: Arc<Snapshot>) -> Self {
        let mut rng = Rng::new(seed);
        let mut moves = Moves::default();
        moves.configure(&newest.config);
        let mut txns = Transactions::new(shard, rng.next_u64(), newest.config.timers);
        let faces = Faces::new(&newest.config);
        // Not drawn: the calls' own numbers stay as they are.
        let proven = Proven::new(seed.rotate_left(16));
        txns.add_sent_by(faces.sent_by());
        txns.set_listeners(&newest.config);
        Self {
            now,
            shard,
            txns,
            out: VecDeque::new(),
            faces,
            newest,
            proven,
            rng,
            counters: ShardCounters::default(),
            sessions: 0,
            moves,
            load_said: Said::default(),
            throttles: Throttles::default(),
            ghosts: Ghosts::default(),
            late: Vec::new(),
            joins: Vec::new(),
            taken_by: None,
        }
    }

    /// The methods that somebody may send us, as Allow lists them: REFER is among them where it is not declined anyway.
    pub(crate) fn allow(&self, peer: SocketAddr) -> &'static [u8] {
        let takes_refer = self.newest.router.takes_refer(&self.newest.config, peer);
        if takes_refer { ALLOW_WITH_REFER } else { ALLOW }
    }

    /// Who has sent this: by its address, or over TLS by its certificate.
    #[inline]
    pub(crate) fn source(&self, from: crate::Peer) -> Option<crate::Source> {
        self.proven.source(&self.newest.router, from)
    }

    /// Texts of a listener.
    pub(crate) fn face(&self, id: ListenerId) -> Option<&Face> {
        self.faces.get(id)
    }

    /// A branch for a message outside of every transaction: ACK for a 2xx (RFC 3261 §17.1.1.3).
    pub(crate) fn fresh_branch(&mut self) -> [u8; 26] {
        let mut branch = *b"z9hG4bKb..................";
        if let Some(tail) = branch.get_mut(8..) {
            let (shard, rest) = tail.split_at_mut(2);
            hex(u64::from(self.shard), shard);
            hex(self.rng.next_u64(), rest);
        }
        branch
    }

    /// A Call-ID that says nothing of anybody: 96 random bits.
    pub(crate) fn fresh_call_id(&mut self) -> [u8; 24] {
        let mut id = [0; 24];
        let (head, tail) = id.split_at_mut(16);
        hex(self.rng.next_u64(), head);
        hex(self.rng.next_u64(), tail);
        id
    }

    /// Whether a new call may be sent to a target now: it may have asked for less (RFC 7339). Asked once for each attempt.
    pub(crate) fn may_try(&mut self, target: TargetId) -> bool {
        if self.throttles.is_empty() {
            return true;
        }
        let config = &self.newest.config;
        let Some(peer) = config.target(target).map(|target| target.peer) else { return true };
        self.throttles.lets_through(self.now, peer, config.overload.shards, &mut self.rng)
    }

    /// Sends a message outside of every transaction: ACK for a 2xx.
    pub(crate) fn send(&mut self, to: crate::Peer, bytes: Bytes) {
        self.counters.sent += 1;
        self.out.push_back(Output::Send { to, bytes });
    }

    /// Tells the health core what was seen of a target of the newest configuration.
    pub(crate) fn evidence(&mut self, target: TargetId, kind: EvidenceKind) {
        self.evidence_under(target, self.newest.config_generation, kind);
    }

    /// The same of a target by the numbers of an earlier one.
    pub(crate) fn evidence_under(&mut self, target: TargetId, generation: u64, kind: EvidenceKind) {
        self.out.push_back(Output::Event(Event::Evidence(Evidence { target, generation, kind })));
    }

    /// A name for a session of a call's at the relay: the call's slot is in it.
    pub(crate) fn fresh_session(&mut self, call: CallKey) -> SessionId {
        self.sessions += 1;
        SessionId::new(self.shard, (self.sessions << 32) | u64::from(call.slot))
    }

    /// Tells the relay something.
    pub(crate) fn relay(&mut self, command: RelayCommand) {
        self.out.push_back(Output::Relay(command));
    }
}
