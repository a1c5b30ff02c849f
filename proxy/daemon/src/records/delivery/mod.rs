//! Records to their receiver over HTTP, out of the spool: a thread that has nothing to do with calls.
//!
//! A batch is one POST, a JSON line for each record. `Idempotency-Key` and the `key` of each record say which they are, so that
//! what is sent twice is taken once: after a crash, or after an answer that never came, the same records come again. 2xx means taken. What
//! speaks of the records themselves (400, 413, 415, 422 and the like) sets a record aside into a file beside the spool; anything else, of the
//! receiver, of who we are or where we ask, is tried again, for as long as it takes.

mod backoff;
mod client;
mod outcome;
mod tally;

pub(crate) use tally::DeliveryTally;
pub(super) use tally::now_ms;

use super::spool::{Batch, Entry, Reader, Spool};
use crate::config::DeliverySettings;
use crate::limits::{DELIVERY_END, DELIVERY_GATHER, SET_ASIDE};
use crate::shared::Shared;
use backoff::Backoff;
use client::Client;
use outcome::Outcome;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// What the thread is given.
pub(crate) struct Kit {
    pub(crate) shared: Arc<Shared>,
    pub(crate) spool: Arc<Spool>,
    pub(crate) reader: Reader,
    pub(crate) settings: DeliverySettings,
    pub(crate) seed: u64,
}

/// How often the spool is looked at without being rung for: a disk may be readable again.
const TICK: Duration = Duration::from_secs(1);

/// Deliver until nothing more is written and all is delivered, or it cannot be.
pub(crate) async fn run(kit: Kit) -> io::Result<()> {
    let Kit { shared, spool, mut reader, settings, seed } = kit;
    tokio::spawn(sync(Arc::clone(&spool), settings.sync));
    let mut client = Client::new(&settings);
    let mut backoff = Backoff::new(seed, settings.retry_at_most);
    // So many records go by themselves: one of them was refused.
    let mut alone = 0_usize;
    let mut ends: Option<Instant> = None;
    let tally = &shared.tally.delivery;
    loop {
        let batch = match reader.load(if alone > 0 { 1 } else { settings.batch }) {
            Ok(batch) => batch,
            Err(error) => {
                tracing::error!(%error, "the spool of records cannot be read");
                tally.retries(Outcome::SpoolUnreadable);
                None
            }
        };
        tally.damaged.fetch_add(reader.take_damaged(), Ordering::Relaxed);
        tally.spool_bytes.store(spool.bytes(), Ordering::Relaxed);
        let oldest = batch.as_ref().and_then(|b| b.entries.first()).map_or(0, |e| e.written_ms);
        tally.oldest_ms.store(oldest, Ordering::Relaxed);
        let Some(batch) = batch else {
            if spool.is_closed() {
                return Ok(());
            }
            let rung = tokio::time::timeout(TICK, spool.bell.notified()).await.is_ok();
            if rung && !spool.is_closed() {
                tokio::time::sleep(DELIVERY_GATHER).await;
            }
            continue;
        };
        let records = batch.entries.len();
        let outcome = client.post(&batch.entries).await;
        let outcome = match outcome {
            Outcome::Refused(code) if records > 1 => {
                // Which of them is meant, only each by itself can tell.
                tracing::warn!(code, records, "the receiver refuses records: they go one by one");
                alone = records;
                continue;
            }
            Outcome::Refused(code) => {
                let aside = set_aside(spool.folder(), &batch, code);
                aside.map_or(Outcome::SetAsideFull, |()| Outcome::Refused(code))
            }
            other => other,
        };
        match outcome {
            Outcome::Taken => tally.delivered(records),
            Outcome::Refused(_) => tally.set_aside(),
            ref later => {
                tally.retries(later.clone());
                if ends_now(&spool, &mut ends) {
                    return Ok(());
                }
                let wait = backoff.next(outcome.retry_after());
                if let Some((times, since)) = backoff.news() {
                    tracing::warn!(why = %outcome, times, seconds = since.as_secs(), "records cannot be delivered");
                }
                rest(&spool, wait).await;
                continue;
            }
        }
        backoff.reset();
        alone = alone.saturating_sub(records);
        if let Err(error) = reader.done(&batch) {
            // It goes on in memory: a crash now would send again what the receiver knows.
            tracing::error!(%error, "the place in the spool cannot be noted");
        }
        if spool.is_closed() && ends.get_or_insert_with(Instant::now).elapsed() > DELIVERY_END {
            return Ok(());
        }
    }
}

/// Whether we are ending and have tried: what is left goes out when we are back.
fn ends_now(spool: &Spool, ends: &mut Option<Instant>) -> bool {
    spool.is_closed() && {
        ends.get_or_insert_with(Instant::now);
        true
    }
}

/// Wait, unless the end comes.
async fn rest(spool: &Spool, wait: Duration) {
    let until = tokio::time::Instant::now() + wait;
    while !spool.is_closed() {
        // New records ring, too: they are no reason to hurry.
        if tokio::time::timeout_at(until, spool.bell.notified()).await.is_err() {
            return;
        }
    }
}

/// Keep a record that nobody takes for whoever looks after the receiver.
fn set_aside(folder: &Path, batch: &Batch, code: u16) -> io::Result<()> {
    let path = folder.join("set-aside.jsonl");
    let mut file = OpenOptions::new().create(true).append(true).mode(0o600).open(&path)?;
    for Entry { key, line, .. } in &batch.entries {
        if file.metadata()?.len() + line.len() as u64 > SET_ASIDE {
            return Err(io::ErrorKind::StorageFull.into());
        }
        file.write_all(line)?;
        tracing::error!(key, code, file = %path.display(), "a record was refused and set aside");
    }
    Ok(())
}

/// Now and then what was written is made safe against a loss of power, on a thread that may wait for the disk.
async fn sync(spool: Arc<Spool>, every: Duration) {
    let mut synced: Option<(PathBuf, u64)> = None;
    loop {
        tokio::time::sleep(every).await;
        let end = spool.end();
        if end == synced {
            continue;
        }
        // The last segment alone is enough but for the moment when another has begun.
        let paths: Vec<_> = [&synced, &end].into_iter().flatten().map(|(path, _)| path.clone()).collect();
        let folder = spool.folder().to_owned();
        let done = tokio::task::spawn_blocking(move || {
            for path in paths {
                match std::fs::File::open(&path) {
                    Ok(file) => file.sync_data()?,
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => return Err(error),
                }
            }
            std::fs::File::open(folder)?.sync_all()
        });
        match done.await {
            Ok(Ok(())) => synced = end,
            Ok(Err(error)) => tracing::error!(%error, "the spool of records cannot be synced"),
            Err(_) => return,
        }
    }
}
