//! The client side of the table: what the TU starts, and what comes back for it.

use super::ack::ack;
use super::client::{self, Client};
use super::entry::{Body, Cancel, keep};
use super::invite_client::{self, InviteClient};
use super::table::{Transactions, live};
use super::{Branch, CancelOutcome, Challenged, ClientKey, ClientKind, Key, Received, Shown, TxnEvent};
use crate::{Peer, TransportFailure};
use bytes::Bytes;
use relay_values::Time;
use sip_wire::{Message, Method};
use std::num::NonZeroU32;

/// Answers of one INVITE that are told apart. A parallel fork rings a handful of phones; forks without end are somebody's
/// mistake or malice, and get an ACK and no more.
const MAX_FORKS: usize = 32;

impl<U: Copy> Transactions<U> {
    /// Takes a slot, so that the request can be built with its branch. Ends with `start` or `abandon`.
    pub(crate) fn reserve(&mut self, user: U) -> ClientKey {
        ClientKey(self.allocate(Some(user)))
    }

    /// The branch for the request's top Via.
    pub(crate) fn branch(&self, key: ClientKey) -> Branch {
        Branch::new(self.shard, key)
    }

    /// Whom a request went to, while its transaction lives.
    pub(crate) fn peer(&self, key: ClientKey) -> Option<Peer> {
        let entry = self.entries.get(key.0.slot as usize).filter(|entry| entry.nonce == key.0.nonce)?;
        entry.peer
    }

    /// What a request has shown of us, while its transaction lives; mostly nothing.
    pub(crate) fn shown(&self, key: ClientKey) -> Option<&Shown> {
        if self.shown.is_empty() { None } else { self.shown.get(&key.0.token()).map(|shown| &**shown) }
    }

    /// Remembers it.
    pub(crate) fn has_shown(&mut self, key: ClientKey, shown: Shown) {
        if live(&mut self.entries, key.0).is_some() {
            self.shown.insert(key.0.token(), Box::new(shown));
        }
    }

    /// Sends the request of a reserved transaction.
    pub(crate) fn start(&mut self, now: Time, key: ClientKey, to: Peer, kind: ClientKind, request: Bytes) {
        if !matches!(live(&mut self.entries, key.0), Some(entry) if matches!(entry.body, Body::Reserved)) {
            debug_assert!(false, "a request was started without a reserved transaction, or twice");
            return;
        }
        let aside = self.set_aside(now, key.0, to, &request);
        let (to, request, by) = match aside {
            Some((stream, request, by)) => (stream, request, Some(by)),
            None => (to, request, None),
        };
        let timers = self.timers.over(to.transport);
        let (kept, body) = match kind {
            ClientKind::Invite => {
                // Also over a stream: ACK and CANCEL are made from it.
                let machine = match by {
                    Some(by) => InviteClient::start_aside(now, timers, by),
                    None => InviteClient::start(now, timers),
                };
                (request.clone(), Body::InviteClient { machine, cancel: None })
            }
            ClientKind::NonInvite => {
                // Also over a stream: it may have to be said again with credentials.
                let kept = request.clone();
                let machine = match by {
                    Some(by) => Client::start_aside(now, timers, by),
                    None => Client::start(now, timers),
                };
                (kept, Body::Client(machine))
            }
        };
        self.sends.push_back((to, request));
        self.begin(key.0, to, kept, body);
    }

    /// Cancels an INVITE. `reason` is the value of a Reason header field (RFC 3326).
    pub(crate) fn cancel(&mut self, now: Time, key: ClientKey, reason: Option<&str>) -> CancelOutcome {
        let Some(entry) = live(&mut self.entries, key.0) else { return CancelOutcome::TooLate };
        let Body::InviteClient { machine, cancel, .. } = &mut entry.body else {
            return CancelOutcome::TooLate;
        };
        let outcome = match machine {
            InviteClient::Calling { .. } | InviteClient::Abandoned { .. } => CancelOutcome::Waiting,
            InviteClient::Proceeding | InviteClient::Cancelling { .. } => CancelOutcome::Sent,
            InviteClient::Completed { .. } | InviteClient::Accepted { .. } | InviteClient::Terminated => {
                return CancelOutcome::TooLate;
            }
        };
        if cancel.is_none() {
            *cancel = Cancel::of(&entry.bytes, reason);
        }
        self.drive_invite(now, key.0, invite_client::Input::Cancel, None);
        outcome
    }

