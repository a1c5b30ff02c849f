//! One transaction in the table: its machine and what the machine's actions need.

use super::cancel::cancel;
use super::client::Client;
use super::invite_client::InviteClient;
use super::invite_server::InviteServer;
use super::server::Server;
use crate::Peer;
use bytes::Bytes;
use relay_values::Time;
use sip_wire::Message;

/// "Not among those that wait for a first response."
pub(super) const NOT_WAITING: u32 = u32::MAX;

/// One transaction. Size counts: an answered call leaves four of these behind for half a minute.
#[derive(Debug)]
pub(super) struct Entry<U> {
    pub(super) nonce: u32,
    /// Its index in the list of those that wait for a first response, where a transport error looks for them.
    pub(super) waiting: u32,
    /// The deadline for which it is in the wheel; an older entry there is stale.
    pub(super) armed: Time,
    pub(super) user: Option<U>,
    /// Where its messages go; a reserved client transaction has none yet.
    pub(super) peer: Option<Peer>,
    /// What may have to be sent again: request, ACK or response. Empty as soon as nothing may.
    pub(super) bytes: Bytes,
    pub(super) body: Body,
}

/// The machines.
#[derive(Debug)]
pub(super) enum Body {
    /// A client transaction whose request is being built.
    Reserved,
    /// INVITE, sent.
    InviteClient {
        machine: InviteClient,
        /// The CANCEL, from the wish to send it until the INVITE's final response: that answers it too.
        cancel: Option<Box<Cancel>>,
    },
    /// Another request, sent.
    Client(Client),
    /// INVITE, received. The key is what later requests are compared with.
    InviteServer { machine: InviteServer, key: Box<[u8]> },
    /// Another request, received.
    Server { machine: Server, key: Box<[u8]> },
}

/// A CANCEL and its transaction, which shares the INVITE's branch.
#[derive(Debug)]
pub(super) struct Cancel {
    pub(super) bytes: Bytes,
    /// `None` while it waits for the INVITE's first 1xx.
    pub(super) machine: Option<Client>,
}

impl Cancel {
    /// The CANCEL for an INVITE. Ours can always be parsed; if not, there is nothing to cancel with.
    pub(super) fn of(invite: &Bytes, reason: Option<&str>) -> Option<Box<Self>> {
        let invite = Message::parse(invite.clone()).ok()?;
        Some(Box::new(Self { bytes: cancel(&invite, reason)?, machine: None }))
    }

    fn deadline(&self) -> Time {
        self.machine.map_or(Time::NEVER, |m| m.deadline())
    }
}

impl Body {
    pub(super) fn deadline(&self) -> Time {
        match self {
            Self::Reserved => Time::NEVER,
            Self::InviteClient { machine, cancel, .. } => {
                machine.deadline().min(cancel.as_ref().map_or(Time::NEVER, |c| c.deadline()))
            }
            Self::Client(machine) => machine.deadline(),
            Self::InviteServer { machine, .. } => machine.deadline(),
            Self::Server { machine, .. } => machine.deadline(),
        }
    }

    pub(super) fn is_over(&self) -> bool {
        match self {
            Self::Reserved => false,
            Self::InviteClient { machine, .. } => *machine == InviteClient::Terminated,
            Self::Client(machine) => *machine == Client::Terminated,
            Self::InviteServer { machine, .. } => *machine == InviteServer::Terminated,
            Self::Server { machine, .. } => *machine == Server::Terminated,
        }
    }

    /// Whether a transport error would end it.
    pub(super) fn is_waiting(&self) -> bool {
        match self {
            Self::InviteClient { machine, .. } => matches!(machine, InviteClient::Calling { .. }),
            Self::Client(machine) => matches!(machine, Client::Trying { .. } | Client::Proceeding { .. }),
            Self::Reserved | Self::InviteServer { .. } | Self::Server { .. } => false,
        }
    }

    /// What requests are compared with.
    pub(super) fn key(&self) -> Option<&[u8]> {
        match self {
            Self::InviteServer { key, .. } | Self::Server { key, .. } => Some(key),
            Self::Reserved | Self::InviteClient { .. } | Self::Client(_) => None,
        }
    }
}

/// Keeps other bytes from now on, and gives those back that were kept. `held` is what all entries keep.
pub(super) fn keep(held: &mut usize, kept: &mut Bytes, bytes: Bytes) -> Bytes {
    *held = (*held + bytes.len()).saturating_sub(kept.len());
    std::mem::replace(kept, bytes)
}
