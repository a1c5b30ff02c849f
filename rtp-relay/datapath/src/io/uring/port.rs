//! A port's socket and its receive.
//!
//! ```text
//!          bind            its receive has ended
//!  Closed ──────▶ Armed ───────────────────────▶ Parked
//!    ▲              │  ▲                            │  │
//!    │ last         │  └───────── asked anew ───────┘  │
//!    │ completion   │ close                            │ close
//!    └── Ending ◀───┘                                  ▼
//!    ▲                                               Closed
//! ```
//!
//! The kernel holds on to the socket for as long as its receive lives: only after the last completion is the port free to be
//! bound again, by us or anybody.

use super::token::Generation;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

/// One of our ports.
#[derive(Debug)]
pub(super) enum Port {
    /// Nobody's.
    Closed {
        /// What its next receive is called.
        next: Generation,
    },
    /// The kernel has a receive on it.
    Armed(Open),
    /// Its receive has ended, and it waits to be asked for anew.
    Parked(Open),
    /// It is closed as soon as its receive has ended.
    Ending(Open),
}

#[derive(Debug)]
pub(super) struct Open {
    socket: OwnedFd,
    generation: Generation,
}

/// What became of a close.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Closing {
    /// It was closed, or is.
    Done,
    /// The end of this receive is to be asked for.
    Cancel(Generation),
}

impl Port {
    pub(super) const fn new() -> Self {
        Self::Closed { next: Generation::FIRST }
    }

    /// Give a closed port its socket, whose receive is about to be asked for.
    ///
    /// # Errors
    ///
    /// The socket, if the port is not closed.
    pub(super) fn open(&mut self, socket: OwnedFd) -> Result<(), OwnedFd> {
        match self {
            Self::Closed { next } => {
                *self = Self::Parked(Open { socket, generation: *next });
                Ok(())
            }
            Self::Armed(_) | Self::Parked(_) | Self::Ending(_) => Err(socket),
        }
    }

    /// The descriptor to receive from and the receive's name, if it is to be asked for. It counts as asked for.
    pub(super) fn arm(&mut self) -> Option<(RawFd, Generation)> {
        let Self::Parked(_) = self else { return None };
        let Self::Parked(open) = std::mem::replace(self, Self::new()) else { return None };
        let asked = (open.socket.as_raw_fd(), open.generation);
        *self = Self::Armed(open);
        Some(asked)
    }

    /// The receive of this name has come to its end; whether the port wants another one.
    pub(super) fn ended(&mut self, generation: Generation) -> bool {
        match std::mem::replace(self, Self::new()) {
            Self::Armed(open) if open.generation == generation => {
                *self = Self::Parked(open);
                true
            }
            Self::Ending(open) if open.generation == generation => {
                *self = Self::Closed { next: generation.next() };
                false
            }
            other @ (Self::Closed { .. } | Self::Armed(_) | Self::Parked(_) | Self::Ending(_)) => {
                *self = other;
                false
            }
        }
    }

    /// Nobody wants the port any more.
    pub(super) fn close(&mut self) -> Closing {
        match std::mem::replace(self, Self::new()) {
            Self::Armed(open) => {
                let generation = open.generation;
                *self = Self::Ending(open);
                Closing::Cancel(generation)
            }
            Self::Parked(open) => {
                *self = Self::Closed { next: open.generation.next() };
                Closing::Done
            }
            other @ (Self::Closed { .. } | Self::Ending(_)) => {
                *self = other;
                Closing::Done
            }
        }
    }

    /// Whether packets of this receive are the port's.
    pub(super) fn hears(&self, generation: Generation) -> bool {
        match self {
            Self::Armed(open) | Self::Parked(open) => open.generation == generation,
            Self::Closed { .. } | Self::Ending(_) => false,
        }
    }

    /// The receive whose end is awaited.
    pub(super) fn ending(&self) -> Option<Generation> {
        match self {
            Self::Ending(open) => Some(open.generation),
            Self::Closed { .. } | Self::Armed(_) | Self::Parked(_) => None,
        }
    }

    /// The descriptor to send from.
    pub(super) fn socket(&self) -> Option<RawFd> {
        match self {
            Self::Armed(open) | Self::Parked(open) => Some(open.socket.as_raw_fd()),
            Self::Closed { .. } | Self::Ending(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;

    fn socket() -> OwnedFd {
        UdpSocket::bind("127.0.0.1:0").unwrap().into()
    }

    #[test]
    fn a_port_is_bound_again_only_after_the_last_completion_and_knows_its_own_from_late_ones() {
        let mut port = Port::new();
        assert_eq!((port.arm(), port.close()), (None, Closing::Done));
        port.open(socket()).unwrap();
        let (_, first) = port.arm().unwrap();
        assert!(port.hears(first) && port.socket().is_some() && port.arm().is_none());
        assert_eq!(port.close(), Closing::Cancel(first));
        assert!(port.ending() == Some(first) && !port.hears(first) && port.socket().is_none());
        assert!(port.open(socket()).is_err(), "its receive has not ended");
        assert!(!port.ended(first));
        port.open(socket()).unwrap();
        let (_, second) = port.arm().unwrap();
        assert!(second != first && !port.hears(first) && !port.ended(first));
        assert!(port.hears(second), "a late completion ends nothing");
    }

    #[test]
    fn a_receive_that_has_ended_is_asked_for_again() {
        let mut port = Port::new();
        port.open(socket()).unwrap();
        let (fd, generation) = port.arm().unwrap();
        assert!(port.ended(generation));
        assert_eq!(port.socket(), Some(fd), "it still sends");
        assert_eq!(port.arm(), Some((fd, generation)));
        assert!(port.ended(generation));
        assert_eq!(port.close(), Closing::Done);
        port.open(socket()).unwrap();
    }
}