    /// The TU has moved on: the INVITE is not sent again, no timeout and no failure is told any more. A phone that
    /// rings late is cancelled, a late failure acknowledged; a late 2xx still comes up, for the TU to end.
    pub(crate) fn abandon(&mut self, now: Time, key: ClientKey) {
        match live(&mut self.entries, key.0).map(|entry| &entry.body) {
            Some(Body::Reserved) => self.remove(key.0),
            Some(Body::InviteClient { .. }) => {
                self.drive_invite(now, key.0, invite_client::Input::Abandon, None);
            }
            Some(Body::Client(_) | Body::InviteServer { .. } | Body::Server { .. }) | None => {}
        }
    }

    /// Whether this request may still have its first final response.
    pub(crate) fn is_under_way(&self, key: ClientKey) -> bool {
        let Key { slot, nonce } = key.0;
        match self.entries.get(slot as usize).filter(|entry| entry.nonce == nonce).map(|entry| &entry.body) {
            Some(Body::InviteClient { machine, .. }) => match machine {
                InviteClient::Calling { .. }
                | InviteClient::Proceeding
                | InviteClient::Cancelling { .. }
                | InviteClient::Abandoned { .. } => true,
                InviteClient::Completed { .. } | InviteClient::Accepted { .. } | InviteClient::Terminated => {
                    false
                }
            },
            Some(Body::Client(machine)) => {
                matches!(machine, Client::Trying { .. } | Client::Proceeding { .. })
            }
            Some(Body::Reserved | Body::InviteServer { .. } | Body::Server { .. }) | None => false,
        }
    }

    /// Whether a 2xx to this INVITE brings the offer.
    pub(crate) fn wants_offer(&mut self, key: ClientKey) -> bool {
        matches!(
            live(&mut self.entries, key.0).map(|entry| &entry.body),
            Some(Body::InviteClient { machine: InviteClient::Accepted { late: true, .. }, .. })
        )
    }

    /// Whether this is the first 2xx of an INVITE that carries this To tag; from now on it no longer is. The TU acts once
    /// on each, and acknowledges the repetitions even when the call has long been forgotten.
    pub(crate) fn is_first_answer(&mut self, key: ClientKey, to_tag: &[u8]) -> bool {
        let hash = NonZeroU32::new(self.hasher.hash(to_tag) as u32).unwrap_or(NonZeroU32::MIN);
        match live(&mut self.entries, key.0).map(|entry| &mut entry.body) {
            Some(Body::InviteClient { machine: InviteClient::Accepted { first, .. }, .. }) => {
                if let Some(first) = *first {
                    return first != hash && self.is_new_fork(key.0, hash);
                }
                *first = Some(hash);
                true
            }
            Some(Body::InviteClient { machine: InviteClient::Completed { .. }, .. }) => {
                self.is_new_fork(key.0, hash)
            }
            _ => false,
        }
    }

    fn is_new_fork(&mut self, key: Key, hash: NonZeroU32) -> bool {
        let forks = self.forks.entry(key.token()).or_default();
        let new = !forks.contains(&hash) && forks.len() < MAX_FORKS;
        if new {
            forks.push(hash);
        }
        new
    }

    /// A peer cannot be reached: what waits for its first response from there has failed. An INVITE that has had one
    /// is left alone: its peer was there a moment ago, and the call has timers of its own.
    pub(crate) fn transport_error(&mut self, now: Time, to: Peer, failure: TransportFailure) {
        // From the end: a transaction that leaves the list is replaced by one that was looked at.
        for index in (0..self.waiting.len()).rev() {
            let Some(&slot) = self.waiting.get(index) else { continue };
            let Some(entry) = self.entries.get(slot as usize).filter(|e| e.peer == Some(to)) else {
                continue;
            };
            let (key, user) = (Key { slot, nonce: entry.nonce }, entry.user);
            if self.fall_back(now, key) {
                continue;
            }
            let Some(entry) = live(&mut self.entries, key) else { continue };
            let failed = match entry.body {
                Body::InviteClient { .. } => {
                    self.drive_invite(now, key, invite_client::Input::TransportError, None)
                        == invite_client::Action::Failed
                }
                Body::Client(_) => {
                    self.drive(now, key, client::Input::TransportError) == client::Action::Failed
                }
                Body::Reserved | Body::InviteServer { .. } | Body::Server { .. } => false,
            };
            if let (true, Some(user)) = (failed, user) {
                self.events.push_back(TxnEvent::ClientFailed { client: ClientKey(key), user, failure });
            }
        }
    }

