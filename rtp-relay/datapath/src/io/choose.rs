//! Which engine carries packets, and why not a faster one.

use super::epoll::EpollIo;
use super::lookup::{LookupIo, Steering};
use super::uring::UringIo;
use crate::config::EngineConfig;
use std::fmt;
use std::io;
use std::os::fd::BorrowedFd;

/// The engines of user space, fastest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SocketEngine {
    /// The first of the others that can be had.
    Auto,
    /// One socket for all ports of a worker; a program in the kernel (`sk_lookup`) steers the port range to it.
    Lookup,
    /// A socket for each port, received from and sent on by one `io_uring`.
    Uring,
    /// A socket for each port and plain system calls: it can be had everywhere.
    Epoll,
}

impl SocketEngine {
    /// A short name for configuration, logs and the status.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Lookup => "lookup",
            Self::Uring => "uring",
            Self::Epoll => "epoll",
        }
    }

    /// What is tried, in order.
    fn ladder(self) -> &'static [Self] {
        match self {
            Self::Auto => &[Self::Lookup, Self::Uring, Self::Epoll],
            Self::Lookup => &[Self::Lookup],
            Self::Uring => &[Self::Uring],
            Self::Epoll => &[Self::Epoll],
        }
    }
}

/// What an engine needs to know of the worker whose packets it carries.
pub(crate) struct Seat<'a> {
    pub(crate) config: &'a EngineConfig,
    /// Its number.
    pub(crate) worker: usize,
    /// Ports of the worker: every index of one is below it.
    pub(crate) ports: usize,
    /// Readable when somebody knocks.
    pub(crate) wake: BorrowedFd<'a>,
    /// Readable when there may be news about routes and neighbours.
    pub(crate) news: Option<BorrowedFd<'a>>,
}

/// The engine of all workers.
#[derive(Debug)]
pub(crate) enum Chosen {
    Lookup(Steering),
    Uring,
    Epoll,
}

/// A worker's part of it.
pub(crate) enum AnyIo {
    Lookup(LookupIo),
    Uring(Box<UringIo>),
    Epoll(EpollIo),
}

/// An engine that was not taken, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NotTaken {
    engine: SocketEngine,
    why: String,
}

impl fmt::Display for NotTaken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.engine.as_str(), self.why)
    }
}

impl Chosen {
    /// The first engine that can be had of those that the configuration allows, and those before it that cannot.
    ///
    /// If none can, it is those alone.
    pub(crate) fn choose(config: &EngineConfig) -> Result<(Self, Vec<NotTaken>), Vec<NotTaken>> {
        let mut not_taken = Vec::new();
        for &engine in config.sockets.ladder() {
            match Self::have(engine, config) {
                Ok(chosen) => return Ok((chosen, not_taken)),
                Err(why) => not_taken.push(NotTaken { engine, why }),
            }
        }
        Err(not_taken)
    }

    fn have(engine: SocketEngine, config: &EngineConfig) -> Result<Self, String> {
        match engine {
            SocketEngine::Lookup => Steering::start(config).map(Self::Lookup).map_err(|e| e.to_string()),
            SocketEngine::Epoll => Ok(Self::Epoll),
            SocketEngine::Uring => {
                UringIo::probe(config.workers).map(|()| Self::Uring).map_err(|why| why.to_string())
            }
            SocketEngine::Auto => Err("not one engine".to_owned()),
        }
    }

    /// Its name.
    pub(crate) const fn engine(&self) -> SocketEngine {
        match self {
            Self::Lookup(_) => SocketEngine::Lookup,
            Self::Uring => SocketEngine::Uring,
            Self::Epoll => SocketEngine::Epoll,
        }
    }

    /// Descriptors that a call takes.
    pub(crate) const fn descriptors_per_call(&self) -> usize {
        match self {
            Self::Lookup(_) => 0,
            // RTP and RTCP on each of two legs.
            Self::Uring | Self::Epoll => 4,
        }
    }

    /// Packets that were turned away because a worker had no room for them.
    pub(crate) fn turned_away(&self) -> u64 {
        match self {
            Self::Lookup(steering) => steering.turned_away(),
            // The kernel drops what finds a socket's buffer full, and counts it there.
            Self::Uring | Self::Epoll => 0,
        }
    }

    /// The part of one worker.
    pub(crate) fn seat(&self, seat: &Seat<'_>) -> io::Result<AnyIo> {
        match self {
            Self::Lookup(steering) => LookupIo::new(steering, seat).map(AnyIo::Lookup),
            Self::Uring => UringIo::new(seat).map(Box::new).map(AnyIo::Uring),
            Self::Epoll => EpollIo::new(seat).map(AnyIo::Epoll),
        }
    }
}
