//! The threads of an appliance.

use crate::net;
use std::future::Future;
use std::io;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// Running threads, in the order in which they are waited for.
#[derive(Debug, Default)]
pub(super) struct Threads {
    running: Vec<(String, Option<JoinHandle<()>>)>,
    /// The first thing that ended a thread before its time.
    failure: Arc<Mutex<Option<String>>>,
}

impl Threads {
    /// A thread with a runtime of its own that runs one future, which is made on the thread and never leaves it.
    pub(super) fn spawn_async<F>(
        &mut self,
        name: &str,
        cpu: Option<usize>,
        future: impl FnOnce() -> F + Send + 'static,
    ) -> io::Result<()>
    where
        F: Future<Output = io::Result<()>>,
    {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
        self.spawn(name, cpu, move || runtime.block_on(future()))
    }

    /// A plain thread.
    pub(super) fn spawn<F>(&mut self, name: &str, cpu: Option<usize>, run: F) -> io::Result<()>
    where
        F: FnOnce() -> io::Result<()> + Send + 'static,
    {
        let failure = Arc::clone(&self.failure);
        let named = name.to_owned();
        let handle = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            let pinned = cpu.map_or(Ok(()), net::pin);
            // Unwinding from here would end the thread without a word.
            let ended =
                std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || pinned.and_then(|()| run())));
            let why = match ended {
                Ok(Ok(())) => return,
                Ok(Err(error)) => format!("{named}: {error}"),
                Err(_) => format!("{named}: panicked"),
            };
            tracing::error!(why, "a thread has ended");
            failure.lock().unwrap_or_else(std::sync::PoisonError::into_inner).get_or_insert(why);
        })?;
        self.running.push((name.to_owned(), Some(handle)));
        Ok(())
    }

    pub(super) fn failure(&self) -> Option<String> {
        self.failure.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    /// Wait for all of them.
    pub(super) fn join(&mut self) {
        for (_, handle) in &mut self.running {
            if let Some(handle) = handle.take() {
                // Its panic, if there was one, is in `failure`.
                let _ = handle.join();
            }
        }
    }
}
