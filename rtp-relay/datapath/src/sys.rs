//! The few system calls that the engine needs and no crate of ours wraps.

use crate::sockaddr::Name;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::Duration;

fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// A set of descriptors to wait for.
#[derive(Debug)]
pub(crate) struct Epoll(OwnedFd);

/// Room for what one wait brings.
pub(crate) struct Ready(Box<[libc::epoll_event]>);

impl Ready {
    pub(crate) fn new(n: usize) -> Self {
        Self(vec![libc::epoll_event { events: 0, u64: 0 }; n.max(1)].into_boxed_slice())
    }

    /// The token of the descriptor that was the `i`th to be ready.
    pub(crate) fn token(&self, i: usize) -> Option<u64> {
        self.0.get(i).map(|e| e.u64)
    }
}

impl Epoll {
    pub(crate) fn new() -> io::Result<Self> {
        // SAFETY: no pointers; the result is checked.
        let fd = check(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
        // SAFETY: a descriptor that the kernel has just given us and nobody else owns.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// Wait for `fd` to have something to read, level-triggered. Closing the descriptor ends it.
    pub(crate) fn add(&self, fd: BorrowedFd<'_>, token: u64) -> io::Result<()> {
        let mut event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: token };
        // SAFETY: the event is live for the call; both descriptors are open.
        check(unsafe {
            libc::epoll_ctl(self.0.as_raw_fd(), libc::EPOLL_CTL_ADD, fd.as_raw_fd(), &mut event)
        })?;
        Ok(())
    }

    /// Wait at most `timeout` (for ever if there is none); how many are ready. A signal counts as none.
    pub(crate) fn wait(&self, ready: &mut Ready, timeout: Option<Duration>) -> io::Result<usize> {
        // Whole milliseconds, rounded up: waking early would only mean to wait again.
        let ms = timeout.map_or(-1, |t| i32::try_from(t.as_nanos().div_ceil(1_000_000)).unwrap_or(i32::MAX));
        let room = i32::try_from(ready.0.len()).unwrap_or(i32::MAX);
        // SAFETY: the buffer is live and holds `room` events.
        match check(unsafe { libc::epoll_wait(self.0.as_raw_fd(), ready.0.as_mut_ptr(), room, ms) }) {
            Ok(n) => Ok(n as usize),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => Ok(0),
            Err(e) => Err(e),
        }
    }
}

/// A counter in the kernel that can be waited for.
#[derive(Debug)]
pub(crate) struct EventFd(OwnedFd);

impl EventFd {
    pub(crate) fn new() -> io::Result<Self> {
        // SAFETY: no pointers; the result is checked.
        let fd = check(unsafe { libc::eventfd(0, libc::EFD_NONBLOCK | libc::EFD_CLOEXEC) })?;
        // SAFETY: a descriptor that the kernel has just given us and nobody else owns.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// Make it readable.
    pub(crate) fn write(&self) {
        let one = 1_u64;
        // SAFETY: eight live bytes. It can only fail by a full counter, which is readable already.
        let _ = unsafe { libc::write(self.0.as_raw_fd(), (&raw const one).cast(), size_of::<u64>()) };
    }

    /// Make it unreadable; how often it was written since the last time.
    pub(crate) fn read(&self) -> u64 {
        let mut count = 0_u64;
        // SAFETY: eight live bytes. It can only fail by a counter of zero, which leaves our zero.
        let _ = unsafe { libc::read(self.0.as_raw_fd(), (&raw mut count).cast(), size_of::<u64>()) };
        count
    }
}

impl AsFd for EventFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Receive one datagram: its length (which may exceed the buffer's: then it was cut) and where it came from.
pub(crate) fn recv_from(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<(usize, Option<SocketAddr>)> {
    let mut name = Name::none();
    let mut name_len = Name::LEN;
    // SAFETY: buffer and name are live and of the stated lengths.
    let n = unsafe {
        libc::recvfrom(
            fd.as_raw_fd(),
            buffer.as_mut_ptr().cast(),
            buffer.len(),
            libc::MSG_DONTWAIT | libc::MSG_TRUNC,
            (&raw mut name).cast(),
            &mut name_len,
        )
    };
    let n = usize::try_from(n).map_err(|_| io::Error::last_os_error())?;
    Ok((n, name.decode()))
}

/// Send one datagram.
pub(crate) fn send_to(fd: BorrowedFd<'_>, bytes: &[u8], to: SocketAddr) -> io::Result<()> {
    let (name, name_len) = Name::encode(to);
    // SAFETY: bytes and name are live and of the stated lengths.
    let n = unsafe {
        libc::sendto(
            fd.as_raw_fd(),
            bytes.as_ptr().cast(),
            bytes.len(),
            libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL,
            (&raw const name).cast(),
            name_len,
        )
    };
    if n < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Raise the soft limit of open files to the hard one; the limit that holds then.
pub(crate) fn raise_descriptor_limit() -> io::Result<usize> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the structure is live for the call.
    check(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) })?;
    if limit.rlim_cur < limit.rlim_max {
        let raised = libc::rlimit { rlim_cur: limit.rlim_max, ..limit };
        // SAFETY: as above.
        if check(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raised) }).is_ok() {
            limit = raised;
        }
    }
    Ok(usize::try_from(limit.rlim_cur).unwrap_or(usize::MAX))
}