    /// RFC 3261 §17.1.3: a response belongs to the transaction whose branch is in its top Via and whose method is in
    /// its CSeq.
    pub(super) fn response(&mut self, now: Time, msg: Message) -> Received<U> {
        let branch = msg.top_via().ok().filter(|via| self.is_sent_by_us(via)).and_then(|via| via.branch);
        let named = branch.and_then(|branch| Branch::decode(self.shard, branch));
        // We are the origin of every request we send, so more than one Via is not for us (§8.1.3.3).
        let key = named.filter(|_| msg.has_one_via());
        let (Some(ClientKey(key)), Some(class)) = (key, msg.code().and_then(Class::of)) else {
            return Received::Stray;
        };
        let (is_invite, is_cancel) = match msg.method() {
            Method::Invite => (true, false),
            Method::Cancel => (false, true),
            _ => (false, false),
        };
        if is_cancel {
            // A CANCEL ends with its INVITE, so its response may come too late even for this.
            self.drive_cancel(now, key, class.for_client());
            return Received::Absorbed;
        }
        let asks = matches!(msg.code(), Some(401 | 407));
        let (meant, shown) = if asks {
            (self.meant_for(ClientKey(key)), self.shown.remove(&key.token()))
        } else {
            (None, None)
        };
        let Some(entry) = live(&mut self.entries, key) else { return Received::Stray };
        let Some(user) = entry.user else { return Received::Stray };
        // Once it has its final response the request is not kept any more.
        let refused = asks.then(|| entry.bytes.clone()).zip(entry.peer);
        let passed = match entry.body {
            Body::InviteClient { .. } if is_invite => {
                use invite_client::Action;
                match self.drive_invite(now, key, class.for_invite(), Some(&msg)) {
                    Action::PassUp | Action::PassUpAndCancel | Action::PassUpAndAck => true,
                    Action::Nothing
                    | Action::Resend
                    | Action::Cancel
                    | Action::Ack
                    | Action::AckAgain
                    | Action::TimedOut
                    | Action::Failed => false,
                }
            }
            Body::Client(_) if !is_invite => {
                self.drive(now, key, class.for_client()) == client::Action::PassUp
            }
            Body::InviteClient { .. }
            | Body::Client(_)
            | Body::Reserved
            | Body::InviteServer { .. }
            | Body::Server { .. } => return Received::Stray,
        };
        let client = ClientKey(key);
        if let Some((request, to)) = refused.filter(|_| passed) {
            let to = meant.unwrap_or(to);
            return Received::Challenged(Box::new(Challenged { client, user, to, request, shown, msg }));
        }
        if passed { Received::Response { client, user, msg } } else { Received::Absorbed }
    }

    /// A deadline of a client transaction has come: the request's, its CANCEL's, or both.
    pub(super) fn client_timer(&mut self, now: Time, key: Key) {
        let Some(entry) = live(&mut self.entries, key) else { return };
        let user = entry.user;
        if entry.body.deadline() <= now && self.fall_back(now, key) {
            return;
        }
        let Some(entry) = live(&mut self.entries, key) else { return };
        let timed_out = match &entry.body {
            Body::InviteClient { machine, .. } => {
                let due = machine.deadline() <= now;
                self.drive_cancel_timer(now, key);
                due && self.drive_invite(now, key, invite_client::Input::Timer, None)
                    == invite_client::Action::TimedOut
            }
            Body::Client(_) => self.drive(now, key, client::Input::Timer) == client::Action::TimedOut,
            Body::Reserved | Body::InviteServer { .. } | Body::Server { .. } => false,
        };
        if let (true, Some(user)) = (timed_out, user) {
            self.events.push_back(TxnEvent::ClientTimeout { client: ClientKey(key), user });
        }
    }

