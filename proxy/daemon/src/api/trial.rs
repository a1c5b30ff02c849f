//! A configuration that has to be confirmed, or else is undone.

use crate::config::Loaded;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::task::AbortHandle;

/// The one that is on trial, if there is one.
#[derive(Default)]
pub(crate) struct Trial(Mutex<Option<OnTrial>>);

pub(super) struct OnTrial {
    pub(super) before: Arc<Loaded>,
    pub(super) applied: Arc<Loaded>,
    pub(super) until: String,
    /// Undoes it.
    pub(super) alarm: AbortHandle,
}

impl Trial {
    pub(super) fn begin(&self, trial: OnTrial) {
        *self.lock() = Some(trial);
    }

    /// Takes it out. Another configuration that came meanwhile, by a signal, has ended the trial.
    pub(super) fn take(&self, now: &Arc<Loaded>) -> Option<OnTrial> {
        let trial = self.lock().take()?;
        trial.alarm.abort();
        Arc::ptr_eq(&trial.applied, now).then_some(trial)
    }

    /// When what is in force is undone, if it is on trial.
    pub(super) fn until(&self, now: &Arc<Loaded>) -> Option<String> {
        let trial = self.lock();
        trial.as_ref().filter(|trial| Arc::ptr_eq(&trial.applied, now)).map(|trial| trial.until.clone())
    }

    fn lock(&self) -> MutexGuard<'_, Option<OnTrial>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
