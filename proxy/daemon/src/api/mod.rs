//! The admin API: HTTP and JSON below `/v1`, `/metrics` and `/healthz` beside it.
//!
//! It is served on the admin socket (`unix`), where the system says who asks, and on the TCP listener of `[admin]`, to whoever brings
//! a token: over TLS where it has a certificate, else on loopback alone. `routes` is the list of what there is and of the
//! role that each needs; `openapi.json` describes it. It runs on threads of its own: a client that is slow, stuck or hostile takes one of the places for connections, for a while.

mod accept;
mod access;
mod answer;
mod ask;
mod board;
mod calls;
mod change;
pub mod condition;
mod console;
mod denied;
mod events;
mod flow;
mod follow;
mod guard;
mod ladder;
mod lines;
mod look;
mod measured;
pub mod now;
#[cfg(test)]
mod openapi;
mod patient;
mod routes;
mod scanners;
mod secure;
mod serve;
pub mod shapes;
mod socket;
mod trial;
mod unix;
mod who;
pub mod wishes;

pub use crate::observe::{Traced, TracedMessage};

pub(crate) use access::Access;
pub(crate) use denied::{Denied, DeniedTally};
pub(crate) use serve::tcp;
pub(crate) use socket::AdminSocket;
pub(crate) use unix::unix;
pub(crate) use who::{Area, Role, Who};

use crate::control::Desk;
use crate::limits::FOLLOWERS;
use board::Board;
use std::sync::Arc;
use tokio::sync::Semaphore;
use trial::Trial;

/// What is shown to whoever can reach the TCP listener.
pub(crate) trait Shown: Send + Sync + 'static {
    /// Prometheus text. Waits for busy shards: not on a thread that serves others.
    fn metrics(&self) -> String;
    /// `Ok` when calls can be taken.
    fn healthy(&self) -> Result<String, String>;
}

/// What every request works with.
pub(crate) struct Api {
    pub(crate) desk: Arc<Desk>,
    pub(crate) shown: Arc<dyn Shown>,
    pub(crate) access: Access,
    /// Places for those who follow.
    followers: Arc<Semaphore>,
    board: Board,
    trial: Trial,
}

impl Api {
    pub(crate) fn new(desk: Arc<Desk>, shown: Arc<dyn Shown>, access: Access) -> Self {
        let followers = Arc::new(Semaphore::new(FOLLOWERS));
        Self { desk, shown, access, followers, board: Board::default(), trial: Trial::default() }
    }
}
