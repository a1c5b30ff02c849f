//! The server side of the table: what peers ask, and what the TU answers.

use super::entry::{Body, keep};
use super::invite_server::{self, InviteServer};
use super::respond::reply_along;
use super::server::{self, Server};
use super::table::{MAX_TRANSACTION_BYTES, MAX_TRANSACTIONS, RESERVED_FOR_ENDS, Transactions, live};
use super::{Key, Received, ServerKey, TxnEvent};
use crate::Peer;
use bytes::Bytes;
use relay_values::Time;
use sip_wire::{Message, Method, Via};

impl<U: Copy> Transactions<U> {
    /// Gives a server transaction its reference, so that a CANCEL finds its call.
    pub(crate) fn bind(&mut self, key: ServerKey, user: U) {
        if let Some(entry) = live(&mut self.entries, key.0) {
            entry.user = Some(user);
        }
    }

    /// Answers a request. A second final response is not sent.
    pub(crate) fn respond(&mut self, now: Time, key: ServerKey, code: u16, response: Bytes) {
        match live(&mut self.entries, key.0).map(|entry| &entry.body) {
            Some(Body::InviteServer { .. }) => {
                use invite_server::Input;
                let input = match code {
                    ..200 => Input::Provisional,
                    200..300 => Input::Success,
                    300.. => Input::Failure,
                };
                self.drive_invite_server(now, key.0, input, Some(response));
            }
            Some(Body::Server { .. }) => {
                let input = if code < 200 { server::Input::Provisional } else { server::Input::Final };
                self.drive_server(now, key.0, input, Some(response));
            }
            Some(Body::Reserved | Body::InviteClient { .. } | Body::Client(_)) | None => {}
        }
    }

    /// There is no answer to a request that is not an INVITE, and that is not to be said (RFC 4320 §4.2): its sender hears
    /// nothing, as if the request had been lost.
    pub(crate) fn forget(&mut self, key: ServerKey) {
        let waits = live(&mut self.entries, key.0).is_some_and(|entry| {
            matches!(entry.body, Body::Server { machine: Server::Trying | Server::Proceeding, .. })
        });
        if waits {
            self.remove(key.0);
        }
    }

    /// The dialog has the ACK for its 2xx: it is not sent again.
    pub(crate) fn acked(&mut self, now: Time, key: ServerKey) {
        self.drive_invite_server(now, key.0, invite_server::Input::Acked, None);
    }

    /// RFC 3261 §17.2.3.
    pub(super) fn request(&mut self, now: Time, from: Peer, msg: Message) -> Received<U> {
        let mut wanted = std::mem::take(&mut self.scratch);
        let reply =
            msg.top_via().ok().and_then(|via| wanted.set(&msg, &via).map(|()| reply_along(&via, from)));
        let received = match reply {
            Some(to) => match (msg.method(), self.find(wanted.as_bytes())) {
                (Method::Ack, Some(key)) => {
                    let action = self.drive_invite_server(now, key, invite_server::Input::Ack, None);
                    if action == invite_server::Action::PassUp {
                        Received::Ack { msg }
                    } else {
                        Received::Absorbed
                    }
                }
                (Method::Ack, None) => Received::Ack { msg },
                (_, Some(key)) => {
                    self.request_again(now, key);
                    Received::Absorbed
                }
                (method, None) if !self.has_room(method) => Received::NoRoom,
                (method @ Method::Cancel, None) => {
                    let server = self.begin_server(to, method, wanted.as_bytes());
                    wanted.set_method(Method::Invite);
                    let invite = self.find(wanted.as_bytes()).and_then(|key| {
                        let user = live(&mut self.entries, key)?.user?;
                        Some((ServerKey(key), user))
                    });
                    Received::Cancel { server, invite, msg }
                }
                (method, None) => {
                    let server = self.begin_server(to, method, wanted.as_bytes());
                    Received::Request { server, msg }
                }
            },
            // Checked messages have all that a key needs.
            None => Received::Absorbed,
        };
        self.scratch = wanted;
        received
    }

    /// Whether a request belongs to a transaction: it is a retransmission, or the CANCEL or ACK of one. Asked where what
    /// is new may be turned away, so that what was taken is not.
    pub(crate) fn knows(&mut self, request: &Message) -> bool {
        let mut wanted = std::mem::take(&mut self.scratch);
        let known = request.top_via().is_ok_and(|via| wanted.set(request, &via).is_some())
            && self.find(wanted.as_bytes()).is_some();
        self.scratch = wanted;
        known
    }

