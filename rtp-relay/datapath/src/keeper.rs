//! Keeping the kernel engine true while it runs: a thread that follows the interfaces, and the streams of an earlier run.

use crate::kernel::{Kernel, Standing};
use crate::sys::{Epoll, Ready};
use crate::wake::Wake;
use crate::xdp::{News, Tables};
use relay_values::{Duration, Time};
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Instant;

/// Time between two looks at the interfaces, however much news there is: a route daemon that starts tells a thousand things.
const CALM: Duration = Duration::from_millis(50);

/// How often neighbours of the streams of an earlier run are made sure of: as of any other stream.
pub(crate) const TOUCH: Duration = crate::ways::TOUCH;

const NEWS: u64 = 0;
const WAKE: u64 = 1;

/// What the keeper has to say, for the workers and for an operator.
#[derive(Debug)]
pub(crate) struct Board {
    /// Counts up with every change that concerns workers.
    changes: AtomicU32,
    shown: Mutex<Shown>,
}

/// What is on it.
#[derive(Debug)]
struct Shown {
    stands: Vec<u32>,
    /// RTP ports that streams of an earlier run have left, in order. There is at most one entry for each that was withheld.
    given: Vec<SocketAddr>,
    standing: Standing,
    orphaned: Orphaned,
}

/// Calls of an earlier run whose streams the kernel still forwarded when this one began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Orphaned {
    /// How many there were.
    pub adopted: u64,
    /// Of those, how many have ended since, by silence or age.
    pub ended: u64,
}

/// How far a worker has read.
#[derive(Debug)]
pub(crate) struct Reader {
    board: Arc<Board>,
    changes: u32,
    given: usize,
}

/// What is new to a worker.
#[derive(Debug)]
pub(crate) struct Change {
    /// The interfaces that frames may leave by.
    pub(crate) stands: Vec<u32>,
    /// RTP ports that are the relay's again.
    pub(crate) given: Vec<SocketAddr>,
}

impl Board {
    pub(crate) fn new(stands: Vec<u32>, standing: Standing, adopted: usize) -> Arc<Self> {
        let orphaned = Orphaned { adopted: adopted as u64, ended: 0 };
        let shown = Mutex::new(Shown { stands, given: Vec::new(), standing, orphaned });
        Arc::new(Self { changes: AtomicU32::new(0), shown })
    }

    pub(crate) fn standing(&self) -> Standing {
        self.shown().standing.clone()
    }

    pub(crate) fn orphaned(&self) -> Orphaned {
        self.shown().orphaned
    }

    pub(crate) fn reader(self: &Arc<Self>) -> Reader {
        Reader { board: Arc::clone(self), changes: self.changes.load(Ordering::Acquire), given: 0 }
    }

    fn show(&self, change: impl FnOnce(&mut Shown)) {
        change(&mut self.shown());
        self.changes.fetch_add(1, Ordering::Release);
    }

    /// Never locked for longer than a copy.
    fn shown(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(|broken| broken.into_inner())
    }
}

impl Reader {
    /// What is new since the last time, if anything is.
    pub(crate) fn read(&mut self) -> Option<Change> {
        let changes = self.board.changes.load(Ordering::Acquire);
        if changes == self.changes {
            return None;
        }
        self.changes = changes;
        let shown = self.board.shown();
        let given = shown.given.get(self.given..).unwrap_or_default().to_vec();
        self.given = shown.given.len();
        Some(Change { stands: shown.stands.clone(), given })
    }
}

/// The thread. The kernel engine is taken away when this goes.
#[derive(Debug)]
pub(crate) struct Keeper {
    board: Arc<Board>,
    tables: Arc<Tables>,
    stop: Arc<AtomicBool>,
    wake: Arc<Wake>,
    thread: Option<JoinHandle<()>>,
}

impl Keeper {
    /// Keep it from now on, and wake the workers when there is something new to them.
    pub(crate) fn start(kernel: Kernel, epoch: Instant, workers: Vec<Arc<Wake>>) -> io::Result<Self> {
        let (board, tables) = (kernel.board(), kernel.tables());
        let (stop, wake) = (Arc::new(AtomicBool::new(false)), Arc::new(Wake::new()?));
        let epoll = Epoll::new()?;
        for news in kernel.news() {
            epoll.add(news, NEWS)?;
        }
        epoll.add(wake.as_fd(), WAKE)?;
        let task = Task {
            kernel,
            epoch,
            workers,
            board: Arc::clone(&board),
            stop: Arc::clone(&stop),
            wake: Arc::clone(&wake),
            epoll,
        };
        let thread = std::thread::Builder::new().name("media-kernel".to_owned()).spawn(move || task.run())?;
        Ok(Self { board, tables, stop, wake, thread: Some(thread) })
    }

    pub(crate) fn board(&self) -> &Board {
        &self.board
    }

    pub(crate) fn tables(&self) -> &Tables {
        &self.tables
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        self.wake.raise();
        if let Some(thread) = self.thread.take() {
            // One that panicked has taken the engine away as well.
            let _ = thread.join();
        }
    }
}

/// What the thread works on.
struct Task {
    kernel: Kernel,
    epoch: Instant,
    workers: Vec<Arc<Wake>>,
    board: Arc<Board>,
    stop: Arc<AtomicBool>,
    wake: Arc<Wake>,
    epoll: Epoll,
}

impl Task {
    fn run(mut self) {
        let mut ready = Ready::new(2);
        let (mut quiet_until, mut touched) = (Time::ZERO, self.now());
        let mut news = News::default();
        while !self.stop.load(Ordering::Acquire) {
            let now = self.now();
            if self.kernel.orphans().next() <= now {
                let given = self.kernel.orphans().end(now);
                if !given.is_empty() {
                    self.tell(|shown| {
                        // Two legs each.
                        shown.orphaned.ended += given.len() as u64 / 2;
                        shown.given.extend(given);
                    });
                }
            }
            if news != News::default() && quiet_until <= now {
                self.look(&std::mem::take(&mut news));
                // However many there are: most of the time is for other things.
                let then = self.now();
                quiet_until = then + CALM.max(then.since(now) * 4);
            }
            let has_orphans = self.kernel.orphans().sessions() > 0;
            if has_orphans && touched + TOUCH <= now {
                touched = now;
                self.kernel.touch();
            }
            let look = if news == News::default() { Time::NEVER } else { quiet_until };
            let next = self.kernel.orphans().next().min(look);
            let timeout = (!next.is_never()).then(|| next.since(self.now()));
            if self.epoll.wait(&mut ready, timeout).is_err() {
                // It cannot be waited for anything any more; what stands goes on, and this thread with it, though late.
                std::thread::sleep(CALM);
            }
            self.wake.lower();
            news.add(self.kernel.changes());
        }
    }

    fn look(&mut self, news: &News) {
        if !news.everything {
            return self.kernel.look_at(&news.neighbours);
        }
        if self.kernel.look_again() {
            let (stands, standing) = (self.kernel.stands(), self.kernel.standing());
            self.tell(|shown| (shown.stands, shown.standing) = (stands, standing));
        }
    }

    fn tell(&self, change: impl FnOnce(&mut Shown)) {
        self.board.show(change);
        self.workers.iter().for_each(|worker| worker.raise());
    }

    fn now(&self) -> Time {
        Time::from_nanos(u64::try_from(self.epoch.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }
}
