//! Legs that were left behind: dialogs in a region that was taken for dead.
//!
//! Nobody may have heard the BYE. When the region is seen again its agents still talk into calls that live elsewhere, so
//! BYE is said again, until somebody answers it, with whatever code.

use crate::dialog::Dialog;
use crate::limits::{GHOST_LIFE, GHOST_PAUSE, GHOST_TRIES, GHOSTS_PER_TURN, MAX_GHOSTS};
use crate::{Snapshot, TargetId, TargetState};
use hashbrown::HashMap;
use relay_values::Time;
use std::collections::VecDeque;

/// A leg that was left behind.
#[derive(Debug)]
struct Ghost {
    dialog: Dialog,
    /// What its BYE says, if anything (RFC 3326).
    reason: Option<Box<[u8]>>,
    /// Where it sits, by the numbers of the newest configuration; `None` if that has gone.
    at: Option<TargetId>,
    since: Time,
    tries: u8,
    state: State,
    /// The drill that keeps SIP from it.
    drill: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// In the queue for its BYE.
    Due,
    /// BYE is out.
    Asked,
    /// BYE was not answered.
    Resting,
}

/// All of a shard's.
#[derive(Debug, Default)]
pub(crate) struct Ghosts {
    all: HashMap<u64, Ghost, foldhash::fast::FixedState>,
    due: VecDeque<u64>,
    /// No BYE before this.
    next: Time,
    turns: usize,
    serial: u64,
}

impl Ghosts {
    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    /// Takes a dialog whose peer may be dead; its BYE is due. False where there is no room: then it gets one BYE and is
    /// forgotten.
    pub(crate) fn take(
        &mut self,
        now: Time,
        dialog: Dialog,
        reason: Option<&[u8]>,
        at: Option<TargetId>,
        drill: Option<u64>,
    ) -> Result<(), Box<Dialog>> {
        if self.all.len() >= MAX_GHOSTS {
            return Err(Box::new(dialog));
        }
        self.serial += 1;
        let state = if drill.is_some() { State::Resting } else { State::Due };
        self.all.insert(
            self.serial,
            Ghost { dialog, reason: reason.map(Into::into), at, since: now, tries: 0, state, drill },
        );
        if drill.is_none() {
            self.due.push_back(self.serial);
        }
        Ok(())
    }

    /// The next whose BYE is to go out, its dialog to build it with, and why.
    pub(crate) fn turn(&mut self, now: Time) -> Option<(u64, &mut Dialog, Option<&[u8]>)> {
        if now < self.next || self.turns >= GHOSTS_PER_TURN {
            return None;
        }
        let id = loop {
            let id = self.due.pop_front()?;
            if self.all.get(&id).is_some_and(|ghost| ghost.state == State::Due) {
                break id;
            }
        };
        self.turns += 1;
        if self.turns == GHOSTS_PER_TURN {
            self.next = now + GHOST_PAUSE;
        }
        let ghost = self.all.get_mut(&id)?;
        ghost.state = State::Asked;
        ghost.tries = ghost.tries.saturating_add(1);
        Some((id, &mut ghost.dialog, ghost.reason.as_deref()))
    }

    /// The shard begins a new input.
    pub(crate) fn begin(&mut self) {
        self.turns = 0;
    }

    /// When a turn is due.
    pub(crate) fn next(&self) -> Time {
        if self.due.is_empty() { Time::NEVER } else { self.next }
    }

    /// Its BYE was said again under this number.
    pub(crate) fn counted(&mut self, id: u64, cseq: u32) {
        if let Some(ghost) = self.all.get_mut(&id) {
            ghost.dialog.local_cseq = cseq;
        }
    }

    /// BYE was answered: that leg is gone.
    pub(crate) fn laid(&mut self, id: u64) {
        self.all.remove(&id);
    }

    /// BYE was not answered. Somebody who is up, and silent to it again and again, is given up.
    pub(crate) fn unanswered(&mut self, id: u64, snapshot: &Snapshot) {
        let Some(ghost) = self.all.get_mut(&id) else { return };
        ghost.state = State::Resting;
        if is_back(ghost, snapshot) {
            if ghost.tries >= GHOST_TRIES {
                self.all.remove(&id);
            } else {
                ghost.state = State::Due;
                self.due.push_back(id);
            }
        }
    }

    /// A new snapshot: who rests where somebody is seen again is due, unless the drill under way keeps SIP away. `renumber` finds a target of the old configuration
    /// in the new one.
    pub(crate) fn judge(
        &mut self,
        now: Time,
        snapshot: &Snapshot,
        drill: Option<u64>,
        renumber: impl Fn(TargetId) -> Option<TargetId>,
    ) {
        let due = &mut self.due;
        self.all.retain(|id, ghost| {
            ghost.at = ghost.at.and_then(&renumber);
            ghost.drill = ghost.drill.filter(|id| drill == Some(*id));
            if ghost.state == State::Resting && is_back(ghost, snapshot) {
                (ghost.state, ghost.tries) = (State::Due, 0);
                due.push_back(*id);
            }
            now.since(ghost.since) < GHOST_LIFE
        });
    }
}

fn is_back(ghost: &Ghost, snapshot: &Snapshot) -> bool {
    ghost.drill.is_none() && ghost.at.is_none_or(|at| snapshot.state(at) != TargetState::Down)
}
