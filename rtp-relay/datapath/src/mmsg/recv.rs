//! Receiving in batches.
//!
//! Datagrams of one length that one sender has sent one after the other may come in one piece (UDP receive offload, `UDP_GRO`), up to
//! 64 KiB of them in a buffer: they have passed through the stack once. An overload brings such, new calls and what answers
//! their refusals. They are parted here.

use super::{Control, MAX_BATCH, segment};
use crate::sockaddr::Name;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd};

/// Bytes of a cache's line.
const LINE: usize = 64;

/// What lies between two buffers: an odd number of lines, more than a signalling message has. Buffers that are a power of two apart
/// have their beginnings in the same few places of a cache, where a batch's messages push each other out.
const APART: usize = 17 * LINE;

/// Buffers for a batch of received datagrams. Allocates once, at construction.
pub struct RecvBatch {
    headers: Box<[libc::mmsghdr]>,
    names: Box<[Name]>,
    // Kept for the pointers that the headers hold into them.
    _controls: Box<[Control]>,
    _vectors: Box<[libc::iovec]>,
    bytes: Box<[u8]>,
    buf_len: usize,
    /// From one buffer to the next.
    stride: usize,
    filled: usize,
}

/// Ask the kernel to leave datagrams of one sender and one length in one piece where they have come so. Whoever receives from this
/// socket has to part them, as [`RecvBatch`] does where its buffers have 65,535 bytes.
///
/// # Errors
///
/// What `setsockopt` says: kernels before 5.0 do not know it.
pub fn enable_gro(fd: impl AsFd) -> io::Result<()> {
    let on: libc::c_int = 1;
    // SAFETY: the value points to a live `c_int` of the stated length.
    let done = unsafe {
        libc::setsockopt(
            fd.as_fd().as_raw_fd(),
            libc::SOL_UDP,
            libc::UDP_GRO,
            (&raw const on).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

// SAFETY: the raw pointers in `headers` and `_vectors` point only into the boxes of the same value, which do not move
// when the value does; nothing else aliases them.
unsafe impl Send for RecvBatch {}

/// One received datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Datagram<'a> {
    /// Where it came from.
    pub from: SocketAddr,
    /// Its bytes, up to the batch's buffer length.
    pub bytes: &'a [u8],
    /// It was longer than the buffer: `bytes` is only its beginning.
    pub truncated: bool,
}

impl RecvBatch {
    /// Room for `n` datagrams (1 to [`MAX_BATCH`]; other values are brought into that range) of `buf_len` bytes each.
    pub fn new(n: usize, buf_len: usize) -> Self {
        let n = n.clamp(1, MAX_BATCH);
        let stride = buf_len.next_multiple_of(LINE) + APART;
        let mut names = vec![Name::none(); n].into_boxed_slice();
        let mut controls = vec![Control::none(); n].into_boxed_slice();
        let mut bytes = vec![0_u8; n * stride].into_boxed_slice();
        // One pointer, offset for every buffer: slicing again and again would void the earlier pointers.
        let base = bytes.as_mut_ptr();
        let mut vectors: Box<[libc::iovec]> = (0..n)
            .map(|i| libc::iovec { iov_base: base.wrapping_add(i * stride).cast(), iov_len: buf_len })
            .collect();
        let (names_at, vectors_at, controls_at) =
            (names.as_mut_ptr(), vectors.as_mut_ptr(), controls.as_mut_ptr());
        let headers = (0..n)
            .map(|i| {
                // SAFETY: `msghdr` is integers and pointers, for which all-zero bytes are valid; zeroing also covers the
                // padding fields that musl's layout adds.
                let mut header: libc::mmsghdr = unsafe { std::mem::zeroed() };
                header.msg_hdr.msg_name = names_at.wrapping_add(i).cast();
                header.msg_hdr.msg_iov = vectors_at.wrapping_add(i);
                header.msg_hdr.msg_iovlen = 1;
                header.msg_hdr.msg_control = controls_at.wrapping_add(i).cast();
                header
            })
            .collect();
        Self { headers, names, _controls: controls, _vectors: vectors, bytes, buf_len, stride, filled: 0 }
    }

    /// Receive what is there, up to the batch's size, in place of what the batch held. How many buffers are filled, with one
    /// datagram each, or with several from a socket that [joins](enable_gro) them: if fewer than there are, the socket was emptied. An error of kind
    /// `WouldBlock` if there is none. ICMP errors that wait on the socket are passed over (see
    /// [`recv_errors`](super::recv_errors)).
    pub fn recv(&mut self, fd: impl AsFd) -> io::Result<usize> {
        self.filled = 0;
        for header in &mut self.headers {
            header.msg_hdr.msg_namelen = Name::LEN;
            header.msg_hdr.msg_controllen = size_of::<Control>() as _;
        }
        let fd = fd.as_fd().as_raw_fd();
        // A pending ICMP error costs one call and is then cleared; a socket that only ever fails must not hold us here.
        let mut last = io::Error::from(io::ErrorKind::WouldBlock);
        for _ in 0..=MAX_BATCH {
            // SAFETY: every header's name and vector point to live memory of the stated length inside this value, which
            // is borrowed mutably for the call; the count is the number of headers.
            let n = unsafe {
                libc::recvmmsg(
                    fd,
                    self.headers.as_mut_ptr(),
                    self.headers.len() as libc::c_uint,
                    libc::MSG_DONTWAIT as _,
                    std::ptr::null_mut(),
                )
            };
            if let Ok(n) = usize::try_from(n) {
                self.filled = n;
                return Ok(n);
            }
            last = io::Error::last_os_error();
            let passing = last.kind() == io::ErrorKind::Interrupted || super::errors::is_icmp(&last);
            if !passing {
                return Err(last);
            }
        }
        Err(last)
    }

    /// The datagrams of the last [`recv`](Self::recv), in order of arrival. Those without an Internet source are left out.
    pub fn iter(&self) -> impl Iterator<Item = Datagram<'_>> {
        let buffers = self.bytes.chunks_exact(self.stride).filter_map(|buffer| buffer.get(..self.buf_len));
        let headers = self.headers.iter().zip(&self.names).zip(buffers).take(self.filled);
        headers.flat_map(|((header, name), buffer)| {
            let mut rest = &buffer[..(header.msg_len as usize).min(buffer.len())];
            let is_cut = header.msg_hdr.msg_flags & libc::MSG_TRUNC != 0;
            // SAFETY: the control buffer that the kernel has written to belongs to this value, and the header says how much of it.
            let each = unsafe { segment(&header.msg_hdr) }.unwrap_or(rest.len());
            let mut from = name.decode();
            std::iter::from_fn(move || {
                let (bytes, others) = rest.split_at(each.min(rest.len()));
                let datagram = Datagram { from: from?, bytes, truncated: is_cut && others.is_empty() };
                rest = others;
                if rest.is_empty() {
                    from = None;
                }
                Some(datagram)
            })
        })
    }
}

impl std::fmt::Debug for RecvBatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { headers, buf_len, filled, .. } = self;
        write!(f, "RecvBatch {{ {filled} of {} × {buf_len} bytes }}", headers.len())
    }
}