    /// The same of a request with this method and top Via; `None` where that is not enough to tell.
    pub(crate) fn knows_branch(&mut self, method: Method<'_>, via: &Via<'_>) -> Option<bool> {
        let mut wanted = std::mem::take(&mut self.scratch);
        let known = wanted.set_branch(via, method).map(|()| self.find(wanted.as_bytes()).is_some());
        self.scratch = wanted;
        known
    }

    fn has_room(&self, method: Method<'_>) -> bool {
        let ends = matches!(method, Method::Bye | Method::Cancel);
        // What ends something makes room, of bytes too.
        let (more, longer) = if ends { (RESERVED_FOR_ENDS, MAX_TRANSACTION_BYTES / 16) } else { (0, 0) };
        self.len() < MAX_TRANSACTIONS + more && self.held < MAX_TRANSACTION_BYTES + longer
    }

    fn begin_server(&mut self, to: Peer, method: Method<'_>, wanted: &[u8]) -> ServerKey {
        let key = self.allocate(None);
        let body = match method {
            Method::Invite => Body::InviteServer { machine: InviteServer::Proceeding, key: wanted.into() },
            _ => Body::Server { machine: Server::Trying, key: wanted.into() },
        };
        self.begin(key, to, Bytes::new(), body);
        ServerKey(key)
    }

    fn request_again(&mut self, now: Time, key: Key) {
        match live(&mut self.entries, key).map(|entry| &entry.body) {
            Some(Body::InviteServer { .. }) => {
                self.drive_invite_server(now, key, invite_server::Input::Invite, None);
            }
            Some(Body::Server { .. }) => {
                self.drive_server(now, key, server::Input::Request, None);
            }
            Some(Body::Reserved | Body::InviteClient { .. } | Body::Client(_)) | None => {}
        }
    }

    /// A deadline of a server transaction has come.
    pub(super) fn server_timer(&mut self, now: Time, key: Key) {
        let Some(entry) = live(&mut self.entries, key) else { return };
        let user = entry.user;
        match &entry.body {
            Body::InviteServer { .. } => {
                let action = self.drive_invite_server(now, key, invite_server::Input::Timer, None);
                if action == invite_server::Action::NoAck {
                    self.events.push_back(TxnEvent::NoAck { server: ServerKey(key), user });
                }
            }
            Body::Server { .. } => {
                self.drive_server(now, key, server::Input::Timer, None);
            }
            Body::Reserved | Body::InviteClient { .. } | Body::Client(_) => {}
        }
    }

    /// One step of a received INVITE, and what it sends.
    fn drive_invite_server(
        &mut self,
        now: Time,
        key: Key,
        input: invite_server::Input,
        response: Option<Bytes>,
    ) -> invite_server::Action {
        use invite_server::Action;
        let Some(entry) = live(&mut self.entries, key) else { return Action::Nothing };
        let (Body::InviteServer { machine, .. }, Some(to)) = (&mut entry.body, entry.peer) else {
            return Action::Nothing;
        };
        let timers = self.timers.over(to.transport);
        let action = machine.on(now, input, timers);
        match action {
            Action::Send => {
                let response = response.unwrap_or_default();
                keep(&mut self.held, &mut entry.bytes, response.clone());
                self.sends.push_back((to, response));
            }
            // There is no last response if the TU has not given any.
            Action::Resend if !entry.bytes.is_empty() => self.sends.push_back((to, entry.bytes.clone())),
            Action::Forget => drop(keep(&mut self.held, &mut entry.bytes, Bytes::new())),
            Action::Nothing | Action::Resend | Action::PassUp | Action::NoAck => {}
        }
        self.settle(key);
        action
    }

    /// One step of another received request, and what it sends.
    fn drive_server(&mut self, now: Time, key: Key, input: server::Input, response: Option<Bytes>) {
        let Some(entry) = live(&mut self.entries, key) else { return };
        let (Body::Server { machine, .. }, Some(to)) = (&mut entry.body, entry.peer) else { return };
        let timers = self.timers.over(to.transport);
        match machine.on(now, input, timers) {
            server::Action::Send => {
                let response = response.unwrap_or_default();
                keep(&mut self.held, &mut entry.bytes, response.clone());
                self.sends.push_back((to, response));
            }
            server::Action::Resend => self.sends.push_back((to, entry.bytes.clone())),
            server::Action::Nothing => {}
        }
        self.settle(key);
    }
}
