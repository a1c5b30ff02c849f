//! Signing for our callers and verifying others' (RFC 8224): off the shards, which ask and go on.
//!
//! ```text
//!  shard ──Output::Stir──▶ Desk ──bounded queue──▶ Clerk, one thread ──Mail::Stir──▶ shard
//!                                                    │  ▲
//!                              a certificate that is not here yet: fetch, at most so many at once
//! ```
//!
//! A signature or a verification takes some 50 to 100 µs of the one thread. What has no place in the queue is told so at once; what
//! takes too long the call does not wait for. Keys and lists change with a reload, in one store.

mod cache;
mod clerk;
mod fetch;
mod place;
mod sign;
mod table;
mod words;

pub(crate) use clerk::{Kit, run};
pub use place::Host;
pub(crate) use place::Place;

use crate::config::{DnsSettings, StirSettings};
use crate::limits::STIR_QUEUE;
use arc_swap::ArcSwap;
use proxy_core::StirTask;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{SystemTime, UNIX_EPOCH};
use table::Table;
use tokio::sync::mpsc;

/// Where shards hand in what is to be signed or verified.
#[derive(Debug)]
pub(crate) struct Desk {
    jobs: mpsc::Sender<Job>,
    table: ArcSwap<Table>,
    pub(crate) tally: StirTally,
}

/// What was counted here.
#[derive(Debug, Default)]
pub(crate) struct StirTally {
    /// Certificates fetched, and fetches that failed.
    pub(crate) fetched: AtomicU64,
    pub(crate) fetch_failed: AtomicU64,
    /// Tasks that found no room in the queue.
    pub(crate) full: AtomicU64,
}

/// A task, and the shard that waits for it.
#[derive(Debug)]
pub(crate) struct Job {
    shard: u8,
    task: Box<StirTask>,
}

impl Desk {
    /// A desk, and the end of its queue for the clerk.
    pub(crate) fn new(settings: &[StirSettings], dns: &DnsSettings) -> (Self, mpsc::Receiver<Job>) {
        let (jobs, end) = mpsc::channel(STIR_QUEUE);
        let table = ArcSwap::from_pointee(Table::new(settings, dns));
        (Self { jobs, table, tally: StirTally::default() }, end)
    }

    /// Hands a task in; gives it back where there is no room. Never waits.
    pub(crate) fn hand_in(&self, shard: u8, task: Box<StirTask>) -> Result<(), Box<StirTask>> {
        self.jobs.try_send(Job { shard, task }).map_err(|refused| {
            crate::shared::count(&self.tally.full);
            refused.into_inner().task
        })
    }

    /// Other keys, authorities, hosts and name servers from now on.
    pub(crate) fn renew(&self, settings: &[StirSettings], dns: &DnsSettings) {
        self.table.store(Arc::new(Table::new(settings, dns)));
    }
}

/// The wall clock, as certificates and signatures know it: seconds since 1970.
pub(crate) fn seconds_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
