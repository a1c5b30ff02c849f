//! The ring itself: whether it can be had, and one entry into the kernel for everything.

use super::limits::{COMPLETIONS, SUBMISSIONS};
use io_uring::types::{SubmitArgs, Timespec};
use io_uring::{EnterFlags, IoUring, Probe, cqueue, opcode, squeue};
use std::io;
use std::time::Duration;

/// Why there is no ring.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unavailable {
    /// Not allowed.
    #[error("io_uring_setup is refused (kernel.io_uring_disabled, or a filter of system calls)")]
    Refused,
    /// Not there.
    #[error("the kernel has no io_uring, or a filter of system calls hides it")]
    Absent,
    /// There, but without what we build on.
    #[error("the kernel's io_uring is older than 6.1")]
    Old,
    /// There, but without one of the requests that we make.
    #[error("the kernel's io_uring does not know {0}")]
    Lacks(&'static str),
    /// No room.
    #[error("no memory for the rings (RLIMIT_MEMLOCK counts it without CAP_IPC_LOCK)")]
    Memory,
    /// Something else.
    #[error("io_uring: {0}")]
    System(io::Error),
}

impl From<io::Error> for Unavailable {
    fn from(e: io::Error) -> Self {
        match e.raw_os_error() {
            Some(libc::EPERM | libc::EACCES) => Self::Refused,
            Some(libc::ENOSYS) => Self::Absent,
            Some(libc::EINVAL) => Self::Old,
            Some(libc::ENOMEM) => Self::Memory,
            _ => Self::System(e),
        }
    }
}

/// How long to wait, and for how much.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// Completions that end it.
    pub(super) want: usize,
    /// After this time none is needed.
    pub(super) timeout: Option<Duration>,
}

impl Patience {
    /// Do not wait.
    pub(super) const NONE: Self = Self { want: 0, timeout: None };

    /// For something that will be there at once.
    pub(super) const A_MOMENT: Self = Self { want: 1, timeout: Some(Duration::from_millis(10)) };
}

pub(super) struct Ring {
    ring: IoUring,
}

impl Ring {
    /// A ring that is to be started by the thread that will use it.
    pub(super) fn new() -> Result<Self, Unavailable> {
        let mut builder = IoUring::builder();
        builder
            // Everything is done by the worker, when it asks: no interrupt of its work, no lock, no other thread.
            .setup_single_issuer()
            .setup_defer_taskrun()
            .setup_coop_taskrun()
            // A request that is refused does not hold up those behind it.
            .setup_submit_all()
            // The worker's thread is the one that starts the ring, not the one that makes it.
            .setup_r_disabled()
            .setup_cqsize(COMPLETIONS)
            .dontfork();
        // Without the indirection of the submission queue's array, from 6.6 on.
        let ring = match builder.clone().setup_no_sqarray().build(SUBMISSIONS) {
            Err(e) if e.raw_os_error() == Some(libc::EINVAL) => builder.build(SUBMISSIONS),
            ring => ring,
        }?;
        let params = ring.params();
        if !(params.is_feature_ext_arg() && params.is_feature_nodrop() && params.is_feature_submit_stable()) {
            return Err(Unavailable::Old);
        }
        let mut probe = Probe::new();
        ring.submitter().register_probe(&mut probe)?;
        for (code, name) in [
            (opcode::RecvMsgMulti::CODE, "RECVMSG"),
            (opcode::Send::CODE, "SEND"),
            (opcode::PollAdd::CODE, "POLL_ADD"),
            (opcode::AsyncCancel::CODE, "ASYNC_CANCEL"),
        ] {
            if !probe.is_supported(code) {
                return Err(Unavailable::Lacks(name));
            }
        }
        Ok(Self { ring })
    }

    pub(super) fn submitter(&self) -> io_uring::Submitter<'_> {
        self.ring.submitter()
    }

    /// Start it: from now on only the calling thread may use it.
    pub(super) fn start(&self) -> io::Result<()> {
        self.ring.submitter().register_enable_rings()
    }

    /// Put a request into the queue; if the queue is full, have it worked off first.
    ///
    /// # Errors
    ///
    /// `QuotaExceeded` if the kernel cannot take what is in the queue just now; others if the ring is of no use any more.
    ///
    /// # Safety
    ///
    /// What the request points to must stay where it is, and nobody else's, until its completion.
    pub(super) unsafe fn push(&mut self, request: &squeue::Entry) -> io::Result<()> {
        // SAFETY: the caller's promise.
        if unsafe { self.ring.submission().push(request) }.is_ok() {
            return Ok(());
        }
        self.enter(Patience::NONE)?;
        // SAFETY: the caller's promise.
        unsafe { self.ring.submission().push(request) }.map_err(|_| io::ErrorKind::QuotaExceeded.into())
    }

    /// Hand over what is in the queue, let the kernel do what waits to be done, and wait.
    pub(super) fn enter(&mut self, patience: Patience) -> io::Result<()> {
        let Patience { want, timeout } = patience;
        let requests = self.ring.submission().len() as u32;
        let timespec = timeout.map(Timespec::from);
        let mut arguments = SubmitArgs::new();
        if let Some(timespec) = &timespec {
            arguments = arguments.timespec(timespec);
        }
        let flags = (EnterFlags::GETEVENTS | EnterFlags::EXT_ARG).bits();
        // SAFETY: the arguments are of the type that EXT_ARG asks for and outlive the call.
        let done = unsafe { self.ring.submitter().enter(requests, want as u32, flags, Some(&arguments)) };
        match done {
            Ok(_) => Ok(()),
            Err(e) => match e.raw_os_error() {
                // Time is up, a signal came, or the kernel first wants completions to be taken, or is short of memory: what
                // was not handed over is still in the queue.
                Some(libc::ETIME | libc::EINTR | libc::EBUSY | libc::EAGAIN) => Ok(()),
                _ => Err(e),
            },
        }
    }

    /// The next thing that is done.
    pub(super) fn take(&mut self) -> Option<cqueue::Entry> {
        self.ring.completion().next()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn why_there_is_no_ring_is_said() {
        let said = |errno| Unavailable::from(io::Error::from_raw_os_error(errno)).to_string();
        assert!(said(libc::EPERM).contains("kernel.io_uring_disabled"));
        assert!(said(libc::ENOSYS).contains("no io_uring"));
        assert!(said(libc::EINVAL).contains("6.1"));
        assert!(said(libc::ENOMEM).contains("RLIMIT_MEMLOCK"));
        assert!(said(libc::EMFILE).contains("open files"), "{}", said(libc::EMFILE));
    }
}
