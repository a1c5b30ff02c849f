//! The transaction layer: RFC 3261 §17 as updated by RFC 6026.
//!
//! Four machines, one file each: [`invite_client`], [`client`], [`invite_server`], [`server`]. They are pure: input and
//! time in, one action out, a deadline to ask for. [`Transactions`] holds them, keeps their messages and timers, and
//! finds them again: client transactions by what their branch says ([`Branch`]), server transactions by what RFC 3261
//! §17.2.3 compares ([`matching`]).
//!
//! The TU above hands every message to [`Transactions::receive`] and acts on what is [`Received`]; retransmissions,
//! in both directions, end here. It sends through `start`, `cancel` and `respond`, and then drains `poll_send` and
//! `poll_event`. Its own reference `U` rides along with each transaction.

mod ack;
mod branch;
mod cancel;
mod client;
mod clients;
mod entry;
mod invite_client;
mod invite_server;
mod large;
mod matching;
mod respond;
mod server;
mod servers;
mod table;
#[cfg(test)]
mod tests;
mod timers;

pub(crate) use branch::Branch;
pub(crate) use respond::{refusal, reply_along, reply_to, response};
pub(crate) use table::Transactions;

use crate::digest::Passes;
use crate::{Peer, TransportFailure};
use bytes::Bytes;
use sip_wire::Message;

/// A place in the table. The nonce tells a transaction from the earlier ones that had the same slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    slot: u32,
    nonce: u32,
}

impl Key {
    /// As the timer wheel carries it.
    const fn token(self) -> u64 {
        ((self.nonce as u64) << 32) | self.slot as u64
    }

    const fn from_token(token: u64) -> Self {
        Self { slot: token as u32, nonce: (token >> 32) as u32 }
    }
}

/// A client transaction: one that we began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ClientKey(Key);

/// A server transaction: one that a peer began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ServerKey(Key);

/// Which client machine a request needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClientKind {
    /// INVITE.
    Invite,
    /// Anything but INVITE, ACK and CANCEL.
    NonInvite,
}

/// What became of a wish to cancel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CancelOutcome {
    /// CANCEL is on its way; a final response follows, or a timeout.
    Sent,
    /// There was no response yet: CANCEL goes out after the first 1xx.
    Waiting,
    /// There was a final response already, or there is no such INVITE.
    TooLate,
}

/// What a message from the network turned out to be.
#[derive(Debug)]
pub(crate) enum Received<U> {
    /// A retransmission, the ACK for a non-2xx, or a response that only the machine cares for.
    Absorbed,
    /// A new request that the table has no room for. It is not answered: the peer repeats it, perhaps elsewhere.
    NoRoom,
    /// A new request other than ACK and CANCEL.
    Request {
        /// Its transaction. It stays until the TU gives a final response.
        server: ServerKey,
        /// The request.
        msg: Message,
    },
    /// An ACK that no INVITE transaction waits for: the dialog's.
    Ack {
        /// The ACK.
        msg: Message,
    },
    /// A CANCEL. The TU answers it, and the INVITE.
    Cancel {
        /// The CANCEL's own transaction.
        server: ServerKey,
        /// The INVITE that it is for, if there is one.
        invite: Option<(ServerKey, U)>,
        /// The CANCEL.
        msg: Message,
    },
    /// A response: any 1xx, the first final one, and every 2xx to an INVITE.
    Response {
        /// The transaction.
        client: ClientKey,
        /// The TU's reference.
        user: U,
        /// The response.
        msg: Message,
    },
    /// A final response that wants to be shown who we are: 401 or 407.
    Challenged(Box<Challenged<U>>),
    /// A response to nothing that we know.
    Stray,
}

/// A request of ours that was refused until we show who we are.
#[derive(Debug)]
pub(crate) struct Challenged<U> {
    /// The transaction.
    pub(crate) client: ClientKey,
    /// The TU's reference.
    pub(crate) user: U,
    /// Whom the request was for.
    pub(crate) to: Peer,
    /// The request.
    pub(crate) request: Bytes,
    /// What it has shown.
    pub(crate) shown: Option<Box<Shown>>,
    /// The response.
    pub(crate) msg: Message,
}

/// What a request has shown.
#[derive(Debug)]
pub(crate) struct Shown {
    pub(crate) passes: Passes,
    /// How often it was said with credentials.
    pub(crate) times: u8,
}

/// What happened without a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TxnEvent<U> {
    /// No final response: timer B or F, or none within 64*T1 after CANCEL. The transaction is over.
    ClientTimeout {
        /// The transaction.
        client: ClientKey,
        /// The TU's reference.
        user: U,
    },
    /// The request could not be delivered. The transaction is over.
    ClientFailed {
        /// The transaction.
        client: ClientKey,
        /// The TU's reference.
        user: U,
        /// How delivery failed.
        failure: TransportFailure,
    },
    /// A 2xx was sent for 64*T1 and nobody acknowledged it (RFC 3261 §13.3.1.4). The transaction is over.
    NoAck {
        /// The transaction.
        server: ServerKey,
        /// The TU's reference, if it bound one.
        user: Option<U>,
    },
}
