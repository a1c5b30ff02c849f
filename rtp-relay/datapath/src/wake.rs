//! Waking a thread once for many things put into its queue.

use crate::sys::EventFd;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

/// A descriptor that is readable while a queue beside it may hold something.
///
/// Who puts something into the queue calls [`raise`](Self::raise) *after* it; who empties the queue calls
/// [`lower`](Self::lower) *before*. The flag spares the system calls in between: what is raised is not written again.
/// Any number of threads may raise, one lowers.
#[derive(Debug)]
pub(crate) struct Wake {
    raised: AtomicBool,
    fd: EventFd,
    /// Flags that were lowered less writes that were read: above zero, a raiser stands between its flag and its write,
    /// and the write will have to be read although no flag is up. Only the lowering thread touches it.
    owed: AtomicI64,
}

impl Wake {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self { raised: AtomicBool::new(false), fd: EventFd::new()?, owed: AtomicI64::new(0) })
    }

    /// Make it readable, if it is not.
    pub(crate) fn raise(&self) {
        // The swap publishes the queue's content to the swap in `lower`, whichever of the two sees the other.
        if !self.raised.swap(true, Ordering::AcqRel) {
            self.fd.write();
        }
    }

    /// Make it unreadable; whether it was raised.
    pub(crate) fn lower(&self) -> bool {
        let owed = self.owed.load(Ordering::Relaxed);
        if owed == 0 && !self.raised.load(Ordering::Acquire) {
            return false;
        }
        // First the descriptor, then the flag: a raise in between finds the flag up and does not write, and what it put
        // into the queue is found by the caller, who looks after this.
        let written = self.fd.read();
        let raised = self.raised.swap(false, Ordering::AcqRel);
        let written = i64::try_from(written).unwrap_or(i64::MAX);
        self.owed.store(owed - written + i64::from(raised), Ordering::Relaxed);
        raised
    }
}

impl AsFd for Wake {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::{Epoll, Ready};
    use std::sync::mpsc::channel;
    use std::time::Duration;

    #[test]
    fn nothing_is_missed_and_the_descriptor_comes_to_rest() {
        const EACH: usize = 50_000;
        let wake = Wake::new().unwrap();
        let epoll = Epoll::new().unwrap();
        epoll.add(wake.as_fd(), 1).unwrap();
        let mut ready = Ready::new(1);
        let (queue, out) = channel();
        std::thread::scope(|s| {
            for _ in 0..3 {
                let (queue, wake) = (queue.clone(), &wake);
                s.spawn(move || {
                    for i in 0..EACH {
                        queue.send(i).unwrap();
                        wake.raise();
                    }
                });
            }
            let mut got = 0;
            while got < 3 * EACH {
                let n = epoll.wait(&mut ready, Some(Duration::from_secs(10))).unwrap();
                assert_eq!(n, 1, "a wake was lost after {got}");
                wake.lower();
                got += out.try_iter().count();
            }
        });
        // Late writes may be left; looking as often as the descriptor asks for it ends that.
        for _ in 0..3 {
            wake.lower();
        }
        assert_eq!(epoll.wait(&mut ready, Some(Duration::ZERO)).unwrap(), 0);
    }
}
