//! Batched UDP: many datagrams with one system call, and what ICMP said about those that we sent.
//!
//! All calls are non-blocking whatever the descriptor's mode, and follow the convention of the standard library: "nothing
//! there" is an error of kind [`WouldBlock`](std::io::ErrorKind::WouldBlock), so they fit into tokio's
//! `AsyncFd::try_io`/`UdpSocket::try_io`.

mod control;
mod errors;
mod recv;
mod send;

use control::{Control, segment};
pub use errors::{MAX_ERRORS, SendError, enable_recverr, recv_errors};
pub use recv::{Datagram, RecvBatch, enable_gro};
pub use send::{QueueFull, SendBatch};

/// Most datagrams that go through one system call (the kernel's own bound is 1,024, `UIO_MAXIOV`). Beyond some dozens
/// the cost of entering the kernel has been shared out and only latency grows.
pub const MAX_BATCH: usize = 64;