    /// One step of an INVITE, and what it sends.
    fn drive_invite(
        &mut self,
        now: Time,
        key: Key,
        input: invite_client::Input,
        response: Option<&Message>,
    ) -> invite_client::Action {
        use invite_client::Action;
        let Some(entry) = live(&mut self.entries, key) else { return Action::Nothing };
        let (Body::InviteClient { machine, cancel, .. }, Some(to)) = (&mut entry.body, entry.peer) else {
            return Action::Nothing;
        };
        let timers = self.timers.over(to.transport);
        let action = machine.on(now, input, timers);
        match action {
            Action::Resend => self.sends.push_back((to, entry.bytes.clone())),
            Action::AckAgain => {
                // A server that has started anew gives another tag, and looks for it in its ACK (RFC 3261 §17.1.1.3).
                let before = Message::parse(entry.bytes.clone()).ok();
                let ack = before.zip(response).and_then(|(before, response)| ack(&before, response));
                self.sends.push_back((to, ack.unwrap_or_else(|| entry.bytes.clone())));
            }
            Action::PassUpAndCancel | Action::Cancel => {
                if cancel.is_none() {
                    *cancel = Cancel::of(&entry.bytes, None);
                }
                if let Some(cancel) = cancel {
                    cancel.machine = Some(Client::start(now, timers));
                    self.sends.push_back((to, cancel.bytes.clone()));
                }
            }
            Action::PassUpAndAck | Action::Ack => {
                let request = Message::parse(keep(&mut self.held, &mut entry.bytes, Bytes::new())).ok();
                if let Some(ack) =
                    request.zip(response).and_then(|(request, response)| ack(&request, response))
                {
                    keep(&mut self.held, &mut entry.bytes, ack.clone());
                    self.sends.push_back((to, ack));
                }
            }
            Action::Nothing | Action::PassUp | Action::TimedOut | Action::Failed => {}
        }
        match machine {
            InviteClient::Accepted { late, .. } => {
                *cancel = None;
                // A 2xx that comes again finds no request any more.
                *late |= entry.bytes.ends_with(b"\r\n\r\n");
                keep(&mut self.held, &mut entry.bytes, Bytes::new());
            }
            InviteClient::Completed { .. } => *cancel = None,
            InviteClient::Calling { .. }
            | InviteClient::Proceeding
            | InviteClient::Cancelling { .. }
            | InviteClient::Abandoned { .. }
            | InviteClient::Terminated => {}
        }
        self.settle(key);
        action
    }

    /// One step of another request, and what it sends.
    fn drive(&mut self, now: Time, key: Key, input: client::Input) -> client::Action {
        let Some(entry) = live(&mut self.entries, key) else { return client::Action::Nothing };
        let (Body::Client(machine), Some(to)) = (&mut entry.body, entry.peer) else {
            return client::Action::Nothing;
        };
        let timers = self.timers.over(to.transport);
        let action = machine.on(now, input, timers);
        match action {
            client::Action::Resend => self.sends.push_back((to, entry.bytes.clone())),
            client::Action::Nothing
            | client::Action::PassUp
            | client::Action::TimedOut
            | client::Action::Failed => {}
        }
        if matches!(machine, Client::Completed { .. }) {
            keep(&mut self.held, &mut entry.bytes, Bytes::new());
        }
        self.settle(key);
        action
    }

    fn drive_cancel_timer(&mut self, now: Time, key: Key) {
        let Some(entry) = live(&mut self.entries, key) else { return };
        if let Body::InviteClient { cancel: Some(cancel), .. } = &entry.body
            && cancel.machine.is_some_and(|machine| machine.deadline() <= now)
        {
            self.drive_cancel(now, key, client::Input::Timer);
        }
    }

    /// One step of a CANCEL. Its end is nobody's concern: the INVITE has a deadline of its own.
    fn drive_cancel(&mut self, now: Time, key: Key, input: client::Input) {
        let Some(entry) = live(&mut self.entries, key) else { return };
        let (Body::InviteClient { cancel: Some(cancel), .. }, Some(to)) = (&mut entry.body, entry.peer)
        else {
            return;
        };
        let Some(machine) = &mut cancel.machine else { return };
        let timers = self.timers.over(to.transport);
        if machine.on(now, input, timers) == client::Action::Resend {
            self.sends.push_back((to, cancel.bytes.clone()));
        }
        self.settle(key);
    }
}

/// A response's class, as the machines tell them apart.
#[derive(Debug, Clone, Copy)]
enum Class {
    Provisional,
    Success,
    Failure,
}

impl Class {
    fn of(code: u16) -> Option<Self> {
        match code {
            100..=199 => Some(Self::Provisional),
            200..=299 => Some(Self::Success),
            300..=699 => Some(Self::Failure),
            _ => None,
        }
    }

    fn for_invite(self) -> invite_client::Input {
        match self {
            Self::Provisional => invite_client::Input::Provisional,
            Self::Success => invite_client::Input::Success,
            Self::Failure => invite_client::Input::Failure,
        }
    }

    fn for_client(self) -> client::Input {
        match self {
            Self::Provisional => client::Input::Provisional,
            Self::Success | Self::Failure => client::Input::Final,
        }
    }
}
