//! Sending in batches.

use super::{MAX_BATCH, MAX_ERRORS, SendError};
use crate::sockaddr::Name;
use bytes::Bytes;
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd};

/// Datagrams that wait to be sent from one socket.
#[derive(Debug)]
pub struct SendBatch {
    queue: VecDeque<(SocketAddr, Bytes)>,
    capacity: usize,
    errors: Vec<SendError>,
}

/// The batch holds as many datagrams as it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the send queue is full")]
pub struct QueueFull;

impl SendBatch {
    /// A queue for at most `capacity` datagrams.
    pub fn new(capacity: usize) -> Self {
        Self { queue: VecDeque::with_capacity(capacity.min(MAX_BATCH)), capacity, errors: Vec::new() }
    }

    /// Queue a datagram.
    ///
    /// # Errors
    ///
    /// [`QueueFull`] if the socket has not taken earlier ones.
    pub fn push(&mut self, to: SocketAddr, datagram: Bytes) -> Result<(), QueueFull> {
        if self.queue.len() >= self.capacity {
            return Err(QueueFull);
        }
        self.queue.push_back((to, datagram));
        Ok(())
    }

    /// Datagrams not yet sent.
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// Whether everything has been sent.
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Send as much as the socket takes; the rest stays queued, in order. The number sent. A datagram that the system
    /// refuses for its destination is left out and told by [`take_errors`](Self::take_errors).
    ///
    /// # Errors
    ///
    /// `WouldBlock` if nothing was sent because the socket's buffer is full; other kinds if the descriptor is unusable.
    pub fn flush(&mut self, fd: impl AsFd) -> io::Result<usize> {
        let fd = fd.as_fd().as_raw_fd();
        let mut sent = 0;
        // An error may be the late ICMP answer to an earlier datagram (`sk_err`), which has nothing to do with the one
        // at the head: only an error that comes twice is its own.
        let mut refused = false;
        while !self.queue.is_empty() {
            match self.send_some(fd) {
                Ok(n) => {
                    self.queue.drain(..n);
                    sent += n;
                    refused = false;
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    return if sent > 0 { Ok(sent) } else { Err(e) };
                }
                Err(e) if is_unusable(&e) => return Err(e),
                Err(_) if !refused => refused = true,
                Err(e) => {
                    refused = false;
                    // Kept up to a bound: a caller that never asks must not make it grow.
                    if let Some((to, _)) = self.queue.pop_front()
                        && self.errors.len() < MAX_ERRORS
                    {
                        self.errors.push(SendError { to, errno: e.raw_os_error().unwrap_or(0) });
                    }
                }
            }
        }
        Ok(sent)
    }

    /// What [`flush`](Self::flush) could not send, since the last call; at most [`MAX_ERRORS`].
    pub fn take_errors(&mut self) -> Vec<SendError> {
        std::mem::take(&mut self.errors)
    }

    fn send_some(&self, fd: libc::c_int) -> io::Result<usize> {
        let n = self.queue.len().min(MAX_BATCH);
        let mut names = [Name::none(); MAX_BATCH];
        // SAFETY: integers and pointers only: all-zero bytes are valid values of both structures.
        let (mut vectors, mut headers): ([libc::iovec; MAX_BATCH], [libc::mmsghdr; MAX_BATCH]) =
            unsafe { (std::mem::zeroed(), std::mem::zeroed()) };
        let names_at = names.as_mut_ptr();
        let vectors_at = vectors.as_mut_ptr();
        for (i, (to, datagram)) in self.queue.iter().take(n).enumerate() {
            let (name, name_len) = Name::encode(*to);
            // The kernel only reads what a sending vector points to.
            let vector =
                libc::iovec { iov_base: datagram.as_ptr().cast_mut().cast(), iov_len: datagram.len() };
            // SAFETY: `i` is below MAX_BATCH, the length of both arrays; writing through the pointers keeps the ones
            // stored in the headers valid.
            unsafe {
                names_at.add(i).write(name);
                vectors_at.add(i).write(vector);
            }
            let header = &mut headers[i].msg_hdr;
            header.msg_name = names_at.wrapping_add(i).cast();
            header.msg_namelen = name_len;
            header.msg_iov = vectors_at.wrapping_add(i);
            header.msg_iovlen = 1;
        }
        // SAFETY: the first `n` headers point to names, vectors and datagrams that outlive the call.
        let sent =
            unsafe { libc::sendmmsg(fd, headers.as_mut_ptr(), n as libc::c_uint, libc::MSG_DONTWAIT as _) };
        usize::try_from(sent).map_err(|_| io::Error::last_os_error())
    }
}

/// Errors that are about the descriptor, not about a datagram.
fn is_unusable(e: &io::Error) -> bool {
    matches!(e.raw_os_error(), Some(libc::EBADF | libc::ENOTSOCK | libc::EPIPE))
}
