//! Sending from any port of an address, by one socket: headers are our own work, the way is the kernel's.

use super::header::{self, HEADROOM};
use super::slots::{BATCH, Slots};
use crate::config::EngineConfig;
use crate::sockaddr::Name;
use crate::socket::SocketOptions;
use crate::sys::{send_buffer, send_to};
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

/// What may be under way to the card: a socket for each port would have 208 KiB each.
const SEND_BUFFER: usize = 8 << 20;

/// A raw socket for what leaves from `address`; the kernel takes it into account when it looks for the way.
pub(super) fn raw_socket(address: IpAddr, config: &EngineConfig) -> io::Result<OwnedFd> {
    let at = SocketAddr::new(address, 0);
    // IPPROTO_RAW: headers are ours (raw(7), ipv6(7)), and nothing is ever received.
    let raw = Protocol::from(libc::IPPROTO_RAW);
    let socket = Socket::new(Domain::for_address(at), Type::RAW.nonblocking(), Some(raw))?;
    // The queue before the card goes by the socket's class, not by the packet's.
    SocketOptions::new(config).mark(&socket, at)?;
    send_buffer(socket.as_fd(), SEND_BUFFER)?;
    socket.bind(&at.into())?;
    Ok(socket.into())
}

/// Packets from one address that wait for the end of the batch.
pub(super) struct Sender {
    address: IpAddr,
    socket: OwnedFd,
    options: SocketOptions,
    names: Box<[Name]>,
    vectors: Box<[libc::iovec]>,
    headers: Box<[libc::mmsghdr]>,
    waiting: Vec<Waiting>,
}

// SAFETY: the pointers in `headers` and `vectors` are made anew for every call that follows them.
unsafe impl Send for Sender {}

/// A packet whose headers have been written.
struct Waiting {
    slot: usize,
    begin: usize,
    from: SocketAddr,
    to: SocketAddr,
    len: usize,
}

impl Sender {
    pub(super) fn new(address: IpAddr, config: &EngineConfig) -> io::Result<Self> {
        // SAFETY: integers and pointers, for which all-zero bytes are valid.
        let (vector, header) = unsafe { (std::mem::zeroed(), std::mem::zeroed()) };
        Ok(Self {
            address,
            socket: raw_socket(address, config)?,
            options: SocketOptions::new(config),
            names: vec![Name::none(); BATCH].into_boxed_slice(),
            vectors: vec![vector; BATCH].into_boxed_slice(),
            headers: vec![header; BATCH].into_boxed_slice(),
            waiting: Vec::with_capacity(BATCH),
        })
    }

    /// Queue the packet of a slot, which nobody touches before [`flush`](Self::flush): from our port `number` to `to`, a payload
    /// of so many bytes. Whether it was taken.
    pub(super) fn push(
        &mut self,
        slots: &mut Slots,
        slot: usize,
        number: u16,
        to: SocketAddr,
        len: usize,
    ) -> bool {
        let from = SocketAddr::new(self.address, number);
        if from.is_ipv4() != to.is_ipv4() {
            return false;
        }
        let Some(packet) = slots.packet(slot, len) else { return false };
        match header::write(packet, from, to, self.options.tos()) {
            Some(begin) => {
                self.waiting.push(Waiting { slot, begin, from, to, len });
                true
            }
            None => self.by_stack(slots, slot, from, to, len),
        }
    }

    /// Send what waits; `failed` is told the slots whose packet the system would not take.
    pub(super) fn flush(&mut self, slots: &mut Slots, mut failed: impl FnMut(usize)) {
        let places = self.names.iter_mut().zip(&mut self.vectors).zip(&mut self.headers);
        for (waiting, ((name, vector), header)) in self.waiting.iter().zip(places) {
            // A raw socket takes no port for one.
            let (to, to_len) = Name::encode(SocketAddr::new(waiting.to.ip(), 0));
            *name = to;
            *vector = slots.from(waiting.slot, waiting.begin, waiting.len);
            header.msg_hdr.msg_name = std::ptr::from_mut(name).cast();
            header.msg_hdr.msg_namelen = to_len;
            header.msg_hdr.msg_iov = vector;
            header.msg_hdr.msg_iovlen = 1;
        }
        let mut sent = 0;
        while let Some(rest) = self.headers.get_mut(sent..self.waiting.len()).filter(|r| !r.is_empty()) {
            let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
            // SAFETY: the headers of all that waits point to live names and packets, which nothing has touched since.
            let n = unsafe {
                libc::sendmmsg(self.socket.as_raw_fd(), rest.as_mut_ptr(), rest.len() as _, flags as _)
            };
            if let Ok(n) = usize::try_from(n) {
                sent += n;
                continue;
            }
            let error = io::Error::last_os_error();
            if error.kind() == io::ErrorKind::Interrupted {
                continue;
            }
            if let Some(&Waiting { slot, from, to, len, .. }) = self.waiting.get(sent) {
                let long = error.raw_os_error() == Some(libc::EMSGSIZE);
                if !(long && self.by_stack(slots, slot, from, to, len)) {
                    failed(slot);
                }
            }
            sent += 1;
        }
        self.waiting.clear();
    }

    /// Have the stack send a packet that may have to go in pieces.
    fn by_stack(&self, slots: &mut Slots, slot: usize, from: SocketAddr, to: SocketAddr, len: usize) -> bool {
        let Some(bytes) = slots.packet(slot, len).and_then(|p| p.get(HEADROOM..)) else { return false };
        // The port is ours, whatever is bound to it for a moment.
        self.options.bind(from).is_ok_and(|socket| send_to(socket.as_fd(), bytes, to).is_ok())
    }
}
