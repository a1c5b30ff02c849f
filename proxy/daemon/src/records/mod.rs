//! Call records: from the shards, through one bounded queue, to a file or standard output, a JSON line each.
//!
//! The writer has a thread of its own. What it cannot keep up with is dropped and counted, a shard never waits for it.

mod flow;
mod line;
pub(crate) mod receipt;
mod shortage;
mod strangers;

use crate::clock::Clock;
use crate::config::RecordsTo;
use crate::limits::RECORD_PAUSE;
use crate::metrics::Durations;
use crate::notice::Notice;
use crate::redact::Redacted;
use crate::shared::{Shared, count};
use proxy_core::{CallRecord, MoveProgress, Receipt};
use shortage::Shortage;
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Instant;

/// What shards have to tell that nobody waits for.
#[derive(Debug)]
pub(crate) enum Told {
    Finished(Box<CallRecord>),
    Moved(Box<Receipt>),
    Moves { shard: u8, progress: MoveProgress },
}

/// Where records go.
pub(crate) enum Sink {
    Nowhere,
    Stdout,
    File(BufWriter<File>),
}

impl Sink {
    pub(crate) fn open(to: &RecordsTo) -> io::Result<Self> {
        Ok(match to {
            RecordsTo::Nowhere => Self::Nowhere,
            RecordsTo::Stdout => Self::Stdout,
            RecordsTo::File(path) => {
                Self::File(BufWriter::new(OpenOptions::new().create(true).append(true).open(path)?))
            }
        })
    }

    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        match self {
            Self::Nowhere => Ok(()),
            Self::Stdout => io::stdout().lock().write_all(line),
            Self::File(file) => file.write_all(line),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Nowhere => Ok(()),
            Self::Stdout => io::stdout().lock().flush(),
            Self::File(file) => file.flush(),
        }
    }
}

/// Write until every shard has ended.
pub(crate) fn run(shared: &Shared, mut sink: Sink, durations: &Durations, batches: &Receiver<Vec<Told>>) {
    let mut shortage = Shortage::default();
    while let Ok(first) = batches.recv() {
        let mut next = Some(first);
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
        if sink.flush().is_err() {
            count(&shared.tally.records_unwritten);
        }
        // While nobody waits at the queue, adding to it makes no system call: under load one wake-up serves many calls.
        std::thread::sleep(RECORD_PAUSE);
    }
}

fn one(shared: &Shared, sink: &mut Sink, durations: &Durations, record: CallRecord) {
    durations.record(&record);
    tracing::debug!(
        call = record.id,
        calling = %Redacted(&record.calling),
        called = %Redacted(&record.called),
        trunk = record.trunk,
        code = record.code,
        close = record.close.as_str(),
        steps = record.steps.len(),
        "call over"
    );
    if !matches!(sink, Sink::Nowhere) {
        let written = json(&shared.clock, &record).and_then(|line| sink.write(&line));
        if written.is_err() {
            count(&shared.tally.records_unwritten);
        }
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

fn json(clock: &Clock, record: &CallRecord) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(&line::Line::new(clock, record))?;
    line.push(b'\n');
    Ok(line)
}
