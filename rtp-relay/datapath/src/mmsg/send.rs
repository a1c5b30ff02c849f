//! Sending in batches.
//!
//! Datagrams of one length that go to one peer, one after the other, are given to the kernel in one piece and parted there
//! (UDP segmentation offload, `UDP_SEGMENT`): they pass through the stack once. Refusals of an overload are such.

use super::{Control, MAX_BATCH, MAX_ERRORS, SendError};
use crate::sockaddr::Name;
use bytes::Bytes;
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd};

/// Datagrams of one system call. Runs are long only when there is much to say, and then latency is no matter.
const MAX_DATAGRAMS: usize = 256;

/// Segments of one run (the kernel's `UDP_MAX_SEGMENTS` before Linux 6.9), and how few are not worth it.
const MAX_SEGMENTS: usize = 64;
const MIN_SEGMENTS: usize = 3;

/// Longest segment: below the MTU of a tunnel over Ethernet, since a segment is never fragmented.
const MAX_SEGMENT: usize = 1_300;

/// Bytes of a run: the longest datagram of IPv4 less headers and options.
const MAX_RUN: usize = 65_000;

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
        let mut in_runs = true;
        while !self.queue.is_empty() {
            match self.send_some(fd, in_runs) {
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
                // A route whose device cannot do it, or with a small MTU: one by one, then.
                Err(_) if in_runs && self.run(0) > 1 => in_runs = false,
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

    /// How many datagrams, from this one on, go to the kernel in one piece.
    fn run(&self, from: usize) -> usize {
        let mut rest = self.queue.range(from..);
        let Some((to, first)) = rest.next() else { return 0 };
        let len = first.len();
        if !(1..=MAX_SEGMENT).contains(&len) {
            return 1;
        }
        let most = (MAX_RUN / len).min(MAX_SEGMENTS) - 1;
        let alike = |(other, next): &&(SocketAddr, Bytes)| next.len() == len && other == to;
        let run = 1 + rest.take(most).take_while(alike).count();
        if run >= MIN_SEGMENTS { run } else { 1 }
    }

    /// How many datagrams were sent with one system call.
    fn send_some(&self, fd: libc::c_int, in_runs: bool) -> io::Result<usize> {
        let waiting = self.queue.len().min(MAX_DATAGRAMS);
        let mut names = [Name::none(); MAX_BATCH];
        let mut controls = [Control::none(); MAX_BATCH];
        let mut runs = [0_usize; MAX_BATCH];
        // SAFETY: integers and pointers only: all-zero bytes are valid values of both structures.
        let (mut vectors, mut headers): ([libc::iovec; MAX_DATAGRAMS], [libc::mmsghdr; MAX_BATCH]) =
            unsafe { (std::mem::zeroed(), std::mem::zeroed()) };
        let names_at = names.as_mut_ptr();
        let vectors_at = vectors.as_mut_ptr();
        let controls_at = controls.as_mut_ptr();
        for (i, (_, datagram)) in self.queue.iter().take(waiting).enumerate() {
            // The kernel only reads what a sending vector points to.
            let vector =
                libc::iovec { iov_base: datagram.as_ptr().cast_mut().cast(), iov_len: datagram.len() };
            // SAFETY: `i` is below MAX_DATAGRAMS, the length of the array; writing through the pointer keeps the ones
            // stored in the headers valid.
            unsafe { vectors_at.add(i).write(vector) };
        }
        let (mut n, mut at) = (0, 0);
        while let Some((to, datagram)) = self.queue.get(at)
            && at < waiting
            && n < MAX_BATCH
        {
            let run = if in_runs { self.run(at).min(waiting - at) } else { 1 };
            let (name, name_len) = Name::encode(*to);
            // SAFETY: `n` is below MAX_BATCH, the length of the array; as above.
            unsafe { names_at.add(n).write(name) };
            let header = &mut headers[n].msg_hdr;
            header.msg_name = names_at.wrapping_add(n).cast();
            header.msg_namelen = name_len;
            header.msg_iov = vectors_at.wrapping_add(at);
            header.msg_iovlen = run as _;
            if run > 1 {
                // At most MAX_SEGMENT.
                let len = u16::try_from(datagram.len()).unwrap_or(u16::MAX);
                header.msg_control = controls_at.wrapping_add(n).cast();
                // SAFETY: only arithmetic.
                header.msg_controllen = unsafe { libc::CMSG_SPACE(size_of::<u16>() as u32) } as _;
                // SAFETY: the header's control buffer is live, aligned for the structure, zeroed, and has room for it and
                // a `u16` (24 bytes where pointers have 8).
                unsafe {
                    let control = libc::CMSG_FIRSTHDR(header);
                    (*control).cmsg_level = libc::SOL_UDP;
                    (*control).cmsg_type = libc::UDP_SEGMENT;
                    (*control).cmsg_len = libc::CMSG_LEN(size_of::<u16>() as u32) as _;
                    libc::CMSG_DATA(control).cast::<u16>().write_unaligned(len);
                }
            }
            runs[n] = run;
            n += 1;
            at += run;
        }
        // SAFETY: the first `n` headers point to names, vectors, control buffers and datagrams that outlive the call.
        let sent =
            unsafe { libc::sendmmsg(fd, headers.as_mut_ptr(), n as libc::c_uint, libc::MSG_DONTWAIT as _) };
        let sent = usize::try_from(sent).map_err(|_| io::Error::last_os_error())?;
        Ok(runs.iter().take(sent).sum())
    }
}

/// Errors that are about the descriptor, not about a datagram.
fn is_unusable(e: &io::Error) -> bool {
    matches!(e.raw_os_error(), Some(libc::EBADF | libc::ENOTSOCK | libc::EPIPE))
}
