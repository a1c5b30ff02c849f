//! Call records: from the shards, through one bounded queue, to a file or standard output, a line each, and
//! into a spool from which they are delivered.
//!
//! The writer has a thread of its own. What it cannot keep up with is dropped and counted, a shard never waits for it.

mod csv;
pub(crate) mod delivery;
mod file;
mod flow;
mod line;
mod quality;
pub(crate) mod receipt;
mod shortage;
pub(crate) mod spool;
mod spooling;
mod strangers;

use crate::config::{RecordFormat, RecordSettings, RecordsTo};
use crate::limits::{RECORD_PAUSE, RECORD_TICK};
use crate::metrics::Durations;
use crate::notice::Notice;
use crate::redact::Redacted;
use crate::shared::{Shared, count};
use file::RecordFile;
use proxy_core::{CallRecord, MoveProgress, Receipt};
use shortage::Shortage;
use spool::Writer;
use spooling::Spooling;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Instant;

pub use flow::{Flow, FlowBursts, FlowReported};
pub(crate) use line::Life;

/// What shards have to tell that nobody waits for.
#[derive(Debug)]
pub(crate) enum Told {
    Finished(Box<CallRecord>),
    Moved(Box<Receipt>),
    Moves { shard: u8, progress: MoveProgress },
}

/// Where records go, and in which form.
pub(crate) struct Sink {
    to: To,
    format: RecordFormat,
    /// For a receiver that is sent them.
    spool: Option<Spooling>,
}

enum To {
    Nowhere,
    Stdout,
    File(Box<RecordFile>),
}

impl Sink {
    pub(crate) fn open(settings: &RecordSettings, spool: Option<Writer>) -> io::Result<Self> {
        let RecordSettings { to, format, rotation, sync, delivery: _ } = settings;
        let head = match format {
            RecordFormat::Json => Vec::new(),
            RecordFormat::Csv => csv::head(),
        };
        let to = match to {
            RecordsTo::Nowhere => To::Nowhere,
            RecordsTo::Stdout => {
                io::stdout().lock().write_all(&head)?;
                To::Stdout
            }
            RecordsTo::File(path) => To::File(Box::new(RecordFile::open(path, head, *rotation, *sync)?)),
        };
        Ok(Self { to, format: *format, spool: spool.map(Spooling::new) })
    }

    fn take(&mut self, shared: &Shared, record: &CallRecord) -> io::Result<()> {
        let life = &shared.life;
        let is_json = matches!(self.format, RecordFormat::Json) && !matches!(self.to, To::Nowhere);
        let json = if is_json || self.spool.is_some() { json(life, record)? } else { Vec::new() };
        if let Some(spool) = &mut self.spool {
            spool.take(&shared.tally.delivery, &life.key(record.id), &json);
        }
        let line = match (&self.to, self.format) {
            (To::Nowhere, _) => return Ok(()),
            (_, RecordFormat::Json) => json,
            (_, RecordFormat::Csv) => csv::row(life, record),
        };
        match &mut self.to {
            To::Nowhere => Ok(()),
            To::Stdout => io::stdout().lock().write_all(&line),
            To::File(file) => file.write(&line),
        }
    }

    fn flush(&mut self, shared: &Shared) -> io::Result<()> {
        if let Some(spool) = &mut self.spool {
            spool.flush(&shared.tally.delivery);
        }
        match &mut self.to {
            To::Nowhere => Ok(()),
            To::Stdout => io::stdout().lock().flush(),
            To::File(file) => file.flush(),
        }
    }

    fn tick(&mut self) -> io::Result<()> {
        match &mut self.to {
            To::Nowhere | To::Stdout => Ok(()),
            To::File(file) => file.tick(),
        }
    }

    fn reopen(&mut self) -> io::Result<()> {
        match &mut self.to {
            To::Nowhere | To::Stdout => Ok(()),
            To::File(file) => file.reopen(),
        }
    }
}

/// Write until every shard has ended.
pub(crate) fn run(shared: &Shared, mut sink: Sink, durations: &Durations, batches: &Receiver<Vec<Told>>) {
    let mut shortage = Shortage::default();
    let mut reopened = shared.reopen.load(Ordering::Relaxed);
    loop {
        let first = batches.recv_timeout(RECORD_TICK);
        let asked = shared.reopen.load(Ordering::Relaxed);
        if asked != reopened {
            reopened = asked;
            if let Err(error) = sink.reopen() {
                tracing::error!(%error, "the file of records cannot be opened anew");
                count(&shared.tally.records_unwritten);
            }
        }
        let mut next = match first {
            Ok(first) => Some(first),
            Err(RecvTimeoutError::Timeout) => {
                if sink.tick().is_err() {
                    count(&shared.tally.records_unwritten);
                }
                continue;
            }
            Err(RecvTimeoutError::Disconnected) => return,
        };
        while let Some(batch) = next {
            for told in batch {
                match told {
                    Told::Finished(record) => {
                        if let Some(calls) =
                            record.reject.and_then(|why| shortage.refused(why, Instant::now()))
                        {
                            let reason = record.reject.map_or("", proxy_core::RejectReason::as_str);
                            tracing::warn!(reason, calls, "calls refused: something runs short");
                        }
                        one(shared, &mut sink, durations, *record);
                    }
                    Told::Moved(receipt) => moved(shared, durations, *receipt),
                    Told::Moves { shard, progress } => {
                        shared.subscribers.tell(|| Notice::Moves { shard, progress });
                    }
                }
            }
            next = batches.try_recv().ok();
        }
        // Nothing waits: readers of the file see everything up to here.
        if sink.flush(shared).is_err() {
            count(&shared.tally.records_unwritten);
        }
        // While nobody waits at the queue, adding to it makes no system call: under load one wake-up serves many calls.
        std::thread::sleep(RECORD_PAUSE);
    }
}

fn one(shared: &Shared, sink: &mut Sink, durations: &Durations, record: CallRecord) {
    durations.record(&record);
    shared.tally.sessions.record(&record);
    tracing::debug!(
        call = record.id,
        calling = %Redacted(&record.calling),
        called = %Redacted(&record.called),
        trunk = record.trunk,
        code = record.code,
        close = record.close.as_str(),
        steps = record.steps.len(),
        a_call_id = record.a_call_id,
        b_call_id = record.b_call_id,
        "call over"
    );
    if sink.take(shared, &record).is_err() {
        count(&shared.tally.records_unwritten);
    }
    let record = Arc::new(record);
    shared.subscribers.tell(|| Notice::Finished(Arc::clone(&record)));
}

fn moved(shared: &Shared, durations: &Durations, receipt: Receipt) {
    durations.moved(&receipt);
    tracing::debug!(
        carrier_call_id = receipt.carrier_call_id,
        from = receipt.from.0,
        to = receipt.to.0,
        reason = receipt.reason.as_str(),
        outcome = receipt.outcome.as_str(),
        "tier leg moved"
    );
    let receipt = Arc::new(receipt);
    shared.subscribers.tell(|| Notice::Moved(Arc::clone(&receipt)));
}

fn json(life: &Life, record: &CallRecord) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(&line::Line::new(life, record))?;
    line.push(b'\n');
    Ok(line)
}
