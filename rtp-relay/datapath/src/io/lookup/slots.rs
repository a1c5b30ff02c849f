//! The packets of a batch, and the messages by which the kernel reads and writes them.

use super::header::HEADROOM;
use crate::sockaddr::Name;
use relay_core::limits::MAX_PACKET;
use std::io;
use std::net::SocketAddr;
use std::ops::Range;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Packets that are received or sent by one system call. Enough that the call costs each next to nothing; few enough that
/// all of them are still in the cache when they are sent, and that nobody waits long for the others.
pub(super) const BATCH: usize = 64;

/// One byte more than is carried: what fills it is too long.
const ROOM: usize = HEADROOM + MAX_PACKET + 1;

/// What the kernel says beside a packet: where it was sent to.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct Control {
    header: libc::cmsghdr,
    name: Name,
}

/// A batch of packets. Allocates once.
pub(super) struct Slots {
    packets: Box<[[u8; ROOM]]>,
    names: Box<[Name]>,
    controls: Box<[Control]>,
    vectors: Box<[libc::iovec]>,
    headers: Box<[libc::mmsghdr]>,
}

// SAFETY: the pointers in `headers` and `vectors` are made anew for every call that follows them.
unsafe impl Send for Slots {}

/// A packet that was received.
pub(super) struct Received {
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
    /// Of its payload, which may be more than there is room for.
    pub(super) len: usize,
}

impl Slots {
    pub(super) fn new() -> Self {
        // SAFETY: integers, for which all-zero bytes are valid.
        let control = Control { header: unsafe { std::mem::zeroed() }, name: Name::none() };
        // SAFETY: integers and pointers, for which all-zero bytes are valid.
        let (vector, header) = unsafe { (std::mem::zeroed(), std::mem::zeroed()) };
        Self {
            packets: vec![[0; ROOM]; BATCH].into_boxed_slice(),
            names: vec![Name::none(); BATCH].into_boxed_slice(),
            controls: vec![control; BATCH].into_boxed_slice(),
            vectors: vec![vector; BATCH].into_boxed_slice(),
            headers: vec![header; BATCH].into_boxed_slice(),
        }
    }

    /// Receive what is there into the slots `range`, in place of what was; how many.
    pub(super) fn receive(&mut self, fd: BorrowedFd<'_>, range: Range<usize>) -> io::Result<usize> {
        let places = self.packets.iter_mut().zip(&mut self.names).zip(&mut self.controls);
        let messages = self.headers.iter_mut().zip(&mut self.vectors);
        let each = messages.zip(places).skip(range.start).take(range.len());
        for ((header, vector), ((packet, name), control)) in each {
            let room = packet.get_mut(HEADROOM..).unwrap_or_default();
            *vector = libc::iovec { iov_base: room.as_mut_ptr().cast(), iov_len: room.len() };
            header.msg_hdr.msg_name = std::ptr::from_mut(name).cast();
            header.msg_hdr.msg_namelen = Name::LEN;
            header.msg_hdr.msg_control = std::ptr::from_mut(control).cast();
            header.msg_hdr.msg_controllen = size_of::<Control>();
            header.msg_hdr.msg_iov = vector;
            header.msg_hdr.msg_iovlen = 1;
        }
        let flags = libc::MSG_DONTWAIT | libc::MSG_TRUNC;
        let headers = self.headers.get_mut(range).unwrap_or_default();
        // SAFETY: each of these headers points to live memory of the stated length inside this value, which is borrowed mutably for
        // the call and has not been touched since; the count is their number.
        let n = unsafe {
            libc::recvmmsg(
                fd.as_raw_fd(),
                headers.as_mut_ptr(),
                headers.len() as libc::c_uint,
                flags as _,
                std::ptr::null_mut(),
            )
        };
        usize::try_from(n).map_err(|_| io::Error::last_os_error())
    }

    /// What was received in a slot.
    pub(super) fn received(&self, slot: usize) -> Option<Received> {
        let (header, name, control) =
            (self.headers.get(slot)?, self.names.get(slot)?, self.controls.get(slot)?);
        let (level, kind) = (control.header.cmsg_level, control.header.cmsg_type);
        let is_destination = header.msg_hdr.msg_controllen >= size_of::<libc::cmsghdr>()
            && matches!(
                (level, kind),
                (libc::IPPROTO_IP, libc::IP_ORIGDSTADDR) | (libc::IPPROTO_IPV6, libc::IPV6_ORIGDSTADDR)
            );
        let to = if is_destination { control.name.decode()? } else { return None };
        Some(Received { from: name.decode()?, to, len: header.msg_len as usize })
    }

    /// Payload of a slot of so many bytes; `None` if it is more than there is room for.
    pub(super) fn payload(&mut self, slot: usize, len: usize) -> Option<&mut [u8]> {
        let len = Some(len).filter(|len| *len <= MAX_PACKET)?;
        self.packets.get_mut(slot)?.get_mut(HEADROOM..HEADROOM + len)
    }

    /// All the room for a payload in a slot.
    pub(super) fn room(&mut self, slot: usize) -> &mut [u8] {
        self.packets.get_mut(slot).and_then(|p| p.get_mut(HEADROOM..)).unwrap_or_default()
    }

    /// A slot with its headroom and a payload of so many bytes.
    pub(super) fn packet(&mut self, slot: usize, len: usize) -> Option<&mut [u8]> {
        self.packets.get_mut(slot)?.get_mut(..HEADROOM + len)
    }

    /// The same, to be read.
    pub(super) fn bytes(&self, slot: usize, len: usize) -> Option<&[u8]> {
        self.packets.get(slot)?.get(..HEADROOM + len)
    }

    /// The packet that begins so many bytes into a slot and ends with a payload of so many, for the kernel to read.
    pub(super) fn from(&mut self, slot: usize, begin: usize, len: usize) -> libc::iovec {
        let bytes = self.packet(slot, len).and_then(|p| p.get_mut(begin..)).unwrap_or_default();
        libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: bytes.len() }
    }
}
