//! The socket's error queue: which destination an ICMP error was about (Linux `ip(7)`, `IP_RECVERR`).

use crate::sockaddr::Name;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd};

/// Most errors that one [`recv_errors`] returns; the rest stays queued.
pub const MAX_ERRORS: usize = 64;

/// A destination that could not be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SendError {
    /// Where the datagram was going.
    pub to: SocketAddr,
    /// Why, as a system error number (`ECONNREFUSED`, `EHOSTUNREACH`, `EMSGSIZE`, …).
    pub errno: i32,
}

impl SendError {
    /// The same as an error of the standard library.
    pub fn error(&self) -> io::Error {
        io::Error::from_raw_os_error(self.errno)
    }
}

/// Ask the kernel to keep ICMP errors about datagrams sent from this socket.
///
/// # Errors
///
/// What `setsockopt` says.
pub fn enable_recverr(fd: impl AsFd) -> io::Result<()> {
    let fd = fd.as_fd();
    let socket = socket2::SockRef::from(&fd);
    let (level, name) = if socket.domain()? == socket2::Domain::IPV6 {
        (libc::IPPROTO_IPV6, libc::IPV6_RECVERR)
    } else {
        (libc::IPPROTO_IP, libc::IP_RECVERR)
    };
    let on: libc::c_int = 1;
    // SAFETY: the value points to a live `c_int` of the stated length.
    let done = unsafe {
        libc::setsockopt(
            fd.as_raw_fd(),
            level,
            name,
            (&raw const on).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Take what ICMP said about datagrams sent from this socket, oldest first, at most [`MAX_ERRORS`].
///
/// # Errors
///
/// What `recvmsg` says; an empty queue is no error.
pub fn recv_errors(fd: impl AsFd) -> io::Result<Vec<SendError>> {
    let fd = fd.as_fd().as_raw_fd();
    let mut errors = Vec::new();
    while errors.len() < MAX_ERRORS {
        match recv_error(fd) {
            Ok(Some(e)) => errors.push(e),
            Ok(None) => {}
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(errors)
}

/// The error numbers that an ICMP message leaves on a socket (`icmp_err_convert` and its IPv6 counterpart).
pub(super) fn is_icmp(e: &io::Error) -> bool {
    matches!(
        e.raw_os_error(),
        Some(
            libc::ECONNREFUSED
                | libc::EHOSTUNREACH
                | libc::ENETUNREACH
                | libc::EHOSTDOWN
                | libc::ENONET
                | libc::ENOPROTOOPT
                | libc::EOPNOTSUPP
                | libc::EMSGSIZE
                | libc::EPROTO
                | libc::EACCES
        )
    )
}

/// Room for one control message: `sock_extended_err` (16 bytes) and the address of who complained (28), with headers
/// and alignment; 128 bytes are ample, and a truncated one is only left out.
#[repr(C, align(8))]
struct Control([u8; 128]);

/// One entry of the error queue; `None` if it says nothing about a destination.
fn recv_error(fd: libc::c_int) -> io::Result<Option<SendError>> {
    let mut name = Name::none();
    let mut control = Control([0; 128]);
    // SAFETY: integers and pointers only: all-zero bytes are a valid value.
    let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
    header.msg_name = (&raw mut name).cast();
    header.msg_namelen = Name::LEN;
    header.msg_control = (&raw mut control).cast();
    header.msg_controllen = size_of::<Control>() as _;
    // No vector: the beginning of our own datagram comes with the error, and we do not need it.
    // SAFETY: name and control point to live memory of the stated lengths.
    let got = unsafe { libc::recvmsg(fd, &mut header, libc::MSG_ERRQUEUE | libc::MSG_DONTWAIT) };
    if got < 0 {
        return Err(io::Error::last_os_error());
    }
    let mut errno = None;
    // SAFETY: the kernel has filled the control buffer and set its length in `header`; the macros stay inside it.
    let mut at = unsafe { libc::CMSG_FIRSTHDR(&header) };
    while !at.is_null() {
        // SAFETY: a non-null control message lies inside the buffer, aligned by its type.
        let (level, kind, len) = unsafe { ((*at).cmsg_level, (*at).cmsg_type, (*at).cmsg_len as usize) };
        let wanted = (level == libc::IPPROTO_IP && kind == libc::IP_RECVERR)
            || (level == libc::IPPROTO_IPV6 && kind == libc::IPV6_RECVERR);
        // SAFETY: only arithmetic.
        let least = unsafe { libc::CMSG_LEN(size_of::<libc::sock_extended_err>() as u32) } as usize;
        if wanted && len >= least {
            // SAFETY: the message is long enough for the structure, whose bytes are plain integers; read unaligned.
            let e: libc::sock_extended_err = unsafe { std::ptr::read_unaligned(libc::CMSG_DATA(at).cast()) };
            errno = i32::try_from(e.ee_errno).ok();
        }
        // SAFETY: as for CMSG_FIRSTHDR.
        at = unsafe { libc::CMSG_NXTHDR(&header, at) };
    }
    Ok(match (name.decode(), errno) {
        (Some(to), Some(errno)) => Some(SendError { to, errno }),
        _ => None,
    })
}
