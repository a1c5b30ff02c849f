//! A signalling shard's end of the boundary.

use crate::wake::Wake;
use relay_values::{RelayCommand, RelayEvent, SessionId};
use rtrb::{Consumer, Producer};
use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

/// How a shard commands the relay and hears from it. Every shard has one of its own; nothing in it blocks.
///
/// Commands of one session go to one worker, in order. [`send`](Self::send) only queues: call [`flush`](Self::flush)
/// after a batch, which wakes each worker once. The handle's descriptor ([`AsFd`]) is readable while events wait; read
/// them with [`recv`](Self::recv) until there is none, and it is no longer.
#[derive(Debug)]
pub struct RelayHandle {
    pub(crate) shard: u8,
    pub(crate) workers: Vec<Line>,
    pub(crate) wake: Arc<Wake>,
    /// The worker to be heard next, so that none is starved.
    pub(crate) next: usize,
}

/// The two queues between a shard and a worker.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) commands: Producer<RelayCommand>,
    /// Commands that may not be lost and found the queue full.
    pub(crate) backlog: VecDeque<RelayCommand>,
    pub(crate) events: Consumer<RelayEvent>,
    pub(crate) wake: Arc<Wake>,
    /// Something was queued since the worker was last woken.
    pub(crate) dirty: bool,
}

/// The worker's queue is full: the `Open` was not taken. Treat it as `OpenFailed` with
/// [`OpenFailure::Busy`](relay_values::OpenFailure::Busy).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the relay's command queue is full")]
pub struct Full;

impl RelayHandle {
    /// The shard that this handle belongs to.
    pub fn shard(&self) -> u8 {
        self.shard
    }

    /// Queue a command for the session's worker.
    ///
    /// # Errors
    ///
    /// [`Full`], and only for `Open`: a new call can be refused, but what concerns a call that is up is kept in order
    /// until there is room (its number is bounded by the calls that are up).
    pub fn send(&mut self, command: RelayCommand) -> Result<(), Full> {
        let Some(line) = self.line(&command) else { return Err(Full) };
        line.work_off();
        let opens = matches!(command, RelayCommand::Open(_));
        if !line.backlog.is_empty() {
            if opens {
                return Err(Full);
            }
            line.backlog.push_back(command);
            return Ok(());
        }
        match line.commands.push(command) {
            Ok(()) => line.dirty = true,
            Err(rtrb::PushError::Full(_)) if opens => return Err(Full),
            Err(rtrb::PushError::Full(command)) => line.backlog.push_back(command),
        }
        Ok(())
    }

    /// Wake the workers for which something was queued. Whether everything has found room; if not, call again soon.
    pub fn flush(&mut self) -> bool {
        let mut all = true;
        for line in &mut self.workers {
            line.work_off();
            all &= line.backlog.is_empty();
            if std::mem::take(&mut line.dirty) {
                line.wake.raise();
            }
        }
        all
    }

    /// The next event, if there is one.
    pub fn recv(&mut self) -> Option<RelayEvent> {
        if let Some(event) = self.pop() {
            return Some(event);
        }
        if self.wake.lower() { self.pop() } else { None }
    }

    fn pop(&mut self) -> Option<RelayEvent> {
        let n = self.workers.len();
        for i in 0..n {
            let at = (self.next + i) % n;
            if let Some(event) = self.workers.get_mut(at).and_then(|line| line.events.pop().ok()) {
                self.next = (at + 1) % n;
                return Some(event);
            }
        }
        None
    }

    fn line(&mut self, command: &RelayCommand) -> Option<&mut Line> {
        let session = match command {
            RelayCommand::Open(open) => open.session,
            RelayCommand::Connect { session, .. }
            | RelayCommand::Retarget { session, .. }
            | RelayCommand::Renew { session, .. }
            | RelayCommand::Bridge { session, .. }
            | RelayCommand::Place { session, .. }
            | RelayCommand::Release { session } => *session,
        };
        let worker = worker_of(session, self.workers.len());
        self.workers.get_mut(worker)
    }
}

impl Line {
    fn work_off(&mut self) {
        while let Some(command) = self.backlog.pop_front() {
            if let Err(rtrb::PushError::Full(command)) = self.commands.push(command) {
                self.backlog.push_front(command);
                break;
            }
            self.dirty = true;
        }
    }
}

/// The worker that owns a session: shards number their sessions one by one, so the serial spreads them evenly.
pub(crate) fn worker_of(session: SessionId, workers: usize) -> usize {
    (SessionId::new(0, session.0).0 % workers.max(1) as u64) as usize
}

impl AsFd for RelayHandle {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }
}

impl std::os::fd::AsRawFd for RelayHandle {
    fn as_raw_fd(&self) -> std::os::fd::RawFd {
        self.as_fd().as_raw_fd()
    }
}
