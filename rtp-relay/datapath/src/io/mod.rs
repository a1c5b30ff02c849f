//! The engines that carry packets between sockets and relay, behind one shape.
//!
//! A worker waits on its engine, lets it hand over what has come, and lets it fetch what the relay has made itself:
//!
//! ```text
//!   wait ──▶ receive ──▶ Judge::packet: dropped, or rewritten in place and sent on from the same buffer
//!        ──▶ send_own ──▶ Judge::own: the relay's own packets
//! ```
//!
//! What an engine may do in between is its own affair: send at once or in batches across flows, take turns among ports or
//! read one queue. Which engine it is, is decided once at start ([`Chosen`]); every worker is compiled for its engine.

mod choose;
mod epoll;
mod lookup;
mod uring;

pub use choose::SocketEngine;
pub(crate) use choose::{AnyIo, Chosen, Seat};

use crate::latency::Latency;
use relay_core::{Outgoing, PortPair, PortRef};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

/// What an engine does for one worker.
pub(crate) trait PacketIo {
    /// Take packets to both ports of a pair from now on, or to none of them.
    fn bind(&mut self, pair: &PortPair) -> io::Result<()>;

    /// Take none any more. What was received before and is handed over later is the judge's to refuse.
    fn close(&mut self, pair: &PortPair);

    /// Wait until there is something to do, at most `timeout` (for ever if there is none).
    fn wait(&mut self, timeout: Option<Duration>) -> io::Result<Woken>;

    /// Hand over what has come, a bounded number of packets, and send on what the judge lets pass.
    fn receive(&mut self, judge: &mut impl Judge);

    /// Send all that the judge has of its own.
    fn send_own(&mut self, judge: &mut impl Judge);

    /// How long packets took that it has sent on.
    fn latency(&self) -> Latency;
}

/// What a wait has brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Woken {
    /// Anything at all: packets, news, or somebody who knocked.
    pub(crate) any: bool,
    /// There may be news about routes and neighbours.
    pub(crate) news: bool,
    /// Packets that came before now may still wait, for longer than a round.
    pub(crate) behind: bool,
}

/// A packet as it came.
pub(crate) enum Arrived<'b> {
    /// All of it, to be rewritten in place.
    Whole(&'b mut [u8]),
    /// More than [`MAX_PACKET`](relay_core::limits::MAX_PACKET), whatever the rest of it was.
    TooLong,
}

/// Who decides about packets.
pub(crate) trait Judge {
    /// A packet has come from `from` to our port `at`. If it goes on: from which of our ports, and where to.
    fn packet(
        &mut self,
        at: PortRef,
        from: SocketAddr,
        arrived: Arrived<'_>,
    ) -> Option<(PortRef, SocketAddr)>;

    /// Write the next packet of our own to the beginning of `buffer`.
    fn own(&mut self, buffer: &mut [u8]) -> Option<Outgoing>;

    /// A packet that was to go on from our port `from` was not taken by the system.
    fn send_failed(&mut self, from: PortRef);

    /// One of our own was not taken.
    fn own_failed(&mut self);

    /// Receiving failed for another reason than "nothing there".
    fn receive_failed(&mut self);
}