/// How a thread goes before the kernel's receive threads, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Precedence {
    /// It need not: they do its work.
    Unneeded,
    /// Whenever it has work.
    RealTime,
    /// By a greater share of its CPU.
    Weight,
    /// Not at all.
    None,
}

/// Let the calling thread go before the kernel's receive threads: at the lowest real-time priority (sched(7): `SCHED_RR`), or, where
/// that is not allowed, with the share of its CPU that goes with a niceness, from -20 (most) to 19.
///
/// A flood keeps the receive threads as busy as they are let, with packets that are thrown away afterwards. When they run only
/// while the worker has nothing to do, what is too much is dropped by the card, at no cost. The worker sleeps when its queues are
/// empty; and if they never are, the system's own limit leaves others 5 % of the CPU.
///
/// Where every session is a group of the scheduler (`sched_autogroup_enabled`), niceness holds within the session only: against the
/// kernel's threads the session's own niceness counts, which is set too if the session is ours (a service).
pub(crate) fn go_first(niceness: libc::c_int) -> Precedence {
    let lowest = libc::sched_param { sched_priority: 1 };
    let policy = libc::SCHED_RR | libc::SCHED_RESET_ON_FORK;
    // SAFETY: 0 is the calling thread; `lowest` outlives the call.
    if check(unsafe { libc::sched_setscheduler(0, policy, &raw const lowest) }).is_ok() {
        return Precedence::RealTime;
    }
    // SAFETY: no pointers.
    if unsafe { libc::getsid(0) == libc::getpid() } {
        // Not there without groups; not allowed without the right, as the rest of this then says.
        let _ = std::fs::write("/proc/self/autogroup", niceness.to_string());
    }
    // SAFETY: no pointers; 0 is the calling thread. Its own niceness can be asked for without fail, and setting it concerns nothing else.
    let has = unsafe {
        libc::getpriority(libc::PRIO_PROCESS, 0) <= niceness
            || libc::setpriority(libc::PRIO_PROCESS, 0, niceness) == 0
    };
    if has { Precedence::Weight } else { Precedence::None }
}

/// Keep the calling thread on one CPU.
pub(crate) fn pin_to_cpu(cpu: usize) -> io::Result<()> {
    if cpu >= libc::CPU_SETSIZE as usize {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // SAFETY: a set of bits, for which all-zero is valid; the CPU's number is within it.
    let set = unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(cpu, &mut set);
        set
    };
    // SAFETY: the set is live and of the stated size; 0 is the calling thread.
    check(unsafe { libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &set) })?;
    Ok(())
}

/// Give a socket a receive buffer of so many bytes, beyond the system's limit if we may.
pub(crate) fn receive_buffer(fd: BorrowedFd<'_>, bytes: usize) -> io::Result<()> {
    set_buffer(fd, bytes, libc::SO_RCVBUFFORCE, libc::SO_RCVBUF)
}

/// The same of the send buffer.
pub(crate) fn send_buffer(fd: BorrowedFd<'_>, bytes: usize) -> io::Result<()> {
    set_buffer(fd, bytes, libc::SO_SNDBUFFORCE, libc::SO_SNDBUF)
}

fn set_buffer(fd: BorrowedFd<'_>, bytes: usize, force: libc::c_int, ask: libc::c_int) -> io::Result<()> {
    // The kernel doubles it, to account for what it adds itself.
    let bytes = libc::c_int::try_from(bytes / 2).unwrap_or(libc::c_int::MAX);
    set_option(fd, libc::SOL_SOCKET, force, bytes).or_else(|_| set_option(fd, libc::SOL_SOCKET, ask, bytes))
}

/// Have the kernel say with every packet to which address and port it was sent.
pub(crate) fn want_destination(fd: BorrowedFd<'_>, is_ipv6: bool) -> io::Result<()> {
    if is_ipv6 {
        set_option(fd, libc::IPPROTO_IPV6, libc::IPV6_RECVORIGDSTADDR, 1)
    } else {
        set_option(fd, libc::IPPROTO_IP, libc::IP_RECVORIGDSTADDR, 1)
    }
}

fn set_option(
    fd: BorrowedFd<'_>,
    level: libc::c_int,
    name: libc::c_int,
    value: libc::c_int,
) -> io::Result<()> {
    let len = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: the value is live for the call and of the stated length.
    check(unsafe { libc::setsockopt(fd.as_raw_fd(), level, name, (&raw const value).cast(), len) })?;
    Ok(())
}
